"""The two first requests of a persona as payloads, without keys; and what a gateway sees of them.

Not here: sealing, proofs, exchanges (personas.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_network

from ikepy.personas.fingerprint import Seen, seen_in
from ikepy.personas.persona import IdiForm, Persona, Proving, Slot
from ikepy.wire.base import Payload
from ikepy.wire.cp import CfgAttribute, Cp
from ikepy.wire.header import FLAG_INITIATOR, IkeHeader
from ikepy.wire.message import Message
from ikepy.wire.notify import Notify, make_hash_algorithms
from ikepy.wire.payloads import Auth, Cert, CertReq, Identification, IdI, IdR, Ke, Nonce, VendorId
from ikepy.wire.registry import (
    AuthMethod,
    CertEncoding,
    CfgType,
    ExchangeType,
    IdType,
    NotifyType,
    PayloadType,
)
from ikepy.wire.sa import Sa
from ikepy.wire.ts import TrafficSelector, TsI, TsR

EVERYTHING = (
    TrafficSelector.from_network(ip_network("0.0.0.0/0")),
    TrafficSelector.from_network(ip_network("::/0")),
)
Filled = Mapping[Slot, tuple[Payload, ...]]


def init_payloads(persona: Persona, ke_public: bytes, nonce: bytes, nats: tuple[Notify, ...]) -> tuple[Payload, ...]:
    """IKE_SA_INIT as the persona lays it out; nats are its two notifies of NAT detection."""
    filled: Filled = {
        PayloadType.SA: (Sa(persona.ike),),
        PayloadType.KE: (Ke(persona.first_ke, ke_public),),
        PayloadType.NONCE: (Nonce(nonce),),
        PayloadType.V: tuple(map(VendorId, persona.vendor_ids)),
        NotifyType.SIGNATURE_HASH_ALGORITHMS: (make_hash_algorithms(persona.hashes),),
        **{nat.type: (nat,) for nat in nats},
    }
    return lay_out(persona.init, filled)


def lay_out(layout: tuple[Slot, ...], filled: Filled) -> tuple[Payload, ...]:
    """The payloads in the layout's order; a notify nobody fills is empty, another payload nobody fills is left out."""
    payloads: list[Payload] = []
    for slot in layout:
        if slot in filled:
            payloads += filled[slot]
        elif isinstance(slot, NotifyType):
            payloads.append(Notify(slot))
    return tuple(payloads)


def config_request(persona: Persona) -> Cp:
    """What it asks for in CP."""
    return Cp(CfgType.CFG_REQUEST, tuple(map(CfgAttribute, persona.cp)))


def identity_type(persona: Persona, proving: Proving) -> IdType:
    """The type of its IDi."""
    form = persona.idi_certificate if proving is Proving.CERTIFICATE else persona.idi
    return {
        IdiForm.ADDRESS: IdType.ID_IPV4_ADDR,
        IdiForm.SUBJECT: IdType.ID_DER_ASN1_DN,
        IdiForm.TYPED: IdType.ID_FQDN,
    }[form]


def seen_of(persona: Persona, proving: Proving | None, *, cookie: bool = False) -> Seen:
    """What a gateway sees of a persona that proves itself so; None: only IKE_SA_INIT has come.

    cookie   whether it was asked for one
    """
    nats = tuple(
        Notify(kind, bytes(20))
        for kind in (NotifyType.NAT_DETECTION_SOURCE_IP, NotifyType.NAT_DETECTION_DESTINATION_IP)
    )
    first = (Notify(NotifyType.COOKIE, b"cookie"),) if cookie else ()
    init = _message(ExchangeType.IKE_SA_INIT, (*first, *init_payloads(persona, b"", bytes(16), nats)))
    if proving is None:
        return seen_in(init)
    filled: dict[Slot, tuple[Payload, ...]] = {
        PayloadType.IDI: (IdI(Identification(identity_type(persona, proving), b"alice")),),
        PayloadType.IDR: (IdR(Identification(IdType.ID_FQDN, b"gate.example.com")),),
        PayloadType.CERTREQ: (CertReq(CertEncoding.X509_SIGNATURE, bytes(20)),),
        PayloadType.CP: (config_request(persona),),
        PayloadType.SA: (Sa(persona.esp),),
        PayloadType.TSI: (TsI(EVERYTHING),),
        PayloadType.TSR: (TsR(EVERYTHING),),
    }
    if proving is not Proving.EAP:
        filled[PayloadType.AUTH] = (Auth(AuthMethod.DIGITAL_SIGNATURE, b"proof"),)
    if proving is Proving.CERTIFICATE:
        filled[PayloadType.CERT] = (Cert(CertEncoding.X509_SIGNATURE, b"certificate"),)
    return seen_in(init, _message(ExchangeType.IKE_AUTH, lay_out(persona.auth, filled)))


def _message(exchange: ExchangeType, payloads: tuple[Payload, ...]) -> Message:
    header = IkeHeader(bytes(8), bytes(8), PayloadType.NO_NEXT_PAYLOAD, exchange, FLAG_INITIATOR, 0, 0)
    return Message(header, payloads)
