"""AlgorithmIdentifiers of RFC 7427: what we write, what we read, and how much else there could be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ikepy.crypto.algorithm_identifier import MOST_SALT_OCTETS, SignatureKind, parse_identifier, scheme_of
from ikepy.crypto.errors import SignatureInvalid
from ikepy.wire.registry import AuthMethod, HashAlgorithm

SHA1, SHA256, SHA384, SHA512, IDENTITY = HashAlgorithm
PSS, PKCS1, ECDSA = SignatureKind.RSA_PSS, SignatureKind.RSA_PKCS1, SignatureKind.ECDSA
SHA256_OID, SHA384_OID, SHA1_OID = "0609608648016503040201", "0609608648016503040202", "06052b0e03021a"
PSS_OID, MGF1_OID = "06092a864886f70d01010a", "06092a864886f70d010108"
NULL = "0500"
TRAILER_1 = "a303020101"

# RFC 7427 appendix A, RFC 8420 appendix A.
PRINTED = [
    (PKCS1, SHA256, "300d06092a864886f70d01010b0500"),
    (PKCS1, SHA384, "300d06092a864886f70d01010c0500"),
    (PKCS1, SHA512, "300d06092a864886f70d01010d0500"),
    (ECDSA, SHA256, "300a06082a8648ce3d040302"),
    (ECDSA, SHA384, "300a06082a8648ce3d040303"),
    (ECDSA, SHA512, "300a06082a8648ce3d040304"),
    (
        PSS,
        SHA256,
        (
            "304106092a864886f70d01010a3034a00f300d06096086480165030402010500"
            "a11c301a06092a864886f70d010108300d06096086480165030402010500a203020120"
        ),
    ),
    (
        PSS,
        SHA384,
        (
            "304106092a864886f70d01010a3034a00f300d06096086480165030402020500"
            "a11c301a06092a864886f70d010108300d06096086480165030402020500a203020130"
        ),
    ),
    (
        PSS,
        SHA512,
        (
            "304106092a864886f70d01010a3034a00f300d06096086480165030402030500"
            "a11c301a06092a864886f70d010108300d06096086480165030402030500a203020140"
        ),
    ),
    (SignatureKind.ED25519, IDENTITY, "300506032b6570"),
    (SignatureKind.ED448, IDENTITY, "300506032b6571"),
]


def der(tag, *contents):
    content = b"".join(bytes.fromhex(each) for each in contents)
    return f"{tag:02x}{len(content):02x}{content.hex()}"


DIGEST = der(0xA0, der(0x30, SHA256_OID, NULL))
MASK = der(0xA1, der(0x30, MGF1_OID, der(0x30, SHA256_OID, NULL)))
SALT = der(0xA2, "020120")


def pss(digest=DIGEST, mask=MASK, salt=SALT, trailer=""):
    """RSASSA-PSS-params, of which each field may be replaced by one that is wrong."""
    return der(0x30, PSS_OID, der(0x30, digest, mask, salt, trailer))


@pytest.mark.parametrize(("kind", "hash_", "identifier"), PRINTED, ids=str)
def test_identifiers_are_written_and_read_as_printed(kind, hash_, identifier):
    scheme = scheme_of(kind, hash_)
    assert scheme.identifier.hex() == identifier
    assert scheme.method is AuthMethod.DIGITAL_SIGNATURE
    assert parse_identifier(bytes.fromhex(identifier)) == scheme


def test_schemes_are_worded_for_the_log():
    words = [str(scheme_of(kind, hash_)) for kind, hash_ in [(PSS, SHA256), (PKCS1, SHA512), (ECDSA, SHA384)]]
    assert words == ["RSA-PSS signature with SHA2_256", "RSA signature with SHA2_512", "ECDSA signature with SHA2_384"]
    assert str(scheme_of(SignatureKind.ED25519, IDENTITY)) == "Ed25519 signature"


@pytest.mark.parametrize(
    ("kind", "hash_"), [(PSS, SHA1), (ECDSA, SHA1), (PKCS1, IDENTITY), (SignatureKind.ED448, SHA512)]
)
def test_kinds_and_hashes_that_do_not_go_together_are_no_scheme(kind, hash_):
    with pytest.raises(KeyError):
        scheme_of(kind, hash_)


@pytest.mark.parametrize("identifier", ["300b06092a864886f70d01010b", "300b06092a864886f70d01010d"])
def test_rsa_with_pkcs_1_is_read_without_parameters_too(identifier):
    scheme = parse_identifier(bytes.fromhex(identifier))
    assert scheme.kind is PKCS1
    assert scheme.identifier.hex() == identifier


@pytest.mark.parametrize("digest_null", ["", NULL])
@pytest.mark.parametrize("mask_null", ["", NULL])
@pytest.mark.parametrize("trailer", ["", TRAILER_1])
@pytest.mark.parametrize(("salt", "octets"), [("020120", 32), ("020140", 64), ("020200de", 222), ("02020200", 512)])
def test_rsa_pss_is_read_in_the_forms_rfc_4055_allows(digest_null, mask_null, trailer, salt, octets):
    digest, mask = (der(0x30, SHA256_OID, null) for null in (digest_null, mask_null))
    text = pss(der(0xA0, digest), der(0xA1, der(0x30, MGF1_OID, mask)), der(0xA2, salt), trailer)
    scheme = parse_identifier(bytes.fromhex(text))
    assert (scheme.kind, scheme.hash, scheme.salt_octets) == (PSS, SHA256, octets)


WRONG_PSS = {
    "no parameters": der(0x30, PSS_OID),
    "NULL for parameters": der(0x30, PSS_OID, NULL),
    "all parameters left to their defaults": der(0x30, PSS_OID, der(0x30)),
    "hash left to its default": pss(digest=""),
    "mask left to its default (CVE-2018-6459)": pss(mask=""),
    "salt left to its default": pss(salt=""),
    "SHA-1": pss(
        der(0xA0, der(0x30, SHA1_OID, NULL)),
        der(0xA1, der(0x30, MGF1_OID, der(0x30, SHA1_OID, NULL))),
        der(0xA2, "020114"),
    ),
    "mask by another hash": pss(mask=der(0xA1, der(0x30, MGF1_OID, der(0x30, SHA384_OID, NULL)))),
    "mask by MGF1 without a hash": pss(mask=der(0xA1, der(0x30, MGF1_OID))),
    "mask by MGF1 with NULL for a hash": pss(mask=der(0xA1, der(0x30, MGF1_OID, NULL))),
    "mask by another function": pss(mask=der(0xA1, der(0x30, PSS_OID, der(0x30, SHA256_OID, NULL)))),
    "hash with parameters": pss(digest=der(0xA0, der(0x30, SHA256_OID, "020101"))),
    "hash with NULL twice": pss(digest=der(0xA0, der(0x30, SHA256_OID, NULL, NULL))),
    "salt shorter than the hash": pss(salt=der(0xA2, "02011f")),
    "no salt": pss(salt=der(0xA2, "020100")),
    "salt of -1": pss(salt=der(0xA2, "0201ff")),
    "salt not minimal": pss(salt=der(0xA2, "02020020")),
    "salt without octets": pss(salt=der(0xA2, "0200")),
    "salt of more than we take": pss(salt=der(0xA2, "02020201")),
    "salt of 2**31 - 1 (CVE-2021-41990)": pss(salt=der(0xA2, "02047fffffff")),
    "salt of 2**63": pss(salt=der(0xA2, "0209008000000000000000")),
    "salt no integer": pss(salt=der(0xA2, "040120")),
    "salt with more behind it": pss(salt=der(0xA2, "020120", NULL)),
    "salt empty": pss(salt=der(0xA2)),
    "trailer 2": pss(trailer="a303020102"),
    "trailer twice": pss(trailer=TRAILER_1 * 2),
    "more behind the salt": pss(trailer=NULL),
    "fields in another order": der(
        0x30, PSS_OID, der(0x30, der(0xA2, "020120"), der(0xA0, der(0x30, SHA256_OID)), der(0xA1, der(0x30, MGF1_OID)))
    ),
    "more behind the parameters": der(0x30, PSS_OID, pss()[26:], NULL),
    "more behind the identifier": pss() + NULL,
}


@pytest.mark.parametrize("identifier", WRONG_PSS.values(), ids=WRONG_PSS.keys())
def test_rsa_pss_in_any_other_form_is_refused(identifier):
    with pytest.raises(SignatureInvalid):
        parse_identifier(bytes.fromhex(identifier))


@pytest.mark.parametrize(
    "identifier",
    [
        pytest.param("", id="nothing"),
        pytest.param("30", id="a tag"),
        pytest.param("3000", id="an empty sequence"),
        pytest.param("300d06092a864886f70d0101050500", id="RSA with SHA-1"),
        pytest.param("300d06092a864886f70d0101040500", id="RSA with MD5"),
        pytest.param("300d06092a864886f70d0101010500", id="rsaEncryption"),
        pytest.param("300906072a8648ce3d0401", id="ECDSA with SHA-1"),
        pytest.param("300906072a8648ce380403", id="DSA with SHA-1"),
        pytest.param("300c06082a8648ce3d0403020500", id="ECDSA with NULL"),
        pytest.param("300706032b65700500", id="Ed25519 with NULL"),
        pytest.param("300f06092a864886f70d01010b05000500", id="RSA with NULL twice"),
        pytest.param("300e06092a864886f70d01010b020100", id="RSA with a number"),
        pytest.param("30810d06092a864886f70d01010b0500", id="a length that is not minimal"),
        pytest.param("308006092a864886f70d01010b05000000", id="an indefinite length"),
        pytest.param("300d06092a864886f70d01010b050000", id="an octet too many"),
        pytest.param("300d06092a864886f70d01010b05", id="an octet too few"),
        pytest.param("310d06092a864886f70d01010b0500", id="a set"),
        pytest.param("30" * 128, id="deep"),
        pytest.param("30fd" + "00" * 253, id="long"),
    ],
)
def test_other_algorithms_and_other_encodings_are_refused(identifier):
    with pytest.raises(SignatureInvalid):
        parse_identifier(bytes.fromhex(identifier))


@pytest.mark.parametrize("octets", range(67))
def test_an_identifier_cut_off_anywhere_is_refused(octets):
    with pytest.raises(SignatureInvalid):
        parse_identifier(bytes.fromhex(pss())[:octets])


@given(st.binary(max_size=255) | st.builds(lambda octets: bytes.fromhex("30") + octets, st.binary(max_size=80)))
def test_any_octets_are_a_scheme_we_know_or_refused(octets):
    try:
        scheme = parse_identifier(octets)
    except SignatureInvalid:
        return
    assert scheme.identifier == octets


@given(at=st.integers(0, 66), octet=st.integers(0, 255))
def test_an_rsa_pss_identifier_with_one_octet_changed_is_refused_or_has_another_salt(at, octet):
    identifier = bytearray.fromhex(pss())
    identifier[at] = octet
    try:
        scheme = parse_identifier(bytes(identifier))
    except SignatureInvalid:
        return
    assert at == 66 or bytes(identifier).hex() == pss()
    assert (scheme.kind, scheme.hash) == (PSS, SHA256)
    assert 32 <= scheme.salt_octets <= MOST_SALT_OCTETS
