"""Debian's swanctl against the control server."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path

import pytest
import trio

from ikepy.config.model import Config
from ikepy.daemon.api import InitiateOutcome, TerminateOutcome, TerminateWish
from ikepy.ike.events import ChildSaUp, IkeSaDown, IkeSaUp
from tests.support.control_client import Stage, play
from tests.support.fake_daemon import CONNECTING, FakeDaemon, make_child, make_connection, make_ike

SWANCTL = shutil.which("swanctl", path="/usr/sbin:/usr/bin:/sbin:/bin")
pytestmark = pytest.mark.skipif(SWANCTL is None, reason="swanctl is not installed (Debian: strongswan-swanctl)")


def swanctl(directory: Path, daemon: FakeDaemon, *words: str) -> tuple[int, str]:
    """The exit code and all output."""
    said: list[tuple[int, str]] = []

    async def scene(stage: Stage) -> None:
        assert SWANCTL is not None
        with trio.fail_after(20):
            done = await trio.run_process(
                [SWANCTL, *words, "--uri", f"unix://{stage.path}"],
                capture_stdout=True,
                capture_stderr=True,
                check=False,
            )
        said.append((done.returncode, (done.stdout + done.stderr).decode()))

    play(directory, daemon, scene, real_time=True)
    return said[0]


def make_daemon() -> FakeDaemon:
    site = make_ike(children=(make_child(), make_child("net6", 2, remote=("2001:db8:2::/48",), encap=True)))
    config = Config(connections=(make_connection("site", "net", "net6"), make_connection("branch")))
    daemon = FakeDaemon(config=config, sas=[site, make_ike("branch", 2, **CONNECTING)])
    daemon.count(site.children[0], 840, 1680)
    return daemon


def test_version(tmp_path: Path) -> None:
    code, said = swanctl(tmp_path, make_daemon(), "--version", "--daemon")
    assert code == 0
    assert "1.2.3 ikepy (Linux" in said


def test_stats(tmp_path: Path) -> None:
    code, said = swanctl(tmp_path, make_daemon(), "--stats")
    assert code == 0
    assert "IKE_SAs: 2 total, 0 half-open" in said
    assert "(null)" not in said


def test_list_sas(tmp_path: Path) -> None:
    code, said = swanctl(tmp_path, make_daemon(), "--list-sas")
    assert code == 0
    lines = [line.strip() for line in said.splitlines()]
    assert "site: #1, ESTABLISHED, IKEv2, 7d0c000000000001_i* 1122334455667788_r" in lines
    assert "local  'left.example.com' @ 192.0.2.1[500]" in lines
    assert "AES_GCM_16-256/PRF_HMAC_SHA2_256/CURVE_25519" in lines
    assert "established 3061s ago" in lines
    assert "net: #1, reqid 484442113, INSTALLED, TUNNEL, ESP:AES_GCM_16-256" in lines
    assert "net6: #2, reqid 484442114, INSTALLED, TUNNEL-in-UDP, ESP:AES_GCM_16-256" in lines
    assert any(line.startswith("in  c0a81f01,    840 bytes,    10 packets") for line in lines)
    assert "remote 2001:db8:2::/48" in lines
    assert "branch: #2, CONNECTING, IKEv2, 7d0c000000000002_i* 0000000000000000_r" in lines
    assert "(null)" not in said


def test_list_sas_raw_has_its_keys_in_charons_order(tmp_path: Path) -> None:
    code, said = swanctl(tmp_path, make_daemon(), "--list-sas", "--raw", "--ike", "site", "--child", "net")
    assert code == 0
    line, reply = said.splitlines()
    assert reply == "list-sas reply {}"
    assert line.startswith(
        "list-sa event {site {uniqueid=1 version=2 state=ESTABLISHED local-host=192.0.2.1 local-port=500 "
        "local-id=left.example.com remote-host=203.0.113.2 remote-port=500 remote-id=right.example.com initiator=yes "
    )
    assert "child-sas {net-1 {name=net uniqueid=1 reqid=484442113 state=INSTALLED mode=TUNNEL protocol=ESP " in line
    assert line.endswith("local-ts=[10.1.0.0/16] remote-ts=[10.2.0.0/16]}}}}")


def test_list_conns(tmp_path: Path) -> None:
    code, said = swanctl(tmp_path, make_daemon(), "--list-conns")
    assert code == 0
    assert "site: IKEv2, no reauthentication, no rekeying" in said
    assert "  net6: TUNNEL, no rekeying" in said
    assert "(null)" not in said


def test_initiate_prints_progress_and_success(tmp_path: Path) -> None:
    daemon = make_daemon()
    daemon.says = ("7d0c…01 > IKE_SA_INIT request 0, 300 octets, 203.0.113.2:500: SA KE No",)
    code, said = swanctl(tmp_path, daemon, "--initiate", "--ike", "site", "--child", "net", "--timeout", "7")
    assert (code, daemon.initiated) == (0, [("site", "net", 7.0)])
    assert "[IKE] 7d0c...01 > IKE_SA_INIT request 0, 300 octets" in said
    assert "initiate completed successfully" in said


def test_initiate_prints_why_not(tmp_path: Path) -> None:
    daemon = make_daemon()
    daemon.initiating = InitiateOutcome(succeeded=False, reason="the peer answered NO_PROPOSAL_CHOSEN")
    code, said = swanctl(tmp_path, daemon, "--initiate", "--child", "net")
    assert code != 0
    assert "the peer answered NO_PROPOSAL_CHOSEN" in said


@pytest.mark.parametrize(
    ("words", "wish"),
    [
        (("--ike", "site"), TerminateWish(ike="site")),
        (("--child", "net"), TerminateWish(child="net")),
        (("--ike-id", "1"), TerminateWish(ike_id=1)),
        (("--child-id", "2", "--force"), TerminateWish(child_id=2, force=True)),
    ],
)
def test_terminate_says_what_is_meant(tmp_path: Path, words: tuple[str, ...], wish: TerminateWish) -> None:
    daemon = make_daemon()
    code, said = swanctl(tmp_path, daemon, "--terminate", *words)
    assert code == 0
    assert [each for each, _ in daemon.terminated] == [wish]
    assert "terminate completed successfully" in said


def test_terminate_of_nothing_is_a_failure(tmp_path: Path) -> None:
    daemon = make_daemon()
    daemon.terminating = TerminateOutcome(0, 0, "no SA fits")
    code, said = swanctl(tmp_path, daemon, "--terminate", "--ike", "nobody")
    assert code != 0
    assert "no SA fits" in said


def test_a_command_that_is_not_served_is_refused_and_harms_nobody(tmp_path: Path) -> None:
    code, said = swanctl(tmp_path, make_daemon(), "--list-pools")
    assert code != 0
    assert "failed" in said


def test_monitor_sa_prints_ups_and_downs(tmp_path: Path) -> None:
    daemon = make_daemon()
    ike = daemon.sas[0]
    said = tmp_path / "said"

    async def scene(stage: Stage) -> None:
        with said.open("wb") as output, trio.fail_after(20):
            command = ["stdbuf", "-oL", SWANCTL, "--monitor-sa", "--raw", "--uri", f"unix://{stage.path}"]
            async with trio.open_nursery() as nursery:
                await nursery.start(partial(trio.run_process, command, stdout=output, check=False))
                # Nothing tells when it has registered for both: say it all again until it has.
                while "child-updown event {up=yes" not in said.read_text():
                    for event in (IkeSaUp(ike), ChildSaUp(ike, ike.children[0]), IkeSaDown(ike, "terminated")):
                        daemon.publish(event)
                    await trio.sleep(0.02)
                nursery.cancel_scope.cancel()

    play(tmp_path, daemon, scene, real_time=True)
    lines = said.read_text().splitlines()
    assert any(line.startswith("ike-updown event {up=yes site {uniqueid=1 ") for line in lines)
    assert any(line.startswith("ike-updown event {site {uniqueid=1 ") for line in lines)
    child = next(line for line in lines if line.startswith("child-updown event {up=yes site {uniqueid=1 "))
    assert "child-sas {net-1 {" in child
    assert "net6" not in child
