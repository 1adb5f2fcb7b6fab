"""The socket: who may connect, how many, and what is left behind."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
import trio

from ikepy.control.server import MOST_CLIENTS, ControlServer
from ikepy.daemon.errors import StartupError
from tests.support.control_client import Stage, play, until
from tests.support.fake_daemon import FakeDaemon


def test_only_the_owner_may_connect_and_the_socket_goes_with_the_server(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    path.touch()

    async def scene(stage: Stage) -> None:
        await trio.lowlevel.checkpoint()
        assert stat.S_ISSOCK(path.stat().st_mode)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600

    play(tmp_path, FakeDaemon(), scene)
    assert not path.exists()


def test_more_clients_than_the_bound_are_turned_away_and_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def scene(stage: Stage) -> None:
        talks = [await stage.connect() for _ in range(MOST_CLIENTS)]
        await talks[-1].call("version")
        one_more = await stage.connect()
        with pytest.raises((EOFError, trio.BrokenResourceError)):
            await one_more.call("version")
        assert stage.server.losses.clients_turned_away == 1
        await talks[0].stream.aclose()
        await until(lambda: stage.server._clients < MOST_CLIENTS)
        assert (await (await stage.connect()).call("version"))["daemon"] == "ikepy"

    play(tmp_path, FakeDaemon(), scene)
    assert "one more is turned away" in caplog.text


def test_clients_come_and_go_without_a_trace(tmp_path: Path) -> None:
    daemon = FakeDaemon()

    async def scene(stage: Stage) -> None:
        for _ in range(3 * MOST_CLIENTS):
            talk = await stage.connect()
            await talk.register("log", "ike-updown")
            await talk.stream.aclose()
        await until(lambda: stage.server._clients == 0)
        assert not daemon.lines
        assert not daemon.events

    play(tmp_path, daemon, scene)


def test_a_path_too_long_for_a_socket_is_said_with_a_remedy(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 120)

    with pytest.raises(StartupError, match="shorter path, with --run-dir"):
        trio.run(ControlServer(FakeDaemon()).serve, path)
