"""How much of a path's MTU is left inside a tunnel: the octets that ESP adds to a packet (RFC 4303 §2, RFC 3948 §2.1).

    outer IP header   20, IPv6 40     tunnel mode: one more; transport mode: the packet's own
    UDP header        8               where ESP goes inside UDP
    ESP header        8               SPI and sequence number
    IV                by the cipher
    packet            tunnel mode: all of it; transport mode: what is behind its IP header
    padding, trailer  0.. and 2       up to a whole number of the cipher's blocks, of 4 octets at least
    ICV               by the cipher or the integrity algorithm

Rule 1: pure arithmetic, and the kernel's own: xfrm_state_mtu() says the same, which a test in the lab looks at.
Not here: what the MTU of a path is (kernel/links.py), what is done with the result (gateway/mss.py).
"""

from __future__ import annotations

from dataclasses import dataclass

from ikepy.crypto.cipher import get_encr, supported_encrs
from ikepy.crypto.integ import get_integ
from ikepy.ipsec import Mode, SaSpec

IP_OCTETS = {4: 20, 6: 40}
"""Header without options, by version."""
TCP_OCTETS = 20
_UDP_OCTETS = 8
_ESP_OCTETS = 8
_TRAILER_OCTETS = 2
_LEAST_BLOCK = 4


@dataclass(frozen=True, slots=True)
class Overhead:
    """What one SA adds to a packet, in octets.

    header    between the outer packet's start and what is encrypted: outer IP, UDP, ESP and IV
    block     what is encrypted is a whole number of these
    icv       behind it
    kept      of the packet's own start that is not encrypted: its IP header in transport mode
    """

    header: int
    block: int
    icv: int
    kept: int = 0

    def inner_mtu(self, path_mtu: int) -> int:
        """The largest packet whose outer one has no more than path_mtu octets; never below 0."""
        encrypted = (path_mtu - self.header - self.icv) // self.block * self.block
        return max(encrypted - _TRAILER_OCTETS + self.kept, 0)

    def outer_octets(self, packet: int) -> int:
        """How many octets a packet of so many has outside."""
        clear = packet - self.kept + _TRAILER_OCTETS
        return self.header + -(-clear // self.block) * self.block + self.icv


def overhead_of(sa: SaSpec) -> Overhead:
    """What an ESP SA adds; raises NoSuchAlgorithm for algorithms that are not known here."""
    encr = get_encr(sa.encr, supported_encrs().get(sa.encr, (None,))[0])
    icv = get_integ(sa.integ).icv_octets if sa.integ is not None else encr.icv_octets
    ip = IP_OCTETS[sa.destination.version]
    udp = _UDP_OCTETS if sa.encap is not None else 0
    kept = ip if sa.mode is Mode.TRANSPORT else 0
    return Overhead(ip + udp + _ESP_OCTETS + encr.iv_octets, max(encr.block_octets, _LEAST_BLOCK), icv, kept)


def segment_octets(mtu: int, version: int) -> int:
    """The largest TCP segment in packets of so many octets, as MSS counts it: without options (RFC 9293 §3.7.1)."""
    return max(mtu - IP_OCTETS[version] - TCP_OCTETS, 1)


def tunnel_segment(sa: SaSpec, path_mtu: int, version: int) -> int:
    """The largest TCP segment of that IP version through an SA whose outer path carries path_mtu octets."""
    return segment_octets(overhead_of(sa).inner_mtu(path_mtu), version)
