r"""Users: who there is, who may come in, and whether a password is right.

From the configuration ([users]) and from the file that `ikepy user` keeps; a change of the file counts at once.

Rule 1: who does not exist costs the same work as who does: there is a stand-in whose password nobody knows.
Rule 2: a password is compared in constant time, and all kinds of hash that are in use are computed each time.
Rule 3: a file that cannot be read any more changes nothing, and is told once for each version of it.
Rule 4: `DOMAIN\alice`, as Windows sends it, is alice, unless somebody is called just so.
Not here: the file (users_file.py), EAP (eap/), slowing guesses down (slowdown.py), groups' rights (config/groups.py).
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from threading import Lock

from ikepy.auth.users_file import UsersFileError, Version, read_users, version_of
from ikepy.config.access import UserConfig
from ikepy.crypto.entropy import Entropy
from ikepy.crypto.password import MOST_CHARACTERS, NT_HASH_OCTETS, ScryptHash, make_scrypt_hash, nt_hash
from ikepy.crypto.secret import Secret

_SALT_OCTETS = 16
_MOST_PASSWORD_OCTETS = 4 * MOST_CHARACTERS
"UTF-8 of the longest password."


@dataclass(frozen=True, slots=True)
class User:
    """One user.

    nt_hash   for MSCHAPv2; None where only a scrypt hash is there, or no password at all
    scrypt    for methods that bring the password itself
    plain     the password, where the configuration holds it: for MD5
    expires   the last day (UTC)
    exists    False for the stand-in
    """

    name: str
    nt_hash: Secret | None = None
    scrypt: ScryptHash | None = None
    plain: Secret | None = None
    groups: tuple[str, ...] = ()
    disabled: bool = False
    expires: date | None = None
    exists: bool = True

    def refusal(self, today: date) -> str:
        """Why the user may not come in, for our log; empty where nothing is against it.

        today   the day, UTC
        """
        if not self.exists:
            return "there is no such user"
        if self.disabled:
            return "the user is disabled"
        if self.expires is not None and today > self.expires:
            return f"the user expired {self.expires.isoformat()}"
        return ""


@dataclass(frozen=True, slots=True)
class Changes:
    """What became of users by a change of the file: whose sessions are to be looked at.

    altered   another password, other groups, or disabled or expiring otherwise
    """

    added: tuple[str, ...] = ()
    altered: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.altered or self.removed)


class UserStore:
    """All users; its methods may be called from any thread."""

    def __init__(self, configured: Iterable[UserConfig], file: Path | None, entropy: Entropy) -> None:
        """Read the file; raises UsersFileError.

        configured   those of the configuration
        file         the file `ikepy user` keeps, None where there is none
        """
        self._configured = {user.name: _user(user) for user in configured}
        self._file = file
        self._lock = Lock()
        self._stand_in = User(
            "", Secret(entropy.octets(NT_HASH_OCTETS)), _unknown_hash(entropy), disabled=True, exists=False
        )
        self._version: Version | None = None
        self._told: dict[str, User]
        self._fault: UsersFileError | None
        self._users = dict(self._configured)
        if file is not None:
            self._users, self._version = self._read(file)
        self._told, self._fault = self._users, None

    def find(self, name: str) -> User | None:
        """Find a user by the name a client gives, with or without a domain before it; None where there is none."""
        users = self._users
        return users.get(name) or users.get(name.rpartition("\\")[2])

    def find_or_stand_in(self, name: str) -> User:
        """The same, and for who does not exist somebody whose password nobody knows."""
        return self.find(name) or replace(self._stand_in, name=name)

    def verify_password(self, user: User | None, octets: bytes) -> bool:
        """Whether this is the user's password, UTF-8; True only for users who exist.

        The same work is done for all: scrypt where anybody has such a hash, and an NT hash.
        """
        needs_scrypt = any(each.scrypt is not None for each in self._users.values())
        return verify_password(user or self._stand_in, octets, self._stand_in if needs_scrypt else None)

    def refresh(self) -> Changes:
        """Read the file again where it changed, and tell what changed since this was last asked.

        Raises UsersFileError, once for each version that cannot be read; the users stay as they were.
        """
        self.look()
        with self._lock:
            fault, self._fault = self._fault, None
            before, self._told = self._told, self._users
            users = self._users
        if fault is not None:
            raise fault
        if users is before:
            return Changes()
        return Changes(
            tuple(name for name in users if name not in before),
            tuple(name for name, user in users.items() if name in before and user != before[name]),
            tuple(name for name in before if name not in users),
        )

    def look(self) -> None:
        """Read the file again where it changed; what changed, or is wrong with it, refresh() tells."""
        if self._file is None:
            return
        with self._lock:
            version = version_of(self._file)
            if version == self._version:
                return
            self._version = version  # also of one that cannot be read: it is told once
            try:
                self._users, self._version = self._read(self._file)
            except UsersFileError as fault:
                self._fault = fault

    def unknown_groups(self, known: Iterable[str]) -> tuple[str, ...]:
        """Groups that users name and the configuration does not have, for a warning."""
        named = {group for user in self._users.values() for group in user.groups}
        return tuple(sorted(named - set(known)))

    def __len__(self) -> int:
        return len(self._users)

    def _read(self, file: Path) -> tuple[dict[str, User], Version | None]:
        found, version = read_users(file)
        users = dict(self._configured)
        for user in found:
            if user.name in self._configured:
                raise UsersFileError(
                    file, f"the user '{user.name}' is also in the configuration", f"run: ikepy user remove {user.name}"
                )
            users[user.name] = _user(user)
        return users, version


def verify_password(user: User, octets: bytes, stand_in: User | None = None) -> bool:
    """Whether octets are a user's password, UTF-8, in constant time.

    stand_in   whose scrypt hash is computed where the user has none; None where nobody has one
    """
    octets = octets[: _MOST_PASSWORD_OCTETS + 1]
    scrypt = user.scrypt or (stand_in.scrypt if stand_in is not None else None)
    by_scrypt = scrypt is not None and scrypt.fits(octets) and user.scrypt is not None
    given = nt_hash(octets.decode("utf-8", "surrogateescape"))
    by_nt_hash = hmac.compare_digest(given.reveal(), user.nt_hash.reveal() if user.nt_hash is not None else bytes(16))
    fits = by_scrypt if user.scrypt is not None else by_nt_hash and user.nt_hash is not None
    return fits and user.exists and len(octets) <= _MOST_PASSWORD_OCTETS


def _user(user: UserConfig) -> User:
    hashed = nt_hash(user.password.reveal().decode()) if user.password is not None else user.nt_hash
    return User(user.name, hashed, user.scrypt, user.password, user.groups, user.disabled, user.expires)


def _unknown_hash(entropy: Entropy) -> ScryptHash:
    """A scrypt hash of nothing anybody knows, at the cost of those we make."""
    made = make_scrypt_hash(b"", entropy.octets(_SALT_OCTETS))
    return replace(made, digest=Secret(entropy.octets(len(made.digest))))
