"""DecoupledKernel: a SAD and an SPD in memory, for dry runs and tests; it passes the contract tests of XfrmKernel.

Rule 1: it refuses what Linux refuses, with the same errno: a second state or policy of one name, deleting what is gone.
Not here: packets. Whoever wants counters or notices says so by count() and notice().
"""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from errno import EEXIST, ENOENT, ESRCH
from ipaddress import IPv4Address

import trio

from ikepy.config.host import InterfaceConfig
from ikepy.crypto.entropy import Entropy
from ikepy.ike.events import Expire, KernelEvent
from ikepy.ipsec import IpAddress, Mark, PolicySpec, RouteSpec, SaCounters, SaId, SaSpec
from ikepy.kernel.base import BookedKernel
from ikepy.kernel.interface import REQID_BASE, REQID_COUNT
from ikepy.kernel.netlink import Refusal
from ikepy.kernel.operations import (
    AddPolicy,
    AddState,
    DeletePolicy,
    DeleteState,
    Operation,
    ReplacePolicy,
    UpdateState,
)
from ikepy.kernel.owners import PolicyKey, key_of
from ikepy.kernel.progress import FRESH, Progress
from ikepy.kernel.translate import make_policy, make_state

_LOOPBACK = IPv4Address("127.0.0.1")
_ETHERNET_MTU = 1500


class MemoryTables:
    """A SAD and an SPD that are two dictionaries; hand the same to two kernels, and they share a host."""

    def __init__(self) -> None:
        self.sad: dict[SaId, SaSpec] = {}
        self.spd: dict[PolicyKey, PolicySpec] = {}
        self.counts: dict[SaId, SaCounters] = {}
        self.progress: dict[SaId, Progress] = {}
        self.indexes: dict[PolicyKey, int] = {}
        self.held: set[SaId] = set()
        self.writes: list[tuple[Operation, ...]] = []


class _View:
    """The tables as one daemon sees them: what of it is in its range of request IDs."""

    def __init__(self, memory: MemoryTables, ours: range) -> None:
        self._memory = memory
        self._ours = ours

    async def apply(self, operations: Sequence[Operation]) -> list[Refusal | None]:
        """Do all of it, going on after what is refused; see Tables."""
        await trio.lowlevel.checkpoint()
        for operation in operations:
            self._check(operation)
        self._memory.writes.append(tuple(operations))
        return [Refusal(errno) if (errno := self._apply(operation)) else None for operation in operations]

    async def states(self) -> tuple[SaSpec, ...]:
        """The states of ours."""
        await trio.lowlevel.checkpoint()
        return tuple(spec for spec in self._memory.sad.values() if spec.reqid in self._ours)

    async def policies(self) -> tuple[PolicySpec, ...]:
        """The policies of ours."""
        await trio.lowlevel.checkpoint()
        return tuple(policy for key, policy in self._memory.spd.items() if self._is_ours(key, policy))

    async def counters(self, sa: SaId, mark: Mark | None) -> SaCounters | None:
        """What was counted of a state; None where there is none."""
        await trio.lowlevel.checkpoint()
        return self._memory.counts.get(sa)

    async def progress(self, spec: SaSpec) -> Progress | None:
        """How far a state has come; None where there is none."""
        await trio.lowlevel.checkpoint()
        return self._memory.progress.get(spec.id, FRESH) if spec.id in self._memory.sad else None

    def _is_ours(self, key: PolicyKey, policy: PolicySpec) -> bool:
        number = policy.template.reqid if policy.template is not None else self._memory.indexes[key]
        return number in self._ours

    def _check(self, operation: Operation) -> None:
        match operation:
            case AddState(spec):
                make_state(spec)  # raises ValueError where it cannot be said
                reqid = spec.reqid
            case AddPolicy(policy) if policy.template is not None:
                make_policy(policy)
                reqid = policy.template.reqid
            case _:
                return
        if reqid not in self._ours:
            raise ValueError(f"request ID {reqid} is not of our range, {self._ours.start} to {self._ours.stop - 1}")

    def _apply(self, operation: Operation) -> int:
        """Do one; 0 or what Linux would refuse it with."""
        memory = self._memory
        match operation:
            case AddPolicy(policy):
                if key_of(policy) in memory.spd:
                    return EEXIST
                memory.spd[key_of(policy)] = policy
                memory.indexes[key_of(policy)] = self._ours.start
            case ReplacePolicy(policy, _):
                memory.spd[key_of(policy)] = policy
            case DeletePolicy(policy):
                if memory.spd.pop(key_of(policy), None) is None:
                    return ENOENT
                memory.indexes.pop(key_of(policy), None)
            case _:
                return self._apply_to_state(operation)
        return 0

    def _apply_to_state(self, operation: AddState | UpdateState | DeleteState) -> int:
        memory, spec = self._memory, operation.spec
        if (spec.id in memory.sad) is isinstance(operation, AddState):
            return EEXIST if isinstance(operation, AddState) else ESRCH
        match operation:
            case AddState(spec, progress):
                memory.progress[spec.id] = progress
                memory.sad[spec.id] = replace(spec, inbound=False)
                memory.counts[spec.id] = SaCounters(octets=0, packets=0, last_used=None, added=0)
            case UpdateState(spec):
                memory.sad[spec.id] = replace(spec, inbound=False)
            case DeleteState(spec):
                for table in (memory.sad, memory.progress, memory.counts):
                    table.pop(spec.id, None)
        return 0


class _Held:
    """EarlyPackets without packets: which SPIs they would be held for."""

    def __init__(self, memory: MemoryTables) -> None:
        self._memory = memory
        self._ours: set[SaId] = set()

    async def hold(self, sa: SaId) -> None:
        """Note the SPI."""
        await trio.lowlevel.checkpoint()
        self._ours.add(sa)
        self._memory.held.add(sa)

    async def let_go(self, sa: SaId) -> None:
        """Forget the SPI."""
        self._ours.discard(sa)
        self._memory.held.discard(sa)

    async def let_all_go(self) -> None:
        """Forget all that we noted."""
        self._memory.held -= self._ours
        self._ours.clear()


class FixedLinks:
    """Addresses that are said beforehand, and routes that are only noted."""

    def __init__(self, addresses: Sequence[IpAddress] = (_LOOPBACK,)) -> None:
        self.addresses = tuple(addresses)
        self.routes: list[RouteSpec] = []
        self.held: Counter[IpAddress] = Counter()
        self.interfaces: tuple[InterfaceConfig, ...] = ()

    async def make_interfaces(self, interfaces: Sequence[InterfaceConfig]) -> None:
        """Note interfaces."""
        await trio.lowlevel.checkpoint()
        self.interfaces = tuple(interfaces)

    async def remove_interfaces(self) -> None:
        """Forget them."""
        await trio.lowlevel.checkpoint()
        self.interfaces = ()

    async def hold_addresses(self, addresses: Sequence[IpAddress], interface: str | None = None) -> None:
        """Note addresses."""
        await trio.lowlevel.checkpoint()
        self.held.update(addresses)

    async def drop_addresses(self, addresses: Sequence[IpAddress]) -> None:
        """Forget addresses, each once."""
        await trio.lowlevel.checkpoint()
        self.held -= Counter(addresses)

    async def remove_addresses(self) -> None:
        """Forget all of them."""
        await trio.lowlevel.checkpoint()
        self.held.clear()

    async def source_address_for(self, destination: IpAddress) -> IpAddress | None:
        """The first address of the destination's family."""
        await trio.lowlevel.checkpoint()
        return next((address for address in self.addresses if address.version == destination.version), None)

    async def path_mtu_to(self, destination: IpAddress) -> int | None:
        """Ethernet's, where there is an address to send from."""
        return _ETHERNET_MTU if await self.source_address_for(destination) is not None else None

    async def local_addresses(self) -> tuple[IpAddress, ...]:
        """The addresses, and those that are held."""
        await trio.lowlevel.checkpoint()
        return (*self.addresses, *self.held)

    async def usable_addresses(self) -> tuple[IpAddress, ...]:
        """The addresses."""
        await trio.lowlevel.checkpoint()
        return self.addresses

    async def addresses_by_interface(self) -> dict[str, tuple[IpAddress, ...]]:
        """All addresses, on one interface."""
        await trio.lowlevel.checkpoint()
        return {"eth0": self.addresses}

    async def add_route(self, route: RouteSpec, toward: IpAddress | None = None) -> None:
        """Note a route."""
        await trio.lowlevel.checkpoint()
        self.routes.append(route)

    async def turn_route(self, route: RouteSpec, toward: IpAddress) -> None:
        """Nothing changes."""
        await trio.lowlevel.checkpoint()

    async def remove_route(self, route: RouteSpec) -> None:
        """Forget a route, once."""
        await trio.lowlevel.checkpoint()
        if route in self.routes:
            self.routes.remove(route)


class DecoupledKernel(BookedKernel):
    """A kernel in memory.

    addresses   what this host is said to have
    memory      tables to share with another DecoupledKernel; its own where None
    """

    def __init__(
        self,
        entropy: Entropy,
        reqid_base: int = REQID_BASE,
        reqid_count: int = REQID_COUNT,
        *,
        addresses: Sequence[IpAddress] = (_LOOPBACK,),
        memory: MemoryTables | None = None,
    ) -> None:
        self.memory = memory if memory is not None else MemoryTables()
        self.fixed_links = FixedLinks(addresses)
        view = _View(self.memory, range(reqid_base, reqid_base + reqid_count))
        super().__init__(entropy, view, self.fixed_links, _Held(self.memory))

    def count(self, sa: SaId, counters: SaCounters) -> None:
        """Say what is counted of a state from now on."""
        if sa in self.memory.sad:
            self.memory.counts[sa] = counters

    def notice(self, event: KernelEvent) -> None:
        """Tell the daemon something, as the kernel would; what finds the queue full is lost and counted."""
        try:
            self._tell.send_nowait(event)
        except trio.WouldBlock:
            self.losses.overruns += 1

    def expire(self, sa: SaId, *, hard: bool) -> None:
        """Let a state reach a limit; of a hard one it is gone."""
        if hard:
            self.memory.sad.pop(sa, None)
            self.memory.counts.pop(sa, None)
        self.notice(Expire(sa, hard))

    def bypass(self, sock: socket.socket) -> None:
        """Do nothing: no policy stands in the way."""

    def enable_udp_encap(self, sock: socket.socket) -> None:
        """Do nothing: no ESP comes."""
