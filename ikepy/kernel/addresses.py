"""Addresses as XFRM has them: 16 octets of either family, and the family said beside them.

Not here: selectors, states and policies (translate.py).
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address
from socket import AF_INET, AF_INET6

from ikepy.ipsec import IpAddress


@lru_cache(maxsize=4096)
def pack_address(address: IpAddress) -> bytes:
    """The 16 octets of xfrm_address_t."""
    return address.packed.ljust(16, b"\0")


def unpack_address(octets: bytes, family: int) -> IpAddress:
    """The address in 16 octets."""
    return IPv4Address(octets[:4]) if family == AF_INET else IPv6Address(octets)


def family_of(address: IpAddress) -> int:
    """AF_INET or AF_INET6."""
    return AF_INET if isinstance(address, IPv4Address) else AF_INET6
