"""Children that are wanted: brought up, tried again, and begun anew after their end."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ikepy.config.model import ChildConfig, CloseAction, DpdAction, StartAction
from ikepy.ike.causes import Cause
from tests.support.keeper_host import MemoryKeeperHost, connections, keeper_host
from tests.support.pair import make_child, make_config

START = StartAction.START
DAY = 86400.0


def starting(name: str = "net", **more: object) -> ChildConfig:
    return make_child(name, start_action=START, **more)


def started(*children: ChildConfig, **connection: object) -> MemoryKeeperHost:
    host = keeper_host(*(children or (starting(),)), **connection)
    host.keeper.start()
    return host


def up_for(seconds: float, *children: ChildConfig, **connection: object) -> MemoryKeeperHost:
    """A host whose children came up at once and have been so for a while."""
    host = started(*children, **connection)
    host.come_up("site", *host.children_initiated)
    host.pass_time(seconds)
    host.initiated.clear()
    return host


def waits(host: MemoryKeeperHost) -> list[float]:
    """Seconds between tries."""
    return [later - earlier for earlier, later in zip(host.tries, host.tries[1:], strict=False)]


def failing_tries(count: int) -> MemoryKeeperHost:
    """A host that has tried so often, and failed each time but the last."""
    host = started()
    while len(host.tries) < count:
        host.end_ike("site", Cause.FAILED)
        at = host.timers.next()
        assert at is not None
        host.pass_time(at - host.now)
    return host


# -- starting ------------------------------------------------------------------------------------------------------


def test_only_children_with_start_action_start_are_brought_up_at_the_start() -> None:
    host = started(starting("a"), make_child("b"), starting("c"))
    assert host.children_initiated == ["a", "c"]


def test_a_child_that_came_up_leaves_no_timer() -> None:
    host = started()
    host.come_up("site", "net")
    assert not len(host.timers)
    host.pass_time(DAY)
    assert len(host.initiated) == 1


def test_a_child_the_peer_was_faster_with_is_not_initiated() -> None:
    host = keeper_host(starting("a"), starting("b"))
    host.come_up("site", "a")
    host.keeper.start()
    assert host.children_initiated == ["b"]


def test_a_child_that_comes_to_nothing_is_tried_again_for_ever_with_growing_waits() -> None:
    host = failing_tries(41)
    for least, wait in zip((1, 2, 4, 8, 16, 32, *[60] * 34), waits(host), strict=True):
        assert least <= wait <= least * 1.25
    assert not host.events


def test_children_of_one_connection_are_tried_together_with_one_timer() -> None:
    host = started(*(starting(f"c{n}") for n in range(50)))
    host.end_ike("site", Cause.PEER_DEAD)
    assert len(host.timers) == 1
    host.pass_time(2)
    assert len(host.initiated) == 100
    assert len(host.tries) == 2


def test_several_failures_of_one_try_are_one_wait() -> None:
    host = started(starting("a"), starting("b"), starting("c"))
    host.come_up("site", "a")
    host.refuse("site", "b")
    host.refuse("site", "c")
    host.pass_time(1.25)
    assert host.children_initiated == ["a", "b", "c", "b", "c"]


def test_a_child_that_is_refused_is_tried_again_beside_those_that_are_up() -> None:
    host = started(starting("a"), starting("b"))
    host.come_up("site", "a")
    for _ in range(10):
        host.refuse("site", "b")
        host.pass_time(80)
    assert host.children_initiated == ["a", *["b"] * 11]


def test_one_child_up_does_not_shorten_the_waits_of_another_that_is_refused() -> None:
    host = started(starting("a"), starting("b"))
    for _ in range(4):
        host.come_up("site", "a")
        host.refuse("site", "b")
        at = host.timers.next()
        assert at is not None
        host.pass_time(at - host.now)
    assert waits(host)[-1] >= 8


def test_a_failure_nobody_told_of_delays_a_child_and_does_not_lose_it() -> None:
    host = started()
    host.under_way.clear()
    host.pass_time(60)
    assert len(host.initiated) == 2


def test_what_is_under_way_for_long_is_not_begun_again() -> None:
    host = started()
    host.pass_time(3600)
    assert len(host.initiated) == 1
    host.refuse("site", "net")
    host.pass_time(2)
    assert len(host.initiated) == 2


def test_what_another_began_and_did_not_finish_is_tried_again() -> None:
    host = keeper_host(starting())
    host.under_way["site", "net"] = None
    host.keeper.start()
    assert not host.initiated
    host.end_ike("site", Cause.FAILED)
    host.pass_time(2)
    assert len(host.initiated) == 1


def test_a_peer_that_fails_while_it_is_initiated_is_waited_for_as_any_other() -> None:
    host = keeper_host(starting())
    host.on_initiate = host.refuse
    host.keeper.start()
    host.pass_time(100)
    assert 6 <= len(host.tries) <= 7
    assert len(host.timers) == 1


def test_connections_wait_each_for_itself() -> None:
    (one,), (other,) = make_config(children=(starting(),)).connections, make_config(children=(starting(),)).connections
    host = MemoryKeeperHost(connections(one, replace(other, name="other")))
    host.keeper.start()
    for _ in range(5):
        host.end_ike("site", Cause.FAILED)
        host.pass_time(20)
    assert [each.connection for each in host.initiated].count("other") == 1
    host.end_ike("other", Cause.FAILED)
    host.pass_time(1.25)
    assert [each.connection for each in host.initiated].count("other") == 2


def test_equal_inputs_and_entropy_give_equal_instants() -> None:
    assert failing_tries(20).tries == failing_tries(20).tries


# -- after the end -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cause", [Cause.PEER_CLOSED, Cause.PEER_DEAD, Cause.FAILED, Cause.EXPIRED])
def test_a_child_that_was_up_for_long_is_begun_anew_at_once(cause: Cause) -> None:
    host = up_for(DAY)
    host.end_ike("site", cause)
    assert not host.initiated, "the end is still being told"
    host.pass_time(0)
    assert host.children_initiated == ["net"]


@pytest.mark.parametrize("cause", [Cause.OPERATOR, Cause.SHUTDOWN, Cause.SUPERSEDED])
def test_a_child_that_was_ended_on_purpose_is_not_begun_anew(cause: Cause) -> None:
    host = up_for(DAY)
    host.end_ike("site", cause)
    host.pass_time(DAY)
    assert not host.initiated
    assert not len(host.timers)


def test_all_children_of_a_dead_peer_are_begun_anew_by_one_ike_sa() -> None:
    host = up_for(DAY, starting("a"), starting("b"), make_child("c"))
    host.come_up("site", "c")
    host.end_ike("site", Cause.PEER_DEAD)
    assert len(host.timers) == 1
    host.pass_time(0)
    assert host.children_initiated == ["a", "b"]
    assert len(host.tries) == 1


def test_a_child_that_lived_short_counts_as_a_failed_try() -> None:
    host, gaps = started(), []
    for _ in range(6):
        host.come_up("site", "net")
        host.pass_time(9.9)
        host.end("site", "net", Cause.PEER_CLOSED)
        at = host.timers.next()
        assert at is not None
        gaps.append(at - host.now)
        host.pass_time(gaps[-1])
    for least, gap in zip((1, 2, 4, 8, 16, 32), gaps, strict=True):
        assert least <= gap <= least * 1.25


def test_a_long_life_resets_the_wait() -> None:
    host = started()
    for _ in range(6):
        host.end_ike("site", Cause.FAILED)
        host.pass_time(80)
    host.come_up("site", "net")
    host.pass_time(10)
    host.end_ike("site", Cause.PEER_DEAD)
    host.pass_time(0)
    host.end_ike("site", Cause.FAILED)
    host.initiated.clear()
    host.pass_time(1.25)
    assert len(host.initiated) == 1


def test_a_child_that_is_up_by_another_ike_sa_is_not_begun_anew() -> None:
    host = up_for(DAY)
    host.keeper.child_up("site", "net")
    host.keeper.child_ended("site", "net", Cause.PEER_CLOSED)
    host.pass_time(DAY)
    assert not host.initiated


def test_a_child_that_is_being_made_again_already_is_not_begun_twice() -> None:
    host = up_for(DAY)
    host.end("site", "net", Cause.PEER_CLOSED)
    host.under_way["site", "net"] = None
    host.pass_time(3600)
    assert not host.initiated


def test_what_an_operator_brought_up_is_kept_up_only_where_its_actions_say_so() -> None:
    children = (
        make_child("none"),
        make_child("dpd", dpd_action=DpdAction.RESTART),
        make_child("close", close_action=CloseAction.START),
    )
    for cause, expected in ((Cause.PEER_DEAD, ["dpd"]), (Cause.PEER_CLOSED, ["close"]), (Cause.OPERATOR, [])):
        host = keeper_host(*children)
        host.keeper.start()
        host.come_up("site", "none", "dpd", "close")
        host.pass_time(60)
        host.end_ike("site", cause)
        host.pass_time(0)
        assert host.children_initiated == expected


def test_an_operators_attempt_that_fails_is_not_taken_up() -> None:
    host = keeper_host(make_child(dpd_action=DpdAction.RESTART))
    host.keeper.start()
    host.under_way["site", "net"] = None
    host.end_ike("site", Cause.FAILED)
    host.pass_time(DAY)
    assert not host.initiated


def test_close_action_none_leaves_a_started_child_down() -> None:
    host = up_for(DAY, starting(close_action=CloseAction.NONE))
    host.end_ike("site", Cause.PEER_CLOSED)
    host.pass_time(DAY)
    assert not host.initiated


def test_a_child_whose_successor_comes_to_nothing_is_begun_anew() -> None:
    host = up_for(DAY)
    host.end_ike("site", Cause.SUPERSEDED)
    host.under_way["site", "net"] = None
    host.end_ike("site", Cause.FAILED)
    host.pass_time(1.25)
    assert host.children_initiated == ["net"]


def test_a_child_whose_successor_came_up_is_not_begun_anew_when_a_later_attempt_fails() -> None:
    host = up_for(DAY)
    host.end_ike("site", Cause.SUPERSEDED)
    host.come_up("site", "net")
    host.keeper.attempt_failed("site", None, Cause.FAILED)
    host.pass_time(DAY)
    assert not host.initiated


def test_a_child_the_peer_closed_after_it_was_replaced_is_no_hand_over_any_more() -> None:
    host = up_for(DAY, starting(close_action=CloseAction.NONE))
    host.keeper.child_ended("site", "net", Cause.SUPERSEDED)
    host.pass_time(60)
    host.end_ike("site", Cause.PEER_CLOSED)
    host.keeper.attempt_failed("site", None, Cause.FAILED)
    host.pass_time(DAY)
    assert not host.initiated


def test_the_end_of_a_replaced_ike_sa_is_no_failure_of_what_is_under_way() -> None:
    host = started()
    host.keeper.attempt_failed("site", None, Cause.SUPERSEDED)
    host.keeper.attempt_failed("site", None, Cause.PEER_DEAD)
    assert not [decision for decision in host.decisions if "again" in decision]


def test_what_the_operator_ends_while_it_is_tried_is_wanted_no_more() -> None:
    host = started(starting("a"), starting("b"))
    host.end_ike("site", Cause.OPERATOR)
    host.pass_time(DAY)
    assert host.children_initiated == ["a", "b"]
    assert not len(host.timers)


def test_the_operator_may_have_a_try_forgotten_that_waits() -> None:
    host = started(starting("a"), starting("b"))
    host.end_ike("site", Cause.FAILED)
    assert host.keeper.forget("site", "a")
    assert not host.keeper.forget("site", "a")
    assert not host.keeper.forget("elsewhere")
    host.pass_time(2)
    assert host.children_initiated == ["a", "b", "b"]
    host.end_ike("site", Cause.FAILED)
    assert host.keeper.forget("site")
    assert not len(host.timers)


def test_a_child_of_no_configuration_is_nobodys() -> None:
    host = started()
    host.keeper.child_up("elsewhere", "net")
    host.keeper.child_ended("elsewhere", "net", Cause.PEER_DEAD)
    host.keeper.attempt_failed("elsewhere", None, Cause.FAILED)
    host.keeper.child_ended("site", "unknown", Cause.PEER_DEAD)
    host.pass_time(DAY)
    assert host.children_initiated == ["net"]
