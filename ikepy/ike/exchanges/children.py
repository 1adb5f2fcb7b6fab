"""What IKE_AUTH and CREATE_CHILD_SA share about children: offering, choosing, keying, installing (RFC 7296 §1.2, §1.3.1).

Rule 1: choosing and judging are pure; only `install` awaits.
Rule 2: an SPI that was drawn and not used is given back.
Not here: the messages around it (ike_auth.py, create_child.py).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ikepy.config.model import ChildConfig, ConnectionConfig
from ikepy.crypto.secret import Secret
from ikepy.crypto.suites import esp_suite
from ikepy.ike.child import ICMP_PROTOCOLS, ChildSa, Negotiated, make_child_spec
from ikepy.ike.collisions import Nonces
from ikepy.ike.effects import AllocateSpi, InstallChildSa, InstallInbound, ReleaseSpi
from ikepy.ike.ends import Ends
from ikepy.ike.errors import DeletedAhead, KernelRefused, LocalFault, NoProposalChosen, SpiTaken, TsUnacceptable
from ikepy.ike.exchanges.view import SaView
from ikepy.ike.keymat import derive_child_keys
from ikepy.ike.lifetimes import child_times
from ikepy.ike.narrowing import is_within, narrow, size
from ikepy.ike.negotiation import Chosen, check_answer, choose, ke_methods, lead_with, number_proposals
from ikepy.ike.original_addresses import NO_ORIGINALS, Hosts, OriginalAddresses
from ikepy.ike.phases import Keyed
from ikepy.ipsec import Mode, SaId, Selector, Spi
from ikepy.personas.quirks import Quirks
from ikepy.wire.base import Payload
from ikepy.wire.notify import Notify
from ikepy.wire.payloads import Identification
from ikepy.wire.registry import KeMethod, NotifyType, ProtocolId, TsType
from ikepy.wire.sa import Proposal, Sa
from ikepy.wire.ts import TrafficSelector, TsI, TsR, UnknownSelector

SPI_DRAWS = 4
"How often an SPI is drawn again because the kernel has it already."
SPI_OCTETS = 4
_LEAST_SPI = 256


@dataclass(frozen=True, slots=True)
class ChildOffer:
    """What we offered for a child."""

    config: ChildConfig
    spi_in: Spi
    proposals: tuple[Proposal, ...]
    local_ts: tuple[TrafficSelector, ...]
    remote_ts: tuple[TrafficSelector, ...]
    with_ke: bool
    hosts: Hosts

    def payloads(self) -> tuple[Payload, ...]:
        """SA, TSi, TSr and the notifies that belong to them."""
        mode = (Notify(NotifyType.USE_TRANSPORT_MODE),) if self.config.mode is Mode.TRANSPORT else ()
        return (*mode, Sa(self.proposals), TsI(self.local_ts), TsR(self.remote_ts))


@dataclass(frozen=True, slots=True)
class ChildChoice:
    """What we take of a peer's offer; selectors are ours and the peer's, narrowed, as packets have them here."""

    config: ChildConfig
    chosen: Chosen
    mode: Mode
    local_ts: tuple[TrafficSelector, ...]
    remote_ts: tuple[TrafficSelector, ...]
    originals: OriginalAddresses = NO_ORIGINALS

    @property
    def spi_out(self) -> Spi:
        """The SPI the peer receives by."""
        return parse_spi(self.chosen.peer_spi)


@dataclass(frozen=True, slots=True)
class ChildSecrets:
    """What a child's keys come from, beside SK_d: the nonces of its exchange, and g^ir (new) where it had a KE."""

    ni: bytes
    nr: bytes
    shared: Secret | None = None


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a child comes from.

    initiated  whether we began the exchange that makes it
    peer       the peer's identity
    replaces   the child in whose place it comes
    """

    initiated: bool
    peer: Identification
    replaces: ChildSa | None = None


@dataclass(frozen=True, slots=True)
class ChildRequest:
    """A peer's offer for a child, as it stood in a request."""

    sa: Sa
    tsi: TsI
    tsr: TsR
    wants_transport: bool
    sent_ke: KeMethod | None
    with_ke: bool


def make_offer(
    config: ChildConfig, ends: Ends, spi_in: Spi, *, with_ke: bool, packet: Selector | None = None
) -> ChildOffer:
    """What we offer for a child between these ends; `with_ke` False in IKE_AUTH.

    packet   the packet that asks for the child: its own selectors go first (RFC 7296 §2.9)
    """
    local, remote = ends.local_of(config), ends.remote_of(config)
    if packet is not None:
        local, remote = (of_packet(packet), *local), (of_packet(packet.reversed()), *remote)
    return ChildOffer(
        config,
        spi_in,
        number_proposals(config.esp_proposals, spi_in.to_bytes(4, "big"), with_ke=with_ke),
        local,
        remote,
        with_ke,
        ends.hosts,
    )


def make_rekey_offer(old: ChildSa, spi_in: Spi, quirks: Quirks) -> ChildOffer:
    """What we offer to replace a child: its configured proposals, and the selectors it has (§2.9.2)."""
    negotiated, with_ke = old.negotiated, not quirks.child_rekey_without_ke
    ours = negotiated.config.esp_proposals
    if quirks.rekey_offers_lead_with_own_suite:
        ours = lead_with(ours, negotiated.proposal)
    proposals = number_proposals(ours, spi_in.to_bytes(4, "big"), with_ke=with_ke)
    local, remote = negotiated.local_ts, negotiated.remote_ts
    return ChildOffer(negotiated.config, spi_in, proposals, local, remote, with_ke=with_ke, hosts=old.hosts)


def of_packet(packet: Selector) -> TrafficSelector:
    """The source side of a packet as a selector of one address."""
    # Of ICMP the kernel has type and code where ports are; all of a ping's packets are to fit.
    has_port = bool(packet.source_port_mask) and packet.protocol not in ICMP_PROTOCOLS
    port, last = (packet.source_port, packet.source_port) if has_port else (0, 0xFFFF)
    kind = TsType.TS_IPV4_ADDR_RANGE if packet.source.version == 4 else TsType.TS_IPV6_ADDR_RANGE  # noqa: PLR2004
    address = packet.source.network_address
    return TrafficSelector(kind, packet.protocol, port, last, address, address)


def judge_answer(offer: ChildOffer, sa: Sa, tsi: TsI, tsr: TsR, *, transport: bool) -> Negotiated:
    """Check an answer to our offer (RFC 7296 §2.7, §2.9, §1.3.1); raises NoProposalChosen, TsUnacceptable."""
    chosen = check_answer(sa, offer.proposals, with_ke=offer.with_ke)
    wanted = offer.config.mode
    if (wanted is Mode.TRANSPORT) != transport:
        raise NoProposalChosen(f"the peer did not agree to {wanted.value} mode")
    if not _is_spi(chosen.peer_spi):
        raise NoProposalChosen(f"the peer answered with the SPI {chosen.peer_spi.hex() or 'of no octets'}")
    local, remote, originals = known_selectors(tsi.selectors), known_selectors(tsr.selectors), NO_ORIGINALS
    if wanted is Mode.TRANSPORT:
        local, remote, originals = offer.hosts.seen(local, remote)
    if not is_within(local, offer.local_ts) or not is_within(remote, offer.remote_ts):
        raise TsUnacceptable("the peer answered with selectors outside of what was offered")
    return Negotiated(
        offer.config,
        chosen.answered_with(offer.spi_in.to_bytes(4, "big")),
        wanted,
        offer.spi_in,
        parse_spi(chosen.peer_spi),
        local,
        remote,
        originals,
    )


def held_to(negotiated: Negotiated, ends: Ends) -> Negotiated:
    """What of an answer is between addresses that the gateway gave us; raises TsUnacceptable where nothing is."""
    if negotiated.config.local_ts:
        return negotiated
    local = narrow(negotiated.local_ts, ends.ours)
    if not local:
        raise TsUnacceptable("the peer answered with selectors for none of the addresses it gave us")
    return replace(negotiated, local_ts=local)


def choose_child(connection: ConnectionConfig, request: ChildRequest, ends: Ends) -> ChildChoice:
    """Choose the child of the connection that a peer's offer means (RFC 7296 §2.9).

    Transport mode where the peer wants it and a child of ours has it (§2.23.1), else a tunnel; of several the one whose
    narrowed selectors hold most; of equals the first in the file.

    Raises TsUnacceptable where no child has selectors in common, NoProposalChosen where none of those has a mode and
    a proposal in common.
    """
    tsi, tsr = ends.meant(known_selectors(request.tsi.selectors)), known_selectors(request.tsr.selectors)
    fitting: list[ChildChoice] = []
    refused = ""
    for child in connection.children:
        if child.is_shunt:
            continue
        ours, theirs, originals = tsr, tsi, NO_ORIGINALS
        if child.mode is Mode.TRANSPORT and request.wants_transport:
            ours, theirs, originals = ends.hosts.seen(tsr, tsi)
        remote = narrow(theirs, ends.remote_of(child))
        local = narrow(ours, ends.local_of(child))
        if not remote or not local:
            continue
        if child.mode is Mode.TRANSPORT and not request.wants_transport:
            refused = f"child {child.name} wants transport mode, the peer does not"
            continue
        chosen = choose(request.sa, child.esp_proposals, sent_ke=request.sent_ke, with_ke=request.with_ke)
        if chosen is None or not _is_spi(chosen.peer_spi):
            refused = why_no_proposal(request, child)
            continue
        fitting.append(ChildChoice(child, chosen, child.mode, local, remote, originals))
    if fitting:
        return max(fitting, key=_fitness)
    if refused:
        raise NoProposalChosen(refused)
    raise TsUnacceptable(
        f"no child of {connection.name} has selectors in common with "
        f"{_worded(tsi)} = {_worded(tsr)}: compare local_ts and remote_ts on both sides"
    )


def _fitness(choice: ChildChoice) -> tuple[bool, int]:
    return choice.mode is Mode.TRANSPORT, size(choice.local_ts) * size(choice.remote_ts)


def why_no_proposal(request: ChildRequest, child: ChildConfig) -> str:
    """Why none of a peer's ESP proposals fits, in words for our log."""
    if request.with_ke and choose(request.sa, child.esp_proposals, with_ke=False) is not None:
        theirs, ours = ke_methods(request.sa.proposals), ke_methods(child.esp_proposals)
        return (
            f"child {child.name}: the peer offers {_methods(theirs)}, our `esp_proposals` have {_methods(ours)}: "
            "name a key exchange method of the peer's in them, or `none` beside yours"
        )
    return f"no ESP proposal in common with child {child.name}: compare `esp_proposals` on both sides"


async def answer_child(
    sa: SaView, keyed: Keyed, choice: ChildChoice, secrets: ChildSecrets, origin: Origin
) -> tuple[tuple[Payload, ...], ChildSa]:
    """Install a child we chose as the responder, and word the answer; raises KernelRefused."""
    for _ in range(SPI_DRAWS):
        spi = await AllocateSpi(sa.path.local.host, ProtocolId.ESP)
        proposal = choice.chosen.answered_with(spi.to_bytes(4, "big"))
        negotiated = Negotiated(
            choice.config,
            proposal,
            choice.mode,
            spi,
            choice.spi_out,
            choice.local_ts,
            choice.remote_ts,
            choice.originals,
        )
        try:
            child = await install(sa, keyed, negotiated, secrets, origin)
        except SpiTaken:
            continue
        mode = (Notify(NotifyType.USE_TRANSPORT_MODE),) if choice.mode is Mode.TRANSPORT else ()
        return (*mode, Sa((proposal,)), TsI(choice.remote_ts), TsR(choice.local_ts)), child
    raise KernelRefused(f"the kernel had each of {SPI_DRAWS} drawn SPIs already")


async def install(sa: SaView, keyed: Keyed, negotiated: Negotiated, secrets: ChildSecrets, origin: Origin) -> ChildSa:
    """Derive a child's keys and put it into the kernel; gives its SPI back and raises KernelRefused where that fails.

    One that replaces another keeps its request ID; of one the peer made so, only the inbound state goes in (§2.8).
    """
    old = origin.replaces
    if origin.initiated and sa.was_deleted_ahead(negotiated.spi_out):
        raise DeletedAhead(f"the peer deleted child {negotiated.config.name} before we had its answer")
    unique_id = sa.next_child_id()
    reqid = old.reqid if old is not None else sa.reqid_for(negotiated, origin.peer)
    times = child_times(negotiated.config, sa.entropy, by_peer=sa.quirks.never_rekey_child)
    suite = esp_suite(negotiated.proposal)
    keys = derive_child_keys(keyed.suite.prf, keyed.keys.sk_d, suite, secrets.ni, secrets.nr, secrets.shared)
    encap = keyed.nat.is_between and sa.path.non_esp_marker
    try:
        _check_originals(sa, keyed, negotiated)
        spec = make_child_spec(
            negotiated,
            keys,
            sa.path,
            unique_id,
            reqid,
            initiated=origin.initiated,
            encap=encap,
            lifetime=times.limits,
        )
        if old is not None and not origin.initiated:
            await InstallInbound(spec)
        else:
            await InstallChildSa(spec, old.spec if old is not None else None)
    except (LocalFault, TsUnacceptable):
        await ReleaseSpi(SaId(sa.path.local.host, ProtocolId.ESP, negotiated.spi_in))
        raise
    rekey_at = sa.now + times.rekey_after if times.rekey_after is not None else None
    life_until = sa.now + times.life if times.life is not None else None
    nonces = Nonces(secrets.ni, secrets.nr)
    return ChildSa(unique_id, negotiated, spec, encap, sa.now, nonces, origin.initiated, rekey_at, life_until)


def _check_originals(sa: SaView, keyed: Keyed, negotiated: Negotiated) -> None:
    """See to it that a NAT explains the addresses in the peer's selectors, and say so; raises TsUnacceptable."""
    originals = negotiated.originals
    originals.check(keyed.nat)
    if originals != NO_ORIGINALS:
        sa.decided(
            f"child {negotiated.config.name}, transport mode through a NAT: the peer's selectors have {originals}; "
            f"taken as {_worded(negotiated.local_ts)} = {_worded(negotiated.remote_ts)}"
        )


def known_selectors(selectors: tuple[TrafficSelector | UnknownSelector, ...]) -> tuple[TrafficSelector, ...]:
    """The selectors of a type we know; others select nothing here (RFC 7296 §3.13.1)."""
    return tuple(selector for selector in selectors if isinstance(selector, TrafficSelector))


def parse_spi(octets: bytes) -> Spi:
    """An ESP SPI as a number."""
    return Spi(int.from_bytes(octets, "big"))


def _is_spi(octets: bytes) -> bool:
    """Whether a state may have that SPI (RFC 4303 §2.1: 1 to 255 are reserved, 0 is never sent)."""
    return len(octets) == SPI_OCTETS and parse_spi(octets) >= _LEAST_SPI


def _methods(methods: tuple[KeMethod, ...]) -> str:
    return "key exchange " + " or ".join(str(method) for method in methods) if methods else "no key exchange"


def _worded(selectors: tuple[TrafficSelector, ...]) -> str:
    return " ".join(str(selector) for selector in selectors[:8]) or "nothing we know"
