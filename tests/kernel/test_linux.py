"""What only a real kernel can show: packets, notices, sockets, and that neighbours are found."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network, IPv6Network

import pytest
import trio

from ikepy.ike.errors import KernelRefused
from ikepy.ike.events import Acquire, Expire, Mapping
from ikepy.ipsec import (
    ChildSaSpec,
    Direction,
    Lifetime,
    Mode,
    Owner,
    PolicyAction,
    PolicySpec,
    Selector,
    UdpEncap,
)
from ikepy.kernel.interface import REQID_BASE, REQID_COUNT
from ikepy.kernel.messages import MESSAGE_CLASSES, expire, numbers
from ikepy.kernel.messages.message import make
from ikepy.kernel.netlink import Connection, open_netlink
from ikepy.kernel.operations import AddPolicy, AddState, DeletePolicy, DeleteState
from ikepy.kernel.sockets import bypass
from ikepy.kernel.translate import make_state
from ikepy.kernel.xfrm import XfrmKernel, XfrmTables
from tests.kernel.rig import XfrmHost, inside, make_child, mirrored, ping, run, two_hosts
from tests.kernel.two import next_event, play, site_to_site
from tests.support.entropy import SeededEntropy

pytestmark = [pytest.mark.system, pytest.mark.slow]


@pytest.fixture
def pair(xfrm_host: XfrmHost) -> Iterator[None]:
    with two_hosts():
        yield


# -- packets -----------------------------------------------------------------------------------------------------


def test_pings_cross_and_both_ends_count_them(pair: None) -> None:
    child = site_to_site()

    async def story(a: XfrmKernel, b: XfrmKernel) -> None:
        await a.install_child(child)
        await b.install_child(mirrored(child))
        assert await ping("ika", "10.1.0.1", "10.2.0.1") == 3
        for kernel in (a, b):
            for sa in (child.inbound.id, child.outbound.id):
                counters = await kernel.counters(sa)
                assert counters is not None
                assert counters.packets == 3
                assert counters.octets == 3 * 84
                assert counters.last_used is not None
                assert 0 <= counters.last_used - counters.added < 30
                assert (counters.replay_errors, counters.integrity_errors) == (0, 0)

    play(story)


def test_wrong_keys_are_counted_as_integrity_errors(pair: None) -> None:
    child = site_to_site()

    async def story(a: XfrmKernel, b: XfrmKernel) -> None:
        await a.install_child(child)
        wrong = mirrored(child)
        await b.install_child(replace(wrong, inbound=replace(wrong.inbound, encr_key=child.inbound.encr_key)))
        assert await ping("ika", "10.1.0.1", "10.2.0.1", 1, patience=0.3) == 0
        counters = await b.counters(child.outbound.id)
        assert counters is not None
        assert counters.integrity_errors == 1

    play(story)


@pytest.mark.parametrize("window", [32, 4096])
def test_pings_cross_with_extended_sequence_numbers(pair: None, window: int) -> None:
    plain = site_to_site()
    child = replace(
        plain,
        inbound=replace(plain.inbound, esn=True, replay_window=window),
        outbound=replace(plain.outbound, esn=True, replay_window=window),
    )

    async def story(a: XfrmKernel, b: XfrmKernel) -> None:
        await a.install_child(child)
        await b.install_child(mirrored(child))
        assert await ping("ika", "10.1.0.1", "10.2.0.1", 40) == 40

    play(story)


def test_pings_cross_in_ipv6_and_in_transport_mode(pair: None) -> None:
    tunnel = make_child(1, local="fd01::/64", remote="fd02::/64", here="10.99.0.1", there="10.99.0.2")
    hosts = make_child(2, local="10.99.0.1/32", remote="10.99.0.2/32", here="10.99.0.1", there="10.99.0.2")
    transport = replace(
        hosts,
        inbound=replace(hosts.inbound, mode=Mode.TRANSPORT),
        outbound=replace(hosts.outbound, mode=Mode.TRANSPORT),
        policies=tuple(
            replace(policy, template=replace(policy.template, mode=Mode.TRANSPORT))
            for policy in hosts.policies
            if policy.direction is not Direction.FORWARD and policy.template is not None
        ),
    )

    async def story(a: XfrmKernel, b: XfrmKernel) -> None:
        for child in (tunnel, transport):
            await a.install_child(child)
            await b.install_child(mirrored(child))
        assert await ping("ika", "fd01::1", "fd02::1") == 3
        assert await ping("ika", "10.99.0.1", "10.99.0.2") == 3
        counters = await a.counters(transport.outbound.id)
        assert counters is not None
        assert counters.packets == 3

    play(story)


# -- neighbour discovery -----------------------------------------------------------------------------------------


def all_of_ipv6() -> ChildSaSpec:
    everything = IPv6Network("::/0")
    return make_child(1, local=everything, remote=everything, here="fd99::1", there="fd99::2")


def forget_neighbours() -> None:
    for name in ("ika", "ikb"):
        run("ip", "-n", name, "-6", "neighbour", "flush", "all")


def test_neighbours_are_found_though_all_of_ipv6_is_protected(pair: None) -> None:
    child = all_of_ipv6()

    async def story(a: XfrmKernel, b: XfrmKernel) -> None:
        await a.install_child(child)
        await b.install_child(mirrored(child))
        forget_neighbours()
        assert await ping("ika", "fd01::1", "fd02::1") == 3
        forget_neighbours()
        assert await ping("ikb", "fd99::2", "fd99::1") == 3
        counters = await a.counters(child.outbound.id)
        assert counters is not None
        assert counters.packets >= 6

    play(story)


def test_without_the_shunts_no_neighbour_is_found(pair: None) -> None:
    """The test above shows something only if this one does."""
    child = all_of_ipv6()

    async def main() -> None:
        for name, side in (("ika", child), ("ikb", mirrored(child))):
            with inside(name):
                tables = XfrmTables(REQID_BASE, REQID_COUNT)
            bare = [AddState(side.inbound), AddState(side.outbound), *(AddPolicy(policy) for policy in side.policies)]
            assert await tables.apply(bare) == [None] * 5
            tables.close()
        forget_neighbours()
        assert await ping("ika", "fd01::1", "fd02::1", 1, patience=0.3) == 0

    trio.run(main)


# -- notices -----------------------------------------------------------------------------------------------------


def test_a_packet_at_a_trap_is_told_with_the_traps_request_id(pair: None) -> None:
    child = site_to_site()

    async def story(a: XfrmKernel, b: XfrmKernel) -> None:
        await a.install_policies(Owner("trap"), (child.policies[0],))
        await ping("ika", "10.1.0.1", "10.2.0.1", 1, patience=0.1)
        event = await next_event(a, Acquire)
        assert isinstance(event, Acquire)
        assert event.reqid == child.inbound.reqid
        assert event.selector.source == IPv4Network("10.1.0.1/32")
        assert event.selector.destination == IPv4Network("10.2.0.1/32")
        assert event.selector.protocol == socket.IPPROTO_ICMP
        assert run("ip", "-n", "ika", "xfrm", "state") != "", "the kernel's placeholder, which play() finds gone"

    play(story)


def test_a_trap_asks_again_at_once_only_when_it_is_told_to(pair: None) -> None:
    child = site_to_site()

    async def story(a: XfrmKernel, b: XfrmKernel) -> None:
        await a.install_policies(Owner("trap"), (child.policies[0],))
        await ping("ika", "10.1.0.1", "10.2.0.1", 1, patience=0.1)
        assert isinstance(await next_event(a, Acquire), Acquire)
        await ping("ika", "10.1.0.1", "10.2.0.1", 1, patience=0.1)
        with pytest.raises(trio.WouldBlock):
            a.events.receive_nowait()
        await a.ask_again(child.inbound.reqid)
        await ping("ika", "10.1.0.1", "10.2.0.1", 1, patience=0.1)
        assert isinstance(await next_event(a, Acquire), Acquire)

    play(story)


def test_soft_and_hard_limits_are_told(pair: None) -> None:
    plain = site_to_site()
    limits = Lifetime(soft_packets=2, hard_packets=4)
    child = replace(plain, outbound=replace(plain.outbound, lifetime=limits))

    async def story(a: XfrmKernel, b: XfrmKernel) -> None:
        await a.install_child(child)
        await b.install_child(mirrored(plain))
        await ping("ika", "10.1.0.1", "10.2.0.1", 6, patience=0.1)
        assert await next_event(a, Expire) == Expire(child.outbound.id, hard=False)
        assert await next_event(a, Expire) == Expire(child.outbound.id, hard=True)
        assert await a.counters(child.outbound.id) is None
        await a.remove_child(child)

    play(story)


def in_udp(child: ChildSaSpec, port: int = 4500) -> ChildSaSpec:
    """The child inside UDP, from 4500 to 4500 but for what the other host sends, which comes from `port`."""
    return replace(
        child,
        inbound=replace(child.inbound, encap=UdpEncap(port, 4500)),
        outbound=replace(child.outbound, encap=UdpEncap(4500, 4500)),
    )


def test_esp_in_udp_crosses_and_a_new_port_of_the_peer_is_told(pair: None) -> None:
    first, second = in_udp(site_to_site(1)), in_udp(site_to_site(2))
    moved = mirrored(in_udp(site_to_site(2), port=4600))

    async def story(a: XfrmKernel, b: XfrmKernel) -> None:
        with encap_socket("ika", a, "10.99.0.1", 4500), encap_socket("ikb", b, "10.99.0.2", 4500):
            await a.install_child(first)
            await b.install_child(mirrored(first))
            assert await ping("ika", "10.1.0.1", "10.2.0.1") == 3
            await a.install_child(second)
            await b.install_child(moved)
            await ping("ikb", "10.2.0.1", "10.1.0.1", 1, patience=0.1)
            event = await next_event(a, Mapping)
        assert event == Mapping(second.inbound.id, IPv4Address("10.99.0.2"), 4600)

    play(story)


def encap_socket(namespace: str, kernel: XfrmKernel, address: str, port: int) -> socket.socket:
    with inside(namespace):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((address, port))
    kernel.enable_udp_encap(sock)
    return sock


def test_after_an_overrun_every_lost_expiry_is_found_by_a_dump(xfrm_host: XfrmHost) -> None:
    children = [make_child(number, local=f"10.{number}.0.0/24") for number in range(1, 41)]

    async def main() -> None:
        async with XfrmKernel.open(SeededEntropy(), notice_octets=2048) as kernel:
            for child in children:
                await kernel.install_child(child)
            await expire_all([make_expiry(child) for child in children])
            told = set()
            with trio.fail_after(5):
                while len(told) < len(children):
                    event = await next_event(kernel, Expire)
                    assert isinstance(event, Expire)
                    told.add(event.sa)
            assert told == {child.inbound.id for child in children}
            assert kernel.losses.overruns > 0

    trio.run(main)


def make_expiry(child: ChildSaSpec) -> expire:
    """What makes the kernel let a state expire at once."""
    state = make_state(child.inbound)["sa"]
    return make(expire, numbers.XFRM_MSG_EXPIRE, state=state, hard=True, attrs=[])


async def expire_all(messages: list[expire]) -> None:
    connection = Connection(open_netlink(numbers.NETLINK_XFRM), MESSAGE_CLASSES)
    answers = await connection.request(messages)
    connection.close()
    assert [answer.refusal for answer in answers] == [None] * len(messages)


# -- refusals ----------------------------------------------------------------------------------------------------


def test_the_kernels_own_words_reach_the_operator(xfrm_host: XfrmHost) -> None:
    child = make_child()
    mixed = replace(
        child.policies[0], template=replace(make_child(1, here="fd99::1", there="fd99::2").policies[0].template)
    )
    assert mixed.template is not None
    mixed = replace(mixed, template=replace(mixed.template, mode=Mode.TRANSPORT))

    async def main() -> None:
        async with XfrmKernel.open(SeededEntropy()) as kernel:
            with pytest.raises(KernelRefused, match=r"10\.1\.0\.0/24 to 10\.2\.0\.0/24 .*: Invalid argument: .+"):
                await kernel.install_policies(Owner("mixed"), (mixed,))

    trio.run(main)


def test_deleting_what_is_not_there_says_so(xfrm_host: XfrmHost) -> None:
    child = make_child()

    async def main() -> None:
        tables = XfrmTables(REQID_BASE, REQID_COUNT)
        refusals = await tables.apply([DeleteState(child.inbound), DeletePolicy(child.policies[0])])
        assert [refusal and refusal.errno for refusal in refusals] == [3, 2]
        tables.close()

    trio.run(main)


# -- sockets -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_a_bypassing_socket_speaks_where_policy_discards_everything(pair: None, family: int) -> None:
    network = IPv4Network("0.0.0.0/0") if family == socket.AF_INET else IPv6Network("::/0")
    us, them = ("10.99.0.1", "10.99.0.2") if family == socket.AF_INET else ("fd99::1", "fd99::2")
    selector = Selector(network, network)

    async def story(a: XfrmKernel, b: XfrmKernel) -> None:
        for kernel in (a, b):
            for direction in (Direction.IN, Direction.OUT):
                policy = PolicySpec(selector, direction, PolicyAction.DISCARD, priority=5)
                await kernel.install_policies(Owner("nothing passes"), (policy,))
        ours, theirs = udp_socket("ika", family, us), udp_socket("ikb", family, them)
        with ours, theirs:
            with pytest.raises(PermissionError):
                ours.sendto(b"in clear", (them, 500))
            a.bypass(ours)
            b.bypass(theirs)
            ours.sendto(b"IKE", (them, 500))
            assert theirs.recv(100) == b"IKE"
            theirs.sendto(b"IKE too", (us, 500))
            assert ours.recv(100) == b"IKE too"

    play(story)


def test_a_socket_of_both_families_is_refused() -> None:
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        with pytest.raises(KernelRefused, match="open one for each"):
            bypass(sock)


def udp_socket(namespace: str, family: int, address: str) -> socket.socket:
    with inside(namespace):
        sock = socket.socket(family, socket.SOCK_DGRAM)
    if family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    sock.settimeout(3)
    sock.bind((address, 500))
    return sock
