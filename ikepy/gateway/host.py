"""What a gateway changes on this host, as one plan: shown by --dry-run, done at the start, undone at the end.

    host = GatewayHost(plan, nft, sysctls, journal)
    await host.begin()       all of it, or nothing and a GatewayFailed
    await host.admit(...)    an address is lent: its packets pass when this returns
    await host.end()         all is as it was

Rule 1: the journal knows it first (journal.py); what fails half-way is undone at once.
Rule 2: members are told to nft together: who comes while it runs is in its next run (one run for all of them).
Not here: which rules (rules.py), which settings (sysctls.py), answering for addresses (kernel/neighbours.py).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import trio

from ikepy.config.model import Config
from ikepy.gateway.conflicts import Conflict, find_conflicts
from ikepy.gateway.journal import Changes, Journal, SysctlChange
from ikepy.gateway.nft import INSTALL, Nft, NftError
from ikepy.gateway.rules import FAMILY, GatewayTable, Members
from ikepy.gateway.sysctls import Sysctls, dotted
from ikepy.gateway.text import table_text
from ikepy.ipsec import IpAddress

_log = logging.getLogger("ikepy.gateway")

TABLE = "ikepy"
_ROUTES = {4: Path("/proc/net/route"), 6: Path("/proc/net/ipv6_route")}
_ZERO4, _ZERO6 = "00000000", "0" * 32


class Proxies(Protocol):
    """Answers for IPv6 addresses on interfaces; see kernel/neighbours.py."""

    async def add(self, addresses: Iterable[IpAddress], interfaces: Iterable[str]) -> None:
        """Answer for them."""

    async def remove(self, addresses: Iterable[IpAddress], interfaces: Iterable[str]) -> None:
        """Answer for them no more."""

    async def remove_all(self) -> int:
        """Answer for none."""


class GatewayFailed(Exception):
    """This host cannot be made a gateway, and is as it was."""


@dataclass(frozen=True, slots=True)
class GatewayPlan:
    """What is to be changed: settings, and the table."""

    table: GatewayTable
    sysctls: tuple[SysctlChange, ...]

    def lines(self) -> list[str]:
        """All of it in words, for --dry-run."""
        settings = [f"{dotted(change.name)} = {change.ours} (now {change.before})" for change in self.sysctls]
        gateway = self.table.gateway
        proxied = [f"neighbour proxies on {name}" for name in self.table.uplinks.get(6, ()) if gateway.answers_for]
        return [
            "# settings of the kernel",
            *(settings or ["(all are right already)"]),
            "",
            "# nftables",
            *table_text(self.table.make({})).replace("\t", "  ").splitlines(),
            *(["", "# answered for by NDP: each IPv6 address while it is lent", *proxied] if proxied else []),
        ]


def plan_gateway(config: Config, uplinks: Mapping[int, Sequence[str]], sysctls: Sysctls) -> GatewayPlan | None:
    """What the configuration wants of this host; None where it is to be no gateway."""
    if config.gateway is None:
        return None
    if config.gateway.uplinks:
        uplinks = dict.fromkeys((4, 6), config.gateway.uplinks)
    table = GatewayTable(TABLE, config.gateway, config.pools, config.groups, uplinks)
    proxied = uplinks.get(6, ()) if config.gateway.answers_for and 6 in table.families else ()  # noqa: PLR2004 - IPv6
    return GatewayPlan(table, sysctls.plan(table.families, proxied))


def default_uplinks() -> dict[int, tuple[str, ...]]:
    """The interfaces of this host's default routes, of each family."""
    return {
        4: _interfaces(_ROUTES[4], lambda words: words[1] == _ZERO4 and words[7] == _ZERO4, 0),
        6: _interfaces(_ROUTES[6], lambda words: words[0] == _ZERO6 and words[1] == "00" and words[9] != "lo", 9),
    }


def _interfaces(path: Path, is_default: Callable[[Sequence[str]], bool], column: int) -> tuple[str, ...]:
    try:
        rows = [line.split() for line in path.read_text().splitlines()]
    except OSError:
        return ()
    found = (row[column] for row in rows if len(row) >= 10 and is_default(row))  # noqa: PLR2004 - columns of both files
    return tuple(dict.fromkeys(found))


class GatewayHost:
    """The host while it is a gateway."""

    def __init__(
        self, plan: GatewayPlan, nft: Nft | None, sysctls: Sysctls, journal: Journal, proxies: Proxies | None = None
    ) -> None:
        self.plan = plan
        self._proxies = proxies
        self.conflicts: tuple[Conflict, ...] = ()
        self._nft, self._sysctls, self._journal = nft, sysctls, journal
        self._changes = Changes()
        self._wanted: dict[IpAddress, tuple[str, ...]] = {}
        self._there: Members = {}
        self._turn = trio.Lock()

    @property
    def members(self) -> Members:
        """Addresses that are lent, and their groups."""
        return self._wanted

    async def begin(self) -> None:
        """Change the host; raises GatewayFailed, and nothing is changed."""
        if self._nft is None:
            raise GatewayFailed(f"gateway: there is no program nft on this host; {INSTALL}")
        self._changes = Changes(self.plan.sysctls, ((FAMILY, self.plan.table.name),))
        try:
            self._journal.note(self._changes)
            self._sysctls.apply(self.plan.sysctls)
            await self._nft.apply(self.plan.table.make(self._there))
        except (OSError, NftError) as error:
            await self.end()
            raise GatewayFailed(f"gateway: this host cannot be made one: {error}") from error
        await self._look_for_conflicts(self._nft)

    async def _look_for_conflicts(self, nft: Nft) -> None:
        pools = [str(each) for pool in self.plan.table.pools for each in pool.addrs]
        try:
            self.conflicts = find_conflicts(await nft.list_ruleset(), [self.plan.table.name], pools)
        except NftError as error:
            _log.info("other firewalls cannot be looked at: %s", error)
        for conflict in self.conflicts:
            _log.warning("gateway: %s", conflict)

    async def follow(self, uplinks: Mapping[int, Sequence[str]]) -> None:
        """Masquerade by the uplinks that there are now."""
        table = self.plan.table
        if self._nft is None or table.gateway.uplinks or dict(uplinks) == dict(table.uplinks):
            return
        async with self._turn:
            changed = replace(table, uplinks=uplinks)
            self.plan = replace(self.plan, table=changed)
            try:
                wanted = dict(self._wanted)
                await self._nft.apply(changed.make(wanted))
                self._there = wanted
            except NftError as error:
                _log.error("gateway: the table cannot follow new default routes: %s", error)

    async def admit(self, addresses: Sequence[IpAddress], groups: tuple[str, ...]) -> None:
        """Let packets of these addresses through, to where their groups may go; raises NftError."""
        self._wanted |= dict.fromkeys(addresses, groups)
        await self._tell()
        if self._proxies is not None:
            await self._proxies.add(addresses, self._proxied)

    async def dismiss(self, addresses: Sequence[IpAddress]) -> None:
        """Let them through no more; raises NftError."""
        for address in addresses:
            self._wanted.pop(address, None)
        if self._proxies is not None:
            await self._proxies.remove(addresses, self._proxied)
        await self._tell()

    @property
    def _proxied(self) -> Sequence[str]:
        table = self.plan.table
        return table.uplinks.get(6, ()) if table.gateway.answers_for else ()

    async def _tell(self) -> None:
        async with self._turn:
            wanted = dict(self._wanted)
            if self._nft is not None and wanted != self._there:
                await self._nft.apply(self.plan.table.change(self._there, wanted))
                self._there = wanted

    async def end(self) -> None:
        """Put everything back."""
        if self._proxies is not None:
            await self._proxies.remove_all()
        if await undo(self._changes, self._nft, self._sysctls):
            self._journal.close()
        self._changes = Changes()


async def undo(changes: Changes, nft: Nft | None, sysctls: Sysctls) -> bool:
    """Take changes back, those of this process or of an earlier one; False where something stays, which is logged."""
    is_done = True
    for family, name in changes.tables:
        try:
            if nft is not None:
                await nft.delete_table(family, name)
        except NftError as error:
            _log.error("the nftables table %s %s stays: %s", family, name, error)
            is_done = False
    sysctls.undo(changes.sysctls)
    return is_done
