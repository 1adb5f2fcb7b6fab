"""Certificates that make IKE_AUTH long: RSA of 4096 bits, two intermediate CAs under a root."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

BITS = 4096
_START = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
_END = _START + datetime.timedelta(days=30)


@dataclass(frozen=True)
class Issuer:
    """A CA: its certificate, and its key."""

    certificate: x509.Certificate
    key: rsa.RSAPrivateKey

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)


@dataclass(frozen=True)
class Holder:
    """Who proves itself by a chain of three certificates.

    certificate, key  PEM files
    chain             PEM file of all three, its own first
    """

    certificate: Path
    key: Path
    chain: Path


class DeepChain:
    """The root, both intermediates, and whoever holds a certificate of the lower one."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._root = _issue_ca("Deep root", None)
        self._upper = _issue_ca("Deep upper", self._root)
        self._lower = _issue_ca("Deep lower", self._upper)
        self.root = self._write("root.pem", self._root.pem)
        self.intermediates = self._write("upper.pem", self._upper.pem), self._write("lower.pem", self._lower.pem)

    def issue(self, name: str) -> Holder:
        """A certificate for a DNS name."""
        key = rsa.generate_private_key(65537, BITS)
        alternative = x509.SubjectAlternativeName([x509.DNSName(name)])
        certificate = (
            _builder(name, key, self._lower, ca=False)
            .add_extension(alternative, critical=False)
            .sign(self._lower.key, hashes.SHA256())
        )
        own = certificate.public_bytes(serialization.Encoding.PEM)
        octets = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return Holder(
            self._write(f"{name}.cert.pem", own),
            self._write(f"{name}.key.pem", octets, mode=0o600),
            self._write(f"{name}.chain.pem", own + self._lower.pem + self._upper.pem),
        )

    def _write(self, name: str, octets: bytes, mode: int = 0o644) -> Path:
        path = self._directory / name
        path.touch(mode)
        path.write_bytes(octets)
        return path


def _issue_ca(name: str, above: Issuer | None) -> Issuer:
    key = rsa.generate_private_key(65537, BITS)
    usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
    builder = _builder(name, key, above, ca=True).add_extension(usage, critical=True)
    return Issuer(builder.sign(above.key if above is not None else key, hashes.SHA256()), key)


def _builder(name: str, key: rsa.RSAPrivateKey, above: Issuer | None, *, ca: bool) -> x509.CertificateBuilder:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    issuer, issuer_key = (above.certificate.subject, above.key) if above is not None else (subject, key)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .not_valid_before(_START)
        .not_valid_after(_END)
        .serial_number(x509.random_serial_number())
        .public_key(key.public_key())
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    )
