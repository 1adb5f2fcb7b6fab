"""Addresses and traffic selectors as text: `10.1.0.0/16[tcp/443]`, `192.0.2.1-192.0.2.9`, `%any`, `dynamic`.

Rule 1: a prefix with bits of the host set is an error, not a wider prefix.
Not here: names being resolved (the daemon's), selectors being narrowed (ike/narrowing.py).
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, ip_address, ip_network

from ikepy.config.errors import Unfit, did_you_mean
from ikepy.config.model import AddressPattern, AddressPatternKind
from ikepy.ipsec import IpAddress
from ikepy.wire.registry import TsType
from ikepy.wire.ts import TrafficSelector

DYNAMIC = "dynamic"
"The word for the address of that side of the IKE SA."
ANY_PORT = (0, 65535)
OPAQUE_PORT = (65535, 0)
"Ports that cannot be seen (RFC 7296 §3.13.1)."

PROTOCOLS = {
    "any": 0,
    "icmp": 1,
    "tcp": 6,
    "udp": 17,
    "gre": 47,
    "esp": 50,
    "ah": 51,
    "icmpv6": 58,
    "ipv6-icmp": 58,
    "ospf": 89,
    "sctp": 132,
    "l2tp": 115,
}
"Upper-layer protocols by name; any other is written as its number."
_WITH_PORTS = frozenset({6, 17, 33, 132, 136})
_ICMP = frozenset({1, 58})

_LABEL = r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_NAME = re.compile(rf"(?=.{{1,254}}$){_LABEL}(\.{_LABEL})*\.?")
_INTERFACE = re.compile(r"%[^\s/%:]{1,15}")
_TAIL = re.compile(r"(?P<addresses>[^\[\]]+)\[(?P<protocol>[^\[\]/]*)(/(?P<port>[^\[\]/]*))?\]")


def parse_address(text: str) -> IpAddress:
    """Parse one IPv4 or IPv6 address; raises Unfit."""
    try:
        return ip_address(text.strip())
    except ValueError:
        raise Unfit(f"'{text}' is no IP address", "write one such as 192.0.2.1 or 2001:db8::1") from None


def parse_address_pattern(text: str, *, ours: bool = False) -> AddressPattern:
    """Parse an entry of local_addrs or remote_addrs: `%any`, an address, a prefix, a range or a DNS name.

    ours   whether `%eth0` is allowed, an interface of ours

    Raises Unfit.
    """
    text = text.strip()
    if text == "%any":
        return AddressPattern(AddressPatternKind.ANY)
    if ours and _INTERFACE.fullmatch(text):
        return AddressPattern(AddressPatternKind.INTERFACE, name=text[1:])
    if text.startswith("%"):
        raise Unfit(f"'{text}' is not an address", "did you mean %any?")
    if _looks_numeric(text):
        first, last = _parse_range(text)
        return AddressPattern(AddressPatternKind.NETWORK, first, last)
    if _NAME.fullmatch(text):
        return AddressPattern(AddressPatternKind.NAME, name=text.rstrip("."))
    raise Unfit(f"'{text}' is no address", "write an address, a prefix, a range, a DNS name or %any")


def parse_selectors(texts: tuple[str, ...]) -> tuple[TrafficSelector, ...]:
    """Parse local_ts or remote_ts; `dynamic`, which must stand alone, is the empty tuple.

    Raises Unfit.
    """
    if any(text.strip().lower() == DYNAMIC for text in texts):
        if len(texts) > 1:
            raise Unfit("'dynamic' beside other selectors is not supported", "write 'dynamic' alone, or only prefixes")
        return ()
    return tuple(parse_selector(text) for text in texts)


def parse_selector(text: str) -> TrafficSelector:
    """Parse a prefix, a range or an address, with `[protocol]` or `[protocol/port]` behind it where wanted.

    The port is a number, `80-90`, `any` or `opaque`; with icmp it is a type, or `type:code`.

    Raises Unfit.
    """
    text = text.strip()
    if text.lower().startswith(DYNAMIC):
        raise Unfit(
            f"'{text}': protocol and port beside 'dynamic' are not supported", "write the address instead of 'dynamic'"
        )
    protocol, ports = 0, ANY_PORT
    addresses = text
    if "[" in text or "]" in text:
        tail = _TAIL.fullmatch(text)
        if tail is None:
            raise Unfit(f"'{text}' is no selector", "write it like 10.1.0.0/16[tcp/443]")
        addresses = tail["addresses"]
        protocol = _parse_protocol(tail["protocol"])
        ports = ANY_PORT if tail["port"] is None else _parse_ports(tail["port"], protocol)
    first, last = _parse_range(addresses)
    if "%" in addresses:
        raise Unfit(f"'{text}' names an interface; selectors do not", "leave out % and what follows")
    kind = TsType.TS_IPV4_ADDR_RANGE if isinstance(first, IPv4Address) else TsType.TS_IPV6_ADDR_RANGE
    return TrafficSelector(kind, protocol, ports[0], ports[1], first, last)


def _looks_numeric(text: str) -> bool:
    """Whether the text is meant as numbers: `300.1.2.3` is a bad address, not a name."""
    if ":" in text or "/" in text:
        return True
    return all(part.isdigit() for part in re.split(r"[.-]", text.rstrip(".")))


def _parse_range(text: str) -> tuple[IpAddress, IpAddress]:
    text = text.strip()
    if "%" in text:  # link-local: interfaces have names with everything in them
        address = parse_address(text)
        return address, address
    if "/" in text:
        return _parse_prefix(text)
    start, dash, end = text.partition("-")
    first = parse_address(start)
    last = parse_address(end) if dash else first
    if first.version != last.version:
        raise Unfit(f"'{text}' begins with one family and ends with the other", "write two entries")
    if int(first) > int(last):
        raise Unfit(f"'{text}' ends before it begins", f"did you mean {last}-{first}?")
    return first, last


def _parse_prefix(text: str) -> tuple[IpAddress, IpAddress]:
    try:
        loose = ip_network(text, strict=False)
    except ValueError:
        raise Unfit(f"'{text}' is no prefix", "write it like 10.1.0.0/16 or 2001:db8::/32") from None
    if ip_address(text.split("/", 1)[0].strip()) != loose.network_address:
        raise Unfit(f"'{text}' has bits set behind the prefix", f"did you mean {loose}?")
    return loose.network_address, loose.broadcast_address


def _parse_protocol(text: str) -> int:
    text = text.strip().lower()
    if text.isdecimal() and len(text) <= 3 and int(text) <= 255:  # noqa: PLR2004 - one octet
        return int(text)
    if text not in PROTOCOLS:
        raise Unfit(f"unknown protocol '{text}'", did_you_mean(text, PROTOCOLS))
    return PROTOCOLS[text]


def _parse_ports(text: str, protocol: int) -> tuple[int, int]:
    text = text.strip().lower()
    if text == "any":
        return ANY_PORT
    if protocol in _ICMP:
        return _parse_icmp(text)
    if protocol not in _WITH_PORTS:
        raise Unfit(f"port '{text}' beside a protocol without ports", "name tcp, udp or sctp, or leave out the port")
    if text == "opaque":
        return OPAQUE_PORT
    start, dash, end = text.partition("-")
    first = _number(start, 65535, "port")
    last = _number(end, 65535, "port") if dash else first
    if first > last:
        raise Unfit(f"ports '{text}' end before they begin", f"did you mean {last}-{first}?")
    return first, last


def _parse_icmp(text: str) -> tuple[int, int]:
    # §3.13.1: the type in the high octet of the port field, the code in the low one.
    kind_text, colon, code_text = text.partition(":")
    kind = _number(kind_text, 255, "ICMP type")
    if not colon:
        return kind << 8, kind << 8 | 255
    code = _number(code_text, 255, "ICMP code")
    return kind << 8 | code, kind << 8 | code


def _number(text: str, most: int, what: str) -> int:
    text = text.strip()
    if text.isascii() and text.isdecimal() and len(text) <= 5 and int(text) <= most:  # noqa: PLR2004 - digits of 65535
        return int(text)
    raise Unfit(f"'{text}' is no {what}", f"write a number from 0 to {most}")
