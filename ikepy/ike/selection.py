"""Which connection and which secret apply: by addresses, IDr, IDi, method and CA, the most specific first.

Rule 1: pure functions of the configuration and of what the peer showed; nothing here proves who the peer is.
Rule 2: what fits two connections equally well is refused, and both are named: chance never decides.
Rule 3: a criterion that stands earlier decides before a later one is looked at.

In IKE_SA_INIT only addresses are known, so the first guess may be wrong; IKE_AUTH selects again with all that is known
then, among the connections that could have taken the same IKE proposal (RFC 7296 §2.7: it is chosen for good).

A secret is looked for with both identities known, or with ours alone where the peer has not said who it is. What says
something of the peer goes before what says something of us:

    owners name the peer's identity             and ours, before those that do not name us
    owners name the peer's address              and ours, before those that do not name us
    owners name us alone                        a secret of ours for any peer
    no owners                                   everybody's

A secret that names other peers, and not this one, is never used: else one peer could pass for another.
Not here: whether the peer is who it says (auth/), the traffic selectors of a child (exchanges/).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from ikepy.config.identities import format_identity, matches, same_identity, specificity
from ikepy.config.model import (
    AddressPattern,
    AddressPatternKind,
    AuthKind,
    Config,
    ConnectionConfig,
    PskConfig,
)
from ikepy.ike.actions import Path
from ikepy.ike.errors import NoCredential
from ikepy.ike.negotiation import choose
from ikepy.ipsec import IpAddress
from ikepy.wire.payloads import Identification
from ikepy.wire.registry import IdType
from ikepy.wire.sa import Proposal, Sa

Rank = tuple[int, ...]
"""How well something fits; the greater, the more specific."""

_ANY_ADDRESS = -(1 << 128)
_UNRESOLVED_NAME = _ANY_ADDRESS - 1


class AmbiguousPsk(NoCredential):
    """Two different pre-shared keys fit equally well; the message names both."""


@dataclass(frozen=True, slots=True)
class Selected:
    """One connection fits better than all others."""

    connection: ConnectionConfig


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """Several connections fit equally well: the peer is refused.

    reason   one sentence for our log, with all names
    """

    names: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class NoneFits:
    """No connection fits; `reason` is one sentence for our log, never for the peer."""

    reason: str


Selection = Selected | Ambiguous | NoneFits


def candidates_by_address(config: Config, path: Path) -> tuple[ConnectionConfig, ...]:
    """The connections whose addresses fit the path, the most specific first, then in the order of the file.

    The peer's address goes before ours. A name that is not resolved fits any address, behind all else: it is the
    identity, not the address, that is proved. A connection of shunts alone is with nobody.
    """
    ranked = [
        (rank, connection)
        for connection in config.connections
        if not _is_with_nobody(connection) and (rank := _address_rank(connection, path)) is not None
    ]
    return tuple(connection for _, connection in sorted(ranked, key=lambda pair: pair[0], reverse=True))


def first_guess(config: Config, path: Path) -> ConnectionConfig | None:
    """The connection that IKE_SA_INIT is answered for; None where no addresses fit."""
    return next(iter(candidates_by_address(config, path)), None)


def select(
    config: Config,
    path: Path,
    idi: Identification,
    idr: Identification | None,
    auth: AuthKind,
    trusting: frozenset[str] | None = None,
    chosen: Proposal | None = None,
) -> Selection:
    """Select the connection for an IKE_AUTH request (RFC 7296 §2.15, §3.5; RFC 4301 §4.4.3).

    idi       whom the peer says it is
    idr       whom it wants to speak to; None where it did not say
    auth      how it proves its identity
    trusting  connections with a trust anchor its certificates lead to; None where it sent none
    chosen    the IKE proposal taken in IKE_SA_INIT; None does not narrow the choice
    """
    wanted = f"identity '{format_identity(idr)}'" if idr is not None else "any identity"
    steps: tuple[tuple[Callable[[ConnectionConfig], Rank | None], str], ...] = (
        (lambda c: _address_rank(c, path), f"has addresses for {path.local.address} and {path.remote.address}"),
        (lambda c: _proposal_rank(c, chosen), "takes the IKE proposal chosen in IKE_SA_INIT"),
        (lambda c: _idr_rank(c, idr), f"is for a peer that asks for {wanted}"),
        (lambda c: _idi_rank(c, idi), f"expects a peer with identity '{format_identity(idi)}'"),
        (lambda c: _method_rank(c, auth), f"expects a peer that authenticates by {auth.value}"),
        (lambda c: _trust_rank(c, trusting), "trusts a CA of the peer's certificates"),
    )
    remaining: list[tuple[Rank, ConnectionConfig]] = [((), connection) for connection in config.connections]
    for rank_of, wording in steps:
        fitting = [(rank + found, c) for rank, c in remaining if (found := rank_of(c)) is not None]
        if not fitting:
            return NoneFits(_explain(wording, [c.name for _, c in remaining]))
        remaining = fitting
    best = max(rank for rank, _ in remaining)
    first, *others = [connection for rank, connection in remaining if rank == best]
    if not others:
        return Selected(first)
    names = (first.name, *(connection.name for connection in others))
    return Ambiguous(
        names,
        f"connections {' and '.join(names)} fit the peer '{format_identity(idi)}' equally well; "
        "set remote_addrs, local.id or remote.id so that one fits better",
    )


def choose_psk(
    psks: Sequence[PskConfig], local: Identification, remote: Identification | None, path: Path
) -> PskConfig | None:
    """Choose the pre-shared key of two identities; None where none fits. The order is in the module's docstring.

    remote   None where the peer has not said who it is; then a secret that names us and somebody else fits as well as
             one that names us alone

    Raises AmbiguousPsk where different secrets fit equally well; of equal secrets the first in the file is taken.
    """
    ranked = [(rank, psk) for psk in psks if (rank := _psk_rank(psk, local, remote, path)) is not None]
    if not ranked:
        return None
    best = max(rank for rank, _ in ranked)
    first, *others = [psk for rank, psk in ranked if rank == best]
    for other in others:
        if other.secret != first.secret:
            peer = str(path.remote.address) if remote is None else format_identity(remote)
            raise AmbiguousPsk(
                f"secrets.{first.name} and secrets.{other.name} fit '{format_identity(local)}' and '{peer}' "
                "equally well; set ids to both identities in one of them"
            )
    return first


def _explain(wording: str, names: Iterable[str]) -> str:
    known = ", ".join(names)
    return f"no connection {wording}" + (f"; looked at {known}" if known else "; none is configured")


def _is_with_nobody(connection: ConnectionConfig) -> bool:
    return bool(connection.children) and all(child.is_shunt for child in connection.children)


def _address_rank(connection: ConnectionConfig, path: Path) -> Rank | None:
    remote = _best_pattern(connection.remote_addrs, path.remote.address)
    local = _best_pattern(connection.local_addrs, path.local.address)
    return None if remote is None or local is None else (remote, local)


def _best_pattern(patterns: tuple[AddressPattern, ...], address: IpAddress) -> int | None:
    """Minus the size of the smallest pattern that fits, None where none does."""
    if not patterns:
        return _ANY_ADDRESS
    sizes = [size for pattern in patterns if (size := _pattern_rank(pattern, address)) is not None]
    return max(sizes, default=None)


def _pattern_rank(pattern: AddressPattern, address: IpAddress) -> int | None:
    if pattern.kind is AddressPatternKind.NAME:
        return _UNRESOLVED_NAME
    return -pattern.size if pattern.matches(address) else None


def _proposal_rank(connection: ConnectionConfig, chosen: Proposal | None) -> Rank | None:
    if chosen is None or choose(Sa((chosen,)), connection.proposals) is not None:
        return ()
    return None


def _idr_rank(connection: ConnectionConfig, idr: Identification | None) -> Rank | None:
    if idr is None:
        return (0,)
    if connection.local.id is None:
        return (0,)  # ours is then the certificate's or the address; the peer judges what we answer (§2.15)
    return (1,) if same_identity(connection.local.id, idr) else None


def _idi_rank(connection: ConnectionConfig, idi: Identification) -> Rank | None:
    pattern = connection.remote.id
    return (specificity(pattern),) if matches(pattern, idi) else None


def _method_rank(connection: ConnectionConfig, auth: AuthKind) -> Rank | None:
    return () if connection.remote.auth is auth else None


def _trust_rank(connection: ConnectionConfig, trusting: frozenset[str] | None) -> Rank | None:
    if trusting is None or connection.remote.auth is not AuthKind.PUBKEY:
        return (0,)
    if connection.name in trusting:
        return (1,)
    return (0,) if connection.remote.certs else None  # pinned certificates need no CA


def _psk_rank(psk: PskConfig, local: Identification, remote: Identification | None, path: Path) -> Rank | None:
    if not psk.owners:
        return (0, 0)
    by_identity = remote is not None and any(same_identity(owner, remote) for owner in psk.owners)
    by_address = _address_identity(path.remote.address) in psk.owners
    ours = [_our_rank(owner, local, path) for owner in psk.owners]
    if by_identity or by_address:
        return (2 if by_identity else 1, max(ours))
    if remote is None and max(ours) > 0:
        return (0, max(ours))
    return (0, max(ours)) if min(ours) > 0 else None


def _our_rank(owner: Identification, local: Identification, path: Path) -> int:
    if same_identity(owner, local):
        return 2
    return 1 if owner == _address_identity(path.local.address) else 0


def _address_identity(address: IpAddress) -> Identification:
    kind = IdType.ID_IPV4_ADDR if address.version == 4 else IdType.ID_IPV6_ADDR  # noqa: PLR2004 - IP version
    return Identification(kind, address.packed)
