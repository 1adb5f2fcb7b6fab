"""The blocking client: answers, events, refusals, and daemons that vanish."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import trio

from ikepy.control.client import Refused, connect
from ikepy.control.codec import Section, ViciError
from tests.support.control_client import Stage, play
from tests.support.fake_daemon import FakeDaemon, make_ike


def ask(path: Path, command: str, request: Section, events: tuple[str, ...] = ()) -> tuple[Section, list[Section]]:
    told: list[Section] = []
    with connect(path, 20) as client:
        return client.call(command, request, events, lambda _name, section: told.append(section)), told


def test_events_are_handed_over_before_the_answer(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        answer, told = await trio.to_thread.run_sync(partial(ask, stage.path, "list-sas", {}, ("list-sa",)))
        assert answer == {}
        assert [list(section) for section in told] == [["site"]]

    play(tmp_path, FakeDaemon(sas=[make_ike()]), scene, real_time=True)


@pytest.mark.parametrize(
    ("command", "events", "words"),
    [("load-conn", (), "CMD_UNKNOWN to command load-conn"), ("version", ("alarm",), "EVENT_UNKNOWN to event alarm")],
)
def test_what_the_daemon_does_not_know_is_refused(
    tmp_path: Path, command: str, events: tuple[str, ...], words: str
) -> None:
    async def scene(stage: Stage) -> None:
        with pytest.raises(Refused, match=words):
            await trio.to_thread.run_sync(partial(ask, stage.path, command, {}, events))

    play(tmp_path, FakeDaemon(), scene, real_time=True)


def served(directory: Path, serve: Callable[[socket.socket], None]) -> Path:
    """A server that takes one client and does with it what the test says."""
    path = directory / "control.sock"
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    listener.listen(1)

    def take_one() -> None:
        with listener, listener.accept()[0] as connection:
            connection.recv(1000)
            serve(connection)

    threading.Thread(target=take_one, daemon=True).start()
    return path


def test_a_daemon_that_ends_in_the_middle_is_an_error_in_words(tmp_path: Path) -> None:
    path = served(tmp_path, lambda connection: connection.sendall(b"\0\0\0\5\1"))
    with pytest.raises(ViciError, match="ended the connection"):
        ask(path, "version", {})


def test_a_daemon_that_talks_nonsense_is_an_error_in_words(tmp_path: Path) -> None:
    path = served(tmp_path, lambda connection: connection.sendall(b"HTTP/1.1 200 OK"))
    with pytest.raises(ViciError, match="segment of"):
        ask(path, "version", {})


def test_a_daemon_that_is_silent_is_given_up(tmp_path: Path) -> None:
    done = threading.Event()
    path = served(tmp_path, lambda _connection: done.wait(20) and None)
    with pytest.raises(TimeoutError), connect(path, 0.05) as client:
        client.call("version", {})
    done.set()
