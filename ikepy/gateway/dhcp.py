"""DHCPINFORM (RFC 2131 §3.4): what Windows asks for its routes and DNS once its tunnel is up, and the answer to it.

    option 249   routes, as RFC 3442 writes them (Microsoft's number; 121 is the RFC's)
    option 6     DNS servers
    option 15    the domain

Rule 1: only an INFORM is answered, from the address it came from: nothing is leased, and nobody else's address asked about.
Rule 2: a request is read within its octets: at most MOST_OCTETS of them, options one behind the other.
Not here: the socket, and what there is for whom (daemon/informing.py).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

SERVER_PORT, CLIENT_PORT = 67, 68
MOST_OCTETS = 1500
MOST_ANSWER_OCTETS = 1200
"Of an answer: it goes through a tunnel, and in one piece."
_LEAST_OCTETS = 576
"What any client takes (RFC 2131 §2)."
_HEAD = struct.Struct("!BBBB4sHH4s4s4s4s16s64s128s4s")
_MAGIC = b"\x63\x82\x53\x63"
_REQUEST, _REPLY = 1, 2
_INFORM, _ACK = 8, 5
_UDP_HEADERS = 28
_PAD, _END = 0, 255
DNS, DOMAIN, TYPE, SERVER, WANTED, SIZE, ROUTES, MICROSOFT_ROUTES = 6, 15, 53, 54, 55, 57, 121, 249
_ALL = (DNS, DOMAIN, ROUTES, MICROSOFT_ROUTES)


@dataclass(frozen=True, slots=True)
class Inform:
    """A client's question.

    wanted   options it asks for, none where it does not say
    most     octets of the largest IP packet it takes
    """

    transaction: bytes
    flags: int
    hardware: tuple[int, int, bytes]
    wanted: tuple[int, ...]
    most: int


@dataclass(frozen=True, slots=True)
class Information:
    """What a client is told.

    server   our address, as the answer comes from it
    routes   what it reaches through the tunnel
    """

    server: IPv4Address
    routes: tuple[IPv4Network, ...] = ()
    dns: tuple[IPv4Address, ...] = ()
    domain: str = ""


def read_inform(octets: bytes, source: IPv4Address) -> Inform | None:
    """Read a DHCPINFORM from an address; None for anything else."""
    if not _HEAD.size <= len(octets) <= MOST_OCTETS:
        return None
    op, kind, length, _, transaction, _, flags, client, _, _, relay, hardware, _, _, magic = _HEAD.unpack_from(octets)
    if op != _REQUEST or magic != _MAGIC or relay != bytes(4) or length > len(hardware):
        return None
    if client not in (source.packed, bytes(4)):
        return None
    options = _read_options(octets[_HEAD.size :])
    if options is None or options.get(TYPE) != bytes([_INFORM]):
        return None
    size = options.get(SIZE, b"")
    most = int.from_bytes(size, "big") if len(size) == 2 else _LEAST_OCTETS  # noqa: PLR2004 - a 16-bit number
    return Inform(
        transaction,
        flags,
        (kind, length, hardware),
        tuple(options.get(WANTED, b"")),
        max(_LEAST_OCTETS, min(most, MOST_ANSWER_OCTETS)),
    )


def make_answer(inform: Inform, client: IPv4Address, known: Information) -> bytes:
    """The DHCPACK: what the client asked for and we know; routes that do not fit in are left out, the last first."""
    head = _HEAD.pack(
        _REPLY,
        *inform.hardware[:2],
        0,
        inform.transaction,
        0,
        inform.flags,
        client.packed,
        *(bytes(4),) * 3,
        inform.hardware[2],
        bytes(64),
        bytes(128),
        _MAGIC,
    )
    found = head + _option(TYPE, bytes([_ACK])) + _option(SERVER, known.server.packed)
    wanted = inform.wanted or _ALL
    room = inform.most - _UDP_HEADERS - 1
    for number, value in _values(known, wanted):
        left = room - len(found)
        found += next((option for option in _fitting(number, value) if len(option) <= left), b"")
    return found + bytes([_END])


def _values(known: Information, wanted: Sequence[int]) -> Iterator[tuple[int, list[bytes]]]:
    """The options there are, of those wanted, each as pieces that are not broken."""
    if DNS in wanted and known.dns:
        yield DNS, [address.packed for address in known.dns]
    if DOMAIN in wanted and known.domain:
        yield DOMAIN, [known.domain.encode("ascii", "ignore")]
    for number in (MICROSOFT_ROUTES, ROUTES):
        if number in wanted and known.routes:
            yield number, [_route(network) for network in known.routes]


def _route(network: IPv4Network) -> bytes:
    """Destination and router (RFC 3442): 0.0.0.0 is the link itself, which is the tunnel."""
    octets = (network.prefixlen + 7) // 8
    return bytes([network.prefixlen]) + network.network_address.packed[:octets] + bytes(4)


def _fitting(number: int, pieces: list[bytes]) -> Iterator[bytes]:
    """The option with all its pieces, then with ever fewer."""
    for count in range(len(pieces), 0, -1):
        yield _option(number, b"".join(pieces[:count]))


def _option(number: int, value: bytes) -> bytes:
    """An option; a long one is several with the same number (RFC 3396)."""
    parts = [value[at : at + 255] for at in range(0, len(value), 255)] or [b""]
    return b"".join(bytes([number, len(part)]) + part for part in parts)


def _read_options(octets: bytes) -> dict[int, bytes] | None:
    """The options by number, those of one number joined (RFC 3396); None where one does not fit in."""
    found: dict[int, bytes] = {}
    at = 0
    while at < len(octets) and octets[at] != _END:
        if octets[at] == _PAD:
            at += 1
            continue
        if at + 2 > len(octets) or at + 2 + octets[at + 1] > len(octets):
            return None
        found[octets[at]] = found.get(octets[at], b"") + octets[at + 2 : at + 2 + octets[at + 1]]
        at += 2 + octets[at + 1]
    return found


def routes_of(networks: Iterable[IPv4Network]) -> tuple[IPv4Network, ...]:
    """What is worth a route: not the broadcast address, and everything as two halves, which go before a default route."""
    found: list[IPv4Network] = []
    for network in networks:
        if network.prefixlen == 0:
            found += network.subnets(1)
        elif not network.is_multicast and str(network.network_address) != "255.255.255.255":
            found.append(network)
    return tuple(dict.fromkeys(found))
