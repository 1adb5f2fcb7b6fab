"""Answers DHCPINFORM of clients: the networks of their child, and what DNS they have.

Rule 1: who asks must have the address it asks from lent by us, in a session that is there.
Rule 2: it is a courtesy: where port 67 is taken, or an answer cannot be sent, the log says so and clients do without.
Not here: the messages (gateway/dhcp.py).
"""

from __future__ import annotations

import logging
import socket
import struct
from collections.abc import Callable, Iterable
from ipaddress import IPv4Address, IPv4Network, summarize_address_range

import trio

from ikepy.config.model import Config
from ikepy.gateway.dhcp import (
    CLIENT_PORT,
    MOST_OCTETS,
    SERVER_PORT,
    Information,
    make_answer,
    read_inform,
    routes_of,
)
from ikepy.ike.events import ChildSnapshot, IkeSnapshot
from ikepy.ipsec import IpAddress
from ikepy.kernel.base import choose_source
from ikepy.kernel.interface import LinkTable

_log = logging.getLogger("ikepy.daemon")

_PKTINFO = struct.Struct("=i4s4s")
_IP_PKTINFO = 8

Snapshot = Callable[[], Iterable[IkeSnapshot]]


class Informing:
    """The responder of one daemon; it is there where the configuration has a gateway with dhcp."""

    def __init__(self, config: Config, snapshot: Snapshot, links: LinkTable) -> None:
        self._config, self._snapshot, self._links = config, snapshot, links

    async def serve(self) -> None:
        """Answer for ever."""
        if self._config.gateway is None or not self._config.gateway.dhcp:
            return
        sock = trio.socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            try:
                await sock.bind(("0.0.0.0", SERVER_PORT))  # noqa: S104 - broadcasts come to no other
            except OSError as error:
                _log.warning(
                    "DHCPINFORM of clients is not answered: UDP port %d: %s; stop what has it, or set dhcp = false "
                    "under [gateway]",
                    SERVER_PORT,
                    error.strerror,
                )
                return
            while True:
                octets, (address, *_) = await sock.recvfrom(MOST_OCTETS + 1)
                await self._take(sock, octets, IPv4Address(address))

    async def _take(self, sock: trio.socket.SocketType, octets: bytes, source: IPv4Address) -> None:
        inform = read_inform(octets, source)
        if inform is None:
            return
        known = await self.information(source)
        if known is None:
            _log.debug("DHCPINFORM from %s, whom no address was lent", source)
            return
        answer = make_answer(inform, source, known)
        control = [(socket.IPPROTO_IP, _IP_PKTINFO, _PKTINFO.pack(0, known.server.packed, bytes(4)))]
        try:
            await sock.sendmsg([answer], control, 0, (str(source), CLIENT_PORT))
        except OSError as error:
            _log.warning("the answer to DHCPINFORM of %s cannot be sent: %s", source, error.strerror)
        else:
            _log.info("%s is told by DHCP: routes %s", source, ", ".join(map(str, known.routes)) or "none")

    async def information(self, client: IPv4Address) -> Information | None:
        """What a client is told; None for who has no address of ours."""
        ike = next((each for each in self._snapshot() if client in _lent(each)), None)
        if ike is None:
            return None
        networks = [network for child in ike.children for network in _networks(child)]
        addresses = await self._links.local_addresses()
        server = choose_source(networks, addresses, ike.path.local.host)
        if not isinstance(server, IPv4Address):
            own = (each for each in addresses if isinstance(each, IPv4Address) and not each.is_loopback)
            server = next(own, IPv4Address(0))
        dns, domains = self._names_for(ike, client)
        return Information(server, routes_of(networks), dns, domains[0] if domains else "")

    def _names_for(self, ike: IkeSnapshot, client: IPv4Address) -> tuple[tuple[IPv4Address, ...], tuple[str, ...]]:
        """The DNS servers and domains: the group's where it has some, else the pool's."""
        names = ike.session.groups if ike.session is not None else ()
        groups = [group for group in self._config.groups if group.name in names]
        pools = [pool for pool in self._config.pools if client in pool]
        dns = [server for group in groups for server in group.dns] or [server for pool in pools for server in pool.dns]
        domains = [name for group in groups for name in group.domains] or [
            each for pool in pools for each in pool.domains
        ]
        return tuple(each for each in dict.fromkeys(dns) if isinstance(each, IPv4Address)), tuple(domains)


def _lent(ike: IkeSnapshot) -> tuple[IpAddress, ...]:
    return ike.session.lent if ike.session is not None else ()


def _networks(child: ChildSnapshot) -> list[IPv4Network]:
    """What a child reaches on our side, of IPv4."""
    found: list[IPv4Network] = []
    for selector in child.local_ts:
        if isinstance(selector.start, IPv4Address) and isinstance(selector.end, IPv4Address):
            found += summarize_address_range(selector.start, selector.end)
    return list(dict.fromkeys(found))
