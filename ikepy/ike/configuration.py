"""What configuration payloads ask for and say, of the gateway and of the client (RFC 7296 §2.19, §3.15, RFC 8598).

    client   make_request(wishes)  ->  CFG_REQUEST        CFG_REPLY  ->  read_reply() -> Given
    gateway  read_request() -> Requested                  offer_of(), make_reply() ->  CFG_REPLY

Rule 1: attributes that are not known are passed over; of those that are, a length that cannot be is InvalidSyntax.
Rule 2: counts are bounded, and what a gateway says is looked at before anything is done with it.
Rule 3: IPv4 stands before IPv6.
Not here: octets (wire/cp_values.py), who gets which address (leases/), what is done with an answer (exchanges/addresses.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, summarize_address_range
from typing import TypeVar

from ikepy.config.access import PoolConfig, Tunnel
from ikepy.config.groups import Rights
from ikepy.ipsec import IpAddress
from ikepy.wire.cp import CfgAttribute, Cp
from ikepy.wire.cp_values import (
    UNITY_LOCAL_LAN,
    UNITY_SPLIT_INCLUDE,
    address_attribute,
    address_of,
    domain_of,
    network_of,
    subnet_attribute,
    unity_attribute,
)
from ikepy.wire.errors import InvalidSyntax
from ikepy.wire.registry import CfgAttributeType as Kind
from ikepy.wire.registry import CfgType
from ikepy.wire.ts import TrafficSelector

MOST_ADDRESSES = 4
"Addresses of one family that a client may have."
MOST_ITEMS = 16
"DNS servers, domains and networks that are taken of a gateway, each."

IpNetwork = IPv4Network | IPv6Network
A = TypeVar("A", IPv4Address, IPv6Address)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Requested:
    """What a client asks for; an address is None where any will do.

    kinds   all attributes of its request, known or not
    """

    v4: tuple[IPv4Address | None, ...] = ()
    v6: tuple[IPv6Address | None, ...] = ()
    kinds: frozenset[Kind] = frozenset()


@dataclass(frozen=True, slots=True)
class Offer:
    """What a client is given beside its addresses; netmask None where none is told."""

    addresses: tuple[IpAddress, ...]
    dns: tuple[IpAddress, ...] = ()
    domains: tuple[str, ...] = ()
    subnets: tuple[IpNetwork, ...] = ()
    nbns: tuple[IPv4Address, ...] = ()
    dhcp: tuple[IpAddress, ...] = ()
    netmask: IPv4Address | None = None
    split_include: tuple[IpNetwork, ...] = ()
    split_exclude: tuple[IpNetwork, ...] = ()


@dataclass(frozen=True, slots=True)
class Given:
    """What a gateway gave us: addresses, DNS servers, the domains they are for, networks behind the gateway."""

    addresses: tuple[IpAddress, ...]
    dns: tuple[IpAddress, ...] = ()
    domains: tuple[str, ...] = ()
    subnets: tuple[TrafficSelector, ...] = ()


# -- the gateway -------------------------------------------------------------------------------------------------


def read_request(cp: Cp) -> Requested:
    """Read what a client asks for; raises InvalidSyntax."""
    v4: list[IPv4Address | None] = []
    v6: list[IPv6Address | None] = []
    for attribute in cp.attributes:
        if attribute.type is Kind.INTERNAL_IP4_ADDRESS:
            v4.append(_wish(IPv4Address, address_of(attribute)))
        elif attribute.type is Kind.INTERNAL_IP6_ADDRESS:
            v6.append(_wish(IPv6Address, address_of(attribute)))
    kinds = frozenset(attribute.type for attribute in cp.attributes)
    return Requested(tuple(v4[:MOST_ADDRESSES]), tuple(v6[:MOST_ADDRESSES]), kinds)


def offer_of(pools: Sequence[PoolConfig], rights: Rights, addresses: tuple[IpAddress, ...]) -> Offer:
    """Say what goes with addresses of these pools; what the client's groups say of it goes before what pools say."""
    if rights.tunnel is Tunnel.FULL:
        subnets: tuple[IpNetwork, ...] = ()
    elif rights.subnets is not None:
        subnets = tuple(network for selector in rights.subnets for network in _networks(selector))
    else:
        subnets = _each(pool.subnet for pool in pools)
    return Offer(
        addresses,
        dns=rights.dns or _each(pool.dns for pool in pools),
        domains=rights.domains or _each(pool.domains for pool in pools),
        subnets=subnets,
        nbns=_each(pool.nbns for pool in pools),
        dhcp=_each(pool.dhcp for pool in pools),
        netmask=next((pool.netmask for pool in pools if pool.netmask is not None), None),
        split_include=_each(pool.split_include for pool in pools),
        split_exclude=_each(pool.split_exclude for pool in pools),
    )


def make_reply(offer: Offer, requested: Requested) -> Cp:
    """Word the answer: addresses, and of the rest what was asked for.

    Domains also go to who asked for DNS servers alone: on Apple's systems DNS without a full tunnel is for named domains.
    """
    found = [_one(Kind.INTERNAL_IP4_ADDRESS, Kind.INTERNAL_IP6_ADDRESS, address) for address in offer.addresses]
    wanted = requested.kinds
    if offer.netmask is not None and Kind.INTERNAL_IP4_NETMASK in wanted:
        found.append(address_attribute(Kind.INTERNAL_IP4_NETMASK, offer.netmask))
    for v4, v6, values in (
        (Kind.INTERNAL_IP4_DNS, Kind.INTERNAL_IP6_DNS, offer.dns),
        (Kind.INTERNAL_IP4_NBNS, Kind.INTERNAL_IP4_NBNS, offer.nbns),
        (Kind.INTERNAL_IP4_DHCP, Kind.INTERNAL_IP6_DHCP, offer.dhcp),
    ):
        attributes = (_one(v4, v6, value) for value in values)
        found += [attribute for attribute in attributes if attribute.type in wanted]
    if wanted & {Kind.INTERNAL_IP4_DNS, Kind.INTERNAL_IP6_DNS, Kind.INTERNAL_DNS_DOMAIN}:
        found += [CfgAttribute(Kind.INTERNAL_DNS_DOMAIN, domain.encode("idna")) for domain in offer.domains]
    subnets = (subnet_attribute(network) for network in offer.subnets)
    found += [subnet for subnet in subnets if subnet.type in wanted]
    if UNITY_SPLIT_INCLUDE in wanted:
        found += unity_attribute(UNITY_SPLIT_INCLUDE, offer.split_include)
    if UNITY_LOCAL_LAN in wanted:
        found += unity_attribute(UNITY_LOCAL_LAN, offer.split_exclude)
    return Cp(CfgType.CFG_REPLY, tuple(found))


# -- the client --------------------------------------------------------------------------------------------------


def make_request(wishes: tuple[IpAddress, ...]) -> Cp:
    """Ask for addresses, `0.0.0.0` and `::` for any, and what goes with their families."""
    found = []
    for wish in wishes:
        kind = Kind.INTERNAL_IP4_ADDRESS if isinstance(wish, IPv4Address) else Kind.INTERNAL_IP6_ADDRESS
        found.append(CfgAttribute(kind) if wish.is_unspecified else address_attribute(kind, wish))
    families = {wish.version for wish in wishes}
    more = {
        4: (Kind.INTERNAL_IP4_DNS, Kind.INTERNAL_IP4_SUBNET),
        6: (Kind.INTERNAL_IP6_DNS, Kind.INTERNAL_IP6_SUBNET),
    }
    found += [CfgAttribute(kind) for family in sorted(families) for kind in more[family]]
    return Cp(CfgType.CFG_REQUEST, (*found, CfgAttribute(Kind.INTERNAL_DNS_DOMAIN)))


def read_reply(cp: Cp) -> Given:
    """Read what a gateway gives us; raises InvalidSyntax, also for addresses that no host can have."""
    addresses: list[IpAddress] = []
    dns: list[IpAddress] = []
    domains: list[str] = []
    networks: list[IpNetwork] = []
    for attribute in cp.attributes:
        match attribute.type:
            case Kind.INTERNAL_IP4_ADDRESS | Kind.INTERNAL_IP6_ADDRESS:
                addresses += _usable(attribute)
            case Kind.INTERNAL_IP4_DNS | Kind.INTERNAL_IP6_DNS:
                dns += _usable(attribute)
            case Kind.INTERNAL_DNS_DOMAIN:
                domains += [name for name in (domain_of(attribute),) if name]
            case Kind.INTERNAL_IP4_SUBNET | Kind.INTERNAL_IP6_SUBNET:
                networks += [network for network in (network_of(attribute),) if network is not None]
    if max(len(addresses), len(dns), len(domains), len(networks)) > MOST_ITEMS:
        raise InvalidSyntax(f"a configuration with more than {MOST_ITEMS} of a kind")
    subnets = tuple(TrafficSelector.from_network(network) for network in dict.fromkeys(networks))
    return Given(_once(addresses), _once(dns), tuple(dict.fromkeys(domains)), subnets)


def _usable(attribute: CfgAttribute) -> list[IpAddress]:
    address = address_of(attribute)
    if address is None:
        return []
    if address.is_unspecified or address.is_loopback or address.is_multicast or address.is_link_local:
        raise InvalidSyntax(f"{attribute.type} {address}, which nobody can give us")
    if address == IPv4Address("255.255.255.255"):
        raise InvalidSyntax(f"{attribute.type} {address}, which nobody can give us")
    return [address]


# -- shared ------------------------------------------------------------------------------------------------------


def _wish(kind: type[A], address: object) -> A | None:
    """The address asked for; None where any will do."""
    return address if isinstance(address, kind) and not address.is_unspecified else None


def _one(v4: Kind, v6: Kind, address: IpAddress) -> CfgAttribute:
    return address_attribute(v4 if isinstance(address, IPv4Address) else v6, address)


def _networks(selector: TrafficSelector) -> Iterable[IpNetwork]:
    return summarize_address_range(selector.start, selector.end)


def _each(lists: Iterable[tuple[T, ...]]) -> tuple[T, ...]:
    return tuple(dict.fromkeys(value for values in lists for value in values))


def _once(found: list[IpAddress]) -> tuple[IpAddress, ...]:
    return tuple(dict.fromkeys(found))
