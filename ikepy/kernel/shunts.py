"""What must never be encrypted, or nothing leaves this host any more: neighbour discovery, link-local traffic, DHCP.

A policy for ::/0, or between two hosts of one link, would have the kernel ask for a state before it may resolve the
neighbour that the state's packets go to. So for each policy that would cover them, bypass policies with a better
priority go in before it, each held by whoever holds a policy that needs it.

Rule 1: neighbour discovery is ICMPv6 133-137, whatever the addresses: they never cross a router.
Rule 2: link-local is bypassed under a wider policy, never under one that names link-local addresses: that one is meant.
Rule 3: DHCP is this host's as a client, under a policy whose far side takes in the limited broadcast: what it sends to
        the broadcast, or from the one address that is protected, and the answers. What others send through this host,
        and what comes from a client's single address (DHCPINFORM), stays in the tunnel.
Rule 4: nothing under an interface ID: there is no neighbour on an xfrm interface.
Not here: who holds them (owners.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Network
from socket import IPPROTO_ICMPV6, IPPROTO_UDP

from ikepy.ipsec import Direction, IpNetwork, PolicyAction, PolicySpec, Selector

_ALL_4 = IPv4Network("0.0.0.0/0")
_ALL_6 = IPv6Network("::/0")
_LINK_LOCAL = IPv6Network("fe80::/10")
_BROADCAST = IPv4Address("255.255.255.255")
_EXACT = 0xFFFF
_CLIENT, _SERVER = 68, 67

NEIGHBOUR_DISCOVERY = tuple(
    # Linux puts the ICMP type where the source port is; types 133, 134-135 and 136-137.
    Selector(_ALL_6, _ALL_6, IPPROTO_ICMPV6, source_port=first, source_port_mask=mask)
    for first, mask in ((133, _EXACT), (134, 0xFFFE), (136, 0xFFFE))
)
"""Router solicitation and advertisement, neighbour solicitation and advertisement, redirect (RFC 4861)."""

LINK_LOCAL = (Selector(_LINK_LOCAL, _ALL_6), Selector(_ALL_6, _LINK_LOCAL))
"""From and to link-local addresses; DHCPv6 is among them (RFC 8415 §7.1)."""

DHCP_OUT = Selector(_ALL_4, IPv4Network("255.255.255.255/32"), IPPROTO_UDP, _CLIENT, _EXACT, _SERVER, _EXACT)
"""What a DHCP client sends (RFC 2131 §4.1)."""
DHCP_IN = Selector(_ALL_4, _ALL_4, IPPROTO_UDP, _SERVER, _EXACT, _CLIENT, _EXACT)
"""What it is answered."""


def shunts_for(policy: PolicySpec) -> tuple[PolicySpec, ...]:
    """The bypass policies that must stand before a policy; none for a bypass policy itself."""
    if policy.action is PolicyAction.BYPASS or policy.if_id is not None or policy.direction is Direction.FORWARD:
        return ()
    far = policy.selector.destination if policy.direction is Direction.OUT else policy.selector.source
    if isinstance(far, IPv4Network) and far.broadcast_address != _BROADCAST:
        return ()  # most policies there are
    return _shunts_for(policy)


@lru_cache(maxsize=1024)
def _shunts_for(policy: PolicySpec) -> tuple[PolicySpec, ...]:
    priority = max(policy.priority - 1, 0)
    return tuple(
        PolicySpec(selector, direction, PolicyAction.BYPASS, None, priority, policy.mark)
        for selector, direction in _covered(policy.selector, policy.direction)
    )


def _covered(selector: Selector, direction: Direction) -> Iterator[tuple[Selector, Direction]]:
    both = (Direction.OUT, Direction.IN)
    if isinstance(selector.source, IPv4Network):
        yield from _dhcp(selector if direction is Direction.OUT else selector.reversed())
        return
    for discovery in NEIGHBOUR_DISCOVERY:
        if _meets(selector, discovery):
            yield from ((discovery, way) for way in both)
    for link_local in LINK_LOCAL:
        named = any(_within(side, _LINK_LOCAL) for side in (selector.source, selector.destination))
        from_there = _overlaps(selector.source, link_local.source)
        if not named and from_there and _overlaps(selector.destination, link_local.destination):
            yield from ((link_local, way) for way in both)


def _dhcp(outwards: Selector) -> Iterator[tuple[Selector, Direction]]:
    if not _meets(outwards, DHCP_OUT):
        return
    yield DHCP_OUT, Direction.OUT
    yield DHCP_IN, Direction.IN
    if outwards.source.prefixlen == outwards.source.max_prefixlen:
        # The host's own address: it renews its lease by unicast (RFC 2131 §4.4.5).
        yield replace(DHCP_OUT, source=outwards.source, destination=_ALL_4), Direction.OUT


def _meets(one: Selector, other: Selector) -> bool:
    """Whether some packet has the protocol and ports of both."""
    if one.protocol and other.protocol and one.protocol != other.protocol:
        return False
    source_mask = one.source_port_mask & other.source_port_mask
    destination_mask = one.destination_port_mask & other.destination_port_mask
    return (
        one.source_port & source_mask == other.source_port & source_mask
        and one.destination_port & destination_mask == other.destination_port & destination_mask
    )


def _overlaps(one: IpNetwork, other: IpNetwork) -> bool:
    return one.version == other.version and one.overlaps(other)


def _within(one: IpNetwork, other: IpNetwork) -> bool:
    return one.version == other.version and one.subnet_of(other)  # type: ignore[arg-type]
