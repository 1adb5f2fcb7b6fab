"""Packets put on a cable past the sender's own kernel, as somebody between the gateways could."""

from __future__ import annotations

import fcntl
import ipaddress
import socket
import struct

from tests.lab.namespaces import inside

_SIOCGIFHWADDR = 0x8927
_UDP = 17


def udp_packet(source: str, destination: str, port: int, body: bytes) -> bytes:
    """An IP packet with a UDP datagram, checksums in it."""
    here, there = ipaddress.ip_address(source), ipaddress.ip_address(destination)
    length = 8 + len(body)
    if here.version == 4:
        pseudo = here.packed + there.packed + struct.pack(">BBH", 0, _UDP, length)
        head = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + length, 1, 0, 64, _UDP, 0, here.packed, there.packed)
        head = head[:10] + struct.pack(">H", _checksum(head)) + head[12:]
    else:
        pseudo = here.packed + there.packed + struct.pack(">IHBB", length, 0, 0, _UDP)
        head = struct.pack(">IHBB", 0x60000000, length, _UDP, 64) + here.packed + there.packed
    datagram = struct.pack(">HHHH", port, port, length, 0) + body
    checksum = _checksum(pseudo + datagram) or 0xFFFF
    return head + datagram[:6] + struct.pack(">H", checksum) + body


def put_on_cable(sender: tuple[str, str], receiver: tuple[str, str], packet: bytes) -> None:
    """Send a packet from one end of a cable to the other; an end is a namespace and a device in it."""
    ethertype = 0x0800 if packet[0] >> 4 == 4 else 0x86DD
    to = inside(receiver[0], lambda: _hardware_address(receiver[1]))

    def send() -> None:
        with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0) as raw:
            raw.sendto(packet, (sender[1], ethertype, 0, 0, to))

    inside(sender[0], send)


def _hardware_address(device: str) -> bytes:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        return fcntl.ioctl(asking, _SIOCGIFHWADDR, struct.pack("256s", device.encode()))[18:24]


def _checksum(octets: bytes) -> int:
    octets += bytes(len(octets) % 2)
    total = sum(struct.unpack(f">{len(octets) // 2}H", octets))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
