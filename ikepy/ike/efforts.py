"""Effort: what is done to have the children of one connection up.

Rule 1: what is up and what is under way is asked anew each time, never remembered: a peer may have been faster.
Rule 2: the children of a connection go together: one try, one IKE SA, one timer.
Rule 3: as long as a child is wanted and not up the timer is set: a failure of which nobody told delays, and never ends it.
Rule 4: nothing is initiated while an end is being told: an end sets the timer, a timer initiates.
Not here: what is wanted (wanting.py), how long is waited (backoff.py), exchanges and their repeats.
"""

from __future__ import annotations

from collections.abc import Iterable

from ikepy.config.model import ConnectionConfig
from ikepy.ike.backoff import LONGEST_WAIT, wait_after
from ikepy.ike.causes import Cause
from ikepy.ike.events import AttemptFailed
from ikepy.ike.keeper_host import KeeperHost, KeeperTimer, Purpose
from ikepy.ike.wanting import Aim, action_after, may_be_wanted
from ikepy.ipsec import Selector

SHORT_LIFE = 10.0
"A child that ends before it was up that many seconds counts as a try that failed."
LOOK_AGAIN = LONGEST_WAIT
"Seconds after a try until it is looked what has come of it, where nobody told."
_NO_IKE_SA = 0
_WANTED_ENDS = frozenset({Cause.OPERATOR, Cause.SHUTDOWN})


class Effort:
    """The children of one connection that are to be up, and the tries to bring them up."""

    def __init__(self, host: KeeperHost, connection: ConnectionConfig) -> None:
        self._host, self.connection = host, connection
        self._timer = KeeperTimer(Purpose.START, connection.name)
        # Dictionaries, not sets: what is done in which order may not depend on a hash.
        self._wanted: dict[str, None] = {}
        self._trying: dict[str, None] = {}
        self._handed_over: dict[str, None] = {}
        self._packets: dict[str, Selector] = {}
        self._up_since: dict[str, float] = {}
        self._tries = 0
        self._not_before = host.now

    # -- wanting -------------------------------------------------------------------------------------------------

    def want(self, children: Iterable[str]) -> None:
        """Have these children up, from the next instant on that a try may be."""
        self._wanted.update(dict.fromkeys(children))
        self._plan()

    def packet_came(self, child: str, packet: Selector) -> None:
        """A packet asks for a child: try at once, or when the wait after a failed try is over; of many one is kept."""
        if self._is_settled(child):
            return
        self._packets.setdefault(child, packet)
        if self._host.now < self._not_before:
            self._plan()
        else:
            self.try_now()

    def forget(self, children: Iterable[str]) -> bool:
        """Want nothing more of these children; says whether anything was."""
        found = False
        for child in tuple(children):
            found |= child in self._wanted or child in self._packets
            for names in (self._wanted, self._trying, self._handed_over, self._packets):
                names.pop(child, None)
        if not self._is_wanting:
            self._host.clear_timer(self._timer)
        return found

    # -- trying --------------------------------------------------------------------------------------------------

    def try_now(self) -> None:
        """Initiate what is wanted, and neither up nor under way."""
        names = dict.fromkeys((*self._wanted, *self._packets))
        self.forget(name for name in names if self._host.is_up(self.connection.name, name))
        missing = [name for name in names if name in self._wanted or name in self._packets]
        idle = [name for name in missing if not self._is_settled(name)]
        if idle and self._is_exhausted:
            self._give_up()
            return
        packets, self._packets = self._packets, {}
        self._trying.update(dict.fromkeys(missing))
        self._tries += bool(idle)
        for child in idle:
            self._host.initiate(self.connection.name, child, packets.get(child))
        if self._wanted and self._host.now >= self._not_before:
            self._host.set_timer(self._timer, self._host.now + LOOK_AGAIN)

    def failed(self, child: str | None, cause: Cause) -> bool:
        """What was tried came to nothing: one child, or with None an IKE SA and all that was to come by it.

        Says whether anything that was tried is lost by it.
        """
        lost: list[str] = []
        if cause in _WANTED_ENDS:
            self._end_as_wanted(child)
        elif cause is not Cause.SUPERSEDED:
            lost = self._lost_with(child)
            for name in lost:
                config = self.connection.child(name)
                if name in self._handed_over and config is not None and action_after(config, cause) is Aim.UP:
                    self._wanted[name] = None
                self._trying.pop(name, None)
                self._handed_over.pop(name, None)
            if lost:
                self._wait()
        return bool(lost)

    # -- being up ------------------------------------------------------------------------------------------------

    def came_up(self, child: str) -> None:
        """A child is up, whoever began it."""
        self._up_since[child] = self._host.now
        self.forget((child,))

    def ended(self, child: str, cause: Cause) -> bool:
        """A child was up and has ended; says whether its trap is wanted."""
        lived = self._host.now - self._up_since.pop(child, float("-inf"))
        if cause in _WANTED_ENDS:
            self.forget((child,))
        config = self.connection.child(child)
        aim = action_after(config, cause) if config is not None else Aim.NOTHING
        if lived >= SHORT_LIFE:
            self._tries = 0
        self._handed_over.pop(child, None)
        if config is not None and cause is Cause.SUPERSEDED and may_be_wanted(config):
            # It is made anew, by us or by the peer. Should that come to nothing, that is what it ended of.
            self._handed_over[child] = None
        if aim is Aim.UP and not self._host.is_up(self.connection.name, child):
            self._want_again(child, lived)
        return aim is Aim.POLICIES

    # -- helpers -------------------------------------------------------------------------------------------------

    def _want_again(self, child: str, lived: float) -> None:
        """A child has ended after so many seconds: it is wanted at once, or after a wait where it was not up for long."""
        self._wanted[child] = None
        if lived < SHORT_LIFE:
            self._wait()
        else:
            self._not_before = self._host.now
            self._plan()

    def _is_settled(self, child: str) -> bool:
        name = self.connection.name
        return self._host.is_up(name, child) or self._host.is_under_way(name, child)

    def _lost_with(self, child: str | None) -> list[str]:
        """What was tried and comes no more: the child that is named, or all that nothing makes any longer."""
        names = {**self._trying, **self._handed_over}
        if child is None:
            return [name for name in names if not self._is_settled(name)]
        return [child] if child in names and not self._host.is_up(self.connection.name, child) else []

    def _end_as_wanted(self, child: str | None) -> None:
        """The operator has ended it, or the daemon ends: what nothing makes any longer is wanted no more."""
        names = {**self._wanted, **self._packets, **self._trying, **self._handed_over}
        self.forget(name for name in names if child in {None, name} and not self._is_settled(name))

    def _wait(self) -> None:
        """A try has failed: wait before the next. Of the failures before it the first counts."""
        if self._host.now < self._not_before:
            self._plan()
        elif self._is_exhausted:
            self._give_up()
        else:
            wait = wait_after(self._tries, self._host.entropy)
            self._not_before = self._host.now + wait
            self._plan()
            if self._wanted:
                names = ", ".join(self._wanted)
                self._host.decided(f"connection {self.connection.name}: trying again in {wait:.1f} seconds: {names}")

    @property
    def _is_exhausted(self) -> bool:
        return bool(self._wanted) and 0 < self.connection.keyingtries <= self._tries

    def _give_up(self) -> None:
        name, tries = self.connection.name, self._tries
        lost = [child for child in self._wanted if not self._is_settled(child)]
        self.forget(lost)
        if not self._wanted:
            self._tries = 0
        self._plan()
        for child in lost:
            reason = f"given up after {tries} tries, as keyingtries says: start it again with `ikepy up {name} {child}`"
            self._host.decided(f"connection {name}, child {child}: {reason}", warning=True)
            self._host.publish(AttemptFailed(name, child, _NO_IKE_SA, reason))

    @property
    def _is_wanting(self) -> bool:
        return bool(self._wanted or self._packets)

    def _plan(self) -> None:
        """Set the timer to the next instant at which a try may be."""
        if self._is_wanting:
            self._host.set_timer(self._timer, max(self._host.now, self._not_before))
