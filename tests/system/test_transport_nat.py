"""Transport mode through NATs between real hosts: packets of TCP and UDP cross, with checksums that are right."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.lab.daemon import SECRET, Daemon
from tests.lab.gateway import Gateway, await_true
from tests.lab.namespaces import crosses, inside, states
from tests.lab.nat_room import NatRoom
from tests.lab.strongswan import StrongSwan

COUPLES = [("ikepy", "ikepy"), ("ikepy", "strongswan"), ("strongswan", "ikepy")]
IKEPY = """
[connections.tun]
{remote}
mobike = false
local = {{ auth = "psk", id = "{local}" }}
remote = {{ auth = "psk", id = "{peer}" }}
[connections.tun.children.net]
mode = "transport"
[secrets.tun]
secret = "{secret}"
"""
SWAN = """connections {{
  tun {{
    version = 2
    mobike = no
    local_addrs = %any
    remote_addrs = {remote}
    local {{
      auth = psk
      id = {local}
    }}
    remote {{
      auth = psk
      id = {peer}
    }}
    children {{
      net {{
        mode = transport
      }}
    }}
  }}
}}
secrets {{
  ike-tun {{
    secret = "{secret}"
  }}
}}
"""


@dataclass
class Hosts:
    """Two hosts and what is between."""

    room: NatRoom
    near: Daemon
    far: Daemon
    goal: str

    def story(self) -> str:
        tables = "\n".join(state.text for space in (self.room.near(), self.room.far) for state in states(space))
        return f"-- near\n{self.near.log()}\n-- far\n{self.far.log()}\n{tables}"


def make_host(kind: str, namespace: str, directory: Path, local: str, peer: str, remote: str) -> Daemon:
    directory.mkdir(parents=True)
    if kind == "ikepy":
        gateway = Gateway(namespace, directory)
        where = f'remote_addrs = ["{remote}"]' if remote else ""
        gateway.configure(IKEPY.format(remote=where, local=local, peer=peer, secret=SECRET))
        return gateway
    swan = StrongSwan(namespace, directory)
    swan.configure(SWAN.format(remote=remote or "%any", local=local, peer=peer, secret=SECRET))
    return swan


@contextlib.contextmanager
def hosts(directory: Path, couple: tuple[str, str], where: str, number: int) -> Iterator[Hosts]:
    """Both running, with NATs before the near one, the far one or both."""
    room = NatRoom(number)
    with room.laid():
        if where != "far":
            room.masquerade()
        if where != "near":
            room.forward()
        goal = room.far_address if where == "near" else room.outside(1)
        near = make_host(couple[0], room.near(), directory / "near", "near.lab", "far.lab", goal)
        far = make_host(couple[1], room.far, directory / "far", "far.lab", "near.lab", "")
        try:
            far.start()
            near.start()
            yield Hosts(room, near, far, goal)
        finally:
            for daemon in (near, far):
                with contextlib.suppress(AssertionError):
                    daemon.stop()


def tcp_crosses(near: str, far: str, far_address: str, goal: str, octets: int = 200_000) -> bool:
    """Whether so many octets come back over one TCP connection."""
    server = inside(far, lambda: socket.create_server((far_address, 5002)))
    server.settimeout(5)

    def echo() -> None:
        with contextlib.suppress(OSError):
            connection, _ = server.accept()
            with connection:
                while taken := connection.recv(65536):
                    connection.sendall(taken)

    thread = threading.Thread(target=echo)
    thread.start()
    sent, came = bytes(range(250)) * (octets // 250), bytearray()
    try:
        with inside(near, lambda: socket.create_connection((goal, 5002), 5)) as client:
            client.settimeout(5)
            writer = threading.Thread(target=client.sendall, args=(sent,))
            writer.start()
            while len(came) < len(sent):
                taken = client.recv(65536)
                if not taken:
                    break
                came += taken
            writer.join()
    except OSError:
        return False
    finally:
        server.close()
        thread.join()
    return bytes(came) == sent


def udp_crosses(pair: Hosts) -> int:
    """How many of three datagrams come back."""
    room = pair.room
    return crosses(room.near(), room.near_address(), room.far, room.far_address)


@pytest.mark.parametrize("where", ["near", "far", "both"])
@pytest.mark.parametrize("couple", COUPLES, ids="-to-".join)
def test_transport_mode_goes_through_nats(tmp_path: Path, couple: tuple[str, str], where: str) -> None:
    with hosts(tmp_path, couple, where, 5) as pair:
        pair.near.up("tun", "net")
        room = pair.room
        await_true("states on both sides", lambda: len(states(room.near())) == len(states(room.far)) == 2)
        for space in (room.near(), room.far):
            assert all("espinudp" in state.text and "transport" in state.text for state in states(space)), pair.story()
        assert tcp_crosses(room.near(), room.far, room.far_address, pair.goal), pair.story()
        assert all(state.packets > 3 for space in (room.near(), room.far) for state in states(space)), pair.story()
        if where == "near":
            assert udp_crosses(pair) == 3, pair.story()


def test_a_rekeyed_child_carries_on(tmp_path: Path) -> None:
    with hosts(tmp_path, ("ikepy", "strongswan"), "near", 6) as pair:
        pair.near.up("tun", "net")
        assert isinstance(pair.near, Gateway)
        pair.near.rekey("tun", "net")
        pair.near.rekey("tun")
        room = pair.room
        assert tcp_crosses(room.near(), room.far, room.far_address, pair.goal), pair.story()
