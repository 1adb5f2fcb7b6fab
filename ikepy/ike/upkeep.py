"""Upkeep: what an established IKE SA does by itself when time has come: liveness, rekeying, the end of what was replaced.

Rule 1: an instant only makes a wish, or ends what has outlived its time; exchanges do the rest.
Rule 2: what was wanted and failed is wanted again after a wait, until its hard limit.
Not here: when instants are (lifetimes.py, config), the wishes' granting (granting.py).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ikepy.ike.causes import Cause
from ikepy.ike.child import ChildSa
from ikepy.ike.effects import RemoveChildSa
from ikepy.ike.lifetimes import ike_times, spread
from ikepy.ike.phases import Established, Rekeyed
from ikepy.ike.timers import TimerName
from ikepy.ike.wishes import WantChild, WantChildDeleted, WantChildRekeyed, WantLiveness, WantLook, WantRekeyed, Wish

if TYPE_CHECKING:
    from ikepy.ike.sa import IkeSa

SUPERSEDED = 120.0
"Seconds a replaced IKE SA waits for the peer, whose successor has won, to delete it; anew when its request comes again."
LEAST_OVER = 60.0
"Seconds an IKE SA that could not be renewed has at least."
REDUNDANT = 120.0
"Seconds a child that lost a crossing waits for the peer, who made it, to delete it."
LOOK = 1.0
"Seconds until we look for the first time whether the peer sends by its new child; each wait is twice the one before."
LONGEST_LOOK = 16.0
CHANGE_OVER = 120.0
"""Seconds after which we send by the peer's new child whether it is seen to or not.

§2.8 has us send by the old one until then; a peer that has nothing to send and does not delete it would let it expire.
"""

_WISHES: dict[TimerName, Callable[[int], Wish]] = {
    TimerName.REKEY: lambda _: WantRekeyed(),
    TimerName.CHILD_REKEY: WantChildRekeyed,
    TimerName.CHILD_SWITCH: WantLook,
    TimerName.CHILD_REDUNDANT: lambda child: WantChildDeleted(child, exact=True),
}
"""What is wished when an instant comes, given the child it is of."""


class Upkeep:
    """The instants of one IKE SA, and what comes of them."""

    def __init__(self, sa: IkeSa) -> None:
        self._sa = sa
        self._authentication_ends: float | None = None
        self._repeat_at = float("-inf")

    # -- setting -------------------------------------------------------------------------------------------------

    def begin_authenticated(self, lifetime: int | None) -> None:
        """The IKE SA is authenticated: set what is to come.

        lifetime   the AUTH_LIFETIME the responder sent us, seconds (RFC 4478)
        """
        sa = self._sa
        times = ike_times(sa.connection, sa.entropy)
        after, until = times.reauth_after, sa.connection.reauth_time + times.over
        if lifetime is not None and (after is None or lifetime < until):
            after, until = spread(lifetime * 2 / 3, sa.entropy) * 0.95, float(lifetime)
        if after is not None:
            # Who began is the one to begin again; the responder only sees to it that this happens.
            if sa.is_initiator:
                sa.agenda.set(TimerName.REAUTHENTICATE, sa.now + after)
            self._authentication_ends = sa.now + max(until, LEAST_OVER)
        self.begin()

    def begin(self) -> None:
        """The IKE SA has keys: set when they are renewed."""
        sa, agenda = self._sa, self._sa.agenda
        times = ike_times(sa.connection, sa.entropy)
        ends = [self._authentication_ends] if self._authentication_ends is not None else []
        if times.rekey_after is not None and not sa.quirks.never_rekey_ike:
            agenda.set(TimerName.REKEY, sa.now + times.rekey_after)
            ends.append(sa.now + sa.connection.rekey_time + max(times.over, LEAST_OVER))
        if ends:
            agenda.set(TimerName.OVERDUE, min(ends))
        self.watch_for_life()

    def take_over(self, other: Upkeep) -> None:
        """This IKE SA has come in another's place: who both are was proven then, and not now."""
        theirs, agenda = other._sa.agenda, self._sa.agenda
        reauthenticate = theirs.instant(TimerName.REAUTHENTICATE)
        if reauthenticate is not None:
            agenda.set(TimerName.REAUTHENTICATE, reauthenticate)
        if self._authentication_ends is None:
            self._authentication_ends = other._authentication_ends
        for name in (TimerName.REKEY, TimerName.REAUTHENTICATE, TimerName.OVERDUE, TimerName.LIVENESS):
            theirs.clear(name)

    def watch_for_life(self) -> None:
        """Set the liveness timer anew, if the connection wants one."""
        sa = self._sa
        if sa.connection.dpd_delay > 0:
            sa.agenda.set(TimerName.LIVENESS, sa.heard_at + sa.connection.dpd_delay)

    def watch_child(self, child: ChildSa) -> None:
        """A child is in use: set when it is rekeyed."""
        if child.rekey_at is not None:
            self._sa.agenda.set(TimerName.CHILD_REKEY, child.rekey_at, child.unique_id)

    def watch_heir(self, heir: ChildSa) -> None:
        """The peer has made a child in another's place: look when it sends by it."""
        self._sa.agenda.set(TimerName.CHILD_SWITCH, self._sa.now + LOOK, heir.unique_id)

    def heard_repeat(self) -> None:
        """The peer repeats a request, so it has not had our answer: what waits for its next step waits on."""
        sa = self._sa
        self._repeat_at = sa.now
        if sa.agenda.instant(TimerName.SUPERSEDED) is not None:
            sa.agenda.set(TimerName.SUPERSEDED, sa.now + SUPERSEDED)

    # -- coming --------------------------------------------------------------------------------------------------

    def handle(self, name: TimerName, child: int) -> None:
        """An instant has come."""
        sa, make_wish = self._sa, _WISHES.get(name)
        if make_wish is not None:
            sa.wish(make_wish(child))
            return
        match name:
            case TimerName.LIVENESS:
                self._look_for_life()
            case TimerName.KEEPALIVE:
                sa.moving.keep_alive()
            case TimerName.RETRY:
                sa.granting.retry()
            case TimerName.REAUTHENTICATE:
                self._reauthenticate()
            case TimerName.OVERDUE:
                sa.decided("the IKE SA was not renewed in time", warning=True)
                sa.terminate("not renewed in time: compare rekey_time and proposals on both sides", Cause.EXPIRED)
            case TimerName.SUPERSEDED:
                self._end_superseded()
            case TimerName.CHILD_RETIRED:
                self.end_retired(child)

    def expired(self, child: ChildSa, *, hard: bool) -> None:
        """The kernel says that a state of the child has reached a limit."""
        sa, table = self._sa, self._sa.table
        if child.unique_id not in table.children or table.is_replaced(child):
            return
        if not hard:
            sa.wish(WantChildRekeyed(child.unique_id))
            return
        sa.decided(f"child {child.name} was not rekeyed before its end: it is made anew", warning=True)
        sa.wish(WantChildDeleted(child.unique_id, exact=True))
        sa.wish(WantChild(child.negotiated.config))

    def has_waited_long_for(self, heir: ChildSa) -> bool:
        """Whether the peer has had its new child for long: it has not repeated a request meanwhile."""
        return self._sa.now - max(heir.installed_at, self._repeat_at) >= CHANGE_OVER

    def looked(self, heir: ChildSa) -> None:
        """The peer does not send by its new child yet: look again, and not for ever."""
        sa = self._sa
        if heir.unique_id not in sa.table.waiting:
            return
        age = sa.now - heir.installed_at
        sa.agenda.set(TimerName.CHILD_SWITCH, sa.now + min(max(age, LOOK), LONGEST_LOOK), heir.unique_id)

    def _look_for_life(self) -> None:
        sa = self._sa
        due = sa.heard_at + sa.connection.dpd_delay
        if due <= sa.now:
            due = sa.now + sa.connection.dpd_delay
            # Any request of ours that waits for its answer asks for a sign of life already.
            if not sa.is_initiating:
                sa.wish(WantLiveness())
                due = max(sa.heard_at, sa.now) + sa.connection.dpd_delay
        sa.agenda.set(TimerName.LIVENESS, due)

    def _reauthenticate(self) -> None:
        sa = self._sa
        if isinstance(sa.phase, Established):
            sa.host.reauthenticate(sa)

    def _end_superseded(self) -> None:
        """The peer did not delete what its own successor replaced."""
        sa = self._sa
        if isinstance(sa.phase, Rekeyed):
            sa.enter(Rekeyed(sa.phase.keyed, sa.phase.authenticated, we_delete=True))
            sa.granting.grant()
        else:
            # Of one that the peer never used it has nothing: our answer was lost, and then its own successor won.
            (sa.terminate if sa.has_heard else sa.close)("replaced", Cause.SUPERSEDED)

    def end_retired(self, unique_id: int) -> None:
        """What was in flight for a replaced child has come: its inbound state goes."""
        sa = self._sa
        child = sa.table.retiring.pop(unique_id, None)
        if child is not None:
            sa.agenda.clear_child(unique_id)
            sa.host.perform_undo(RemoveChildSa(child.spec))
            sa.host.reqids.drop(child.reqid)
