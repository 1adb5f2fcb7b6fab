"""Octets of configuration attributes: each length there can be, and that all others are refused and nothing else happens."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ikepy.wire.cp import CfgAttribute
from ikepy.wire.cp_values import (
    UNITY_SPLIT_INCLUDE,
    address_attribute,
    address_of,
    domain_of,
    network_of,
    subnet_attribute,
    unity_attribute,
)
from ikepy.wire.errors import InvalidSyntax
from ikepy.wire.registry import CfgAttributeType as Kind

V4, V6 = IPv4Address("10.9.0.10"), IPv6Address("2001:db8::10")
V4_KINDS = [Kind.INTERNAL_IP4_ADDRESS, Kind.INTERNAL_IP4_NETMASK, Kind.INTERNAL_IP4_DNS, Kind.INTERNAL_IP4_NBNS]
V6_KINDS = [Kind.INTERNAL_IP6_ADDRESS, Kind.INTERNAL_IP6_DNS, Kind.INTERNAL_IP6_DHCP]


@pytest.mark.parametrize("kind", V4_KINDS, ids=str)
def test_an_ipv4_attribute_holds_an_address_or_nothing(kind: Kind) -> None:
    assert address_of(CfgAttribute(kind)) is None
    assert address_of(address_attribute(kind, V4)) == V4
    with pytest.raises(InvalidSyntax):
        address_of(CfgAttribute(kind, bytes(5)))


@pytest.mark.parametrize("kind", V6_KINDS, ids=str)
def test_an_ipv6_attribute_holds_an_address_or_nothing(kind: Kind) -> None:
    assert address_of(CfgAttribute(kind)) is None
    assert address_of(address_attribute(kind, V6)) == V6
    with pytest.raises(InvalidSyntax):
        address_of(CfgAttribute(kind, bytes(15)))


def test_an_ipv6_address_has_a_prefix_length_that_some_leave_out() -> None:
    assert address_attribute(Kind.INTERNAL_IP6_ADDRESS, V6).octets == V6.packed + b"\x80"
    assert address_of(CfgAttribute(Kind.INTERNAL_IP6_ADDRESS, V6.packed)) == V6
    with pytest.raises(InvalidSyntax, match="prefix length 129"):
        address_of(CfgAttribute(Kind.INTERNAL_IP6_ADDRESS, V6.packed + b"\x81"))


@pytest.mark.parametrize("text", ["10.1.0.0/16", "0.0.0.0/0", "10.1.2.3/32", "2001:db8::/32", "::/0"])
def test_subnets_come_back_as_they_were(text: str) -> None:
    assert network_of(subnet_attribute(ip_network(text))) == ip_network(text)


@pytest.mark.parametrize(
    ("kind", "octets"),
    [
        (Kind.INTERNAL_IP4_SUBNET, V4.packed + bytes([255, 0, 255, 0])),
        (Kind.INTERNAL_IP4_SUBNET, V4.packed),
        (Kind.INTERNAL_IP6_SUBNET, V6.packed),
        (Kind.INTERNAL_IP6_SUBNET, V6.packed + b"\xff"),
    ],
)
def test_a_subnet_that_is_none_is_refused(kind: Kind, octets: bytes) -> None:
    with pytest.raises(InvalidSyntax):
        network_of(CfgAttribute(kind, octets))


def test_a_domain_is_a_name_without_its_last_dot() -> None:
    assert domain_of(CfgAttribute(Kind.INTERNAL_DNS_DOMAIN, b"corp.example.")) == "corp.example"
    assert domain_of(CfgAttribute(Kind.INTERNAL_DNS_DOMAIN)) == ""


@pytest.mark.parametrize(
    "octets", [b"a b", b"a\nb", b"$(reboot)", b"\xff", b"-a.b", b"a..b", b"." * 3, b"a" * 64, b"a." * 128]
)
def test_what_is_no_domain_name_is_refused(octets: bytes) -> None:
    with pytest.raises(InvalidSyntax):
        domain_of(CfgAttribute(Kind.INTERNAL_DNS_DOMAIN, octets))


def test_networks_for_clients_of_ciscos_kind_stand_in_one_attribute() -> None:
    (found,) = unity_attribute(UNITY_SPLIT_INCLUDE, (ip_network("10.1.0.0/16"), ip_network("::/0")))
    assert found.octets == bytes([10, 1, 0, 0, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0])
    assert unity_attribute(UNITY_SPLIT_INCLUDE, ()) == ()


@given(st.sampled_from(list(Kind)), st.binary(max_size=300))
def test_whatever_octets_come_they_are_read_or_refused(kind: Kind, octets: bytes) -> None:
    attribute = CfgAttribute(kind, octets)
    for read in (address_of, network_of, domain_of):
        try:
            read(attribute)
        except InvalidSyntax:
            continue
