"""CREATE_CHILD_SA: one more child on an IKE SA (RFC 7296 §1.3.1); and where requests for the other two kinds are sent on.

    Initiator                              Responder
    HDR, SK {SA, Ni, [KEi,] TSi, TSr} -->
                                      <--  HDR, SK {SA, Nr, [KEr,] TSi, TSr}

Rule 1: INVALID_KE_PAYLOAD is a loop with a bound.
Rule 2: a child the peer made and we cannot use is deleted there.
Not here: rekeying of children (rekey_child.py), of the IKE SA (rekey_ike.py).
"""

from __future__ import annotations

from ikepy.config.model import ChildConfig
from ikepy.crypto.key_exchange import KeyExchange
from ikepy.crypto.secret import Secret
from ikepy.ike.child import ChildSa
from ikepy.ike.effects import (
    AllocateSpi,
    ComputeSharedSecret,
    MakeKeyExchange,
    ReleaseSpi,
    SendRequest,
)
from ikepy.ike.errors import (
    IkeError,
    InvalidKePayload,
    NoAdditionalSas,
    NoProposalChosen,
    RefusedByPeer,
    TemporaryFailure,
)
from ikepy.ike.exchanges.children import (
    ChildOffer,
    ChildRequest,
    ChildSecrets,
    Origin,
    answer_child,
    choose_child,
    install,
    judge_answer,
    make_offer,
)
from ikepy.ike.exchanges.ike_sa_init import NONCE_OCTETS
from ikepy.ike.exchanges.view import Answer, SaView
from ikepy.ike.negotiation import chosen_ke, ke_methods
from ikepy.ike.phases import Keyed
from ikepy.ipsec import SaId, Selector
from ikepy.wire.base import Payload
from ikepy.wire.errors import WireError
from ikepy.wire.notify import Notify, invalid_ke_method
from ikepy.wire.payloads import Ke, Nonce
from ikepy.wire.registry import ExchangeType, KeMethod, NotifyType, ProtocolId
from ikepy.wire.sa import Proposal
from ikepy.wire.shapes import CreateChildSaRequest, CreateChildSaResponse


async def initiate(sa: SaView, keyed: Keyed, child: ChildConfig, packet: Selector | None = None) -> ChildSa:
    """Make one more child; raises RefusedByPeer, NoProposalChosen, TsUnacceptable, KernelRefused, GaveUp.

    packet   the packet that asks for it, None where none does
    """
    spi = await AllocateSpi(sa.path.local.host, ProtocolId.ESP, hold_early=keyed.connection.hold_early)
    offer = make_offer(child, sa.ends, spi, with_ke=True, packet=packet)
    ni = sa.entropy.octets(NONCE_OCTETS)
    try:
        exchange, response = await negotiate(keyed, offer, ni)
    except (IkeError, WireError):
        await ReleaseSpi(SaId(sa.path.local.host, ProtocolId.ESP, spi))
        raise
    try:
        transport = any(notify.type is NotifyType.USE_TRANSPORT_MODE for notify in response.notifies)
        negotiated = judge_answer(offer, response.sa, response.tsi, response.tsr, transport=transport)
        shared = await share(chosen_ke(negotiated.proposal), exchange, response.ke)
        secrets = ChildSecrets(ni, response.nonce.octets, shared)
        return await install(sa, keyed, negotiated, secrets, Origin(initiated=True, peer=sa.peer_identity))
    except IkeError:
        sa.delete_foreign_child(spi)
        await ReleaseSpi(SaId(sa.path.local.host, ProtocolId.ESP, spi))
        raise


async def respond(sa: SaView, keyed: Keyed, wish: CreateChildSaRequest) -> Answer[ChildSa]:
    """Answer a wish for one more child; raises NoProposalChosen, TsUnacceptable, InvalidKePayload, NoAdditionalSas, ..."""
    offer = read_offer(wish)
    refuse_if_busy(sa)
    if not sa.has_room:
        raise NoAdditionalSas("the IKE SA has as many children as it may have")
    choice = choose_child(keyed.connection, offer, sa.ends)
    method = wanted_method(choice.chosen.proposal, offer)
    nr = sa.entropy.octets(NONCE_OCTETS)
    ke, shared = await answer_ke(method, wish.ke)
    refuse_if_busy(sa)
    secrets = ChildSecrets(wish.nonce.octets, nr, shared)
    payloads, child = await answer_child(sa, keyed, choice, secrets, Origin(initiated=False, peer=sa.peer_identity))
    return Answer(with_nonce(payloads, nr, ke), child)


# -- shared with the exchanges that rekey --------------------------------------------------------------------------


async def negotiate(
    keyed: Keyed, offer: ChildOffer, ni: bytes, first: tuple[Notify, ...] = ()
) -> tuple[KeyExchange | None, CreateChildSaResponse]:
    """Ask for a child until the peer is content with our KE; raises RefusedByPeer, GaveUp, WireError.

    The IKE SA's own method, where it is offered, is tried first: many a peer expects no other.

    first   what goes before all else: REKEY_SA
    """
    known = chosen_ke(keyed.proposal)
    untried = sorted(ke_methods(offer.proposals), key=lambda method: method != known)
    exchange = await MakeKeyExchange(untried.pop(0)) if untried else None
    for _ in range(len(untried) + 1):
        ke = (Ke(exchange.method, exchange.public),) if exchange is not None else ()
        payloads = (*first, *with_nonce(offer.payloads(), ni, ke))
        received = await SendRequest(ExchangeType.CREATE_CHILD_SA, payloads)
        error = received.message.error_notify
        if error is None:
            return exchange, CreateChildSaResponse.of(received.message)
        if error.type is not NotifyType.INVALID_KE_PAYLOAD:
            raise RefusedByPeer(error.type, "its log says why")
        wanted = invalid_ke_method(error)
        if wanted not in untried:
            raise RefusedByPeer(error.type, f"wants {wanted}, which we did not offer or have already sent")
        untried.remove(wanted)
        exchange = await MakeKeyExchange(wanted)
    raise RefusedByPeer(NotifyType.INVALID_KE_PAYLOAD, "it asked for another method each time")


def with_nonce(payloads: tuple[Payload, ...], nonce: bytes, ke: tuple[Ke, ...]) -> tuple[Payload, ...]:
    """Put the nonce and the KE payload where RFC 7296 §1.3.1 has them: behind SA."""
    at = next(index for index, payload in enumerate(payloads) if not isinstance(payload, Notify)) + 1
    return (*payloads[:at], Nonce(nonce), *ke, *payloads[at:])


async def share(method: KeMethod, exchange: KeyExchange | None, ke: Ke | None) -> Secret | None:
    """g^ir (new) as the initiator, None where nothing was exchanged; raises NoProposalChosen, InvalidPublicValue."""
    if method == KeMethod.NONE:
        return None
    if exchange is None or ke is None or exchange.method != method or ke.method != method:
        raise NoProposalChosen(f"the peer chose {method} and sent no KE payload for it")
    return await ComputeSharedSecret(exchange, ke.public)


def read_offer(wish: CreateChildSaRequest) -> ChildRequest:
    """The peer's offer for a child; a request without selectors has been sent elsewhere."""
    if wish.tsi is None or wish.tsr is None:
        raise TypeError("a request without selectors is for the IKE SA")
    transport = any(notify.type is NotifyType.USE_TRANSPORT_MODE for notify in wish.notifies)
    sent = wish.ke.method if wish.ke is not None else None
    return ChildRequest(wish.sa, wish.tsi, wish.tsr, transport, sent, with_ke=True)


def wanted_method(proposal: Proposal, offer: ChildRequest) -> KeMethod:
    """The key exchange method of the chosen proposal; raises InvalidKePayload where the peer sent another's value."""
    method = chosen_ke(proposal)
    if method not in {KeMethod.NONE, offer.sent_ke}:
        raise InvalidKePayload(f"KE payload for {offer.sent_ke}, chosen {method}", method)
    return method


async def answer_ke(method: KeMethod, ke: Ke | None) -> tuple[tuple[Ke, ...], Secret | None]:
    """Our KE payload and g^ir (new) as the responder; nothing where nothing is exchanged."""
    if method == KeMethod.NONE or ke is None:
        return (), None
    exchange = await MakeKeyExchange(method)
    shared = await ComputeSharedSecret(exchange, ke.public)
    return (Ke(method, exchange.public),), shared


def refuse_if_busy(sa: SaView) -> None:
    """§2.25.2: nothing is made on an IKE SA that is being closed or rekeyed; raises TemporaryFailure."""
    if sa.is_closing:
        raise TemporaryFailure("the IKE SA is being deleted or replaced")
    if sa.is_rekeying:
        raise TemporaryFailure("the IKE SA is being rekeyed")
