"""Suites: a chosen proposal as algorithms, what this host can do, what is for old peers only."""

import pytest

from ikepy.crypto.errors import NoSuchAlgorithm
from ikepy.crypto.suites import EspSuite, esp_suite, ike_suite, is_legacy, is_supported
from ikepy.wire.registry import (
    AttributeType,
    EncrId,
    EsnId,
    IntegId,
    KeMethod,
    PrfId,
    ProtocolId,
    TransformType,
    UnknownTransformId,
)
from ikepy.wire.sa import Attribute, Proposal, Transform, make_transform

ENCR, PRF, INTEG, KE, ESN = (TransformType(number) for number in range(1, 6))
IKE, AH, ESP = ProtocolId.IKE, ProtocolId.AH, ProtocolId.ESP


def ike(*transforms):
    return Proposal(1, IKE, b"", tuple(make_transform(*each) for each in transforms))


def esp(*transforms):
    return Proposal(1, ESP, b"spi!", tuple(make_transform(*each) for each in transforms))


def test_an_ike_proposal_with_an_aead_has_no_integrity_algorithm():
    suite = ike_suite(
        ike((ENCR, EncrId.AES_GCM_16, 256), (PRF, PrfId.HMAC_SHA2_384), (KE, KeMethod.CURVE25519)),
    )
    assert (suite.encr.id, suite.encr.key_octets, suite.integ) == (EncrId.AES_GCM_16, 36, None)
    assert (suite.prf.id, suite.ke) == (PrfId.HMAC_SHA2_384, KeMethod.CURVE25519)


def test_integrity_none_beside_an_aead_is_none():
    proposal = ike(
        (ENCR, EncrId.AES_CCM_16, 128), (INTEG, IntegId.NONE), (PRF, PrfId.HMAC_SHA1), (KE, KeMethod.ECP_256)
    )
    assert ike_suite(proposal).integ is None


def test_an_ike_proposal_without_an_aead_has_one():
    suite = ike_suite(
        ike(
            (ENCR, EncrId.AES_CBC, 128),
            (INTEG, IntegId.HMAC_SHA2_256_128),
            (PRF, PrfId.HMAC_SHA2_256),
            (KE, KeMethod.MODP_2048),
        )
    )
    assert suite.integ is not None
    assert (suite.encr.key_octets, suite.integ.id) == (16, IntegId.HMAC_SHA2_256_128)


@pytest.mark.parametrize(
    ("transforms", "suite"),
    [
        (
            [(ENCR, EncrId.AES_GCM_16, 128), (ESN, EsnId.NO_ESN)],
            EspSuite(EncrId.AES_GCM_16, 20, None, 0, esn=False),
        ),
        (
            [(ENCR, EncrId.CHACHA20_POLY1305), (ESN, EsnId.ESN)],
            EspSuite(EncrId.CHACHA20_POLY1305, 36, None, 0, esn=True),
        ),
        (
            [(ENCR, EncrId.AES_CTR, 192), (INTEG, IntegId.AES_XCBC_96), (ESN, EsnId.NO_ESN)],
            EspSuite(EncrId.AES_CTR, 28, IntegId.AES_XCBC_96, 16, esn=False),
        ),
        (
            [(ENCR, EncrId.AES_CBC, 256), (INTEG, IntegId.HMAC_SHA2_512_256), (ESN, EsnId.ESN)],
            EspSuite(EncrId.AES_CBC, 32, IntegId.HMAC_SHA2_512_256, 64, esn=True),
        ),
        ([(ENCR, EncrId.AES_CCM_8, 128)], EspSuite(EncrId.AES_CCM_8, 19, None, 0, esn=False)),
    ],
)
def test_an_esp_proposal_says_how_much_keymat_it_takes(transforms, suite):
    assert esp_suite(esp(*transforms)) == suite


@pytest.mark.parametrize(
    ("transforms", "words"),
    [
        ([(PRF, PrfId.HMAC_SHA2_256), (KE, KeMethod.CURVE25519)], "without a cipher"),
        ([(ENCR, EncrId.AES_CBC, 128), (PRF, PrfId.HMAC_SHA2_256), (KE, KeMethod.CURVE25519)], "without INTEG"),
        ([(ENCR, EncrId.AES_GCM_16, 128), (KE, KeMethod.CURVE25519)], "without PRF"),
        ([(ENCR, EncrId.AES_GCM_16, 128), (PRF, PrfId.HMAC_SHA2_256)], "without KE"),
        ([(ENCR, EncrId.AES_GCM_16), (PRF, PrfId.HMAC_SHA2_256), (KE, KeMethod.CURVE25519)], "128 or 192 or 256"),
        ([(ENCR, EncrId.NULL), (INTEG, IntegId.HMAC_SHA1_96)], "no cipher NULL"),
    ],
)
def test_a_proposal_that_lacks_something_or_names_what_is_not_here_is_no_suite(transforms, words):
    with pytest.raises(NoSuchAlgorithm, match=words):
        ike_suite(ike(*transforms))


@pytest.mark.parametrize(
    ("transform", "in_ike", "in_esp"),
    [
        (make_transform(ENCR, EncrId.AES_GCM_16, 256), True, True),
        (make_transform(ENCR, EncrId.AES_GCM_16), False, False),
        (make_transform(ENCR, EncrId.AES_GCM_16, 512), False, False),
        (make_transform(ENCR, EncrId.CHACHA20_POLY1305), True, True),
        (make_transform(ENCR, EncrId.CHACHA20_POLY1305, 256), False, False),
        (make_transform(ENCR, EncrId.TRIPLE_DES), True, True),
        (make_transform(ENCR, EncrId.NULL), False, False),
        (make_transform(PRF, PrfId.AES128_XCBC), True, False),
        (make_transform(PRF, PrfId.AES128_XCBC, 128), False, False),
        (make_transform(PRF, PrfId.HMAC_MD5), False, False),
        (make_transform(INTEG, IntegId.AES_CMAC_96), True, True),
        (make_transform(INTEG, IntegId.HMAC_MD5_96), False, False),
        (make_transform(KE, KeMethod.CURVE448), True, True),
        (make_transform(KE, KeMethod.CURVE448, 448), False, False),
        (make_transform(KE, KeMethod.MODP_768), False, False),
        (make_transform(ESN, EsnId.ESN), False, True),
        (make_transform(ESN, EsnId.NO_ESN), False, True),
        (make_transform(ESN, EsnId(7)), False, False),
        (make_transform(TransformType.ADDKE1, UnknownTransformId(36)), False, False),
        (make_transform(TransformType(241), UnknownTransformId(1)), False, False),
        (Transform(ENCR, EncrId.AES_CBC, (Attribute(AttributeType(99), 1),)), False, False),
        (Transform(ENCR, EncrId.AES_CBC, (Attribute(AttributeType.KEY_LENGTH, b"\x01\x00"),)), False, False),
    ],
    ids=str,
)
def test_what_is_supported_depends_on_protocol_and_key_length(transform, in_ike, in_esp):
    assert is_supported(transform, IKE) == in_ike
    assert is_supported(transform, ESP) == in_esp


@pytest.mark.parametrize(
    ("transform", "legacy"),
    [
        (make_transform(ENCR, EncrId.TRIPLE_DES), True),
        (make_transform(KE, KeMethod.MODP_1024), True),
        (make_transform(KE, KeMethod.MODP_1536), True),
        (make_transform(KE, KeMethod.MODP_2048), False),
        (make_transform(ENCR, EncrId.AES_CBC, 128), False),
        # The same numbers mean other things in other types of transform.
        (make_transform(PRF, PrfId(3)), False),
        (make_transform(INTEG, IntegId(3)), False),
        (make_transform(INTEG, IntegId.HMAC_SHA1_96), False),
    ],
    ids=str,
)
def test_legacy_is_3des_and_the_two_small_modp_groups(transform, legacy):
    assert is_legacy(transform) == legacy
