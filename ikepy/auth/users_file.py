"""The file of users that `ikepy user` keeps: one line of JSON each.

    {"name": "alice", "nt_hash": "44ebba8d5312b8d611474411f56989ae", "groups": ["staff"], "expires": "2026-12-31"}

Rule 1: its owner's alone, judged on what was opened; a file that others may read is refused, not mended.
Rule 2: it is replaced as a whole by rename: who reads it sees the old users or the new ones.
Rule 3: one change at a time: a lock on its directory, so that two administrators do not undo each other.
Rule 4: no error shows a hash; a line that cannot be read is an error, never a user left out.
Not here: whether somebody may come in (users.py).
"""

from __future__ import annotations

import fcntl
import json
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from ikepy.config.access import UserConfig
from ikepy.config.access_values import MOST_NAME_CHARACTERS, check_user_name, parse_day, parse_nt_hash, parse_scrypt
from ikepy.config.errors import Unfit

MOST_OCTETS = 16 << 20
"The largest file that is read; more is surely the wrong file."
_WORDS = frozenset({"name", "nt_hash", "scrypt", "groups", "disabled", "expires"})
_MOST_GROUPS = 256


class UsersFileError(Exception):
    """The file of users cannot be used; the message says where, what it is, and what would be right."""

    def __init__(self, file: Path, problem: str, remedy: str = "", line: int | None = None) -> None:
        place = f"{file}, line {line}" if line is not None else str(file)
        super().__init__(f"{place}: {problem}" + (f"; {remedy}" if remedy else ""))


@dataclass(frozen=True, slots=True)
class Version:
    """Which file was read: it differs after each change, of its mode too."""

    inode: int
    ctime_ns: int
    octets: int


def version_of(file: Path) -> Version | None:
    """The version of the file that is there, None where there is none; raises UsersFileError."""
    try:
        found = file.stat()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UsersFileError(file, f"cannot be read: {error.strerror or error}", "check the permissions") from error
    return _version(found)


def read_users(file: Path) -> tuple[tuple[UserConfig, ...], Version | None]:
    """Read all users and which version they are of; no file is no users. Raises UsersFileError."""
    try:
        with file.open("rb") as opened:
            found = os.fstat(opened.fileno())
            mode = stat.S_IMODE(found.st_mode)
            if mode & 0o077:
                raise UsersFileError(
                    file, f"others may get at the users' hashes (mode {mode:04o})", f"chmod 600 {file}"
                )
            octets = opened.read(MOST_OCTETS + 1)
    except FileNotFoundError:
        return (), None
    except OSError as error:
        raise UsersFileError(file, f"cannot be read: {error.strerror or error}", "check the permissions") from error
    if len(octets) > MOST_OCTETS:
        raise UsersFileError(file, f"the file has more than {MOST_OCTETS >> 20} MiB", "is it a file of users?")
    return tuple(_parse(file, octets)), _version(found)


def write_users(file: Path, users: Iterable[UserConfig]) -> None:
    """Replace the file by one with these users; raises UsersFileError, and then the old one is still there."""
    fresh = file.with_name(f".{file.name}.{os.getpid()}.new")
    octets = "".join(json.dumps(_document(user)) + "\n" for user in users).encode()
    try:
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            with open(descriptor, "wb") as opened:  # noqa: PTH123 - a descriptor
                opened.write(octets)
                opened.flush()
                _keep_owner(file, descriptor)
                os.fsync(descriptor)
            fresh.rename(file)
        except BaseException:
            fresh.unlink(missing_ok=True)
            raise
        _sync_directory(file.parent)
    except OSError as error:
        raise UsersFileError(file, f"cannot be written: {error.strerror or error}", "check the permissions") from error


@contextmanager
def changing(file: Path) -> Iterator[dict[str, UserConfig]]:
    """Give the users by name to be changed; what they are at the end is written, unless an error comes.

    Waits while somebody else changes them. Raises UsersFileError.
    """
    try:
        directory = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise UsersFileError(
            file, f"its directory cannot be opened: {error.strerror or error}", "make it first"
        ) from error
    try:
        fcntl.flock(directory, fcntl.LOCK_EX)
        users = {user.name: user for user in read_users(file)[0]}
        before = dict(users)
        yield users
        if users != before:
            write_users(file, users.values())
    finally:
        os.close(directory)


def _parse(file: Path, octets: bytes) -> Iterator[UserConfig]:
    seen: dict[str, int] = {}
    for number, line in enumerate(octets.split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            user = _user(json.loads(line.decode()))
        except Unfit as fault:
            raise UsersFileError(file, fault.problem, fault.remedy, number) from None
        except (ValueError, RecursionError):
            raise UsersFileError(file, "this is no line of JSON", "take it out, or mend it", number) from None
        if user.name in seen:
            raise UsersFileError(
                file, f"the user '{user.name}' is also in line {seen[user.name]}", "take one of them out", number
            )
        seen[user.name] = number
        yield user


def _user(document: object) -> UserConfig:
    if not isinstance(document, Mapping):
        raise Unfit("this is no user", 'write {"name": "alice", ...}')
    unknown = sorted(set(document) - _WORDS)
    if unknown:
        raise Unfit(f"unknown key {unknown[0][:40]!r}", "write one of " + ", ".join(sorted(_WORDS)))
    nt_hash, scrypt, expires = (_text(document, word) for word in ("nt_hash", "scrypt", "expires"))
    groups, disabled = document.get("groups", []), document.get("disabled", False)
    if not isinstance(groups, list) or len(groups) > _MOST_GROUPS or not all(_is_name(each) for each in groups):
        raise Unfit("groups is no list of names", 'write "groups": ["staff"]')
    if not isinstance(disabled, bool):
        raise Unfit("disabled is neither true nor false", 'write "disabled": true')
    return UserConfig(
        check_user_name(_text(document, "name") or ""),
        nt_hash=parse_nt_hash(nt_hash) if nt_hash is not None else None,
        scrypt=parse_scrypt(scrypt) if scrypt is not None else None,
        groups=tuple(groups),
        disabled=disabled,
        expires=parse_day(expires) if expires is not None else None,
    )


def _is_name(value: object) -> bool:
    return isinstance(value, str) and value.isprintable() and 0 < len(value) <= MOST_NAME_CHARACTERS


def _text(document: Mapping[str, object], word: str) -> str | None:
    value = document.get(word)
    if value is not None and not isinstance(value, str):
        raise Unfit(f"{word} is not text", "write it in quotes")
    return value


def _document(user: UserConfig) -> dict[str, object]:
    """What is written of a user: never a password, and only what is said."""
    document: dict[str, object] = {"name": user.name}
    if user.nt_hash is not None:
        document["nt_hash"] = user.nt_hash.reveal().hex()
    if user.scrypt is not None:
        document["scrypt"] = user.scrypt.text()
    if user.groups:
        document["groups"] = list(user.groups)
    if user.disabled:
        document["disabled"] = True
    if user.expires is not None:
        document["expires"] = user.expires.isoformat()
    return document


def _version(found: os.stat_result) -> Version:
    return Version(found.st_ino, found.st_ctime_ns, found.st_size)


def _keep_owner(file: Path, descriptor: int) -> None:
    """Give a new file the owner of the one it replaces: root changes users of a daemon that is not root."""
    with suppress(FileNotFoundError):
        before, now = file.stat(), os.fstat(descriptor)
        if (before.st_uid, before.st_gid) != (now.st_uid, now.st_gid):
            os.fchown(descriptor, before.st_uid, before.st_gid)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
