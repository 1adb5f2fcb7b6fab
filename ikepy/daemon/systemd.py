"""Tells systemd how it stands with us: ready, alive, ending (sd_notify(3)); nothing where nobody asked.

Rule 1: a watchdog is fed from the loop that does the work: one that is stuck is found.
Not here: the unit (setup/unit.py).
"""

from __future__ import annotations

import os
import socket
from contextlib import suppress

import trio

_SOCKET, _WATCHDOG, _PID = "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"
READY, STOPPING, ALIVE = "READY=1", "STOPPING=1", "WATCHDOG=1"


def tell(words: str) -> None:
    """Say it to systemd, if it is there."""
    place = os.environ.get(_SOCKET, "")
    if place[:1] not in {"/", "@"}:
        return
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
        sock.sendto(words.encode(), "\0" + place[1:] if place[0] == "@" else place)


def watchdog_seconds() -> float | None:
    """How often systemd wants to hear of us; None where it does not."""
    given, pid = os.environ.get(_WATCHDOG, ""), os.environ.get(_PID, "")
    if not given.isdecimal() or not int(given) or (pid and pid != str(os.getpid())):
        return None
    return int(given) / 1_000_000


async def feed_watchdog() -> None:
    """Say that we live, twice as often as is wanted, for ever."""
    seconds = watchdog_seconds()
    while seconds is not None:
        tell(ALIVE)
        await trio.sleep(seconds / 2)
