"""The Security Association payload: proposals, transforms, attributes (RFC 7296 §3.3).

Rule 1: what is kept builds the same octets again: reserved bits and attributes in their order.
Rule 2: "last substructure" and all lengths and counts are checked, not kept.
Not here: what a proposal means (ike/negotiation.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from ikepy.wire.base import Payload
from ikepy.wire.codec import Body, Memory, Number16, Octet
from ikepy.wire.errors import InvalidSyntax, TruncatedMessage
from ikepy.wire.registry import (
    TRANSFORM_IDS,
    AttributeType,
    OpenIntEnum,
    PayloadType,
    ProtocolId,
    TransformType,
    UnknownTransformId,
)

MOST_PROPOSALS = 255
MOST_TRANSFORMS = 255
MOST_TRANSFORMS_IN_ALL = 512
"Of all proposals together: Windows offers 48, a strongSwan that offers all it has about 60."
MOST_ATTRIBUTES = 8
"Of one transform: the RFC defines one."
_FORMAT_TV = 0x8000
_LAST, _MORE_TRANSFORMS, _MORE_PROPOSALS = 0, 3, 2
_TRANSFORM_HEAD = 8
_PROPOSAL_HEAD = 8
_ATTRIBUTE_HEAD = 4


@dataclass(frozen=True, slots=True)
class Attribute:
    """A transform attribute (§3.3.5): a number is sent as type/value, octets as type/length/value."""

    type: AttributeType
    value: int | bytes


@dataclass(frozen=True, slots=True)
class Transform:
    """One algorithm of a proposal (§3.3.2)."""

    type: TransformType
    id: OpenIntEnum
    attributes: tuple[Attribute, ...] = ()
    reserved1: int = 0
    reserved2: int = 0

    @property
    def key_length_bits(self) -> int | None:
        """The Key Length attribute; None where there are no attributes.

        0, which no algorithm has, where there is anything else than one Key Length that is a number: a transform with
        an attribute that is not understood is not acceptable (§3.3.6).
        """
        match self.attributes:
            case ():
                return None
            case (Attribute(AttributeType.KEY_LENGTH, int(bits)),):
                return bits
            case _:
                return 0

    def __str__(self) -> str:
        length = self.key_length_bits
        return str(self.id) if length is None else f"{self.id}-{length}"


@dataclass(frozen=True, slots=True)
class Proposal:
    """Transforms for one protocol, of which one a type is chosen (§3.3.1)."""

    number: int
    protocol: ProtocolId
    spi: bytes
    transforms: tuple[Transform, ...]
    reserved: int = 0


@dataclass(frozen=True, slots=True)
class Sa(Payload):
    """SA: an offer, or with one proposal the answer to one."""

    TYPE: ClassVar[PayloadType] = PayloadType.SA
    proposals: tuple[Proposal, ...]


def make_transform(type: TransformType, id: OpenIntEnum, key_length_bits: int | None = None) -> Transform:  # noqa: A002
    """A transform with at most a Key Length attribute."""
    if key_length_bits is None:
        return Transform(type, id)
    return Transform(type, id, (Attribute(AttributeType.KEY_LENGTH, key_length_bits),))


def transform_id(type: TransformType, number: int) -> OpenIntEnum:  # noqa: A002
    """The number as an identifier of that type of transform."""
    return TRANSFORM_IDS.get(type, UnknownTransformId)(number)


def parse_sa(octets: bytes) -> tuple[Proposal, ...]:
    """Read the body of an SA payload; raises WireError."""
    return _memory(octets)


def build_sa(proposals: tuple[Proposal, ...]) -> bytes:
    """The body of an SA payload."""
    if len(proposals) > MOST_PROPOSALS:
        raise InvalidSyntax(f"{len(proposals)} proposals, {MOST_PROPOSALS} fit")
    last = len(proposals) - 1
    return b"".join(_build_proposal(proposal, is_last=at == last) for at, proposal in enumerate(proposals))


# -- proposals -----------------------------------------------------------------------------------------------------

_proposal_head: Body[tuple[int, ...]] = Body(
    "proposal",
    {
        "last": Octet,
        "reserved": Octet,
        "length": Number16,
        "number": Octet,
        "protocol": Octet,
        "spi": Octet,
        "count": Octet,
    },
    lambda **fields: tuple(fields.values()),
    lambda values: dict(zip(("last", "reserved", "length", "number", "protocol", "spi", "count"), values, strict=True)),
)
_transform_head: Body[tuple[int, ...]] = Body(
    "transform",
    {"last": Octet, "reserved1": Octet, "length": Number16, "type": Octet, "reserved2": Octet, "id": Number16},
    lambda **fields: tuple(fields.values()),
    lambda values: dict(zip(("last", "reserved1", "length", "type", "reserved2", "id"), values, strict=True)),
)
_attribute_head: Body[tuple[int, ...]] = Body(
    "attribute",
    {"type": Number16, "value": Number16},
    lambda **fields: tuple(fields.values()),
    lambda values: {"type": values[0], "value": values[1]},
)


def _parse_proposals(octets: bytes) -> tuple[Proposal, ...]:
    proposals: list[Proposal] = []
    at = transforms_in_all = 0
    while at < len(octets):
        if len(proposals) >= MOST_PROPOSALS:
            raise InvalidSyntax(f"more than {MOST_PROPOSALS} proposals")
        (last, reserved, length, number, protocol, spi_octets, count), _ = _proposal_head.parse_at(octets, at)
        inside = _inside("proposal", octets, at, length, _PROPOSAL_HEAD)
        _check_last("proposal", last, _MORE_PROPOSALS, is_last=at + length == len(octets))
        if spi_octets > len(inside):
            raise TruncatedMessage(f"proposal {number}: SPI of {spi_octets} octets, {len(inside)} octets left")
        transforms_in_all += count
        if transforms_in_all > MOST_TRANSFORMS_IN_ALL:
            raise InvalidSyntax(f"more than {MOST_TRANSFORMS_IN_ALL} transforms in all")
        transforms = _parse_transforms(inside[spi_octets:], count)
        proposals.append(Proposal(number, ProtocolId(protocol), inside[:spi_octets], transforms, reserved))
        at += length
    if not proposals:
        raise InvalidSyntax("SA payload without a proposal")
    return tuple(proposals)


def _parse_transforms(octets: bytes, count: int) -> tuple[Transform, ...]:
    transforms: list[Transform] = []
    at = 0
    while at < len(octets):
        (last, reserved1, length, kind, reserved2, number), _ = _transform_head.parse_at(octets, at)
        inside = _inside("transform", octets, at, length, _TRANSFORM_HEAD)
        _check_last("transform", last, _MORE_TRANSFORMS, is_last=at + length == len(octets))
        identifier = transform_id(TransformType(kind), number)
        transforms.append(Transform(TransformType(kind), identifier, _parse_attributes(inside), reserved1, reserved2))
        at += length
        if len(transforms) > count:
            break
    if len(transforms) != count:
        raise InvalidSyntax(f"proposal says {count} transforms and has another number of them")
    return tuple(transforms)


def _parse_attributes(octets: bytes) -> tuple[Attribute, ...]:
    attributes: list[Attribute] = []
    at = 0
    while at < len(octets):
        if len(attributes) >= MOST_ATTRIBUTES:
            raise InvalidSyntax(f"more than {MOST_ATTRIBUTES} attributes of a transform")
        (kind, value), at = _attribute_head.parse_at(octets, at)
        if kind & _FORMAT_TV:
            attributes.append(Attribute(AttributeType(kind & ~_FORMAT_TV), value))
            continue
        if value > len(octets) - at:
            raise TruncatedMessage(f"attribute of {value} octets, {len(octets) - at} octets left")
        attributes.append(Attribute(AttributeType(kind), octets[at : at + value]))
        at += value
    return tuple(attributes)


def _build_proposal(proposal: Proposal, *, is_last: bool) -> bytes:
    last = len(proposal.transforms) - 1
    if last >= MOST_TRANSFORMS:
        raise InvalidSyntax(f"{last + 1} transforms, {MOST_TRANSFORMS} fit")
    inside = proposal.spi + b"".join(
        _build_transform(transform, is_last=at == last) for at, transform in enumerate(proposal.transforms)
    )
    head = (
        _LAST if is_last else _MORE_PROPOSALS,
        proposal.reserved,
        _PROPOSAL_HEAD + len(inside),
        proposal.number,
        proposal.protocol,
        len(proposal.spi),
        last + 1,
    )
    return _proposal_head.build(head) + inside


def _build_transform(transform: Transform, *, is_last: bool) -> bytes:
    inside = b"".join(_build_attribute(attribute) for attribute in transform.attributes)
    head: tuple[Any, ...] = (
        _LAST if is_last else _MORE_TRANSFORMS,
        transform.reserved1,
        _TRANSFORM_HEAD + len(inside),
        transform.type,
        transform.reserved2,
        transform.id,
    )
    return _transform_head.build(head) + inside


def _build_attribute(attribute: Attribute) -> bytes:
    if isinstance(attribute.value, int):
        return _attribute_head.build((attribute.type | _FORMAT_TV, attribute.value))
    return _attribute_head.build((attribute.type, len(attribute.value))) + attribute.value


def _inside(what: str, octets: bytes, at: int, length: int, head: int) -> bytes:
    if length < head or length > len(octets) - at:
        raise TruncatedMessage(f"{what} of length {length}, {len(octets) - at} octets left")
    return octets[at + head : at + length]


def _check_last(what: str, last: int, more: int, *, is_last: bool) -> None:
    if last != (_LAST if is_last else more):
        raise InvalidSyntax(
            f"{what}: last substructure {last}, {'the last has 0' if is_last else f'others have {more}'}"
        )


_memory: Memory[tuple[Proposal, ...]] = Memory(_parse_proposals)
