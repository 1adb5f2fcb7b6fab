"""The one door to construct: exact consumption, foreign errors converted, Container to dataclass.

Rule 1: nothing else in ikepy imports construct.
Rule 2: every octet is consumed or it is an error; whatever construct raises comes out as WireError.
Rule 3: parses of small bodies that repeat are remembered, bounded in octets; values are frozen, so they can be shared.
Not here: what any body looks like (payloads.py and its neighbours).
"""

from __future__ import annotations

import io
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import construct

from ikepy.wire.errors import InvalidSyntax, TruncatedMessage, WireError

Value = TypeVar("Value")

MEMO_BODY_OCTETS = 512
"The longest body that is remembered."
MEMO_OCTETS = 256 * 1024
"What one memory may hold, keys counted."
_VALUE_OVERHEAD = 256

Octet = construct.Int8ub
Number16 = construct.Int16ub
Number32 = construct.Int32ub
Rest = construct.GreedyBytes
Octets = construct.Bytes


class Body(Generic[Value]):
    """The fields of a body in their order, compiled, and the two functions between them and a value."""

    def __init__(
        self,
        name: str,
        fields: dict[str, construct.Construct],
        load: Callable[..., Value],
        dump: Callable[[Value], dict[str, Any]],
    ) -> None:
        self._name, self._load, self._dump = name, load, dump
        self._fields = construct.Struct(*(label / field for label, field in fields.items())).compile()

    def parse(self, octets: bytes) -> Value:
        """Read a whole body; raises WireError where octets are missing or left over."""
        value, used = self.parse_first(octets)
        if used != len(octets):
            raise InvalidSyntax(f"{self._name}: {len(octets) - used} octets left over")
        return value

    def parse_first(self, octets: bytes) -> tuple[Value, int]:
        """Read a body that others may follow, and how many octets it has."""
        stream = io.BytesIO(octets)
        try:
            container = self._fields.parse_stream(stream)
            container.pop("_io", None)
            return self._load(**container), stream.tell()
        except WireError:
            raise
        except construct.StreamError as error:
            raise TruncatedMessage(f"{self._name}: {len(octets)} octets are too few") from error
        except (construct.ConstructError, ValueError, KeyError, IndexError, TypeError) as error:
            raise InvalidSyntax(f"{self._name}: {_first_line(error)}") from error

    def build(self, value: Value) -> bytes:
        """The octets of a body; raises WireError where the value does not fit its fields."""
        try:
            return bytes(self._fields.build(self._dump(value)))
        except WireError:
            raise
        except (construct.ConstructError, ValueError, KeyError, TypeError, OverflowError) as error:
            raise InvalidSyntax(f"{self._name}: {_first_line(error)}") from error


class Memory(Generic[Value]):
    """Remembers what small octets were read as; the least used go when there is no room."""

    def __init__(self, parse: Callable[[bytes], Value]) -> None:
        self._parse = parse
        self._known: OrderedDict[bytes, Value] = OrderedDict()
        self.octets = 0

    def __call__(self, octets: bytes) -> Value:
        """The value of the octets; raises what the parser raises, and remembers no failure."""
        known = self._known.get(octets)
        if known is not None:
            self._known.move_to_end(octets)
            return known
        value = self._parse(octets)
        if len(octets) <= MEMO_BODY_OCTETS:
            self._known[bytes(octets)] = value
            self.octets += len(octets) + _VALUE_OVERHEAD
            while self.octets > MEMO_OCTETS:
                forgotten, _ = self._known.popitem(last=False)
                self.octets -= len(forgotten) + _VALUE_OVERHEAD
        return value


def printable(octets: bytes) -> str:
    """Octets from a peer as text for a log: ASCII as it is, all else escaped."""
    return "".join(chr(o) if 0x20 <= o < 0x7F and o != 0x5C else f"\\x{o:02x}" for o in octets)  # noqa: PLR2004


def _first_line(error: Exception) -> str:
    lines = [line for line in str(error).splitlines() if line]
    return lines[-1] if lines else type(error).__name__
