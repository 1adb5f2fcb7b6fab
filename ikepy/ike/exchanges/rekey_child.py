"""CREATE_CHILD_SA that replaces a child (RFC 7296 §1.3.3, §2.8).

    Initiator                                              Responder
    HDR, SK {N(REKEY_SA), SA, Ni, [KEi,] TSi, TSr}  -->
                                                      <--  HDR, SK {SA, Nr, [KEr,] TSi, TSr}

Make before break: the responder can receive by the new child before it answers; the initiator changes over at once, and
deletes the old child; the responder changes over when it sees that.

Rule 1: the attempt is entered in the child table before anything is awaited, so a crossing is seen by both sides.
Rule 2: of two that cross, the child made with the lowest of the four nonces is deleted by whoever made it (§2.8.1); we
        put nothing of such a child of ours into the kernel.
Rule 3: once our own exchange has its answer, the peer's request for the same child comes too late (§2.25.1).
Not here: the DELETE that follows (delete.py), the change-over (informational.py, upkeep.py).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ikepy.config.model import ConnectionConfig
from ikepy.ike.child import ChildSa, Negotiated
from ikepy.ike.child_table import Replacement, Theirs
from ikepy.ike.collisions import Nonces, Side
from ikepy.ike.effects import AllocateSpi, Received, ReleaseSpi
from ikepy.ike.errors import ChildSaNotFound, IkeError, NoProposalChosen, TemporaryFailure
from ikepy.ike.exchanges.children import (
    ChildSecrets,
    Origin,
    answer_child,
    choose_child,
    install,
    judge_answer,
    make_rekey_offer,
    parse_spi,
)
from ikepy.ike.exchanges.create_child import (
    answer_ke,
    negotiate,
    read_offer,
    refuse_if_busy,
    share,
    wanted_method,
    with_nonce,
)
from ikepy.ike.exchanges.ike_sa_init import NONCE_OCTETS
from ikepy.ike.exchanges.view import Answer, SaView
from ikepy.ike.negotiation import chosen_ke
from ikepy.ike.phases import Keyed
from ikepy.ipsec import SaId, Spi
from ikepy.wire.errors import WireError
from ikepy.wire.notify import Notify
from ikepy.wire.registry import NotifyType, ProtocolId
from ikepy.wire.shapes import CreateChildSaRequest

SPI_OCTETS = 4


@dataclass(frozen=True, slots=True)
class ChildRekeyed:
    """Our exchange is over: the child that has come in the old one's place, None where the peer's has."""

    old: ChildSa
    new: ChildSa | None


@dataclass(frozen=True, slots=True)
class ChildRekeyedByPeer:
    """The peer's exchange is over: we can receive by the new child."""

    old: ChildSa
    new: ChildSa


async def initiate(sa: SaView, keyed: Keyed, old: ChildSa) -> ChildRekeyed:
    """Replace a child; raises RefusedByPeer, NoProposalChosen, TsUnacceptable, KernelRefused, GaveUp, WireError."""
    attempt = sa.replacement(old)
    attempt.is_ours = True
    try:
        return ChildRekeyed(old, await _replace(sa, keyed, attempt))
    except (IkeError, WireError):
        attempt.settled, attempt.winner = False, None
        raise
    finally:
        attempt.is_ours = False


async def respond(
    sa: SaView, keyed: Keyed, request: Received, wish: CreateChildSaRequest
) -> Answer[ChildRekeyedByPeer]:
    """Answer the peer's wish to replace a child; raises ChildSaNotFound, TemporaryFailure, NoProposalChosen, ..."""
    refuse_if_busy(sa)
    old = _child_meant(sa, request)
    if sa.is_deleting(old) or sa.is_replaced(old):
        raise TemporaryFailure(f"child {old.name} is being closed")
    if sa.is_unused(old) or not sa.has_room_for_heir:
        raise TemporaryFailure(f"children that came before child {old.name} are not deleted yet")
    offer = read_offer(wish)
    choice = choose_child(_only(keyed.connection, old), offer, sa.ends)
    if sa.child_by_spi_out(choice.spi_out) is not None:
        raise NoProposalChosen(f"the peer has a child with SPI {choice.spi_out:08x} already")
    method = wanted_method(choice.chosen.proposal, offer)
    nr = sa.entropy.octets(NONCE_OCTETS)
    attempt = sa.replacement(old)
    attempt.theirs = Theirs(Nonces(wish.nonce.octets, nr))
    try:
        ke, shared = await answer_ke(method, wish.ke)
        secrets = ChildSecrets(wish.nonce.octets, nr, shared)
        origin = Origin(initiated=False, peer=sa.peer_identity, replaces=old)
        payloads, child = await answer_child(sa, keyed, choice, secrets, origin)
    except (IkeError, WireError):
        attempt.theirs, attempt.winner, attempt.settled = None, None, False
        sa.forget_replacement(old)
        raise
    attempt.theirs.child = child
    return Answer(with_nonce(payloads, nr, ke), ChildRekeyedByPeer(old, child))


async def _replace(sa: SaView, keyed: Keyed, attempt: Replacement) -> ChildSa | None:
    """Ask the peer, and install what comes of it; None where the peer's own child stays."""
    old, address = attempt.old, sa.path.local.host
    spi = await AllocateSpi(address, ProtocolId.ESP, hold_early=keyed.connection.hold_early)
    offer = make_rekey_offer(old, spi, sa.quirks)
    ni = sa.entropy.octets(NONCE_OCTETS)
    rekeys = Notify(NotifyType.REKEY_SA, b"", ProtocolId.ESP, old.spi_in.to_bytes(SPI_OCTETS, "big"))
    try:
        exchange, response = await negotiate(keyed, offer, ni, (rekeys,))
    except (IkeError, WireError):
        await ReleaseSpi(SaId(address, ProtocolId.ESP, spi))
        raise
    nonces = Nonces(ni, response.nonce.octets)
    if attempt.settle(nonces) is Side.THEIRS:
        sa.decided(f"child {old.name} was rekeyed by both sides at once: the peer's stays, ours {spi:08x} goes")
        await _give_up(sa, spi)
        return None
    try:
        transport = any(notify.type is NotifyType.USE_TRANSPORT_MODE for notify in response.notifies)
        negotiated = judge_answer(offer, response.sa, response.tsi, response.tsr, transport=transport)
        shared = await share(chosen_ke(negotiated.proposal), exchange, response.ke)
        _warn_if_narrower(sa, old, negotiated)
        secrets = ChildSecrets(ni, response.nonce.octets, shared)
        origin = Origin(initiated=True, peer=sa.peer_identity, replaces=old)
        return await install(sa, keyed, negotiated, secrets, origin)
    except IkeError:
        await _give_up(sa, spi)
        raise


async def _give_up(sa: SaView, spi: Spi) -> None:
    """Have the peer delete what it made for us, and give the SPI back."""
    sa.delete_foreign_child(spi)
    await ReleaseSpi(SaId(sa.path.local.host, ProtocolId.ESP, spi))


def _child_meant(sa: SaView, request: Received) -> ChildSa:
    """The child whose peer's half REKEY_SA names; raises ChildSaNotFound, TemporaryFailure."""
    rekey = request.message.notify(NotifyType.REKEY_SA)
    octets = rekey.spi if rekey is not None else b""
    child = sa.child_by_spi_out(parse_spi(octets)) if len(octets) == SPI_OCTETS else None
    if rekey is not None and child is None and sa.is_making_a_child:
        raise TemporaryFailure(f"no child with SPI {octets.hex()} yet: the answer that brings one may be on its way")
    if rekey is None or rekey.protocol is not ProtocolId.ESP or child is None:
        raise ChildSaNotFound(f"no child with SPI {octets.hex()} to rekey", octets[:SPI_OCTETS])
    return child


def _only(connection: ConnectionConfig, old: ChildSa) -> ConnectionConfig:
    """The connection, with the configuration of that child alone."""
    return replace(connection, children=(old.negotiated.config,))


def _warn_if_narrower(sa: SaView, old: ChildSa, new: Negotiated) -> None:
    # §2.9.2: a rekeyed child is not to hold less than the one before.
    if new.local_ts != old.negotiated.local_ts or new.remote_ts != old.negotiated.remote_ts:
        sa.decided(f"child {old.name} was rekeyed with other selectors than it had", warning=True)
