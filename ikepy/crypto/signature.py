"""Signatures of AUTH payloads: RSA, ECDSA, Ed25519 and Ed448 (RFC 7296 §3.8, RFC 4754, RFC 7427, RFC 8420).

Rule 1: the algorithm must be the key's, and the key strong enough.
Rule 2: SHA-1 only where method 1 fixes it, for peers that do not know RFC 7427.
Not here: AlgorithmIdentifiers (algorithm_identifier.py), whose key it is (auth/), what is signed (ike/keymat.py).
"""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from ikepy.crypto.algorithm_identifier import HASH_OCTETS, Scheme, SignatureKind, parse_identifier, scheme_of
from ikepy.crypto.errors import NoSuchAlgorithm, SignatureInvalid
from ikepy.wire.registry import AuthMethod, HashAlgorithm

LEAST_RSA_BITS, MOST_RSA_BITS = 2048, 16384
LEAST_RSA_EXPONENT = 3
CURVES = frozenset({"secp256r1", "secp384r1", "secp521r1", "brainpoolP256r1", "brainpoolP384r1", "brainpoolP512r1"})
"Curves whose ECDSA keys are taken: 256 bits and more."

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
_RSA_WITH_SHA1 = Scheme(SignatureKind.RSA_PKCS1, HashAlgorithm.SHA1, AuthMethod.RSA_SIGNATURE)


def choose_signature_scheme(
    key: PrivateKey | PublicKey, peer_hashes: frozenset[HashAlgorithm], *, pkcs1: bool = False
) -> Scheme:
    """Choose how to sign with a key for a peer (RFC 7427 §4); peer_hashes empty means: not by RFC 7427.

    pkcs1   whether an RSA signature is to be PKCS#1 v1.5 and not PSS

    Raises NoSuchAlgorithm where the key cannot sign anything the peer verifies.
    """
    match key:
        case rsa.RSAPrivateKey() | rsa.RSAPublicKey():
            if not peer_hashes:
                return _RSA_WITH_SHA1
            kind = SignatureKind.RSA_PKCS1 if pkcs1 else SignatureKind.RSA_PSS
            return scheme_of(kind, _choose_hash(peer_hashes, HashAlgorithm.SHA2_256))
        case ec.EllipticCurvePrivateKey() | ec.EllipticCurvePublicKey():
            if not peer_hashes:
                return _older_ecdsa(key.curve.name)
            return scheme_of(SignatureKind.ECDSA, _choose_hash(peer_hashes, _hash_for_curve(key.curve.key_size)))
        case ed25519.Ed25519PrivateKey() | ed25519.Ed25519PublicKey():
            kind = SignatureKind.ED25519
        case _:
            kind = SignatureKind.ED448
    if HashAlgorithm.IDENTITY not in peer_hashes:
        raise NoSuchAlgorithm(
            f"the peer does not verify {kind.value} signatures (RFC 8420): use an RSA or ECDSA key for it"
        )
    return scheme_of(kind, HashAlgorithm.IDENTITY)


def sign_auth(key: PrivateKey, scheme: Scheme, signed_octets: bytes) -> tuple[AuthMethod, bytes]:
    """Sign; the method and octets of the AUTH payload. The scheme is one chosen for this key."""
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
    """Refuse keys that are too weak or cannot be keys; raises SignatureInvalid."""
    match key:
        case rsa.RSAPublicKey():
            if not LEAST_RSA_BITS <= key.key_size <= MOST_RSA_BITS:
                raise SignatureInvalid(
                    f"RSA key of {key.key_size} bits; from {LEAST_RSA_BITS} to {MOST_RSA_BITS} are taken"
                )
            numbers = key.public_numbers()
            if numbers.e < LEAST_RSA_EXPONENT or not numbers.e & numbers.n & 1:
                raise SignatureInvalid("RSA key whose exponent or modulus cannot be one")
        case ec.EllipticCurvePublicKey():
            if key.curve.name not in CURVES:
                raise SignatureInvalid(f"ECDSA key on {key.curve.name}; {', '.join(sorted(CURVES))} are taken")


def _read(method: AuthMethod, octets: bytes) -> tuple[Scheme, bytes]:
    if method is AuthMethod.RSA_SIGNATURE:
        return _RSA_WITH_SHA1, octets
    if method in _ECDSA_METHODS:
        return Scheme(SignatureKind.ECDSA, _ECDSA_METHODS[method][1], method), octets
    if method is not AuthMethod.DIGITAL_SIGNATURE:
        raise SignatureInvalid(f"authentication method {method} is no signature we know")
    # RFC 7427 §3: one octet of length, the AlgorithmIdentifier, the signature.
    if not octets or 1 + octets[0] > len(octets):
        raise SignatureInvalid("the AlgorithmIdentifier is cut off")
    start = 1 + octets[0]
    return parse_identifier(octets[1:start]), octets[start:]


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
        case rsa.RSAPublicKey() if scheme.kind in {SignatureKind.RSA_PKCS1, SignatureKind.RSA_PSS}:
            key.verify(signature, octets, _padding(scheme), _HASHES[scheme.hash])
        case ec.EllipticCurvePublicKey() if scheme.kind is SignatureKind.ECDSA:
            key.verify(_dss(key, scheme, signature), octets, ec.ECDSA(_HASHES[scheme.hash]))
        case ed25519.Ed25519PublicKey() if scheme.kind is SignatureKind.ED25519:
            key.verify(signature, octets)
        case ed448.Ed448PublicKey() if scheme.kind is SignatureKind.ED448:
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
        raise SignatureInvalid(
            f"{scheme.method} with a signature of {len(signature)} octets and curve {key.curve.name}"
        )
    r, s = int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big")
    if not r or not s:
        raise SignatureInvalid("an ECDSA signature of zeros")
    return encode_dss_signature(r, s)


def _padding(scheme: Scheme) -> padding.AsymmetricPadding:
    if scheme.kind is SignatureKind.RSA_PKCS1:
        return padding.PKCS1v15()
    return padding.PSS(mgf=padding.MGF1(_HASHES[scheme.hash]), salt_length=scheme.salt_octets)


def _hash_for_curve(bits: int) -> HashAlgorithm:
    """The weakest hash that does not weaken a curve."""
    return next((hash_ for hash_, octets in HASH_OCTETS.items() if octets * 8 >= bits), HashAlgorithm.SHA2_512)


def _choose_hash(peer_hashes: frozenset[HashAlgorithm], wanted: HashAlgorithm) -> HashAlgorithm:
    """The hash that is wanted, else the next stronger, else the next weaker one the peer verifies."""
    ladder = list(HASH_OCTETS)
    first = ladder.index(wanted)
    for hash_ in (*ladder[first:], *reversed(ladder[:first])):
        if hash_ in peer_hashes:
            return hash_
    raise NoSuchAlgorithm("the peer verifies no signature with SHA2: RSA and ECDSA keys need it")


def _older_ecdsa(curve: str) -> Scheme:
    for method, (name, hash_) in _ECDSA_METHODS.items():
        if name == curve:
            return Scheme(SignatureKind.ECDSA, hash_, method)
    raise NoSuchAlgorithm(f"the peer does not do RFC 7427, which a key on {curve} needs")
