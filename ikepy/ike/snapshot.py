"""What an IKE SA and its children look like from outside, in the words VICI has for states.

Not here: words for a table or the wire of VICI (control/).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ikepy.ike.admission import (
    AnswerEap,
    BeginEap,
    EapIdentity,
    FollowEap,
    HoldAddresses,
    JoinEap,
    LendAddresses,
    VerifyEapAuth,
)
from ikepy.ike.child import ChildSa
from ikepy.ike.effects import (
    AllocateSpi,
    ComputeSharedSecret,
    Effect,
    FindTrustingConnections,
    FindWays,
    InstallChildSa,
    InstallInbound,
    InstallOutbound,
    LocalIdentity,
    LookAtInbound,
    MakeKeyExchange,
    NextAnswer,
    ReleaseSpi,
    RemoveChildSa,
    ResolvePath,
    Respond,
    SendRequest,
    SignAuth,
    TrustAnchorHashes,
    VerifyAuth,
)
from ikepy.ike.events import ChildSnapshot, IkeSnapshot, Session
from ikepy.ike.exchanges.view import authenticated_ids
from ikepy.ike.phases import Authenticated, Authenticating, Closed, Closing, Connecting, Established, Keyed, Rekeyed
from ikepy.ike.timers import TimerName

if TYPE_CHECKING:
    from ikepy.ike.sa import IkeSa

_STATES = {
    Connecting: "CONNECTING",
    Authenticating: "CONNECTING",
    Established: "ESTABLISHED",
    Closing: "DELETING",
    Rekeyed: "REKEYED",
    Closed: "DESTROYING",
}
_WORDS: dict[type[Effect[Any]], str] = {
    NextAnswer: "a better answer to IKE_SA_INIT",
    Respond: "the peer's next request",
    ResolvePath: "the peer's address",
    FindWays: "ways to the peer",
    MakeKeyExchange: "a key exchange value",
    ComputeSharedSecret: "the shared secret",
    SignAuth: "our proof of identity",
    VerifyAuth: "the check of the peer's proof",
    LocalIdentity: "our identity",
    FindTrustingConnections: "a look at the peer's certificates",
    TrustAnchorHashes: "the names of our trust anchors",
    AllocateSpi: "an SPI from the kernel",
    ReleaseSpi: "the kernel",
    InstallChildSa: "the kernel to install the child",
    InstallInbound: "the kernel to install the child",
    InstallOutbound: "the kernel to change over to the new child",
    LookAtInbound: "the kernel's counters",
    RemoveChildSa: "the kernel to remove the child",
    BeginEap: "the beginning of EAP",
    AnswerEap: "the check of the client's EAP",
    EapIdentity: "a look at the user",
    VerifyEapAuth: "the check of the peer's proof",
    JoinEap: "the beginning of EAP",
    FollowEap: "our answer in EAP",
    LendAddresses: "addresses for the peer",
    HoldAddresses: "the kernel to take our addresses",
}


def snapshot_ike(sa: IkeSa) -> IkeSnapshot:
    """The IKE SA as it is now."""
    phase, keyed = sa.phase, sa.keyed
    authenticated, coming = sa.authenticated, sa.agenda.next()
    local, remote = authenticated_ids(sa.connection)
    return IkeSnapshot(
        connection=sa.connection.name,
        unique_id=sa.unique_id,
        state="REKEYING" if isinstance(phase, Established) and sa.is_rekeying else _STATES[type(phase)],
        initiator=sa.is_initiator,
        spi_i=sa.channel.spi_i,
        spi_r=sa.channel.spi_r,
        path=sa.path,
        local_id=authenticated.local_id if authenticated is not None else local,
        remote_id=authenticated.remote_id if authenticated is not None else remote,
        proposal=keyed.proposal if keyed is not None else None,
        established_at=phase.since if isinstance(phase, Established) else None,
        created_at=sa.created_at,
        waiting_for=waiting_for(sa),
        next_event=(coming[0].value, coming[1]) if coming is not None else None,
        nat_local=keyed.nat.local if keyed is not None else False,
        nat_remote=keyed.nat.remote if keyed is not None else False,
        children=tuple(
            snapshot_child(child, sa.table.state_of(child))
            for child in sa.children.values()
            if child.unique_id not in sa.table.redundant
        ),
        queued=tuple(str(wish) for wish in sa.pending),
        rekey_at=sa.agenda.instant(TimerName.REKEY),
        reauth_at=sa.agenda.instant(TimerName.REAUTHENTICATE),
        session=session_of(authenticated, keyed) if authenticated is not None and keyed is not None else None,
    )


def session_of(authenticated: Authenticated, keyed: Keyed) -> Session:
    """Who the peer is, and what it has of us, or we of it."""
    proof, admission = authenticated.proof, authenticated.admission
    return Session(
        method=proof.method,
        user=proof.proof.user,
        groups=admission.rights.groups,
        lent=admission.lent,
        given=admission.given,
        dns=admission.dns,
        domains=admission.domains,
        client=keyed.client,
        quirks=keyed.quirks.words(),
        idle_timeout=admission.rights.idle_timeout or None,
    )


def snapshot_child(child: ChildSa, state: str) -> ChildSnapshot:
    """A child as it is now; `state` is VICI's word."""
    negotiated = child.negotiated
    return ChildSnapshot(
        name=child.name,
        unique_id=child.unique_id,
        state=state,
        mode=negotiated.mode,
        proposal=negotiated.proposal,
        local_ts=negotiated.local_ts,
        remote_ts=negotiated.remote_ts,
        spec=child.spec,
        encap=child.encap,
        installed_at=child.installed_at,
        rekey_at=child.rekey_at,
        life_until=child.life_until,
    )


def waiting_for(sa: IkeSa) -> str | None:
    """What the SA's conversation waits for, in words; None where nothing runs."""
    for conversation in (sa.initiating, sa.responding):
        if conversation is None or conversation.waiting_for is None:
            continue
        effect = conversation.waiting_for
        if isinstance(effect, SendRequest):
            outstanding = sa.channel.requests.outstanding
            repeats = outstanding.sent - 1 if outstanding is not None else 0
            return f"an answer to {effect.exchange}" + (f", repeated {repeats} times" if repeats else "")
        return _WORDS[type(effect)]
    return None
