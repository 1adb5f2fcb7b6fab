"""One certificate, read: all that is judged later is taken out of its DER here, so that nothing later fails to parse.

Rule 1: read_certificate() ends in a Certificate or in CertificateRefused, whatever the octets.
Rule 2: subject and issuer are slices of the DER itself, never written again: what is compared is what was signed.
Not here: whether any of it is to be trusted (chains.py, rules.py), reading files (files.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha1
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import InternalError, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtensionOID

from ikepy.crypto.names import Name, format_name, parse_name, take_element
from ikepy.crypto.signature import PublicKey
from ikepy.wire.payloads import Identification
from ikepy.wire.registry import IdType

MOST_OCTETS = 64 << 10
"The largest certificate that is read."
_KNOWN_EXTENSIONS = frozenset(
    {
        ExtensionOID.AUTHORITY_INFORMATION_ACCESS,
        ExtensionOID.AUTHORITY_KEY_IDENTIFIER,
        ExtensionOID.SUBJECT_KEY_IDENTIFIER,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.NAME_CONSTRAINTS,
        ExtensionOID.EXTENDED_KEY_USAGE,
    }
)
"""Extensions that are understood; the same as the ones cryptography's verifier lets be critical."""
_SEQUENCE, _INTEGER, _VERSION = 0x30, 0x02, 0xA0
_UNREADABLE = (
    ValueError,
    TypeError,
    OverflowError,
    InternalError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)

Extension = TypeVar("Extension", bound=x509.ExtensionType)


class CertificateRefused(Exception):
    """A certificate, or a chain of them, is not to be trusted; the message is for our log only."""


@dataclass(frozen=True, slots=True, eq=False)
class Certificate:
    """A certificate and what is judged of it; two are the same where their octets are.

    purposes          extended key usages as dotted OIDs; None where the extension is not there
    path_length       of basicConstraints; None is without limit
    unknown_critical  dotted OIDs of critical extensions that are not understood
    """

    der: bytes
    parsed: x509.Certificate
    subject: Name
    subject_der: bytes
    issuer_der: bytes
    public_key: PublicKey
    is_ca: bool
    path_length: int | None
    key_usage: x509.KeyUsage | None
    purposes: tuple[str, ...] | None
    alt_names: tuple[x509.GeneralName, ...]
    constraints: x509.NameConstraints | None
    unknown_critical: tuple[str, ...]

    def __eq__(self, other: object) -> bool:
        return self.der == other.der if isinstance(other, Certificate) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.der)

    def __str__(self) -> str:
        return f"'{format_name(self.subject)}'" if self.subject else f"number {self.parsed.serial_number:x}"

    @property
    def is_self_issued(self) -> bool:
        """Whether subject and issuer are the same name."""
        return self.subject_der == self.issuer_der

    @property
    def not_before(self) -> datetime:
        """The first instant it is valid at, UTC."""
        return self.parsed.not_valid_before_utc

    @property
    def not_after(self) -> datetime:
        """The last instant it is valid at, UTC."""
        return self.parsed.not_valid_after_utc

    @property
    def authority_hash(self) -> bytes:
        """SHA-1 of its SubjectPublicKeyInfo, as CERTREQ names an authority (RFC 7296 §3.7)."""
        spki = self.public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return sha1(spki, usedforsecurity=False).digest()

    @property
    def key_id(self) -> bytes:
        """SHA-1 of its public key's bits, computed here (RFC 5280 §4.2.1.2 method 1)."""
        return x509.SubjectKeyIdentifier.from_public_key(self.public_key).digest

    def identities(self) -> Iterator[Identification]:
        """All whom it names: the subject, then DNS names, mail and IP addresses of subjectAltName, then its key."""
        if self.subject:
            yield Identification(IdType.ID_DER_ASN1_DN, self.subject_der)
        for name in self.alt_names:
            match name:
                case x509.DNSName():
                    yield Identification(IdType.ID_FQDN, name.value.encode())
                case x509.RFC822Name():
                    yield Identification(IdType.ID_RFC822_ADDR, name.value.encode())
                case x509.IPAddress():
                    address = name.value.packed if hasattr(name.value, "packed") else b""
                    kind = IdType.ID_IPV4_ADDR if len(address) == 4 else IdType.ID_IPV6_ADDR  # noqa: PLR2004 - octets
                    yield Identification(kind, address)
        yield Identification(IdType.ID_KEY_ID, self.key_id)


def read_certificate(der: bytes) -> Certificate:
    """Read a certificate from its DER; raises CertificateRefused."""
    if len(der) > MOST_OCTETS:
        raise CertificateRefused(f"certificate of {len(der)} octets; {MOST_OCTETS} are the most that is read")
    try:
        return _read(der, x509.load_der_x509_certificate(der))
    except _UNREADABLE as error:
        raise CertificateRefused(f"certificate that cannot be read: {error}") from error


def from_x509(certificate: x509.Certificate) -> Certificate:
    """The same for a certificate that cryptography has read already; raises CertificateRefused."""
    return read_certificate(certificate.public_bytes(Encoding.DER))


def _read(der: bytes, certificate: x509.Certificate) -> Certificate:
    issuer_der, subject_der = _names(certificate.tbs_certificate_bytes)
    extensions = certificate.extensions
    basic = _extension(extensions, x509.BasicConstraints)
    purposes = _extension(extensions, x509.ExtendedKeyUsage)
    alt_names = _extension(extensions, x509.SubjectAlternativeName)
    public_key = certificate.public_key()
    if not isinstance(public_key, PublicKey):
        raise CertificateRefused(f"certificate with a key of a kind not known here ({type(public_key).__name__})")
    parse_name(issuer_der)
    return Certificate(
        der=der,
        parsed=certificate,
        subject=parse_name(subject_der),
        subject_der=subject_der,
        issuer_der=issuer_der,
        public_key=public_key,
        is_ca=basic is not None and basic.ca,
        path_length=basic.path_length if basic is not None else None,
        key_usage=_extension(extensions, x509.KeyUsage),
        purposes=tuple(oid.dotted_string for oid in purposes) if purposes is not None else None,
        alt_names=tuple(alt_names) if alt_names is not None else (),
        constraints=_extension(extensions, x509.NameConstraints),
        unknown_critical=tuple(
            extension.oid.dotted_string
            for extension in extensions
            if extension.critical and extension.oid not in _KNOWN_EXTENSIONS
        ),
    )


def _extension(extensions: x509.Extensions, kind: type[Extension]) -> Extension | None:
    try:
        return extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def _names(tbs: bytes) -> tuple[bytes, bytes]:
    """The DER of issuer and subject, cut out of the part that is signed (RFC 5280 §4.1)."""
    contents, _ = take_element(tbs, _SEQUENCE, "certificate")
    if contents[:1] == bytes([_VERSION]):
        _, contents = take_element(contents, _VERSION, "version")
    _, contents = take_element(contents, _INTEGER, "serial number")
    _, from_issuer = take_element(contents, _SEQUENCE, "signature algorithm")
    _, from_validity = take_element(from_issuer, _SEQUENCE, "issuer")
    _, from_subject = take_element(from_validity, _SEQUENCE, "validity")
    _, from_key = take_element(from_subject, _SEQUENCE, "subject")
    issuer = from_issuer[: len(from_issuer) - len(from_validity)]
    return issuer, from_subject[: len(from_subject) - len(from_key)]
