"""What is made on this host for tunnels, as frozen dataclasses: interfaces, and what a client changes.

Not here: their tables (host_schema.py), the gateway (gateway.py), what comes of it on the host (kernel/, gateway/).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from ipaddress import IPv4Interface, IPv6Interface
from pathlib import Path

from ikepy.ipsec import IpAddress, IpNetwork

ETC_RESOLV = Path("/etc/resolv.conf")


class InterfaceKind(Enum):
    """How packets that leave by an interface find their child."""

    XFRM = "xfrm"
    VTI = "vti"
    DUMMY = "dummy"


class DnsMode(Enum):
    """Who is told of a gateway's DNS servers."""

    AUTO = "auto"
    RESOLVED = "resolved"
    RESOLVCONF = "resolvconf"
    FILE = "file"
    NO = "no"


@dataclass(frozen=True, slots=True)
class InterfaceConfig:
    """One interface that the daemon makes when it starts and takes away when it ends."""

    name: str
    kind: InterfaceKind = InterfaceKind.XFRM
    (
        "What it is: packets find their child by interface ID (`xfrm`), by mark (`vti`, for kernels before 4.19), or by "
        "policies alone (`dummy`, which only has addresses and DNS)."
    )
    if_id: int | None = None
    "Its interface ID, of a `vti` its key; without it one of our own. Children that name it need no other."
    addrs: tuple[IPv4Interface | IPv6Interface, ...] = ()
    "Addresses it gets, with the length of their network."
    mtu: int = 0
    "Octets of the largest packet by it; 0 is what the kernel chooses."
    underlay: str | None = None
    "Interface that protected packets leave by; without it routes say."
    local_addr: IpAddress | None = None
    "Of a `vti`: our outer address; without it any."
    remote_addr: IpAddress | None = None
    "Of a `vti`: the peer's outer address; without it any, of which there can be one."
    routes: tuple[IpNetwork, ...] = ()
    "Networks that are reached by it, whatever the children select."


@dataclass(frozen=True, slots=True)
class ClientConfig:
    """What this host does as a client of gateways that give it addresses (`vips`)."""

    dns: DnsMode = DnsMode.AUTO
    (
        "Who is told of the DNS servers a gateway gives: systemd-resolved, resolvconf, the file, or nobody; `auto` is the "
        "first of them that is there."
    )
    resolv_conf: Path = ETC_RESOLV
    "The file that says which DNS servers there are."
    block_ipv6: bool = True
    "Whether IPv6 to the internet is refused while a gateway takes all of IPv4 and gives no IPv6 address."
    kill_switch: bool = False
    (
        "Whether nothing leaves this host but by a tunnel, also before there is one and when the daemon has ended: until "
        "`ikepy cleanup`, or a start without it."
    )
