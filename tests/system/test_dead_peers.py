"""Peers that die, cables that are cut, names that change: the tunnel comes up again by itself, whoever began it.

What happens, happens to four pairs at once: ikepy with an ikepy and with a strongSwan, and either of both beginning. The
time until each is up again is printed. All times are shortened (see tests/lab/pair.py): a peer is given up after 6 s of no
answer, not after minutes; and a line is away for a minute at most. `-m soak` has ten.
"""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest

from tests.lab.namespaces import sh
from tests.lab.pair import Pair, Wanted
from tests.lab.pairs import Print, await_all, bring_up, each, make_pairs, report, rooms, start_far_first

__all__ = ["report"]
ETC = Path("/etc/netns")
NAME = "far.example"


def test_a_peer_that_was_killed_and_is_back_after_twenty_seconds_has_its_tunnel_again(
    tmp_path: Path, report: Print
) -> None:
    pairs = make_pairs(tmp_path)
    with rooms(pairs):
        bring_up(pairs)
        for pair in pairs:
            pair.kill_right()
        time.sleep(20)
        began = time.monotonic()
        each(pairs, lambda pair: pair.right.start())
        report("after the peer's start", await_all(pairs, 30, began))


@pytest.mark.parametrize(("how", "seconds"), [("link down", 30), ("dropped", 60)])
def test_a_line_that_was_away_for_several_tries_has_its_tunnel_again(
    tmp_path: Path, report: Print, how: str, seconds: int
) -> None:
    pairs = make_pairs(tmp_path)
    with rooms(pairs):
        bring_up(pairs)
        cut(pairs, how, seconds)
        report(f"after {seconds} s, {how}", await_all(pairs, 30))


@pytest.mark.soak
@pytest.mark.parametrize("how", ["link down", "dropped"])
def test_a_line_that_was_away_for_ten_minutes_has_its_tunnel_again(tmp_path: Path, report: Print, how: str) -> None:
    pairs = make_pairs(tmp_path)
    with rooms(pairs):
        bring_up(pairs)
        cut(pairs, how, 600)
        report(f"after ten minutes, {how}", await_all(pairs, 90))


def cut(pairs: list[Pair], how: str, seconds: float) -> None:
    """Take the line away, look that nothing crosses, and give it back."""
    for pair in pairs:
        pair.set_link("down") if how == "link down" else pair.drop_all()
    assert not any(pair.answers() for pair in pairs)
    time.sleep(seconds)
    for pair in pairs:
        pair.set_link("up") if how == "link down" else pair.drop_nothing()


def test_a_peer_whose_name_has_another_address_is_found_there(tmp_path: Path, report: Print) -> None:
    pairs = make_pairs(tmp_path, ("us",))
    with rooms(pairs):
        try:
            for pair in pairs:
                pair.near.remote_addrs = (NAME,)
                say_address(pair, pair.outer(2))
            bring_up(pairs)
            for pair in pairs:
                there = ["-n", pair.spaces[1], "address"], ["dev", pair.ends[1]]
                sh("ip", *there[0], "add", f"{pair.outer(3)}/24", *there[1])
                sh("ip", *there[0], "del", f"{pair.outer(2)}/24", *there[1])
                sh("ip", *there[0], "replace", f"{pair.outer(3)}/24", *there[1])
                pair.route()
            time.sleep(12)  # the name is still the old one: a try or two go there
            for pair in pairs:
                say_address(pair, pair.outer(3))
            report("after the name's change", await_all(pairs, 30))
        finally:
            for pair in pairs:
                shutil.rmtree(ETC / pair.spaces[0], ignore_errors=True)


def say_address(pair: Pair, address: str) -> None:
    """Have the name mean that address, near."""
    hosts = ETC / pair.spaces[0] / "hosts"
    hosts.parent.mkdir(parents=True, exist_ok=True)
    hosts.write_text(f"127.0.0.1 localhost\n{address} {NAME}\n")


def test_a_daemon_that_was_there_before_its_network_has_its_tunnel_when_that_comes(
    tmp_path: Path, report: Print
) -> None:
    pairs = make_pairs(tmp_path)
    with rooms(pairs):
        for pair in pairs:
            pair.configure()
        each(pairs, start_far_first)
        time.sleep(10)
        for pair in pairs:
            pair.lay()
        report("after the network's coming", await_all(pairs, 30))


def test_the_second_address_is_taken_where_the_first_is_dead(tmp_path: Path, report: Print) -> None:
    pairs = make_pairs(tmp_path, ("us",))
    with rooms(pairs):
        for pair in pairs:
            pair.near = Wanted((pair.outer(3), pair.outer(2)), "start")
            pair.lay()
            pair.configure()
        each(pairs, start_far_first)
        report("with one dead address before", await_all(pairs, 30))
