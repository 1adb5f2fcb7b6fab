"""Keys and certificates as client platforms read them: PKCS#12 (RFC 7292), and profiles signed by CMS (RFC 5652).

Rule 1: PKCS#12 is encrypted by 3DES with SHA-1, all that Apple's and older Windows' and Android's readers know; what
protects it is its password, which is random and long unless somebody chose one.
Rule 2: the only module here that uses cryptography.
Not here: making certificates; reading their files (auth/files.py).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from textwrap import wrap

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)
from cryptography.hazmat.primitives.serialization.pkcs7 import PKCS7Options, PKCS7SignatureBuilder

from ikepy.auth.certificate import Certificate
from ikepy.auth.files import CredentialError, load_certificates, load_private_key_file
from ikepy.crypto.entropy import Entropy
from ikepy.crypto.secret import Secret
from ikepy.crypto.signature import PrivateKey
from ikepy.profiles.facts import UserCertificate

_KINDS = {"secp256r1": "ECDSA256", "secp384r1": "ECDSA384", "secp521r1": "ECDSA521"}
_ROUNDS = 50_000
"Of the key derivation; the old readers know no better one than its count."
_LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"
"32 that are not taken for each other; a password is read off a screen."
_GROUPS, _GROUP_LETTERS = 5, 4


def make_password(entropy: Entropy) -> Secret:
    """A random password of 100 bits, in groups of letters: it is typed by hand."""
    octets = entropy.octets(_GROUPS * _GROUP_LETTERS)
    letters = "".join(_LETTERS[octet % len(_LETTERS)] for octet in octets)
    return Secret("-".join(wrap(letters, _GROUP_LETTERS)).encode())


def pack(chain: tuple[Certificate, ...], key: PrivateKey, *, name: str, secret: Secret) -> UserCertificate:
    """A user's certificate with its key, in each form that clients read.

    chain      the user's own first
    name       what the client calls it
    secret     what is to open the PKCS#12
    """
    encryption = (
        PrivateFormat.PKCS12.encryption_builder()
        .kdf_rounds(_ROUNDS)
        .key_cert_algorithm(pkcs12.PBES.PBESv1SHA1And3KeyTripleDESCBC)
        .hmac_hash(SHA1())  # noqa: S303 - what old readers know
        .build(secret.reveal())
    )
    octets = pkcs12.serialize_key_and_certificates(
        name.encode(), key, chain[0].parsed, [each.parsed for each in chain[1:]], encryption
    )
    key_pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return UserCertificate(tuple(each.der for each in chain), Secret(key_pem), octets, secret, _kind(chain[0]))


@dataclass(frozen=True, slots=True)
class Signer:
    """Who signs Apple's profiles: the certificate, then those above it, and its key."""

    chain: tuple[Certificate, ...]
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey = field(repr=False)


def load_signer(certificates: Path, key: Path) -> Signer:
    """Load who signs Apple's profiles; raises CredentialError."""
    chain = load_certificates(certificates)
    signer = load_private_key_file(key, None)
    if not isinstance(signer, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise CredentialError(key, "profiles are signed with RSA and ECDSA keys", "take another certificate")
    if signer.public_key() != chain[0].public_key:
        raise CredentialError(key, f"the key does not belong to certificate {chain[0]}", "name both of one pair")
    return Signer(chain, signer)


def sign(profile: bytes, signer: Signer) -> bytes:
    """A profile signed by CMS, which Apple's systems show as verified."""
    builder = PKCS7SignatureBuilder().set_data(profile).add_signer(signer.chain[0].parsed, signer.key, SHA256())
    for each in signer.chain[1:]:
        builder = builder.add_certificate(each.parsed)
    return builder.sign(Encoding.DER, [PKCS7Options.Binary])


def _kind(certificate: Certificate) -> str | None:
    match certificate.public_key:
        case rsa.RSAPublicKey():
            return "RSA"
        case ec.EllipticCurvePublicKey() as key:
            return _KINDS.get(key.curve.name)
    return None
