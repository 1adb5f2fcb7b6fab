"""The next-payload chain: walked and built in plain Python, each body by its own parser (RFC 7296 §3.2).

Rule 1: a generic header's length is at least 4 and fits what is left, before any body is looked at.
Rule 2: SK and SKF end a chain; their next payload is the first one inside.
Rule 3: an unknown payload is kept, a critical one is refused, and the walk always moves on.
Not here: which payloads a message may have (shapes.py).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from dataclasses import replace

from ikepy.wire.base import CRITICAL, Payload
from ikepy.wire.codec import Memory
from ikepy.wire.cp import Cp, build_attributes, cp_body, parse_attributes
from ikepy.wire.eap import Eap, eap_body
from ikepy.wire.errors import InvalidSyntax, TruncatedMessage, UnsupportedCriticalPayload
from ikepy.wire.notify import Notify, build_notify, parse_notify
from ikepy.wire.payloads import (
    Auth,
    Cert,
    CertReq,
    Delete,
    IdI,
    IdR,
    Ke,
    Nonce,
    Sk,
    Skf,
    UnknownPayload,
    VendorId,
    auth_body,
    cert_body,
    certreq_body,
    delete_body,
    identification_body,
    ke_body,
    skf_body,
)
from ikepy.wire.registry import PayloadType
from ikepy.wire.sa import Sa, build_sa, parse_sa
from ikepy.wire.ts import TsI, TsR, build_selectors, parse_selectors

MOST_PAYLOADS = 256
GENERIC_OCTETS = 4
_ALL_FLAGS = 0xFF
_GENERIC = struct.Struct(">BBH")
_LONGEST = 0xFFFF - GENERIC_OCTETS


def parse_chain(first: PayloadType, octets: bytes) -> tuple[Payload, ...]:
    """Read a chain that begins with a payload of type `first` and fills `octets`; raises WireError."""
    payloads: list[Payload] = []
    kind, at, end = int(first), 0, len(octets)
    while kind:
        if len(payloads) >= MOST_PAYLOADS:
            raise InvalidSyntax(f"more than {MOST_PAYLOADS} payloads")
        if end - at < GENERIC_OCTETS:
            raise TruncatedMessage(f"payload {PayloadType(kind)}: {end - at} octets left for its header")
        following, flags, length = _GENERIC.unpack_from(octets, at)
        if length < GENERIC_OCTETS or length > end - at:
            raise TruncatedMessage(f"payload {PayloadType(kind)}: length {length}, {end - at} octets left")
        body = octets[at + GENERIC_OCTETS : at + length]
        at += length
        if kind in _SEALED:
            payloads.append(_parse_sealed(kind, PayloadType(following), flags, body))
            break
        payloads.append(_parse_payload(kind, flags, body))
        kind = following
    if at != end:
        raise InvalidSyntax(f"{end - at} octets behind the last payload")
    return tuple(payloads)


def build_chain(payloads: Iterable[Payload]) -> tuple[PayloadType, bytes]:
    """The type of the first payload, and the octets of all; raises WireError where one is too long."""
    following, parts = 0, list[bytes]()
    for payload in reversed(tuple(payloads)):
        if isinstance(payload, Sk | Skf):
            if parts:
                raise InvalidSyntax(f"{payload.payload_type} is not the last payload")
            following = payload.first_inner
        body = _build_body(payload)
        if not 0 <= payload.flags <= _ALL_FLAGS:
            raise InvalidSyntax(f"payload {payload.payload_type} with flags {payload.flags}")
        if len(body) > _LONGEST:
            raise InvalidSyntax(f"payload {payload.payload_type} of {len(body)} octets does not fit its length")
        parts.append(_GENERIC.pack(following, payload.flags, GENERIC_OCTETS + len(body)) + body)
        following = payload.payload_type
    return PayloadType(following), b"".join(reversed(parts))


# -- each payload's body -------------------------------------------------------------------------------------------


def _parse_payload(kind: int, flags: int, body: bytes) -> Payload:
    parse = _PARSERS.get(kind)
    if parse is not None:
        return parse(flags, body)
    if flags & CRITICAL:
        raise UnsupportedCriticalPayload(PayloadType(kind))
    return UnknownPayload(PayloadType(kind), body, flags=flags)


def _parse_sealed(kind: int, first_inner: PayloadType, flags: int, body: bytes) -> Payload:
    if kind == PayloadType.SK:
        return Sk(first_inner, body, flags=flags)
    number, total, rest = skf_body.parse(body)
    return Skf(first_inner, number, total, rest, flags=flags)


def _parse_ke(flags: int, body: bytes) -> Payload:
    return _with_flags(ke_body.parse(body), flags)


def _parse_cp(flags: int, body: bytes) -> Payload:
    kind, reserved, rest = cp_body.parse(body)
    return Cp(kind, parse_attributes(rest), reserved, flags=flags)


def _parse_eap(flags: int, body: bytes) -> Payload:
    code, identifier, type_octets = eap_body.parse(body)
    return Eap(code, identifier, type_octets, flags=flags)


def _parse_notify(flags: int, body: bytes) -> Payload:
    return _with_flags(parse_notify(body), flags)


def _with_flags(payload: Payload, flags: int) -> Payload:
    return payload if not flags else replace(payload, flags=flags)


_vendor_ids: Memory[VendorId] = Memory(VendorId)

_SEALED = frozenset({int(PayloadType.SK), int(PayloadType.SKF)})
_PARSERS: dict[int, Callable[[int, bytes], Payload]] = {
    PayloadType.SA: lambda flags, body: Sa(parse_sa(body), flags=flags),
    PayloadType.KE: _parse_ke,
    PayloadType.IDI: lambda flags, body: IdI(identification_body.parse(body), flags=flags),
    PayloadType.IDR: lambda flags, body: IdR(identification_body.parse(body), flags=flags),
    PayloadType.CERT: lambda flags, body: _with_flags(cert_body.parse(body), flags),
    PayloadType.CERTREQ: lambda flags, body: _with_flags(certreq_body.parse(body), flags),
    PayloadType.AUTH: lambda flags, body: _with_flags(auth_body.parse(body), flags),
    PayloadType.NONCE: lambda flags, body: Nonce(body, flags=flags),
    PayloadType.N: _parse_notify,
    PayloadType.D: lambda flags, body: _with_flags(delete_body.parse(body), flags),
    PayloadType.V: lambda flags, body: _with_flags(_vendor_ids(body), flags),
    PayloadType.TSI: lambda flags, body: TsI(*parse_selectors(body), flags=flags),
    PayloadType.TSR: lambda flags, body: TsR(*parse_selectors(body), flags=flags),
    PayloadType.CP: _parse_cp,
    PayloadType.EAP: _parse_eap,
}


def _build_body(payload: Payload) -> bytes:  # noqa: C901, PLR0911, PLR0912 - one line a payload
    match payload:
        case Sa():
            return build_sa(payload.proposals)
        case Ke():
            return ke_body.build(payload)
        case IdI() | IdR():
            return identification_body.build(payload.identification)
        case Cert():
            return cert_body.build(payload)
        case CertReq():
            return certreq_body.build(payload)
        case Auth():
            return auth_body.build(payload)
        case Nonce() | VendorId() | UnknownPayload():
            return payload.octets
        case Notify():
            return build_notify(payload)
        case Delete():
            return delete_body.build(payload)
        case TsI() | TsR():
            return build_selectors(payload.selectors, payload.reserved)
        case Cp():
            return cp_body.build((payload.type, payload.reserved, build_attributes(payload.attributes)))
        case Eap():
            return eap_body.build((payload.code, payload.identifier, payload.type_octets))
        case Sk():
            return payload.body
        case Skf():
            return skf_body.build((payload.number, payload.total, payload.body))
        case _:
            raise InvalidSyntax(f"no way to build {type(payload).__name__}")
