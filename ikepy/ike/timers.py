"""Named timers of all SAs in one heap.

Rule 1: setting a timer again moves it; there is one instant a name.
Rule 2: `next()` costs no walk over the SAs: stale entries are thrown away when they come up.
Not here: what a timer means (sa.py), any clock.
"""

from __future__ import annotations

import heapq
from collections.abc import Hashable
from enum import Enum
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)


class TimerName(Enum):
    """What an SA may wait for; the value is how status words it."""

    RETRANSMIT = "repeat of the request"
    PATIENCE = "end of waiting for a better answer"
    HALF_OPEN = "end of the half-open IKE SA"
    LIVENESS = "liveness check"
    KEEPALIVE = "keepalive for the NAT"
    LINGER = "end of a closed IKE SA"
    FRAGMENTS = "end of a message whose fragments did not all come"
    RETRY = "another try"
    REKEY = "rekeying"
    REAUTHENTICATE = "reauthentication"
    OVERDUE = "end of an IKE SA that was not renewed"
    SUPERSEDED = "end of a replaced IKE SA"
    CHILD_REKEY = "rekeying of a child"
    CHILD_SWITCH = "a look whether the peer uses the new child"
    CHILD_RETIRED = "end of a replaced child"
    CHILD_REDUNDANT = "end of a child that lost against another"


class Timers(Generic[Key]):
    """Instants by key, the earliest first."""

    def __init__(self) -> None:
        self._at: dict[Key, float] = {}
        self._heap: list[tuple[float, int, Key]] = []
        self._count = 0

    def set(self, key: Key, at: float) -> None:
        """Let the timer fire at that instant, wherever it stood before."""
        self._at[key] = at
        self._count += 1
        heapq.heappush(self._heap, (at, self._count, key))
        if len(self._heap) > 64 + 4 * len(self._at):
            self._heap = [(instant, order, key) for order, (key, instant) in enumerate(self._at.items())]
            self._count = len(self._heap)
            heapq.heapify(self._heap)

    def clear(self, key: Key) -> None:
        """Let it not fire; harmless where it is not set."""
        self._at.pop(key, None)

    def instant(self, key: Key) -> float | None:
        """When it will fire, None where it is not set."""
        return self._at.get(key)

    def next(self) -> float | None:
        """The earliest instant of all, None where nothing is set."""
        while self._heap:
            at, _, key = self._heap[0]
            if self._at.get(key) == at:
                return at
            heapq.heappop(self._heap)
        return None

    def peek(self) -> tuple[Key, float] | None:
        """The earliest key and its instant, None where nothing is set."""
        at = self.next()
        return (self._heap[0][2], at) if at is not None else None

    def entries(self) -> tuple[tuple[Key, float], ...]:
        """All keys and their instants, in no order."""
        return tuple(self._at.items())

    def pop_due(self, now: float) -> Key | None:
        """Take one timer that is due, None where none is."""
        at = self.next()
        if at is None or at > now:
            return None
        key = heapq.heappop(self._heap)[2]
        del self._at[key]
        return key

    def __len__(self) -> int:
        return len(self._at)
