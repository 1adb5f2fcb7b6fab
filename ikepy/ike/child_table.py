"""ChildTable: the children of an IKE SA, and what is being done to replace or remove them.

Rule 1: the table moves as one to the successor when the IKE SA is rekeyed.
Rule 2: an attempt to replace a child is entered here before its exchange awaits anything, so that the other side's
        attempt, and every delete, sees it.
Rule 3: a child is in one place: among the children, being removed, or retiring.
Not here: exchanges, timers, events.
"""

from __future__ import annotations

from dataclasses import dataclass

from ikepy.ike.child import ChildSa
from ikepy.ike.collisions import Nonces, Side, loser_of
from ikepy.ipsec import Spi

MOST_HEIRS = 64
"Replaced children that are gone of which is remembered who came after them."


@dataclass(slots=True)
class Theirs:
    """The peer's exchange to replace a child; `child` is None while it is being made."""

    nonces: Nonces
    child: ChildSa | None = None


@dataclass(slots=True)
class Replacement:
    """What both sides do to replace one child.

    is_ours   our exchange is under way
    settled   our exchange has its answer: whatever the peer asks of the old child now comes too late (§2.25.1)
    theirs    the peer's exchange, None where it began none, or where it came to nothing
    winner    whose new child stays, None while that is open
    """

    old: ChildSa
    is_ours: bool = False
    settled: bool = False
    theirs: Theirs | None = None
    winner: Side | None = None

    def settle(self, ours: Nonces) -> Side:
        """Our answer has come: whose new child stays."""
        self.settled = True
        lost = self.theirs is not None and loser_of(ours, self.theirs.nonces) is Side.OURS
        self.winner = Side.THEIRS if lost else Side.OURS
        return self.winner


class ChildTable:
    """Children by their unique numbers.

    children   in use, or about to be: what exchanges find
    deleting   of those, the ones our delete is on its way for
    removing   on their way out of the kernel
    retiring   replaced and deleted; what is in flight may still come in by them
    waiting    new children whose outbound state waits until the peer uses them, with the child each replaces
    redundant  children the peer made in a crossing and lost: it is to delete them
    unannounced  children of which nobody was told: waiting ones and redundant ones
    """

    def __init__(self) -> None:
        self.children: dict[int, ChildSa] = {}
        self.deleting: set[int] = set()
        self.removing: dict[int, ChildSa] = {}
        self.retiring: dict[int, ChildSa] = {}
        self.replacements: dict[int, Replacement] = {}
        self.waiting: dict[int, ChildSa] = {}
        self.redundant: set[int] = set()
        self.unannounced: set[int] = set()
        self._heirs: dict[int, int] = {}

    def by_spi_in(self, spi: Spi) -> ChildSa | None:
        """The child we receive by that SPI."""
        return next((child for child in self.children.values() if child.spi_in == spi), None)

    def by_spi_out(self, spi: Spi) -> ChildSa | None:
        """The child we send by that SPI."""
        return next((child for child in self.children.values() if child.spi_out == spi), None)

    def present(self, unique_id: int) -> ChildSa | None:
        """The child of that number, or the one that has come after it."""
        while unique_id not in self.children and unique_id in self._heirs:
            unique_id = self._heirs[unique_id]
        return self.children.get(unique_id)

    def latest(self, unique_id: int) -> ChildSa | None:
        """The last one that has come in the place of that child; None where it is gone."""
        while unique_id in self._heirs:
            unique_id = self._heirs[unique_id]
        return self.children.get(unique_id)

    def all(self) -> tuple[ChildSa, ...]:
        """Every child of which something is in the kernel, or on its way out."""
        return (*self.children.values(), *self.removing.values(), *self.retiring.values())

    def named(self, name: str) -> ChildSa | None:
        """A child of that configuration which is not on its way out."""
        return next(
            (
                child
                for child in self.children.values()
                if child.name == name and child.unique_id not in self.deleting and child.unique_id not in self.redundant
            ),
            None,
        )

    def moved(self, child: ChildSa) -> None:
        """A child is between other addresses now: wherever it stood, it stands so."""
        unique_id = child.unique_id
        for place in (self.children, self.removing, self.retiring):
            if unique_id in place:
                place[unique_id] = child
        for heir, replaced in self.waiting.items():
            if replaced.unique_id == unique_id:
                self.waiting[heir] = child
        for attempt in self.replacements.values():
            if attempt.old.unique_id == unique_id:
                attempt.old = child
            if attempt.theirs is not None and attempt.theirs.child is not None:
                attempt.theirs.child = self.children.get(attempt.theirs.child.unique_id, attempt.theirs.child)

    # -- replacing -----------------------------------------------------------------------------------------------

    def replacement(self, old: ChildSa) -> Replacement:
        """What is being done to replace a child, entered if nothing is."""
        return self.replacements.setdefault(old.unique_id, Replacement(old))

    def has_heir(self, old: ChildSa) -> bool:
        """Whether another child has come in its place."""
        return old.unique_id in self._heirs

    def is_replaced(self, child: ChildSa) -> bool:
        """Whether another child has come in its place, is coming, or has been asked for."""
        found = self.replacements.get(child.unique_id)
        return self.has_heir(child) or (found is not None and (found.is_ours or found.theirs is not None))

    def is_busy(self, child: ChildSa) -> bool:
        """Whether an exchange to replace the child is under way, on either side."""
        found = self.replacements.get(child.unique_id)
        return found is not None and (found.is_ours or (found.theirs is not None and found.theirs.child is None))

    def heir_waiting_for(self, old: ChildSa) -> ChildSa | None:
        """The child whose outbound state is to take the place of this one's."""
        for unique_id, replaced in self.waiting.items():
            if replaced.unique_id == old.unique_id:
                return self.children.get(unique_id)
        return None

    def inherit(self, old: ChildSa, new: ChildSa) -> None:
        """Remember that one child has come in the place of another."""
        self._heirs[old.unique_id] = new.unique_id
        if len(self._heirs) > MOST_HEIRS:
            gone = [unique_id for unique_id in self._heirs if unique_id not in self.children]
            for unique_id in gone[: len(self._heirs) - MOST_HEIRS]:
                del self._heirs[unique_id]

    def tidy(self, unique_id: int) -> None:
        """Forget what was done to replace a child, once it is gone and nobody is at it any more."""
        found = self.replacements.get(unique_id)
        if found is None or found.is_ours or (found.theirs is not None and found.theirs.child is None):
            return
        if unique_id not in self.children or (found.theirs is None and found.winner is None):
            del self.replacements[unique_id]

    # -- removing ------------------------------------------------------------------------------------------------

    def begin_removal(self, child: ChildSa) -> bool:
        """No exchange finds the child any more; whether it was there."""
        return self._move(child, self.removing)

    def begin_retirement(self, child: ChildSa) -> bool:
        """The same for a child that was replaced: it goes a little later."""
        return self._move(child, self.retiring)

    def _move(self, child: ChildSa, to: dict[int, ChildSa]) -> bool:
        present = self.children.pop(child.unique_id, None)
        if present is None:
            return False
        self.deleting.discard(child.unique_id)
        self.waiting.pop(child.unique_id, None)
        to[child.unique_id] = present
        self.tidy(child.unique_id)
        self._forget_heir(child)
        return True

    def _forget_heir(self, heir: ChildSa) -> None:
        """The peer deletes what it made to replace a child, and not that child: nothing was done to replace it."""
        for attempt in tuple(self.replacements.values()):
            if attempt.theirs is not None and _is_same(attempt.theirs.child, heir) and not attempt.is_ours:
                attempt.theirs, attempt.winner, attempt.settled = None, None, False
                self.tidy(attempt.old.unique_id)

    def state_of(self, child: ChildSa) -> str:
        """VICI's word for how it stands with a child."""
        unique_id = child.unique_id
        if unique_id in self.deleting or unique_id in self.redundant:
            return "DELETING"
        replacement = self.replacements.get(unique_id)
        if unique_id in self._heirs or self.heir_waiting_for(child) is not None:
            return "REKEYED"
        return "REKEYING" if replacement is not None and replacement.is_ours else "INSTALLED"


def _is_same(child: ChildSa | None, other: ChildSa) -> bool:
    """Whether both are one child; it may have moved between."""
    return child is not None and child.unique_id == other.unique_id
