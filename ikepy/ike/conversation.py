"""Drives one exchange coroutine, and remembers what must be undone if it comes to nothing.

Rule 1: what may have to be undone is in the ledger, with its ticket, before it is performed.
Rule 2: no await runs while a conversation is closed.
Not here: who performs an effect, what an exchange does.
"""

from __future__ import annotations

from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

from ikepy.ike.actions import Ticket
from ikepy.ike.effects import Effect
from ikepy.ike.errors import IkeError
from ikepy.wire.errors import WireError


@dataclass(frozen=True, slots=True)
class Wants:
    """The exchange waits for this effect's reply."""

    effect: Effect[Any]


@dataclass(frozen=True, slots=True)
class Finished:
    """The exchange came to its end with this result."""

    result: Any


@dataclass(frozen=True, slots=True)
class Broken:
    """The exchange ended in a fault: the peer's, ours, or octets that cannot be read."""

    error: IkeError | WireError


Step = Wants | Finished | Broken


class Conversation:
    """One running exchange."""

    def __init__(self, name: str, exchange: Coroutine[Effect[Any], Any, Any]) -> None:
        self.name = name
        self.waiting_for: Effect[Any] | None = None
        self.ticket: Ticket | None = None
        self._exchange = exchange
        self._undo: list[Effect[None]] = []

    def start(self) -> Step:
        """Run to the first effect."""
        return self._step(None, None)

    def resume(self, reply: object) -> Step:
        """Run on with the reply to what was awaited; what it leaves behind goes into the ledger."""
        effect, self.ticket = self.waiting_for, None
        undo = effect.undo(reply) if effect is not None else None
        if undo is not None:
            self._undo.append(undo)
        return self._step(reply, None)

    def fail(self, error: Exception) -> Step:
        """Run on with an error in place of the reply."""
        self.ticket = None
        return self._step(None, error)

    def close(self) -> None:
        """End the exchange where it stands."""
        self.waiting_for = self.ticket = None
        self._exchange.close()

    def take_ledger(self) -> list[Effect[None]]:
        """The effects that take back what was done, last first; the ledger is empty afterwards."""
        ledger, self._undo = self._undo[::-1], []
        return ledger

    def _step(self, reply: object, error: Exception | None) -> Step:
        try:
            effect = self._exchange.throw(error) if error is not None else self._exchange.send(reply)
        except StopIteration as end:
            self.waiting_for = None
            return Finished(end.value)
        except (IkeError, WireError) as fault:
            self.waiting_for = None
            return Broken(fault)
        if not isinstance(effect, Effect):
            self.close()
            raise TypeError(f"{self.name} awaits {type(effect).__name__}, which is no effect")
        self.waiting_for = effect
        return Wants(effect)
