"""Which SAs an operator's wish means, and which of them are left.

Rule 1: a target stays the same target when it is rekeyed: it has all the numbers it ever had.
Rule 2: what was replaced and what has come in its place are one target, not two.
Not here: what is done with them, and waiting (operator.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ikepy.daemon.api import RekeyWish, TerminateWish
from ikepy.daemon.successors import Successors
from ikepy.ike.events import ChildSnapshot, IkeSnapshot

REPLACED = "REKEYED"
"The state of an SA in whose place another has come, as long as it is there."
_CAN_BE_REKEYED = frozenset({"ESTABLISHED", "INSTALLED", "REKEYING"})


@dataclass(slots=True)
class Target:
    """One IKE SA, or with `child` one child of it, as it was when it was meant.

    numbers   the unique numbers it has had since then
    """

    ike: IkeSnapshot
    child: ChildSnapshot | None
    numbers: set[int]

    @property
    def name(self) -> str:
        """What an operator calls it."""
        return self.ike.connection if self.child is None else f"{self.ike.connection}/{self.child.name}"

    @property
    def unique_id(self) -> int:
        """The number it had when it was meant."""
        return self.ike.unique_id if self.child is None else self.child.unique_id

    @property
    def can_be_rekeyed(self) -> bool:
        """Whether it was up when it was meant."""
        return (self.ike if self.child is None else self.child).state in _CAN_BE_REKEYED


class Targets:
    """All that one wish means; `look` takes what is there now."""

    def __init__(self, wish: TerminateWish | RekeyWish, sas: Sequence[IkeSnapshot], successors: Successors) -> None:
        self._successors = successors
        self.all = list(_find(wish, sas, successors))
        self.look(sas)

    def look(self, sas: Sequence[IkeSnapshot]) -> list[Target]:
        """Learn the numbers of what has come in the place of targets; return the targets that are there still."""
        ikes = {sa.unique_id for sa in sas}
        children = {child.unique_id for sa in sas for child in sa.children}
        for each in self.all:
            for number in tuple(each.numbers):
                each.numbers.update(self.successors_of(each, number))
            if each.child is not None:
                each.numbers.update(_heirs(each.numbers, sas))
        return [each for each in self.all if each.numbers & (ikes if each.child is None else children)]

    def successors_of(self, target: Target, number: int) -> tuple[int, ...]:
        """The numbers of what has come in the place of the target that had this one."""
        find = self._successors.of_ike if target.child is None else self._successors.of_child
        return find(number)[1:]

    @property
    def ike_ids(self) -> tuple[int, ...]:
        """Every number of the IKE SAs."""
        return tuple(number for each in self.all if each.child is None for number in sorted(each.numbers))

    @property
    def child_ids(self) -> tuple[int, ...]:
        """Every number of the children."""
        return tuple(number for each in self.all if each.child is not None for number in sorted(each.numbers))


def _find(wish: TerminateWish | RekeyWish, sas: Sequence[IkeSnapshot], successors: Successors) -> Iterator[Target]:
    if (wish.ike, wish.ike_id, wish.child, wish.child_id) == (None, None, None, None):
        return
    ike_id = successors.of_ike(wish.ike_id)[-1] if wish.ike_id is not None else None
    child_id = successors.of_child(wish.child_id)[-1] if wish.child_id is not None else None
    for sa in sas:
        if wish.ike not in {None, sa.connection} or ike_id not in {None, sa.unique_id} or sa.state == REPLACED:
            continue
        if wish.child is None and wish.child_id is None:
            yield Target(sa, None, {sa.unique_id})
            continue
        meant = [c for c in sa.children if wish.child in {None, c.name} and child_id in {None, c.unique_id}]
        replaced = [child for child in meant if child.state == REPLACED and any(_is_heir(c, child) for c in meant)]
        yield from (
            Target(sa, child, {child.unique_id, *(old.unique_id for old in replaced if _is_heir(child, old))})
            for child in meant
            if child not in replaced
        )


def _heirs(numbers: set[int], sas: Sequence[IkeSnapshot]) -> set[int]:
    """The children that a peer has made in the place of these, of which no event has told yet."""
    return {
        heir.unique_id
        for sa in sas
        for old in sa.children
        if old.unique_id in numbers and old.state == REPLACED
        for heir in sa.children
        if _is_heir(heir, old)
    }


def _is_heir(child: ChildSnapshot, old: ChildSnapshot) -> bool:
    return child.name == old.name and child.unique_id > old.unique_id
