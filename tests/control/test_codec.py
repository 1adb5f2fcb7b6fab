"""VICI on the wire: the README's octets, any octets, any value."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ikepy.control.codec import (
    MOST_DEPTH,
    MOST_ELEMENTS,
    MOST_SEGMENT_OCTETS,
    Packet,
    PacketType,
    Section,
    Segments,
    ViciError,
    build_message,
    build_segment,
    parse_message,
    parse_packet,
)

NAMED = [PacketType.CMD_REQUEST, PacketType.EVENT]
MESSAGES: st.SearchStrategy[Section] = st.recursive(
    st.dictionaries(st.text(max_size=20), st.text() | st.lists(st.text(max_size=20), max_size=4), max_size=4),
    lambda inner: st.dictionaries(st.text(max_size=20), inner | st.text(), max_size=4),
    max_leaves=10,
)


def nested(depth: int) -> Section:
    section: Section = {}
    for _ in range(depth):
        section = {"s": section}
    return section


def test_a_key_and_its_value_are_the_octets_that_vicis_description_prints() -> None:
    assert build_message({"key1": "value1"}) == bytes.fromhex("03 04 6b657931 0006 76616c756531")


def test_sections_and_lists_are_the_octets_that_vicis_description_prints() -> None:
    message: Section = {
        "key1": "value1",
        "section1": {"sub-section": {"key2": "value2"}, "list1": ["item1", "item2"]},
    }
    octets = (
        b"\x03\x04key1\x00\x06value1"
        b"\x01\x08section1\x01\x0bsub-section\x03\x04key2\x00\x06value2\x02"
        b"\x04\x05list1\x05\x00\x05item1\x05\x00\x05item2\x06\x02"
    )
    assert build_message(message) == octets
    assert parse_message(octets) == message


def test_a_request_is_its_length_its_type_its_name_and_its_message() -> None:
    assert build_segment(Packet(PacketType.CMD_REQUEST, "version")) == b"\x00\x00\x00\x09\x00\x07version"
    assert build_segment(Packet(PacketType.EVENT_CONFIRM)) == b"\x00\x00\x00\x01\x05"


@given(st.binary(max_size=200))
def test_any_octets_are_a_packet_or_a_vici_error(octets: bytes) -> None:
    try:
        packet = parse_packet(octets)
    except ViciError:
        return
    assert build_segment(packet)[4:] == octets


@given(
    st.lists(
        st.sampled_from(
            [b"\x01\x01a", b"\x01\x01b", b"\x02", b"\x03\x01k\x00\x01v", b"\x04\x01l", b"\x05\x00\x00", b"\x06"]
        )
    )
)
def test_any_order_of_elements_is_a_message_or_a_vici_error(elements: list[bytes]) -> None:
    octets = b"".join(elements)
    try:
        message = parse_message(octets)
    except ViciError:
        return
    assert build_message(message) == octets


@settings(max_examples=60)
@given(st.sampled_from(NAMED), st.text(max_size=60), MESSAGES)
def test_any_value_comes_back_in_its_order(kind: PacketType, name: str, message: Section) -> None:
    segment = build_segment(Packet(kind, name, message))
    back = parse_packet(segment[4:])
    assert back == Packet(kind, name, message)
    assert build_segment(back) == segment


@settings(max_examples=30)
@given(st.lists(MESSAGES, max_size=4), st.integers(1, 50))
def test_segments_are_found_however_the_stream_is_cut(messages: list[Section], step: int) -> None:
    stream = b"".join(build_segment(Packet(PacketType.CMD_RESPONSE, "", message)) for message in messages)
    segments = Segments()
    found = [segment for at in range(0, len(stream), step) for segment in segments.feed(stream[at : at + step])]
    assert [parse_packet(segment).message for segment in found] == messages


@pytest.mark.parametrize(
    ("octets", "words"),
    [
        (b"", "no octets"),
        (b"\x08", "packet type 8"),
        (b"\x00", "name's length"),
        (b"\x00\x05vers", "a name of 5 octets, 4 are left"),
        (b"\x00\x01\xff", "not UTF-8"),
        (b"\x05\x00", "EVENT_CONFIRM with 1 octets behind it"),
        (b"\x03\x01aextra", "EVENT_REGISTER with 5 octets behind it"),
        (b"\x01\x07", "element type 7"),
        (b"\x01\x00", "element type 0"),
        (b"\x01\x01\x01a", "ends inside a section"),
        (b"\x01\x02", "SECTION_END has no place here"),
        (b"\x01\x05\x00\x00", "LIST_ITEM has no place here"),
        (b"\x01\x06", "LIST_END has no place here"),
        (b"\x01\x04\x01a", "the end of the message inside a list"),
        (b"\x01\x04\x01a\x04\x01b", "LIST_START inside a list"),
        (b"\x01\x04\x01a\x03\x01b\x00\x00", "KEY_VALUE inside a list"),
        (b"\x01\x03\x01a\x00\x05abcd", "a value of 5 octets, 4 are left"),
        (b"\x01\x03\x01a\x00", "a value's length"),
        (b"\x01\x03\x01a\x00\x00\x03\x01a\x00\x00", "'a' is there twice"),
    ],
)
def test_what_is_no_vici_is_said_in_words(octets: bytes, words: str) -> None:
    with pytest.raises(ViciError, match=words):
        parse_packet(octets)


def test_a_segment_that_says_it_is_too_long_is_refused_before_it_is_read() -> None:
    with pytest.raises(ViciError, match="segment of 524289 octets"):
        Segments().feed((MOST_SEGMENT_OCTETS + 1).to_bytes(4, "big"))


def test_a_packet_too_long_to_be_read_is_not_built() -> None:
    with pytest.raises(ViciError, match="packet of"):
        build_segment(Packet(PacketType.CMD_RESPONSE, "", {str(n): "x" * 60000 for n in range(9)}))


def test_depth_is_bounded_both_ways() -> None:
    assert parse_message(build_message(nested(MOST_DEPTH))) == nested(MOST_DEPTH)
    with pytest.raises(ViciError, match="deeper"):
        build_message(nested(MOST_DEPTH + 1))
    with pytest.raises(ViciError, match="deeper"):
        parse_message(b"\x01\x01s" * 100_000)


def test_counts_are_bounded_both_ways() -> None:
    with pytest.raises(ViciError, match="elements"):
        build_message({"l": [""] * MOST_ELEMENTS})
    with pytest.raises(ViciError, match="elements"):
        parse_message(b"\x04\x01l" + b"\x05\x00\x00" * MOST_ELEMENTS + b"\x06")


@pytest.mark.parametrize("message", [{"n" * 256: ""}, {"n": "v" * 65536}, {"n": ["v" * 65536]}])
def test_names_and_values_that_do_not_fit_are_not_built(message: Section) -> None:
    with pytest.raises(ViciError, match="are the most"):
        build_message(message)


def test_halves_of_characters_from_odd_file_names_are_written_as_escapes() -> None:
    assert parse_message(build_message({"file": "caf\udce9"})) == {"file": "caf\\udce9"}
