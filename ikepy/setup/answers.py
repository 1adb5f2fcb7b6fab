"""What a gateway is set up from: a few answers, judged before anything is written.

Rule 1: what is not answered has a default that works: addresses that this host does not use, DNS servers that it does.
Not here: asking (cli/setup.py), the files (gateway_file.py, steps.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from pathlib import Path

from ikepy.crypto.entropy import Entropy
from ikepy.pki.errors import PkiError
from ikepy.pki.names import server_names

IpNetwork = IPv4Network | IPv6Network
IpAddress = IPv4Address | IPv6Address

DEFAULT_DIRECTORY = Path("/etc/ikepy")
FALLBACK_DNS = ("9.9.9.9", "149.112.112.112")
"""Quad9's, where this host's own resolver is no address that clients could ask."""
_CANDIDATES = [IPv4Network(f"10.{number}.0.0/24") for number in (99, 66, 33, 199, 233)] + [
    IPv4Network("172.31.99.0/24")
]


class SetupError(Exception):
    """It cannot be set up so; the message says why, and what to do."""


class SignIn(Enum):
    """How people sign in."""

    PASSWORD = "password"  # noqa: S105 - a word, no password
    CERTIFICATE = "certificate"


@dataclass(frozen=True, slots=True)
class Answers:
    """What a gateway is to be.

    name         host name or address that people type in
    directory    where its files go
    sign_in      how people sign in
    reach        networks that they reach; empty for everything, out to the internet by this gateway
    pools        addresses that they get
    dns          servers that they are told
    domains      domains that those servers are for, in a split tunnel
    certificate  a directory such as Let's Encrypt's, with fullchain.pem and privkey.pem; None for a CA of our own
    user         the first one; None for none
    """

    name: str
    pools: tuple[IpNetwork, ...]
    directory: Path = DEFAULT_DIRECTORY
    sign_in: SignIn = SignIn.PASSWORD
    reach: tuple[IpNetwork, ...] = ()
    dns: tuple[IpAddress, ...] = ()
    domains: tuple[str, ...] = ()
    certificate: Path | None = None
    user: str | None = None
    warnings: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        try:
            server_names([self.name])
        except PkiError as error:
            raise SetupError(str(error)) from error
        if not self.pools:
            raise SetupError("clients need addresses: name a pool, such as 10.99.0.0/24")
        for pool in self.pools:
            if any(pool.version == net.version and pool.overlaps(net) for net in self.reach):
                raise SetupError(f"the pool {pool} lies inside a network that clients reach: take another one")
        if self.certificate is not None and not (self.certificate / "fullchain.pem").is_file():
            raise SetupError(
                f"there is no {self.certificate / 'fullchain.pem'}: name a directory such as Let's Encrypt's"
            )


def choose_pools(used: Iterable[IpNetwork], entropy: Entropy) -> tuple[IpNetwork, ...]:
    """Networks for clients that this host does not use: one of IPv4, and one of IPv6 that nobody else has (RFC 4193)."""
    there = [network for network in used if isinstance(network, IPv4Network)]
    free = next((each for each in _CANDIDATES if not any(each.overlaps(network) for network in there)), None)
    if free is None:
        raise SetupError("all networks that would be taken for clients are in use here: name one with --pool")
    unique = int.from_bytes(b"\xfd" + entropy.octets(5) + bytes(10), "big")
    return free, IPv6Network((unique, 64))


def choose_dns(servers: Sequence[str]) -> tuple[IpAddress, ...]:
    """The servers this host asks, where clients could ask them too; else public ones."""
    found = []
    for text in servers:
        try:
            address = ip_address(text)
        except ValueError:
            continue
        if not (address.is_loopback or address.is_link_local):
            found.append(address)
    return tuple(found) or tuple(map(ip_address, FALLBACK_DNS))


def parse_networks(texts: Iterable[str]) -> tuple[IpNetwork, ...]:
    """Networks as people write them; raises SetupError."""
    found = []
    for text in texts:
        try:
            found.append(ip_network(text.strip()))
        except ValueError as error:
            raise SetupError(f"{error}: write a network such as 10.1.0.0/16") from error
    return tuple(found)


def parse_addresses(texts: Iterable[str]) -> tuple[IpAddress, ...]:
    """Addresses as people write them; raises SetupError."""
    found = []
    for text in texts:
        try:
            found.append(ip_address(text.strip()))
        except ValueError as error:
            raise SetupError(f"{error}: write an address such as 10.1.0.53") from error
    return tuple(found)
