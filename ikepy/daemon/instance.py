"""One daemon a run directory and range of request IDs: locks, its process number, where its control socket is.

Rule 1: the lock is flock's: it ends with the process, however that ends, so nothing is ever "stale".
Rule 2: the directory is its owner's alone (0700), since who may write to the control socket is root in effect.
Not here: the sockets' own conflicts (udp.py).
"""

from __future__ import annotations

import fcntl
import os
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ikepy.daemon.errors import StartupError

RUN_DIRECTORIES = Path("/run/ikepy")
STATE_DIRECTORIES = Path("/var/lib/ikepy")
CONTROL_SOCKET = "control.sock"
_LOCK = "lock"
_PID = "pid"
_PEER_CREDENTIALS = struct.Struct("=iII")
_LOCK_TRIES = 3
_LOCK_WAIT_SECONDS = 0.02


def run_directory_of(conf: Path) -> Path:
    """Name the run directory of a configuration file: /run/ikepy/<its name without .conf>."""
    return RUN_DIRECTORIES / conf.name.removesuffix(".conf")


def state_directory_of(run_directory: Path) -> Path:
    """Name the directory of what outlives restarts: under /var/lib/ikepy, or beside the sockets where --run-dir says so."""
    if run_directory.parent == RUN_DIRECTORIES:
        return STATE_DIRECTORIES / run_directory.name
    return run_directory / "state"


def running_pid(run_directory: Path) -> int | None:
    """Tell which daemon holds the directory, without disturbing it; None where none does."""
    try:
        descriptor = os.open(run_directory / _LOCK, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _written_pid(run_directory)
    else:
        return None
    finally:
        os.close(descriptor)


@contextmanager
def held(run_directory: Path) -> Iterator[Path]:
    """Make the run directory ours for as long as the context lasts.

    Raises StartupError where it cannot be made, or names the process that has it.
    """
    try:
        run_directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        run_directory.chmod(0o700)
        descriptor = os.open(run_directory / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StartupError(
            f"the run directory {run_directory} cannot be made ({error.strerror})",
            "start ikepy as root, or name a directory of your own with --run-dir",
        ) from error
    try:
        _lock(descriptor, run_directory)
        (run_directory / _PID).write_text(f"{os.getpid()}\n")
        yield run_directory
        _remove(run_directory)
    finally:
        os.close(descriptor)


@contextmanager
def request_ids_held(base: int) -> Iterator[None]:
    """Make a range of request IDs ours in this network namespace, since what carries one is taken for ours.

    The lock is an abstract Unix socket: those belong to a network namespace, as the kernel's IPsec tables do.

    Raises StartupError that names the process that has them.
    """
    name = f"\0ikepy/request-ids/{base:x}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as lock:
        try:
            lock.bind(name)
        except OSError as error:
            pid = _pid_listening(name)
            raise StartupError(
                "another ikepy daemon runs in this network namespace" + (f", process {pid}" if pid is not None else ""),
                "stop it first, or give this one other listen, port, port_nat_t and reqid_base under [daemon]",
            ) from error
        lock.listen(1)
        yield


def _pid_listening(name: str) -> int | None:
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as asking:
        asking.connect(name)
        octets = asking.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER_CREDENTIALS.size)
        return int(_PEER_CREDENTIALS.unpack(octets)[0])
    return None


def _lock(descriptor: int, run_directory: Path) -> None:
    for _ in range(_LOCK_TRIES):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_LOCK_WAIT_SECONDS)  # somebody's running_pid() holds the lock for a moment
        else:
            return
    pid = _written_pid(run_directory)
    raise StartupError(
        f"a daemon is already running in {run_directory}" + (f", process {pid}" if pid is not None else ""),
        "stop it first" + (f" (kill {pid})" if pid is not None else "") + ", or give this one another --run-dir",
    )


def _remove(run_directory: Path) -> None:
    """Take away what is ours on a clean end; the lock's file stays, for removing it would race with the next start."""
    for name in (_PID, CONTROL_SOCKET):
        (run_directory / name).unlink(missing_ok=True)


def _written_pid(run_directory: Path) -> int | None:
    try:
        return int((run_directory / _PID).read_text())
    except (OSError, ValueError):
        return None
