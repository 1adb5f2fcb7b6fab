"""Which payloads each message must and may have."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest

from ikepy.wire.base import Payload
from ikepy.wire.cp import Cp
from ikepy.wire.eap import Eap
from ikepy.wire.errors import InvalidSyntax
from ikepy.wire.header import IkeHeader
from ikepy.wire.message import Message
from ikepy.wire.notify import Notify
from ikepy.wire.payloads import (
    Auth,
    Cert,
    CertReq,
    Delete,
    Identification,
    IdI,
    IdR,
    Ke,
    Nonce,
    Sk,
    UnknownPayload,
    VendorId,
)
from ikepy.wire.registry import (
    AuthMethod,
    CertEncoding,
    CfgType,
    EapCode,
    ExchangeType,
    IdType,
    KeMethod,
    NotifyType,
    PayloadType,
    ProtocolId,
)
from ikepy.wire.sa import Proposal, Sa
from ikepy.wire.shapes import (
    MOST_CERTS,
    CreateChildSaRequest,
    CreateChildSaResponse,
    IkeAuthRequest,
    IkeAuthResponse,
    IkeSaInitRequest,
    IkeSaInitResponse,
    Informational,
)
from ikepy.wire.ts import TrafficSelector, TsI, TsR

SELECTORS = (TrafficSelector.from_network(ip_network("10.0.0.0/8")),)
EVERY: dict[str, Payload] = {
    "SA": Sa((Proposal(1, ProtocolId.ESP, bytes(4), ()),)),
    "KE": Ke(KeMethod.CURVE25519, bytes(32)),
    "Nonce": Nonce(bytes(32)),
    "IDi": IdI(Identification(IdType.ID_NULL, b"")),
    "IDr": IdR(Identification(IdType.ID_NULL, b"")),
    "CERT": Cert(CertEncoding.X509_SIGNATURE, b""),
    "CERTREQ": CertReq(CertEncoding.X509_SIGNATURE),
    "AUTH": Auth(AuthMethod.SHARED_KEY, b""),
    "TSi": TsI(SELECTORS),
    "TSr": TsR(SELECTORS),
    "N": Notify(NotifyType.INITIAL_CONTACT),
    "D": Delete(ProtocolId.IKE),
    "V": VendorId(b"me"),
    "CP": Cp(CfgType.CFG_REQUEST),
    "EAP": Eap(EapCode.SUCCESS, 1),
    "SK": Sk(PayloadType.NO_NEXT_PAYLOAD, b""),
    "unknown": UnknownPayload(PayloadType(200), b""),
}
ANYWHERE = {"N", "V", "unknown"}
CHILD = ("SA", "TSi", "TSr")

TABLE: list[tuple[Any, tuple[str, ...], tuple[str, ...], tuple[str, ...]]] = [
    (IkeSaInitRequest, ("SA", "KE", "Nonce"), (), ()),
    (IkeSaInitResponse, ("SA", "KE", "Nonce"), (), ("CERTREQ",)),
    (IkeAuthRequest, ("IDi",), ("IDr", "AUTH", "CP"), ("CERT", "CERTREQ")),
    (IkeAuthResponse, ("IDr", "AUTH"), ("CP",), ("CERT",)),
    (CreateChildSaRequest, ("SA", "Nonce"), ("KE",), ()),
    (CreateChildSaResponse, ("SA", "Nonce", "TSi", "TSr"), ("KE",), ()),
    (Informational, (), ("CP",), ("D",)),
]
"What a message must have once, may have once, may have more than once; the payloads of a child apart."
IDS = [shape.__name__ for shape, *_ in TABLE]
ALSO = {
    IkeAuthRequest: {*CHILD},
    IkeAuthResponse: {*CHILD, "EAP"},
    CreateChildSaRequest: {"TSi", "TSr"},
}


def make_message(*names: str) -> Message:
    header = IkeHeader(bytes(8), bytes(8), PayloadType.NO_NEXT_PAYLOAD, ExchangeType.CREATE_CHILD_SA, 0, 0, 28)
    return Message(header, tuple(EVERY[name] for name in names))


@pytest.mark.parametrize(("shape", "once", "maybe", "many"), TABLE, ids=IDS)
def test_a_message_with_what_it_must_have_has_its_shape(
    shape: Any, once: tuple[str, ...], maybe: tuple[str, ...], many: tuple[str, ...]
) -> None:
    assert shape.of(make_message(*once)).notifies == ()
    assert shape.of(make_message(*reversed(once), *maybe, *many, *many, *ANYWHERE)).notifies == (EVERY["N"],)


@pytest.mark.parametrize(("shape", "once", "maybe", "many"), TABLE, ids=IDS)
def test_a_message_without_what_it_must_have_is_refused(
    shape: Any, once: tuple[str, ...], maybe: tuple[str, ...], many: tuple[str, ...]
) -> None:
    for missing in once:
        rest = [name for name in once if name != missing]
        with pytest.raises(InvalidSyntax, match="without"):
            shape.of(make_message(*rest, *maybe, *many))


@pytest.mark.parametrize(("shape", "once", "maybe", "many"), TABLE, ids=IDS)
def test_a_message_with_two_where_one_may_be_is_refused(
    shape: Any, once: tuple[str, ...], maybe: tuple[str, ...], many: tuple[str, ...]
) -> None:
    for name in (*once, *maybe):
        with pytest.raises(InvalidSyntax, match=r"2 payloads .* where one may be"):
            shape.of(make_message(*once, *maybe, name))


@pytest.mark.parametrize(("shape", "once", "maybe", "many"), TABLE, ids=IDS)
def test_a_known_payload_out_of_place_is_refused(
    shape: Any, once: tuple[str, ...], maybe: tuple[str, ...], many: tuple[str, ...]
) -> None:
    for name in EVERY.keys() - {*once, *maybe, *many, *ANYWHERE} - ALSO.get(shape, set()):
        with pytest.raises(InvalidSyntax, match="does not belong into CREATE_CHILD_SA"):
            shape.of(make_message(*once, name))


@pytest.mark.parametrize("shape", [IkeAuthRequest, IkeAuthResponse])
def test_a_child_comes_whole_or_not_at_all(shape: Any) -> None:
    once = ("IDi",) if shape is IkeAuthRequest else ("IDr", "AUTH")

    whole = shape.of(make_message(*once, *CHILD))
    assert (whole.sa, whole.tsi, whole.tsr) == tuple(EVERY[name] for name in CHILD)
    for missing in CHILD:
        with pytest.raises(InvalidSyntax, match="SA, TSi and TSr"):
            shape.of(make_message(*once, *(name for name in CHILD if name != missing)))


def test_selectors_of_a_create_child_sa_come_both_or_not_at_all() -> None:
    assert CreateChildSaRequest.of(make_message(*CHILD, "Nonce")).tsr == EVERY["TSr"]
    for name in ("TSi", "TSr"):
        with pytest.raises(InvalidSyntax, match="without the other"):
            CreateChildSaRequest.of(make_message("SA", "Nonce", name))


def test_more_certificates_than_a_chain_has_are_refused() -> None:
    assert len(IkeAuthRequest.of(make_message("IDi", *["CERT"] * MOST_CERTS)).certs) == MOST_CERTS
    with pytest.raises(InvalidSyntax, match="33 certificates"):
        IkeAuthRequest.of(make_message("IDi", *["CERT"] * (MOST_CERTS + 1)))


def test_an_informational_may_be_empty_and_may_delete_more_than_once() -> None:
    assert Informational.of(make_message()) == Informational((), (), None)
    assert len(Informational.of(make_message("D", "D", "CP")).deletes) == 2
