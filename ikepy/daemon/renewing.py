"""Keys, certificates and trust anchors that are renewed while the daemon runs: read again, without touching an SA.

    serve()     looks every half minute whether a file of them changed; warns of our own that end soon
    reload()    looks at once, for `ikepy reload` and SIGHUP
    words()     how many days ours have left, for `ikepy status`

Rule 1: all of them are read, or none: what does not fit together (half of a renewal) leaves the old in force, and is tried again.
Rule 2: only who authenticates from now on meets the new ones; what is up stays up.
Not here: CRLs (auth/revocation.py) and users (auth/users.py), which look by themselves.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import trio

from ikepy.auth.certificate import Certificate
from ikepy.auth.credentials import CredentialError, Credentials, load_credentials
from ikepy.config.model import Config

_log = logging.getLogger("ikepy.daemon")

LOOK_SECONDS = 30.0
WARN_DAYS = (7, 21)
"Days left at which the log says so, each once for a certificate."
Versions = dict[Path, tuple[int, int, int]]
Use = Callable[[Credentials], None]


class Renewing:
    """The credentials of one daemon.

    use     are given what is in force from now on
    users   has users read again
    now     the wall clock, UTC
    """

    def __init__(
        self,
        config: Config,
        credentials: Credentials,
        use: Sequence[Use],
        users: Callable[[], None] = lambda: None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._config, self._credentials, self._use, self._users, self._now = config, credentials, use, users, now
        self._seen = _versions(config)
        self._load = partial(load_credentials, fetched=credentials.fetched)
        self._warned: set[tuple[bytes, int]] = set()

    async def serve(self) -> None:
        """Look for ever."""
        while True:
            self._warn()
            await trio.sleep(LOOK_SECONDS)
            if _versions(self._config) != self._seen:
                await self.reload()

    async def reload(self) -> str:
        """Read all again; why keys and certificates stay as they were, empty where they do not."""
        self._users()
        versions = _versions(self._config)
        try:
            fresh = await trio.to_thread.run_sync(self._load, self._config)
        except CredentialError as error:
            _log.error("keys and certificates stay as they were: %s", error)
            return str(error)
        changed = _changed(self._credentials, fresh)
        self._seen, self._credentials = versions, fresh
        for use in self._use:
            use(fresh)
        for warning in fresh.warnings:
            _log.warning("%s", warning)
        _log.info(
            "keys and certificates are read again%s", f": new for {', '.join(changed)}" if changed else ", none is new"
        )
        self._warn()
        return ""

    def words(self) -> dict[str, str]:
        """Our own certificates by connection, and how long they are good for."""
        now = self._now()
        return {
            name: "; ".join(
                f"{each.certificate}, {_left((each.certificate.not_after - now).days)}" for each in local.all
            )
            for name, local in self._credentials.local.items()
        }

    def _warn(self) -> None:
        now = self._now()
        ours = [(name, each) for name, local in self._credentials.local.items() for each in local.all]
        for name, local in ours:
            days = (local.certificate.not_after - now).days
            due = next((each for each in WARN_DAYS if days <= each), None)
            if due is not None and (local.certificate.der, due) not in self._warned:
                self._warned.add((local.certificate.der, due))
                _log.warning("connection %s: our certificate %s: %s; renew it", name, local.certificate, _left(days))


def _left(days: int) -> str:
    if days < 0:
        return "it has expired"
    return "1 day left" if days == 1 else f"{days} days left"


def _changed(before: Credentials, after: Credentials) -> list[str]:
    """Connections whose own certificate, or whose CAs, are others now."""
    found = []
    for name in after.local.keys() | after.trust.keys():
        ours = [_chains(each, name) for each in (before, after)]
        theirs = [
            each.trust[name].anchors + each.trust[name].pinned if name in each.trust else () for each in (before, after)
        ]
        if ours[0] != ours[1] or theirs[0] != theirs[1]:
            found.append(name)
    return sorted(found)


def _chains(credentials: Credentials, name: str) -> list[tuple[Certificate, ...]]:
    local = credentials.local.get(name)
    return [each.chain for each in local.all] if local is not None else []


def _versions(config: Config) -> Versions:
    """Inode, time and size of each file that credentials come from; those that are not there are left out."""
    found: Versions = {}
    for file in _files(config):
        try:
            status = file.stat()
        except OSError:
            continue
        found[file] = status.st_ino, status.st_mtime_ns, status.st_size
    return found


def _files(config: Config) -> dict[Path, None]:
    files: list[Path | None] = [each.file for each in config.private_keys]
    for connection in config.connections:
        for local in (connection.local, connection.local2):
            if local is not None:
                files += [*local.certs, local.key]
        for remote in (connection.remote, connection.remote2):
            if remote is not None:
                files += [*remote.cacerts, *remote.certs, *remote.pubkeys]
    files += [file for group in config.groups for file in group.cacerts]
    return dict.fromkeys(file for file in files if file is not None)
