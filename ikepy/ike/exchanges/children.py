"""What IKE_AUTH and CREATE_CHILD_SA share about children: offering, choosing, keying, installing (RFC 7296 §1.2, §1.3.1).

Rule 1: choosing and judging are pure; only `install` awaits.
Rule 2: an SPI that was drawn and not used is given back.
Not here: the messages around it (ike_auth.py, create_child.py).
"""

from __future__ import annotations

from dataclasses import dataclass

from ikepy.config.model import ChildConfig, ConnectionConfig
from ikepy.crypto.secret import Secret
from ikepy.crypto.suites import esp_suite
from ikepy.ike.actions import Path
from ikepy.ike.child import ChildSa, Negotiated, make_child_spec
from ikepy.ike.effects import AllocateSpi, InstallChildSa, ReleaseSpi
from ikepy.ike.errors import KernelRefused, LocalFault, NoProposalChosen, SpiTaken, TsUnacceptable
from ikepy.ike.exchanges.view import SaView
from ikepy.ike.keymat import derive_child_keys
from ikepy.ike.narrowing import is_within, narrow, resolve, size
from ikepy.ike.negotiation import Chosen, check_answer, choose, number_proposals
from ikepy.ike.phases import Keyed
from ikepy.ipsec import Mode, SaId, Spi
from ikepy.wire.base import Payload
from ikepy.wire.notify import Notify
from ikepy.wire.registry import KeMethod, NotifyType, ProtocolId
from ikepy.wire.sa import Proposal, Sa
from ikepy.wire.ts import TrafficSelector, TsI, TsR, UnknownSelector

SPI_DRAWS = 4
"How often an SPI is drawn again because the kernel has it already."
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

    def payloads(self) -> tuple[Payload, ...]:
        """SA, TSi, TSr and the notifies that belong to them."""
        mode = (Notify(NotifyType.USE_TRANSPORT_MODE),) if self.config.mode is Mode.TRANSPORT else ()
        return (*mode, Sa(self.proposals), TsI(self.local_ts), TsR(self.remote_ts))


@dataclass(frozen=True, slots=True)
class ChildChoice:
    """What we take of a peer's offer; selectors are ours and the peer's, narrowed."""

    config: ChildConfig
    chosen: Chosen
    mode: Mode
    local_ts: tuple[TrafficSelector, ...]
    remote_ts: tuple[TrafficSelector, ...]

    @property
    def spi_out(self) -> Spi:
        """The SPI the peer receives by."""
        return parse_spi(self.chosen.peer_spi)


@dataclass(frozen=True, slots=True)
class ChildRequest:
    """A peer's offer for a child, as it stood in a request."""

    sa: Sa
    tsi: TsI
    tsr: TsR
    wants_transport: bool
    sent_ke: KeMethod | None
    with_ke: bool


def make_offer(config: ChildConfig, path: Path, spi_in: Spi, *, with_ke: bool) -> ChildOffer:
    """What we offer for a child on that path; `with_ke` False in IKE_AUTH."""
    return ChildOffer(
        config,
        spi_in,
        number_proposals(config.esp_proposals, spi_in.to_bytes(4, "big"), with_ke=with_ke),
        resolve(config.local_ts, path.local.address),
        resolve(config.remote_ts, path.remote.address),
        with_ke,
    )


def judge_answer(offer: ChildOffer, sa: Sa, tsi: TsI, tsr: TsR, *, transport: bool) -> Negotiated:
    """Check an answer to our offer (RFC 7296 §2.7, §2.9, §1.3.1); raises NoProposalChosen, TsUnacceptable."""
    chosen = check_answer(sa, offer.proposals, with_ke=offer.with_ke)
    wanted = offer.config.mode
    if (wanted is Mode.TRANSPORT) != transport:
        raise NoProposalChosen(f"the peer did not agree to {wanted.value} mode")
    local, remote = known_selectors(tsi.selectors), known_selectors(tsr.selectors)
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
    )


def choose_child(connection: ConnectionConfig, request: ChildRequest, path: Path) -> ChildChoice:
    """Choose the child of the connection that a peer's offer means (RFC 7296 §2.9).

    The one whose narrowed selectors hold most; of equals the first in the file.

    Raises TsUnacceptable where no child has selectors in common, NoProposalChosen where none of those has a mode and
    a proposal in common.
    """
    tsi, tsr = known_selectors(request.tsi.selectors), known_selectors(request.tsr.selectors)
    fitting: list[ChildChoice] = []
    refused = ""
    for child in connection.children:
        remote = narrow(tsi, resolve(child.remote_ts, path.remote.address))
        local = narrow(tsr, resolve(child.local_ts, path.local.address))
        if not remote or not local:
            continue
        if child.mode is Mode.TRANSPORT and not request.wants_transport:
            refused = f"child {child.name} wants transport mode, the peer does not"
            continue
        chosen = choose(request.sa, child.esp_proposals, sent_ke=request.sent_ke, with_ke=request.with_ke)
        if chosen is None or len(chosen.peer_spi) != 4 or parse_spi(chosen.peer_spi) < _LEAST_SPI:  # noqa: PLR2004
            refused = f"no ESP proposal in common with child {child.name}: compare `esp_proposals` on both sides"
            continue
        fitting.append(ChildChoice(child, chosen, child.mode, local, remote))
    if fitting:
        return max(fitting, key=lambda choice: size(choice.local_ts) * size(choice.remote_ts))
    if refused:
        raise NoProposalChosen(refused)
    raise TsUnacceptable(
        f"no child of {connection.name} has selectors in common with "
        f"{_worded(tsi)} = {_worded(tsr)}: compare local_ts and remote_ts on both sides"
    )


async def answer_child(
    sa: SaView, keyed: Keyed, choice: ChildChoice, ni: bytes, nr: bytes, shared: Secret | None
) -> tuple[tuple[Payload, ...], ChildSa]:
    """Install a child we chose as the responder, and word the answer; raises KernelRefused."""
    for _ in range(SPI_DRAWS):
        spi = await AllocateSpi(sa.path.local.address, ProtocolId.ESP)
        proposal = choice.chosen.answered_with(spi.to_bytes(4, "big"))
        negotiated = Negotiated(
            choice.config, proposal, choice.mode, spi, choice.spi_out, choice.local_ts, choice.remote_ts
        )
        try:
            child = await install(sa, keyed, negotiated, ni, nr, shared, initiated=False)
        except SpiTaken:
            continue
        mode = (Notify(NotifyType.USE_TRANSPORT_MODE),) if choice.mode is Mode.TRANSPORT else ()
        return (*mode, Sa((proposal,)), TsI(choice.remote_ts), TsR(choice.local_ts)), child
    raise KernelRefused(f"the kernel had each of {SPI_DRAWS} drawn SPIs already")


async def install(
    sa: SaView,
    keyed: Keyed,
    negotiated: Negotiated,
    ni: bytes,
    nr: bytes,
    shared: Secret | None,
    *,
    initiated: bool,
) -> ChildSa:
    """Derive a child's keys and put it into the kernel; gives its SPI back and raises KernelRefused where that fails."""
    unique_id, reqid = sa.next_child_ids()
    suite = esp_suite(negotiated.proposal)
    keys = derive_child_keys(keyed.suite.prf, keyed.keys.sk_d, suite, ni, nr, shared)
    encap = keyed.nat.is_between and sa.path.non_esp_marker
    try:
        spec = make_child_spec(negotiated, keys, sa.path, unique_id, reqid, initiated=initiated, encap=encap)
        await InstallChildSa(spec)
    except (LocalFault, TsUnacceptable):
        await ReleaseSpi(SaId(sa.path.local.address, ProtocolId.ESP, negotiated.spi_in))
        raise
    return ChildSa(unique_id, negotiated, spec, encap, sa.now)


def known_selectors(selectors: tuple[TrafficSelector | UnknownSelector, ...]) -> tuple[TrafficSelector, ...]:
    """The selectors of a type we know; others select nothing here (RFC 7296 §3.13.1)."""
    return tuple(selector for selector in selectors if isinstance(selector, TrafficSelector))


def parse_spi(octets: bytes) -> Spi:
    """An ESP SPI as a number."""
    return Spi(int.from_bytes(octets, "big"))


def _worded(selectors: tuple[TrafficSelector, ...]) -> str:
    return " ".join(str(selector) for selector in selectors[:8]) or "nothing we know"
