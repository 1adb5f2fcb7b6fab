"""Integrity algorithms against what the RFCs print."""

import pytest

from ikepy.crypto.errors import IntegrityError, NoSuchAlgorithm
from ikepy.crypto.integ import get_integ, supported_integs
from ikepy.crypto.secret import Secret
from ikepy.wire.registry import IntegId

ALL = sorted(supported_integs())


@pytest.mark.parametrize(
    ("number", "key", "text", "icv"),
    [
        # RFC 2404 by RFC 2202 case 1; RFC 4868 §2.7.2.1 (AUTH256-1, AUTH384-1, AUTH512-1).
        (IntegId.HMAC_SHA1_96, b"\x0b" * 20, b"Hi There", "b617318655057264e28bc0b6"),
        (IntegId.HMAC_SHA2_256_128, b"\x0b" * 32, b"Hi There", "198a607eb44bfbc69903a0f1cf2bbdc5"),
        (
            IntegId.HMAC_SHA2_384_192,
            b"\x0b" * 48,
            b"Hi There",
            "b6a8d5636f5c6a7224f9977dcf7ee6c7fb6d0c48cbdee973",
        ),
        (
            IntegId.HMAC_SHA2_512_256,
            b"\x0b" * 64,
            b"Hi There",
            "637edc6e01dce7e6742a99451aae82df23da3e92439e590e43e761b33e910fb8",
        ),
        # RFC 3566 §4.6 cases 2 and 5; RFC 4494 §4 by RFC 4493's examples.
        (IntegId.AES_XCBC_96, bytes(range(16)), bytes(range(3)), "5b376580ae2f19afe7219cee"),
        (IntegId.AES_XCBC_96, bytes(range(16)), bytes(range(32)), "f54f0ec8d2b9f3d36807734b"),
        (
            IntegId.AES_CMAC_96,
            bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c"),
            bytes.fromhex("6bc1bee22e409f96e93d7e117393172a"),
            "070a16b46b4d4144f79bdd9d",
        ),
    ],
    ids=str,
)
def test_icvs_are_those_of_the_rfcs(number, key, text, icv):
    keyed = get_integ(number).keyed(Secret(key))
    assert keyed.tag(text).hex() == icv
    keyed.verify(text, bytes.fromhex(icv))


@pytest.mark.parametrize("number", ALL, ids=str)
def test_a_changed_octet_of_text_or_icv_is_noticed_and_so_is_an_icv_of_another_length(number):
    integ = get_integ(number)
    keyed = integ.keyed(Secret(bytes(integ.key_octets)))
    tag = keyed.tag(b"text")
    assert len(tag) == integ.icv_octets
    for text, wrong in [
        (b"tex!", tag),
        (b"text", bytes([tag[0] ^ 1]) + tag[1:]),
        (b"text", tag[:-1] + bytes([tag[-1] ^ 0x80])),
        (b"text", tag[:-1]),
        (b"text", tag + b"\0"),
        (b"text", b""),
    ]:
        with pytest.raises(IntegrityError):
            keyed.verify(text, wrong)


@pytest.mark.parametrize("number", ALL, ids=str)
def test_a_key_of_another_length_is_refused(number):
    integ = get_integ(number)
    for octets in (integ.key_octets - 1, integ.key_octets + 1, 0):
        with pytest.raises(ValueError, match=f"{integ.key_octets} are right"):
            integ.keyed(Secret(bytes(octets)))


@pytest.mark.parametrize("number", [IntegId.NONE, IntegId.HMAC_MD5_96, IntegId(40999)], ids=str)
def test_an_algorithm_that_is_not_here_is_refused_with_those_that_are(number):
    with pytest.raises(NoSuchAlgorithm, match="HMAC_SHA2_256_128"):
        get_integ(number)
