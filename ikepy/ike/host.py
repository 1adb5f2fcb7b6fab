"""What an IKE SA asks of the endpoint it belongs to.

Not here: how it is done (endpoint.py).
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, Protocol

from ikepy.config.model import ChildConfig, Config, ConnectionConfig
from ikepy.crypto.entropy import Entropy
from ikepy.ike.actions import Datagram, Path, Ticket
from ikepy.ike.admission import Holdings
from ikepy.ike.causes import Cause
from ikepy.ike.child import ChildSa
from ikepy.ike.drops import DropReason
from ikepy.ike.effects import Effect
from ikepy.ike.events import Event
from ikepy.ike.observer import Observer
from ikepy.ike.phases import Contact
from ikepy.ike.redirection import Redirection, Redirections
from ikepy.ike.reqids import Reqids
from ikepy.wire.header import IkeHeader

if TYPE_CHECKING:
    from ikepy.ike.conversation import Conversation
    from ikepy.ike.sa import IkeSa


class Host(Protocol):
    """The endpoint, to its IKE SAs."""

    config: Config
    entropy: Entropy
    observer: Observer
    now: float
    reqids: Reqids
    redirections: Redirections
    holdings: Holdings

    def send(self, octets: bytes, path: Path) -> None:
        """Send a datagram."""

    def drop(self, datagram: Datagram, reason: DropReason, detail: str, header: IkeHeader | None) -> None:
        """Count and tell that a datagram comes to nothing."""

    def perform(self, effect: Effect[Any], sa: IkeSa, conversation: Conversation) -> Ticket:
        """Have an effect performed for a conversation."""

    def run(self, name: str, exchange: Coroutine[Effect[Any], Any, None]) -> None:
        """Perform what the coroutine awaits, beside the conversations of IKE SAs."""

    def perform_undo(self, effect: Effect[None]) -> None:
        """Have an effect performed that nobody waits for."""

    def publish(self, event: Event) -> None:
        """Publish what is true now."""

    def set_alarm(self, sa: IkeSa, at: float | None) -> None:
        """Have handle_timeout() of the SA called at that instant; None for not at all."""

    def next_child_id(self) -> int:
        """A unique number for a child."""

    def draw_spi(self) -> bytes:
        """An IKE SPI that none of ours has."""

    def new_sa(self, connection: ConnectionConfig, path: Path, spi_i: bytes, *, our_spi: bytes | None = None) -> IkeSa:
        """Make an IKE SA: ours as initiator, or with `our_spi` as the responder of a peer's."""

    def candidates(self, path: Path) -> tuple[ConnectionConfig, ...]:
        """The connections the addresses allow, most specific first."""

    def has_other_contact(self, unique_id: int, connection: ConnectionConfig, path: Path) -> bool:
        """Whether another established IKE SA than that one is with the same peer."""

    def earlier(self, unique_id: int, contact: Contact) -> tuple[IkeSa, ...]:
        """The established IKE SAs with that peer, other than that one."""

    def of_owner(self, contact: Contact) -> tuple[IkeSa, ...]:
        """The established IKE SAs of the user that EAP proved, else of the peer's identity; the oldest first."""

    def established(self, sa: IkeSa) -> None:
        """The SA is authenticated: it is half-open no more."""

    def succeeded(self, old: IkeSa, new: IkeSa) -> None:
        """One IKE SA has come in another's place."""

    def reauthenticate(self, sa: IkeSa) -> None:
        """Make another IKE SA with the same peer, with all its children, and end this one."""

    def go_elsewhere(self, sa: IkeSa, children: tuple[ChildConfig, ...], redirection: Redirection) -> None:
        """The gateway of an IKE SA sends us elsewhere: begin there, and end this one when that is up, or has ended."""

    def settled(self, sa: IkeSa) -> None:
        """An established IKE SA has all it wanted."""

    def crossed(self, sa: IkeSa) -> None:
        """An IKE SA is up with its first child: see whether the peer made another at the same time."""

    def child_ended(self, sa: IkeSa, child: ChildSa, cause: Cause) -> None:
        """A child that was in use is gone, and nothing has come in its place."""

    def child_up(self, sa: IkeSa, child: ChildSa) -> None:
        """A child is up that has come in no other's place."""

    def child_failed(self, sa: IkeSa, child: str) -> None:
        """A child came to nothing while the IKE SA lives on."""

    def ended(self, sa: IkeSa, cause: Cause) -> None:
        """The SA is over, or came to nothing."""

    def linger(self, sa: IkeSa) -> None:
        """The SA is over, and answers repeats for a while."""

    def closed(self, sa: IkeSa) -> None:
        """The SA is over, and answers nothing any more."""
