"""The end of an IKE SA, and of its children: what is removed, what is said, who is told.

Rule 1: whatever ends an IKE SA comes through close(): after it nothing of it is in the kernel, or on its way there.
Rule 2: an end is published only of what was published as up.
Not here: the DELETE exchange (exchanges/delete.py), what follows from an end (keeper.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ikepy.ike.causes import Cause
from ikepy.ike.child import ChildSa
from ikepy.ike.effects import RemoveChildSa
from ikepy.ike.events import AttemptFailed, ChildSaDown, IkeSaDown
from ikepy.ike.phases import Authenticating, Closed, Closing, Connecting, Established
from ikepy.ike.snapshot import snapshot_child, snapshot_ike
from ikepy.ike.timers import TimerName

if TYPE_CHECKING:
    from ikepy.ike.sa import IkeSa

DOOMED = 30.0
"Seconds an IKE SA that is to end waits for the peer's proof, so that it can be deleted there too."


class Ending:
    """How one IKE SA ends."""

    def __init__(self, sa: IkeSa) -> None:
        self._sa = sa
        self.doomed: tuple[str, Cause] | None = None

    def terminate(self, reason: str, cause: Cause) -> None:
        """End the IKE SA: with a delete where the peer is known, else at once."""
        sa, phase = self._sa, self._sa.phase
        if isinstance(phase, Established):
            sa.enter(Closing(phase.keyed, phase.authenticated, reason, cause))
            sa.pending.clear()
            sa.granting.grant()
        elif isinstance(phase, Authenticating) and sa.is_initiator and cause is not Cause.SHUTDOWN:
            # The peer may have the IKE SA already: it is deleted there as soon as we hear so.
            if self.doomed is None:
                self.doomed = reason, cause
                sa.agenda.set(TimerName.HALF_OPEN, sa.now + DOOMED)
        elif not sa.is_closing:
            self.close(reason, cause)

    def end_if_doomed(self) -> None:
        """What was to end while it was being authenticated ends now."""
        if self.doomed is not None:
            self.terminate(*self.doomed)

    def close(self, reason: str, cause: Cause) -> None:
        """End it now, without a word to the peer: conversations, children, timers."""
        sa, was, last = self._sa, self._sa.phase, snapshot_ike(self._sa)
        if isinstance(was, Closed):
            return
        if isinstance(was, Closing):
            reason, cause = was.reason, was.cause
        elif self.doomed is not None:
            reason, cause = self.doomed
        sa.end_conversations()
        known = sa.authenticated
        self.remove_children(reason, cause)
        self._give_addresses_back()
        sa.enter(Closed(sa.keyed, known, reason))
        sa.pending.clear()
        sa.channel.close()
        sa.agenda.clear_all()
        if sa.held_by is not None:
            sa.held_by.succession.forget_held()
        held = sa.held
        if held is not None:
            sa.succession.forget_held()
            held.terminate(reason, cause)
        if sa.is_announced:
            sa.host.publish(IkeSaDown(last, reason))
        elif known is None:
            sa.host.publish(AttemptFailed(sa.connection.name, None, sa.unique_id, reason, sa.claim))
        sa.host.ended(sa, cause)
        # Of a refused IKE_SA_INIT nothing is kept: a flood of them may not cost memory.
        if sa.channel.responses.kept is None or isinstance(was, Connecting):
            sa.host.closed(sa)
        else:
            sa.host.linger(sa)

    def _give_addresses_back(self) -> None:
        """What was lent, or given to us, ends with the last of the IKE SAs that came after each other."""
        sa, known = self._sa, self._sa.authenticated
        if known is not None:
            for effect in sa.host.holdings.drop(known.admission):
                sa.host.perform_undo(effect)

    def end_removal(self, child: ChildSa, reason: str, cause: Cause) -> None:
        """The child is out of the kernel, or its removal is queued and nobody waits for it."""
        sa, table = self._sa, self._sa.table
        if table.removing.pop(child.unique_id, None) is None:
            return
        sa.host.reqids.drop(child.reqid)
        table.redundant.discard(child.unique_id)
        if child.unique_id in table.unannounced:
            table.unannounced.discard(child.unique_id)
        elif not table.has_heir(child):
            sa.host.publish(ChildSaDown(snapshot_ike(sa), snapshot_child(child, "DELETED"), reason))
            sa.host.child_ended(sa, child, cause)

    def remove_children(self, reason: str, cause: Cause) -> None:
        """Take all children out of the kernel, without a word to the peer."""
        sa = self._sa
        for child in tuple(sa.table.children.values()):
            sa.host.perform_undo(RemoveChildSa(child.spec))
            sa.begin_removal(child)
        for child in tuple(sa.table.removing.values()):
            self.end_removal(child, reason, cause)
        for child in tuple(sa.table.retiring.values()):
            sa.upkeep.end_retired(child.unique_id)
