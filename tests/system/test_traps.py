"""Traps bring the tunnel up with their first packet; shunts pass and drop beside a tunnel.

What becomes of a trap's first packets is the kernel's business (net.core.xfrm_larval_drop); see docs/operating.md.
"""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

import pytest

from tests.lab.gateway import await_true
from tests.lab.namespaces import Wire, add_addresses, addresses_of, crosses, inside, policies, sh, states, udp
from tests.lab.pair import Pair, Wanted
from tests.lab.pairs import PEERS, Print, await_all, each, report, rooms, start_far_first
from tests.lab.strongswan import StrongSwan

__all__ = ["report"]
SENT = 20
ESP = 50
IKE_PORTS = (500).to_bytes(2, "big"), (4500).to_bytes(2, "big")


def lay(pair: Pair) -> None:
    """Cable and addresses; all that has no other route goes to the other side, as in a site that has one provider."""
    pair.lay()
    for space, other, side in zip(pair.spaces, (2, 1), (1, 2), strict=True):
        how = ["via", pair.outer(other), "src", pair.inner(side)]
        sh("ip", "-n", space, "route", "replace", "default", *how)


def set_larval_drop(space: str, value: int) -> None:
    inside(space, lambda: Path("/proc/sys/net/core/xfrm_larval_drop").write_text(str(value)))


def first_packets(pair: Pair) -> dict[int, float]:
    """Send some while the tunnel is not there yet; which arrive, and how many seconds after the first was sent."""
    came = {}
    with udp(pair.spaces[0], pair.inner(1)) as client, udp(pair.spaces[1], pair.inner(2), 5001) as server:
        server.settimeout(3)
        began = time.monotonic()
        for number in range(SENT):
            with contextlib.suppress(OSError):
                client.sendto(b"%d" % number, (pair.inner(2), 5001))
            time.sleep(0.002)
        with contextlib.suppress(OSError):
            while len(came) < SENT:
                came[int(server.recv(100))] = time.monotonic() - began
    return came


@pytest.mark.parametrize("larval_drop", [0, 1])
def test_the_first_packet_brings_the_tunnel_up(tmp_path: Path, report: Print, larval_drop: int) -> None:
    pairs = [Pair(number, peer, tmp_path / peer, Wanted(begins="trap")) for number, peer in enumerate(PEERS, 1)]
    with rooms(pairs):
        for pair in pairs:
            lay(pair)
            pair.configure()
            set_larval_drop(pair.spaces[0], larval_drop)
        each(pairs, start_far_first)
        for pair in pairs:
            await_true(f"{pair}: the trap is there", lambda pair=pair: policies(pair.spaces[0]))
            assert not states(pair.spaces[0])
            wire = Wire(*zip(pair.spaces, pair.ends, strict=True))
            came = first_packets(pair)
            for each_packet in wire.packets():
                assert addresses_of(each_packet)[2] != 17 or set(IKE_PORTS) & {
                    each_packet[20:22],
                    each_packet[22:24],
                }, "in clear"
            wire.close()
            with_waits = f"{len(came)} of {SENT} came, the last after {max(came.values(), default=0):.2f} s"
            report(f"xfrm_larval_drop {larval_drop}, {with_waits}", await_all([pair], 20))
            if larval_drop == 0:
                assert len(came) == SENT, f"{pair}: {came}\n{pair.story()}"


def test_a_tunnel_the_peer_has_closed_comes_up_again_with_the_next_packet(tmp_path: Path, report: Print) -> None:
    pairs = [Pair(number, peer, tmp_path / peer, Wanted(begins="trap")) for number, peer in enumerate(PEERS, 1)]
    with rooms(pairs):
        for pair in pairs:
            lay(pair)
            pair.configure()
        each(pairs, start_far_first)
        await_all(pairs, 20)
        for pair in pairs:
            pair.right.down("pair")
            await_true(f"{pair}: all states are gone", lambda pair=pair: not states(pair.spaces[0]))
        report("a packet after the peer's DELETE", await_all(pairs, 20))


def shunts(pair: Pair, side: int) -> str:
    """A hole in the tunnel for one address of far, and (near) a network of far that nobody may speak to."""
    printer, forbidden = f"172.28.{pair.number}.9/32", f"172.66.{pair.number}.0/24"
    if side == 2 and isinstance(pair.right, StrongSwan):
        return f"""printers {{
        mode = pass
        start_action = trap
        local_ts = {printer}
        remote_ts = {pair.network(1)}
      }}"""
    local, remote = (pair.network(1), printer) if side == 1 else (printer, pair.network(1))
    passes = f'[connections.pair.children.printers]\nmode = "pass"\nlocal_ts = ["{local}"]\nremote_ts = ["{remote}"]\n'
    drops = f'[connections.pair.children.forbidden]\nmode = "drop"\nremote_ts = ["{forbidden}"]\n'
    return passes + drops if side == 1 else passes


def test_shunts_pass_in_clear_and_drop_beside_a_tunnel(tmp_path: Path) -> None:
    pairs = [Pair(number, peer, tmp_path / peer, Wanted(begins="start")) for number, peer in enumerate(PEERS, 1)]
    with rooms(pairs):
        for pair in pairs:
            pair.near.more, pair.far.more = shunts(pair, 1), shunts(pair, 2)
            lay(pair)
            more = [f"172.28.{pair.number}.9/32", f"172.66.{pair.number}.1/32", f"172.67.{pair.number}.1/32"]
            add_addresses(pair.spaces[1], {"lo": more})
            pair.configure()
        each(pairs, start_far_first)
        await_all(pairs, 20)
        for pair in pairs:
            look_at_shunts(pair)


def look_at_shunts(pair: Pair) -> None:
    near, far = pair.spaces
    wire = Wire(*zip(pair.spaces, pair.ends, strict=True))

    def seen(far_address: str, came: int) -> list[int]:
        """The protocols on the cable while datagrams go to that address, which come back or do not."""
        wire.packets()
        assert crosses(near, pair.inner(1), far, far_address, count=2) == came, f"{pair}, {far_address}\n{pair.story()}"
        ports = (b"\x01\xf4", b"\x11\x94")
        return [addresses_of(each)[2] for each in wire.packets() if each[20:22] not in ports]

    assert seen(pair.inner(2), 2) == [ESP] * 4
    assert seen(f"172.28.{pair.number}.9", 2) == [17] * 4, "passed in clear, there and back"
    assert seen(f"172.67.{pair.number}.1", 2) == [17] * 4, "no policy: in clear"
    assert seen(f"172.66.{pair.number}.1", 0) == [], "dropped before the cable"
    assert crosses(far, f"172.66.{pair.number}.1", near, pair.inner(1), count=1) == 0, "what comes from there as well"
    wire.close()
