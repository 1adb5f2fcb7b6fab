"""The two daemons of the demonstration: real processes, each in its gateway's namespace.

Rule 1: they are told to end as an operator would tell them (SIGTERM), and only then made to.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ikepy.demo.commands import DemoError
from ikepy.demo.network import Gateway

UP_SECONDS = 30.0
END_SECONDS = 6.0
_LOOK_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Daemon:
    """One running daemon.

    log   what it writes to standard error
    """

    gateway: Gateway
    process: subprocess.Popen[bytes]
    run_directory: Path
    log: Path

    def log_lines(self) -> list[str]:
        """What it has said so far."""
        return self.log.read_text(encoding="utf-8", errors="replace").splitlines()

    def ikepy(self, *words: str) -> tuple[str, ...]:
        """The ikepy command that operates this daemon."""
        return (sys.executable, "-m", "ikepy", "--run-dir", str(self.run_directory), *words)


@contextmanager
def running(gateway: Gateway, conf: Path, scratch: Path) -> Iterator[Daemon]:
    """Start a daemon, and end it with the context."""
    run_directory = scratch / f"run-{gateway.name}"
    log = scratch / f"{gateway.name}.log"
    command = (sys.executable, "-m", "ikepy", "--conf", str(conf), "--run-dir", str(run_directory))
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            gateway.inside(*command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            start_new_session=True,  # Ctrl-C reaches the demonstration, which ends its daemons itself
        )
    daemon = Daemon(gateway, process, run_directory, log)
    try:
        yield daemon
    finally:
        end(daemon)


def end(daemon: Daemon) -> int:
    """Tell the daemon to end, make it end where it does not, and return its exit code."""
    daemon.process.terminate()
    try:
        return daemon.process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        daemon.process.kill()
        return daemon.process.wait()


def await_words(daemon: Daemon, words: str, seconds: float = UP_SECONDS) -> None:
    """Wait until the daemon's log has a line with these words; raises DemoError where it ends before, or does not."""
    give_up_at = time.monotonic() + seconds
    while not any(words in line for line in daemon.log_lines()):
        if daemon.process.poll() is not None:
            raise DemoError(f"the {daemon.gateway.name} daemon ended: {_last_words(daemon)}")
        if time.monotonic() > give_up_at:
            raise DemoError(f"the {daemon.gateway.name} daemon is not so far after {seconds:g} seconds ({words})")
        time.sleep(_LOOK_SECONDS)


def _last_words(daemon: Daemon) -> str:
    lines = daemon.log_lines()
    return lines[-1].removeprefix("ikepy: ") if lines else f"exit code {daemon.process.returncode}, without a word"
