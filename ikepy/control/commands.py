"""VICI's commands, as far as ikepy serves them: what each streams and answers.

Rule 1: an answer says `success`, and where it is no, one sentence that says why.
Not here: sockets and events (server.py), how sections look (sections.py).
"""

from __future__ import annotations

import platform
import time
from collections.abc import Awaitable, Callable

from ikepy.control.codec import Section
from ikepy.control.sections import Counted, connection_section, ike_section
from ikepy.control.status import status_section
from ikepy.daemon.api import DaemonApi, TerminateWish
from ikepy.ike.events import IkeSnapshot

Stream = Callable[[str, Section], Awaitable[None]]
"""Sends an event to the client that asked."""
Command = Callable[[DaemonApi, Section, Stream], Awaitable[Section]]


async def version(daemon: DaemonApi, request: Section, stream: Stream) -> Section:
    """Who answers."""
    system = platform.uname()
    return {
        "daemon": "ikepy",
        "version": daemon.version,
        "sysname": system.system,
        "release": system.release,
        "machine": system.machine,
    }


async def stats(daemon: DaemonApi, request: Section, stream: Stream) -> Section:
    """How it does."""
    sas = daemon.snapshot()
    half_open = sum(sa.state == "CONNECTING" and not sa.initiator for sa in sas)
    since = time.strftime("%b %d %H:%M:%S %Y", time.localtime(daemon.started_at))
    return {
        "uptime": {"running": f"{int(time.time() - daemon.started_at)} seconds", "since": since},
        "ikesas": {"total": str(len(sas)), "half-open": str(half_open)},
        "drops": {reason: str(count) for reason, count in daemon.drops().items()},
    }


async def list_sas(daemon: DaemonApi, request: Section, stream: Stream) -> Section:
    """Stream each IKE SA that is meant."""
    ike, ike_id = _text(request, "ike"), _number(request, "ike-id")
    child, child_id = _text(request, "child"), _number(request, "child-id")
    for sa in daemon.snapshot():
        if ike not in (None, sa.connection) or ike_id not in (None, sa.unique_id):
            continue
        wanted_child = child is not None or child_id is not None
        meant = [c for c in sa.children if child in (None, c.name) and child_id in (None, c.unique_id)]
        if wanted_child and not meant:
            continue
        section = ike_section(sa, daemon.now(), await count(daemon, sa), time.time())
        await stream("list-sa", {sa.connection: section})
    return {}


async def list_conns(daemon: DaemonApi, request: Section, stream: Stream) -> Section:
    """Stream each connection."""
    wanted = _text(request, "ike")
    for connection in daemon.config.connections:
        if wanted in (None, connection.name):
            await stream("list-conn", {connection.name: connection_section(connection)})
    return {}


async def get_conns(daemon: DaemonApi, request: Section, stream: Stream) -> Section:
    """Names of connections."""
    return {"conns": [connection.name for connection in daemon.config.connections]}


async def initiate(daemon: DaemonApi, request: Section, stream: Stream) -> Section:
    """Bring up a child, or a connection."""
    outcome = await daemon.initiate(_text(request, "ike"), _text(request, "child"), _seconds(request))
    return {"success": "yes"} if outcome.succeeded else {"success": "no", "errmsg": outcome.reason}


async def terminate(daemon: DaemonApi, request: Section, stream: Stream) -> Section:
    """End SAs."""
    wish = TerminateWish(
        _text(request, "ike"), _number(request, "ike-id"), _text(request, "child"), _number(request, "child-id")
    )
    outcome = await daemon.terminate(wish, _seconds(request))
    done = outcome.matches > 0 and outcome.terminated == outcome.matches
    section: Section = {"success": "yes" if done else "no"}
    if not done:
        section["errmsg"] = outcome.reason
    return section | {"matches": str(outcome.matches), "terminated": str(outcome.terminated)}


async def ikepy_status(daemon: DaemonApi, request: Section, stream: Stream) -> Section:
    """Stream what `ikepy status` shows: connections that are not up too."""
    sas = daemon.snapshot()
    for sa in sas:
        section = status_section(sa, daemon.now(), await count(daemon, sa))
        await stream("ikepy-sa", {sa.connection: section})
    up = {sa.connection for sa in sas}
    return {
        "pid": str(daemon.pid),
        "version": daemon.version,
        "uptime": str(int(time.time() - daemon.started_at)),
        "idle": [connection.name for connection in daemon.config.connections if connection.name not in up],
        "drops": {reason: str(number) for reason, number in daemon.drops().items()},
    }


async def count(daemon: DaemonApi, sa: IkeSnapshot) -> dict[int, Counted]:
    """What the kernel counted of each child of an IKE SA."""
    return {
        child.unique_id: (
            await daemon.counters(child.spec.inbound.id),
            await daemon.counters(child.spec.outbound.id),
        )
        for child in sa.children
        if child.spec is not None
    }


COMMANDS: dict[str, Command] = {
    "version": version,
    "stats": stats,
    "list-sas": list_sas,
    "list-conns": list_conns,
    "get-conns": get_conns,
    "initiate": initiate,
    "terminate": terminate,
    "ikepy-status": ikepy_status,
}
EVENTS = frozenset({"log", "control-log", "list-sa", "list-conn", "ike-updown", "child-updown", "ikepy-sa"})


def _text(request: Section, name: str) -> str | None:
    value = request.get(name)
    return value if isinstance(value, str) and value else None


def _number(request: Section, name: str) -> int | None:
    text = _text(request, name)
    return int(text) if text is not None and text.isascii() and text.isdigit() else None


def _seconds(request: Section) -> float | None:
    """`timeout` is in ms: 0 or none for ever, -1 not at all."""
    text = _text(request, "timeout") or "0"
    if text == "-1":
        return 0
    if not (text.isascii() and text.isdigit()) or text == "0":
        return None
    return int(text) / 1000


