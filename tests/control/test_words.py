"""VICI's words for algorithms are charon's."""

from __future__ import annotations

import pytest

from ikepy.config.algorithms import parse_proposal
from ikepy.control.words import algorithms
from ikepy.wire.registry import ProtocolId


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (
            "aes256gcm16-prfsha256-x25519",
            {
                "encr-alg": "AES_GCM_16",
                "encr-keysize": "256",
                "prf-alg": "PRF_HMAC_SHA2_256",
                "dh-group": "CURVE_25519",
            },
        ),
        (
            "aes128-sha256-prfaesxcbc-modp3072",
            {
                "encr-alg": "AES_CBC",
                "encr-keysize": "128",
                "integ-alg": "HMAC_SHA2_256_128",
                "prf-alg": "PRF_AES128_XCBC",
                "dh-group": "MODP_3072",
            },
        ),
        (
            "chacha20poly1305-prfaescmac-ecp384bp",
            {"encr-alg": "CHACHA20_POLY1305", "prf-alg": "PRF_AES128_CMAC", "dh-group": "ECP_384_BP"},
        ),
        (
            "aes192ctr-aesxcbc-prfsha1-x448",
            {
                "encr-alg": "AES_CTR",
                "encr-keysize": "192",
                "integ-alg": "AES_XCBC_96",
                "prf-alg": "PRF_HMAC_SHA1",
                "dh-group": "CURVE_448",
            },
        ),
        (
            "3des-sha1-prfsha512-ecp256",
            {
                "encr-alg": "3DES_CBC",
                "integ-alg": "HMAC_SHA1_96",
                "prf-alg": "PRF_HMAC_SHA2_512",
                "dh-group": "ECP_256",
            },
        ),
    ],
)
def test_an_ike_proposal_in_charons_words_and_order(words: str, expected: dict[str, str]) -> None:
    found = algorithms(parse_proposal(words, ProtocolId.IKE))
    assert list(found.items()) == list(expected.items())


def test_an_esp_proposal_says_esn_only_where_there_is_one() -> None:
    without = algorithms(parse_proposal("aes128ccm12-noesn", ProtocolId.ESP))
    assert without == {"encr-alg": "AES_CCM_12", "encr-keysize": "128"}
    with_esn = algorithms(parse_proposal("aes128gcm16-esn", ProtocolId.ESP))
    assert with_esn == {"encr-alg": "AES_GCM_16", "encr-keysize": "128", "esn": "1"}


def test_no_group_beside_a_group_is_no_group() -> None:
    assert "dh-group" not in algorithms(parse_proposal("aes128gcm16-modpnone-noesn", ProtocolId.ESP))
