"""The program `ikepy`: one command for the daemon, and a few to look at it and operate it.

Rule 1: what can be expected to go wrong is one line on standard error and exit code 1; never a traceback.
Not here: what the daemon does (daemon/), what the control socket says (control/).
"""

from __future__ import annotations

from collections.abc import Sequence

from ikepy.cli.errors import say
from ikepy.cli.program import program


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line (None: this process's); return the exit code."""
    try:
        outcome = program.main(arguments, prog_name="ikepy", standalone_mode=False)
    except BaseException as error:  # noqa: BLE001 - worded, or raised again
        return say(error)
    return outcome if isinstance(outcome, int) else 0


__all__ = ["main"]
