"""Peering: what an IKE SA does about others with the same peer, and about the time a peer has to prove who it is.

Rule 1: who it is with, is a Contact: both identities, and the user where EAP proved one (phases.py).
Not here: the verdict on an earlier IKE SA (uniqueness.py), who is with whom (contacts.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ikepy.config.identities import format_identity
from ikepy.config.model import ConnectionConfig
from ikepy.ike.admission import Lease
from ikepy.ike.agenda import Agenda
from ikepy.ike.causes import Cause
from ikepy.ike.channel import Channel
from ikepy.ike.errors import AuthenticationFailed
from ikepy.ike.host import Host
from ikepy.ike.phases import Contact, Established
from ikepy.ike.timers import TimerName
from ikepy.ike.uniqueness import Again, Verdict, verdict_on_earlier
from ikepy.ipsec import IpAddress

if TYPE_CHECKING:
    from ikepy.ike.sa import IkeSa

LEFT_TO_PEER = 60.0
"Seconds a peer that has come again has to delete its earlier IKE SA (`unique = replace` and `keep`)."
PATIENCE_PER_ROUND = 60.0
"Seconds a client has for each step of EAP: people type passwords, and wrong ones slow it down."
MOST_AUTHENTICATING = 300.0
"Seconds in which a client is through with EAP, or closed."


class Peering:
    """The half of an IKE SA that looks at its peer's others."""

    host: Host
    channel: Channel
    agenda: Agenda
    unique_id: int
    is_initiator: bool
    created_at: float
    _connection: ConnectionConfig
    left_behind: tuple[Lease, ...]

    def is_first_contact(self) -> bool:
        """Whether we have no other IKE SA with this peer."""
        return not self.host.has_other_contact(self.unique_id, self._connection, self.channel.path)

    def settle_uniqueness(self, connection: ConnectionConfig, contact: Contact, *, initial_contact: bool) -> None:
        """The peer is proven: close what it has not any more, or may not have twice."""
        for other in self.host.earlier(self.unique_id, contact):
            remote = worded_contact(contact)
            same_address = other.path.remote.address == self.channel.path.remote.address
            crossed = isinstance(other.phase, Established) and other.phase.since >= self.created_at
            again = Again(initial_contact, crossed, same_address, self.is_initiator or other.is_initiator)
            match verdict_on_earlier(connection.unique, again):
                case Verdict.CLOSED:
                    other.close("the peer has begun anew (INITIAL_CONTACT)", Cause.SUPERSEDED)
                case Verdict.DELETED:
                    self._supersede(other, f"{remote} has come again from {self.channel.path.remote.address}")
                case Verdict.LEFT_TO_PEER:
                    other.agenda.set(TimerName.SUPERSEDED, self.host.now + LEFT_TO_PEER)
                case Verdict.NEW_REFUSED:
                    raise AuthenticationFailed(
                        f"{remote} has an IKE SA from {other.path.remote.address} already, and `unique = keep`"
                    )

    def limit_sessions(self, contact: Contact, most: int) -> None:
        """Somebody has come: of too many sessions the oldest end."""
        earlier, who = self.host.of_owner(contact), worded_contact(contact)
        for other in earlier[: max(len(earlier) + 1 - most, 0)]:
            self._supersede(other, f"{who} has come again, and may have {most} sessions (max_sessions)")

    def _supersede(self, other: IkeSa, reason: str) -> None:
        """End an earlier IKE SA of a peer that is elsewhere now: its children go at once, its addresses come over."""
        other.terminate(reason, Cause.SUPERSEDED)
        other.ending.remove_children(reason, Cause.SUPERSEDED)
        self.left_behind += leases_of(other)

    def leases_of_earlier(self, contact: Contact, asked: frozenset[IpAddress | None]) -> tuple[Lease, ...]:
        """The addresses that the same peer has by its earlier IKE SAs, and that go over to this one.

        asked   what the peer asks for: of an IKE SA that it still has, only these go over
        """
        present = (lease for other in self.host.earlier(self.unique_id, contact) for lease in leases_of(other))
        return (*self.left_behind, *(lease for lease in present if lease.address in asked))

    def grant_time(self) -> None:
        """A client goes on with its authentication: it has as long again for the next step, and an end."""
        at = min(self.host.now + PATIENCE_PER_ROUND, self.created_at + MOST_AUTHENTICATING)
        self.agenda.set(TimerName.HALF_OPEN, max(at, self.host.now))


def leases_of(sa: IkeSa) -> tuple[Lease, ...]:
    """The addresses that the peer has by an IKE SA."""
    return sa.authenticated.admission.leases if sa.authenticated is not None else ()


def worded_contact(contact: Contact) -> str:
    """Whom a contact is with, for our log."""
    _, remote, user = contact
    return f"'{user}'" if user is not None else f"'{format_identity(remote)}'"
