"""Both sides rekey one child at once, or one rekeys it while the other deletes it (RFC 7296 §2.8.1, §2.25.1).

Each situation is played with either side first and with each of the four nonces the lowest. Wherever both exchanges see
each other, the child made with the lowest nonce is deleted by the side that made it.
"""

from __future__ import annotations

import pytest

from ikepy.ike.events import ChildSaDown, ChildSaRekeyed
from ikepy.wire.payloads import Delete
from ikepy.wire.registry import NotifyType
from tests.support.stage import LOWEST, Stage, error_of, esp, events_of, facing, loses, staged

SIDES = ("left", "right")
KE = facing((esp("aes256gcm16-ecp256"),))
METHODS = ("aes256gcm16-ecp384", "aes128gcm16-ecp521")
INVALID_KE = facing((esp(*METHODS),), (esp(*reversed(METHODS)),))
"Each side has the other's second choice first, so each is told of another method."

by_nonce = pytest.mark.parametrize("lowest", LOWEST)
by_side = pytest.mark.parametrize("first", SIDES)


def both_rekey(stage: Stage, first: str = "left") -> None:
    """Neither request has arrived when the other is sent."""
    stage.rekey_child(getattr(stage, first))
    stage.rekey_child(stage.other(getattr(stage, first)))


def survivor(stage: Stage, lowest: str) -> None:
    """One child is left, made by the side that did not have the lowest nonce; each side has said so once."""
    stage.end()
    for side in SIDES:
        child = stage.child(getattr(stage, side))
        made = [c for sa in getattr(stage, side).endpoint._by_id.values() for c in sa.children.values()]
        assert [c.by_us for c in made] == [not loses(side, lowest)], f"{child.name} was made by the loser"
        assert len(events_of(getattr(stage, side), ChildSaRekeyed)) == 1
        assert not events_of(getattr(stage, side), ChildSaDown)


# -- rekey x rekey ---------------------------------------------------------------------------------------------------


@by_side
@by_nonce
def test_both_rekey_the_child_and_the_one_with_the_lowest_nonce_goes(lowest: str, first: str) -> None:
    stage = staged(lowest=lowest)
    both_rekey(stage, first)
    survivor(stage, lowest)


@by_nonce
def test_both_rekey_the_child_with_a_key_exchange(lowest: str) -> None:
    stage = staged(KE, lowest=lowest)
    both_rekey(stage)
    survivor(stage, lowest)


@by_nonce
def test_the_loser_deletes_what_it_made_and_the_winner_deletes_the_old_child(lowest: str) -> None:
    stage = staged(lowest=lowest)
    old = {side: stage.child(getattr(stage, side)).spec.inbound.spi for side in SIDES}
    both_rekey(stage)
    while not all(isinstance(each.message.payloads[0], Delete) for each in stage.flying):
        stage.deliver(stage.flying[0].sender)

    deleted = {each.sender: each.message.payloads[0].spis for each in stage.flying}
    for side in SIDES:
        (spi,) = deleted[getattr(stage, side)]
        assert (int.from_bytes(spi, "big") == old[side]) is not loses(side, lowest)


@by_side
@by_nonce
def test_both_rekey_and_one_response_is_late_until_the_other_side_has_deleted(lowest: str, first: str) -> None:
    stage = staged(lowest=lowest)
    both_rekey(stage)
    late = getattr(stage, first)
    stage.deliver(stage.other(late))
    arrive = stage.hold(late, -1)
    stage.carry()
    arrive()
    survivor(stage, lowest)


@by_side
@by_nonce
def test_both_rekey_one_response_is_late_and_the_new_child_is_deleted_meanwhile(lowest: str, first: str) -> None:
    stage = staged(lowest=lowest)
    both_rekey(stage)
    late = getattr(stage, first)
    stage.deliver(stage.other(late))
    arrive = stage.hold(late, -1)
    stage.carry()
    stage.delete_child(late)
    stage.carry()
    arrive()
    stage.end(lossless=False, net=0)


@by_side
@by_nonce
def test_one_request_is_late_and_that_side_alone_sees_the_crossing(lowest: str, first: str) -> None:
    stage = staged(lowest=lowest)
    late = getattr(stage, first)
    both_rekey(stage, first)
    arrive = stage.hold(late)
    stage.deliver(stage.other(late))  # the prompt side's request is answered
    stage.deliver(late)  # it has its answer, knows of no crossing, and deletes the old child
    arrive()
    refused = stage.of(stage.other(late))[-1]

    assert error_of(refused.message) is NotifyType.TEMPORARY_FAILURE
    stage.end()


@by_side
def test_one_request_comes_when_its_child_is_gone(first: str) -> None:
    stage = staged()
    late = getattr(stage, first)
    both_rekey(stage, first)
    arrive = stage.hold(late)
    stage.carry()
    arrive()

    assert error_of(stage.of(stage.other(late))[-1].message) is NotifyType.CHILD_SA_NOT_FOUND
    stage.end()
    assert len(events_of(late, ChildSaRekeyed)) == 1


@by_side
@pytest.mark.parametrize("who", ["prompt", "late"])
def test_one_request_comes_when_its_child_and_the_new_one_are_gone(first: str, who: str) -> None:
    stage = staged()
    late = getattr(stage, first)
    both_rekey(stage, first)
    arrive = stage.hold(late)
    stage.carry()
    stage.delete_child(late if who == "late" else stage.other(late))
    stage.carry()
    arrive()
    stage.end(lossless=False, net=0)


@by_side
@by_nonce
def test_a_request_is_lost_and_comes_again_when_the_other_side_is_done(lowest: str, first: str) -> None:
    stage = staged(lowest=lowest)
    both_rekey(stage, first)
    stage.lose(getattr(stage, first))
    stage.end()


@by_side
@by_nonce
def test_a_response_is_lost_and_comes_again(lowest: str, first: str) -> None:
    stage = staged(lowest=lowest)
    both_rekey(stage)
    side = getattr(stage, first)
    stage.deliver(stage.other(side))
    stage.lose(side, -1)
    survivor(stage, lowest)


@by_side
@by_nonce
def test_the_loser_wrongly_deletes_the_old_child_too(lowest: str, first: str) -> None:
    from ikepy.ike.wishes import WantChildDeleted
    from tests.support.sealing import sa_of

    stage = staged(lowest=lowest)
    loser = getattr(stage, next(side for side in SIDES if loses(side, lowest)))
    old = stage.child(loser).unique_id
    both_rekey(stage, first)
    sa_of(loser).pending.append(WantChildDeleted(old, exact=True))
    stage.end()


# -- INVALID_KE_PAYLOAD --------------------------------------------------------------------------------------------------


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
    stage.deliver(stage.left)
    stage.deliver(stage.right)
    told = [each.message for each in stage.flying]
    assert [error_of(message) for message in told] == [NotifyType.INVALID_KE_PAYLOAD] * 2
    stage.deliver(stage.left)
    stage.deliver(stage.right)  # both retries are on their way
    arrive = stage.hold(side)
    stage.carry()
    arrive()
    stage.end()


# -- rekey x delete ------------------------------------------------------------------------------------------------------


@by_side
def test_a_rekeying_crosses_a_delete_and_the_delete_wins(first: str) -> None:
    stage = staged()
    rekeyer = getattr(stage, first)
    stage.rekey_child(rekeyer)
    stage.delete_child(stage.other(rekeyer))
    stage.deliver(rekeyer)
    assert error_of(stage.of(stage.other(rekeyer))[-1].message) is NotifyType.TEMPORARY_FAILURE
    stage.end(lossless=False, net=0)

    for side in (stage.left, stage.right):
        assert len(events_of(side, ChildSaDown)) == 1


@by_side
def test_a_rekeying_crosses_a_delete_that_is_lost_at_first(first: str) -> None:
    stage = staged()
    rekeyer = getattr(stage, first)
    stage.rekey_child(rekeyer)
    stage.delete_child(stage.other(rekeyer))
    stage.lose(stage.other(rekeyer))
    stage.end(lossless=False, net=0)


@by_side
def test_a_rekeying_that_is_lost_at_first_crosses_a_delete(first: str) -> None:
    stage = staged()
    rekeyer = getattr(stage, first)
    stage.rekey_child(rekeyer)
    stage.delete_child(stage.other(rekeyer))
    stage.lose(rekeyer)
    stage.carry()
    stage.end(lossless=False, net=0)


@by_side
def test_a_rekeying_crosses_a_delete_and_its_refusal_is_late(first: str) -> None:
    stage = staged()
    rekeyer = getattr(stage, first)
    stage.rekey_child(rekeyer)
    stage.delete_child(stage.other(rekeyer))
    stage.deliver(rekeyer)
    arrive = stage.hold(stage.other(rekeyer), -1)
    stage.carry()
    arrive()
    stage.end(lossless=False, net=0)


@by_side
def test_a_rekeying_is_answered_and_the_answer_overtaken_by_a_delete_of_the_old_child(first: str) -> None:
    stage = staged()
    rekeyer, other = getattr(stage, first), stage.other(getattr(stage, first))
    stage.rekey_child(rekeyer)
    stage.deliver(rekeyer)
    arrive = stage.hold(other)
    stage.delete_child(other)
    stage.carry()
    arrive()
    stage.end(lossless=False, net=0)


@by_side
def test_a_rekeying_side_that_deletes_the_child_itself_ends_without_it(first: str) -> None:
    stage = staged()
    side = getattr(stage, first)
    stage.rekey_child(side)
    stage.delete_child(side)
    stage.end(lossless=False, net=0)
