"""What XfrmKernel and DecoupledKernel share: order, ownership, all or nothing. The tables themselves are given to it.

Rule 1: one FIFO: an effect begins when the one before it has ended, and once begun it ends, cancelled or not.
Rule 2: what the kernel was told and what the books say change together: the books after the kernel said yes.
Rule 3: only what the books hold, or what a dump shows to be ours, is ever deleted.
Not here: netlink (xfrm.py), a SAD and SPD in memory (decoupled.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from errno import ENOENT, ESRCH
from functools import partial
from ipaddress import ip_network

import trio

from ikepy.crypto.entropy import Entropy
from ikepy.ike.errors import KernelRefused
from ikepy.ike.events import KernelEvent
from ikepy.ipsec import (
    ChildSaSpec,
    IpAddress,
    IpNetwork,
    Owner,
    PolicySpec,
    RouteKind,
    RouteSpec,
    SaId,
    SaSpec,
    Spi,
)
from ikepy.kernel.early import EarlyPackets
from ikepy.kernel.interface import MOST_EVENTS, KernelLosses, LinkTable
from ikepy.kernel.looking import Looking, Tables, Turn
from ikepy.kernel.netlink import NetlinkFailed
from ikepy.kernel.operations import (
    AddState,
    DeletePolicy,
    DeleteState,
    Operation,
    ReplacePolicy,
    UpdateState,
    error_of,
    inverse,
    operations_of,
)
from ikepy.kernel.owners import PolicyTable, key_of, peer_of
from ikepy.kernel.progress import FRESH
from ikepy.kernel.state_book import StateBook
from ikepy.kernel.tallies import Tallies
from ikepy.wire.registry import ProtocolId

_FIRST_SPI = 256
_SPI_DRAWS = 100


class BookedKernel(Looking):
    """The order of effects and the books of who holds what, over the tables it is given."""

    def __init__(self, entropy: Entropy, tables: Tables, links: LinkTable, early: EarlyPackets) -> None:
        self._entropy = entropy
        self._tables = tables
        self._links = links
        self._early = early
        self._turn = partial(Turn, trio.StrictFIFOLock())
        self._reserved: set[Spi] = set()
        self._states = StateBook()
        self._policies, self._tallies = PolicyTable(), Tallies()
        self._routes: dict[Owner, list[RouteSpec]] = {}
        self._tell, self.events = trio.open_memory_channel[KernelEvent](MOST_EVENTS)
        self.losses = KernelLosses()

    @property
    def links(self) -> LinkTable:
        """Addresses and routes."""
        return self._links

    @property
    def known_states(self) -> tuple[SaSpec, ...]:
        """What we installed and did not remove."""
        return self._states.specs

    # -- SPIs ----------------------------------------------------------------------------------------------------

    async def allocate_spi(self, destination: IpAddress, protocol: ProtocolId, *, hold_early: bool = False) -> Spi:
        """Draw an SPI that nothing of ours has for that destination, and keep it until released or installed."""
        await trio.lowlevel.checkpoint()
        async with self._turn():
            for _ in range(_SPI_DRAWS):
                spi = Spi(int.from_bytes(self._entropy.octets(4), "big"))
                sa = SaId(destination, protocol, spi)
                if spi >= _FIRST_SPI and spi not in self._reserved and sa not in self._states:
                    self._reserved.add(spi)
                    if hold_early:
                        await self._early.hold(sa)
                    return spi
        raise KernelRefused(f"no free SPI in {_SPI_DRAWS} draws: the source of randomness repeats itself")

    async def release_spi(self, sa: SaId) -> None:
        """Forget an SPI that no state was made of; harmless afterwards."""
        await trio.lowlevel.checkpoint()
        async with self._turn():
            self._reserved.discard(sa.spi)
            await self._early.let_go(sa)

    # -- children ------------------------------------------------------------------------------------------------

    async def install_child(self, child: ChildSaSpec, replaces: ChildSaSpec | None = None) -> None:
        """Install two states, then the policies and routes: all of it or nothing; see Kernel."""
        async with self._turn():
            await self._install(child, (child.inbound, child.outbound), replaces)

    async def install_inbound(self, child: ChildSaSpec) -> None:
        """Install the inbound state, then the policies and routes: all of it or nothing; see Kernel."""
        async with self._turn():
            await self._install(child, (child.inbound,), None)

    async def install_outbound(self, child: ChildSaSpec, replaces: ChildSaSpec | None = None) -> None:
        """Install the outbound state of a child whose inbound one is there; see Kernel."""
        async with self._turn():
            await self._do([AddState(child.outbound)])
            self._states.add(child.owner, child.outbound)
            await self._retire(replaces)

    async def _install(self, child: ChildSaSpec, states: tuple[SaSpec, ...], replaces: ChildSaSpec | None) -> None:
        plan = self._policies.plan_add(child.owner, child.policies, peer_of(child))
        await self._do([*map(AddState, states), *operations_of(plan)])
        self._policies.commit(plan)
        for spec in states:
            self._states.add(child.owner, spec)
        self._reserved.discard(child.inbound.spi)
        await self._early.let_go(child.inbound.id)
        try:
            await self._add_routes(child)
        except KernelRefused:
            await self._remove(child)
            raise
        await self._retire(replaces)

    async def _retire(self, child: ChildSaSpec | None) -> None:
        """Remove the outbound state of a child in whose place another has come: packets change over to that."""
        # Not in one write with the other's: taking this back would begin its sequence numbers anew.
        outbound = self._states.find(child.owner, inbound=False) if child is not None else None
        if child is not None and outbound is not None:
            await self._tally(child.owner, outbound)
            self._states.remove(outbound.id)
            await self._undo([DeleteState(outbound)])

    async def remove_child(self, child: ChildSaSpec) -> None:
        """Remove routes, the policies nobody else holds, and both states; what is gone already is no fault."""
        async with self._turn():
            await self._remove(child)

    async def _remove(self, child: ChildSaSpec) -> None:
        plan = self._policies.plan_remove(child.owner)
        self._policies.commit(plan)
        operations = operations_of(plan)
        for spec in self._states.of(child.owner):
            await self._tally(child.owner, spec)
            self._states.remove(spec.id)
            operations.append(DeleteState(spec))
        try:
            await self._remove_routes(child.owner)
        finally:
            await self._undo(operations)

    async def move_child(self, child: ChildSaSpec) -> None:
        """Have what is there of a child between other addresses, as its spec says now; its sequence numbers go on."""
        async with self._turn():
            before = self._states.of(child.owner)
            if not before:
                return
            plan = self._policies.plan_change(child.owner, child.policies, peer_of(child))
            first: list[Operation] = []
            last: list[Operation] = []
            stayed, after = [], []
            for spec in before:
                moved = child.inbound if spec.inbound else child.outbound
                if moved == spec:
                    continue
                if _is_there(spec, moved):
                    first.append(UpdateState(moved, spec))
                    stayed.append((spec, moved))
                    continue
                progress = await self._tables.progress(spec) or FRESH
                goes_on = progress if spec.inbound else progress.continued()
                new, gone = AddState(moved, goes_on), DeleteState(spec, goes_on)
                # The old one of the same name must go before; one of another stays until the new one is there.
                first += (gone, new) if moved.id == spec.id else (new,)
                last += () if moved.id == spec.id else (gone,)
                after.append((spec, moved))
            counted = [await self._tables.counters(spec.id, spec.mark) for spec, _ in after]
            await self._do([*first, *operations_of(plan), *last])
            self._policies.commit(plan)
            for (spec, _), seen in zip(after, counted, strict=True):
                self._tallies.add(child.owner, seen, inbound=spec.inbound)
            for spec, moved in (*stayed, *after):
                self._states.remove(spec.id)
                self._states.add(child.owner, moved)
            await self._move_routes(child)

    async def _move_routes(self, child: ChildSaSpec) -> None:
        before, wanted = self._routes.pop(child.owner, []), await self._routes_of(child)
        for route in (route for route in before if route not in wanted):
            await self._links.remove_route(route)
        for route in wanted:
            if route in before:
                await self._links.turn_route(route, child.outbound.destination)
            else:
                await self._links.add_route(route, child.outbound.destination)
            self._routes.setdefault(child.owner, []).append(route)

    # -- policies ------------------------------------------------------------------------------------------------

    async def install_policies(self, owner: Owner, policies: Sequence[PolicySpec]) -> None:
        """Install policies (a trap, a shunt) for `owner`: all or none; raises PolicyTaken or KernelRefused."""
        async with self._turn():
            plan = self._policies.plan_add(owner, policies)
            await self._do(operations_of(plan))
            self._policies.commit(plan)

    async def remove_policies(self, owner: Owner) -> None:
        """Remove all policies of `owner` that nobody else holds."""
        async with self._turn():
            plan = self._policies.plan_remove(owner)
            self._policies.commit(plan)
            await self._undo(operations_of(plan))

    # -- the end -------------------------------------------------------------------------------------------------

    async def remove_leftovers(self) -> int:
        """Remove what is ours by its range and not in the books, and say how many states and policies that was."""
        async with self._turn():
            return await self._sweep()

    async def remove_everything(self) -> None:
        """Remove all that is ours: routes, policies, states."""
        async with self._turn():
            operations: list[Operation] = [DeletePolicy(policy) for policy in self._policies.policies]
            operations += [DeleteState(spec) for spec in self.known_states]
            self._policies.clear()
            self._states.clear()
            self._reserved.clear()
            await self._early.let_all_go()
            try:
                for owner in tuple(self._routes):
                    await self._remove_routes(owner)
                await self._links.remove_addresses()
                await self._links.remove_interfaces()
            finally:
                await self._undo(operations)

    # -- how -----------------------------------------------------------------------------------------------------

    async def _do(self, operations: list[Operation]) -> None:
        """Do all, or undo what was done and raise."""
        try:
            refusals = await self._tables.apply(operations)
        except ValueError as error:
            raise KernelRefused(str(error)) from error
        except NetlinkFailed:
            with suppress(KernelRefused):
                replaced = [operation for operation in operations if isinstance(operation, ReplacePolicy)]
                await self._undo([inverse(operation) for operation in replaced])
                await self._sweep()
            raise
        refused = [(operation, no) for operation, no in zip(operations, refusals, strict=True) if no is not None]
        if refused:
            done = [operation for operation, no in zip(operations, refusals, strict=True) if no is None]
            with suppress(KernelRefused):
                await self._undo([inverse(operation) for operation in reversed(done)])
            raise error_of(*refused[0], is_first=refused[0][0] is operations[0])

    async def _undo(self, operations: list[Operation]) -> None:
        """Do all that can be done; what is not there any more is well."""
        if not operations:
            return
        try:
            refusals = await self._tables.apply(operations)
        except NetlinkFailed:
            with suppress(KernelRefused):
                await self._sweep()
            raise
        for operation, refusal in zip(operations, refusals, strict=True):
            if refusal is not None and refusal.errno not in (ESRCH, ENOENT):
                raise error_of(operation, refusal, is_first=False)

    async def _sweep(self) -> int:
        """Delete what a dump shows to be ours and the books do not have."""
        keys = {key_of(policy) for policy in self._policies.policies}
        strays: list[Operation] = [
            DeletePolicy(policy) for policy in await self._tables.policies() if key_of(policy) not in keys
        ]
        strays += [DeleteState(spec) for spec in await self._tables.states() if spec.id not in self._states]
        if strays:
            await self._tables.apply(strays)
        return len(strays)

    async def _add_routes(self, child: ChildSaSpec) -> None:
        for route in await self._routes_of(child):
            await self._links.add_route(route, child.outbound.destination)
            self._routes.setdefault(child.owner, []).append(route)

    async def _routes_of(self, child: ChildSaSpec) -> list[RouteSpec]:
        """The routes into a child, from an address of ours that it selects."""
        found = []
        for destination, local in child.routes_wanted:
            source = choose_source(local, await self._links.local_addresses(), child.outbound.source)
            if source is not None and source.version == destination.version:
                found.append(RouteSpec(destination, source, child.mtu, child.interface))
        peer = child.outbound.destination
        if child.interface is not None and any(_holds(route.destination, peer) for route in found):
            # Else what is protected would be sent into the tunnel again.
            found.append(RouteSpec(ip_network(peer), None, kind=RouteKind.THROW))
        return found

    async def _remove_routes(self, owner: Owner) -> None:
        for route in reversed(self._routes.pop(owner, [])):
            await self._links.remove_route(route)


def _is_there(spec: SaSpec, moved: SaSpec) -> bool:
    """Whether a state only gets other ports of encapsulation: Linux changes those in place, and nothing else."""
    return spec.encap is not None and moved.encap is not None and replace(moved, encap=spec.encap) == spec


def _holds(network: IpNetwork, address: IpAddress) -> bool:
    return network.version == address.version and address in network


def choose_source(local: Sequence[IpNetwork], addresses: Sequence[IpAddress], outer: IpAddress) -> IpAddress | None:
    """The address of ours that packets into a child should have: inside its local selectors, the outer one first."""
    fit = [address for address in addresses if not (address.is_loopback or address.is_link_local)]
    for prefix in local:
        inside = [address for address in fit if address.version == prefix.version and address in prefix]
        if inside:
            return outer if outer in inside else inside[0]
    return None
