"""Which payloads a message of each exchange must and may have (RFC 7296 §1.2-1.4, appendix C).

Rule 1: a required payload missing, a single one doubled, or a known one out of place is INVALID_SYNTAX.
Rule 2: notifies, vendor IDs and unknown payloads may stand anywhere; error answers are recognised before.
Not here: what the payloads say.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self, TypeVar

from ikepy.wire.base import Payload
from ikepy.wire.cp import Cp
from ikepy.wire.eap import Eap
from ikepy.wire.errors import InvalidSyntax
from ikepy.wire.message import Message
from ikepy.wire.notify import Notify
from ikepy.wire.payloads import Auth, Cert, CertReq, Delete, IdI, IdR, Ke, Nonce, UnknownPayload, VendorId
from ikepy.wire.sa import Sa
from ikepy.wire.ts import TsI, TsR

P = TypeVar("P", bound=Payload)

_ANYWHERE: tuple[type[Payload], ...] = (Notify, VendorId, UnknownPayload)
MOST_CERTS = 32


@dataclass(frozen=True, slots=True)
class IkeSaInitRequest:
    """HDR, [N(COOKIE)], SAi1, KEi, Ni."""

    sa: Sa
    ke: Ke
    nonce: Nonce
    notifies: tuple[Notify, ...]
    vendor_ids: tuple[VendorId, ...]

    @classmethod
    def of(cls, message: Message) -> Self:
        """Read the message as such; raises WireError."""
        _only(message, Sa, Ke, Nonce)
        return cls(
            _one(message, Sa), _one(message, Ke), _one(message, Nonce), message.all(Notify), message.all(VendorId)
        )


@dataclass(frozen=True, slots=True)
class IkeSaInitResponse:
    """HDR, SAr1, KEr, Nr, [CERTREQ]."""

    sa: Sa
    ke: Ke
    nonce: Nonce
    certreqs: tuple[CertReq, ...]
    notifies: tuple[Notify, ...]
    vendor_ids: tuple[VendorId, ...]

    @classmethod
    def of(cls, message: Message) -> Self:
        """Read the message as such; raises WireError."""
        _only(message, Sa, Ke, Nonce, CertReq)
        return cls(
            _one(message, Sa),
            _one(message, Ke),
            _one(message, Nonce),
            message.all(CertReq),
            message.all(Notify),
            message.all(VendorId),
        )


@dataclass(frozen=True, slots=True)
class IkeAuthRequest:
    """SK {IDi, [CERT,] [CERTREQ,] [IDr,] [AUTH,] [CP,] [SAi2, TSi, TSr]}; without AUTH it asks for EAP."""

    idi: IdI
    idr: IdR | None
    certs: tuple[Cert, ...]
    certreqs: tuple[CertReq, ...]
    auth: Auth | None
    cp: Cp | None
    sa: Sa | None
    tsi: TsI | None
    tsr: TsR | None
    notifies: tuple[Notify, ...]

    @classmethod
    def of(cls, message: Message) -> Self:
        """Read the message as such; raises WireError."""
        _only(message, IdI, IdR, Cert, CertReq, Auth, Cp, Sa, TsI, TsR)
        sa, tsi, tsr = _child(message)
        return cls(
            _one(message, IdI),
            _at_most_one(message, IdR),
            _certs(message),
            message.all(CertReq),
            _at_most_one(message, Auth),
            _at_most_one(message, Cp),
            sa,
            tsi,
            tsr,
            message.all(Notify),
        )


@dataclass(frozen=True, slots=True)
class IkeAuthResponse:
    """SK {IDr, [CERT,] AUTH, [CP,] [SAr2, TSi, TSr]}."""

    idr: IdR
    certs: tuple[Cert, ...]
    auth: Auth
    cp: Cp | None
    sa: Sa | None
    tsi: TsI | None
    tsr: TsR | None
    notifies: tuple[Notify, ...]

    @classmethod
    def of(cls, message: Message) -> Self:
        """Read the message as such; raises WireError."""
        _only(message, IdR, Cert, Auth, Cp, Sa, TsI, TsR)
        sa, tsi, tsr = _child(message)
        return cls(
            _one(message, IdR),
            _certs(message),
            _one(message, Auth),
            _at_most_one(message, Cp),
            sa,
            tsi,
            tsr,
            message.all(Notify),
        )


@dataclass(frozen=True, slots=True)
class EapBeginning:
    """SK {IDr, [CERT,] [AUTH,] EAP}: the answer to an IKE_AUTH request without AUTH (§2.16); no AUTH is RFC 5998's."""

    idr: IdR
    certs: tuple[Cert, ...]
    auth: Auth | None
    eap: Eap
    notifies: tuple[Notify, ...]

    @classmethod
    def of(cls, message: Message) -> Self:
        """Read the message as such; raises WireError."""
        _only(message, IdR, Cert, Auth, Eap)
        return cls(
            _one(message, IdR),
            _certs(message),
            _at_most_one(message, Auth),
            _one(message, Eap),
            message.all(Notify),
        )


@dataclass(frozen=True, slots=True)
class EapStep:
    """SK {EAP}: either side, in the middle of EAP."""

    eap: Eap
    notifies: tuple[Notify, ...]

    @classmethod
    def of(cls, message: Message) -> Self:
        """Read the message as such; raises WireError."""
        _only(message, Eap)
        return cls(_one(message, Eap), message.all(Notify))


@dataclass(frozen=True, slots=True)
class EapProof:
    """SK {AUTH}: the client's last request, after EAP-Success."""

    auth: Auth
    notifies: tuple[Notify, ...]

    @classmethod
    def of(cls, message: Message) -> Self:
        """Read the message as such; raises WireError."""
        _only(message, Auth)
        return cls(_one(message, Auth), message.all(Notify))


@dataclass(frozen=True, slots=True)
class EapEnd:
    """SK {AUTH, [CP,] [SAr2, TSi, TSr]}: the gateway's last response."""

    auth: Auth
    cp: Cp | None
    sa: Sa | None
    tsi: TsI | None
    tsr: TsR | None
    notifies: tuple[Notify, ...]

    @classmethod
    def of(cls, message: Message) -> Self:
        """Read the message as such; raises WireError."""
        _only(message, Auth, Cp, Sa, TsI, TsR)
        sa, tsi, tsr = _child(message)
        return cls(_one(message, Auth), _at_most_one(message, Cp), sa, tsi, tsr, message.all(Notify))


@dataclass(frozen=True, slots=True)
class RoundEnd:
    """SK {[CP,] [SAr2, TSi, TSr]}: the last response where the responder was proven a round earlier (RFC 4739)."""

    cp: Cp | None
    sa: Sa | None
    tsi: TsI | None
    tsr: TsR | None
    notifies: tuple[Notify, ...]

    @classmethod
    def of(cls, message: Message) -> Self:
        """Read the message as such; raises WireError."""
        _only(message, Cp, Sa, TsI, TsR)
        sa, tsi, tsr = _child(message)
        return cls(_at_most_one(message, Cp), sa, tsi, tsr, message.all(Notify))


LastResponse = IkeAuthResponse | EapEnd | RoundEnd
"""What ends IKE_AUTH."""


@dataclass(frozen=True, slots=True)
class CreateChildSaRequest:
    """SK {SA, Ni, [KEi,] TSi, TSr}; without TS it rekeys the IKE SA."""

    sa: Sa
    nonce: Nonce
    ke: Ke | None
    tsi: TsI | None
    tsr: TsR | None
    notifies: tuple[Notify, ...]

    @classmethod
    def of(cls, message: Message) -> Self:
        """Read the message as such; raises WireError."""
        _only(message, Sa, Nonce, Ke, TsI, TsR)
        tsi, tsr = _at_most_one(message, TsI), _at_most_one(message, TsR)
        if (tsi is None) != (tsr is None):
            raise InvalidSyntax("one of TSi and TSr without the other")
        return cls(_one(message, Sa), _one(message, Nonce), _at_most_one(message, Ke), tsi, tsr, message.all(Notify))


@dataclass(frozen=True, slots=True)
class CreateChildSaResponse:
    """SK {SA, Nr, [KEr,] TSi, TSr}."""

    sa: Sa
    nonce: Nonce
    ke: Ke | None
    tsi: TsI
    tsr: TsR
    notifies: tuple[Notify, ...]

    @classmethod
    def of(cls, message: Message) -> Self:
        """Read the message as such; raises WireError."""
        _only(message, Sa, Nonce, Ke, TsI, TsR)
        return cls(
            _one(message, Sa),
            _one(message, Nonce),
            _at_most_one(message, Ke),
            _one(message, TsI),
            _one(message, TsR),
            message.all(Notify),
        )


@dataclass(frozen=True, slots=True)
class RekeyIkeSaResponse:
    """SK {SA, Nr, KEr}: of CREATE_CHILD_SA that rekeys the IKE SA (§1.3.2)."""

    sa: Sa
    nonce: Nonce
    ke: Ke

    @classmethod
    def of(cls, message: Message) -> Self:
        """Read the message as such; raises WireError."""
        _only(message, Sa, Nonce, Ke)
        return cls(_one(message, Sa), _one(message, Nonce), _one(message, Ke))


@dataclass(frozen=True, slots=True)
class Informational:
    """SK {[N,] [D,] [CP]}, possibly empty."""

    notifies: tuple[Notify, ...]
    deletes: tuple[Delete, ...]
    cp: Cp | None

    @classmethod
    def of(cls, message: Message) -> Self:
        """Read the message as such; raises WireError."""
        _only(message, Delete, Cp)
        return cls(message.all(Notify), message.all(Delete), _at_most_one(message, Cp))


def _only(message: Message, *allowed: type[Payload]) -> None:
    for payload in message.payloads:
        if not isinstance(payload, (*allowed, *_ANYWHERE)):
            raise InvalidSyntax(f"payload {payload.payload_type} does not belong into {message.header.exchange}")


def _at_most_one(message: Message, kind: type[P]) -> P | None:
    found = message.all(kind)
    if len(found) > 1:
        raise InvalidSyntax(f"{len(found)} payloads {kind.TYPE} where one may be")
    return found[0] if found else None


def _one(message: Message, kind: type[P]) -> P:
    found = _at_most_one(message, kind)
    if found is None:
        raise InvalidSyntax(f"{message.header.exchange} without payload {kind.TYPE}")
    return found


def _certs(message: Message) -> tuple[Cert, ...]:
    certs = message.all(Cert)
    if len(certs) > MOST_CERTS:
        raise InvalidSyntax(f"{len(certs)} certificates, {MOST_CERTS} are the most")
    return certs


def _child(message: Message) -> tuple[Sa | None, TsI | None, TsR | None]:
    found = _at_most_one(message, Sa), _at_most_one(message, TsI), _at_most_one(message, TsR)
    if any(payload is None for payload in found) and any(payload is not None for payload in found):
        raise InvalidSyntax("SA, TSi and TSr are not all there, nor all missing")
    return found
