"""RTA_METRICS of a route: its MTU, and the MSS that TCP announces by it.

Rule 1: a route with no MTU of its own has no metrics: the kernel goes by the path's (RFC 1191, RFC 8201).
Not here: which routes there are (links.py), which MTU is right (overhead.py).
"""

from __future__ import annotations

import struct

from pyroute2.netlink import nlmsg

from ikepy.overhead import segment_octets

_NLA_U32 = struct.Struct("=HHI")
_RTAX_MTU = 2
_RTAX_ADVMSS = 8


def pack_metrics(mtu: int, version: int) -> bytes:
    """The content of RTA_METRICS for a route of that IP version: MTU, and as ADVMSS what fits into it."""
    entries = (_RTAX_MTU, mtu), (_RTAX_ADVMSS, segment_octets(mtu, version))
    return b"".join(_NLA_U32.pack(_NLA_U32.size, number, octets) for number, octets in entries)


def read_mtu(reply: nlmsg) -> int | None:
    """The MTU that the kernel says of a route; None where the interface's counts."""
    metrics = reply.get_attr("RTA_METRICS")
    found = metrics.get_attr("RTAX_MTU") if metrics is not None else None
    return int(found) if found else None
