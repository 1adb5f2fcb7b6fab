"""EAP in IKE_AUTH, as the gateway and as the client (RFC 7296 §2.16, RFC 5998).

    Client                                 Gateway
    HDR, SK {IDi, [CERTREQ,] [IDr,]
        [CP,] SAi2, TSi, TSr}         -->
                                      <--  HDR, SK {IDr, [CERT,] AUTH, EAP}        EAP-only: without CERT and AUTH
    HDR, SK {EAP}                     -->
                                      <--  HDR, SK {EAP}                           ... then EAP-Success
    HDR, SK {AUTH}                    -->                                          of the MSK, or of SK_pi
                                      <--  HDR, SK {AUTH, [CP,] SAr2, TSi, TSr}

Rule 1: EAP-Success lets nobody in: only the AUTH behind it does, which is made of the same key.
Rule 2: a client goes on with EAP only after the gateway's AUTH was right, or where the method proves the gateway.
Rule 3: what is out of turn changes nothing: the gateway asks again, the client ends.
Not here: EAP itself (auth/eap), what goes into the first and the last message (ike_auth.py).
"""

from __future__ import annotations

from dataclasses import dataclass

from ikepy.config.groups import NO_PROOF
from ikepy.config.model import ConnectionConfig, LocalAuthConfig, RemoteAuthConfig
from ikepy.ike.admission import AnswerEap, BeginEap, EapDialog, EapIdentity, FollowEap, JoinEap, VerifyEapAuth
from ikepy.ike.eap_turns import Accepted, Denied, Ignored, Proved, Refused, Say, ServerTurn
from ikepy.ike.effects import PeerAuthenticated, Received, Respond, SendRequest
from ikepy.ike.errors import AuthenticationFailed, GivenUpByPeer, LocalFault, PeerFault, RefusedByPeer
from ikepy.ike.exchanges.proving import PeerNotAuthenticated, octets_of, secret_of, shared_auth
from ikepy.ike.exchanges.view import SaView
from ikepy.ike.phases import Keyed
from ikepy.wire.base import Payload
from ikepy.wire.eap import Eap
from ikepy.wire.message import Message
from ikepy.wire.payloads import Auth, Identification
from ikepy.wire.registry import EapType, ExchangeType, NotifyType
from ikepy.wire.shapes import EapEnd, EapProof, EapStep


class EapRefused(AuthenticationFailed):
    """The client did not get through EAP; the peer is told by EAP-Failure."""

    def __init__(self, turn: Refused) -> None:
        super().__init__(turn.reason, before=(turn.packet,))


@dataclass(frozen=True, slots=True)
class Admitted:
    """The client is proven: who it is, and our AUTH for the last response."""

    proven: PeerAuthenticated
    auth: Auth
    received: Received


@dataclass(frozen=True, slots=True)
class Joined:
    """The gateway let us in, and has proved that it has the same key."""

    proven: PeerAuthenticated
    response: EapEnd
    message: Message


@dataclass(frozen=True, slots=True)
class Ids:
    """Who both sides say they are."""

    local: Identification
    peer: Identification


# -- the gateway -------------------------------------------------------------------------------------------------


async def admit(
    sa: SaView,
    keyed: Keyed,
    connection: ConnectionConfig,
    remote: RemoteAuthConfig,
    ids: Ids,
    head: tuple[Payload, ...],
    *,
    must_prove_server: bool,
) -> Admitted:
    """Have a client prove itself by EAP; raises AuthenticationFailed, EapRefused, NoCredential, WireError.

    head                what goes ahead of the first EAP request
    must_prove_server   whether there is no AUTH in it (RFC 5998)
    """
    begun = await BeginEap(connection.name, remote, sa.path)
    proved = await _ask(sa, begun.dialog, begun.turn, head)
    if must_prove_server and not proved.proves_server:
        raise AuthenticationFailed(f"EAP-{proved.method} does not prove who we are, and nothing else has")
    received = await next_round(sa, (proved.packet,))
    auth = EapProof.of(received.message).auth
    proof = await EapIdentity(begun.dialog, proved.user)
    proven = await VerifyEapAuth(
        connection=connection.name,
        remote=remote,
        identity=ids.peer,
        auth=auth,
        prf=keyed.suite.prf.id,
        secret=secret_of(keyed, proved.msk, initiator=True),
        signed_octets=octets_of(keyed, ids.peer, initiator=True),
        proof=proof,
        method=f"EAP-{proved.method}",
    )
    return Admitted(proven, shared_auth(keyed, proved.msk, ids.local, initiator=False), received)


async def next_round(sa: SaView, payloads: tuple[Payload, ...]) -> Received:
    """Answer, and wait for the peer's next request of IKE_AUTH; raises GivenUpByPeer."""
    received = await Respond(payloads)
    sa.grant_time()
    if received.message.header.exchange is not ExchangeType.INFORMATIONAL:
        return received
    raise GivenUpByPeer(
        "the client ends it: it does not accept our certificate or identity (has it our CA, and does the certificate "
        "name what the client connects to, in subjectAltName?)"
    )


async def _ask(sa: SaView, dialog: EapDialog, first: Say | Refused, head: tuple[Payload, ...]) -> Proved:
    """Ask until the client has proved itself; raises EapRefused."""
    turn: ServerTurn = first
    outstanding: Eap | None = None
    while not isinstance(turn, Proved):
        match turn:
            case Refused():
                sa.has_claimed(turn.claimed or "", _method(turn.method))
                raise EapRefused(turn)
            case Say(packet):
                outstanding = packet
                sa.has_claimed(turn.claimed, _method(packet.method), turn.doom)
            case Ignored(reason):
                sa.decided(f"ignored: {reason}")
        assert outstanding is not None  # noqa: S101 - a conversation begins with Say or Refused
        doomed = isinstance(turn, Say) and turn.doom
        try:
            received = await next_round(sa, (*head, outstanding))
        except GivenUpByPeer as end:
            raise GivenUpByPeer(doomed or str(end)) from end
        head = ()
        turn = await AnswerEap(dialog, EapStep.of(received.message).eap, sa.path)
    return turn


def _method(method: EapType | None) -> str:
    return f"EAP-{method}" if method not in {None, EapType.IDENTITY} else ""


# -- the client --------------------------------------------------------------------------------------------------


async def join(
    keyed: Keyed,
    connection: ConnectionConfig,
    how: LocalAuthConfig,
    ids: Ids,
    first: Eap,
    server: PeerAuthenticated | None,
) -> Joined:
    """Prove ourselves by EAP; raises RefusedByPeer, AuthenticationFailed, NoCredential, GaveUp, WireError.

    first    the gateway's first EAP request
    server   what the gateway's own AUTH has proved; None where it sent none (RFC 5998)
    """
    dialog = await JoinEap(connection.name, how, connection.remote, ids.local, server is not None)
    accepted = await _answer(dialog, first)
    if server is None and not accepted.proves_server:
        raise AuthenticationFailed("the gateway has not proved who it is: it sent no AUTH, and the method does not")
    received = await SendRequest(ExchangeType.IKE_AUTH, (shared_auth(keyed, accepted.msk, ids.local, initiator=True),))
    error = received.message.error_notify
    if error is not None and not received.message.all(Auth):
        raise RefusedByPeer(error.type, "our EAP was right, and something else is not: its log says what")
    try:
        response = EapEnd.of(received.message)
        proven = await _verify_end(keyed, connection, ids, response.auth, accepted, server)
    except (PeerFault, LocalFault) as fault:
        raise PeerNotAuthenticated(str(fault)) from fault
    return Joined(proven, response, received.message)


async def _verify_end(
    keyed: Keyed,
    connection: ConnectionConfig,
    ids: Ids,
    auth: Auth,
    accepted: Accepted,
    server: PeerAuthenticated | None,
) -> PeerAuthenticated:
    """Check that the gateway has the key that EAP left behind."""
    return await VerifyEapAuth(
        connection=connection.name,
        remote=connection.remote,
        identity=ids.peer,
        auth=auth,
        prf=keyed.suite.prf.id,
        secret=secret_of(keyed, accepted.msk, initiator=False),
        signed_octets=octets_of(keyed, ids.peer, initiator=False),
        proof=server.proof if server is not None else NO_PROOF,
        method=f"{server.method} and EAP-{accepted.method}" if server is not None else f"EAP-{accepted.method}",
    )


async def _answer(dialog: EapDialog, packet: Eap) -> Accepted:
    """Answer until the gateway lets us in; raises RefusedByPeer, AuthenticationFailed."""
    while True:
        turn = await FollowEap(dialog, packet)
        match turn:
            case Accepted():
                return turn
            case Denied(reason, by_us=True):
                raise PeerNotAuthenticated(reason)
            case Denied(reason):
                raise RefusedByPeer(NotifyType.AUTHENTICATION_FAILED, reason)
            case Ignored(reason):
                raise AuthenticationFailed(f"the gateway's EAP is out of turn: {reason}")
            case Say(response):
                received = await SendRequest(ExchangeType.IKE_AUTH, (response,))
                packet = await _next(dialog, received.message)


async def _next(dialog: EapDialog, message: Message) -> Eap:
    """The gateway's next packet; raises RefusedByPeer, with what EAP knows of the reason."""
    packets = message.all(Eap)
    error = message.error_notify
    if error is None:
        return EapStep.of(message).eap
    if len(packets) == 1:
        turn = await FollowEap(dialog, packets[0])
        if isinstance(turn, Denied):
            raise RefusedByPeer(error.type, turn.reason)
    raise RefusedByPeer(error.type, "in the middle of EAP: its log says why")
