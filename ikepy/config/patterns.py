"""Patterns of the model: which addresses and which identities are meant.

Not here: their text (selectors.py, identities.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from ipaddress import IPv4Address, IPv6Address

from ikepy.wire.payloads import Identification


class AddressPatternKind(Enum):
    """What one entry of local_addrs or remote_addrs is."""

    ANY = "any"
    NETWORK = "network"
    NAME = "name"
    INTERFACE = "interface"


@dataclass(frozen=True, slots=True)
class AddressPattern:
    """An entry of local_addrs or remote_addrs: `%any`, an address, a prefix, a range, a DNS name, or an interface of ours.

    first, last  the inclusive range of addresses (one address: both the same); None otherwise
    name         the DNS name, or the interface's; None otherwise
    """

    kind: AddressPatternKind
    first: IPv4Address | IPv6Address | None = None
    last: IPv4Address | IPv6Address | None = None
    name: str | None = None

    def matches(self, address: IPv4Address | IPv6Address) -> bool:
        """Whether the address fits; a NAME or INTERFACE never does before its addresses are known."""
        if self.kind is AddressPatternKind.ANY:
            return True
        if self.first is None or self.last is None or self.first.version != address.version:
            return False
        return int(self.first) <= int(address) <= int(self.last)

    @property
    def single(self) -> IPv4Address | IPv6Address | None:
        """The address where the pattern is exactly one, else None."""
        return self.first if self.first is not None and self.first == self.last else None

    @property
    def size(self) -> int:
        """How many addresses fit; the fewer, the more specific. ANY counts as 2**128, names as 1."""
        if self.kind is AddressPatternKind.ANY:
            return 1 << 128
        if self.first is None or self.last is None:
            return 1
        return int(self.last) - int(self.first) + 1


@dataclass(frozen=True, slots=True)
class IdentityPattern:
    """Which identities are meant: `%any` (identification None), one, or a wildcard such as `*.example.com`.

    identification  for a wildcard its octets hold the pattern, `*` standing for any octets
    """

    identification: Identification | None = None
    wildcard: bool = False
