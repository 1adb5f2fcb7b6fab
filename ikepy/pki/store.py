"""A CA and all it has issued, as plain PEM files in one directory.

    ca.pem            its certificate                    crl.pem, crl.der    what it has revoked
    ca.key            its private key, 0600              index.txt           what it has issued (openssl's form)
    certs/NAME.pem    certificates                       private/NAME.key    their private keys, 0600
    pki.toml          addresses of its CRL and OCSP      certs/old           certificates that were renewed

    pki = Pki(directory)
    pki.init("Example CA", KeyKind.RSA)
    pki.issue_server(["vpn.example.com"])
    pki.issue_client("alice")
    pki.revoke("alice", "keyCompromise")

Rule 1: nothing that is there is written over; what is renewed goes aside first.
Rule 2: a file is whole or not there: written beside, synced, renamed. A private key is 0600 from its first octet.
Rule 3: one process at a time: index, serial numbers and CRL numbers change under a lock.
Not here: what stands in a certificate (making.py), its words for people (showing.py).
"""

from __future__ import annotations

import fcntl
import os
import tomllib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from ikepy.crypto.secret import Secret
from ikepy.pki.errors import PkiError
from ikepy.pki.index import REASONS, Entry, read_index, write_index
from ikepy.pki.making import Issuer, Key, KeyKind, Revoked, issue, make_authority, make_crl, make_key
from ikepy.pki.names import client_names, common_name, file_name, server_names

AUTHORITY_DAYS, SERVER_DAYS, CLIENT_DAYS, CRL_DAYS = 3650, 397, 397, 30
"""Apple's systems take no gateway's certificate that is valid for more than 825 days, and 398 of public CAs."""
_MOST_OCTETS = 1 << 20
_URLS = ("crl_url", "ocsp_url")
_LEAST_DIGITS = 12
"""Of a serial number, for it to be known by its beginning."""

Passphrase = Callable[[], Secret]


def utc_now() -> datetime:
    """The time, to the second."""
    return datetime.now(UTC).replace(microsecond=0)


class Pki:
    """One directory.

    passphrase  asked for where the CA's key is encrypted
    now         the clock
    """

    def __init__(
        self, directory: Path, passphrase: Passphrase | None = None, now: Callable[[], datetime] = utc_now
    ) -> None:
        self.directory = directory
        self._passphrase, self.now = passphrase, now

    # -- the CA --------------------------------------------------------------------------------------------------

    @property
    def authority_file(self) -> Path:
        """The CA's certificate."""
        return self.directory / "ca.pem"

    def init(
        self,
        name: str,
        kind: KeyKind = KeyKind.RSA,
        *,
        days: int = AUTHORITY_DAYS,
        encrypt: Secret | None = None,
        crl_url: str | None = None,
        ocsp_url: str | None = None,
    ) -> x509.Certificate:
        """Make a CA; raises PkiError where there is one.

        encrypt  what its key is encrypted with; None leaves it plain
        """
        subject, urls = common_name(name), {"crl_url": _url(crl_url), "ocsp_url": _url(ocsp_url)}
        with self._alone():
            self._refuse_if_there()
            key = make_key(kind)
            certificate = make_authority(subject, key, self.now(), days)
            self._write_authority(certificate, key, encrypt, urls)
        return certificate

    def adopt(self, certificate: x509.Certificate, key: Key, *, encrypt: Secret | None = None) -> None:
        """Have a CA that was made elsewhere; raises PkiError where it is none, or there is one."""
        basic = _extension(certificate, x509.BasicConstraints)
        if not isinstance(basic, x509.BasicConstraints) or not basic.ca:
            raise PkiError("that certificate is no CA: `ikepy pki import` takes a CA's, with its key")
        if _extension(certificate, x509.SubjectKeyIdentifier) is None:
            raise PkiError("that CA has no subjectKeyIdentifier, which clients look for: make a new one")
        if certificate.public_key() != key.public_key():
            raise PkiError("that key does not belong to that certificate")
        with self._alone():
            self._refuse_if_there()
            self._write_authority(certificate, key, encrypt, {})

    def authority(self) -> x509.Certificate:
        """The CA's certificate; raises PkiError."""
        try:
            return x509.load_pem_x509_certificate(_read(self.authority_file))
        except FileNotFoundError:
            raise PkiError(f"there is no CA in {self.directory}: make one with `ikepy pki init`") from None
        except (OSError, ValueError) as error:
            raise PkiError(f"{self.authority_file} cannot be read: {error}") from error

    def _refuse_if_there(self) -> None:
        for name in ("ca.pem", "ca.key", "index.txt"):
            if (self.directory / name).exists():
                raise PkiError(f"{self.directory / name} is there already: nothing is written over; take another --dir")

    def _write_authority(
        self, certificate: x509.Certificate, key: Key, encrypt: Secret | None, urls: dict[str, str | None]
    ) -> None:
        form = BestAvailableEncryption(encrypt.reveal()) if encrypt is not None else NoEncryption()
        self._write("ca.key", _key_pem(key, form), private=True)
        self._write("index.txt", b"")
        lines = [f'{name} = "{url}"\n' for name, url in urls.items() if url is not None]
        if lines:
            self._write("pki.toml", "".join(lines).encode())
        self._write("ca.pem", certificate.public_bytes(Encoding.PEM))

    def _issuer(self) -> Issuer:
        path = self.directory / "ca.key"
        try:
            octets = _read(path)
            encrypted = b"ENCRYPTED" in octets
            if encrypted and self._passphrase is None:
                raise PkiError(f"{path} is encrypted: its passphrase is wanted")
            password = self._passphrase().reveal() if encrypted and self._passphrase is not None else None
            key = load_pem_private_key(octets, password)
        except FileNotFoundError:
            raise PkiError(f"there is no key of a CA in {self.directory}: make one with `ikepy pki init`") from None
        except (OSError, ValueError, TypeError) as error:
            raise PkiError(f"{path} cannot be opened: wrong passphrase, or the file is damaged") from error
        return Issuer(self.authority(), key, **self._urls())  # type: ignore[arg-type]

    def _urls(self) -> dict[str, str | None]:
        try:
            written = tomllib.loads(_read(self.directory / "pki.toml").decode())
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise PkiError(f"{self.directory / 'pki.toml'} cannot be read: {error}") from error
        return {name: _url(str(written[name])) for name in _URLS if name in written}

    # -- issuing -------------------------------------------------------------------------------------------------

    def issue_server(
        self, names: Sequence[str], kind: KeyKind = KeyKind.RSA, *, days: int = SERVER_DAYS, renew: bool = False
    ) -> Entry:
        """A certificate of a gateway, for these names, the first also as its subject; raises PkiError.

        renew  in place of one that is there, with its key
        """
        return self._issue(names[0], server_names(names), kind, days, is_server=True, renew=renew)

    def issue_client(
        self, name: str, kind: KeyKind = KeyKind.RSA, *, days: int = CLIENT_DAYS, renew: bool = False
    ) -> Entry:
        """A certificate of a client; raises PkiError."""
        return self._issue(name, client_names(name), kind, days, is_server=False, renew=renew)

    def _issue(
        self, name: str, names: list[x509.GeneralName], kind: KeyKind, days: int, *, is_server: bool, renew: bool
    ) -> Entry:
        subject, plain = common_name(name), file_name(name)
        file, key_file = f"certs/{plain}.pem", f"private/{plain}.key"
        with self._alone():
            entries, issuer = self.entries(), self._issuer()
            if issuer.certificate.not_valid_after_utc <= self.now():
                raise PkiError("the CA has expired: make a new one in another directory")
            there = (self.directory / file).exists()
            if there and not renew:
                raise PkiError(f"{self.directory / file} is there already: --renew makes it anew with its key")
            if renew and not there:
                raise PkiError(f"there is no {self.directory / file} to renew")
            key = self._key_of(key_file) if renew else make_key(kind)
            made = issue(issuer, subject, names, key.public_key(), self.now(), days, is_server=is_server)
            if not renew:
                self._write(key_file, _key_pem(key, NoEncryption()), private=True)
            entry = Entry(made.serial_number, made.not_valid_after_utc, file, _openssl_name(subject))
            if there:
                entries = self._set_aside(entries, file)
            # Listed first: what is listed and not there harms nobody, what is there and not listed cannot be revoked.
            self._write("index.txt", write_index([*entries, entry]).encode(), replace=True)
            self._write(file, made.public_bytes(Encoding.PEM), replace=there)
        return entry

    def _set_aside(self, entries: list[Entry], file: str) -> list[Entry]:
        """Keep a copy of a certificate that is renewed; the file itself stays until the new one takes its place."""
        old = x509.load_pem_x509_certificate(_read(self.directory / file))
        aside = f"certs/old/{Path(file).stem}-{old.serial_number:X}.pem"
        self._write(aside, old.public_bytes(Encoding.PEM), replace=True)
        return [replace(each, file=aside) if each.serial == old.serial_number else each for each in entries]

    def _key_of(self, file: str) -> Key:
        try:
            return load_pem_private_key(_read(self.directory / file), None)  # type: ignore[return-value]
        except (OSError, ValueError, TypeError) as error:
            raise PkiError(f"{self.directory / file} cannot be read: {error}") from error

    # -- what there is -------------------------------------------------------------------------------------------

    def entries(self) -> list[Entry]:
        """All that was issued; raises PkiError."""
        try:
            return read_index(_read(self.directory / "index.txt").decode())
        except FileNotFoundError:
            raise PkiError(f"there is no CA in {self.directory}: make one with `ikepy pki init`") from None
        except (OSError, UnicodeDecodeError) as error:
            raise PkiError(f"{self.directory / 'index.txt'} cannot be read: {error}") from error

    def find(self, which: str) -> Entry:
        """The certificate that a name, a file or a serial number means, of several the last; raises PkiError."""
        named = [
            each
            for each in self.entries()
            if which in {Path(each.file).stem, each.file, each.subject.removeprefix("/CN=")}
            or (len(which) >= _LEAST_DIGITS and f"{each.serial:X}".startswith(which.upper()))
        ]
        if not named:
            raise PkiError(f"nothing was issued to '{which}': see `ikepy pki list`")
        valid = [each for each in named if each.revoked is None]
        return (valid or named)[-1]

    # -- revoking ------------------------------------------------------------------------------------------------

    def revoke(self, which: str, reason: str = "unspecified") -> Entry:
        """Revoke a certificate, and make a new CRL; raises PkiError."""
        if reason not in REASONS:
            raise PkiError(f"'{reason}' is no reason: one of {', '.join(REASONS)}")
        with self._alone():
            entry, issuer = self.find(which), self._issuer()
            if entry.revoked is not None:
                raise PkiError(f"{entry.file} is revoked already, since {entry.revoked[0]:%Y-%m-%d %H:%M} UTC")
            gone = replace(entry, revoked=(self.now(), reason))
            entries = [gone if each.serial == entry.serial else each for each in self.entries()]
            self._write("index.txt", write_index(entries).encode(), replace=True)
            self._write_crl(issuer, entries, CRL_DAYS)
        return gone

    def make_crl(self, days: int = CRL_DAYS) -> x509.CertificateRevocationList:
        """Make the CRL anew; raises PkiError."""
        with self._alone():
            return self._write_crl(self._issuer(), self.entries(), days)

    def _write_crl(self, issuer: Issuer, entries: list[Entry], days: int) -> x509.CertificateRevocationList:
        revoked = [
            Revoked(each.serial, each.revoked[0], REASONS.get(each.revoked[1], x509.ReasonFlags.unspecified))
            for each in entries
            if each.revoked is not None
        ]
        crl = make_crl(issuer, revoked, self._crl_number() + 1, self.now(), days)
        self._write("crl.der", crl.public_bytes(Encoding.DER), replace=True)
        self._write("crl.pem", crl.public_bytes(Encoding.PEM), replace=True)
        return crl

    def _crl_number(self) -> int:
        try:
            crl = x509.load_pem_x509_crl(_read(self.directory / "crl.pem"))
            number: int = crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
        except FileNotFoundError:
            return 0
        except (OSError, ValueError, x509.ExtensionNotFound) as error:
            raise PkiError(
                f"{self.directory / 'crl.pem'} cannot be read: move it away, and say which number it had"
            ) from error
        return number

    # -- files ---------------------------------------------------------------------------------------------------

    @contextmanager
    def _alone(self) -> Iterator[None]:
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            for name in ("certs", "private"):
                (self.directory / name).mkdir(mode=0o700 if name == "private" else 0o755, exist_ok=True)
            descriptor = os.open(self.directory / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise PkiError(f"{self.directory} cannot be used: {error.strerror}") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _write(self, name: str, octets: bytes, *, private: bool = False, replace: bool = False) -> None:
        path = self.directory / name
        try:
            if not replace and path.exists():
                raise PkiError(f"{path} is there already: nothing is written over")
            path.parent.mkdir(exist_ok=True)
            temporary = path.with_name(f".{path.name}.new")
            temporary.unlink(missing_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            with os.fdopen(os.open(temporary, flags, 0o600 if private else 0o644), "wb") as file:
                file.write(octets)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except OSError as error:
            raise PkiError(f"{path} cannot be written: {error.strerror}") from error


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_MOST_OCTETS)


def _key_pem(key: Key, form: KeySerializationEncryption) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, form)


def _url(url: str | None) -> str | None:
    if url is not None and (not url.startswith("http://") or not url.isprintable() or '"' in url or " " in url):
        raise PkiError(
            f"'{url}' is no address of a CRL or OCSP responder: write http://... (https would need one of its own)"
        )
    return url


def _extension(certificate: x509.Certificate, kind: type[x509.ExtensionType]) -> object:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except (x509.ExtensionNotFound, ValueError, InvalidSignature):
        return None


def _openssl_name(name: x509.Name) -> str:
    return "".join(f"/{each.rfc4514_attribute_name}={each.value!s}" for each in name)
