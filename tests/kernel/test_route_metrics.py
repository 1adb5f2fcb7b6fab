"""Routes with an MTU of their own, and what the kernel knows of a path's."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

import pytest
import trio

from ikepy.ipsec import IpAddress, RouteSpec
from ikepy.kernel.links import Links
from ikepy.kernel.route_metrics import pack_metrics
from tests.kernel.rig import DecoupledHost, fresh_namespace, ip, make_child

PEER = ip_address("203.0.113.9")
PEER_V6 = ip_address("2001:db8:7::7")
PLAIN = RouteSpec(IPv4Network("10.2.0.0/24"), IPv4Address("10.1.0.1"))
PLAIN_V6 = RouteSpec(IPv6Network("fd02::/64"), IPv6Address("fd01::1"))
Story = Callable[[Links], Awaitable[None]]


@pytest.fixture
def namespace() -> Iterator[None]:
    """One interface of MTU 1500 with a gateway behind it; skips where a namespace cannot be made."""
    try:
        with fresh_namespace():
            ip(
                "link add d0 type veth peer name d1",
                "address add 192.0.2.1/24 dev d0",
                "address add 2001:db8::1/64 dev d0 nodad",
                "address add 10.1.0.1/24 dev lo",
                "address add fd01::1/64 dev lo nodad",
                "link set d0 up",
                "link set d1 up",
                "route add default via 192.0.2.254",
                "route add default via 2001:db8::fe dev d0",
            )
            yield
    except PermissionError:
        pytest.skip("a network namespace needs CAP_SYS_ADMIN: run as root")


@asynccontextmanager
async def opened() -> AsyncIterator[Links]:
    links = Links()
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


def test_metrics_are_the_mtu_and_what_fits_into_it() -> None:
    assert pack_metrics(1280, 4) == bytes.fromhex("08000200 00050000 08000800 d8040000".replace(" ", ""))
    assert pack_metrics(1280, 6)[-4:] == (1220).to_bytes(4, "little")


@pytest.mark.parametrize(
    ("plain", "toward", "segment"), [(PLAIN, PEER, 1240), (PLAIN_V6, PEER_V6, 1220)], ids=["v4", "v6"]
)
def test_a_route_has_the_mtu_that_is_wanted(namespace: None, plain: RouteSpec, toward: IpAddress, segment: int) -> None:
    async def story(links: Links) -> None:
        family = f"-{plain.source.version}"
        await links.add_route(replace(plain, mtu=1280), toward)
        assert f"mtu 1280 advmss {segment}" in ip(f"{family} route show table 206")
        await links.remove_route(replace(plain, mtu=1280))
        await links.add_route(plain, toward)
        assert "mtu" not in ip(f"{family} route show table 206")

    play(story)


def test_a_changed_mtu_comes_with_the_child_that_takes_over(namespace: None) -> None:
    async def story(links: Links) -> None:
        before, after = replace(PLAIN, mtu=1280), replace(PLAIN, mtu=1400)
        await links.add_route(before, PEER)
        await links.add_route(after, PEER)
        assert "mtu 1280" in ip("route show table 206")
        await links.remove_route(before)
        assert "mtu 1400 advmss 1360" in ip("route show table 206")

    play(story)


def test_a_paths_mtu_is_the_interfaces_or_the_routes(namespace: None) -> None:
    async def story(links: Links) -> None:
        assert await links.path_mtu_to(PEER) == 1500
        assert await links.path_mtu_to(PEER_V6) == 1500
        ip("route add 203.0.113.0/24 via 192.0.2.254 mtu 1400", "route add 2001:db8:7::/48 via 2001:db8::fe mtu 1390")
        assert await links.path_mtu_to(PEER) == 1400
        assert await links.path_mtu_to(PEER_V6) == 1390
        ip("link set d0 mtu 1420")
        assert await links.path_mtu_to(ip_address("198.51.100.1")) == 1420

    play(story)


def test_a_route_of_ours_does_not_count_for_the_path_to_the_peer(namespace: None) -> None:
    async def story(links: Links) -> None:
        everything = RouteSpec(IPv4Network("0.0.0.0/0"), IPv4Address("10.1.0.1"), 1280)
        await links.add_route(everything, PEER)
        assert await links.path_mtu_to(PEER) == 1500

    play(story)


def test_without_a_way_there_is_no_mtu(namespace: None) -> None:
    async def story(links: Links) -> None:
        ip("route delete default")
        assert await links.path_mtu_to(PEER) is None

    play(story)


def test_a_childs_mtu_is_its_routes() -> None:
    wanted = ((IPv4Network("10.2.0.0/24"), (IPv4Network("192.0.2.0/24"),)),)

    async def main() -> None:
        host = DecoupledHost()
        async with host.kernel() as kernel:
            await kernel.install_child(replace(make_child(), routes_wanted=wanted, mtu=1380))
            assert kernel.links.routes == [  # type: ignore[attr-defined]
                RouteSpec(IPv4Network("10.2.0.0/24"), IPv4Address("192.0.2.1"), 1380)
            ]
            assert await kernel.links.path_mtu_to(PEER) == 1500
            assert await kernel.links.path_mtu_to(PEER_V6) is None

    trio.run(main)
