"""Configuration payloads: what is asked for, what is answered, and what a client takes of it."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ikepy.config.access import AddressRange, PoolConfig, Tunnel
from ikepy.config.groups import ALL_RIGHTS, Rights
from ikepy.ike.configuration import (
    MOST_ADDRESSES,
    Requested,
    make_reply,
    make_request,
    offer_of,
    read_reply,
    read_request,
)
from ikepy.wire.cp import CfgAttribute, Cp
from ikepy.wire.cp_values import UNITY_SPLIT_INCLUDE, address_attribute
from ikepy.wire.errors import InvalidSyntax
from ikepy.wire.registry import CfgAttributeType as Kind
from ikepy.wire.registry import CfgType
from ikepy.wire.ts import TrafficSelector

V4, V6 = IPv4Address("10.9.0.10"), IPv6Address("2001:db8::10")
ANY4, ANY6 = IPv4Address("0.0.0.0"), IPv6Address("::")
POOL = PoolConfig(
    "v4",
    (AddressRange(V4, IPv4Address("10.9.0.20")),),
    dns=(IPv4Address("10.1.0.53"),),
    domains=("corp.example",),
    subnet=(ip_network("10.1.0.0/16"),),
    nbns=(IPv4Address("10.1.0.54"),),
    netmask=IPv4Address("255.255.255.0"),
    split_include=(ip_network("10.1.0.0/16"),),
)
EVERYTHING = frozenset(Kind) | {UNITY_SPLIT_INCLUDE}


def values(cp: Cp, kind: Kind) -> list[bytes]:
    return [attribute.octets for attribute in cp.attributes if attribute.type is kind]


def test_a_request_may_name_an_address_or_take_any() -> None:
    found = read_request(make_request((ANY4, V4, ANY6, V6)))
    assert found.v4 == (None, V4)
    assert found.v6 == (None, V6)
    assert Kind.INTERNAL_IP6_DNS in found.kinds


def test_of_a_flood_of_addresses_a_few_are_taken() -> None:
    wishes = tuple(CfgAttribute(Kind.INTERNAL_IP4_ADDRESS) for _ in range(1000))
    assert len(read_request(Cp(CfgType.CFG_REQUEST, wishes)).v4) == MOST_ADDRESSES


def test_unknown_attributes_are_passed_over() -> None:
    cp = Cp(CfgType.CFG_REQUEST, (CfgAttribute(Kind(23456), b"x" * 99), CfgAttribute(Kind.INTERNAL_IP4_ADDRESS)))
    assert read_request(cp).v4 == (None,)


def test_what_was_not_asked_for_is_not_told() -> None:
    reply = make_reply(offer_of([POOL], ALL_RIGHTS, (V4,)), Requested((None,), (), frozenset()))
    assert [attribute.type for attribute in reply.attributes] == [Kind.INTERNAL_IP4_ADDRESS]


def test_all_that_a_pool_has_is_told_who_asks() -> None:
    reply = make_reply(offer_of([POOL], ALL_RIGHTS, (V4, V6)), Requested((None,), (None,), EVERYTHING))
    assert values(reply, Kind.INTERNAL_IP4_DNS) == [IPv4Address("10.1.0.53").packed]
    assert values(reply, Kind.INTERNAL_DNS_DOMAIN) == [b"corp.example"]
    assert values(reply, Kind.INTERNAL_IP4_SUBNET) == [bytes([10, 1, 0, 0, 255, 255, 0, 0])]
    assert values(reply, Kind.INTERNAL_IP4_NETMASK) == [b"\xff\xff\xff\x00"]
    assert len(values(reply, UNITY_SPLIT_INCLUDE)) == 1
    assert values(reply, Kind.INTERNAL_IP6_ADDRESS) == [V6.packed + b"\x80"]


def test_domains_go_to_who_asks_for_dns_alone_as_apple_needs_them() -> None:
    wanted = Requested((None,), (), frozenset({Kind.INTERNAL_IP4_DNS}))
    assert values(make_reply(offer_of([POOL], ALL_RIGHTS, (V4,)), wanted), Kind.INTERNAL_DNS_DOMAIN) == [
        b"corp.example"
    ]


def test_what_a_group_says_goes_before_what_a_pool_says() -> None:
    reach = (TrafficSelector.from_network(ip_network("10.1.7.0/24")),)
    rights = Rights(
        ("staff",), subnets=reach, dns=(IPv4Address("10.1.7.53"),), domains=("lab.example",), tunnel=Tunnel.SPLIT
    )
    offer = offer_of([POOL], rights, (V4,))
    assert offer.dns == (IPv4Address("10.1.7.53"),)
    assert offer.domains == ("lab.example",)
    assert offer.subnets == (ip_network("10.1.7.0/24"),)


def test_a_full_tunnel_names_no_subnets() -> None:
    assert offer_of([POOL], Rights(("staff",), tunnel=Tunnel.FULL), (V4,)).subnets == ()


def test_a_client_reads_what_a_gateway_says() -> None:
    given_ = read_reply(make_reply(offer_of([POOL], ALL_RIGHTS, (V4, V6)), Requested((None,), (None,), EVERYTHING)))
    assert given_.addresses == (V4, V6)
    assert given_.dns == (IPv4Address("10.1.0.53"),)
    assert given_.domains == ("corp.example",)
    assert [str(subnet) for subnet in given_.subnets] == ["10.1.0.0/16"]


@pytest.mark.parametrize("address", ["0.0.0.0", "127.0.0.1", "224.0.0.1", "169.254.1.1", "255.255.255.255"])
def test_an_address_that_no_host_has_is_refused(address: str) -> None:
    reply = Cp(CfgType.CFG_REPLY, (address_attribute(Kind.INTERNAL_IP4_ADDRESS, IPv4Address(address)),))
    with pytest.raises(InvalidSyntax):
        read_reply(reply)


@pytest.mark.parametrize("address", ["::", "::1", "ff02::1", "fe80::1"])
def test_an_ipv6_address_that_no_host_has_is_refused(address: str) -> None:
    reply = Cp(CfgType.CFG_REPLY, (address_attribute(Kind.INTERNAL_IP6_ADDRESS, IPv6Address(address)),))
    with pytest.raises(InvalidSyntax):
        read_reply(reply)


def test_a_flood_of_servers_is_refused() -> None:
    servers = tuple(address_attribute(Kind.INTERNAL_IP4_DNS, IPv4Address(0x0A000000 + number)) for number in range(100))
    with pytest.raises(InvalidSyntax, match="more than 16"):
        read_reply(Cp(CfgType.CFG_REPLY, servers))


attributes = st.builds(CfgAttribute, st.sampled_from(list(Kind)), st.binary(max_size=40))


@given(st.lists(attributes, max_size=30))
def test_whatever_comes_is_read_or_refused(found: list[CfgAttribute]) -> None:
    for read in (read_request, read_reply):
        try:
            read(Cp(CfgType.CFG_REPLY, tuple(found)))
        except InvalidSyntax:
            continue
