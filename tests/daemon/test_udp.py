"""The UDP sockets of IKE, over loopback."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
import trio

from ikepy.config.model import Config, DaemonConfig
from ikepy.daemon.errors import StartupError
from ikepy.daemon.udp import UdpSockets, open_sockets
from ikepy.ike.actions import Datagram, Path, SocketAddress
from ikepy.ike.drops import DropReason
from ikepy.ike.endpoint import Endpoint
from tests.support.entropy import SeededEntropy
from tests.support.recorder import Recorder

V4 = IPv4Address("127.0.0.1")
V6 = IPv6Address("::1")


class NoKernel:
    """Prepares no socket, and notes which are to have UDP encapsulation."""

    def __init__(self) -> None:
        self.bypassed: list[int] = []
        self.encapsulating: list[int] = []

    def bypass(self, sock: socket.socket) -> None:
        self.bypassed.append(sock.getsockname()[1])

    def enable_udp_encap(self, sock: socket.socket) -> None:
        self.encapsulating.append(sock.getsockname()[1])


def free_ports(count: int) -> list[int]:
    """UDP ports that nobody has on any address, all at once so that they differ."""
    taken = [socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) for _ in range(count)]
    for each in taken:
        each.bind(("::", 0))
    ports = [each.getsockname()[1] for each in taken]
    for each in taken:
        each.close()
    return ports


def make_config(*listen: str) -> Config:
    port, port_nat_t = free_ports(2)
    return Config(
        daemon=DaemonConfig(listen=tuple(ip_address(text) for text in listen), port=port, port_nat_t=port_nat_t)
    )


async def receive(sockets: UdpSockets, poke: Callable[[], None], count: int) -> list[Datagram]:
    """What comes to the sockets, `count` datagrams of it, after `poke`."""
    got: list[Datagram] = []
    done = trio.Event()

    def take(datagram: Datagram) -> None:
        got.append(datagram)
        if len(got) >= count:
            done.set()

    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            for each in sockets.sockets:
                nursery.start_soon(each.receive, take)
            poke()
            await done.wait()
            nursery.cancel_scope.cancel()
    return got


def send(octets: bytes, address: str, port: int, source: str | None = None) -> int:
    """Send from a socket of a stranger's; return his port."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as stranger:
        if source is not None:
            stranger.bind((source, 0))
        stranger.sendto(octets, (address, port))
        return int(stranger.getsockname()[1])


def exchange(config: Config, sends: list[tuple[bytes, str, int]], count: int) -> tuple[list[Datagram], UdpSockets]:
    async def main() -> tuple[list[Datagram], UdpSockets]:
        with open_sockets(config, NoKernel()) as sockets:
            return await receive(sockets, lambda: [send(*each) for each in sends] and None, count), sockets

    return trio.run(main)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.77", "::1"])
def test_a_wildcard_socket_knows_the_address_a_datagram_was_sent_to(address: str) -> None:
    config = make_config()

    (datagram,), _ = exchange(config, [(b"hello", address, config.daemon.port)], 1)

    assert datagram.octets == b"hello"
    assert datagram.path.local == SocketAddress(ip_address(address), config.daemon.port)
    assert not datagram.path.non_esp_marker


def test_an_answer_leaves_from_the_address_that_was_asked() -> None:
    config = make_config()
    asked = IPv4Address("127.0.0.77")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer, open_sockets(config, NoKernel()) as sockets:
        peer.bind(("127.0.0.1", 0))
        peer.settimeout(5)
        path = Path(SocketAddress(asked, config.daemon.port), SocketAddress(V4, peer.getsockname()[1]))
        sockets.send(Datagram(b"answer", path))

        assert peer.recvfrom(100) == (b"answer", (str(asked), config.daemon.port))


@pytest.mark.parametrize("ours", [V4, V6])
def test_the_non_esp_marker_goes_on_and_off(ours: IPv4Address | IPv6Address) -> None:
    config = make_config()
    port = config.daemon.port_nat_t
    to_ourselves = Path(SocketAddress(ours, port), SocketAddress(ours, port), non_esp_marker=True)

    async def main() -> list[Datagram]:
        with open_sockets(config, NoKernel()) as sockets:
            return await receive(sockets, lambda: sockets.send(Datagram(b"IKE", to_ourselves)), 1)

    assert trio.run(main) == [Datagram(b"IKE", to_ourselves)]


def test_keepalives_esp_and_scraps_on_the_nat_t_port_are_counted_and_go_no_further() -> None:
    config = make_config()
    port = config.daemon.port_nat_t
    esp = b"\x00\x00\x01\x00" + bytes(40)
    sends = [(octets, "127.0.0.1", port) for octets in (b"\xff", esp, b"", b"\0", b"\0\0\0", b"\0\0\0\0IKE")]

    datagrams, sockets = exchange(config, sends, 1)

    assert [each.octets for each in datagrams] == [b"IKE"]
    assert (sockets.counters.keepalives, sockets.counters.esp, sockets.counters.short) == (1, 1, 3)


def test_of_small_datagrams_on_the_nat_t_port_only_what_is_marked_passes() -> None:
    config = make_config()
    zeros = [bytes(count) for count in range(28)]
    spis = [spi.to_bytes(4, "big") + bytes(count) for spi in range(1, 256) for count in (0, 4, 40)]
    sends = [(octets, "127.0.0.1", config.daemon.port_nat_t) for octets in (*spis[:300], *zeros)]

    datagrams, sockets = exchange(config, sends, 24)

    assert [each.octets for each in datagrams] == [octets[4:] for octets in zeros[4:]]
    assert sockets.counters.drops() == {"shorter than a non-ESP marker": 4, "ESP that the kernel did not take": 300}


@pytest.mark.parametrize("marked", [False, True])
def test_the_endpoint_answers_nothing_that_is_shorter_than_a_header_and_counts_it(marked: bool) -> None:
    config = make_config()
    port = config.daemon.port_nat_t if marked else config.daemon.port
    scraps = [fill * count for count in range(28) for fill in (b"\0", b"\xff", b"\x21")]
    marker = bytes(4) if marked else b""
    endpoint = Endpoint(config, SeededEntropy(1), Recorder())

    datagrams, _ = exchange(config, [(marker + scrap, "127.0.0.1", port) for scrap in scraps], len(scraps))

    assert [each.octets for each in datagrams] == scraps
    assert [endpoint.receive_datagram(each, 1.0) for each in datagrams] == [[]] * len(scraps)
    assert endpoint.drops == {DropReason.TOO_SHORT: len(scraps)}
    assert endpoint.next_timeout() is None


def test_datagrams_of_0_to_27_octets_pass_as_they_are() -> None:
    config = make_config()
    scraps = [bytes(range(1, count + 1)) for count in range(28)]

    datagrams, _ = exchange(config, [(scrap, "127.0.0.1", config.daemon.port) for scrap in scraps], len(scraps))

    assert [each.octets for each in datagrams] == scraps


def test_the_largest_datagram_arrives_whole() -> None:
    config = make_config()

    (datagram,), _ = exchange(config, [(bytes(65507), "127.0.0.1", config.daemon.port)], 1)

    assert len(datagram.octets) == 65507


def test_a_busy_socket_lets_the_other_have_its_turn() -> None:
    config = make_config()
    many = [(b"a", "127.0.0.1", config.daemon.port)] * 100
    one = [(b"\0\0\0\0b", "127.0.0.1", config.daemon.port_nat_t)]

    datagrams, _ = exchange(config, many + one, 101)

    assert [each.octets for each in datagrams].index(b"b") <= 64


def test_every_socket_bypasses_policy_and_the_nat_t_port_takes_esp() -> None:
    config = make_config("127.0.0.1", "::1")
    kernel = NoKernel()
    with open_sockets(config, kernel):
        pass

    assert kernel.bypassed == [config.daemon.port, config.daemon.port_nat_t] * 2
    assert kernel.encapsulating == [config.daemon.port_nat_t] * 2


def test_a_listen_address_that_does_not_exist_yet_can_be_bound() -> None:
    config = make_config("192.0.2.123", "2001:db8::123")
    with open_sockets(config, NoKernel()) as sockets:
        assert [str(each.bound) for each in sockets.sockets] == ["192.0.2.123"] * 2 + ["2001:db8::123"] * 2


def test_a_taken_port_is_named_with_whoever_has_it() -> None:
    config = make_config("127.0.0.1")
    with open_sockets(config, NoKernel()), pytest.raises(StartupError) as refused, open_sockets(config, NoKernel()):
        pass

    assert f"UDP port {config.daemon.port} of 127.0.0.1 is taken by" in str(refused.value)
    assert "(process " in str(refused.value)


def test_a_send_that_fails_is_loss_and_said_once_a_peer(caplog: pytest.LogCaptureFixture) -> None:
    config = make_config("127.0.0.1")
    elsewhere = SocketAddress(IPv4Address("255.255.255.255"), 500)  # without SO_BROADCAST: EACCES
    path = Path(SocketAddress(V4, config.daemon.port), elsewhere)
    with open_sockets(config, NoKernel()) as sockets, caplog.at_level(logging.WARNING, "ikepy"):
        for _ in range(3):
            sockets.send(Datagram(b"lost", path))

    assert sockets.counters.send_failures == 3
    assert len(caplog.records) == 1
    assert "255.255.255.255:500" in caplog.text


def test_a_path_without_a_socket_of_ours_is_loss() -> None:
    config = make_config("127.0.0.1")
    path = Path(SocketAddress(V6, config.daemon.port), SocketAddress(V6, 500))
    with open_sockets(config, NoKernel()) as sockets:
        sockets.send(Datagram(b"lost", path))

    assert sockets.counters.send_failures == 1
