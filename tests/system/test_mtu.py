"""Packets of full size that must not be fragmented, through tunnels of every kind: docs/operating.md, MTU.

Each tunnel is a child of its own between the same two ikepy gateways: three suites, by IPv4 and IPv6, with UDP and
without.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from ipaddress import ip_address

import pytest

from ikepy.crypto.secret import Secret
from ikepy.ipsec import Mode, SaSpec, Spi, UdpEncap
from ikepy.overhead import Overhead, overhead_of
from ikepy.wire.registry import EncrId, IntegId
from tests.lab import mtu_room
from tests.lab.gateway import Gateway
from tests.lab.mtu_room import FAR, LEFT, NEAR, RIGHT, Answer, inner, network, outer, ping
from tests.lab.namespaces import inside, sh, states

pytestmark = pytest.mark.slow
PORT = 5001
OUTER = {"v4": (4, False), "v4-udp": (4, True), "v6": (6, False), "v6-udp": (6, True)}
SUITES = {
    "aes256gcm16": (EncrId.AES_GCM_16, None),
    "aes256-sha256": (EncrId.AES_CBC, IntegId.HMAC_SHA2_256_128),
    "chacha20poly1305": (EncrId.CHACHA20_POLY1305, None),
}


@dataclass(frozen=True)
class Tunnel:
    """A child: its number, the connection it belongs to, its suite, and further lines of the left side."""

    number: int
    connection: str
    suite: str
    more: str = ""

    @property
    def name(self) -> str:
        return f"t{self.number}"

    @property
    def overhead(self) -> Overhead:
        version, udp = OUTER[self.connection]
        encr, integ = SUITES[self.suite]
        ours, theirs = (ip_address(outer(side, 2, version)) for side in (1, 2))
        encap = UdpEncap(4500, 4500) if udp else None
        return overhead_of(SaSpec(ours, theirs, Spi(256), Mode.TUNNEL, 1, encr, Secret(b""), integ=integ, encap=encap))


PLAIN = [
    Tunnel(number, connection, suite)
    for number, (connection, suite) in enumerate(((each, suite) for each in OUTER for suite in SUITES), 1)
]
SMALL = Tunnel(13, "v4", "aes256gcm16", "mtu = 1280")
BY_PATH = Tunnel(14, "v4", "aes256gcm16", "mss_clamp = true")
BY_NUMBER = Tunnel(15, "v6-udp", "aes256-sha256", "mss_clamp = 1000")
TUNNELS = [*PLAIN, SMALL, BY_PATH, BY_NUMBER]
NAMES = [f"{tunnel.connection}-{tunnel.suite}" for tunnel in PLAIN]


def conf(side: int) -> str:
    """The left (1) or right (2) gateway's configuration."""
    text = ""
    for number, (connection, (version, udp)) in enumerate(OUTER.items(), 2):
        ours, theirs = outer(side, number, version), outer(3 - side, number, version)
        text += f"""
[connections.{connection}]
local_addrs = ["{ours}"]
remote_addrs = ["{theirs}"]
encap = {str(udp).lower()}
local = {{ auth = "psk", id = "{connection}.{side}.lab" }}
remote = {{ auth = "psk", id = "{connection}.{3 - side}.lab" }}
[secrets.{connection}]
ids = ["{connection}.1.lab", "{connection}.2.lab"]
secret = "a secret between two ends of the lab"
"""
        text += "".join(child(side, tunnel) for tunnel in TUNNELS if tunnel.connection == connection)
    return text


def child(side: int, tunnel: Tunnel) -> str:
    local, remote = (
        ", ".join(f'"{network(which, tunnel.number, version)}"' for version in (4, 6)) for which in (side, 3 - side)
    )
    return f"""
[connections.{tunnel.connection}.children.{tunnel.name}]
local_ts = [{local}]
remote_ts = [{remote}]
esp_proposals = ["{tunnel.suite}"]
{tunnel.more if side == 1 else ""}
"""


@dataclass(frozen=True)
class Room:
    """The two gateways, all tunnels up."""

    left: Gateway
    right: Gateway


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    directory = tmp_path_factory.mktemp("mtu")
    with mtu_room.laid(len(TUNNELS), len(OUTER)):
        gateways = []
        for side, (name, space) in enumerate((("left", LEFT), ("right", RIGHT)), 1):
            gateway = Gateway(space, directory / name)
            gateway.configure(conf(side))
            gateway.start()
            gateways.append(gateway)
        left, right = gateways
        try:
            for tunnel in TUNNELS:
                left.up(tunnel.connection, tunnel.name)
            yield Room(left, right)
        finally:
            for gateway in gateways:
                gateway.stop()


def own(tunnel: Tunnel, octets: int, version: int = 4) -> Answer:
    """Ping from the left gateway itself to the right one."""
    number = tunnel.number
    return ping(LEFT, inner(1, number, version, 1), inner(2, number, version, 1), octets)


def forwarded(tunnel: Tunnel, octets: int, version: int = 4) -> Answer:
    """Ping from the host behind the left gateway to the one behind the right."""
    number = tunnel.number
    return ping(NEAR, inner(1, number, version, 2), inner(2, number, version, 2), octets)


def forget() -> None:
    """Hosts remember path MTUs for ten minutes."""
    for family in ("-4", "-6"):
        sh("ip", family, "-n", NEAR, "route", "flush", "cache")


@pytest.mark.parametrize("version", [4, 6], ids=["inner4", "inner6"])
@pytest.mark.parametrize("tunnel", PLAIN, ids=NAMES)
def test_a_packet_of_full_size_is_answered_with_the_number_and_that_number_passes(
    room: Room, tunnel: Tunnel, version: int
) -> None:
    mtu_room.narrow(1500)
    largest = tunnel.overhead.inner_mtu(1500)
    for send in (own, forwarded):
        answers = {octets: send(tunnel, octets, version) for octets in (1500, largest + 1, largest)}
        seen = {octets: (answer.passed, answer.mtu) for octets, answer in answers.items()}
        forget()
        assert seen == {1500: (False, largest), largest + 1: (False, largest), largest: (True, None)}, (
            send.__name__,
            [answer.text for answer in answers.values()],
        )


@pytest.mark.parametrize("connection", OUTER)
def test_a_narrower_link_on_the_way_is_found_out_and_the_number_follows(room: Room, connection: str) -> None:
    tunnels = [tunnel for tunnel in PLAIN if tunnel.connection == connection]
    mtu_room.narrow(1400)
    try:
        first = own(tunnels[0], tunnels[0].overhead.inner_mtu(1500))
        assert not first.passed, first.text  # lost, and the router's answer tells the gateway
        for tunnel in tunnels:
            largest = tunnel.overhead.inner_mtu(1400)
            for version in (4, 6):
                for send in (own, forwarded):
                    answers = [send(tunnel, octets, version) for octets in (largest + 1, largest)]
                    assert [(answer.passed, answer.mtu) for answer in answers] == [(False, largest), (True, None)], (
                        tunnel,
                        version,
                        send.__name__,
                        [answer.text for answer in answers],
                        sh("ip", "-n", LEFT, "route", "show", "cache"),
                        sh("ip", "-6", "-n", LEFT, "route", "show", "cache"),
                    )
    finally:
        mtu_room.narrow(1500)


def test_packets_that_may_be_fragmented_pass_at_any_size(room: Room) -> None:
    mtu_room.narrow(1400)
    try:
        for tunnel in (PLAIN[0], PLAIN[3]):
            number = tunnel.number
            for space, last in ((LEFT, 1), (NEAR, 2)):
                ends = inner(1, number, 4, last), inner(2, number, 4, last)
                command = ["ip", "netns", "exec", space, "ping", "-M", "dont", "-c", "3", "-W", "1", "-I", ends[0]]
                text = sh(*command, "-s", "1472", ends[1], check=False)
                assert " 0% packet loss" in text, text
    finally:
        mtu_room.narrow(1500)


@pytest.mark.parametrize("version", [4, 6])
def test_a_route_with_an_mtu_says_that_number(room: Room, version: int) -> None:
    for send in (own, forwarded):
        answers = [send(SMALL, octets, version) for octets in (1500, 1281, 1280)]
        forget()
        assert [(answer.passed, answer.mtu) for answer in answers] == [(False, 1280), (False, 1280), (True, None)], (
            send.__name__,
            [answer.text for answer in answers],
        )


def test_tcp_of_the_gateway_itself_goes_by_the_routes_mtu(room: Room) -> None:
    for version, segment in ((4, 1240), (6, 1220)):
        ends = inner(1, SMALL.number, version, 1), inner(2, SMALL.number, version, 1)
        assert segments(LEFT, ends[0], RIGHT, ends[1], octets=20_000)[1] <= segment


def segments(near: str, source: str, far: str, goal: str, *, octets: int = 200_000) -> tuple[int, int]:
    """The MSS of a connection as who connects and as who is connected to send by it; octets go both ways."""
    family = socket.AF_INET6 if ":" in goal else socket.AF_INET

    def open_server() -> socket.socket:
        made = socket.socket(family)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((goal, PORT))
        made.listen()
        made.settimeout(10)
        return made

    def open_client() -> socket.socket:
        return socket.create_connection((goal, PORT), 10, (source, 0))

    with inside(far, open_server) as server, ThreadPoolExecutor(2) as pool:
        accepting = pool.submit(server.accept)
        with inside(near, open_client) as client, accepting.result()[0] as accepted:
            accepted.settimeout(10)
            found = tuple(each.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG) for each in (client, accepted))
            for sender, receiver in ((client, accepted), (accepted, client)):
                sending = pool.submit(sender.sendall, bytes(octets))
                came = 0
                while came < octets:
                    came += len(receiver.recv(65536))
                sending.result()
            return found[0], found[1]


def hosts(tunnel: Tunnel, version: int) -> tuple[str, str, str, str]:
    """Both hosts and their addresses in a tunnel's networks."""
    number = tunnel.number
    return NEAR, inner(1, number, version, 2), FAR, inner(2, number, version, 2)


@pytest.mark.parametrize("version", [4, 6])
def test_a_clamp_by_the_path_has_both_hosts_send_segments_that_fit(room: Room, version: int) -> None:
    headers = {4: 40, 6: 60}[version]
    fits = BY_PATH.overhead.inner_mtu(1500) - headers
    assert segments(*hosts(PLAIN[0], version), octets=1000) == (1500 - headers, 1500 - headers)
    assert segments(*hosts(BY_PATH, version)) == (fits, fits)


@pytest.mark.parametrize("version", [4, 6])
def test_a_clamp_by_a_number_is_that_number(room: Room, version: int) -> None:
    assert segments(*hosts(BY_NUMBER, version)) == (1000, 1000)


def test_a_clamp_carries_tcp_of_ipv6_where_the_path_is_too_narrow_for_1280_octets(room: Room) -> None:
    mtu_room.narrow(1280)
    try:
        assert segments(*hosts(BY_NUMBER, 6)) == (1000, 1000)
    finally:
        mtu_room.narrow(1500)


def test_a_connection_from_the_other_side_is_clamped_alike(room: Room) -> None:
    near, source, far, goal = hosts(BY_PATH, 4)
    assert segments(far, goal, near, source) == (1406, 1406)


def rules() -> str:
    """The tables of nftables at the left gateway."""
    return sh("ip", "netns", "exec", LEFT, "nft", "list", "ruleset")


def test_a_rekeying_keeps_the_clamp_and_the_last_child_takes_it_out(room: Room) -> None:
    before = rules()
    assert before.count("ipsec out reqid") == 2
    room.left.rekey(BY_PATH.connection, BY_PATH.name)
    assert rules() == before
    room.left.call("terminate", {"child": BY_NUMBER.name, "timeout": "10000"})
    assert rules().count("ipsec out reqid") == 1
    assert "set 1000" not in rules()
    room.left.up(BY_NUMBER.connection, BY_NUMBER.name)
    assert rules().count("ipsec out reqid") == 2


def test_what_a_crash_leaves_is_swept_at_the_next_start_and_a_clean_end_leaves_nothing(room: Room) -> None:
    room.left.kill()
    assert "table inet ikepy_1ce00000" in rules()
    room.left.start()
    assert "ikepy" not in rules()
    assert "the nftables table inet ikepy_1ce00000 of an earlier daemon is removed" in room.left.log()
    room.left.up(BY_PATH.connection, BY_PATH.name)
    assert segments(*hosts(BY_PATH, 4), octets=1000) == (1406, 1406)
    room.left.down(BY_PATH.connection)
    assert "ikepy" not in rules()
    room.left.up(BY_PATH.connection, BY_PATH.name)
    room.left.stop()
    assert "ikepy" not in rules()
    assert not states(LEFT)
