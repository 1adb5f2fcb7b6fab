"""Duplicates: what both sides made at once, each for itself: two IKE SAs of one pair of peers, two children of one kind.

RFC 7296 leaves two that were made at once be. We end the one of ours that has the lowest of the four nonces, as of two
that are rekeyed at once (§2.8.1): two ikepys then keep exactly one, and with others nothing worse happens than before.

Rule 1: pure; only what was begun by different sides, within CROSSING seconds, is taken for made at once.
Not here: how the loser ends (reauthentication.py, adoption.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ikepy.ike.child import ChildSa
from ikepy.ike.child_table import ChildTable
from ikepy.ike.collisions import Nonces, Side, loser_of
from ikepy.ike.phases import Established

if TYPE_CHECKING:
    from ikepy.ike.sa import IkeSa

CROSSING = 60.0
"Seconds between two that were made at once, with repeats."


def losing_child(table: ChildTable, new: ChildSa) -> ChildSa | None:
    """The child of ours that is to go because the peer made an equal one at the same time; None where none is."""
    for other in table.children.values():
        same = other.name == new.name and _selectors(other) == _selectors(new) and other.by_us != new.by_us
        if not same or other.unique_id in table.unannounced or abs(other.installed_at - new.installed_at) > CROSSING:
            continue
        ours, theirs = (new, other) if new.by_us else (other, new)
        if loser_of(ours.nonces, theirs.nonces) is Side.OURS and ours.unique_id not in table.deleting:
            return ours
    return None


def losing_ike_sa(new: IkeSa, earlier: tuple[IkeSa, ...]) -> tuple[IkeSa, IkeSa] | None:
    """Our IKE SA that is to go because the peer made one at the same time, and that one; None where none is."""
    for other in earlier:
        if other.is_initiator == new.is_initiator or other.path.remote.address != new.path.remote.address:
            continue
        if not (isinstance(other.phase, Established) and isinstance(new.phase, Established)):
            continue
        if abs(other.created_at - new.created_at) > CROSSING or other.connection.name != new.connection.name:
            continue
        ours, theirs = (new, other) if new.is_initiator else (other, new)
        if loser_of(_nonces(ours), _nonces(theirs)) is Side.OURS:
            return ours, theirs
    return None


def _selectors(child: ChildSa) -> tuple[object, object]:
    return child.negotiated.local_ts, child.negotiated.remote_ts


def _nonces(sa: IkeSa) -> Nonces:
    keyed = sa.keyed
    assert keyed is not None  # noqa: S101 - it is established
    return Nonces(keyed.ni, keyed.nr)
