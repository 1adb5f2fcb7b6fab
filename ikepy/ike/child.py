"""ChildSa: what was negotiated for a child, and the states and policies a kernel is told of it.

Rule 1: a ChildSa is a value; changing one means making another.
Rule 2: an expansion of selectors that would flood the kernel is refused, not cut short.
Not here: negotiation itself (exchanges/), keys' derivation (keymat.py).
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, replace
from itertools import product

from ikepy.config.model import ChildConfig
from ikepy.crypto.suites import EspSuite, esp_suite
from ikepy.ike.actions import Path
from ikepy.ike.collisions import Nonces
from ikepy.ike.errors import KernelRefused, TsUnacceptable
from ikepy.ike.keymat import ChildKeys
from ikepy.ipsec import (
    ChildSaSpec,
    Direction,
    IpNetwork,
    Lifetime,
    Mode,
    Owner,
    PolicyAction,
    PolicySpec,
    SaSpec,
    Selector,
    Spi,
    Template,
    UdpEncap,
)
from ikepy.wire.registry import IntegId
from ikepy.wire.sa import Proposal
from ikepy.wire.ts import TrafficSelector

MOST_POLICIES = 512
"Policies of one child; selectors that expand to more are refused."
BASE_PRIORITY = 0x5F000
"Priority of a policy for all packets; more specific ones have smaller numbers."
ICMP_PROTOCOLS = frozenset({1, 58})
PortPair = tuple[tuple[int, int], tuple[int, int]]
"""Source and destination port, each with its mask."""


@dataclass(frozen=True, slots=True)
class Negotiated:
    """What both sides agreed on for a child, before keys.

    proposal       one transform a type; its SPI is the one we receive by, in octets
    local_ts, remote_ts  ours and theirs, narrowed
    """

    config: ChildConfig
    proposal: Proposal
    mode: Mode
    spi_in: Spi
    spi_out: Spi
    local_ts: tuple[TrafficSelector, ...]
    remote_ts: tuple[TrafficSelector, ...]


@dataclass(frozen=True, slots=True)
class ChildSa:
    """A CHILD_SA of ours: agreed, keyed, and told to the kernel.

    nonces, by_us          of the exchange that made it, and whether we began that
    rekey_at, life_until   when it is to be rekeyed, and when the kernel closes it; None for never
    """

    unique_id: int
    negotiated: Negotiated
    spec: ChildSaSpec
    encap: bool
    installed_at: float
    nonces: Nonces
    by_us: bool
    rekey_at: float | None = None
    life_until: float | None = None

    @property
    def name(self) -> str:
        """The name of its configuration."""
        return self.negotiated.config.name

    @property
    def spi_in(self) -> Spi:
        """The SPI we receive by."""
        return self.negotiated.spi_in

    @property
    def spi_out(self) -> Spi:
        """The SPI we send by."""
        return self.negotiated.spi_out

    @property
    def reqid(self) -> int:
        """Its request ID."""
        return self.spec.inbound.reqid


def make_child_spec(
    negotiated: Negotiated,
    keys: ChildKeys,
    path: Path,
    unique_id: int,
    reqid: int,
    *,
    initiated: bool,
    encap: bool,
    lifetime: Lifetime | None = None,
) -> ChildSaSpec:
    """Word a negotiated child for the kernel (RFC 7296 §2.17, RFC 4301 §4.4).

    keys       by the roles in the exchange that made the child
    initiated  whether we began that exchange
    encap      whether ESP goes inside UDP, on the path's ports
    lifetime   the kernel's limits of both states; None for none

    Raises KernelRefused where the selectors expand to more than MOST_POLICIES policies.
    """
    suite = esp_suite(negotiated.proposal)
    encr_out, integ_out = (keys.encr_i, keys.integ_i) if initiated else (keys.encr_r, keys.integ_r)
    encr_in, integ_in = (keys.encr_r, keys.integ_r) if initiated else (keys.encr_i, keys.integ_i)
    local, remote = path.local, path.remote
    pairs = expand(negotiated.local_ts, negotiated.remote_ts)
    config = negotiated.config
    selector = pairs[0] if negotiated.mode is Mode.TRANSPORT and len(pairs) == 1 else None
    has_integ = suite.integ_id is not None and suite.integ_id != IntegId.NONE

    def state(*, inbound: bool) -> SaSpec:
        here, there = (remote, local) if inbound else (local, remote)
        return SaSpec(
            source=here.address,
            destination=there.address,
            spi=negotiated.spi_in if inbound else negotiated.spi_out,
            mode=negotiated.mode,
            reqid=reqid,
            encr=suite.encr_id,
            encr_key=encr_in if inbound else encr_out,
            integ=suite.integ_id if has_integ else None,
            integ_key=(integ_in if inbound else integ_out) if has_integ else None,
            esn=suite.esn,
            replay_window=_replay_window(suite, config.replay_window),
            encap=UdpEncap(here.port, there.port) if encap else None,
            lifetime=lifetime or Lifetime(),
            selector=(selector.reversed() if inbound else selector) if selector is not None else None,
            inbound=inbound,
            mark=config.mark,
            if_id=config.if_id,
            offload=config.hw_offload,
        )

    return ChildSaSpec(
        owner=Owner(f"child-{unique_id}"),
        inbound=state(inbound=True),
        outbound=state(inbound=False),
        policies=make_policies(config, pairs, path, reqid),
        routes_wanted=_routes(negotiated) if config.install_routes else (),
    )


def moved_spec(spec: ChildSaSpec, path: Path, *, encap: bool) -> ChildSaSpec:
    """The same child between other addresses and ports; what it selects stays."""
    local, remote = path.local, path.remote

    def state(sa: SaSpec) -> SaSpec:
        here, there = (remote, local) if sa.inbound else (local, remote)
        ports = UdpEncap(here.port, there.port) if encap else None
        return replace(sa, source=here.address, destination=there.address, encap=ports)

    def policy(each: PolicySpec) -> PolicySpec:
        if each.template is None:
            return each
        here, there = (local, remote) if each.direction is Direction.OUT else (remote, local)
        return replace(each, template=replace(each.template, source=here.address, destination=there.address))

    return replace(
        spec, inbound=state(spec.inbound), outbound=state(spec.outbound), policies=tuple(map(policy, spec.policies))
    )


def make_policies(config: ChildConfig, pairs: tuple[Selector, ...], path: Path, reqid: int) -> tuple[PolicySpec, ...]:
    """The policies of a child, or of its trap: out, in, and for tunnels forward, for each pair of prefixes."""
    out = Template(path.local.address, path.remote.address, config.mode, reqid)
    into = Template(path.remote.address, path.local.address, config.mode, reqid)
    directions = [(Direction.OUT, out), (Direction.IN, into)]
    if config.mode is Mode.TUNNEL:
        directions.append((Direction.FORWARD, into))
    return tuple(
        PolicySpec(
            selector if direction is Direction.OUT else selector.reversed(),
            direction,
            PolicyAction.PROTECT,
            template,
            priority(selector),
            config.mark,
            config.if_id,
        )
        for selector in pairs
        for direction, template in directions
    )


def priority(selector: Selector) -> int:
    """The more specific the selector, the smaller the number, so that it is looked at first."""
    specific = 512 * (selector.source.prefixlen + selector.destination.prefixlen)
    specific += 256 * (selector.protocol != 0)
    specific += 8 * (selector.source_port_mask.bit_count() + selector.destination_port_mask.bit_count())
    return BASE_PRIORITY - specific


def expand(local: tuple[TrafficSelector, ...], remote: tuple[TrafficSelector, ...]) -> tuple[Selector, ...]:
    """All pairs of prefixes and port masks for packets from `local` to `remote`.

    Raises KernelRefused over MOST_POLICIES / 3 pairs, TsUnacceptable where no pair is of one family and protocol.
    """
    found: dict[Selector, None] = {}
    for ours, theirs in product(local, remote):
        if ours.type != theirs.type or (ours.protocol and theirs.protocol and ours.protocol != theirs.protocol):
            continue
        protocol = ours.protocol or theirs.protocol
        prefixes = product(_prefixes(ours), _prefixes(theirs))
        ports: list[PortPair] = list(product(_port_masks(ours), _port_masks(theirs)))
        if protocol in ICMP_PROTOCOLS:
            ports = [_icmp_ports(*pair) for pair in ports]
        for (source, destination), (ours_at, theirs_at) in product(prefixes, ports):
            found[Selector(source, destination, protocol, *ours_at, *theirs_at)] = None
            if len(found) > MOST_POLICIES // 3:
                raise KernelRefused(
                    f"the selectors expand to more than {MOST_POLICIES // 3} pairs of prefixes; "
                    "use prefixes and port ranges that are powers of two in local_ts and remote_ts"
                )
    if not found:
        raise TsUnacceptable("no local selector has the family and protocol of a remote one")
    return tuple(found)


def _prefixes(selector: TrafficSelector) -> list[IpNetwork]:
    return list(ipaddress.summarize_address_range(selector.start, selector.end))


def _port_masks(selector: TrafficSelector) -> list[tuple[int, int]]:
    """A port range as (port, mask) pairs; OPAQUE and the whole range are (0, 0)."""
    start, end = selector.start_port, selector.end_port
    if start > end or (start, end) == (0, 0xFFFF):
        return [(0, 0)]
    masks = []
    while start <= end:
        span = start & -start if start else 1 << 16
        while start + span - 1 > end:
            span >>= 1
        masks.append((start, 0xFFFF & ~(span - 1)))
        start += span
    return masks


def _icmp_ports(source: tuple[int, int], destination: tuple[int, int]) -> PortPair:
    # RFC 4301 §4.4.1.1: type in the high octet, code in the low one; Linux wants type as source, code as destination port.
    port, mask = source if source[1] else destination
    return (port >> 8, 0xFFFF if mask >> 8 else 0), (port & 0xFF, 0xFFFF if mask & 0xFF else 0)


def _routes(negotiated: Negotiated) -> tuple[tuple[IpNetwork, tuple[IpNetwork, ...]], ...]:
    if negotiated.mode is not Mode.TUNNEL:
        return ()
    local = [prefix for selector in negotiated.local_ts for prefix in _prefixes(selector)]
    wanted = []
    for selector in negotiated.remote_ts:
        for prefix in _prefixes(selector):
            same = tuple(ours for ours in local if ours.version == prefix.version)
            wanted.append((prefix, same))
    return tuple(dict.fromkeys(wanted))


def _replay_window(suite: EspSuite, window: int) -> int:
    # RFC 4304: with ESN the window cannot be off, the high half of the number comes from it.
    return max(window, 32) if suite.esn else window
