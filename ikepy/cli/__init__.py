"""The program `ikepy`: one command for the daemon, and a few to look at it and operate it.

Rule 1: what can be expected to go wrong is one line on standard error and exit code 1; never a traceback.
Not here: what the daemon does (daemon/), what the control socket says (control/).
"""

from __future__ import annotations

from ikepy.cli.program import program


def main() -> int:
    """Run the command line; the exit code."""
    try:
        outcome = program.main(standalone_mode=False)
    except BaseException as error:  # noqa: BLE001 - worded or raised again by `say`
        from ikepy.cli.errors import say  # noqa: PLC0415 - needed only where something went wrong

        return say(error)
    return outcome if isinstance(outcome, int) else 0


__all__ = ["main"]
