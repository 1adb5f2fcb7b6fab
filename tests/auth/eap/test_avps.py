from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ikepy.auth.eap.avps import (
    EAP_MESSAGE,
    MOST_AVPS,
    MOST_OCTETS,
    MS_CHAP2_RESPONSE,
    USER_NAME,
    VENDOR_MICROSOFT,
    Avp,
    build_avps,
    check_known,
    only,
    parse_avps,
)
from ikepy.wire.errors import InvalidSyntax

numbers = st.integers(0, 0xFFFFFFFF)
avps = st.builds(Avp, numbers, st.binary(max_size=60), numbers, st.booleans())


@given(st.binary(max_size=200))
def test_any_octets_are_attributes_or_refused(octets: bytes) -> None:
    try:
        found = parse_avps(octets)
    except InvalidSyntax:
        return
    assert parse_avps(build_avps(found)) == found


@given(st.lists(avps, max_size=MOST_AVPS))
def test_attributes_are_the_same_after_the_way_through_octets(some: list[Avp]) -> None:
    octets = build_avps(some)
    assert len(octets) % 4 == 0
    assert parse_avps(octets) == tuple(some)


@given(st.lists(avps, min_size=1, max_size=4), st.data())
def test_attributes_cut_anywhere_are_fewer_attributes_or_refused(some: list[Avp], data: st.DataObject) -> None:
    octets = build_avps(some)
    cut = octets[: data.draw(st.integers(0, len(octets) - 1))]
    try:
        found = parse_avps(cut)
    except InvalidSyntax:
        return
    assert found == tuple(some)[: len(found)]


def test_an_attribute_looks_as_rfc_5281_draws_it() -> None:
    assert build_avps([Avp(USER_NAME, b"alice")]).hex() == "000000014000000d" + b"alice".hex() + "000000"
    assert build_avps([Avp(MS_CHAP2_RESPONSE, b"x", VENDOR_MICROSOFT)]).hex() == "00000019c000000d00000137" + "78000000"


@pytest.mark.parametrize("length", range(8))
def test_a_length_below_the_header_is_refused_and_loops_nowhere(length: int) -> None:
    octets = bytes.fromhex("0000004f40") + length.to_bytes(3, "big") + bytes(64)
    with pytest.raises(InvalidSyntax, match=f"of length {length}; its header has 8"):
        parse_avps(octets)


@pytest.mark.parametrize("length", range(8, 12))
def test_a_length_below_the_header_with_a_vendor_is_refused(length: int) -> None:
    octets = bytes.fromhex("0000000bc0") + length.to_bytes(3, "big") + bytes(64)
    with pytest.raises(InvalidSyntax, match="its header has 12"):
        parse_avps(octets)


@pytest.mark.parametrize(
    ("octets", "words"),
    [
        ("0000004f40ffffff" + "00" * 8, "length 16777215, 16 octets left"),
        ("0000004f40000009", "length 9, 8 octets left"),
        ("0000004f40000009" + "61", "without its padding"),
        ("0000004f40000009" + "610000", "without its padding"),
        ("0000004f4000000c" + "61626364" + "00", "1 octets where an attribute's header"),
        ("0000004f400000", "7 octets where an attribute's header"),
        ("0000000bc000000c", "length 12, 8 octets left"),
    ],
)
def test_lengths_that_lie_are_refused(octets: str, words: str) -> None:
    with pytest.raises(InvalidSyntax, match=words):
        parse_avps(bytes.fromhex(octets))


def test_attributes_are_bounded() -> None:
    with pytest.raises(InvalidSyntax, match="more than 64"):
        parse_avps(build_avps([Avp(1, b"")] * (MOST_AVPS + 1)))
    with pytest.raises(InvalidSyntax, match="are the most"):
        parse_avps(bytes(MOST_OCTETS + 1))


def test_an_unknown_attribute_that_must_be_understood_refuses_the_whole_and_another_does_not() -> None:
    known = {(0, USER_NAME)}
    check_known([Avp(USER_NAME, b""), Avp(999, b"", mandatory=False)], known)
    with pytest.raises(InvalidSyntax, match="999 of vendor 0"):
        check_known([Avp(999, b"")], known)
    with pytest.raises(InvalidSyntax, match="1 of vendor 311"):
        check_known([Avp(USER_NAME, b"", VENDOR_MICROSOFT)], known)


def test_an_attribute_that_comes_twice_is_refused_where_one_is_meant() -> None:
    assert only([Avp(EAP_MESSAGE, b"a")], (0, EAP_MESSAGE)) == b"a"
    assert only([], (0, EAP_MESSAGE)) is None
    with pytest.raises(InvalidSyntax, match="2 attributes 79"):
        only([Avp(EAP_MESSAGE, b"a")] * 2, (0, EAP_MESSAGE))


def test_an_attribute_does_not_print_its_octets() -> None:
    assert "hunter2" not in repr(Avp(2, b"hunter2"))
