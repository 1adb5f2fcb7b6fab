"""The command line, run in this process, and daemons it can talk to in threads of their own."""

from __future__ import annotations

import fcntl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import trio

from ikepy.cli import main
from ikepy.control.server import ControlServer
from ikepy.daemon.instance import CONTROL_SOCKET
from tests.support.fake_daemon import FakeDaemon


@dataclass(frozen=True)
class Said:
    """What a command came to."""

    code: int
    out: str
    err: str

    @property
    def line(self) -> str:
        """The one line on standard error."""
        (line,) = self.err.splitlines()
        return line


@pytest.fixture
def ikepy(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Said]:
    monkeypatch.delenv("COLUMNS", raising=False)

    def run(*arguments: object) -> Said:
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Said(code, captured.out, captured.err)

    return run


@contextmanager
def served(daemon: FakeDaemon, run_directory: Path) -> Iterator[Path]:
    """A control server in a thread, in a run directory whose lock is held as a daemon holds it."""
    run_directory.mkdir(parents=True)
    ready, ending = threading.Event(), trio.Event()
    token: list[trio.lowlevel.TrioToken] = []

    async def serve() -> None:
        token.append(trio.lowlevel.current_trio_token())
        async with trio.open_nursery() as nursery:
            await nursery.start(ControlServer(daemon).serve, run_directory / CONTROL_SOCKET)
            ready.set()
            await ending.wait()
            nursery.cancel_scope.cancel()

    thread = threading.Thread(target=trio.run, args=(serve,))
    thread.start()
    assert ready.wait(10)
    with (run_directory / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        (run_directory / "pid").write_text(f"{daemon.pid}\n")
        try:
            yield run_directory
        finally:
            token[0].run_sync_soon(ending.set)
            thread.join()


@pytest.fixture
def serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Path]]:
    """Serve daemons by name in a directory that stands for /run/ikepy."""
    monkeypatch.setattr("ikepy.cli.find.RUN_DIRECTORIES", tmp_path / "run")
    monkeypatch.setattr("ikepy.daemon.instance.RUN_DIRECTORIES", tmp_path / "run")
    with ExitStack() as stack:
        yield lambda daemon, name="site": stack.enter_context(served(daemon, tmp_path / "run" / name))
