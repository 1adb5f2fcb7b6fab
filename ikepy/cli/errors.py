"""Words and exit codes for what ends a command early.

Not here: the daemon's own reasons not to start (daemon/service.py).
"""

from __future__ import annotations

import sys

import click

from ikepy.auth.credentials import CredentialError
from ikepy.config.errors import ConfigError
from ikepy.control.client import Refused
from ikepy.control.codec import ViciError

FAILED, USAGE, INTERRUPTED = 1, 2, 130


class CommandFailed(Exception):
    """A command came to nothing; the message says why and what to do."""


def say(error: BaseException) -> int:
    """Say in one line what went wrong and return the exit code; raises again what nobody expects."""
    match error:
        case SystemExit(code=code):
            return code if isinstance(code, int) else FAILED
        case click.exceptions.Exit(exit_code=code):
            return code
        case click.UsageError():
            error.show()
            return USAGE
        case click.ClickException():
            error.show()
            return FAILED
        case click.exceptions.Abort() | KeyboardInterrupt():
            return INTERRUPTED
        case CommandFailed() | ConfigError() | CredentialError():
            print(f"ikepy: {error}", file=sys.stderr)  # noqa: T201
        case Refused() | ViciError():
            print(f"ikepy: {error}; is it an older or newer ikepy?", file=sys.stderr)  # noqa: T201
        case BrokenPipeError():
            return FAILED
        case OSError():
            print(f"ikepy: {error}", file=sys.stderr)  # noqa: T201
        case _:
            raise error
    return FAILED
