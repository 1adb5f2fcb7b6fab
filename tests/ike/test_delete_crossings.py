"""Deletes that cross each other, and new children made at the wrong time (RFC 7296 §1.4.1, §2.25)."""

from __future__ import annotations

import pytest

from ikepy.ike.events import ChildSaDown, ChildSaUp, IkeSaDown, IkeSaUp
from ikepy.wire.payloads import Delete
from ikepy.wire.registry import NotifyType
from tests.support.stage import LOWEST, SPARE, error_of, esp, events_of, facing, loses, staged, unconnected

SIDES = ("left", "right")
TWO = facing((esp(), SPARE))
GONE = {"lossless": False, "net": 0}

by_side = pytest.mark.parametrize("first", SIDES)
by_nonce = pytest.mark.parametrize("lowest", LOWEST)


def spis(message) -> list[bytes]:
    """What a message deletes."""
    return [spi for delete in message.all(Delete) for spi in delete.spis]


# -- children --------------------------------------------------------------------------------------------------------------


@by_side
def test_a_deleted_child_goes_on_both_sides_and_the_answer_names_the_other_half(first: str) -> None:
    stage = staged()
    side = getattr(stage, first)
    child = stage.child(side)
    stage.delete_child(side)

    assert spis(stage.deliver(side)) == [child.spec.inbound.spi.to_bytes(4, "big")]
    assert spis(stage.deliver(stage.other(side))) == [child.spec.outbound.spi.to_bytes(4, "big")]
    stage.end(**GONE)


@by_side
def test_both_delete_the_child_and_neither_answer_names_it(first: str) -> None:
    stage = staged()
    stage.delete_child(getattr(stage, first))
    stage.delete_child(stage.other(getattr(stage, first)))
    stage.deliver(stage.left)
    stage.deliver(stage.right)

    assert [each.message.payloads for each in stage.flying] == [(), ()]
    stage.end(**GONE)
    for side in (stage.left, stage.right):
        assert len(events_of(side, ChildSaDown)) == 1


@by_side
def test_both_delete_the_child_and_one_delete_is_lost_at_first(first: str) -> None:
    stage = staged()
    for side in (stage.left, stage.right):
        stage.delete_child(side)
    stage.lose(getattr(stage, first))
    stage.end(**GONE)
    for side in (stage.left, stage.right):
        assert len(events_of(side, ChildSaDown)) == 1


@by_side
def test_one_side_deletes_the_child_and_the_other_the_ike_sa(first: str) -> None:
    stage = staged()
    side = getattr(stage, first)
    stage.delete_child(side)
    stage.delete_ike(stage.other(side))
    stage.end(ike_sas=0, **GONE)
    for each in (stage.left, stage.right):
        assert len(events_of(each, ChildSaDown)) == len(events_of(each, IkeSaDown)) == 1


@by_side
def test_each_side_deletes_another_child(first: str) -> None:
    stage = staged(TWO)
    stage.delete_child(getattr(stage, first), "net")
    stage.delete_child(stage.other(getattr(stage, first)), "spare")
    stage.end(lossless=False, net=0, spare=0)


# -- IKE SAs ---------------------------------------------------------------------------------------------------------------


@by_side
def test_a_deleted_ike_sa_goes_on_both_sides_with_its_children(first: str) -> None:
    stage = staged(TWO)
    stage.delete_ike(getattr(stage, first))
    stage.end(ike_sas=0, **GONE)
    for side in (stage.left, stage.right):
        assert side.kernel.is_clean


@by_side
def test_both_delete_the_ike_sa(first: str) -> None:
    stage = staged()
    stage.delete_ike(getattr(stage, first))
    stage.delete_ike(stage.other(getattr(stage, first)))
    stage.end(ike_sas=0, **GONE)
    for side in (stage.left, stage.right):
        assert len(events_of(side, IkeSaDown)) == 1


@by_side
def test_both_delete_the_ike_sa_and_one_delete_is_lost_at_first(first: str) -> None:
    stage = staged()
    for side in (stage.left, stage.right):
        stage.delete_ike(side)
    stage.lose(getattr(stage, first))
    stage.end(ike_sas=0, **GONE)


@by_side
def test_a_delete_overtakes_the_answer_to_a_new_child(first: str) -> None:
    stage = staged(TWO)
    side, other = getattr(stage, first), stage.other(getattr(stage, first))
    stage.delete_child(side, "spare")
    stage.carry()
    stage.create(side, "spare")
    stage.deliver(side)
    arrive = stage.hold(other)
    stage.delete_ike(other)
    stage.carry()
    arrive()
    stage.end(ike_sas=0, **GONE)


@by_side
def test_a_new_child_is_deleted_before_the_answer_to_its_request_has_come(first: str) -> None:
    stage = staged(TWO)
    side, other = getattr(stage, first), stage.other(getattr(stage, first))
    stage.delete_child(side, "spare")
    stage.carry()
    stage.create(side, "spare")
    stage.deliver(side)
    arrive = stage.hold(other)
    stage.delete_child(other, "spare")
    stage.carry()
    arrive()
    stage.end(lossless=False, net=1)


@by_side
def test_a_new_child_is_rekeyed_before_the_answer_to_its_request_has_come(first: str) -> None:
    stage = staged(TWO)
    side, other = getattr(stage, first), stage.other(getattr(stage, first))
    stage.delete_child(side, "spare")
    stage.carry()
    stage.create(side, "spare")
    stage.deliver(side)
    arrive = stage.hold(other)
    stage.rekey_child(other, "spare")
    stage.carry()
    arrive()
    stage.end(lossless=False, net=1, spare=1)


@by_side
def test_a_child_is_wanted_while_the_peer_deletes_the_ike_sa(first: str) -> None:
    stage = staged(TWO)
    side, other = getattr(stage, first), stage.other(getattr(stage, first))
    stage.delete_child(side, "spare")
    stage.carry()
    stage.create(side, "spare")
    stage.delete_ike(other)
    stage.deliver(side)
    assert error_of(stage.of(other)[-1].message) is NotifyType.TEMPORARY_FAILURE
    stage.end(ike_sas=0, **GONE)


# -- the same child twice --------------------------------------------------------------------------------------------------


@by_side
def test_a_child_that_is_up_is_not_made_again(first: str) -> None:
    stage = staged()
    stage.create(getattr(stage, first), "net")
    stage.create(getattr(stage, first), "net")
    assert not stage.flying
    stage.end()


@by_side
def test_a_child_that_is_being_made_is_not_asked_for_again(first: str) -> None:
    stage = staged(TWO)
    side = getattr(stage, first)
    stage.delete_child(side, "spare")
    stage.carry()
    for _ in range(3):
        stage.create(side, "spare")
    stage.end(lossless=False, net=1, spare=1)
    assert len(events_of(side, ChildSaUp)) == 1


@by_side
@by_nonce
def test_both_make_the_same_child_at_once_and_one_stays(lowest: str, first: str) -> None:
    stage = staged(TWO)
    stage.delete_child(stage.left, "spare")
    stage.carry()
    for name, side in (("left", stage.left), ("right", stage.right)):
        side.entropy.leads = [0x01 if lowest == f"{name} {nonce}" else 0x80 for nonce in ("ni", "nr")]
    stage.create(getattr(stage, first), "spare")
    stage.create(stage.other(getattr(stage, first)), "spare")
    stage.end(lossless=False, net=1, spare=1)

    made = [c for sa in stage.left.endpoint._by_id.values() for c in sa.children.values() if c.name == "spare"]
    assert [child.by_us for child in made] == [not loses("left", lowest)]


# -- both begin ------------------------------------------------------------------------------------------------------------


@by_side
@pytest.mark.parametrize("seed", range(8))
def test_both_begin_at_once_and_one_ike_sa_with_one_child_stays(first: str, seed: int) -> None:
    stage = unconnected(seed=seed)
    stage.create(getattr(stage, first))
    stage.create(stage.other(getattr(stage, first)))
    stage.end(lossless=False)
    for side in (stage.left, stage.right):
        assert events_of(side, IkeSaUp)


@by_side
def test_a_peer_that_restarts_in_the_middle_of_a_crossing_begins_anew(first: str) -> None:
    stage = staged()
    side, other = getattr(stage, first), stage.other(getattr(stage, first))
    stage.rekey_child(side)
    stage.rekey_child(other)
    stage.deliver(side)
    side.reboot(99)
    stage.flying.clear()
    stage.create(side)
    stage.end(lossless=False)
