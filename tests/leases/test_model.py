"""Leases against a model of a dozen lines: whatever is done, in whatever order."""

from __future__ import annotations

import shutil
import tempfile
from ipaddress import ip_address
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from ikepy.config.access import PoolConfig
from ikepy.ipsec import IpAddress
from ikepy.leases import Lease, Leases, PoolExhausted
from tests.leases.pools import pool

SETS = (
    (pool("a", "10.9.0.1-10.9.0.4"), pool("b", "10.9.1.0/30", u0="10.9.1.1")),
    (pool("a", "10.9.0.3-10.9.0.6", u1="10.9.0.3"), pool("b", "10.9.0.1-10.9.0.2", "10.9.1.1")),
    (pool("b", "10.9.0.0/29"),),
)
IDENTITIES = st.sampled_from([f"u{number}" for number in range(6)])
ADDRESSES = st.sampled_from(sorted({ip_address(f"10.9.{a}.{b}") for a in (0, 1) for b in range(8)}))
NAMES = st.sampled_from([("a",), ("b",), ("a", "b"), ("b", "a")])


class LeasesAndModel(RuleBasedStateMachine):
    """The model: who has what, who had what last and in which order, by address."""

    lent = Bundle("lent")

    @initialize()
    def open_first(self) -> None:
        self.directory = Path(tempfile.mkdtemp())
        self.pools: tuple[PoolConfig, ...] = SETS[0]
        self.leases = Leases.open(self.directory / "leases.db", self.pools)
        self.online: dict[IpAddress, Lease] = {}
        self.offline: dict[IpAddress, str] = {}  # oldest first

    def teardown(self) -> None:
        self.leases.close()
        shutil.rmtree(self.directory)

    @rule(target=lent, identity=IDENTITIES, names=NAMES, wanted=st.none() | ADDRESSES)
    def acquire(self, identity: str, names: tuple[str, ...], wanted: IpAddress | None) -> Lease | None:
        pools = [each for name in names for each in self.pools if each.name == name]
        if not pools:
            return None
        expected = self.expected(identity, pools, wanted)
        try:
            lease = self.leases.acquire(names, identity, 4, wanted)
        except PoolExhausted:
            assert expected is None
            return None
        assert lease.address == expected
        self.lend(lease, identity)
        return lease

    @rule(target=lent, before=consumes(lent), same=st.booleans())
    def take_the_place(self, before: Lease | None, same: bool) -> Lease | None:
        held = self.online.get(before.address) if before is not None else None
        if before is None or held is None or held.number != before.number:
            return None
        names = tuple(each.name for each in self.pools if before.address in each)
        if not names:
            return None
        identity = before.identity if same else "somebody else"
        fits = identity == before.identity and self.owner(before.address) in {None, identity}
        expected = before.address if fits else self.expected(identity, [p for p in self.pools if p.name in names], None)
        try:
            lease = self.leases.acquire(names, identity, 4, instead_of=[before])
        except PoolExhausted:
            assert expected is None
            return before
        assert lease.address == expected
        if fits:
            self.online.pop(before.address)
        self.lend(lease, identity)
        return lease

    @rule(lease=lent)
    def release(self, lease: Lease | None) -> None:
        if lease is None:
            return
        held = self.online.get(lease.address)
        assert self.leases.release(lease) == (held is not None and held.number == lease.number)
        if held is not None and held.number == lease.number:
            self.online.pop(lease.address)
            if any(lease.address in each for each in self.pools) and self.owner(lease.address) in {
                None,
                lease.identity,
            }:
                self.offline[lease.address] = lease.identity

    @rule()
    def restart(self) -> None:
        self.leases.close()
        self.leases = Leases.open(self.directory / "leases.db", self.pools)

    @rule(pools=st.sampled_from(SETS))
    def reload(self, pools: tuple[PoolConfig, ...]) -> None:
        self.pools = pools
        strays = self.leases.reload(pools)
        outside = {address for address in self.online if not any(address in each for each in pools)}
        assert {lease.address for lease in strays} == outside
        self.offline = {
            address: identity
            for address, identity in self.offline.items()
            if any(address in each for each in pools) and self.owner(address) in {None, identity}
        }

    @invariant()
    def what_is_lent_is_what_the_model_says(self) -> None:
        found = {lease.address: (lease.identity, lease.number) for lease in self.leases.in_use()}
        assert found == {address: (lease.identity, lease.number) for address, lease in self.online.items()}

    @invariant()
    def what_is_counted_is_what_the_model_says(self) -> None:
        for use, each in zip(self.leases.usage(), self.pools, strict=True):
            assert use.in_use == sum(address in each for address in self.online)
            assert use.offline == sum(address in each for address in self.offline)

    def owner(self, address: IpAddress) -> str | None:
        owners = [lease.identity for each in self.pools for lease in each.static if address in lease.addresses]
        return owners[0] if owners else None

    def expected(self, identity: str, pools: list[PoolConfig], wanted: IpAddress | None) -> IpAddress | None:
        every = [part.first + at for each in pools for part in each.addrs for at in range(part.size)]
        free = [address for address in every if address not in self.online]
        mine = [address for address in free if self.owner(address) == identity]
        nobodys = [address for address in free if self.owner(address) is None]
        fresh = [address for address in nobodys if address not in self.offline]
        before = [
            address for address, whose in reversed(self.offline.items()) if whose == identity and address in nobodys
        ]
        asked = [wanted] if wanted in fresh or wanted in before else []
        older = [address for each in pools for address in self.offline if address in each and address in nobodys]
        sticky = [address for each in pools for address in before if address in each]
        return next(iter([*mine, *asked, *sticky, *fresh, *older]), None)

    def lend(self, lease: Lease, identity: str) -> None:
        assert lease.identity == identity
        assert lease.address not in self.online
        assert all(lease.number != other.number for other in self.online.values())
        self.offline.pop(lease.address, None)
        self.online[lease.address] = lease


TestLeases = pytest.mark.slow(LeasesAndModel.TestCase)
TestLeases.settings = settings(max_examples=50, stateful_step_count=40, deadline=None)
