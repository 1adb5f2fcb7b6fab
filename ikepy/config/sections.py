"""What a table of a configuration file is made of: Section and Key.

Not here: which tables and keys there are (schema.py, access_schema.py), reading them (tables.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from ikepy.config.values import Kind
from ikepy.config.written import Written

M_co = TypeVar("M_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Key:
    """One key.

    fallback      makes the value where the key is missing, of those that are not; None leaves it to the model's default
    default_text  the default as documentation shows it; empty where the model's speaks for itself
    sentence      what the key means, where it is no field of the model
    is_secret     its value is a secret: others must not read the file
    """

    name: str
    kind: Kind[object]
    required: bool = False
    fallback: Callable[[Written], object] | None = None
    default_text: str = ""
    sentence: str = ""
    is_secret: bool = False


@dataclass(frozen=True, slots=True)
class Section(Generic[M_co]):
    """One table of the file.

    path    its header as documentation shows it
    make    makes the model's value of the keys, and of `name` where the table is one of many
    model   the dataclass whose fields the keys are
    tables  tables inside it that must be there once
    optional  tables inside it that may be there once
    named   tables inside it of which there may be many, each with a name
    later   words of swanctl.conf that are not supported yet
    opening what the table is, where the model's docstring does not say it
    check   raises Unfit where keys that are written do not go together
    """

    path: str
    make: Callable[..., M_co]
    model: type
    keys: tuple[Key, ...]
    tables: tuple[tuple[str, Section[object]], ...] = ()
    named: tuple[tuple[str, Section[object]], ...] = ()
    optional: tuple[tuple[str, Section[object]], ...] = ()
    later: frozenset[str] = frozenset()
    opening: str = ""
    check: Callable[[Written], None] = lambda _written: None

    @property
    def words(self) -> tuple[str, ...]:
        """All that may stand in the table."""
        return tuple(key.name for key in self.keys) + tuple(
            word for word, _ in (*self.tables, *self.optional, *self.named)
        )
