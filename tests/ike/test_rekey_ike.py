"""The IKE SA is rekeyed, by one side or by both at once (RFC 7296 §1.3.2, §2.8, §2.8.2, §2.18, §2.25.2)."""

from __future__ import annotations

import pytest

from ikepy.config.algorithms import parse_proposals
from ikepy.ike.events import ChildSaDown, IkeSaDown, IkeSaRekeyed
from ikepy.wire.registry import NotifyType, ProtocolId
from tests.support.sealing import sa_of
from tests.support.stage import LOWEST, SPARE, Stage, error_of, esp, events_of, facing, loses, staged

SIDES = ("left", "right")
METHODS = ("aes256gcm16-prfsha256-ecp256", "aes128gcm16-prfsha256-ecp384")
INVALID_KE = (
    facing((esp(),), proposals=parse_proposals(METHODS, ProtocolId.IKE))[0],
    facing((esp(),), proposals=parse_proposals(tuple(reversed(METHODS)), ProtocolId.IKE))[1],
)
"Each side has the other's second choice first, so each is told of another method."

by_side = pytest.mark.parametrize("first", SIDES)
by_nonce = pytest.mark.parametrize("lowest", LOWEST)


def both_rekey(stage: Stage, first: str = "left") -> None:
    """Neither request has arrived when the other is sent."""
    stage.rekey_ike(getattr(stage, first))
    stage.rekey_ike(stage.other(getattr(stage, first)))


def survivor(stage: Stage, lowest: str) -> None:
    """One IKE SA is left, made by the side that did not have the lowest nonce, with the child that was there before."""
    children = {side: stage.child(getattr(stage, side)).spec for side in SIDES}
    stage.end()
    for side in SIDES:
        assert getattr(stage, side).sa.initiator is not loses(side, lowest)
        assert stage.child(getattr(stage, side)).spec == children[side]
        assert len(events_of(getattr(stage, side), IkeSaRekeyed)) == 1
        assert not events_of(getattr(stage, side), IkeSaDown)
        assert not events_of(getattr(stage, side), ChildSaDown)


# -- by one side --------------------------------------------------------------------------------------------------------


@by_side
def test_the_ike_sa_is_rekeyed_its_children_move_and_the_old_one_is_deleted(first: str) -> None:
    stage = staged(facing((esp(), SPARE)))
    side, other = getattr(stage, first), stage.other(getattr(stage, first))
    old, children = side.sa, {child.name: child.spec for child in side.sa.children}
    stage.rekey_ike(side)
    assert stage.deliver(side).summary().endswith("SA Ni KE")
    stage.deliver(other)
    delete = stage.deliver(side)

    assert delete.header.spi_i == old.spi_i
    assert delete.summary().endswith(": D")
    stage.end(net=1, spare=1)
    assert side.sa.spi_i != old.spi_i
    assert {child.name: child.spec for child in side.sa.children} == children


@by_side
def test_who_rekeys_is_the_initiator_of_the_new_ike_sa_and_message_ids_begin_at_0(first: str) -> None:
    stage = staged()
    side = getattr(stage, first)
    stage.rekey_ike(side)
    stage.end()

    assert side.sa.initiator
    assert not stage.other(side).sa.initiator
    assert sa_of(side).channel.requests.next_id == 0
    stage.rekey_child(stage.other(side))
    stage.end()


@by_side
def test_the_new_ike_sa_is_rekeyed_by_the_other_side_and_so_on(first: str) -> None:
    stage = staged()
    for number in range(6):
        stage.rekey_ike(getattr(stage, first) if number % 2 else stage.other(getattr(stage, first)))
        stage.end()
    assert len(events_of(stage.left, IkeSaRekeyed)) == len(events_of(stage.right, IkeSaRekeyed)) == 6


@by_side
def test_another_method_is_tried_when_it_is_asked_for(first: str) -> None:
    stage = staged(INVALID_KE)
    side = getattr(stage, first)
    stage.rekey_ike(side)
    stage.deliver(side)

    assert error_of(stage.deliver(stage.other(side))) is NotifyType.INVALID_KE_PAYLOAD
    stage.end()


@by_side
def test_every_message_of_a_rekeying_may_be_lost_once(first: str) -> None:
    for lost in range(4):
        stage = staged()
        stage.rekey_ike(getattr(stage, first))
        for _ in range(lost):
            stage.deliver(stage.flying[0].sender)
        stage.lose(stage.flying[0].sender)
        stage.end()
        assert len(events_of(stage.left, IkeSaRekeyed)) == len(events_of(stage.right, IkeSaRekeyed)) == 1


@by_side
def test_a_rekeying_without_a_proposal_in_common_leaves_the_ike_sa_as_it_was(first: str) -> None:
    from dataclasses import replace

    stage = staged()
    side, other = getattr(stage, first), stage.other(getattr(stage, first))
    sa = sa_of(other)
    keyed = sa.keyed
    odd = replace(keyed.connection, proposals=parse_proposals(("aes128-sha256-ecp256",), ProtocolId.IKE))
    sa.enter(replace(sa.phase, keyed=replace(keyed, connection=odd)))
    before = side.sa.spi_i
    stage.rekey_ike(side)
    stage.deliver(side)

    assert error_of(stage.deliver(other)) is NotifyType.NO_PROPOSAL_CHOSEN
    assert side.sa.spi_i == before
    assert any("could not be rekeyed" in decision for decision in side.recorder.decisions)
    assert side.endpoint.next_timeout() > stage.pair.now + 30


def test_an_ike_sa_is_rekeyed_in_time_and_its_successor_again() -> None:
    stage = staged(facing((esp(),), rekey_time=100000.0, rand_time=1000.0))
    for _ in range(3):
        stage.settle(100000)
    assert len(events_of(stage.left, IkeSaRekeyed)) >= 3
    assert len(stage.left.sas) == len(stage.right.sas) == 1


# -- by both -----------------------------------------------------------------------------------------------------------


@by_side
@by_nonce
def test_both_rekey_the_ike_sa_and_the_one_with_the_lowest_nonce_goes(lowest: str, first: str) -> None:
    stage = staged(lowest=lowest)
    both_rekey(stage, first)
    survivor(stage, lowest)


@by_side
@by_nonce
def test_both_rekey_and_both_are_told_of_another_method(lowest: str, first: str) -> None:
    stage = staged(INVALID_KE, lowest=lowest)
    both_rekey(stage, first)
    survivor(stage, lowest)
    for side in SIDES:
        answered = [error_of(message) for message, _ in getattr(stage, side).recorder.sent]
        assert answered.count(NotifyType.INVALID_KE_PAYLOAD) == 1


@by_side
@by_nonce
def test_both_rekey_and_one_retry_with_another_method_is_late(lowest: str, first: str) -> None:
    stage = staged(INVALID_KE, lowest=lowest)
    side = getattr(stage, first)
    both_rekey(stage)
    for sender in (stage.left, stage.right, stage.left, stage.right):
        stage.deliver(sender)
    arrive = stage.hold(side)
    stage.carry()
    arrive()
    stage.end()


@by_side
@by_nonce
def test_both_rekey_and_one_response_is_late(lowest: str, first: str) -> None:
    stage = staged(lowest=lowest)
    both_rekey(stage)
    late = getattr(stage, first)
    stage.deliver(stage.other(late))
    arrive = stage.hold(late, -1)
    stage.carry()
    arrive()
    stage.end()


@by_side
@by_nonce
def test_both_rekey_and_one_response_is_lost_and_comes_again(lowest: str, first: str) -> None:
    stage = staged(lowest=lowest)
    both_rekey(stage)
    side = getattr(stage, first)
    stage.deliver(stage.other(side))
    stage.lose(side, -1)
    stage.end()


@by_side
@by_nonce
def test_both_rekey_and_one_request_is_lost_and_comes_again(lowest: str, first: str) -> None:
    stage = staged(lowest=lowest)
    both_rekey(stage)
    stage.lose(getattr(stage, first))
    stage.end()


@by_side
@by_nonce
def test_one_request_is_late_and_that_side_alone_sees_the_crossing(lowest: str, first: str) -> None:
    stage = staged(lowest=lowest)
    late = getattr(stage, first)
    both_rekey(stage, first)
    arrive = stage.hold(late)
    stage.deliver(stage.other(late))
    stage.deliver(late)  # the prompt side has its answer and deletes the old IKE SA
    arrive()

    assert error_of(stage.of(stage.other(late))[-1].message) is NotifyType.TEMPORARY_FAILURE
    stage.end()


@by_side
def test_one_request_comes_when_its_ike_sa_is_gone(first: str) -> None:
    stage = staged()
    late = getattr(stage, first)
    both_rekey(stage, first)
    arrive = stage.hold(late)
    stage.carry()
    arrive()
    stage.end()
    assert len(events_of(late, IkeSaRekeyed)) == 1


@by_side
def test_one_request_comes_when_the_new_ike_sa_is_deleted_as_well(first: str) -> None:
    stage = staged()
    late = getattr(stage, first)
    both_rekey(stage, first)
    arrive = stage.hold(late)
    stage.carry()
    stage.delete_ike(stage.other(late))
    stage.carry()
    arrive()
    stage.end(ike_sas=0, lossless=False, net=0)


@by_side
@by_nonce
def test_the_new_ike_sa_is_used_by_one_side_before_the_other_has_its_answer(lowest: str, first: str) -> None:
    stage = staged(lowest=lowest)
    both_rekey(stage)
    late = getattr(stage, first)
    stage.deliver(stage.other(late))
    stage.deliver(late)
    arrive = stage.hold(late)
    stage.carry()
    stage.rekey_child(stage.other(late))
    stage.carry()
    arrive()
    stage.end()


# -- rekey x delete ------------------------------------------------------------------------------------------------------


@by_side
def test_a_rekeying_crosses_a_delete_and_the_delete_wins(first: str) -> None:
    stage = staged()
    side, other = getattr(stage, first), stage.other(getattr(stage, first))
    stage.rekey_ike(side)
    stage.delete_ike(other)
    stage.deliver(side)
    assert error_of(stage.of(other)[-1].message) is NotifyType.TEMPORARY_FAILURE
    stage.end(ike_sas=0, lossless=False, net=0)
    for each in (stage.left, stage.right):
        assert len(events_of(each, IkeSaDown)) == len(events_of(each, ChildSaDown)) == 1


@by_side
@pytest.mark.parametrize("lost", ["delete", "rekeying"])
def test_a_rekeying_crosses_a_delete_and_one_of_them_is_lost_at_first(first: str, lost: str) -> None:
    stage = staged()
    side, other = getattr(stage, first), stage.other(getattr(stage, first))
    stage.rekey_ike(side)
    stage.delete_ike(other)
    stage.lose(other if lost == "delete" else side)
    stage.end(ike_sas=0, lossless=False, net=0)


@by_side
def test_a_side_that_rekeys_and_is_told_to_end_ends_the_new_ike_sa_too(first: str) -> None:
    stage = staged()
    side = getattr(stage, first)
    stage.rekey_ike(side)
    stage.delete_ike(side)
    stage.end(ike_sas=0, lossless=False, net=0)


@by_side
def test_both_rekey_and_then_one_deletes(first: str) -> None:
    stage = staged()
    both_rekey(stage)
    stage.deliver(stage.left)
    stage.deliver(stage.right)
    stage.delete_ike(getattr(stage, first))
    stage.end(ike_sas=0, lossless=False, net=0)


# -- rekey x children ----------------------------------------------------------------------------------------------------


@by_side
def test_a_child_is_rekeyed_while_the_peer_rekeys_the_ike_sa_and_both_are_put_off(first: str) -> None:
    stage = staged()
    side, other = getattr(stage, first), stage.other(getattr(stage, first))
    stage.rekey_child(side)
    stage.rekey_ike(other)
    for sender in (side, other):
        stage.deliver(sender)
    told = [error_of(each.message) for each in stage.flying]

    assert told == [NotifyType.TEMPORARY_FAILURE] * 2
    stage.end()
    assert len(events_of(side, IkeSaRekeyed)) == 1


@by_side
def test_a_child_is_created_while_the_peer_rekeys_the_ike_sa_and_both_are_put_off(first: str) -> None:
    stage = staged(facing((esp(), SPARE)))
    side, other = getattr(stage, first), stage.other(getattr(stage, first))
    stage.delete_child(side, "spare")
    stage.carry()
    stage.create(side, "spare")
    stage.rekey_ike(other)
    for sender in (side, other):
        stage.deliver(sender)

    assert [error_of(each.message) for each in stage.flying] == [NotifyType.TEMPORARY_FAILURE] * 2
    stage.end(lossless=False, net=1, spare=1)


@by_side
def test_a_child_is_deleted_while_the_peer_rekeys_the_ike_sa(first: str) -> None:
    stage = staged()
    side, other = getattr(stage, first), stage.other(getattr(stage, first))
    stage.delete_child(side)
    stage.rekey_ike(other)
    stage.deliver(other)
    assert error_of(stage.of(side)[-1].message) is NotifyType.TEMPORARY_FAILURE
    stage.end(lossless=False, net=0)


@by_side
def test_a_child_whose_delete_arrives_when_the_ike_sa_is_replaced_goes_all_the_same(first: str) -> None:
    stage = staged()
    side, other = getattr(stage, first), stage.other(getattr(stage, first))
    stage.rekey_ike(side)
    stage.deliver(side)
    stage.delete_child(other)
    stage.end(lossless=False, net=0)


@by_side
def test_what_is_wanted_during_a_rekeying_is_done_on_the_new_ike_sa(first: str) -> None:
    stage = staged()
    side = getattr(stage, first)
    stage.rekey_ike(side)
    stage.rekey_child(side)
    stage.end()
    child, old = stage.child(side), sa_of(side)
    assert child.spec is not None
    assert old.channel.requests.next_id > 0


@by_side
def test_an_ike_sa_without_a_child_is_rekeyed(first: str) -> None:
    stage = staged()
    stage.delete_child(stage.left)
    stage.carry()
    stage.rekey_ike(getattr(stage, first))
    stage.end(lossless=False, net=0)
    assert len(events_of(stage.left, IkeSaRekeyed)) == 1
