"""Addresses of both ends: several of ours, of both families, of interfaces, of one link, in ranges, and what a name says.

near 10.78.0.1, 10.78.1.1, 2001:db8:78::1 ---- far 10.78.0.2, 10.78.1.2, 2001:db8:78::2
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.lab.gateway import Gateway, await_true
from tests.lab.namespaces import add_addresses, crosses, link, namespaces, sh, states
from tests.lab.strongswan import StrongSwan

NEAR, FAR = "adn", "adf"
INNER = {NEAR: "172.29.1.1", FAR: "172.29.2.1"}
NETWORKS = {NEAR: "172.29.1.0/24", FAR: "172.29.2.0/24"}
SECRET = "a secret of the room with many addresses"
PEERS = ["ikepy", "strongswan"]
_TIMES = "[retransmission]\ntimeout = 0.3\nbase = 1.5\nlimit = 1\ntries = 4\n"
_HOSTS = Path("/etc/netns")


@dataclass
class Room:
    """Both ends; `near` is always ikepy."""

    directory: Path
    ends: dict[str, str]
    near: Gateway
    far: Gateway | StrongSwan | None = None

    def addresses(self) -> None:
        """Both sides' addresses on the cable."""
        for side, name in enumerate((NEAR, FAR), 1):
            outer = [f"10.78.0.{side}/24", f"10.78.1.{side}/24", f"2001:db8:78::{side}/64"]
            add_addresses(name, {self.ends[name]: outer, "lo": [f"{INNER[name]}/32"]})

    def configure(self, remote: str, more: str = "", child: str = "", daemon: str = "") -> None:
        """The near end; remote_addrs as TOML has it inside its brackets."""
        child = child or f'local_ts = ["{NETWORKS[NEAR]}"]\nremote_ts = ["{NETWORKS[FAR]}"]'
        self.near.configure(_ikepy("near.lab", "far.lab", f"remote_addrs = [{remote}]\n{more}", child, daemon))

    def start_far(self, kind: str, more: str = "", child: str = "", daemon: str = "") -> None:
        """The far end: it answers."""
        if kind == "strongswan":
            swan = StrongSwan(FAR, self.directory / "far")
            swan.configure(_swanctl(more, child))
            self.far = swan
            way = ["dev", self.ends[FAR], "src", INNER[FAR]]
            sh("ip", "-n", FAR, "route", "replace", NETWORKS[NEAR], *way, check=not child)
        else:
            gateway = Gateway(FAR, self.directory / "far")
            child = child or f'local_ts = ["{NETWORKS[FAR]}"]\nremote_ts = ["{NETWORKS[NEAR]}"]'
            gateway.configure(_ikepy("far.lab", "near.lab", more, child, daemon))
            self.far = gateway
        self.far.start()

    def assert_up(self, near: str, far: str) -> None:
        """States between these, and packets through them."""
        found = {(state.source, state.destination) for state in states(NEAR)}
        assert found == {(near, far), (far, near)}, self.story()
        assert crosses(NEAR, INNER[NEAR], FAR, INNER[FAR]) == 3, self.story()

    def story(self) -> str:
        return f"-- near\n{self.near.log()}\n-- far\n{self.far.log() if self.far is not None else ''}"

    def stop(self) -> None:
        self.near.stop()
        if self.far is not None:
            self.far.stop()


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    with namespaces(NEAR, FAR):
        ends = dict(zip((NEAR, FAR), link(NEAR, FAR), strict=True))
        made = Room(tmp_path, ends, Gateway(NEAR, tmp_path / "near"))
        try:
            yield made
        finally:
            made.stop()


@contextlib.contextmanager
def hosts(namespace: str, text: str) -> Iterator[None]:
    """What names say in a namespace."""
    file = _HOSTS / namespace / "hosts"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"127.0.0.1 localhost\n{text}")
    try:
        yield
    finally:
        file.unlink()
        file.parent.rmdir()


def _ikepy(local: str, remote: str, more: str, child: str, daemon: str) -> str:
    return f"""{_TIMES}
[daemon]
{daemon}
[connections.pair]
{more}
local = {{ auth = "psk", id = "{local}" }}
remote = {{ auth = "psk", id = "{remote}" }}
[connections.pair.children.net]
{child}
[secrets.pair]
secret = "{SECRET}"
"""


def _swanctl(more: str, child: str) -> str:
    child = child or f"local_ts = {NETWORKS[FAR]}\n        remote_ts = {NETWORKS[NEAR]}"
    return f"""connections {{
  pair {{
    version = 2
    {more}
    local {{
      auth = psk
      id = far.lab
    }}
    remote {{
      auth = psk
      id = near.lab
    }}
    children {{
      net {{
        {child}
      }}
    }}
  }}
}}
secrets {{
  ike-1 {{
    secret = "{SECRET}"
  }}
}}
"""


@pytest.mark.parametrize("kind", PEERS)
@pytest.mark.parametrize(
    ("remote", "near", "far"),
    [
        ('"10.78.1.2"', "10.78.1.1", "10.78.1.2"),
        ('"10.78.0.2"', "10.78.0.1", "10.78.0.2"),
        ('"2001:db8:78::2"', "2001:db8:78::1", "2001:db8:78::2"),
    ],
    ids=["second", "first", "v6"],
)
def test_of_several_addresses_of_ours_the_one_that_leads_there_is_taken(
    room: Room, kind: str, remote: str, near: str, far: str
) -> None:
    room.addresses()
    room.start_far(kind)
    room.configure(remote, 'local_addrs = ["10.78.0.1", "10.78.1.1", "2001:db8:78::1"]')
    room.near.start()
    room.near.up("pair")
    room.assert_up(near, far)


@pytest.mark.parametrize("kind", PEERS)
def test_a_name_with_a_dead_v6_address_falls_to_its_v4_one(room: Room, kind: str) -> None:
    room.addresses()
    room.start_far(kind)
    with hosts(NEAR, "2001:db8:78::dead far.example\n10.78.0.2 far.example\n"):
        room.configure('"far.example"')
        room.near.start()
        room.near.up("pair")
    assert "the peer's next address is tried" in room.near.log()
    room.assert_up("10.78.0.1", "10.78.0.2")


@pytest.mark.parametrize("kind", PEERS)
def test_addresses_of_both_families_are_tried_in_turn(room: Room, kind: str) -> None:
    room.addresses()
    room.start_far(kind)
    room.configure('"10.78.0.99", "2001:db8:78::2"')
    room.near.start()
    room.near.up("pair")
    room.assert_up("2001:db8:78::1", "2001:db8:78::2")


def test_who_comes_from_outside_the_range_is_not_answered(room: Room) -> None:
    room.addresses()
    room.start_far("ikepy", 'remote_addrs = ["10.78.1.1-10.78.1.9", "2001:db8:78::/64"]')
    room.configure('"10.78.0.2"')
    room.near.start()
    with pytest.raises(AssertionError):
        room.near.up("pair")
    room.near.stop()
    room.configure('"10.78.1.2"')
    room.near.start()
    room.near.up("pair")
    room.assert_up("10.78.1.1", "10.78.1.2")


@pytest.mark.parametrize("kind", PEERS)
def test_an_interface_whose_addresses_come_later_is_used_when_they_have(room: Room, kind: str) -> None:
    child = f'local_ts = ["{NETWORKS[NEAR]}"]\nremote_ts = ["{NETWORKS[FAR]}"]\nstart_action = "start"'
    sh("ip", "-n", NEAR, "link", "set", room.ends[NEAR], "addrgenmode", "none")
    sh("ip", "-n", NEAR, "link", "set", room.ends[NEAR], "down")
    room.configure('"10.78.0.2"', f'local_addrs = ["%{room.ends[NEAR]}"]', child)
    room.near.start()
    assert f"interface {room.ends[NEAR]} has no address at present" in room.near.log()
    sh("ip", "-n", NEAR, "link", "set", room.ends[NEAR], "up")
    room.addresses()
    room.start_far(kind)
    await_true("the tunnel is up", lambda: len(states(NEAR)) == 2, 20)
    room.assert_up("10.78.0.1", "10.78.0.2")


def test_an_interface_that_is_ignored_is_not_answered_at(room: Room) -> None:
    room.addresses()
    room.start_far("ikepy", daemon=f'interfaces_ignore = ["{room.ends[FAR][:3]}*"]')
    room.configure('"10.78.0.2"')
    room.near.start()
    with pytest.raises(AssertionError):
        room.near.up("pair")
    assert not states(NEAR)


@pytest.mark.parametrize("kind", PEERS)
@pytest.mark.parametrize("mode", ["transport", "tunnel"])
def test_link_local_addresses_of_one_link(room: Room, kind: str, mode: str) -> None:
    near, far = "fe80::1:1", "fe80::1:2"
    for name, address in ((NEAR, near), (FAR, far)):
        add_addresses(name, {room.ends[name]: [f"{address}/64"]})
    child = f'mode = "{mode}"' if kind == "ikepy" else f"mode = {mode}"
    room.start_far(kind, child=child)
    room.configure(f'"{far}%{room.ends[NEAR]}"', child=f'mode = "{mode}"')
    room.near.start()
    room.near.up("pair")
    assert {(state.source, state.destination) for state in states(NEAR)} == {(near, far), (far, near)}, room.story()
    sh("ip", "netns", "exec", NEAR, "ping", "-c", "3", "-i", "0.2", "-W", "2", f"{far}%{room.ends[NEAR]}")
    assert [state.packets for state in states(NEAR)] == [3, 3], room.story()
    room.near.rekey("pair", "net")
    room.near.rekey("pair")
    sh("ip", "netns", "exec", NEAR, "ping", "-c", "3", "-i", "0.2", "-W", "2", f"{far}%{room.ends[NEAR]}")
    room.near.down("pair")
    await_true("nothing is left", lambda: not states(NEAR))
