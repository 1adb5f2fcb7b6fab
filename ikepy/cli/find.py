"""Which daemon a command is for: the one that --conf or --run-dir names, else the one that runs.

Not here: talking to it (control/client.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ikepy.cli.errors import CommandFailed
from ikepy.control.client import ViciClient, connect
from ikepy.daemon.instance import CONTROL_SOCKET, RUN_DIRECTORIES, run_directory_of, running_pid


@dataclass(frozen=True, slots=True)
class Meant:
    """What the command line says of the daemon that is meant; nothing: whichever runs."""

    conf: Path | None = None
    run_dir: Path | None = None

    @property
    def run_directory(self) -> Path | None:
        """The run directory that is named, None where none is."""
        if self.run_dir is not None:
            return self.run_dir
        return run_directory_of(self.conf) if self.conf is not None else None


def run_directories(meant: Meant) -> list[Path]:
    """The run directories of the daemons that are meant; raises CommandFailed where none runs."""
    if meant.run_directory is not None:
        return [meant.run_directory]
    found = _running()
    if not found:
        raise CommandFailed("no daemon is running: start one with `ikepy --conf FILE`, or name it with --run-dir")
    return found


def only_run_directory(meant: Meant) -> Path:
    """The run directory of the one daemon that is meant; raises CommandFailed where there are several."""
    found = run_directories(meant)
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise CommandFailed(f"several daemons are running ({names}): pick one with --conf or --run-dir")
    return found[0]


@contextmanager
def connected(run_directory: Path, timeout: float | None = None) -> Iterator[ViciClient]:
    """Connect to the daemon of a run directory; raises CommandFailed where that is not possible.

    timeout   seconds until a silent daemon is given up, None for ever
    """
    path = run_directory / CONTROL_SOCKET
    try:
        with connect(path, timeout) as client:
            yield client
    except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError):
        raise CommandFailed(
            f"no daemon is running in {run_directory}: start it with `ikepy --conf FILE`, or name another --run-dir"
        ) from None
    except PermissionError:
        raise CommandFailed(f"{path} may not be opened: run this as root") from None
    except TimeoutError:
        raise CommandFailed(f"the daemon in {run_directory} does not answer: look at its log, or restart it") from None
    except ConnectionError as error:
        raise CommandFailed(f"the daemon in {run_directory} has ended the connection ({error.strerror})") from None


def _running() -> list[Path]:
    """Run directories whose daemon lives: one that was killed leaves its directory behind."""
    try:
        directories = sorted(RUN_DIRECTORIES.iterdir()) if RUN_DIRECTORIES.exists() else []
        there = [directory for directory in directories if (directory / CONTROL_SOCKET).exists()]
    except PermissionError as error:
        raise CommandFailed(f"{error.filename} may not be read: run this as root") from None
    return [directory for directory in there if running_pid(directory) is not None]
