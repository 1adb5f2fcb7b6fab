"""Packets that come before their state: what is held, what passes, and what is left of it."""

from __future__ import annotations

import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from ipaddress import IPv4Address, ip_address

import pytest
import trio

from ikepy.ike.errors import KernelRefused
from ikepy.ipsec import ChildSaSpec, SaId, Spi, UdpEncap
from ikepy.kernel.early import FIRST_QUEUE, MOST_HELD, QUEUES_TRIED, QueuedEarly
from ikepy.kernel.messages import queue
from ikepy.kernel.messages.netfilter import NETLINK_NETFILTER
from ikepy.kernel.netlink import Connection, open_netlink
from ikepy.kernel.xfrm import XfrmKernel
from ikepy.wire.registry import ProtocolId
from tests.kernel.rig import (
    OTHER_BASE,
    OUR_ADDRESS,
    DecoupledHost,
    XfrmHost,
    inside,
    make_child,
    mirrored,
    ping,
    run,
    two_hosts,
)
from tests.kernel.two import play, site_to_site
from tests.lab.traffic import drops

OURS = SaId(OUR_ADDRESS, ProtocolId.ESP, Spi(0xC0001234))
HERE = IPv4Address("10.99.0.1")


@pytest.fixture
def pair(xfrm_host: XfrmHost) -> Iterator[None]:
    with two_hosts():
        yield


# -- the kernel in memory ----------------------------------------------------------------------------------------


def test_an_spi_is_held_only_where_that_is_asked_and_until_its_state_is_installed() -> None:
    async def main() -> None:
        host = DecoupledHost()
        async with host.kernel() as kernel:
            await kernel.allocate_spi(OUR_ADDRESS, ProtocolId.ESP)
            assert host.memory.held == set()
            spi = await kernel.allocate_spi(OUR_ADDRESS, ProtocolId.ESP, hold_early=True)
            assert host.memory.held == {SaId(OUR_ADDRESS, ProtocolId.ESP, spi)}
            child = with_spi(make_child(), spi)
            await kernel.install_child(child)
            assert host.memory.held == set()

    trio.run(main)


def test_an_spi_is_held_no_more_when_it_is_given_back_or_everything_is_removed() -> None:
    async def main() -> None:
        host = DecoupledHost()
        async with host.kernel() as kernel, host.kernel(OTHER_BASE, seed=1) as other:
            first = await kernel.allocate_spi(OUR_ADDRESS, ProtocolId.ESP, hold_early=True)
            theirs = await other.allocate_spi(OUR_ADDRESS, ProtocolId.ESP, hold_early=True)
            await kernel.allocate_spi(OUR_ADDRESS, ProtocolId.ESP, hold_early=True)
            await kernel.release_spi(SaId(OUR_ADDRESS, ProtocolId.ESP, first))
            assert len(host.memory.held) == 2
            await kernel.remove_everything()
            assert host.memory.held == {SaId(OUR_ADDRESS, ProtocolId.ESP, theirs)}

    trio.run(main)


def test_an_inbound_state_alone_lets_go_too() -> None:
    async def main() -> None:
        host = DecoupledHost()
        async with host.kernel() as kernel:
            spi = await kernel.allocate_spi(OUR_ADDRESS, ProtocolId.ESP, hold_early=True)
            await kernel.install_inbound(with_spi(make_child(), spi))
            assert host.memory.held == set()

    trio.run(main)


# -- a kernel that cannot ----------------------------------------------------------------------------------------


@pytest.mark.system
def test_where_no_queue_can_be_had_one_warning_says_so_and_all_else_goes_on(
    xfrm_host: XfrmHost, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        with contextlib.ExitStack() as stack:
            await take_all_queues(stack)
            async with xfrm_host.kernel() as kernel:
                for number in (1, 2):
                    spi = await kernel.allocate_spi(OUR_ADDRESS, ProtocolId.ESP, hold_early=True)
                    child = make_child(number, local=f"10.1.{number}.0/24")
                    await kernel.install_child(with_spi(child, spi))
                assert len(kernel.known_states) == 4
        assert run("nft", "list", "ruleset") == ""

    with caplog.at_level(logging.WARNING, "ikepy"):
        trio.run(main)
    assert [record.getMessage().split(":")[0] for record in caplog.records] == ["hold_early is without effect"]
    assert "nfnetlink_queue" in caplog.text


async def take_all_queues(stack: contextlib.ExitStack) -> None:
    """Every queue that could be had; a kernel that has none at all is as good."""
    for number in range(FIRST_QUEUE, FIRST_QUEUE + QUEUES_TRIED):
        sock = stack.enter_context(contextlib.closing(open_netlink(NETLINK_NETFILTER)))
        with contextlib.suppress(KernelRefused):
            await Connection(sock, {}).request([queue.make_bind(number, MOST_HELD)])


# -- a kernel that can -------------------------------------------------------------------------------------------

WAYS = {"IPv4": ("10.99.0.1", "10.99.0.2"), "IPv6": ("fd99::1", "fd99::2"), "UDP": ("10.99.0.1", "10.99.0.2")}


@pytest.mark.queue
@pytest.mark.parametrize("way", WAYS)
def test_what_comes_before_its_state_waits_and_arrives_when_that_is_there(pair: None, way: str) -> None:
    here, there = WAYS[way]

    async def story(a: XfrmKernel, b: XfrmKernel) -> None:
        with contextlib.ExitStack() as stack:
            for namespace, kernel, address in (("ika", a, here), ("ikb", b, there)):
                stack.enter_context(encap_socket(namespace, kernel, address))
            spi = await hold(a, here)
            child = with_spi(make_child(1, here=here, there=there), spi)
            if way == "UDP":
                child = in_udp(child)
            await b.install_child(mirrored(child))
            answered: list[int] = []
            async with trio.open_nursery() as nursery:
                nursery.start_soon(ping_into, answered)
                await until_queued(3)
                await a.install_child(child)
            assert answered == [3]
            assert sum(drops("ika").values()) == 0
            assert queued() == 0

    play(story)


@pytest.mark.queue
def test_what_came_for_an_spi_that_is_given_back_goes_the_way_it_would_have_gone(pair: None) -> None:
    async def story(a: XfrmKernel, b: XfrmKernel) -> None:
        spi = await hold(a, str(HERE))
        send_esp(spi, count=3)
        await until_queued(3)
        assert strays() == 0
        await a.release_spi(SaId(HERE, ProtocolId.ESP, spi))
        assert strays() == 3
        send_esp(spi)
        assert strays() == 4

    play(story)


@pytest.mark.queue
def test_what_is_for_another_spi_passes_at_once(pair: None) -> None:
    child = site_to_site()

    async def story(a: XfrmKernel, b: XfrmKernel) -> None:
        await hold(a, str(HERE))
        await a.install_child(child)
        await b.install_child(mirrored(child))
        assert await ping("ikb", "10.2.0.1", "10.1.0.1") == 3
        assert queued() == 0

    play(story)


@pytest.mark.queue
def test_of_two_held_spis_each_is_let_go_alone(pair: None) -> None:
    async def story(a: XfrmKernel, b: XfrmKernel) -> None:
        first, second = [await hold(a, str(HERE)) for _ in range(2)]
        for spi in (first, second, first):
            send_esp(spi)
        await until_queued(3)
        await a.release_spi(SaId(HERE, ProtocolId.ESP, first))
        assert (queued(), strays()) == (1, 2)
        await a.release_spi(SaId(HERE, ProtocolId.ESP, second))
        assert (queued(), strays()) == (0, 3)

    play(story)


@pytest.mark.queue
def test_what_finds_the_queue_full_passes(pair: None) -> None:
    async def story(a: XfrmKernel, b: XfrmKernel) -> None:
        spi = await hold(a, str(HERE))
        send_esp(spi, count=MOST_HELD + 5)
        await until_queued(MOST_HELD)
        assert strays() == 5
        await a.release_spi(SaId(HERE, ProtocolId.ESP, spi))
        assert (queued(), strays()) == (0, MOST_HELD + 5)

    play(story)


@pytest.mark.queue
def test_what_waited_is_not_overtaken_by_more_than_the_replay_window_holds(pair: None) -> None:
    async def story(a: XfrmKernel, b: XfrmKernel) -> None:
        spi = await hold(a, str(HERE))
        child = with_spi(site_to_site(), spi)
        assert child.inbound.replay_window == 32
        await b.install_child(mirrored(child))
        answered: list[int] = []
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ping_into, answered, 800, 0.002)
            await until_queued(200, or_more=True)
            await a.install_child(child)
        counted = await a.counters(child.inbound.id)
        # Not the answers: they come in a burst, for which ping's socket has not always room.
        assert counted is not None
        assert (counted.packets, drops("ika")) == (800, {})

    play(story)


@pytest.mark.queue
def test_a_firewall_that_is_loaded_anew_leaves_the_table_where_it_is(pair: None) -> None:
    async def story(a: XfrmKernel, b: XfrmKernel) -> None:
        spi = await hold(a, str(HERE))
        run("ip", "netns", "exec", "ika", "nft", "flush", "ruleset")
        send_esp(spi)
        await until_queued(1)

    play(story)


@pytest.mark.queue
def test_after_a_crash_neither_table_nor_queue_is_left(xfrm_host: XfrmHost) -> None:
    async def main() -> None:
        async with xfrm_host.crashing_kernel() as kernel:
            await kernel.allocate_spi(OUR_ADDRESS, ProtocolId.ESP, hold_early=True)
            assert f"ikepy-early-{FIRST_QUEUE}" in run("nft", "list", "ruleset")
        assert run("nft", "list", "ruleset") == ""
        async with early() as again:
            await again.hold(OURS)
            assert f"ikepy-early-{FIRST_QUEUE} " in run("nft", "list", "ruleset")

    trio.run(main)


@pytest.mark.queue
def test_two_daemons_of_one_namespace_have_a_queue_and_a_table_each(xfrm_host: XfrmHost) -> None:
    async def main() -> None:
        async with early() as one, early() as other:
            await one.hold(OURS)
            await other.hold(OURS)
            tables = run("nft", "list", "tables").split()
            assert {f"ikepy-early-{FIRST_QUEUE}", f"ikepy-early-{FIRST_QUEUE + 1}"} <= set(tables)
            await one.let_go(OURS)
            assert (one.held, other.held) == (frozenset(), {OURS})
        assert run("nft", "list", "tables") == ""

    trio.run(main)


@pytest.mark.queue
def test_what_nft_lists_of_the_table_it_reads_again(xfrm_host: XfrmHost) -> None:
    async def main() -> None:
        async with early() as held:
            await held.hold(OURS)
            listed = run("nft", "list", "ruleset")
        run("nft", "--check", listed.replace("flags owner", ""))

    trio.run(main)


# -- how ---------------------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def early() -> AsyncIterator[QueuedEarly]:
    """Somebody in this namespace who can hold packets."""
    held = QueuedEarly()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(held.listen)
        yield held
        nursery.cancel_scope.cancel()
    held.close()


async def hold(kernel: XfrmKernel, address: str) -> Spi:
    with inside("ika"):  # the sockets are opened when first needed
        return await kernel.allocate_spi(ip_address(address), ProtocolId.ESP, hold_early=True)


def with_spi(child: ChildSaSpec, spi: Spi) -> ChildSaSpec:
    return replace(child, inbound=replace(child.inbound, spi=spi))


def in_udp(child: ChildSaSpec) -> ChildSaSpec:
    encap = UdpEncap(4500, 4500)
    return replace(child, inbound=replace(child.inbound, encap=encap), outbound=replace(child.outbound, encap=encap))


def encap_socket(namespace: str, kernel: XfrmKernel, address: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with inside(namespace):
        sock = socket.socket(family, socket.SOCK_DGRAM)
    sock.bind((address, 4500))
    if family == socket.AF_INET:
        kernel.enable_udp_encap(sock)
    return sock


async def ping_into(answered: list[int], count: int = 3, every: float = 0.01) -> None:
    answered.append(await ping("ikb", "10.2.0.1", "10.1.0.1", count, patience=10, every=every))


def send_esp(spi: Spi, count: int = 1) -> None:
    """ESP that nobody can open, from ikb to ika."""
    with inside("ikb"), socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ESP) as sock:
        for number in range(1, count + 1):
            sock.sendto(spi.to_bytes(4, "big") + number.to_bytes(4, "big") + bytes(40), (str(HERE), 0))


def strays() -> int:
    """How many packets ika has had that no state was there for."""
    return drops("ika").get("XfrmInNoStates", 0)


def queued() -> int:
    """How many packets wait in ika's queues."""
    with inside("ika"):
        text = run("cat", "/proc/thread-self/net/netfilter/nfnetlink_queue")
    return sum(int(line.split()[2]) for line in text.splitlines())


async def until_queued(count: int, *, or_more: bool = False) -> None:
    with trio.fail_after(10):
        while queued() < count:  # noqa: ASYNC110 - the kernel tells nobody
            await trio.sleep(0.02)
    assert or_more or queued() == count
