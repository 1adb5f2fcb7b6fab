"""The reader of captures: both file formats, link types, fragments, the non-ESP marker."""

from __future__ import annotations

import struct
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import pytest

from tests.support.pcap import read_datagrams, read_ike

HERE, THERE = IPv4Address("192.0.2.1"), IPv4Address("192.0.2.2")
HERE6, THERE6 = IPv6Address("2001:db8::1"), IPv6Address("2001:db8::2")


def udp(octets: bytes, ports: tuple[int, int] = (500, 500)) -> bytes:
    return struct.pack(">HHHH", *ports, 8 + len(octets), 0) + octets


def ipv4(body: bytes, *, fragment: int = 0, protocol: int = 17) -> bytes:
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(body), 7, fragment, 64, protocol, 0)
    return head + HERE.packed + THERE.packed + body


def ipv6(body: bytes, following: int = 17) -> bytes:
    return struct.pack(">IHBB", 0x60000000, len(body), following, 64) + HERE6.packed + THERE6.packed + body


def pcap(*records: bytes, link: int = 101, order: str = "<") -> bytes:
    head = struct.pack(order + "IHHIIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, link)
    return head + b"".join(struct.pack(order + "IIII", 0, 0, len(one), len(one)) + one for one in records)


def block(kind: int, body: bytes) -> bytes:
    body += bytes(-len(body) % 4)
    length = struct.pack("<I", 12 + len(body))
    return struct.pack("<I", kind) + length + body + length


def payloads(tmp_path: Path, octets: bytes) -> list[bytes]:
    file = tmp_path / "a.pcap"
    file.write_bytes(octets)
    return [datagram.octets for datagram in read_datagrams(file)]


@pytest.mark.parametrize("order", ["<", ">"])
def test_both_byte_orders_are_read(tmp_path: Path, order: str) -> None:
    assert payloads(tmp_path, pcap(ipv4(udp(b"a")), ipv6(udp(b"b")), order=order)) == [b"a", b"b"]


def test_both_ends_are_told(tmp_path: Path) -> None:
    file = tmp_path / "a.pcap"
    file.write_bytes(pcap(ipv4(udp(b"a", (500, 1234)))))

    [datagram] = read_datagrams(file)

    assert (datagram.source, datagram.source_port) == (HERE, 500)
    assert (datagram.destination, datagram.destination_port) == (THERE, 1234)


@pytest.mark.parametrize(
    ("link", "head"),
    [
        (0, struct.pack("<I", 2)),
        (1, bytes(12) + b"\x08\0"),
        (1, bytes(12) + b"\x81\0\0\7\x08\0"),
        (101, b""),
        (228, b""),
        (113, bytes(14) + b"\x08\0"),
        (276, b"\x08\0" + bytes(18)),
    ],
)
def test_link_layers_are_taken_off(tmp_path: Path, link: int, head: bytes) -> None:
    assert payloads(tmp_path, pcap(head + ipv4(udp(b"a")), link=link)) == [b"a"]


def test_pcapng_is_read(tmp_path: Path) -> None:
    packet = ipv4(udp(b"a"))
    section = block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
    interface = block(1, struct.pack("<HHI", 101, 0, 0))
    enhanced = block(6, struct.pack("<IIIII", 0, 0, 0, len(packet), len(packet)) + packet)
    simple = block(3, struct.pack("<I", len(packet)) + packet)

    assert payloads(tmp_path, section + interface + enhanced + block(5, bytes(8)) + simple) == [b"a", b"a"]


def test_fragments_of_ipv4_are_put_together_in_any_order(tmp_path: Path) -> None:
    whole = udp(bytes(range(40)))
    first, last = ipv4(whole[:24], fragment=0x2000), ipv4(whole[24:], fragment=3)

    assert payloads(tmp_path, pcap(first, last)) == [bytes(range(40))]
    assert payloads(tmp_path, pcap(last, first)) == [bytes(range(40))]
    assert payloads(tmp_path, pcap(first)) == []


def test_fragments_of_ipv6_are_put_together(tmp_path: Path) -> None:
    whole = udp(bytes(range(40)))
    first = ipv6(struct.pack(">BBHI", 17, 0, 1, 9) + whole[:24], 44)
    last = ipv6(struct.pack(">BBHI", 17, 0, 24, 9) + whole[24:], 44)

    assert payloads(tmp_path, pcap(first, last)) == [bytes(range(40))]


def test_extension_headers_are_passed_over(tmp_path: Path) -> None:
    assert payloads(tmp_path, pcap(ipv6(bytes([17, 0]) + bytes(6) + udp(b"a"), 60))) == [b"a"]


def test_what_is_no_udp_is_left_out(tmp_path: Path) -> None:
    records = [ipv4(udp(b"a"), protocol=50), ipv6(b"", 58), b"", b"\x45", b"\x10" + bytes(40)]

    assert payloads(tmp_path, pcap(*records)) == []
    assert payloads(tmp_path, pcap(ipv4(udp(b"a")), link=9999)) == []


def test_a_capture_cut_short_ends_there(tmp_path: Path) -> None:
    octets = pcap(ipv4(udp(b"a")), ipv4(udp(b"b")))

    assert payloads(tmp_path, octets[:-40]) == [b"a"]


def test_another_file_is_no_capture(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no capture"):
        payloads(tmp_path, b"{}" * 20)


def test_the_non_esp_marker_tells_ike_from_esp(tmp_path: Path) -> None:
    file = tmp_path / "a.pcap"
    encapsulated = [bytes(4) + b"ike", b"\0\0\0\1esp", b"\xff", bytes(4)]
    records = [ipv4(udp(one, (4500, 60000))) for one in encapsulated]
    file.write_bytes(pcap(ipv4(udp(b"plain", (60000, 500))), *records, ipv4(udp(b"dns", (53, 53)))))

    assert [octets for _, octets in read_ike(file)] == [b"plain", b"ike"]
