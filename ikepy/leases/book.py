"""Which address a client gets (RFC 7296 §3.15.1), and that it is given back.

Tried in this order, each over all pools in the order they are named:

    1. an address of the identity's own (a static lease)
    2. the one it asks for, where that was its own last or nobody ever had it
    3. the one it gave back last: the same identity gets the same address again
    4. one that nobody ever had, from the beginning of the pool
    5. the one that was given back longest ago

Rule 1: an address is lent to one session at a time; a session is a Lease, and its number is never used again.
Rule 2: pools are never enumerated: memory and disk hold leases, of those given back MOST_FREE a pool.
Rule 3: every operation is on disk when it returns.
Not here: the table itself (store.py), what is told a client with its address (config/access.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from ikepy.config.access import AddressRange, PoolConfig
from ikepy.ike.admission import Lease
from ikepy.ipsec import IpAddress
from ikepy.leases.errors import FullPool, LeaseRefused, NoSuchFamily, PoolExhausted
from ikepy.leases.store import LeaseTable, Row

MOST_FREE = 65536
"Leases given back that a pool remembers; where there are so many, the oldest is lent before one nobody ever had."


@dataclass(frozen=True, slots=True)
class PoolUse:
    """How much of a pool is lent.

    in_use    addresses somebody has
    offline   addresses somebody had, and gets again
    """

    name: str
    size: int
    in_use: int
    offline: int


class Leases:
    """All leases; its methods block for a write to disk, and may be called from any thread."""

    def __init__(self, table: LeaseTable, pools: Iterable[PoolConfig], most_free: int = MOST_FREE) -> None:
        self._table = table
        self._most_free = most_free
        self._lock = Lock()
        self._pools: dict[str, PoolConfig] = {}
        self._owners: dict[IpAddress, str] = {}
        self._free: dict[str, int] = {}
        self._next: dict[AddressRange, int] = {}
        self._is_counted = False
        with self._lock, table.transaction():
            self._turn = table.last_turn()
            self._set_pools(pools)

    @classmethod
    def open(cls, path: Path, pools: Iterable[PoolConfig], most_free: int = MOST_FREE) -> Leases:
        """Open the leases of a state directory; those that were lent still are. Raises LeaseStoreError."""
        table = LeaseTable(path)
        try:
            return cls(table, pools, most_free)
        except BaseException:
            table.close()
            raise

    def close(self) -> None:
        """Close the file; what is lent stays lent."""
        with self._lock:
            self._table.close()

    def acquire(
        self,
        pools: Sequence[str],
        identity: str,
        family: int,
        requested: IpAddress | None = None,
        instead_of: Sequence[Lease] = (),
    ) -> Lease:
        """Lend an address.

        pools        their names, in the order they are tried
        identity     whose it is: lease_identity() of config/groups.py
        family       4 or 6
        requested    what the client asks for; None or 0.0.0.0 or :: where it does not care
        instead_of   leases of the identity's earlier sessions that this one takes the place of: an address of theirs
                     goes over to this session, and their own release then changes nothing

        Raises NoSuchFamily, PoolExhausted or LeaseStoreError.
        """
        identity = identity.encode("utf-8", "backslashreplace").decode()
        with self._changing():
            tried = [self._pools[name] for name in pools if name in self._pools and self._pools[name].family == family]
            if not tried:
                raise NoSuchFamily(tuple(pools), family)
            wanted = requested if requested is not None and not requested.is_unspecified else None
            found = self._taken_over(tried, identity, instead_of) or self._choose(tried, identity, wanted)
            if found is None:
                counts = self._table.counts()
                raise PoolExhausted(
                    identity, tuple(FullPool(pool.name, pool.size, counts.get((pool.name, True), 0)) for pool in tried)
                )
            return self._lend(*found, identity)

    def release(self, lease: Lease) -> bool:
        """Give an address back; False where it was before, which is no fault. Raises LeaseStoreError."""
        with self._changing():
            return self._end(lease)

    def keep_only(self, leases: Iterable[Lease]) -> tuple[Lease, ...]:
        """Give back all but these, after a start: the others' sessions are gone. Return what was given back."""
        kept = {(lease.address, lease.number) for lease in leases}
        with self._changing():
            ended = tuple(lease for lease in self._lent() if (lease.address, lease.number) not in kept)
            for lease in ended:
                self._end(lease)
            return ended

    def in_use(self) -> tuple[Lease, ...]:
        """What is lent, in the order of lending."""
        with self._changing():
            return self._lent()

    def usage(self) -> tuple[PoolUse, ...]:
        """How much of each pool is lent, in the order of the configuration."""
        with self._changing():
            counts = self._table.counts()
            return tuple(
                PoolUse(name, pool.size, counts.get((name, True), 0), counts.get((name, False), 0))
                for name, pool in self._pools.items()
            )

    def reload(self, pools: Iterable[PoolConfig]) -> tuple[Lease, ...]:
        """Go on with other pools; return the leases that are in none of them: they end when they are released."""
        with self._changing():
            self._set_pools(pools)
            return tuple(lease for lease in self._lent() if not lease.pool)

    # -- inside a transaction ---------------------------------------------------------------------------------------

    @contextmanager
    def _changing(self) -> Iterator[None]:
        with self._lock:
            if not self._is_counted:
                self._count()
            try:
                with self._table.transaction():
                    yield
            except LeaseRefused:
                raise
            except BaseException:
                self._is_counted = False  # what was counted on has not come to pass
                raise

    def _set_pools(self, pools: Iterable[PoolConfig]) -> None:
        self._pools = {pool.name: pool for pool in pools}
        self._owners = {
            address: lease.identity
            for pool in self._pools.values()
            for lease in pool.static
            for address in lease.addresses
        }
        self._table.assign_pools({name: pool.addrs for name, pool in self._pools.items()}, self._owners)
        self._count()

    def _count(self) -> None:
        counts = self._table.counts()
        self._free = {name: counts.get((name, False), 0) for name in self._pools}
        self._next = {part: int(part.first) for pool in self._pools.values() for part in pool.addrs}
        self._is_counted = True

    def _choose(
        self, pools: Sequence[PoolConfig], identity: str, wanted: IpAddress | None
    ) -> tuple[PoolConfig, IpAddress] | None:
        ways: tuple[Callable[[PoolConfig], IpAddress | None], ...] = (
            lambda pool: self._own(pool, identity),
            lambda pool: self._wanted(pool, identity, wanted),
            lambda pool: _address_of(self._table.latest_of(identity, pool.name)),
            self._never_lent,
            lambda pool: _address_of(self._table.oldest_free(pool.name)),
        )
        found = ((pool, way(pool)) for way in ways for pool in pools)
        return next(((pool, address) for pool, address in found if address is not None), None)

    def _taken_over(
        self, pools: Sequence[PoolConfig], identity: str, leases: Sequence[Lease]
    ) -> tuple[PoolConfig, IpAddress] | None:
        for lease in leases:
            row = self._table.row(lease.address)
            if row is None or not row.online or (row.turn, row.identity) != (lease.number, identity):
                continue
            for pool in pools:
                if lease.address in pool and self._owners.get(lease.address, identity) == identity:
                    return pool, lease.address
        return None

    def _own(self, pool: PoolConfig, identity: str) -> IpAddress | None:
        """An address of the identity's own that is not lent."""
        for lease in pool.static:
            for address in lease.addresses if lease.identity == identity else ():
                row = self._table.row(address)
                if row is None or not row.online:
                    return address
        return None

    def _wanted(self, pool: PoolConfig, identity: str, wanted: IpAddress | None) -> IpAddress | None:
        """The address that is asked for, where it was the identity's own last or nobody's ever."""
        if wanted is None or wanted not in pool or self._owners.get(wanted, identity) != identity:
            return None
        row = self._table.row(wanted)
        return wanted if row is None or (not row.online and row.identity == identity) else None

    def _never_lent(self, pool: PoolConfig) -> IpAddress | None:
        """The first address of a pool that has no row and is nobody's own; none where enough are remembered."""
        if self._free[pool.name] >= self._most_free:
            return None
        for part in pool.addrs:
            at = self._next[part]
            if at <= int(part.last):
                rest = AddressRange(part.first + (at - int(part.first)), part.last)
                at = self._first_gap(rest)
            self._next[part] = at
            if at <= int(part.last):
                return part.first + (at - int(part.first))
        return None

    def _first_gap(self, part: AddressRange) -> int:
        """The first number in a range that no row and no owner has; one behind its end where there is none."""
        at = int(part.first)
        held = self._table.addresses(part)
        taken = next(held, None)
        while at <= int(part.last):
            if taken is not None and int(taken) == at:
                taken = next(held, None)
            elif part.first + (at - int(part.first)) not in self._owners:
                break
            at += 1
        return at

    def _lend(self, pool: PoolConfig, address: IpAddress, identity: str) -> Lease:
        row = self._table.row(address)
        if row is not None and not row.online:
            self._free[pool.name] -= 1
        self._turn += 1
        self._table.put(Row(address, pool.name, identity, True, self._turn), fixed=address in self._owners)
        return Lease(address, pool.name, identity, self._turn)

    def _end(self, lease: Lease) -> bool:
        self._turn += 1
        # What became somebody else's own meanwhile is not this identity's to come back to.
        is_kept = self._owners.get(lease.address, lease.identity) == lease.identity
        pool = self._table.end(lease.address, lease.number, self._turn, is_kept=is_kept)
        if pool and is_kept:
            self._free[pool] += 1
        return pool is not None

    def _lent(self) -> tuple[Lease, ...]:
        found = [Lease(row.address, row.pool, row.identity, row.turn) for row in self._table.online()]
        return tuple(sorted(found, key=lambda lease: lease.number))


def _address_of(row: Row | None) -> IpAddress | None:
    return row.address if row is not None else None
