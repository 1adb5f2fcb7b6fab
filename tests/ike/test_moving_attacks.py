"""Odd and hostile messages about addresses: what is ignored, what is answered, what is bounded (RFC 4555)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ikepy.ike.actions import Datagram
from ikepy.wire.header import FLAG_RESPONSE
from ikepy.wire.notify import Notify
from ikepy.wire.registry import ExchangeType, NotifyType
from tests.support.moving import ELSEWHERE, assert_between, mobile, up
from tests.support.pair import LEFT, RIGHT, Pair
from tests.support.sealing import ask, sa_of

# -- hostile and odd -----------------------------------------------------------------------------------------------------


def answer_to(pair: Pair, *notifies: Notify) -> list[NotifyType]:
    """What the right answers to a request of the left's with these."""
    return [notify.type for notify in ask(pair, ExchangeType.INFORMATIONAL, *notifies).all(Notify)]


def test_an_update_of_a_peer_that_does_not_do_mobike_is_ignored() -> None:
    pair = up(mobile(mobike=False))
    assert answer_to(pair, Notify(NotifyType.UPDATE_SA_ADDRESSES)) == []
    assert_between(pair, LEFT, RIGHT)


def test_a_nat_where_the_peer_allows_none_is_said() -> None:
    pair = up()
    said = LEFT.packed + RIGHT.packed + (4500).to_bytes(2, "big") * 2
    assert answer_to(pair, Notify(NotifyType.NO_NATS_ALLOWED, said)) == []
    sa_of(pair.left).channel.requests.next_id += 1
    other = ELSEWHERE.packed + said[4:]
    assert answer_to(pair, Notify(NotifyType.NO_NATS_ALLOWED, other)) == [NotifyType.UNEXPECTED_NAT_DETECTED]


def test_cookie2_comes_back_as_it_was_sent() -> None:
    pair = up()
    answer = ask(pair, ExchangeType.INFORMATIONAL, Notify(NotifyType.COOKIE2, b"a cookie of theirs"))
    assert [notify.octets for notify in answer.all(Notify)] == [b"a cookie of theirs"]


def test_of_endless_addresses_some_are_remembered() -> None:
    pair = up()
    many = tuple(Notify(NotifyType.ADDITIONAL_IP4_ADDRESS, (0x0A000000 + n).to_bytes(4, "big")) for n in range(60))
    ask(pair, ExchangeType.INFORMATIONAL, *many)
    assert len(sa_of(pair.right).moving.known) == 32


@pytest.mark.parametrize("octets", [b"", b"\x0a\0\0", bytes(5), bytes(16)])
def test_an_address_of_a_wrong_length_is_invalid_syntax(octets: bytes) -> None:
    pair = up()
    assert answer_to(pair, Notify(NotifyType.ADDITIONAL_IP4_ADDRESS, octets)) == [NotifyType.INVALID_SYNTAX]


@pytest.mark.parametrize(("answer", "lives"), [((), True), ((b"another",), False)])
def test_a_cookie2_that_does_not_come_back_is_borne_and_another_is_not(answer: tuple[bytes, ...], lives: bool) -> None:
    pair = up()
    pair.now += 31
    pair.left.run(pair.left.endpoint.handle_timeout(pair.now), pair.now)
    (request,) = pair.left.outbox
    pair.left.outbox.clear()
    right, notifies = sa_of(pair.right), tuple(Notify(NotifyType.COOKIE2, octets) for octets in answer)
    header = replace(pair.left.recorder.sent[-1][0].header, flags=FLAG_RESPONSE)
    octets = right.channel._protection.seal(header, notifies)
    back = Datagram(octets, request.path)
    pair.left.run(pair.left.endpoint.receive_datagram(back, pair.now), pair.now)
    assert bool(pair.left.established) == lives
