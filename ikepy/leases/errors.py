"""Why there is no address for a client: worded for the log, never for the peer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


class LeaseStoreError(Exception):
    """The file of leases cannot be used; the message says what to do."""

    def __init__(self, path: Path, problem: str, remedy: str) -> None:
        super().__init__(f"{path}: {problem}; {remedy}")


class LeaseRefused(Exception):
    """No address can be given."""


class NoSuchFamily(LeaseRefused):
    """None of the pools has addresses of the family that is asked for."""

    def __init__(self, pools: tuple[str, ...], family: int) -> None:
        named = f"pools {', '.join(pools)} have" if pools else "there are no pools with"
        super().__init__(f"{named}{' no' if pools else ''} IPv{family} addresses")
        self.pools = pools
        self.family = family


@dataclass(frozen=True, slots=True)
class FullPool:
    """A pool without a free address: how many there are, and how many of them somebody has."""

    name: str
    size: int
    in_use: int


class PoolExhausted(LeaseRefused):
    """All addresses are in use, or kept for others; the message says of which pools."""

    def __init__(self, identity: str, pools: tuple[FullPool, ...]) -> None:
        words = ", ".join(f"pool {pool.name}: {pool.in_use} of {pool.size} in use" for pool in pools)
        super().__init__(f"no address is free for {identity[:200]!r} ({words}): add addresses under pools")
        self.pools = pools
