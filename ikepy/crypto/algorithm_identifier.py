"""Ways to sign, and the AlgorithmIdentifiers that name them (RFC 7427 appendix A, RFC 4055, RFC 8420).

Rule 1: identifiers are compared with those we know, octet for octet; only RSASSA-PSS is read, element by element.
Rule 2: DER is strict: one-octet lengths (nothing here is longer), minimal integers, every octet consumed.
Rule 3: SHA-1 has no identifier here, RSASSA-PSS parameters left to their defaults (which are SHA-1) included.
Not here: keys, signatures (signature.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from ikepy.crypto.errors import SignatureInvalid
from ikepy.wire.registry import AuthMethod, HashAlgorithm


class SignatureKind(Enum):
    """What is done with a key, worded for the log."""

    RSA_PKCS1 = "RSA"
    RSA_PSS = "RSA-PSS"
    ECDSA = "ECDSA"
    ED25519 = "Ed25519"
    ED448 = "Ed448"


@dataclass(frozen=True, slots=True)
class Scheme:
    """One way to sign.

    hash         IDENTITY for Ed25519 and Ed448
    method       DIGITAL_SIGNATURE, or one of the older methods
    identifier   DER of the AlgorithmIdentifier that goes with DIGITAL_SIGNATURE, else empty
    salt_octets  of RSA-PSS, else 0
    """

    kind: SignatureKind
    hash: HashAlgorithm
    method: AuthMethod = AuthMethod.DIGITAL_SIGNATURE
    identifier: bytes = b""
    salt_octets: int = 0

    def __str__(self) -> str:
        name = f"{self.kind.value} signature"
        return name if self.hash is HashAlgorithm.IDENTITY else f"{name} with {self.hash}"


HASH_OCTETS = {HashAlgorithm.SHA2_256: 32, HashAlgorithm.SHA2_384: 48, HashAlgorithm.SHA2_512: 64}
"The hashes that may be signed with an identifier, and their octets."
MOST_SALT_OCTETS = 512
"Of RSA-PSS: smart cards and TPMs fill what the modulus leaves, which is never more with keys we take."
MOST_IDENTIFIER_OCTETS = 127


def scheme_of(kind: SignatureKind, hash: HashAlgorithm) -> Scheme:  # noqa: A002 - as in the RFC
    """How we sign with that kind and hash under RFC 7427; raises KeyError where the two do not go together."""
    return _OURS[kind, hash]


def parse_identifier(der: bytes) -> Scheme:
    """The scheme an AlgorithmIdentifier of a peer names; raises SignatureInvalid for those we do not verify."""
    known = _KNOWN.get(der)
    if known is not None:
        return known
    if len(der) > MOST_IDENTIFIER_OCTETS:
        raise SignatureInvalid(f"AlgorithmIdentifier of {len(der)} octets; {MOST_IDENTIFIER_OCTETS} are the most")
    content = _whole(der, _SEQUENCE)
    if not content.startswith(_PSS_OID):
        raise SignatureInvalid(f"signature algorithm {der.hex()} is not accepted here")
    return _parse_pss(der, _whole(content[len(_PSS_OID) :], _SEQUENCE))


# -- DER -----------------------------------------------------------------------------------------------------------

_INTEGER, _SEQUENCE, _FIELD_0, _FIELD_1, _FIELD_2 = 0x02, 0x30, 0xA0, 0xA1, 0xA2


def _der(tag: int, content: bytes) -> bytes:
    return bytes((tag, len(content))) + content


def _take(der: bytes, tag: int) -> tuple[bytes, bytes]:
    """The content of the first element, which must have that tag, and what follows it."""
    if len(der) < 2 or der[0] != tag or der[1] > len(der) - 2:  # noqa: PLR2004 - tag and length
        raise SignatureInvalid(f"AlgorithmIdentifier without the element 0x{tag:02x} it needs, or cut off")
    end = 2 + der[1]
    return der[2:end], der[end:]


def _whole(der: bytes, tag: int) -> bytes:
    content, rest = _take(der, tag)
    if rest:
        raise SignatureInvalid(f"AlgorithmIdentifier with {len(rest)} octets too many")
    return content


# -- identifiers ---------------------------------------------------------------------------------------------------

_HASH_OIDS = {
    HashAlgorithm.SHA2_256: bytes.fromhex("0609608648016503040201"),
    HashAlgorithm.SHA2_384: bytes.fromhex("0609608648016503040202"),
    HashAlgorithm.SHA2_512: bytes.fromhex("0609608648016503040203"),
}
_RSA_OIDS = {
    HashAlgorithm.SHA2_256: bytes.fromhex("06092a864886f70d01010b"),
    HashAlgorithm.SHA2_384: bytes.fromhex("06092a864886f70d01010c"),
    HashAlgorithm.SHA2_512: bytes.fromhex("06092a864886f70d01010d"),
}
_ECDSA_OIDS = {
    HashAlgorithm.SHA2_256: bytes.fromhex("06082a8648ce3d040302"),
    HashAlgorithm.SHA2_384: bytes.fromhex("06082a8648ce3d040303"),
    HashAlgorithm.SHA2_512: bytes.fromhex("06082a8648ce3d040304"),
}
_EDDSA = {
    SignatureKind.ED25519: bytes.fromhex("300506032b6570"),
    SignatureKind.ED448: bytes.fromhex("300506032b6571"),
}
_PSS_OID = bytes.fromhex("06092a864886f70d01010a")
_MGF1_OID = bytes.fromhex("06092a864886f70d010108")
_NULL = bytes.fromhex("0500")
_TRAILER = bytes.fromhex("a303020101")

# RFC 4055 §2.1: a hash's parameters may be NULL or absent for us to read; we send NULL.
_DIGESTS = {_der(_SEQUENCE, oid + after): hash_ for hash_, oid in _HASH_OIDS.items() for after in (b"", _NULL)}
_MASKS = {_der(_SEQUENCE, _MGF1_OID + digest): hash_ for digest, hash_ in _DIGESTS.items()}


def _parse_pss(der: bytes, parameters: bytes) -> Scheme:
    digest, rest = _take(parameters, _FIELD_0)
    mask, rest = _take(rest, _FIELD_1)
    salt, rest = _take(rest, _FIELD_2)
    hash_ = _DIGESTS.get(digest)
    if hash_ is None or _MASKS.get(mask) is not hash_:
        raise SignatureInvalid("RSA-PSS takes SHA2-256, 384 or 512 here, the same for the message and for the mask")
    # RFC 4055 §3.1: a signer leaves the trailer field out, a verifier takes it too when it is 1.
    if rest not in (b"", _TRAILER):
        raise SignatureInvalid("RSA-PSS with another trailer than 1, or octets too many")
    salt_octets = _parse_salt(salt)
    if not HASH_OCTETS[hash_] <= salt_octets <= MOST_SALT_OCTETS:
        raise SignatureInvalid(
            f"RSA-PSS salt of {salt_octets} octets; from {HASH_OCTETS[hash_]} to {MOST_SALT_OCTETS} are taken"
        )
    return Scheme(SignatureKind.RSA_PSS, hash_, identifier=der, salt_octets=salt_octets)


def _parse_salt(field: bytes) -> int:
    octets = _whole(field, _INTEGER)
    salt = int.from_bytes(octets, "big", signed=True)
    if not octets or salt < 0 or len(octets) != salt.bit_length() // 8 + 1:
        raise SignatureInvalid("RSA-PSS whose salt length is no DER number")
    return salt


def _pss_identifier(hash_: HashAlgorithm) -> bytes:
    digest = _der(_SEQUENCE, _HASH_OIDS[hash_] + _NULL)
    fields = (
        _der(_FIELD_0, digest),
        _der(_FIELD_1, _der(_SEQUENCE, _MGF1_OID + digest)),
        _der(_FIELD_2, _der(_INTEGER, bytes((HASH_OCTETS[hash_],)))),
    )
    return _der(_SEQUENCE, _PSS_OID + _der(_SEQUENCE, b"".join(fields)))


def _make_ours() -> dict[tuple[SignatureKind, HashAlgorithm], Scheme]:
    identifiers = {(kind, HashAlgorithm.IDENTITY): (der, 0) for kind, der in _EDDSA.items()}
    for hash_, octets in HASH_OCTETS.items():
        identifiers[SignatureKind.RSA_PSS, hash_] = (_pss_identifier(hash_), octets)
        identifiers[SignatureKind.RSA_PKCS1, hash_] = (_der(_SEQUENCE, _RSA_OIDS[hash_] + _NULL), 0)
        identifiers[SignatureKind.ECDSA, hash_] = (_der(_SEQUENCE, _ECDSA_OIDS[hash_]), 0)
    return {
        (kind, hash_): Scheme(kind, hash_, identifier=der, salt_octets=salt)
        for (kind, hash_), (der, salt) in identifiers.items()
    }


_OURS = _make_ours()
_KNOWN = {scheme.identifier: scheme for scheme in _OURS.values()}
# RFC 4055 §5: the parameters of RSA with PKCS #1 v1.5 are NULL, and a verifier takes them absent too.
for _hash, _oid in _RSA_OIDS.items():
    _identifier = _der(_SEQUENCE, _oid)
    _KNOWN[_identifier] = Scheme(SignatureKind.RSA_PKCS1, _hash, identifier=_identifier)
