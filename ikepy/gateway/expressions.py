"""Words of nftables' JSON that rules are made of (libnftables-json(5)).

Not here: which rules there are (rules.py, mss.py), the same as text (text.py), running nft (nft.py).
"""

from __future__ import annotations

from collections.abc import Sequence

from ikepy.gateway.nft import Json
from ikepy.ipsec import IpAddress
from ikepy.wire.ts import ANY_PORT, TrafficSelector

ACCEPT: Json = {"accept": None}
DROP: Json = {"drop": None}
MASQUERADE: Json = {"masquerade": None}
REJECT: Json = {"reject": {"type": "icmpx", "expr": "admin-prohibited"}}
_IPV4 = 4
_PORTED = {6: "tcp", 17: "udp", 33: "dccp", 132: "sctp", 136: "udplite"}
"Protocols whose ports nft can match."
_NAMED = {1: "icmp", 47: "gre", 50: "esp", 51: "ah", 58: "ipv6-icmp", **_PORTED}


def protocol_of(family: int) -> str:
    """The word of a family's header."""
    return "ip" if family == _IPV4 else "ip6"


def match(left: object, right: object, op: str = "==") -> Json:
    """That something is so."""
    return {"match": {"op": op, "left": left, "right": right}}


def address(family: int, field: str) -> Json:
    """`saddr` or `daddr`."""
    return {"payload": {"protocol": protocol_of(family), "field": field}}


def payload(protocol: str, field: str) -> Json:
    """A field of a header."""
    return {"payload": {"protocol": protocol, "field": field}}


def in_set(family: int, field: str, name: str, *, negated: bool = False) -> Json:
    """That an address is in a named set, or is not."""
    return match(address(family, field), f"@{name}", "!=" if negated else "==")


def came_by_tunnel(*, is_so: bool = True) -> Json:
    """That a packet came out of an SA."""
    return match({"meta": {"key": "secpath"}}, is_so)


def goes_by_tunnel(*, is_so: bool = True) -> Json:
    """That a packet will go into an SA."""
    return match({"rt": {"key": "ipsec"}}, is_so)


def goes_out_by(interfaces: Sequence[str], *, negated: bool = False) -> Json:
    """That a packet leaves by one of these interfaces, or by none."""
    right: object = interfaces[0] if len(interfaces) == 1 else {"set": list(interfaces)}
    return match({"meta": {"key": "oifname"}}, right, "!=" if negated else "==")


def came_in_by(interfaces: Sequence[str]) -> Json:
    """That a packet came by one of these interfaces."""
    right: object = interfaces[0] if len(interfaces) == 1 else {"set": list(interfaces)}
    return match({"meta": {"key": "iifname"}}, right)


def jump(chain: str) -> Json:
    """Go through another chain, and on here."""
    return {"jump": {"target": chain}}


def is_syn() -> Json:
    """That a TCP segment begins a connection."""
    flags = {"&": [{"payload": {"protocol": "tcp", "field": "flags"}}, {"|": ["syn", "rst"]}]}
    return match(flags, "syn")


def set_mss(value: object) -> Json:
    """Lower the MSS; the kernel writes it only where that lowers the option, and adds none (nft_exthdr)."""
    return {"mangle": {"key": {"tcp option": {"name": "maxseg", "field": "size"}}, "value": value}}


def span(first: IpAddress, last: IpAddress) -> object:
    """Addresses from first to last: one, a prefix, or a range."""
    if first == last:
        return str(first)
    bits = first.max_prefixlen - (int(first) ^ int(last)).bit_length()
    if int(last) - int(first) + 1 == 1 << (first.max_prefixlen - bits):
        return {"prefix": {"addr": str(first), "len": bits}}
    return {"range": [str(first), str(last)]}


def selects(selector: TrafficSelector, field: str, port: str) -> list[Json]:
    """That a packet's address, protocol and port at one end are within a selector.

    field  `saddr` or `daddr`
    port   `sport` or `dport`
    """
    found = [match(address(selector.start.version, field), span(selector.start, selector.end))]
    if selector.protocol:
        found.append(match({"meta": {"key": "l4proto"}}, _NAMED.get(selector.protocol, selector.protocol)))
    ports = selector.start_port, selector.end_port
    if ports != ANY_PORT and ports[0] <= ports[1] and selector.protocol in _PORTED:
        value: object = ports[0] if ports[0] == ports[1] else {"range": list(ports)}
        found.append(match({"payload": {"protocol": _PORTED[selector.protocol], "field": port}}, value))
    return found
