"""Granting: what an IKE SA wants is begun when its one initiating conversation is free.

Rule 1: the end of the IKE SA goes before all else; after that, wishes in their order.
Rule 2: a wish whose time has not come stays first; one whose reason is gone is dropped.
Not here: what wishes are (wishes.py), who has them (upkeep.py, endpoint.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ikepy.ike.exchanges import change_over, create_child, delete, liveness, mobike, redirect, rekey_child, rekey_ike
from ikepy.ike.lifetimes import spread
from ikepy.ike.moving import UPDATE
from ikepy.ike.phases import Closing, Established, Keyed, Rekeyed
from ikepy.ike.timers import TimerName
from ikepy.ike.viewing import REKEY_IKE
from ikepy.ike.wishes import (
    WantAddressesTold,
    WantChild,
    WantChildDeleted,
    WantChildRekeyed,
    WantForeignChildDeleted,
    WantLiveness,
    WantLook,
    WantRekeyed,
    WantSentOn,
    WantUpdate,
    Wish,
)

if TYPE_CHECKING:
    from ikepy.ike.sa import IkeSa

MOST_PENDING = 512
"Wishes that may wait."


class Granting:
    """Begins conversations for the wishes of one IKE SA."""

    def __init__(self, sa: IkeSa) -> None:
        self._sa = sa
        self.postponed: list[tuple[float, Wish]] = []

    def wish(self, wish: Wish) -> None:
        """Do it now or as soon as may be; dropped where it waits already or too much does."""
        self.note(wish)
        self.grant()

    def wish_first(self, wish: Wish) -> None:
        """Do it before all else that waits."""
        pending = self._sa.pending
        if wish in pending:
            pending.remove(wish)
        pending.appendleft(wish)
        self.grant()

    def note(self, wish: Wish) -> None:
        """Do it when all before it is done; what is noted while an end is adopted begins after that."""
        pending = self._sa.pending
        if wish not in pending and len(pending) < MOST_PENDING:
            pending.append(wish)

    def postpone(self, wish: Wish, seconds: float) -> None:
        """Wish it after that time, and up to half as long again."""
        sa = self._sa
        if all(wish != waiting for _, waiting in self.postponed) and len(self.postponed) < MOST_PENDING:
            self.postponed.append((sa.now + spread(seconds, sa.entropy), wish))
        self._set_timer()

    def retry(self) -> None:
        """Wish what was postponed until now."""
        due = [wish for at, wish in self.postponed if at <= self._sa.now]
        self.postponed = [(at, wish) for at, wish in self.postponed if at > self._sa.now]
        self._set_timer()
        for wish in due:
            self.wish(wish)

    def take_over(self, other: Granting) -> None:
        """Take what another IKE SA wants and has not begun: this one has come in its place."""
        sa = self._sa
        sa.pending.extend(wish for wish in other._sa.pending if not isinstance(wish, WantRekeyed | WantLiveness))
        other._sa.pending.clear()
        self.postponed += [(at, wish) for at, wish in other.postponed if not isinstance(wish, WantRekeyed)]
        other.postponed = []
        self._set_timer()

    def grant(self) -> None:
        """Begin what is wanted, if nothing is under way."""
        sa = self._sa
        if sa.is_initiating:
            return
        if isinstance(sa.phase, Closing):
            refused = sa.phase.authenticated is None
            sa.initiate("delete", delete.initiate_refusal() if refused else delete.initiate_ike())
        elif isinstance(sa.phase, Rekeyed) and sa.phase.we_delete:
            sa.initiate("delete", delete.initiate_ike())
        elif isinstance(sa.phase, Rekeyed) and WantUpdate() in sa.pending:
            sa.pending.remove(WantUpdate())  # what the peer still asks here it asks where we were
            sa.initiate(UPDATE, mobike.update(sa, sa.phase.keyed))
        while sa.pending and isinstance(sa.phase, Established) and not sa.is_initiating:
            if not self._grant(sa.pending[0], sa.phase.keyed):
                return
        if self._is_content():
            sa.host.settled(sa)

    def _is_content(self) -> bool:
        """Whether nothing is wanted, nor under way."""
        sa = self._sa
        return isinstance(sa.phase, Established) and not (sa.is_initiating or sa.pending or self.postponed)

    def _grant(self, wish: Wish, keyed: Keyed) -> bool:
        """Begin it, or drop it; False where its time has not come."""
        sa = self._sa
        if self._must_wait(wish):
            return False
        sa.pending.popleft()
        match wish:
            case WantChild(child, packet):
                sa.wanted_child = child
                sa.initiate("CREATE_CHILD_SA", create_child.initiate(sa, keyed, child, packet))
            case WantChildDeleted():
                self._delete(wish)
            case WantForeignChildDeleted(spi_in):
                sa.initiate("delete child", delete.initiate_foreign_child(spi_in))
            case WantChildRekeyed(unique_id):
                self._rekey(unique_id, keyed)
            case WantLook(unique_id):
                heir, old = sa.table.children.get(unique_id), sa.table.waiting.get(unique_id)
                if heir is not None and old is not None:
                    at_last = sa.upkeep.has_waited_long_for(heir)
                    sa.initiate("look", change_over.look(sa, old, heir, at_last=at_last))
            case WantRekeyed():
                sa.initiate(REKEY_IKE, rekey_ike.initiate(sa, keyed))
            case _:
                self._ask(wish, keyed)
        return True

    def _ask(self, wish: Wish, keyed: Keyed) -> None:
        """Ask the peer for a sign of life, or tell it of addresses."""
        sa = self._sa
        match wish:
            case WantLiveness(ask):
                sa.initiate("liveness", liveness.initiate(sa, keyed, ask=ask))
            case WantUpdate():
                sa.initiate(UPDATE, mobike.update(sa, keyed))
            case WantSentOn(gateway):
                sa.initiate("redirect", redirect.initiate(gateway))
            case WantAddressesTold():
                sa.initiate("addresses", mobike.tell_addresses(sa))

    def _must_wait(self, wish: Wish) -> bool:
        """Whether the peer's request that is being answered comes first."""
        sa = self._sa
        if isinstance(wish, WantRekeyed):
            return sa.responding is not None
        if isinstance(wish, WantChildDeleted):
            child = sa.table.present(wish.unique_id)
            return child is not None and sa.table.is_busy(child)
        return False

    def _delete(self, wish: WantChildDeleted) -> None:
        sa, table = self._sa, self._sa.table
        doomed = table.children.get(wish.unique_id) if wish.exact else table.latest(wish.unique_id)
        if doomed is None:
            return
        heir = None if wish.exact else table.heir_waiting_for(doomed)
        if heir is not None:
            sa.pending.appendleft(WantChildDeleted(heir.unique_id))
        table.deleting.add(doomed.unique_id)
        sa.agenda.clear(TimerName.CHILD_REKEY, doomed.unique_id)
        sa.initiate("delete child", delete.initiate_child(sa, doomed))

    def _rekey(self, unique_id: int, keyed: Keyed) -> None:
        sa, table = self._sa, self._sa.table
        old = table.children.get(unique_id)
        if old is None or unique_id in table.deleting or unique_id in table.unannounced or table.is_replaced(old):
            return
        sa.rekeyed_child = old
        sa.initiate("rekey child", rekey_child.initiate(sa, keyed, old))

    def _set_timer(self) -> None:
        if self.postponed:
            self._sa.agenda.set(TimerName.RETRY, min(at for at, _ in self.postponed))
        else:
            self._sa.agenda.clear(TimerName.RETRY)
