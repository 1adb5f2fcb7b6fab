"""VICI's commands, as far as ikepy serves them: what each streams and answers.

Rule 1: an answer that is no good says `success = no` and in one sentence, `errmsg`, why.
Rule 2: a command looks at the daemon and asks it for things; it changes nothing by itself.
Not here: sockets and events (session.py), how sections look (sections.py), reading requests (requests.py).
"""

from __future__ import annotations

import platform
import resource
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from ikepy.config.model import ConnectionConfig
from ikepy.control.codec import Section
from ikepy.control.conns import connection_section, policy_section
from ikepy.control.losses import Losses
from ikepy.control.requests import BadRequest, flag, number, text, wait_seconds
from ikepy.control.sections import Counted, ike_section
from ikepy.control.status import status_section
from ikepy.daemon.api import DaemonApi, InitiateOutcome, InstallOutcome, RekeyWish, TerminateWish
from ikepy.ike.events import ChildSnapshot, IkeSnapshot
from ikepy.ipsec import Mode
from ikepy.wire.redirect import parse_gateway

Stream = Callable[[str, Section], Awaitable[None]]
"""Sends an event to the client that asked, if it has registered for it."""


@dataclass(frozen=True, slots=True)
class Call:
    """One command as a client asked for it."""

    daemon: DaemonApi
    request: Section
    stream: Stream
    losses: Losses


Command = Callable[[Call], Awaitable[Section]]
"""Answers a call; raises BadRequest where the request makes no sense."""


async def version(call: Call) -> Section:
    """Who answers."""
    system = platform.uname()
    return {
        "daemon": "ikepy",
        "version": call.daemon.version,
        "sysname": system.system,
        "release": system.release,
        "machine": system.machine,
    }


async def stats(call: Call) -> Section:
    """How the daemon does. It has one event loop: of charon's threads, queues and plugins there are none."""
    sas = call.daemon.snapshot()
    half_open = sum(_is_half_open(sa) for sa in sas)
    since = time.strftime("%b %d %H:%M:%S %Y", time.localtime(call.daemon.started_at))
    levels = ("critical", "high", "medium", "low")
    return {
        "uptime": {"running": f"{int(time.time() - call.daemon.started_at)} seconds", "since": since},
        "workers": {"total": "1", "idle": "0", "active": dict.fromkeys(levels, "0")},
        "queues": dict.fromkeys(levels, "0"),
        "scheduled": "0",
        "ikesas": {"total": str(len(sas)), "half-open": str(half_open)},
        "plugins": [],
        "memory": {"most-resident-kib": str(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)},
        "drops": _drops(call.daemon),
        "control": call.losses.section(),
    }


async def list_sas(call: Call) -> Section:
    """Stream each IKE SA that is meant, with those of its children that are."""
    ike, ike_id = text(call.request, "ike"), number(call.request, "ike-id")
    child, child_id = text(call.request, "child"), number(call.request, "child-id")
    for sa in call.daemon.snapshot():
        if ike not in (None, sa.connection) or ike_id not in (None, sa.unique_id):
            continue
        meant = tuple(c for c in sa.children if child in (None, c.name) and child_id in (None, c.unique_id))
        if (child, child_id) != (None, None) and not meant:
            continue
        counted = await count(call.daemon, sa.children)
        section = ike_section(sa, meant, call.daemon.now(), counted, time.time())
        await call.stream("list-sa", {sa.connection: section})
    return {}


async def list_conns(call: Call) -> Section:
    """Stream each connection of the configuration."""
    wanted = text(call.request, "ike")
    for connection in call.daemon.config.connections:
        if wanted in (None, connection.name):
            section = connection_section(connection, call.daemon.config.daemon)
            await call.stream("list-conn", {connection.name: section})
    return {}


async def get_conns(call: Call) -> Section:
    """Names of connections."""
    return {"conns": [connection.name for connection in call.daemon.config.connections]}


async def initiate(call: Call) -> Section:
    """Bring up a child, or a connection with all its children."""
    ike, child = text(call.request, "ike"), text(call.request, "child")
    if ike is None and child is None:
        raise BadRequest("name a connection (ike) or a child")
    outcome = await call.daemon.initiate(ike, child, wait_seconds(call.request))
    return _outcome(outcome)


async def terminate(call: Call) -> Section:
    """End IKE SAs or children; with `force` the peer's answer is not waited for longer than `timeout` says."""
    wish = TerminateWish(
        ike=text(call.request, "ike"),
        ike_id=number(call.request, "ike-id"),
        child=text(call.request, "child"),
        child_id=number(call.request, "child-id"),
        force=flag(call.request, "force"),
    )
    if (wish.ike, wish.ike_id, wish.child, wish.child_id) == (None, None, None, None):
        raise BadRequest("name what is to end: ike, ike-id, child or child-id")
    outcome = await call.daemon.terminate(wish, wait_seconds(call.request))
    done = 0 < outcome.matches == outcome.terminated or outcome.given_up
    section: Section = {"success": "yes"} if done else {"success": "no", "errmsg": outcome.reason}
    return section | {"matches": str(outcome.matches), "terminated": str(outcome.terminated)}


async def rekey(call: Call) -> Section:
    """Rekey IKE SAs or children; whether it came to that is waited for where `timeout` is given."""
    wish = RekeyWish(
        ike=text(call.request, "ike"),
        ike_id=number(call.request, "ike-id"),
        child=text(call.request, "child"),
        child_id=number(call.request, "child-id"),
        reauth=flag(call.request, "reauth"),
    )
    if (wish.ike, wish.ike_id, wish.child, wish.child_id) == (None, None, None, None):
        raise BadRequest("name what is to be rekeyed: ike, ike-id, child or child-id")
    if wish.reauth and (wish.child, wish.child_id) != (None, None):
        raise BadRequest("reauth is of IKE SAs: leave child and child-id out")
    # charon does not wait; a client that names a timeout has it waited for.
    timeout = wait_seconds(call.request) if "timeout" in call.request else 0.0
    outcome = await call.daemon.rekey(wish, timeout)
    section: Section = {"success": "no" if outcome.reason else "yes", "matches": str(outcome.matches)}
    return section | ({"errmsg": outcome.reason} if outcome.reason else {})


async def redirect(call: Call) -> Section:
    """Send clients to another gateway (RFC 5685)."""
    ike, ike_id, gateway = text(call.request, "ike"), number(call.request, "ike-id"), text(call.request, "gateway")
    if (ike, ike_id) == (None, None) or gateway is None:
        raise BadRequest("name who is to go, ike or ike-id, and where to: gateway")
    try:
        goal = parse_gateway(gateway)
    except ValueError as fault:
        raise BadRequest(str(fault)) from None
    told = call.daemon.redirect(goal, ike, ike_id)
    section: Section = {"success": "yes" if told else "no", "matches": str(told)}
    reason = "nobody is there who goes where it is sent: clients that follow redirects say so when they come"
    return section | ({} if told else {"errmsg": reason})


async def list_policies(call: Call) -> Section:
    """Stream the traps and shunts that are in the kernel: those of the kinds that are asked for, or all."""
    ike, child = text(call.request, "ike"), text(call.request, "child")
    asked = {kind for kind in ("trap", "pass", "drop") if flag(call.request, kind)}
    for policy in call.daemon.policies():
        kind = policy.mode.value if policy.mode in {Mode.PASS, Mode.DROP} else "trap"
        if ike in {None, policy.connection} and child in {None, policy.name} and (not asked or kind in asked):
            await call.stream("list-policy", policy_section(policy))
    return {}


async def install(call: Call) -> Section:
    """Put the trap or shunt of a child into the kernel."""
    child = text(call.request, "child")
    if child is None:
        raise BadRequest("name the child whose trap or shunt is to be installed")
    return _outcome(await call.daemon.install(text(call.request, "ike"), child))


async def uninstall(call: Call) -> Section:
    """Take the trap or shunt of a child out of the kernel."""
    child = text(call.request, "child")
    if child is None:
        raise BadRequest("name the child whose trap or shunt is to be uninstalled")
    return _outcome(await call.daemon.uninstall(text(call.request, "ike"), child))


async def ikepy_reload(call: Call) -> Section:
    """Read keys, certificates, CAs and users again; no SA is touched."""
    reason = await call.daemon.reload()
    return {"success": "no", "errmsg": reason} if reason else {"success": "yes"}


async def ikepy_status(call: Call) -> Section:
    """Stream what `ikepy status` shows of IKE SAs, traps and shunts; the answer names the connections without an IKE SA."""
    sas = call.daemon.snapshot()
    for sa in sas:
        section = status_section(sa, call.daemon.now(), await count(call.daemon, sa.children))
        await call.stream("ikepy-sa", {sa.connection: section})
    for policy in call.daemon.policies():
        await call.stream("ikepy-policy", policy_section(policy))
    up = {sa.connection for sa in sas}
    gateway, client, certificates = call.daemon.gateway(), call.daemon.client(), call.daemon.certificates()
    return {
        "pid": str(call.daemon.pid),
        "version": call.daemon.version,
        "uptime": str(int(time.time() - call.daemon.started_at)),
        "idle": [
            each.name for each in call.daemon.config.connections if each.name not in up and not _only_shunts(each)
        ],
        "drops": _drops(call.daemon),
        **({"gateway": dict(gateway)} if gateway else {}),
        **({"client": dict(client)} if client else {}),
        **({"certificates": dict(certificates)} if certificates else {}),
    }


async def count(daemon: DaemonApi, children: tuple[ChildSnapshot, ...]) -> dict[int, Counted]:
    """What the kernel counted of each of these children, by the child's unique number."""
    return {
        child.unique_id: (
            await daemon.counters(child.spec.inbound.id),
            await daemon.counters(child.spec.outbound.id),
        )
        for child in children
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
    "rekey": rekey,
    "list-policies": list_policies,
    "redirect": redirect,
    "install": install,
    "uninstall": uninstall,
    "ikepy-status": ikepy_status,
    "ikepy-reload": ikepy_reload,
}
"""By VICI's names; ikepy's own are `ikepy-*`."""


def _outcome(outcome: InitiateOutcome | InstallOutcome) -> Section:
    return {"success": "yes"} if outcome.succeeded else {"success": "no", "errmsg": outcome.reason}


def _only_shunts(connection: ConnectionConfig) -> bool:
    """Whether it is there for its shunts and no IKE SA is ever made of it."""
    return bool(connection.children) and all(child.is_shunt for child in connection.children)


def _is_half_open(sa: IkeSnapshot) -> bool:
    return sa.state == "CONNECTING" and not sa.initiator


def _drops(daemon: DaemonApi) -> Section:
    return {reason: str(number) for reason, number in daemon.drops().items()}
