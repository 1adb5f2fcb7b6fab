"""Addresses of this host, routes into children, and word of changes: rtnetlink under pyroute2's codec.

A child's route says from which address this host's own packets go into the tunnel. It stands in a table of its own,
asked before the main one by a rule that packets with MARK skip; a lookup with that mark so sees the routing as it is
without us, which is what an IKE socket's source address and the way to the peer are chosen by.

Rule 1: a route of ours goes in with the first who wants it and out with the last; the table's rule likewise.
Rule 2: changes come as one AddressesChanged for each burst, and changes of our own table do not count.
Not here: which routes a child wants (base.py), interfaces of type xfrm (nobody makes any yet).
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from errno import EEXIST, ENODEV, ENOENT, ESRCH
from ipaddress import IPv6Address, IPv6Network, ip_address, ip_network
from socket import AF_INET, AF_INET6

import trio
from pyroute2.netlink import nlmsg
from pyroute2.netlink.rtnl.fibmsg import FR_ACT_TO_TBL
from pyroute2.netlink.rtnl.ifaddrmsg import IFA_F_DADFAILED, IFA_F_TENTATIVE, ifaddrmsg
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg

from ikepy.ike.errors import KernelRefused
from ikepy.ike.events import AddressesChanged
from ikepy.ipsec import IpAddress, IpNetwork, RouteSpec
from ikepy.kernel.messages.route import route_message, rule_message
from ikepy.kernel.netlink import Connection, open_netlink, split
from ikepy.kernel.notices import Tell, read_or_overrun

NETLINK_ROUTE = 0
ROUTE_TABLE = 206
"""Number of our routing table, and of the rule that asks it, unless configured otherwise."""
MARK = 0x1CE
"""Packets and lookups with this mark do not see our table."""
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


@dataclass(frozen=True, slots=True)
class _Way:
    """How packets go to an address: interface, neighbour, and our address in them."""

    interface: int
    gateway: str | None
    source: IpAddress | None


@dataclass(slots=True)
class _Wanted:
    """Who wants a route to one destination, each with the peer it leads toward; the first one's is in the kernel."""

    wishes: list[tuple[RouteSpec, IpAddress | None]] = field(default_factory=list)
    is_installed: bool = False


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
        self._changed = False
        self._routes: dict[IpNetwork, _Wanted] = {}

    def close(self) -> None:
        """Close the sockets."""
        self._connection.close()
        self._changes.close()

    # -- addresses -----------------------------------------------------------------------------------------------

    async def local_addresses(self) -> tuple[IpAddress, ...]:
        """Every address of this host that can be bound; link-local ones carry their interface's index as scope."""
        self._drain()
        if self._addresses is None:
            replies = await self._connection.dump(_message(ifaddrmsg, _RTM_GETADDR, family=0))
            found = {address: reply["index"] for reply in replies if (address := _read_address(reply)) is not None}
            links = await self._connection.dump(_message(ifinfmsg, _RTM_GETLINK, family=0))
            self._running = frozenset(reply["index"] for reply in links if reply["flags"] & _IFF_LOWER_UP)
            self._addresses, self._interface_of = tuple(found), found
        return self._addresses

    async def usable_addresses(self) -> tuple[IpAddress, ...]:
        """Those of our addresses whose interface can send at present: it is up, and what it is plugged into as well."""
        known = await self.local_addresses()
        return tuple(address for address in known if self._interface_of.get(address) in self._running)

    async def source_address_for(self, destination: IpAddress) -> IpAddress | None:
        """Our address in packets to `destination`, by the routing table without routes of ours; None without a route."""
        way = await self._way_to(destination)
        return way.source if way is not None else None

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
                    await self._restore_lost()
                await tell(AddressesChanged())

    def _drain(self) -> None:
        """Read what changed; the addresses are asked for anew when next wanted."""
        while (octets := read_or_overrun(self._changes, self._buffer)) != b"":
            if octets is None or any(self._concerns_us(message[:3], message[3]) for message in split(octets)):
                self._addresses, self._changed = None, True

    def _concerns_us(self, header: tuple[int, int, int], message: bytes) -> bool:
        is_route = header[0] in (_RTM_NEWROUTE, _RTM_DELROUTE)
        return not (is_route and len(message) > _TABLE_AT and message[_TABLE_AT] == self._table)

    # -- routes --------------------------------------------------------------------------------------------------

    async def add_route(self, route: RouteSpec, toward: IpAddress | None = None) -> None:
        """Send packets for `route.destination` the way to `toward`, from `route.source`; counted. See LinkTable."""
        wanted = self._routes.setdefault(route.destination, _Wanted())
        wanted.wishes.append((route, toward))
        if len(wanted.wishes) == 1:
            try:
                await self._install(wanted)
            except KernelRefused:
                del self._routes[route.destination]
                raise

    async def remove_route(self, route: RouteSpec) -> None:
        """Take one add_route() back; the route goes with the last, and changes where another source is left."""
        wanted = self._routes.get(route.destination)
        if wanted is None:
            return
        first = wanted.wishes[0]
        wish = next((wish for wish in reversed(wanted.wishes) if wish[0] == route), None)
        if wish is None:
            return
        wanted.wishes.remove(wish)
        if not wanted.wishes:
            del self._routes[route.destination]
            await self._uninstall(wanted, route.destination)
        elif wanted.wishes[0] != first:
            await self._uninstall(wanted, route.destination)
            await self._install(wanted)

    async def turn_route(self, route: RouteSpec, toward: IpAddress) -> None:
        """Send the packets of a route the way to `toward` from now on, with no instant in which there is no route."""
        wanted = self._routes.get(route.destination)
        at = next((at for at, (spec, _) in enumerate(wanted.wishes) if spec == route), None) if wanted else None
        if wanted is not None and at is not None:
            wanted.wishes[at] = (route, toward)
            if at == 0:
                await self._install(wanted, replace=True)

    async def _restore_lost(self) -> None:
        """Put back routes of ours that went with an interface, or an address, and have a way again."""
        there = {network for network, _ in await self._dump_ours()}
        for network, wanted in tuple(self._routes.items()):
            if wanted.is_installed and network not in there:
                with suppress(KernelRefused):  # no way yet; the next change asks again
                    await self._install(wanted, replace=True)

    async def _dump_ours(self) -> list[tuple[IpNetwork, nlmsg]]:
        found = []
        for reply in await self._connection.dump(_message(rtmsg, _RTM_GETROUTE, family=0)):
            if reply["table"] == self._table and reply["family"] in _ANY:
                network = ip_network((reply.get_attr("RTA_DST") or _ANY[reply["family"]], reply["dst_len"]))
                found.append((network, reply))
        return found

    async def remove_leftovers(self) -> int:
        """Take out of our table what an earlier process left there, and its rule; says how many routes that was."""
        stale = [self._unroute(network) for network, _ in await self._dump_ours() if network not in self._routes]
        rules = [] if self._routes else [self._rule(family, add=False) for family in _ANY]
        if stale or rules:
            await self._connection.request([*stale, *rules])
        return len(stale)

    async def _install(self, wanted: _Wanted, *, replace: bool = False) -> None:
        route, toward = wanted.wishes[0]
        goal = toward if toward is not None else route.destination.network_address
        way = await self._way_to(goal)
        if way is None:
            raise KernelRefused(f"no route leads to {goal}: the route to {route.destination} cannot be made")
        family = _family(route.destination)
        messages = [(f"the route to {route.destination} from {route.source}", self._route(route, way, replace=replace))]
        if not self._has_rule(family):
            messages.insert(0, ("the rule for our routing table", self._rule(family, add=True)))
        answers = await self._connection.request([message for _, message in messages])
        for (name, _), answer in zip(messages, answers, strict=True):
            if answer.refusal is not None and answer.refusal.errno != EEXIST:
                await self._drop_rule_if_last(family)
                raise KernelRefused(f"the kernel does not take {name}: {answer.refusal}")
        wanted.is_installed = True

    async def _uninstall(self, wanted: _Wanted, destination: IpNetwork) -> None:
        if not wanted.is_installed:
            return
        wanted.is_installed = False
        (answer,) = await self._connection.request([self._unroute(destination)])
        await self._drop_rule_if_last(_family(destination))
        if answer.refusal is not None and answer.refusal.errno not in (ESRCH, ENOENT, ENODEV):
            raise KernelRefused(f"the kernel does not give up the route to {destination}: {answer.refusal}")

    def _has_rule(self, family: int) -> bool:
        """Whether a route of ours of that family is there, and so the rule is."""
        return any(wanted.is_installed and _family(to) == family for to, wanted in self._routes.items())

    async def _drop_rule_if_last(self, family: int) -> None:
        if not self._has_rule(family):
            await self._connection.request([self._rule(family, add=False)])

    async def _way_to(self, destination: IpAddress) -> _Way | None:
        text, scope = _without_scope(destination)
        attributes: list[tuple[str, object]] = [("RTA_DST", text), ("RTA_MARK", MARK)]
        if scope is not None:
            attributes.append(("RTA_OIF", scope))
        family, length = _family(destination), destination.max_prefixlen
        message = _message(route_message, _RTM_GETROUTE, family=family, dst_len=length, attrs=attributes)
        (answer,) = await self._connection.request([message])
        if answer.refusal is not None or not answer.replies:
            return None
        reply = answer.replies[0]
        source = reply.get_attr("RTA_PREFSRC")
        return _Way(
            interface=reply.get_attr("RTA_OIF"),
            gateway=reply.get_attr("RTA_GATEWAY"),
            source=_with_scope(ip_address(source), scope) if source is not None else None,
        )

    def _route(self, route: RouteSpec, way: _Way, *, replace: bool) -> nlmsg:
        family = _family(route.destination)
        attributes: list[tuple[str, object]] = [
            ("RTA_DST", str(route.destination.network_address)),
            ("RTA_OIF", way.interface),
            ("RTA_PREFSRC", str(route.source)),
        ]
        # Where the outer family is the other one, the interface is enough: the policy takes the packet first.
        has_gateway = way.gateway is not None and ip_address(way.gateway).version == route.destination.version
        if has_gateway:
            attributes.append(("RTA_GATEWAY", way.gateway))
        return _message(
            route_message,
            _RTM_NEWROUTE,
            _NLM_F_CREATE | (_NLM_F_REPLACE if replace else _NLM_F_EXCL),
            family=family,
            dst_len=route.destination.prefixlen,
            table=self._table,
            proto=_PROTOCOL_STATIC,
            type=_TYPE_UNICAST,
            scope=_SCOPE_UNIVERSE if has_gateway or family == AF_INET6 else _SCOPE_LINK,
            attrs=attributes,
        )

    def _unroute(self, network: IpNetwork) -> nlmsg:
        """Delete whatever our table has for the prefix."""
        return _message(
            route_message,
            _RTM_DELROUTE,
            family=_family(network),
            dst_len=network.prefixlen,
            table=self._table,
            scope=_SCOPE_NOWHERE,
            attrs=[("RTA_DST", str(network.network_address))],
        )

    def _rule(self, family: int, *, add: bool) -> nlmsg:
        return _message(
            rule_message,
            _RTM_NEWRULE if add else _RTM_DELRULE,
            _NLM_F_CREATE | _NLM_F_EXCL if add else 0,
            family=family,
            table=self._table,
            action=FR_ACT_TO_TBL,
            flags=_FIB_RULE_INVERT,
            attrs=[
                ("FRA_PRIORITY", self._table),
                ("FRA_FWMARK", MARK),
                ("FRA_FWMASK", 0xFFFFFFFF),
                ("FRA_TABLE", self._table),
            ],
        )


def _message(message_class: type[nlmsg], kind: int, header_flags: int = 0, **fields: object) -> nlmsg:
    message = message_class()
    message["header"].update(type=kind, flags=header_flags)
    message.update(fields)
    return message


def _family(of: IpAddress | IpNetwork) -> int:
    return AF_INET6 if isinstance(of, IPv6Address | IPv6Network) else AF_INET


def _read_address(reply: nlmsg) -> IpAddress | None:
    flags = reply.get_attr("IFA_FLAGS") or reply["flags"]
    if flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED):
        return None
    text = reply.get_attr("IFA_LOCAL") or reply.get_attr("IFA_ADDRESS")
    return _with_scope(ip_address(text), reply["index"]) if text is not None else None


def _with_scope(address: IpAddress, scope: int | None) -> IpAddress:
    if isinstance(address, IPv6Address) and address.is_link_local and scope:
        return IPv6Address(f"{address}%{scope}")
    return address


def _without_scope(address: IpAddress) -> tuple[str, int | None]:
    text, _, scope = str(address).partition("%")
    return text, int(scope) if scope.isdigit() else None
