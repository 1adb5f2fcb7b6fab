"""Messages on an IKE SA that is up, good and odd: what is read, what is dropped and by which name."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ikepy.ike.actions import Datagram
from ikepy.ike.drops import DropReason
from ikepy.ike.window import LAST_MESSAGE_ID
from ikepy.wire.header import FLAG_INITIATOR, FLAG_RESPONSE, IkeHeader, build_header
from ikepy.wire.message import Message, build_message
from ikepy.wire.notify import Notify
from ikepy.wire.payloads import Delete, Nonce, UnknownPayload, VendorId
from ikepy.wire.registry import ExchangeType, NotifyType, PayloadType, ProtocolId
from tests.support.link import arriving
from tests.support.pair import established_pair
from tests.support.sealing import ask, raw, sa_of


def test_an_empty_request_and_one_nobody_understands_get_an_empty_response() -> None:
    pair = established_pair()

    assert ask(pair, ExchangeType.INFORMATIONAL).payloads == ()
    odd = (Notify(NotifyType(40999), b"?"), UnknownPayload(PayloadType(200), b"?"), VendorId(b"x"))
    assert ask(pair, ExchangeType.INFORMATIONAL, *odd).payloads == ()


def test_an_unknown_critical_payload_is_named_and_the_ike_sa_lives_on() -> None:
    pair = established_pair()
    answer = ask(pair, ExchangeType.INFORMATIONAL, UnknownPayload(PayloadType(200), b"?", flags=0x80))

    assert answer.error_notify == Notify(NotifyType.UNSUPPORTED_CRITICAL_PAYLOAD, bytes([200]))
    assert len(pair.right.established) == 1


def test_a_protected_message_that_cannot_be_read_ends_the_ike_sa() -> None:
    pair = established_pair()
    answer = ask(pair, ExchangeType.INFORMATIONAL, Nonce(bytes(32)))

    assert answer.error_notify == Notify(NotifyType.INVALID_SYNTAX)
    assert not pair.right.established
    assert pair.right.kernel.is_clean


def test_the_peer_that_does_not_believe_us_ends_the_ike_sa() -> None:
    pair = established_pair()
    ask(pair, ExchangeType.INFORMATIONAL, Notify(NotifyType.AUTHENTICATION_FAILED))

    assert not pair.right.sas
    assert pair.right.kernel.is_clean


@pytest.mark.parametrize("exchange", [ExchangeType.IKE_AUTH, ExchangeType.IKE_INTERMEDIATE])
def test_an_exchange_that_is_not_due_is_dropped(exchange: ExchangeType) -> None:
    pair = established_pair()
    left = sa_of(pair.left)
    header = IkeHeader(left.channel.spi_i, left.channel.spi_r, PayloadType(0), exchange, FLAG_INITIATOR, 2, 0)
    octets = left.channel._protection.seal(header, ())
    datagram = Datagram(octets, arriving(Datagram(b"", left.path)).path)
    pair.right.run(pair.right.endpoint.receive_datagram(datagram, pair.now), pair.now)

    assert pair.right.recorder.drop_reasons == [DropReason.NOT_ALLOWED_NOW]


@pytest.mark.parametrize(
    ("number", "reason"),
    [(0, DropReason.OUTSIDE_WINDOW), (3, DropReason.OUTSIDE_WINDOW), (LAST_MESSAGE_ID, DropReason.OUTSIDE_WINDOW)],
)
def test_a_message_id_outside_the_window_is_dropped(number: int, reason: DropReason) -> None:
    pair = established_pair()
    left = sa_of(pair.left)
    kind = ExchangeType.INFORMATIONAL
    header = IkeHeader(left.channel.spi_i, left.channel.spi_r, PayloadType(0), kind, FLAG_INITIATOR, number, 0)
    octets = left.channel._protection.seal(header, ())
    datagram = Datagram(octets, arriving(Datagram(b"", left.path)).path)
    pair.right.run(pair.right.endpoint.receive_datagram(datagram, pair.now), pair.now)

    assert pair.right.recorder.drop_reasons == [reason]


def test_when_the_last_message_id_is_used_the_ike_sa_is_closed() -> None:
    pair = established_pair()
    sa_of(pair.left).channel.requests.next_id = LAST_MESSAGE_ID + 1
    pair.left.terminate_child(pair.left.sa.children[0].unique_id)

    assert not pair.left.sas
    assert pair.left.kernel.is_clean


def test_each_thing_wrong_with_a_header_has_its_name() -> None:
    pair = established_pair()
    spi_i, spi_r = sa_of(pair.left).channel.spi_i, sa_of(pair.left).channel.spi_r
    good = IkeHeader(spi_i, spi_r, PayloadType.SK, ExchangeType.INFORMATIONAL, FLAG_INITIATOR, 2, 28)

    assert raw(pair, b"") is DropReason.TOO_SHORT
    assert raw(pair, build_header(good)[:27]) is DropReason.TOO_SHORT
    assert raw(pair, build_header(replace(good, length=29))) is DropReason.LENGTH_MISMATCH
    assert raw(pair, build_header(replace(good, version=0x10))) is DropReason.NOT_IKEV2
    assert raw(pair, build_header(replace(good, version=0x30))) is DropReason.NOT_IKEV2
    assert raw(pair, build_header(replace(good, spi_i=bytes(8)))) is DropReason.ZERO_SPI_I
    assert raw(pair, build_header(replace(good, exchange=ExchangeType(250)))) is DropReason.UNKNOWN_EXCHANGE
    assert raw(pair, build_header(replace(good, spi_r=b"12345678"))) is DropReason.UNKNOWN_SPI
    assert raw(pair, build_header(replace(good, spi_i=b"12345678"))) is DropReason.UNKNOWN_SPI
    assert raw(pair, build_header(replace(good, flags=0))) in {DropReason.WRONG_FLAGS, DropReason.UNKNOWN_SPI}
    assert raw(pair, build_header(good)) is DropReason.MALFORMED
    assert raw(pair, build_message(Message(good, ()))) is DropReason.NOT_PROTECTED
    init = replace(good, exchange=ExchangeType.IKE_SA_INIT, spi_r=bytes(8), message_id=1, next_payload=PayloadType(0))
    assert raw(pair, build_header(init)) is DropReason.WRONG_FLAGS
    answer = replace(good, flags=FLAG_INITIATOR | FLAG_RESPONSE)
    assert raw(pair, build_message(Message(answer, ()))) is DropReason.UNEXPECTED_RESPONSE
    assert len(pair.right.established) == 1


def test_what_was_not_sealed_with_the_right_keys_is_dropped() -> None:
    pair, other = established_pair(), established_pair(seed=9)
    left = sa_of(pair.left)
    kind = ExchangeType.INFORMATIONAL
    header = IkeHeader(left.channel.spi_i, left.channel.spi_r, PayloadType(0), kind, FLAG_INITIATOR, 2, 0)
    octets = sa_of(other.left).channel._protection.seal(header, (Delete(ProtocolId.IKE, (), 0),))

    assert raw(pair, octets) is DropReason.INTEGRITY
    assert len(pair.right.established) == 1
