"""Fragments between two endpoints: agreed on, sent, repeated, made smaller, lost, forged."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ikepy.config.model import Config, DaemonConfig, Fragmentation
from ikepy.ike.actions import Datagram
from ikepy.ike.drops import DropReason
from ikepy.ike.fragments import MOST_SECONDS, size_of_datagram
from ikepy.ike.timers import TimerName
from ikepy.wire.header import FLAG_INITIATOR, IkeHeader, parse_header
from ikepy.wire.message import Message, build_message, parse_message
from ikepy.wire.notify import Notify
from ikepy.wire.payloads import Identification, Sk, Skf
from ikepy.wire.registry import ExchangeType, IdType, NotifyType, PayloadType
from tests.support.link import Link, arriving
from tests.support.mirror import assert_mirror
from tests.support.pair import LEFT, Pair, Side, established_pair, make_config, make_pair
from tests.support.sealing import raw, sa_of

LONG = tuple(Identification(IdType.ID_KEY_ID, letter * 1500) for letter in (b"l", b"r"))
"Identities that make IKE_AUTH as long as certificates do: IDi and IDr in the request, IDr in the response."
YES, ACCEPT, FORCE, NO = Fragmentation.YES, Fragmentation.ACCEPT, Fragmentation.FORCE, Fragmentation.NO
SUPPORTED = NotifyType.IKEV2_FRAGMENTATION_SUPPORTED


def long_config(*, left: bool, size: int = 1280, **more: object) -> Config:
    """A side of the pair with long identities."""
    config = make_config(left=left, **more)
    (connection,), (psk,) = config.connections, config.psks
    ours, theirs = LONG if left else LONG[::-1]
    connection = replace(
        connection,
        local=replace(connection.local, id=ours),
        remote=replace(connection.remote, id=replace(connection.remote.id, identification=theirs)),
    )
    daemon = DaemonConfig(fragment_size=size, half_open_timeout=200)
    return replace(config, connections=(connection,), psks=(replace(psk, owners=LONG),), daemon=daemon)


def long_pair(left: Fragmentation = YES, right: Fragmentation = YES, *, size: int = 1280, **line: float) -> Pair:
    """A pair whose IKE_AUTH is too long for one datagram."""
    configs = (long_config(left=True, size=size, fragmentation=left), long_config(left=False, fragmentation=right))
    return make_pair(*configs, link=Link(**line))  # type: ignore[arg-type]


def up(pair: Pair) -> Pair:
    pair.left.initiate()
    pair.run(110)
    assert pair.left.established, pair.left.events
    assert_mirror(pair, children={"net": 1})
    return pair


def on_the_line(pair: Pair, exchange: ExchangeType, *, response: bool) -> list[bytes]:
    """All datagrams of an exchange that were sent, in order."""
    sent = [datagram.octets for datagram in pair.link.sent]
    return [o for o in sent if parse_header(o).exchange is exchange and parse_header(o).is_response is response]


def numbers(datagrams: list[bytes]) -> list[tuple[int, int]]:
    """Number and total of each fragment."""
    payloads = [parse_message(octets).payloads[-1] for octets in datagrams]
    return [(each.number, each.total) for each in payloads if isinstance(each, Skf)]


# -- agreed on, and sent -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("left", Fragmentation)
@pytest.mark.parametrize("right", Fragmentation)
def test_fragments_go_where_both_take_them_and_the_sender_wants_them(left: Fragmentation, right: Fragmentation) -> None:
    pair = up(long_pair(left, right))
    agreed = NO not in {left, right}
    for side, wants, response in ((pair.left, left, False), (pair.right, right, True)):
        datagrams = on_the_line(pair, ExchangeType.IKE_AUTH, response=response)
        fragments = numbers(datagrams)
        assert bool(fragments) is (agreed and wants in {YES, FORCE})
        assert len(fragments) in {0, len(datagrams)}
        assert side.recorder.fragments_sent == [1, len(datagrams)]
        assert pair.link.sent[0].octets == on_the_line(pair, ExchangeType.IKE_SA_INIT, response=False)[0]


@pytest.mark.parametrize("left", Fragmentation)
def test_support_is_said_in_ike_sa_init_and_answered_where_it_was_said(left: Fragmentation) -> None:
    pair = up(long_pair(left))
    request = parse_message(on_the_line(pair, ExchangeType.IKE_SA_INIT, response=False)[0])
    response = parse_message(on_the_line(pair, ExchangeType.IKE_SA_INIT, response=True)[0])
    notify = request.notify(SUPPORTED)
    assert (notify is not None) is (response.notify(SUPPORTED) is not None) is (left is not NO)
    assert notify is None or (notify.octets, notify.spi, notify.protocol) == (b"", b"", 0)


def test_who_did_not_ask_for_fragments_takes_none_though_the_peer_says_it_can() -> None:
    pair = long_pair(NO)

    def add(datagram: Datagram) -> Datagram:
        message = parse_message(datagram.octets)
        if not message.header.is_response or message.header.exchange is not ExchangeType.IKE_SA_INIT:
            return datagram
        return replace(
            datagram, octets=build_message(replace(message, payloads=(*message.payloads, Notify(SUPPORTED))))
        )

    pair.link.translate = add
    pair.left.initiate()
    pair.run(0.03)
    assert sa_of(pair.left).keyed is not None
    assert not sa_of(pair.left).keyed.fragmentation
    assert not numbers(on_the_line(pair, ExchangeType.IKE_AUTH, response=False))


def test_ike_auth_and_create_child_sa_go_in_fragments_where_that_is_forced() -> None:
    configs = (replace(make_config(left=side, fragmentation=FORCE), daemon=SMALL) for side in (True, False))
    pair = established_pair(*configs)
    for side in (pair.left, pair.right):
        side.run(side.endpoint.rekey(pair.now, child_ids=tuple(c.unique_id for c in side.sa.children)), pair.now)
        pair.run(60)
        side.run(side.endpoint.rekey(pair.now, ike_ids=(side.sa.unique_id,)), pair.now)
        pair.run(60)
    assert_mirror(pair, children={"net": 1})
    protected = [d.octets for d in pair.link.sent if parse_header(d.octets).exchange is not ExchangeType.IKE_SA_INIT]
    whole = [octets for octets in protected if not numbers([octets])]
    assert {parse_header(octets).exchange for octets in whole} == {ExchangeType.INFORMATIONAL}
    assert any(total > 1 for _, total in numbers(protected))
    assert all(size_of_datagram(len(octets), pair.left.sa.path) <= 256 for octets in protected)


SMALL = DaemonConfig(fragment_size=256)


# -- repeated, and smaller -----------------------------------------------------------------------------------------


def lost_once(pair: Pair, side: Side, wanted: set[int]) -> None:
    """Lose the fragments of IKE_AUTH with those numbers the first time that side sends them."""
    left = set(wanted)

    def through(datagram: Datagram) -> Datagram | None:
        found = numbers([datagram.octets]) if datagram.path.local.address == side.address else []
        if found and found[0][0] in left:
            left.discard(found[0][0])
            return None
        return datagram

    pair.link.translate = through


def test_a_repeat_is_all_fragments_again_octet_by_octet_and_brings_what_was_lost() -> None:
    pair = long_pair()
    lost_once(pair, pair.left, {2})
    up(pair)
    sent = on_the_line(pair, ExchangeType.IKE_AUTH, response=False)
    assert numbers(sent) == [(1, 3), (2, 3), (3, 3)] * 2
    assert sent[:3] == sent[3:]
    assert len(on_the_line(pair, ExchangeType.IKE_AUTH, response=True)) == 2, "it is answered once: it was whole once"
    assert pair.right.recorder.drop_reasons == [DropReason.FRAGMENT_REPEATED, DropReason.FRAGMENT_REPEATED]


@pytest.mark.parametrize("number", [1, 2])
def test_a_repeated_request_has_all_fragments_of_its_response_sent_again_once_for_each_set(number: int) -> None:
    pair = long_pair()
    lost_once(pair, pair.right, {number})
    up(pair)
    requests = on_the_line(pair, ExchangeType.IKE_AUTH, response=False)
    responses = on_the_line(pair, ExchangeType.IKE_AUTH, response=True)
    assert (len(requests), numbers(responses)) == (6, [(1, 2), (2, 2)] * 2)
    assert responses[:2] == responses[2:]
    assert [repeat for _, repeat in pair.right.recorder.received] == [False, False, True]


def test_a_repeat_whose_first_fragment_is_lost_is_not_answered() -> None:
    pair = up(long_pair())
    requests = on_the_line(pair, ExchangeType.IKE_AUTH, response=False)
    for octets in requests[1:]:
        assert raw(pair, octets) is DropReason.FRAGMENT_REPEATED
    assert not pair.right.outbox
    changed = requests[0][:-1] + bytes([requests[0][-1] ^ 1])
    assert raw(pair, changed) is DropReason.INTEGRITY
    assert not pair.right.outbox


@pytest.mark.parametrize("size", [1280, 9000])
def test_a_path_that_carries_576_octets_is_found_out_and_remembered(size: int) -> None:
    pair = up(long_pair(size=size, mtu=576))
    requests = numbers(on_the_line(pair, ExchangeType.IKE_AUTH, response=False))
    totals = list(dict.fromkeys(total for _, total in requests))
    assert totals == sorted(totals), "each try has more fragments than the one before"
    assert sa_of(pair.left).channel.sizes.of(pair.left.sa.path) == 576
    assert sa_of(pair.right).channel.sizes.of(pair.right.sa.path) == 576, "the peer has said so, by its own fragments"
    assert numbers(on_the_line(pair, ExchangeType.IKE_AUTH, response=True)) == [(n, 4) for n in range(1, 5)]
    pair.left.run(pair.left.endpoint.rekey(pair.now, ike_ids=(pair.left.sa.unique_id,)), pair.now)
    pair.run(60)
    assert_mirror(pair, children={"net": 1})
    assert sa_of(pair.left).channel.sizes.of(pair.left.sa.path) == 576, "the next IKE SA knows it too"


def test_a_response_that_does_not_arrive_goes_smaller_after_repeats_of_its_request() -> None:
    """The way back is the narrow one, and the request does not tell."""
    pair = long_pair(left=ACCEPT)
    pair.link.translate = lambda d: d if d.path.local.address == LEFT or len(d.octets) <= 548 else None
    up(pair)
    responses = on_the_line(pair, ExchangeType.IKE_AUTH, response=True)
    assert numbers(responses) == [(1, 2), (2, 2)] * 2 + [(n, 4) for n in range(1, 5)]
    pair.left.run(pair.left.endpoint.rekey(pair.now, ike_ids=(pair.left.sa.unique_id,)), pair.now)
    pair.run(60)
    assert sa_of(pair.right).channel.sizes.of(pair.right.sa.path) == 576


def test_a_request_that_has_arrived_is_not_cut_smaller_while_its_answer_comes_in_part() -> None:
    pair = long_pair()
    pair.link.translate = lambda d: (
        None if d.path.local.address != LEFT and numbers([d.octets])[:1] in ([(2, 2)], [(2, 4)]) else d
    )
    pair.left.initiate()
    pair.run(30)
    assert {total for _, total in numbers(on_the_line(pair, ExchangeType.IKE_AUTH, response=False))} == {3}
    assert sa_of(pair.left).channel.came_in_part == " (3 of 4 fragments of IKE_AUTH response 1 came)"
    assert sa_of(pair.left).channel.requests.outstanding.partial == 2, "each set began the waits anew"
    pair.run(300)
    assert not pair.left.sas, "but not for ever"
    assert "3 of 4 fragments of IKE_AUTH response 1 came" in str(pair.left.events[-1])


@pytest.mark.parametrize("seed", range(12))
def test_it_comes_up_over_a_narrow_line_that_loses_doubles_and_reorders(seed: int) -> None:
    print(f"seed {seed}")
    up(long_pair(seed=seed, mtu=576, loss=0.2, duplication=0.2, jitter=0.5))


def test_a_message_sent_whole_is_taken_where_fragments_are_agreed_on() -> None:
    pair = up(long_pair(ACCEPT, ACCEPT))
    assert sa_of(pair.left).keyed.fragmentation
    assert pair.right.recorder.fragments_received == [1, 1]


# -- forged, mistaken, and endless ---------------------------------------------------------------------------------


def halfway(pair: Pair) -> list[bytes]:
    """Both sides have keys; the fragments of IKE_AUTH, which have not arrived."""
    pair.left.initiate()
    for side, other in ((pair.left, pair.right), (pair.right, pair.left)):
        other.run(other.endpoint.receive_datagram(arriving(side.outbox.pop()), pair.now), pair.now)
    sent, pair.left.outbox = [datagram.octets for datagram in pair.left.outbox], []
    return sent


def parts_of(side: Side) -> str:
    return sa_of(side).channel._parts[False].state


def taken(pair: Pair, octets: bytes) -> None:
    """Hand octets to the right, which says nothing about them."""
    before = len(pair.right.recorder.drops)
    datagram = Datagram(octets, arriving(Datagram(b"", sa_of(pair.left).path)).path)
    pair.right.run(pair.right.endpoint.receive_datagram(datagram, pair.now), pair.now)
    assert len(pair.right.recorder.drops) == before


def test_forged_fragments_change_nothing_whatever_they_say() -> None:
    pair = long_pair()
    sent = halfway(pair)
    header = parse_header(sent[0])
    taken(pair, sent[1])
    state = parts_of(pair.right)
    for number, total in ((1, 3), (3, 3), (1, 1), (7, 200), (2, 256)):
        forged = Skf(PayloadType(0), number, total, bytes(600))
        reason = raw(pair, build_message(Message(header, (forged,))))
        assert reason is (DropReason.INTEGRITY if total >= 3 else DropReason.FRAGMENT_OUTDATED)
        assert parts_of(pair.right) == state
    taken(pair, sent[2])
    taken(pair, sent[0])
    assert pair.right.established


def test_a_fragment_that_counts_wrongly_is_malformed() -> None:
    pair = long_pair()
    sent = halfway(pair)[0]
    for number, total in ((0, 3), (1, 0), (0, 0), (4, 3), (65535, 3)):
        changed = sent[:32] + number.to_bytes(2, "big") + total.to_bytes(2, "big") + sent[36:]
        assert raw(pair, changed) is DropReason.MALFORMED
    assert raw(pair, sent[:32] + b"\xff\xff\xff\xff" + sent[36:]) is DropReason.MALFORMED, (
        "only the first names a payload"
    )
    named = Skf(PayloadType(0), 65535, 65535, bytes(100))
    assert raw(pair, build_message(Message(parse_header(sent), (named,)))) is DropReason.FRAGMENT_LIMIT
    assert parts_of(pair.right) == ""


def test_fragments_of_other_messages_than_the_one_expected_are_not_kept() -> None:
    pair = long_pair()
    halfway(pair)
    left = sa_of(pair.left).channel
    for message_id in (0, 2, 3, 0xFFFFFFFF):
        header = IkeHeader(left.spi_i, left.spi_r, PayloadType(0), ExchangeType.IKE_AUTH, FLAG_INITIATOR, message_id, 0)
        octets = left._protection.seal_octets(header, Skf(PayloadType.NONCE, 1, 2, b""), bytes(20))
        assert raw(pair, octets) in {DropReason.OUTSIDE_WINDOW, DropReason.FRAGMENT_REPEATED, DropReason.CHANGED_REPEAT}
        assert parts_of(pair.right) == ""


def test_a_response_nobody_waits_for_is_not_put_together() -> None:
    pair = up(long_pair())
    responses = on_the_line(pair, ExchangeType.IKE_AUTH, response=True)
    datagram = Datagram(responses[0], arriving(Datagram(b"", sa_of(pair.right).path)).path)
    pair.left.run(pair.left.endpoint.receive_datagram(datagram, pair.now), pair.now)
    assert pair.left.recorder.drop_reasons[-1] is DropReason.UNEXPECTED_RESPONSE
    assert sa_of(pair.left).channel._parts[True].state == ""


def test_fragments_are_dropped_by_name_where_they_were_not_agreed_on() -> None:
    pair = up(long_pair(NO))
    left = sa_of(pair.left).channel
    number = left.requests.next_id
    for message_id in (number, number - 1):
        header = IkeHeader(
            left.spi_i, left.spi_r, PayloadType(0), ExchangeType.INFORMATIONAL, FLAG_INITIATOR, message_id, 0
        )
        octets = left._protection.seal_octets(header, Skf(PayloadType.NONCE, 1, 1, b""), bytes(20))
        assert raw(pair, octets) is DropReason.FRAGMENT_NOT_AGREED
    assert not pair.right.outbox


def test_what_never_becomes_whole_is_forgotten_in_time_and_told() -> None:
    pair = long_pair()
    sent = halfway(pair)
    taken(pair, sent[0])
    pair.left.reboot(9)
    right = sa_of(pair.right)
    assert right.agenda.instant(TimerName.FRAGMENTS) == pair.now + MOST_SECONDS
    pair.now += MOST_SECONDS
    pair.right.run(pair.right.endpoint.handle_timeout(pair.now), pair.now)
    assert parts_of(pair.right) == ""
    assert "only 1 of 3 fragments of IKE_AUTH request 1 came: the others are lost on the way" in (
        pair.right.recorder.decisions
    )


def test_a_whole_message_whose_inside_cannot_be_read_is_refused_as_any_other() -> None:
    pair = up(long_pair())
    left = sa_of(pair.left).channel
    header = IkeHeader(
        left.spi_i, left.spi_r, PayloadType(0), ExchangeType.INFORMATIONAL, FLAG_INITIATOR, left.requests.next_id, 0
    )
    first, second = (
        left._protection.seal_octets(
            header, Skf(PayloadType.NONCE if n == 1 else PayloadType(0), n, 2, b""), b"\xff" * 9
        )
        for n in (1, 2)
    )
    taken(pair, first)
    taken(pair, second)
    answer = pair.right.outbox.pop().octets
    said = left._protection.open(parse_message(answer), answer)
    assert said.error_notify is not None
    assert said.error_notify.type is NotifyType.INVALID_SYNTAX


def test_one_line_tells_of_a_message_however_many_fragments_it_has() -> None:
    pair = up(long_pair())
    assert pair.left.recorder.fragments_sent == pair.right.recorder.fragments_received == [1, 3]
    assert pair.right.recorder.fragments_sent == pair.left.recorder.fragments_received == [1, 2]


@pytest.mark.parametrize("whole", [True, False], ids=["in SK", "in SKF"])
def test_a_nested_fragment_is_refused(whole: bool) -> None:
    pair = up(long_pair())
    left = sa_of(pair.left).channel
    header = IkeHeader(
        left.spi_i, left.spi_r, PayloadType(0), ExchangeType.INFORMATIONAL, FLAG_INITIATOR, left.requests.next_id, 0
    )
    outer = Sk(PayloadType.SKF, b"") if whole else Skf(PayloadType.SKF, 1, 1, b"")
    taken(pair, left._protection.seal_octets(header, outer, bytes([0, 0, 0, 8, 0, 1, 0, 1])))
    answer = pair.right.outbox.pop().octets
    said = left._protection.open(parse_message(answer), answer)
    assert said.error_notify is not None
    assert said.error_notify.type is NotifyType.INVALID_SYNTAX
