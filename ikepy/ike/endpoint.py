"""Endpoint: routes datagrams by SPI, keeps strangers within limits, and owns the IKE SAs.

Rule 1: each input returns its actions, in order; nothing is done behind its back.
Rule 2: a stranger's datagram makes state only after cookies and limits, and only if a connection may be meant.
Rule 3: whatever a datagram says, it ends in a value or a named drop.
Not here: what one IKE SA does (sa.py), sockets, clocks, the kernel.
"""

from __future__ import annotations

from ikepy.config.model import ChildConfig, Config, ConnectionConfig
from ikepy.ike.actions import (
    Action,
    Datagram,
    Done,
    Outcome,
    SocketAddress,
    Ticket,
)
from ikepy.ike.causes import Cause
from ikepy.ike.drops import DropReason
from ikepy.ike.events import Acquire, AddressesChanged, Expire, IkeSnapshot, InstalledPolicy, KernelEvent, Mapping
from ikepy.ike.hosting import NO_SPI, Hosting
from ikepy.ike.phases import Closed, Closing, Established, Rekeyed
from ikepy.ike.sa import IkeSa
from ikepy.ike.snapshot import snapshot_ike
from ikepy.ike.wishes import WantChildDeleted, WantChildRekeyed, WantLiveness, WantRekeyed, WantSentOn
from ikepy.wire.errors import WireError
from ikepy.wire.header import HEADER_OCTETS, IkeHeader, parse_header
from ikepy.wire.message import parse_message
from ikepy.wire.redirect import Gateway
from ikepy.wire.registry import ExchangeType, NotifyType, PayloadType

PROBE_INTERVAL = 10.0
"Seconds between probes that unprotected hints may cause on one IKE SA."


class Endpoint(Hosting):
    """All IKE SAs of a daemon: datagrams, timeouts and outcomes in, actions out."""

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
        while (unique_id := self._alarms.pop_due(now)) is not None:
            sa = self._by_id.get(unique_id)
            if sa is not None:
                sa.handle_timeout()
        self._keeping.handle_timeout()
        return self._take_actions()

    def next_timeout(self) -> float | None:
        """The instant at which handle_timeout() is wanted next, None where nothing waits."""
        instants = (self._alarms.next(), self._keeping.next_timeout())
        return min((at for at in instants if at is not None), default=None)

    def complete(self, ticket: Ticket, outcome: Outcome, now: float) -> list[Action]:
        """Take the outcome of a performed effect; of a conversation that is gone, what was done is undone."""
        self.now = now
        effect, sa, conversation = self._tickets.pop(ticket)
        if conversation is not None and conversation.ticket == ticket:
            if sa is not None:
                sa.resume(conversation, outcome)
            else:
                self._keeping.resume(conversation, outcome)
        elif isinstance(outcome, Done):
            undo = effect.undo(outcome.reply)
            if undo is not None and sa is not None:
                self.perform_undo(undo)
        elif sa is None:
            self.observer.decided(NO_SPI, NO_SPI, f"{type(effect).__name__} failed: {outcome.error}", warning=True)
        return self._take_actions()

    def kernel_event(self, event: KernelEvent, now: float) -> list[Action]:
        """Take what the kernel tells: limits of states, packets that want children, other ways to peers."""
        self.now = now
        match event:
            case Expire():
                self._expired(event)
            case Acquire():
                self._keeping.keeper.acquired(event)
            case Mapping():
                self._mapped(event)
            case AddressesChanged():
                for sa in tuple(self._by_id.values()):
                    sa.moving.look()
        return self._take_actions()

    def start(self, now: float) -> list[Action]:
        """Do what start_action says: children up, traps and shunts into the kernel; and keep it so until shutdown()."""
        self.now = now
        self._keeping.keeper.start()
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
        self.bring_up(config, tuple(child for child in children if not child.is_shunt))
        return self._take_actions()

    def install(self, connection: str, child: str, now: float) -> list[Action]:
        """Put the trap or shunt of a child into the kernel.

        Raises KeyError where the configuration has no such child, PeerUnknown where its peer's address is not known.
        """
        self.now = now
        self._keeping.keeper.install(connection, child)
        return self._take_actions()

    def uninstall(self, connection: str, child: str, now: float) -> list[Action]:
        """Take the trap or shunt of a child out of the kernel; raises KeyError where there is none."""
        self.now = now
        self._keeping.keeper.uninstall(connection, child)
        return self._take_actions()

    def forget(self, connection: str, child: str | None, now: float) -> tuple[bool, list[Action]]:
        """Want a child, or with None all of a connection, up no more; whether a try was waiting."""
        self.now = now
        found = self._keeping.keeper.forget(connection, child)
        return found, self._take_actions()

    def policies(self) -> tuple[InstalledPolicy, ...]:
        """The traps and shunts that are in the kernel."""
        return self._keeping.keeper.policies()

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
                    sa.wish(WantChildDeleted(child.unique_id))
        return self._take_actions()

    def rekey(
        self, now: float, *, ike_ids: tuple[int, ...] = (), child_ids: tuple[int, ...] = (), reauth: bool = False
    ) -> list[Action]:
        """Replace IKE SAs and single children by their unique numbers; unknown numbers mean nothing.

        reauth   prove anew who both sides are, instead of only making new keys
        """
        self.now = now
        for sa in tuple(self._by_id.values()):
            if sa.unique_id in ike_ids and isinstance(sa.phase, Established):
                if reauth:
                    self.reauthenticate(sa)
                else:
                    sa.wish(WantRekeyed())
            for child in tuple(sa.table.children.values()):
                if child.unique_id in child_ids:
                    sa.wish(WantChildRekeyed(child.unique_id))
        return self._take_actions()

    def redirect(self, gateway: Gateway, now: float, *, ike_ids: tuple[int, ...]) -> tuple[int, list[Action]]:
        """Send peers to another gateway (RFC 5685): those that began their IKE SAs and go where they are sent.

        Says how many that is.
        """
        self.now = now
        found = [sa for sa in tuple(self._by_id.values()) if sa.unique_id in ike_ids and _can_be_sent_on(sa)]
        for sa in found:
            sa.wish(WantSentOn(gateway))
        return len(found), self._take_actions()

    def shutdown(self, now: float) -> list[Action]:
        """End all IKE SAs with a delete; `is_idle` says when the last is gone."""
        self.now = now
        self._keeping.keeper.stop()
        for sa in tuple(self._by_id.values()):
            sa.terminate("the daemon ends", Cause.SHUTDOWN)
        return self._take_actions()

    def abandon(self, now: float) -> list[Action]:
        """Close all IKE SAs without waiting for their peers any longer."""
        self.now = now
        for sa in tuple(self._by_id.values()):
            sa.close("the daemon ends", Cause.SHUTDOWN)
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
        """Use another configuration for new IKE SAs, and keep what that one wants."""
        self.config = config
        self._keeping.keeper.replace_config(config)

    def snapshot(self, now: float) -> tuple[IkeSnapshot, ...]:
        """All IKE SAs that are not over, oldest first."""
        self.now = now
        return tuple(snapshot_ike(sa) for sa in self._by_id.values() if sa.is_shown)

    @property
    def is_idle(self) -> bool:
        """Whether no IKE SA lives and no effect is on its way."""
        return not self._tickets and all(isinstance(sa.phase, Closed) for sa in self._by_id.values())

    @property
    def half_open(self) -> int:
        """IKE SAs that peers began and have not authenticated."""
        return self._doorman.half_open

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
        was_to_end = isinstance(sa.phase, Closing | Rekeyed) and sa.has_heard and sa.has_repeated
        if hint is NotifyType.INVALID_IKE_SPI and was_to_end:
            sa.close("the peer has nothing of it any more")  # whoever says so
        elif hint is NotifyType.INVALID_IKE_SPI and isinstance(sa.phase, Established):
            since = self._probed.get(sa.unique_id)
            if since is None or self.now - since >= PROBE_INTERVAL:
                self._probed[sa.unique_id] = self.now
                sa.wish(WantLiveness(ask=True))

    def _expired(self, event: Expire) -> None:
        for sa in tuple(self._by_id.values()):
            for child in tuple(sa.table.children.values()):
                if event.sa in (child.spec.inbound.id, child.spec.outbound.id):
                    sa.upkeep.expired(child, hard=event.hard)

    def _mapped(self, event: Mapping) -> None:
        for sa in tuple(self._by_id.values()):
            if any(event.sa == child.spec.inbound.id for child in sa.table.children.values()):
                sa.moving.mapped(SocketAddress(event.address, event.port))

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


def _can_be_sent_on(sa: IkeSa) -> bool:
    follows = sa.keyed is not None and sa.keyed.follows_redirects
    return isinstance(sa.phase, Established) and follows and not sa.leads


def _child(connection: ConnectionConfig, name: str) -> ChildConfig:
    child = connection.child(name)
    if child is None:
        raise KeyError(f"connection {connection.name} has no child {name!r}")
    return child
