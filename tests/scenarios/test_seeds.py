"""Each play of plays.py, a thousand times over, each time with another seed; IKEPY_SEEDS says how many.

A failure names its seed, and says what was on the line. `make soak` runs 20,000 of each.
"""

from __future__ import annotations

import os
import random
import time

import pytest

from ikepy.config.model import StartAction
from ikepy.ike.timers import TimerName
from tests.scenarios.plays import SCENARIOS, Scenario, pass_time
from tests.support.copying import copied
from tests.support.mirror import assert_mirror
from tests.support.pair import Pair, established_pair
from tests.support.traffic import Traffic

SEEDS = int(os.environ.get("IKEPY_SEEDS", "1000"))
FIRST = int(os.environ.get("IKEPY_FIRST_SEED", "0"))


@pytest.mark.slow
@pytest.mark.parametrize("name", SCENARIOS)
def test_it_ends_as_it_must_whatever_the_line_does(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    scenario = SCENARIOS[name]
    source = at_rest(scenario)
    began = time.perf_counter()
    for seed in range(FIRST, FIRST + SEEDS):
        try_seed(scenario, source, seed)
    with capsys.disabled():
        print(f"\n{name}: {SEEDS} seeds from {FIRST} in {time.perf_counter() - began:.1f} s", end="")


def at_rest(scenario: Scenario) -> Pair:
    """An established pair in which nothing runs, on a good line."""
    pair = established_pair(scenario.left, scenario.right)
    pair.run(1.0)
    if any(child.start_action is StartAction.TRAP for child in scenario.left.connections[0].children):
        for side in (pair.left, pair.right):
            side.run(side.endpoint.start(pair.now), pair.now)
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
        settle(pair, scenario.settling)
        assert not traffic.lost, traffic.lost[:3]
        assert_mirror(pair, ike_sas=scenario.ike_sas, children=scenario.children)
    except AssertionError as failure:
        told = "\n".join(pair.link.log[-60:])
        raise AssertionError(f"seed {seed}: {failure}\n{told}") from failure


def settle(pair: Pair, seconds: float) -> None:
    """Let it come to rest: on this line for long, then, with timers that go on for ever, to a moment of calm."""
    pass_time(pair, seconds)
    pair.link.calm()
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
        or sa.table.retiring
        or sa.table.waiting
        or sa.table.redundant
        or sa.held
        or sa.agenda.instant(TimerName.SUPERSEDED)
        for side in (pair.left, pair.right)
        for sa in side.endpoint._by_id.values()
    )
