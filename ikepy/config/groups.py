"""Who belongs to which group, and what that comes to.

    user groups       a user, once EAP has proved it: by the user's own `groups`, or by the group's `users`
    cert_ids, cacerts a certificate, once its chain and its signature are verified
    psk_ids           an identity that a pre-shared key has proved

Rule 1: only what is proved counts: the IDi of a client that authenticates by EAP is its own claim, and is not looked at.
Rule 2: where there are groups, who is in none gets nothing; where there are none, all get what the connection gives.
Rule 3: several groups together give what any of them gives: subnets and pools of all, the longest of limits.
Asked about peers that come to us; a gateway that we went to is in nobody's group.
Not here: proving anything (auth/), giving addresses out (leases/).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from ikepy.config.access import GroupConfig, Tunnel
from ikepy.config.identities import format_identity, matches
from ikepy.config.model import Config, IdentityPattern
from ikepy.ipsec import IpAddress
from ikepy.wire.payloads import Identification
from ikepy.wire.registry import IdType
from ikepy.wire.ts import TrafficSelector

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Proof:
    """What a client has proved, in all its rounds of authentication.

    user          the user's name as the entry has it (not as the client wrote it), None without EAP
    user_groups   the groups of the user's entry
    psk_identity  the identity that a pre-shared key proved, None without one
    cert_names    all identities the verified certificate names: its subject, and its subjectAltName
    authorities   the files of cacerts whose certificate is in the verified chain
    """

    user: str | None = None
    user_groups: tuple[str, ...] = ()
    psk_identity: Identification | None = None
    cert_names: tuple[Identification, ...] = ()
    authorities: frozenset[Path] = frozenset()


NO_PROOF = Proof()
"Nothing is proved that groups ask about."


@dataclass(frozen=True, slots=True)
class Rights:
    """What a client gets.

    groups        the groups it is in, in the order of the configuration
    allowed       whether it gets anything
    subnets       what it reaches of the child's local_ts; None is all of that
    pools         instead of the connection's; empty: the connection's
    dns, domains  instead of the pool's; empty: the pool's
    tunnel        None: as the client asks
    max_sessions  None is any number
    idle_timeout  seconds, None never
    """

    groups: tuple[str, ...] = ()
    allowed: bool = True
    subnets: tuple[TrafficSelector, ...] | None = None
    pools: tuple[str, ...] = ()
    dns: tuple[IpAddress, ...] = ()
    domains: tuple[str, ...] = ()
    tunnel: Tunnel | None = None
    max_sessions: int | None = None
    idle_timeout: float | None = None


NO_RIGHTS = Rights(allowed=False)
"What somebody gets who is in no group, where there are groups."
ALL_RIGHTS = Rights()
"What everybody gets where there are no groups."


def membership(config: Config, proof: Proof) -> tuple[str, ...]:
    """Name the groups a client is in, in the order of the configuration."""
    return tuple(group.name for group in config.groups if _is_in(group, proof))


def rights_of(config: Config, proof: Proof) -> Rights:
    """Say what a client gets, of all its groups together."""
    if not config.groups:
        return ALL_RIGHTS
    groups = [group for group in config.groups if _is_in(group, proof)]
    if not groups:
        return NO_RIGHTS
    return Rights(
        tuple(group.name for group in groups),
        subnets=None if any(not group.subnets for group in groups) else _each(group.subnets for group in groups),
        pools=_each(group.pools for group in groups),
        dns=_each(group.dns for group in groups),
        domains=_each(group.domains for group in groups),
        tunnel=_tunnel(groups),
        max_sessions=_most([group.max_sessions for group in groups]),
        idle_timeout=_most([group.idle_timeout for group in groups]),
    )


def lease_identity(proof: Proof, identity: Identification) -> str:
    """The identity that addresses are leased to: the user's name where EAP proved one, else the proved identity."""
    return proof.user if proof.user is not None else typed_identity(identity)


def typed_identity(identity: Identification) -> str:
    """An identity with its type, `fqdn:gate.example`, so that it is never the same as a user's name.

    Two texts are the same where the identities are: hosts are written small.
    """
    text = format_identity(identity)
    word = _TYPES.get(identity.type)
    if word is None or text.startswith(f"{word}:"):
        return text
    if identity.type is IdType.ID_FQDN:
        text = text.lower()
    elif identity.type is IdType.ID_RFC822_ADDR:
        user, at, host = text.rpartition("@")
        text = user + at + host.lower()
    return f"{word}:{text}"


_TYPES = {
    IdType.ID_FQDN: "fqdn",
    IdType.ID_RFC822_ADDR: "email",
    IdType.ID_IPV4_ADDR: "ipv4",
    IdType.ID_IPV6_ADDR: "ipv6",
    IdType.ID_DER_ASN1_DN: "asn1dn",
}


def _is_in(group: GroupConfig, proof: Proof) -> bool:
    return _is_in_as_user(group, proof) or _is_in_by_certificate(group, proof) or _is_in_by_psk(group, proof)


def _is_in_as_user(group: GroupConfig, proof: Proof) -> bool:
    return proof.user is not None and (group.name in proof.user_groups or proof.user in group.users)


def _is_in_by_certificate(group: GroupConfig, proof: Proof) -> bool:
    if not proof.cert_names or not (group.cert_ids or group.cacerts):
        return False
    named = not group.cert_ids or any(_fits(group.cert_ids, name) for name in proof.cert_names)
    return named and (not group.cacerts or not proof.authorities.isdisjoint(group.cacerts))


def _is_in_by_psk(group: GroupConfig, proof: Proof) -> bool:
    return proof.psk_identity is not None and _fits(group.psk_ids, proof.psk_identity)


def _fits(patterns: Iterable[IdentityPattern], identity: Identification) -> bool:
    return any(matches(pattern, identity) for pattern in patterns)


def _tunnel(groups: list[GroupConfig]) -> Tunnel | None:
    """All of it where one group says so; else what a group says."""
    said = {group.tunnel for group in groups}
    return Tunnel.FULL if Tunnel.FULL in said else Tunnel.SPLIT if said == {Tunnel.SPLIT} else None


def _each(lists: Iterable[tuple[T, ...]]) -> tuple[T, ...]:
    return tuple(dict.fromkeys(value for values in lists for value in values))


def _most(limits: list[T]) -> T | None:
    """The highest limit; 0 is none, and goes above all."""
    return max(limits, key=_number) if all(limits) else None


def _number(limit: object) -> float:
    return float(limit) if isinstance(limit, int | float) else 0.0
