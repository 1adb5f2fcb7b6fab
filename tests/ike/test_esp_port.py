"""ESP that comes from another port than IKE: each is answered where it comes from (RFC 7296 §2.23; Windows behind some NATs)."""

from __future__ import annotations

import pytest

from ikepy.ike.actions import SocketAddress
from ikepy.ike.events import IkeSaDown, Mapping
from tests.support.moving import OUTSIDE, before_left, mobile, up
from tests.support.nat import Nat
from tests.support.pair import LEFT, RIGHT, Pair
from tests.support.stage import events_of

ESP_PORT = 40_001
both_kinds = pytest.mark.parametrize("mobike", [True, False], ids=["mobike", "plain"])


def apart(*, mobike: bool) -> tuple[Pair, Nat]:
    """A pair, the left behind a NAT that shows its ESP by a port of its own, as the right's kernel has just noticed."""
    nat = before_left()
    pair = up(mobile(mobike=mobike), nat=nat)
    esp_comes(pair)
    return pair, nat


def esp_comes(pair: Pair, port: int = ESP_PORT) -> None:
    """A packet by each child; the kernel says where from if the state says otherwise."""
    for child in pair.right.sa.children:
        state = child.spec.inbound
        if state.encap.source_port != port or state.source != OUTSIDE:
            event = Mapping(state.id, OUTSIDE, port)
            pair.right.run(pair.right.endpoint.kernel_event(event, pair.now), pair.now)


def assert_apart(pair: Pair, nat: Nat, port: int = ESP_PORT) -> None:
    """Of the right: ESP goes to the port that ESP comes from, IKE to IKE's."""
    assert pair.right.sa.path.remote == nat.mappings[SocketAddress(LEFT, 4500)]
    assert len(pair.right.sa.children) == 2
    for child in pair.right.sa.children:
        assert child.spec.outbound.encap.destination_port == child.spec.inbound.encap.source_port == port
        assert child.spec.outbound.destination == OUTSIDE
        assert pair.right.kernel.states[child.spec.outbound.id] == child.spec.outbound
    for side in (pair.left, pair.right):
        assert not events_of(side, IkeSaDown)


@both_kinds
def test_children_go_where_esp_comes_from_and_ike_stays(mobike: bool) -> None:
    pair, nat = apart(mobike=mobike)
    assert_apart(pair, nat)
    pair.link.sent.clear()
    pair.run(200)
    assert_apart(pair, nat)
    from_right = {each.path.remote for each in pair.link.sent if each.path.local.address == RIGHT}
    assert from_right == {nat.mappings[SocketAddress(LEFT, 4500)]}


@both_kinds
@pytest.mark.parametrize("by", ["left", "right"])
def test_a_rekeyed_child_goes_to_the_port_of_esp_from_its_first_packet(mobike: bool, by: str) -> None:
    pair, nat = apart(mobike=mobike)
    side = getattr(pair, by)
    side.run(side.endpoint.rekey(pair.now, child_ids=tuple(c.unique_id for c in side.sa.children)), pair.now)
    pair.run(20)
    assert_apart(pair, nat)


@both_kinds
@pytest.mark.parametrize("by", ["left", "right"])
def test_a_rekeyed_ike_sa_changes_nothing_of_it(mobike: bool, by: str) -> None:
    pair, nat = apart(mobike=mobike)
    side = getattr(pair, by)
    side.run(side.endpoint.rekey(pair.now, ike_ids=(side.sa.unique_id,)), pair.now)
    pair.run(20)
    assert_apart(pair, nat)


@both_kinds
def test_esp_may_change_its_port_again_without_ike(mobike: bool) -> None:
    pair, nat = apart(mobike=mobike)
    esp_comes(pair, 40_002)
    pair.run(60)
    assert_apart(pair, nat, 40_002)


@both_kinds
def test_a_nat_that_forgot_ikes_port_is_followed_and_esp_is_back_with_its_next_packet(mobike: bool) -> None:
    pair, nat = apart(mobike=mobike)
    nat.flush()
    pair.run(100)
    esp_comes(pair)
    assert_apart(pair, nat)


@both_kinds
def test_messages_lost_for_a_while_leave_ike_where_it_was(mobike: bool) -> None:
    pair, nat = apart(mobike=mobike)
    pair.link.deaf = LEFT
    pair.right.run(pair.right.endpoint.rekey(pair.now, child_ids=(pair.right.sa.children[0].unique_id,)), pair.now)
    pair.run(12)
    pair.link.deaf = None
    pair.run(120)
    esp_comes(pair)
    assert_apart(pair, nat)


def test_of_a_peer_without_nat_esp_from_elsewhere_moves_nothing() -> None:
    pair = up(mobile(mobike=False))
    (first, *_) = pair.right.sa.children
    before = first.spec
    pair.right.run(pair.right.endpoint.kernel_event(Mapping(before.inbound.id, OUTSIDE, ESP_PORT), pair.now), pair.now)
    assert pair.right.sa.children[0].spec == before
