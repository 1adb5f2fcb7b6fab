"""An IKE SA and its children go where addresses go: MOBIKE (RFC 4555), NATs that change their minds (RFC 7296 §2.23)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ikepy.ike.actions import Datagram, SocketAddress
from ikepy.ike.events import IkeSaDown, IkeSaMoved, IkeSaUp, Mapping
from tests.support.mirror import assert_mirror
from tests.support.moving import (
    ELSEWHERE,
    OUTSIDE,
    SECOND,
    V6_LEFT,
    V6_RIGHT,
    assert_between,
    before_left,
    change,
    mobile,
    up,
)
from tests.support.nat import Nat
from tests.support.pair import LEFT, RIGHT, Pair, Side, make_pair
from tests.support.sealing import sa_of
from tests.support.stage import events_of


def assert_same_ike_sa(pair: Pair) -> None:
    """Nothing was negotiated anew, and nothing is left over."""
    for side in (pair.left, pair.right):
        assert len(events_of(side, IkeSaUp)) == 1
        assert not events_of(side, IkeSaDown)
    assert_mirror(pair, children={"net": 1, "more": 1})


# -- agreeing ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("left", "right"), [(True, True), (True, False), (False, True)])
def test_mobike_is_done_where_both_sides_say_so(left: bool, right: bool) -> None:
    configs = mobile(mobike=left)[0], mobile(mobike=right)[1]
    pair = up(configs)
    assert sa_of(pair.left).is_mobile == sa_of(pair.right).is_mobile == (left and right)


def test_further_addresses_are_told_in_ike_auth() -> None:
    pair = make_pair(*mobile())
    pair.left.addresses, pair.right.addresses = [LEFT, SECOND, V6_LEFT], [RIGHT, V6_RIGHT]
    pair.left.initiate()
    pair.run(25)
    assert sa_of(pair.right).moving.known == (LEFT, SECOND, V6_LEFT)
    assert sa_of(pair.left).moving.known == (RIGHT, V6_RIGHT)


def test_who_does_mobike_goes_on_to_port_4500_for_a_nat_may_come() -> None:
    pair = up()
    assert pair.left.sa.path.local.port == pair.left.sa.path.remote.port == 4500
    assert not pair.left.sa.children[0].encap


# -- the initiator moves -------------------------------------------------------------------------------------------------


def test_an_initiator_with_another_address_tells_and_all_goes_there() -> None:
    pair = up()
    change(pair, pair.left, ELSEWHERE)
    pair.run(20)
    assert_between(pair, ELSEWHERE, RIGHT)
    assert_same_ike_sa(pair)
    for side in (pair.left, pair.right):
        (moved,) = events_of(side, IkeSaMoved)
        assert LEFT in (moved.before.local.address, moved.before.remote.address)


def test_an_address_more_moves_nothing_and_is_told() -> None:
    pair = up()
    change(pair, pair.left, LEFT, SECOND)
    pair.run(20)
    assert_between(pair, LEFT, RIGHT)
    assert sa_of(pair.right).moving.known == (LEFT, SECOND)
    change(pair, pair.left, LEFT)
    pair.run(20)
    assert sa_of(pair.right).moving.known == (LEFT,)
    assert_same_ike_sa(pair)


def test_from_v4_to_v6_and_back() -> None:
    pair = make_pair(*mobile())
    pair.right.addresses = [RIGHT, V6_RIGHT]
    pair.left.initiate()
    pair.run(20)
    change(pair, pair.left, V6_LEFT)
    pair.run(20)
    assert_between(pair, V6_LEFT, V6_RIGHT)
    change(pair, pair.left, LEFT)
    pair.run(20)
    assert_between(pair, LEFT, RIGHT)
    assert_same_ike_sa(pair)


def test_without_any_address_it_waits_for_one() -> None:
    pair = up()
    change(pair, pair.left)
    pair.link.deaf = LEFT
    pair.run(20)
    assert pair.left.established
    change(pair, pair.left, ELSEWHERE)
    pair.run(20)
    assert_between(pair, ELSEWHERE, RIGHT)
    assert_same_ike_sa(pair)


def test_a_request_that_waits_goes_by_the_new_way_at_once() -> None:
    pair = up()
    pair.link.deaf = LEFT
    pair.left.run(pair.left.endpoint.rekey(pair.now, ike_ids=(pair.left.sa.unique_id,)), pair.now)
    pair.run(1)
    sent = pair.link.sent[-1]
    pair.link.deaf = None
    change(pair, pair.left, ELSEWHERE)
    pair.run(0.001)
    assert pair.link.sent[-1].octets == sent.octets
    assert pair.link.sent[-1].path.local.address == ELSEWHERE
    pair.run(20)
    assert_between(pair, ELSEWHERE, RIGHT)
    assert len(events_of(pair.left, IkeSaUp)) == 1


def test_a_way_that_leads_nowhere_is_left_for_another() -> None:
    pair = make_pair(*mobile())
    pair.right.addresses = [RIGHT, SECOND]
    pair.left.initiate()
    pair.run(20)
    pair.link.deaf = RIGHT
    pair.left.run(pair.left.endpoint.rekey(pair.now, ike_ids=(pair.left.sa.unique_id,)), pair.now)
    pair.run(120)
    assert_between(pair, LEFT, SECOND)
    assert len(events_of(pair.left, IkeSaUp)) == 1


@pytest.mark.parametrize("first", ["left", "right"])
def test_a_rekeyed_ike_sa_moves_as_the_one_before(first: str) -> None:
    pair = up()
    side = getattr(pair, first)
    side.run(side.endpoint.rekey(pair.now, ike_ids=(side.sa.unique_id,)), pair.now)
    pair.run(20)
    assert sa_of(pair.left).leads
    assert not sa_of(pair.right).leads
    change(pair, pair.left, ELSEWHERE)
    pair.run(20)
    assert_between(pair, ELSEWHERE, RIGHT)


def test_a_child_that_is_made_while_it_moves_goes_with_the_others() -> None:
    pair = up()
    for side in (pair.left, pair.right):
        side.run(side.endpoint.rekey(pair.now, child_ids=(side.sa.children[0].unique_id,)), pair.now)
    change(pair, pair.left, ELSEWHERE)
    pair.run(28)
    assert_between(pair, ELSEWHERE, RIGHT)
    assert_same_ike_sa(pair)


# -- the responder moves -------------------------------------------------------------------------------------------------


def test_a_responder_with_another_address_tells_and_the_initiator_moves_all() -> None:
    pair = up()
    change(pair, pair.right, ELSEWHERE)
    pair.run(28)
    assert_between(pair, LEFT, ELSEWHERE)
    assert_same_ike_sa(pair)


def test_a_responder_does_not_move_by_itself() -> None:
    pair = up()
    change(pair, pair.right, RIGHT, SECOND)
    pair.run(28)
    assert_between(pair, LEFT, RIGHT)
    assert sa_of(pair.left).moving.known == (RIGHT, SECOND)


def test_both_move_at_once() -> None:
    pair = make_pair(*mobile())
    pair.left.addresses, pair.right.addresses = [LEFT, SECOND], [RIGHT, V6_RIGHT]
    pair.left.initiate()
    pair.run(20)
    change(pair, pair.left, SECOND, V6_LEFT)
    change(pair, pair.right, V6_RIGHT)
    pair.run(100)
    assert_between(pair, V6_LEFT, V6_RIGHT)
    assert len(events_of(pair.left, IkeSaUp)) == 1


# -- NATs ----------------------------------------------------------------------------------------------------------------


def encapsulated(side: Side) -> list[bool]:
    return [child.encap and child.spec.outbound.encap is not None for child in side.sa.children]


def test_into_a_nat_and_out_of_it() -> None:
    pair = up()
    nat = Nat(frozenset({ELSEWHERE}), OUTSIDE)
    pair.link.translate = nat.translate
    change(pair, pair.left, ELSEWHERE)
    pair.run(20)
    assert (pair.left.sa.nat_local, pair.right.sa.nat_remote) == (True, True)
    assert encapsulated(pair.left) == encapsulated(pair.right) == [True, True]
    assert pair.right.sa.path.remote == nat.mappings[pair.left.sa.path.local]

    change(pair, pair.left, LEFT)
    pair.run(20)
    assert (pair.left.sa.nat_local, pair.right.sa.nat_remote) == (False, False)
    assert encapsulated(pair.left) == encapsulated(pair.right) == [False, False]
    assert_between(pair, LEFT, RIGHT)
    assert_same_ike_sa(pair)


def test_a_nat_that_comes_between_is_found_by_the_next_liveness_check() -> None:
    pair = up()
    pair.link.translate = before_left().translate
    pair.run(70)
    assert encapsulated(pair.left) == encapsulated(pair.right) == [True, True]
    assert_same_ike_sa(pair)


@pytest.mark.parametrize("mobike", [True, False])
def test_a_nat_that_forgot_is_found_by_the_next_message(mobike: bool) -> None:
    nat = before_left()
    pair = up(mobile(mobike=mobike), nat=nat)
    nat.flush()
    pair.run(80)
    assert pair.right.sa.path.remote == nat.mappings[pair.left.sa.path.local]
    outbound = pair.right.sa.children[0].spec.outbound
    assert outbound.encap.destination_port == nat.mappings[pair.left.sa.path.local].port
    assert_same_ike_sa(pair)


def test_packets_of_children_from_elsewhere_move_the_children_at_once_and_ike_when_it_must() -> None:
    nat = before_left()
    pair = up(mobile(mobike=False), nat=nat)
    inbound = pair.right.sa.children[0].spec.inbound
    nat.flush()
    nat.forward(SocketAddress(LEFT, 4500), 31_000)
    event = Mapping(inbound.id, OUTSIDE, 31_000)
    pair.right.run(pair.right.endpoint.kernel_event(event, pair.now), pair.now)
    assert {child.spec.outbound.encap.destination_port for child in pair.right.sa.children} == {31_000}
    assert pair.right.sa.path.remote.port != 31_000
    pair.run(100)
    assert pair.right.sa.path.remote.port == 31_000
    assert_same_ike_sa(pair)


def test_a_peer_that_is_not_behind_a_nat_is_not_followed() -> None:
    pair = up(mobile(mobike=False))
    inbound = pair.right.sa.children[0].spec.inbound
    event = Mapping(inbound.id, ELSEWHERE, 4500)
    pair.right.run(pair.right.endpoint.kernel_event(event, pair.now), pair.now)
    request = next(each for each in reversed(pair.link.sent) if each.path.local.address == LEFT)
    pair.run(40)
    assert request is not None
    assert_between(pair, LEFT, RIGHT)


def test_what_did_not_open_moves_nobody() -> None:
    nat = before_left()
    pair = up(mobile(mobike=False), nat=nat)
    pair.left.run(pair.left.endpoint.rekey(pair.now, ike_ids=(pair.left.sa.unique_id,)), pair.now)
    pair._collect()
    real = pair.link.pop()
    forged = bytearray(real.octets)
    forged[-1] ^= 1
    for octets in (bytes(forged), real.octets[:60]):
        path = replace(real.path, remote=SocketAddress(ELSEWHERE, 4500))
        pair.right.run(pair.right.endpoint.receive_datagram(Datagram(octets, path), pair.now), pair.now)
    assert pair.right.sa.path.remote.address == OUTSIDE


def test_keepalives_go_out_only_from_behind_the_nat_and_only_when_nothing_else_does() -> None:
    nat = before_left()
    pair = up(mobile(mobike=False), nat=nat)
    pair.link.sent.clear()
    pair.run(200)
    keepalives = [each for each in pair.link.sent if each.octets == b"\xff"]
    assert {each.path.local.address for each in keepalives} == {LEFT}
    assert not any(each.path.non_esp_marker for each in keepalives)
    assert 5 <= len(keepalives) <= 10


def test_where_nat_detection_is_switched_off_there_is_none() -> None:
    pair = up(mobile(nat_detection=False), nat=before_left())
    assert not encapsulated(pair.left)[0]
    assert (pair.left.sa.nat_local, pair.right.sa.nat_remote) == (False, False)


def test_behind_a_nat_without_mobike_another_address_looks_like_another_mapping() -> None:
    pair = up(mobile(mobike=False), nat=before_left())
    change(pair, pair.left, ELSEWHERE)
    pair.run(20)
    assert pair.left.sa.path.local.address == ELSEWHERE
    assert pair.right.sa.path.remote.address == OUTSIDE
    assert_same_ike_sa(pair)


def test_without_mobike_and_nat_an_address_that_is_gone_ends_the_ike_sa_at_once() -> None:
    pair = up(mobile(mobike=False))
    change(pair, pair.left, ELSEWHERE)
    assert not pair.left.established
    (down,) = events_of(pair.left, IkeSaDown)
    assert "MOBIKE" in down.reason
