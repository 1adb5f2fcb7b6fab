from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ikepy.auth.eap.tls_records import (
    MOST_FRAGMENTS,
    MOST_OCTETS,
    TlsFraming,
    TlsPacket,
    build_packet,
    parse_packet,
)
from ikepy.wire.errors import InvalidSyntax

packets = st.builds(
    TlsPacket,
    st.binary(max_size=40),
    st.none() | st.integers(0, 0xFFFFFFFF),
    st.booleans(),
    st.booleans(),
    st.integers(0, 7),
)


@given(st.binary(max_size=64))
def test_any_octets_are_a_packet_or_refused(octets: bytes) -> None:
    try:
        packet = parse_packet(octets)
    except InvalidSyntax:
        return
    assert parse_packet(build_packet(packet)) == packet


@given(packets)
def test_a_packet_is_the_same_after_the_way_through_octets(packet: TlsPacket) -> None:
    assert parse_packet(build_packet(packet)) == packet


@given(st.binary(min_size=1, max_size=5000), st.integers(64, 1500), st.sampled_from([None, 0]))
def test_a_message_goes_in_fragments_that_fit_and_comes_whole(message: bytes, size: int, version: int | None) -> None:
    one, other = TlsFraming(size, version), TlsFraming(size, version)
    one.send(message)
    for _ in range(MOST_FRAGMENTS):
        packet = one.next_packet()
        assert len(packet) + 5 <= size
        got = other.receive(parse_packet(packet))
        if got is not None:
            break
        assert one.receive(parse_packet(other.next_packet())) is None
    assert got == message
    assert not one.is_sending
    assert not other.is_receiving


@given(st.lists(packets, max_size=20))
def test_any_packets_keep_no_more_than_the_bound(coming: list[TlsPacket]) -> None:
    framing = TlsFraming(200)
    for packet in coming:
        try:
            framing.receive(packet)
        except InvalidSyntax:
            return
        assert len(framing._coming) <= MOST_OCTETS


def test_the_first_fragment_says_the_length_and_a_whole_message_does_not() -> None:
    framing = TlsFraming(200)
    framing.send(bytes(300))
    assert parse_packet(framing.next_packet()) == TlsPacket(bytes(190), 300, more=True)
    framing.receive(TlsPacket())
    assert parse_packet(framing.next_packet()) == TlsPacket(bytes(110))
    framing.send(bytes(20))
    assert parse_packet(framing.next_packet()) == TlsPacket(bytes(20))


def test_a_whole_message_may_say_its_length() -> None:
    assert TlsFraming(200).receive(TlsPacket(b"abc", 3)) == b"abc"


def test_while_fragments_are_outstanding_the_peer_may_only_acknowledge() -> None:
    framing = TlsFraming(64)
    framing.send(bytes(300))
    framing.next_packet()
    with pytest.raises(InvalidSyntax, match="acknowledgement"):
        framing.receive(TlsPacket(b"x"))


@pytest.mark.parametrize(
    ("coming", "words"),
    [
        ([TlsPacket(b"abc", more=True)], "does not say the length"),
        ([TlsPacket(b"abc", 5)], "3 octets in 1 fragments of a message of 5"),
        ([TlsPacket(b"abc", 2)], "3 octets in 1 fragments of a message of 2"),
        ([TlsPacket(b"abc", 3, more=True)], "3 octets"),
        ([TlsPacket(b"", 3, more=True)], "empty fragment"),
        ([TlsPacket(b"a", 4, more=True), TlsPacket(b"", more=True)], "empty fragment"),
        ([TlsPacket(b"a", 4, more=True), TlsPacket(b"bc", 5)], "the first one said 4"),
        ([TlsPacket(b"a", 4, more=True), TlsPacket(b"bc")], "3 octets"),
        ([TlsPacket(b"a", 4, more=True), TlsPacket(b"bcde")], "5 octets"),
        ([TlsPacket(b"a", MOST_OCTETS + 1, more=True)], "are the most"),
        ([TlsPacket(b"a", 0xFFFFFFFF, more=True)], "are the most"),
        ([TlsPacket(start=True)], "start"),
        ([TlsPacket(b"a", version=1)], "version 1"),
        ([TlsPacket(b"a", 1000, more=True)] * (MOST_FRAGMENTS + 1), "more than 512 fragments"),
    ],
)
def test_what_a_hostile_sender_of_fragments_may_not_do(coming: list[TlsPacket], words: str) -> None:
    framing = TlsFraming(200, version=0)
    *first, last = coming
    for packet in first:
        framing.receive(packet)
    with pytest.raises(InvalidSyntax, match=words):
        framing.receive(last)


def test_a_flags_octet_must_be_there_and_a_length_complete() -> None:
    with pytest.raises(InvalidSyntax, match="without its flags"):
        parse_packet(b"")
    with pytest.raises(InvalidSyntax, match="3 octets where its length"):
        parse_packet(b"\x80\0\0\0")
