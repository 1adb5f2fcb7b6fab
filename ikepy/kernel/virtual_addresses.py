"""Addresses that gateways gave us, on this host: put on `lo` or an interface of a tunnel, taken off with the last holder.

A packet gets such an address only by a route that says so (links.py): each is deprecated, which source address selection
passes over where it can (RFC 6724 §5 rule 3). What a crashed process left is told by the address's protocol.

Rule 1: an address that somebody else put there is theirs: it is used, and never taken off.
Not here: routes (routes.py), interfaces (tunnels.py).
"""

from __future__ import annotations

import socket
from collections import Counter
from errno import EADDRNOTAVAIL, EEXIST, ENODEV
from ipaddress import ip_address

from pyroute2.netlink import nlmsg
from pyroute2.netlink.rtnl.ifaddrmsg import IFA_F_NODAD, IFA_F_NOPREFIXROUTE, ifaddrmsg

from ikepy.ike.errors import KernelRefused
from ikepy.ipsec import IpAddress
from ikepy.kernel.netlink import Connection

LOOPBACK_INDEX = 1
"""The interface index of `lo`, in every network namespace."""
_RTM_NEWADDR, _RTM_DELADDR, _RTM_GETADDR = 20, 21, 22
_NLM_F_EXCL, _NLM_F_CREATE = 0x200, 0x400
_FOREVER = 0xFFFFFFFF
_FIRST_PROTOCOL = 0xC0
"""rtnetlink's IFA_PROTO of our addresses, plus a number for each daemon of a network namespace (Linux 5.18 and later)."""
_FAMILIES = {4: 2, 6: 10}


class VirtualAddresses:
    """Counts who holds which address.

    number   of the daemon, 0 to 63
    """

    def __init__(self, connection: Connection, number: int) -> None:
        self._connection = connection
        self._protocol = _FIRST_PROTOCOL + number % 64
        self._held: Counter[IpAddress] = Counter()
        self._foreign: set[IpAddress] = set()
        self._place: dict[IpAddress, int] = {}

    def __contains__(self, address: IpAddress) -> bool:
        return address in self._held

    async def hold(self, address: IpAddress, interface: str | None = None) -> None:
        """Put an address on this host, or count one holder more; raises KernelRefused.

        interface   None is `lo`
        """
        if not self._held[address]:
            self._place[address] = _index_of(interface)
            flags = _NLM_F_CREATE | _NLM_F_EXCL
            (answer,) = await self._connection.request([self._message(_RTM_NEWADDR, address, flags)])
            if answer.refusal is not None and answer.refusal.errno != EEXIST:
                raise KernelRefused(f"the kernel does not take the address {address}: {answer.refusal}")
            if answer.refusal is not None:
                self._foreign.add(address)
        self._held[address] += 1

    async def drop(self, address: IpAddress) -> None:
        """One holder fewer; with the last it goes."""
        if self._held[address] > 1:
            self._held[address] -= 1
            return
        if self._held.pop(address, 0) == 0:
            return
        if address in self._foreign:
            self._foreign.discard(address)
            return
        await self._take_off([address])

    async def remove_leftovers(self) -> int:
        """Take off what an earlier process of ours left; say how many that was."""
        message = self._bare(_RTM_GETADDR)
        left: dict[IpAddress, int] = {}
        for reply in await self._connection.dump(message):
            text = reply.get_attr("IFA_LOCAL") or reply.get_attr("IFA_ADDRESS")
            protocol = reply.get_attr("IFA_PROTO")
            if text is not None and protocol == self._protocol:
                left[ip_address(text)] = reply["index"]
        stale = [address for address in left if address not in self._held]
        self._place |= {address: left[address] for address in stale}
        await self._take_off(stale)
        return len(stale)

    async def remove_all(self) -> None:
        """Take off all of ours."""
        ours = [address for address in self._held if address not in self._foreign]
        self._held.clear()
        self._foreign.clear()
        await self._take_off(ours)

    async def _take_off(self, addresses: list[IpAddress]) -> None:
        if not addresses:
            return
        answers = await self._connection.request([self._message(_RTM_DELADDR, address) for address in addresses])
        for address, answer in zip(addresses, answers, strict=True):
            self._place.pop(address, None)
            if answer.refusal is not None and answer.refusal.errno not in (EADDRNOTAVAIL, ENODEV):
                raise KernelRefused(f"the kernel does not give up the address {address}: {answer.refusal}")

    def _message(self, kind: int, address: IpAddress, header_flags: int = 0) -> nlmsg:
        message = self._bare(kind)
        message["header"]["flags"] |= header_flags
        message["family"] = _FAMILIES[address.version]
        message["prefixlen"] = address.max_prefixlen
        message["index"] = self._place.get(address, LOOPBACK_INDEX)
        attributes: list[tuple[str, object]] = [("IFA_LOCAL", str(address)), ("IFA_ADDRESS", str(address))]
        if kind == _RTM_NEWADDR:
            cache = {"ifa_preferred": 0 if address.version == 6 else _FOREVER, "ifa_valid": _FOREVER}  # noqa: PLR2004
            flags = IFA_F_NOPREFIXROUTE | (IFA_F_NODAD if address.version == 6 else 0)  # noqa: PLR2004
            attributes += [("IFA_CACHEINFO", cache), ("IFA_FLAGS", flags), ("IFA_PROTO", self._protocol)]
        message["attrs"] = attributes
        return message

    @staticmethod
    def _bare(kind: int) -> nlmsg:
        message = ifaddrmsg()
        message["header"]["type"] = kind
        message["header"]["flags"] = 0
        message["family"] = 0
        return message


def _index_of(interface: str | None) -> int:
    if interface is None:
        return LOOPBACK_INDEX
    try:
        return socket.if_nametoindex(interface)
    except OSError:
        raise KernelRefused(f"there is no interface {interface} for the addresses a gateway gave us") from None
