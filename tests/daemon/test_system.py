"""Real daemons in namespaces of a real kernel: how they start, end, die and are flooded."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from ikepy.demo.play import play
from tests.lab.gateway import Gateway, await_true
from tests.lab.namespaces import add_addresses, crosses, leftovers, link, namespaces, sh, states, udp

pytestmark = [pytest.mark.system, pytest.mark.slow]

OUTER = {"near": "192.0.2.1", "far": "192.0.2.2"}
INNER = {"near": "10.1.0.1", "far": "10.2.0.1"}

CONF = """
[connections.site]
remote_addrs = ["{their_outer}"]
local = {{ auth = "psk", id = "{ours}.example" }}
remote = {{ auth = "psk", id = "{theirs}.example" }}

[connections.site.children.net]
local_ts = ["{our_inner}/24"]
remote_ts = ["{their_inner}/24"]

[secrets.site]
secret = "correct horse battery staple"
"""


@dataclass
class Pair:
    """Two gateways and the device of the near one's cable."""

    near: Gateway
    far: Gateway
    device: str


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    """Two configured gateways with a cable and all addresses; none of them runs yet."""
    with namespaces("near", "far"):
        near_device, far_device = link("near", "far")
        for name, device in (("near", near_device), ("far", far_device)):
            add_addresses(name, {device: [f"{OUTER[name]}/24"], "lo": [f"{INNER[name]}/24"]})
        gateways = {name: Gateway(name, tmp_path / name) for name in OUTER}
        for ours, theirs in (("near", "far"), ("far", "near")):
            text = CONF.format(
                ours=ours,
                theirs=theirs,
                their_outer=OUTER[theirs],
                our_inner=INNER[ours],
                their_inner=INNER[theirs],
            )
            gateways[ours].configure(text.replace("10.1.0.1/24", "10.1.0.0/24").replace("10.2.0.1/24", "10.2.0.0/24"))
        try:
            yield Pair(gateways["near"], gateways["far"], near_device)
        finally:
            for gateway in gateways.values():
                gateway.stop()


def refused(gateway: Gateway, *options: str, wrapper: tuple[str, ...] = ()) -> str:
    """Start one more daemon that cannot start; its one line."""
    outcome = subprocess.run(
        [*gateway.command(*options)[:4], *wrapper, *gateway.command(*options)[4:]],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    lines = [line for line in outcome.stderr.splitlines() if line.startswith("ikepy: ")]
    assert outcome.returncode == 1, outcome.stderr
    assert len(lines) == 1, outcome.stderr
    assert "Traceback" not in outcome.stderr
    return lines[0]


def test_a_second_daemon_is_refused_with_the_firsts_process_and_does_it_no_harm(pair: Pair, tmp_path: Path) -> None:
    pair.far.start()
    pair.near.start()
    pair.near.up("site")
    elsewhere = ("--run-dir", str(tmp_path / "elsewhere"))

    same_directory = refused(pair.near)
    same_sockets = refused(pair.near, *elsewhere)
    pair.near.configure("[daemon]\nport = 1500\nport_nat_t = 1501\n" + pair.near.conf.read_text())
    same_request_ids = refused(pair.near, *elsewhere)

    assert f"process {pair.near.pid}" in same_directory
    assert "UDP port 500 of 0.0.0.0 is taken" in same_sockets
    assert f"process {pair.near.pid}" in same_sockets
    assert f"process {pair.near.pid}" in same_request_ids
    assert "reqid_base" in same_request_ids
    assert crosses("near", INNER["near"], "far", INNER["far"]) == 3


def test_without_cap_net_admin_one_line_says_so(pair: Pair) -> None:
    without = ("setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin")

    assert "CAP_NET_ADMIN" in refused(pair.near, wrapper=without)


def test_a_killed_daemons_states_policies_and_routes_are_taken_out_by_the_next(pair: Pair) -> None:
    pair.far.start()
    pair.near.start()
    pair.near.up("site")
    os.kill(pair.near.pid, signal.SIGKILL)
    await_true("the killed daemon is gone", lambda: not pair.near.is_running)
    assert len(states("near")) == 2

    pair.near.start()

    assert leftovers("near") == ""
    assert "removed" in pair.near.log()
    pair.near.up("site")
    assert crosses("near", INNER["near"], "far", INNER["far"]) == 3


def test_a_daemon_whose_peer_is_dead_ends_within_5_seconds_and_leaves_nothing(pair: Pair) -> None:
    pair.far.start()
    pair.near.start()
    pair.near.up("site")
    sh("ip", "-n", "near", "link", "set", pair.device, "down")

    began = time.monotonic()
    code = pair.near.stop()

    assert code == 0
    assert time.monotonic() - began < 5
    assert leftovers("near") == ""


def test_a_stopped_daemon_leaves_neither_the_kernel_nor_its_peer_anything(pair: Pair) -> None:
    pair.far.start()
    pair.near.start()
    pair.near.up("site")
    assert "10.2.0.0/24" in sh("ip", "-n", "near", "route", "show", "table", "all")

    assert pair.near.stop() == 0

    assert leftovers("near") == ""
    assert "10.2.0.0/24" not in sh("ip", "-n", "near", "route", "show", "table", "all")
    await_true("the peer has deleted its states", lambda: not states("far"))


def test_an_address_that_appears_later_is_used(pair: Pair) -> None:
    sh("ip", "-n", "near", "address", "delete", f"{OUTER['near']}/24", "dev", pair.device)
    pair.far.start()
    pair.near.start()

    add_addresses("near", {pair.device: [f"{OUTER['near']}/24"]})
    pair.near.up("site")

    assert crosses("near", INNER["near"], "far", INNER["far"]) == 3


def test_a_flood_of_rubbish_leaves_it_answering_with_a_short_log(pair: Pair) -> None:
    pair.far.start()
    pair.near.start()
    luck = random.Random(7)
    with udp("near", OUTER["near"]) as stranger:
        for _ in range(10_000):
            octets = bytearray(luck.randbytes(luck.choice((0, 1, 5, 27, 28, 60, 400))))
            if len(octets) >= 28:
                octets[8:24] = bytes(9) + b"\x20\x22\x08" + bytes(4)
                octets[24:28] = len(octets).to_bytes(4, "big")
            stranger.sendto(octets, (OUTER["far"], luck.choice((500, 4500))))

    pair.near.up("site")

    assert crosses("near", INNER["near"], "far", INNER["far"]) == 3
    log = (pair.far.directory / "ikepy.log").read_text()
    assert len(log.splitlines()) < 2500
    assert "fault" not in log


def test_the_demonstration_ends_well_and_takes_everything_down() -> None:
    before = sh("ip", "netns")
    shown = StringIO()

    code = play(Console(file=shown, width=100))

    assert code == 0, shown.getvalue()
    assert "nothing left in its kernel" in shown.getvalue()
    assert sh("ip", "netns") == before


def test_an_interrupted_demonstration_takes_everything_down() -> None:
    before = sh("ip", "netns")
    with subprocess.Popen([sys.executable, "-m", "ikepy", "demo"], stdout=subprocess.DEVNULL) as demo:
        await_true("the demonstration has its namespaces", lambda: sh("ip", "netns") != before, 20)
        demo.send_signal(signal.SIGINT)
        assert demo.wait(20) == 130

    assert sh("ip", "netns") == before
