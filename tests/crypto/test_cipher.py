"""Ciphers against what the RFCs print, and against whatever a peer may send."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ikepy.crypto.cipher import get_encr, supported_encrs
from ikepy.crypto.errors import IntegrityError, NoSuchAlgorithm
from ikepy.crypto.secret import Secret
from ikepy.wire.registry import EncrId

ALL = [(number, bits) for number, lengths in sorted(supported_encrs().items()) for bits in lengths]
AEAD = [each for each in ALL if get_encr(*each).is_aead]
PLAIN = [each for each in ALL if not get_encr(*each).is_aead]
IDS = {"ids": str}

SUNSCREEN = b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it."


def keyed(each):
    encr = get_encr(*each)
    return encr.keyed(Secret(bytes(range(100, 100 + encr.key_octets))))


@pytest.mark.parametrize(
    ("number", "bits", "key", "iv", "plaintext", "ciphertext"),
    [
        # RFC 3602 §4 case 1; RFC 3686 §6 vectors 1 and 9 (key, then nonce); NIST's 3DES example.
        (
            EncrId.AES_CBC,
            128,
            "06a9214036b8a15b512e03d534120006",
            "3dafba429d9eb430b422da802c9fac41",
            b"Single block msg".hex(),
            "e353779c1079aeb82708942dbe77181a",
        ),
        (
            EncrId.AES_CTR,
            128,
            "ae6852f8121067cc4bf7a5765577f39e00000030",
            "0000000000000000",
            b"Single block msg".hex(),
            "e4095d4fb7a7b3792d6175a3261311b8",
        ),
        (
            EncrId.AES_CTR,
            256,
            "ff7a617ce69148e4f1726e2f43581de2aa62d9f805532edff1eed687fb54153d001cc5b7",
            "51a51d70a1c11148",
            bytes(range(36)).hex(),
            "eb6c52821d0bbbf7ce7594462aca4faab407df866569fd07f48cc0b583d6071f1ec0e6b8",
        ),
        (
            EncrId.TRIPLE_DES,
            None,
            "627f460e08104a1043cd265d5840eaf1313edf97df2a8a8c",
            "8e29f75ea77e5475",
            "326a494cd33fe756",
            "b22b8d66de970692",
        ),
    ],
    ids=str,
)
def test_plain_ciphers_are_those_of_the_rfcs(number, bits, key, iv, plaintext, ciphertext):
    cipher = get_encr(number, bits).keyed(Secret(bytes.fromhex(key)))
    assert cipher.seal(bytes.fromhex(iv), bytes.fromhex(plaintext)).hex() == ciphertext
    assert cipher.open(bytes.fromhex(iv), bytes.fromhex(ciphertext)).hex() == plaintext


@pytest.mark.parametrize("tag_octets", [8, 12, 16])
def test_aes_gcm_is_that_of_the_gcm_specification_and_shorter_tags_are_its_beginning(tag_octets):
    # McGrew and Viega, test case 4.
    number = {8: EncrId.AES_GCM_8, 12: EncrId.AES_GCM_12, 16: EncrId.AES_GCM_16}[tag_octets]
    key = Secret(bytes.fromhex("feffe9928665731c6d6a8f9467308308" + "cafebabe"))
    iv, aad = bytes.fromhex("facedbaddecaf888"), bytes.fromhex("feedfacedeadbeeffeedfacedeadbeefabaddad2")
    plaintext = bytes.fromhex(
        "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
        "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
    )
    ciphertext = bytes.fromhex(
        "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e"
        "21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091"
    )
    tag = bytes.fromhex("5bc94fbc3221a5db94fae95ae7121a47")[:tag_octets]
    cipher = get_encr(number, 128).keyed(key)
    assert cipher.seal(iv, plaintext, aad) == ciphertext + tag
    assert cipher.open(iv, ciphertext + tag, aad) == plaintext


def test_chacha20_poly1305_is_that_of_rfc_8439():
    # §2.8.2; the constant part of the nonce is the salt.
    key = Secret(bytes(range(0x80, 0xA0)) + bytes.fromhex("07000000"))
    iv, aad = bytes.fromhex("4041424344454647"), bytes.fromhex("50515253c0c1c2c3c4c5c6c7")
    sealed = get_encr(EncrId.CHACHA20_POLY1305, None).keyed(key).seal(iv, SUNSCREEN, aad)
    assert sealed[:16].hex() == "d31a8d34648e60db7b86afbc53ef7ec2"
    assert sealed[-16:].hex() == "1ae10b594f09e26a7e902ecbd0600691"


@pytest.mark.parametrize(
    ("number", "bits", "key_octets", "iv_octets", "icv_octets", "block_octets"),
    [
        (EncrId.TRIPLE_DES, None, 24, 8, 0, 8),
        (EncrId.AES_CBC, 192, 24, 16, 0, 16),
        (EncrId.AES_CTR, 256, 36, 8, 0, 1),
        (EncrId.AES_CCM_8, 128, 19, 8, 8, 1),
        (EncrId.AES_CCM_12, 192, 27, 8, 12, 1),
        (EncrId.AES_CCM_16, 256, 35, 8, 16, 1),
        (EncrId.AES_GCM_8, 128, 20, 8, 8, 1),
        (EncrId.AES_GCM_12, 192, 28, 8, 12, 1),
        (EncrId.AES_GCM_16, 256, 36, 8, 16, 1),
        (EncrId.CHACHA20_POLY1305, None, 36, 8, 16, 1),
    ],
    ids=str,
)
def test_sizes_count_the_salt_into_the_key(number, bits, key_octets, iv_octets, icv_octets, block_octets):
    encr = get_encr(number, bits)
    sizes = (encr.key_octets, encr.iv_octets, encr.icv_octets, encr.block_octets)
    assert sizes == (key_octets, iv_octets, icv_octets, block_octets)
    assert encr.is_aead == (icv_octets > 0)


def test_there_are_all_the_ciphers_and_key_lengths_that_were_promised():
    assert len(ALL) == 1 + 3 + 3 + 9 + 9 + 1


@pytest.mark.parametrize("each", ALL, **IDS)
@settings(max_examples=10, deadline=None)
@given(plaintext=st.binary(max_size=100), aad=st.binary(max_size=40), iv=st.binary(min_size=16, max_size=16))
def test_what_is_sealed_opens_to_the_same(each, plaintext, aad, iv):
    encr = get_encr(*each)
    cipher, iv = keyed(each), iv[: encr.iv_octets]
    plaintext += bytes(-len(plaintext) % encr.block_octets)
    aad = aad if encr.is_aead else b""
    sealed = cipher.seal(iv, plaintext, aad)
    assert len(sealed) == len(plaintext) + encr.icv_octets
    assert cipher.open(iv, sealed, aad) == plaintext


@pytest.mark.parametrize("each", AEAD, **IDS)
def test_an_aead_notices_every_change(each):
    cipher, iv = keyed(each), bytes(8)
    sealed = cipher.seal(iv, b"plaintext", b"header")
    for at in range(len(sealed)):
        changed = bytearray(sealed)
        changed[at] ^= 1
        with pytest.raises(IntegrityError):
            cipher.open(iv, bytes(changed), b"header")
    for other_iv, ciphertext, aad in [
        (b"\1" + iv[1:], sealed, b"header"),
        (iv, sealed, b"Header"),
        (iv, sealed, b""),
        (iv, sealed + b"\0", b"header"),
        (iv, sealed[1:], b"header"),
    ]:
        with pytest.raises(IntegrityError):
            cipher.open(other_iv, ciphertext, aad)


@pytest.mark.parametrize("each", AEAD, **IDS)
def test_an_aead_refuses_all_that_is_cut_off_down_to_nothing(each):
    cipher, iv = keyed(each), bytes(8)
    sealed = cipher.seal(iv, b"p", b"")
    for octets in range(len(sealed)):
        with pytest.raises(IntegrityError):
            cipher.open(iv, sealed[:octets])


@pytest.mark.parametrize("each", AEAD, **IDS)
def test_under_another_salt_nothing_opens(each):
    encr = get_encr(*each)
    sealed = encr.keyed(Secret(bytes(encr.key_octets))).seal(bytes(8), b"plaintext")
    with pytest.raises(IntegrityError):
        encr.keyed(Secret(bytes(encr.key_octets - 1) + b"\1")).open(bytes(8), sealed)


@pytest.mark.parametrize("each", PLAIN, **IDS)
def test_a_plain_cipher_refuses_associated_data_rather_than_forget_it(each):
    cipher, encr = keyed(each), get_encr(*each)
    for way in (cipher.seal, cipher.open):
        with pytest.raises(TypeError, match="integrity algorithm"):
            way(bytes(encr.iv_octets), bytes(16), b"header")


@pytest.mark.parametrize("each", ALL, **IDS)
@settings(max_examples=20, deadline=None)
@given(iv=st.binary(max_size=20), ciphertext=st.binary(max_size=60))
def test_any_octets_open_to_octets_or_an_integrity_error(each, iv, ciphertext):
    encr = get_encr(*each)
    try:
        plaintext = keyed(each).open(iv, ciphertext)
    except IntegrityError:
        return
    assert not encr.is_aead
    assert len(plaintext) == len(ciphertext)


@pytest.mark.parametrize("each", ALL, **IDS)
def test_a_key_of_another_length_is_refused(each):
    encr = get_encr(*each)
    for octets in (0, encr.key_octets - 1, encr.key_octets + 1):
        with pytest.raises(ValueError, match=f"{encr.key_octets} are right"):
            encr.keyed(Secret(bytes(octets)))


def test_a_counter_block_begins_with_1_and_counts_on():
    encr = get_encr(EncrId.AES_CTR, 128)
    key, iv = bytes(range(16)), b"eight IV"
    ecb = get_encr(EncrId.AES_CBC, 128).keyed(Secret(key))
    stream = encr.keyed(Secret(key + b"salt")).seal(iv, bytes(32))
    blocks = [ecb.seal(bytes(16), b"salt" + iv + number.to_bytes(4, "big")) for number in (1, 2)]
    assert stream == b"".join(blocks)


@pytest.mark.parametrize(
    ("number", "bits", "words"),
    [
        (EncrId.DES, None, "no cipher DES here"),
        (EncrId.NULL, None, "no cipher NULL here"),
        (EncrId.CAMELLIA_CBC, 128, "no cipher CAMELLIA_CBC here"),
        (EncrId(40999), None, "no cipher .*40999 here"),
        (EncrId.AES_GCM_16, None, "it has 128 or 192 or 256"),
        (EncrId.AES_CBC, 0, "it has 128 or 192 or 256"),
        (EncrId.AES_CBC, 65535, "it has 128 or 192 or 256"),
        (EncrId.CHACHA20_POLY1305, 256, "it has no length"),
        (EncrId.TRIPLE_DES, 192, "it has no length"),
    ],
    ids=str,
)
def test_ciphers_and_key_lengths_that_are_not_here_are_refused_with_what_is(number, bits, words):
    with pytest.raises(NoSuchAlgorithm, match=words):
        get_encr(number, bits)
