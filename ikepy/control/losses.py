"""What the control socket could not pass on, counted: `stats` shows it.

Not here: when a client is too slow (session.py).
"""

from __future__ import annotations

from dataclasses import dataclass

from ikepy.control.codec import Section


@dataclass(slots=True)
class Losses:
    """Counts since the daemon's start."""

    clients_turned_away: int = 0
    clients_too_slow: int = 0
    events_lost: int = 0

    def section(self) -> Section:
        """The same for `stats`."""
        return {
            "clients-turned-away": str(self.clients_turned_away),
            "clients-too-slow": str(self.clients_too_slow),
            "events-lost": str(self.events_lost),
        }
