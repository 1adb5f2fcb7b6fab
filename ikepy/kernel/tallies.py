"""Tallies: octets that went by the states of an owner, those that are gone among them.

Rule 1: nothing is kept of owners nobody asked to be counted.
Not here: reading a state's counters (xfrm.py), who wants to know (daemon/sessions.py).
"""

from __future__ import annotations

from dataclasses import dataclass

from ikepy.ipsec import Owner, SaCounters


@dataclass(frozen=True, slots=True)
class Octets:
    """Octets inside the tunnel, from the peer and to it."""

    inbound: int = 0
    outbound: int = 0

    def __add__(self, other: Octets) -> Octets:
        return Octets(self.inbound + other.inbound, self.outbound + other.outbound)


class Tallies:
    """What was counted by states that are gone."""

    def __init__(self) -> None:
        self._gone: dict[Owner, Octets] = {}

    def begin(self, owner: Owner) -> None:
        """Count for an owner from now on."""
        self._gone.setdefault(owner, Octets())

    def is_counted(self, owner: Owner) -> bool:
        """Whether somebody wants to know."""
        return owner in self._gone

    def add(self, owner: Owner, counted: SaCounters | None, *, inbound: bool) -> None:
        """A state of the owner is about to go."""
        if counted is not None and owner in self._gone:
            self._gone[owner] += octets_of(counted, inbound=inbound)

    def of(self, owner: Owner) -> Octets:
        """What went by those that are gone."""
        return self._gone.get(owner, Octets())

    def end(self, owner: Owner) -> None:
        """Count no longer, and forget."""
        self._gone.pop(owner, None)


def octets_of(counted: SaCounters, *, inbound: bool) -> Octets:
    """What one state counted, on its side."""
    return Octets(inbound=counted.octets) if inbound else Octets(outbound=counted.octets)
