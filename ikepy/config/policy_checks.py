"""Policies that stand in the kernel from the start: traps and shunts, of which no two may want the same packets.

Rule 1: the kernel knows a policy by its selectors, mark and interface ID: two with all of them equal are one.
Rule 2: what is not sure to be equal is let through; the kernel tells the rest when it comes to it.
Not here: how policies come into the kernel (kernel/), children that are negotiated.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from ikepy.config.model import (
    AddressPattern,
    AddressPatternKind,
    ChildConfig,
    Config,
    ConnectionConfig,
    StartAction,
)
from ikepy.config.selectors import parse_selector
from ikepy.wire.ts import TrafficSelector

Named = tuple[ConnectionConfig, ChildConfig]
Side = TrafficSelector | AddressPattern | None
"A selector; an address not known yet; None for our address where the way to the peer decides it."


def find_equal_policies(config: Config) -> Iterator[tuple[Named, Named]]:
    """Find two traps or shunts that want the same packets."""
    first: dict[tuple[object, ...], Named] = {}
    for connection in config.connections:
        for child in connection.children:
            if child.start_action is StartAction.TRAP:
                named = (connection, child)
                for policy in _policies(connection, child):
                    if first.setdefault(policy, named) is not named:
                        yield first[policy], named


def _policies(connection: ConnectionConfig, child: ChildConfig) -> Iterator[tuple[object, ...]]:
    local = child.local_ts or _of_addresses(connection.local_addrs) or (None,)
    remote = child.remote_ts or _of_addresses(connection.remote_addrs)
    # Each once: a selector that is there twice is no policy more.
    for pair in dict.fromkeys(product(local, remote)):
        yield (*pair, child.mark_of(inbound=False), child.if_id_of(inbound=False))


def _of_addresses(patterns: tuple[AddressPattern, ...]) -> tuple[Side, ...]:
    """What `dynamic` comes to: a selector where the address is known, a name as it is; ranges say nothing."""
    return tuple(
        pattern if pattern.single is None else parse_selector(str(pattern.single))
        for pattern in patterns
        if pattern.single is not None or pattern.kind is AddressPatternKind.NAME
    )
