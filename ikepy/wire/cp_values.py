"""What the octets of configuration attributes mean (RFC 7296 §3.15.1, RFC 8598 §4).

    INTERNAL_IP4_ADDRESS, _NETMASK, _DNS, _NBNS, _DHCP   an address, or nothing
    INTERNAL_IP6_ADDRESS                                 an address and a prefix length, or nothing; some leave the length out
    INTERNAL_IP6_DNS, _DHCP                              an address, or nothing
    INTERNAL_IP4_SUBNET, INTERNAL_IP6_SUBNET             an address and a netmask, an address and a prefix length
    INTERNAL_DNS_DOMAIN                                  a domain name as text, or nothing

Rule 1: a length that cannot be, a mask with holes or a name with odd characters is InvalidSyntax.
Rule 2: types that are not here are nobody's business: whoever reads passes over them.
Not here: the payload around them (cp.py), who gets what (ike/configuration.py).
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from ikepy.wire.cp import CfgAttribute
from ikepy.wire.errors import InvalidSyntax
from ikepy.wire.registry import CfgAttributeType

IPV4_OCTETS, IPV6_OCTETS = 4, 16
UNITY_SPLIT_INCLUDE = CfgAttributeType(28676)
"Of clients of Cisco's kind: networks that are reached through the tunnel."
UNITY_LOCAL_LAN = CfgAttributeType(28678)
"Of the same: networks that are reached outside it."
MOST_DOMAIN_OCTETS = 253
_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.?")
_UNITY_PADDING = 6

IpAddress = IPv4Address | IPv6Address
IpNetwork = IPv4Network | IPv6Network

_V4 = frozenset(
    {
        CfgAttributeType.INTERNAL_IP4_ADDRESS,
        CfgAttributeType.INTERNAL_IP4_NETMASK,
        CfgAttributeType.INTERNAL_IP4_DNS,
        CfgAttributeType.INTERNAL_IP4_NBNS,
        CfgAttributeType.INTERNAL_IP4_DHCP,
    }
)
_V6 = frozenset({CfgAttributeType.INTERNAL_IP6_DNS, CfgAttributeType.INTERNAL_IP6_DHCP})


def address_of(attribute: CfgAttribute) -> IpAddress | None:
    """The address of an attribute that holds one, None where it is empty; raises InvalidSyntax."""
    octets = attribute.octets
    if not octets:
        return None
    if attribute.type in _V4 and len(octets) == IPV4_OCTETS:
        return IPv4Address(octets)
    if attribute.type in _V6 and len(octets) == IPV6_OCTETS:
        return IPv6Address(octets)
    if attribute.type is CfgAttributeType.INTERNAL_IP6_ADDRESS and len(octets) in {IPV6_OCTETS, IPV6_OCTETS + 1}:
        if len(octets) > IPV6_OCTETS and octets[-1] > IPV6_OCTETS * 8:
            raise InvalidSyntax(f"{attribute.type} with the prefix length {octets[-1]}")
        return IPv6Address(octets[:IPV6_OCTETS])
    raise InvalidSyntax(f"{attribute.type} of {len(octets)} octets")


def network_of(attribute: CfgAttribute) -> IpNetwork | None:
    """The network of INTERNAL_IP4_SUBNET or INTERNAL_IP6_SUBNET, None where it is empty; raises InvalidSyntax."""
    octets = attribute.octets
    if not octets:
        return None
    if attribute.type is CfgAttributeType.INTERNAL_IP4_SUBNET and len(octets) == 2 * IPV4_OCTETS:
        mask = int.from_bytes(octets[IPV4_OCTETS:], "big")
        length = mask.bit_count()
        if mask != (0xFFFFFFFF << (32 - length)) & 0xFFFFFFFF:
            raise InvalidSyntax(f"{attribute.type} with a netmask that has holes")
        return IPv4Network((octets[:IPV4_OCTETS], length), strict=False)
    if attribute.type is CfgAttributeType.INTERNAL_IP6_SUBNET and len(octets) == IPV6_OCTETS + 1:
        if octets[-1] > IPV6_OCTETS * 8:
            raise InvalidSyntax(f"{attribute.type} with the prefix length {octets[-1]}")
        return IPv6Network((octets[:IPV6_OCTETS], octets[-1]), strict=False)
    raise InvalidSyntax(f"{attribute.type} of {len(octets)} octets")


def domain_of(attribute: CfgAttribute) -> str:
    """The name in INTERNAL_DNS_DOMAIN, without a dot at its end, empty where none is; raises InvalidSyntax."""
    if len(attribute.octets) > MOST_DOMAIN_OCTETS + 1:
        raise InvalidSyntax(f"{attribute.type} of {len(attribute.octets)} octets")
    try:
        text = attribute.octets.decode("ascii")
    except UnicodeDecodeError:
        raise InvalidSyntax(f"{attribute.type} that is not ASCII (RFC 8598 §4.1)") from None
    if text and _DOMAIN.fullmatch(text) is None:
        raise InvalidSyntax(f"{attribute.type} that is no domain name")
    return text.rstrip(".")


def address_attribute(kind: CfgAttributeType, address: IpAddress) -> CfgAttribute:
    """An attribute that holds an address; INTERNAL_IP6_ADDRESS with the prefix length 128."""
    tail = b"\x80" if kind is CfgAttributeType.INTERNAL_IP6_ADDRESS else b""
    return CfgAttribute(kind, address.packed + tail)


def subnet_attribute(network: IpNetwork) -> CfgAttribute:
    """INTERNAL_IP4_SUBNET or INTERNAL_IP6_SUBNET."""
    if isinstance(network, IPv4Network):
        octets = network.network_address.packed + network.netmask.packed
        return CfgAttribute(CfgAttributeType.INTERNAL_IP4_SUBNET, octets)
    octets = network.network_address.packed + bytes([network.prefixlen])
    return CfgAttribute(CfgAttributeType.INTERNAL_IP6_SUBNET, octets)


def unity_attribute(kind: CfgAttributeType, networks: tuple[IpNetwork, ...]) -> tuple[CfgAttribute, ...]:
    """One attribute with all networks of IPv4, as clients of Cisco's kind read it; none where there are none."""
    octets = b"".join(
        network.network_address.packed + network.netmask.packed + bytes(_UNITY_PADDING)
        for network in networks
        if isinstance(network, IPv4Network)
    )
    return (CfgAttribute(kind, octets),) if octets else ()
