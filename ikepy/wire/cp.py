"""The Configuration payload (RFC 7296 §3.15).

Not here: what an attribute's octets mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ikepy.wire.base import Payload
from ikepy.wire.codec import Body, Number16, Octet, Octets, Rest
from ikepy.wire.errors import InvalidSyntax, TruncatedMessage
from ikepy.wire.registry import CfgAttributeType, CfgType, PayloadType

MOST_ATTRIBUTES = 1024
_RESERVED_BIT = 0x8000


@dataclass(frozen=True, slots=True)
class CfgAttribute:
    """One attribute; `reserved` is the bit above its type."""

    type: CfgAttributeType
    octets: bytes = b""
    reserved: int = 0


@dataclass(frozen=True, slots=True)
class Cp(Payload):
    """CP: a request for configuration, or the answer to one."""

    TYPE: ClassVar[PayloadType] = PayloadType.CP
    type: CfgType
    attributes: tuple[CfgAttribute, ...] = ()
    reserved: bytes = bytes(3)


cp_body: Body[tuple[CfgType, bytes, bytes]] = Body(
    "CP",
    {"type": Octet, "reserved": Octets(3), "rest": Rest},
    lambda type, reserved, rest: (CfgType(type), reserved, rest),  # noqa: A006
    lambda values: {"type": values[0], "reserved": values[1], "rest": values[2]},
)
_head: Body[tuple[int, int]] = Body(
    "CP attribute",
    {"type": Number16, "length": Number16},
    lambda type, length: (type, length),  # noqa: A006
    lambda values: {"type": values[0], "length": values[1]},
)


def parse_attributes(octets: bytes) -> tuple[CfgAttribute, ...]:
    """The attributes behind the first four octets of a CP body; raises WireError."""
    attributes: list[CfgAttribute] = []
    at = 0
    while at < len(octets):
        if len(attributes) >= MOST_ATTRIBUTES:
            raise InvalidSyntax(f"more than {MOST_ATTRIBUTES} CP attributes")
        (kind, length), at = _head.parse_at(octets, at)
        if length > len(octets) - at:
            raise TruncatedMessage(f"CP attribute of {length} octets, {len(octets) - at} octets left")
        reserved = kind >> 15
        attributes.append(CfgAttribute(CfgAttributeType(kind & ~_RESERVED_BIT), octets[at : at + length], reserved))
        at += length
    return tuple(attributes)


def build_attributes(attributes: tuple[CfgAttribute, ...]) -> bytes:
    """The octets of attributes."""
    return b"".join(
        _head.build((attribute.type | (attribute.reserved << 15), len(attribute.octets))) + attribute.octets
        for attribute in attributes
    )
