"""Pools for tests of leases."""

from __future__ import annotations

from ipaddress import ip_address

from ikepy.config.access import PoolConfig, StaticLease
from ikepy.config.access_values import parse_range


def pool(name: str, *addrs: str, **static: str) -> PoolConfig:
    """A pool; static leases by user name."""
    leases = tuple(StaticLease(user, (ip_address(address),)) for user, address in static.items())
    return PoolConfig(name, tuple(map(parse_range, addrs)), leases)
