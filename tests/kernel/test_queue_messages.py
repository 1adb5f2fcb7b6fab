"""The SPI of a packet in the queue, and what is said of it."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ikepy.kernel.messages import queue
from ikepy.kernel.messages.netfilter import attribute, batch_end, nested, read_attributes
from ikepy.kernel.messages.queue import QueuedPacket, find_spi, make_accept, make_bind, read_packet

SPI = bytes.fromhex("c0001234")
ESP, UDP, TCP = 50, 17, 6
UDP_HEADER = bytes.fromhex("1194 1194 0010 0000".replace(" ", ""))


def ipv4(protocol: int, body: bytes, options: bytes = b"") -> bytes:
    return bytes((0x40 | 5 + len(options) // 4, 0, 0, 0, 0, 0, 0, 0, 64, protocol)) + bytes(10) + options + body


def ipv6(protocol: int, body: bytes) -> bytes:
    return bytes((0x60, 0, 0, 0, 0, 0, protocol, 64)) + bytes(32) + body


@pytest.mark.parametrize(
    "packet",
    [
        ipv4(ESP, SPI),
        ipv4(ESP, SPI, options=bytes(40)),
        ipv4(UDP, UDP_HEADER + SPI),
        ipv6(ESP, SPI),
        ipv6(UDP, UDP_HEADER + SPI),
        ipv6(0, bytes((60, 0)) + bytes(6) + bytes((ESP, 1)) + bytes(14) + SPI),
        ipv6(44, bytes((ESP, 255)) + bytes(6) + SPI),
    ],
    ids=["IPv4", "options", "UDP", "IPv6", "UDP in IPv6", "extensions", "a first fragment"],
)
def test_the_spi_is_found_behind_every_header(packet: bytes) -> None:
    assert find_spi(packet) == 0xC0001234
    assert find_spi(packet[:-1]) is None


@pytest.mark.parametrize("packet", [b"", b"\x45", ipv4(TCP, SPI), ipv6(TCP, SPI), b"\x30" + bytes(60)])
def test_what_is_no_esp_has_no_spi(packet: bytes) -> None:
    assert find_spi(packet) is None


@given(st.binary(max_size=200))
def test_any_octets_have_an_spi_or_none(packet: bytes) -> None:
    assert find_spi(packet) is None or len(packet) >= 4


@given(st.binary(max_size=200))
def test_any_message_is_a_packet_or_none(octets: bytes) -> None:
    assert read_packet(octets) is None or len(octets) > 20


def test_a_packet_is_read_by_number_and_spi() -> None:
    header = bytes(20)
    named = attribute(1, struct.pack(">IHBx", 7, 0x0800, 0))

    assert read_packet(header + named + attribute(10, ipv4(ESP, SPI))) == QueuedPacket(7, 0xC0001234)
    assert read_packet(header + named) == QueuedPacket(7, None)
    assert read_packet(header) is None


def test_attributes_that_reach_beyond_the_message_end_the_reading() -> None:
    good = attribute(1, b"abc")

    assert read_attributes(bytes(20) + good + b"\x40\0\2\0abc") == {1: b"abc"}
    assert read_attributes(bytes(20) + nested(3, good)) == {3: good}


def test_a_queue_is_taken_with_its_bound_and_full_it_lets_pass() -> None:
    message = make_bind(7392, 1024)
    message.encode()
    octets = bytes(message.data)

    assert octets[16:20] == b"\0\0" + (7392).to_bytes(2, "big")
    found = read_attributes(octets)
    assert found[1] == bytes((1, 0, 0, 0)), "bind"
    assert found[2][:5] == queue.COPIED_OCTETS.to_bytes(4, "big") + b"\2", "the beginning of each packet"
    assert found[3] == (1024).to_bytes(4, "big")
    assert found[4] == found[5] == (1 | 4).to_bytes(4, "big"), "FAIL_OPEN and GSO"


def test_a_packet_is_let_go_on_by_its_number() -> None:
    message = make_accept(7392, 7)
    message.encode()

    assert read_attributes(bytes(message.data)) == {2: bytes.fromhex("00000001 00000007")}


def test_a_batch_ends_with_its_subsystem() -> None:
    assert batch_end(10)[4:6] == b"\x11\0"
    assert batch_end(10)[16:] == bytes((0, 0, 0, 10))
