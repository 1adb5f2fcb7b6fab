"""IKE_AUTH: who the other side is, and the first child (RFC 7296 §1.2, §2.15).

    Initiator                              Responder
    HDR, SK {IDi, [CERT,] [CERTREQ,]
        [IDr,] AUTH, SAi2, TSi, TSr}  -->
                                      <--  HDR, SK {IDr, [CERT,] AUTH, SAr2, TSi, TSr}

Rule 1: nobody is told why authentication failed; our log is.
Rule 2: a child that fails does not end the IKE SA (§1.2, §2.21.2).
Not here: the proof itself (auth/), the choice of a connection (selection.py).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ikepy.config.groups import rights_of
from ikepy.config.identities import format_identity
from ikepy.config.model import AuthKind, ChildConfig, Childless, ConnectionConfig, FollowRedirects, RedirectAt
from ikepy.ike.admission import Admission
from ikepy.ike.child import ChildSa
from ikepy.ike.effects import (
    AllocateSpi,
    FindTrustingConnections,
    LocalIdentity,
    LocalProof,
    PeerAuthenticated,
    Received,
    ReleaseSpi,
    SendRequest,
    TrustAnchorHashes,
)
from ikepy.ike.ends import ends_before_answer, ends_of
from ikepy.ike.errors import AuthenticationFailed, IkeError, InvalidSyntax, LocalFault, PeerFault, RefusedByPeer
from ikepy.ike.exchanges.addresses import ask, lend, take
from ikepy.ike.exchanges.auth_rounds import join_first, let_in, prove_again, say_rounds
from ikepy.ike.exchanges.children import (
    ChildOffer,
    ChildRequest,
    ChildSecrets,
    Origin,
    answer_child,
    choose_child,
    held_to,
    install,
    judge_answer,
    make_offer,
)
from ikepy.ike.exchanges.mobike import read_mobility, say_mobility
from ikepy.ike.exchanges.proving import PeerNotAuthenticated, asked_for, sign, verify
from ikepy.ike.exchanges.view import Answer, SaView, authenticated_ids
from ikepy.ike.phases import Authenticated, Keyed
from ikepy.ike.selection import Ambiguous, NoneFits, Selected, select
from ikepy.ipsec import IpAddress, SaId, Selector
from ikepy.personas.fingerprint import with_auth
from ikepy.wire.base import Payload
from ikepy.wire.errors import WireError
from ikepy.wire.message import Message
from ikepy.wire.notify import Notify, auth_lifetime, make_auth_lifetime
from ikepy.wire.payloads import Auth, CertReq, Identification, IdI, IdR
from ikepy.wire.redirect import Gateway, make_redirect, parse_gateway, redirect
from ikepy.wire.registry import AuthMethod, CertEncoding, ExchangeType, NotifyType, ProtocolId
from ikepy.wire.sa import Sa
from ikepy.wire.shapes import IkeAuthRequest, IkeAuthResponse, LastResponse
from ikepy.wire.ts import TsI, TsR


@dataclass(frozen=True, slots=True)
class AuthResult:
    """Who the peer is, and the first child, None where there is none.

    lifetime   seconds after which the responder wants us to prove anew who we are (RFC 4478), None where it does not say
    others     the peer's further addresses; None where not both sides do MOBIKE
    is_sent_on whether we have sent the peer to another gateway: it is to delete this IKE SA
    """

    authenticated: Authenticated
    child: ChildSa | None
    lifetime: int | None = None
    others: tuple[IpAddress, ...] | None = None
    is_sent_on: bool = False


class RedirectedByPeer(IkeError):
    """The gateway has proved who it is, and sends us elsewhere (RFC 5685 §6); this IKE SA is to be deleted."""

    def __init__(self, gateway: Gateway, authenticated: Authenticated) -> None:
        super().__init__(f"the gateway sends us to {gateway}")
        self.gateway, self.authenticated = gateway, authenticated


async def initiate(sa: SaView, keyed: Keyed, child: ChildConfig | None, packet: Selector | None = None) -> AuthResult:
    """Authenticate as the initiator; raises RefusedByPeer, GaveUp, NoCredential, PeerNotAuthenticated.

    packet   the packet that asks for the child, None where none does
    """
    local, remote = authenticated_ids(keyed.connection)
    connection = keyed.connection
    local_id = local or await LocalIdentity(connection.name, connection.local, sa.path)
    proof = await _first_proof(sa, keyed, local_id, remote)
    hashes = await _authorities(connection)
    offer = None
    if child is not None:
        spi = await AllocateSpi(sa.path.local.host, ProtocolId.ESP)
        ends = ends_before_answer(sa.path, connection.vips)
        offer = make_offer(child, ends, spi, with_ke=False, packet=packet)
    contact = (Notify(NotifyType.INITIAL_CONTACT),) if sa.is_first_contact() else ()
    mobility = await say_mobility(sa, connection)
    received = await SendRequest(
        ExchangeType.IKE_AUTH,
        (
            IdI(local_id),
            *(proof.certs if proof is not None else ()),
            *((CertReq(CertEncoding.X509_SIGNATURE, b"".join(hashes)),) if hashes else ()),
            *((IdR(remote),) if remote is not None else ()),
            *((proof.auth,) if proof is not None else ()),
            *contact,
            *say_rounds(connection),
            *ask(connection),
            *(offer.payloads() if offer is not None else ()),
            *mobility,
        ),
    )
    proven, response, message = await _be_let_in(sa, keyed, received, local_id)
    return await _conclude(sa, keyed, offer, Concluding(proven, response, message, local_id, bool(mobility)))


@dataclass(frozen=True, slots=True)
class Concluding:
    """What an initiator has when both sides are proven: the responder's last response, and what it answers."""

    proven: PeerAuthenticated
    response: LastResponse
    message: Message
    local_id: Identification
    is_mobile: bool


async def _conclude(sa: SaView, keyed: Keyed, offer: ChildOffer | None, end: Concluding) -> AuthResult:
    """Both sides are proven: follow a redirect, or have addresses and the child."""
    connection, proven = keyed.connection, end.proven
    elsewhere = end.message.notify(NotifyType.REDIRECT)
    authenticated = Authenticated(connection, proven, end.local_id, proven.identity)
    if elsewhere is not None and connection.follow_redirects is not FollowRedirects.NO:
        if offer is not None:
            await _give_back(sa, offer)
        raise RedirectedByPeer(redirect(elsewhere).gateway, authenticated)
    contact_begins = _says_initial_contact(end.response.notifies)
    sa.settle_uniqueness(connection, authenticated.contact, initial_contact=contact_begins)
    error = end.message.error_notify
    lifetime = _lifetime(end.response.notifies)
    others = read_mobility(end.message) if end.is_mobile else None
    try:
        admission = await take(sa, connection, end.response.cp)
    except (IkeError, WireError) as fault:
        reason = str(fault) if error is None else f"the peer answered {error.type}: {_advice(error.type)}"
        await _fail_child(sa, offer, reason, is_made=end.response.sa is not None)
        return AuthResult(authenticated, None, lifetime, others)
    authenticated = replace(authenticated, admission=admission)
    made = await _finish_child(sa, keyed, offer, end.response, error, authenticated)
    return AuthResult(authenticated, made, lifetime, others)


async def _first_proof(
    sa: SaView, keyed: Keyed, local: Identification, remote: Identification | None
) -> LocalProof | None:
    """Our AUTH of the first request; None where we prove ourselves by EAP."""
    if keyed.connection.local.auth is AuthKind.EAP:
        return None
    return await sign(sa, keyed, keyed.connection, local, remote, initiator=True)


async def _be_let_in(
    sa: SaView, keyed: Keyed, received: Received, local: Identification
) -> tuple[PeerAuthenticated, LastResponse, Message]:
    """See who the responder is, and prove what it wants proved besides; its last response."""
    connection, message = keyed.connection, received.message
    error = message.error_notify
    if error is not None and not message.all(Auth):
        raise RefusedByPeer(error.type, _advice(error.type))
    try:
        if connection.local.auth is AuthKind.EAP:
            return await join_first(sa, keyed, message, local)
        if connection.local2 is not None:
            return await prove_again(sa, keyed, message, local)
        response = IkeAuthResponse.of(message)
        identity = response.idr.identification
        proven = await verify(sa, keyed, connection, identity, response.auth, response.certs, local, initiator=False)
    except (PeerFault, LocalFault) as fault:
        raise PeerNotAuthenticated(str(fault)) from fault
    return proven, response, message


async def respond(sa: SaView, keyed: Keyed, request: Received) -> Answer[AuthResult]:
    """Authenticate as the responder; raises AuthenticationFailed, NoCredential, WireError."""
    auth = IkeAuthRequest.of(request.message)
    seen = with_auth(keyed.seen, request.message) if keyed.seen is not None else None
    sa.has_shown(auth.idi.identification, seen)
    connection = await _select(sa, keyed, auth)
    asked = asked_for(auth.certreqs)
    keyed = replace(
        keyed, connection=connection, certificate_requested=bool(auth.certreqs), authorities=asked, seen=seen
    )
    local = connection.local.id or await LocalIdentity(connection.name, connection.local, sa.path)
    proven, head = await let_in(sa, keyed, auth, local)
    rights = rights_of(sa.config, proven.proof)
    if not rights.allowed:
        raise AuthenticationFailed(f"{format_identity(proven.identity)} is in no group, so it gets nothing")
    authenticated = Authenticated(connection, proven, local, proven.identity, Admission(rights))
    _settle(sa, authenticated, initial_contact=_says_initial_contact(auth.notifies))
    if connection.redirect_to is not None and connection.redirect_at is RedirectAt.AUTH and keyed.follows_redirects:
        told = make_redirect(parse_gateway(connection.redirect_to))
        sa.decided(f"the peer is sent to {connection.redirect_to}, as redirect_to says")
        return Answer((*head, told), AuthResult(authenticated, None, is_sent_on=True))
    try:
        admission, cp = await lend(sa, connection, proven, rights, authenticated.contact, auth.cp)
    except PeerFault as fault:
        sa.child_failed(None, str(fault))
        payloads: tuple[Payload, ...] = (Notify(fault.notify, fault.data),)
        child = None
    else:
        authenticated = replace(authenticated, admission=admission)
        payloads, child = await _answer_first_child(sa, keyed, auth, authenticated)
        payloads = (*cp, *payloads)
    lifetime = (make_auth_lifetime(int(connection.reauth_time)),) if connection.reauth_time > 0 else ()
    others = read_mobility(request.message) if connection.mobike else None
    mobility = await say_mobility(sa, connection) if others is not None else ()
    return Answer((*head, *payloads, *lifetime, *mobility), AuthResult(authenticated, child, None, others))


def _settle(sa: SaView, authenticated: Authenticated, *, initial_contact: bool) -> None:
    """Close what the peer has not any more, or may not have beside this."""
    sa.settle_uniqueness(authenticated.connection, authenticated.contact, initial_contact=initial_contact)
    most = authenticated.admission.rights.max_sessions
    if most:
        sa.limit_sessions(authenticated.contact, most)


async def _select(sa: SaView, keyed: Keyed, auth: IkeAuthRequest) -> ConnectionConfig:
    if auth.auth is None:
        kind = AuthKind.EAP
    else:
        kind = AuthKind.PSK if auth.auth.method is AuthMethod.SHARED_KEY else AuthKind.PUBKEY
    candidates = tuple(connection.name for connection in sa.candidates())
    trusting = await FindTrustingConnections(candidates, auth.certs) if auth.certs else None
    idr = auth.idr.identification if auth.idr is not None else None
    match select(sa.config, sa.path, auth.idi.identification, idr, kind, trusting, keyed.proposal):
        case Selected(connection):
            if connection.name != keyed.connection.name:
                sa.decided(f"connection {connection.name} instead of {keyed.connection.name}, by the identities")
            return connection
        case Ambiguous(names):
            raise AuthenticationFailed(
                f"{auth.idi.identification} fits {' and '.join(names)} equally well: give one of them a closer `id`"
            )
        case NoneFits(reason):
            raise AuthenticationFailed(reason)


async def _authorities(connection: ConnectionConfig) -> tuple[bytes, ...]:
    if connection.remote.auth is not AuthKind.PUBKEY or not connection.send_certreq:
        return ()
    return await TrustAnchorHashes(connection.name)


async def _finish_child(
    sa: SaView,
    keyed: Keyed,
    offer: ChildOffer | None,
    response: LastResponse,
    error: Notify | None,
    authenticated: Authenticated,
) -> ChildSa | None:
    """The first child, installed; None where there is none, and then everybody concerned has been told why."""
    if offer is None:
        return None
    if response.sa is None or response.tsi is None or response.tsr is None:
        reason = f"the peer answered {error.type}: {_advice(error.type)}" if error else "the peer made no child"
        await _fail_child(sa, offer, reason, is_made=False)
        return None
    transport = any(notify.type is NotifyType.USE_TRANSPORT_MODE for notify in response.notifies)
    try:
        negotiated = judge_answer(offer, response.sa, response.tsi, response.tsr, transport=transport)
        if authenticated.admission.given:
            negotiated = held_to(negotiated, ends_of(sa.path, authenticated.admission))
    except PeerFault as fault:
        await _fail_child(sa, offer, str(fault), is_made=True)
        return None
    try:
        origin = Origin(initiated=True, peer=authenticated.remote_id)
        return await install(sa, keyed, negotiated, ChildSecrets(keyed.ni, keyed.nr), origin)
    except IkeError as fault:
        sa.child_failed(offer.config.name, str(fault))
        sa.delete_foreign_child(offer.spi_in)
        return None


async def _fail_child(sa: SaView, offer: ChildOffer | None, reason: str, *, is_made: bool) -> None:
    """The first child comes to nothing; where the peer has made its half, it is to delete that."""
    if offer is None:
        return
    await _give_back(sa, offer)
    sa.child_failed(offer.config.name, reason)
    if is_made:
        sa.delete_foreign_child(offer.spi_in)


async def _give_back(sa: SaView, offer: ChildOffer) -> None:
    await ReleaseSpi(SaId(sa.path.local.host, ProtocolId.ESP, offer.spi_in))


async def _answer_first_child(
    sa: SaView, keyed: Keyed, auth: IkeAuthRequest, authenticated: Authenticated
) -> tuple[tuple[Payload, ...], ChildSa | None]:
    if auth.sa is None or auth.tsi is None or auth.tsr is None:
        if keyed.connection.childless is Childless.NEVER:
            raise InvalidSyntax("the peer asks for no child, and `childless = never`")
        return (), None
    if keyed.connection.childless is Childless.FORCE:
        sa.child_failed(None, "the peer asks for a child with IKE_AUTH, and `childless = force`")
        return (Notify(NotifyType.NO_ADDITIONAL_SAS),), None
    request = child_request(auth.sa, auth.tsi, auth.tsr, auth.notifies)
    try:
        choice = choose_child(keyed.connection, request, ends_of(sa.path, authenticated.admission))
        origin = Origin(initiated=False, peer=authenticated.remote_id)
        return await answer_child(sa, keyed, choice, ChildSecrets(keyed.ni, keyed.nr), origin)
    except PeerFault as fault:
        sa.child_failed(None, str(fault))
        return (Notify(fault.notify, fault.data),), None
    except LocalFault as fault:
        sa.child_failed(None, str(fault))
        return (Notify(NotifyType.NO_ADDITIONAL_SAS),), None


def child_request(sa: Sa, tsi: TsI, tsr: TsR, notifies: tuple[Notify, ...]) -> ChildRequest:
    """The peer's offer for the first child; KE does not count in IKE_AUTH."""
    transport = any(notify.type is NotifyType.USE_TRANSPORT_MODE for notify in notifies)
    return ChildRequest(sa, tsi, tsr, transport, None, with_ke=False)


def _says_initial_contact(notifies: tuple[Notify, ...]) -> bool:
    return any(notify.type is NotifyType.INITIAL_CONTACT for notify in notifies)


def _lifetime(notifies: tuple[Notify, ...]) -> int | None:
    found = next((notify for notify in notifies if notify.type is NotifyType.AUTH_LIFETIME), None)
    return auth_lifetime(found) if found is not None else None


def _advice(notify: NotifyType) -> str:
    return {
        NotifyType.AUTHENTICATION_FAILED: "it does not accept our identity or proof, its log says which; compare `id`, "
        "`auth` and secrets on both sides",
        NotifyType.TS_UNACCEPTABLE: "compare local_ts and remote_ts on both sides",
        NotifyType.NO_PROPOSAL_CHOSEN: "compare `esp_proposals` and `mode` on both sides",
    }.get(notify, "its log says why")
