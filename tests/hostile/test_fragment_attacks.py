"""Attacks with fragments: by strangers, by who has keys and is not known yet, and by a peer that has proven itself.

The rows of the attack checklist that are about SKF: CVE-2016-1287 (lengths below the headers'), CVE-2022-34721 (wrong
lengths), CVE-2026-12413 (many payloads before SKF); number 0, total 0, number above total, totals that change, overlapping
ones, a next payload in a later one, 65535 of them, SKF in IKE_SA_INIT, SKF inside SK and SKF (tests/ike/test_fragments*).
"""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from ikepy.ike.actions import Datagram
from ikepy.ike.drops import DropReason
from ikepy.ike.fragments import MOST_FRAGMENTS, MOST_OCTETS, MOST_SECONDS
from ikepy.ike.phases import Closed
from ikepy.wire.base import Payload
from ikepy.wire.chain import build_chain
from ikepy.wire.header import FLAG_INITIATOR, IkeHeader, build_header
from ikepy.wire.message import Message, build_message
from ikepy.wire.payloads import Nonce, Skf, UnknownPayload, VendorId
from ikepy.wire.registry import ExchangeType, NotifyType, PayloadType
from tests.hostile.attacker import INFORMATIONAL, Attacker, weight_of
from tests.support.link import arriving
from tests.support.pair import Pair, established_pair, make_config, make_pair
from tests.support.sealing import raw, sa_of

END = PayloadType.NO_NEXT_PAYLOAD


def header_of(pair: Pair, message_id: int | None = None, exchange: ExchangeType = INFORMATIONAL) -> IkeHeader:
    """The header of the left's next request."""
    channel = sa_of(pair.left).channel
    number = channel.requests.next_id if message_id is None else message_id
    return IkeHeader(channel.spi_i, channel.spi_r, END, exchange, FLAG_INITIATOR, number, 0)


def lengthened(header: IkeHeader, payload: bytes) -> bytes:
    """A message whose only payload is SKF, octet by octet."""
    return build_header(replace(header, next_payload=PayloadType.SKF, length=28 + len(payload))) + payload


@pytest.mark.parametrize("said", [0, 1, 3, 4, 5, 7, 8, 9, 30, 31, 33, 100, 65535])
def test_an_skf_whose_length_lies_comes_to_nothing(said: int) -> None:
    """CVE-2016-1287, CVE-2022-34721."""
    pair = established_pair()
    payload = bytes([0, 0]) + said.to_bytes(2, "big") + bytes([0, 1, 0, 2]) + bytes(24)
    assert raw(pair, lengthened(header_of(pair), payload)) in {DropReason.MALFORMED, DropReason.INTEGRITY}
    assert not pair.right.outbox
    assert sa_of(pair.right).channel._parts[False].state == ""


@pytest.mark.parametrize("body", range(0, 40, 3))
def test_an_skf_with_room_for_no_iv_or_no_icv_comes_to_nothing(body: int) -> None:
    pair = established_pair()
    payload = bytes([0, 0]) + (8 + body).to_bytes(2, "big") + bytes([0, 1, 0, 2]) + bytes(body)
    assert raw(pair, lengthened(header_of(pair), payload)) is DropReason.INTEGRITY


@pytest.mark.parametrize("count", [1, 254, 255, 256, 3000])
def test_payloads_before_skf_are_bounded_and_not_believed(count: int) -> None:
    """CVE-2026-12413: with keys they are authentic, and are still nothing to a fragment."""
    pair = established_pair()
    before: tuple[Payload, ...] = tuple(UnknownPayload(PayloadType(200), b"") for _ in range(count))
    forged = build_message(Message(header_of(pair), (*before, Skf(END, 1, 2, bytes(64)))))
    assert raw(pair, forged) is (DropReason.INTEGRITY if count < 256 else DropReason.MALFORMED)
    assert sa_of(pair.right).channel._parts[False].state == ""


@pytest.mark.parametrize("to_a_known_sa", [True, False])
def test_an_ike_sa_init_in_fragments_is_none(to_a_known_sa: bool) -> None:
    pair = established_pair()
    header = header_of(pair, 0, ExchangeType.IKE_SA_INIT)
    if not to_a_known_sa:
        header = replace(header, spi_i=b"attacker", spi_r=bytes(8))
    known = len(pair.right.sas)
    octets = build_message(Message(header, (Nonce(bytes(32)), Skf(END, 1, 1, bytes(100)))))
    datagram = Datagram(octets, arriving(Datagram(b"", sa_of(pair.left).path)).path)
    pair.right.run(pair.right.endpoint.receive_datagram(datagram, pair.now), pair.now)
    assert len(pair.right.established) == known == 1
    assert pair.right.endpoint.half_open == 0
    assert len(pair.right.outbox) <= 1, "one refusal at most, and it is no longer than the request"


@pytest.mark.parametrize("seed", range(20))
def test_octets_thrown_among_real_fragments_neither_help_nor_hinder(seed: int) -> None:
    print(f"seed {seed}")
    rnd = random.Random(seed)
    pair = established_pair()
    left = sa_of(pair.left).channel
    header = header_of(pair)
    assert left._protection is not None
    pieces = [rnd.randbytes(40) for _ in range(4)]
    sealed = [left._protection.seal_octets(header, Skf(END, n, 4, b""), piece) for n, piece in enumerate(pieces, 1)]
    for octets in rnd.sample(sealed[:3], 3):
        for _ in range(30):
            changed = bytearray(rnd.choice(sealed))
            for _ in range(rnd.choice((1, 1, 2, 8))):
                changed[rnd.randrange(24, len(changed))] = rnd.randrange(256)
            if bytes(changed) not in sealed:
                raw(pair, bytes(changed))
        datagram = Datagram(octets, arriving(Datagram(b"", sa_of(pair.left).path)).path)
        pair.right.run(pair.right.endpoint.receive_datagram(datagram, pair.now), pair.now)
    assert sa_of(pair.right).channel._parts[False].state == "3 of 4 fragments of INFORMATIONAL request 2"
    assert not pair.right.outbox


def flood(peer: Attacker, totals: list[int], octets: int, *, first: int = 1) -> None:
    """Fragments of the next request, all but one of each total."""
    hands = peer.hands
    header = IkeHeader(hands.keyed.spi_i, hands.keyed.spi_r, END, INFORMATIONAL, FLAG_INITIATOR, hands.number, 0)
    for total in totals:
        for number in range(first, total):
            peer.send(hands.protection.seal_octets(header, Skf(END, number, total, b""), bytes(octets)))


def held(peer: Attacker) -> int:
    """Octets that wait to be put together."""
    begun = [parts._begun for sa in peer.living() for parts in sa.channel._parts.values()]
    return sum(len(piece) for each in begun if each is not None for piece in each.pieces.values())


def test_a_peer_that_never_sends_the_last_fragment_holds_what_one_message_may_have_and_not_for_long() -> None:
    peer = Attacker()
    flood(peer, [MOST_FRAGMENTS], 1400)
    assert 0 < held(peer) <= MOST_OCTETS
    assert DropReason.FRAGMENT_LIMIT in peer.victim.recorder.drop_reasons
    peer.pass_time(MOST_SECONDS + 1)
    assert held(peer) == 0


@pytest.mark.slow
def test_totals_that_grow_without_end_hold_one_try_at_a_time() -> None:
    peer = Attacker()
    before = weight_of(peer.victim.endpoint)
    flood(peer, list(range(6, MOST_FRAGMENTS + 1, 50)), 20)
    assert held(peer) <= MOST_FRAGMENTS * 20
    assert weight_of(peer.victim.endpoint) < before + 20
    flood(peer, [MOST_FRAGMENTS + 1, 1000, 65535], 20, first=999)
    assert set(peer.victim.recorder.drop_reasons) <= {DropReason.FRAGMENT_LIMIT, DropReason.FRAGMENT_OUTDATED}
    assert peer.ask(INFORMATIONAL) is not None, "the same request whole is still answered"
    assert held(peer) == 0


def test_a_flood_of_messages_begun_and_not_ended_leaves_one_for_each_ike_sa() -> None:
    peer = Attacker()
    for number in range(50):
        peer.hands.number += number % 2  # only the expected one is put together
        flood(peer, [8], 100)
    assert held(peer) <= 7 * 100


def test_fragments_that_make_nonsense_end_the_ike_sa_as_nonsense_in_one_message_does() -> None:
    peer = Attacker()
    header = IkeHeader(
        peer.hands.keyed.spi_i, peer.hands.keyed.spi_r, END, INFORMATIONAL, FLAG_INITIATOR, peer.hands.number, 0
    )
    seal = peer.hands.protection.seal_octets
    assert peer.send(seal(header, Skf(PayloadType.N, 1, 2, b""), b"\xff" * 7)) is None
    answer = peer.send(seal(header, Skf(END, 2, 2, b""), b"\xff" * 7))
    assert answer is not None
    assert answer.error_notify is not None
    assert answer.error_notify.type is NotifyType.INVALID_SYNTAX
    assert not peer.living()


def test_a_responder_that_gives_its_answer_out_in_drops_is_given_up_in_the_end() -> None:
    """Each fragment begins the waits anew, but not for ever."""
    pair = established_pair()
    right = sa_of(pair.right).channel
    pair.left.run(pair.left.endpoint.rekey(pair.now, ike_ids=(pair.left.sa.unique_id,)), pair.now)
    left, began, total = sa_of(pair.left), pair.now, 2
    path = arriving(Datagram(b"", sa_of(pair.right).path)).path
    while not isinstance(left.phase, Closed) and pair.now - began < 3600:
        outstanding = left.channel.requests.outstanding
        if outstanding is not None and total <= MOST_FRAGMENTS:
            header = IkeHeader(right.spi_i, right.spi_r, END, outstanding.exchange, 0x20, outstanding.message_id, 0)
            assert right._protection is not None
            octets = right._protection.seal_octets(header, Skf(PayloadType.SA, 1, total, b""), bytes(20))
            pair.left.run(pair.left.endpoint.receive_datagram(Datagram(octets, path), pair.now), pair.now)
            total += 1
        at = pair.left.endpoint.next_timeout()
        assert at is not None
        pair.now = max(pair.now, at)
        pair.left.run(pair.left.endpoint.handle_timeout(pair.now), pair.now)
        pair.left.outbox.clear()
    assert isinstance(left.phase, Closed)
    assert pair.now - began < 600


def test_an_unproven_peer_cannot_have_more_put_together_than_half_open_ike_sas_allow() -> None:
    """Who sends fragments has done a key exchange; who does not go on is forgotten with all it sent."""
    pair = make_pair(make_config(), make_config(left=False))
    pair.left.initiate()
    for side, other in ((pair.left, pair.right), (pair.right, pair.left)):
        other.run(other.endpoint.receive_datagram(arriving(side.outbox.pop()), pair.now), pair.now)
    left = sa_of(pair.left).channel
    assert left._protection is not None
    header = header_of(pair, 1, ExchangeType.IKE_AUTH)
    octets = left._protection.seal_octets(header, Skf(PayloadType.V, 1, 2, b""), bytes(60000))
    path = arriving(Datagram(b"", sa_of(pair.left).path)).path
    pair.right.run(pair.right.endpoint.receive_datagram(Datagram(octets, path), pair.now), pair.now)
    assert pair.right.endpoint.half_open == 1
    pair.now += pair.right.config.daemon.half_open_timeout + 31
    pair.right.run(pair.right.endpoint.handle_timeout(pair.now), pair.now)
    assert (pair.right.endpoint.half_open, pair.right.sas) == (0, ())
    waiting = [parts.state for sa in pair.right.endpoint._by_id.values() for parts in sa.channel._parts.values()]
    assert not any(waiting), "one that is over keeps its last response, and no more"


def test_a_vendor_id_of_60000_octets_in_fragments_is_only_long() -> None:
    peer = Attacker()
    hands = peer.hands
    header = IkeHeader(hands.keyed.spi_i, hands.keyed.spi_r, END, INFORMATIONAL, FLAG_INITIATOR, hands.number, 0)
    _, octets = build_chain((VendorId(bytes(60000)),))
    pieces = [octets[at : at + 1000] for at in range(0, len(octets), 1000)]
    *none, answer = (
        peer.send(hands.protection.seal_octets(header, Skf(first, number, len(pieces), b""), piece))
        for number, piece in enumerate(pieces, 1)
        for first in (PayloadType.V if number == 1 else END,)
    )
    assert none == [None] * (len(pieces) - 1)
    assert answer is not None
    assert answer.error_notify is None
