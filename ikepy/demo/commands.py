"""Running other people's programs, and what is said when that cannot be done."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence

COMMAND_SECONDS = 30.0
_PACKAGES = {"ip": "iproute2", "ping": "iputils-ping"}


class DemoError(Exception):
    """The demonstration cannot go on; the message is one line that says what to do."""


def need(*programs: str) -> None:
    """Raise DemoError unless all these programs are installed."""
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        packages = " ".join(_PACKAGES.get(program, program) for program in missing)
        raise DemoError(f"{' and '.join(missing)} not found: apt-get install {packages}")


def run(*command: str) -> str:
    """Run a command and return what it printed; raises DemoError with its last words where it fails."""
    outcome = attempt(command)
    if outcome.returncode != 0:
        words = outcome.stderr.strip().splitlines() or [f"exit code {outcome.returncode}"]
        raise DemoError(f"`{' '.join(command)}` failed: {words[-1]}")
    return outcome.stdout


def attempt(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run a command that may fail."""
    try:
        return subprocess.run(
            command, capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired as late:
        raise DemoError(f"`{' '.join(command)}` did not end within {COMMAND_SECONDS:g} seconds") from late
