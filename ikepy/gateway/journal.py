"""What was changed on this host and how it was before: written down before it is changed, and taken back from there.

    journal = Journal(run_directory / JOURNAL_FILE)
    undo(journal.left())          what an earlier process left
    journal.note(changes)         before any of it is done
    journal.close()               when all of it is undone

Rule 1: nothing is changed that is not on disk first; a process that is killed leaves all that its successor must know.
Rule 2: what cannot be read, or is of another boot, is no journal: nothing is undone by guessing.
Rule 3: a value that somebody else has changed since is theirs, and stays.
Not here: which changes there are (host.py, dns.py), nft (nft.py).
"""

from __future__ import annotations

import json
import logging
import os
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

_log = logging.getLogger("ikepy.gateway")

JOURNAL_FILE = "undo.json"
MOST_OCTETS = 1 << 20
_BOOT = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class SysctlChange:
    """A setting: its name (`net/ipv4/ip_forward`), its value before, and ours."""

    name: str
    before: str
    ours: str


@dataclass(frozen=True, slots=True)
class FileChange:
    """A file: its text before, None where there was none; where it was a link, its goal; and our text."""

    path: str
    before: str | None
    link: str | None
    ours: str


@dataclass(frozen=True, slots=True)
class Changes:
    """What is, or may be, other than before.

    sysctls     in the order in which they are set; undone in that same order, since one may reset others behind it
    tables      of nftables: family and name
    files       that were written
    resolved    interfaces that systemd-resolved was told of
    resolvconf  records that resolvconf was given
    """

    sysctls: tuple[SysctlChange, ...] = ()
    tables: tuple[tuple[str, str], ...] = ()
    files: tuple[FileChange, ...] = ()
    resolved: tuple[str, ...] = ()
    resolvconf: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return any((self.sysctls, self.tables, self.files, self.resolved, self.resolvconf))


class Journal:
    """One file.

    boot   what tells this boot, and this network namespace, from others; None reads it of the host
    """

    def __init__(self, path: Path, boot: str | None = None) -> None:
        self._path = path
        self._boot = boot if boot is not None else this_boot()

    def left(self) -> Changes:
        """What an earlier process has changed and not undone; nothing where there is no journal."""
        try:
            with self._path.open("rb") as file:
                octets = file.read(MOST_OCTETS + 1)
        except FileNotFoundError:
            return Changes()
        except OSError as error:
            _log.warning("%s cannot be read (%s): what an earlier daemon changed stays", self._path, error.strerror)
            return Changes()
        try:
            written = json.loads(octets)
            if written["boot"] != self._boot:
                return Changes()
            return Changes(
                tuple(
                    SysctlChange(*map(_text, (each["name"], each["before"], each["ours"])))
                    for each in written["sysctls"]
                ),
                tuple((_text(family), _text(name)) for family, name in written["tables"]),
                tuple(
                    FileChange(_text(each["path"]), _maybe(each["before"]), _maybe(each["link"]), _text(each["ours"]))
                    for each in written.get("files", ())
                ),
                tuple(map(_text, written.get("resolved", ()))),
                tuple(map(_text, written.get("resolvconf", ()))),
            )
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            _log.warning("%s is damaged (%s): what an earlier daemon changed stays", self._path, error)
            return Changes()

    def note(self, changes: Changes) -> None:
        """Write down all that is, or is about to be, changed; raises OSError."""
        text = json.dumps({"boot": self._boot, **asdict(changes)}, indent=1)
        temporary = self._path.with_suffix(".new")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self._path)

    def close(self) -> None:
        """All is undone: nothing is left to know."""
        with suppress(OSError):
            self._path.unlink(missing_ok=True)


def this_boot() -> str:
    """What is another after a boot, and in another network namespace, where nothing of it is left to undo."""
    namespace = ""
    with suppress(OSError):
        namespace = str(Path("/proc/self/ns/net").readlink())
    try:
        return f"{_BOOT.read_text().strip()} {namespace}"
    except OSError:
        return namespace


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _maybe(value: object) -> str | None:
    return None if value is None else _text(value)
