"""Words and exit codes for what ends a command early: 1 it came to nothing, 2 it was not understood, 130 Ctrl-C.

Not here: the daemon's own reasons not to start (daemon/service.py).
"""

from __future__ import annotations

import os
import sys

import click

from ikepy.auth.credentials import CredentialError
from ikepy.auth.users_file import UsersFileError
from ikepy.config.errors import ConfigError
from ikepy.control.client import Refused
from ikepy.control.codec import ViciError

FAILED, USAGE, INTERRUPTED = 1, 2, 130


class CommandFailed(Exception):
    """A command came to nothing; the message says why and what to do."""


def say(error: BaseException) -> int:
    """Say in one line what went wrong and return the exit code; raises again what nobody expects."""
    code, words = _worded(error)
    if words:
        print(f"ikepy: {words}", file=sys.stderr)  # noqa: T201 - the one line a user is to see
    return code


def _worded(error: BaseException) -> tuple[int, str]:
    match error:
        case SystemExit(code=code) | click.exceptions.Exit(exit_code=code):
            return code if isinstance(code, int) else FAILED, ""
        case click.ClickException():
            error.show()
            return error.exit_code, ""
        case click.exceptions.Abort() | KeyboardInterrupt():
            return INTERRUPTED, "interrupted; what the daemon has begun goes on"
        case BrokenPipeError():
            _close_output()
            return FAILED, ""
        case Refused() | ViciError():
            return FAILED, f"{error}: does the daemon run the same version of ikepy?"
        case CommandFailed() | ConfigError() | CredentialError() | UsersFileError() | OSError():
            return FAILED, str(error)
    raise error


def _close_output() -> None:
    """Nobody reads any more: let Python's last flush go nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
