"""ESP that arrives from another port than IKE, as from Windows behind some NATs: answers of each go where it came from."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.daemon import Daemon, End, make_daemon
from tests.lab.gateway import Gateway, await_true
from tests.lab.namespaces import crosses, sh, states
from tests.lab.nat_room import NatRoom

ESP_PORT = 40_001
SPLITTING = """table ip split {{
  chain out {{
    type filter hook postrouting priority 300
    oifname {end} udp sport 4500 @th,64,32 != 0 udp sport set {port} udp checksum set 0
  }}
  chain in {{
    type filter hook prerouting priority -300
    iifname {end} udp dport {port} udp dport set 4500 udp checksum set 0
  }}
}}
"""


def split(room: NatRoom) -> None:
    """Have the near router show ESP in UDP by a port of its own; what has the non-ESP marker stays on 4500."""
    end = f"v-{room.routers[0]}-{room.routers[1]}"
    sh("ip", "netns", "exec", room.routers[0], "nft", "-f", "-", stdin=SPLITTING.format(end=end, port=ESP_PORT))


@contextlib.contextmanager
def two_ports(directory: Path, room: NatRoom, near_kind: str) -> Iterator[tuple[Daemon, Gateway]]:
    """Near, which begins, and ikepy as far; up."""
    forced = (("strongswan", "encap = yes"), ("ikepy", "encap = true"))
    ours, theirs = room.network(0), room.network(-1)
    near_end = End(
        "near.lab", "far.lab", room.far_address, room.near_address(), ours, theirs, mobike=False, more=forced
    )
    far_end = End("far.lab", "near.lab", "", room.far_address, theirs, ours, mobike=False, dpd=2)
    near = make_daemon(near_kind, room.near(), directory / "near", {"tun": near_end})
    far = make_daemon("ikepy", room.far, directory / "far", {"tun": far_end})
    assert isinstance(far, Gateway)
    room.route(room.near(), room.inner(0))
    room.route(room.far, room.inner(-1))
    try:
        far.start()
        near.start()
        near.up("tun", "net")
        yield near, far
    finally:
        for daemon in (near, far):
            with contextlib.suppress(AssertionError):
                daemon.stop()


@pytest.mark.parametrize("near_kind", ["strongswan", "ikepy"])
def test_esp_and_ike_from_two_ports(tmp_path: Path, near_kind: str) -> None:
    room = NatRoom(8)
    with room.laid():
        split(room)
        with two_ports(tmp_path, room, near_kind) as (near, far):
            ends = room.near(), room.inner(0), room.far, room.inner(-1)
            await_apart(room, far)
            time.sleep(5)  # liveness checks of IKE go on by IKE's port, and change nothing
            assert crosses(*ends) == 3, far.log()
            await_apart(room, far)
            far.rekey("tun", "net")
            assert crosses(*ends) == 3, far.log()
            await_apart(room, far)
            far.rekey("tun")
            assert crosses(*ends) == 3, f"{far.log()}\n{near.log()}"
            await_apart(room, far)


def await_apart(room: NatRoom, far: Gateway) -> None:
    """The far end sends ESP to the port ESP comes from, and IKE to IKE's.

    The first packets of a child tell it where from; its answers to these may still go to IKE's port.
    """
    ends = room.near(), room.inner(0), room.far, room.inner(-1)

    def is_apart() -> bool:
        outbound = [state for state in states(room.far) if state.source == room.far_address]
        return bool(outbound) and all(f"dport {ESP_PORT}" in state.text for state in outbound)

    await_true("ESP goes to where it comes from", lambda: crosses(*ends) == 3 and is_apart(), 8)
    (section,) = far.call("list-sas", {}, ("list-sa",))[1]
    (ike,) = (sa for sa in section.values() if isinstance(sa, dict))
    assert ike["remote-port"] == "4500", ike
