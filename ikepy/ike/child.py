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
from ikepy.ike.original_addresses import NO_ORIGINALS, Hosts, OriginalAddresses
from ikepy.ipsec import (
    ChildSaSpec,
    Direction,
    IpAddress,
    IpNetwork,
    Lifetime,
    Mode,
    Offload,
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
    originals            what of them the peer wrote otherwise: transport mode through a NAT
    """

    config: ChildConfig
    proposal: Proposal
    mode: Mode
    spi_in: Spi
    spi_out: Spi
    local_ts: tuple[TrafficSelector, ...]
    remote_ts: tuple[TrafficSelector, ...]
    originals: OriginalAddresses = NO_ORIGINALS

    def moved(self, before: Hosts, after: Hosts) -> Negotiated:
        """The same between other addresses: in transport mode the selectors are those of both hosts."""
        if self.mode is not Mode.TRANSPORT or before == after:
            return self
        local, remote = before.moved(self.local_ts, after), before.moved(self.remote_ts, after)
        return replace(self, local_ts=local, remote_ts=remote)


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

    @property
    def hosts(self) -> Hosts:
        """The addresses it is between."""
        return hosts_of(self.spec)

    def moved(self, path: Path, *, encap: bool) -> ChildSa:
        """The same child between other addresses and ports."""
        spec = moved_spec(self.spec, path, encap=encap)
        return replace(self, negotiated=self.negotiated.moved(self.hosts, hosts_of(spec)), spec=spec, encap=encap)


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
    pairs = expand(negotiated.local_ts, negotiated.remote_ts)
    config = negotiated.config
    making = _Making(negotiated, keys, path, reqid, pairs, initiated, encap, lifetime or Lifetime())
    return ChildSaSpec(
        owner=Owner(f"child-{unique_id}"),
        inbound=making.state(inbound=True),
        outbound=making.state(inbound=False),
        policies=make_policies(config, pairs, path, reqid) if config.policies else (),
        routes_wanted=_routes(negotiated) if config.install_routes else (),
        mtu=config.mtu or None,
        mss_clamp=config.mss_clamp,
        interface=config.interface,
    )


@dataclass(frozen=True, slots=True)
class _Making:
    """What both states of a child are made of."""

    negotiated: Negotiated
    keys: ChildKeys
    path: Path
    reqid: int
    pairs: tuple[Selector, ...]
    initiated: bool
    encap: bool
    lifetime: Lifetime

    def state(self, *, inbound: bool) -> SaSpec:
        """One of them."""
        negotiated, config = self.negotiated, self.negotiated.config
        suite = esp_suite(negotiated.proposal)
        keys = self.keys
        ours = (keys.encr_i, keys.integ_i) if self.initiated != inbound else (keys.encr_r, keys.integ_r)
        local, remote = self.path.local, self.path.remote
        here, there = (remote, local) if inbound else (local, remote)
        is_alone = negotiated.mode is Mode.TRANSPORT and len(self.pairs) == 1
        selector = (self.pairs[0].reversed() if inbound else self.pairs[0]) if is_alone else None
        has_integ = suite.integ_id is not None and suite.integ_id != IntegId.NONE
        return SaSpec(
            source=here.host,
            destination=there.host,
            spi=negotiated.spi_in if inbound else negotiated.spi_out,
            mode=negotiated.mode,
            reqid=self.reqid,
            encr=suite.encr_id,
            encr_key=ours[0],
            integ=suite.integ_id if has_integ else None,
            integ_key=ours[1] if has_integ else None,
            esn=suite.esn,
            replay_window=_replay_window(suite, config.replay_window),
            encap=UdpEncap(here.port, there.port, negotiated.originals.remote) if self.encap else None,
            lifetime=self.lifetime,
            selector=selector,
            inbound=inbound,
            mark=config.mark_of(inbound=inbound),
            if_id=config.if_id_of(inbound=inbound),
            offload=config.hw_offload,
            handling=config.handling_of(inbound=inbound),
        )


def moved_spec(spec: ChildSaSpec, path: Path, *, encap: bool) -> ChildSaSpec:
    """The same child between other addresses and ports; what a tunnel selects stays."""
    local, remote = path.local, path.remote
    instead = {}
    if spec.outbound.mode is Mode.TRANSPORT:
        before = hosts_of(spec)
        instead = {before.here: local.host, before.there: remote.host}

    def state(sa: SaSpec) -> SaSpec:
        here, there = (remote, local) if sa.inbound else (local, remote)
        original = sa.encap.original if sa.encap is not None else None
        ports = UdpEncap(here.port, there.port, original) if encap else None
        selector = _moved_selector(sa.selector, instead) if sa.selector is not None else None
        return replace(sa, source=here.host, destination=there.host, encap=ports, selector=selector)

    def policy(each: PolicySpec) -> PolicySpec:
        if each.template is None:
            return each
        here, there = (local, remote) if each.direction is Direction.OUT else (remote, local)
        template = replace(each.template, source=here.host, destination=there.host)
        selector = _moved_selector(each.selector, instead)
        ranked = priority(selector) if selector != each.selector else each.priority
        return replace(each, selector=selector, template=template, priority=ranked)

    return replace(
        spec, inbound=state(spec.inbound), outbound=state(spec.outbound), policies=tuple(map(policy, spec.policies))
    )


def hosts_of(spec: ChildSaSpec) -> Hosts:
    """The addresses a child is between."""
    return Hosts(spec.outbound.source, spec.outbound.destination)


def _moved_selector(selector: Selector, instead: dict[IpAddress, IpAddress]) -> Selector:
    """The selector of two hosts with other addresses; one of networks has no host to move."""
    source, destination = (_moved_host(prefix, instead) for prefix in (selector.source, selector.destination))
    if source.version != destination.version:
        return selector
    return replace(selector, source=source, destination=destination)


def _moved_host(prefix: IpNetwork, instead: dict[IpAddress, IpAddress]) -> IpNetwork:
    address = instead.get(prefix.network_address)
    if address is None or prefix.prefixlen != prefix.max_prefixlen:
        return prefix
    return ipaddress.ip_network(address)


def make_policies(config: ChildConfig, pairs: tuple[Selector, ...], path: Path, reqid: int) -> tuple[PolicySpec, ...]:
    """The policies of a child, or of its trap: out, in, and for tunnels forward, for each pair of prefixes."""
    out = Template(path.local.host, path.remote.host, config.mode, reqid)
    into = Template(path.remote.host, path.local.host, config.mode, reqid)
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
            config.mark_of(inbound=direction is not Direction.OUT),
            config.if_id_of(inbound=direction is not Direction.OUT),
            config.hw_offload if config.hw_offload is Offload.PACKET else None,
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
