"""Connections, traps and shunts as VICI has them: keys and words are charon's.

Not here: who asks (commands.py), IKE SAs and children (sections.py).
"""

from __future__ import annotations

from pathlib import Path

from ikepy.config.algorithms import proposal_words
from ikepy.config.identities import format_pattern
from ikepy.config.model import AddressPattern, AddressPatternKind, AuthKind, ChildConfig, ConnectionConfig, DaemonConfig
from ikepy.control.codec import Section
from ikepy.control.sections import identity_words
from ikepy.ike.causes import Cause
from ikepy.ike.events import InstalledPolicy
from ikepy.ike.wanting import Aim, action_after

_ACTIONS = {Aim.NOTHING: "none", Aim.UP: "start", Aim.POLICIES: "trap"}


def connection_section(connection: ConnectionConfig, daemon: DaemonConfig) -> Section:
    """One connection of list-conn."""
    local, remote = connection.local, connection.remote
    section: Section = {
        "local_addrs": _addresses(connection.local_addrs),
        "remote_addrs": _addresses(connection.remote_addrs),
        "local_port": str(connection.local_port or daemon.port),
        "remote_port": str(connection.remote_port),
        "version": "IKEv2",
        "reauth_time": str(int(connection.reauth_time)),
        "rekey_time": str(int(connection.rekey_time)),
        "unique": f"UNIQUE_{connection.unique.name}",
    }
    if connection.dpd_delay:
        section["dpd_delay"] = str(int(connection.dpd_delay))
    return section | {
        "proposals": [proposal_words(proposal) for proposal in connection.proposals],
        "local-1": _auth(local.auth, identity_words(local.id), certs=local.certs),
        "remote-1": _auth(remote.auth, format_pattern(remote.id), certs=remote.certs, cacerts=remote.cacerts),
        "children": {child.name: _child_config(child) for child in connection.children},
    }


def policy_section(policy: InstalledPolicy) -> Section:
    """One trap or shunt of list-policy."""
    return {
        f"{policy.connection}/{policy.name}": {
            "child": policy.name,
            "ike": policy.connection,
            "mode": policy.mode.name,
            "local-ts": [str(selector) for selector in policy.local_ts],
            "remote-ts": [str(selector) for selector in policy.remote_ts],
        }
    }


def _child_config(child: ChildConfig) -> Section:
    return {
        "mode": child.mode.name,
        "rekey_time": str(int(child.rekey_time)),
        "rekey_bytes": str(child.rekey_bytes),
        "rekey_packets": str(child.rekey_packets),
        "dpd_action": _action(child, Cause.PEER_DEAD),
        "close_action": _action(child, Cause.PEER_CLOSED),
        "local-ts": [str(selector) for selector in child.local_ts] or ["dynamic"],
        "remote-ts": [str(selector) for selector in child.remote_ts] or ["dynamic"],
        "esp_proposals": [proposal_words(proposal) for proposal in child.esp_proposals],
    }


def _action(child: ChildConfig, cause: Cause) -> str:
    """What follows from that end of the child: charon's word, for what start_action says too."""
    return "none" if child.is_shunt else _ACTIONS[action_after(child, cause)]


def _auth(kind: AuthKind, identity: str, **files: tuple[Path, ...]) -> Section:
    words = {AuthKind.PSK: "pre-shared key", AuthKind.PUBKEY: "public key", AuthKind.EAP: "EAP"}
    named: Section = {name: [str(path) for path in paths] for name, paths in files.items() if paths}
    return {"class": words[kind], "id": identity} | named


def _addresses(patterns: tuple[AddressPattern, ...]) -> list[str]:
    return [_address(pattern) for pattern in patterns] or ["%any"]


def _address(pattern: AddressPattern) -> str:
    if pattern.kind is AddressPatternKind.ANY:
        return "%any"
    if pattern.kind is AddressPatternKind.INTERFACE:
        return f"%{pattern.name}"
    if pattern.kind is AddressPatternKind.NAME:
        return pattern.name or ""
    return str(pattern.first) if pattern.single is not None else f"{pattern.first}-{pattern.last}"
