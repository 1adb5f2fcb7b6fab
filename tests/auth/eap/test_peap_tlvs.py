from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ikepy.auth.eap.peap_tlvs import Result, build_result, is_extensions, parse_result
from ikepy.wire.errors import InvalidSyntax
from ikepy.wire.registry import EapCode

SUCCESS = bytes.fromhex("0107000b21800300020001")


def packet(tlvs: str) -> bytes:
    octets = bytes.fromhex(tlvs)
    return b"\x01\x07" + (5 + len(octets)).to_bytes(2, "big") + b"\x21" + octets


@given(st.binary(max_size=60))
def test_any_octets_are_a_result_or_refused(octets: bytes) -> None:
    for whole in (octets, packet(octets.hex())):
        try:
            result = parse_result(whole)
        except InvalidSyntax:
            continue
        assert is_extensions(build_result(result))


@given(st.sampled_from([EapCode.REQUEST, EapCode.RESPONSE]), st.integers(0, 255), st.booleans())
def test_a_result_is_the_same_after_the_way_through_octets(code: EapCode, identifier: int, is_success: bool) -> None:
    result = Result(code, identifier, is_success)
    assert parse_result(build_result(result)) == result


def test_a_result_looks_as_everybody_sends_it() -> None:
    assert build_result(Result(EapCode.REQUEST, 7, is_success=True)) == SUCCESS


def test_crypto_binding_and_optional_tlvs_are_passed_over() -> None:
    binding = "800c0038" + "00" * 56
    assert parse_result(packet("800300020001" + binding + "00070001ff")).is_success


@pytest.mark.parametrize(
    ("tlvs", "words"),
    [
        ("", "0 results"),
        ("800300020001800300020002", "2 results"),
        ("800300020003", "neither success nor failure"),
        ("8003000101", "neither success nor failure"),
        ("800300040001", "length 4, 2 octets left"),
        ("800300", "3 octets where a TLV"),
        ("80070000800300020001", "7 must be understood"),
        ("00070000" * 17, "more than 16"),
    ],
)
def test_odd_extensions_are_refused(tlvs: str, words: str) -> None:
    with pytest.raises(InvalidSyntax, match=words):
        parse_result(packet(tlvs))


def test_a_packet_whose_length_lies_is_none() -> None:
    assert not is_extensions(SUCCESS + b"\0")
    with pytest.raises(InvalidSyntax, match="of its length"):
        parse_result(SUCCESS + b"\0")
    with pytest.raises(InvalidSyntax, match="of 4 octets"):
        parse_result(SUCCESS[:4])
