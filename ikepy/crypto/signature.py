"""Signatures of AUTH payloads: RSA, ECDSA, Ed25519 and Ed448 (RFC 7296 §3.8, RFC 4754, RFC 7427, RFC 8420).

Rule 1: an AlgorithmIdentifier is compared with those we know, octet for octet; none is parsed.
Rule 2: the algorithm must be the key's, and the key strong enough; SHA-1 only where method 1 fixes it.
Not here: whose key it is (auth/), the octets that are signed (ike/keymat.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from ikepy.crypto.errors import NoSuchAlgorithm, SignatureInvalid
from ikepy.wire.registry import AuthMethod, HashAlgorithm

LEAST_RSA_BITS = 2048
LEAST_RSA_EXPONENT = 3

PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | ed448.Ed448PublicKey
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey

_HASHES: dict[HashAlgorithm, hashes.HashAlgorithm] = {
    HashAlgorithm.SHA1: hashes.SHA1(),  # noqa: S303 - method 1 fixes it (RFC 7296 §3.8)
    HashAlgorithm.SHA2_256: hashes.SHA256(),
    HashAlgorithm.SHA2_384: hashes.SHA384(),
    HashAlgorithm.SHA2_512: hashes.SHA512(),
}
_ECDSA_METHODS: dict[AuthMethod, tuple[str, HashAlgorithm]] = {
    AuthMethod.ECDSA_SHA256_P256: ("secp256r1", HashAlgorithm.SHA2_256),
    AuthMethod.ECDSA_SHA384_P384: ("secp384r1", HashAlgorithm.SHA2_384),
    AuthMethod.ECDSA_SHA512_P521: ("secp521r1", HashAlgorithm.SHA2_512),
}


@dataclass(frozen=True, slots=True)
class Scheme:
    """One way to sign.

    kind        rsa-pkcs1, rsa-pss, ecdsa, ed25519 or ed448
    hash        IDENTITY for Ed25519 and Ed448
    method      DIGITAL_SIGNATURE, or one of the older methods
    identifier  DER of the AlgorithmIdentifier that goes with DIGITAL_SIGNATURE
    """

    kind: str
    hash: HashAlgorithm
    method: AuthMethod = AuthMethod.DIGITAL_SIGNATURE
    identifier: bytes = b""

    def __str__(self) -> str:
        words = {"rsa-pkcs1": "RSA", "rsa-pss": "RSA-PSS", "ecdsa": "ECDSA", "ed25519": "Ed25519", "ed448": "Ed448"}
        name = f"{words[self.kind]} signature"
        return name if self.hash is HashAlgorithm.IDENTITY else f"{name} with {self.hash}"


def choose_signature_scheme(key: PrivateKey | PublicKey, peer_hashes: frozenset[HashAlgorithm]) -> Scheme:
    """Choose how to sign with a key for a peer (RFC 7427 §4); peer_hashes empty means: not by RFC 7427.

    Raises NoSuchAlgorithm where the key cannot sign anything the peer verifies.
    """
    match key:
        case rsa.RSAPrivateKey() | rsa.RSAPublicKey():
            if not peer_hashes:
                return Scheme("rsa-pkcs1", HashAlgorithm.SHA1, AuthMethod.RSA_SIGNATURE)
            return _known("rsa-pss", _strongest(peer_hashes, 256))
        case ec.EllipticCurvePrivateKey() | ec.EllipticCurvePublicKey():
            if not peer_hashes:
                return _older_ecdsa(key.curve.name)
            return _known("ecdsa", _strongest(peer_hashes, key.curve.key_size))
        case ed25519.Ed25519PrivateKey() | ed25519.Ed25519PublicKey():
            kind = "ed25519"
        case _:
            kind = "ed448"
    if HashAlgorithm.IDENTITY not in peer_hashes:
        raise NoSuchAlgorithm(f"the peer does not verify {kind} signatures (RFC 8420): use an RSA or ECDSA key for it")
    return _known(kind, HashAlgorithm.IDENTITY)


def sign_auth(key: PrivateKey, scheme: Scheme, signed_octets: bytes) -> tuple[AuthMethod, bytes]:
    """Sign; the method and octets of the AUTH payload."""
    signature = _sign(key, scheme, signed_octets)
    if scheme.method is AuthMethod.DIGITAL_SIGNATURE:
        return scheme.method, bytes([len(scheme.identifier)]) + scheme.identifier + signature
    return scheme.method, signature


def verify_auth_signature(method: AuthMethod, key: PublicKey, auth_octets: bytes, signed_octets: bytes) -> str:
    """Verify an AUTH payload made with a signature; what it was, for the log. Raises SignatureInvalid."""
    check_key(key)
    scheme, signature = _read(method, auth_octets)
    if not signature:
        raise SignatureInvalid("the signature is empty")
    try:
        _verify(key, scheme, signature, signed_octets)
    except InvalidSignature:
        raise SignatureInvalid(f"the {scheme} does not hold") from None
    except (ValueError, UnsupportedAlgorithm) as error:
        raise SignatureInvalid(f"the {scheme} cannot be checked: {error}") from None
    return str(scheme)


def check_key(key: PublicKey) -> None:
    """Refuse keys that are too weak or not sane; raises SignatureInvalid."""
    if not isinstance(key, rsa.RSAPublicKey):
        return
    if key.key_size < LEAST_RSA_BITS:
        raise SignatureInvalid(f"RSA key of {key.key_size} bits; {LEAST_RSA_BITS} are the least")
    numbers = key.public_numbers()
    if numbers.e < LEAST_RSA_EXPONENT or not numbers.e & 1 or not numbers.n & 1:
        raise SignatureInvalid("RSA key whose exponent or modulus cannot be one")


def _read(method: AuthMethod, octets: bytes) -> tuple[Scheme, bytes]:
    if method is AuthMethod.RSA_SIGNATURE:
        return Scheme("rsa-pkcs1", HashAlgorithm.SHA1, method), octets
    if method in _ECDSA_METHODS:
        return Scheme("ecdsa", _ECDSA_METHODS[method][1], method), octets
    if method is not AuthMethod.DIGITAL_SIGNATURE:
        raise SignatureInvalid(f"authentication method {method} is no signature we know")
    if not octets or 1 + octets[0] > len(octets):
        raise SignatureInvalid("the AlgorithmIdentifier is cut off")
    identifier, signature = octets[1 : 1 + octets[0]], octets[1 + octets[0] :]
    scheme = _ACCEPTED.get(identifier)
    if scheme is None:
        raise SignatureInvalid(f"signature algorithm {identifier.hex()} is not accepted")
    return scheme, signature


def _sign(key: PrivateKey, scheme: Scheme, octets: bytes) -> bytes:
    match key:
        case rsa.RSAPrivateKey():
            return key.sign(octets, _padding(scheme), _HASHES[scheme.hash])
        case ec.EllipticCurvePrivateKey():
            signature = key.sign(octets, ec.ECDSA(_HASHES[scheme.hash]))
            if scheme.method is AuthMethod.DIGITAL_SIGNATURE:
                return signature
            r, s = decode_dss_signature(signature)
            half = (key.curve.key_size + 7) // 8
            return r.to_bytes(half, "big") + s.to_bytes(half, "big")
        case _:
            return key.sign(octets)


def _verify(key: PublicKey, scheme: Scheme, signature: bytes, octets: bytes) -> None:
    match key:
        case rsa.RSAPublicKey() if scheme.kind in {"rsa-pkcs1", "rsa-pss"}:
            key.verify(signature, octets, _padding(scheme), _HASHES[scheme.hash])
        case ec.EllipticCurvePublicKey() if scheme.kind == "ecdsa":
            key.verify(_dss(key, scheme, signature), octets, ec.ECDSA(_HASHES[scheme.hash]))
        case ed25519.Ed25519PublicKey() if scheme.kind == "ed25519":
            key.verify(signature, octets)
        case ed448.Ed448PublicKey() if scheme.kind == "ed448":
            key.verify(signature, octets)
        case _:
            raise SignatureInvalid(f"{scheme} with a key of another kind")


def _dss(key: ec.EllipticCurvePublicKey, scheme: Scheme, signature: bytes) -> bytes:
    """DER of an ECDSA signature; RFC 4754's methods send r and s side by side and fix the curve."""
    if scheme.method is AuthMethod.DIGITAL_SIGNATURE:
        return signature
    curve, _ = _ECDSA_METHODS[scheme.method]
    half = (key.curve.key_size + 7) // 8
    if key.curve.name != curve or len(signature) != 2 * half:
        raise SignatureInvalid(f"{scheme.method} with a signature of {len(signature)} octets and curve {key.curve.name}")
    r, s = int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big")
    if not r or not s:
        raise SignatureInvalid("an ECDSA signature of zeros")
    return encode_dss_signature(r, s)


def _padding(scheme: Scheme) -> padding.AsymmetricPadding:
    if scheme.kind == "rsa-pkcs1":
        return padding.PKCS1v15()
    digest = _HASHES[scheme.hash]
    return padding.PSS(mgf=padding.MGF1(digest), salt_length=digest.digest_size)


def _strongest(peer_hashes: frozenset[HashAlgorithm], key_bits: int) -> HashAlgorithm:
    """The hash that fits the key's strength best of those the peer verifies."""
    ladder = [HashAlgorithm.SHA2_256, HashAlgorithm.SHA2_384, HashAlgorithm.SHA2_512]
    first = 0 if key_bits <= 256 else 1 if key_bits <= 384 else 2  # noqa: PLR2004 - sizes of curves
    for hash_ in (*ladder[first:], *reversed(ladder[:first])):
        if hash_ in peer_hashes:
            return hash_
    raise NoSuchAlgorithm("the peer verifies signatures with SHA-1 only")


def _older_ecdsa(curve: str) -> Scheme:
    for method, (name, hash_) in _ECDSA_METHODS.items():
        if name == curve:
            return Scheme("ecdsa", hash_, method)
    raise NoSuchAlgorithm(f"the peer does not do RFC 7427, which a key on {curve} needs")


# -- AlgorithmIdentifiers (RFC 7427 appendix A, RFC 4055, RFC 8420) ------------------------------------------------

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
_PSS_OID = bytes.fromhex("06092a864886f70d01010a")
_MGF1_OID = bytes.fromhex("06092a864886f70d010108")
_NULL = bytes.fromhex("0500")
_SEQUENCE = 0x30


def _der(tag: int, content: bytes) -> bytes:
    return bytes([tag, len(content)]) + content


def _pss_identifier(hash_: HashAlgorithm, hash_parameters: bytes, mgf_parameters: bytes) -> bytes:
    digest = _der(_SEQUENCE, _HASH_OIDS[hash_] + hash_parameters)
    mgf = _der(_SEQUENCE, _MGF1_OID + _der(_SEQUENCE, _HASH_OIDS[hash_] + mgf_parameters))
    salt = _der(0x02, bytes([_HASHES[hash_].digest_size]))
    parameters = _der(_SEQUENCE, _der(0xA0, digest) + _der(0xA1, mgf) + _der(0xA2, salt))
    return _der(_SEQUENCE, _PSS_OID + parameters)


def _make_accepted() -> dict[bytes, Scheme]:
    found: dict[bytes, Scheme] = {}
    forms: list[tuple[str, HashAlgorithm, bytes]] = [
        ("ed25519", HashAlgorithm.IDENTITY, bytes.fromhex("300506032b6570")),
        ("ed448", HashAlgorithm.IDENTITY, bytes.fromhex("300506032b6571")),
    ]
    for hash_ in _HASH_OIDS:
        forms.append(("rsa-pkcs1", hash_, _der(_SEQUENCE, _RSA_OIDS[hash_] + _NULL)))
        forms.append(("ecdsa", hash_, _der(_SEQUENCE, _ECDSA_OIDS[hash_])))
        # RFC 4055 §2.1: the parameters of the hashes may be NULL or absent; we send NULL.
        forms += [
            ("rsa-pss", hash_, _pss_identifier(hash_, one, other)) for one, other in product((_NULL, b""), repeat=2)
        ]
    for kind, hash_, identifier in forms:
        found[identifier] = Scheme(kind, hash_, AuthMethod.DIGITAL_SIGNATURE, identifier)
    return found


_ACCEPTED = _make_accepted()


def _known(kind: str, hash_: HashAlgorithm) -> Scheme:
    return next(scheme for scheme in _ACCEPTED.values() if scheme.kind == kind and scheme.hash is hash_)
