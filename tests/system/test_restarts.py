"""Twenty times over in each role, with restarts of either side between: each time it comes up, and nothing is left."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lab.gateway import Gateway, await_true
from tests.lab.namespaces import crosses, leftovers, states
from tests.system.cases import CASES
from tests.system.cast import route_to_us
from tests.system.conftest import Lab
from tests.system.test_matrix import of_case

TIMES = 2 * 20
CASE = CASES[0]


@pytest.mark.parametrize("peer", ["strongswan", "libreswan", "ikepy"])
def test_it_comes_up_twenty_times_in_each_role_with_restarts_of_either_side_between(lab: Lab, peer: str) -> None:
    name, other, at = CASE.connection(peer), lab.peers[peer], CASE.addresses(peer)
    there = lab.namespace(peer)
    for time in range(TIMES):
        restart(lab, other, time)
        route_to_us(peer, CASE)
        ours_first = time % 2 == 0
        if ours_first:
            lab.left.up(name)
        else:
            other.up(name, "net")
        await_true("both ends have the tunnel", lambda: len(of_case(lab, "left", peer, CASE)) == 2)
        assert crosses("left", at.inner(1), there, at.inner(2), count=2) == 2, f"time {time}\n{lab.left.log()}"
        (lab.left if ours_first else other).down(name)
        await_true("our states are gone", lambda: not states("left"))
        await_true("the peer's states are gone", lambda: not of_case(lab, there, peer, CASE))
    assert lab.left.is_running
    lab.left.stop()
    try:
        assert leftovers("left") == ""
    finally:
        lab.left.start()


def restart(lab: Lab, other: object, time: int) -> None:
    """Every third time restart us, every third time the peer, every third time nobody."""
    if time % 3 == 1:
        assert lab.left.stop() == 0
        lab.left.start()
    elif time % 3 == 2:
        assert hasattr(other, "stop")
        other.stop()
        other.start()


def test_a_peer_that_was_killed_and_is_back_replaces_what_we_have_of_it(lab: Lab, tmp_path: Path) -> None:
    name, right = CASE.connection("ikepy"), lab.peers["ikepy"]
    assert isinstance(right, Gateway)
    right.up(name)
    await_true("both ends have the tunnel", lambda: len(of_case(lab, "left", "ikepy", CASE)) == 2)
    right.kill()
    right.start()
    right.up(name)
    await_true("only the new one is there", lambda: len(of_case(lab, "left", "ikepy", CASE)) == 2)
    at = CASE.addresses("ikepy")
    assert crosses("left", at.inner(1), "right", at.inner(2)) == 3
    right.down(name)
    await_true("our states are gone", lambda: not of_case(lab, "left", "ikepy", CASE))
