"""What a kernel must be able to do for IPsec, in the words of ikepy.ipsec: the contract of XfrmKernel and DecoupledKernel.

Rule 1: what changes the kernel is done in the order of the calls, whole or not at all, and cancelling a caller never
        leaves half of it behind.
Rule 2: nothing that is not ours is touched; what is ours is told by its request ID (or policy index) range.
Not here: netlink (netlink.py, xfrm.py), addresses and routes themselves (links.py).
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import trio

from ikepy.config.host import InterfaceConfig
from ikepy.ike.effects import InboundSeen
from ikepy.ike.events import KernelEvent
from ikepy.ipsec import ChildSaSpec, IpAddress, Owner, PolicySpec, RouteSpec, SaCounters, SaId, SaSpec, Spi
from ikepy.kernel.tallies import Octets
from ikepy.wire.registry import ProtocolId

REQID_BASE = 0x1CE00000
"""First request ID (and policy index) that is ours, unless configured otherwise."""
REQID_COUNT = 0x10000
"""How many of them there are."""
MOST_EVENTS = 1024
"""Kernel events that wait for the daemon; more stay in the kernel's queue, and what that loses is found by a dump."""


class KernelUnavailable(Exception):
    """This host's kernel cannot be used; the message is one line that says what to do about it."""


@dataclass(slots=True)
class KernelLosses:
    """What went by without anybody seeing it.

    overruns   times the kernel's event queue overflowed, each followed by a dump
    """

    overruns: int = 0


class LinkTable(Protocol):
    """Addresses and routes of this host."""

    async def source_address_for(self, destination: IpAddress) -> IpAddress | None:
        """Our address in packets to `destination`, by the routing table without routes of ours; None without a route."""

    async def path_mtu_to(self, destination: IpAddress) -> int | None:
        """Octets of the largest packet that gets to `destination`, as far as the kernel knows; None without a way."""

    async def usable_addresses(self) -> tuple[IpAddress, ...]:
        """Those of our addresses whose interface can send at present."""

    async def local_addresses(self) -> tuple[IpAddress, ...]:
        """Every address of this host that can be bound; link-local ones carry their interface's name as scope."""

    async def addresses_by_interface(self) -> dict[str, tuple[IpAddress, ...]]:
        """Our own addresses by the names of their interfaces; without those that gateways gave us."""

    async def hold_addresses(self, addresses: Sequence[IpAddress], interface: str | None = None) -> None:
        """Have addresses that a gateway gave us, each counted; raises KernelRefused, and then none of them.

        interface   that gets them; None is lo
        """

    async def drop_addresses(self, addresses: Sequence[IpAddress]) -> None:
        """Take one hold_addresses() back; an address goes with the last."""

    async def remove_addresses(self) -> None:
        """Take off all of them."""

    async def add_route(self, route: RouteSpec, toward: IpAddress | None = None) -> None:
        """Send packets for `route.destination` the way to `toward` (the peer), from `route.source`; counted.

        Raises KernelRefused.
        """

    async def turn_route(self, route: RouteSpec, toward: IpAddress) -> None:
        """Send the packets of a route the way to `toward` from now on; nothing where there is no such route."""

    async def remove_route(self, route: RouteSpec) -> None:
        """Take one add_route() back; the route goes with the last, and changes where another source is left."""

    async def make_interfaces(self, interfaces: Sequence[InterfaceConfig]) -> None:
        """Make interfaces of ours, with their addresses and routes; raises KernelRefused, and then there is none."""

    async def remove_interfaces(self) -> None:
        """Take them away."""


class Kernel(Protocol):
    """The SAD and the SPD, and what they tell."""

    events: trio.MemoryReceiveChannel[KernelEvent]
    losses: KernelLosses

    @property
    def links(self) -> LinkTable:
        """Addresses and routes."""

    async def allocate_spi(self, destination: IpAddress, protocol: ProtocolId, *, hold_early: bool = False) -> Spi:
        """Draw an SPI that nothing of ours has for that destination, and keep it until released or installed.

        hold_early   packets that come for it before then are held where this host can do that, and let go on after
        """

    async def release_spi(self, sa: SaId) -> None:
        """Forget an SPI that no state was made of; harmless afterwards."""

    async def install_child(self, child: ChildSaSpec, replaces: ChildSaSpec | None = None) -> None:
        """Install two states, then the policies and routes: all of it or nothing.

        replaces   the child whose outbound state goes once ours is there: packets change over at once

        Raises SpiTaken where the inbound SPI is in use, PolicyTaken where an equal policy of another peer (or not
        of ours) is installed, KernelRefused otherwise.
        """

    async def install_inbound(self, child: ChildSaSpec) -> None:
        """Install the inbound state, then the policies and routes: all of it or nothing; raises as install_child()."""

    async def install_outbound(self, child: ChildSaSpec, replaces: ChildSaSpec | None = None) -> None:
        """Install the outbound state of a child whose inbound one is there; `replaces` as for install_child().

        Raises KernelRefused.
        """

    async def remove_child(self, child: ChildSaSpec) -> None:
        """Remove routes, the policies nobody else holds, and what is there of both states; what is gone is no fault."""

    async def move_child(self, child: ChildSaSpec) -> None:
        """Have what is there of a child between the addresses its spec has now, its sequence numbers going on.

        Nothing where nothing of it is there. Raises KernelRefused, and then it is where it was.
        """

    async def install_policies(self, owner: Owner, policies: Sequence[PolicySpec]) -> None:
        """Install policies (a trap, a shunt) for `owner`, all or none; raises PolicyTaken or KernelRefused."""

    async def remove_policies(self, owner: Owner) -> None:
        """Remove all policies of `owner` that nobody else holds."""

    async def ask_again(self, reqid: int) -> None:
        """Have the next packet that meets a trap of that request ID ask once more, though one has asked just now."""

    async def counters(self, sa: SaId) -> SaCounters | None:
        """What the kernel counted of a state; None where there is no such state."""

    def count_octets(self, owner: Owner) -> None:
        """Count the octets of an owner (a child) from now on, also those of states of its that go, until forget_octets()."""

    async def octets_of(self, owner: Owner) -> Octets:
        """What went by all states that a counted owner has, or had."""

    def forget_octets(self, owner: Owner) -> None:
        """Count no longer for an owner."""

    async def seen_inbound(self, states: Sequence[SaId]) -> InboundSeen:
        """What came in by these states; those that are gone count as nothing."""

    async def dump_states(self) -> tuple[SaSpec, ...]:
        """The states of ours in the kernel, whoever of us installed them."""

    async def dump_policies(self) -> tuple[PolicySpec, ...]:
        """The policies of ours in the kernel, shunts included."""

    async def remove_leftovers(self) -> int:
        """Remove what an earlier process of ours left behind, and say how many states and policies that was."""

    async def remove_everything(self) -> None:
        """Remove all that is ours: policies, states, routes."""

    def bypass(self, sock: socket.socket) -> None:
        """Let the socket's packets pass outside IPsec policy, in and out; raises KernelRefused."""

    def enable_udp_encap(self, sock: socket.socket) -> None:
        """Let the kernel take ESP out of the socket's datagrams (RFC 3948); raises KernelRefused."""
