"""Keeping: the Endpoint, to its Keeper: what keeper_host.py asks for, said in IKE SAs.

Rule 1: coroutines that belong to no IKE SA are driven here; they end in nothing that anybody waits for.
Not here: what is kept, and why (keeper.py).
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from ikepy.config.model import Config
from ikepy.crypto.entropy import Entropy
from ikepy.ike.actions import Done, Outcome
from ikepy.ike.conversation import Broken, Conversation, Finished, Step, Wants
from ikepy.ike.effects import Effect
from ikepy.ike.events import Event
from ikepy.ike.exchanges.view import authenticated_ids
from ikepy.ike.keeper import Keeper
from ikepy.ike.keeper_host import KeeperTimer
from ikepy.ike.timers import Timers
from ikepy.ike.wishes import WantChild
from ikepy.ipsec import Selector

if TYPE_CHECKING:
    from ikepy.ike.hosting import Hosting
    from ikepy.ike.sa import IkeSa

NO_SPI = bytes(8)


class Keeping:
    """A Keeper, and the endpoint as it sees it."""

    def __init__(self, host: Hosting) -> None:
        self._host = host
        self._timers: Timers[KeeperTimer] = Timers()
        self.keeper = Keeper(self)

    # -- time and coroutines -------------------------------------------------------------------------------------

    def next_timeout(self) -> float | None:
        """The instant at which handle_timeout() is wanted next."""
        return self._timers.next()

    def handle_timeout(self) -> None:
        """Let the keeper's timers fire that are due."""
        while (timer := self._timers.pop_due(self.now)) is not None:
            self.keeper.handle_timeout(timer)

    def resume(self, conversation: Conversation, outcome: Outcome) -> None:
        """Take an effect's outcome for a coroutine of the keeper's."""
        step = conversation.resume(outcome.reply) if isinstance(outcome, Done) else conversation.fail(outcome.error)
        self._follow(conversation, step)

    def run(self, name: str, exchange: Coroutine[Effect[Any], Any, None]) -> None:
        """Perform what the coroutine awaits, for no IKE SA."""
        conversation = Conversation(name, exchange)
        self._follow(conversation, conversation.start())

    def _follow(self, conversation: Conversation, step: Step) -> None:
        match step:
            case Wants(effect):
                conversation.ticket = self._host.perform(effect, None, conversation)
            case Broken(error):
                self.decided(f"{conversation.name}: {error}", warning=True)
                for undo in conversation.take_ledger():
                    self._host.perform_undo(undo)
            case Finished():
                conversation.take_ledger()

    # -- keeper_host.py ------------------------------------------------------------------------------------------

    @property
    def config(self) -> Config:
        """The configuration in force."""
        return self._host.config

    @property
    def entropy(self) -> Entropy:
        """Randomness."""
        return self._host.entropy

    @property
    def now(self) -> float:
        """The instant of the present input."""
        return self._host.now

    def initiate(self, connection: str, child: str, packet: Selector | None) -> None:
        """Begin the connection, or add the child to its IKE SA."""
        config = self.config.connection(connection)
        wanted = config.child(child) if config is not None else None
        if config is not None and wanted is not None and not self.is_under_way(connection, child):
            self._host.bring_up(config, (wanted,), packet)

    def is_up(self, connection: str, child: str) -> bool:
        """Whether such a child is in use."""
        return any(sa.is_announced and sa.table.named(child) is not None for sa in self._live(connection))

    def is_under_way(self, connection: str, child: str) -> bool:
        """Whether such a child is being made, or waits in a queue for that."""
        return any(_is_making(sa, child) for sa in self._live(connection))

    def set_timer(self, key: KeeperTimer, at: float) -> None:
        """Have the keeper called at that instant."""
        self._timers.set(key, at)

    def clear_timer(self, key: KeeperTimer) -> None:
        """Let it not come."""
        self._timers.clear(key)

    def decided(self, decision: str, *, warning: bool = False) -> None:
        """Tell a choice and its reason."""
        self._host.observer.decided(NO_SPI, NO_SPI, decision, warning=warning)

    def publish(self, event: Event) -> None:
        """Publish what is true now."""
        self._host.publish(event)

    def reqid_for(self, connection: str, child: str) -> int:
        """The request ID of the child's trap, held until it is dropped."""
        config = self.config.connection(connection)
        wanted = config.child(child) if config is not None else None
        if config is None or wanted is None:
            raise KeyError(f"no child {child!r} in connection {connection!r}")
        _, peer = authenticated_ids(config)
        reqid = self._host.reqids.of((connection, child, peer, wanted.local_ts, wanted.remote_ts))
        self._host.reqids.hold(reqid)
        return reqid

    def drop_reqid(self, reqid: int) -> None:
        """The trap is out of the kernel."""
        self._host.reqids.drop(reqid)

    def _live(self, connection: str) -> tuple[IkeSa, ...]:
        return self._host.live(connection)


def _is_making(sa: IkeSa, child: str) -> bool:
    if sa.child_under_way is not None and sa.child_under_way.name == child:
        return True
    waiting = (*sa.pending, *(wish for _, wish in sa.granting.postponed))
    return any(isinstance(wish, WantChild) and wish.child.name == child for wish in waiting)
