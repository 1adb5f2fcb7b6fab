"""Certificates for system tests: one CA, a key and certificate a name, as PEM and PKCS#12 files."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_START = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
_END = _START + datetime.timedelta(days=30)


def make_key(kind: str) -> Any:
    """A private key: rsa, ecdsa or ed25519."""
    if kind == "rsa":
        return rsa.generate_private_key(65537, 2048)
    if kind == "ecdsa":
        return ec.generate_private_key(ec.SECP256R1())
    return ed25519.Ed25519PrivateKey.generate()


class Authority:
    """A CA with an ECDSA or RSA key."""

    def __init__(self, directory: Path, kind: str = "rsa", name: str = "Lab CA") -> None:
        self.directory, self.kind = directory, kind
        self._key = make_key(kind)
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{name} {kind}")])
        key_id = x509.SubjectKeyIdentifier.from_public_key(self._key.public_key())
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        self.certificate = (
            self._builder(self._name, self._key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=1), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(key_id, critical=False)
            .sign(self._key, self._hash())
        )
        self.path = directory / f"ca-{kind}.pem"
        self.path.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))

    def issue(self, name: str, kind: str) -> tuple[Path, Path]:
        """A certificate for a DNS name, and its key: paths of the PEM files, and a PKCS#12 beside them."""
        key = make_key(kind)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        usage = x509.KeyUsage(True, True, kind == "rsa", False, False, False, False, False, False)
        certificate = (
            self._builder(subject, key.public_key())
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
            .add_extension(usage, critical=True)
            .add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]),
                critical=False,
            )
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(self._key, self._hash())
        )
        cert_path, key_path = self.directory / f"{name}.cert.pem", self.directory / f"{name}.key.pem"
        cert_path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        key_path.touch(0o600)
        key_path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        bundle = pkcs12.serialize_key_and_certificates(
            name.encode(), key, certificate, [self.certificate], serialization.BestAvailableEncryption(b"lab")
        )
        (self.directory / f"{name}.p12").write_bytes(bundle)
        return cert_path, key_path

    def _builder(self, subject: x509.Name, public_key: Any) -> x509.CertificateBuilder:
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(self._name)
        builder = builder.not_valid_before(_START).not_valid_after(_END)
        return builder.serial_number(x509.random_serial_number()).public_key(public_key)

    def _hash(self) -> hashes.HashAlgorithm | None:
        return None if self.kind == "ed25519" else hashes.SHA256()
