"""IKE_SA_INIT: keys with somebody, not yet known whom (RFC 7296 §1.2).

    Initiator                              Responder
    HDR, [N(COOKIE)], SAi1, KEi, Ni   -->
                                      <--  HDR, SAr1, KEr, Nr, [CERTREQ]

Rule 1: answers are judged on locals; one that is refused, malformed or an error may be anybody's, so we wait for a
        better one for a while (§2.21.1). COOKIE and INVALID_KE_PAYLOAD are loops with a bound.
Rule 2: the responder keeps nothing until a proposal is chosen and KE fits.
Not here: when a cookie is asked for (endpoint.py).
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, replace

from ikepy.config.model import AuthKind, Childless, ConnectionConfig, FollowRedirects, Fragmentation, RedirectAt
from ikepy.crypto.entropy import Entropy
from ikepy.crypto.key_exchange import KeyExchange
from ikepy.crypto.secret import Secret
from ikepy.crypto.suites import ike_suite
from ikepy.ike.actions import Path
from ikepy.ike.effects import (
    ComputeSharedSecret,
    MakeKeyExchange,
    NextAnswer,
    Received,
    ResolvePath,
    SendRequest,
    TrustAnchorHashes,
)
from ikepy.ike.errors import GaveUp, IkeError, InvalidKePayload, NoProposalChosen, RefusedByPeer, SentElsewhere
from ikepy.ike.exchanges.proving import asked_for
from ikepy.ike.exchanges.view import Answer, SaView
from ikepy.ike.keymat import derive_ike_keys, derive_skeyseed
from ikepy.ike.nat import NatFindings, find_nat, make_nat_notifies
from ikepy.ike.negotiation import Chosen, check_answer, choose, chosen_ke, ke_methods, number_proposals
from ikepy.ike.phases import Keyed
from ikepy.ike.redirection import Redirection
from ikepy.personas.fingerprint import seen_in
from ikepy.personas.windows_advice import weak_windows_advice
from ikepy.wire.base import Payload
from ikepy.wire.errors import WireError
from ikepy.wire.header import FLAG_RESPONSE, IkeHeader
from ikepy.wire.message import Message, build_message
from ikepy.wire.notify import Notify, hash_algorithms, invalid_ke_method, make_hash_algorithms
from ikepy.wire.payloads import CertReq, Ke, Nonce
from ikepy.wire.redirect import Gateway, make_redirect, make_redirected_from, parse_gateway, redirect
from ikepy.wire.registry import CertEncoding, ExchangeType, HashAlgorithm, KeMethod, NotifyType, PayloadType
from ikepy.wire.sa import Proposal, Sa
from ikepy.wire.shapes import IkeSaInitRequest, IkeSaInitResponse

NONCE_OCTETS = 32
PATIENCE = 3.0
"Seconds to wait for a better answer after one that could be anybody's."
FEW_TRIES = 2
"Repeats of a request to an address of a peer that has others."
MOST_ROUNDS = 8
"Requests of one attempt: cookies and other key exchange methods asked for."
HASHES = (HashAlgorithm.SHA2_512, HashAlgorithm.SHA2_384, HashAlgorithm.SHA2_256, HashAlgorithm.IDENTITY)
"What we can verify (RFC 7427 §4); SHA1 is not offered."


@dataclass(frozen=True, slots=True)
class CookieWanted:
    """The responder asks for proof of our address."""

    cookie: bytes


@dataclass(frozen=True, slots=True)
class MethodWanted:
    """The responder wants another key exchange method of those we offered."""

    method: KeMethod


@dataclass(frozen=True, slots=True)
class Accepted:
    """The responder took one of our proposals."""

    response: IkeSaInitResponse
    chosen: Chosen


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """The responder sends us to another gateway."""

    gateway: Gateway


async def initiate(sa: SaView, spi_i: bytes, redirection: Redirection | None = None) -> Keyed:
    """Negotiate keys as the initiator, with each of the peer's addresses in turn until one answers.

    redirection   where another gateway has sent us

    Raises PeerUnknown, RefusedByPeer, GaveUp, InvalidPublicValue.
    """
    while True:
        found = await _reach(sa, spi_i, redirection)
        if isinstance(found, Keyed):
            return found
        sa.follow_redirect(found.gateway)
        redirection = Redirection(found.gateway, sa.path.remote.address)


async def _reach(sa: SaView, spi_i: bytes, redirection: Redirection | None) -> Keyed | Elsewhere:
    paths = await ResolvePath(sa.connection.name, redirection.gateway if redirection is not None else None)
    for path in paths[:-1]:
        sa.adopt_path(path)
        try:
            return await _negotiate(sa, spi_i, redirection, FEW_TRIES)
        except GaveUp:
            sa.decided(f"no answer from {path.remote}: the peer's next address is tried", warning=True)
    sa.adopt_path(paths[-1])
    return await _negotiate(sa, spi_i, redirection, None)


async def _negotiate(sa: SaView, spi_i: bytes, redirection: Redirection | None, tries: int | None) -> Keyed | Elsewhere:
    """Negotiate keys on the present path; `tries` repeats at most, None for as many as are configured."""
    offer = number_proposals(sa.connection.proposals, b"")
    ni, cookie = sa.entropy.octets(NONCE_OCTETS), None
    untried = list(ke_methods(offer))
    method = untried.pop(0)
    exchange = await MakeKeyExchange(method)
    for _ in range(MOST_ROUNDS):
        payloads = _make_request(sa, spi_i, offer, exchange, ni, cookie) + _say_redirects(sa, redirection)
        received, verdict = await _ask(
            sa, SendRequest(ExchangeType.IKE_SA_INIT, payloads, tries), offer, untried, method, ni
        )
        match verdict:
            case CookieWanted():
                sa.decided(f"the peer asks for a cookie of {len(verdict.cookie)} octets")
                cookie = verdict.cookie
            case Elsewhere():
                return verdict
            case MethodWanted():
                sa.decided(f"the peer wants {verdict.method} instead of {method}")
                method = verdict.method
                untried.remove(method)
                exchange = await MakeKeyExchange(method)
            case Accepted():
                shared = await ComputeSharedSecret(exchange, verdict.response.ke.public)
                return _key_initiator(sa, received, verdict, ni, shared)
    raise GaveUp(f"the peer asked for a cookie or another key exchange method {MOST_ROUNDS} times")


async def respond(sa: SaView, request: Received, spi_r: bytes) -> Answer[Keyed]:
    """Negotiate keys as the responder; raises NoProposalChosen, InvalidKePayload, InvalidPublicValue, WireError."""
    init = IkeSaInitRequest.of(request.message)
    spi_i = request.message.header.spi_i
    connection, chosen = _choose_connection(sa.candidates(), init)
    follows = _send_elsewhere(connection, init, request.message)
    method = chosen_ke(chosen.proposal)
    if init.ke.method != method:
        raise InvalidKePayload(f"KE payload for {init.ke.method}, chosen {method}", method)
    exchange = await MakeKeyExchange(method)
    shared = await ComputeSharedSecret(exchange, init.ke.public)
    nr = sa.entropy.octets(NONCE_OCTETS)
    payloads: list[Payload] = [
        Sa((chosen.answered_with(b""),)),
        Ke(method, exchange.public),
        Nonce(nr),
    ]
    nat = _find_nat(connection, request.message, spi_i, bytes(8), request.path)
    if nat.supported:
        payloads += make_nat_notifies(spi_i, spi_r, request.path, pretend=_pretend(connection, sa.entropy))
    fragmentation = request.message.notify(NotifyType.IKEV2_FRAGMENTATION_SUPPORTED) is not None and any(
        candidate.fragmentation is not Fragmentation.NO for candidate in sa.candidates()
    )
    payloads += await _offer_extensions(sa, request.message, fragmentation=fragmentation)
    response = build_message(Message(_response_header(request.message.header, spi_r), tuple(payloads)))
    suite = ike_suite(chosen.proposal)
    skeyseed = derive_skeyseed(suite.prf, shared, init.nonce.octets, nr)
    keyed = Keyed(
        connection=connection,
        proposal=chosen.proposal,
        suite=suite,
        keys=derive_ike_keys(suite, skeyseed, init.nonce.octets, nr, spi_i, spi_r),
        spi_i=spi_i,
        spi_r=spi_r,
        ni=init.nonce.octets,
        nr=nr,
        init_request=request.octets,
        init_response=response,
        nat=replace(nat, forced=connection.encap),
        peer_hashes=_peer_hashes(request.message),
        certificate_requested=False,
        follows_redirects=follows,
        fragmentation=fragmentation,
        seen=seen_in(request.message),
    )
    return Answer(tuple(payloads), keyed)


async def _offer_extensions(sa: SaView, message: Message, *, fragmentation: bool) -> tuple[Payload, ...]:
    """What the responder says it can do beside what was asked, as far as a connection that may be meant does it."""
    payloads: list[Payload] = []
    if message.notify(NotifyType.SIGNATURE_HASH_ALGORITHMS) is not None:
        payloads.append(make_hash_algorithms(HASHES))
    if fragmentation:
        payloads.append(Notify(NotifyType.IKEV2_FRAGMENTATION_SUPPORTED))
    if any(candidate.childless is not Childless.NEVER for candidate in sa.candidates()):
        payloads.append(Notify(NotifyType.CHILDLESS_IKEV2_SUPPORTED))
    if any(candidate.remote.auth is AuthKind.PUBKEY and candidate.send_certreq for candidate in sa.candidates()):
        hashes = await TrustAnchorHashes(None)
        if hashes:
            payloads.append(CertReq(CertEncoding.X509_SIGNATURE, b"".join(hashes)))
    return tuple(payloads)


async def _ask(
    sa: SaView,
    request: SendRequest,
    offer: tuple[Proposal, ...],
    untried: list[KeMethod],
    method: KeMethod,
    ni: bytes,
) -> tuple[Received, CookieWanted | MethodWanted | Elsewhere | Accepted]:
    """Send the request and wait for an answer that is good for something; else raise what the last one said."""
    received = await request
    while True:
        try:
            message = _from_peer(sa, received)
            return received, _judge_redirect(sa, message, ni) or _judge(message, offer, untried, method)
        except (IkeError, WireError) as fault:
            refusal = fault
        try:
            received = await NextAnswer(PATIENCE)
        except GaveUp:
            raise refusal from None


def _from_peer(sa: SaView, received: Received) -> Message:
    """The answer, if it comes from where we asked; raises GaveUp for one of an address that was given up before."""
    if received.path.remote.address != sa.path.remote.address:
        raise GaveUp(f"an answer came from {received.path.remote.address}, asked was {sa.path.remote.address}")
    return received.message


def _judge_redirect(sa: SaView, message: Message, ni: bytes) -> Elsewhere | None:
    """Where the answer sends us; only whoever has seen our request has our nonce (RFC 5685 §3)."""
    notify = message.notify(NotifyType.REDIRECT)
    if notify is None or sa.connection.follow_redirects is FollowRedirects.NO:
        return None
    said = redirect(notify)
    if not hmac.compare_digest(said.nonce, ni):
        raise RefusedByPeer(NotifyType.REDIRECT, "without our nonce: not from whom we asked")
    return Elsewhere(said.gateway)


def _say_redirects(sa: SaView, redirection: Redirection | None) -> tuple[Notify, ...]:
    if redirection is not None:
        return (make_redirected_from(redirection.source),)
    if sa.connection.follow_redirects is FollowRedirects.NO:
        return ()
    return (Notify(NotifyType.REDIRECT_SUPPORTED),)


def _send_elsewhere(connection: ConnectionConfig, init: IkeSaInitRequest, message: Message) -> bool:
    """Whether the peer follows redirects; raises SentElsewhere where it is to go at once."""
    came_from = message.notify(NotifyType.REDIRECTED_FROM)
    follows = came_from is not None or message.notify(NotifyType.REDIRECT_SUPPORTED) is not None
    if connection.redirect_to is None or not follows or connection.redirect_at is not RedirectAt.INIT:
        return follows
    goal = parse_gateway(connection.redirect_to)
    if came_from is not None and redirect(came_from).gateway == goal:
        return follows  # it was there already
    told = make_redirect(goal, init.nonce.octets)
    raise SentElsewhere(f"the peer is sent to {goal}, as redirect_to says", data=told.octets)


def _judge(
    message: Message, offer: tuple[Proposal, ...], untried: list[KeMethod], method: KeMethod
) -> CookieWanted | MethodWanted | Accepted:
    """What an answer says, without believing it; raises RefusedByPeer, NoProposalChosen, WireError."""
    cookie = message.notify(NotifyType.COOKIE)
    if cookie is not None:
        if not 1 <= len(cookie.octets) <= 64:  # noqa: PLR2004 - RFC 7296 §2.6
            raise RefusedByPeer(NotifyType.COOKIE, f"a cookie of {len(cookie.octets)} octets, 1 to 64 are allowed")
        return CookieWanted(cookie.octets)
    invalid_ke = message.notify(NotifyType.INVALID_KE_PAYLOAD)
    if invalid_ke is not None:
        wanted = invalid_ke_method(invalid_ke)
        if wanted not in untried:
            raise RefusedByPeer(
                NotifyType.INVALID_KE_PAYLOAD, f"wants {wanted}, which we did not offer or have already sent"
            )
        return MethodWanted(wanted)
    error = message.error_notify
    if error is not None:
        raise RefusedByPeer(error.type)
    response = IkeSaInitResponse.of(message)
    if message.header.spi_r == bytes(8):
        raise RefusedByPeer(NotifyType.INVALID_SYNTAX, "responder's SPI is zero")
    chosen = check_answer(response.sa, offer)
    if response.ke.method != method or chosen_ke(chosen.proposal) != method:
        raise NoProposalChosen(f"KE payload for {response.ke.method}, proposal with {chosen_ke(chosen.proposal)}")
    return Accepted(response, chosen)


def _make_request(
    sa: SaView, spi_i: bytes, offer: tuple[Proposal, ...], exchange: KeyExchange, ni: bytes, cookie: bytes | None
) -> tuple[Payload, ...]:
    first = (Notify(NotifyType.COOKIE, cookie),) if cookie is not None else ()
    pretend = _pretend(sa.connection, sa.entropy)
    return (
        *first,
        Sa(offer),
        Ke(exchange.method, exchange.public),
        Nonce(ni),
        *(make_nat_notifies(spi_i, bytes(8), sa.path, pretend=pretend) if sa.connection.nat_detection else ()),
        make_hash_algorithms(HASHES),
        *_say_fragmentation(sa.connection),
    )


def _say_fragmentation(connection: ConnectionConfig) -> tuple[Payload, ...]:
    """That we take fragments (RFC 7383 §2.3)."""
    if connection.fragmentation is Fragmentation.NO:
        return ()
    return (Notify(NotifyType.IKEV2_FRAGMENTATION_SUPPORTED),)


def _key_initiator(sa: SaView, received: Received, accepted: Accepted, ni: bytes, shared: Secret) -> Keyed:
    message, response = received.message, accepted.response
    spi_i, spi_r = message.header.spi_i, message.header.spi_r
    suite = ike_suite(accepted.chosen.proposal)
    nr = response.nonce.octets
    nat = _find_nat(sa.connection, message, spi_i, spi_r, received.path)
    return Keyed(
        connection=sa.connection,
        proposal=accepted.chosen.proposal,
        suite=suite,
        keys=derive_ike_keys(suite, derive_skeyseed(suite.prf, shared, ni, nr), ni, nr, spi_i, spi_r),
        spi_i=spi_i,
        spi_r=spi_r,
        ni=ni,
        nr=nr,
        init_request=received.answers,
        init_response=received.octets,
        nat=replace(nat, forced=sa.connection.encap),
        peer_hashes=_peer_hashes(message),
        certificate_requested=bool(message.all(CertReq)),
        authorities=asked_for(message.all(CertReq)),
        childless=message.notify(NotifyType.CHILDLESS_IKEV2_SUPPORTED) is not None,
        fragmentation=sa.connection.fragmentation is not Fragmentation.NO
        and message.notify(NotifyType.IKEV2_FRAGMENTATION_SUPPORTED) is not None,
    )


def _choose_connection(
    candidates: tuple[ConnectionConfig, ...], init: IkeSaInitRequest
) -> tuple[ConnectionConfig, Chosen]:
    for connection in candidates:
        chosen = choose(init.sa, connection.proposals, sent_ke=init.ke.method)
        if chosen is not None:
            return connection, chosen
    names = ", ".join(connection.name for connection in candidates)
    advice = weak_windows_advice(init.sa.proposals) or "compare `proposals` on both sides"
    raise NoProposalChosen(f"no IKE proposal in common with {names}: {advice}")


def _find_nat(connection: ConnectionConfig, message: Message, spi_i: bytes, spi_r: bytes, path: Path) -> NatFindings:
    if not connection.nat_detection:
        return NatFindings()
    sources = message.notifies(NotifyType.NAT_DETECTION_SOURCE_IP)
    destinations = message.notifies(NotifyType.NAT_DETECTION_DESTINATION_IP)
    return find_nat(sources, destinations, spi_i, spi_r, path)


def _pretend(connection: ConnectionConfig, entropy: Entropy) -> bytes | None:
    # encap = yes: a source hash that fits nothing makes the peer believe in a NAT before us.
    return entropy.octets(20) if connection.encap else None


def _peer_hashes(message: Message) -> frozenset[HashAlgorithm]:
    notify = message.notify(NotifyType.SIGNATURE_HASH_ALGORITHMS)
    return frozenset(hash_algorithms(notify)) if notify is not None else frozenset()


def _response_header(request: IkeHeader, spi_r: bytes) -> IkeHeader:
    return IkeHeader(request.spi_i, spi_r, PayloadType.NO_NEXT_PAYLOAD, ExchangeType.IKE_SA_INIT, FLAG_RESPONSE, 0, 0)
