"""This host as a gateway, for as long as a daemon runs: begun, kept in step with leases and routes, undone.

    undo_left()       what a daemon that was killed has left, whatever the configuration says now
    begin(), end()    the host is a gateway in between
    lent, returned    of the book of leases: addresses come and go
    words()           what is in force, for `ikepy status`

Not here: what is changed (gateway/host.py), DHCPINFORM (informing.py).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ikepy.config.model import Config
from ikepy.daemon.errors import StartupError
from ikepy.gateway.host import GatewayFailed, GatewayHost, GatewayPlan, Proxies, default_uplinks, plan_gateway, undo
from ikepy.gateway.journal import JOURNAL_FILE, Journal
from ikepy.gateway.nft import Nft, NftError
from ikepy.gateway.sysctls import Sysctls, dotted
from ikepy.ike.admission import AddressesRefused
from ikepy.ike.errors import KernelRefused
from ikepy.ipsec import IpAddress

_log = logging.getLogger("ikepy.daemon")

Uplinks = Callable[[], Mapping[int, Sequence[str]]]


class Gatewaying:
    """The host of one daemon.

    nft       None where this host has no such program, or none is to be run
    proxies   None where no kernel is there to answer for addresses
    """

    def __init__(
        self,
        config: Config,
        run_directory: Path,
        nft: Nft | None,
        proxies: Proxies | None = None,
        *,
        sysctls: Sysctls | None = None,
        uplinks: Uplinks = default_uplinks,
    ) -> None:
        self._config, self._nft, self._proxies, self._uplinks = config, nft, proxies, uplinks
        self._sysctls = sysctls if sysctls is not None else Sysctls()
        self._journal = Journal(run_directory / JOURNAL_FILE)
        self._host: GatewayHost | None = None

    async def undo_left(self) -> bool:
        """Undo what a daemon has left that did not end by itself; say whether there was anything."""
        left = self._journal.left()
        proxies = await self._proxies.remove_all() if self._proxies is not None else 0
        if left:
            if await undo(left, self._nft, self._sysctls):
                self._journal.close()
            _log.warning("what an earlier daemon had changed on this host as a gateway is undone")
        return bool(left or proxies)

    async def begin(self) -> None:
        """Make this host a gateway, where the configuration says so; raises StartupError, and it is as before."""
        plan = plan_gateway(self._config, self._uplinks(), self._sysctls)
        if plan is None:
            return
        host = GatewayHost(plan, self._nft, self._sysctls, self._journal, self._proxies)
        try:
            await host.begin()
        except GatewayFailed as failed:
            raise StartupError(
                str(failed), "see `ikepy --conf FILE --dry-run`, which shows all that is wanted"
            ) from failed
        self._host = host
        _log.info("this host is a gateway: %s", "; ".join(f"{what} {how}" for what, how in _summary(plan).items()))

    async def end(self) -> None:
        """Put this host back."""
        if self._host is not None:
            await self._host.end()
            self._host = None

    async def follow(self) -> None:
        """Routes may have changed."""
        if self._host is not None:
            await self._host.follow(self._uplinks())

    async def lent(self, addresses: Sequence[IpAddress], groups: tuple[str, ...]) -> None:
        """Let packets of a client through; raises AddressesRefused where that cannot be."""
        if self._host is None:
            return
        try:
            await self._host.admit(addresses, groups)
        except (NftError, KernelRefused) as error:
            await self.returned(addresses)
            raise AddressesRefused(f"the gateway cannot let the client's packets through: {error}") from error

    async def returned(self, addresses: Sequence[IpAddress]) -> None:
        """Let them through no more."""
        if self._host is None:
            return
        try:
            await self._host.dismiss(addresses)
        except (NftError, KernelRefused) as error:
            _log.error("gateway: packets of %s may still pass: %s", ", ".join(map(str, addresses)), error)

    def words(self) -> dict[str, str | list[str]]:
        """What is in force; empty where this host is no gateway."""
        if self._host is None:
            return {}
        words: dict[str, str | list[str]] = dict(_summary(self._host.plan))
        words["clients"] = str(len(self._host.members))
        words["settings"] = [f"{dotted(each.name)} = {each.ours}" for each in self._host.plan.sysctls]
        words["conflicts"] = [str(conflict) for conflict in self._host.conflicts]
        return words


def _summary(plan: GatewayPlan) -> dict[str, str]:
    """How clients get out, in words."""
    table = plan.table
    found = {}
    for family in table.families:
        where = " and ".join(table.uplinks.get(family, ())) or "no uplink yet"
        if table.is_masqueraded(family):
            found[f"IPv{family}"] = f"masqueraded by {where}"
        elif family == 6 and table.gateway.answers_for:  # noqa: PLR2004 - IPv6
            found[f"IPv{family}"] = f"answered for by NDP on {where}"
        else:
            found[f"IPv{family}"] = "routed"
    return found
