"""Which daemon a command is for: the one that --conf or --run-dir names, else the one that runs.

Not here: talking to it (control/client.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ikepy.cli.errors import CommandFailed
from ikepy.control.client import ViciClient, connect
from ikepy.daemon.instance import CONTROL_SOCKET, RUN_DIRECTORIES, run_directory_of


def run_directories(conf: Path | None, run_dir: Path | None) -> list[Path]:
    """The run directories of the daemons that are meant; raises CommandFailed where none runs."""
    if run_dir is not None:
        return [run_dir]
    if conf is not None:
        return [run_directory_of(conf)]
    found = sorted(path.parent for path in RUN_DIRECTORIES.glob(f"*/{CONTROL_SOCKET}"))
    if not found:
        raise CommandFailed("no daemon runs here: start one with `ikepy --conf FILE`, or name it with --run-dir")
    return found


def only_run_directory(conf: Path | None, run_dir: Path | None) -> Path:
    """The run directory of the one daemon that is meant; raises CommandFailed where there are several."""
    found = run_directories(conf, run_dir)
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise CommandFailed(f"several daemons run here ({names}): pick one with --conf or --run-dir before the command")
    return found[0]


@contextmanager
def connected(run_directory: Path, timeout: float | None = None) -> Iterator[ViciClient]:
    """Connect to the daemon of a run directory; raises CommandFailed where that is not possible."""
    socket_path = run_directory / CONTROL_SOCKET
    try:
        with connect(socket_path, timeout) as client:
            yield client
    except (FileNotFoundError, ConnectionRefusedError):
        raise CommandFailed(
            f"no daemon answers at {socket_path}: start it with `ikepy --conf FILE`, or name its --run-dir"
        ) from None
    except PermissionError:
        raise CommandFailed(f"{socket_path} is not yours to open: run this as root") from None
    except TimeoutError:
        raise CommandFailed(f"the daemon at {socket_path} does not answer") from None
