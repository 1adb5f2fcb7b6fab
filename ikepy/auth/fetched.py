"""What CAs say of certificates where these say it is found: CRLs and OCSP answers that were fetched, kept until they are out of date.

    sources = sources_of(certificate, issuer)      in the order they are asked: OCSP, then CRLs
    fetched.look(source, now)                      what is known: Status, Silence, or None where somebody has to fetch it
    fetched.take(source, octets, now)              judge and keep what came
    fetched.failed(source, why, now)               remember that nothing came, so that it is not asked for at once again

Rule 1: a source is made of a chain that has been proven, and of nothing else: nobody else's URLs are ever followed.
Rule 2: what came is judged by the issuer's key when it comes and when it is read from disk; nothing else is kept.
Rule 3: an answer that is out of date is no answer, but what it called revoked is revoked.
Not here: fetching (daemon/fetching.py), what silence means (revocation.py).
"""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from threading import Lock
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.x509.oid import AuthorityInformationAccessOID

from ikepy.auth.certificate import Certificate
from ikepy.auth.ocsp import AnswerRefused, Status, build_request, read_answer
from ikepy.auth.revocation_lists import List, ListRefused, judge_list

_log = logging.getLogger("ikepy.auth")

MOST_LIST_OCTETS = 16 << 20
MOST_ANSWER_OCTETS = 64 << 10
"The largest CRL and the largest OCSP answer that are read."
MOST_KEPT = 512
"Sources that are remembered; the oldest is forgotten first."
RETRY = timedelta(seconds=60)
"How long a source that did not answer is left in peace."
_MOST_URLS = 2
_MOST_URL = 1024


@dataclass(frozen=True, slots=True)
class Source:
    """Where one certificate's status is found.

    request  the OCSP request that is posted; empty for a CRL, which is got
    """

    url: str
    certificate: Certificate
    issuer: Certificate
    request: bytes = b""

    @property
    def most_octets(self) -> int:
        """The most that is read of what it sends."""
        return MOST_ANSWER_OCTETS if self.request else MOST_LIST_OCTETS

    @property
    def key(self) -> str:
        """What is kept of it is kept under this: of a CRL one for all certificates of its issuer."""
        about = self.request or b"crl"
        parts = (self.url.encode(), self.issuer.der, about)
        return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()


@dataclass(frozen=True, slots=True)
class Silence:
    """A source that said nothing of use; `why` in words."""

    why: str


@dataclass(slots=True)
class _Kept:
    """What came last, judged; why nothing came after that, and when to ask again."""

    said: Status | List | None = None
    why: str = ""
    retry_at: datetime | None = None


def sources_of(certificate: Certificate, issuer: Certificate) -> tuple[Source, ...]:
    """Where a certificate says that its status is found, by plain HTTP, in the order of asking."""
    answers = [Source(url, certificate, issuer, build_request(certificate, issuer)) for url in _ocsp_urls(certificate)]
    return (*answers, *(Source(url, certificate, issuer) for url in _crl_urls(certificate)))


class Fetched:
    """What was fetched, in memory and in a directory; may be used from any thread."""

    def __init__(self, directory: Path | None = None) -> None:
        self._directory = directory
        self._kept: dict[str, _Kept] = {}
        self._lock = Lock()

    def look(self, source: Source, now: datetime) -> Status | Silence | None:
        """What is known of a certificate from there; None where it has to be fetched (again)."""
        kept = self._find(source, now)
        status = _status(kept.said, source.certificate)
        if status is not None and (status.is_revoked or status.is_fresh(now)):
            return status
        if kept.retry_at is not None and now < kept.retry_at:
            return Silence(kept.why)
        return None

    def take(self, source: Source, octets: bytes, now: datetime) -> None:
        """Judge what came, and keep it where it is good."""
        try:
            said = _judge(source, octets, now)
        except (AnswerRefused, ListRefused) as refused:
            self.failed(source, str(refused), now)
            return
        status = _status(said, source.certificate)
        if status is None or not (status.is_fresh(now) or status.is_revoked):
            self.failed(source, "what it sent is out of date", now)
            return
        self._keep(source, _Kept(said))
        self._write(source, octets)

    def failed(self, source: Source, why: str, now: datetime) -> None:
        """Remember that nothing came; what came earlier stays."""
        _log.warning("certificate %s: %s: %s", source.certificate, source.url, why)
        self._keep(source, _Kept(self._find(source, now).said, why, now + RETRY))

    def _find(self, source: Source, now: datetime) -> _Kept:
        with self._lock:
            kept = self._kept.get(source.key)
        if kept is None:
            kept = _Kept()
            octets = self._read(source)
            if octets is not None:
                with suppress(AnswerRefused, ListRefused):
                    kept.said = _judge(source, octets, now)
            self._keep(source, kept)
        return kept

    def _keep(self, source: Source, kept: _Kept) -> None:
        with self._lock:
            self._kept.pop(source.key, None)
            self._kept[source.key] = kept
            while len(self._kept) > MOST_KEPT:
                del self._kept[next(iter(self._kept))]

    def _read(self, source: Source) -> bytes | None:
        if self._directory is None:
            return None
        try:
            with (self._directory / source.key).open("rb") as file:
                octets = file.read(source.most_octets + 1)
        except OSError:
            return None
        return octets if len(octets) <= source.most_octets else None

    def _write(self, source: Source, octets: bytes) -> None:
        """Write it for the next daemon; without a disk it is fetched again, no more."""
        if self._directory is None:
            return
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._forget_old()
            descriptor, name = tempfile.mkstemp(dir=self._directory)
            with os.fdopen(descriptor, "wb") as file:
                file.write(octets)
            Path(name).replace(self._directory / source.key)
        except OSError as error:
            _log.warning("what %s sent is not kept: %s", source.url, error.strerror)

    def _forget_old(self) -> None:
        assert self._directory is not None  # noqa: S101 - its caller has looked
        files = sorted(self._directory.iterdir(), key=lambda each: each.stat().st_mtime)
        for each in files[: max(0, len(files) - MOST_KEPT + 1)]:
            each.unlink(missing_ok=True)


def _judge(source: Source, octets: bytes, now: datetime) -> Status | List:
    if source.request:
        return read_answer(octets, source.certificate, source.issuer, now)
    return judge_list(octets, source.certificate, source.issuer)


def _status(said: Status | List | None, certificate: Certificate) -> Status | None:
    return said.status(certificate) if isinstance(said, List) else said


def _ocsp_urls(certificate: Certificate) -> list[str]:
    try:
        access = certificate.parsed.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    except (x509.ExtensionNotFound, ValueError):
        return []
    located = [each.access_location for each in access if each.access_method == AuthorityInformationAccessOID.OCSP]
    return _plain(located)


def _crl_urls(certificate: Certificate) -> list[str]:
    try:
        points = certificate.parsed.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    except (x509.ExtensionNotFound, ValueError):
        return []
    whole = [point for point in points if point.reasons is None and point.crl_issuer is None]
    return _plain([name for point in whole for name in point.full_name or ()])


def _plain(names: list[x509.GeneralName]) -> list[str]:
    urls = [each.value for each in names if isinstance(each, x509.UniformResourceIdentifier)]
    return [url for url in urls if is_plain(url)][:_MOST_URLS]


def is_plain(url: str) -> bool:
    """Whether it is a URL of plain HTTP that can be asked: a host, no user, no odd letters."""
    if len(url) > _MOST_URL or not url.isascii() or not url.isprintable() or " " in url:
        return False
    try:
        parts = urlsplit(url)
        return parts.scheme == "http" and bool(parts.hostname) and "@" not in parts.netloc and parts.port != 0
    except ValueError:
        return False
