"""A gateway between the world and its own network: what full, corporate and other users reach, and what is left behind."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.lab.access_conf import Client, issue, make_client
from tests.lab.access_room import addresses_of
from tests.lab.gateway import Gateway
from tests.lab.host_state import assert_same, host_state
from tests.lab.namespaces import addresses_of as outer_of
from tests.lab.namespaces import sh, states
from tests.lab.world_conf import world_conf
from tests.lab.world_room import (
    GATEWAY,
    GATEWAY6,
    INSIDE,
    INSIDE6,
    NAMESPACE,
    RESOLVER,
    WEB,
    WEB6,
    WorldRoom,
    browse,
    resolve,
)

BOTH = "0.0.0.0, ::"
_ALL_MLD_ROUTERS = bytes.fromhex("ff020000000000000000000000000016")
EVERYTHING = "0.0.0.0/0, ::/0"


@dataclass
class World:
    """The room with its gateway running."""

    room: WorldRoom
    gateway: Gateway
    directory: Path

    @contextlib.contextmanager
    def client(self, number: int, user: str, six: str = "fd00:9:") -> Iterator[tuple[str, str]]:
        """A strongSwan of that user, up; its addresses of the pools, of which the IPv6 one begins so."""
        name, wanted = f"{user}{number}", Client("eap-mschapv2", user=user, vips=BOTH, remote_ts=EVERYTHING)
        swan = make_client(self.room.client(number), self.directory / name, self.directory, wanted)
        swan.start()
        try:
            swan.up("vpn", "net")
            yield self.leased(number, six)
        finally:
            with contextlib.suppress(AssertionError):
                swan.down("vpn")
            swan.stop()

    def leased(self, number: int, six: str) -> tuple[str, str]:
        found = addresses_of(self.room.client(number))
        four = next(each for each in found if each.startswith("10.9.0."))
        return four, next(each for each in found if each.startswith(six))


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("world")
    issue(made)
    return made


@pytest.fixture(scope="module")
def room() -> Iterator[WorldRoom]:
    laid = WorldRoom(2)
    with laid.laid():
        yield laid


@pytest.fixture
def world(room: WorldRoom, directory: Path) -> Iterator[World]:
    gateway = Gateway(NAMESPACE, directory / "gateway")
    gateway.configure(world_conf(directory))
    gateway.start("--log-level", "debug")
    try:
        yield World(room, gateway, directory)
    finally:
        gateway.stop()


def test_a_full_tunnel_user_is_seen_with_the_gateways_address_and_nothing_of_it_is_in_clear(world: World) -> None:
    with world.client(0, "alice") as (four, six), contextlib.closing(world.room.wire(0)) as wire:
        name = world.room.client(0)
        assert browse(name, WEB, four) == GATEWAY, world.gateway.log()
        assert browse(name, WEB6, six) == GATEWAY6, world.gateway.log()
        assert resolve(name, RESOLVER, four) == GATEWAY
        assert browse(name, INSIDE, four) == four
        world.gateway.rekey("clients", "net")
        assert browse(name, WEB, four) == GATEWAY
        world.gateway.rekey("clients")
        assert browse(name, WEB, four) == GATEWAY
        assert_protected(wire.packets())


def test_a_corporate_user_reaches_the_inside_and_not_the_world_through_the_tunnel(world: World) -> None:
    with world.client(0, "bob") as (four, six):
        name = world.room.client(0)
        assert browse(name, INSIDE, four) == four, world.gateway.log()
        assert browse(name, INSIDE6, six) == six
        assert browse(name, WEB, four) == ""
        assert browse(name, WEB) == "10.90.0.2", "the world is reached beside the tunnel"


def test_a_user_of_another_group_reaches_neither(world: World) -> None:
    with world.client(0, "carl") as (four, six):
        name = world.room.client(0)
        assert browse(name, INSIDE, four) == ""
        assert browse(name, INSIDE6, six) == ""
        assert browse(name, WEB, four) == ""


def test_clients_reach_each_other_only_where_that_is_wanted(room: WorldRoom, directory: Path) -> None:
    for line, reached in (("gateway = true", False), ("[gateway]\nclient_to_client = true", True)):
        gateway = Gateway(NAMESPACE, directory / f"gateway{reached}")
        gateway.configure(world_conf(directory, line))
        gateway.start()
        world = World(room, gateway, directory)
        try:
            with world.client(0, "alice") as (here, _), world.client(1, "alice") as (there, _):
                assert (ping(room.client(0), here, there) > 0) is reached, gateway.log()
        finally:
            gateway.stop()


def test_a_client_that_uses_anothers_address_reaches_nothing(world: World) -> None:
    with world.client(0, "alice") as (victim, _), world.client(1, "bob") as (own, _):
        name = world.room.client(1)
        assert browse(name, INSIDE, own) == own
        (reqid,) = {state.text.split("reqid ")[1].split()[0].split("(")[0] for state in states(name)}
        for stolen in (victim, "10.9.0.59"):
            sh("ip", "-n", name, "address", "add", f"{stolen}/32", "dev", "lo")
            template = ("tmpl", "src", "10.90.1.2", "dst", GATEWAY, "proto", "esp", "reqid", reqid, "mode", "tunnel")
            sh(
                "ip",
                "-n",
                name,
                "xfrm",
                "policy",
                "add",
                "src",
                f"{stolen}/32",
                "dst",
                "10.1.0.0/16",
                "dir",
                "out",
                *template,
            )
            assert browse(name, INSIDE, stolen, 2) == ""
        assert browse(world.room.client(0), WEB, victim) == GATEWAY, "the victim is not disturbed"


@pytest.mark.parametrize("end", ["SIGTERM", "kill -9 and a start", "kill -9 and cleanup"])
def test_the_host_is_as_it_was(room: WorldRoom, directory: Path, end: str) -> None:
    before = host_state(NAMESPACE)
    gateway = Gateway(NAMESPACE, directory / f"end {end}".replace(" ", "-"))
    gateway.configure(world_conf(directory))
    gateway.start()
    with World(room, gateway, directory).client(0, "alice") as (four, _):
        assert browse(room.client(0), WEB, four) == GATEWAY
        assert host_state(NAMESPACE) != before
        if end != "SIGTERM":
            gateway.kill()
            assert "table inet ikepy" in host_state(NAMESPACE)["nft list ruleset"]
        if end == "kill -9 and a start":
            gateway.start()
        if end == "kill -9 and cleanup":
            said = in_gateway("--run-dir", str(gateway.run_directory), "cleanup")
            assert "is undone" in said
            assert "states, policies and routes are removed" in said
        gateway.stop()
    assert_same(before, host_state(NAMESPACE))


def test_a_start_that_fails_changes_nothing(room: WorldRoom, directory: Path) -> None:
    before = host_state(NAMESPACE)
    gateway = Gateway(NAMESPACE, directory / "failing")
    gateway.configure(world_conf(directory))
    (gateway.run_directory / "control.sock").mkdir(parents=True)  # what cannot be bound
    with pytest.raises(AssertionError, match="did not come up"):
        gateway.start()
    assert_same(before, host_state(NAMESPACE))


def test_what_dry_run_shows_is_what_is_done(world: World) -> None:
    listed = sh("ip", "netns", "exec", NAMESPACE, "nft", "list", "table", "inet", "ikepy").replace("\t", "  ").strip()
    shown = in_gateway("--conf", str(world.gateway.conf), "--dry-run")
    assert listed in shown, f"{listed}\n-- shown\n{shown}"
    status = world.gateway.ikepy("status")
    assert "IPv4 masqueraded by v-gw-world; IPv6 masqueraded by v-gw-world; 0 clients have an address" in " ".join(
        status.split()
    )


def test_another_firewalls_policy_is_named(room: WorldRoom, directory: Path) -> None:
    chain = "table ip filter { chain DOCKER-USER { }; chain FORWARD { type filter hook forward priority 0; policy drop; }; }"
    sh("ip", "netns", "exec", NAMESPACE, "nft", chain)
    gateway = Gateway(NAMESPACE, directory / "conflict")
    gateway.configure(world_conf(directory))
    gateway.start()
    try:
        words = "table ip filter, chain FORWARD of Docker discards what it forwards"
        assert words in gateway.log()
        assert words in gateway.ikepy("status")
    finally:
        gateway.stop()
        sh("ip", "netns", "exec", NAMESPACE, "nft", "delete table ip filter")


def in_gateway(*arguments: str) -> str:
    """Run ikepy's command line in the gateway's namespace."""
    return sh("ip", "netns", "exec", NAMESPACE, sys.executable, "-m", "ikepy", *arguments)


def ping(namespace: str, source: str, address: str) -> int:
    """How many of two pings are answered."""
    said = sh("ip", "netns", "exec", namespace, "ping", "-c", "2", "-W", "2", "-I", source, address, check=False)
    return int(said.split(" received")[0].rsplit(" ", 1)[-1])


def assert_protected(packets: list[bytes]) -> None:
    """All of these are IKE or ESP, or belong to the cable itself."""
    assert packets
    for packet in packets:
        source, destination, protocol = outer_of(packet)
        if protocol == 58 or (protocol == 0 and destination == _ALL_MLD_ROUTERS):  # neighbours, and listeners
            continue
        ports = (
            {int.from_bytes(packet[20:22], "big"), int.from_bytes(packet[22:24], "big")} if protocol == 17 else set()
        )
        assert protocol == 50 or ports & {500, 4500}, f"in clear: {source.hex()} to {destination.hex()}, {protocol}"
