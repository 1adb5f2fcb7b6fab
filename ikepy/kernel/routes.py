"""Routes into children, in a table of their own that a rule asks before the main one.

A route says from which address this host's own packets go into the tunnel. Packets with MARK do not see the table: the
IKE sockets' do not, and a lookup with that mark sees the routing as it is without us.

Rule 1: a route of ours goes in with the first who wants it and out with the last; the table's rule likewise.
Not here: which routes a child wants (base.py), the way to a peer (links.py).
"""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from errno import EEXIST, ENODEV, ENOENT, ESRCH
from ipaddress import IPv6Address, IPv6Network, ip_address, ip_network
from socket import AF_INET, AF_INET6

from pyroute2.netlink import nlmsg
from pyroute2.netlink.rtnl.fibmsg import FR_ACT_TO_TBL
from pyroute2.netlink.rtnl.rtmsg import rtmsg

from ikepy.ike.errors import KernelRefused
from ikepy.ipsec import IpAddress, IpNetwork, RouteKind, RouteSpec
from ikepy.kernel.messages.route import route_message, rule_message
from ikepy.kernel.netlink import Connection
from ikepy.kernel.route_metrics import pack_metrics

MARK = 0x1CE
"""Packets and lookups with this mark do not see our table."""

_RTM_NEWROUTE, _RTM_DELROUTE, _RTM_GETROUTE = 24, 25, 26
_RTM_NEWRULE, _RTM_DELRULE = 32, 33
_NLM_F_REPLACE, _NLM_F_EXCL, _NLM_F_CREATE = 0x100, 0x200, 0x400
_FIB_RULE_INVERT = 2
_SCOPE_UNIVERSE, _SCOPE_LINK, _SCOPE_NOWHERE = 0, 253, 255
_ANY = {AF_INET: "0.0.0.0", AF_INET6: "::"}  # noqa: S104 - nothing is bound
_PROTOCOL_STATIC = 4
_TYPES = {RouteKind.UNICAST: 1, RouteKind.UNREACHABLE: 7, RouteKind.THROW: 9}


@dataclass(frozen=True, slots=True)
class Way:
    """How packets go to an address: interface, neighbour, our address in them, and the route's MTU where it has one."""

    interface: int
    gateway: str | None
    source: IpAddress | None
    mtu: int | None


WayTo = Callable[[IpAddress], Awaitable[Way | None]]


@dataclass(slots=True)
class _Wanted:
    """Who wants a route to one destination, each with the peer it leads toward; the first one's is in the kernel."""

    wishes: list[tuple[RouteSpec, IpAddress | None]] = field(default_factory=list)
    is_installed: bool = False


class Routes:
    """One table.

    way_to  asks for the way to an address, without routes of ours
    """

    def __init__(self, connection: Connection, table: int, way_to: WayTo) -> None:
        self._connection, self._table, self._way_to = connection, table, way_to
        self._routes: dict[IpNetwork, _Wanted] = {}

    def __bool__(self) -> bool:
        return bool(self._routes)

    async def add(self, route: RouteSpec, toward: IpAddress | None = None) -> None:
        """Send packets for `route.destination` the way to `toward`, or by its interface; counted. See LinkTable."""
        wanted = self._routes.setdefault(route.destination, _Wanted())
        wanted.wishes.append((route, toward))
        if len(wanted.wishes) == 1:
            try:
                await self._install(wanted)
            except KernelRefused:
                del self._routes[route.destination]
                raise

    async def remove(self, route: RouteSpec) -> None:
        """Take one add() back; the route goes with the last, and changes where another source is left."""
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

    async def turn(self, route: RouteSpec, toward: IpAddress) -> None:
        """Send the packets of a route the way to `toward` from now on, with no instant in which there is no route."""
        wanted = self._routes.get(route.destination)
        at = next((at for at, (spec, _) in enumerate(wanted.wishes) if spec == route), None) if wanted else None
        if wanted is not None and at is not None:
            wanted.wishes[at] = (route, toward)
            if at == 0:
                await self._install(wanted, replace=True)

    async def restore_lost(self) -> None:
        """Put back routes of ours that went with an interface, or an address, and have a way again."""
        there = {network for network, _ in await self._dump()}
        for network, wanted in tuple(self._routes.items()):
            if wanted.is_installed and network not in there:
                with suppress(KernelRefused):  # no way yet; the next change asks again
                    await self._install(wanted, replace=True)

    async def remove_leftovers(self) -> int:
        """Take out of our table what an earlier process left there, and its rule; says how many routes that was."""
        stale = [self._unroute(network) for network, _ in await self._dump() if network not in self._routes]
        rules = [] if self._routes else [self._rule(family, add=False) for family in _ANY]
        if stale or rules:
            await self._connection.request([*stale, *rules])
        return len(stale)

    # -- how -----------------------------------------------------------------------------------------------------

    async def _dump(self) -> list[tuple[IpNetwork, nlmsg]]:
        found = []
        for reply in await self._connection.dump(rt_message(rtmsg, _RTM_GETROUTE, family=0)):
            if reply["table"] == self._table and reply["family"] in _ANY:
                network = ip_network((reply.get_attr("RTA_DST") or _ANY[reply["family"]], reply["dst_len"]))
                found.append((network, reply))
        return found

    async def _install(self, wanted: _Wanted, *, replace: bool = False) -> None:
        route, toward = wanted.wishes[0]
        family = family_number(route.destination)
        message = self._route(route, await self._way_of(route, toward), replace=replace)
        messages = [(f"the route to {route.destination}", message)]
        if not self._has_rule(family):
            messages.insert(0, ("the rule for our routing table", self._rule(family, add=True)))
        answers = await self._connection.request([message for _, message in messages])
        for (name, _), answer in zip(messages, answers, strict=True):
            if answer.refusal is not None and answer.refusal.errno != EEXIST:
                await self._drop_rule_if_last(family)
                raise KernelRefused(f"the kernel does not take {name}{_from(route)}: {answer.refusal}")
        wanted.is_installed = True

    async def _way_of(self, route: RouteSpec, toward: IpAddress | None) -> Way | None:
        """How packets of a route leave; None of one that sends nothing. Raises KernelRefused."""
        if route.kind is not RouteKind.UNICAST:
            return None
        if route.interface is not None:
            try:
                return Way(socket.if_nametoindex(route.interface), None, None, None)
            except OSError:
                raise KernelRefused(
                    f"there is no interface {route.interface}: the route to {route.destination} cannot be made"
                ) from None
        goal = toward if toward is not None else route.destination.network_address
        way = await self._way_to(goal)
        if way is None:
            raise KernelRefused(f"no route leads to {goal}: the route to {route.destination} cannot be made")
        return way

    async def _uninstall(self, wanted: _Wanted, destination: IpNetwork) -> None:
        if not wanted.is_installed:
            return
        wanted.is_installed = False
        (answer,) = await self._connection.request([self._unroute(destination)])
        await self._drop_rule_if_last(family_number(destination))
        if answer.refusal is not None and answer.refusal.errno not in (ESRCH, ENOENT, ENODEV):
            raise KernelRefused(f"the kernel does not give up the route to {destination}: {answer.refusal}")

    def _has_rule(self, family: int) -> bool:
        """Whether a route of ours of that family is there, and so the rule is."""
        return any(wanted.is_installed and family_number(to) == family for to, wanted in self._routes.items())

    async def _drop_rule_if_last(self, family: int) -> None:
        if not self._has_rule(family):
            await self._connection.request([self._rule(family, add=False)])

    # -- messages ------------------------------------------------------------------------------------------------

    def _route(self, route: RouteSpec, way: Way | None, *, replace: bool) -> nlmsg:
        family = family_number(route.destination)
        attributes: list[tuple[str, object]] = [("RTA_DST", str(route.destination.network_address))]
        scope = _SCOPE_UNIVERSE
        if way is not None:
            attributes.append(("RTA_OIF", way.interface))
            # Where the outer family is the other one, the interface is enough: the policy takes the packet first.
            has_gateway = way.gateway is not None and ip_address(way.gateway).version == route.destination.version
            if has_gateway:
                attributes.append(("RTA_GATEWAY", way.gateway))
            scope = _SCOPE_UNIVERSE if has_gateway or family == AF_INET6 else _SCOPE_LINK
        if route.source is not None:
            attributes.append(("RTA_PREFSRC", str(route.source)))
        if route.mtu is not None:
            attributes.append(("RTA_METRICS", pack_metrics(route.mtu, route.destination.version)))
        return rt_message(
            route_message,
            _RTM_NEWROUTE,
            _NLM_F_CREATE | (_NLM_F_REPLACE if replace else _NLM_F_EXCL),
            family=family,
            dst_len=route.destination.prefixlen,
            table=self._table,
            proto=_PROTOCOL_STATIC,
            type=_TYPES[route.kind],
            scope=scope,
            attrs=attributes,
        )

    def _unroute(self, network: IpNetwork) -> nlmsg:
        """Delete whatever our table has for the prefix."""
        return rt_message(
            route_message,
            _RTM_DELROUTE,
            family=family_number(network),
            dst_len=network.prefixlen,
            table=self._table,
            scope=_SCOPE_NOWHERE,
            attrs=[("RTA_DST", str(network.network_address))],
        )

    def _rule(self, family: int, *, add: bool) -> nlmsg:
        return rt_message(
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


def rt_message(message_class: type[nlmsg], kind: int, header_flags: int = 0, **fields: object) -> nlmsg:
    """Make a message of rtnetlink."""
    message = message_class()
    message["header"].update(type=kind, flags=header_flags)
    message.update(fields)
    return message


def family_number(of: IpAddress | IpNetwork) -> int:
    """The kernel's number of a family."""
    return AF_INET6 if isinstance(of, IPv6Address | IPv6Network) else AF_INET


def _from(route: RouteSpec) -> str:
    return f" from {route.source}" if route.source is not None else ""
