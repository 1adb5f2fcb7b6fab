"""Addresses and routes of a real network namespace."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

import pytest
import trio

from ikepy.ike.errors import KernelRefused
from ikepy.ike.events import AddressesChanged
from ikepy.ipsec import IpAddress, IpNetwork, RouteSpec
from ikepy.kernel.base import choose_source
from ikepy.kernel.links import SETTLING_SECONDS, Links
from ikepy.kernel.xfrm import XfrmKernel
from tests.kernel.rig import XfrmHost, fresh_namespace, ip, make_child
from tests.support.entropy import SeededEntropy

Story = Callable[[Links], Awaitable[None]]
PEER = ip_address("203.0.113.9")
ROUTE = RouteSpec(IPv4Network("10.2.0.0/24"), IPv4Address("10.1.0.1"))
OTHER_SOURCE = RouteSpec(IPv4Network("10.2.0.0/24"), IPv4Address("10.7.0.1"))


class NoInterface(Exception):
    """The kernel has none of that type."""


def make_dummy() -> None:
    """Add an interface d0 that swallows everything."""
    try:
        ip("link add d0 type dummy")
    except AssertionError as error:
        raise NoInterface from error


@pytest.fixture
def namespace() -> object:
    """One interface with a gateway behind it; skips where a namespace cannot be made."""
    try:
        with fresh_namespace():
            make_dummy()
            ip(
                "address add 192.0.2.1/24 dev d0",
                "address add 2001:db8::1/64 dev d0 nodad",
                "address add 10.1.0.1/24 dev lo",
                "address add 10.7.0.1/24 dev lo",
                "address add fd01::1/64 dev lo nodad",
                "link set d0 up",
                "route add default via 192.0.2.254",
                "route add default via 2001:db8::fe dev d0",
            )
            yield
    except PermissionError:
        pytest.skip("a network namespace needs CAP_SYS_ADMIN: run as root")
    except NoInterface:
        pytest.skip("this kernel has no dummy interfaces (CONFIG_DUMMY)")


@asynccontextmanager
async def opened(table: int = 206) -> AsyncIterator[Links]:
    links = Links(table)
    try:
        yield links
    finally:
        links.close()


def play(story: Story) -> None:
    async def main() -> None:
        async with opened() as links:
            with trio.fail_after(10):
                await story(links)

    trio.run(main)


def tables_of_ours() -> str:
    return ip("route show table all").count("table 206") * "route " + ("206" in ip("rule show")) * "rule"


def test_the_source_towards_a_peer_is_the_routing_tables(namespace: None) -> None:
    async def story(links: Links) -> None:
        assert await links.source_address_for(PEER) == IPv4Address("192.0.2.1")
        assert await links.source_address_for(ip_address("2001:db8:7::7")) == IPv6Address("2001:db8::1")
        assert await links.source_address_for(ip_address("10.1.0.1")) == IPv4Address("10.1.0.1")

    play(story)


def test_without_a_route_there_is_no_source(namespace: None) -> None:
    async def story(links: Links) -> None:
        ip("route delete default")
        assert await links.source_address_for(PEER) is None
        with pytest.raises(KernelRefused, match=r"no route leads to 203\.0\.113\.9"):
            await links.add_route(ROUTE, PEER)
        assert tables_of_ours() == ""

    play(story)


def test_addresses_are_all_there_and_new_ones_are_seen_at_once(namespace: None) -> None:
    async def story(links: Links) -> None:
        addresses = await links.local_addresses()
        assert {IPv4Address("192.0.2.1"), IPv4Address("10.1.0.1"), IPv6Address("2001:db8::1")} <= set(addresses)
        assert all(a.scope_id for a in addresses if isinstance(a, IPv6Address) and a.is_link_local)
        ip("address add 198.51.100.3/32 dev d0")
        assert IPv4Address("198.51.100.3") in await links.local_addresses()

    play(story)


def test_an_address_that_is_not_yet_ours_alone_is_left_out(namespace: None) -> None:
    async def story(links: Links) -> None:
        ip("link add d1 type dummy", "link set d1 up", "address add 2001:db8:1::1/64 dev d1")
        if "tentative" in ip("-6 address show dev d1 to 2001:db8:1::1"):
            assert IPv6Address("2001:db8:1::1") not in await links.local_addresses()

    play(story)


def test_a_route_names_the_source_and_only_unmarked_packets_see_it(namespace: None) -> None:
    async def story(links: Links) -> None:
        await links.add_route(ROUTE, PEER)
        assert "via 192.0.2.254 dev d0" in ip("route get 10.2.0.9")
        assert "src 10.1.0.1" in ip("route get 10.2.0.9")
        assert await links.source_address_for(ip_address("10.2.0.9")) == IPv4Address("192.0.2.1")
        await links.remove_route(ROUTE)
        assert tables_of_ours() == ""

    play(story)


def test_a_route_for_everything_does_not_turn_ike_round(namespace: None) -> None:
    async def story(links: Links) -> None:
        everything = RouteSpec(IPv4Network("0.0.0.0/0"), IPv4Address("10.1.0.1"))
        await links.add_route(everything, PEER)
        assert "src 10.1.0.1" in ip("route get 198.51.100.7")
        assert await links.source_address_for(PEER) == IPv4Address("192.0.2.1")
        await links.remove_route(everything)
        assert tables_of_ours() == ""

    play(story)


def test_an_ipv6_route_and_one_under_the_other_family_go_in_and_out(namespace: None) -> None:
    async def story(links: Links) -> None:
        six = RouteSpec(IPv6Network("fd02::/64"), IPv6Address("fd01::1"))
        await links.add_route(six, ip_address("2001:db8:7::7"))
        await links.add_route(ROUTE, ip_address("2001:db8:7::7"))
        assert "src fd01::1" in ip("route get fd02::9")
        assert "src 10.1.0.1" in ip("route get 10.2.0.9")
        for route in (six, ROUTE):
            await links.remove_route(route)
        assert tables_of_ours() == ""
        assert "206" not in ip("-6 rule show")

    play(story)


def test_a_route_that_two_want_stays_until_both_are_gone(namespace: None) -> None:
    async def story(links: Links) -> None:
        await links.add_route(ROUTE, PEER)
        await links.add_route(ROUTE, PEER)
        await links.remove_route(ROUTE)
        assert "src 10.1.0.1" in ip("route get 10.2.0.9")
        await links.remove_route(ROUTE)
        await links.remove_route(ROUTE)
        assert tables_of_ours() == ""

    play(story)


def test_another_source_for_one_destination_waits_its_turn(namespace: None) -> None:
    async def story(links: Links) -> None:
        await links.add_route(ROUTE, PEER)
        await links.add_route(OTHER_SOURCE, PEER)
        assert "src 10.1.0.1" in ip("route get 10.2.0.9")
        await links.remove_route(ROUTE)
        assert "src 10.7.0.1" in ip("route get 10.2.0.9")
        await links.remove_route(OTHER_SOURCE)
        assert tables_of_ours() == ""

    play(story)


def test_what_a_crashed_process_left_is_taken_out(namespace: None) -> None:
    async def main() -> None:
        async with opened() as crashing:
            await crashing.add_route(ROUTE, PEER)
            await crashing.add_route(RouteSpec(IPv6Network("fd02::/64"), IPv6Address("fd01::1")))
        async with opened() as links:
            assert await links.remove_leftovers() == 2
            assert tables_of_ours() == ""
        async with opened(207) as others, opened() as links:
            await others.add_route(ROUTE, PEER)
            assert await links.remove_leftovers() == 0
            assert "src 10.1.0.1" in ip("route get 10.2.0.9")

    trio.run(main)


@pytest.mark.slow
def test_a_burst_of_changes_is_one_event_and_our_own_routes_are_none(namespace: None) -> None:
    async def story(links: Links) -> None:
        told: list[object] = []
        heard = trio.Event()

        async def tell(event: object) -> None:
            told.append(event)
            heard.set()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(links.listen, tell)
            await links.add_route(ROUTE, PEER)
            await links.remove_route(ROUTE)
            await trio.sleep(2 * SETTLING_SECONDS)
            assert told == []
            ip(*(f"address add 198.51.100.{n}/32 dev d0" for n in range(1, 20)))
            with trio.fail_after(5):
                await heard.wait()
            await trio.sleep(2 * SETTLING_SECONDS)
            assert told == [AddressesChanged()]
            nursery.cancel_scope.cancel()

    play(story)


@pytest.mark.parametrize("table", [0, 252, 255, 1000])
def test_a_table_of_the_systems_is_refused(table: int) -> None:
    with pytest.raises(ValueError, match="from 1 to 251"):
        Links(table)


# -- which address -----------------------------------------------------------------------------------------------

LOCAL = tuple(map(ip_address, ("127.0.0.1", "::1", "fe80::1%2", "10.1.0.1", "192.0.2.1", "fd01::1")))


@pytest.mark.parametrize(
    ("prefixes", "chosen"),
    [
        ([IPv4Network("10.1.0.0/24")], "10.1.0.1"),
        ([IPv4Network("0.0.0.0/0")], "192.0.2.1"),
        ([IPv4Network("10.9.0.0/24"), IPv6Network("fd01::/16")], "fd01::1"),
        ([IPv4Network("10.9.0.0/24")], None),
        ([IPv4Network("127.0.0.0/8"), IPv6Network("fe80::/10")], None),
    ],
)
def test_the_source_is_an_address_inside_the_selector_the_outer_one_first(
    prefixes: list[IpNetwork], chosen: str | None
) -> None:
    expected: IpAddress | None = ip_address(chosen) if chosen is not None else None
    assert choose_source(prefixes, LOCAL, ip_address("192.0.2.1")) == expected


@pytest.mark.system
def test_a_childs_route_comes_and_goes_with_it(xfrm_host: XfrmHost) -> None:
    ip("link add d0 type dummy", "address add 192.0.2.1/24 dev d0", "address add 10.1.0.1/24 dev lo", "link set d0 up")
    plain = make_child()
    child = replace(plain, routes_wanted=((IPv4Network("10.2.0.0/24"), (IPv4Network("10.1.0.0/24"),)),))

    async def main() -> None:
        async with XfrmKernel.open(SeededEntropy()) as kernel:
            await kernel.install_child(child)
            assert "src 10.1.0.1" in ip("route get 10.2.0.9")
            await kernel.remove_child(child)
            assert tables_of_ours() == ""
            await kernel.install_child(child)
        assert tables_of_ours() == ""
        async with XfrmKernel.open(SeededEntropy()) as kernel:
            ip("link delete d0")
            with pytest.raises(KernelRefused, match="no route leads to"):
                await kernel.install_child(child)
            assert await kernel.dump_states() == ()
            assert await kernel.dump_policies() == ()

    trio.run(main)
