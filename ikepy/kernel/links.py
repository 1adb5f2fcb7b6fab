"""Addresses of this host, the way to a peer, and word of changes: rtnetlink under pyroute2's codec.

The way to a peer, and our address in what goes there, are looked up with MARK: by the routing as it is without us.

Rule 1: changes come as one AddressesChanged for each burst, and changes of our own table do not count.
Rule 2: addresses that gateways gave us, and those of interfaces of ours, lead through tunnels: none is an outer one.
Not here: routes into children (routes.py), interfaces (tunnels.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from ipaddress import IPv6Address, ip_address
from socket import AF_INET, AF_INET6, if_indextoname, if_nametoindex

import trio
from pyroute2.netlink import nlmsg
from pyroute2.netlink.rtnl.ifaddrmsg import IFA_F_DADFAILED, IFA_F_TENTATIVE, ifaddrmsg
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg

from ikepy.config.host import InterfaceConfig
from ikepy.ike.errors import KernelRefused
from ikepy.ike.events import AddressesChanged
from ikepy.ipsec import IpAddress, RouteSpec
from ikepy.kernel.messages.route import route_message
from ikepy.kernel.netlink import Connection, open_netlink, split
from ikepy.kernel.notices import Tell, read_or_overrun
from ikepy.kernel.route_metrics import read_mtu
from ikepy.kernel.routes import MARK, Routes, Way, family_number, rt_message
from ikepy.kernel.tunnels import TunnelInterfaces
from ikepy.kernel.virtual_addresses import VirtualAddresses

NETLINK_ROUTE = 0
ROUTE_TABLE = 206
"""Number of our routing table, and of the rule that asks it, unless configured otherwise."""
SETTLING_SECONDS = 0.2

_RTM_NEWLINK, _RTM_GETLINK = 16, 18
_RTM_NEWADDR, _RTM_GETADDR = 20, 22
_RTM_NEWROUTE, _RTM_DELROUTE, _RTM_GETROUTE = 24, 25, 26
_RTM_NEWRULE, _RTM_DELRULE = 32, 33
_NLM_F_REPLACE, _NLM_F_EXCL, _NLM_F_CREATE = 0x100, 0x200, 0x400
_GROUPS = sum(1 << (group - 1) for group in (1, 5, 7, 9, 11))  # RTNLGRP_LINK, IPV4_IFADDR, _ROUTE, IPV6_IFADDR, _ROUTE
_IFF_LOWER_UP = 0x10000
_TABLE_AT = 16 + 4
_FIB_RULE_INVERT = 2
_LAST_TABLE = 251
_SCOPE_UNIVERSE, _SCOPE_LINK, _SCOPE_NOWHERE = 0, 253, 255
_ANY = {AF_INET: "0.0.0.0", AF_INET6: "::"}  # noqa: S104 - nothing is bound
_PROTOCOL_STATIC = 4
_TYPE_UNICAST = 1
_CLASSES = {_RTM_NEWLINK: ifinfmsg, _RTM_NEWADDR: ifaddrmsg, _RTM_NEWROUTE: rtmsg, _RTM_DELROUTE: rtmsg}


class Links:
    """Addresses and routes of the network namespace it is made in."""

    def __init__(self, table: int = ROUTE_TABLE) -> None:
        if not 1 <= table <= _LAST_TABLE:
            raise ValueError(f"a routing table of ours has a number from 1 to {_LAST_TABLE}, not {table}")
        self._table = table
        self._connection = Connection(open_netlink(NETLINK_ROUTE), _CLASSES)
        self._changes = open_netlink(NETLINK_ROUTE, _GROUPS)
        self._buffer = bytearray(1 << 16)
        self._addresses: tuple[IpAddress, ...] | None = None
        self._interface_of: dict[IpAddress, int] = {}
        self._running: frozenset[int] = frozenset()
        self._mtu_of: dict[int, int] = {}
        self._changed = False
        self._routes = Routes(self._connection, table, self._way_to)
        self._virtual = VirtualAddresses(self._connection, table - ROUTE_TABLE)
        self._tunnels = TunnelInterfaces(self._connection, table)
        self._of_tunnels: list[RouteSpec] = []

    def close(self) -> None:
        """Close the sockets."""
        self._connection.close()
        self._changes.close()

    # -- addresses -----------------------------------------------------------------------------------------------

    async def local_addresses(self) -> tuple[IpAddress, ...]:
        """Every address of this host that can be bound; link-local ones carry their interface's name as scope."""
        self._drain()
        if self._addresses is None:
            replies = await self._connection.dump(rt_message(ifaddrmsg, _RTM_GETADDR, family=0))
            found = {address: reply["index"] for reply in replies if (address := _read_address(reply)) is not None}
            links = await self._connection.dump(rt_message(ifinfmsg, _RTM_GETLINK, family=0))
            self._mtu_of = {reply["index"]: reply.get_attr("IFLA_MTU") for reply in links}
            self._running = frozenset(reply["index"] for reply in links if reply["flags"] & _IFF_LOWER_UP)
            self._addresses, self._interface_of = tuple(found), found
        return self._addresses

    async def usable_addresses(self) -> tuple[IpAddress, ...]:
        """Those of our addresses whose interface can send at present: it is up, and what it is plugged into as well.

        Those that gateways gave us are left out: they lead through tunnels.
        """
        known = await self.local_addresses()
        running = self._running - self._tunnels.indexes
        found = (address for address in known if self._interface_of.get(address) in running)
        return tuple(address for address in found if address not in self._virtual)

    async def addresses_by_interface(self) -> dict[str, tuple[IpAddress, ...]]:
        """Our own addresses by the names of their interfaces; without those that gateways gave us."""
        found: dict[str, tuple[IpAddress, ...]] = {}
        for address in await self.local_addresses():
            if self._interface_of[address] in self._tunnels.indexes:
                continue
            with suppress(OSError):  # the interface may be gone by now
                name = if_indextoname(self._interface_of[address])
                found[name] = (*found.get(name, ()), *(() if address in self._virtual else (address,)))
        return found

    async def hold_addresses(self, addresses: Sequence[IpAddress], interface: str | None = None) -> None:
        """Have addresses that a gateway gave us, on an interface or on lo; raises KernelRefused, and then none of them."""
        held: list[IpAddress] = []
        try:
            for address in addresses:
                await self._virtual.hold(address, interface)
                held.append(address)
        except KernelRefused:
            await self.drop_addresses(held)
            raise
        self._addresses = None

    async def drop_addresses(self, addresses: Sequence[IpAddress]) -> None:
        """Take them off again, each with the last that holds it."""
        for address in addresses:
            await self._virtual.drop(address)
        self._addresses = None

    async def source_address_for(self, destination: IpAddress) -> IpAddress | None:
        """Our address in packets to `destination`, by the routing table without routes of ours; None without a route."""
        way = await self._way_to(destination)
        return way.source if way is not None else None

    async def path_mtu_to(self, destination: IpAddress) -> int | None:
        """What the way to `destination` carries, as far as the kernel knows; None without a way there."""
        way = await self._way_to(destination)
        if way is None:
            return None
        await self.local_addresses()
        return way.mtu or self._mtu_of.get(way.interface)

    async def remove_addresses(self) -> None:
        """Take off all addresses that gateways gave us."""
        await self._virtual.remove_all()

    def interface_index(self, address: IpAddress) -> int:
        """The number of the interface that has an address of ours; 0 where none is known to."""
        return self._interface_of.get(address, 0)

    async def listen(self, tell: Tell) -> None:
        """Tell of changed addresses and routes, one event a burst, for ever."""
        while True:
            await trio.lowlevel.wait_readable(self._changes)
            self._drain()
            if self._changed:
                await trio.sleep(SETTLING_SECONDS)
                self._drain()
                self._changed = False
                if self._routes:
                    await self._routes.restore_lost()
                await tell(AddressesChanged())

    def _drain(self) -> None:
        """Read what changed; the addresses are asked for anew when next wanted."""
        while (octets := read_or_overrun(self._changes, self._buffer)) != b"":
            if octets is None or any(self._concerns_us(message[:3], message[3]) for message in split(octets)):
                self._addresses, self._changed = None, True

    def _concerns_us(self, header: tuple[int, int, int], message: bytes) -> bool:
        is_route = header[0] in (_RTM_NEWROUTE, _RTM_DELROUTE)
        return not (is_route and len(message) > _TABLE_AT and message[_TABLE_AT] == self._table)

    # -- routes and interfaces -----------------------------------------------------------------------------------

    async def add_route(self, route: RouteSpec, toward: IpAddress | None = None) -> None:
        """See LinkTable."""
        await self._routes.add(route, toward)

    async def remove_route(self, route: RouteSpec) -> None:
        """See LinkTable."""
        await self._routes.remove(route)

    async def turn_route(self, route: RouteSpec, toward: IpAddress) -> None:
        """See LinkTable."""
        await self._routes.turn(route, toward)

    async def make_interfaces(self, interfaces: Sequence[InterfaceConfig]) -> None:
        """Make interfaces of ours, with their addresses and routes; raises KernelRefused, and then there is none."""
        await self._tunnels.make(interfaces)
        self._addresses = None
        try:
            for each in interfaces:
                for destination in each.routes:
                    route = RouteSpec(destination, None, interface=each.name)
                    await self.add_route(route)
                    self._of_tunnels.append(route)
        except KernelRefused:
            await self.remove_interfaces()
            raise

    async def remove_interfaces(self) -> None:
        """Take them away."""
        for route in self._of_tunnels:
            await self.remove_route(route)
        self._of_tunnels.clear()
        await self._tunnels.remove_all()
        self._addresses = None

    async def remove_leftovers(self) -> int:
        """Take out what an earlier process left: routes, addresses, interfaces; says how many that was."""
        interfaces = await self._tunnels.remove_leftovers()
        return interfaces + await self._routes.remove_leftovers() + await self._virtual.remove_leftovers()

    async def _way_to(self, destination: IpAddress) -> Way | None:
        text, scope = _without_scope(destination)
        attributes: list[tuple[str, object]] = [("RTA_DST", text), ("RTA_MARK", MARK)]
        if scope is not None:
            attributes.append(("RTA_OIF", scope))
        family, length = family_number(destination), destination.max_prefixlen
        message = rt_message(route_message, _RTM_GETROUTE, family=family, dst_len=length, attrs=attributes)
        (answer,) = await self._connection.request([message])
        if answer.refusal is not None or not answer.replies:
            return None
        reply = answer.replies[0]
        source = reply.get_attr("RTA_PREFSRC")
        return Way(
            interface=reply.get_attr("RTA_OIF"),
            gateway=reply.get_attr("RTA_GATEWAY"),
            source=_with_scope(ip_address(source), scope) if source is not None else None,
            mtu=read_mtu(reply),
        )


def _read_address(reply: nlmsg) -> IpAddress | None:
    flags = reply.get_attr("IFA_FLAGS") or reply["flags"]
    if flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED):
        return None
    text = reply.get_attr("IFA_LOCAL") or reply.get_attr("IFA_ADDRESS")
    return _with_scope(ip_address(text), reply["index"]) if text is not None else None


def _with_scope(address: IpAddress, interface: int | None) -> IpAddress:
    """A link-local address with the name of its interface, as sockets have it."""
    if isinstance(address, IPv6Address) and address.is_link_local and interface:
        with suppress(OSError):  # it may be gone by now
            return IPv6Address(f"{address}%{if_indextoname(interface)}")
    return address


def _without_scope(address: IpAddress) -> tuple[str, int | None]:
    """An address as the kernel takes it, and the interface it is on, where it says one that is there."""
    text, _, name = str(address).partition("%")
    try:
        return text, if_nametoindex(name) if name else None
    except OSError:
        return text, None
