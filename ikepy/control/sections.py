"""IKE SAs and children as VICI has them: sections made of snapshots, keys in charon's order.

Rule 1: what is not known, or never comes, has no key.
Not here: who asks (commands.py), connections and policies (conns.py), words of algorithms (words.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TypeVar

from ikepy.config.identities import format_identity
from ikepy.control.codec import Section
from ikepy.control.words import algorithms
from ikepy.ike.actions import Path
from ikepy.ike.events import ChildSnapshot, HookFailed, IkeSnapshot
from ikepy.ipsec import SaCounters, SaSpec
from ikepy.wire.payloads import Identification

Counted = tuple[SaCounters | None, SaCounters | None]
"""What the kernel counted of a child's states: in, out."""
Item = TypeVar("Item")


MOST_SHOWN = 1024
"""Characters of an identity: a value has room for 65535 octets, and a peer's identity for as many."""


def ike_section(
    ike: IkeSnapshot, children: Iterable[ChildSnapshot], now: float, counted: dict[int, Counted], wall: float
) -> Section:
    """One IKE SA of list-sa with these children; `now` is the Endpoint's clock, `wall` seconds since the epoch."""
    found: Section = {
        _unique_name(child): child_section(child, now, counted.get(child.unique_id, (None, None)), wall)
        for child in children
    }
    return _ike(ike, now) | {"child-sas": found}


def _ike(ike: IkeSnapshot, now: float) -> Section:
    """An IKE SA without its children."""
    section: Section = {
        "uniqueid": str(ike.unique_id),
        "version": "2",
        "state": ike.state,
        "local-host": str(ike.path.local.address),
        "local-port": str(ike.path.local.port),
        "local-id": identity_words(ike.local_id),
        "remote-host": str(ike.path.remote.address),
        "remote-port": str(ike.path.remote.port),
        "remote-id": identity_words(ike.remote_id),
    }
    session = ike.session
    if session is not None and session.user is not None:
        section["remote-eap-id"] = session.user
    if ike.initiator:
        section["initiator"] = "yes"
    section |= {"initiator-spi": ike.spi_i.hex(), "responder-spi": ike.spi_r.hex()}
    nat = {"nat-local": ike.nat_local, "nat-remote": ike.nat_remote, "nat-any": ike.nat_local or ike.nat_remote}
    section |= {name: "yes" for name, is_so in nat.items() if is_so}
    if ike.proposal is not None:
        section |= algorithms(ike.proposal)
    if ike.established_at is not None:
        section["established"] = str(int(now - ike.established_at))
    section |= to_go(now, {"rekey-time": ike.rekey_at, "reauth-time": ike.reauth_at})
    if session is not None:
        vips = {"local-vips": session.given, "remote-vips": session.lent}
        section |= {name: [str(address) for address in addresses] for name, addresses in vips.items() if addresses}
    if ike.queued:
        section["tasks-queued"] = [_task(words) for words in ike.queued]
    if ike.waiting_for is not None:
        section["tasks-active"] = [_task(ike.waiting_for)]
    return section


def child_section(child: ChildSnapshot, now: float, counted: Counted, wall: float) -> Section:
    """One child of list-sa; `now` and `wall` as for ike_section()."""
    section: Section = {"name": child.name, "uniqueid": str(child.unique_id)}
    if child.spec is not None:
        section["reqid"] = str(child.spec.outbound.reqid)
    section |= {"state": child.state, "mode": child.mode.name, "protocol": "ESP"}
    if child.encap:
        section["encap"] = "yes"
    if child.spec is not None:
        section |= _kernel_words(child.spec.inbound, child.spec.outbound)
    section |= algorithms(child.proposal)
    for side, counters in zip(("in", "out"), counted, strict=True):
        section[f"bytes-{side}"] = str(counters.octets if counters is not None else 0)
        section[f"packets-{side}"] = str(counters.packets if counters is not None else 0)
        if counters is not None and counters.last_used is not None:
            section[f"use-{side}"] = str(max(0, int(wall - counters.last_used)))
    section |= to_go(now, {"rekey-time": child.rekey_at, "life-time": child.life_until})
    if child.installed_at is not None:
        section["install-time"] = str(int(now - child.installed_at))
    section["local-ts"] = [str(selector) for selector in child.local_ts]
    section["remote-ts"] = [str(selector) for selector in child.remote_ts]
    return section


def ike_event(ike: IkeSnapshot, now: float, *, up: bool) -> Section:
    """An `ike-updown` event: the IKE SA without its children."""
    return _up(up) | {ike.connection: _ike(ike, now)}


def child_event(ike: IkeSnapshot, child: ChildSnapshot, now: float, wall: float, *, up: bool) -> Section:
    """A `child-updown` event: the IKE SA with that child alone."""
    return _up(up) | {ike.connection: ike_section(ike, (child,), now, {}, wall)}


def alert_event(fault: HookFailed) -> Section:
    """An `alert` event: what went wrong beside IKE."""
    return {
        "type": "updown-failed",
        "ike": fault.connection,
        "ike-uniqueid": str(fault.ike_unique_id),
        "child": fault.child,
        "message": fault.reason,
    }


def ike_rekey_event(old: IkeSnapshot, new: IkeSnapshot, now: float) -> Section:
    """An `ike-rekey` event: both IKE SAs without their children."""
    replaced = replace(old, state="REKEYED")
    return {new.connection: {name: _ike(ike, now) for name, ike in _old_new(replaced, new)}}


def ike_update_event(ike: IkeSnapshot, before: Path, now: float) -> Section:
    """An `ike-update` event: the new ends, and the IKE SA as it was between the old ones, without its children."""
    local, remote = ike.path.local, ike.path.remote
    ends: Section = {
        "local-host": str(local.address),
        "local-port": str(local.port),
        "remote-host": str(remote.address),
        "remote-port": str(remote.port),
    }
    return ends | {ike.connection: _ike(replace(ike, path=before), now)}


def child_rekey_event(
    ike: IkeSnapshot,
    old: ChildSnapshot,
    new: ChildSnapshot,
    now: float,
    counted: dict[int, Counted],
    wall: float,
) -> Section:
    """A `child-rekey` event: the IKE SA, and in it both children under their one name."""
    both: Section = {
        name: child_section(child, now, counted.get(child.unique_id, (None, None)), wall)
        for name, child in _old_new(old, new)
    }
    return {ike.connection: _ike(ike, now) | {"child-sas": {new.name: both}}}


def _old_new(old: Item, new: Item) -> tuple[tuple[str, Item], tuple[str, Item]]:
    return ("old", old), ("new", new)


def to_go(now: float, instants: dict[str, float | None]) -> Section:
    """Seconds until each of these instants, where there is one."""
    return {name: str(max(0, int(instant - now))) for name, instant in instants.items() if instant is not None}


def _up(up: bool) -> Section:  # noqa: FBT001 - VICI's flag: it is there or not
    return {"up": "yes"} if up else {}


def _kernel_words(inbound: SaSpec, outbound: SaSpec) -> Section:
    section: Section = {"spi-in": f"{inbound.spi:08x}", "spi-out": f"{outbound.spi:08x}"}
    for side, spec in (("in", inbound), ("out", outbound)):
        if spec.mark is not None:
            section |= {f"mark-{side}": f"{spec.mark.value:08x}", f"mark-mask-{side}": f"{spec.mark.mask:08x}"}
    for side, spec in (("in", inbound), ("out", outbound)):
        if spec.if_id is not None:
            section[f"if-id-{side}"] = f"{spec.if_id:08x}"
    return section


def identity_words(identity: Identification | None) -> str:
    """An identity as a configuration writes it, cut after MOST_SHOWN characters; `%any` where none is known."""
    words = format_identity(identity) if identity is not None else "%any"
    return words if len(words) <= MOST_SHOWN else f"{words[:MOST_SHOWN]}..."


def _task(words: str) -> str:
    """A task's name: swanctl prints several with spaces between."""
    return words.replace(" ", "_")


def _unique_name(child: ChildSnapshot) -> str:
    return f"{child.name}-{child.unique_id}"
