"""The one door to construct: exact consumption, foreign errors converted, Container to dataclass.

Rule 1: nothing else in ikepy imports construct.
Rule 2: every octet is consumed or it is an error; whatever construct raises comes out as WireError.
Rule 3: parses of small bodies that repeat are remembered, bounded in octets; values are frozen, so they can be shared.
Not here: what any body looks like (payloads.py and its neighbours).
"""

from __future__ import annotations

import io
import struct
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
_FOREIGN = (construct.ConstructError, struct.error, ValueError, KeyError, TypeError, OverflowError)
"What construct, and enumerations given what they cannot be, may raise."

Octet = construct.Int8ub
Number16 = construct.Int16ub
Number32 = construct.Int32ub
Rest = construct.GreedyBytes
Octets = construct.Bytes


class Body(Generic[Value]):
    """The fields of a body in their order, compiled, and the two functions between them and a value.

    All fields have a fixed size but the last, which may be `Rest`. Sizes are checked here: compiled constructs do not.
    """

    def __init__(
        self,
        name: str,
        fields: dict[str, construct.Construct],
        load: Callable[..., Value],
        dump: Callable[[Value], dict[str, Any]],
    ) -> None:
        self._name, self._load, self._dump = name, load, dump
        self._rest = next((label for label, field in fields.items() if field is Rest), None)
        self._octets = sum(field.sizeof() for field in fields.values() if field is not Rest)
        self._fields = construct.Struct(*(label / field for label, field in fields.items())).compile()

    def parse(self, octets: bytes) -> Value:
        """Read a whole body; raises WireError where octets are missing or left over."""
        if self._rest is None and len(octets) > self._octets:
            raise InvalidSyntax(f"{self._name}: {len(octets) - self._octets} octets left over")
        return self.parse_at(octets, 0)[0]

    def parse_at(self, octets: bytes, at: int) -> tuple[Value, int]:
        """Read a body that begins at an offset and may be followed by others; also where it ends."""
        if len(octets) - at < self._octets:
            raise TruncatedMessage(f"{self._name}: {len(octets) - at} octets, it has at least {self._octets}")
        stream = io.BytesIO(octets)
        stream.seek(at)
        try:
            container = self._fields.parse_stream(stream)
            container.pop("_io", None)
            return self._load(**container), stream.tell()
        except WireError:
            raise
        except _FOREIGN as error:
            raise InvalidSyntax(f"{self._name}: {_first_line(error)}") from error

    def build(self, value: Value) -> bytes:
        """The octets of a body; raises WireError where the value does not fit its fields."""
        try:
            values = self._dump(value)
            built = bytes(self._fields.build(values))
        except _FOREIGN as error:
            raise InvalidSyntax(f"{self._name}: {_first_line(error)}") from error
        rest = len(values[self._rest]) if self._rest is not None else 0
        if len(built) != self._octets + rest:
            raise InvalidSyntax(f"{self._name}: a field of fixed size has another number of octets")
        return built


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
