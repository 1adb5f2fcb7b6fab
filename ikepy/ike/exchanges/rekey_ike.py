"""CREATE_CHILD_SA that replaces the IKE SA (RFC 7296 §1.3.2, §2.18).

    Initiator                       Responder
    HDR, SK {SA, Ni, KEi}  -->
                               <--  HDR, SK {SA, Nr, KEr}

Rule 1: the new IKE SA's SPIs travel in the proposals; who began this exchange is its initiator.
Rule 2: what comes of it is returned; children move, and the old IKE SA ends, in succession.py.
Not here: two such exchanges that cross (succession.py).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ikepy.crypto.secret import Secret
from ikepy.crypto.suites import ike_suite
from ikepy.ike.collisions import Nonces
from ikepy.ike.effects import ComputeSharedSecret, MakeKeyExchange, SendRequest
from ikepy.ike.errors import InvalidKePayload, NoProposalChosen, RefusedByPeer, TemporaryFailure
from ikepy.ike.exchanges.ike_sa_init import NONCE_OCTETS
from ikepy.ike.exchanges.view import Answer, SaView
from ikepy.ike.keymat import derive_ike_keys, derive_rekeyed_skeyseed
from ikepy.ike.negotiation import check_answer, choose, chosen_ke, ke_methods, lead_with, number_proposals
from ikepy.ike.phases import Keyed
from ikepy.wire.message import Message
from ikepy.wire.notify import invalid_ke_method
from ikepy.wire.payloads import Ke, Nonce
from ikepy.wire.registry import ExchangeType, KeMethod, NotifyType
from ikepy.wire.sa import Proposal, Sa
from ikepy.wire.shapes import CreateChildSaRequest, RekeyIkeSaResponse

SPI_OCTETS = 8


@dataclass(frozen=True, slots=True)
class Successor:
    """The keys of the IKE SA that is to come after this one.

    initiated  whether we began, and so are its initiator
    """

    keyed: Keyed
    initiated: bool

    @property
    def nonces(self) -> Nonces:
        """What decides where two exchanges cross."""
        return Nonces(self.keyed.ni, self.keyed.nr)


async def initiate(sa: SaView, keyed: Keyed) -> Successor:
    """Make new keys; raises RefusedByPeer, NoProposalChosen, InvalidPublicValue, GaveUp, WireError."""
    spi = sa.draw_ike_spi()
    ours = keyed.connection.proposals
    if sa.quirks.rekey_offers_lead_with_own_suite:
        ours = lead_with(ours, keyed.proposal)
    offer = number_proposals(ours, spi)
    untried = list(ke_methods(offer))
    method = untried.pop(0)
    ni = sa.entropy.octets(NONCE_OCTETS)
    for _ in range(len(untried) + 1):
        exchange = await MakeKeyExchange(method)
        payloads = (Sa(offer), Nonce(ni), Ke(method, exchange.public))
        received = await SendRequest(ExchangeType.CREATE_CHILD_SA, payloads)
        wanted = _method_wanted(received.message, untried)
        if wanted is None:
            response = RekeyIkeSaResponse.of(received.message)
            chosen = check_answer(response.sa, offer)
            _check(chosen.peer_spi, method, chosen_ke(chosen.proposal), response.ke)
            shared = await ComputeSharedSecret(exchange, response.ke.public)
            nr = response.nonce.octets
            return Successor(_key(keyed, chosen.proposal, shared, (ni, nr), (spi, chosen.peer_spi)), initiated=True)
        method = wanted
        untried.remove(method)
    raise RefusedByPeer(NotifyType.INVALID_KE_PAYLOAD, "it asked for another method each time")


async def respond(sa: SaView, keyed: Keyed, wish: CreateChildSaRequest) -> Answer[Successor]:
    """Answer the peer's wish for new keys; raises TemporaryFailure, NoProposalChosen, InvalidKePayload, WireError."""
    _refuse_if_busy(sa)
    sent = wish.ke.method if wish.ke is not None else None
    chosen = choose(wish.sa, keyed.connection.proposals, sent_ke=sent)
    if chosen is None or len(chosen.peer_spi) != SPI_OCTETS or not any(chosen.peer_spi):
        raise NoProposalChosen(
            f"no IKE proposal in common with {keyed.connection.name} at rekeying: compare `proposals` on both sides"
        )
    method = chosen_ke(chosen.proposal)
    if wish.ke is None or wish.ke.method != method:
        raise InvalidKePayload(f"KE payload for {sent}, chosen {method}", method)
    spi, nr = sa.draw_ike_spi(), sa.entropy.octets(NONCE_OCTETS)
    exchange = await MakeKeyExchange(method)
    shared = await ComputeSharedSecret(exchange, wish.ke.public)
    _refuse_if_busy(sa)
    nonces, spis = (wish.nonce.octets, nr), (chosen.peer_spi, spi)
    payloads = (Sa((chosen.answered_with(spi),)), Nonce(nr), Ke(method, exchange.public))
    return Answer(payloads, Successor(_key(keyed, chosen.proposal, shared, nonces, spis), initiated=False))


def _refuse_if_busy(sa: SaView) -> None:
    """§2.25.2: not while it is closed or replaced, and not while a child is made, replaced or closed."""
    if sa.is_closing:
        raise TemporaryFailure("the IKE SA is being deleted or replaced")
    if sa.is_at_a_child:
        raise TemporaryFailure("a child is being made, replaced or closed")
    bar = sa.bar_to_rekeying
    if bar is not None:
        raise TemporaryFailure(bar)


def _method_wanted(message: Message, untried: list[KeMethod]) -> KeMethod | None:
    """The key exchange method the peer wants instead, None where it is content; raises RefusedByPeer."""
    error = message.error_notify
    if error is None:
        return None
    if error.type is not NotifyType.INVALID_KE_PAYLOAD:
        raise RefusedByPeer(error.type, "its log says why")
    wanted = invalid_ke_method(error)
    if wanted not in untried:
        raise RefusedByPeer(error.type, f"wants {wanted}, which we did not offer or have already sent")
    return wanted


def _check(peer_spi: bytes, method: KeMethod, chosen: KeMethod, ke: Ke) -> None:
    if len(peer_spi) != SPI_OCTETS or not any(peer_spi):
        raise NoProposalChosen(f"the peer answered with the SPI {peer_spi.hex() or 'of no octets'}")
    if ke.method != method or chosen != method:
        raise NoProposalChosen(f"KE payload for {ke.method}, proposal with {chosen}, we sent {method}")


def _key(
    keyed: Keyed, proposal: Proposal, shared: Secret, nonces: tuple[bytes, bytes], spis: tuple[bytes, bytes]
) -> Keyed:
    """The new IKE SA's keys; SKEYSEED comes from the old one's PRF (§2.18)."""
    suite = ike_suite(proposal)
    skeyseed = derive_rekeyed_skeyseed(keyed.suite.prf, keyed.keys.sk_d, shared, *nonces)
    return replace(
        keyed,
        proposal=proposal,
        suite=suite,
        keys=derive_ike_keys(suite, skeyseed, *nonces, *spis),
        spi_i=spis[0],
        spi_r=spis[1],
        ni=nonces[0],
        nr=nonces[1],
        init_request=b"",
        init_response=b"",
    )
