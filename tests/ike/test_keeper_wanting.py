"""What is wanted of a child, and how long is waited: the pure half of the keeper."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ikepy.config.model import CloseAction, DpdAction, StartAction
from ikepy.ike.backoff import LONGEST_WAIT, wait_after
from ikepy.ike.causes import Cause
from ikepy.ike.wanting import Aim, action_after, action_at_start, changes
from tests.support.entropy import SeededEntropy
from tests.support.pair import make_child, make_config

START, TRAP, NONE = StartAction.START, StartAction.TRAP, StartAction.NONE


@pytest.mark.parametrize(("action", "aim"), [(NONE, Aim.NOTHING), (START, Aim.UP), (TRAP, Aim.POLICIES)])
def test_start_action_says_what_is_done_when_the_daemon_starts(action: StartAction, aim: Aim) -> None:
    assert action_at_start(make_child(start_action=action)) is aim


@pytest.mark.parametrize("cause", [Cause.OPERATOR, Cause.SHUTDOWN, Cause.SUPERSEDED])
def test_what_was_ended_on_purpose_is_not_made_again(cause: Cause) -> None:
    child = make_child(start_action=START, dpd_action=DpdAction.RESTART, close_action=CloseAction.START)
    assert action_after(child, cause) is Aim.NOTHING


@pytest.mark.parametrize(
    ("action", "aim"),
    [(CloseAction.NONE, Aim.NOTHING), (CloseAction.START, Aim.UP), (CloseAction.TRAP, Aim.POLICIES)],
)
def test_close_action_says_what_follows_when_the_peer_closes(action: CloseAction, aim: Aim) -> None:
    for start in StartAction:
        assert action_after(make_child(start_action=start, close_action=action), Cause.PEER_CLOSED) is aim


@pytest.mark.parametrize("cause", [Cause.PEER_DEAD, Cause.FAILED, Cause.EXPIRED])
@pytest.mark.parametrize(
    ("action", "aim"),
    [(DpdAction.CLEAR, Aim.NOTHING), (DpdAction.RESTART, Aim.UP), (DpdAction.TRAP, Aim.POLICIES)],
)
def test_dpd_action_says_what_follows_a_dead_peer_a_failure_and_the_end_of_a_life(
    cause: Cause, action: DpdAction, aim: Aim
) -> None:
    for start in StartAction:
        assert action_after(make_child(start_action=start, dpd_action=action), cause) is aim


@pytest.mark.parametrize("cause", [Cause.PEER_CLOSED, Cause.PEER_DEAD, Cause.FAILED, Cause.EXPIRED])
@pytest.mark.parametrize(("action", "aim"), [(NONE, Aim.NOTHING), (START, Aim.UP), (TRAP, Aim.POLICIES)])
def test_an_action_that_is_not_configured_is_what_start_action_says(
    cause: Cause, action: StartAction, aim: Aim
) -> None:
    assert action_after(make_child(start_action=action), cause) is aim


def test_waits_double_from_one_second_to_a_minute_and_up_to_a_quarter_is_random() -> None:
    entropy = SeededEntropy(7)
    for tries, least in enumerate((1, 1, 2, 4, 8, 16, 32, 60, 60, 60)):
        waits = [wait_after(tries, entropy) for _ in range(50)]
        assert all(least <= wait <= least * 1.25 for wait in waits)
        assert len(set(waits)) > 40


def test_the_wait_after_very_many_tries_is_the_longest() -> None:
    assert LONGEST_WAIT <= wait_after(10**9, SeededEntropy()) <= 1.25 * LONGEST_WAIT


def test_only_what_differs_between_two_configurations_is_a_change() -> None:
    same, other, gone, new = (make_child(name) for name in ("same", "other", "gone", "new"))
    changed = replace(other, start_action=START)
    old, now = make_config(children=(same, other, gone)), make_config(children=(same, changed, new))

    found = [(was and was.child, is_now and is_now.child) for was, is_now in changes(old, now)]

    assert found == [(other, changed), (gone, None), (None, new)]
    assert not list(changes(old, make_config(children=(same, other, gone))))


def test_a_change_of_the_connection_is_one_of_each_of_its_children() -> None:
    children = (make_child("a"), make_child("b"))
    found = list(changes(make_config(children=children), make_config(children=children, dpd_delay=5.0)))
    assert [is_now.child.name for _, is_now in found if is_now is not None] == ["a", "b"]
