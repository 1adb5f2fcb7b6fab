"""AUTH payloads made with signatures, for tests of making, verifying and forging them."""

import pytest

from ikepy.crypto.errors import SignatureInvalid
from ikepy.crypto.signature import choose_signature_scheme, sign_auth, verify_auth_signature
from ikepy.wire.registry import AuthMethod, HashAlgorithm

SHA1, SHA256, SHA384, SHA512, IDENTITY = HashAlgorithm
DIGITAL, RSA = AuthMethod.DIGITAL_SIGNATURE, AuthMethod.RSA_SIGNATURE
EVERY_HASH = frozenset({SHA256, SHA384, SHA512, IDENTITY})
NONE: frozenset[HashAlgorithm] = frozenset()
OCTETS = b"the octets of IKE_SA_INIT, a nonce, a MACed identity"
MODERN = ["rsa2048", "p256", "p384", "p521", "brainpool256", "brainpool384", "brainpool512", "ed25519", "ed448"]
OLDER = {
    "rsa2048": RSA,
    "p256": AuthMethod.ECDSA_SHA256_P256,
    "p384": AuthMethod.ECDSA_SHA384_P384,
    "p521": AuthMethod.ECDSA_SHA512_P521,
}


def signed(key, peer_hashes, octets=OCTETS):
    """Method and octets of an AUTH payload of ours."""
    return sign_auth(key, choose_signature_scheme(key, peer_hashes), octets)


def digital(scheme, signature):
    """Octets of an AUTH payload with an identifier and a signature that are told."""
    return bytes([len(scheme.identifier)]) + scheme.identifier + signature


def refuse(words, method, key, auth_octets, octets=OCTETS):
    """Expect that the payload is refused in such words."""
    with pytest.raises(SignatureInvalid, match=words):
        verify_auth_signature(method, key.public_key(), auth_octets, octets)
