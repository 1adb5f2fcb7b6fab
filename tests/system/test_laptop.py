"""ikepy as a client that takes all of a machine's traffic, or some: what leaves, by which DNS, and what is left behind."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.lab.access_conf import issue
from tests.lab.access_room import addresses_of
from tests.lab.gateway import Gateway, await_true
from tests.lab.host_state import assert_same, host_state
from tests.lab.laptop_conf import Laptop
from tests.lab.namespaces import Wire, sh, states
from tests.lab.namespaces import addresses_of as outer_of
from tests.lab.world_conf import world_conf
from tests.lab.world_room import (
    GATEWAY,
    GATEWAY6,
    INSIDE,
    NAMESPACE,
    RESOLVER,
    WEB,
    WEB6,
    WorldRoom,
    browse,
    resolve,
)
from tests.system.test_gateway import assert_protected

CLIENT = "cl0"
OUTSIDE = "10.90.0.2"
BEFORE = "# of this network\nnameserver 192.0.2.53\noptions timeout:1\n"
V4_ONLY = {"families": (4,), "networks": ("0.0.0.0/0",)}


@dataclass
class Place:
    """The room with its gateway running, and one laptop."""

    room: WorldRoom
    gateway: Gateway
    certificates: Path
    directory: Path
    resolv: Path = field(init=False)

    def __post_init__(self) -> None:
        self.resolv = self.directory / "resolv.conf"
        self.resolv.write_text(BEFORE)
        self.laptop = Gateway(CLIENT, self.directory / "laptop")

    def state(self) -> dict[str, str]:
        return {**host_state(CLIENT), "resolv.conf": self.resolv.read_text()}

    def configure(self, laptop: Laptop) -> None:
        self.laptop.configure(laptop.conf(self.certificates, self.resolv))

    def start(self) -> None:
        self.laptop.start()
        await_true("the tunnel is up", self.is_up, 20)

    def is_up(self) -> bool:
        return len(states(CLIENT)) >= 2 and RESOLVER in self.resolv.read_text()

    @contextlib.contextmanager
    def up(self, laptop: Laptop) -> Iterator[None]:
        self.configure(laptop)
        try:
            self.start()
            yield
        finally:
            self.laptop.stop()

    def cleanup(self) -> str:
        command = (sys.executable, "-m", "ikepy", "--run-dir", str(self.laptop.run_directory), "cleanup")
        return sh("ip", "netns", "exec", CLIENT, *command)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("laptop-certificates")
    issue(made)
    return made


@pytest.fixture(scope="module")
def room() -> Iterator[WorldRoom]:
    laid = WorldRoom(1)
    with laid.laid():
        yield laid


@pytest.fixture(scope="module")
def gateway(room: WorldRoom, certificates: Path) -> Iterator[Gateway]:
    made = Gateway(NAMESPACE, certificates / "gateway")
    made.configure(world_conf(certificates))
    made.start()
    yield made
    made.stop()


@pytest.fixture
def place(room: WorldRoom, gateway: Gateway, certificates: Path, tmp_path: Path) -> Iterator[Place]:
    made = Place(room, gateway, certificates, tmp_path)
    yield made
    with contextlib.suppress(AssertionError):
        made.laptop.stop()
    made.cleanup()


@pytest.mark.parametrize("interface", [False, True], ids=["lo", "an interface"])
def test_all_of_a_full_tunnel_is_seen_with_the_gateways_address_and_nothing_in_clear(
    interface: bool, place: Place
) -> None:
    before = place.state()
    with place.up(Laptop(interface=interface)), contextlib.closing(place.room.wire(0)) as wire:
        assert browse(CLIENT, WEB) == GATEWAY, place.laptop.log()
        assert browse(CLIENT, WEB6) == GATEWAY6, place.laptop.log()
        assert f"nameserver {RESOLVER}" in place.resolv.read_text()
        assert "192.0.2.53" not in place.resolv.read_text()
        assert resolve(CLIENT, RESOLVER) == GATEWAY
        place.laptop.rekey("vpn", "net")
        assert browse(CLIENT, WEB) == GATEWAY
        place.laptop.rekey("vpn")
        assert browse(CLIENT, WEB) == GATEWAY
        assert f"DNS {RESOLVER}, by file" in " ".join(place.laptop.ikepy("status").split())
        assert_protected(wire.packets())
    assert_same(before, place.state())


@pytest.mark.parametrize("interface", [False, True], ids=["lo", "an interface"])
def test_where_the_gateway_gives_no_ipv6_there_is_none(interface: bool, place: Place) -> None:
    with place.up(Laptop(interface=interface, **V4_ONLY)), contextlib.closing(place.room.wire(0)) as wire:
        await_true(
            "IPv6 is refused",
            lambda: "unreachable 2000::/3" in sh("ip", "-n", CLIENT, "-6", "route", "show", "table", "all"),
        )
        began = time.monotonic()
        assert browse(CLIENT, WEB6) == ""
        assert time.monotonic() - began < 2, "programs are told at once"
        assert browse(CLIENT, WEB) == GATEWAY
        assert_protected(wire.packets())
    assert browse(CLIENT, WEB6) == "2001:db8:90::2"


def test_a_split_tunnel_takes_what_is_behind_the_gateway_and_leaves_the_rest(place: Place) -> None:
    with place.up(Laptop("bob", networks=("10.1.0.0/16", "fd00:1::/64"))):
        assert browse(CLIENT, INSIDE).startswith("10.9.0."), place.laptop.log()
        assert browse(CLIENT, WEB) == OUTSIDE


def test_a_user_of_another_group_reaches_neither_through_the_tunnel(place: Place) -> None:
    with place.up(Laptop("carl")):
        (four,) = {each for each in addresses_of(CLIENT) if each.startswith("10.9.0.")}
        assert browse(CLIENT, INSIDE, seconds=2) == ""
        assert browse(CLIENT, INSIDE, four, 2) == ""
        assert browse(CLIENT, WEB, four, 2) == ""
        assert browse(CLIENT, WEB) == OUTSIDE, "what is not for the tunnel goes as always"


def test_a_name_that_resolved_once_is_enough(place: Place) -> None:
    """Behind a kill switch no resolver answers before the tunnel is up."""
    hosts = Path("/etc/netns") / CLIENT / "hosts"
    hosts.parent.mkdir(parents=True, exist_ok=True)
    hosts.write_text(f"{GATEWAY} gate.lab\n")
    try:
        with place.up(Laptop(gateway="gate.lab", client="kill_switch = true")):
            assert browse(CLIENT, WEB) == GATEWAY
        hosts.write_text("")
        with place.up(Laptop(gateway="gate.lab", client="kill_switch = true")):
            assert browse(CLIENT, WEB) == GATEWAY
    finally:
        hosts.unlink()


@pytest.mark.parametrize("interface", [False, True], ids=["lo", "an interface"])
def test_behind_a_kill_switch_nothing_leaves_in_clear_whatever_ends(interface: bool, place: Place) -> None:
    before = place.state()
    with (
        place.up(Laptop(interface=interface, client="kill_switch = true")),
        contextlib.closing(place.room.wire(0)) as wire,
    ):
        assert browse(CLIENT, WEB) == GATEWAY, place.laptop.log()
        # The daemon stands still, as a machine that sleeps; then goes on.
        os.kill(place.laptop.pid, signal.SIGSTOP)
        assert browse(CLIENT, WEB) == GATEWAY
        os.kill(place.laptop.pid, signal.SIGCONT)
        # The gateway is gone for a while, and forgets all.
        place.gateway.kill()
        for table in ("state", "policy"):
            sh("ip", "-n", NAMESPACE, "xfrm", table, "flush")
        await_true("the client has noticed", lambda: not states(CLIENT), 30)
        assert browse(CLIENT, WEB, seconds=1) == ""
        assert browse(CLIENT, WEB6, seconds=1) == ""
        assert resolve(CLIENT, RESOLVER) == ""
        place.gateway.start()
        await_true("the tunnel is up again", lambda: browse(CLIENT, WEB, seconds=1) == GATEWAY, 40)
        # The daemon is killed, begins again, and ends.
        place.laptop.kill()
        browse(CLIENT, WEB, seconds=1)
        place.start()
        assert browse(CLIENT, WEB) == GATEWAY
        place.laptop.stop()
        assert browse(CLIENT, WEB, seconds=1) == ""
        assert browse(CLIENT, WEB6, seconds=1) == ""
        assert_protected(said_by_us(wire))
    assert "kill switch" in place.cleanup()
    assert_same(before, place.state())
    assert browse(CLIENT, WEB) == OUTSIDE


@pytest.mark.parametrize("end", ["SIGTERM", "kill -9 and a start", "kill -9 and cleanup"])
def test_the_host_is_as_it_was(end: str, place: Place) -> None:
    before = place.state()
    place.configure(Laptop(interface=True, **V4_ONLY))
    place.start()
    assert browse(CLIENT, WEB) == GATEWAY
    if end != "SIGTERM":
        place.laptop.kill()
        assert place.state() != before
    if end == "kill -9 and a start":
        place.start()
    if end == "kill -9 and cleanup":
        assert "DNS" in place.cleanup()
    place.laptop.stop()
    assert_same(before, place.state())


def test_a_start_that_fails_changes_nothing(place: Place) -> None:
    before = place.state()
    place.configure(Laptop(interface=True))
    (place.laptop.run_directory / "control.sock").mkdir(parents=True)  # what cannot be bound
    with pytest.raises(AssertionError, match="did not come up"):
        place.laptop.start()
    assert_same(before, place.state())


def test_another_network_or_address_does_not_end_it_nor_let_anything_out(place: Place) -> None:
    end = place.room.end(0)
    with place.up(Laptop(client="kill_switch = true")), contextlib.closing(place.room.wire(0)) as wire:
        sh("ip", "-n", CLIENT, "link", "set", end, "down")
        assert browse(CLIENT, WEB, seconds=1) == ""
        sh("ip", "-n", CLIENT, "link", "set", end, "up")
        sh("ip", "-n", CLIENT, "-6", "address", "replace", "2001:db8:90:0::2/64", "dev", end, "nodad")
        sh("ip", "-n", CLIENT, "route", "add", "default", "via", "10.90.0.1")
        sh("ip", "-n", CLIENT, "-6", "route", "replace", "default", "via", "2001:db8:90:0::1")
        await_true("it goes on", lambda: browse(CLIENT, WEB, seconds=1) == GATEWAY, 30)
        assert_protected(wire.packets())


def said_by_us(wire: Wire) -> list[bytes]:
    """What the laptop sent: of a gateway that is gone come ICMP errors in clear."""
    own = {socket.inet_pton(socket.AF_INET, OUTSIDE), socket.inet_pton(socket.AF_INET6, "2001:db8:90::2")}
    return [packet for packet in wire.packets() if outer_of(packet)[0] in own]
