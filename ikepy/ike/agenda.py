"""Agenda: what one IKE SA waits for, its own instants and those of its children.

Rule 1: one instant a name and child; setting it again moves it.
Rule 2: the endpoint's heap holds one entry an IKE SA, its earliest instant.
Not here: what an instant means (sa.py, upkeep.py), the endpoint's heap (timers.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ikepy.ike.timers import TimerName, Timers

if TYPE_CHECKING:
    from ikepy.ike.host import Host
    from ikepy.ike.sa import IkeSa

NO_CHILD = 0
"No child has this unique number: the instant is the IKE SA's own."


class Agenda:
    """The instants of one IKE SA."""

    def __init__(self, host: Host, sa: IkeSa) -> None:
        self._host, self._sa = host, sa
        self._timers: Timers[tuple[TimerName, int]] = Timers()

    def set(self, name: TimerName, at: float, child: int = NO_CHILD) -> None:
        """Let it come at that instant, wherever it stood before."""
        self._timers.set((name, child), at)
        self._tell()

    def clear(self, name: TimerName, child: int = NO_CHILD) -> None:
        """Let it not come; harmless where it is not set."""
        self._timers.clear((name, child))
        self._tell()

    def clear_child(self, child: int) -> None:
        """Let nothing come of that child's."""
        for name in TimerName:
            self._timers.clear((name, child))
        self._tell()

    def clear_all(self) -> None:
        """Let nothing come at all."""
        self._timers = Timers()
        self._tell()

    def instant(self, name: TimerName, child: int = NO_CHILD) -> float | None:
        """When it will come; None where it is not set."""
        return self._timers.instant((name, child))

    def next(self) -> tuple[TimerName, float] | None:
        """What comes next, and when; None where nothing does."""
        found = self._timers.peek()
        return (found[0][0], found[1]) if found is not None else None

    def pop_due(self, now: float) -> tuple[TimerName, int] | None:
        """Take what is due, with the child it is of; None where nothing is."""
        due = self._timers.pop_due(now)
        self._tell()
        return due

    def take_children_of(self, other: Agenda) -> None:
        """Take over the instants of children: they have moved to this IKE SA."""
        for (name, child), at in other._timers.entries():
            if child != NO_CHILD:
                self._timers.set((name, child), at)
                other._timers.clear((name, child))
        self._tell()
        other._tell()

    def _tell(self) -> None:
        self._host.set_alarm(self._sa, self._timers.next())
