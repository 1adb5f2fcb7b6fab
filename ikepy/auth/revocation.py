"""Revocation by lists (CRLs, RFC 5280 §5, §6.3): from files and directories, read again when they change.

    strict   each certificate of a chain must be in no list, and there must be a list that is valid now
    soft     one that a list names is refused; where there is no list, or an old one, the log says so once in a while
    off      no list is looked at

Rule 1: a list counts only where the CA above the certificate has signed it, and may sign lists.
Rule 2: a list that says what is not understood (a critical extension, a part of a CA's certificates, changes to another
        list) is no list; an old one still revokes what it names.
Rule 3: a file that cannot be read now leaves what it last said in force, and the log says so.
Not here: whether a chain is good (chains.py), fetching: nothing is.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from threading import Lock

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.x509.oid import CRLEntryExtensionOID, ExtensionOID

from ikepy.auth.certificate import Certificate, CertificateRefused
from ikepy.auth.files import CredentialError
from ikepy.config.authentication import Revocation

_log = logging.getLogger("ikepy.auth")

MOST_OCTETS = 64 << 20
"The largest list that is read."
MOST_FILES = 256
"Files of a directory that are read."
_ENDINGS = frozenset({".crl", ".pem", ".der"})
_KNOWN = frozenset(
    {
        ExtensionOID.AUTHORITY_KEY_IDENTIFIER,
        ExtensionOID.CRL_NUMBER,
        ExtensionOID.ISSUING_DISTRIBUTION_POINT,
        ExtensionOID.ISSUER_ALTERNATIVE_NAME,
        ExtensionOID.AUTHORITY_INFORMATION_ACCESS,
        ExtensionOID.FRESHEST_CRL,
    }
)
_KNOWN_OF_ENTRIES = frozenset({CRLEntryExtensionOID.CRL_REASON, CRLEntryExtensionOID.INVALIDITY_DATE})
_UNREADABLE = (ValueError, TypeError, x509.DuplicateExtension, UnsupportedAlgorithm)
Version = tuple[int, int, int]


@dataclass(frozen=True, slots=True, eq=False)
class List:
    """One list, read.

    only  whether it is for certificates of CAs alone (True), of others alone (False), or for all
    """

    file: Path
    parsed: x509.CertificateRevocationList
    only: bool | None

    def covers(self, certificate: Certificate) -> bool:
        """Whether it says anything of a certificate."""
        try:
            is_theirs = self.parsed.issuer == certificate.parsed.issuer
        except _UNREADABLE:
            return False
        return is_theirs and self.only in {None, certificate.is_ca}

    def is_of(self, issuer: Certificate) -> bool:
        """Whether a CA has signed it, and may."""
        if issuer.key_usage is not None and not issuer.key_usage.crl_sign:
            return False
        try:
            return self.parsed.is_signature_valid(issuer.public_key)
        except (*_UNREADABLE, InvalidSignature):
            return False


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
    """What is asked of a chain that is good otherwise."""

    mode: Revocation = Revocation.OFF
    lists: Lists | None = None

    def check(self, chain: Sequence[Certificate], now: datetime) -> None:
        """Check each certificate below the trust anchor; raises CertificateRefused."""
        if self.mode is Revocation.OFF:
            return
        for certificate, issuer in pairwise(chain):
            self._check_one(certificate, issuer, now)

    def _check_one(self, certificate: Certificate, issuer: Certificate, now: datetime) -> None:
        lists = [each for each in (self.lists.covering(certificate) if self.lists else ()) if each.is_of(issuer)]
        for each in lists:
            entry = each.parsed.get_revoked_certificate_by_serial_number(certificate.parsed.serial_number)
            if entry is not None:
                raise CertificateRefused(
                    f"certificate {certificate} was revoked {entry.revocation_date_utc:%Y-%m-%d %H:%M} UTC"
                    f"{_reason(entry)}, says {each.file}: its owner needs a new one"
                )
        if any(_is_valid(each, now) for each in lists):
            return
        why = (
            f"there is no CRL of {issuer} in crls"
            if not lists
            else f"the CRL of {issuer} in {lists[0].file} is out of date"
        )
        if self.mode is Revocation.STRICT:
            raise CertificateRefused(
                f"certificate {certificate}: {why}, and revocation is strict: put a newer one there"
            )
        _log.warning("certificate %s is taken, though %s", certificate, why)


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
        parsed = (
            [x509.load_pem_x509_crl(block) for block in _blocks(octets)]
            if b"-----BEGIN" in octets
            else [x509.load_der_x509_crl(octets)]
        )
        return tuple(_understood(file, each) for each in parsed)
    except _UNREADABLE as error:
        raise CredentialError(file, f"no CRL that can be read: {error}", "name one in PEM or DER") from error


def _blocks(octets: bytes) -> list[bytes]:
    begin = b"-----BEGIN X509 CRL-----"
    return [
        begin + rest.partition(b"-----END X509 CRL-----")[0] + b"-----END X509 CRL-----\n"
        for rest in octets.split(begin)[1:]
    ]


def _understood(file: Path, parsed: x509.CertificateRevocationList) -> List:
    """The list, if all of it is understood; raises CredentialError."""
    only: bool | None = None
    for extension in parsed.extensions:
        value = extension.value
        if isinstance(value, x509.DeltaCRLIndicator):
            raise CredentialError(file, "it only says what changed since another CRL", "put the complete one there")
        if extension.critical and extension.oid not in _KNOWN:
            oid = extension.oid.dotted_string
            raise CredentialError(file, f"its critical extension {oid} is not understood", "ask its CA for a plain CRL")
        if isinstance(value, x509.IssuingDistributionPoint):
            if value.indirect_crl or value.only_some_reasons or value.only_contains_attribute_certs:
                raise CredentialError(file, "it is indirect, or for some reasons alone", "put the complete one there")
            only = True if value.only_contains_ca_certs else False if value.only_contains_user_certs else None
    return List(file, parsed, only)


def _is_valid(each: List, now: datetime) -> bool:
    until = each.parsed.next_update_utc
    return each.parsed.last_update_utc <= now and until is not None and now <= until


def _reason(entry: x509.RevokedCertificate) -> str:
    try:
        return f" ({entry.extensions.get_extension_for_class(x509.CRLReason).value.reason.value})"
    except (x509.ExtensionNotFound, *_UNREADABLE):
        return ""


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
