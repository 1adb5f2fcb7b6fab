"""Who may come and what they get: pools of addresses, users and groups, as frozen dataclasses.

Rule 1: the words of pools are swanctl.conf's; each field is followed by one sentence, as in model.py.
Rule 2: a range holds what is given out: of a prefix, its network and broadcast addresses are left out when it is read.
Not here: who belongs to which group (groups.py), leases (leases/), users that `ikepy user` keeps (auth/users.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import Enum
from ipaddress import IPv4Address, IPv4Network, IPv6Network
from pathlib import Path

from ikepy.config.patterns import IdentityPattern
from ikepy.crypto.password import ScryptHash
from ikepy.crypto.secret import Secret
from ikepy.ipsec import IpAddress
from ikepy.wire.ts import TrafficSelector

IpNetwork = IPv4Network | IPv6Network


class Tunnel(Enum):
    """How much of a client's traffic goes through the tunnel."""

    SPLIT = "split"
    FULL = "full"


@dataclass(frozen=True, slots=True)
class AddressRange:
    """Addresses from first to last, both included, of one family."""

    first: IpAddress
    last: IpAddress

    def __post_init__(self) -> None:
        if self.first.version != self.last.version or int(self.first) > int(self.last):
            raise ValueError(f"{self.first} to {self.last} is no range")

    def __contains__(self, address: IpAddress) -> bool:
        return address.version == self.family and int(self.first) <= int(address) <= int(self.last)

    def __str__(self) -> str:
        return str(self.first) if self.first == self.last else f"{self.first}-{self.last}"

    @property
    def family(self) -> int:
        """4 or 6."""
        return self.first.version

    @property
    def size(self) -> int:
        """How many addresses it holds."""
        return int(self.last) - int(self.first) + 1

    def overlaps(self, other: AddressRange) -> bool:
        """Whether an address is in both."""
        return other.first in self or self.first in other


@dataclass(frozen=True, slots=True)
class StaticLease:
    """Addresses that one identity gets, and nobody else.

    identity   a user's name, or an identity with its type: `fqdn:gate.example`
    """

    identity: str
    addresses: tuple[IpAddress, ...]


@dataclass(frozen=True, slots=True)
class PoolConfig:
    """One pool under `pools`: addresses for clients, of one family, and what they are told besides."""

    name: str
    addrs: tuple[AddressRange, ...]
    "Addresses that are given out; of a prefix all but its network and broadcast addresses."
    static: tuple[StaticLease, ...] = ()
    "Who always gets which of these addresses: a user's name, or an identity with its type (`fqdn:gate.example`)."
    dns: tuple[IpAddress, ...] = ()
    "DNS servers."
    domains: tuple[str, ...] = ()
    "Domains that are asked of these DNS servers, the others elsewhere (RFC 8598)."
    subnet: tuple[IpNetwork, ...] = ()
    "Networks that are reached through the tunnel (INTERNAL_IP4_SUBNET, INTERNAL_IP6_SUBNET)."
    split_include: tuple[IpNetwork, ...] = ()
    "The same for clients of Cisco's kind (UNITY_SPLIT_INCLUDE)."
    split_exclude: tuple[IpNetwork, ...] = ()
    "Networks that are reached outside the tunnel, for clients of Cisco's kind (UNITY_LOCAL_LAN)."
    nbns: tuple[IPv4Address, ...] = ()
    "WINS servers."
    dhcp: tuple[IpAddress, ...] = ()
    "DHCP servers."
    netmask: IPv4Address | None = None
    "Netmask of the client's network; without it none is told."

    @property
    def family(self) -> int:
        """4 or 6."""
        return self.addrs[0].family

    @property
    def size(self) -> int:
        """How many addresses it gives out."""
        return sum(each.size for each in self.addrs)

    def __contains__(self, address: IpAddress) -> bool:
        return any(address in each for each in self.addrs)


@dataclass(frozen=True, slots=True)
class UserConfig:
    """One user under `users`; others are kept by `ikepy user` in the file that `daemon.users_file` names."""

    name: str
    password: Secret | None = None
    "The password itself: only where a method needs it (EAP-MD5); prefer nt_hash."
    nt_hash: Secret | None = None
    "The password's NT hash, 32 hexadecimal digits, as EAP-MSCHAPv2 needs it."
    scrypt: ScryptHash | None = None
    "The password's scrypt hash, as `ikepy user add --scrypt` makes it: for EAP-GTC, and PAP inside EAP-TTLS."
    groups: tuple[str, ...] = ()
    "Groups the user belongs to."
    disabled: bool = False
    "Whether the user is kept out."
    expires: date | None = None
    "The user's last day (UTC)."


@dataclass(frozen=True, slots=True)
class GroupConfig:
    """One group under `groups`: who belongs to it, and what they get. Where there are groups, others get nothing."""

    name: str
    users: tuple[str, ...] = ()
    "Users who belong to it, beside those whose own `groups` name it."
    cert_ids: tuple[IdentityPattern, ...] = ()
    "Who belongs to it by a certificate whose subject or subjectAltName fits; with cacerts, both must hold."
    cacerts: tuple[Path, ...] = ()
    "Who belongs to it by a certificate under one of these CAs; with cert_ids, both must hold."
    psk_ids: tuple[IdentityPattern, ...] = ()
    "Who belongs to it by a pre-shared key and an identity that fits."
    subnets: tuple[TrafficSelector, ...] = ()
    "What its members reach, of the child's local_ts; without it all of that."
    pools: tuple[str, ...] = ()
    "Pools its members get addresses from, instead of the connection's."
    dns: tuple[IpAddress, ...] = ()
    "DNS servers, instead of the pool's."
    domains: tuple[str, ...] = ()
    "Domains that are asked of the DNS servers, instead of the pool's (RFC 8598)."
    tunnel: Tunnel | None = None
    "Whether all of a client's traffic goes through the tunnel or only what is for subnets; without it as it asks."
    max_sessions: int = 0
    "How many sessions each member may have at a time; 0 any number."
    idle_timeout: float = 0.0
    "Seconds without a packet after which a session ends; 0 never."
