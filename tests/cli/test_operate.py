"""`ikepy status`, `up` and `down` on daemons behind real sockets."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from ikepy.daemon.api import InitiateOutcome, TerminateOutcome, TerminateWish
from tests.cli.conftest import Said
from tests.support.fake_daemon import FakeDaemon, make_ike, make_policy

Ikepy = Callable[..., Said]
Serve = Callable[..., Path]


# -- up and down -------------------------------------------------------------------------------------------------


def test_up_tells_progress_on_standard_error_and_the_outcome_on_standard_output(ikepy: Ikepy, serve: Serve) -> None:
    daemon = FakeDaemon(sas=[make_ike()], says=("7d0c…01 > IKE_SA_INIT request 0, 300 octets",))
    serve(daemon)
    said = ikepy("up", "site")
    assert said == Said(0, "site is up\n", "7d0c...01 > IKE_SA_INIT request 0, 300 octets\n")
    assert daemon.initiated == [("site", None, 120.0)]


def test_up_brings_up_one_child_and_waits_as_long_as_told(ikepy: Ikepy, serve: Serve) -> None:
    daemon = FakeDaemon()
    serve(daemon)
    assert ikepy("up", "site", "net", "--timeout", 5) == Said(0, "site/net is up\n", "")
    assert daemon.initiated == [("site", "net", 5.0)]


def test_up_that_fails_says_why_in_one_sentence(ikepy: Ikepy, serve: Serve) -> None:
    serve(FakeDaemon(initiating=InitiateOutcome(succeeded=False, reason="the peer answered NO_PROPOSAL_CHOSEN")))
    said = ikepy("up", "site")
    assert (said.code, said.out) == (1, "")
    assert said.line == "ikepy: site is not up: the peer answered NO_PROPOSAL_CHOSEN"


def test_down_ends_a_connection_or_a_child(ikepy: Ikepy, serve: Serve) -> None:
    daemon = FakeDaemon()
    serve(daemon)
    assert ikepy("down", "site") == Said(0, "site is down\n", "")
    assert ikepy("down", "site", "net") == Said(0, "site/net is down\n", "")
    assert [wish for wish, _ in daemon.terminated] == [TerminateWish("site"), TerminateWish("site", child="net")]


def test_down_of_what_is_not_up_says_so(ikepy: Ikepy, serve: Serve) -> None:
    serve(FakeDaemon(terminating=TerminateOutcome(0, 0, "no SA fits")))
    said = ikepy("down", "site")
    assert (said.code, said.line) == (1, "ikepy: site is not up: see `ikepy status`")


def test_down_that_fails_says_what_is_left(ikepy: Ikepy, serve: Serve) -> None:
    serve(FakeDaemon(terminating=TerminateOutcome(2, 1, "1 of 2 not gone after 30 seconds")))
    said = ikepy("down", "site")
    assert (said.code, said.line) == (1, "ikepy: site is not down: 1 of 2 not gone after 30 seconds")


# -- which daemon ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [("status",), ("up", "site"), ("down", "site")])
def test_without_a_daemon_one_line_says_what_to_do(ikepy: Ikepy, serve: Serve, command: tuple[str, ...]) -> None:
    said = ikepy(*command)
    assert (said.code, said.out) == (1, "")
    assert said.line.startswith("ikepy: no daemon is running: start one with `ikepy --conf FILE`")


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("option", ["--conf", "--run-dir"])
def test_conf_and_run_dir_pick_a_daemon_before_the_command_and_behind_it(
    ikepy: Ikepy, serve: Serve, before: bool, option: str
) -> None:
    daemon = FakeDaemon()
    serve(FakeDaemon(), "other")
    directory = serve(daemon, "site")
    words = [option, "/etc/ikepy/site.conf" if option == "--conf" else directory]
    assert ikepy(*([*words, "up", "site"] if before else ["up", "site", *words])).code == 0
    assert len(daemon.initiated) == 1


def test_of_several_daemons_up_wants_one_picked(ikepy: Ikepy, serve: Serve) -> None:
    serve(FakeDaemon(), "left")
    serve(FakeDaemon(), "right")
    said = ikepy("up", "site")
    assert (said.code, said.line) == (
        1,
        "ikepy: several daemons are running (left, right): pick one with --conf or --run-dir",
    )


def test_status_shows_all_daemons_that_run_and_none_that_was_killed(ikepy: Ikepy, serve: Serve, tmp_path: Path) -> None:
    serve(FakeDaemon(pid=11), "left")
    serve(FakeDaemon(pid=22), "right")
    killed = tmp_path / "run" / "killed"
    killed.mkdir()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as left_behind:
        left_behind.bind(str(killed / "control.sock"))
    said = ikepy("status")
    assert said.code == 0
    assert "process 11" in said.out
    assert "process 22" in said.out
    assert "killed" not in said.out


def test_a_named_daemon_that_was_killed_is_said_not_to_run(ikepy: Ikepy, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as left_behind:
        left_behind.bind(str(tmp_path / "control.sock"))
    said = ikepy("status", "--run-dir", tmp_path)
    assert said.code == 1
    assert said.line.startswith(f"ikepy: no daemon is running in {tmp_path}: start it")


def test_a_daemon_that_ends_meanwhile_is_said_so(ikepy: Ikepy, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(tmp_path / "control.sock"))
        listener.listen(1)

        def hang_up() -> None:
            listener.accept()[0].close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        said = ikepy("status", "--run-dir", tmp_path)
        thread.join()
    assert said.code == 1
    assert "ended the connection" in said.line


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_whoever_may_not_is_told_to_be_root(ikepy: Ikepy, serve: Serve, tmp_path: Path) -> None:
    directory = serve(FakeDaemon())
    directory.chmod(0o700)
    os.seteuid(65534)
    try:
        by_name, found = ikepy("status", "--run-dir", directory), ikepy("status")
    finally:
        os.seteuid(0)
    for said in (by_name, found):
        assert said.code == 1
        assert said.line.endswith("run this as root")


# -- status ------------------------------------------------------------------------------------------------------


def test_status_as_json_has_everything(ikepy: Ikepy, serve: Serve) -> None:
    directory = serve(FakeDaemon(sas=[make_ike()]))
    (daemon,) = json.loads(ikepy("status", "--json").out)
    assert (daemon["run-dir"], daemon["pid"], daemon["idle"]) == (str(directory), "4711", [])
    (sa,) = daemon["sas"]
    assert (sa["connection"], sa["state"]) == ("site", "ESTABLISHED")
    assert sa["children"]["net-1"]["remote-ts"] == ["10.2.0.0/16"]


def test_status_has_traps_and_shunts(ikepy: Ikepy, serve: Serve) -> None:
    serve(FakeDaemon(placed=[make_policy("web")]))
    (daemon,) = json.loads(ikepy("status", "--json").out)
    assert [(policy["ike"], policy["child"], policy["mode"]) for policy in daemon["policies"]] == [
        ("site", "web", "TUNNEL")
    ]
    assert "site/web  trap  10.1.3.0/24 = 10.2.3.0/24\n" in ikepy("status").out


def test_status_in_a_pipe_has_a_row_in_a_line_without_colours(ikepy: Ikepy, serve: Serve) -> None:
    daemon = FakeDaemon(sas=[make_ike(ids=("left.example.com", "C=DE, O=" + "Example " * 30 + ", CN=x"))])
    serve(daemon)
    said = ikepy("status")
    assert (said.code, said.err) == (0, "")
    (line,) = [line for line in said.out.splitlines() if "ESTABLISHED" in line]
    assert line.startswith("site")
    assert "CN=x at 203.0.113.2:500" in line
    assert "\x1b" not in said.out
    assert all(line == line.rstrip() for line in said.out.splitlines())
