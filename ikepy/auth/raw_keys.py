"""Raw public keys (RFC 7670): a peer that is known by its key alone, and CERT that holds one.

Rule 1: a key says not whose it is: the configuration does, by the identity beside it.
Rule 2: a key that a peer sends counts only where the configuration has the same one.
Not here: signatures (service.py), files (files.py).
"""

from __future__ import annotations

from collections.abc import Sequence

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ikepy.auth.certificate import CertificateRefused
from ikepy.crypto.signature import PublicKey
from ikepy.wire.payloads import Cert
from ikepy.wire.registry import CertEncoding


def spki_of(key: PublicKey) -> bytes:
    """The SubjectPublicKeyInfo of a key, in DER: what CERT holds of it (§3)."""
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def raw_cert(key: PublicKey) -> Cert:
    """CERT with a key of ours."""
    return Cert(CertEncoding.RAW_PUBLIC_KEY, spki_of(key))


def is_by_key(certs: Sequence[Cert], known: Sequence[PublicKey]) -> bool:
    """Whether a peer is to be judged by its key: it sends one, or nothing, and we have some."""
    return bool(known) and (not certs or certs[0].encoding is CertEncoding.RAW_PUBLIC_KEY)


def find_keys(certs: Sequence[Cert], known: Sequence[PublicKey]) -> tuple[PublicKey, ...]:
    """The keys we have that a peer may mean: the one it sends, all where it sends none; raises CertificateRefused."""
    if not certs:
        return tuple(known)
    found = tuple(key for key in known if spki_of(key) == certs[0].octets)
    if not found:
        raise CertificateRefused("the public key that the peer sends is none of those in pubkeys")
    return found


def leads_to_key(certs: Sequence[Cert], known: Sequence[PublicKey]) -> bool:
    """Whether a peer sends a key that we have."""
    return bool(certs) and is_by_key(certs, known) and any(spki_of(key) == certs[0].octets for key in known)
