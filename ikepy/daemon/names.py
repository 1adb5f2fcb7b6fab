"""Addresses that names of gateways had when they last resolved: used while they do not.

A kill switch, or a network whose resolver is broken, must not keep a tunnel from coming up that would mend it.

Rule 1: they are kept in a file of the state directory, so that a daemon that begins behind a kill switch has them.
Rule 2: they only say where to ask: whoever answers there proves who it is as always.
Not here: which of them is taken (paths.py).
"""

from __future__ import annotations

import json
import logging
import os
import socket
from collections.abc import Iterable
from ipaddress import ip_address
from pathlib import Path

import trio

from ikepy.ipsec import IpAddress

_log = logging.getLogger("ikepy.daemon")

NAMES_FILE = "names.json"
RESOLVING_SECONDS = 10.0
MOST_NAMES, MOST_ADDRESSES = 64, 16
_MOST_OCTETS = 1 << 16


class Names:
    """Resolves names.

    path   None keeps nothing
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._known = _read(path) if path is not None else {}

    async def resolve(self, name: str) -> list[IpAddress]:
        """All addresses of a name, in the resolver's order; those it had last where it does not resolve in time."""
        found = await look_up(name)
        if found:
            self._remember(name, found)
            return found
        known = self._known.get(name, [])
        if known:
            _log.info("%s does not resolve; it was %s before", name, ", ".join(map(str, known)))
        return known

    async def learn(self, names: Iterable[str]) -> None:
        """Resolve names, all at once."""
        async with trio.open_nursery() as nursery:
            for name in dict.fromkeys(names):
                nursery.start_soon(self.resolve, name)

    def _remember(self, name: str, addresses: list[IpAddress]) -> None:
        if self._path is None or self._known.get(name) == addresses[:MOST_ADDRESSES]:
            return
        self._known.pop(name, None)
        self._known[name] = addresses[:MOST_ADDRESSES]
        for old in list(self._known)[:-MOST_NAMES]:
            del self._known[old]
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            temporary = self._path.with_suffix(".new")
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "w") as file:
                json.dump({name: list(map(str, each)) for name, each in self._known.items()}, file)
            temporary.replace(self._path)
        except OSError as error:
            _log.warning("%s cannot be written (%s): names must resolve at the next start", self._path, error.strerror)


async def look_up(name: str) -> list[IpAddress]:
    """Ask the resolver; none where it does not know in time."""
    with trio.move_on_after(RESOLVING_SECONDS):
        try:
            answers = await trio.socket.getaddrinfo(name, None, type=socket.SOCK_DGRAM)
        except OSError:
            return []
        return list(dict.fromkeys(ip_address(answer[4][0]) for answer in answers))
    return []


def _read(path: Path) -> dict[str, list[IpAddress]]:
    try:
        with path.open("rb") as file:
            written = json.loads(file.read(_MOST_OCTETS))
        return {
            str(name): [ip_address(address) for address in addresses[:MOST_ADDRESSES]]
            for name, addresses in list(written.items())[:MOST_NAMES]
        }
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        _log.warning("%s is damaged: names must resolve anew", path)
        return {}
