"""The audit log: one line of JSON for each session that begins, ends or is refused.

    {"at": "2026-05-09T07:35:25.120Z", "event": "ended", "connection": "office", "user": "alice", "from": "192.0.2.7",
     "port": 4500, "client": "Windows 10", "addresses": ["10.9.0.10"], "octets_in": 840, "octets_out": 1280, ...}

Rule 1: a line is for ASCII eyes and parsers: what a peer chose is escaped and cut, and makes no lines of its own.
Rule 2: a record has no place for a secret, and a Secret that gets into one is an error.
Rule 3: one write a line; a line that cannot be written is told once, and ends no session.
Rule 4: its owner's alone (0600); turned over by size, or opened anew when somebody else has turned it over.
Not here: when something is written (the daemon's), the log of the protocol (log.py).
"""

from __future__ import annotations

import json
import logging
import os
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from enum import Enum
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from threading import Lock

MOST_CHARACTERS = 512
"The longest text of a field; identities can have thousands."
MOST_ITEMS = 64
_log = logging.getLogger("ikepy.audit")
_NAMES = {"source": "from"}


class AuditEvent(Enum):
    """What happened to a session."""

    BEGUN = "begun"
    ENDED = "ended"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """One line; what is None or empty is left out.

    at            when, with its time zone
    session       the IKE SA's unique number in this run of the daemon
    identity      what was proved, or of a refused one what it claims
    user          the EAP user, or of a refused one what it claims
    source, port  where the client's packets come from
    client        its kind, as its fingerprint says: `Windows 10`
    method        how it proved itself: `EAP-MSCHAPv2`
    addresses     that it was given
    began         when the session began
    octets_in     from the client, of all its children
    reason        why it ended or was refused
    """

    at: datetime
    event: AuditEvent
    connection: str = ""
    session: int | None = None
    identity: str = ""
    user: str = ""
    groups: tuple[str, ...] = ()
    source: IPv4Address | IPv6Address | None = None
    port: int | None = None
    client: str = ""
    method: str = ""
    addresses: tuple[IPv4Address | IPv6Address, ...] = ()
    began: datetime | None = None
    octets_in: int | None = None
    octets_out: int | None = None
    reason: str = ""


class AuditLog:
    """Writes records to a file; its methods may be called from any thread."""

    def __init__(self, path: Path, most_octets: int = 0, keep: int = 4) -> None:
        """Say where to; nothing is opened before the first record.

        most_octets   what the file may have; 0 any number: somebody else turns it over and calls reopen()
        keep          how many turned-over files stay: path.1, the youngest, to path.<keep>
        """
        self._path = path
        self._most = most_octets
        self._keep = keep
        self._lock = Lock()
        self._descriptor: int | None = None
        self._octets = 0
        self._is_broken = False
        self._is_torn = False

    def write(self, record: AuditRecord) -> None:
        """Write one line; raises nothing but TypeError, for a record that holds what it must not."""
        line = line_of(record).encode("ascii") + b"\n"
        with self._lock:
            try:
                self._put(line)
                self._is_broken = False
            except OSError as error:
                self._close()
                if not self._is_broken:
                    _log.warning("the audit log %s cannot be written (%s): lines are lost", self._path, error.strerror)
                self._is_broken = True

    def reopen(self) -> None:
        """Open the file anew with the next record (SIGHUP)."""
        with self._lock:
            self._close()
            self._is_broken = False

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._close()

    def _put(self, line: bytes) -> None:
        descriptor = self._opened()
        if self._most and self._octets > 0 and self._octets + len(line) > self._most:
            self._close()
            self._turn_over()
            descriptor = self._opened()
        if self._is_torn:
            line = b"\n" + line
        while line:
            written = os.write(descriptor, line)
            self._octets += written
            line = line[written:]
            self._is_torn = bool(line)

    def _opened(self) -> int:
        if self._descriptor is None:
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
            self._descriptor = os.open(self._path, flags, 0o600)
            os.fchmod(self._descriptor, 0o600)
            self._octets = os.fstat(self._descriptor).st_size
        return self._descriptor

    def _close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _turn_over(self) -> None:
        if self._keep < 1:
            self._path.unlink(missing_ok=True)
            return
        for number in range(self._keep - 1, 0, -1):
            older = self._numbered(number)
            if older.exists():
                older.rename(self._numbered(number + 1))
        self._path.rename(self._numbered(1))

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")


def line_of(record: AuditRecord) -> str:
    """A record as one line of JSON in ASCII; raises TypeError for what has no place in it."""
    document = {_NAMES.get(each.name, each.name): _plain(getattr(record, each.name)) for each in fields(record)}
    line = json.dumps({word: value for word, value in document.items() if value not in (None, "", [])})
    return line.replace("\x7f", "\\u007f")  # the one control character that JSON leaves


def _plain(value: object) -> object:
    match value:
        case None | bool() | int():
            return value
        case str():
            return value if len(value) <= MOST_CHARACTERS else value[:MOST_CHARACTERS] + "..."
        case datetime():
            return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        case Enum():
            return value.value
        case IPv4Address() | IPv6Address():
            return str(value)
        case tuple():
            return [_plain(item) for item in value[:MOST_ITEMS]]
    raise TypeError(f"a {type(value).__name__} has no place in the audit log")
