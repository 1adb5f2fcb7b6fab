"""What the kernel in memory can be told to do, and what both kernels do when nobody knows what was done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network

import pytest
import trio

from ikepy.ike.errors import KernelRefused
from ikepy.ike.events import Acquire, Expire
from ikepy.ipsec import RouteSpec, SaCounters
from ikepy.kernel.decoupled import DecoupledKernel
from ikepy.kernel.interface import MOST_EVENTS
from ikepy.kernel.netlink import NetlinkFailed, Refusal
from ikepy.kernel.operations import Operation
from tests.kernel.rig import make_child
from tests.kernel.story import contents
from tests.support.entropy import SeededEntropy

CHILD = make_child()
ROUTED = replace(CHILD, routes_wanted=((IPv4Network("10.2.0.0/24"), (IPv4Network("10.1.0.0/24"),)),))
INSIDE = IPv4Address("10.1.0.1")


def make_kernel(*addresses: IPv4Address) -> DecoupledKernel:
    return DecoupledKernel(SeededEntropy(), addresses=addresses or (CHILD.inbound.destination,))


def test_counters_are_what_was_said() -> None:
    said = SaCounters(octets=84, packets=1, last_used=1000, added=900)

    async def main() -> None:
        kernel = make_kernel()
        kernel.count(CHILD.inbound.id, said)
        assert await kernel.counters(CHILD.inbound.id) is None, "there is no such state yet"
        await kernel.install_child(CHILD)
        kernel.count(CHILD.inbound.id, said)
        assert await kernel.counters(CHILD.inbound.id) == said

    trio.run(main)


def test_a_hard_expiry_takes_the_state_and_tells() -> None:
    async def main() -> None:
        kernel = make_kernel()
        await kernel.install_child(CHILD)
        kernel.expire(CHILD.inbound.id, hard=False)
        assert await kernel.counters(CHILD.inbound.id) is not None
        kernel.expire(CHILD.inbound.id, hard=True)
        assert await kernel.counters(CHILD.inbound.id) is None
        told = [await kernel.events.receive() for _ in range(2)]
        assert told == [Expire(CHILD.inbound.id, hard=False), Expire(CHILD.inbound.id, hard=True)]
        await kernel.remove_child(CHILD)

    trio.run(main)


def test_more_notices_than_can_wait_are_counted() -> None:
    async def main() -> None:
        kernel = make_kernel()
        for _ in range(MOST_EVENTS + 3):
            kernel.notice(Acquire(CHILD.policies[0].selector, 1))
        assert kernel.losses.overruns == 3

    trio.run(main)


def test_a_route_is_noted_where_a_local_address_is_inside() -> None:
    async def main() -> None:
        kernel = make_kernel(INSIDE)
        await kernel.install_child(ROUTED)
        assert kernel.fixed_links.routes == [RouteSpec(IPv4Network("10.2.0.0/24"), INSIDE)]
        await kernel.remove_child(ROUTED)
        assert kernel.fixed_links.routes == []
        outside = make_kernel(IPv4Address("192.0.2.1"))
        await outside.install_child(ROUTED)
        assert outside.fixed_links.routes == []

    trio.run(main)


class Unanswering:
    """Tables whose answers to the next writes are lost, after all was done."""

    def __init__(self, kernel: DecoupledKernel, times: int) -> None:
        self._tables = kernel._tables
        self._times = times
        kernel._tables = self

    async def apply(self, operations: Sequence[Operation]) -> list[Refusal | None]:
        refusals = await self._tables.apply(operations)
        self._times -= 1
        if self._times >= 0:
            raise NetlinkFailed("answers were lost")
        return refusals

    def __getattr__(self, name: str) -> object:
        return getattr(self._tables, name)


def test_when_the_answers_are_lost_nothing_of_the_child_is_left() -> None:
    async def main() -> None:
        kernel = make_kernel()
        other = make_child(2, local="10.9.0.0/24")
        await kernel.install_child(other)
        before = await contents(kernel)
        Unanswering(kernel, 1)
        with pytest.raises(NetlinkFailed):
            await kernel.install_child(CHILD)
        assert await contents(kernel) == before

    trio.run(main)


def test_when_the_answers_to_a_replacement_are_lost_the_old_policy_is_put_back() -> None:
    async def main() -> None:
        kernel = make_kernel()
        await kernel.install_child(CHILD)
        Unanswering(kernel, 1)
        with pytest.raises(NetlinkFailed):
            await kernel.install_child(make_child(2))
        assert set(await kernel.dump_policies()) == set(CHILD.policies)
        await kernel.remove_child(CHILD)
        assert await contents(kernel) == (set(), set())

    trio.run(main)


def test_when_the_answers_to_a_removal_are_lost_it_was_done_all_the_same() -> None:
    async def main() -> None:
        kernel = make_kernel()
        await kernel.install_child(CHILD)
        Unanswering(kernel, 2)
        with pytest.raises(NetlinkFailed):
            await kernel.remove_child(CHILD)
        assert await contents(kernel) == (set(), set())

    trio.run(main)


def test_a_source_of_randomness_that_repeats_itself_is_found_out() -> None:
    class Stuck:
        def octets(self, count: int) -> bytes:
            return b"\x01" * count

    async def main() -> None:
        kernel = DecoupledKernel(Stuck())
        await kernel.allocate_spi(INSIDE, CHILD.inbound.protocol)
        with pytest.raises(KernelRefused, match="randomness repeats itself"):
            await kernel.allocate_spi(INSIDE, CHILD.inbound.protocol)
        await kernel.release_spi(CHILD.inbound.id)

    trio.run(main)
