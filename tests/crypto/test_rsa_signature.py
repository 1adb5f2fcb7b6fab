"""RSA signatures forged in the ways that worked elsewhere, and the forms of RSA-PSS."""

import hashlib

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from ikepy.crypto.algorithm_identifier import SignatureKind, scheme_of
from ikepy.crypto.errors import SignatureInvalid
from ikepy.crypto.signature import check_key, sign_auth, verify_auth_signature
from tests.support.certificates import make_key
from tests.support.signing import DIGITAL, EVERY_HASH, NONE, OCTETS, RSA, SHA256, digital, refuse, signed


def test_short_rsa_keys_are_refused_though_the_signature_holds():
    key = make_key("rsa1024")
    refuse("RSA key of 1024 bits; from 2048 to 16384 are taken", *[RSA, key, signed(key, NONE)[1]])
    refuse("RSA key of 1024 bits", DIGITAL, key, signed(key, EVERY_HASH)[1])


@pytest.mark.parametrize("exponent", [0, 1, 2, 65536])
def test_rsa_exponents_that_cannot_be_are_refused_before_they_become_a_key(exponent):
    # CVE-2017-9022, CVE-2026-14957: cryptography sees to it, however the key is read.
    with pytest.raises(ValueError, match="e must be"):
        rsa.RSAPublicNumbers(exponent, make_key("rsa2048").public_key().public_numbers().n).public_key()


@pytest.mark.parametrize("make", [lambda n: n - 1, lambda n: 1 << (n.bit_length() - 1)], ids=["n - 1", "2**2047"])
def test_even_rsa_moduli_and_such_as_are_too_long_are_refused(make):
    modulus = make_key("rsa2048").public_key().public_numbers().n
    with pytest.raises(SignatureInvalid, match="exponent or modulus cannot be one"):
        check_key(rsa.RSAPublicNumbers(65537, make(modulus)).public_key())
    with pytest.raises(SignatureInvalid, match="RSA key of 16385 bits"):
        check_key(rsa.RSAPublicNumbers(65537, (1 << 16385) - 1).public_key())


@pytest.fixture(scope="module")
def key_e3():
    """RSA with exponent 3, where a forger has the least to do."""
    return rsa.generate_private_key(3, 2048)


SHA256_INFO = bytes.fromhex("3031300d060960864801650304020105000420") + hashlib.sha256(OCTETS).digest()
SHA1_INFO = bytes.fromhex("3021300906052b0e03021a05000414") + hashlib.sha1(OCTETS).digest()


def padded(info, room=256, fill=b"\xff"):
    """EMSA-PKCS1-v1_5 (RFC 8017 §9.2)."""
    return b"\0\1" + fill * (room - 3 - len(info)) + b"\0" + info


WRONG_ENCODINGS = {
    "garbage behind the hash (CVE-2018-16151)": b"\0\1"
    + b"\xff" * 8
    + b"\0"
    + SHA256_INFO
    + bytes(256 - 11 - len(SHA256_INFO)),
    "garbage in the parameters (CVE-2018-16152)": padded(
        bytes.fromhex("3035301106096086480165030402010404deadbeef0420") + hashlib.sha256(OCTETS).digest()
    ),
    "parameters absent": padded(bytes.fromhex("302f300b0609608648016503040201") + b"\x04\x20" + SHA256_INFO[-32:]),
    "length not minimal": padded(bytes.fromhex("308131300d060960864801650304020105000420") + SHA256_INFO[-32:]),
    "no identifier": padded(SHA256_INFO[-32:]),
    "padding of another octet": padded(SHA256_INFO, fill=b"\xfe"),
    "padding of zeros": padded(SHA256_INFO, fill=b"\0"),
    "padding of type 2": b"\0\2" + padded(SHA256_INFO)[2:],
    "padding of type 0": b"\0\0" + padded(SHA256_INFO)[2:],
    "no zero before the hash": padded(SHA256_INFO).replace(b"\xff\0\x30", b"\xff\xff\x30"),
    "no padding": b"\0\1\0" + SHA256_INFO + bytes(253 - len(SHA256_INFO)),
    "SHA-1 under the name of SHA-256": padded(SHA1_INFO),
    "one bit of the hash": padded(SHA256_INFO[:-1] + bytes([SHA256_INFO[-1] ^ 1])),
}


def raw_signature(key, encoding):
    """Sign an encoding as it stands."""
    numbers = key.private_numbers()
    value = pow(int.from_bytes(encoding, "big"), numbers.d, numbers.public_numbers.n)
    return value.to_bytes(256, "big")


def test_the_forgers_tool_makes_signatures_that_hold_where_the_encoding_is_right(key_e3):
    auth_octets = digital(scheme_of(SignatureKind.RSA_PKCS1, SHA256), raw_signature(key_e3, padded(SHA256_INFO)))
    verify_auth_signature(DIGITAL, key_e3.public_key(), auth_octets, OCTETS)
    verify_auth_signature(RSA, key_e3.public_key(), raw_signature(key_e3, padded(SHA1_INFO)), OCTETS)


@pytest.mark.parametrize("encoding", WRONG_ENCODINGS.values(), ids=WRONG_ENCODINGS.keys())
def test_pkcs_1_encodings_that_are_not_exact_are_refused(key_e3, encoding):
    assert len(encoding) == 256
    signature = raw_signature(key_e3, encoding)
    refuse(".", DIGITAL, key_e3, digital(scheme_of(SignatureKind.RSA_PKCS1, SHA256), signature))


def test_method_1_takes_sha_1_exactly_and_nothing_else(key_e3):
    for encoding in (
        padded(SHA256_INFO),
        padded(SHA1_INFO[-20:]),
        b"\0\1\xff\0" + SHA1_INFO + bytes(252 - len(SHA1_INFO)),
    ):
        refuse("does not hold", RSA, key_e3, raw_signature(key_e3, encoding))


def test_a_cube_root_is_no_signature(key_e3):
    # Bleichenbacher 2006: with e=3, a number whose cube begins like an encoding, garbage behind it.
    wanted = b"\0\1" + b"\xff" * 8 + b"\0" + SHA256_INFO
    target = int.from_bytes(wanted + b"\xff" * (256 - len(wanted)), "big")
    low, high = 0, 1 << 700
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if middle**3 <= target else (low, middle - 1)
    assert (low**3).to_bytes(256, "big").startswith(wanted)
    refuse(
        "does not hold", DIGITAL, key_e3, digital(scheme_of(SignatureKind.RSA_PKCS1, SHA256), low.to_bytes(256, "big"))
    )


@pytest.mark.parametrize("kind", [SignatureKind.RSA_PKCS1, SignatureKind.RSA_PSS])
def test_numbers_that_are_no_signatures_are_refused(kind):
    # CVE-2017-11185: a signature equal to the modulus.
    key, scheme = make_key("rsa2048"), scheme_of(kind, SHA256)
    modulus = key.public_key().public_numbers().n
    for number in (0, 1, modulus - 1, modulus, (1 << 2048) - 1):
        refuse(".", DIGITAL, key, digital(scheme, number.to_bytes(256, "big")))


def test_a_signature_plus_the_modulus_and_one_of_another_length_are_refused():
    key = make_key("rsa2048")
    modulus = key.public_key().public_numbers().n
    for peer_hashes in (NONE, EVERY_HASH):
        method, auth_octets = signed(key, peer_hashes)
        head, signature = auth_octets[:-256], auth_octets[-256:]
        greater = (int.from_bytes(signature, "big") + modulus).to_bytes(257, "big")
        for wrong in (greater, b"\0" + signature, signature + b"\0", signature[:-1], signature * 2):
            refuse(".", method, key, head + wrong)


def pss_signature(key, salt_octets):
    return key.sign(OCTETS, padding.PSS(padding.MGF1(hashes.SHA256()), salt_octets), hashes.SHA256())


def pss_identifier(salt_octets):
    content = bytes.fromhex(
        "06092a864886f70d01010a3035a00f300d06096086480165030402010500"
        "a11c301a06092a864886f70d010108300d06096086480165030402010500a2040202"
    ) + salt_octets.to_bytes(2, "big")
    return b"\x30" + bytes([len(content)]) + content


def test_rsa_pss_with_the_longest_salt_there_is_room_for_is_taken_as_tokens_sign_so():
    key, identifier = make_key("rsa2048"), pss_identifier(222)
    auth_octets = bytes([len(identifier)]) + identifier + pss_signature(key, 222)
    words = verify_auth_signature(DIGITAL, key.public_key(), auth_octets, OCTETS)
    assert words == "RSA-PSS signature with SHA2_256"


@pytest.mark.parametrize("named", [223, 300, 512, 513, 0x7FFF])
def test_rsa_pss_with_a_salt_there_is_no_room_for_is_refused(named):
    key, identifier = make_key("rsa2048"), pss_identifier(named)
    refuse(".", DIGITAL, key, bytes([len(identifier)]) + identifier + pss_signature(key, 222))


@pytest.mark.parametrize("salt_octets", [0, 20, 31, 33, 222])
def test_rsa_pss_with_another_salt_than_it_names_is_refused(salt_octets):
    key = make_key("rsa2048")
    auth_octets = digital(scheme_of(SignatureKind.RSA_PSS, SHA256), pss_signature(key, salt_octets))
    refuse("does not hold", DIGITAL, key, auth_octets)


def test_rsa_signatures_of_one_encoding_are_not_taken_for_the_other():
    key = make_key("rsa2048")
    pss, pkcs1 = scheme_of(SignatureKind.RSA_PSS, SHA256), scheme_of(SignatureKind.RSA_PKCS1, SHA256)
    for one, other in ((pss, pkcs1), (pkcs1, pss)):
        signature = sign_auth(key, one, OCTETS)[1][-256:]
        refuse("does not hold", DIGITAL, key, digital(other, signature))
