"""What an IKE SA asks of the endpoint it belongs to.

Not here: how it is done (endpoint.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from ikepy.config.model import Config, ConnectionConfig
from ikepy.crypto.entropy import Entropy
from ikepy.ike.actions import Datagram, Path, Ticket
from ikepy.ike.drops import DropReason
from ikepy.ike.effects import Effect
from ikepy.ike.events import Event
from ikepy.ike.observer import Observer
from ikepy.ike.timers import TimerName
from ikepy.wire.header import IkeHeader
from ikepy.wire.payloads import Identification

if TYPE_CHECKING:
    from ikepy.ike.conversation import Conversation
    from ikepy.ike.sa import IkeSa


class Host(Protocol):
    """The endpoint, to its IKE SAs."""

    config: Config
    entropy: Entropy
    observer: Observer
    now: float

    def send(self, octets: bytes, path: Path) -> None:
        """Send a datagram."""

    def drop(self, datagram: Datagram, reason: DropReason, detail: str, header: IkeHeader | None) -> None:
        """Count and tell that a datagram comes to nothing."""

    def perform(self, effect: Effect[Any], sa: IkeSa, conversation: Conversation) -> Ticket:
        """Have an effect performed for a conversation."""

    def perform_undo(self, effect: Effect[None]) -> None:
        """Have an effect performed that nobody waits for."""

    def publish(self, event: Event) -> None:
        """Publish what is true now."""

    def set_timer(self, sa: IkeSa, name: TimerName, at: float) -> None:
        """Let a timer of the SA fire at that instant."""

    def clear_timer(self, sa: IkeSa, name: TimerName) -> None:
        """Let it not fire."""

    def next_timer(self, sa: IkeSa) -> tuple[str, float] | None:
        """The SA's next timer, worded, and its instant."""

    def next_child_ids(self) -> tuple[int, int]:
        """A unique number and a request ID for a child."""

    def candidates(self, path: Path) -> tuple[ConnectionConfig, ...]:
        """The connections the addresses allow, most specific first."""

    def has_other_contact(self, unique_id: int, connection: ConnectionConfig, path: Path) -> bool:
        """Whether another established IKE SA than that one is with the same peer."""

    def close_earlier(self, unique_id: int, local: Identification, remote: Identification) -> None:
        """Close the established IKE SAs of that pair of identities, other than that one."""

    def established(self, sa: IkeSa) -> None:
        """The SA is authenticated: it is half-open no more."""

    def linger(self, sa: IkeSa) -> None:
        """The SA is over, and answers repeats for a while."""

    def closed(self, sa: IkeSa) -> None:
        """The SA is over, and answers nothing any more."""
