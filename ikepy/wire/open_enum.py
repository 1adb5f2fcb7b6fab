"""Enumerations of IANA's numbers that accept numbers nobody has named yet.

Rule 1: every integer from 0 to the field's limit is a value; what lies outside raises ValueError.
Not here: any number (registry.py, notify_types.py).
"""

from __future__ import annotations

from enum import IntEnum
from typing import Self


class OpenIntEnum(IntEnum):
    """An IntEnum of 16-bit code points that accepts numbers nobody has named yet."""

    @classmethod
    def limit(cls) -> int:
        """The largest code point the field on the wire can hold."""
        return 0xFFFF

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, int) or not 0 <= value <= cls.limit():
            return None
        member = int.__new__(cls, value)
        member._name_ = str(value)
        member._value_ = value
        return member

    @property
    def is_known(self) -> bool:
        """Whether the registry (as this file knows it) has a name for the number."""
        return not self._name_.isdigit()

    def __str__(self) -> str:
        return self._name_ if self.is_known else f"{type(self).__name__}.{self._value_}"

    def __repr__(self) -> str:
        return f"{type(self).__name__}.{self._name_}"


class OpenByteEnum(OpenIntEnum):
    """The same for code points of one octet."""

    @classmethod
    def limit(cls) -> int:
        """255."""
        return 0xFF
