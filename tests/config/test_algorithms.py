"""Proposals as text."""

from __future__ import annotations

import pytest

from ikepy.config.algorithms import (
    WORDS,
    default_proposals,
    legacy_words,
    parse_proposal,
    parse_proposals,
    parse_word,
    proposal_words,
    transform_word,
)
from ikepy.config.errors import Unfit
from ikepy.crypto.suites import is_legacy, is_supported
from ikepy.wire.registry import EncrId, EsnId, IntegId, KeMethod, PrfId, ProtocolId, TransformType
from ikepy.wire.sa import Proposal, make_transform

IKE, ESP = ProtocolId.IKE, ProtocolId.ESP


def test_each_word_becomes_one_transform_in_the_order_of_types() -> None:
    proposal = parse_proposal("x25519-prfsha256-aes256gcm16", IKE)

    assert proposal == Proposal(
        1,
        IKE,
        b"",
        (
            make_transform(TransformType.ENCR, EncrId.AES_GCM_16, 256),
            make_transform(TransformType.PRF, PrfId.HMAC_SHA2_256),
            make_transform(TransformType.KE, KeMethod.CURVE25519),
        ),
    )


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("aes256-sha256-modp2048", "aes256-sha256-prfsha256-modp2048"),
        ("aes128-sha1-sha512-ecp256", "aes128-sha1-sha512-prfsha1-prfsha512-ecp256"),
        ("aes128-aesxcbc-modp3072", "aes128-aesxcbc-prfaesxcbc-modp3072"),
        ("aes128ctr-aescmac-modp3072", "aes128ctr-aescmac-prfaescmac-modp3072"),
        ("aes256-sha256-prfsha512-x448", "aes256-sha256-prfsha512-x448"),
        ("aes256gcm16-x25519", "aes256gcm16-prfsha256-x25519"),
        ("aes256gcm16-sha384-ecp384", "aes256gcm16-prfsha384-ecp384"),
        ("aes128ccm8-chacha20poly1305-x25519", "aes128ccm8-chacha20poly1305-prfsha256-x25519"),
        (" AES256GCM128-PRFSHA256-CURVE25519 ", "aes256gcm16-prfsha256-x25519"),
        ("aes-sha-curve448", "aes128-sha1-prfsha1-x448"),
        ("aes256-aes256-sha2_256-ecp512bp", "aes256-sha256-prfsha256-ecp512bp"),
    ],
)
def test_an_ike_proposal_is_completed_as_administrators_expect(written: str, meant: str) -> None:
    assert proposal_words(parse_proposal(written, IKE)) == meant


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("aes256gcm16", "aes256gcm16-esn-noesn"),
        ("aes256gcm16-noesn", "aes256gcm16-noesn"),
        ("aes128-sha256-x25519-esn", "aes128-sha256-x25519-esn"),
        ("chacha20poly1305-x25519-modpnone", "chacha20poly1305-x25519-modpnone-esn-noesn"),
    ],
)
def test_an_esp_proposal_without_sequence_numbers_offers_both_kinds(written: str, meant: str) -> None:
    assert proposal_words(parse_proposal(written, ESP)) == meant


@pytest.mark.parametrize(
    ("text", "protocol", "problem", "remedy"),
    [
        ("aes256gmc16-x25519", IKE, "unknown algorithm 'aes256gmc16'", "did you mean aes256gcm16?"),
        ("aes256-sha257-x25519", IKE, "unknown algorithm 'sha257'", "did you mean sha256?"),
        ("aes256-sha256-modp2047", IKE, "unknown algorithm 'modp2047'", "did you mean modp2048?"),
        ("", IKE, "unknown algorithm ''", ""),
        ("camellia256-sha256-x25519", IKE, "'camellia256' is not supported", "take one of aes128"),
        ("aes128-md5-x25519", IKE, "'md5' is not supported", "sha256"),
        ("aes256-sha256-modp768", IKE, "'modp768' is not supported", "modp2048"),
        ("null-sha256", ESP, "'null' is not supported", "aes256gcm16"),
        ("aes256-sha256-x25519-esn", IKE, "'esn' has no place in IKE proposals", "leave it out"),
        ("aes256-sha256-modpnone", IKE, "'modpnone' has no place in IKE proposals", "x25519"),
        ("aes256gcm16-prfsha256", ESP, "'prfsha256' has no place in ESP proposals", "leave it out"),
        ("aes256-aes256gcm16-sha256-x25519", IKE, "mixes ciphers", "two proposals"),
        ("sha256-x25519", IKE, "no cipher", "aes256gcm16"),
        ("aes256-sha256", IKE, "no key exchange", "x25519"),
        ("aes256-prfsha256-x25519", IKE, "without integrity protection", "sha256"),
        ("aes256", ESP, "without integrity protection", "sha256"),
        ("aes256gcm16-sha256", ESP, "integrity algorithm beside a cipher that needs none", "leave out sha256"),
        ("aes256gcm16-sha256-prfsha256-x25519", IKE, "needs none", "leave out sha256"),
    ],
)
def test_what_is_no_proposal_is_refused_and_the_right_word_named(
    text: str, protocol: ProtocolId, problem: str, remedy: str
) -> None:
    with pytest.raises(Unfit) as caught:
        parse_proposal(text, protocol)

    assert problem in caught.value.problem
    assert remedy in caught.value.remedy


def test_proposals_are_numbered_and_default_stands_for_the_default_ones() -> None:
    proposals = parse_proposals(("aes128gcm16-ecp256", "default"), IKE)

    assert [p.number for p in proposals] == [1, 2, 3]
    assert [p.transforms for p in proposals[1:]] == [p.transforms for p in default_proposals(IKE)]


@pytest.mark.parametrize("protocol", [IKE, ESP])
def test_the_defaults_can_be_done_here_and_hold_nothing_weak(protocol: ProtocolId) -> None:
    proposals = default_proposals(protocol)

    assert legacy_words(proposals) == ()
    assert all(is_supported(t, protocol) for p in proposals for t in p.transforms)


def test_the_default_ike_proposals_begin_with_curve25519() -> None:
    assert [next(t.id for t in p.transforms if t.type == TransformType.KE) for p in default_proposals(IKE)] == [
        KeMethod.CURVE25519,
        KeMethod.CURVE25519,
    ]


def test_the_default_esp_proposals_suit_peers_with_and_without_a_key_exchange_for_each_child() -> None:
    methods = [{t.id for t in p.transforms if t.type == TransformType.KE} for p in default_proposals(ESP)]

    assert [bool(each) for each in methods] == [True, True, False, False]
    assert KeMethod.NONE not in methods[0] | methods[1]


def test_a_key_exchange_may_be_left_to_the_peer_in_esp_and_not_in_ike() -> None:
    proposal = parse_proposal("aes256gcm16-x25519-none", ESP)

    assert [t.id for t in proposal.transforms if t.type == TransformType.KE] == [KeMethod.CURVE25519, KeMethod.NONE]
    assert parse_proposal("aes256gcm16-x25519-modpnone", ESP) == proposal
    with pytest.raises(Unfit, match="'none' has no place in IKE proposals"):
        parse_proposal("aes256gcm16-x25519-none", IKE)


def test_weak_algorithms_are_found_each_once() -> None:
    proposals = parse_proposals(("3des-sha256-modp1024", "aes128-sha256-modp1024-modp1536"), IKE)

    assert legacy_words(proposals) == ("3des", "modp1024", "modp1536")


@pytest.mark.parametrize("word", [w for w, t in WORDS.items() if is_supported(t, IKE)])
def test_each_word_for_ike_reads_back_as_it_is_printed(word: str) -> None:
    assert transform_word(parse_word(word, IKE)) == word


@pytest.mark.parametrize("protocol", [IKE, ESP])
def test_what_is_printed_reads_back_as_the_same_proposal(protocol: ProtocolId) -> None:
    for proposal in default_proposals(protocol):
        assert parse_proposal(proposal_words(proposal), protocol, proposal.number) == proposal


def test_a_transform_without_a_word_prints_its_numbers() -> None:
    assert transform_word(make_transform(TransformType.ENCR, EncrId(1027), 100)) == "ENCR.1027/100"
    assert transform_word(make_transform(TransformType.KE, KeMethod(1031))) == "KE.1031"
    assert transform_word(make_transform(TransformType.INTEG, IntegId.NONE)) == "INTEG.0"


def test_the_sequence_number_words_are_esn_and_noesn() -> None:
    assert transform_word(make_transform(TransformType.ESN, EsnId.ESN)) == "esn"
    assert transform_word(make_transform(TransformType.ESN, EsnId.NO_ESN)) == "noesn"


def test_every_weak_word_is_supported_when_it_is_named() -> None:
    weak = {word for word, transform in WORDS.items() if is_legacy(transform) and is_supported(transform, IKE)}

    assert {"3des", "modp1024", "modp1536"} <= weak
