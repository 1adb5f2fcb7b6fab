"""Which lines of the log a client is told while its command runs (`control-log`), and how log lines look in VICI.

Rule 1: of other peers' IKE SAs the client hears nothing: a line belongs to an IKE SA by the SPI it begins with.
Rule 2: an IKE SA that has come in the place of one that is meant is meant as well.
Not here: wording (trace/log.py), sending (session.py).
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable

from ikepy.control.codec import Section
from ikepy.control.requests import number, text
from ikepy.daemon.api import DaemonApi, LogLine
from ikepy.ike.events import IkeSnapshot
from ikepy.trace.handlers import escaped
from ikepy.trace.log import short_spi

_TAG = re.compile(r"[0-9a-f]{4}…[0-9a-f]{2}(?= )")
_MOST_KNOWN = 4096
_DEFAULT_LEVEL = 1
"VICI's levels: 0 what should be acted on, 1 what happens, 2 and above decisions and their reasons."


class Progress:
    """Chooses the lines that concern what a request asked for."""

    def __init__(self, daemon: DaemonApi, command: str, request: Section) -> None:
        """Raises BadRequest."""
        self._daemon = daemon
        level = number(request, "loglevel")
        self._most_level = _DEFAULT_LEVEL if level is None else level
        self._connections, self._concerns = _concern(daemon, command, request)
        self._known: dict[str, IkeSnapshot | None] = {}
        self._look()

    def section(self, line: LogLine) -> Section | None:
        """The event of a line, None where the client is not to have it."""
        if level_of(line) > self._most_level:
            return None
        found = _TAG.match(line.text)
        if found is None:
            beginnings = tuple(f"connection {name}{end}" for name in self._connections for end in (" ", ","))
            concerns = line.text.startswith(beginnings)
            return log_section(line, None) if concerns else None
        if found[0] not in self._known:
            self._look()
            self._known.setdefault(found[0], None)
        ike = self._known[found[0]]
        return log_section(line, ike) if ike is not None else None

    def _look(self) -> None:
        """Learn the SPIs of the IKE SAs that are meant; those that are gone since stay known."""
        if len(self._known) > _MOST_KNOWN:
            self._known = {tag: ike for tag, ike in self._known.items() if ike is not None}
        self._known |= {short_spi(ike.spi_i): ike for ike in self._daemon.snapshot() if self._concerns(ike)}


def log_section(line: LogLine, ike: IkeSnapshot | None) -> Section:
    """A `log` or `control-log` event."""
    section: Section = {"group": "IKE", "level": str(level_of(line))}
    if ike is not None:
        section |= {"ikesa-name": ike.connection, "ikesa-uniqueid": str(ike.unique_id)}
    # swanctl prints nothing at all of a text that is not ASCII.
    words = escaped(line.text).replace("…", "...").encode("ascii", "backslashreplace").decode("ascii")
    return section | {"msg": words}


def level_of(line: LogLine) -> int:
    """VICI's level of a line."""
    if line.level >= logging.WARNING:
        return 0
    return 1 if line.level >= logging.INFO else 2


def _concern(daemon: DaemonApi, command: str, request: Section) -> tuple[frozenset[str], Callable[[IkeSnapshot], bool]]:
    """The connections a request is about, and which IKE SAs."""
    if command == "initiate":
        ike, child = text(request, "ike"), text(request, "child")
        wanted = [c for c in daemon.config.connections if ike == c.name or (ike is None and c.child(child or ""))]
        names = frozenset(connection.name for connection in wanted)
        return names, lambda sa: sa.connection in names
    ike_id = number(request, "ike-id")
    present = daemon.present_ike(ike_id) if ike_id is not None else None
    meant = [sa for sa in daemon.snapshot() if present in {None, sa.unique_id} and _is_meant(sa, request)]
    numbers = {sa.unique_id for sa in meant}
    places = {(sa.connection, sa.path.remote.address) for sa in meant} if command == "rekey" else set()
    newest = max(numbers, default=0)

    def concerns(sa: IkeSnapshot) -> bool:
        # By reauthentication another comes, with the same peer.
        is_new = sa.unique_id > newest and (sa.connection, sa.path.remote.address) in places
        return is_new or sa.unique_id in numbers or sa.unique_id in set(map(daemon.present_ike, numbers))

    return frozenset(), concerns


def _is_meant(sa: IkeSnapshot, request: Section) -> bool:
    ike, child, child_id = text(request, "ike"), text(request, "child"), number(request, "child-id")
    of_children = (child, child_id) != (None, None)
    return ike in {None, sa.connection} and (
        not of_children or any(child in {None, c.name} and child_id in {None, c.unique_id} for c in sa.children)
    )
