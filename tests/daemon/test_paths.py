"""Where an initiated IKE SA begins."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import pytest
import trio

from ikepy.config.model import (
    AddressPattern,
    AddressPatternKind,
    AuthKind,
    Config,
    ConnectionConfig,
    DaemonConfig,
    LocalAuthConfig,
    RemoteAuthConfig,
)
from ikepy.daemon.paths import resolve_paths
from ikepy.ike.actions import Path, SocketAddress
from ikepy.ike.errors import PeerUnknown
from ikepy.ipsec import IpAddress

PEER = ip_address("192.0.2.7")
PEER6 = ip_address("2001:db8::7")
OURS = ip_address("192.0.2.1")
OURS6 = ip_address("2001:db8::1")
SPARE = ip_address("192.0.2.3")

CONNECTION = ConnectionConfig(
    name="site", local=LocalAuthConfig(AuthKind.PSK), remote=RemoteAuthConfig(AuthKind.PSK), remote_addrs=()
)


class Routes:
    """A routing table in memory: our address for each destination."""

    def __init__(self, table: dict[IpAddress, IpAddress]) -> None:
        self._table = table

    async def source_address_for(self, destination: IpAddress) -> IpAddress | None:
        await trio.lowlevel.checkpoint()
        return self._table.get(destination)

    async def usable_addresses(self) -> tuple[IpAddress, ...]:
        await trio.lowlevel.checkpoint()
        return tuple(self._table.values())


def one(address: IpAddress) -> AddressPattern:
    return AddressPattern(AddressPatternKind.NETWORK, address, address)


def name(text: str) -> AddressPattern:
    return AddressPattern(AddressPatternKind.NAME, name=text)


def resolve(connection: ConnectionConfig, daemon: DaemonConfig = DaemonConfig()) -> Path:  # noqa: B008 - frozen
    routes = Routes({PEER: OURS, PEER6: OURS6, ip_address("127.0.0.1"): ip_address("127.0.0.1")})
    config = Config(connections=(connection,), daemon=daemon)
    paths = trio.run(resolve_paths, config, "site", routes)
    assert len(paths) == 1
    return paths[0]


def test_the_routing_table_says_our_address_and_the_daemon_our_port() -> None:
    path = resolve(replace(CONNECTION, remote_addrs=(one(PEER),)))

    assert path == Path(SocketAddress(OURS, 500), SocketAddress(PEER, 500))


def test_a_configured_local_address_and_port_go_before() -> None:
    path = resolve(replace(CONNECTION, remote_addrs=(one(PEER),), local_addrs=(one(SPARE),), local_port=1500))

    assert path.local == SocketAddress(SPARE, 1500)


def test_a_peer_on_port_4500_is_met_from_ours_with_the_marker() -> None:
    path = resolve(replace(CONNECTION, remote_addrs=(one(PEER),), remote_port=4500))

    assert path == Path(SocketAddress(OURS, 4500), SocketAddress(PEER, 4500), non_esp_marker=True)


def test_the_first_address_with_a_route_is_taken() -> None:
    path = resolve(replace(CONNECTION, remote_addrs=(one(ip_address("198.51.100.9")), one(PEER6))))

    assert path.remote.address == PEER6


def test_a_name_is_resolved() -> None:
    path = resolve(replace(CONNECTION, remote_addrs=(name("127.0.0.1"),)))

    assert path.remote.address == ip_address("127.0.0.1")


def test_with_listen_addresses_we_leave_from_one_of_them() -> None:
    path = resolve(replace(CONNECTION, remote_addrs=(one(PEER),)), DaemonConfig(listen=(OURS6, SPARE)))

    assert path.local.address == SPARE


def test_all_addresses_with_a_route_are_to_be_tried_in_their_order_and_each_once() -> None:
    connection = replace(CONNECTION, remote_addrs=(one(PEER6), one(PEER), one(PEER6)))
    routes = Routes({PEER: OURS, PEER6: OURS6})
    paths = trio.run(resolve_paths, Config(connections=(connection,)), "site", routes)

    assert [path.remote.address for path in paths] == [PEER6, PEER]


def test_no_route_names_the_peer() -> None:
    with pytest.raises(PeerUnknown, match=r"site.*no route and local address for 198\.51\.100\.9"):
        resolve(replace(CONNECTION, remote_addrs=(one(ip_address("198.51.100.9")),)))


def test_a_local_address_outside_local_addrs_is_no_way_out() -> None:
    others = AddressPattern(AddressPatternKind.NETWORK, ip_address("10.0.0.0"), ip_address("10.0.0.255"))

    with pytest.raises(PeerUnknown):
        resolve(replace(CONNECTION, remote_addrs=(one(PEER),), local_addrs=(others,)))


def test_a_connection_to_anybody_cannot_be_initiated_and_says_what_is_missing() -> None:
    with pytest.raises(PeerUnknown, match="remote_addrs name no single address"):
        resolve(replace(CONNECTION, remote_addrs=(AddressPattern(AddressPatternKind.ANY),)))


def test_of_several_addresses_of_ours_the_one_with_the_route_is_taken() -> None:
    connection = replace(CONNECTION, remote_addrs=(one(PEER),), local_addrs=(one(SPARE), one(OURS)))
    assert resolve(connection).local.address == OURS


def test_of_several_addresses_of_ours_without_the_routes_one_that_is_there_is_taken() -> None:
    gone = ip_address("192.0.2.99")
    connection = replace(CONNECTION, remote_addrs=(one(PEER),), local_addrs=(one(gone), one(ip_address("127.0.0.1"))))
    assert resolve(connection).local.address == ip_address("127.0.0.1")


def test_a_link_local_address_of_ours_does_not_speak_with_one_that_is_not() -> None:
    link_local = ip_address("fe80::1%eth0")
    connection = replace(CONNECTION, remote_addrs=(one(PEER6),), local_addrs=(one(link_local), one(OURS6)))
    assert resolve(connection).local.address == OURS6


def test_link_local_addresses_of_one_link_speak_with_each_other() -> None:
    peer = ip_address("fe80::7%eth0")
    other, same = ip_address("fe80::1%eth1"), ip_address("fe80::1%eth0")
    connection = replace(CONNECTION, remote_addrs=(one(peer),), local_addrs=(one(other), one(same)))
    assert resolve(connection).local.address == same
