"""Addresses and traffic selectors as text."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ikepy.config.errors import Unfit
from ikepy.config.model import AddressPattern, AddressPatternKind
from ikepy.config.selectors import parse_address_pattern, parse_selector, parse_selectors
from ikepy.wire.registry import TsType
from ikepy.wire.ts import TrafficSelector

V4, V6 = TsType.TS_IPV4_ADDR_RANGE, TsType.TS_IPV6_ADDR_RANGE


@pytest.mark.parametrize(
    ("text", "kind", "protocol", "ports", "first", "last"),
    [
        ("10.1.0.0/16", V4, 0, (0, 65535), "10.1.0.0", "10.1.255.255"),
        ("10.1.0.0/16[tcp/443]", V4, 6, (443, 443), "10.1.0.0", "10.1.255.255"),
        ("10.1.0.0/16[tcp]", V4, 6, (0, 65535), "10.1.0.0", "10.1.255.255"),
        ("10.1.0.0/16[udp/5000-5010]", V4, 17, (5000, 5010), "10.1.0.0", "10.1.255.255"),
        ("10.1.0.0/16[47]", V4, 47, (0, 65535), "10.1.0.0", "10.1.255.255"),
        ("10.1.0.0/16[sctp/any]", V4, 132, (0, 65535), "10.1.0.0", "10.1.255.255"),
        ("10.1.0.0/16[tcp/opaque]", V4, 6, (65535, 0), "10.1.0.0", "10.1.255.255"),
        ("10.1.0.0/16[icmp/8]", V4, 1, (0x0800, 0x08FF), "10.1.0.0", "10.1.255.255"),
        ("10.1.0.0/16[icmp/3:1]", V4, 1, (0x0301, 0x0301), "10.1.0.0", "10.1.255.255"),
        ("::/0[icmpv6/128]", V6, 58, (0x8000, 0x80FF), "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ("192.0.2.7", V4, 0, (0, 65535), "192.0.2.7", "192.0.2.7"),
        (" 192.0.2.1 - 192.0.2.9 ", V4, 0, (0, 65535), "192.0.2.1", "192.0.2.9"),
        ("2001:db8::/64[any]", V6, 0, (0, 65535), "2001:db8::", "2001:db8::ffff:ffff:ffff:ffff"),
        ("0.0.0.0/0", V4, 0, (0, 65535), "0.0.0.0", "255.255.255.255"),
    ],
)
def test_a_selector_is_read(
    text: str, kind: TsType, protocol: int, ports: tuple[int, int], first: str, last: str
) -> None:
    assert parse_selector(text) == TrafficSelector(kind, protocol, *ports, ip_address(first), ip_address(last))


@pytest.mark.parametrize(
    ("text", "problem", "remedy"),
    [
        ("10.1.0.5/16", "bits set behind the prefix", "did you mean 10.1.0.0/16?"),
        ("10.1.0.0/33", "no prefix", "10.1.0.0/16"),
        ("10.1.0/16", "no prefix", "10.1.0.0/16"),
        ("net.example.com", "no IP address", "192.0.2.1"),
        ("10.1.0.9-10.1.0.1", "ends before it begins", "10.1.0.1-10.1.0.9"),
        ("10.1.0.9-2001:db8::1", "one family", "two entries"),
        ("10.1.0.0/16[tpc]", "unknown protocol 'tpc'", "did you mean tcp?"),
        ("10.1.0.0/16[256]", "unknown protocol '256'", ""),
        ("10.1.0.0/16[gre/5]", "without ports", "tcp"),
        ("10.1.0.0/16[any/5]", "without ports", "tcp"),
        ("10.1.0.0/16[tcp/http]", "'http' is no port", "0 to 65535"),
        ("10.1.0.0/16[tcp/65536]", "no port", "0 to 65535"),
        ("10.1.0.0/16[tcp/90-80]", "end before they begin", "80-90"),
        ("10.1.0.0/16[icmp/256]", "no ICMP type", "0 to 255"),
        ("10.1.0.0/16[icmp/3:x]", "no ICMP code", "0 to 255"),
        ("10.1.0.0/16[tcp/443", "no selector", "[tcp/443]"),
        ("fe80::1%eth0", "names an interface", "leave out %"),
        ("dynamic[tcp/443]", "not supported", "write the address"),
    ],
)
def test_what_is_no_selector_is_refused_with_a_remedy(text: str, problem: str, remedy: str) -> None:
    with pytest.raises(Unfit) as caught:
        parse_selector(text)

    assert problem in caught.value.problem
    assert remedy in caught.value.remedy


def test_dynamic_is_no_selector_at_all() -> None:
    assert parse_selectors(("dynamic",)) == ()


def test_dynamic_stands_alone() -> None:
    with pytest.raises(Unfit, match="alone"):
        parse_selectors(("dynamic", "10.0.0.0/8"))


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("%any", AddressPattern(AddressPatternKind.ANY)),
        ("192.0.2.1", ("192.0.2.1", "192.0.2.1")),
        ("192.0.2.0/24", ("192.0.2.0", "192.0.2.255")),
        ("192.0.2.1-192.0.2.9", ("192.0.2.1", "192.0.2.9")),
        ("2001:db8::1", ("2001:db8::1", "2001:db8::1")),
        ("fe80::1%eth0", ("fe80::1%eth0", "fe80::1%eth0")),
        ("gw-1.example.com", AddressPattern(AddressPatternKind.NAME, name="gw-1.example.com")),
        ("gateway.", AddressPattern(AddressPatternKind.NAME, name="gateway")),
        ("3com.example", AddressPattern(AddressPatternKind.NAME, name="3com.example")),
    ],
)
def test_an_address_pattern_is_read(text: str, pattern: AddressPattern | tuple[str, str]) -> None:
    if isinstance(pattern, tuple):
        pattern = AddressPattern(AddressPatternKind.NETWORK, ip_address(pattern[0]), ip_address(pattern[1]))

    assert parse_address_pattern(text) == pattern


@pytest.mark.parametrize(
    "text", ["300.1.2.3", "%defaultroute", "two words", "a..b", "-gw.example", "10.1.0.1/8", "[::1]"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(Unfit):
        parse_address_pattern(text)


@given(st.text(alphabet="0123456789abcdef.:/-[]%tcpudny", max_size=40))
def test_any_text_ends_in_a_selector_or_unfit(text: str) -> None:
    for parse in (parse_selector, parse_address_pattern):
        try:
            parse(text)
        except Unfit as fault:
            assert fault.problem  # noqa: PT017 - both ends are good ones
