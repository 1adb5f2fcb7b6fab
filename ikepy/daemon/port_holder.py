"""Who has a UDP port: for the error message that names him.

Reads /proc/net/udp and /proc/*/fd; sees only processes that we may look at, in our own network namespace.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

_PROC = Path("/proc")
_LOCAL, _INODE = 1, 9
"""Columns of /proc/net/udp."""


def port_holder(port: int) -> str | None:
    """Name the process that has the UDP port, as `charon (process 1234)`; None where it cannot be seen."""
    wanted = {f"socket:[{inode}]" for name in ("udp", "udp6") for inode in _inodes(_PROC / "net" / name, port)}
    if not wanted:
        return None
    for process in _PROC.iterdir():
        if process.name.isdigit() and _holds(process, wanted):
            with suppress(OSError):
                return f"{(process / 'comm').read_text().strip()} (process {process.name})"
    return None


def _inodes(table: Path, port: int) -> list[str]:
    """Inodes of the sockets bound to the port: column 2 is address:port in hexadecimal, column 10 the inode."""
    try:
        lines = table.read_text().splitlines()[1:]
    except OSError:
        return []
    rows = [line.split() for line in lines]
    return [row[_INODE] for row in rows if len(row) > _INODE and int(row[_LOCAL].rpartition(":")[2], 16) == port]


def _holds(process: Path, wanted: set[str]) -> bool:
    with suppress(OSError):
        for descriptor in (process / "fd").iterdir():
            with suppress(OSError):
                if str(descriptor.readlink()) in wanted:
                    return True
    return False
