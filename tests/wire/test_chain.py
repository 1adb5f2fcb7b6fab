"""The chain of payloads: lengths, the critical bit, where it ends."""

from __future__ import annotations

import pytest

from ikepy.wire.base import CRITICAL, Payload
from ikepy.wire.chain import MOST_PAYLOADS, build_chain, parse_chain
from ikepy.wire.errors import InvalidSyntax, TruncatedMessage, UnsupportedCriticalPayload
from ikepy.wire.payloads import Ke, Nonce, Sk, Skf, UnknownPayload, VendorId
from ikepy.wire.registry import KeMethod, NotifyType, PayloadType

V = PayloadType.V
END = PayloadType.NO_NEXT_PAYLOAD


def test_no_payload_is_a_chain_too() -> None:
    assert parse_chain(END, b"") == ()
    assert build_chain(()) == (END, b"")


def test_each_payload_names_the_type_of_the_next() -> None:
    payloads = (Nonce(bytes(16)), VendorId(b"me"))

    assert build_chain(payloads) == (PayloadType.NONCE, b"\x2b\0\0\x14" + bytes(16) + b"\0\0\0\6me")
    assert parse_chain(*build_chain(payloads)) == payloads


@pytest.mark.parametrize("length", [0, 1, 2, 3])
def test_a_length_below_its_own_header_does_not_loop(length: int) -> None:
    with pytest.raises(TruncatedMessage, match=f"payload V: length {length}"):
        parse_chain(V, bytes([V, 0, 0, length]) * 4)


def test_a_length_beyond_the_end_is_refused() -> None:
    with pytest.raises(TruncatedMessage, match="payload V: length 7, 6 octets left"):
        parse_chain(V, b"\0\0\0\7ab")


@pytest.mark.parametrize("octets", [b"", b"\0", b"\0\0\0"])
def test_a_named_payload_has_a_header(octets: bytes) -> None:
    with pytest.raises(TruncatedMessage, match=f"payload V: {len(octets)} octets left for its header"):
        parse_chain(V, octets)


def test_octets_behind_the_last_payload_are_refused() -> None:
    with pytest.raises(InvalidSyntax, match="1 octets behind"):
        parse_chain(V, b"\0\0\0\4\0")


def test_octets_without_a_payload_are_refused() -> None:
    with pytest.raises(InvalidSyntax, match="4 octets behind"):
        parse_chain(END, b"\0\0\0\4")


def test_an_unknown_payload_is_kept_with_its_reserved_bits() -> None:
    octets = b"\0\x7f\0\6ab"

    assert parse_chain(PayloadType(200), octets) == (UnknownPayload(PayloadType(200), b"ab", flags=0x7F),)
    assert build_chain(parse_chain(PayloadType(200), octets)) == (200, octets)


def test_an_unknown_critical_payload_is_refused_and_named() -> None:
    with pytest.raises(UnsupportedCriticalPayload, match=r"PayloadType\.200") as raised:
        parse_chain(PayloadType(200), b"\0\x80\0\4")

    assert raised.value.notify is NotifyType.UNSUPPORTED_CRITICAL_PAYLOAD
    assert raised.value.data == b"\xc8"
    assert raised.value.payload_type == 200


def test_the_critical_bit_of_a_known_payload_is_kept_and_means_nothing() -> None:
    [payload] = parse_chain(V, b"\0\x80\0\6me")

    assert payload == VendorId(b"me", flags=CRITICAL)
    assert payload.critical
    assert not VendorId(b"me").critical


@pytest.mark.parametrize("kind", range(1, 14))
def test_payload_types_of_ikev1_are_unknown(kind: int) -> None:
    assert parse_chain(PayloadType(kind), b"\0\0\0\5x") == (UnknownPayload(PayloadType(kind), b"x"),)


def test_more_payloads_than_a_message_needs_are_refused() -> None:
    most = [VendorId(b"")] * MOST_PAYLOADS

    assert len(parse_chain(*build_chain(most))) == MOST_PAYLOADS
    with pytest.raises(InvalidSyntax, match="more than 256 payloads"):
        parse_chain(*build_chain([*most, VendorId(b"")]))


def test_sk_ends_the_chain_and_names_the_first_payload_inside() -> None:
    payloads = (VendorId(b""), Sk(PayloadType.IDI, b"sealed", flags=1))

    assert build_chain(payloads) == (V, b"\x2e\0\0\4" + b"\x23\1\0\x0asealed")
    assert parse_chain(*build_chain(payloads)) == payloads


@pytest.mark.parametrize("kind", [PayloadType.SK, PayloadType.SKF])
def test_nothing_stands_behind_sk(kind: PayloadType) -> None:
    with pytest.raises(InvalidSyntax, match="octets behind"):
        parse_chain(kind, b"\0\0\0\x08\0\1\0\1" + b"\0\0\0\4")


@pytest.mark.parametrize("sealed", [Sk(END, b""), Skf(END, 1, 1, b"")], ids=["SK", "SKF"])
def test_sk_is_not_built_before_others(sealed: Payload) -> None:
    with pytest.raises(InvalidSyntax, match="is not the last payload"):
        build_chain([sealed, VendorId(b"")])


@pytest.mark.parametrize(("number", "total"), [(0, 0), (0, 1), (2, 1), (1, 0), (0xFFFF, 1)])
def test_fragments_are_numbered_from_one_to_their_total(number: int, total: int) -> None:
    body = number.to_bytes(2, "big") + total.to_bytes(2, "big")
    with pytest.raises(InvalidSyntax, match=f"fragment {number} of {total}"):
        parse_chain(PayloadType.SKF, b"\0\0\0\x08" + body)


def test_only_the_first_fragment_names_the_first_payload() -> None:
    with pytest.raises(InvalidSyntax, match="fragment 2 names a first payload"):
        parse_chain(PayloadType.SKF, b"\x21\0\0\x08\0\2\0\2")


def test_a_fragment_without_its_numbers_is_refused() -> None:
    with pytest.raises(TruncatedMessage, match="SKF: 3 octets"):
        parse_chain(PayloadType.SKF, b"\0\0\0\x07\0\1\0")


def test_a_payload_that_does_not_fit_its_length_is_not_built() -> None:
    assert len(build_chain([VendorId(bytes(0xFFFF - 4))])[1]) == 0xFFFF
    with pytest.raises(InvalidSyntax, match="65532 octets does not fit"):
        build_chain([VendorId(bytes(0xFFFF - 3))])


def test_flags_that_do_not_fit_their_octet_are_not_built() -> None:
    with pytest.raises(InvalidSyntax, match="flags 256"):
        build_chain([Ke(KeMethod.CURVE25519, b"", flags=256)])


def test_a_payload_of_type_zero_cannot_be_made() -> None:
    with pytest.raises(InvalidSyntax, match="type 0"):
        UnknownPayload(END, b"")


def test_a_payload_nobody_knows_how_to_build_is_refused() -> None:
    class Strange(Payload):
        TYPE = PayloadType.GSPM

    with pytest.raises(InvalidSyntax, match="no way to build Strange"):
        build_chain([Strange()])
