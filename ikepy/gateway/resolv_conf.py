"""The file that says which DNS servers there are (resolv.conf(5)): what we write into it, and how it was before.

Rule 1: what was there is in the journal before anything is written: a link's goal, a file's text, or that there was none.
Rule 2: it is put back only where it still is what we wrote: what somebody else wrote since is theirs.
Not here: other ways to tell DNS servers (dns.py), the journal (journal.py).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from errno import EBUSY
from pathlib import Path

from ikepy.gateway.journal import FileChange
from ikepy.ipsec import IpAddress

MOST_SERVERS = 3
"What a C library asks at most."
_MOST_OCTETS = 1 << 16
_MODE = 0o644


def text_of(servers: Sequence[IpAddress], domains: Sequence[str], before: str) -> str:
    """What the file is to say; the options that stand in it stay."""
    kept = [line for line in before.splitlines() if line.split()[:1] in (["options"], ["sortlist"])]
    lines = ["# Written by ikepy while its tunnel is up; what was here before comes back when it ends."]
    lines += [f"nameserver {server}" for server in servers[:MOST_SERVERS]]
    if domains:
        lines.append(f"search {' '.join(domains)}")
    return "\n".join([*lines, *kept]) + "\n"


def servers_in(text: str) -> list[str]:
    """The servers that a file names."""
    rows = (line.split() for line in text.splitlines())
    return [row[1] for row in rows if len(row) > 1 and row[0] == "nameserver"]


def look(path: Path) -> FileChange:
    """How the file is now, as what is to be put back; raises OSError."""
    link = str(path.readlink()) if path.is_symlink() else None
    return FileChange(str(path), read(path), link, "")


def read(path: Path) -> str | None:
    """What it says; None where there is none."""
    try:
        with path.open("rb") as file:
            return file.read(_MOST_OCTETS).decode("utf-8", "replace")
    except OSError:
        return None


def write(path: Path, text: str) -> None:
    """Write the file as a whole; raises OSError."""
    temporary = path.with_name(f"{path.name}.ikepy")
    with suppress(FileNotFoundError):
        temporary.unlink()
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _MODE)
    with os.fdopen(descriptor, "w") as file:
        os.fchmod(file.fileno(), _MODE)
        file.write(text)
    _put(temporary, path, text)


def put_back(change: FileChange) -> bool:
    """Have the file as it was; False where somebody else has written it since. Raises OSError."""
    path = Path(change.path)
    if path.is_symlink() or read(path) != change.ours:
        is_as_before = (str(path.readlink()) if path.is_symlink() else None) == change.link
        return is_as_before and read(path) == change.before
    if change.link is not None:
        temporary = path.with_name(f"{path.name}.ikepy")
        with suppress(FileNotFoundError):
            temporary.unlink()
        temporary.symlink_to(change.link)
        temporary.replace(path)
    elif change.before is None:
        path.unlink(missing_ok=True)
    else:
        write(path, change.before)
    return True


def _put(temporary: Path, path: Path, text: str) -> None:
    try:
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        if error.errno != EBUSY:
            raise
        path.write_text(text)  # it is mounted there, as in containers
