"""Tunnels that are interfaces, of type xfrm and vti: two that both select everything, with a strongSwan behind each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.lab.gateway import Gateway, await_true
from tests.lab.host_state import assert_same, host_state
from tests.lab.hub_room import ALL_OSPF_ROUTERS, NEIGHBOURS, join_routers, lay, link_local, make_hub, make_neighbour
from tests.lab.namespaces import namespaces, sh, states
from tests.lab.strongswan import StrongSwan


@dataclass
class Room:
    """The hub and its neighbours, running; how the hub's host was before."""

    kind: str
    hub: Gateway
    neighbours: dict[str, StrongSwan]
    before: dict[str, str]


def _can_make(kind: str) -> bool:
    with namespaces("probe"):
        outcome = sh(
            *("ip", "-n", "probe", "link", "add", "x0", "type", kind),
            *(("if_id", "1") if kind == "xfrm" else ("key", "1")),
            check=False,
        )
    return not outcome


@pytest.fixture(scope="module", params=["xfrm", "vti"])
def room(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    kind = request.param
    if not _can_make(kind):
        pytest.skip(f"this kernel has no {kind} interfaces; tests/lab/kernel.sh builds one that has")
    directory = tmp_path_factory.mktemp(f"hub-{kind}")
    with namespaces("hub", *NEIGHBOURS):
        lay()
        neighbours = {name: make_neighbour(name, directory / name, kind) for name in NEIGHBOURS}
        hub = make_hub(directory / "hub", kind)
        before = host_state("hub")
        listening = [join_routers(name) for name in NEIGHBOURS]
        try:
            for swan in neighbours.values():
                swan.start()
            hub.start()
            await_true("both tunnels are up", lambda: len(states("hub")) == 4, 20)
            for name in NEIGHBOURS:
                await_true(
                    "packets cross", lambda name=name: "3 received" in _ping(link_local(name, name)[0], seconds=1), 20
                )
            yield Room(kind, hub, neighbours, before)
        finally:
            hub.stop()
            for swan in neighbours.values():
                swan.stop()
            for sock in listening:
                sock.close()


def _ping(*arguments: str, seconds: int = 5) -> str:
    return sh("ip", "netns", "exec", "hub", "ping", "-c", "3", "-i", "0.1", "-W", str(seconds), *arguments, check=False)


@pytest.mark.parametrize("name", NEIGHBOURS)
def test_each_neighbour_is_reached_by_its_own_interface_and_by_no_other(name: str, room: Room) -> None:
    before = {other: _carried(other) for other in NEIGHBOURS}
    assert "3 received" in _ping(link_local(name, name)[0])
    assert "3 received" in _ping("-I", "10.89.0.1", f"10.89.{NEIGHBOURS.index(name) + 1}.1")
    for other in NEIGHBOURS:
        # Six pings each way; what a kernel says by itself on a new interface (MLD, router solicitations) is less.
        assert (_carried(other) - before[other] >= 12) is (other == name), other


@pytest.mark.parametrize("name", NEIGHBOURS)
def test_what_routers_say_to_all_routers_arrives(name: str, room: Room) -> None:
    answer = _ping("-I", f"to-{name}", ALL_OSPF_ROUTERS)
    assert "3 received" in answer, answer
    assert link_local(name, name)[0] in answer


@pytest.mark.parametrize("name", NEIGHBOURS)
def test_link_local_neighbours_reach_each_other(name: str, room: Room) -> None:
    for address in link_local(name, name)[: 2 if room.kind == "xfrm" else 1]:  # a vti over IPv4 carries IPv4
        assert "3 received" in _ping("-I", f"to-{name}", address)


def test_tunnels_survive_a_rekeying(room: Room) -> None:
    room.hub.ikepy("rekey", "--child", "all", check=False)
    await_true("the old states are gone", lambda: len(states("hub")) == 4, 20)
    for name in NEIGHBOURS:
        assert "3 received" in _ping("-I", f"to-{name}", ALL_OSPF_ROUTERS)


def test_the_interface_has_the_mtu_that_is_configured(room: Room) -> None:
    assert "mtu 1400" in sh("ip", "-n", "hub", "link", "show", "to-east")


def test_a_killed_daemons_interfaces_are_taken_over_by_the_next(room: Room) -> None:
    room.hub.kill()
    room.hub.start()
    await_true("both tunnels are up again", lambda: "3 received" in _ping("-I", "to-west", ALL_OSPF_ROUTERS), 30)
    assert len(sh("ip", "-n", "hub", "-o", "link", "show", "type", room.kind).splitlines()) == 2


def test_when_the_daemon_ends_the_host_is_as_it_was(room: Room) -> None:
    room.hub.stop()
    assert_same(room.before, host_state("hub"))


def _carried(name: str) -> int:
    """Packets by the states of a neighbour."""
    return sum(state.packets for state in states(name))
