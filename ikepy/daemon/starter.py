"""Children with start_action = start: brought up when the daemon starts, tried again until they are.

Waits between tries: 1, 2, 4, ... up to 60 seconds, so that a peer that is started later is reached; each try has its
own retransmissions (ike/window.py). Once a child was up its start is over: what happens later is its own affair.
Not here: how a child is initiated (operator.py).
"""

from __future__ import annotations

import logging

import trio

from ikepy.config.model import ConnectionConfig, StartAction
from ikepy.daemon.api import DaemonApi

_log = logging.getLogger("ikepy.daemon")

FIRST_WAIT_SECONDS = 1.0
LONGEST_WAIT_SECONDS = 60.0


async def start_children(daemon: DaemonApi) -> None:
    """Bring up every child that is to be started; connections side by side, children of one in turn."""
    async with trio.open_nursery() as nursery:
        for connection in daemon.config.connections:
            names = [child.name for child in connection.children if child.start_action is StartAction.START]
            if names:
                nursery.start_soon(_start, daemon, connection, names)


async def _start(daemon: DaemonApi, connection: ConnectionConfig, missing: list[str]) -> None:
    wait = FIRST_WAIT_SECONDS
    while True:
        missing = [name for name in missing if not await _is_up_after_try(daemon, connection.name, name)]
        if not missing:
            return
        _log.info("connection %s: trying again in %g seconds: %s", connection.name, wait, ", ".join(missing))
        await trio.sleep(wait)
        wait = min(2 * wait, LONGEST_WAIT_SECONDS)


async def _is_up_after_try(daemon: DaemonApi, connection: str, child: str) -> bool:
    if _is_up(daemon, connection, child):
        return True
    outcome = await daemon.initiate(connection, child, None)
    return outcome.succeeded


def _is_up(daemon: DaemonApi, connection: str, child: str) -> bool:
    """Whether the child is up already: the peer may have been faster."""
    return any(
        sa.connection == connection and each.name == child and each.state == "INSTALLED"
        for sa in daemon.snapshot()
        for each in sa.children
    )
