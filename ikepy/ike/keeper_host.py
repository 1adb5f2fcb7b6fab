"""What the keeper asks of the endpoint it belongs to.

Not here: how it is done (endpoint.py), what is kept (keeper.py).
"""

from __future__ import annotations

from collections.abc import Coroutine
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol

from ikepy.config.model import Config
from ikepy.crypto.entropy import Entropy
from ikepy.ike.effects import Effect
from ikepy.ike.events import Event
from ikepy.ipsec import Selector


class Purpose(Enum):
    """What a connection's timer is for."""

    START = "another try to bring children up"
    POLICIES = "another try to put traps and shunts into the kernel"


@dataclass(frozen=True, slots=True)
class KeeperTimer:
    """Names one timer of the keeper: at most two a connection."""

    purpose: Purpose
    connection: str


class KeeperHost(Protocol):
    """The endpoint, to its keeper."""

    @property
    def config(self) -> Config:
        """The configuration in force."""

    @property
    def entropy(self) -> Entropy:
        """Randomness."""

    @property
    def now(self) -> float:
        """The instant of the present input."""

    def initiate(self, connection: str, child: str, packet: Selector | None) -> None:
        """Begin the connection, or add the child to its IKE SA; nothing where the child is under way or up.

        packet   the packet that asks for the child, None where none does
        """

    def is_up(self, connection: str, child: str) -> bool:
        """Whether such a child is in use; one whose end is being told counts no more."""

    def is_under_way(self, connection: str, child: str) -> bool:
        """Whether such a child is being made, or waits in a queue for that."""

    def run(self, name: str, exchange: Coroutine[Effect[Any], Any, None]) -> None:
        """Perform what the coroutine awaits, for no IKE SA; it ends in no IkeError."""

    def set_timer(self, key: KeeperTimer, at: float) -> None:
        """Have Keeper.handle_timeout() called at that instant, wherever the timer stood before.

        An instant that has come already is next, and never now: the caller may be in the midst of an end.
        """

    def clear_timer(self, key: KeeperTimer) -> None:
        """Let it not come; harmless where it is not set."""

    def decided(self, decision: str, *, warning: bool = False) -> None:
        """Tell a choice and its reason; `warning` where the operator should act."""

    def publish(self, event: Event) -> None:
        """Publish what is true now."""

    def reqid_for(self, connection: str, child: str) -> int:
        """The request ID of the child's trap, held until it is dropped; children with the trap's selectors have the same.

        Were it another, the policies of trap and child, which are one in the kernel, would each want other states.
        """

    def drop_reqid(self, reqid: int) -> None:
        """The trap is out of the kernel: one holds the number no more."""
