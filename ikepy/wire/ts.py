"""Traffic selectors: TSi and TSr (RFC 7296 §3.13).

Rule 1: a selector of a type we do not know is kept as it came; it selects nothing here.
Not here: narrowing (ike/narrowing.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any, ClassVar

from ikepy.wire.base import Payload
from ikepy.wire.codec import Body, Memory, Number16, Octet, Octets, Rest
from ikepy.wire.errors import InvalidSyntax, TruncatedMessage
from ikepy.wire.registry import PayloadType, TsType

IpAddress = IPv4Address | IPv6Address
ANY_PORT = (0, 0xFFFF)
OPAQUE = (0xFFFF, 0)
"Start and end of ports that cannot be seen (§3.13.1)."
MOST_SELECTORS = 255
_HEAD = 4
_PROTOCOLS = {1: "icmp", 6: "tcp", 17: "udp", 58: "ipv6-icmp", 132: "sctp"}
_ADDRESSES: dict[TsType, type[IPv4Address | IPv6Address]] = {
    TsType.TS_IPV4_ADDR_RANGE: IPv4Address,
    TsType.TS_IPV6_ADDR_RANGE: IPv6Address,
}
_OCTETS = {TsType.TS_IPV4_ADDR_RANGE: 4, TsType.TS_IPV6_ADDR_RANGE: 16}


@dataclass(frozen=True, slots=True)
class TrafficSelector:
    """A range of addresses of one family, one protocol (0: any) and a range of ports; ends are included."""

    type: TsType
    protocol: int
    start_port: int
    end_port: int
    start: IpAddress
    end: IpAddress

    def __post_init__(self) -> None:
        family = _ADDRESSES.get(self.type)
        if family is None or not isinstance(self.start, family) or not isinstance(self.end, family):
            raise InvalidSyntax(f"{self.type} with addresses {self.start} to {self.end}")
        if int(self.start) > int(self.end):
            raise InvalidSyntax(f"selector starts at {self.start} and ends at {self.end}")
        if self.start_port > self.end_port and (self.start_port, self.end_port) != OPAQUE:
            raise InvalidSyntax(f"selector's ports start at {self.start_port} and end at {self.end_port}")
        if not 0 <= self.protocol <= 0xFF or not 0 <= self.start_port <= 0xFFFF or not 0 <= self.end_port <= 0xFFFF:  # noqa: PLR2004
            raise InvalidSyntax(f"protocol {self.protocol}, ports {self.start_port} to {self.end_port}")

    @classmethod
    def from_network(
        cls, network: IPv4Network | IPv6Network, protocol: int = 0, start_port: int = 0, end_port: int = 0xFFFF
    ) -> TrafficSelector:
        """All addresses of a prefix."""
        kind = TsType.TS_IPV4_ADDR_RANGE if network.version == 4 else TsType.TS_IPV6_ADDR_RANGE  # noqa: PLR2004
        return cls(kind, protocol, start_port, end_port, network.network_address, network.broadcast_address)

    def __str__(self) -> str:
        prefix = _prefix_of(self.start, self.end)
        where = f"{self.start}-{self.end}" if prefix is None else f"{self.start}/{prefix}"
        ports = (self.start_port, self.end_port)
        if not self.protocol and ports == ANY_PORT:
            return where
        protocol = _PROTOCOLS.get(self.protocol, str(self.protocol)) if self.protocol else "any"
        if ports == ANY_PORT:
            return f"{where}[{protocol}]"
        if ports == OPAQUE:
            return f"{where}[{protocol}/opaque]"
        port = str(ports[0]) if ports[0] == ports[1] else f"{ports[0]}-{ports[1]}"
        return f"{where}[{protocol}/{port}]"


@dataclass(frozen=True, slots=True)
class UnknownSelector:
    """A selector of a type we do not know: all its octets behind the length."""

    type: TsType
    protocol: int
    octets: bytes

    def __str__(self) -> str:
        return f"{self.type}({len(self.octets)} octets)"


Selector = TrafficSelector | UnknownSelector


@dataclass(frozen=True, slots=True)
class TsI(Payload):
    """TSi: the initiator's side of a child."""

    TYPE: ClassVar[PayloadType] = PayloadType.TSI
    selectors: tuple[Selector, ...]
    reserved: bytes = bytes(3)


@dataclass(frozen=True, slots=True)
class TsR(Payload):
    """TSr: the responder's side of a child."""

    TYPE: ClassVar[PayloadType] = PayloadType.TSR
    selectors: tuple[Selector, ...]
    reserved: bytes = bytes(3)


def parse_selectors(octets: bytes) -> tuple[tuple[Selector, ...], bytes]:
    """The selectors and reserved octets of a TS payload's body; raises WireError."""
    return _memory(octets)


def build_selectors(selectors: tuple[Selector, ...], reserved: bytes) -> bytes:
    """The body of a TS payload."""
    return _payload.build((len(selectors), reserved, b"".join(_build_selector(selector) for selector in selectors)))


_payload: Body[tuple[int, bytes, bytes]] = Body(
    "traffic selectors",
    {"count": Octet, "reserved": Octets(3), "rest": Rest},
    lambda count, reserved, rest: (count, reserved, rest),
    lambda values: {"count": values[0], "reserved": values[1], "rest": values[2]},
)
_head: Body[tuple[int, int, int]] = Body(
    "traffic selector",
    {"type": Octet, "protocol": Octet, "length": Number16},
    lambda type, protocol, length: (type, protocol, length),  # noqa: A006
    lambda values: {"type": values[0], "protocol": values[1], "length": values[2]},
)


def _make_range(kind: TsType) -> Body[TrafficSelector]:
    octets, family = _OCTETS[kind], _ADDRESSES[kind]

    def load(protocol: int, start_port: int, end_port: int, start: bytes, end: bytes) -> TrafficSelector:
        return TrafficSelector(kind, protocol, start_port, end_port, family(start), family(end))

    def dump(selector: TrafficSelector) -> dict[str, Any]:
        return {
            "protocol": selector.protocol,
            "start_port": selector.start_port,
            "end_port": selector.end_port,
            "start": selector.start.packed,
            "end": selector.end.packed,
        }

    fields = {
        "protocol": Octet,
        "start_port": Number16,
        "end_port": Number16,
        "start": Octets(octets),
        "end": Octets(octets),
    }
    return Body(str(kind), fields, load, dump)


_ranges = {kind: _make_range(kind) for kind in _ADDRESSES}


def _prefix_of(start: IpAddress, end: IpAddress) -> int | None:
    """How many bits all addresses of the range share, None where the range is no prefix."""
    host_bits = (int(start) ^ int(end)).bit_length()
    hosts = (1 << host_bits) - 1
    is_prefix = not int(start) & hosts and int(end) & hosts == hosts
    return start.max_prefixlen - host_bits if is_prefix else None


def _parse(octets: bytes) -> tuple[tuple[Selector, ...], bytes]:
    count, reserved, rest = _payload.parse(octets)
    selectors: list[Selector] = []
    at = 0
    while at < len(rest):
        (kind, protocol, length), _ = _head.parse_at(rest, at)
        if length < _HEAD or length > len(rest) - at:
            raise TruncatedMessage(f"traffic selector of length {length}, {len(rest) - at} octets left")
        inside = rest[at + _HEAD : at + length]
        body = _ranges.get(TsType(kind))
        if body is None:
            selectors.append(UnknownSelector(TsType(kind), protocol, inside))
        else:
            selectors.append(body.parse(bytes([protocol]) + inside))
        at += length
        if len(selectors) > count:
            break
    if len(selectors) != count or not count:
        raise InvalidSyntax(f"TS payload says {count} selectors and has another number of them, or none")
    return tuple(selectors), reserved


def _build_selector(selector: Selector) -> bytes:
    if isinstance(selector, UnknownSelector):
        inside, protocol = selector.octets, selector.protocol
    else:
        octets = _ranges[selector.type].build(selector)
        inside, protocol = octets[1:], octets[0]
    return _head.build((selector.type, protocol, _HEAD + len(inside))) + inside


_memory: Memory[tuple[tuple[Selector, ...], bytes]] = Memory(_parse)
