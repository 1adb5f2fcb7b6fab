"""Endpoint: routes datagrams by SPI, keeps strangers within limits, and owns the IKE SAs.

Rule 1: each input returns its actions, in order; nothing is done behind its back.
Rule 2: a stranger's datagram makes state only after cookies and limits, and only if a connection may be meant.
Rule 3: whatever a datagram says, it ends in a value or a named drop.
Not here: what one IKE SA does (sa.py), sockets, clocks, the kernel.
"""

from __future__ import annotations

from collections import Counter, deque
from ipaddress import IPv4Address
from typing import Any

from ikepy.config.model import ChildConfig, Config, ConnectionConfig
from ikepy.crypto.entropy import Entropy
from ikepy.ike.actions import (
    Action,
    Datagram,
    Done,
    Outcome,
    Path,
    Perform,
    Publish,
    SendDatagram,
    SocketAddress,
    Ticket,
)
from ikepy.ike.contacts import Contacts
from ikepy.ike.conversation import Conversation
from ikepy.ike.doorman import Doorman
from ikepy.ike.drops import DropReason
from ikepy.ike.effects import Effect
from ikepy.ike.events import ChildSaUp, Event, IkeSaUp, IkeSnapshot, KernelEvent
from ikepy.ike.observer import Observer
from ikepy.ike.phases import Closed, Established
from ikepy.ike.sa import LINGER, IkeSa
from ikepy.ike.selection import candidates_by_address
from ikepy.ike.snapshot import snapshot_child, snapshot_ike
from ikepy.ike.timers import TimerName, Timers
from ikepy.ike.wishes import WantChildDeleted, WantLiveness
from ikepy.wire.errors import WireError
from ikepy.wire.header import HEADER_OCTETS, IkeHeader, parse_header
from ikepy.wire.message import parse_message
from ikepy.wire.payloads import Identification
from ikepy.wire.registry import ExchangeType, NotifyType, PayloadType

SPI_OCTETS = 8
REQIDS = 65536
NO_SPI = bytes(SPI_OCTETS)
MOST_LINGERING = 1024
"Closed IKE SAs that still answer repeats."
UNRESOLVED = Path(SocketAddress(IPv4Address(0), 0), SocketAddress(IPv4Address(0), 0))
"The path of an IKE SA whose peer's address is not known yet."
PROBE_INTERVAL = 10.0
"Seconds between probes that unprotected hints may cause on one IKE SA."


class Endpoint:
    """All IKE SAs of a daemon: datagrams, timeouts and outcomes in, actions out."""

    def __init__(self, config: Config, entropy: Entropy, observer: Observer) -> None:
        self.config, self.entropy, self.observer = config, entropy, observer
        self.now = 0.0
        self.drops: Counter[DropReason] = Counter()
        self._actions: list[Action] = []
        self._sas: dict[bytes, IkeSa] = {}
        self._timers: Timers[tuple[int, TimerName]] = Timers()
        self._by_id: dict[int, IkeSa] = {}
        self._tickets: dict[Ticket, tuple[Effect[Any], IkeSa | None, Conversation | None]] = {}
        self._last_ticket = self._last_id = self._last_child = 0
        self._probed: dict[int, float] = {}
        self._contacts = Contacts()
        self._lingering: deque[IkeSa] = deque()
        self._doorman = Doorman(self)

    # -- inputs --------------------------------------------------------------------------------------------------

    def receive_datagram(self, datagram: Datagram, now: float) -> list[Action]:
        """Take a datagram from port 500, or from 4500 without its non-ESP marker."""
        self.now = now
        header = self._read_header(datagram)
        if header is not None:
            self._route(datagram, header)
        return self._take_actions()

    def handle_timeout(self, now: float) -> list[Action]:
        """Let all timers fire that are due."""
        self.now = now
        while (key := self._timers.pop_due(now)) is not None:
            sa = self._by_id.get(key[0])
            if sa is not None:
                sa.handle_timeout(key[1])
        return self._take_actions()

    def next_timeout(self) -> float | None:
        """The instant at which handle_timeout() is wanted next, None where nothing waits."""
        return self._timers.next()

    def complete(self, ticket: Ticket, outcome: Outcome, now: float) -> list[Action]:
        """Take the outcome of a performed effect; of a conversation that is gone, what was done is undone."""
        self.now = now
        effect, sa, conversation = self._tickets.pop(ticket)
        if sa is not None and conversation is not None and conversation.ticket == ticket:
            sa.resume(conversation, outcome)
        elif isinstance(outcome, Done):
            undo = effect.undo(outcome.reply)
            if undo is not None and sa is not None:
                self.perform_undo(undo)
        elif sa is None:
            self.observer.decided(NO_SPI, NO_SPI, f"{type(effect).__name__} failed: {outcome.error}", warning=True)
        return self._take_actions()

    def kernel_event(self, event: KernelEvent, now: float) -> list[Action]:
        """Take what the kernel tells; nothing here depends on it yet: traps, lifetimes and paths come with rekeying."""
        self.now = now
        self.observer.decided(NO_SPI, NO_SPI, f"the kernel tells of {type(event).__name__}")
        return self._take_actions()

    def initiate(self, connection: str, child: str | None, now: float) -> list[Action]:
        """Bring up a child, or with None every child, of a connection; outcomes are published.

        Raises KeyError where the configuration has no such connection or child.
        """
        self.now = now
        config = self.config.connection(connection)
        if config is None:
            raise KeyError(f"no connection {connection!r}")
        children = config.children if child is None else (_child(config, child),)
        sa = self._live(connection)
        if sa is None:
            self.new_sa(config, UNRESOLVED, self.draw_spi()).begin(children)
        else:
            self._add_children(sa, children)
        return self._take_actions()

    def terminate(
        self, now: float, *, ike_ids: tuple[int, ...] = (), child_ids: tuple[int, ...] = (), reason: str = "terminated"
    ) -> list[Action]:
        """End IKE SAs and single children by their unique numbers; unknown numbers mean nothing."""
        self.now = now
        for sa in tuple(self._by_id.values()):
            if sa.unique_id in ike_ids:
                sa.terminate(reason)
                continue
            for child in tuple(sa.children.values()):
                if child.unique_id in child_ids:
                    sa.wish(WantChildDeleted(child.spi_in))
        return self._take_actions()

    def shutdown(self, now: float) -> list[Action]:
        """End all IKE SAs with a delete; `is_idle` says when the last is gone."""
        self.now = now
        for sa in tuple(self._by_id.values()):
            sa.terminate("the daemon ends")
        return self._take_actions()

    def abandon(self, now: float) -> list[Action]:
        """Close all IKE SAs without waiting for their peers any longer."""
        self.now = now
        for sa in tuple(self._by_id.values()):
            sa.close("the daemon ends")
        return self._take_actions()

    def fail_sa(self, unique_id: int, reason: str, now: float) -> list[Action]:
        """Close the one IKE SA in whose service something broke that never should."""
        self.now = now
        sa = self._by_id.get(unique_id)
        if sa is not None:
            sa.close(reason)
        return self._take_actions()

    def sa_of(self, ticket: Ticket) -> int | None:
        """The unique number of the IKE SA that waits for the effect's outcome; None where nobody does."""
        _effect, sa, _conversation = self._tickets.get(ticket, (None, None, None))
        return sa.unique_id if sa is not None else None

    def replace_config(self, config: Config) -> None:
        """Use another configuration for new IKE SAs."""
        self.config = config

    def snapshot(self, now: float) -> tuple[IkeSnapshot, ...]:
        """All IKE SAs that are not over, oldest first."""
        self.now = now
        return tuple(snapshot_ike(sa) for sa in self._by_id.values() if not isinstance(sa.phase, Closed))

    @property
    def is_idle(self) -> bool:
        """Whether no IKE SA lives and no effect is on its way."""
        return not self._tickets and all(isinstance(sa.phase, Closed) for sa in self._by_id.values())

    @property
    def half_open(self) -> int:
        """IKE SAs that peers began and have not authenticated."""
        return self._doorman.half_open

    # -- what IKE SAs ask of their host (host.py) ----------------------------------------------------------------

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

    def perform_undo(self, effect: Effect[None]) -> None:
        """Have an effect performed that nobody waits for."""
        self.perform(effect, None, None)

    def publish(self, event: Event) -> None:
        """Publish what is true now."""
        self.observer.published(event)
        self._actions.append(Publish(event))

    def set_timer(self, sa: IkeSa, name: TimerName, at: float) -> None:
        """Let a timer of the SA fire at that instant."""
        self._timers.set((sa.unique_id, name), at)

    def clear_timer(self, sa: IkeSa, name: TimerName) -> None:
        """Let it not fire."""
        self._timers.clear((sa.unique_id, name))

    def next_timer(self, sa: IkeSa) -> tuple[str, float] | None:
        """The SA's next timer, worded, and its instant."""
        instants = [(self._timers.instant((sa.unique_id, name)), name.value) for name in TimerName]
        return min(((name, at) for at, name in instants if at is not None), key=lambda pair: pair[1], default=None)

    def next_child_ids(self) -> tuple[int, int]:
        """A unique number and a request ID for a child."""
        self._last_child += 1
        return self._last_child, self.config.daemon.reqid_base + self._last_child % REQIDS

    def candidates(self, path: Path) -> tuple[ConnectionConfig, ...]:
        """The connections the addresses allow, most specific first."""
        return candidates_by_address(self.config, path)

    def has_other_contact(self, unique_id: int, connection: ConnectionConfig, path: Path) -> bool:
        """Whether another established IKE SA than that one is with the same peer."""
        return any(
            sa.unique_id != unique_id
            and isinstance(sa.phase, Established)
            and sa.connection.name == connection.name
            and sa.path.remote.address == path.remote.address
            for sa in self._by_id.values()
        )

    def close_earlier(self, unique_id: int, local: Identification, remote: Identification) -> None:
        """Close the established IKE SAs of that pair of identities, other than that one (RFC 7296 §2.4)."""
        for sa in self._contacts.of(local, remote):
            if sa.unique_id != unique_id and isinstance(sa.phase, Established):
                sa.close("the peer has begun anew (INITIAL_CONTACT)")

    def established(self, sa: IkeSa) -> None:
        """The SA is authenticated: it is half-open no more."""
        self._doorman.forget(sa)
        if isinstance(sa.phase, Established):
            self._contacts.add(sa, sa.phase.authenticated)

    def linger(self, sa: IkeSa) -> None:
        """The SA is over, and answers repeats of its last request for a while; of too many the oldest goes."""
        self._doorman.forget(sa)
        self.set_timer(sa, TimerName.LINGER, self.now + LINGER)
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
        for name in TimerName:
            self.clear_timer(sa, name)

    # -- routing -------------------------------------------------------------------------------------------------

    def _read_header(self, datagram: Datagram) -> IkeHeader | None:
        octets = datagram.octets
        if len(octets) < HEADER_OCTETS:
            self.drop(datagram, DropReason.TOO_SHORT, f"{len(octets)} octets", None)
            return None
        header = parse_header(octets)
        if header.major != 2:  # noqa: PLR2004
            self._doorman.refuse_version(datagram, header)
        elif header.length != len(octets):
            detail = f"header says {header.length}, datagram has {len(octets)} octets"
            self.drop(datagram, DropReason.LENGTH_MISMATCH, detail, header)
        elif header.spi_i == NO_SPI:
            self.drop(datagram, DropReason.ZERO_SPI_I, "", header)
        elif not header.exchange.is_known:
            self.drop(datagram, DropReason.UNKNOWN_EXCHANGE, str(header.exchange), header)
        else:
            return header
        return None

    def _route(self, datagram: Datagram, header: IkeHeader) -> None:
        is_init = header.exchange is ExchangeType.IKE_SA_INIT
        if is_init and not header.is_response:
            self._doorman.receive_init(datagram, header)
            return
        ours = header.spi_r if header.is_from_initiator else header.spi_i
        theirs = header.spi_i if header.is_from_initiator else header.spi_r
        sa = self._sas.get(ours)
        if sa is None:
            self._doorman.refuse_unknown(datagram, header)
        elif sa.is_initiator == header.is_from_initiator:
            self._take_hint(sa, datagram, header, DropReason.WRONG_FLAGS)
        elif is_init:
            sa.receive(datagram, header)
        elif theirs != (sa.channel.spi_r if sa.is_initiator else sa.channel.spi_i):
            self.drop(datagram, DropReason.UNKNOWN_SPI, "the peer's SPI is not this IKE SA's", header)
        elif header.next_payload is PayloadType.N:
            self._take_hint(sa, datagram, header, DropReason.UNPROTECTED_ERROR)
        else:
            sa.receive(datagram, header)

    def _take_hint(self, sa: IkeSa, datagram: Datagram, header: IkeHeader, reason: DropReason) -> None:
        """An unprotected notify is anybody's: INVALID_IKE_SPI makes us probe the peer, no more (RFC 7296 §2.21.4)."""
        hint = read_hint(datagram.octets)
        self.drop(datagram, reason, str(hint) if hint is not None else "", header)
        if hint is NotifyType.INVALID_IKE_SPI and isinstance(sa.phase, Established):
            since = self._probed.get(sa.unique_id)
            if since is None or self.now - since >= PROBE_INTERVAL:
                self._probed[sa.unique_id] = self.now
                sa.wish(WantLiveness())

    # -- inside --------------------------------------------------------------------------------------------------

    def new_sa(self, connection: ConnectionConfig, path: Path, spi_i: bytes, *, our_spi: bytes | None = None) -> IkeSa:
        """Make an IKE SA: ours as initiator, or with `our_spi` as the responder of a peer's."""
        self._last_id += 1
        sa = IkeSa(self, self._last_id, connection, path, spi_i, our_spi=our_spi)
        self._sas[sa.our_spi] = sa
        self._by_id[sa.unique_id] = sa
        return sa

    def draw_spi(self) -> bytes:
        """An IKE SPI that none of ours has (RFC 7296 §2.6)."""
        while True:
            spi = self.entropy.octets(SPI_OCTETS)
            if spi != NO_SPI and spi not in self._sas:
                return spi

    def _live(self, connection: str) -> IkeSa | None:
        """The newest IKE SA of the connection that is up, or that we are bringing up."""
        for sa in reversed(self._by_id.values()):
            is_ours = sa.is_initiator or isinstance(sa.phase, Established)
            if sa.connection.name == connection and is_ours and not sa.is_closing:
                return sa
        return None

    def _add_children(self, sa: IkeSa, children: tuple[ChildConfig, ...]) -> None:
        for child in children:
            present = next((made for made in sa.children.values() if made.name == child.name), None)
            if present is None:
                sa.wish_child(child)
            else:
                self.publish(ChildSaUp(snapshot_ike(sa), snapshot_child(present, "INSTALLED")))
        if not children:
            self.publish(IkeSaUp(snapshot_ike(sa)))

    def _take_actions(self) -> list[Action]:
        actions, self._actions = self._actions, []
        return actions


def read_hint(octets: bytes) -> NotifyType | None:
    """The type of the first error notify of an unprotected message, None where it has none or cannot be read."""
    try:
        notify = parse_message(octets).error_notify
    except WireError:
        return None
    return notify.type if notify is not None else None


def _child(connection: ConnectionConfig, name: str) -> ChildConfig:
    child = connection.child(name)
    if child is None:
        raise KeyError(f"connection {connection.name} has no child {name!r}")
    return child
