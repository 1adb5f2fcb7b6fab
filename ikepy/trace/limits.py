"""Keeping a log short under a flood: what is said of the many, and when.

Rule 1: what is left out is counted, and the count is said with the next line.
Rule 2: memory has a bound, whatever addresses a flood comes from.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable

Clock = Callable[[], float]
"""Seconds; only differences count."""


class Bucket:
    """Lets `burst` lines through at once, and `rate` a second from then on."""

    def __init__(self, rate: float, burst: int, clock: Clock) -> None:
        self._rate = rate
        self._burst = float(burst)
        self._clock = clock
        self._left = float(burst)
        self._looked_at = clock()
        self._left_out = 0

    def allows(self) -> bool:
        """Whether one more line may be said; counts it where not."""
        now = self._clock()
        self._left = min(self._burst, self._left + (now - self._looked_at) * self._rate)
        self._looked_at = now
        if self._left < 1.0:
            self._left_out += 1
            return False
        self._left -= 1.0
        return True

    def take_left_out(self) -> int:
        """How many lines were left out since this was last asked."""
        left_out, self._left_out = self._left_out, 0
        return left_out


class Tally:
    """Counts by key, the longest unused key forgotten when there are too many."""

    def __init__(self, most: int = 4096) -> None:
        self._most = most
        self._counts: OrderedDict[Hashable, int] = OrderedDict()

    def add(self, key: Hashable) -> int:
        """Count one more, and return how many there were."""
        count = self._counts.pop(key, 0) + 1
        self._counts[key] = count
        if len(self._counts) > self._most:
            self._counts.popitem(last=False)
        return count

    def __len__(self) -> int:
        return len(self._counts)


def is_worth_a_line(count: int) -> bool:
    """Whether the count-th of equals is said: the 1st, 2nd, 4th, 8th, ..."""
    return count & (count - 1) == 0
