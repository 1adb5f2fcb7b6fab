"""The bench itself: copies are independent of each other, and what must not be is found."""

from __future__ import annotations

import pytest

from ikepy.ipsec import SaId
from ikepy.wire.registry import ProtocolId
from tests.support.copying import copied
from tests.support.mirror import assert_mirror
from tests.support.pair import Pair, established_pair
from tests.support.traffic import Traffic


def state_of(pair: Pair) -> str:
    """All that can change of a pair, in words."""
    sides = (pair.left, pair.right)
    windows = [
        (sa.channel.requests.next_id, sa.channel.responses.expected_id, sa.agenda._timers.entries())
        for side in sides
        for sa in side.endpoint._by_id.values()
    ]
    return repr([(side.sas, side.kernel.states, side.kernel.reserved, side.events) for side in sides] + [windows])


def rekeyed(pair: Pair) -> Pair:
    """The pair, after its left has rekeyed the child and the IKE SA."""
    left = pair.left
    left.run(left.endpoint.rekey(pair.now, child_ids=(left.sa.children[0].unique_id,)), pair.now)
    left.run(left.endpoint.rekey(pair.now, ike_ids=(left.sa.unique_id,)), pair.now)
    pair.run(100)
    assert_mirror(pair)
    return pair


def test_what_is_done_to_a_copy_changes_neither_its_source_nor_another_copy() -> None:
    source = established_pair()
    other = copied(source, 2)
    before, others = state_of(source), state_of(other)

    copy = rekeyed(copied(source, 1))

    assert state_of(source) == before
    assert state_of(other) == others
    assert copy.left.sa.spi_i != source.left.sa.spi_i


def test_what_is_done_to_the_source_does_not_change_a_copy() -> None:
    source = established_pair()
    copy = copied(source, 1)
    before = state_of(copy)

    rekeyed(source)

    assert state_of(copy) == before
    rekeyed(copy)


def test_copies_of_different_seeds_draw_differently_and_copies_of_one_seed_alike() -> None:
    source = established_pair()
    one, same, other = (rekeyed(copied(source, seed)) for seed in (1, 1, 2))

    assert one.left.sa.spi_i == same.left.sa.spi_i
    assert one.left.sa.children[0].spec == same.left.sa.children[0].spec
    assert one.left.sa.spi_i != other.left.sa.spi_i
    assert one.left.sa.children[0].spec != other.left.sa.children[0].spec


def test_a_pair_with_a_conversation_under_way_is_not_copied() -> None:
    pair = established_pair()
    pair.left.terminate()

    with pytest.raises(AssertionError, match="at rest"):
        copied(pair, 1)


def test_a_packet_that_the_far_side_cannot_take_is_counted() -> None:
    pair = copied(established_pair(), 1)
    traffic = Traffic(pair)
    traffic.begin()
    traffic.flow()
    assert not traffic.lost

    child = pair.left.sa.children[0]
    del pair.left.kernel.states[child.spec.inbound.id]
    traffic.flow()

    assert len(traffic.lost) == 1
    assert "no state" in traffic.lost[0]


def test_a_child_without_an_outbound_state_is_counted_as_loss() -> None:
    pair = copied(established_pair(), 1)
    traffic = Traffic(pair)
    traffic.begin()
    del pair.left.kernel.states[pair.left.sa.children[0].spec.outbound.id]
    traffic.flow()

    assert "nothing to send by" in traffic.lost[0]


def test_a_leak_on_one_side_is_no_mirror() -> None:
    source = established_pair()
    assert_mirror(source)

    reserved, gone, behind = (copied(source, seed) for seed in range(3))
    reserved.left.kernel.reserved.add(SaId(reserved.left.address, ProtocolId.ESP, 4711))
    gone.right.kernel.states.popitem()
    (sa,) = behind.left.endpoint._by_id.values()
    sa.channel.requests.next_id += 1

    for pair in (reserved, gone, behind):
        with pytest.raises(AssertionError):
            assert_mirror(pair)
