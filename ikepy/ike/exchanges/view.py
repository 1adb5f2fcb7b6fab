"""What an exchange sees of its IKE SA and its surroundings: facts to read, and the few named things it may do.

Not here: how any of it works (sa.py, endpoint.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from ikepy.config.model import Config, ConnectionConfig
from ikepy.crypto.entropy import Entropy
from ikepy.ike.actions import Path
from ikepy.ike.admission import Lease
from ikepy.ike.child import ChildSa, Negotiated
from ikepy.ike.child_table import Replacement
from ikepy.ike.ends import Ends
from ikepy.ike.nat import NatFindings
from ikepy.ike.phases import Contact, Phase
from ikepy.ipsec import IpAddress, SaId, Spi
from ikepy.personas.fingerprint import Seen
from ikepy.personas.quirks import Quirks
from ikepy.wire.base import Payload
from ikepy.wire.payloads import Identification
from ikepy.wire.redirect import Gateway

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Answer(Generic[Result]):
    """The end of a responding exchange: its last response, and what it found out."""

    payloads: tuple[Payload, ...]
    result: Result


class SaView(Protocol):
    """An IKE SA, to its exchanges."""

    @property
    def config(self) -> Config:
        """The configuration in force."""

    @property
    def entropy(self) -> Entropy:
        """Randomness."""

    @property
    def connection(self) -> ConnectionConfig:
        """The connection as far as it is known."""

    @property
    def path(self) -> Path:
        """Where messages go at present."""

    @property
    def phase(self) -> Phase:
        """What is known at present."""

    @property
    def quirks(self) -> Quirks:
        """What is done otherwise for this peer."""

    def has_claimed(self, user: str, method: str, doom: str = "") -> None:
        """The peer is in the middle of EAP as somebody; `doom` is why it will not be let in, where that is known."""

    def has_shown(self, identity: Identification, seen: Seen | None) -> None:
        """The peer's first request of IKE_AUTH has come: who it says to be, and more of what it is."""

    @property
    def is_closing(self) -> bool:
        """Whether this IKE SA is replaced, or a delete of it is on its way, or done."""

    @property
    def is_rekeying(self) -> bool:
        """Whether our own rekeying of this IKE SA is under way, or the peer's is done and its children have not moved."""

    @property
    def is_at_a_child(self) -> bool:
        """Whether an exchange of ours that makes, replaces or closes a child is under way (RFC 7296 §2.25.2)."""

    @property
    def is_making_a_child(self) -> bool:
        """Whether an exchange of ours that brings a child is under way: the peer may have it already."""

    @property
    def is_mobile(self) -> bool:
        """Whether both sides do MOBIKE (RFC 4555)."""

    @property
    def leads(self) -> bool:
        """Whether we began the first of the IKE SAs that this one has come after: we say where it is."""

    def look_at_nat(self, nat: NatFindings, seen_as: bytes) -> None:
        """An answer tells what NATs are between, and as what we are seen."""

    @property
    def peer_identity(self) -> Identification:
        """The peer's proven identity; only of an authenticated IKE SA."""

    @property
    def now(self) -> float:
        """The instant of the present input."""

    @property
    def has_room(self) -> bool:
        """Whether one more child may be made."""

    @property
    def has_room_for_heir(self) -> bool:
        """Whether one more child may be replaced before the old ones are deleted."""

    @property
    def bar_to_rekeying(self) -> str | None:
        """Why the peer may not replace this IKE SA just now; None where nothing stands against it."""

    def adopt_path(self, path: Path) -> None:
        """Send there from now on."""

    def child_by_spi_in(self, spi: Spi) -> ChildSa | None:
        """The child we receive by that SPI."""

    def child_by_spi_out(self, spi: Spi) -> ChildSa | None:
        """The child we send by that SPI."""

    def children_by_spi_out(self) -> dict[Spi, ChildSa]:
        """The children by the SPIs we send by; of two with one SPI, the older."""

    def is_deleting(self, child: ChildSa) -> bool:
        """Whether a delete of that child is on its way."""

    def has_heir(self, child: ChildSa) -> bool:
        """Whether another child has come in its place."""

    def heir_waiting_for(self, child: ChildSa) -> ChildSa | None:
        """The child that the peer made in its place, as long as we do not send by it."""

    def replacement(self, old: ChildSa) -> Replacement:
        """What is being done to replace a child, entered if nothing is."""

    def is_replaced(self, old: ChildSa) -> bool:
        """Whether our own attempt to replace it has its answer, or the peer has begun one: another comes too late."""

    def is_unused(self, child: ChildSa) -> bool:
        """Whether we do not send by that child of the peer's: the old one is not deleted yet, or it lost a crossing."""

    def forget_replacement(self, old: ChildSa) -> None:
        """Forget what was done to replace a child, unless somebody is still at it."""

    def begin_change_over(self, old: ChildSa, heir: ChildSa) -> bool:
        """We are about to send by the heir; False where that is under way already."""

    def is_changing_over(self, old: ChildSa) -> bool:
        """Whether the change-over from a child is under way."""

    def changed_over(self, old: ChildSa, heir: ChildSa) -> None:
        """Packets go by the heir."""

    def begin_retirement(self, child: ChildSa) -> None:
        """A replaced child is deleted; what is in flight may still come in by it for some seconds."""

    def inbound_states(self) -> tuple[SaId, ...]:
        """The states we receive by."""

    def heard_by_children(self, idle: float) -> None:
        """A packet came in by a child that long ago, seconds: the peer lives."""

    def next_child_id(self) -> int:
        """A unique number for a new child."""

    def reqid_for(self, negotiated: Negotiated, peer: Identification) -> int:
        """The request ID of a new child with that peer."""

    def draw_ike_spi(self) -> bytes:
        """An IKE SPI that is free, 8 octets."""

    def is_first_contact(self) -> bool:
        """Whether we have no other IKE SA with this peer (RFC 7296 §2.4)."""

    def settle_uniqueness(self, connection: ConnectionConfig, contact: Contact, *, initial_contact: bool) -> None:
        """The peer is proven: close what it has not any more, or may not have twice (RFC 7296 §2.4).

        Children of what is closed are on their way out of the kernel before a new one with the same selectors comes in.
        Raises AuthenticationFailed where the earlier IKE SA is to stay alone.
        """

    def limit_sessions(self, contact: Contact, most: int) -> None:
        """Somebody has come who may have so many sessions: of too many the oldest end."""

    def leases_of_earlier(self, contact: Contact, asked: frozenset[IpAddress | None]) -> tuple[Lease, ...]:
        """The addresses that the same peer has by its earlier IKE SAs, and that go over to this one.

        asked   what the peer asks for: of an IKE SA that it still has, only these go over
        """

    def grant_time(self) -> None:
        """A client goes on with its authentication: it has as long again for the next step, and an end."""

    @property
    def ends(self) -> Ends:
        """What `dynamic` stands for on both sides."""

    def follow_redirect(self, gateway: Gateway) -> None:
        """We are about to go where a gateway sends us; raises GaveUp where that is not allowed, or too often."""

    def candidates(self) -> tuple[ConnectionConfig, ...]:
        """The connections that the addresses of the path allow, most specific first."""

    def decided(self, decision: str, *, warning: bool = False) -> None:
        """Tell the observer of a choice and its reason."""

    def child_failed(self, child: str | None, reason: str) -> None:
        """Publish that a child came to nothing while the IKE SA lives on."""

    def delete_foreign_child(self, spi_in: Spi) -> None:
        """Ask the peer, as soon as may be, to delete a child it has and we do not."""

    def note_deleted_ahead(self, spi_out: Spi) -> None:
        """The peer deletes a child we do not have: it may be the one its delayed answer is about."""

    def was_deleted_ahead(self, spi_out: Spi) -> bool:
        """Whether the peer has deleted that child before its answer came."""

    def begin_removal(self, child: ChildSa) -> bool:
        """The child is being taken down, no other exchange finds it any more; False where it is not there."""

    def delete_child(self, child: ChildSa) -> None:
        """Delete the child, as soon as may be."""


def authenticated_ids(connection: ConnectionConfig) -> tuple[Identification | None, Identification | None]:
    """The identities a connection names for itself: ours, the peer's; None where it names none."""
    remote = connection.remote.id
    return connection.local.id, None if remote.wildcard else remote.identification
