"""Revocation: of each certificate of a good chain, by lists in files and directories and by what its CA answers.

    strict   each certificate of a chain must be known not to be revoked, now
    soft     one that is known to be revoked is refused; where that cannot be found out, the log says so
    off      nobody is asked

Rule 1: a list counts only where the CA above the certificate has signed it, and may sign lists; an old one still revokes what
        it names.
Rule 2: a file that cannot be read now leaves what it last said in force, and the log says so.
Rule 3: nothing is fetched here: StatusWanted says what somebody has to fetch, aside from the threads that verify.
Not here: whether a chain is good (chains.py), one list (revocation_lists.py), what is fetched (fetched.py).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from threading import Lock

from ikepy.auth.certificate import Certificate, CertificateRefused
from ikepy.auth.fetched import Fetched, Silence, Source, sources_of
from ikepy.auth.files import CredentialError
from ikepy.auth.revocation_lists import List, ListRefused, parse_lists
from ikepy.config.authentication import Revocation

_log = logging.getLogger("ikepy.auth")

MOST_OCTETS = 64 << 20
"The largest list that is read."
MOST_FILES = 256
"Files of a directory that are read."
_ENDINGS = frozenset({".crl", ".pem", ".der"})
_NOWHERE = "it says nowhere where a CRL is, and there is none in crls"
Version = tuple[int, int, int]


class StatusWanted(Exception):
    """A chain is good, and what its CAs say of it has to be fetched before it is judged."""

    def __init__(self, sources: Sequence[Source]) -> None:
        super().__init__("what CAs say of certificates has to be fetched: " + ", ".join(each.url for each in sources))
        self.sources = tuple(sources)


class Lists:
    """The lists of some files and directories; those that changed are read again when they are asked for."""

    def __init__(self, paths: Sequence[Path]) -> None:
        """Read them; raises CredentialError."""
        self._paths = tuple(paths)
        self._read: dict[Path, tuple[Version, tuple[List, ...]]] = {}
        self._lock = Lock()
        for file in _files(self._paths):
            self._read[file] = _version(file), read_lists(file)

    def covering(self, certificate: Certificate) -> Iterator[List]:
        """Those that say anything of a certificate, as they are now."""
        self._refresh()
        for _, lists in self._read.values():
            yield from (each for each in lists if each.covers(certificate))

    def _refresh(self) -> None:
        with self._lock:
            fresh: dict[Path, tuple[Version, tuple[List, ...]]] = {}
            for file in _files(self._paths):
                known = self._read.get(file)
                try:
                    version = _version(file)
                    fresh[file] = known if known is not None and known[0] == version else (version, read_lists(file))
                except CredentialError as error:
                    _log.warning("%s; what it said before stays in force", error)
                    if known is not None:
                        fresh[file] = known
            for path in self._paths:
                # A file that is gone for a moment, as while it is replaced, has not unsaid anything.
                if path not in fresh and path in self._read:
                    fresh[path] = self._read[path]
            self._read = fresh


@dataclass(frozen=True, slots=True)
class Revocations:
    """What is asked of a chain that is good otherwise.

    fetched   what CAs said where their certificates say; None where they are not asked
    """

    mode: Revocation = Revocation.OFF
    lists: Lists | None = None
    fetched: Fetched | None = None

    def check(self, chain: Sequence[Certificate], now: datetime) -> None:
        """Check each certificate below the trust anchor; raises CertificateRefused, StatusWanted."""
        if self.mode is Revocation.OFF:
            return
        wanted: list[Source] = []
        unknown: list[tuple[Certificate, str]] = []
        for certificate, issuer in pairwise(chain):
            why = self._by_lists(certificate, issuer, now)
            if why is not None and self.fetched is not None:
                said = self._by_answers(self.fetched, certificate, issuer, now, wanted)
                why = why if said == "" else said
            if why is not None:
                unknown.append((certificate, why))
        if wanted:
            raise StatusWanted(wanted)
        for certificate, why in unknown:
            if self.mode is Revocation.STRICT:
                raise CertificateRefused(
                    f"certificate {certificate}: {why or _NOWHERE}, and revocation is strict: put a newer one there"
                )
            if why:
                _log.warning("certificate %s is taken, though %s", certificate, why)

    def of_lists_alone(self, *, is_asked_later: bool) -> Revocations:
        """The same for who cannot wait for a fetch; where it is asked later, what lists do not tell is nothing yet."""
        if self.fetched is None:
            return self
        mode = Revocation.SOFT if is_asked_later and self.mode is Revocation.STRICT else self.mode
        return Revocations(mode, self.lists)

    def _by_lists(self, certificate: Certificate, issuer: Certificate, now: datetime) -> str | None:
        """Why lists do not tell that it is good, None where they do; raises CertificateRefused where they say it is not."""
        if self.lists is None:
            return ""
        lists = [each for each in self.lists.covering(certificate) if each.is_of(issuer)]
        for each in lists:
            _refuse_revoked(certificate, each.entry(certificate), each.where)
        if any(each.is_valid(now) for each in lists):
            return None
        if not lists:
            return f"there is no CRL of {issuer} in crls"
        return f"the CRL of {issuer} in {lists[0].where} is out of date"

    @staticmethod
    def _by_answers(
        fetched: Fetched, certificate: Certificate, issuer: Certificate, now: datetime, wanted: list[Source]
    ) -> str | None:
        """The same of what was fetched, empty where there is nobody to ask; what has to be fetched first is added to `wanted`."""
        silent = ""
        for source in sources_of(certificate, issuer):
            match fetched.look(source, now):
                case None:
                    wanted.append(source)
                    return None
                case Silence(why):
                    silent = f"{source.url} says nothing of it ({why})"
                case status:
                    revoked = (status.revoked, status.reason) if status.revoked is not None else None
                    _refuse_revoked(certificate, revoked, source.url)
                    return None
        return silent


def _refuse_revoked(certificate: Certificate, entry: tuple[datetime, str] | None, where: str) -> None:
    if entry is not None:
        at, reason = entry
        raise CertificateRefused(
            f"certificate {certificate} was revoked {at:%Y-%m-%d %H:%M} UTC{f' ({reason})' if reason else ''}, says "
            f"{where}: its owner needs a new one"
        )


def read_lists(file: Path) -> tuple[List, ...]:
    """Read all lists of a file, PEM or DER; raises CredentialError."""
    try:
        with file.open("rb") as opened:
            octets = opened.read(MOST_OCTETS + 1)
    except OSError as error:
        raise CredentialError(
            file, f"cannot be read: {error.strerror}", "check the name and the permissions"
        ) from error
    if len(octets) > MOST_OCTETS:
        raise CredentialError(file, f"it has more than {MOST_OCTETS >> 20} MiB", "is it a CRL?")
    try:
        return parse_lists(octets, str(file))
    except ListRefused as refused:
        raise CredentialError(file, refused.problem, refused.remedy) from refused


def _files(paths: Sequence[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted(each for each in path.iterdir() if each.suffix in _ENDINGS and each.is_file())[
                :MOST_FILES
            ]
        elif path.exists():
            yield path


def _version(file: Path) -> Version:
    try:
        found = file.stat()
    except OSError as error:
        raise CredentialError(
            file, f"cannot be read: {error.strerror}", "check the name and the permissions"
        ) from error
    return found.st_ino, found.st_mtime_ns, found.st_size
