"""Interfaces in the configuration, put into addresses: `%eth0` in local_addrs, interfaces_use, interfaces_ignore.

    used = on_interfaces(config, {"eth0": (IPv4Address("192.0.2.1"),)})

Rule 1: what is written stays as it is; what is used is made of it anew whenever addresses come or go.
Rule 2: who names interfaces that have no address uses none, instead of any.
Not here: addresses and interfaces themselves (kernel/links.py), which of ours a packet leaves from (paths.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from fnmatch import fnmatchcase

from ikepy.config.model import AddressPattern, AddressPatternKind, Config, ConnectionConfig, DaemonConfig
from ikepy.ipsec import IpAddress

Interfaces = Mapping[str, tuple[IpAddress, ...]]
"""Addresses of ours, by the names of their interfaces."""
NOWHERE = AddressPattern(AddressPatternKind.INTERFACE, name="")
"Fits no address."


def names_interfaces(config: Config) -> bool:
    """Whether it matters at all which interface has which address."""
    named = config.daemon.interfaces_use or config.daemon.interfaces_ignore
    return bool(named) or any(
        pattern.kind is AddressPatternKind.INTERFACE
        for connection in config.connections
        for pattern in connection.local_addrs
    )


def on_interfaces(config: Config, there: Interfaces) -> Config:
    """The configuration with addresses where it names interfaces; the same where it names none."""
    if not names_interfaces(config):
        return config
    daemon = config.daemon
    is_limited = bool(daemon.interfaces_use or daemon.interfaces_ignore)
    allowed = tuple(address for name, each in there.items() if _is_used(daemon, name) for address in each)
    connections = tuple(
        _with_addresses(connection, there, allowed if is_limited else None) for connection in config.connections
    )
    return replace(config, connections=connections)


def unknown_interfaces(config: Config, there: Interfaces) -> tuple[str, ...]:
    """Interfaces that connections name and that have no address at present."""
    named = (
        pattern.name or ""
        for connection in config.connections
        for pattern in connection.local_addrs
        if pattern.kind is AddressPatternKind.INTERFACE
    )
    return tuple(dict.fromkeys(name for name in named if not there.get(name)))


def _is_used(daemon: DaemonConfig, name: str) -> bool:
    if daemon.interfaces_use:
        return any(fnmatchcase(name, pattern) for pattern in daemon.interfaces_use)
    return not any(fnmatchcase(name, pattern) for pattern in daemon.interfaces_ignore)


def _with_addresses(
    connection: ConnectionConfig, there: Interfaces, allowed: tuple[IpAddress, ...] | None
) -> ConnectionConfig:
    """allowed: None is all."""
    patterns = tuple(_expanded(connection.local_addrs, there))
    if allowed is not None:
        found = (address for address in allowed if not patterns or any(each.matches(address) for each in patterns))
        patterns = tuple(map(_of, found)) or (NOWHERE,)
    return replace(connection, local_addrs=patterns)


def _expanded(patterns: tuple[AddressPattern, ...], there: Interfaces) -> Iterator[AddressPattern]:
    for pattern in patterns:
        if pattern.kind is not AddressPatternKind.INTERFACE:
            yield pattern
            continue
        addresses = there.get(pattern.name or "", ())
        yield from map(_of, addresses)
        if not addresses:
            yield NOWHERE


def _of(address: IpAddress) -> AddressPattern:
    return AddressPattern(AddressPatternKind.NETWORK, address, address)
