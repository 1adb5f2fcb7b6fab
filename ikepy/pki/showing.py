"""Certificates and revocation lists in words, as a person wants them: who, for what, until when, under whom.

Not here: reading files (store.py), tables on a screen (cli/pki.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import ExtendedKeyUsageOID

from ikepy.pki.errors import PkiError
from ikepy.pki.making import IKE_INTERMEDIATE

_MOST_CERTIFICATES = 16
_PURPOSES = {
    ExtendedKeyUsageOID.SERVER_AUTH: "serverAuth",
    ExtendedKeyUsageOID.CLIENT_AUTH: "clientAuth",
    IKE_INTERMEDIATE: "ikeIntermediate",
    ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE: "any",
}


def read_certificates(octets: bytes) -> list[x509.Certificate]:
    """All certificates of a file, PEM or DER; raises PkiError."""
    try:
        if b"-----BEGIN" in octets:
            return x509.load_pem_x509_certificates(octets)[:_MOST_CERTIFICATES]
        return [x509.load_der_x509_certificate(octets)]
    except ValueError as error:
        raise PkiError("there is no certificate in it that can be read") from error


def show(certificate: x509.Certificate, now: datetime) -> list[str]:
    """One certificate, a line for each thing worth knowing."""
    return [f"{name:<10} {value}" for name, value in _about(certificate, now)]


def _about(certificate: x509.Certificate, now: datetime) -> Iterator[tuple[str, str]]:
    yield "subject", _plain(certificate.subject.rfc4514_string()) or "(empty)"
    names = ", ".join(dict.fromkeys(_names(certificate)))
    if names:
        yield "names", names
    yield (
        "issuer",
        "itself" if certificate.issuer == certificate.subject else _plain(certificate.issuer.rfc4514_string()),
    )
    yield (
        "valid",
        f"{certificate.not_valid_before_utc:%Y-%m-%d} to {certificate.not_valid_after_utc:%Y-%m-%d}, {_left(certificate, now)}",
    )
    yield "key", _key(certificate)
    yield "for", ", ".join(_uses(certificate)) or "anything"
    yield "serial", f"{certificate.serial_number:X}"
    yield "SHA-256", certificate.fingerprint(SHA256()).hex(":")


def _names(certificate: x509.Certificate) -> Iterator[str]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return
    for name in found:
        value = name.value.rfc4514_string() if isinstance(name, x509.DirectoryName) else str(name.value)
        yield _plain(value)


def _uses(certificate: x509.Certificate) -> Iterator[str]:
    try:
        basic = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
        if basic.ca:
            yield "issuing certificates (a CA)"
    except (x509.ExtensionNotFound, ValueError):
        pass
    try:
        purposes = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except (x509.ExtensionNotFound, ValueError):
        return
    yield from (_PURPOSES.get(each, each.dotted_string) for each in purposes)


def _left(certificate: x509.Certificate, now: datetime) -> str:
    days = (certificate.not_valid_after_utc - now).days
    if days < 0:
        return "expired"
    return "1 day left" if days == 1 else f"{days} days left"


def _key(certificate: x509.Certificate) -> str:
    try:
        key = certificate.public_key()
    except ValueError:
        return "one that cannot be read"
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA, {key.key_size} bits"
    if isinstance(key, ec.EllipticCurvePublicKey):
        return f"ECDSA, {key.curve.name}"
    return type(key).__name__.removeprefix("_").removesuffix("PublicKey")


def _plain(text: str) -> str:
    return "".join(each if each.isprintable() else "?" for each in text)[:512]
