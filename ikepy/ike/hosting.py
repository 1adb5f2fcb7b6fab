"""Hosting: the tables of an Endpoint's IKE SAs, and what it does for them; the half of it that host.py describes.

Rule 1: an IKE SA is found by our SPI and by its unique number as long as it lives or lingers.
Not here: datagrams, timeouts, what operators want (endpoint.py); what one IKE SA does (sa.py).
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Coroutine
from ipaddress import IPv4Address
from typing import Any

from ikepy.config.model import ChildConfig, Config, ConnectionConfig, Unique
from ikepy.crypto.entropy import Entropy
from ikepy.ike.actions import Action, Datagram, Path, Perform, Publish, SendDatagram, SocketAddress, Ticket
from ikepy.ike.admission import Holdings
from ikepy.ike.causes import Cause
from ikepy.ike.child import ChildSa
from ikepy.ike.contacts import Contacts
from ikepy.ike.conversation import Conversation
from ikepy.ike.doorman import Doorman
from ikepy.ike.drops import DropReason
from ikepy.ike.duplicates import losing_ike_sa
from ikepy.ike.effects import Effect
from ikepy.ike.events import ChildSaUp, Event, IkeSaUp
from ikepy.ike.keeping import Keeping
from ikepy.ike.observer import Observer
from ikepy.ike.phases import Closed, Contact, Established
from ikepy.ike.reauthentication import Reauthentication
from ikepy.ike.redirection import Redirection, Redirections
from ikepy.ike.reqids import Reqids
from ikepy.ike.sa import LINGER, IkeSa
from ikepy.ike.selection import candidates_by_address
from ikepy.ike.snapshot import snapshot_child, snapshot_ike
from ikepy.ike.timers import TimerName, Timers
from ikepy.ipsec import Selector
from ikepy.wire.header import IkeHeader

SPI_OCTETS = 8
NO_SPI = bytes(SPI_OCTETS)
UNRESOLVED = Path(SocketAddress(IPv4Address(0), 0), SocketAddress(IPv4Address(0), 0))
"The path of an IKE SA whose peer's address is not known yet."
MOST_LINGERING = 1024
"Closed IKE SAs that still answer repeats."


class Hosting:
    """What IKE SAs ask of their endpoint."""

    def __init__(self, config: Config, entropy: Entropy, observer: Observer) -> None:
        self.config, self.entropy, self.observer = config, entropy, observer
        self.now = 0.0
        self.drops: Counter[DropReason] = Counter()
        self.reqids = Reqids(config.daemon.reqid_base)
        self.redirections = Redirections()
        self.holdings = Holdings()
        self._actions: list[Action] = []
        self._sas: dict[bytes, IkeSa] = {}
        self._by_id: dict[int, IkeSa] = {}
        self._alarms: Timers[int] = Timers()
        self._tickets: dict[Ticket, tuple[Effect[Any], IkeSa | None, Conversation | None]] = {}
        self._last_ticket = self._last_id = self._last_child = 0
        self._probed: dict[int, float] = {}
        self._contacts = Contacts()
        self._lingering: deque[IkeSa] = deque()
        self._doorman = Doorman(self)
        self._reauthentication = Reauthentication(self)
        self._keeping = Keeping(self)

    def send(self, octets: bytes, path: Path) -> None:
        """Send a datagram."""
        self._actions.append(SendDatagram(Datagram(octets, path)))

    def drop(self, datagram: Datagram, reason: DropReason, detail: str, header: IkeHeader | None) -> None:
        """Count and tell that a datagram comes to nothing."""
        self.drops[reason] += 1
        words = ""
        if header is not None:
            kind = "response" if header.is_response else "request"
            words = f"{header.exchange} {kind} {header.message_id}"
        self.observer.dropped(datagram.path, reason, detail, words)

    def perform(self, effect: Effect[Any], sa: IkeSa | None, conversation: Conversation | None) -> Ticket:
        """Have an effect performed for a conversation."""
        self._last_ticket += 1
        ticket = Ticket(self._last_ticket)
        self._tickets[ticket] = (effect, sa, conversation)
        self._actions.append(Perform(ticket, effect))
        return ticket

    def run(self, name: str, exchange: Coroutine[Effect[Any], Any, None]) -> None:
        """Perform what the coroutine awaits, beside the conversations of IKE SAs."""
        self._keeping.run(name, exchange)

    def perform_undo(self, effect: Effect[None]) -> None:
        """Have an effect performed that nobody waits for."""
        self.perform(effect, None, None)

    def publish(self, event: Event) -> None:
        """Publish what is true now."""
        self.observer.published(event)
        self._actions.append(Publish(event))

    def set_alarm(self, sa: IkeSa, at: float | None) -> None:
        """Have handle_timeout() of the SA called at that instant; None for not at all."""
        if at is None:
            self._alarms.clear(sa.unique_id)
        elif at != self._alarms.instant(sa.unique_id):
            self._alarms.set(sa.unique_id, at)

    def next_child_id(self) -> int:
        """A unique number for a child."""
        self._last_child += 1
        return self._last_child

    def candidates(self, path: Path) -> tuple[ConnectionConfig, ...]:
        """The connections the addresses allow, most specific first."""
        return candidates_by_address(self.config, path)

    def has_other_contact(self, unique_id: int, connection: ConnectionConfig, path: Path) -> bool:
        """Whether another established IKE SA than that one is with the same peer; who is named may be at two addresses."""
        return any(
            sa.unique_id != unique_id
            and sa.is_announced
            and isinstance(sa.phase, Established)
            and sa.connection.name == connection.name
            and (sa.path.remote.address == path.remote.address or not connection.remote.id.wildcard)
            for sa in self._by_id.values()
        )

    def earlier(self, unique_id: int, contact: Contact) -> tuple[IkeSa, ...]:
        """The established IKE SAs with that peer, other than that one."""
        found = self._contacts.of(contact)
        return tuple(sa for sa in found if sa.unique_id != unique_id and isinstance(sa.phase, Established))

    def of_owner(self, contact: Contact) -> tuple[IkeSa, ...]:
        """The established IKE SAs of the user that EAP proved, else of the peer's identity; the oldest first."""
        found = (sa for sa in self._contacts.of_owner(contact) if isinstance(sa.phase, Established))
        return tuple(sorted(found, key=lambda sa: sa.created_at))

    def established(self, sa: IkeSa) -> None:
        """The SA is authenticated: it is half-open no more."""
        self._doorman.forget(sa)
        if isinstance(sa.phase, Established):
            sa.is_announced = True
            self._contacts.add(sa, sa.phase.authenticated)

    def succeeded(self, old: IkeSa, new: IkeSa) -> None:
        """One IKE SA has come in another's place."""
        old.is_announced, new.is_announced = False, old.is_announced
        if old.authenticated is not None and new.authenticated is not None:
            self._contacts.forget(old, old.authenticated)
            self._contacts.add(new, new.authenticated)
        self._reauthentication.succeeded(old, new)

    def reauthenticate(self, sa: IkeSa) -> None:
        """Make another IKE SA with the same peer, with all its children, and end this one."""
        self._reauthentication.begin(sa)

    def go_elsewhere(self, sa: IkeSa, children: tuple[ChildConfig, ...], redirection: Redirection) -> None:
        """The gateway of an IKE SA sends us elsewhere."""
        if isinstance(sa.phase, Established):
            self._reauthentication.make(sa, children, redirection)
        else:
            self.prepare(sa.connection).begin(children, None, redirection)

    def settled(self, sa: IkeSa) -> None:
        """An established IKE SA has all it wanted."""
        self._reauthentication.settle(sa)

    def crossed(self, sa: IkeSa) -> None:
        """An IKE SA is up with its first child: see whether the peer made another at the same time."""
        known = sa.authenticated
        if known is None or sa.connection.unique is Unique.NEVER:
            return
        others = self.earlier(sa.unique_id, known.contact)
        found = losing_ike_sa(sa, tuple(other for other in others if not self._reauthentication.is_of(sa, other)))
        if found is not None:
            ours, theirs = found
            ours.decided("both sides began an IKE SA at once: the peer's stays, ours goes")
            self._reauthentication.hand_over(ours, theirs)

    def child_ended(self, sa: IkeSa, child: ChildSa, cause: Cause) -> None:
        """A child that was in use is gone, and nothing has come in its place."""
        self._keeping.keeper.child_ended(sa.connection.name, child.name, cause)

    def child_up(self, sa: IkeSa, child: ChildSa) -> None:
        """A child is up that has come in no other's place."""
        self._keeping.keeper.child_up(sa.connection.name, child.name)

    def child_failed(self, sa: IkeSa, child: str) -> None:
        """A child came to nothing while the IKE SA lives on."""
        self._keeping.keeper.attempt_failed(sa.connection.name, child, Cause.FAILED)

    def ended(self, sa: IkeSa, cause: Cause) -> None:
        """The SA is over, or came to nothing."""
        self._reauthentication.ended(sa)
        if sa.is_announced or sa.is_initiator:
            self._keeping.keeper.attempt_failed(sa.connection.name, None, cause)

    def linger(self, sa: IkeSa) -> None:
        """The SA is over, and answers repeats of its last request for a while; of too many the oldest goes."""
        self._doorman.forget(sa)
        sa.agenda.set(TimerName.LINGER, self.now + LINGER)
        self._lingering.append(sa)
        if len(self._lingering) > MOST_LINGERING:
            self.closed(self._lingering.popleft())

    def closed(self, sa: IkeSa) -> None:
        """The SA is over, and answers no repeats any more."""
        self._doorman.forget(sa)
        self._doorman.close(sa)
        self._probed.pop(sa.unique_id, None)
        if isinstance(sa.phase, Closed) and sa.phase.authenticated is not None:
            self._contacts.forget(sa, sa.phase.authenticated)
        if self._lingering and self._lingering[0] is sa:
            self._lingering.popleft()
        self._by_id.pop(sa.unique_id, None)
        self._sas.pop(sa.our_spi, None)
        self._alarms.clear(sa.unique_id)

    def new_sa(self, connection: ConnectionConfig, path: Path, spi_i: bytes, *, our_spi: bytes | None = None) -> IkeSa:
        """Make an IKE SA: ours as initiator, or with `our_spi` as the responder of a peer's."""
        self._last_id += 1
        sa = IkeSa(self, self._last_id, connection, path, spi_i, our_spi=our_spi)
        self._sas[sa.our_spi] = sa
        self._by_id[sa.unique_id] = sa
        return sa

    def prepare(self, connection: ConnectionConfig) -> IkeSa:
        """An IKE SA that we are to begin; where its peer is, is found out when it begins."""
        return self.new_sa(connection, UNRESOLVED, self.draw_spi())

    def begin_connection(
        self, connection: ConnectionConfig, children: tuple[ChildConfig, ...], packet: Selector | None = None
    ) -> None:
        """Begin an IKE SA with these children; `packet` is the packet that asks for the first."""
        self.prepare(connection).begin(children, packet)

    def bring_up(
        self, connection: ConnectionConfig, children: tuple[ChildConfig, ...], packet: Selector | None = None
    ) -> None:
        """Bring up children on the connection's IKE SA, or on one that is begun; `packet` asks for the first."""
        sa = next((sa for sa in self.live(connection.name) if sa.is_initiator or sa.is_announced), None)
        if sa is None:
            self.begin_connection(connection, children, packet)
            return
        for child in children:
            present = sa.table.named(child.name)
            if present is None:
                sa.wish_child(child, packet)
            else:
                self.publish(ChildSaUp(snapshot_ike(sa), snapshot_child(present, "INSTALLED")))
        if not children:
            self.publish(IkeSaUp(snapshot_ike(sa)))

    def want(self, connection: ConnectionConfig, children: tuple[str, ...]) -> None:
        """Bring these children up, and try again where that comes to nothing, as `keyingtries` says."""
        self._keeping.keeper.want(connection.name, children)

    def live(self, connection: str) -> tuple[IkeSa, ...]:
        """The connection's IKE SAs that are up or coming up, newest first."""
        return tuple(
            sa for sa in reversed(self._by_id.values()) if sa.connection.name == connection and not sa.is_closing
        )

    def draw_spi(self) -> bytes:
        """An IKE SPI that none of ours has (RFC 7296 §2.6)."""
        while True:
            spi = self.entropy.octets(SPI_OCTETS)
            if spi != NO_SPI and spi not in self._sas:
                return spi
