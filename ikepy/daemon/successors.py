"""Who has come in whose place by a rekey: an SA that an operator named by its number is found though it has another now.

Rule 1: only what was published is known, and of that only the last: a wish is fulfilled in seconds, or asked again.
Not here: rekeying (ike/succession.py, ike/child_table.py), waiting (operator.py).
"""

from __future__ import annotations

from ikepy.ike.events import ChildSaRekeyed, Event, IkeSaRekeyed

MOST = 4096
"Successions of each kind that are remembered."


class Successors:
    """Numbers of IKE SAs and of children, each with that of its successor."""

    def __init__(self) -> None:
        self._of_ike: dict[int, int] = {}
        self._of_child: dict[int, int] = {}

    def note(self, event: Event) -> None:
        """Remember it, if it is about a successor."""
        match event:
            case IkeSaRekeyed(old, new):
                _enter(self._of_ike, old.unique_id, new.unique_id)
            case ChildSaRekeyed(_, old_child, new_child):
                _enter(self._of_child, old_child.unique_id, new_child.unique_id)

    def of_ike(self, unique_id: int) -> tuple[int, ...]:
        """The number of an IKE SA and those of all that have come in its place, the last one last."""
        return _chain(self._of_ike, unique_id)

    def of_child(self, unique_id: int) -> tuple[int, ...]:
        """The same of a child."""
        return _chain(self._of_child, unique_id)


def _enter(successors: dict[int, int], old: int, new: int) -> None:
    successors[old] = new
    if len(successors) > MOST:
        del successors[next(iter(successors))]


def _chain(successors: dict[int, int], unique_id: int) -> tuple[int, ...]:
    # Numbers only rise, so this ends.
    chain = [unique_id]
    while (following := successors.get(chain[-1])) is not None:
        chain.append(following)
    return tuple(chain)
