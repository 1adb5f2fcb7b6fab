"""Succession: a rekeyed IKE SA's children, wishes and times go to its successor (RFC 7296 §2.8, §2.8.2, §2.18).

Rule 1: all of it moves in one commit; from then on the old IKE SA only waits to be deleted.
Rule 2: where both sides rekey at once, both successors are there until our own answer has come. The one made with the
        lowest of the four nonces is deleted by the side that made it; the other takes the children.
Rule 3: a peer that uses its successor, or deletes the old IKE SA, has decided: we follow, and forget our own attempt.
Not here: the exchange (exchanges/rekey_ike.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ikepy.ike.causes import Cause
from ikepy.ike.collisions import Nonces, Side, loser_of
from ikepy.ike.events import IkeSaRekeyed
from ikepy.ike.exchanges.rekey_ike import Successor
from ikepy.ike.phases import Closed, Closing, Established, Rekeyed
from ikepy.ike.snapshot import snapshot_ike
from ikepy.ike.timers import TimerName
from ikepy.ike.upkeep import SUPERSEDED
from ikepy.ike.wishes import WantUpdate

if TYPE_CHECKING:
    from ikepy.ike.sa import IkeSa


MOST_BEFORE = 4
"IKE SAs that a peer may have replaced one after the other without deleting any."


class Succession:
    """Who comes after one IKE SA, and who came before it."""

    def __init__(self, sa: IkeSa) -> None:
        self._sa = sa
        self._held_nonces: Nonces | None = None
        self._before: list[IkeSa] = []

    @property
    def is_crowded(self) -> bool:
        """Whether too many of those before this IKE SA live on."""
        return sum(not isinstance(sa.phase, Closed) for sa in self._before) >= MOST_BEFORE

    def made_by_us(self, ours: Successor) -> None:
        """Our exchange has its answer: decide, if the peer's crossed it, and move."""
        sa, held, theirs = self._sa, self._sa.held, self._held_nonces
        new = self._make(ours)
        if isinstance(sa.phase, Rekeyed):
            new.terminate("the peer's came first", Cause.SUPERSEDED)
            return
        if held is not None and theirs is not None:
            self._let_go()
            if loser_of(ours.nonces, theirs) is Side.OURS:
                sa.decided("both sides rekeyed the IKE SA at once: the peer's successor stays, ours goes")
                self._move(held, we_delete=False)
                new.terminate("lost against the peer's", Cause.SUPERSEDED)
                return
            sa.decided("both sides rekeyed the IKE SA at once: our successor stays, the peer's goes")
            held.agenda.set(TimerName.SUPERSEDED, sa.now + SUPERSEDED)
        self._move(new, we_delete=True)

    def made_by_peer(self, theirs: Successor) -> None:
        """The peer's exchange is answered: move, unless our own is under way and may win."""
        sa = self._sa
        new = self._make(theirs)
        if sa.is_rekeying:
            sa.held, self._held_nonces = new, theirs.nonces
            new.held_by = sa
        else:
            self._move(new, we_delete=False)

    def follow_peer(self) -> bool:
        """Our own attempt came to nothing, or the peer has decided: move to its successor; False where it has none."""
        held = self._sa.held
        if held is None:
            return False
        self._let_go()
        self._move(held, we_delete=False)
        return True

    def forget_held(self) -> None:
        """The peer has deleted its successor: it lost."""
        self._let_go()

    def take_over(self, other: Succession) -> None:
        """The IKE SA has come after the other's, and after all before that."""
        self._before = [*(sa for sa in other._before if not isinstance(sa.phase, Closed)), other._sa]
        other._before = []

    def _let_go(self) -> None:
        if self._sa.held is not None:
            self._sa.held.held_by = None
        self._sa.held = self._held_nonces = None

    def _make(self, successor: Successor) -> IkeSa:
        """An established IKE SA with the new keys, and no children yet."""
        sa, keyed = self._sa, successor.keyed
        our_spi = None if successor.initiated else keyed.spi_r
        new = sa.host.new_sa(sa.connection, sa.path, keyed.spi_i, our_spi=our_spi)
        assert sa.authenticated is not None  # noqa: S101 - only authenticated IKE SAs are rekeyed
        new.protect(keyed)
        new.channel.sizes.inherit(sa.channel.sizes)
        new.enter(Established(keyed, sa.authenticated, sa.now))
        sa.host.holdings.hold(sa.authenticated.admission)
        new.moving.take_over(sa.moving)
        return new

    def _move(self, new: IkeSa, *, we_delete: bool) -> None:
        """The successor takes the children, and whatever is wanted; the old IKE SA is to be deleted."""
        old, phase = self._sa, self._sa.phase
        assert isinstance(phase, Established | Closing)  # noqa: S101 - see exchanges/__init__.py and _refuse_if_busy
        assert phase.authenticated is not None  # noqa: S101
        before = snapshot_ike(old)
        new.table, old.table = old.table, new.table
        new.agenda.take_children_of(old.agenda)
        new.heard_at = old.heard_at
        new.moving.take_over(old.moving)
        new.granting.take_over(old.granting)
        new.upkeep.take_over(old.upkeep)
        new.upkeep.begin()
        new.succession.take_over(self)
        old.enter(Rekeyed(phase.keyed, phase.authenticated, we_delete))
        if not we_delete:
            if WantUpdate() in new.pending:  # the peer may not have our answer yet, and asks for it where we were
                old.granting.wish_first(WantUpdate())
            old.agenda.set(TimerName.SUPERSEDED, old.now + SUPERSEDED)
        old.host.succeeded(old, new)
        old.host.publish(IkeSaRekeyed(before, snapshot_ike(new)))
        if isinstance(phase, Closing):
            new.terminate(phase.reason, phase.cause)
        new.granting.grant()
