"""Datagrams that are next to nothing, and ESP of no state of ours, on ports 500 and 4500: nothing answers, nothing breaks."""

from __future__ import annotations

import contextlib
import json
import random
import time
from collections.abc import Iterator
from pathlib import Path

from tests.lab.daemon import Daemon, End, make_daemon
from tests.lab.gateway import Gateway
from tests.lab.namespaces import crosses, states, udp
from tests.lab.nat_room import NatRoom
from tests.lab.traffic import drops

MARKER = bytes(4)


def small_datagrams(seed: int) -> list[bytes]:
    """All lengths from 0 to 27, of zeros, of ones and of chance."""
    chance = random.Random(seed)
    found = [b"\xff", MARKER, MARKER + b"\xff"]
    for length in range(28):
        found += [bytes(length), b"\xff" * length, chance.randbytes(length)]
    return found


def foreign_esp(seed: int) -> list[bytes]:
    """ESP with SPIs nobody has, reserved ones too."""
    chance = random.Random(seed)
    spis = (1, 255, 256, 0xFFFFFFFF, chance.getrandbits(32) | 0x100)
    return [spi.to_bytes(4, "big") + chance.randbytes(length) for spi in spis for length in (0, 1, 4, 12, 60, 1200)]


@contextlib.contextmanager
def tunnel(directory: Path, room: NatRoom) -> Iterator[tuple[Gateway, Daemon]]:
    """A tunnel between ikepy, the first of both, and strongSwan, up."""
    near_end = End("near.lab", "far.lab", room.far_address, room.near_address(), room.network(0), room.network(-1))
    far_end = End("far.lab", "near.lab", "", room.far_address, room.network(-1), room.network(0))
    near = make_daemon("strongswan", room.near(), directory / "near", {"tun": near_end})
    far = make_daemon("ikepy", room.far, directory / "far", {"tun": far_end})
    assert isinstance(far, Gateway)
    room.route(room.near(), room.inner(0))
    room.route(room.far, room.inner(-1))
    try:
        far.start()
        near.start()
        near.up("tun", "net")
        yield far, near
    finally:
        for daemon in (near, far):
            with contextlib.suppress(AssertionError):
                daemon.stop()


def throw(room: NatRoom, seed: int) -> int:
    """Send all of it from a stranger's socket, which hears no answer; how many were as short on port 500, or marked."""
    small = small_datagrams(seed)
    marked = [MARKER + octets for octets in small]
    with udp(room.near(), room.near_address()) as stranger:
        for octets in small:
            stranger.sendto(octets, (room.far_address, 500))
        for octets in (*small, *marked, *foreign_esp(seed)):
            stranger.sendto(octets, (room.far_address, 4500))
        stranger.settimeout(1)
        with contextlib.suppress(TimeoutError):
            raise AssertionError(f"answered: {stranger.recv(2000)!r}")
    zeros = [octets for octets in small if octets[:4] == MARKER]
    return len(small) + len(marked) + len(zeros)


def lines(gateway: Gateway) -> int:
    """How many lines its log has."""
    return len((gateway.directory / "ikepy.log").read_text().splitlines())


def unknown_spis(namespace: str) -> int:
    """How much ESP the kernel found no state for."""
    return drops(namespace).get("XfrmInNoStates", 0)


def test_small_datagrams_and_unknown_esp_change_nothing(tmp_path: Path) -> None:
    seed = time.time_ns() & 0xFFFF
    print("seed", seed)
    room = NatRoom(7)
    with room.laid(), tunnel(tmp_path, room) as (far, _near):
        before, unknown = lines(far), unknown_spis(room.far)
        short = throw(room, seed)
        ends = room.near(), room.inner(0), room.far, room.inner(-1)
        assert crosses(*ends) == 3, far.log()
        assert far.is_running
        status = json.loads(far.ikepy("status", "--json"))
        counted = {reason: int(n) for reason, n in (status[0] if isinstance(status, list) else status)["drops"].items()}
        assert counted["shorter than an IKE header"] == short, counted
        assert counted["shorter than a non-ESP marker"] >= 4, counted
        assert counted["ESP that the kernel did not take"] >= 10, counted
        # What is long enough to be ESP, the kernel takes and finds nobody for.
        assert unknown_spis(room.far) - unknown >= 20
        assert lines(far) - before < 60
        assert len(states(room.far)) == 2
