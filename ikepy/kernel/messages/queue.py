"""nfnetlink_queue messages: a queue in which the kernel keeps packets until it is told what becomes of each.

Rule 1: the kernel keeps the packet; we see its first octets, enough to find its SPI, and never send any back.
Not here: what sends packets there (tables.py), who waits for what (early.py).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from ikepy.ipsec import Spi
from ikepy.kernel.messages.netfilter import (
    NFNL_SUBSYS_QUEUE,
    attribute,
    make_message,
    netfilter_message,
    number_of,
    read_attributes,
)

PACKET = NFNL_SUBSYS_QUEUE << 8 | 0
_VERDICT = NFNL_SUBSYS_QUEUE << 8 | 1
_CONFIG = NFNL_SUBSYS_QUEUE << 8 | 2

COPIED_OCTETS = 192
"""How much of a packet we see: the longest IPv4 header, or an IPv6 header with what usually follows, UDP, an SPI."""

_CFG_CMD, _CFG_PARAMS, _CFG_QUEUE_MAXLEN, _CFG_MASK, _CFG_FLAGS = 1, 2, 3, 4, 5
_CMD_BIND, _COPY_PACKET = 1, 2
_F_FAIL_OPEN, _F_GSO = 1 << 0, 1 << 2
_PACKET_HDR, _VERDICT_HDR, _PAYLOAD = 1, 2, 10
_NF_ACCEPT = 1
_NLM_F_REQUEST = 0x1

_COMMAND = struct.Struct(">BxH")
_PARAMETERS = struct.Struct(">IB")
_TWO = struct.Struct(">II")
_ID = struct.Struct(">I")

_IPPROTO_UDP, _IPPROTO_ESP, _IPPROTO_FRAGMENT = 17, 50, 44
_EXTENSIONS = frozenset({0, 43, _IPPROTO_FRAGMENT, 60})
_IPV4, _IPV6 = 4, 6
_IPV6_OCTETS = 40
_UDP_OCTETS = 8
_SPI_OCTETS = 4


@dataclass(frozen=True, slots=True)
class QueuedPacket:
    """A packet that the kernel keeps.

    number   what a verdict names it by
    spi      None where it is no ESP that we can read
    """

    number: int
    spi: Spi | None


def make_bind(queue: int, most: int) -> netfilter_message:
    """Take a queue, which holds `most` packets; what finds it full, or us too slow, passes (FAIL_OPEN).

    Packets that the host's receive offload has joined stay so (F_GSO).
    """
    flags = _F_FAIL_OPEN | _F_GSO
    attributes = attribute(_CFG_CMD, _COMMAND.pack(_CMD_BIND, 0))
    attributes += attribute(_CFG_PARAMS, _PARAMETERS.pack(COPIED_OCTETS, _COPY_PACKET))
    attributes += number_of(_CFG_QUEUE_MAXLEN, most) + number_of(_CFG_MASK, flags) + number_of(_CFG_FLAGS, flags)
    return make_message(_CONFIG, attributes, res_id=queue)


def make_accept(queue: int, number: int) -> netfilter_message:
    """Let a packet go on as it was; it is not acknowledged."""
    return make_message(
        _VERDICT, attribute(_VERDICT_HDR, _TWO.pack(_NF_ACCEPT, number)), res_id=queue, flags=_NLM_F_REQUEST
    )


def read_packet(message: bytes) -> QueuedPacket | None:
    """Read what the kernel says of a packet; None where it does not even number it."""
    attributes = read_attributes(message)
    header = attributes.get(_PACKET_HDR, b"")
    if len(header) < _ID.size:
        return None
    return QueuedPacket(_ID.unpack_from(header)[0], find_spi(attributes.get(_PAYLOAD, b"")))


def find_spi(packet: bytes) -> Spi | None:
    """The SPI of an IP packet that is ESP, plain or in UDP (RFC 3948); None where it is none, or cut off before."""
    version = packet[0] >> 4 if packet else 0
    if version == _IPV4 and len(packet) > 9:  # noqa: PLR2004 - up to the protocol
        protocol, at = packet[9], (packet[0] & 15) * 4
    elif version == _IPV6 and len(packet) >= _IPV6_OCTETS:
        protocol, at = _behind_extensions(packet)
    else:
        return None
    if protocol == _IPPROTO_UDP:
        at += _UDP_OCTETS
    elif protocol != _IPPROTO_ESP:
        return None
    octets = packet[at : at + _SPI_OCTETS]
    return Spi(int.from_bytes(octets, "big")) if len(octets) == _SPI_OCTETS else None


def _behind_extensions(packet: bytes) -> tuple[int, int]:
    """The protocol behind an IPv6 header's extensions (RFC 8200 §4), and where it begins."""
    protocol, at = packet[6], _IPV6_OCTETS
    while protocol in _EXTENSIONS:
        if at + 2 > len(packet):
            break
        length = 8 if protocol == _IPPROTO_FRAGMENT else (packet[at + 1] + 1) * 8
        protocol, at = packet[at], at + length
    return protocol, at
