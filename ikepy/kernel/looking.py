"""What is looked up in a SAD and an SPD: counters, signs of life, octets of a child, dumps.

Not here: what is done to them (base.py), the tables themselves (xfrm.py, decoupled.py).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Protocol

import trio

from ikepy.ike.effects import InboundSeen
from ikepy.ipsec import Mark, Owner, PolicySpec, SaCounters, SaId, SaSpec
from ikepy.kernel.netlink import Refusal
from ikepy.kernel.operations import Operation
from ikepy.kernel.progress import Progress
from ikepy.kernel.state_book import StateBook
from ikepy.kernel.tallies import Octets, Tallies, octets_of


class Tables(Protocol):
    """A SAD and an SPD."""

    async def apply(self, operations: Sequence[Operation]) -> list[Refusal | None]:
        """Do all of it in one write, going on after what is refused.

        Raises ValueError, having done nothing, where something cannot be said; NetlinkFailed where it is unknown what
        was done.
        """

    async def states(self) -> tuple[SaSpec, ...]:
        """The states of ours."""

    async def policies(self) -> tuple[PolicySpec, ...]:
        """The policies of ours."""

    async def counters(self, sa: SaId, mark: Mark | None) -> SaCounters | None:
        """What was counted of a state; None where there is none."""

    async def progress(self, spec: SaSpec) -> Progress | None:
        """How far a state has come; None where there is none."""


class Turn:
    """A turn in the FIFO: once it has come, whoever has it is not cancelled any more."""

    __slots__ = ("_fifo", "_shield")

    def __init__(self, fifo: trio.StrictFIFOLock) -> None:
        self._fifo = fifo
        self._shield = trio.CancelScope(shield=True)

    async def __aenter__(self) -> None:
        await trio.lowlevel.checkpoint_if_cancelled()
        try:
            self._fifo.acquire_nowait()
        except trio.WouldBlock:
            await self._fifo.acquire()
        self._shield.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._shield.__exit__(kind, error, trace)
        self._fifo.release()


class Looking:
    """The half of a kernel that only looks."""

    _tables: Tables
    _states: StateBook
    _tallies: Tallies
    _turn: Callable[[], Turn]

    def count_octets(self, owner: Owner) -> None:
        """Count the octets of an owner from now on, until forget_octets(); see Kernel."""
        self._tallies.begin(owner)

    async def octets_of(self, owner: Owner) -> Octets:
        """What went by all states that a counted owner has, or had."""
        async with self._turn():
            total = self._tallies.of(owner)
            for spec in self._states.of(owner):
                counted = await self._tables.counters(spec.id, spec.mark)
                if counted is not None:
                    total += octets_of(counted, inbound=spec.inbound)
            return total

    def forget_octets(self, owner: Owner) -> None:
        """Count no longer for an owner."""
        self._tallies.end(owner)

    async def _tally(self, owner: Owner, spec: SaSpec) -> None:
        """A state is about to go: keep what it counted, where somebody wants to know."""
        if self._tallies.is_counted(owner):
            self._tallies.add(owner, await self._tables.counters(spec.id, spec.mark), inbound=spec.inbound)

    async def counters(self, sa: SaId) -> SaCounters | None:
        """What the kernel counted of a state; None where there is no such state."""
        booked = self._states.get(sa)
        return await self._tables.counters(sa, booked.mark if booked is not None else None)

    async def seen_inbound(self, states: Sequence[SaId]) -> InboundSeen:
        """What came in by these states; those that are gone count as nothing."""
        await trio.lowlevel.checkpoint()
        found = [counted for sa in states if (counted := await self.counters(sa)) is not None]
        used = [counted.last_used for counted in found if counted.last_used is not None]
        idle = max(time.time() - max(used), 0.0) if used else None
        return InboundSeen(idle, sum(counted.packets for counted in found))

    async def ask_again(self, reqid: int) -> None:
        """Have the next packet that meets a trap of that request ID ask once more."""
        await trio.lowlevel.checkpoint()

    async def dump_states(self) -> tuple[SaSpec, ...]:
        """The states of ours in the kernel, whoever of us installed them."""
        return await self._tables.states()

    async def dump_policies(self) -> tuple[PolicySpec, ...]:
        """The policies of ours in the kernel, shunts included."""
        return await self._tables.policies()
