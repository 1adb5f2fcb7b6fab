"""Other ways out of a gateway, and Windows: addresses that are routed or answered for by NDP, routes told by DHCP."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.access_conf import issue
from tests.lab.gateway import Gateway
from tests.lab.host_state import assert_same, host_state
from tests.lab.namespaces import inside, sh
from tests.lab.world_conf import world_conf
from tests.lab.world_room import GATEWAY, GATEWAY6, INSIDE, NAMESPACE, WEB, WEB6, WorldRoom, browse
from tests.system.test_gateway import World

CLIENT = "cl0"
OWN_NETWORK = "2001:db8:f"
INFORM = b"\x35\x01\x08\x3d\x07\x01\x00\x50\x56\x00\x00\x01\x0c\x06LAPTOP\x3c\x08MSFT 5.0\x37\x0d\x01\x03\x06\x0f\x1f\x21\x2b\x2c\x2e\x2f\x79\xf9\xfc\xff"
"The options of a Windows."
_PCAP_HEADER = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("ways")
    issue(made)
    return made


@pytest.fixture(scope="module")
def room() -> Iterator[WorldRoom]:
    laid = WorldRoom(1)
    with laid.laid():
        yield laid


@contextlib.contextmanager
def running(room: WorldRoom, directory: Path, name: str, conf: str) -> Iterator[World]:
    gateway = Gateway(NAMESPACE, directory / name)
    gateway.configure(conf)
    gateway.start("--log-level", "debug")
    try:
        yield World(room, gateway, directory)
    finally:
        gateway.stop()


def test_ipv6_addresses_of_the_gateways_own_network_are_answered_for_while_they_are_lent(
    room: WorldRoom, directory: Path
) -> None:
    before = host_state(NAMESPACE)
    conf = world_conf(directory, '[gateway]\nipv6 = "proxy_ndp"', OWN_NETWORK)
    with running(room, directory, "ndp", conf) as world:
        with world.client(0, "alice", f"{OWN_NETWORK}::") as (four, six):
            assert browse(CLIENT, WEB6, six) == six, world.gateway.log()
            assert browse(CLIENT, WEB, four) == GATEWAY
            assert six in sh("ip", "-n", NAMESPACE, "-6", "neigh", "show", "proxy")
            assert "IPv6 answered for by NDP on v-gw-world" in " ".join(world.gateway.ikepy("status").split())
        assert six not in sh("ip", "-n", NAMESPACE, "-6", "neigh", "show", "proxy")
        with world.client(0, "alice", f"{OWN_NETWORK}::"):
            world.gateway.kill()
            world.gateway.start()
            assert sh("ip", "-n", NAMESPACE, "-6", "neigh", "show", "proxy") == "", "none is lent by this daemon"
    assert_same(before, host_state(NAMESPACE))


def test_routed_addresses_are_seen_as_they_are(room: WorldRoom, directory: Path) -> None:
    sh("ip", "-n", "world", "route", "add", "10.9.0.0/24", "via", GATEWAY)
    sh("ip", "-n", "world", "-6", "route", "add", "fd00:9::/64", "via", GATEWAY6)
    conf = world_conf(directory, '[gateway]\nipv4 = "routed"\nipv6 = "routed"')
    with running(room, directory, "routed", conf) as world, world.client(0, "alice") as (four, six):
        assert browse(CLIENT, WEB, four) == four, world.gateway.log()
        assert browse(CLIENT, WEB6, six) == six


def test_a_windows_is_told_its_routes_by_dhcp(room: WorldRoom, directory: Path, tmp_path: Path) -> None:
    conf = world_conf(directory).replace("dpd_delay = 5", 'dpd_delay = 5\nquirks = "windows"')
    conf = conf.replace("[groups.staff]\n", '[groups.staff]\ndns = ["10.1.0.53"]\ndomains = ["corp.example"]\n')
    with running(room, directory, "windows", conf) as world, world.client(0, "bob") as (four, _):
        assert browse(CLIENT, INSIDE, four) == four, world.gateway.log()
        answer = inside(CLIENT, lambda: _inform(four, room.end(0)))
        assert answer, world.gateway.log()
        found = _by_tshark(answer, tmp_path)
        assert found["dhcp.option.dhcp"] == ["5"]
        assert found["dhcp.option.domain_name_server"] == ["10.1.0.53"]
        assert found["dhcp.option.domain_name"] == ["corp.example"]
        assert "249" in found["dhcp.option.type"]
        words = subprocess.run(
            ["tshark", "-r", str(tmp_path / "answer.pcap"), "-V"], check=True, capture_output=True, text=True
        ).stdout
        assert "10.1.0.0/16" in words.split("Option: (249)")[1].split("Option:")[0], words
        assert "is told by DHCP: routes 10.1.0.0/16" in world.gateway.log()


def _inform(own: str, interface: str) -> bytes:
    """Ask as a Windows does once its tunnel is up: to everybody, by the address it was lent; the answer."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
        sock.bind((own, 68))
        sock.settimeout(5)
        head = struct.pack("!BBBB4sHH", 1, 1, 6, 0, b"\x12\x34\x56\x78", 0, 0) + socket.inet_aton(own) + bytes(12)
        question = head + b"\0\x50\x56\0\0\1".ljust(16, b"\0") + bytes(192) + b"\x63\x82\x53\x63" + INFORM
        sock.sendto(question, ("255.255.255.255", 67))
        try:
            octets, (source, port) = sock.recvfrom(2000)
        except TimeoutError:
            return b""
        assert (source, port) == ("10.1.0.1", 67)
        udp = struct.pack("!HHHH", 67, 68, 8 + len(octets), 0) + octets
        addresses = socket.inet_aton(source) + socket.inet_aton(own)
        return struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0) + addresses + udp


def _by_tshark(packet: bytes, directory: Path) -> dict[str, list[str]]:
    """What a stranger reads in it."""
    path = directory / "answer.pcap"
    path.write_bytes(_PCAP_HEADER + struct.pack("<IIII", 0, 0, len(packet), len(packet)) + packet)
    fields = ["dhcp.option.type", "dhcp.option.dhcp", "dhcp.option.domain_name_server", "dhcp.option.domain_name"]
    options = [option for field in fields for option in ("-e", field)]
    command = ["tshark", "-r", str(path), "-T", "json", *options]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    layers: dict[str, list[str]] = json.loads(said)[0]["_source"]["layers"]
    return layers
