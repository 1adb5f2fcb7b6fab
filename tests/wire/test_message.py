"""Whole messages: found payloads, the line for the log, what makes one unreadable."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ikepy.wire.errors import InvalidMajorVersion, InvalidSyntax, TruncatedMessage
from ikepy.wire.header import FLAG_INITIATOR, FLAG_RESPONSE, IkeHeader
from ikepy.wire.message import Message, build_message, parse_message
from ikepy.wire.notify import Notify
from ikepy.wire.payloads import Auth, Cert, Identification, IdI, IdR, Ke, Nonce, Sk, UnknownPayload, VendorId
from ikepy.wire.registry import (
    AuthMethod,
    CertEncoding,
    ExchangeType,
    IdType,
    KeMethod,
    NotifyType,
    PayloadType,
)

HEADER = IkeHeader(bytes(8), bytes(8), PayloadType.NO_NEXT_PAYLOAD, ExchangeType.INFORMATIONAL, FLAG_INITIATOR, 1, 28)
EMPTY = Message(HEADER, ())
MOBIKE, NO_PROPOSAL = Notify(NotifyType.MOBIKE_SUPPORTED), Notify(NotifyType.NO_PROPOSAL_CHOSEN)
SYNTAX = Notify(NotifyType.INVALID_SYNTAX)


def test_length_and_next_payload_are_computed() -> None:
    octets = build_message(replace(EMPTY, payloads=(VendorId(b"me"), MOBIKE)))

    assert octets[16] == PayloadType.V
    assert int.from_bytes(octets[24:28], "big") == len(octets)
    assert parse_message(octets).payloads == (VendorId(b"me"), MOBIKE)
    assert parse_message(build_message(EMPTY)) == EMPTY


def test_sk_stays_closed() -> None:
    message = replace(EMPTY, payloads=(Sk(PayloadType.IDI, b"sealed"),))

    assert parse_message(build_message(message)).payloads == message.payloads


@pytest.mark.parametrize("version", [0x10, 0x30, 0xBE, 0x00])
def test_another_major_version_is_refused_before_anything_else(version: int) -> None:
    octets = bytearray(build_message(EMPTY)) + b"more than the header says"
    octets[17] = version

    with pytest.raises(InvalidMajorVersion, match=f"IKE version {version >> 4}") as raised:
        parse_message(bytes(octets))
    assert raised.value.notify is NotifyType.INVALID_MAJOR_VERSION


def test_another_minor_version_is_read() -> None:
    assert parse_message(build_message(replace(EMPTY, header=replace(HEADER, version=0x2F)))).header.minor == 15


@pytest.mark.parametrize("length", [0, 27, 29, 0xFFFFFFFF])
def test_a_length_that_is_not_the_datagrams_is_refused(length: int) -> None:
    octets = build_message(EMPTY)[:24] + length.to_bytes(4, "big")

    with pytest.raises(InvalidSyntax, match=f"header says {length}, message has 28 octets"):
        parse_message(octets)


@pytest.mark.parametrize("octets", range(28))
def test_fewer_octets_than_a_header_are_refused(octets: int) -> None:
    with pytest.raises(TruncatedMessage):
        parse_message(build_message(EMPTY)[:octets])


def test_payloads_are_found_by_class_and_notifies_by_type() -> None:
    message = replace(EMPTY, payloads=(VendorId(b"a"), MOBIKE, NO_PROPOSAL, VendorId(b"b"), SYNTAX, MOBIKE))

    assert message.first(VendorId) == VendorId(b"a")
    assert message.first(Nonce) is None
    assert message.all(VendorId) == (VendorId(b"a"), VendorId(b"b"))
    assert message.notify(NotifyType.NO_PROPOSAL_CHOSEN) is NO_PROPOSAL
    assert message.notify(NotifyType.COOKIE) is None
    assert message.notifies(NotifyType.MOBIKE_SUPPORTED) == (MOBIKE, MOBIKE)
    assert message.error_notify is NO_PROPOSAL
    assert replace(message, payloads=(MOBIKE,)).error_notify is None


def test_the_summary_is_one_line_in_the_order_of_the_message() -> None:
    identity = Identification(IdType.ID_FQDN, b"moon\n")
    payloads = (
        IdI(identity),
        Cert(CertEncoding.X509_SIGNATURE, b""),
        Auth(AuthMethod.SHARED_KEY, b""),
        IdR(identity),
        MOBIKE,
        UnknownPayload(PayloadType(200), b""),
    )
    header = replace(HEADER, exchange=ExchangeType.IKE_AUTH)

    assert (
        Message(header, payloads).summary()
        == "IKE_AUTH request 1: IDi CERT AUTH IDr N(MOBIKE_SUPPORTED) PayloadType.200"
    )


def test_a_nonce_is_called_after_who_sent_it() -> None:
    payloads = (Ke(KeMethod.CURVE25519, b""), Nonce(bytes(16)))
    request = Message(replace(HEADER, exchange=ExchangeType.IKE_SA_INIT, message_id=0), payloads)
    response = replace(request, header=replace(request.header, flags=FLAG_RESPONSE))

    assert request.summary() == "IKE_SA_INIT request 0: KE Ni"
    assert response.summary() == "IKE_SA_INIT response 0: KE Nr"


def test_a_message_without_payloads_says_so() -> None:
    assert EMPTY.summary() == "INFORMATIONAL request 1: empty"
