"""How an IkeSa shows itself to its exchanges: the half of it that exchanges/view.py describes.

Not here: what an IkeSa does with its inputs (sa.py).
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING

from ikepy.config.model import Config, ConnectionConfig
from ikepy.crypto.entropy import Entropy
from ikepy.ike.actions import Path
from ikepy.ike.admission import NO_ADMISSION
from ikepy.ike.agenda import Agenda
from ikepy.ike.channel import Channel
from ikepy.ike.child import ChildSa, Negotiated
from ikepy.ike.child_table import ChildTable, Replacement
from ikepy.ike.conversation import Conversation
from ikepy.ike.effects import MoveChildSa
from ikepy.ike.ends import Ends, ends_of
from ikepy.ike.events import AttemptFailed, ChildSaRekeyed, Claim
from ikepy.ike.host import Host
from ikepy.ike.nat import NatFindings
from ikepy.ike.peering import Peering
from ikepy.ike.phases import (
    Authenticated,
    Authenticating,
    Closed,
    Closing,
    Connecting,
    Established,
    Keyed,
    Phase,
    Rekeyed,
)
from ikepy.ike.snapshot import snapshot_child, snapshot_ike
from ikepy.ike.timers import TimerName
from ikepy.ike.wishes import WantChildDeleted, WantForeignChildDeleted, Wish
from ikepy.ipsec import SaId, Spi
from ikepy.personas.fingerprint import Seen
from ikepy.personas.ms_status import MS_NOTIFY_STATUS, describe_ms_status
from ikepy.personas.quirks import NO_QUIRKS, Quirks
from ikepy.wire.message import Message
from ikepy.wire.payloads import Identification
from ikepy.wire.redirect import Gateway

if TYPE_CHECKING:
    from ikepy.ike.exchanges.rekey_ike import Successor
    from ikepy.ike.granting import Granting
    from ikepy.ike.moving import Moving
    from ikepy.ike.sa import IkeSa
    from ikepy.ike.succession import Succession
    from ikepy.ike.upkeep import Upkeep

MOST_CHILDREN = 256
"Children of one IKE SA; a peer that wants more is told NO_ADDITIONAL_SAS."
RETIREMENT = 5.0
"Seconds a replaced and deleted child's inbound state stays for packets in flight."
OF_CHILDREN = frozenset({"CREATE_CHILD_SA", "rekey child", "delete child"})
"Conversations during which the IKE SA is not to be rekeyed (RFC 7296 §2.25.2)."
MAKING_CHILDREN = OF_CHILDREN - {"delete child"}
REKEY_IKE = "rekey IKE SA"


class Viewing(Peering):
    """Facts of an IKE SA, and the named things an exchange may do to it."""

    host: Host
    channel: Channel
    agenda: Agenda
    unique_id: int
    is_initiator: bool
    table: ChildTable
    moving: Moving
    pending: deque[Wish]
    created_at: float
    heard_at: float
    initiating: Conversation | None
    held: IkeSa | None
    upkeep: Upkeep
    succession: Succession
    granting: Granting
    is_announced: bool
    deleted_ahead: set[Spi]
    claim: Claim | None
    _unmoved: Successor | None
    _phase: Phase
    _connection: ConnectionConfig

    # -- facts ---------------------------------------------------------------------------------------------------

    @property
    def config(self) -> Config:
        """The configuration in force."""
        return self.host.config

    @property
    def entropy(self) -> Entropy:
        """Randomness."""
        return self.host.entropy

    @property
    def connection(self) -> ConnectionConfig:
        """The connection as far as it is known."""
        return self._connection

    @property
    def path(self) -> Path:
        """Where messages go at present."""
        return self.channel.path

    @property
    def phase(self) -> Phase:
        """What is known at present."""
        return self._phase

    @property
    def keyed(self) -> Keyed | None:
        """What IKE_SA_INIT found out, None before."""
        return None if isinstance(self._phase, Connecting) else self._phase.keyed

    @property
    def authenticated(self) -> Authenticated | None:
        """Who both sides are, None before that is proven."""
        phase = self._phase
        return phase.authenticated if isinstance(phase, Established | Closing | Rekeyed | Closed) else None

    @property
    def quirks(self) -> Quirks:
        """What is done otherwise for this peer."""
        return self.keyed.quirks if self.keyed is not None else NO_QUIRKS

    def has_shown(self, identity: Identification, seen: Seen | None) -> None:
        """The peer's first request of IKE_AUTH has come: who it says to be, and more of what it is."""
        if isinstance(self._phase, Authenticating):
            self._phase = replace(self._phase, keyed=replace(self._phase.keyed, seen=seen))
            self.claim = Claim(self.path, identity, client=self._phase.keyed.client)

    def has_claimed(self, user: str, method: str, doom: str = "") -> None:
        """The peer is in the middle of EAP as somebody; `doom` is why it will not be let in, where that is known."""
        if self.claim is not None:
            user, method = user or self.claim.user, method or self.claim.method
            self.claim = replace(self.claim, path=self.path, user=user, method=method, doom=doom)

    @property
    def why_unfinished(self) -> str:
        """Why a peer that began may not have gone on."""
        doom = self.claim.doom if self.claim is not None else ""
        return f"{doom}; the peer did not go on" if doom else "the peer began and did not go on"

    @property
    def peer_identity(self) -> Identification:
        """The peer's proven identity; only of an authenticated IKE SA."""
        authenticated = self.authenticated
        assert authenticated is not None  # noqa: S101 - exchanges about children are allowed only then
        return authenticated.remote_id

    def explain(self, message: Message) -> None:
        """Say in words what a Windows says by its private notify."""
        status = message.notify(MS_NOTIFY_STATUS)
        if status is not None:
            self.decided(describe_ms_status(status.octets), warning=True)

    @property
    def is_closing(self) -> bool:
        """Whether this IKE SA is replaced, or a delete of it is on its way, or done."""
        return isinstance(self._phase, Closing | Rekeyed | Closed)

    @property
    def is_rekeying(self) -> bool:
        """Whether our own rekeying of this IKE SA is under way, or the peer's is done and its children have not moved."""
        if self.held is not None or self._unmoved is not None:
            return True
        return self.initiating is not None and self.initiating.name == REKEY_IKE

    @property
    def is_at_a_child(self) -> bool:
        """Whether an exchange of ours that makes, replaces or closes a child is under way."""
        return self.initiating is not None and self.initiating.name in OF_CHILDREN

    @property
    def is_making_a_child(self) -> bool:
        """Whether an exchange of ours that brings a child is under way: the peer may have it already."""
        return self.initiating is not None and self.initiating.name in MAKING_CHILDREN

    @property
    def is_mobile(self) -> bool:
        """Whether both sides do MOBIKE (RFC 4555)."""
        return self.moving.is_mobile

    @property
    def leads(self) -> bool:
        """Whether we began the first of the IKE SAs that this one has come after."""
        return self.moving.leads

    def look_at_nat(self, nat: NatFindings, seen_as: bytes) -> None:
        """An answer tells what NATs are between, and as what we are seen."""
        self.moving.look_at_nat(nat, seen_as)

    @property
    def is_shown(self) -> bool:
        """Whether an operator is to see it: not of two successors the one that has not come in the old one's place."""
        if isinstance(self._phase, Established):
            return self.is_announced
        return not isinstance(self._phase, Closed)

    @property
    def has_repeated(self) -> bool:
        """Whether our outstanding request was repeated."""
        outstanding = self.channel.requests.outstanding
        return outstanding is not None and outstanding.sent > 1

    @property
    def now(self) -> float:
        """The instant of the present input."""
        return self.host.now

    @property
    def has_room(self) -> bool:
        """Whether one more child may be made."""
        return len(self.table.children) < MOST_CHILDREN

    @property
    def has_room_for_heir(self) -> bool:
        """Whether one more child may be replaced before the old ones are deleted."""
        return len(self.table.children) < 2 * MOST_CHILDREN

    @property
    def bar_to_rekeying(self) -> str | None:
        """Why the peer may not replace this IKE SA just now; None where nothing stands against it."""
        if self.held is not None:
            return "the peer has made its successor already"
        if self.agenda.instant(TimerName.SUPERSEDED) is not None:
            return "another has come in its place"
        if self.succession.is_crowded:
            return "those before it are not deleted yet"
        return None

    @property
    def children(self) -> dict[int, ChildSa]:
        """The children that exchanges find, by their unique numbers."""
        return self.table.children

    def child_by_spi_in(self, spi: Spi) -> ChildSa | None:
        """The child we receive by that SPI."""
        return self.table.by_spi_in(spi)

    def child_by_spi_out(self, spi: Spi) -> ChildSa | None:
        """The child we send by that SPI."""
        return self.table.by_spi_out(spi)

    def children_by_spi_out(self) -> dict[Spi, ChildSa]:
        """The children by the SPIs we send by; of two with one SPI, the older."""
        return {child.spi_out: child for child in reversed(self.table.children.values())}

    def is_deleting(self, child: ChildSa) -> bool:
        """Whether our delete of that child is on its way."""
        return child.unique_id in self.table.deleting

    def has_heir(self, child: ChildSa) -> bool:
        """Whether another child has come in its place."""
        return self.table.has_heir(child)

    def heir_waiting_for(self, child: ChildSa) -> ChildSa | None:
        """The child that the peer made in its place, as long as we do not send by it."""
        return self.table.heir_waiting_for(child)

    def inbound_states(self) -> tuple[SaId, ...]:
        """The states we receive by."""
        return tuple(child.spec.inbound.id for child in self.table.children.values())

    def candidates(self) -> tuple[ConnectionConfig, ...]:
        """The connections that the addresses of the path allow."""
        return self.host.candidates(self.path)

    # -- numbers -------------------------------------------------------------------------------------------------

    def next_child_id(self) -> int:
        """A unique number for a new child."""
        return self.host.next_child_id()

    def reqid_for(self, negotiated: Negotiated, peer: Identification) -> int:
        """The request ID of a new child with that peer."""
        name = negotiated.config.name
        return self.host.reqids.of((self._connection.name, name, peer, negotiated.local_ts, negotiated.remote_ts))

    def follow_redirect(self, gateway: Gateway) -> None:
        """We are about to go where a gateway sends us; raises GaveUp where that is not allowed, or too often."""
        self.host.redirections.follow(self._connection, gateway, self.host.now)
        self.decided(f"the gateway sends us to {gateway}")

    def draw_ike_spi(self) -> bytes:
        """An IKE SPI that is free."""
        return self.host.draw_spi()

    # -- what an exchange may do ---------------------------------------------------------------------------------

    def adopt_path(self, path: Path) -> None:
        """Send there from now on."""
        self.channel.path = path

    @property
    def ends(self) -> Ends:
        """What `dynamic` stands for on both sides; before both are known, the addresses of the path."""
        known = self.authenticated
        return ends_of(self.path, known.admission if known is not None else NO_ADMISSION)

    def decided(self, decision: str, *, warning: bool = False) -> None:
        """Tell the observer of a choice and its reason."""
        self.host.observer.decided(self.channel.spi_i, self.channel.spi_r, decision, warning=warning)

    def child_failed(self, child: str | None, reason: str) -> None:
        """Publish that a child came to nothing while the IKE SA lives on."""
        self.host.publish(AttemptFailed(self._connection.name, child, self.unique_id, reason))
        if child is not None:
            self.host.child_failed(self, child)  # type: ignore[arg-type]

    def heard_by_children(self, idle: float) -> None:
        """A packet came in by a child that long ago."""
        self.heard_at = max(self.heard_at, self.now - idle)

    def delete_foreign_child(self, spi_in: Spi) -> None:
        """Ask the peer, as soon as may be, to delete a child it has and we do not."""
        self.pending.appendleft(WantForeignChildDeleted(spi_in))

    def delete_child(self, child: ChildSa) -> None:
        """Delete a child, as soon as may be."""
        self.granting.note(WantChildDeleted(child.unique_id, exact=True))

    def replacement(self, old: ChildSa) -> Replacement:
        """What is being done to replace a child, entered if nothing is."""
        return self.table.replacement(old)

    def is_replaced(self, old: ChildSa) -> bool:
        """Whether our own attempt to replace it has its answer, or the peer has begun one."""
        found = self.table.replacements.get(old.unique_id)
        return found is not None and (found.settled or found.theirs is not None)

    def is_unused(self, child: ChildSa) -> bool:
        """Whether we do not send by that child of the peer's."""
        return child.unique_id in self.table.unannounced

    def forget_replacement(self, old: ChildSa) -> None:
        """Forget what was done to replace a child, unless somebody is still at it."""
        self.table.tidy(old.unique_id)

    def begin_change_over(self, old: ChildSa, heir: ChildSa) -> bool:
        """We are about to send by the heir; False where that is under way already."""
        if self.table.waiting.pop(heir.unique_id, None) is None:
            return False
        self.table.inherit(old, heir)
        self.agenda.clear(TimerName.CHILD_SWITCH, heir.unique_id)
        return True

    def is_changing_over(self, old: ChildSa) -> bool:
        """Whether the change-over from a child is under way."""
        heir = self.table.latest(old.unique_id)
        return self.table.has_heir(old) and heir is not None and heir.unique_id in self.table.unannounced

    def changed_over(self, old: ChildSa, heir: ChildSa) -> None:
        """Packets go by the heir."""
        self.table.unannounced.discard(heir.unique_id)
        if heir.unique_id in self.table.children:
            present = self.table.children[heir.unique_id]
            if present.spec != heir.spec:  # it moved while its outbound state was put in
                self.host.perform_undo(MoveChildSa(present.spec))
            states = snapshot_child(old, "REKEYED"), snapshot_child(heir, "INSTALLED")
            self.host.publish(ChildSaRekeyed(snapshot_ike(self), *states, by_peer=True))  # type: ignore[arg-type]

    def note_deleted_ahead(self, spi_out: Spi) -> None:
        """The peer deletes a child we do not have: it may be the one its delayed answer is about."""
        if self.is_at_a_child and len(self.deleted_ahead) < MOST_CHILDREN:
            self.deleted_ahead.add(spi_out)

    def was_deleted_ahead(self, spi_out: Spi) -> bool:
        """Whether the peer has deleted that child before its answer came."""
        return spi_out in self.deleted_ahead

    def begin_removal(self, child: ChildSa) -> bool:
        """The child is being taken down: no other exchange finds it any more."""
        self.agenda.clear_child(child.unique_id)
        return self.table.begin_removal(child)

    def begin_retirement(self, child: ChildSa) -> None:
        """A replaced child is deleted: its inbound state stays for some seconds; of too many the oldest goes."""
        if self.table.begin_retirement(child):
            self.agenda.clear_child(child.unique_id)
            self.agenda.set(TimerName.CHILD_RETIRED, self.now + RETIREMENT, child.unique_id)
            if len(self.table.retiring) > MOST_CHILDREN:
                self.upkeep.end_retired(next(iter(self.table.retiring)))
