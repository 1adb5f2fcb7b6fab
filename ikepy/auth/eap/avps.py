"""The attributes in a TTLS tunnel, which are Diameter's (RFC 5281 §10.1, RFC 6733 §4.1).

    0                   1                   2                   3
    |                           AVP Code                            |
    |V M r r r r r r|                  AVP Length                   |   header, vendor and octets, without the padding
    |                     Vendor-ID (where V is set)                |
    |    Data ...                                                   |   padded with zeros to a multiple of four

Rule 1: a length is at least its header's, and at most what is left; the padding is there.
Rule 2: attributes and octets are bounded; each step goes forward at least eight octets.
Rule 3: whoever does not know an attribute marked M refuses the whole (§10.1); check_known() says so.
Not here: what the attributes mean (ttls.py).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from ikepy.wire.errors import InvalidSyntax, TruncatedMessage

MOST_AVPS = 64
MOST_OCTETS = 16 << 10

USER_NAME = 1
USER_PASSWORD = 2
EAP_MESSAGE = 79
VENDOR_MICROSOFT = 311
MS_CHAP_ERROR = 2
MS_CHAP_CHALLENGE = 11
MS_CHAP2_RESPONSE = 25
MS_CHAP2_SUCCESS = 26

AvpName = tuple[int, int]
"Vendor and code; vendor 0 is the IETF."

_HAS_VENDOR, _MANDATORY = 0x80, 0x40
_HEAD, _HEAD_WITH_VENDOR = 8, 12
_MOST_LENGTH = (1 << 24) - 1


@dataclass(frozen=True, slots=True)
class Avp:
    """One attribute; its octets may be a password and do not print."""

    code: int
    octets: bytes = field(repr=False)
    vendor: int = 0
    mandatory: bool = True

    @property
    def name(self) -> AvpName:
        """Vendor and code."""
        return self.vendor, self.code


def parse_avps(octets: bytes) -> tuple[Avp, ...]:
    """Parse a sequence of attributes; raises InvalidSyntax."""
    if len(octets) > MOST_OCTETS:
        raise InvalidSyntax(f"attributes of {len(octets)} octets; {MOST_OCTETS} are the most")
    found: list[Avp] = []
    place = 0
    while place < len(octets):
        if len(found) == MOST_AVPS:
            raise InvalidSyntax(f"more than {MOST_AVPS} attributes")
        avp, length = _parse_avp(octets, place)
        found.append(avp)
        place += length
    return tuple(found)


def _parse_avp(octets: bytes, place: int) -> tuple[Avp, int]:
    """The attribute at a place, and how many octets it takes with its padding."""
    left = len(octets) - place
    if left < _HEAD:
        raise TruncatedMessage(f"{left} octets where an attribute's header should be")
    code = int.from_bytes(octets[place : place + 4], "big")
    flags = octets[place + 4]
    length = int.from_bytes(octets[place + 5 : place + 8], "big")
    head = _HEAD_WITH_VENDOR if flags & _HAS_VENDOR else _HEAD
    if length < head:
        raise InvalidSyntax(f"attribute {code} of length {length}; its header has {head} octets")
    if length > left:
        raise TruncatedMessage(f"attribute {code} of length {length}, {left} octets left")
    padded = length + -length % 4
    # §10.2.1: the padding is not counted in the length, and is always there.
    if padded > left:
        raise TruncatedMessage(f"attribute {code} of length {length} without its padding")
    vendor = int.from_bytes(octets[place + 8 : place + 12], "big") if head == _HEAD_WITH_VENDOR else 0
    avp = Avp(code, octets[place + head : place + length], vendor, bool(flags & _MANDATORY))
    return avp, padded


def build_avps(avps: Iterable[Avp]) -> bytes:
    """Build a sequence of attributes."""
    return b"".join(_build_avp(avp) for avp in avps)


def _build_avp(avp: Avp) -> bytes:
    vendor = avp.vendor.to_bytes(4, "big") if avp.vendor else b""
    length = _HEAD + len(vendor) + len(avp.octets)
    if length > _MOST_LENGTH:
        raise ValueError(f"attribute {avp.code} of {length} octets")
    flags = (_HAS_VENDOR if avp.vendor else 0) | (_MANDATORY if avp.mandatory else 0)
    head = avp.code.to_bytes(4, "big") + bytes([flags]) + length.to_bytes(3, "big")
    return head + vendor + avp.octets + bytes(-length % 4)


def check_known(avps: Sequence[Avp], known: Collection[AvpName]) -> None:
    """Refuse attributes that are marked M and not known; raises InvalidSyntax."""
    for avp in avps:
        if avp.mandatory and avp.name not in known:
            raise InvalidSyntax(f"the attribute {avp.code} of vendor {avp.vendor} must be understood, and is not")


def only(avps: Sequence[Avp], name: AvpName) -> bytes | None:
    """The octets of the attribute of that name; None where there is none. Raises InvalidSyntax where there are more."""
    found = [avp.octets for avp in avps if avp.name == name]
    if len(found) > 1:
        raise InvalidSyntax(f"{len(found)} attributes {name[1]} of vendor {name[0]}; one is allowed")
    return found[0] if found else None
