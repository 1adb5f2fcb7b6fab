"""Socket options that keep IKE out of IPsec, and let the kernel take ESP out of UDP.

Not here: binding, path-MTU discovery and packet information (daemon/udp.py).
"""

from __future__ import annotations

import socket

from ikepy.ike.errors import KernelRefused
from ikepy.kernel.messages import numbers
from ikepy.kernel.messages.structures import xfrm_selector, xfrm_userpolicy_info

_IP_XFRM_POLICY = 17
_IPV6_XFRM_POLICY = 35
_UDP_ENCAP = 100


def bypass(sock: socket.socket) -> None:
    """Let the socket's packets pass outside IPsec policy, in and out; raises KernelRefused.

    Linux does it for a socket's own family alone, so one for both families is refused.
    """
    level, option = socket.IPPROTO_IP, _IP_XFRM_POLICY
    if sock.family == socket.AF_INET6:
        if not sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY):
            raise KernelRefused("Linux cannot bypass IPsec for a socket of both families: open one for each")
        level, option = socket.IPPROTO_IPV6, _IPV6_XFRM_POLICY
    for direction in (numbers.XFRM_POLICY_IN, numbers.XFRM_POLICY_OUT):
        policy = xfrm_userpolicy_info(sel=xfrm_selector(family=sock.family), dir=direction)
        _set(sock, level, option, policy.pack(), "the IPsec bypass of an IKE socket")


def enable_udp_encap(sock: socket.socket) -> None:
    """Let the kernel take ESP out of the socket's datagrams (RFC 3948 §2.1); raises KernelRefused."""
    number = numbers.UDP_ENCAP_ESPINUDP
    _set(sock, socket.IPPROTO_UDP, _UDP_ENCAP, number.to_bytes(4, "little"), "ESP in UDP")


def _set(sock: socket.socket, level: int, option: int, octets: bytes, what: str) -> None:
    try:
        sock.setsockopt(level, option, octets)
    except PermissionError as error:
        raise KernelRefused(f"{what} is not permitted: run as root or give CAP_NET_ADMIN") from error
    except OSError as error:
        raise KernelRefused(f"this kernel cannot do {what} ({error.strerror}): boot one with CONFIG_XFRM") from error
