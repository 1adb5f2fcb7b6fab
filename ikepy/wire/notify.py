"""The Notify payload and the typed bodies of notifies (RFC 7296 §3.10).

Rule 1: a notify keeps its octets; what they mean is asked for, and may then be refused.
Not here: what follows from a notify (ike/).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import ClassVar

from ikepy.wire.base import Payload
from ikepy.wire.codec import Body, Memory, Number16, Octet, Rest, printable
from ikepy.wire.errors import InvalidSyntax, TruncatedMessage
from ikepy.wire.registry import HashAlgorithm, KeMethod, NotifyType, PayloadType, ProtocolId

COOKIE_OCTETS = range(1, 65)
NAT_HASH_OCTETS = 20
MOST_HASHES = 64
_CHILD_SPI_OCTETS = 4
_REMEMBERED_OCTETS = 16


@dataclass(frozen=True, slots=True)
class Notify(Payload):
    """N: an error or a status; protocol and SPI only where it is about a child."""

    TYPE: ClassVar[PayloadType] = PayloadType.N
    type: NotifyType
    octets: bytes = b""
    protocol: ProtocolId = ProtocolId.NONE
    spi: bytes = b""

    def __str__(self) -> str:
        return f"N({self.type})"


@dataclass(frozen=True, slots=True)
class Cookie:
    """COOKIE: 1 to 64 octets to be sent back (§2.6)."""

    octets: bytes


@dataclass(frozen=True, slots=True)
class InvalidKe:
    """INVALID_KE_PAYLOAD: the method that is wanted (§1.3)."""

    method: KeMethod


@dataclass(frozen=True, slots=True)
class CriticalPayload:
    """UNSUPPORTED_CRITICAL_PAYLOAD: the payload that was not understood (§2.5)."""

    payload_type: PayloadType


@dataclass(frozen=True, slots=True)
class InvalidMessageId:
    """INVALID_MESSAGE_ID: the message ID that was outside the window (§2.3)."""

    message_id: int


@dataclass(frozen=True, slots=True)
class NatHash:
    """NAT_DETECTION_*: SHA-1 of SPIs, address and port (§2.23)."""

    digest: bytes


@dataclass(frozen=True, slots=True)
class WindowSize:
    """SET_WINDOW_SIZE (§2.3)."""

    requests: int


@dataclass(frozen=True, slots=True)
class IpComp:
    """IPCOMP_SUPPORTED: CPI and transform (§2.22)."""

    cpi: int
    transform: int


@dataclass(frozen=True, slots=True)
class SpiMeant:
    """REKEY_SA, CHILD_SA_NOT_FOUND, INVALID_SPI: protocol and SPI (§1.3.3, §2.25)."""

    protocol: ProtocolId
    spi: bytes


@dataclass(frozen=True, slots=True)
class SelectorsMissed:
    """INVALID_SELECTORS: the SPI on which a packet came, and the packet's start (§2.9)."""

    spi: bytes
    packet: bytes


@dataclass(frozen=True, slots=True)
class HashAlgorithms:
    """SIGNATURE_HASH_ALGORITHMS (RFC 7427 §4)."""

    hashes: tuple[HashAlgorithm, ...]


@dataclass(frozen=True, slots=True)
class Empty:
    """A notify whose type says all."""

    type: NotifyType


Typed = (
    Cookie
    | InvalidKe
    | CriticalPayload
    | InvalidMessageId
    | NatHash
    | WindowSize
    | IpComp
    | SpiMeant
    | SelectorsMissed
    | HashAlgorithms
    | Empty
)

_EMPTY = frozenset(
    {
        NotifyType.INVALID_IKE_SPI,
        NotifyType.INVALID_MAJOR_VERSION,
        NotifyType.INVALID_SYNTAX,
        NotifyType.NO_PROPOSAL_CHOSEN,
        NotifyType.AUTHENTICATION_FAILED,
        NotifyType.SINGLE_PAIR_REQUIRED,
        NotifyType.NO_ADDITIONAL_SAS,
        NotifyType.INTERNAL_ADDRESS_FAILURE,
        NotifyType.FAILED_CP_REQUIRED,
        NotifyType.TS_UNACCEPTABLE,
        NotifyType.TEMPORARY_FAILURE,
        NotifyType.INITIAL_CONTACT,
        NotifyType.ADDITIONAL_TS_POSSIBLE,
        NotifyType.USE_TRANSPORT_MODE,
        NotifyType.HTTP_CERT_LOOKUP_SUPPORTED,
        NotifyType.ESP_TFC_PADDING_NOT_SUPPORTED,
        NotifyType.NON_FIRST_FRAGMENTS_ALSO,
    }
)


def typed(notify: Notify) -> Typed | None:
    """What a notify of RFC 7296 says; None for types it does not define. Raises WireError for a bad body."""
    read = _TYPED.get(notify.type)
    if read is not None:
        return read(notify)
    return Empty(notify.type) if notify.type in _EMPTY else None


def cookie(notify: Notify) -> bytes:
    """The cookie, 1 to 64 octets (§2.6)."""
    if len(notify.octets) not in COOKIE_OCTETS:
        raise InvalidSyntax(f"cookie of {len(notify.octets)} octets, 1 to 64 are allowed")
    return notify.octets


def invalid_ke_method(notify: Notify) -> KeMethod:
    """The method an INVALID_KE_PAYLOAD wants (§1.3)."""
    return KeMethod(_number(notify, 2))


def make_invalid_ke(method: KeMethod) -> Notify:
    """INVALID_KE_PAYLOAD that wants the method."""
    return Notify(NotifyType.INVALID_KE_PAYLOAD, int(method).to_bytes(2, "big"))


def hash_algorithms(notify: Notify) -> tuple[HashAlgorithm, ...]:
    """The hash algorithms a SIGNATURE_HASH_ALGORITHMS names, in its order (RFC 7427 §4)."""
    octets = notify.octets
    if len(octets) % 2 or len(octets) > 2 * MOST_HASHES:
        raise InvalidSyntax(f"SIGNATURE_HASH_ALGORITHMS of {len(octets)} octets")
    return tuple(HashAlgorithm(int.from_bytes(octets[at : at + 2], "big")) for at in range(0, len(octets), 2))


def make_hash_algorithms(hashes: tuple[HashAlgorithm, ...]) -> Notify:
    """SIGNATURE_HASH_ALGORITHMS that names the hashes."""
    return Notify(NotifyType.SIGNATURE_HASH_ALGORITHMS, b"".join(int(h).to_bytes(2, "big") for h in hashes))


def auth_lifetime(notify: Notify) -> int:
    """Seconds after which an AUTH_LIFETIME wants the initiator to prove anew who it is (RFC 4478 §2)."""
    return _number(notify, 4)


def make_auth_lifetime(seconds: int) -> Notify:
    """AUTH_LIFETIME of so many seconds."""
    return Notify(NotifyType.AUTH_LIFETIME, seconds.to_bytes(4, "big"))


def additional_address(notify: Notify) -> IPv4Address | IPv6Address:
    """The address of an ADDITIONAL_IP4_ADDRESS or ADDITIONAL_IP6_ADDRESS (RFC 4555 §4.2.2)."""
    if notify.type is NotifyType.ADDITIONAL_IP4_ADDRESS:
        return IPv4Address(_number(notify, 4))
    return IPv6Address(_number(notify, 16))


def make_additional_address(address: IPv4Address | IPv6Address) -> Notify:
    """ADDITIONAL_IP4_ADDRESS or ADDITIONAL_IP6_ADDRESS."""
    is_v4 = isinstance(address, IPv4Address)
    return Notify(NotifyType.ADDITIONAL_IP4_ADDRESS if is_v4 else NotifyType.ADDITIONAL_IP6_ADDRESS, address.packed)


def rekeyed(notify: Notify) -> SpiMeant:
    """Which child a REKEY_SA or CHILD_SA_NOT_FOUND means: ESP or AH and 4 octets of SPI (§1.3.3)."""
    if notify.protocol not in {ProtocolId.ESP, ProtocolId.AH} or len(notify.spi) != _CHILD_SPI_OCTETS:
        raise InvalidSyntax(f"{notify.type} with protocol {notify.protocol} and SPI {printable(notify.spi)}")
    return SpiMeant(notify.protocol, notify.spi)


def nat_hash(notify: Notify) -> bytes:
    """The 20 octets of a NAT_DETECTION_SOURCE_IP or NAT_DETECTION_DESTINATION_IP (§2.23)."""
    if len(notify.octets) != NAT_HASH_OCTETS:
        raise InvalidSyntax(f"{notify.type} of {len(notify.octets)} octets, {NAT_HASH_OCTETS} are right")
    return notify.octets


def parse_notify(octets: bytes) -> Notify:
    """Read the body of an N payload; raises WireError."""
    # Cookies and NAT hashes do not come twice; what comes from every client is short.
    return _memory(octets) if len(octets) <= _REMEMBERED_OCTETS else _body.parse(octets)


def build_notify(notify: Notify) -> bytes:
    """The body of an N payload."""
    return _body.build(notify)


def _load(protocol: int, spi: int, type: int, rest: bytes) -> Notify:  # noqa: A002
    if spi > len(rest):
        raise TruncatedMessage(f"notify with an SPI of {spi} octets, {len(rest)} octets left")
    return Notify(NotifyType(type), rest[spi:], ProtocolId(protocol), rest[:spi])


def _invalid_spi(notify: Notify) -> SpiMeant:
    # §3.10.1 puts the SPI into the notification data, §3.10 has a field for it, and both are seen.
    spi = notify.octets or notify.spi
    if len(spi) != _CHILD_SPI_OCTETS:
        raise InvalidSyntax(f"{notify.type} with an SPI of {len(spi)} octets")
    return SpiMeant(notify.protocol, spi)


def _ip_comp(notify: Notify) -> IpComp:
    number = _number(notify, 3)
    return IpComp(number >> 8, number & 0xFF)


def _number(notify: Notify, octets: int) -> int:
    if len(notify.octets) != octets:
        raise InvalidSyntax(f"{notify.type} of {len(notify.octets)} octets, {octets} are right")
    return int.from_bytes(notify.octets, "big")


_body: Body[Notify] = Body(
    "notify",
    {"protocol": Octet, "spi": Octet, "type": Number16, "rest": Rest},
    _load,
    lambda notify: {
        "protocol": notify.protocol,
        "spi": len(notify.spi),
        "type": notify.type,
        "rest": notify.spi + notify.octets,
    },
)
_memory: Memory[Notify] = Memory(_body.parse)

_TYPED: dict[NotifyType, Callable[[Notify], Typed]] = {
    NotifyType.UNSUPPORTED_CRITICAL_PAYLOAD: lambda notify: CriticalPayload(PayloadType(_number(notify, 1))),
    NotifyType.INVALID_MESSAGE_ID: lambda notify: InvalidMessageId(_number(notify, 4)),
    NotifyType.INVALID_SPI: _invalid_spi,
    NotifyType.INVALID_KE_PAYLOAD: lambda notify: InvalidKe(invalid_ke_method(notify)),
    NotifyType.INVALID_SELECTORS: lambda notify: SelectorsMissed(notify.spi, notify.octets),
    NotifyType.CHILD_SA_NOT_FOUND: rekeyed,
    NotifyType.SET_WINDOW_SIZE: lambda notify: WindowSize(_number(notify, 4)),
    NotifyType.IPCOMP_SUPPORTED: _ip_comp,
    NotifyType.NAT_DETECTION_SOURCE_IP: lambda notify: NatHash(nat_hash(notify)),
    NotifyType.NAT_DETECTION_DESTINATION_IP: lambda notify: NatHash(nat_hash(notify)),
    NotifyType.COOKIE: lambda notify: Cookie(cookie(notify)),
    NotifyType.REKEY_SA: rekeyed,
    NotifyType.SIGNATURE_HASH_ALGORITHMS: lambda notify: HashAlgorithms(hash_algorithms(notify)),
}
