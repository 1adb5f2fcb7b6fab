"""Who holds which policy: the table that makes a policy go in with its first owner and out with its last.

In the kernel a policy is unique by selector, direction, mark and interface ID: a second one is EEXIST, and one delete
removes it for all. So the kernel sees one policy for each such key, and this table knows who wants it.

Rule 1: the table is changed by commit() alone, once the kernel did what plan_*() said; a plan that fails leaves it be.
Rule 2: of several claims to protect, the latest of a child is what the kernel has, and a trap's only where no child's is:
        a trap that is put in or changed beside its child takes no packets from it. When a claim goes, the one before is
        back.
Rule 3: equal selectors of two peers are refused, never a silent theft: the same peer is the same request ID, or the
        same far address (and UDP port, where both say one).
Rule 4: bypass policies of one key are one policy with the best priority any of them asks for.
Not here: netlink.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from ikepy.ike.errors import PolicyTaken
from ikepy.ipsec import ChildSaSpec, Direction, IpAddress, Mode, Owner, PolicyAction, PolicySpec
from ikepy.kernel.shunts import shunts_for

PolicyKey = tuple[object, ...]
"""Selector, direction, mark and interface ID in numbers: a hash of `ipaddress` objects costs ten times as much."""


@dataclass(frozen=True, slots=True)
class Peer:
    """Whom a policy leads to; the port is that of UDP encapsulation, None where there is none."""

    address: IpAddress
    port: int | None = None

    def is_same_as(self, other: Peer) -> bool:
        """Whether the two may be one: a port that is not known speaks for it."""
        return self.address == other.address and (self.port == other.port or None in (self.port, other.port))


@dataclass(frozen=True, slots=True)
class Claim:
    """One owner's wish for one policy; `has_states` where there are states behind it: a child's, not a trap's."""

    owner: Owner
    policy: PolicySpec
    peer: Peer | None
    has_states: bool = False


Claims = tuple[Claim, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """What the kernel is to be told, in this order, and what the table says afterwards.

    replaced   each policy that stays with another content: before and after
    """

    added: tuple[PolicySpec, ...]
    replaced: tuple[tuple[PolicySpec, PolicySpec], ...]
    deleted: tuple[PolicySpec, ...]
    claims: dict[PolicyKey, Claims]


def key_of(policy: PolicySpec) -> PolicyKey:
    """What the kernel tells policies apart by."""
    selector, mark = policy.selector, policy.mark
    source, destination = selector.source, selector.destination
    return (
        source.version,
        int(source.network_address),
        source.prefixlen,
        int(destination.network_address),
        destination.prefixlen,
        selector.protocol,
        selector.source_port,
        selector.source_port_mask,
        selector.destination_port,
        selector.destination_port_mask,
        policy.direction.value,
        (mark.value, mark.mask) if mark is not None else None,
        policy.if_id,
    )


def peer_of(child: ChildSaSpec) -> Peer:
    """Whom a child's policies lead to."""
    outbound = child.outbound
    return Peer(outbound.destination, outbound.encap.destination_port if outbound.encap is not None else None)


class PolicyTable:
    """The policies of ours and their owners."""

    def __init__(self) -> None:
        self._claims: dict[PolicyKey, Claims] = {}
        self._keys: dict[Owner, dict[PolicyKey, None]] = {}

    @property
    def policies(self) -> tuple[PolicySpec, ...]:
        """What the kernel should have."""
        return tuple(_effective(claims) for claims in self._claims.values())

    def owners_of(self, policy: PolicySpec) -> tuple[Owner, ...]:
        """Who holds the policy with that key, the first one first."""
        return tuple(claim.owner for claim in self._claims.get(key_of(policy), ()))

    def plan_add(self, owner: Owner, policies: Iterable[PolicySpec], peer: Peer | None = None) -> Plan:
        """Plan what to install for an owner, the shunts a policy needs before it; raises PolicyTaken.

        peer   whom a child's states lead to; None for policies without states
        """
        planned: dict[PolicyKey, Claims] = {}
        for policy in policies:
            for shunt in shunts_for(policy):
                self._claim(planned, Claim(owner, shunt, None))
            self._claim(planned, Claim(owner, policy, peer or _peer_by_template(policy), peer is not None))
        return self._plan(planned)

    def plan_change(self, owner: Owner, policies: Iterable[PolicySpec], peer: Peer) -> Plan:
        """Plan what to install for an owner in the place of what it holds; raises PolicyTaken."""
        added, removed = self.plan_add(owner, policies, peer), self.plan_remove(owner)
        return self._plan(
            {key: claims for key, claims in removed.claims.items() if key not in added.claims} | added.claims
        )

    def plan_remove(self, owner: Owner) -> Plan:
        """Plan what to remove with an owner; nothing where there is no such owner."""
        planned = {
            key: tuple(claim for claim in self._claims[key] if claim.owner != owner)
            for key in reversed(self._keys.get(owner, {}))
        }
        return self._plan(planned)

    def commit(self, plan: Plan) -> None:
        """Make the plan true; it must have been made of the table as it is."""
        for key, claims in plan.claims.items():
            staying = {claim.owner for claim in claims}
            for claim in self._claims.get(key, ()):
                if claim.owner not in staying:
                    self._forget(claim.owner, key)
            for owner in staying:
                self._keys.setdefault(owner, {})[key] = None
            if claims:
                self._claims[key] = claims
            else:
                self._claims.pop(key, None)

    def clear(self) -> None:
        """Forget all."""
        self._claims.clear()
        self._keys.clear()

    def _forget(self, owner: Owner, key: PolicyKey) -> None:
        keys = self._keys[owner]
        del keys[key]
        if not keys:
            del self._keys[owner]

    def _claim(self, planned: dict[PolicyKey, Claims], claim: Claim) -> None:
        key = key_of(claim.policy)
        claims = planned.get(key, self._claims.get(key, ()))
        for other in claims:
            _check_peer(claim, other)
        own = next((other for other in claims if other.owner == claim.owner), None)
        if own is not None:
            others = tuple(other for other in claims if other is not own)
            planned[key] = (*others, replace(claim, policy=_effective((own, claim))))
        else:
            planned[key] = (*claims, claim)

    def _plan(self, planned: dict[PolicyKey, Claims]) -> Plan:
        added, replaced, deleted = [], [], []
        for key, claims in planned.items():
            before = self._claims.get(key)
            if before is None:
                added.append(_effective(claims))
            elif not claims:
                deleted.append(_effective(before))
            elif (old := _effective(before)) != (new := _effective(claims)):
                replaced.append((old, new))
        deleted.sort(key=lambda policy: policy.action is PolicyAction.BYPASS)  # shunts outlive what they shield
        return Plan(tuple(added), tuple(replaced), tuple(deleted), planned)


def _effective(claims: Claims) -> PolicySpec:
    if all(claim.policy.action is PolicyAction.BYPASS for claim in claims):
        return min((claim.policy for claim in claims), key=lambda policy: policy.priority)
    return next((claim for claim in reversed(claims) if claim.has_states), claims[-1]).policy


def _peer_by_template(policy: PolicySpec) -> Peer | None:
    if policy.template is None:
        return None
    template = policy.template
    return Peer(template.destination if policy.direction is Direction.OUT else template.source)


def _check_peer(claim: Claim, other: Claim) -> None:
    ours, theirs = claim.policy, other.policy
    if ours.action is theirs.action and ours.action is not PolicyAction.PROTECT:
        return
    same_action = ours.action is theirs.action
    same_reqid = ours.template and theirs.template and ours.template.reqid == theirs.template.reqid
    same_peer = claim.peer is not None and other.peer is not None and claim.peer.is_same_as(other.peer)
    if same_action and (same_reqid or same_peer):
        return
    with_whom = f"to {other.peer.address}" if other.peer is not None else f"that says {theirs.action.value}"
    advice = "give the two peers different selectors, or take the other one down first"
    is_transport = ours.template is not None and ours.template.mode is Mode.TRANSPORT
    if is_transport and claim.peer is not None and other.peer is not None and claim.peer.address == other.peer.address:
        # RFC 7296 §2.23.1: in transport mode all clients of a NAT have its address, and packets tell no two apart.
        advice = "two peers behind one NAT: use tunnel mode, or give them different ports or protocols"
    raise PolicyTaken(f"the selectors {_worded(ours)} are in use by {other.owner}, a policy {with_whom}: {advice}")


def _worded(policy: PolicySpec) -> str:
    selector = policy.selector
    protocol = f", protocol {selector.protocol}" if selector.protocol else ""
    source = f" port {selector.source_port}" if selector.source_port_mask else ""
    destination = f" port {selector.destination_port}" if selector.destination_port_mask else ""
    ends = f"{selector.source}{source} to {selector.destination}{destination}"
    return f"{ends}{protocol} ({policy.direction.value})"
