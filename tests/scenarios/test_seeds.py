"""Each scenario of scenarios.py, a thousand times over, each time with another seed; IKEPY_SEEDS says how many.

They are shared out among as many processes as there are cores. A failure names its seeds, and says of the first what was
on the line; IKEPY_FIRST_SEED and IKEPY_SEEDS=1 play it alone. `make soak` runs 20,000 of each.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import time

import pytest

from ikepy.config.model import StartAction
from ikepy.ike.timers import TimerName
from tests.scenarios.plays import do, pass_time
from tests.scenarios.roaming import ROAMING
from tests.scenarios.scenarios import SCENARIOS, Scenario
from tests.support.copying import copied
from tests.support.mirror import assert_mirror
from tests.support.pair import Pair, established_pair, make_pair
from tests.support.traffic import Traffic

ALL = SCENARIOS | ROAMING
SEEDS = int(os.environ.get("IKEPY_SEEDS", "1000"))
FIRST = int(os.environ.get("IKEPY_FIRST_SEED", "0"))
PROCESSES = min(len(os.sched_getaffinity(0)), SEEDS)
AGE = 100.0
"Seconds since the pair came up: long enough ago that nothing else was made at once with it."
NOTICED = 100.0
"Seconds on a good line after which every dead peer is noticed, and made anew."


@pytest.mark.slow
@pytest.mark.parametrize("name", ALL)
def test_it_ends_as_it_must_whatever_the_line_does(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    began = time.perf_counter()
    with multiprocessing.get_context("fork").Pool(PROCESSES) as pool:
        parts = pool.starmap(failures, [(name, FIRST + part) for part in range(PROCESSES)])
    failed = sorted(failure for part in parts for failure in part)
    with capsys.disabled():
        print(f"\n{name}: {SEEDS} seeds from {FIRST} in {time.perf_counter() - began:.1f} s", end="")
    assert not failed, f"seeds {[seed for seed, _ in failed]}; {failed[0][1]}"


def failures(name: str, first: int) -> list[tuple[int, str]]:
    """Play every PROCESSES-th seed; those that failed, and why."""
    scenario = ALL[name]
    source = at_rest(scenario)
    failed = []
    for seed in range(first, FIRST + SEEDS, PROCESSES):
        try:
            try_seed(scenario, source, seed)
        except AssertionError as failure:
            failed.append((seed, str(failure)))
    return failed


def at_rest(scenario: Scenario) -> Pair:
    """A pair in which nothing runs, on a good line."""
    if not scenario.connected:
        return make_pair(scenario.left, scenario.right)
    pair = established_pair(scenario.left, scenario.right)
    pass_time(pair, AGE)
    if any(child.start_action is StartAction.TRAP for child in scenario.left.connections[0].children):
        for side in (pair.left, pair.right):
            side.run(side.endpoint.start(pair.now), pair.now)
    if scenario.before is not None:
        do(pair, pair.left, scenario.before, random.Random(0))
        pass_time(pair, 30.0)
    while not is_calm(pair):
        pass_time(pair, 1.0)
    return pair


def try_seed(scenario: Scenario, source: Pair, seed: int) -> None:
    """Play it once."""
    rnd = random.Random(seed)
    pair = copied(
        source, seed, loss=rnd.choice((0.05, 0.2)), duplication=0.1, delay=0.05, jitter=rnd.choice((0.0, 0.1, 1.0))
    )
    traffic = Traffic(pair)
    if scenario.lossless:
        traffic.begin()
    try:
        scenario.play(pair, rnd)
        settle(pair, scenario)
        assert not traffic.lost, traffic.lost[:3]
        assert traffic.sent or not scenario.lossless
        assert_mirror(pair, ike_sas=scenario.ike_sas, children=scenario.children)
    except AssertionError as failure:
        told = "\n".join(pair.link.log[-60:])
        raise AssertionError(f"seed {seed}: {failure}\n{told}") from failure


def settle(pair: Pair, scenario: Scenario) -> None:
    """Let it come to rest: on this line for long, then, with timers that go on for ever, to a moment of calm.

    Where silence counts for death, one side may just have given up the other: that is to notice, and to come again.
    """
    pass_time(pair, scenario.settling)
    pair.link.calm()
    if scenario.left.connections[0].dpd_delay > 0:
        pass_time(pair, NOTICED)
    for _ in range(600):
        if is_calm(pair):
            return
        pass_time(pair, 1.0)
    raise AssertionError("it never comes to rest")


def is_calm(pair: Pair) -> bool:
    """Whether nothing is under way on either side."""
    return pair.link.next_arrival() is None and not any(
        sa.initiating
        or sa.responding
        or sa.pending
        or sa.granting.postponed
        or sa.table.retiring
        or sa.table.waiting
        or sa.table.redundant
        or sa.held
        or sa.agenda.instant(TimerName.SUPERSEDED)
        for side in (pair.left, pair.right)
        for sa in side.endpoint._by_id.values()
    )
