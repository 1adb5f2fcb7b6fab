"""Files with keys and certificates -> keys and certificates: PEM and DER, encrypted or not, whole chains in one file.

Rule 1: a file that holds a private key is its owner's alone, or it is not read.
Rule 2: an error names the file, what is wrong with it and the command or key that mends it; never what is in it.
Not here: which key belongs to which certificate and connection (credentials.py).
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    load_der_private_key,
    load_der_public_key,
    load_pem_private_key,
    load_pem_public_key,
)

from ikepy.auth.certificate import Certificate, CertificateRefused, from_x509, read_certificate
from ikepy.auth.rules import weakness_of
from ikepy.crypto.secret import Secret
from ikepy.crypto.signature import PrivateKey, PublicKey

MOST_OCTETS = 1 << 20
"The largest file that is read; more is surely the wrong file."
_PRIVATE_KEY = re.compile(rb"-----BEGIN ([A-Z0-9 ]*PRIVATE KEY)-----.*?-----END \1-----", re.DOTALL)
_UNREADABLE = (ValueError, TypeError, UnsupportedAlgorithm, OverflowError)


class CredentialError(Exception):
    """A key, certificate or secret that cannot be used, worded for the operator in one line.

    file   the file, or the table of the configuration where it stands inline
    """

    def __init__(self, file: Path | str, problem: str, remedy: str) -> None:
        super().__init__(f"{file}: {problem}; {remedy}")
        self.file = file
        self.problem = problem
        self.remedy = remedy


def load_certificates(file: Path) -> tuple[Certificate, ...]:
    """Load all certificates of a file, in its order; raises CredentialError."""
    octets = _read(file, private=False)
    try:
        if b"-----BEGIN CERTIFICATE-----" in octets:
            return tuple(from_x509(certificate) for certificate in x509.load_pem_x509_certificates(octets))
        if b"-----BEGIN " in octets:
            raise CredentialError(file, "no certificate is in it", "name a file with -----BEGIN CERTIFICATE-----")
        return (read_certificate(octets),)
    except (ValueError, CertificateRefused) as error:
        raise CredentialError(file, f"no certificate that can be read: {error}", "name one in PEM or DER") from error


def load_public_key(file: Path) -> PublicKey:
    """Load the public key of a file, a SubjectPublicKeyInfo in PEM or DER; raises CredentialError."""
    octets = _read(file, private=False)
    try:
        key: object = load_pem_public_key(octets) if b"-----BEGIN " in octets else load_der_public_key(octets)
    except _UNREADABLE as error:
        raise CredentialError(
            file, "no public key that can be read", "make it: openssl pkey -in KEY -pubout"
        ) from error
    if not isinstance(key, PublicKey):
        raise CredentialError(
            file, f"a key of a kind IKE does not use ({type(key).__name__})", "make an RSA, EC or Ed25519 key"
        )
    weakness = weakness_of(key)
    if weakness:
        raise CredentialError(file, weakness, "have the peer make a new key")
    return key


def load_private_key_file(file: Path, passphrase: Secret | None) -> PrivateKey:
    """Load the private key of a file; raises CredentialError, also where others than its owner may read it."""
    return load_private_key(_read(file, private=True), passphrase, file)


def load_private_key(octets: bytes, passphrase: Secret | None, place: Path | str) -> PrivateKey:
    """Load a private key: PKCS#8, PKCS#1 or SEC1, as PEM or DER; raises CredentialError.

    place   where it stands, for the error
    """
    block = _PRIVATE_KEY.search(octets)
    if block is None and b"-----BEGIN " in octets:
        raise CredentialError(place, "no private key is in it", "name a file with -----BEGIN PRIVATE KEY-----")
    if block is not None and block[1] == b"OPENSSH PRIVATE KEY":
        raise CredentialError(place, "the key is in OpenSSH's format", "convert it: ssh-keygen -p -m PKCS8 -f FILE")
    encrypted = block is not None and (b"ENCRYPTED" in block[1] or b"Proc-Type: 4,ENCRYPTED" in block[0])
    if encrypted and passphrase is None:
        raise CredentialError(place, *_NO_PASSPHRASE)
    try:
        if block is not None:
            key: object = load_pem_private_key(block[0], passphrase.reveal() if passphrase and encrypted else None)
        else:
            key = _load_der(octets, passphrase, place)
    except _UNREADABLE as error:
        if encrypted:
            raise CredentialError(place, "the passphrase does not open it", "check passphrase under secrets") from error
        raise CredentialError(place, "no private key that can be read", "name one in PEM or DER") from error
    if not isinstance(key, PrivateKey):
        raise CredentialError(
            place, f"a key of a kind IKE does not use ({type(key).__name__})", "make an RSA, EC or Ed25519 key"
        )
    return key


_NO_PASSPHRASE = (
    "the key is encrypted",
    'add it under secrets: [secrets.NAME] with key = "FILE" and passphrase = "..."',
)


def _load_der(octets: bytes, passphrase: Secret | None, place: Path | str) -> object:
    try:
        return load_der_private_key(octets, None)
    except TypeError as error:  # it is encrypted
        if passphrase is None:
            raise CredentialError(place, *_NO_PASSPHRASE) from error
        try:
            return load_der_private_key(octets, passphrase.reveal())
        except ValueError as wrong:
            raise CredentialError(place, "the passphrase does not open it", "check passphrase under secrets") from wrong


def _read(file: Path, *, private: bool) -> bytes:
    """The octets of a file, its mode judged on what was opened, not on what the name meant before."""
    try:
        with file.open("rb") as opened:
            mode = stat.S_IMODE(os.fstat(opened.fileno()).st_mode)
            if private and mode & 0o077:
                raise CredentialError(file, f"others may read this secret (mode {mode:04o})", f"run: chmod 600 {file}")
            octets = opened.read(MOST_OCTETS + 1)
    except OSError as error:
        raise CredentialError(
            file, f"cannot be read: {error.strerror or error}", "check name and permissions"
        ) from error
    if len(octets) > MOST_OCTETS:
        raise CredentialError(
            file, f"more than {MOST_OCTETS >> 10} KiB", "name the file with just the key or certificates"
        )
    return octets
