"""updown programs: run without a shell, in order, for so long and no longer, with what peers say as harmless data."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path

import pytest
import trio

from ikepy.config.load import load
from ikepy.config.model import ChildConfig, Config, ConnectionConfig
from ikepy.daemon.hook_values import MOST_CHARACTERS, environment_of, harmless
from ikepy.daemon.hooks import MOST_SAID, MOST_WAITING, Hooks
from ikepy.ike.actions import Path as Way
from ikepy.ike.actions import SocketAddress
from ikepy.ike.events import (
    ChildSaDown,
    ChildSaUp,
    ChildSnapshot,
    Event,
    HookFailed,
    IkeSaMoved,
    IkeSnapshot,
    Session,
)
from ikepy.ipsec import Mode
from ikepy.trace.log import word_event
from ikepy.wire.payloads import Identification
from ikepy.wire.registry import IdType
from tests.kernel.rig import make_child

HERE, THERE = SocketAddress(IPv4Address("192.0.2.1"), 4500), SocketAddress(IPv4Address("203.0.113.9"), 40000)
CHILD = ChildSnapshot("net", 7, "INSTALLED", Mode.TUNNEL, None, (), (), None, encap=True, installed_at=0.0)  # type: ignore[arg-type]
HOSTILE = [b"$(reboot)", b"`reboot`", b"a\nIKEPY_USER=root", b"-rf", b"\xff\xfe\x00", b"() { :;}; reboot", b"x" * 65536]


def ike(identity: bytes = b"peer.example", user: str | None = "alice") -> IkeSnapshot:
    return IkeSnapshot(
        "office", 3, "ESTABLISHED", False, b"i" * 8, b"r" * 8, Way(HERE, THERE, non_esp_marker=True),
        Identification(IdType.ID_FQDN, b"gate.example"), Identification(IdType.ID_FQDN, identity), None, 0.0, 0.0, None,
        None, False, True, (CHILD,), session=Session("EAP-MSCHAPv2", user, ("staff", "it"), (IPv4Address("10.9.0.10"),)),
    )  # fmt: skip


def script(directory: Path, body: str) -> Path:
    path = directory / "updown"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


def configured(program: Path | None, seconds: float = 5.0) -> Config:
    config = Config()
    child = ChildConfig("net", updown=program)
    connection = ConnectionConfig("office", None, None, children=(child,))  # type: ignore[arg-type]
    return replace(config, connections=(connection,), daemon=replace(config.daemon, hook_timeout=seconds))


def play(config: Config, *events: Event) -> list[Event]:
    """Let a daemon's programs run for these events; what is published."""
    published: list[Event] = []

    async def act() -> None:
        hooks = Hooks(config, published.append)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(hooks.serve)
            for event in events:
                hooks.note(event)
            await hooks.finish(lambda: False)
            nursery.cancel_scope.cancel()

    trio.run(act)
    return published


def told_of(directory: Path, event: Event) -> dict[str, str]:
    """What a program found in its environment."""
    out = directory / "out"
    program = script(directory, f"env -0 > {out}.part; mv {out}.part {out}")
    assert play(configured(program), event) == []
    return dict(line.decode().split("=", 1) for line in out.read_bytes().split(b"\0") if line)


def test_a_program_is_told_who_came_and_nothing_of_the_daemons_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_OF_THE_DAEMON", "1")
    child = replace(CHILD, spec=make_child(5))
    found = told_of(tmp_path, ChildSaUp(ike(), child))
    assert found["IKEPY_EVENT"] == "up"
    assert found["IKEPY_CONNECTION"] == "office"
    assert found["IKEPY_CHILD"] == "net"
    assert (found["IKEPY_REMOTE"], found["IKEPY_REMOTE_PORT"]) == ("203.0.113.9", "40000")
    assert (found["IKEPY_USER"], found["IKEPY_GROUPS"], found["IKEPY_LENT"]) == ("alice", "staff it", "10.9.0.10")
    assert int(found["IKEPY_SPI_IN"], 16) == child.spec.inbound.spi if child.spec else False
    assert "SECRET_OF_THE_DAEMON" not in found
    assert {name for name in found if not name.startswith("IKEPY_")} <= {"PATH", "LANG", "PWD", "SHLVL", "_", "OLDPWD"}


def test_every_variable_is_there_at_every_call() -> None:
    bare = replace(ike(), session=None, local_id=None, remote_id=None)
    assert environment_of("up", bare, CHILD, "").keys() == environment_of("down", ike(), CHILD, "deleted").keys()


@pytest.mark.parametrize("octets", HOSTILE, ids=lambda octets: octets[:12].hex())
def test_what_a_peer_says_is_data(tmp_path: Path, octets: bytes) -> None:
    name = octets.decode("utf-8", "surrogateescape")
    found = told_of(tmp_path, ChildSaDown(ike(octets, name), CHILD, f"deleted by {name}"))
    for variable in ("IKEPY_REMOTE_ID", "IKEPY_USER", "IKEPY_REASON"):
        value = found[variable]
        assert value.isprintable()
        assert len(value) <= MOST_CHARACTERS
    assert found["IKEPY_CONNECTION"] == "office"


def test_text_that_is_no_text_is_escaped() -> None:
    assert harmless("a\nb\x00\udcff\u202e") == "a\\x0ab\\x00\\xff\\xe2\\x80\\xae"
    assert harmless("gärtner") == "gärtner"


def test_calls_of_a_child_come_in_order(tmp_path: Path) -> None:
    out = tmp_path / "out"
    program = script(tmp_path, f'[ "$1" = up ] && sleep 0.2; echo "$1 $IKEPY_REASON" >> {out}')
    moved = replace(ike(), children=(CHILD,))
    play(configured(program), ChildSaUp(ike(), CHILD), IkeSaMoved(moved, moved.path), ChildSaDown(ike(), CHILD, "over"))
    assert out.read_text().splitlines() == ["up ", "moved ", "down over"]


def test_one_that_takes_too_long_is_killed_with_all_it_began(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    pid = tmp_path / "pid"
    program = script(tmp_path, f"sleep 300 & echo $! > {pid}; echo waiting; wait")
    began = time.monotonic()
    (failed,) = play(configured(program, 1.0), ChildSaUp(ike(), CHILD))
    assert isinstance(failed, HookFailed)
    assert "more than 1 s" in failed.reason
    assert "it said: waiting" in failed.reason
    assert "updown of connection office, child net failed" in caplog.text
    assert time.monotonic() - began < 60
    assert not _is_alive(int(pid.read_text()))


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in {"Z", "X"}
    except OSError:
        return False


@pytest.mark.parametrize(
    ("body", "word"),
    [("echo no such table >&2; exit 3", "ended with 3; it said: no such table"), ("kill -9 $$", "signal 9 ended it")],
)
def test_a_failure_is_told_of_in_words(tmp_path: Path, body: str, word: str) -> None:
    (failed,) = play(configured(script(tmp_path, body)), ChildSaUp(ike(), CHILD))
    assert isinstance(failed, HookFailed)
    assert word in failed.reason
    assert word in word_event(failed)


def test_one_that_is_gone_or_no_program_is_told_of(tmp_path: Path) -> None:
    path = tmp_path / "updown"
    (failed,) = play(configured(path), ChildSaUp(ike(), CHILD))
    assert isinstance(failed, HookFailed)
    assert "cannot be run: No such file" in failed.reason
    path.write_text("no program")
    path.chmod(0o755)
    (failed,) = play(configured(path), ChildSaUp(ike(), CHILD))
    assert isinstance(failed, HookFailed)
    assert "first line" in failed.reason


def test_what_it_leaves_running_lives_on_and_holds_up_nothing(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    program = script(tmp_path, f"sleep 300 & echo $! > {pid}")
    assert play(configured(program, 30.0), ChildSaUp(ike(), CHILD)) == []
    number = int(pid.read_text())
    assert _is_alive(number)
    os.kill(number, 9)


def test_one_that_talks_without_end_costs_no_memory(tmp_path: Path) -> None:
    program = script(tmp_path, "head -c 3000000 /dev/zero | tr '\\0' x; exit 1")
    (failed,) = play(configured(program), ChildSaUp(ike(), CHILD))
    assert isinstance(failed, HookFailed)
    assert len(failed.reason) < MOST_SAID + 200


def test_a_child_that_flaps_faster_than_its_program_waits_in_a_queue_with_an_end(tmp_path: Path) -> None:
    out = tmp_path / "out"
    program = script(tmp_path, f"echo >> {out}")
    events = [ChildSaUp(ike(), CHILD)] * (MOST_WAITING + 5)
    failed = play(configured(program, 60.0), *events)
    assert len(failed) == 5
    assert len(out.read_text().splitlines()) == MOST_WAITING


def test_children_without_one_run_nothing(tmp_path: Path) -> None:
    other = replace(ike(), connection="elsewhere")
    program = script(tmp_path, "exit 1")
    assert play(configured(None), ChildSaUp(ike(), CHILD)) == []
    assert play(configured(program), ChildSaUp(other, CHILD)) == []


CONF = """
[connections.site]
remote_addrs = ["192.0.2.2"]
local = {{ auth = "psk", id = "a" }}
remote = {{ auth = "psk", id = "b" }}
[connections.site.children.net]
remote_ts = ["10.2.0.0/16"]
updown = "{program}"
[secrets.s]
secret = "a secret long enough for this test"
"""


def _loaded(directory: Path, program: str) -> Config:
    path = directory / "site.conf"
    path.write_text(CONF.format(program=program))
    path.chmod(0o600)
    return load(path).config


def test_a_program_that_others_may_change_or_nobody_may_run_is_refused(tmp_path: Path) -> None:
    program = script(tmp_path, "exit 0")
    assert _loaded(tmp_path, "updown").connections[0].children[0].updown == program
    refused: list[tuple[Callable[[], object], str]] = [
        (lambda: program.chmod(0o777), "others than root may change"),
        (lambda: program.chmod(0o644), "cannot be executed"),
        (program.unlink, "cannot be read"),
    ]
    for spoil, word in refused:
        spoil()
        with pytest.raises(Exception, match=word):
            _loaded(tmp_path, "updown")
