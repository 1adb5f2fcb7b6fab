"""What systemd hears of a daemon."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio
import trio.testing

from ikepy.daemon import systemd


@pytest.fixture
def heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """systemd's ear."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "notify"))
        sock.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        yield sock


def test_it_is_told_that_we_are_ready(heard: socket.socket) -> None:
    systemd.tell(systemd.READY)
    assert heard.recv(100) == b"READY=1"


def test_a_name_in_the_abstract_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(f"\0ikepy-test-{os.getpid()}")
        monkeypatch.setenv("NOTIFY_SOCKET", f"@ikepy-test-{os.getpid()}")
        systemd.tell(systemd.STOPPING)
        assert sock.recv(100) == b"STOPPING=1"


@pytest.mark.parametrize("place", [None, "", "relative", "/nonexistent/socket"])
def test_where_nobody_listens_nothing_is_said(place: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    if place is not None:
        monkeypatch.setenv("NOTIFY_SOCKET", place)
    systemd.tell(systemd.READY)


@pytest.mark.parametrize(
    ("given", "pid", "seconds"),
    [
        ("2000000", None, 2.0),
        ("2000000", "ours", 2.0),
        ("2000000", "1", None),
        ("0", None, None),
        ("soon", None, None),
        (None, None, None),
    ],
)
def test_how_often_it_wants_to_hear(
    given: str | None, pid: str | None, seconds: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("WATCHDOG_USEC", given), ("WATCHDOG_PID", str(os.getpid()) if pid == "ours" else pid)):
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)
    assert systemd.watchdog_seconds() == seconds


def test_the_watchdog_is_fed_twice_as_often(heard: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "2000000")
    monkeypatch.delenv("WATCHDOG_PID", raising=False)

    async def main() -> None:
        with trio.move_on_after(9.5):
            await systemd.feed_watchdog()

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    count = 0
    while True:
        try:
            assert heard.recv(100) == b"WATCHDOG=1"
        except BlockingIOError:
            break
        count += 1
    assert count == 10
