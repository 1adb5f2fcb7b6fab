"""UDP datagrams out of capture files: pcap and pcapng, IPv4 and IPv6, fragments put together.

Rule 1: a record that cannot be read as UDP is left out; a capture cut short ends where it ends.
Not here: what is in the datagrams, but for the non-ESP marker of port 4500 (RFC 3948 §2.2).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

UDP = 17
IKE_PORT, ENCAPSULATED_PORT = 500, 4500
NON_ESP_MARKER = bytes(4)
_PCAP_ORDERS = {
    bytes.fromhex("a1b2c3d4"): ">",
    bytes.fromhex("d4c3b2a1"): "<",
    bytes.fromhex("a1b23c4d"): ">",
    bytes.fromhex("4d3cb2a1"): "<",
}
_PCAPNG = bytes.fromhex("0a0d0d0a")
_SECTION, _INTERFACE, _SIMPLE, _ENHANCED = 0x0A0D0D0A, 1, 3, 6
_NULL, _ETHERNET, _RAW, _LINUX_SLL, _LINUX_SLL2 = 0, 1, 101, 113, 276
_RAW_ALIASES = {12, 14, _RAW, 228, 229}
_VLAN_TAGS = {0x8100, 0x88A8}
_FRAGMENT_HEADER = 44
_EXTENSION_HEADERS = {0, 43, 60}


@dataclass(frozen=True, slots=True)
class UdpDatagram:
    """One datagram; `frame` is the number of the record that completed it, from 1."""

    frame: int
    source: IPv4Address | IPv6Address
    source_port: int
    destination: IPv4Address | IPv6Address
    destination_port: int
    octets: bytes

    @property
    def ike_octets(self) -> bytes | None:
        """The IKE message without its non-ESP marker, None where this is ESP, a keepalive, or of other ports."""
        ports = {self.source_port, self.destination_port}
        if IKE_PORT in ports:
            return self.octets
        if ENCAPSULATED_PORT in ports and self.octets[:4] == NON_ESP_MARKER and len(self.octets) > len(NON_ESP_MARKER):
            return self.octets[4:]
        return None


def read_datagrams(path: Path, *, first_fragments: bool = False) -> list[UdpDatagram]:
    """All UDP datagrams of a capture in their order; raises ValueError where the file is no capture.

    first_fragments  a first fragment is a datagram cut short, instead of waiting for the others
    """
    octets = path.read_bytes()
    records = _pcapng_records(octets) if octets[:4] == _PCAPNG else _pcap_records(octets)
    pieces = _Pieces(first_fragments)
    found = (_read_frame(pieces, frame, link, record) for frame, (link, record) in enumerate(records, start=1))
    return [datagram for datagram in found if datagram is not None]


def read_ike(path: Path, *, first_fragments: bool = False) -> list[tuple[UdpDatagram, bytes]]:
    """The datagrams that carry IKE, each with its message."""
    datagrams = read_datagrams(path, first_fragments=first_fragments)
    found = ((datagram, datagram.ike_octets) for datagram in datagrams)
    return [(datagram, octets) for datagram, octets in found if octets is not None]


# -- files -------------------------------------------------------------------------------------------------------------


def _pcap_records(octets: bytes) -> Iterator[tuple[int, bytes]]:
    order = _PCAP_ORDERS.get(octets[:4])
    if order is None:
        raise ValueError(f"no capture: it begins with {octets[:4].hex()}")
    link = struct.unpack_from(order + "I", octets, 20)[0] & 0xFFFF
    at = 24
    while at + 16 <= len(octets):
        captured = struct.unpack_from(order + "I", octets, at + 8)[0]
        yield link, octets[at + 16 : at + 16 + captured]
        at += 16 + captured


def _pcapng_records(octets: bytes) -> Iterator[tuple[int, bytes]]:
    order, links, at = "<", [], 0
    while at + 12 <= len(octets):
        if octets[at : at + 4] == _PCAPNG:
            order, links = ("<" if octets[at + 8 : at + 12] == bytes.fromhex("4d3c2b1a") else ">"), []
        kind, length = struct.unpack_from(order + "II", octets, at)
        if length < 12:
            raise ValueError(f"block of {length} octets at {at}")
        body = octets[at + 8 : at + length - 4]
        if kind == _INTERFACE:
            links.append(struct.unpack_from(order + "H", body)[0])
        elif kind == _ENHANCED:
            interface, captured = struct.unpack_from(order + "I8xI", body)
            yield links[interface], body[20 : 20 + captured]
        elif kind == _SIMPLE:
            yield links[0], body[4 : 4 + struct.unpack_from(order + "I", body)[0]]
        at += length


# -- frames ------------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Pieces:
    """Fragments that wait for the rest of their packet."""

    first_fragments: bool
    waiting: dict[tuple[bytes, bytes, int], dict[int, bytes]] = field(default_factory=dict)
    ends: dict[tuple[bytes, bytes, int], int] = field(default_factory=dict)

    def add(self, key: tuple[bytes, bytes, int], offset: int, octets: bytes, *, is_last: bool) -> bytes | None:
        """The whole packet once its last piece is there."""
        if self.first_fragments:
            return octets if offset == 0 else None
        pieces = self.waiting.setdefault(key, {})
        pieces[offset] = octets
        if is_last:
            self.ends[key] = offset + len(octets)
        whole = b""
        for start in sorted(pieces):
            if start != len(whole):
                return None
            whole += pieces[start]
        if self.ends.get(key) != len(whole):
            return None
        del self.waiting[key], self.ends[key]
        return whole


def _read_frame(pieces: _Pieces, frame: int, link: int, octets: bytes) -> UdpDatagram | None:
    try:
        packet = _strip_link(link, octets)
        match packet[0] >> 4:
            case 4:
                addresses, udp = _read_ipv4(pieces, packet)
            case 6:
                addresses, udp = _read_ipv6(pieces, packet)
            case _:
                return None
        if udp is None:
            return None
        source_port, destination_port, length = struct.unpack_from(">HHH", udp)
    except (struct.error, IndexError):
        return None
    source, destination = (ip_address(address) for address in addresses)
    return UdpDatagram(frame, source, source_port, destination, destination_port, udp[8:length])


def _strip_link(link: int, octets: bytes) -> bytes:
    if link in _RAW_ALIASES:
        return octets
    if link == _NULL:
        return octets[4:]
    if link == _LINUX_SLL:
        return octets[16:]
    if link == _LINUX_SLL2:
        return octets[20:]
    if link != _ETHERNET:
        return b"\0"
    at = 12
    while struct.unpack_from(">H", octets, at)[0] in _VLAN_TAGS:
        at += 4
    return octets[at + 2 :]


def _read_ipv4(pieces: _Pieces, packet: bytes) -> tuple[tuple[bytes, bytes], bytes | None]:
    total, identification, fragment, protocol = struct.unpack_from(">HHHxB", packet, 2)
    addresses = packet[12:16], packet[16:20]
    body = packet[(packet[0] & 0x0F) * 4 : total]
    if protocol != UDP:
        return addresses, None
    offset, has_more = (fragment & 0x1FFF) * 8, bool(fragment & 0x2000)
    if not offset and not has_more:
        return addresses, body
    return addresses, pieces.add((*addresses, identification), offset, body, is_last=not has_more)


def _read_ipv6(pieces: _Pieces, packet: bytes) -> tuple[tuple[bytes, bytes], bytes | None]:
    length, following = struct.unpack_from(">HB", packet, 4)
    addresses = packet[8:24], packet[24:40]
    body = packet[40 : 40 + length]
    while following in _EXTENSION_HEADERS:
        following, units = body[0], body[1]
        body = body[(units + 1) * 8 :]
    if following == _FRAGMENT_HEADER:
        following, fragment, identification = struct.unpack_from(">BxHI", body)
        whole = pieces.add((*addresses, identification), fragment & 0xFFF8, body[8:], is_last=not fragment & 1)
        return addresses, whole if following == UDP else None
    return addresses, body if following == UDP else None
