"""VICI on the wire: segments, packets and messages, sans-IO.

Rule 1: whatever octets come, the end is a value or ViciError; lengths, depth and counts are bounded.
Rule 2: a message is a dict: text, lists of text, and sections, which are dicts again; the order is kept.
Rule 3: what is built here is read here: the same bounds hold both ways.
Not here: commands (commands.py), sockets (server.py, client.py).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TypeAlias

MOST_SEGMENT_OCTETS = 512 * 1024
MOST_DEPTH = 16
"Sections inside each other."
MOST_ELEMENTS = 65536
"Elements of one message: starts, ends, keys and items each count."

Value: TypeAlias = "str | list[str] | Section"
Section: TypeAlias = dict[str, Value]

_LENGTH = struct.Struct(">I")
_VALUE_LENGTH = struct.Struct(">H")
_MOST_NAME_OCTETS = 0xFF
_MOST_VALUE_OCTETS = 0xFFFF


class ViciError(Exception):
    """Octets that are no VICI, or a value that VICI cannot carry."""


class PacketType(IntEnum):
    """What a packet is."""

    CMD_REQUEST = 0
    CMD_RESPONSE = 1
    CMD_UNKNOWN = 2
    EVENT_REGISTER = 3
    EVENT_UNREGISTER = 4
    EVENT_CONFIRM = 5
    EVENT_UNKNOWN = 6
    EVENT = 7


class Element(IntEnum):
    """What an element of a message is."""

    SECTION_START = 1
    SECTION_END = 2
    KEY_VALUE = 3
    LIST_START = 4
    LIST_ITEM = 5
    LIST_END = 6


_NAMED = frozenset({PacketType.CMD_REQUEST, PacketType.EVENT_REGISTER, PacketType.EVENT_UNREGISTER, PacketType.EVENT})
_WITH_MESSAGE = frozenset({PacketType.CMD_REQUEST, PacketType.CMD_RESPONSE, PacketType.EVENT})


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet; `name` and `message` only where its type has them."""

    type: PacketType
    name: str = ""
    message: Section = field(default_factory=dict)


class Segments:
    """Cuts a stream into segments."""

    def __init__(self) -> None:
        self._octets = bytearray()

    def feed(self, octets: bytes) -> list[bytes]:
        """The segments that are complete now; raises ViciError where one is too long."""
        self._octets += octets
        segments = []
        while len(self._octets) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._octets)
            if length > MOST_SEGMENT_OCTETS:
                raise ViciError(f"segment of {length} octets, {MOST_SEGMENT_OCTETS} are the most")
            end = _LENGTH.size + length
            if len(self._octets) < end:
                break
            segments.append(bytes(self._octets[_LENGTH.size : end]))
            del self._octets[:end]
        return segments


# -- packets -----------------------------------------------------------------------------------------------------


def parse_packet(segment: bytes) -> Packet:
    """Read a segment; raises ViciError."""
    if not segment:
        raise ViciError("a segment of no octets")
    try:
        kind = PacketType(segment[0])
    except ValueError:
        raise ViciError(f"packet type {segment[0]}") from None
    reader = _Reader(segment, 1)
    name = reader.name() if kind in _NAMED else ""
    if kind in _WITH_MESSAGE:
        return Packet(kind, name, _read_message(reader))
    if reader.left:
        raise ViciError(f"{kind.name} with {reader.left} octets behind it")
    return Packet(kind, name)


def build_segment(packet: Packet) -> bytes:
    """The octets of a packet with its length before it; raises ViciError."""
    name = _build_name(packet.name) if packet.type in _NAMED else b""
    message = build_message(packet.message) if packet.type in _WITH_MESSAGE else b""
    octets = bytes([packet.type]) + name + message
    if len(octets) > MOST_SEGMENT_OCTETS:
        raise ViciError(f"packet of {len(octets)} octets, {MOST_SEGMENT_OCTETS} are the most")
    return _LENGTH.pack(len(octets)) + octets


# -- messages ----------------------------------------------------------------------------------------------------


def parse_message(octets: bytes) -> Section:
    """Read a message; raises ViciError."""
    return _read_message(_Reader(octets, 0))


def build_message(message: Section) -> bytes:
    """The octets of a message; raises ViciError."""
    elements: list[bytes] = []
    _put_section(elements, message, 0)
    return b"".join(elements)


class _Reader:
    """Walks over octets; whatever is cut off is a ViciError."""

    def __init__(self, octets: bytes, at: int) -> None:
        self._octets, self._at, self._elements = octets, at, 0

    @property
    def left(self) -> int:
        return len(self._octets) - self._at

    def element(self) -> Element | None:
        """The next element's type, None at the end."""
        if not self.left:
            return None
        self._elements += 1
        if self._elements > MOST_ELEMENTS:
            raise ViciError(f"more than {MOST_ELEMENTS} elements")
        (number,) = self._take(1, "an element")
        try:
            return Element(number)
        except ValueError:
            raise ViciError(f"element type {number}") from None

    def name(self) -> str:
        (length,) = self._take(1, "a name's length")
        return _text(self._take(length, "a name"))

    def value(self) -> str:
        (length,) = _VALUE_LENGTH.unpack(self._take(_VALUE_LENGTH.size, "a value's length"))
        return _text(self._take(length, "a value"))

    def _take(self, octets: int, what: str) -> bytes:
        if octets > self.left:
            raise ViciError(f"{what} of {octets} octets, {self.left} are left")
        self._at += octets
        return self._octets[self._at - octets : self._at]


def _read_message(reader: _Reader) -> Section:
    root: Section = {}
    stack = [root]
    while (element := reader.element()) is not None:
        match element:
            case Element.SECTION_START:
                section: Section = {}
                _add(stack[-1], reader.name(), section)
                stack.append(section)
                _check_depth(len(stack) - 1)
            case Element.SECTION_END if len(stack) > 1:
                stack.pop()
            case Element.KEY_VALUE:
                _add(stack[-1], reader.name(), reader.value())
            case Element.LIST_START:
                _add(stack[-1], reader.name(), _read_list(reader))
            case _:
                raise ViciError(f"{element.name} has no place here")
    if len(stack) > 1:
        raise ViciError("the message ends inside a section")
    return root


def _read_list(reader: _Reader) -> list[str]:
    items: list[str] = []
    while (element := reader.element()) is Element.LIST_ITEM:
        items.append(reader.value())
    if element is not Element.LIST_END:
        raise ViciError(f"{element.name if element is not None else 'the end of the message'} inside a list")
    return items


def _add(section: Section, name: str, value: Value) -> None:
    if name in section:
        raise ViciError(f"{name!r} is there twice")
    section[name] = value


def _put_section(elements: list[bytes], section: Section, depth: int) -> None:
    _check_depth(depth)
    for name, value in section.items():
        match value:
            case dict():
                elements.append(bytes([Element.SECTION_START]) + _build_name(name))
                _put_section(elements, value, depth + 1)
                elements.append(bytes([Element.SECTION_END]))
            case list():
                elements.append(bytes([Element.LIST_START]) + _build_name(name))
                elements += [bytes([Element.LIST_ITEM]) + _build_value(item) for item in value]
                elements.append(bytes([Element.LIST_END]))
            case str():
                elements.append(bytes([Element.KEY_VALUE]) + _build_name(name) + _build_value(value))
    if len(elements) > MOST_ELEMENTS:
        raise ViciError(f"more than {MOST_ELEMENTS} elements")


def _check_depth(depth: int) -> None:
    if depth > MOST_DEPTH:
        raise ViciError(f"sections deeper than {MOST_DEPTH}")


def _text(octets: bytes) -> str:
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError:
        raise ViciError("a name or value that is not UTF-8") from None


def _octets(text: str) -> bytes:
    """UTF-8; the halves of characters that Python keeps from odd file names are written as escapes."""
    return text.encode("utf-8", "backslashreplace")


def _build_name(text: str) -> bytes:
    octets = _octets(text)
    if len(octets) > _MOST_NAME_OCTETS:
        raise ViciError(f"a name of {len(octets)} octets, {_MOST_NAME_OCTETS} are the most")
    return bytes([len(octets)]) + octets


def _build_value(text: str) -> bytes:
    octets = _octets(text)
    if len(octets) > _MOST_VALUE_OCTETS:
        raise ViciError(f"a value of {len(octets)} octets, {_MOST_VALUE_OCTETS} are the most")
    return _VALUE_LENGTH.pack(len(octets)) + octets
