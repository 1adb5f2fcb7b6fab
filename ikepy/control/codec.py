"""VICI on the wire: segments, packets and messages, sans-IO.

Rule 1: whatever octets come, the end is a value or ViciError; lengths, depth and counts are bounded.
Rule 2: a message is a dict: text, lists of text, and sections, which are dicts again; the order is kept.
Not here: commands (commands.py), sockets (server.py, client.py).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from enum import IntEnum

MOST_SEGMENT_OCTETS = 512 * 1024
MOST_DEPTH = 16
MOST_ELEMENTS = 65536
_LENGTH = struct.Struct(">I")
_VALUE_LENGTH = struct.Struct(">H")

Value = "str | list[str] | Section"
Section = dict[str, "str | list[str] | Section"]


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


_NAMED = frozenset(
    {PacketType.CMD_REQUEST, PacketType.EVENT_REGISTER, PacketType.EVENT_UNREGISTER, PacketType.EVENT}
)


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet; `name` only where its type has one."""

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
            if len(self._octets) < _LENGTH.size + length:
                break
            segments.append(bytes(self._octets[_LENGTH.size : _LENGTH.size + length]))
            del self._octets[: _LENGTH.size + length]
        return segments


def parse_packet(segment: bytes) -> Packet:
    """Read a segment; raises ViciError."""
    if not segment:
        raise ViciError("a segment of no octets")
    try:
        kind = PacketType(segment[0])
    except ValueError:
        raise ViciError(f"packet type {segment[0]}") from None
    if kind not in _NAMED:
        return Packet(kind, "", parse_message(segment[1:]))
    name, at = _short(segment, 1)
    return Packet(kind, name, parse_message(segment[at:]))


def build_segment(packet: Packet) -> bytes:
    """The octets of a packet with its length before it; raises ViciError."""
    name = _build_short(packet.name) if packet.type in _NAMED else b""
    octets = bytes([packet.type]) + name + build_message(packet.message)
    if len(octets) > MOST_SEGMENT_OCTETS:
        raise ViciError(f"packet of {len(octets)} octets, {MOST_SEGMENT_OCTETS} are the most")
    return _LENGTH.pack(len(octets)) + octets


def parse_message(octets: bytes) -> Section:
    """Read a message; raises ViciError."""
    root: Section = {}
    stack = [root]
    current: list[str] | None = None
    at = count = 0
    while at < len(octets):
        count += 1
        if count > MOST_ELEMENTS:
            raise ViciError(f"more than {MOST_ELEMENTS} elements")
        element, at = octets[at], at + 1
        if current is not None and element not in {Element.LIST_ITEM, Element.LIST_END}:
            raise ViciError("a list may hold nothing but items")
        match element:
            case Element.SECTION_START:
                name, at = _short(octets, at)
                if len(stack) > MOST_DEPTH:
                    raise ViciError(f"sections deeper than {MOST_DEPTH}")
                section: Section = {}
                stack[-1][name] = section
                stack.append(section)
            case Element.SECTION_END:
                if len(stack) == 1:
                    raise ViciError("the end of a section that has no start")
                stack.pop()
            case Element.KEY_VALUE:
                name, at = _short(octets, at)
                stack[-1][name], at = _long(octets, at)
            case Element.LIST_START:
                name, at = _short(octets, at)
                current = []
                stack[-1][name] = current
            case Element.LIST_ITEM if current is not None:
                item, at = _long(octets, at)
                current.append(item)
            case Element.LIST_END if current is not None:
                current = None
            case _:
                raise ViciError(f"element {element} has no place here")
    if len(stack) > 1 or current is not None:
        raise ViciError("the message ends inside a section or list")
    return root


def build_message(message: Section) -> bytes:
    """The octets of a message; raises ViciError."""
    parts: list[bytes] = []
    for name, value in message.items():
        if isinstance(value, dict):
            parts += [bytes([Element.SECTION_START]), _build_short(name), build_message(value)]
            parts.append(bytes([Element.SECTION_END]))
        elif isinstance(value, list):
            parts += [bytes([Element.LIST_START]), _build_short(name)]
            parts += [bytes([Element.LIST_ITEM]) + _build_long(item) for item in value]
            parts.append(bytes([Element.LIST_END]))
        else:
            parts += [bytes([Element.KEY_VALUE]), _build_short(name), _build_long(value)]
    return b"".join(parts)


def _short(octets: bytes, at: int) -> tuple[str, int]:
    if at >= len(octets) or at + 1 + octets[at] > len(octets):
        raise ViciError("a name is cut off")
    end = at + 1 + octets[at]
    return octets[at + 1 : end].decode("utf-8", "surrogateescape"), end


def _long(octets: bytes, at: int) -> tuple[str, int]:
    if at + _VALUE_LENGTH.size > len(octets):
        raise ViciError("a value is cut off")
    (length,) = _VALUE_LENGTH.unpack_from(octets, at)
    end = at + _VALUE_LENGTH.size + length
    if end > len(octets):
        raise ViciError("a value is cut off")
    return octets[at + _VALUE_LENGTH.size : end].decode("utf-8", "surrogateescape"), end


def _build_short(text: str) -> bytes:
    octets = text.encode("utf-8", "surrogateescape")
    if len(octets) > 0xFF:
        raise ViciError(f"a name of {len(octets)} octets, 255 are the most")
    return bytes([len(octets)]) + octets


def _build_long(text: str) -> bytes:
    octets = text.encode("utf-8", "surrogateescape")
    if len(octets) > 0xFFFF:
        raise ViciError(f"a value of {len(octets)} octets, 65535 are the most")
    return _VALUE_LENGTH.pack(len(octets)) + octets
