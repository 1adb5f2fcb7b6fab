"""PRFs and prf+ against what the RFCs print."""

import pytest

from ikepy.crypto.errors import NoSuchAlgorithm
from ikepy.crypto.prf import MOST_BLOCKS, get_prf, supported_prfs
from ikepy.crypto.secret import Secret
from ikepy.wire.registry import PrfId

# RFC 2202 §3 and RFC 4231 §4: key, text, HMAC-SHA1, -SHA256, -SHA384, -SHA512.
HMACS = [
    pytest.param(
        b"Jefe",
        b"what do ya want for nothing?",
        "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79",
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649",
        "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
        "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
        id="case 2",
    ),
    pytest.param(
        b"\x0b" * 20,
        b"Hi There",
        "b617318655057264e28bc0b6fb378c8ef146be00",
        "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
        "afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59cfaea9ea9076ede7f4af152e8b2fa9cb6",
        "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cde"
        "daa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854",
        id="case 1",
    ),
]
HASHES = [PrfId.HMAC_SHA1, PrfId.HMAC_SHA2_256, PrfId.HMAC_SHA2_384, PrfId.HMAC_SHA2_512]
TWENTY = bytes(range(20))


@pytest.mark.parametrize(("key", "text", "sha1", "sha256", "sha384", "sha512"), HMACS)
def test_hmacs_are_those_of_rfc_2202_and_4231(key, text, sha1, sha256, sha384, sha512):
    digests = [get_prf(number).digest(Secret(key), text).hex() for number in HASHES]
    assert digests == [sha1, sha256, sha384, sha512]


@pytest.mark.parametrize(
    ("key_octets", "text", "expected"),
    [
        # RFC 3566 §4.6 and RFC 4434 §2: the keys are 000102..., cut or continued with edcb.
        (16, b"", "75f0251d528ac01c4573dfd584d79f29"),
        (16, bytes(range(3)), "5b376580ae2f19afe7219ceef172756f"),
        (16, bytes(range(16)), "d2a246fa349b68a79998a4394ff7a263"),
        (16, TWENTY, "47f51b4564966215b8985c63055ed308"),
        (16, bytes(range(32)), "f54f0ec8d2b9f3d36807734bd5283fd4"),
        (10, TWENTY, "0fa087af7d866e7653434e602fdde835"),
        (18, TWENTY, "8cd3c93ae598a9803006ffb67c40e9e4"),
    ],
)
def test_aes_xcbc_is_that_of_rfc_3566_and_4434_for_keys_of_any_length(key_octets, text, expected):
    key = Secret((bytes(range(16)) + b"\xed\xcb")[:key_octets])
    assert get_prf(PrfId.AES128_XCBC).digest(key, text).hex() == expected


@pytest.mark.parametrize(
    ("key", "text", "expected"),
    [
        # RFC 4493 §4, then RFC 4615 §4.
        ("2b7e151628aed2a6abf7158809cf4f3c", "", "bb1d6929e95937287fa37d129b756746"),
        (
            "2b7e151628aed2a6abf7158809cf4f3c",
            "6bc1bee22e409f96e93d7e117393172a",
            "070a16b46b4d4144f79bdd9dd04a287c",
        ),
        ("000102030405060708090a0b0c0d0e0fedcb", TWENTY.hex(), "84a348a4a45d235babfffc0d2b4da09a"),
        ("000102030405060708090a0b0c0d0e0f", TWENTY.hex(), "980ae87b5f4c9c5214f5b6a8455e4c2d"),
        ("00010203040506070809", TWENTY.hex(), "290d9e112edb09ee141fcf64c0b72f3d"),
    ],
)
def test_aes_cmac_is_that_of_rfc_4493_and_4615_for_keys_of_any_length(key, text, expected):
    digest = get_prf(PrfId.AES128_CMAC).digest(Secret(bytes.fromhex(key)), bytes.fromhex(text))
    assert digest.hex() == expected


@pytest.mark.parametrize("number", sorted(supported_prfs()), ids=str)
def test_every_prf_gives_the_same_under_a_kept_key_in_parts_and_at_once(number):
    prf, key = get_prf(number), Secret(b"k" * get_prf(number).key_octets)
    keyed = prf.keyed(key)
    expected = prf.digest(key, b"abcdef")
    assert len(expected) == prf.output_octets
    assert prf.digest(key, b"ab", b"", b"cdef") == keyed.digest(b"abc", b"def") == keyed.digest(b"abcdef") == expected


@pytest.mark.parametrize("number", sorted(supported_prfs()), ids=str)
def test_prf_plus_chains_blocks_as_section_2_13_says(number):
    prf, key, seed = get_prf(number), Secret(b"k" * 16), b"nonces and SPIs"
    block1 = prf.digest(key, seed + b"\x01")
    block2 = prf.digest(key, block1 + seed + b"\x02")
    block3 = prf.digest(key, block2 + seed + b"\x03")
    size = prf.output_octets
    assert prf.plus(key, seed, 3 * size) == block1 + block2 + block3
    assert prf.plus(key, seed, size + 1) == (block1 + block2)[: size + 1]
    assert prf.plus(key, seed, 0) == b""


def test_prf_plus_ends_at_255_blocks():
    prf, key = get_prf(PrfId.HMAC_SHA2_256), Secret(b"key")
    assert len(prf.plus(key, b"seed", MOST_BLOCKS * 32)) == 8160
    with pytest.raises(ValueError, match="8161 octets needs 256 blocks, 255 are the most"):
        prf.plus(key, b"seed", MOST_BLOCKS * 32 + 1)


def test_only_the_aes_prfs_have_a_fixed_key_length():
    fixed = {number for number in supported_prfs() if get_prf(number).has_fixed_key}
    assert fixed == {PrfId.AES128_XCBC, PrfId.AES128_CMAC}
    assert {get_prf(number).key_octets for number in fixed} == {16}


@pytest.mark.parametrize("number", [PrfId.HMAC_MD5, PrfId(3), PrfId(40999)], ids=str)
def test_a_prf_that_is_not_here_is_refused_with_those_that_are(number):
    with pytest.raises(NoSuchAlgorithm, match="HMAC_SHA2_256"):
        get_prf(number)
