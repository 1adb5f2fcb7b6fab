"""What VICI's list commands stream: sections made of snapshots, keys in charon's order.

Not here: who asks (commands.py), words of algorithms (words.py).
"""

from __future__ import annotations

from ikepy.config.algorithms import proposal_words
from ikepy.config.model import AddressPattern, AddressPatternKind, AuthKind, ChildConfig, ConnectionConfig
from ikepy.control.codec import Section
from ikepy.control.words import algorithms
from ikepy.ike.events import ChildSnapshot, IkeSnapshot
from ikepy.ipsec import SaCounters
from ikepy.wire.payloads import Identification
from ikepy.wire.ts import TrafficSelector

Counted = tuple[SaCounters | None, SaCounters | None]
"""What the kernel counted of a child's states: in, out."""


def ike_section(ike: IkeSnapshot, now: float, counted: dict[int, Counted], wall: float) -> Section:
    """One IKE SA of list-sa; `now` is the Endpoint's clock, `wall` seconds since the epoch."""
    section: Section = {
        "uniqueid": str(ike.unique_id),
        "version": "2",
        "state": ike.state,
        "local-host": str(ike.path.local.address),
        "local-port": str(ike.path.local.port),
        "local-id": _id(ike.local_id),
        "remote-host": str(ike.path.remote.address),
        "remote-port": str(ike.path.remote.port),
        "remote-id": _id(ike.remote_id),
    }
    if ike.initiator:
        section["initiator"] = "yes"
    section["initiator-spi"] = ike.spi_i.hex()
    section["responder-spi"] = ike.spi_r.hex()
    if ike.nat_local:
        section["nat-local"] = "yes"
    if ike.nat_remote:
        section["nat-remote"] = "yes"
    if ike.nat_local or ike.nat_remote:
        section["nat-any"] = "yes"
    if ike.proposal is not None:
        section |= algorithms(ike.proposal)
    if ike.established_at is not None:
        section["established"] = str(int(now - ike.established_at))
    if ike.queued:
        section["tasks-queued"] = list(ike.queued)
    if ike.waiting_for is not None:
        section["tasks-active"] = [ike.waiting_for]
    section["child-sas"] = {
        f"{child.name}-{child.unique_id}": child_section(child, now, counted.get(child.unique_id, (None, None)), wall)
        for child in ike.children
    }
    return section


def child_section(child: ChildSnapshot, now: float, counted: Counted, wall: float) -> Section:
    """One child of list-sa."""
    section: Section = {"name": child.name, "uniqueid": str(child.unique_id)}
    if child.spec is not None:
        section["reqid"] = str(child.spec.outbound.reqid)
    section |= {"state": child.state, "mode": child.mode.name, "protocol": "ESP"}
    if child.encap:
        section["encap"] = "yes"
    if child.spec is not None:
        section["spi-in"] = f"{child.spec.inbound.spi:08x}"
        section["spi-out"] = f"{child.spec.outbound.spi:08x}"
    section |= algorithms(child.proposal)
    for side, counters in zip(("in", "out"), counted, strict=True):
        section[f"bytes-{side}"] = str(counters.octets if counters is not None else 0)
        section[f"packets-{side}"] = str(counters.packets if counters is not None else 0)
        if counters is not None and counters.last_used is not None:
            section[f"use-{side}"] = str(max(0, int(wall - counters.last_used)))
    if child.installed_at is not None:
        section["install-time"] = str(int(now - child.installed_at))
    section["local-ts"] = [_selector(selector) for selector in child.local_ts]
    section["remote-ts"] = [_selector(selector) for selector in child.remote_ts]
    return section


def connection_section(connection: ConnectionConfig) -> Section:
    """One connection of list-conn."""
    return {
        "local_addrs": _addresses(connection.local_addrs),
        "remote_addrs": _addresses(connection.remote_addrs),
        "local_port": str(connection.local_port or 500),
        "remote_port": str(connection.remote_port),
        "version": "IKEv2",
        "reauth_time": "0",
        "rekey_time": "0",
        "unique": "UNIQUE_NO",
        "proposals": [proposal_words(proposal) for proposal in connection.proposals],
        "local-1": _auth(connection.local.auth, connection.local.id),
        "remote-1": _auth(connection.remote.auth, connection.remote.id.identification),
        "children": {child.name: _child_config(child) for child in connection.children},
    }


def _child_config(child: ChildConfig) -> Section:
    return {
        "mode": child.mode.name,
        "rekey_time": "0",
        "rekey_bytes": "0",
        "rekey_packets": "0",
        "local-ts": [str(selector) for selector in child.local_ts] or ["dynamic"],
        "remote-ts": [str(selector) for selector in child.remote_ts] or ["dynamic"],
        "esp_proposals": [proposal_words(proposal) for proposal in child.esp_proposals],
    }


def _auth(kind: AuthKind, identity: Identification | None) -> Section:
    word = "pre-shared key" if kind is AuthKind.PSK else "public key"
    return {"class": word, "id": _id(identity)}


def _addresses(patterns: tuple[AddressPattern, ...]) -> list[str]:
    return [_address(pattern) for pattern in patterns] or ["%any"]


def _address(pattern: AddressPattern) -> str:
    if pattern.kind is AddressPatternKind.ANY:
        return "%any"
    if pattern.kind is AddressPatternKind.NAME:
        return pattern.name or ""
    return str(pattern.first) if pattern.single is not None else f"{pattern.first}-{pattern.last}"


def _id(identity: Identification | None) -> str:
    return str(identity) if identity is not None else "%any"


def _selector(selector: TrafficSelector) -> str:
    return str(selector)
