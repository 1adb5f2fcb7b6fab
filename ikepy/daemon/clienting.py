"""This host as a client of gateways: DNS that they give, no IPv6 beside a tunnel that takes all, a kill switch.

    undo_left()       what a daemon that was killed has left
    begin(), end()    in between the host is a client; a kill switch stays when it ends
    note(), serve()   events say that something changed, and what is in force follows what there is

Rule 1: what is in force is made of what there is now, not of what changed: a rekeying, a new path, a lost event change nothing.
Not here: how it is told (gateway/dns.py), rules (gateway/kill_switch.py), addresses and routes of children (kernel/).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from ipaddress import IPv6Network
from pathlib import Path

import trio

from ikepy.config.host import InterfaceKind
from ikepy.config.model import AddressPatternKind, Config
from ikepy.daemon.errors import StartupError
from ikepy.daemon.names import Names
from ikepy.gateway.dns import Dns, DnsWanted
from ikepy.gateway.journal import Journal
from ikepy.gateway.kill_switch import FAMILY, TABLE, KillSwitch
from ikepy.gateway.nft import INSTALL, Nft, NftError
from ikepy.ike.errors import KernelRefused
from ikepy.ike.events import ChildSaDown, ChildSaUp, ChildSnapshot, Event, IkeSaDown, IkeSaUp, IkeSnapshot
from ikepy.ipsec import IpAddress, Mode, RouteKind, RouteSpec
from ikepy.kernel.interface import LinkTable
from ikepy.wire.ts import TrafficSelector

_log = logging.getLogger("ikepy.daemon")

JOURNAL_FILE = "undo-client.json"
GLOBAL_IPV6 = tuple(
    RouteSpec(IPv6Network(network), None, kind=RouteKind.UNREACHABLE) for network in ("2000::/3", "64:ff9b::/96")
)
"""What leads to the internet: global addresses, and those of IPv4 hosts behind a NAT64 (RFC 6052)."""

Snapshot = Callable[[], Iterable[IkeSnapshot]]


class Clienting:
    """The host of one daemon.

    nft   None where this host has no such program, or none is to be run
    """

    def __init__(self, config: Config, run_directory: Path, nft: Nft | None, dns: Dns | None = None) -> None:
        self._config, self._nft = config, nft
        self._dns = dns if dns is not None else Dns(config.client, Journal(run_directory / JOURNAL_FILE))
        self._changed = trio.Event()
        self._blocked: list[RouteSpec] = []
        self._is_locked = False

    async def undo_left(self) -> bool:
        """Undo what a daemon has left that did not end by itself; say whether there was anything.

        The kill switch of an earlier daemon goes where this configuration wants none.
        """
        found = await self._dns.undo_left()
        if found:
            _log.warning("DNS of an earlier daemon's gateway is undone")
        if not self._config.client.kill_switch:
            found |= await self.unlock()
        return found

    async def unlock(self) -> bool:
        """Take the kill switch away; say whether there was one."""
        try:
            if self._nft is None or await self._nft.list_table(FAMILY, TABLE) is None:
                return False
            await self._nft.delete_table(FAMILY, TABLE)
        except NftError as error:
            _log.error("a kill switch may still be there: %s", error)
            return False
        _log.warning("the kill switch of an earlier daemon is taken away")
        return True

    async def begin(self, names: Names) -> None:
        """Let nothing leave but by tunnels, where the configuration says so; raises StartupError."""
        if not self._config.client.kill_switch:
            return
        if self._nft is None:
            raise StartupError("kill_switch: there is no program nft on this host", INSTALL)
        await names.learn(
            pattern.name
            for connection in self._config.connections
            for pattern in connection.remote_addrs
            if pattern.kind is AddressPatternKind.NAME and pattern.name is not None
        )
        try:
            await self._nft.apply(make_kill_switch(self._config).make())
        except NftError as error:
            raise StartupError(f"kill_switch: {error}", "see `ikepy --conf FILE --dry-run`") from error
        self._is_locked = True
        _log.info("kill switch: nothing leaves this host but by a tunnel, until `ikepy cleanup`")

    def note(self, event: Event) -> None:
        """Look again, if that may have changed anything."""
        if isinstance(event, IkeSaUp | IkeSaDown | ChildSaUp | ChildSaDown):
            self._changed.set()

    async def refresh(self) -> None:
        """Addresses or routes changed, and whoever did that may have written DNS servers as well."""
        await self._dns.refresh()

    async def serve(self, snapshot: Snapshot, links: LinkTable) -> None:
        """Follow what there is, for ever."""
        while True:
            await self._changed.wait()
            self._changed = trio.Event()
            tunnels = [ike for ike in snapshot() if ike.session is not None and ike.session.given and ike.children]
            await self._dns.tell(self._dns_of(tunnels))
            if self._config.client.block_ipv6:
                await self._block(links, is_wanted=bool(tunnels) and leaks_ipv6(tunnels))

    async def end(self, links: LinkTable) -> None:
        """Put everything back but the kill switch."""
        await self._dns.tell(None)
        await self._block(links, is_wanted=False)
        if self._is_locked:
            _log.warning("the kill switch stays: `ikepy cleanup` takes it away")

    def words(self) -> dict[str, str]:
        """What is in force; empty where nothing is."""
        found = {}
        wanted = self._dns.wanted
        if wanted is not None:
            domains = f" for {', '.join(wanted.domains)}" if wanted.domains and not wanted.is_full else ""
            found["DNS"] = f"{', '.join(map(str, wanted.servers))}{domains}, by {self._dns.mode.value}"
        if self._blocked:
            found["IPv6"] = "refused: the gateway gives none"
        if self._is_locked:
            found["kill switch"] = "on: nothing leaves but by a tunnel"
        return found

    def _dns_of(self, tunnels: Sequence[IkeSnapshot]) -> DnsWanted | None:
        """What gateways say of DNS, together."""
        servers: dict[IpAddress, None] = {}
        domains: dict[str, None] = {}
        interface = None
        is_full = False
        for ike in tunnels:
            assert ike.session is not None  # noqa: S101 - they were chosen so
            if not ike.session.dns:
                continue
            servers |= dict.fromkeys(ike.session.dns)
            domains |= dict.fromkeys(ike.session.domains)
            is_full = is_full or any(map(takes_all, ike.children)) or not ike.session.domains
            connection = self._config.connection(ike.connection)
            interface = interface or (connection.interface if connection is not None else None)
        return DnsWanted(tuple(servers), tuple(domains), is_full, interface) if servers else None

    async def _block(self, links: LinkTable, *, is_wanted: bool) -> None:
        """Refuse IPv6 to the internet, or do so no more."""
        try:
            if is_wanted and not self._blocked:
                for route in GLOBAL_IPV6:
                    await links.add_route(route)
                    self._blocked.append(route)
                _log.info("IPv6 to the internet is refused while the tunnel takes all of IPv4 and none of IPv6")
            while self._blocked and not is_wanted:
                await links.remove_route(self._blocked.pop())
        except KernelRefused as error:
            _log.warning("IPv6 beside the tunnel: %s", error)


def takes_all(child: ChildSnapshot, family: int = 4) -> bool:
    """Whether a child takes whatever this host sends, of a family."""
    return any(selector.start.version == family and _is_everything(selector) for selector in child.remote_ts)


def leaks_ipv6(tunnels: Iterable[IkeSnapshot]) -> bool:
    """Whether tunnels take all of IPv4, and IPv6 would go beside them."""
    children = [child for ike in tunnels for child in ike.children if child.mode is Mode.TUNNEL]
    return any(takes_all(child, 4) for child in children) and not any(takes_all(child, 6) for child in children)


def make_kill_switch(config: Config) -> KillSwitch:
    """What the configuration lets out."""
    children = [(connection, child) for connection in config.connections for child in connection.children]
    ports = [config.daemon.port, config.daemon.port_nat_t]
    ports += [connection.local_port for connection in config.connections if connection.local_port is not None]
    dummies = {each.name for each in config.interfaces if each.kind is InterfaceKind.DUMMY}
    interfaces = {child.interface for _, child in children if child.interface not in {None, *dummies}}
    passes = [selector for _, child in children if child.mode is Mode.PASS for selector in child.remote_ts]
    return KillSwitch(
        tuple(ports), tuple(sorted(name for name in interfaces if name is not None)), tuple(dict.fromkeys(passes))
    )


def _is_everything(selector: TrafficSelector) -> bool:
    whole = int(selector.start) == 0 and int(selector.end) == (1 << selector.end.max_prefixlen) - 1
    return whole and not selector.protocol
