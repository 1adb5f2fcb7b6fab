"""MOBIKE: hosts that change addresses, interfaces, families and NATs under way, with ten questions a second through the tunnel.

Each story is told with ikepy as who moves and as who is moved to, against ikepy and strongSwan. Printed is for how long
questions went unanswered; IKE_SA_INIT is not seen again.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.lab.daemon import Daemon, End, make_daemon
from tests.lab.gateway import Gateway, await_true
from tests.lab.namespaces import sh, states
from tests.lab.pinger import Pinger
from tests.lab.roaming_room import RoamingRoom

COUPLES = [("ikepy", "ikepy"), ("ikepy", "strongswan"), ("strongswan", "ikepy")]
NAMES = [f"{near}-to-{far}" for near, far in COUPLES]
SETTLING = 4.0
"Seconds in which a moved tunnel carries again, at the latest."


@dataclass
class Roamer:
    """A tunnel whose near end moves."""

    room: RoamingRoom
    near: Daemon
    far: Daemon

    @property
    def ikepy(self) -> Gateway:
        """An end that is ikepy."""
        return next(each for each in (self.near, self.far) if isinstance(each, Gateway))

    def inits(self) -> int:
        """How often IKE_SA_INIT was seen."""
        return self.ikepy.log().count("IKE_SA_INIT")

    def has_left(self, near: str) -> bool:
        """Whether the states of both ends are between the same two addresses, and this is none of them."""
        ends = [
            {frozenset((s.source, s.destination)) for s in states(space)} for space in (self.room.near, self.room.far)
        ]
        return ends[0] == ends[1] and len(ends[0]) == 1 and near not in next(iter(ends[0]))

    def is_between(self, near: str, far: str) -> bool:
        """Whether the states of both ends are between these, each way."""
        ends = {(near, far), (far, near)}
        return all(
            {(s.source, s.destination) for s in states(space)} == ends for space in (self.room.near, self.room.far)
        )

    def await_that(self, condition: Callable[[], bool]) -> None:
        """Wait until it is so; where it is not, tell the story."""
        try:
            await_true("it moves", condition, 12)
        except AssertionError as fault:
            raise AssertionError(f"{fault}\n{self.story()}") from fault

    def story(self) -> str:
        tables = "\n".join(state.text for space in (self.room.near, self.room.far) for state in states(space))
        return f"-- near\n{self.near.log()}\n-- far\n{self.far.log()}\n-- states\n{tables}"


@contextlib.contextmanager
def roaming(directory: Path, couple: tuple[str, str], *, families: tuple[int, ...] = (4, 6)) -> Iterator[Roamer]:
    """A tunnel that is up, near to far by router a."""
    room = RoamingRoom(1)
    with room.laid(families):
        near_end = End(
            "near.lab", "far.lab", room.far_address(), room.near_address(1), room.network(1), room.network(2), dpd=5
        )
        far_end = End("far.lab", "near.lab", "", room.far_address(), room.network(2), room.network(1), dpd=60)
        near = make_daemon(couple[0], room.near, directory / "near", {"tun": near_end})
        far = make_daemon(couple[1], room.far, directory / "far", {"tun": far_end})
        try:
            far.start()
            near.start()
            near.up("tun", "net")
            yield Roamer(room, near, far)
        finally:
            for daemon in (near, far):
                with contextlib.suppress(AssertionError):
                    daemon.stop()


Story = Callable[[RoamingRoom], float]
"""Disturbs; says for how many seconds there was no way."""


def address_changes(room: RoamingRoom) -> float:
    room.add(1, 3, families=(4,))
    sh("ip", "-n", room.near, "address", "del", f"{room.near_address(1)}/29", "dev", room.near_end(1))
    return 0.0


def interface_goes_down(room: RoamingRoom) -> float:
    """Down with its addresses, as network managers do it: strongSwan sends from the address of a dead interface for ever."""
    room.set_link(1, "down")
    room.remove(1)
    return 0.0


def v4_goes(room: RoamingRoom) -> float:
    for way in (1, 2):
        room.remove(way, families=(4,))
    return 0.0


def all_goes_for_20_seconds(room: RoamingRoom) -> float:
    for way in (1, 2):
        room.remove(way)
    time.sleep(20)
    room.add(2)
    return 20.0


STORIES: dict[str, tuple[Story, tuple[int, int, int]]] = {
    "another address": (address_changes, (1, 3, 4)),
    "interface down": (interface_goes_down, (2, 2, 4)),
    "from v4 to v6": (v4_goes, (1, 2, 6)),
    "nothing for 20 s": (all_goes_for_20_seconds, (2, 2, 4)),
}
"What happens, and where the near host is then: by which way, the last number of its address, the family."


@pytest.mark.parametrize("what", STORIES)
@pytest.mark.parametrize("couple", COUPLES, ids=NAMES)
def test_the_tunnel_goes_where_its_host_goes(
    tmp_path: Path, couple: tuple[str, str], what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    disturb, (way, last, family) = STORIES[what]
    with roaming(tmp_path, couple) as tunnel:
        room = tunnel.room
        inits = tunnel.inits()
        with Pinger(room.near, room.inner(1), room.far, room.inner(2)) as pinger:
            time.sleep(1)
            away = disturb(room)
            if couple == ("ikepy", "ikepy"):
                goal = room.near_address(way, last, family=family), room.far_address(family=family)
                tunnel.await_that(lambda: tunnel.is_between(*goal))
            else:  # of several ways strongSwan takes, and orders its addresses by, which it likes
                tunnel.await_that(lambda: tunnel.has_left(room.near_address(1)))
            time.sleep(1.5)
        with capsys.disabled():
            told = f"{len(pinger.lost)} of {len(pinger.asked)} lost, silent for {pinger.gap():.1f} s"
            print(f"\n{what}, {' to '.join(couple)}: {told}", end=" ")
        assert pinger.gap() < away + SETTLING, tunnel.story()
        assert pinger.lost == [] or pinger.lost[-1] < len(pinger.asked) - 5, tunnel.story()
        assert tunnel.inits() == inits, tunnel.story()


@pytest.mark.parametrize("couple", COUPLES, ids=NAMES)
def test_into_a_nat_and_out_of_it(tmp_path: Path, couple: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    with roaming(tmp_path, couple, families=(4,)) as tunnel:
        room = tunnel.room
        inits = tunnel.inits()
        room.masquerade(2)
        with Pinger(room.near, room.inner(1), room.far, room.inner(2)) as pinger:
            time.sleep(1)
            interface_goes_down(room)
            tunnel.await_that(lambda: all("espinudp" in state.text for state in states(room.far)))
            time.sleep(2)
            room.set_link(1, "up", (4,))
            time.sleep(0.5)
            room.set_link(2, "down")
            room.remove(2)
            goal = room.near_address(1), room.far_address()
            tunnel.await_that(lambda: tunnel.is_between(*goal))
            time.sleep(1.5)
        with capsys.disabled():
            print(
                f"\ninto a NAT and out, {' to '.join(couple)}: {len(pinger.lost)} of {len(pinger.asked)} lost", end=" "
            )
        assert len(pinger.lost) < 2 * 10 * SETTLING, tunnel.story()
        assert pinger.lost == [] or pinger.lost[-1] < len(pinger.asked) - 5, tunnel.story()
        assert tunnel.inits() == inits, tunnel.story()


@pytest.mark.parametrize("couple", COUPLES, ids=NAMES)
def test_a_gateway_that_moves_is_followed(
    tmp_path: Path, couple: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    with roaming(tmp_path, couple, families=(4,)) as tunnel:
        room = tunnel.room
        inits = tunnel.inits()
        with Pinger(room.near, room.inner(1), room.far, room.inner(2)) as pinger:
            time.sleep(1)
            room.move_far(7)
            goal = room.near_address(1), room.far_address(7)
            tunnel.await_that(lambda: tunnel.is_between(*goal))
            time.sleep(1.5)
        with capsys.disabled():
            print(f"\ngateway moves, {' to '.join(couple)}: silent for {pinger.gap():.1f} s", end=" ")
        assert pinger.gap() < SETTLING, tunnel.story()
        assert tunnel.inits() == inits, tunnel.story()
