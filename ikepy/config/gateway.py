"""The gateway: what this host is changed into for the clients of its pools, as a frozen dataclass.

Not here: its table (access_schema.py), pools and groups (access.py), what comes of it on the host (gateway/).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Reach4(Enum):
    """How answers from the world find the IPv4 addresses of clients."""

    MASQUERADE = "masquerade"
    ROUTED = "routed"


class Reach6(Enum):
    """How answers from the world find the IPv6 addresses of clients."""

    MASQUERADE = "masquerade"
    ROUTED = "routed"
    PROXY_NDP = "proxy_ndp"


@dataclass(frozen=True, slots=True)
class GatewayConfig:
    """Makes this host the gateway of all pools' clients; `gateway = true` at the top of the file is this table with its defaults."""

    ipv4: Reach4 = Reach4.MASQUERADE
    "Whether clients are seen with this host's IPv4 address, or others have a route to their own."
    ipv6: Reach6 = Reach6.MASQUERADE
    (
        "The same of IPv6; with `proxy_ndp` this host answers for clients' addresses, which are of the network it stands "
        "in (RFC 4389)."
    )
    uplinks: tuple[str, ...] = ()
    "Interfaces to the world: there clients are masqueraded or answered for; empty means those of the default routes."
    client_to_client: bool = False
    "Whether clients reach each other."
    block_leaks: bool = True
    "Whether what is for a client is discarded rather than sent in clear while its tunnel is down."
    mss_clamp: bool = True
    "Whether TCP connections of clients are told to send segments that fit into any tunnel (1360 octets, 1340 of IPv6)."
    dhcp: bool = True
    "Whether DHCPINFORM of clients is answered: Windows asks that way for its routes and DNS."

    @property
    def answers_for(self) -> bool:
        """Whether this host answers for clients' IPv6 addresses."""
        return self.ipv6 is Reach6.PROXY_NDP
