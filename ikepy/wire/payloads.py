"""The payloads with plain bodies: KE, IDi, IDr, CERT, CERTREQ, AUTH, Ni/Nr, D, V, SK, SKF, and those nobody knows.

Rule 1: each value is checked when made as far as its octets alone tell.
Rule 2: what is kept builds the same octets again, reserved ones included.
Not here: SA, TS, N, CP and EAP (modules of their own), the chain of payloads (chain.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import ClassVar

from ikepy.wire.base import Payload
from ikepy.wire.codec import Body, Number16, Octet, Octets, Rest, printable
from ikepy.wire.errors import InvalidSyntax
from ikepy.wire.registry import AuthMethod, CertEncoding, IdType, KeMethod, PayloadType, ProtocolId

NONCE_OCTETS = range(16, 257)
AUTHORITY_OCTETS = 20
_SHOWN_OCTETS = 256


@dataclass(frozen=True, slots=True)
class Identification:
    """Who somebody says to be: the body of IDi and IDr (§3.5). Not a payload itself."""

    type: IdType
    octets: bytes
    reserved: bytes = bytes(3)

    def __str__(self) -> str:
        match self.type, len(self.octets):
            case (IdType.ID_IPV4_ADDR, 4):
                return str(IPv4Address(self.octets))
            case (IdType.ID_IPV6_ADDR, 16):
                return str(IPv6Address(self.octets))
            case (IdType.ID_FQDN | IdType.ID_RFC822_ADDR, _):
                return _cut(printable, self.octets)
            case (IdType.ID_NULL, _):
                return "(null)"
            case _:
                return f"{self.type}:{_cut(bytes.hex, self.octets)}"


@dataclass(frozen=True, slots=True)
class Ke(Payload):
    """KE: a public value of a key exchange method (§3.4)."""

    TYPE: ClassVar[PayloadType] = PayloadType.KE
    method: KeMethod
    public: bytes
    reserved: bytes = bytes(2)


@dataclass(frozen=True, slots=True)
class IdI(Payload):
    """IDi: who the initiator says to be."""

    TYPE: ClassVar[PayloadType] = PayloadType.IDI
    identification: Identification


@dataclass(frozen=True, slots=True)
class IdR(Payload):
    """IDr: who the responder says to be, or is asked to be."""

    TYPE: ClassVar[PayloadType] = PayloadType.IDR
    identification: Identification


@dataclass(frozen=True, slots=True)
class Cert(Payload):
    """CERT: one certificate (§3.6)."""

    TYPE: ClassVar[PayloadType] = PayloadType.CERT
    encoding: CertEncoding
    octets: bytes


@dataclass(frozen=True, slots=True)
class CertReq(Payload):
    """CERTREQ: the trust anchors of its sender, by SHA-1 of their keys (§3.7)."""

    TYPE: ClassVar[PayloadType] = PayloadType.CERTREQ
    encoding: CertEncoding
    authorities: bytes = b""

    @property
    def hashes(self) -> tuple[bytes, ...]:
        """The hashes, 20 octets each; a rest that is shorter is left out."""
        ends = range(AUTHORITY_OCTETS, len(self.authorities) + 1, AUTHORITY_OCTETS)
        return tuple(self.authorities[end - AUTHORITY_OCTETS : end] for end in ends)


@dataclass(frozen=True, slots=True)
class Auth(Payload):
    """AUTH: the proof (§3.8)."""

    TYPE: ClassVar[PayloadType] = PayloadType.AUTH
    method: AuthMethod
    octets: bytes
    reserved: bytes = bytes(3)


@dataclass(frozen=True, slots=True)
class Nonce(Payload):
    """Ni, Nr: nonce data."""

    TYPE: ClassVar[PayloadType] = PayloadType.NONCE
    octets: bytes
    "16..256 octets (§2.10)"

    def __post_init__(self) -> None:
        if len(self.octets) not in NONCE_OCTETS:
            raise InvalidSyntax(f"nonce of {len(self.octets)} octets")


@dataclass(frozen=True, slots=True)
class Delete(Payload):
    """D: the SPIs of what is deleted; none for the IKE SA itself (§3.11)."""

    TYPE: ClassVar[PayloadType] = PayloadType.D
    protocol: ProtocolId
    spis: tuple[bytes, ...] = ()
    spi_octets: int = 0

    def __post_init__(self) -> None:
        if any(len(spi) != self.spi_octets for spi in self.spis):
            raise InvalidSyntax(f"delete with an SPI that has not {self.spi_octets} octets")
        if self.spis and not self.spi_octets:
            raise InvalidSyntax(f"delete of {len(self.spis)} SPIs of no octets")


@dataclass(frozen=True, slots=True)
class VendorId(Payload):
    """V: whose implementation it is (§3.12)."""

    TYPE: ClassVar[PayloadType] = PayloadType.V
    octets: bytes

    def __str__(self) -> str:
        return f"V({_cut(printable, self.octets)})"


@dataclass(frozen=True, slots=True)
class Sk(Payload):
    """SK: IV, ciphertext and ICV of the payloads inside, the first of which has `first_inner`'s type (§3.14)."""

    TYPE: ClassVar[PayloadType] = PayloadType.SK
    first_inner: PayloadType
    body: bytes


@dataclass(frozen=True, slots=True)
class Skf(Payload):
    """SKF: a fragment of the same, `number` of `total`, both from 1 (RFC 7383 §2.5)."""

    TYPE: ClassVar[PayloadType] = PayloadType.SKF
    first_inner: PayloadType
    number: int
    total: int
    body: bytes

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.total:
            raise InvalidSyntax(f"fragment {self.number} of {self.total}")
        # RFC 7383 §2.5: only the first fragment names the first payload inside.
        if self.number > 1 and self.first_inner is not PayloadType.NO_NEXT_PAYLOAD:
            raise InvalidSyntax(f"fragment {self.number} names a first payload")


@dataclass(frozen=True, slots=True)
class UnknownPayload(Payload):
    """A payload of a type we do not know, and need not."""

    TYPE: ClassVar[PayloadType] = PayloadType.NO_NEXT_PAYLOAD
    type: PayloadType
    octets: bytes

    def __post_init__(self) -> None:
        if self.type == PayloadType.NO_NEXT_PAYLOAD:
            raise InvalidSyntax("a payload of type 0 would end its chain")

    @property
    def payload_type(self) -> PayloadType:
        """Its number in the next-payload chain."""
        return self.type


def build_identification(identification: Identification) -> bytes:
    """The body of an ID payload: RestOfIDPayload in the octets AUTH is taken from (§2.15)."""
    return identification_body.build(identification)


def _cut(worded: Callable[[bytes], str], octets: bytes) -> str:
    return worded(octets[:_SHOWN_OCTETS]) + ("..." if len(octets) > _SHOWN_OCTETS else "")


def _load_delete(protocol: int, spi_octets: int, count: int, rest: bytes) -> Delete:
    if count * spi_octets != len(rest) or (count and not spi_octets):
        raise InvalidSyntax(f"delete of {count} SPIs of {spi_octets} octets in {len(rest)} octets")
    spis = tuple(rest[at : at + spi_octets] for at in range(0, len(rest), spi_octets)) if count else ()
    return Delete(ProtocolId(protocol), spis, spi_octets)


identification_body: Body[Identification] = Body(
    "identification",
    {"type": Octet, "reserved": Octets(3), "octets": Rest},
    lambda type, reserved, octets: Identification(IdType(type), octets, reserved),  # noqa: A006
    lambda value: {"type": value.type, "reserved": value.reserved, "octets": value.octets},
)
ke_body: Body[Ke] = Body(
    "KE",
    {"method": Number16, "reserved": Octets(2), "public": Rest},
    lambda method, reserved, public: Ke(KeMethod(method), public, reserved),
    lambda ke: {"method": ke.method, "reserved": ke.reserved, "public": ke.public},
)
cert_body: Body[Cert] = Body(
    "CERT",
    {"encoding": Octet, "octets": Rest},
    lambda encoding, octets: Cert(CertEncoding(encoding), octets),
    lambda cert: {"encoding": cert.encoding, "octets": cert.octets},
)
certreq_body: Body[CertReq] = Body(
    "CERTREQ",
    {"encoding": Octet, "octets": Rest},
    lambda encoding, octets: CertReq(CertEncoding(encoding), octets),
    lambda request: {"encoding": request.encoding, "octets": request.authorities},
)
auth_body: Body[Auth] = Body(
    "AUTH",
    {"method": Octet, "reserved": Octets(3), "octets": Rest},
    lambda method, reserved, octets: Auth(AuthMethod(method), octets, reserved),
    lambda auth: {"method": auth.method, "reserved": auth.reserved, "octets": auth.octets},
)
delete_body: Body[Delete] = Body(
    "delete",
    {"protocol": Octet, "spi_octets": Octet, "count": Number16, "rest": Rest},
    _load_delete,
    lambda delete: {
        "protocol": delete.protocol,
        "spi_octets": delete.spi_octets,
        "count": len(delete.spis),
        "rest": b"".join(delete.spis),
    },
)
skf_body: Body[tuple[int, int, bytes]] = Body(
    "SKF",
    {"number": Number16, "total": Number16, "body": Rest},
    lambda number, total, body: (number, total, body),
    lambda values: {"number": values[0], "total": values[1], "body": values[2]},
)
