"""CREATE_CHILD_SA: one more child on an IKE SA (RFC 7296 §1.3.1).

    Initiator                              Responder
    HDR, SK {SA, Ni, [KEi,] TSi, TSr} -->
                                      <--  HDR, SK {SA, Nr, [KEr,] TSi, TSr}

Rule 1: INVALID_KE_PAYLOAD is a loop with a bound.
Rule 2: a child the peer made and we cannot use is deleted there.
Not here: rekeying; a request for it is answered as §1.3 and §2.25 allow whoever cannot.
"""

from __future__ import annotations

from ikepy.config.model import ChildConfig
from ikepy.crypto.key_exchange import KeyExchange
from ikepy.ike.child import ChildSa
from ikepy.ike.effects import (
    AllocateSpi,
    ComputeSharedSecret,
    MakeKeyExchange,
    Received,
    ReleaseSpi,
    SendRequest,
)
from ikepy.ike.errors import (
    ChildSaNotFound,
    GaveUp,
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
    answer_child,
    choose_child,
    install,
    judge_answer,
    make_offer,
    parse_spi,
)
from ikepy.ike.exchanges.ike_sa_init import NONCE_OCTETS
from ikepy.ike.exchanges.view import Answer, SaView
from ikepy.ike.negotiation import chosen_ke, ke_methods
from ikepy.ike.phases import Keyed
from ikepy.ipsec import SaId
from ikepy.wire.base import Payload
from ikepy.wire.errors import WireError
from ikepy.wire.message import Message
from ikepy.wire.notify import Notify, invalid_ke_method
from ikepy.wire.payloads import Ke, Nonce
from ikepy.wire.registry import ExchangeType, KeMethod, NotifyType, ProtocolId
from ikepy.wire.shapes import CreateChildSaRequest, CreateChildSaResponse


async def initiate(sa: SaView, keyed: Keyed, child: ChildConfig) -> ChildSa:
    """Make one more child; raises RefusedByPeer, NoProposalChosen, TsUnacceptable, KernelRefused, GaveUp."""
    spi = await AllocateSpi(sa.path.local.address, ProtocolId.ESP)
    offer = make_offer(child, sa.path, spi, with_ke=True)
    ni = sa.entropy.octets(NONCE_OCTETS)
    try:
        exchange, response = await _negotiate(offer, ni)
    except (IkeError, WireError):
        await ReleaseSpi(SaId(sa.path.local.address, ProtocolId.ESP, spi))
        raise
    transport = any(notify.type is NotifyType.USE_TRANSPORT_MODE for notify in response.notifies)
    try:
        negotiated = judge_answer(offer, response.sa, response.tsi, response.tsr, transport=transport)
        method = chosen_ke(negotiated.proposal)
        _check_ke(method, exchange, response.ke)
        shared = None
        if exchange is not None and response.ke is not None and method != KeMethod.NONE:
            shared = await ComputeSharedSecret(exchange, response.ke.public)
        return await install(sa, keyed, negotiated, ni, response.nonce.octets, shared, initiated=True)
    except IkeError:
        sa.delete_foreign_child(spi)
        await ReleaseSpi(SaId(sa.path.local.address, ProtocolId.ESP, spi))
        raise


async def respond(sa: SaView, keyed: Keyed, request: Received) -> Answer[ChildSa]:
    """Answer a wish for one more child; raises NoProposalChosen, TsUnacceptable, InvalidKePayload, NoAdditionalSas, ..."""
    _refuse_what_comes_later(sa, request.message)
    wish = CreateChildSaRequest.of(request.message)
    if wish.tsi is None or wish.tsr is None:
        raise NoAdditionalSas("rekeying of the IKE SA is not done here yet")
    if sa.is_closing:
        raise TemporaryFailure("the IKE SA is being deleted")  # §2.25.2
    if not sa.has_room:
        raise NoAdditionalSas("the IKE SA has as many children as it may have")
    transport = any(notify.type is NotifyType.USE_TRANSPORT_MODE for notify in wish.notifies)
    sent = wish.ke.method if wish.ke is not None else None
    choice = choose_child(
        keyed.connection, ChildRequest(wish.sa, wish.tsi, wish.tsr, transport, sent, with_ke=True), sa.path
    )
    method = chosen_ke(choice.chosen.proposal)
    if method not in {KeMethod.NONE, sent}:
        raise InvalidKePayload(f"KE payload for {sent}, chosen {method}", method)
    nr, shared = sa.entropy.octets(NONCE_OCTETS), None
    ke: tuple[Ke, ...] = ()
    if method != KeMethod.NONE and wish.ke is not None:
        exchange = await MakeKeyExchange(method)
        shared = await ComputeSharedSecret(exchange, wish.ke.public)
        ke = (Ke(method, exchange.public),)
    if sa.is_closing:
        raise TemporaryFailure("the IKE SA is being deleted")
    payloads, child = await answer_child(sa, keyed, choice, wish.nonce.octets, nr, shared)
    at = next(index for index, payload in enumerate(payloads) if not isinstance(payload, Notify)) + 1
    return Answer((*payloads[:at], Nonce(nr), *ke, *payloads[at:]), child)


async def _negotiate(offer: ChildOffer, ni: bytes) -> tuple[KeyExchange | None, CreateChildSaResponse]:
    untried = list(ke_methods(offer.proposals))
    exchange = await MakeKeyExchange(untried.pop(0)) if untried else None
    for _ in range(len(untried) + 1):
        received = await SendRequest(ExchangeType.CREATE_CHILD_SA, _make_request(offer, ni, exchange))
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
    raise GaveUp("the peer asked for another key exchange method each time")


def _make_request(offer: ChildOffer, ni: bytes, exchange: KeyExchange | None) -> tuple[Payload, ...]:
    payloads = offer.payloads()
    at = next(index for index, payload in enumerate(payloads) if not isinstance(payload, Notify)) + 1
    ke = (Ke(exchange.method, exchange.public),) if exchange is not None else ()
    return (*payloads[:at], Nonce(ni), *ke, *payloads[at:])


def _check_ke(method: KeMethod, exchange: KeyExchange | None, ke: Ke | None) -> None:
    if method == KeMethod.NONE:
        return
    if exchange is None or ke is None or exchange.method != method or ke.method != method:
        raise NoProposalChosen(f"the peer chose {method} and sent no KE payload for it")


def _refuse_what_comes_later(sa: SaView, message: Message) -> None:
    rekey = message.notify(NotifyType.REKEY_SA)
    if rekey is None:
        return
    known = len(rekey.spi) == 4 and sa.child_by_spi_out(parse_spi(rekey.spi)) is not None  # noqa: PLR2004
    if rekey.protocol is not ProtocolId.ESP or not known:
        raise ChildSaNotFound(f"no child with SPI {rekey.spi.hex()} to rekey")
    # §1.3: an implementation that does not rekey answers so; the peer makes a new IKE SA instead.
    raise NoAdditionalSas("rekeying of children is not done here yet")
