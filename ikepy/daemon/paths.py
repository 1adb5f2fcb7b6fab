"""Where an initiated IKE SA begins: the peer's addresses found, and ours by the routing table.

Rule 1: each address of the peer to which a route leads is to be tried, in turn; names are resolved each time anew.
Not here: names (names.py), what happens to the path later (ike/nat.py), the routing table (kernel/links.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv6Address
from typing import Protocol

from ikepy.config.model import AddressPattern, AddressPatternKind, Config, ConnectionConfig
from ikepy.daemon.names import Names
from ikepy.ike.actions import Path, SocketAddress
from ikepy.ike.effects import Ways
from ikepy.ike.errors import PeerUnknown
from ikepy.ipsec import IpAddress
from ikepy.wire.redirect import Gateway
from ikepy.wire.ts import TrafficSelector

MOST_PATHS = 8
"Addresses of a peer that are tried."
_PORT_NAT_T = 4500


class FindsSources(Protocol):
    """What is asked of the routing table."""

    async def source_address_for(self, destination: IpAddress) -> IpAddress | None:
        """Our address for packets to `destination`; None where no route leads there."""

    async def usable_addresses(self) -> tuple[IpAddress, ...]:
        """Our addresses on interfaces that can send at present."""


async def resolve_paths(
    config: Config,
    connection_name: str,
    links: FindsSources,
    gateway: Gateway | None = None,
    names: Names | None = None,
) -> tuple[Path, ...]:
    """Find both ends of a connection that is to be initiated, for each address of the peer a route leads to.

    The non-ESP marker is on where the peer is to be met on port 4500 or the connection leaves from our NAT-T port.

    Raises PeerUnknown where nothing resolves or no route leads there.
    """
    connection = config.connection(connection_name)
    if connection is None:
        raise PeerUnknown(f"no connection is called {connection_name}")
    looked_at: list[str] = []
    paths: dict[Path, None] = {}
    patterns = connection.remote_addrs if gateway is None else (_pattern_of(gateway),)
    for pattern in patterns:
        for remote in await _addresses_of(pattern, looked_at, names or Names()):
            local = await _local_address(config, connection, remote, links)
            if local is not None:
                paths[_path(config, connection, local, remote)] = None
            else:
                looked_at.append(f"no route and local address for {remote}")
    if not paths:
        raise PeerUnknown(f"connection {connection.name} cannot be initiated: " + _why_not(looked_at))
    return tuple(paths)[:MOST_PATHS]


async def find_ways(config: Config, connection_name: str, remotes: tuple[IpAddress, ...], links: FindsSources) -> Ways:
    """Find by which addresses of ours the peer's can be reached at present, and which a peer may know."""
    connection = config.connection(connection_name)
    usable = await links.usable_addresses()
    if connection is None:
        return Ways(())
    pairs = []
    inside = [selector for child in connection.children for selector in child.remote_ts]
    for remote in remotes:
        if remote != remotes[0] and _is_selected(remote, inside):
            continue
        local = await _local_address(config, connection, remote, links)
        if local is not None and local in usable and await links.source_address_for(remote) is not None:
            pairs.append((local, remote))
    return Ways(tuple(pairs), tuple(each for each in usable if _may_be_told(config, connection, each)))


def _may_be_told(config: Config, connection: ConnectionConfig, address: IpAddress) -> bool:
    """Whether a peer of that connection may know of an address of ours: it could come there."""
    if address.is_loopback or address.is_link_local or address.is_multicast:
        return False
    if config.daemon.listen and address not in config.daemon.listen:
        return False
    if _is_selected(address, [selector for child in connection.children for selector in child.local_ts]):
        return False
    return not connection.local_addrs or any(pattern.matches(address) for pattern in connection.local_addrs)


def _is_selected(address: IpAddress, selectors: Iterable[TrafficSelector]) -> bool:
    """Whether an address lies inside a tunnel, and so is none that leads to it; one that takes everything does not count."""
    return any(
        selector.start.version == address.version
        and selector.start <= address <= selector.end  # type: ignore[operator]
        and int(selector.end) - int(selector.start) < (1 << address.max_prefixlen) - 1
        for selector in selectors
    )


def _pattern_of(gateway: Gateway) -> AddressPattern:
    if isinstance(gateway, str):
        return AddressPattern(AddressPatternKind.NAME, name=gateway)
    return AddressPattern(AddressPatternKind.NETWORK, gateway, gateway)


def _why_not(looked_at: list[str]) -> str:
    return "; ".join(looked_at) if looked_at else "its remote_addrs name no single address: give the peer's there"


def _path(config: Config, connection: ConnectionConfig, local: IpAddress, remote: IpAddress) -> Path:
    daemon = config.daemon
    marked = connection.remote_port == _PORT_NAT_T
    port = connection.local_port or (daemon.port_nat_t if marked else daemon.port)
    return Path(
        SocketAddress(local, port),
        SocketAddress(remote, connection.remote_port),
        non_esp_marker=marked or port == daemon.port_nat_t,
    )


async def _addresses_of(pattern: AddressPattern, looked_at: list[str], names: Names) -> list[IpAddress]:
    """The addresses a pattern stands for, as far as they can be counted; a name is resolved."""
    if pattern.single is not None:
        return [pattern.single]
    if pattern.kind is not AddressPatternKind.NAME or pattern.name is None:
        return []
    found = await names.resolve(pattern.name)
    if not found:
        looked_at.append(f"the name {pattern.name} does not resolve")
    return found


def _is_of_kind(ours: IpAddress, remote: IpAddress) -> bool:
    """Whether an address of ours can speak with the peer's: of its family, and link-local where that is."""
    if isinstance(ours, IPv6Address) and isinstance(remote, IPv6Address):
        same_link = ours.scope_id is None or remote.scope_id is None or ours.scope_id == remote.scope_id
        return ours.is_link_local == remote.is_link_local and same_link
    return ours.version == remote.version


async def _local_address(
    config: Config, connection: ConnectionConfig, remote: IpAddress, links: FindsSources
) -> IpAddress | None:
    """Our address towards the peer: of the configured ones the routing table's, else one that is there, else the first."""
    patterns = connection.local_addrs
    singles = [each.single for each in patterns if each.single is not None and _is_of_kind(each.single, remote)]
    source = await links.source_address_for(remote)
    if singles:
        usable = await links.usable_addresses()
        return next((each for each in (source, *usable) if each in singles), singles[0])
    if source is None:
        return None
    listen = [address for address in config.daemon.listen if address.version == remote.version]
    if config.daemon.listen and source not in listen:
        source = listen[0] if listen else None
    if source is not None and patterns and not any(pattern.matches(source) for pattern in patterns):
        return None
    return source
