"""Who proves what in IKE_AUTH, and in which order: a key or EAP, once or twice (RFC 7296 §2.16, RFC 4739, RFC 5998).

    Initiator                                          Responder
    HDR, SK {IDi, [CERT,] AUTH, N(MULTIPLE_AUTH_SUPPORTED),
        N(ANOTHER_AUTH_FOLLOWS), SAi2, ...}       -->
                                                  <--  HDR, SK {IDr, [CERT,] AUTH}
    HDR, SK {IDi, [CERT, AUTH]}                   -->                                without AUTH: EAP
                                                  <--  ...

Rule 1: what a connection wants proved is proved, all of it, or the peer is refused; more than that is refused too.
Rule 2: the responder proves itself in the first round, the initiator in all.
Not here: EAP's own messages (eap_rounds.py), the child (ike_auth.py).
"""

from __future__ import annotations

from ikepy.config.model import AuthKind, ConnectionConfig, LocalAuthConfig
from ikepy.ike.effects import LocalIdentity, LocalProof, PeerAuthenticated, SendRequest
from ikepy.ike.errors import AuthenticationFailed, RefusedByPeer
from ikepy.ike.exchanges.eap_rounds import Ids, admit, join, next_round
from ikepy.ike.exchanges.proving import both, sign, verify
from ikepy.ike.exchanges.view import SaView
from ikepy.ike.phases import Keyed
from ikepy.wire.base import Payload
from ikepy.wire.message import Message
from ikepy.wire.notify import Notify
from ikepy.wire.payloads import Auth, Identification, IdI, IdR
from ikepy.wire.registry import ExchangeType, NotifyType
from ikepy.wire.shapes import EapBeginning, EapStep, IkeAuthRequest, IkeAuthResponse, LastResponse, RoundEnd

Answered = tuple[PeerAuthenticated, LastResponse, Message]
"""Who the responder is, and its last response."""


# -- the responder -----------------------------------------------------------------------------------------------


async def let_in(
    sa: SaView, keyed: Keyed, auth: IkeAuthRequest, local: Identification
) -> tuple[PeerAuthenticated, tuple[Payload, ...]]:
    """Have the initiator prove who it is; return that, and what goes first in the last response.

    Raises AuthenticationFailed, NoCredential, WireError.
    """
    connection = keyed.connection
    goes_on = _says(auth.notifies, NotifyType.ANOTHER_AUTH_FOLLOWS)
    if connection.remote2 is None and goes_on:
        raise AuthenticationFailed(
            f"the peer wants to prove itself twice, and connection {connection.name} has no remote2"
        )
    if connection.remote2 is not None and not goes_on:
        raise AuthenticationFailed(f"the peer proves itself once, and connection {connection.name} has a remote2")
    first, head = await _first_round(sa, keyed, auth, local)
    if connection.remote2 is None:
        return first, head
    received = await next_round(sa, head)
    again = IkeAuthRequest.of(received.message)
    ids, wants_eap = Ids(local, again.idi.identification), connection.remote2.auth is AuthKind.EAP
    if wants_eap and again.auth is None:
        admitted = await admit(sa, keyed, connection, connection.remote2, ids, (), must_prove_server=False)
        return both(first, admitted.proven), (admitted.auth,)
    if wants_eap or again.auth is None:
        came = "a key" if wants_eap else "EAP"
        raise AuthenticationFailed(f"the peer's second proof is by {came}, remote2 of {connection.name} says otherwise")
    second = await verify(
        sa, keyed, connection, ids.peer, again.auth, again.certs, local, initiator=True, how=connection.remote2
    )
    return both(first, second), ()


async def _first_round(
    sa: SaView, keyed: Keyed, auth: IkeAuthRequest, local: Identification
) -> tuple[PeerAuthenticated, tuple[Payload, ...]]:
    connection, peer = keyed.connection, auth.idi.identification
    if auth.auth is not None:
        proven = await verify(sa, keyed, connection, peer, auth.auth, auth.certs, local, initiator=True)
        proof = await sign(sa, keyed, connection, local, proven.identity, initiator=False)
        return proven, _shown(local, proof)
    eap_only = connection.eap_only and _says(auth.notifies, NotifyType.EAP_ONLY_AUTHENTICATION)
    if eap_only:
        head: tuple[Payload, ...] = (IdR(local),)
    else:
        head = _shown(local, await sign(sa, keyed, connection, local, peer, initiator=False))
    ids = Ids(local, peer)
    admitted = await admit(sa, keyed, connection, connection.remote, ids, head, must_prove_server=eap_only)
    return admitted.proven, (admitted.auth,)


def _shown(local: Identification, proof: LocalProof) -> tuple[Payload, ...]:
    return (IdR(local), *proof.certs, proof.auth)


# -- the initiator -----------------------------------------------------------------------------------------------


def say_rounds(connection: ConnectionConfig) -> tuple[Notify, ...]:
    """What the first request says of how we prove ourselves."""
    if connection.local2 is not None:
        return (Notify(NotifyType.MULTIPLE_AUTH_SUPPORTED), Notify(NotifyType.ANOTHER_AUTH_FOLLOWS))
    return (Notify(NotifyType.EAP_ONLY_AUTHENTICATION),) if connection.eap_only else ()


async def join_first(sa: SaView, keyed: Keyed, message: Message, local: Identification) -> Answered:
    """See who the gateway is, as far as it says, and prove ourselves by EAP."""
    connection = keyed.connection
    if not message.all(Auth) and not connection.eap_only:
        raise AuthenticationFailed("the gateway begins EAP without proving who it is: nothing of a password is told it")
    beginning = EapBeginning.of(message)
    peer, server = beginning.idr.identification, None
    if beginning.auth is not None:
        server = await verify(sa, keyed, connection, peer, beginning.auth, beginning.certs, local, initiator=False)
    joined = await join(keyed, connection, connection.local, Ids(local, peer), beginning.eap, server)
    return joined.proven, joined.response, joined.message


async def prove_again(sa: SaView, keyed: Keyed, message: Message, local: Identification) -> Answered:
    """The first round is answered: see who the responder is, and prove ourselves once more (RFC 4739)."""
    connection = keyed.connection
    assert connection.local2 is not None  # noqa: S101 - the caller has seen to it
    first = IkeAuthResponse.of(message)
    peer = first.idr.identification
    server = await verify(sa, keyed, connection, peer, first.auth, first.certs, local, initiator=False)
    if first.sa is not None:
        raise AuthenticationFailed("the peer wants no second proof of us: leave out local2")
    how = connection.local2
    again = how.id or (local if how.auth is AuthKind.EAP else await LocalIdentity(connection.name, how, sa.path))
    if how.auth is AuthKind.EAP:
        received = await SendRequest(ExchangeType.IKE_AUTH, (IdI(again),))
        _check(received.message)
        ids = Ids(again, peer)
        joined = await join(keyed, connection, how, ids, EapStep.of(received.message).eap, server)
        return joined.proven, joined.response, joined.message
    return await _sign_again(sa, keyed, how, again, server)


async def _sign_again(
    sa: SaView, keyed: Keyed, how: LocalAuthConfig, local: Identification, server: PeerAuthenticated
) -> Answered:
    proof = await sign(sa, keyed, keyed.connection, local, server.identity, initiator=True, how=how)
    received = await SendRequest(ExchangeType.IKE_AUTH, (IdI(local), *proof.certs, proof.auth))
    _check(received.message)
    # §3 of RFC 4739: the responder has nothing more to prove; what is left is the child.
    return server, RoundEnd.of(received.message), received.message


def _check(message: Message) -> None:
    error = message.error_notify
    if error is not None:
        raise RefusedByPeer(
            error.type, "our first proof was right, the second is not: compare remote2 on the other side"
        )


def _says(notifies: tuple[Notify, ...], kind: NotifyType) -> bool:
    return any(notify.type is kind for notify in notifies)
