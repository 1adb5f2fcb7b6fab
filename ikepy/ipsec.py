"""What a kernel must be told of a CHILD_SA, in the words of RFC 4301: states, policies, selectors.

Rule 1: only values; nothing here knows netlink, a socket or a clock.
Rule 2: addresses are `ipaddress` objects; keys are `Secret`.
Not here: how a kernel is told (kernel/), how selectors are negotiated (ike/).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import NewType

from ikepy.crypto.secret import Secret
from ikepy.wire.registry import EncrId, IntegId, ProtocolId

IpAddress = IPv4Address | IPv6Address
IpNetwork = IPv4Network | IPv6Network
Spi = NewType("Spi", int)
"""SPI of an ESP or AH SA, 256..2**32-1, as a number (RFC 4303 §2.1)."""
Owner = NewType("Owner", str)
"""Who holds a policy in the kernel: unique for each CHILD_SA, trap or shunt."""


class Mode(Enum):
    """How packets are wrapped (RFC 4301 §4.1), or that they are not: PASS and DROP are of shunts, never of a state."""

    TUNNEL = "tunnel"
    TRANSPORT = "transport"
    PASS = "pass"  # noqa: S105 - a mode, no password
    DROP = "drop"


class Direction(Enum):
    """Which packets a policy is asked about; FORWARD is Linux's name for inbound packets not for this host."""

    IN = "in"
    OUT = "out"
    FORWARD = "fwd"


class PolicyAction(Enum):
    """What happens to a packet that matches (RFC 4301 §4.4.1)."""

    PROTECT = "protect"
    BYPASS = "bypass"
    DISCARD = "discard"


class CopyDscp(Enum):
    """Which way the DSCP goes between the inner and the outer header of a tunnel (RFC 4301 §5.1.2, RFC 2983)."""

    OUT = "out"
    IN = "in"
    YES = "yes"
    NO = "no"

    @property
    def inward(self) -> bool:
        """Whether it comes out of the outer header."""
        return self in {CopyDscp.IN, CopyDscp.YES}

    @property
    def outward(self) -> bool:
        """Whether it goes into the outer header."""
        return self in {CopyDscp.OUT, CopyDscp.YES}


class Offload(Enum):
    """What of ESP the network interface does: ciphering where it can, ciphering or nothing, all of it or nothing."""

    AUTO = "auto"
    CRYPTO = "crypto"
    PACKET = "packet"


@dataclass(frozen=True, slots=True)
class UdpEncap:
    """UDP encapsulation of ESP (RFC 3948): the ports of the datagrams, source first.

    original   the address the peer has behind its NAT, in transport mode (NAT-OA, RFC 3948 §3.1.2); None where it is known
               by no other than the state's
    """

    source_port: int
    destination_port: int
    original: IpAddress | None = None


@dataclass(frozen=True, slots=True)
class Lifetime:
    """Soft and hard limits of a state; None is no limit."""

    soft_seconds: int | None = None
    hard_seconds: int | None = None
    soft_octets: int | None = None
    hard_octets: int | None = None
    soft_packets: int | None = None
    hard_packets: int | None = None


@dataclass(frozen=True, slots=True)
class Mark:
    """A packet mark and the bits of it that count."""

    value: int
    mask: int = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Handling:
    """What a state does with packets beside protecting them; of no concern to the peer.

    copy_df, copy_ecn  between inner and outer header of a tunnel (RFC 4301 §5.1.2, RFC 6040)
    tfc_octets         packets are padded up to so many (RFC 4303 §2.7), 0xFFFFFFFF: as far as the path carries
    set_mark           what packets are marked with: outbound ones when they are protected, inbound ones when they no longer are
    """

    copy_df: bool = True
    copy_ecn: bool = True
    copy_dscp: CopyDscp = CopyDscp.OUT
    tfc_octets: int | None = None
    set_mark: Mark | None = None


PLAIN = Handling()
"""What Linux does by itself."""


@dataclass(frozen=True, slots=True)
class Selector:
    """The packets a policy or a transport-mode state concerns, as Linux can express them.

    source, destination  prefixes of one family
    protocol             upper-layer protocol number, 0 for any
    *_port, *_port_mask  port (or ICMP type/code as Linux places them) and mask; mask 0 is any
    """

    source: IpNetwork
    destination: IpNetwork
    protocol: int = 0
    source_port: int = 0
    source_port_mask: int = 0
    destination_port: int = 0
    destination_port_mask: int = 0

    def __post_init__(self) -> None:
        if self.source.version != self.destination.version:
            raise ValueError(f"selector mixes families: {self.source} and {self.destination}")

    def reversed(self) -> Selector:
        """The same for packets going the other way."""
        return Selector(
            self.destination,
            self.source,
            self.protocol,
            self.destination_port,
            self.destination_port_mask,
            self.source_port,
            self.source_port_mask,
        )


@dataclass(frozen=True, slots=True)
class SaId:
    """What names a state in the kernel: destination, protocol, SPI."""

    destination: IpAddress
    protocol: ProtocolId
    spi: Spi


@dataclass(frozen=True, slots=True)
class SaSpec:
    """One unidirectional SA (an entry of the SAD, RFC 4301 §4.4.2).

    encr_key       key and, for AEAD and CTR, the salt behind it, as taken from KEYMAT
    integ          None with an AEAD
    replay_window  packets; 0 switches the check off
    selector       only for transport mode: the packets the state may carry
    inbound        whether packets come in by it; None where the caller need not say
    """

    source: IpAddress
    destination: IpAddress
    spi: Spi
    mode: Mode
    reqid: int
    encr: EncrId
    encr_key: Secret
    integ: IntegId | None = None
    integ_key: Secret | None = None
    protocol: ProtocolId = ProtocolId.ESP
    esn: bool = False
    replay_window: int = 32
    encap: UdpEncap | None = None
    lifetime: Lifetime = field(default_factory=Lifetime)
    selector: Selector | None = None
    inbound: bool = False
    mark: Mark | None = None
    if_id: int | None = None
    offload: Offload | None = None
    handling: Handling = PLAIN

    @property
    def id(self) -> SaId:
        """The triple that names this state."""
        return SaId(self.destination, self.protocol, self.spi)


@dataclass(frozen=True, slots=True)
class Template:
    """The SA a PROTECT policy asks for: outer addresses (tunnel mode), protocol and request ID."""

    source: IpAddress
    destination: IpAddress
    mode: Mode
    reqid: int
    protocol: ProtocolId = ProtocolId.ESP
    spi: Spi | None = None


@dataclass(frozen=True, slots=True)
class PolicySpec:
    """One entry of the SPD (RFC 4301 §4.4.1); unique in the kernel by selector, direction, mark and if_id.

    priority  lower numbers are looked at first
    """

    selector: Selector
    direction: Direction
    action: PolicyAction
    template: Template | None = None
    priority: int = 0
    mark: Mark | None = None
    if_id: int | None = None
    offload: Offload | None = None


class RouteKind(Enum):
    """What a route does with packets: sends them, refuses them, or leaves them to the routing without us."""

    UNICAST = "unicast"
    UNREACHABLE = "unreachable"
    THROW = "throw"


@dataclass(frozen=True, slots=True)
class RouteSpec:
    """A route that makes packets for `destination` leave with `source`, an address of ours inside the local selector.

    source      None where the kernel is to choose, or the route sends nothing
    mtu         octets of the largest packet it takes, and so of TCP's segments by it; None leaves both to the kernel
    interface   by which packets leave; None is that of the way to the peer
    """

    destination: IpNetwork
    source: IpAddress | None
    mtu: int | None = None
    interface: str | None = None
    kind: RouteKind = RouteKind.UNICAST


@dataclass(frozen=True, slots=True)
class MssClamp:
    """What the MSS of forwarded TCP connections is lowered to (RFC 9293 §3.7.1).

    segment   octets; None is what the path through the tunnel carries
    """

    segment: int | None = None


@dataclass(frozen=True, slots=True)
class ChildSaSpec:
    """All that is installed for one CHILD_SA: two states, their policies, and whom they belong to.

    routes_wanted   (remote prefix, local prefixes) for which kernel/ looks for a local address and adds a route;
                    empty where the operator manages routes
    mtu             of those routes; None leaves it to the kernel
    interface       by which they go, and none to the peer itself; None is that of the way to the peer
    mss_clamp       None leaves the MSS of TCP connections as it is
    """

    owner: Owner
    inbound: SaSpec
    outbound: SaSpec
    policies: tuple[PolicySpec, ...]
    routes_wanted: tuple[tuple[IpNetwork, tuple[IpNetwork, ...]], ...] = ()
    mtu: int | None = None
    mss_clamp: MssClamp | None = None
    interface: str | None = None


@dataclass(frozen=True, slots=True)
class SaCounters:
    """What the kernel counted of one state.

    last_used   seconds since the epoch (CLOCK_REALTIME) of the last packet, None where never used
    added       seconds since the epoch when it was installed
    """

    octets: int
    packets: int
    last_used: int | None
    added: int
    replay_errors: int = 0
    integrity_errors: int = 0
