"""A day on the virtual clock: keys renewed each hour, signs of life, one datagram in a hundred lost, 50 children.

At its end there is as much in memory as after its eighth hour, and no timer, window or state is left behind.
"""

from __future__ import annotations

import gc
import time
import tracemalloc

import pytest

from ikepy.ike.events import ChildSaDown, ChildSaRekeyed, IkeSaDown, IkeSaRekeyed
from ikepy.ike.timers import TimerName
from ikepy.wire import chain, notify, sa, ts
from tests.scenarios.plays import pass_time
from tests.scenarios.test_seeds import is_calm
from tests.support.copying import copied
from tests.support.mirror import assert_mirror
from tests.support.pair import Pair, established_pair, make_child, make_config
from tests.support.recorder import Recorder

HOUR, HOURS, CHILDREN = 3600.0, 24, 50
EARLY = 8
"The hour after which everything that has a bound has reached it, or nearly."
NAMES = {f"net{number}": 1 for number in range(CHILDREN)}


class Forgetful(Recorder):
    """Remembers no message: what is in memory is the core's."""

    def message_received(self, message, octets, path, *, repeat, fragments=1) -> None:
        pass

    def message_sent(self, message, octets, path, *, repeat, fragments=1) -> None:
        pass


@pytest.mark.slow
def test_a_day_leaves_what_was_there_after_some_hours(capsys: pytest.CaptureFixture[str]) -> None:
    began = time.perf_counter()
    pair = a_pair()
    counts: dict[type, int] = {}
    readings: dict[int, int] = {}
    tracemalloc.start()
    try:
        for hour in range(1, HOURS + 1):
            pass_time(pair, HOUR)
            settle(pair)
            forget(pair, counts)
            readings[hour] = memory()
    finally:
        tracemalloc.stop()

    with capsys.disabled():
        rekeyed = f"{counts[IkeSaRekeyed] // 2} IKE SAs and {counts[ChildSaRekeyed] // 2} children rekeyed"
        print(
            f"\na day: {rekeyed}, {readings[EARLY]} and {readings[HOURS]} octets, in {time.perf_counter() - began:.0f} s",
            end="",
        )
    assert counts[IkeSaRekeyed] // 2 >= HOURS - 1
    assert counts[ChildSaRekeyed] // 2 >= CHILDREN * (HOURS - 1)
    assert not counts.get(IkeSaDown)
    assert not counts.get(ChildSaDown)
    assert readings[HOURS] < readings[EARLY] * 1.08
    assert_mirror(pair, children=NAMES)
    assert_timers(pair)


def a_pair() -> Pair:
    """An established pair with all its children, on a line that loses a little."""
    children = tuple(
        make_child(f"net{number}", f"10.1.{number}.0/24", f"10.2.{number}.0/24", rekey_time=HOUR)
        for number in range(CHILDREN)
    )
    configs = (make_config(left=left, children=children, rekey_time=HOUR, dpd_delay=30.0) for left in (True, False))
    pair = copied(established_pair(*configs), 1, loss=0.01, delay=0.02, jitter=0.02)
    for side in (pair.left, pair.right):
        side.endpoint.observer = side.recorder = Forgetful()
    return pair


def settle(pair: Pair) -> None:
    """Wait for a moment in which nothing is under way."""
    for _ in range(3000):
        if is_calm(pair):
            return
        pass_time(pair, 0.1)
    raise AssertionError("it never comes to rest")


def forget(pair: Pair, counts: dict[type, int]) -> None:
    """Count what was published, and let the bench forget it."""
    pair.link.log.clear()
    pair.link.sent.clear()
    for side in (pair.left, pair.right):
        for event in side.events:
            counts[type(event)] = counts.get(type(event), 0) + 1
        side.events.clear()
        side.recorder.events.clear()
        side.recorder.keys.clear()
        side.recorder.decisions.clear()
        side.recorder.drops.clear()


def memory() -> int:
    """Octets in use that were taken since the beginning; what was read of small octets is forgotten, it has its own bound."""
    for remembered in (chain._vendor_ids, notify._memory, sa._memory, ts._memory):
        remembered._known.clear()
        remembered.octets = 0
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


def assert_timers(pair: Pair) -> None:
    """One timer of each kind for the IKE SA, and one for each child; no stale ones pile up behind them."""
    for side in (pair.left, pair.right):
        endpoint = side.endpoint
        (only,) = [each for each in endpoint._by_id.values() if each.is_shown]
        timers = only.agenda._timers
        kept = sorted(name.name for (name, child), _ in timers.entries() if not child)
        assert kept == [TimerName.LIVENESS.name, TimerName.OVERDUE.name, TimerName.REKEY.name]
        assert len(timers) == CHILDREN + 3
        assert len(timers._heap) <= 64 + 4 * len(timers) + 1
        assert len(endpoint._alarms) == len(endpoint._by_id)
        assert len(endpoint._sas) == len(endpoint._by_id)
