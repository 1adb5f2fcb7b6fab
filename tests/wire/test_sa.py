"""SA payloads: proposals, transforms, attributes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ikepy.wire.errors import InvalidSyntax, TruncatedMessage
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
from ikepy.wire.sa import (
    MOST_ATTRIBUTES,
    MOST_TRANSFORMS_IN_ALL,
    Attribute,
    Proposal,
    Transform,
    build_sa,
    make_transform,
    parse_sa,
    transform_id,
)

KEY_LENGTH = AttributeType.KEY_LENGTH
AES_128 = make_transform(TransformType.ENCR, EncrId.AES_CBC, 128)
AES_OCTETS = bytes.fromhex("0300000c 0100000c 800e0080")
ESP = Proposal(1, ProtocolId.ESP, bytes.fromhex("01020304"), (AES_128, make_transform(TransformType.ESN, EsnId.NO_ESN)))
ESP_OCTETS = bytes.fromhex("00000020 01030402 01020304") + AES_OCTETS + bytes.fromhex("00000008 05000000")


def one_transform(octets: bytes, last: int = 0) -> bytes:
    """An SA of one proposal with one transform of the octets behind its "last" octet."""
    length = 8 + 1 + len(octets)
    return b"\0\0" + length.to_bytes(2, "big") + b"\1\1\0\1" + bytes([last]) + octets


def test_a_proposal_stands_as_the_rfc_draws_it() -> None:
    assert build_sa((ESP,)) == ESP_OCTETS
    assert parse_sa(ESP_OCTETS) == (ESP,)


def test_the_offer_of_rfc_7296_section_3_3_keeps_its_order_over_two_proposals() -> None:
    # §3.3: one proposal of combined mode ciphers, one of the others.
    combined = Proposal(
        1,
        ProtocolId.ESP,
        bytes(4),
        (
            *tuple(make_transform(TransformType.ENCR, EncrId.AES_GCM_8, bits) for bits in (128, 192, 256)),
            make_transform(TransformType.ESN, EsnId.ESN),
            make_transform(TransformType.ESN, EsnId.NO_ESN),
        ),
    )
    plain = Proposal(
        2,
        ProtocolId.ESP,
        bytes(4),
        (
            AES_128,
            make_transform(TransformType.INTEG, IntegId.HMAC_SHA1_96),
            make_transform(TransformType.INTEG, IntegId.AES_XCBC_96),
        ),
    )
    octets = build_sa((combined, plain))

    assert octets[0] == 2
    assert octets[int.from_bytes(octets[2:4], "big")] == 0
    assert parse_sa(octets) == (combined, plain)


def test_reserved_octets_are_kept() -> None:
    octets = bytes.fromhex("00aa0014 01010001 00bb000c 01cc000c 800e0080")

    [proposal] = parse_sa(octets)

    assert proposal.reserved == 0xAA
    assert (proposal.transforms[0].reserved1, proposal.transforms[0].reserved2) == (0xBB, 0xCC)
    assert build_sa((proposal,)) == octets


def test_unknown_transforms_and_attributes_keep_their_octets() -> None:
    octets = one_transform(bytes.fromhex("000014 f000ffff 00640004 61626364 80650001"))

    [proposal] = parse_sa(octets)
    [transform] = proposal.transforms

    assert str(transform.type) == "TransformType.240"
    assert transform.id == UnknownTransformId(0xFFFF)
    assert transform.attributes == (Attribute(AttributeType(100), b"abcd"), Attribute(AttributeType(101), 1))
    assert build_sa(parse_sa(octets)) == octets


@pytest.mark.parametrize(
    ("kind", "number", "expected"),
    [
        (TransformType.ENCR, 20, EncrId.AES_GCM_16),
        (TransformType.PRF, 5, PrfId.HMAC_SHA2_256),
        (TransformType.KE, 31, KeMethod.CURVE25519),
        (TransformType.ADDKE1, 36, KeMethod.ML_KEM_768),
        (TransformType.ESN, 1, EsnId.ESN),
    ],
)
def test_a_transform_id_is_of_its_type(kind: TransformType, number: int, expected: EncrId) -> None:
    assert transform_id(kind, number) is expected


@pytest.mark.parametrize(
    ("attributes", "bits"),
    [
        ((), None),
        ((Attribute(KEY_LENGTH, 256),), 256),
        ((Attribute(KEY_LENGTH, b"\1\0"),), 0),
        ((Attribute(KEY_LENGTH, bytes([0x80]) + bytes(60000)),), 0),
        ((Attribute(KEY_LENGTH, 128), Attribute(KEY_LENGTH, 256)), 0),
        ((Attribute(KEY_LENGTH, 256), Attribute(AttributeType(100), 1)), 0),
        ((Attribute(AttributeType(100), 1),), 0),
    ],
    ids=["none", "one", "octets", "many octets", "two", "with an unknown", "an unknown"],
)
def test_a_transform_with_anything_but_one_key_length_has_a_key_length_nothing_has(
    attributes: tuple[Attribute, ...], bits: int | None
) -> None:
    transform = Transform(TransformType.ENCR, EncrId.AES_CBC, attributes)

    assert transform.key_length_bits == bits
    assert len(str(transform)) < 30


def test_a_transform_prints_its_name_and_key_length() -> None:
    assert str(AES_128) == "AES_CBC-128"
    assert str(make_transform(TransformType.KE, KeMethod.CURVE25519)) == "CURVE25519"


@pytest.mark.parametrize(
    ("octets", "words"),
    [
        (b"", "without a proposal"),
        (bytes.fromhex("00000008 010100"), "proposal: 7 octets, it has at least 8"),
        (bytes.fromhex("00000007 01010000"), "proposal of length 7"),
        (bytes.fromhex("00000000 01010000"), "proposal of length 0"),
        (bytes.fromhex("00000009 01010000"), "proposal of length 9, 8 octets left"),
        (bytes.fromhex("02000008 01010000"), "proposal: last substructure 2"),
        (bytes.fromhex("00000008 01010000 00000008 02010000"), "proposal: last substructure 0, others have 2"),
        (bytes.fromhex("00000008 01010800"), "SPI of 8 octets, 0 octets left"),
        (bytes.fromhex("00000008 01010001"), "says 1 transforms"),
        (ESP_OCTETS[:7] + b"\1" + ESP_OCTETS[8:], "says 1 transforms"),
        (ESP_OCTETS[:7] + b"\3" + ESP_OCTETS[8:], "says 3 transforms"),
        (one_transform(bytes.fromhex("000008 010000")), "transform: 7 octets"),
        (one_transform(bytes.fromhex("000007 0100000c")), "transform of length 7"),
        (one_transform(bytes.fromhex("000009 0100000c")), "transform of length 9, 8 octets left"),
        (one_transform(bytes.fromhex("000008 0100000c"), last=3), "transform: last substructure 3, the last has 0"),
        (one_transform(bytes.fromhex("00000b 0100000c 800e00")), "attribute: 3 octets"),
        (one_transform(bytes.fromhex("00000c 0100000c 000e0001")), "attribute of 1 octets, 0 octets left"),
    ],
)
def test_lengths_and_counts_that_do_not_fit_are_refused(octets: bytes, words: str) -> None:
    with pytest.raises(InvalidSyntax, match=words):
        parse_sa(octets)


def test_missing_octets_are_told_from_wrong_ones() -> None:
    with pytest.raises(TruncatedMessage):
        parse_sa(bytes.fromhex("00000009 01010000"))


def test_a_proposal_without_transforms_is_read_and_left_to_negotiation() -> None:
    assert parse_sa(bytes.fromhex("00000008 01010000")) == (Proposal(1, ProtocolId.IKE, b"", ()),)


def test_more_attributes_than_a_transform_needs_are_refused() -> None:
    def with_attributes(count: int) -> bytes:
        return build_sa((replace(ESP, transforms=(replace(AES_128, attributes=AES_128.attributes * count),)),))

    assert len(parse_sa(with_attributes(MOST_ATTRIBUTES))[0].transforms[0].attributes) == MOST_ATTRIBUTES
    with pytest.raises(InvalidSyntax, match="more than 8 attributes"):
        parse_sa(with_attributes(MOST_ATTRIBUTES + 1))


def test_more_proposals_than_their_number_can_count_are_refused() -> None:
    empty = bytes.fromhex("02000008 01010000")

    assert len(parse_sa(empty * 254 + b"\0" + empty[1:])) == 255
    with pytest.raises(InvalidSyntax, match="more than 255 proposals"):
        parse_sa(empty * 255 + b"\0" + empty[1:])
    with pytest.raises(InvalidSyntax, match="256 proposals"):
        build_sa((ESP,) * 256)


def test_more_transforms_than_any_offer_has_are_refused() -> None:
    full = replace(ESP, transforms=(AES_128,) * 128)

    assert len(parse_sa(build_sa((full,) * 4))) == MOST_TRANSFORMS_IN_ALL // 128
    with pytest.raises(InvalidSyntax, match="more than 512 transforms"):
        parse_sa(build_sa((full,) * 5))
    with pytest.raises(InvalidSyntax, match="256 transforms"):
        build_sa((replace(ESP, transforms=(AES_128,) * 256),))


@pytest.mark.parametrize(
    "proposal",
    [
        replace(ESP, number=256),
        replace(ESP, spi=bytes(256)),
        replace(ESP, transforms=(replace(AES_128, attributes=(Attribute(KEY_LENGTH, 65536),)),)),
        replace(ESP, transforms=(replace(AES_128, attributes=(Attribute(KEY_LENGTH, bytes(65536)),)),)),
    ],
    ids=["number", "SPI", "attribute", "attribute octets"],
)
def test_a_value_that_does_not_fit_is_not_built(proposal: Proposal) -> None:
    with pytest.raises(InvalidSyntax):
        build_sa((proposal,))
