"""Reauthentication: another IKE SA with the same peer, with all its children, and the end of the first (RFC 7296 §2.8.3).

Rule 1: make before break: the old IKE SA ends when the new one has its children, and stays when that comes to nothing;
        break before make: the other way round, for peers that cannot have both.
Rule 2: the old one's end is no end to an operator's wishes: its cause is SUPERSEDED.
Not here: when it is due (upkeep.py), the exchanges.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ikepy.config.model import ChildConfig
from ikepy.ike.causes import Cause
from ikepy.ike.phases import Closed, Established
from ikepy.ike.redirection import Redirection
from ikepy.ike.timers import TimerName

if TYPE_CHECKING:
    from ikepy.ike.hosting import Hosting
    from ikepy.ike.sa import IkeSa

AGAIN = 60.0
"Seconds after which a reauthentication that came to nothing is tried again."


class Reauthentication:
    """The IKE SAs of an endpoint that are being made anew, by their unique numbers."""

    def __init__(self, host: Hosting) -> None:
        self._host = host
        self._old_of: dict[int, IkeSa] = {}
        self._made: set[int] = set()
        self._reborn: dict[int, tuple[ChildConfig, ...]] = {}

    def begin(self, old: IkeSa) -> None:
        """Make another IKE SA with the peer of this one; nothing where that is under way."""
        if not isinstance(old.phase, Established) or old in self._old_of.values():
            return
        children = _children(old)
        if old.connection.make_before_break:
            old.decided("reauthentication: a new IKE SA is made before this one ends")
            self.make(old, children)
        else:
            self._reborn[old.unique_id] = children
            old.terminate("reauthentication", Cause.SUPERSEDED)

    def is_of(self, new: IkeSa, old: IkeSa) -> bool:
        """Whether one was begun by us to take the other's place."""
        return self._old_of.get(new.unique_id) is old

    def hand_over(self, old: IkeSa, new: IkeSa) -> None:
        """Have an established IKE SA take over what another with the same peer has and wants, and end the other."""
        self._old_of[new.unique_id] = old
        new.granting.take_over(old.granting)
        for config in _children(old):
            if new.table.named(config.name) is None:
                new.wish_child(config)
        new.granting.grant()

    def settle(self, new: IkeSa) -> None:
        """The new IKE SA has all it wanted: the old one ends."""
        old = self._old_of.pop(new.unique_id, None)
        if old is None:
            return
        missing = [child.name for child in _children(old) if new.table.named(child.name) is None]
        if missing and new.unique_id in self._made and isinstance(old.phase, Established):
            self._made.discard(new.unique_id)
            self._try_later(old, f"child {missing[0]} was not to be had")
            new.terminate("a reauthentication that came to nothing", Cause.SUPERSEDED)
            return
        for unique_id, replaced in self._old_of.items():
            if replaced is old:  # another that was to come in its place comes in this one's
                self._old_of[unique_id] = new
        old.terminate("reauthenticated", Cause.SUPERSEDED)

    def succeeded(self, old: IkeSa, new: IkeSa) -> None:
        """One IKE SA has been rekeyed meanwhile: what is to end, or what is to settle, is its successor."""
        before = self._old_of.pop(old.unique_id, None)
        if before is not None:
            self._old_of[new.unique_id] = before
        if old.unique_id in self._made:
            self._made.remove(old.unique_id)
            self._made.add(new.unique_id)
        for unique_id, sa in self._old_of.items():
            if sa is old:
                self._old_of[unique_id] = new

    def ended(self, sa: IkeSa) -> None:
        """An IKE SA is over: the new one that came to nothing, or the old one that makes room."""
        old = self._old_of.pop(sa.unique_id, None)
        self._made.discard(sa.unique_id)
        if old is not None and not isinstance(old.phase, Closed):
            self._try_later(old, "the new IKE SA was not to be had")
        children = self._reborn.pop(sa.unique_id, None)
        if children is not None:
            self._host.want(sa.connection, tuple(child.name for child in children))

    def _try_later(self, old: IkeSa, reason: str) -> None:
        old.decided(f"reauthentication came to nothing: {reason}; it is tried again", warning=True)
        old.agenda.set(TimerName.REAUTHENTICATE, old.now + AGAIN)

    def make(self, old: IkeSa, children: tuple[ChildConfig, ...], redirection: Redirection | None = None) -> None:
        """Make another IKE SA in the place of one, where another gateway sends us to; nothing where that is under way."""
        if old in self._old_of.values():
            return
        new = self._host.prepare(old.connection)
        self._old_of[new.unique_id] = old
        self._made.add(new.unique_id)
        new.begin(children, None, redirection)


def _children(sa: IkeSa) -> tuple[ChildConfig, ...]:
    """What the IKE SA has, each configuration once, as it is configured now."""
    found = {child.name: child.negotiated.config for child in sa.table.children.values()}
    return tuple(found.values())
