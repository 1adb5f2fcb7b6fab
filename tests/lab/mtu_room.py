"""Two gateways with a router between whose far link can be made narrower, and a host behind each gateway.

    hn - gl - router - gr - hf       outer: 10.61.0.n and fd61::n left, 10.62.0.n and fd62::n right
                                     inner: 10.71.k.0/24 and fd71:k::/64 left, 10.72.k.0/24 and fd72:k::/64 right

A tunnel has a number k: its networks, behind either gateway, where the gateway has .1 and the host .2 of them.

Rule 1: only the link between the router and gr changes: gl finds out by what the router says.
Not here: the daemons.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.lab.namespaces import add_addresses, inside, link, namespaces, sh

LEFT, RIGHT, NEAR, FAR, ROUTER = "gl", "gr", "hn", "hf", "mid"
_FORWARD = ("/proc/sys/net/ipv4/ip_forward", "/proc/sys/net/ipv6/conf/all/forwarding")
_TIMESTAMPS = Path("/proc/sys/net/ipv4/tcp_timestamps")
_HEADERS = {4: 28, 6: 48}
_NUMBER = re.compile(r"mtu[ =:]+(\d+)")


def outer(side: int, last: int, version: int) -> str:
    """An outer address of the left (1) or right (2) gateway."""
    return f"10.6{side}.0.{last}" if version == 4 else f"fd6{side}::{last}"


def network(side: int, tunnel: int, version: int) -> str:
    """The network of a tunnel behind the left (1) or right (2) gateway."""
    return f"10.7{side}.{tunnel}.0/24" if version == 4 else f"fd7{side}:{tunnel}::/64"


def inner(side: int, tunnel: int, version: int, last: int) -> str:
    """An inner address: of the gateway (1) or of the host behind it (2)."""
    return f"10.7{side}.{tunnel}.{last}" if version == 4 else f"fd7{side}:{tunnel}::{last}"


@contextlib.contextmanager
def laid(tunnels: int, outer_addresses: int) -> Iterator[None]:
    """The room, with so many tunnels' networks and so many outer addresses of each gateway."""
    with namespaces(LEFT, RIGHT, NEAR, FAR, ROUTER):
        for side, gateway, host in ((1, LEFT, NEAR), (2, RIGHT, FAR)):
            _lay_side(side, gateway, host, tunnels, outer_addresses)
        for space in (LEFT, RIGHT, ROUTER):
            inside(space, lambda: [Path(path).write_text("1") for path in _FORWARD])
        for space in (NEAR, FAR):
            inside(space, lambda: _TIMESTAMPS.write_text("0"))
        yield


def _lay_side(side: int, gateway: str, host: str, tunnels: int, outer_addresses: int) -> None:
    out, port = link(gateway, ROUTER)
    home, away = link(gateway, host)
    lengths = {4: 24, 6: 64}
    ours = [
        f"{outer(side, last, version)}/{length}"
        for version, length in lengths.items()
        for last in range(2, 2 + outer_addresses)
    ]
    inside_of = {
        last: [
            f"{inner(side, tunnel, version, last)}/{length}"
            for version, length in lengths.items()
            for tunnel in range(1, tunnels + 1)
        ]
        for last in (1, 2)
    }
    add_addresses(ROUTER, {port: [f"{outer(side, 1, version)}/{length}" for version, length in lengths.items()]})
    add_addresses(gateway, {out: ours, home: inside_of[1]})
    add_addresses(host, {away: inside_of[2]})
    for version in lengths:
        family = f"-{version}"
        sh("ip", family, "-n", gateway, "route", "add", "default", "via", outer(side, 1, version))
        sh("ip", family, "-n", host, "route", "add", "default", "via", inner(side, 1, version, 1))


def narrow(mtu: int) -> None:
    """Let the link between the router and the right gateway carry so many octets; nobody remembers what was learned."""
    for space, other in ((ROUTER, RIGHT), (RIGHT, ROUTER)):
        sh("ip", "-n", space, "link", "set", f"v-{space}-{other}", "mtu", str(mtu))
    for space in (LEFT, NEAR, RIGHT, FAR):
        for family in ("-4", "-6"):
            sh("ip", family, "-n", space, "route", "flush", "cache")


@dataclass(frozen=True)
class Answer:
    """What came of a packet that must not be fragmented.

    mtu   the number in the answer; None where there was none
    """

    passed: bool
    mtu: int | None
    text: str


def ping(space: str, source: str, goal: str, octets: int, wait: float = 1) -> Answer:
    """Send one packet of so many octets, with its IP header, which must not be fragmented."""
    version = 6 if ":" in goal else 4
    size = str(octets - _HEADERS[version])
    command = ["ip", "netns", "exec", space, "ping", "-M", "do", "-c", "1", "-W", str(wait), "-I", source, "-s", size]
    text = sh(*command, goal, check=False)
    number = _NUMBER.search(text)
    return Answer(" 0% packet loss" in text, int(number[1]) if number else None, text)
