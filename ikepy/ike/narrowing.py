"""Traffic selectors: what of an offer both sides protect (RFC 7296 §2.9).

Rule 1: pure; the answer is always a part of the offer, or nothing.
Not here: what `dynamic` means (ends.py), selectors as a kernel wants them (child.py).
"""

from __future__ import annotations

from ikepy.ipsec import IpAddress
from ikepy.wire.registry import TsType
from ikepy.wire.ts import TrafficSelector

MOST_SELECTORS = 64
"Selectors of an answer; more would be a flood of policies."


def narrow(
    offered: tuple[TrafficSelector, ...], configured: tuple[TrafficSelector, ...]
) -> tuple[TrafficSelector, ...]:
    """The parts of the offer that are configured, in the order of the offer, none inside another (RFC 7296 §2.9)."""
    parts: list[TrafficSelector] = []
    for theirs in offered:
        for ours in configured:
            part = intersect(theirs, ours)
            if part is None or any(contains(known, part) for known in parts):
                continue
            parts = [known for known in parts if not contains(part, known)]
            parts.append(part)
            if len(parts) >= MOST_SELECTORS:
                return tuple(parts)
    return tuple(parts)


def intersect(a: TrafficSelector, b: TrafficSelector) -> TrafficSelector | None:
    """The packets both selectors hold, None where there are none."""
    if a.type != b.type or (a.protocol and b.protocol and a.protocol != b.protocol):
        return None
    start, end = max(_number(a.start), _number(b.start)), min(_number(a.end), _number(b.end))
    ports = _intersect_ports(a, b)
    if start > end or ports is None:
        return None
    address = type(a.start)
    return TrafficSelector(a.type, a.protocol or b.protocol, ports[0], ports[1], address(start), address(end))


def contains(outer: TrafficSelector, inner: TrafficSelector) -> bool:
    """Whether each packet of `inner` is one of `outer`."""
    return intersect(outer, inner) == inner


def is_within(answer: tuple[TrafficSelector, ...], offered: tuple[TrafficSelector, ...]) -> bool:
    """Whether an answer is a part of what was offered, and not empty."""
    return bool(answer) and all(any(contains(outer, inner) for outer in offered) for inner in answer)


def host_selector(address: IpAddress) -> TrafficSelector:
    """All packets of one address."""
    kind = TsType.TS_IPV4_ADDR_RANGE if address.version == 4 else TsType.TS_IPV6_ADDR_RANGE  # noqa: PLR2004
    return TrafficSelector(kind, 0, 0, 65535, address, address)


def size(selectors: tuple[TrafficSelector, ...]) -> int:
    """How many (address, port) pairs the selectors hold; for comparing narrowed answers."""
    return sum(
        (_number(ts.end) - _number(ts.start) + 1) * (max(ts.end_port - ts.start_port, 0) + 1) for ts in selectors
    )


def _number(address: IpAddress) -> int:
    return int(address)


def _is_opaque(selector: TrafficSelector) -> bool:
    # §3.13.1: start 65535 and end 0 is OPAQUE: packets whose ports cannot be seen.
    return selector.start_port > selector.end_port


def _is_any_port(selector: TrafficSelector) -> bool:
    return selector.start_port == 0 and selector.end_port == 65535  # noqa: PLR2004


def _intersect_ports(a: TrafficSelector, b: TrafficSelector) -> tuple[int, int] | None:
    if _is_opaque(a) or _is_opaque(b):
        if (_is_opaque(a) and _is_opaque(b)) or _is_any_port(b):
            return a.start_port, a.end_port
        return (b.start_port, b.end_port) if _is_any_port(a) else None
    start, end = max(a.start_port, b.start_port), min(a.end_port, b.end_port)
    return (start, end) if start <= end else None
