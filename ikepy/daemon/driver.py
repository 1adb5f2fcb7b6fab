"""Runs the Endpoint: every input goes in here, every action that comes back is done here, in order.

Rule 1: nothing here awaits between an input and its last action, so the Endpoint needs no lock.
Rule 2: an outcome that is there at once is an input of its own: it goes in after the actions of the present one.
Rule 3: `except Exception` stands here: a fault of ours costs its datagram or its SA, and is logged; never the daemon.
Not here: how effects are performed (performer.py), sockets (udp.py), what operators want (operator.py).
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol, assert_never

import trio

from ikepy.daemon.clock import Clock
from ikepy.daemon.performer import Complete
from ikepy.ike.actions import Action, Datagram, Outcome, Perform, Publish, SendDatagram, Ticket
from ikepy.ike.effects import Effect
from ikepy.ike.endpoint import Endpoint
from ikepy.ike.events import Event, KernelEvent

_log = logging.getLogger("ikepy.daemon")

LOOK_AGAIN_SECONDS = 3.0
"""The longest the one timer sleeps: trio's clock stands still while a laptop does, CLOCK_BOOTTIME does not."""
_SHORTEST_SLEEP_SECONDS = 0.001

Input = Callable[[float], list[Action]]
"""Something that happens to the Endpoint at an instant, and what it wants done."""
SaMeant = Callable[[], int | None]
NOBODY = 0
"""No IKE SA has this unique number."""


def _no_sa() -> int | None:
    return None


class SendsDatagrams(Protocol):
    """Where datagrams leave."""

    def send(self, datagram: Datagram) -> None:
        """Send without waiting and without failing."""


class PerformsEffects(Protocol):
    """Who performs effects."""

    def perform(self, ticket: Ticket, effect: Effect[Any], nursery: trio.Nursery, complete: Complete) -> None:
        """Begin; `complete` is told the outcome, now or later."""


class Driver:
    """One Endpoint and the world around it.

    publish   is told every event, after the observer
    """

    def __init__(
        self,
        endpoint: Endpoint,
        performer: PerformsEffects,
        sockets: SendsDatagrams,
        nursery: trio.Nursery,
        clock: Clock,
        publish: Callable[[Event], None],
    ) -> None:
        self.endpoint = endpoint
        self.faults = 0
        self._performer = performer
        self._sockets = sockets
        self._nursery = nursery
        self._clock = clock
        self._publish = publish
        self._inputs: deque[tuple[str, Input, SaMeant]] = deque()
        self._running = False
        self._alarm = trio.CancelScope()
        self._alarm_at: float | None = None

    # -- what goes in --------------------------------------------------------------------------------------------

    def datagram(self, datagram: Datagram) -> None:
        """A datagram came."""
        self.feed("a datagram", partial(self.endpoint.receive_datagram, datagram), partial(self._sa_meant, datagram))

    def complete(self, ticket: Ticket, outcome: Outcome) -> None:
        """An effect came to its end."""
        # The ticket is forgotten when it is taken, so its SA is looked up before.
        waiting = self.endpoint.sa_of(ticket)
        self.feed("an outcome", partial(self.endpoint.complete, ticket, outcome), lambda: waiting)

    def kernel_event(self, event: KernelEvent) -> None:
        """The kernel told something."""
        self.feed("a kernel event", partial(self.endpoint.kernel_event, event))

    def feed(self, what: str, step: Input, sa_meant: SaMeant = _no_sa) -> None:
        """Put an input in, and do all that follows from it.

        what       for the log
        sa_meant   finds the unique number of the IKE SA that a fault of ours is to end
        """
        self._inputs.append((what, step, sa_meant))
        if self._running:
            return
        self._running = True
        try:
            while self._inputs:
                self._take(*self._inputs.popleft())
        finally:
            self._running = False
        self._set_alarm()

    def _take(self, what: str, step: Input, sa_meant: SaMeant) -> None:
        try:
            actions = step(self._clock())
        except Exception as error:  # noqa: BLE001 - rule 3
            self._fault(what, error)
            actions = self._after_fault(sa_meant)
        for action in actions:
            try:
                self._do(action)
            except Exception as error:  # noqa: BLE001 - rule 3: the other actions are still done
                self._fault(f"{type(action).__name__} after {what}", error)

    def _do(self, action: Action) -> None:
        match action:
            case SendDatagram(datagram):
                self._sockets.send(datagram)
            case Perform(ticket, effect):
                self._performer.perform(ticket, effect, self._nursery, self.complete)
            case Publish(event):
                self._publish(event)
            case _:
                assert_never(action)

    def _after_fault(self, sa_meant: SaMeant) -> list[Action]:
        """End the one IKE SA in whose service something broke, and take what was wanted until then."""
        try:
            unique_id = sa_meant()
            return self.endpoint.fail_sa(NOBODY if unique_id is None else unique_id, "internal error", self._clock())
        except Exception as error:  # noqa: BLE001 - rule 3
            self._fault("ending the IKE SA", error)
            return []

    def _sa_meant(self, datagram: Datagram) -> int | None:
        """The IKE SA whose SPIs the datagram carries; the responder's is zero in what begins one."""
        spi_i, spi_r = datagram.octets[:8], datagram.octets[8:16]
        for sa in self.endpoint.snapshot(self._clock()):
            if sa.spi_i == spi_i and (sa.spi_r == spi_r or not any(spi_r)):
                return sa.unique_id
        return None

    def _fault(self, what: str, error: Exception) -> None:
        self.faults += 1
        _log.error("%s ended in a fault of ikepy's: %s: %s", what, type(error).__name__, error)
        _log.debug("traceback of it", exc_info=error)

    # -- time ----------------------------------------------------------------------------------------------------

    async def keep_time(self) -> None:
        """Call handle_timeout() when the Endpoint wants it, for ever."""
        while True:
            due = self.endpoint.next_timeout()
            if due is not None and due <= self._clock():
                self.feed("a timeout", self.endpoint.handle_timeout)
                await trio.sleep(_SHORTEST_SLEEP_SECONDS)  # a timer that stays due must not stop everything else
                continue
            with trio.CancelScope(deadline=trio.current_time() + LOOK_AGAIN_SECONDS) as self._alarm:
                self._alarm_at = None
                self._set_alarm()
                await trio.sleep_forever()

    def _set_alarm(self) -> None:
        """Have keep_time() woken at the next timeout, or to look again."""
        due = self.endpoint.next_timeout()
        if due == self._alarm_at:
            return
        self._alarm_at = due
        wait = LOOK_AGAIN_SECONDS if due is None else min(max(due - self._clock(), 0.0), LOOK_AGAIN_SECONDS)
        self._alarm.deadline = trio.current_time() + wait
