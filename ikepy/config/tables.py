"""One TOML table -> one value of the model, by its Section of the schema.

Rule 1: unknown keys are found before values are looked at: a slip of the pen explains the rest.
Rule 2: every fault leaves as a ConfigError with file, table, key, problem and remedy.
Not here: which keys there are (schema.py), files (load.py).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from ikepy.config.errors import ConfigError, Unfit, did_you_mean
from ikepy.config.schema import SECTIONS, TOP_WORDS
from ikepy.config.sections import Section

M = TypeVar("M")

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@+-]{0,63}")
_ROUND = re.compile(r"(local|remote)[-_]?\w+")


@dataclass(frozen=True, slots=True)
class Place:
    """Where in which file a table stands."""

    file: Path
    table: str = ""

    def inside(self, *words: str) -> Place:
        """The place of a table inside this one."""
        return Place(self.file, ".".join((self.table, *words) if self.table else words))

    def error(self, problem: str, remedy: str = "", key: str = "") -> ConfigError:
        """A fault at this place."""
        return ConfigError(self.file, problem, remedy, table=self.table, key=key)


def as_table(value: object, place: Place) -> Mapping[str, object]:
    """The value, if it is a table; raises ConfigError where it is not."""
    if not isinstance(value, dict):
        raise place.error("a table is wanted here", f"write [{place.table}] and its keys below")
    return value


def read_table(section: Section[M], value: object, place: Place, name: str | None = None) -> M:
    """Read a table; `name` where it is one of many. Raises ConfigError."""
    table = as_table(value, place)
    for word in table:
        if word not in section.words:
            raise _unknown_word(section, word, place)
    fields = _read_keys(section, table, place)
    if name is not None:
        fields["name"] = name
    for word, inner in section.tables:
        if word not in table:
            raise place.error("missing", f'add {word} = {{ auth = "psk" }} or {{ auth = "pubkey" }}', word)
        fields[word] = read_table(inner, table[word], place.inside(word))
    for word, inner in section.optional:
        if word in table:
            fields[word] = read_table(inner, table[word], place.inside(word))
    for word, inner in section.named:
        fields[word] = read_named(inner, table.get(word, {}), place.inside(word))
    try:
        return section.make(**fields)
    except Unfit as fault:
        raise place.error(fault.problem, fault.remedy, fault.key) from fault


def read_named(section: Section[M], value: object, place: Place) -> tuple[M, ...]:
    """Read tables that each have a name, in the order of the file. Raises ConfigError."""
    return tuple(
        read_table(section, inner, place.inside(check_name(name, place)), name)
        for name, inner in as_table(value, place).items()
    )


def check_name(name: str, place: Place) -> str:
    """The name, if it can be one; raises ConfigError where it cannot."""
    if _NAME.fullmatch(name) is None:
        raise place.error(f"{name!r} cannot be a name", "write up to 64 letters, digits, _ . @ + or -")
    return name


def uses_inline_secret(section: Section[M], table: Mapping[str, object]) -> bool:
    """Whether a key of the table is a secret itself, so that others must not read the file."""
    return any(key.is_secret and key.name in table for key in section.keys)


def _read_keys(section: Section[M], table: Mapping[str, object], place: Place) -> dict[str, object]:
    written: dict[str, object] = {}
    for key in section.keys:
        if key.name in table:
            try:
                written[key.name] = key.kind.read(table[key.name], place.file.parent)
            except Unfit as fault:
                raise place.error(fault.problem, fault.remedy, key.name) from fault
        elif key.required:
            raise place.error("missing", f"add {key.name} = {_example(key.kind.wording)}", key.name)
    try:
        section.check(written)
    except Unfit as fault:
        raise place.error(fault.problem, fault.remedy, fault.key) from fault
    left_out = [key for key in section.keys if key.name not in written]
    return written | {key.name: key.fallback(written) for key in left_out if key.fallback is not None}


def _unknown_word(section: Section[M], word: str, place: Place) -> ConfigError:
    if word in section.later:
        return place.error("not supported yet", "leave it out", word)
    if any(inner == "local" for inner, _ in section.tables) and _ROUND.fullmatch(word) and word not in section.words:
        base = "local" if word.startswith("local") else "remote"
        if not word.startswith(("local_", "remote_")):
            return place.error("there are two rounds of authentication at most", f"write {base} and {base}2", word)
    remedy = did_you_mean(word, section.words)
    if word in TOP_WORDS:
        return place.error("unknown key", f"write {word} at the top of the file, before the first [table]", word)
    elsewhere = [other.path for other in SECTIONS if word in other.words]
    if elsewhere:
        remedy = f"it belongs in [{elsewhere[0]}]"
    return place.error("unknown key", remedy, word)


def _example(wording: str) -> str:
    return " or ".join(f'"{word}"' for word in re.findall(r"`([^`]+)`", wording)) or wording
