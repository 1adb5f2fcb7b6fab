"""Children that are wanted no more: given up, ended by a daemon that stops, or configured otherwise."""

from __future__ import annotations

from ikepy.config.model import ChildConfig, DpdAction, StartAction
from ikepy.ike.causes import Cause
from ikepy.ike.events import AttemptFailed
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


# -- giving up -----------------------------------------------------------------------------------------------------


def test_after_keyingtries_tries_a_child_is_given_up_and_it_is_said_how_to_start_again() -> None:
    host = started(keyingtries=3)
    for _ in range(5):
        host.end_ike("site", Cause.FAILED)
        host.pass_time(80)
    assert len(host.tries) == 3
    (event,) = host.events
    assert isinstance(event, AttemptFailed)
    assert (event.connection, event.child) == ("site", "net")
    assert "3 tries" in event.reason
    assert "ikepy up site net" in event.reason
    assert any("ikepy up site net" in warning for warning in host.warnings)
    assert not len(host.timers)


def test_a_failure_nobody_told_of_counts_as_a_try() -> None:
    host = started(keyingtries=2)
    for _ in range(5):
        host.under_way.clear()
        host.pass_time(60)
    assert len(host.tries) == 2
    assert len(host.events) == 1


def test_each_child_that_is_given_up_is_told_of() -> None:
    host = started(starting("a"), starting("b"), keyingtries=1)
    host.end_ike("site", Cause.FAILED)
    assert [event.child for event in host.events if isinstance(event, AttemptFailed)] == ["a", "b"]


def test_a_child_still_under_way_when_another_is_given_up_has_no_more_tries_than_that() -> None:
    host = started(starting("a"), starting("b"), keyingtries=1)
    host.refuse("site", "a")
    host.refuse("site", "b")
    host.pass_time(DAY)
    assert host.children_initiated == ["a", "b"]
    assert len(host.events) == 2


def test_tries_are_counted_anew_after_a_child_was_up_for_a_while() -> None:
    host = started(keyingtries=2)
    for _ in range(6):
        host.end_ike("site", Cause.FAILED)
        host.pass_time(2)
        host.come_up("site", "net")
        host.pass_time(10)
        host.end_ike("site", Cause.PEER_DEAD)
        host.pass_time(0)
    assert not host.events


def test_a_child_that_keeps_ending_soon_is_given_up_as_well() -> None:
    host = started(keyingtries=3)
    for _ in range(10):
        if not host.under_way:
            break
        host.come_up("site", "net")
        host.pass_time(5)
        host.end_ike("site", Cause.PEER_CLOSED)
        host.pass_time(80)
    assert len(host.initiated) == 3
    assert len(host.events) == 1


# -- stopping ------------------------------------------------------------------------------------------------------


def test_after_stop_nothing_is_wanted_any_more() -> None:
    host = up_for(DAY, starting("a"), starting("b"))
    host.end("site", "b", Cause.PEER_CLOSED)
    host.keeper.stop()
    assert not len(host.timers)
    host.end_ike("site", Cause.PEER_DEAD)
    host.keeper.attempt_failed("site", "b", Cause.FAILED)
    host.pass_time(DAY)
    assert not host.initiated
    assert not len(host.timers)


# -- another configuration -----------------------------------------------------------------------------------------


def test_what_another_configuration_adds_is_started_and_what_it_has_no_more_is_forgotten() -> None:
    host = started(starting("same"), starting("gone"))
    host.come_up("site", "same")
    host.replace_config(make_config(children=(starting("same"), starting("new"))))
    host.pass_time(0)
    assert host.children_initiated == ["same", "gone", "new"]
    host.pass_time(10)
    host.end_ike("site", Cause.PEER_DEAD)
    host.pass_time(2)
    assert host.children_initiated[3:] == ["new", "same"]


def test_a_connection_that_is_configured_no_more_has_no_timer() -> None:
    host = started()
    host.end_ike("site", Cause.FAILED)
    host.replace_config(connections())
    assert not len(host.timers)
    host.pass_time(DAY)
    assert len(host.initiated) == 1


def test_an_equal_configuration_changes_nothing() -> None:
    host = started()
    host.end_ike("site", Cause.FAILED)
    before = host.timers.next()
    host.replace_config(make_config(children=(starting(),)))
    assert host.timers.next() == before
    assert len(host.initiated) == 1


def test_a_child_whose_start_action_changes_is_started_or_forgotten() -> None:
    host = started(starting("a"), make_child("b"))
    host.end_ike("site", Cause.FAILED)
    host.replace_config(make_config(children=(make_child("a"), starting("b"))))
    host.pass_time(2)
    assert host.children_initiated == ["a", "b"]


def test_the_new_configuration_decides_what_follows_an_end() -> None:
    host = up_for(DAY)
    host.replace_config(make_config(children=(starting(dpd_action=DpdAction.CLEAR),)))
    host.end_ike("site", Cause.PEER_DEAD)
    host.pass_time(DAY)
    assert not host.initiated
