"""Signatures of AUTH payloads: made and verified, chosen for a peer, refused in every wrong combination."""

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from hypothesis import given, settings
from hypothesis import strategies as st

from ikepy.crypto.algorithm_identifier import SignatureKind, scheme_of
from ikepy.crypto.errors import NoSuchAlgorithm
from ikepy.crypto.signature import check_key, choose_signature_scheme, sign_auth, verify_auth_signature
from ikepy.wire.registry import AuthMethod
from tests.support.certificates import make_key
from tests.support.signing import (
    DIGITAL,
    EVERY_HASH,
    IDENTITY,
    MODERN,
    NONE,
    OCTETS,
    OLDER,
    RSA,
    SHA1,
    SHA256,
    SHA384,
    SHA512,
    digital,
    refuse,
    signed,
)

# -- made and verified ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "wording"),
    [
        *zip(
            MODERN,
            [
                "RSA-PSS signature with SHA2_256",
                "ECDSA signature with SHA2_256",
                "ECDSA signature with SHA2_384",
                "ECDSA signature with SHA2_512",
                "ECDSA signature with SHA2_256",
                "ECDSA signature with SHA2_384",
                "ECDSA signature with SHA2_512",
                "Ed25519 signature",
                "Ed448 signature",
            ],
            strict=True,
        )
    ],
)
def test_signatures_of_rfc_7427_hold_and_say_what_they_are(kind, wording):
    key = make_key(kind)
    method, auth_octets = signed(key, EVERY_HASH)
    assert method is DIGITAL
    assert verify_auth_signature(method, key.public_key(), auth_octets, OCTETS) == wording


@pytest.mark.parametrize("kind", OLDER)
def test_signatures_of_the_older_methods_hold(kind):
    key = make_key(kind)
    method, auth_octets = signed(key, NONE)
    assert method is OLDER[kind]
    assert "SHA" in verify_auth_signature(method, key.public_key(), auth_octets, OCTETS)


@pytest.mark.parametrize(("kind", "octets"), [("p256", 64), ("p384", 96), ("p521", 132), ("rsa2048", 256)])
def test_signatures_of_the_older_methods_have_the_lengths_of_rfc_4754_and_no_identifier(kind, octets):
    assert len(signed(make_key(kind), NONE)[1]) == octets


@pytest.mark.parametrize("hash_", [SHA256, SHA384, SHA512], ids=str)
def test_rsa_with_pkcs_1_is_verified_though_we_do_not_sign_so(hash_):
    key, scheme = make_key("rsa2048"), scheme_of(SignatureKind.RSA_PKCS1, hash_)
    method, auth_octets = sign_auth(key, scheme, OCTETS)
    assert verify_auth_signature(method, key.public_key(), auth_octets, OCTETS) == f"RSA signature with {hash_}"


@pytest.mark.parametrize("peer_hashes", [NONE, EVERY_HASH], ids=["older", "RFC 7427"])
@pytest.mark.parametrize("kind", MODERN)
def test_a_signature_holds_for_its_octets_and_its_key_only(kind, peer_hashes):
    if not peer_hashes and kind not in OLDER:
        return
    key = make_key(kind)
    method, auth_octets = signed(key, peer_hashes)
    refuse("does not hold", method, key, auth_octets, OCTETS + b"\0")
    refuse("does not hold", method, key, auth_octets, b"")
    refuse("does not hold", method, make_key(kind, 1), auth_octets)


@pytest.mark.parametrize("peer_hashes", [NONE, EVERY_HASH], ids=["older", "RFC 7427"])
@pytest.mark.parametrize("kind", MODERN)
@settings(max_examples=25, deadline=None)
@given(at=st.integers(0, 2047), bit=st.integers(0, 7))
def test_no_bit_of_an_auth_payload_can_be_changed(kind, peer_hashes, at, bit):
    if not peer_hashes and kind not in OLDER:
        return
    key = make_key(kind)
    method, auth_octets = signed(key, peer_hashes)
    changed = bytearray(auth_octets)
    changed[at % len(changed)] ^= 1 << bit
    refuse(".", method, key, bytes(changed))


# -- chosen --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "peer_hashes", "hash_"),
    [
        ("rsa2048", {SHA1, SHA256, SHA384, SHA512, IDENTITY}, SHA256),
        ("rsa2048", {SHA512, SHA384}, SHA384),
        ("rsa2048", {SHA1, SHA512}, SHA512),
        ("p256", {SHA256, SHA512}, SHA256),
        ("p384", {SHA256, SHA384, SHA512}, SHA384),
        ("p384", {SHA256, SHA512}, SHA512),
        ("p384", {SHA256}, SHA256),
        ("p521", {SHA256, SHA384}, SHA384),
        ("brainpool512", {SHA256, SHA384, SHA512}, SHA512),
        ("ed25519", {IDENTITY}, IDENTITY),
        ("ed448", {SHA256, IDENTITY}, IDENTITY),
    ],
)
def test_the_hash_is_the_one_that_fits_the_key_or_the_nearest_the_peer_verifies(kind, peer_hashes, hash_):
    key = make_key(kind)
    scheme = choose_signature_scheme(key, frozenset(peer_hashes))
    assert (scheme.hash, scheme.method) == (hash_, DIGITAL)
    assert choose_signature_scheme(key.public_key(), frozenset(peer_hashes)) == scheme


def test_rsa_signs_with_pss_wherever_the_peer_knows_rfc_7427():
    assert choose_signature_scheme(make_key("rsa2048"), EVERY_HASH).kind is SignatureKind.RSA_PSS


@pytest.mark.parametrize(
    ("kind", "peer_hashes", "words"),
    [
        ("rsa2048", {SHA1}, "no signature with SHA2"),
        ("p256", {SHA1, IDENTITY}, "no signature with SHA2"),
        ("ed25519", {SHA256, SHA512}, "does not verify Ed25519 signatures .* use an RSA or ECDSA key"),
        ("ed448", {SHA256, SHA512}, "does not verify Ed448 signatures .* use an RSA or ECDSA key"),
        ("ed25519", set(), "does not verify Ed25519"),
        ("brainpool256", set(), "does not do RFC 7427, which a key on brainpoolP256r1 needs"),
    ],
)
def test_a_key_that_can_sign_nothing_the_peer_verifies_is_told_with_a_reason(kind, peer_hashes, words):
    with pytest.raises(NoSuchAlgorithm, match=words):
        choose_signature_scheme(make_key(kind), frozenset(peer_hashes))


# -- the wrong algorithm, key or framing ---------------------------------------------------------------------------


@pytest.mark.parametrize("signer", MODERN)
@pytest.mark.parametrize("holder", MODERN)
def test_an_algorithm_that_is_not_the_keys_is_refused(signer, holder):
    method, auth_octets = signed(make_key(signer), EVERY_HASH)
    if signer == holder:
        return
    words = "does not hold|cannot be checked" if {signer[0], holder[0]} <= {"p", "b"} else "with a key of another kind"
    refuse(words, method, make_key(holder), auth_octets)


@pytest.mark.parametrize("holder", MODERN)
@pytest.mark.parametrize("signer", OLDER)
def test_an_older_method_with_another_kind_of_key_or_another_curve_is_refused(signer, holder):
    method, auth_octets = signed(make_key(signer), NONE)
    if signer != holder:
        refuse("with a key of another kind|and curve", method, make_key(holder), auth_octets)


@pytest.mark.parametrize(
    "method",
    [AuthMethod.SHARED_KEY, AuthMethod.DSS_SIGNATURE, AuthMethod.NULL, AuthMethod(0), AuthMethod(201)],
    ids=str,
)
def test_methods_that_are_no_signatures_are_refused(method):
    refuse("is no signature we know", method, make_key("rsa2048"), bytes(256))


@pytest.mark.parametrize("auth_octets", [b"", b"\x0f", b"\x0f" + bytes(14), b"\xff" + bytes(254)])
def test_an_identifier_longer_than_the_payload_is_refused(auth_octets):
    refuse("cut off", DIGITAL, make_key("rsa2048"), auth_octets)


def test_an_empty_identifier_is_refused():
    refuse("AlgorithmIdentifier", DIGITAL, make_key("rsa2048"), b"\0" + bytes(256))


@pytest.mark.parametrize("kind", MODERN)
def test_an_empty_signature_is_refused(kind):
    key = make_key(kind)
    refuse("is empty", DIGITAL, key, digital(choose_signature_scheme(key, EVERY_HASH), b""))
    refuse("is empty", RSA, key, b"")


@pytest.mark.parametrize("octets", [1, 63, 64, 65, 96, 114, 132, 256, 65000])
@pytest.mark.parametrize("fill", [b"\0", b"\xff"])
@pytest.mark.parametrize("kind", MODERN)
def test_signatures_of_one_octet_repeated_are_refused(kind, fill, octets):
    key = make_key(kind)
    refuse(".", DIGITAL, key, digital(choose_signature_scheme(key, EVERY_HASH), fill * octets))
    if kind in OLDER:
        refuse(".", OLDER[kind], key, fill * octets)


@settings(max_examples=200, deadline=None)
@given(
    kind=st.sampled_from(MODERN),
    method=st.sampled_from([DIGITAL, *OLDER.values()]),
    auth_octets=st.binary(max_size=300),
    known=st.booleans(),
)
def test_any_octets_are_refused_and_raise_nothing_else(kind, method, auth_octets, known):
    key = make_key(kind)
    if known:
        auth_octets = digital(choose_signature_scheme(key, EVERY_HASH), auth_octets)
    refuse(".", method, key, auth_octets)


# -- ECDSA ---------------------------------------------------------------------------------------------------------

ORDER = ec.SECP256R1().group_order


@pytest.mark.parametrize(("r", "s"), [(0, 0), (0, 1), (1, 0), (ORDER, ORDER), (ORDER, 1), (1, ORDER), (2**256 - 1, 1)])
def test_ecdsa_with_r_or_s_outside_of_1_to_the_order_is_refused(r, s):
    key, scheme = make_key("p256"), scheme_of(SignatureKind.ECDSA, SHA256)
    refuse(".", DIGITAL, key, digital(scheme, encode_dss_signature(r, s)))
    refuse(".", AuthMethod.ECDSA_SHA256_P256, key, r.to_bytes(32, "big") + s.to_bytes(32, "big"))


def test_ecdsa_of_an_older_method_is_refused_in_any_other_length():
    key = make_key("p256")
    method, good = signed(key, NONE)
    for wrong in (good[:-1], good + b"\0", b"\0" + good, good[:32], b"\0" * 2 + good):
        refuse(f"signature of {len(wrong)} octets", method, key, wrong)


def test_ecdsa_forms_are_not_taken_for_each_other():
    key = make_key("p256")
    _, raw = signed(key, NONE)
    scheme = scheme_of(SignatureKind.ECDSA, SHA256)
    refuse(".", DIGITAL, key, digital(scheme, raw))
    as_der = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    verify_auth_signature(DIGITAL, key.public_key(), digital(scheme, as_der), OCTETS)


def test_ecdsa_in_der_with_more_behind_it_or_numbers_not_minimal_is_refused():
    key, scheme = make_key("p256"), scheme_of(SignatureKind.ECDSA, SHA256)
    signature = key.sign(OCTETS, ec.ECDSA(hashes.SHA256()))
    r, s = (value.to_bytes(33, "big") for value in decode_dss_signature(signature))
    stretched = b"\x02\x22\0" + r + b"\x02\x22\0" + s
    for wrong in (signature + b"\0", b"\x30" + bytes([len(stretched)]) + stretched, signature[:-1]):
        refuse(".", DIGITAL, key, digital(scheme, wrong))


@pytest.mark.parametrize("curve", [ec.SECP192R1(), ec.SECP224R1(), ec.SECP256K1()], ids=lambda curve: curve.name)
def test_keys_on_weak_or_foreign_curves_are_refused(curve):
    key = ec.generate_private_key(curve)
    signature = key.sign(OCTETS, ec.ECDSA(hashes.SHA256()))
    auth_octets = digital(scheme_of(SignatureKind.ECDSA, SHA256), signature)
    refuse(f"ECDSA key on {curve.name}; brainpoolP256r1, .* are taken", DIGITAL, key, auth_octets)


@pytest.mark.parametrize("kind", MODERN)
def test_good_keys_are_taken(kind):
    check_key(make_key(kind).public_key())
