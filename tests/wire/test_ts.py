"""Traffic selectors."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_network

import pytest

from ikepy.wire.chain import build_chain, parse_chain
from ikepy.wire.errors import InvalidSyntax, TruncatedMessage
from ikepy.wire.registry import PayloadType, TsType
from ikepy.wire.ts import TrafficSelector, TsI, TsR, UnknownSelector, build_selectors, parse_selectors

V4, V6 = TsType.TS_IPV4_ADDR_RANGE, TsType.TS_IPV6_ADDR_RANGE
LOW, HIGH = IPv4Address("192.0.2.100"), IPv4Address("192.0.3.101")


def one(octets: str) -> bytes:
    return bytes.fromhex("01000000" + octets)


def test_a_selector_of_ipv4_stands_as_the_rfc_draws_it() -> None:
    octets = one("07000010 0010fff0 c0000264 c0000365")

    assert parse_selectors(octets) == ((TrafficSelector(V4, 0, 16, 65520, LOW, HIGH),), bytes(3))
    assert build_selectors(*parse_selectors(octets)) == octets


def test_a_selector_of_ipv6_stands_as_the_rfc_draws_it() -> None:
    octets = one("08060028 01bb01bb" + "20010db8" + "00" * 12 + "20010db8" + "ff" * 12)
    selector = TrafficSelector.from_network(ip_network("2001:db8::/32"), 6, 443, 443)

    assert parse_selectors(octets) == ((selector,), bytes(3))
    assert build_selectors((selector,), bytes(3)) == octets


def test_both_families_may_stand_in_one_payload() -> None:
    payload = TsR(
        (TrafficSelector.from_network(ip_network("0.0.0.0/0")), TrafficSelector.from_network(ip_network("::/0"))),
        b"\1\2\3",
        flags=1,
    )

    assert parse_chain(*build_chain([payload])) == (payload,)
    assert payload.payload_type is PayloadType.TSR
    assert TsI(payload.selectors).payload_type is PayloadType.TSI


def test_a_selector_of_a_type_nobody_knows_is_kept() -> None:
    octets = one("0a110006 6162")

    [selector], _ = parse_selectors(octets)

    assert selector == UnknownSelector(TsType.TS_SECLABEL, 17, b"ab")
    assert str(selector) == "TS_SECLABEL(2 octets)"
    assert build_selectors((selector,), bytes(3)) == octets


@pytest.mark.parametrize(
    ("selector", "text"),
    [
        (TrafficSelector.from_network(ip_network("10.1.0.0/24"), 6, 443, 443), "10.1.0.0/24[tcp/443]"),
        (TrafficSelector.from_network(ip_network("10.1.0.0/24")), "10.1.0.0/24"),
        (TrafficSelector.from_network(ip_network("0.0.0.0/0"), 17), "0.0.0.0/0[udp]"),
        (TrafficSelector.from_network(ip_network("192.0.2.1/32"), 0, 53, 54), "192.0.2.1/32[any/53-54]"),
        (TrafficSelector.from_network(ip_network("::/0"), 58, 0xFFFF, 0), "::/0[ipv6-icmp/opaque]"),
        (TrafficSelector.from_network(ip_network("2001:db8::1"), 99), "2001:db8::1/128[99]"),
        (TrafficSelector(V4, 0, 0, 65535, LOW, HIGH), "192.0.2.100-192.0.3.101"),
        (TrafficSelector(V6, 0, 0, 65535, IPv6Address("::"), IPv6Address("::2")), "::-::2"),
    ],
)
def test_a_selector_prints_as_an_administrator_writes_it(selector: TrafficSelector, text: str) -> None:
    assert str(selector) == text


@pytest.mark.parametrize(
    ("octets", "words"),
    [
        ("07000010 22221111 c0000464 c0000466", "ports start at 8738 and end at 4369"),
        ("07000010 0000ffff c0000466 c0000366", "starts at 192.0.4.102"),
        ("0700000f 0000ffff c0000264 c00002", "at least 13"),
        ("07000011 0000ffff c0000264 c0000265 00", "1 octets left over"),
        ("08000010 0000ffff c0000264 c0000265", "at least 37"),
        ("07000003", "length 3, 4 octets left"),
        ("07000000", "length 0, 4 octets left"),
        ("07000011 0000ffff c0000264 c0000265", "length 17, 16 octets left"),
        ("070000", "traffic selector: 3 octets"),
        ("", "says 1 selectors"),
        ("0a000004 0a000004", "says 1 selectors"),
        ("0a000004 0a000004 0a000004", "says 1 selectors"),
    ],
)
def test_a_selector_that_cannot_be_is_refused(octets: str, words: str) -> None:
    with pytest.raises(InvalidSyntax, match=words):
        parse_selectors(one(octets))


def test_a_payload_has_a_selector_at_least() -> None:
    with pytest.raises(InvalidSyntax, match="or none"):
        parse_selectors(bytes(4))
    with pytest.raises(TruncatedMessage, match="traffic selectors: 3 octets"):
        parse_selectors(bytes(3))


def test_a_count_of_255_with_one_selector_is_refused() -> None:
    with pytest.raises(InvalidSyntax, match="says 255 selectors"):
        parse_selectors(b"\xff" + one("0a000004")[1:])


def test_more_selectors_than_can_be_counted_are_not_built() -> None:
    selector = TrafficSelector.from_network(ip_network("10.0.0.0/8"))

    assert len(parse_selectors(build_selectors((selector,) * 255, bytes(3)))[0]) == 255
    with pytest.raises(InvalidSyntax):
        build_selectors((selector,) * 256, bytes(3))


@pytest.mark.parametrize(
    ("kind", "protocol", "ports", "start", "end"),
    [
        (V6, 0, (0, 65535), LOW, HIGH),
        (V4, 0, (0, 65535), LOW, IPv6Address("::1")),
        (TsType.TS_SECLABEL, 0, (0, 65535), LOW, HIGH),
        (V4, 256, (0, 65535), LOW, HIGH),
        (V4, 0, (0, 65536), LOW, HIGH),
        (V4, 0, (-1, 65535), LOW, HIGH),
    ],
    ids=["family of the type", "mixed families", "type without addresses", "protocol", "end port", "start port"],
)
def test_a_selector_is_checked_when_made(
    kind: TsType, protocol: int, ports: tuple[int, int], start: IPv4Address, end: IPv4Address
) -> None:
    with pytest.raises(InvalidSyntax):
        TrafficSelector(kind, protocol, *ports, start, end)
