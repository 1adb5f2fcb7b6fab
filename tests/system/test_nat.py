"""NATs between both gateways: before who begins, before who answers, before both; that forget, and that serve several.

Each story is told with ikepy as the near end (who begins) and as the far one, against each kind of peer.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.lab.daemon import Daemon, End, make_daemon
from tests.lab.gateway import await_true
from tests.lab.namespaces import crosses, states
from tests.lab.nat_room import GONE, NatRoom
from tests.lab.traffic import Traffic

COUPLES = [
    ("ikepy", "ikepy"),
    ("ikepy", "strongswan"),
    ("strongswan", "ikepy"),
    ("ikepy", "libreswan"),
    ("libreswan", "ikepy"),
]
NAMES = [f"{near}-to-{far}" for near, far in COUPLES]
IDLE, FORGETS = 120, 30
SILENT = {"ikepy": (600, 600), "strongswan": (600, 600), "libreswan": (600, 20)}
"Seconds between signs of life that leave keepalives to hold the mapping; libreswan 4.10 sends none, so the far end does."
FOLLOWS = 5.0
"Seconds in which the new mapping is known, at the latest: libreswan waits for IKE from there."


@dataclass
class Tunnel:
    """A room with a daemon at each end."""

    room: NatRoom
    near: Daemon
    far: Daemon

    def come_up(self) -> None:
        """Start both, and have near begin."""
        self.far.start()
        self.near.start()
        self.near.up("tun", "net")
        await_true("states on both sides", lambda: len(states(self.room.near())) == len(states(self.room.far)) == 2)

    def assert_in_udp(self) -> None:
        """Packets cross, inside UDP, and both ends' states count them."""
        before = self.counted()
        ends = self.room.near(), self.room.inner(0), self.room.far, self.room.inner(-1)
        assert crosses(*ends) == 3, self.story()
        after = self.counted()
        assert set(after) == set(before), self.story()
        assert all(after[spi] - before[spi] == 3 for spi in after), (before, after)
        for space in (self.room.near(), self.room.far):
            assert all("espinudp" in state.text for state in states(space)), self.story()

    def counted(self) -> dict[tuple[str, str], int]:
        spaces = self.room.near(), self.room.far
        return {(space, state.spi): state.packets for space in spaces for state in states(space)}

    def story(self) -> str:
        tables = "\n".join(state.text for space in (self.room.near(), self.room.far) for state in states(space))
        return f"-- near\n{self.near.log()}\n-- far\n{self.far.log()}\n-- states\n{tables}"


@contextlib.contextmanager
def tunnel(
    directory: Path,
    couple: tuple[str, str],
    where: str,
    number: int = 1,
    *,
    timeout: int = 120,
    dpd: tuple[int, int] = (30, 30),
) -> Iterator[Tunnel]:
    """A tunnel's two ends with NATs where they are wanted: `near`, `far` or `both`; not up yet."""
    room = NatRoom(number)
    with room.laid():
        if where != "far":
            room.masquerade(timeout=timeout)
        if where != "near":
            room.forward()
        goal = room.far_address if where == "near" else room.outside(1)
        near_end = End("near.lab", "far.lab", goal, room.near_address(), room.network(0), room.network(-1), dpd=dpd[0])
        far_end = End("far.lab", "near.lab", "", room.far_address, room.network(-1), room.network(0), dpd=dpd[1])
        near = make_daemon(couple[0], room.near(), directory / "near", {"tun": near_end})
        far = make_daemon(couple[1], room.far, directory / "far", {"tun": far_end})
        room.route(room.near(), room.inner(0))
        room.route(room.far, room.inner(-1))
        try:
            yield Tunnel(room, near, far)
        finally:
            for daemon in (near, far):
                with contextlib.suppress(AssertionError):
                    daemon.stop()


@pytest.mark.parametrize("where", ["near", "far", "both"])
@pytest.mark.parametrize("couple", COUPLES, ids=NAMES)
def test_a_tunnel_comes_up_through_nats(tmp_path: Path, couple: tuple[str, str], where: str) -> None:
    with tunnel(tmp_path, couple, where) as pair:
        pair.come_up()
        pair.assert_in_udp()


@pytest.mark.parametrize("couple", COUPLES, ids=NAMES)
def test_a_nat_that_forgets_under_traffic_costs_the_time_it_was_away(
    tmp_path: Path, couple: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    # libreswan does not follow packets of children: who begins finds out by itself, and soon.
    with tunnel(tmp_path, couple, "near", dpd=(2, 30)) as pair:
        pair.come_up()
        ends = pair.room.near(), pair.room.inner(0), pair.room.far, pair.room.inner(-1)
        with Traffic(*ends) as traffic:
            time.sleep(1)
            pair.room.restart_nat()
            time.sleep(FOLLOWS + 1.5)
        lost = tuple(map(len, traffic.lost))
        with capsys.disabled():
            print(f"\n{' to '.join(couple)}: NAT away for {GONE} s, {traffic.sent} sent, {lost} lost", end=" ")
        for gone, sent in zip(traffic.lost, traffic.sent, strict=True):
            assert len(gone) < 500 * (GONE + FOLLOWS), pair.story()
            assert not gone or max(gone) < sent - 500, pair.story()
        pair.assert_in_udp()


def test_two_minutes_of_silence_and_a_nat_that_forgets_after_thirty_seconds(tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        pairs = [
            stack.enter_context(tunnel(tmp_path / name, couple, "near", number, timeout=FORGETS, dpd=SILENT[couple[0]]))
            for number, (name, couple) in enumerate(zip(NAMES, COUPLES, strict=True), 1)
        ]
        with ThreadPoolExecutor(len(pairs)) as pool:
            list(pool.map(Tunnel.come_up, pairs))
        time.sleep(IDLE)
        for pair in pairs:
            room = pair.room
            outside_in = crosses(room.far, room.inner(-1), room.near(), room.inner(0))
            assert outside_in == 3, f"{room}\n{pair.story()}"


def test_three_clients_behind_one_nat(tmp_path: Path) -> None:
    room, kinds = NatRoom(1, near_sites=3), ("ikepy", "strongswan", "libreswan")
    with room.laid(), contextlib.ExitStack() as stack:
        room.masquerade()
        far_ends = {
            f"tun{site}": End("far.lab", f"{kind}.lab", "", room.far_address, room.network(-1), room.network(site))
            for site, kind in enumerate(kinds)
        }
        far = make_daemon("ikepy", room.far, tmp_path / "far", far_ends)
        room.route(room.far, room.inner(-1))
        clients = []
        for site, kind in enumerate(kinds):
            end = End(
                f"{kind}.lab",
                "far.lab",
                room.far_address,
                room.near_address(site),
                room.network(site),
                room.network(-1),
            )
            clients.append(make_daemon(kind, room.near(site), tmp_path / kind, {"tun": end}))
            room.route(room.near(site), room.inner(site))
        for daemon in (far, *clients):
            daemon.start()
            stack.callback(daemon.stop)
        for client in clients:
            client.up("tun", "net")
        await_true("all are there", lambda: len(states(room.far)) == 6)
        for site in range(3):
            assert crosses(room.near(site), room.inner(site), room.far, room.inner(-1)) == 3, far.log()
            assert crosses(room.far, room.inner(-1), room.near(site), room.inner(site)) == 3, far.log()
