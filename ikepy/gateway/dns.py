"""Tells this host of DNS servers that gateways give: systemd-resolved, resolvconf, or the file itself.

    resolved     by interface, each for its domains: split DNS; needs an interface of the tunnel's own
    resolvconf   by a name of ours; the rest is its affair
    file         the servers instead of those that are there; before them where only some domains are meant

Rule 1: the journal knows what is to be undone before it is done.
Rule 2: that DNS cannot be told of is said in the log, and ends no tunnel.
Not here: when there are servers (daemon/clienting.py), the file (resolv_conf.py).
"""

from __future__ import annotations

import logging
import shutil
import subprocess
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from ipaddress import ip_address
from pathlib import Path

import trio

from ikepy.config.host import ClientConfig, DnsMode
from ikepy.gateway import resolv_conf
from ikepy.gateway.journal import Changes, Journal
from ikepy.ipsec import IpAddress

_log = logging.getLogger("ikepy.gateway")

RECORD = "ikepy"
"The name under which resolvconf has our servers."
PATIENCE = 5.0
_RESOLVED = Path("/run/systemd/resolve")

Run = Callable[[Sequence[str], bytes], Awaitable[None]]
Which = Callable[[str], str | None]


class DnsFailed(Exception):
    """It could not be told."""


@dataclass(frozen=True, slots=True)
class DnsWanted:
    """What is to be told.

    is_full    all questions go to these servers; else those for `domains`
    interface  the tunnel's own; None where it has none
    """

    servers: tuple[IpAddress, ...]
    domains: tuple[str, ...]
    is_full: bool
    interface: str | None = None


async def run_program(command: Sequence[str], octets: bytes) -> None:
    """Run a program without a shell; raises DnsFailed."""
    run = partial(trio.run_process, capture_stdout=True, capture_stderr=True, check=False)
    done: subprocess.CompletedProcess[bytes] | None = None
    try:
        with trio.move_on_after(PATIENCE):
            done = await run(list(command), stdin=octets)
    except OSError as error:
        raise DnsFailed(f"{command[0]} cannot be run: {error.strerror}") from error
    if done is None:
        raise DnsFailed(f"{command[0]} did not end within {PATIENCE:g} s")
    if done.returncode:
        words = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise DnsFailed(f"{' '.join(command[:2])}: {words[0] if words else f'ended with {done.returncode}'}")


class Dns:
    """What this host knows of DNS through us.

    journal  of this alone
    run, which   run a program, and find one
    """

    def __init__(
        self, config: ClientConfig, journal: Journal, run: Run = run_program, which: Which = shutil.which
    ) -> None:
        self._config, self._journal, self._run, self._which = config, journal, run, which
        self._changes = Changes()
        self._wanted: DnsWanted | None = None
        self.mode = DnsMode.NO

    @property
    def wanted(self) -> DnsWanted | None:
        """What is told at present."""
        return self._wanted

    async def undo_left(self) -> bool:
        """Undo what an earlier process has told; say whether there was anything."""
        self._changes = self._journal.left()
        if not self._changes:
            return False
        await self._undo()
        return True

    async def tell(self, wanted: DnsWanted | None) -> None:
        """Have this in force from now on; nothing with None. What fails is logged."""
        if wanted == self._wanted or self._config.dns is DnsMode.NO:
            return
        self._wanted = wanted
        if wanted is None:
            await self._undo()
            return
        self.mode = self.choose(wanted)
        try:
            await {
                DnsMode.RESOLVED: self._tell_resolved,
                DnsMode.RESOLVCONF: self._tell_resolvconf,
            }.get(self.mode, self._write_file)(wanted)
        except (DnsFailed, OSError) as error:
            _log.error("DNS of the gateway is not in force: %s; set `dns` under [client]", error)
        else:
            servers, domains = ", ".join(map(str, wanted.servers)), ", ".join(wanted.domains)
            _log.info("DNS by %s: %s%s", self.mode.value, servers, f" for {domains}" if domains else "")

    async def refresh(self) -> None:
        """Write the file again where somebody else has written it: a DHCP client, for one."""
        if self._wanted is None or not self._changes.files:
            return
        (change,) = self._changes.files
        if resolv_conf.read(Path(change.path)) != change.ours:
            wanted, self._wanted, self._changes = self._wanted, None, Changes()
            await self.tell(wanted)

    def choose(self, wanted: DnsWanted) -> DnsMode:
        """Which of them is told."""
        if self._config.dns is not DnsMode.AUTO:
            return self._config.dns
        if self._has_resolved():
            if wanted.interface is not None:
                return DnsMode.RESOLVED
            _log.warning(
                "systemd-resolved is told of DNS by interface, and the tunnel has none: %s is written instead; "
                "give the child an `interface`",
                self._config.resolv_conf,
            )
            return DnsMode.FILE
        return DnsMode.RESOLVCONF if self._has_resolvconf() else DnsMode.FILE

    def _has_resolved(self) -> bool:
        path = self._config.resolv_conf
        return path.is_symlink() and path.resolve().parent == _RESOLVED and self._which("resolvectl") is not None

    def _has_resolvconf(self) -> bool:
        found = self._which("resolvconf")
        return found is not None and Path(found).resolve().name != "resolvectl"

    # -- telling -------------------------------------------------------------------------------------------------

    async def _tell_resolved(self, wanted: DnsWanted) -> None:
        if wanted.interface is None:
            raise DnsFailed("systemd-resolved is told by interface: give the child one")
        await self._note(Changes(resolved=(wanted.interface,)))
        domains = [f"~{domain}" for domain in wanted.domains] + (["~."] if wanted.is_full else [])
        for command in (
            ("dns", wanted.interface, *map(str, wanted.servers)),
            ("domain", wanted.interface, *(domains or ["~."])),
            ("default-route", wanted.interface, "yes" if wanted.is_full or not domains else "no"),
        ):
            await self._run(("resolvectl", *command), b"")

    async def _tell_resolvconf(self, wanted: DnsWanted) -> None:
        await self._note(Changes(resolvconf=(RECORD,)))
        text = resolv_conf.text_of(wanted.servers, wanted.domains, "")
        await self._run(("resolvconf", "-a", RECORD), text.encode())

    async def _write_file(self, wanted: DnsWanted) -> None:
        path = self._config.resolv_conf
        known = self._changes.files
        before = known[0] if known and resolv_conf.read(path) == known[0].ours else resolv_conf.look(path)
        servers = list(wanted.servers)
        if not wanted.is_full:
            others = []
            for text in resolv_conf.servers_in(before.before or ""):
                with suppress(ValueError):
                    others.append(ip_address(text))
            servers += [each for each in others if each not in servers]
        change = replace(before, ours=resolv_conf.text_of(servers, wanted.domains, before.before or ""))
        await self._note(Changes(files=(change,)))
        resolv_conf.write(path, change.ours)

    async def _note(self, changes: Changes) -> None:
        """What was told otherwise goes; what is about to be is on disk."""
        if self._changes and (self._changes.resolved, self._changes.resolvconf) != (
            changes.resolved,
            changes.resolvconf,
        ):
            await self._undo()
        self._journal.note(changes)
        self._changes = changes

    async def _undo(self) -> None:
        changes, self._changes = self._changes, Changes()
        for change in changes.files:
            try:
                if not resolv_conf.put_back(change):
                    _log.warning("%s was changed by somebody else since, and stays so", change.path)
            except OSError as error:
                _log.error("%s stays as ikepy wrote it: %s", change.path, error.strerror)
        for command in (
            *(("resolvectl", "revert", interface) for interface in changes.resolved if _exists(interface)),
            *(("resolvconf", "-d", record) for record in changes.resolvconf),
        ):
            try:
                await self._run(command, b"")
            except DnsFailed as error:
                _log.error("DNS of the gateway stays: %s", error)
        self._journal.close()


def _exists(interface: str) -> bool:
    return "/" not in interface and Path("/sys/class/net", interface).exists()
