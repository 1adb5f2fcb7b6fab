"""Addresses of others that this host answers for in a network it stands in: neighbour proxies (RFC 4389, IPv6).

What a crashed process left is told by the entry's protocol, as with virtual addresses.

Rule 1: an entry that somebody else made is theirs, and stays.
Not here: which addresses, and the setting proxy_ndp (gateway/).
"""

from __future__ import annotations

import socket
from collections.abc import Iterable
from contextlib import suppress
from errno import ENODEV, ENOENT
from ipaddress import IPv6Address, ip_address

from pyroute2.netlink import NETLINK_ROUTE, nlmsg
from pyroute2.netlink.rtnl.ndmsg import ndmsg

from ikepy.ike.errors import KernelRefused
from ikepy.ipsec import IpAddress
from ikepy.kernel.netlink import Connection, open_netlink

_RTM_NEWNEIGH, _RTM_DELNEIGH, _RTM_GETNEIGH = 28, 29, 30
_NLM_F_CREATE, _NLM_F_REPLACE = 0x400, 0x100
_NTF_PROXY = 0x08
_NUD_PERMANENT = 0x80
_FIRST_PROTOCOL = 0xC0
_AF_INET6 = 10


class NeighbourProxies:
    """The entries of one daemon.

    number   of the daemon in its network namespace, 0 to 63
    """

    def __init__(self, number: int = 0) -> None:
        self._connection = Connection(open_netlink(NETLINK_ROUTE), {_RTM_NEWNEIGH: ndmsg})
        self._protocol = _FIRST_PROTOCOL + number % 64

    def close(self) -> None:
        """Close the socket; entries stay."""
        self._connection.close()

    async def add(self, addresses: Iterable[IpAddress], interfaces: Iterable[str]) -> None:
        """Answer for IPv6 addresses on interfaces; raises KernelRefused."""
        await self._request(_RTM_NEWNEIGH, _pairs(addresses, interfaces))

    async def remove(self, addresses: Iterable[IpAddress], interfaces: Iterable[str]) -> None:
        """Answer for them no more; what is gone already is no fault."""
        await self._request(_RTM_DELNEIGH, _pairs(addresses, interfaces))

    async def remove_all(self) -> int:
        """Remove all entries of ours, an earlier process's too; say how many that was."""
        ours = await self._ours()
        await self._request(_RTM_DELNEIGH, ours)
        return len(ours)

    async def _ours(self) -> list[tuple[IPv6Address, int]]:
        message = self._bare(_RTM_GETNEIGH)
        found = []
        for reply in await self._connection.dump(message):
            address = ip_address(reply.get_attr("NDA_DST"))
            if reply.get_attr("NDA_PROTOCOL") == self._protocol and isinstance(address, IPv6Address):
                found.append((address, int(reply["ifindex"])))
        return found

    async def _request(self, kind: int, pairs: list[tuple[IPv6Address, int]]) -> None:
        if not pairs:
            return
        answers = await self._connection.request([self._message(kind, address, index) for address, index in pairs])
        for (address, _), answer in zip(pairs, answers, strict=True):
            gone = kind == _RTM_DELNEIGH and answer.refusal is not None and answer.refusal.errno in (ENOENT, ENODEV)
            if answer.refusal is not None and not gone:
                raise KernelRefused(f"the kernel does not answer for {address}: {answer.refusal}")

    def _message(self, kind: int, address: IPv6Address, index: int) -> nlmsg:
        message = self._bare(kind)
        message["ifindex"] = index
        attributes: list[tuple[str, object]] = [("NDA_DST", str(address))]
        if kind == _RTM_NEWNEIGH:
            message["header"]["flags"] |= _NLM_F_CREATE | _NLM_F_REPLACE
            message["state"] = _NUD_PERMANENT
            attributes.append(("NDA_PROTOCOL", self._protocol))
        message["attrs"] = attributes
        return message

    @staticmethod
    def _bare(kind: int) -> nlmsg:
        message = ndmsg()
        message["header"]["type"] = kind
        message["header"]["flags"] = 0
        message["family"] = _AF_INET6
        message["flags"] = _NTF_PROXY
        return message


def _pairs(addresses: Iterable[IpAddress], interfaces: Iterable[str]) -> list[tuple[IPv6Address, int]]:
    indexes = []
    for name in interfaces:
        with suppress(OSError):
            indexes.append(socket.if_nametoindex(name))
    return [(address, index) for address in addresses if isinstance(address, IPv6Address) for index in indexes]
