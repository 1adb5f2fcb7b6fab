"""Project Wycheproof's vectors: edge cases and attacks, through the interfaces IKE uses.

Each test says how many vectors fit IKE's sizes (nonces, lengths, encodings), so that none is passed over in silence.
"""

import pytest
from cryptography.hazmat.primitives.serialization import load_der_public_key

from ikepy.crypto.algorithm_identifier import SignatureKind, scheme_of
from ikepy.crypto.cipher import get_encr
from ikepy.crypto.errors import IntegrityError, InvalidPublicValue, SignatureInvalid
from ikepy.crypto.integ import get_integ
from ikepy.crypto.key_exchange import make_key_exchange
from ikepy.crypto.prf import get_prf
from ikepy.crypto.secret import Secret
from ikepy.crypto.signature import verify_auth_signature
from ikepy.wire.registry import AuthMethod, EncrId, HashAlgorithm, IntegId, KeMethod, PrfId
from tests.support.entropy import ToldEntropy
from tests.support.vectors import load_json, needs_vectors

pytestmark = needs_vectors


def groups(name):
    return load_json(f"crypto/wycheproof/{name}_test.json")["testGroups"]


def cases(name):
    return [(group, case) for group in groups(name) for case in group["tests"]]


def octets(case, key):
    return bytes.fromhex(case[key])


def raises(error, call, *arguments):
    """Whether a call ends in that error; any other error is a failure."""
    try:
        call(*arguments)
    except error:
        return True
    return False


def test_aes_gcm():
    # IKE's nonces have 12 octets (RFC 5282 §4).
    fitting = [(group, case) for group, case in cases("aes_gcm") if group["ivSize"] == 96]
    assert len(fitting) == 197
    for group, case in fitting:
        key, nonce = octets(case, "key"), octets(case, "iv")
        cipher = get_encr(EncrId.AES_GCM_16, group["keySize"]).keyed(Secret(key + nonce[:4]))
        plaintext, aad, sealed = octets(case, "msg"), octets(case, "aad"), octets(case, "ct") + octets(case, "tag")
        is_valid = case["result"] == "valid"
        assert raises(IntegrityError, cipher.open, nonce[4:], sealed, aad) != is_valid, case["tcId"]
        assert (cipher.seal(nonce[4:], plaintext, aad) == sealed) == is_valid, case["tcId"]
        if is_valid:
            assert cipher.open(nonce[4:], sealed, aad) == plaintext, case["tcId"]


@pytest.mark.parametrize(("number", "icv_octets"), [(EncrId.AES_GCM_8, 8), (EncrId.AES_GCM_12, 12)], ids=str)
def test_aes_gcm_with_shorter_tags(number, icv_octets):
    for group, case in cases("aes_gcm"):
        if group["ivSize"] != 96 or case["result"] != "valid":
            continue
        key, nonce = octets(case, "key"), octets(case, "iv")
        cipher = get_encr(number, group["keySize"]).keyed(Secret(key + nonce[:4]))
        sealed = octets(case, "ct") + octets(case, "tag")[:icv_octets]
        assert cipher.seal(nonce[4:], octets(case, "msg"), octets(case, "aad")) == sealed, case["tcId"]
        assert cipher.open(nonce[4:], sealed, octets(case, "aad")) == octets(case, "msg"), case["tcId"]


def test_hmac_sha256_as_prf_and_as_integrity_algorithm():
    prf, integ = get_prf(PrfId.HMAC_SHA2_256), get_integ(IntegId.HMAC_SHA2_256_128)
    as_prf = as_integ = 0
    for group, case in cases("hmac_sha256"):
        key, text, tag = (octets(case, name) for name in ("key", "msg", "tag"))
        is_valid = case["result"] == "valid"
        assert (prf.digest(Secret(key), text)[: len(tag)] == tag) == is_valid, case["tcId"]
        as_prf += 1
        if (group["keySize"], group["tagSize"]) == (256, 128):
            assert raises(IntegrityError, integ.keyed(Secret(key)).verify, text, tag) != is_valid, case["tcId"]
            as_integ += 1
    assert (as_prf, as_integ) == (174, 81)


def test_x25519_refuses_shared_secrets_of_zeros_and_agrees_on_all_others():
    refused = 0
    for _, case in cases("x25519"):
        key_exchange = make_key_exchange(KeMethod.CURVE25519, ToldEntropy(octets(case, "private")))
        public = octets(case, "public")
        if "ZeroSharedSecret" in case["flags"]:
            with pytest.raises(InvalidPublicValue):
                key_exchange.shared(public)
            refused += 1
        else:
            assert key_exchange.shared(public).reveal() == octets(case, "shared"), case["tcId"]
    assert refused == 31


def test_ecdh_on_p256_agrees_and_refuses_points_off_the_curve():
    agreed = refused = 0
    for _, case in cases("ecdh_secp256r1_ecpoint"):
        public, private = octets(case, "public"), int(case["private"], 16)
        key_exchange = make_key_exchange(KeMethod.ECP_256, ToldEntropy((private - 1).to_bytes(40, "big")))
        if case["result"] == "valid":
            assert public[:1] == b"\4"
            assert key_exchange.shared(public[1:]).reveal() == octets(case, "shared"), case["tcId"]
            agreed += 1
            continue
        # Compressed points are not for IKE (RFC 5903 §7): what is left of them has another length.
        assert raises(InvalidPublicValue, key_exchange.shared, public.removeprefix(b"\4")), case["tcId"]
        refused += 1
    assert (agreed, refused) == (330, 25)


def test_ecdsa_on_p256_as_method_9():
    verified = 0
    for group, case in cases("ecdsa_secp256r1_sha256_p1363"):
        key = load_der_public_key(octets(group, "publicKeyDer"))
        signature, text = octets(case, "sig"), octets(case, "msg")
        arguments = (AuthMethod.ECDSA_SHA256_P256, key, signature, text)
        is_valid = case["result"] == "valid"
        assert raises(SignatureInvalid, verify_auth_signature, *arguments) != is_valid, case["tcId"]
        verified += 1
    assert verified == 262


def test_rsa_pss_as_digital_signature():
    identifier = scheme_of(SignatureKind.RSA_PSS, HashAlgorithm.SHA2_256).identifier
    verified = 0
    for group, case in cases("rsa_pss_2048_sha256_mgf1_32"):
        key = load_der_public_key(octets(group, "publicKeyDer"))
        auth_octets = bytes([len(identifier)]) + identifier + octets(case, "sig")
        arguments = (AuthMethod.DIGITAL_SIGNATURE, key, auth_octets, octets(case, "msg"))
        is_valid = case["result"] == "valid"
        assert raises(SignatureInvalid, verify_auth_signature, *arguments) != is_valid, case["tcId"]
        verified += 1
    assert verified == 108
