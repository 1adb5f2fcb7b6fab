"""Many pairs at once: made, started, waited for, ended."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.lab.namespaces import namespaces
from tests.lab.pair import Pair

PEERS = ("strongswan", "ikepy")
ROLES = ("us", "them")
FIRST = 20.0
"Seconds in which a pair is up that nothing hinders."
Print = Callable[[str, dict[Pair, float]], None]


@pytest.fixture
def report(capsys: pytest.CaptureFixture[str]) -> Print:
    def show(what: str, took: dict[Pair, float]) -> None:
        with capsys.disabled():
            print(f"\n{what}: " + "; ".join(f"{pair}: {seconds:.1f} s" for pair, seconds in took.items()), end=" ")

    return show


def make_pairs(directory: Path, roles: tuple[str, ...] = ROLES) -> list[Pair]:
    """A pair of each peer in each role."""
    pairs = []
    for number, (peer, role) in enumerate(((peer, role) for peer in PEERS for role in roles), 1):
        pair = Pair(number, peer, directory / f"{peer}-{role}")
        (pair.near if role == "us" else pair.far).begins = "start"
        pairs.append(pair)
    return pairs


@contextlib.contextmanager
def rooms(pairs: list[Pair]) -> Iterator[None]:
    """Their namespaces; in the end their daemons are ended."""
    with namespaces(*(space for pair in pairs for space in pair.spaces)):
        try:
            yield
        finally:
            each(pairs, Pair.end)


def each(pairs: list[Pair], what: Callable[[Pair], object]) -> None:
    """Do it to all at once."""
    with ThreadPoolExecutor(len(pairs)) as pool:
        list(pool.map(what, pairs))


def await_all(pairs: list[Pair], seconds: float, since: float | None = None) -> dict[Pair, float]:
    """How long each took until it was up, from now or then on; then look that all is as it should be."""
    since = time.monotonic() if since is None else since
    with ThreadPoolExecutor(len(pairs)) as pool:
        waits = [pool.submit(pair.await_up, seconds, since) for pair in pairs]
    took, faults = {}, []
    for pair, wait in zip(pairs, waits, strict=True):
        try:
            took[pair] = wait.result()
            pair.check()
        except AssertionError as fault:
            faults.append(str(fault))
    assert not faults, "\n\n".join(faults)
    return took


def start_far_first(pair: Pair) -> None:
    """Start both; whoever answers is there before whoever begins."""
    for side in sorted((pair.left, pair.right), key=lambda side: (side is pair.left) == (pair.near.begins == "start")):
        side.start()


def bring_up(pairs: list[Pair]) -> None:
    """Lay cables, configure, start, and wait until all is up."""
    for pair in pairs:
        pair.lay()
        pair.configure()
    each(pairs, start_far_first)
    await_all(pairs, FIRST)
