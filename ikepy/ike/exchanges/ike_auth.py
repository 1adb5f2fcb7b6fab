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

from ikepy.config.model import AuthKind, ChildConfig, Childless, ConnectionConfig, FollowRedirects, RedirectAt
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
    SignAuth,
    TrustAnchorHashes,
    VerifyAuth,
)
from ikepy.ike.errors import AuthenticationFailed, IkeError, InvalidSyntax, LocalFault, PeerFault, RefusedByPeer
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
from ikepy.ike.exchanges.mobike import read_mobility, say_mobility
from ikepy.ike.exchanges.view import Answer, SaView, authenticated_ids
from ikepy.ike.keymat import signed_octets
from ikepy.ike.phases import Authenticated, Keyed
from ikepy.ike.selection import Ambiguous, NoneFits, Selected, select
from ikepy.ipsec import IpAddress, SaId, Selector
from ikepy.wire.base import Payload
from ikepy.wire.notify import Notify, auth_lifetime, make_auth_lifetime
from ikepy.wire.payloads import Auth, CertReq, Identification, IdI, IdR
from ikepy.wire.redirect import Gateway, make_redirect, parse_gateway, redirect
from ikepy.wire.registry import AuthMethod, CertEncoding, ExchangeType, NotifyType, ProtocolId
from ikepy.wire.sa import Sa
from ikepy.wire.shapes import IkeAuthRequest, IkeAuthResponse
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


class PeerNotAuthenticated(AuthenticationFailed):
    """The responder's proof does not hold: it believes in an IKE SA that we must end (§2.21.2)."""


async def initiate(sa: SaView, keyed: Keyed, child: ChildConfig | None, packet: Selector | None = None) -> AuthResult:
    """Authenticate as the initiator; raises RefusedByPeer, GaveUp, NoCredential, PeerNotAuthenticated.

    packet   the packet that asks for the child, None where none does
    """
    local, remote = authenticated_ids(keyed.connection)
    connection = keyed.connection
    local_id = local or await LocalIdentity(connection.name, connection.local, sa.path)
    proof = await _sign(sa, keyed, connection, local_id, remote, initiator=True)
    hashes = await _authorities(connection)
    offer = None
    if child is not None:
        spi = await AllocateSpi(sa.path.local.address, ProtocolId.ESP)
        offer = make_offer(child, sa.path, spi, with_ke=False, packet=packet)
    contact = (Notify(NotifyType.INITIAL_CONTACT),) if sa.is_first_contact() else ()
    mobility = await say_mobility(sa, connection)
    received = await SendRequest(
        ExchangeType.IKE_AUTH,
        (
            IdI(local_id),
            *proof.certs,
            *((CertReq(CertEncoding.X509_SIGNATURE, b"".join(hashes)),) if hashes else ()),
            *((IdR(remote),) if remote is not None else ()),
            proof.auth,
            *contact,
            *(offer.payloads() if offer is not None else ()),
            *mobility,
        ),
    )
    error = received.message.error_notify
    if error is not None and not received.message.all(Auth):
        raise RefusedByPeer(error.type, _advice(error.type))
    response = IkeAuthResponse.of(received.message)
    try:
        proven = await _verify(sa, keyed, connection, response, local_id)
    except (PeerFault, LocalFault) as fault:
        raise PeerNotAuthenticated(str(fault)) from fault
    elsewhere = received.message.notify(NotifyType.REDIRECT)
    if elsewhere is not None and connection.follow_redirects is not FollowRedirects.NO:
        if offer is not None:
            await ReleaseSpi(SaId(sa.path.local.address, ProtocolId.ESP, offer.spi_in))
        gateway = redirect(elsewhere).gateway
        raise RedirectedByPeer(gateway, Authenticated(connection, proven, local_id, proven.identity))
    contact_begins = _says_initial_contact(response.notifies)
    sa.settle_uniqueness(connection, local_id, proven.identity, initial_contact=contact_begins)
    authenticated = Authenticated(connection, proven, local_id, proven.identity)
    made = await _finish_child(sa, keyed, offer, response, error, proven.identity)
    others = read_mobility(received.message) if mobility else None
    return AuthResult(authenticated, made, _lifetime(response.notifies), others)


async def respond(sa: SaView, keyed: Keyed, request: Received) -> Answer[AuthResult]:
    """Authenticate as the responder; raises AuthenticationFailed, NoCredential, WireError."""
    auth = IkeAuthRequest.of(request.message)
    if auth.auth is None:
        raise AuthenticationFailed("the peer asks for EAP, which no connection here has")
    connection = await _select(sa, keyed, auth)
    keyed = replace(keyed, connection=connection)
    identity = auth.idi.identification
    local = connection.local.id or await LocalIdentity(connection.name, connection.local, sa.path)
    proven = await VerifyAuth(
        connection=connection.name,
        remote=connection.remote,
        identity=identity,
        local_identity=local,
        path=sa.path,
        auth=auth.auth,
        certs=auth.certs,
        prf=keyed.suite.prf.id,
        signed_octets=signed_octets(keyed.suite.prf, keyed.init_request, keyed.nr, keyed.keys.sk_pi, identity),
    )
    sa.settle_uniqueness(connection, local, proven.identity, initial_contact=_says_initial_contact(auth.notifies))
    keyed = replace(keyed, certificate_requested=bool(auth.certreqs))
    proof = await _sign(sa, keyed, connection, local, proven.identity, initiator=False)
    authenticated = Authenticated(connection, proven, local, proven.identity)
    if connection.redirect_to is not None and connection.redirect_at is RedirectAt.AUTH and keyed.follows_redirects:
        told = make_redirect(parse_gateway(connection.redirect_to))
        sa.decided(f"the peer is sent to {connection.redirect_to}, as redirect_to says")
        return Answer((IdR(local), *proof.certs, proof.auth, told), AuthResult(authenticated, None, is_sent_on=True))
    payloads, child = await _answer_first_child(sa, keyed, auth, proven.identity)
    lifetime = (make_auth_lifetime(int(connection.reauth_time)),) if connection.reauth_time > 0 else ()
    others = read_mobility(request.message) if connection.mobike else None
    mobility = await say_mobility(sa, connection) if others is not None else ()
    return Answer(
        (IdR(local), *proof.certs, proof.auth, *payloads, *lifetime, *mobility),
        AuthResult(authenticated, child, None, others),
    )


async def _select(sa: SaView, keyed: Keyed, auth: IkeAuthRequest) -> ConnectionConfig:
    assert auth.auth is not None  # noqa: S101 - the caller has seen to it
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


async def _sign(
    sa: SaView,
    keyed: Keyed,
    connection: ConnectionConfig,
    local: Identification,
    peer: Identification | None,
    *,
    initiator: bool,
) -> LocalProof:
    keys = keyed.keys
    message, nonce, sk_p = (
        (keyed.init_request, keyed.nr, keys.sk_pi) if initiator else (keyed.init_response, keyed.ni, keys.sk_pr)
    )
    return await SignAuth(
        connection=connection.name,
        local=connection.local,
        identity=local,
        peer=peer,
        path=sa.path,
        prf=keyed.suite.prf.id,
        signed_octets=signed_octets(keyed.suite.prf, message, nonce, sk_p, local),
        hashes=keyed.peer_hashes,
        certificate_requested=keyed.certificate_requested,
    )


async def _verify(
    sa: SaView, keyed: Keyed, connection: ConnectionConfig, response: IkeAuthResponse, local: Identification
) -> PeerAuthenticated:
    identity = response.idr.identification
    return await VerifyAuth(
        connection=connection.name,
        remote=connection.remote,
        identity=identity,
        local_identity=local,
        path=sa.path,
        auth=response.auth,
        certs=response.certs,
        prf=keyed.suite.prf.id,
        signed_octets=signed_octets(keyed.suite.prf, keyed.init_response, keyed.ni, keyed.keys.sk_pr, identity),
    )


async def _authorities(connection: ConnectionConfig) -> tuple[bytes, ...]:
    if connection.remote.auth is not AuthKind.PUBKEY or not connection.send_certreq:
        return ()
    return await TrustAnchorHashes(connection.name)


async def _finish_child(
    sa: SaView,
    keyed: Keyed,
    offer: ChildOffer | None,
    response: IkeAuthResponse,
    error: Notify | None,
    peer: Identification,
) -> ChildSa | None:
    """The first child, installed; None where there is none, and then everybody concerned has been told why."""
    if offer is None:
        return None
    if response.sa is None or response.tsi is None or response.tsr is None:
        await ReleaseSpi(SaId(sa.path.local.address, ProtocolId.ESP, offer.spi_in))
        reason = f"the peer answered {error.type}: {_advice(error.type)}" if error else "the peer made no child"
        sa.child_failed(offer.config.name, reason)
        return None
    transport = any(notify.type is NotifyType.USE_TRANSPORT_MODE for notify in response.notifies)
    try:
        negotiated = judge_answer(offer, response.sa, response.tsi, response.tsr, transport=transport)
    except PeerFault as fault:
        await ReleaseSpi(SaId(sa.path.local.address, ProtocolId.ESP, offer.spi_in))
        sa.child_failed(offer.config.name, str(fault))
        sa.delete_foreign_child(offer.spi_in)
        return None
    try:
        origin = Origin(initiated=True, peer=peer)
        return await install(sa, keyed, negotiated, ChildSecrets(keyed.ni, keyed.nr), origin)
    except IkeError as fault:
        sa.child_failed(offer.config.name, str(fault))
        sa.delete_foreign_child(offer.spi_in)
        return None


async def _answer_first_child(
    sa: SaView, keyed: Keyed, auth: IkeAuthRequest, peer: Identification
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
        choice = choose_child(keyed.connection, request, sa.path)
        origin = Origin(initiated=False, peer=peer)
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
