"""Interfaces that packets find their child by: of type xfrm, vti or dummy; made when a daemon starts, gone when it ends.

Each carries an alias that says whose it is, so that what a crashed daemon left is found; with an interface go its
addresses and routes.

Rule 1: an interface of that name that somebody else made is theirs: it is refused, never changed.
Rule 2: all of them, or none.
Not here: which there are (config/host.py), routes (routes.py), virtual addresses (virtual_addresses.py).
"""

from __future__ import annotations

import socket
from collections.abc import Iterable
from errno import EEXIST, ENODEV, ENOTSUP, EOPNOTSUPP
from ipaddress import IPv4Interface, IPv6Interface

from pyroute2.netlink import nlmsg
from pyroute2.netlink.rtnl.ifaddrmsg import IFA_F_NODAD, ifaddrmsg
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg

from ikepy.config.host import InterfaceConfig, InterfaceKind
from ikepy.ike.errors import KernelRefused
from ikepy.kernel.netlink import Connection
from ikepy.kernel.routes import family_number, rt_message

_RTM_NEWLINK, _RTM_DELLINK, _RTM_GETLINK = 16, 17, 18
_RTM_NEWADDR = 20
_NLM_F_EXCL, _NLM_F_CREATE = 0x200, 0x400
_IFF_UP, _IFF_MULTICAST = 0x1, 0x1000
_FIELDS = {"family": 0, "index": 0, "flags": 0, "change": 0}
_REMEDIES = {
    InterfaceKind.XFRM: 'a kernel has them from 4.19 on, with CONFIG_XFRM_INTERFACE; take kind = "vti"',
    InterfaceKind.VTI: 'load ip_vti and ip6_vti, or take kind = "xfrm"',
    InterfaceKind.DUMMY: "load dummy, or leave the interface out: addresses then stand on lo",
}

Attributes = list[tuple[str, object]]


class TunnelInterfaces:
    """Those of one daemon.

    number   of the daemon in its network namespace
    """

    def __init__(self, connection: Connection, number: int) -> None:
        self._connection = connection
        self._alias = f"made by ikepy, table {number}"
        self._made: dict[str, int] = {}

    @property
    def indexes(self) -> frozenset[int]:
        """The numbers of those that are there."""
        return frozenset(self._made.values())

    async def make(self, interfaces: Iterable[InterfaceConfig]) -> None:
        """Make them, with their addresses, and set them up; raises KernelRefused, and then there is none."""
        try:
            for each in interfaces:
                await self._make(each)
        except KernelRefused:
            await self.remove_all()
            raise

    async def _make(self, interface: InterfaceConfig) -> None:
        attributes = [("IFLA_IFNAME", interface.name), *_link_attributes(interface)]
        await self._ask(
            _link(_RTM_NEWLINK, _NLM_F_CREATE | _NLM_F_EXCL, attrs=attributes),
            f"interface {interface.name}",
            {
                EEXIST: "there is one of that name or ID, made by others: take another name or if_id",
                EOPNOTSUPP: _REMEDIES[interface.kind],
                ENOTSUP: _REMEDIES[interface.kind],
            },
        )
        index = socket.if_nametoindex(interface.name)
        self._made[interface.name] = index
        flags = _IFF_UP | _IFF_MULTICAST
        # The alias in a message of its own: older kernels do not take it while they make an interface.
        await self._ask(
            _link(_RTM_NEWLINK, index=index, flags=flags, change=flags, attrs=[("IFLA_IFALIAS", self._alias)]),
            f"interface {interface.name}",
        )
        for address in interface.addrs:
            await self._ask(_address(index, address), f"address {address} of interface {interface.name}")

    async def remove_all(self) -> None:
        """Take them away, and what is on them."""
        made, self._made = self._made, {}
        await self._remove(made.values())

    async def remove_leftovers(self) -> int:
        """Take away those that an earlier process made; say how many that was."""
        replies = await self._connection.dump(_link(_RTM_GETLINK))
        left = [
            reply["index"]
            for reply in replies
            if reply.get_attr("IFLA_IFALIAS") == self._alias and reply["index"] not in self.indexes
        ]
        await self._remove(left)
        return len(left)

    async def _remove(self, indexes: Iterable[int]) -> None:
        messages = [_link(_RTM_DELLINK, index=index) for index in indexes]
        if messages:
            for answer in await self._connection.request(messages):
                if answer.refusal is not None and answer.refusal.errno != ENODEV:
                    raise KernelRefused(f"the kernel does not give up an interface of ours: {answer.refusal}")

    async def _ask(self, message: nlmsg, what: str, remedies: dict[int, str] | None = None) -> None:
        (answer,) = await self._connection.request([message])
        if answer.refusal is not None:
            remedy = (remedies or {}).get(answer.refusal.errno, "")
            raise KernelRefused(
                f"the kernel does not make {what}: {answer.refusal}" + (f"; {remedy}" if remedy else "")
            )


def _link_attributes(interface: InterfaceConfig) -> Attributes:
    found: Attributes = [("IFLA_MTU", interface.mtu)] if interface.mtu else []
    kind, data = _kind(interface)
    info: Attributes = [("IFLA_INFO_KIND", kind)]
    if data:
        info.append(("IFLA_INFO_DATA", {"attrs": data}))
    return [*found, ("IFLA_LINKINFO", {"attrs": info})]


def _kind(interface: InterfaceConfig) -> tuple[str, Attributes]:
    underlay = _underlay(interface)
    match interface.kind:
        case InterfaceKind.XFRM:
            link: Attributes = [("IFLA_XFRM_LINK", underlay)] if underlay else []
            return "xfrm", [*link, ("IFLA_XFRM_IF_ID", interface.if_id)]
        case InterfaceKind.VTI:
            link = [("IFLA_VTI_LINK", underlay)] if underlay else []
            ends: Attributes = [
                (name, str(address))
                for name, address in (
                    ("IFLA_VTI_LOCAL", interface.local_addr),
                    ("IFLA_VTI_REMOTE", interface.remote_addr),
                )
                if address is not None
            ]
            versions = {
                address.version for address in (interface.local_addr, interface.remote_addr) if address is not None
            }
            keys: Attributes = [("IFLA_VTI_IKEY", interface.if_id), ("IFLA_VTI_OKEY", interface.if_id)]
            return "vti6" if versions == {6} else "vti", [*link, *keys, *ends]
        case _:
            return "dummy", []


def _underlay(interface: InterfaceConfig) -> int:
    if interface.underlay is None:
        return 0
    try:
        return socket.if_nametoindex(interface.underlay)
    except OSError:
        raise KernelRefused(
            f"interface {interface.name} is to be over {interface.underlay}, which is not there: correct `underlay`"
        ) from None


def _link(kind: int, header_flags: int = 0, **fields: object) -> nlmsg:
    return rt_message(ifinfmsg, kind, header_flags, **(_FIELDS | fields))


def _address(index: int, address: IPv4Interface | IPv6Interface) -> nlmsg:
    attributes: Attributes = [("IFA_LOCAL", str(address.ip)), ("IFA_ADDRESS", str(address.ip))]
    if isinstance(address, IPv6Interface):
        attributes.append(("IFA_FLAGS", IFA_F_NODAD))
    return rt_message(
        ifaddrmsg,
        _RTM_NEWADDR,
        _NLM_F_CREATE | _NLM_F_EXCL,
        family=family_number(address.ip),
        prefixlen=address.network.prefixlen,
        index=index,
        attrs=attributes,
    )
