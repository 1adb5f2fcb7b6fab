"""A running daemon as its operator has it: wishes go in as inputs, and their outcomes are waited for.

Rule 1: a wait is ended by an event, by the SA's disappearance, or by its time; it holds nothing up meanwhile.
Rule 2: listeners have bounded queues (api.Subscription).
Not here: the control socket (control/), what is started by itself (ike/keeper.py).
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from importlib.metadata import version as installed_version

import trio

from ikepy.config.model import Config, ConnectionConfig
from ikepy.daemon.api import InitiateOutcome, LogLine, RekeyWish, Subscription, TerminateOutcome, TerminateWish
from ikepy.daemon.clock import Clock
from ikepy.daemon.driver import Driver
from ikepy.ike.events import AttemptFailed, ChildSaUp, Event, IkeSaDown, IkeSaUp, IkeSnapshot
from ikepy.ipsec import SaCounters, SaId
from ikepy.kernel.interface import Kernel

_LOOK_SECONDS = 0.25
"""How often a wait looks at the SAs, for ends that no event tells of."""
_UP_CHILD_STATES = frozenset({"INSTALLED", "REKEYING", "REKEYED"})


class Publisher:
    """Hands events and log lines to whoever listens."""

    def __init__(self) -> None:
        self._events: set[Subscription[Event]] = set()

    def publish(self, event: Event) -> None:
        """Hand an event to every listener."""
        for subscription in self._events:
            subscription.offer(event)

    @contextmanager
    def subscribe(self) -> Iterator[Subscription[Event]]:
        """Listen for as long as the context lasts."""
        subscription = Subscription[Event]()
        self._events.add(subscription)
        try:
            yield subscription
        finally:
            self._events.discard(subscription)


class _LogSubscriptionHandler(logging.Handler):
    """Offers each log line to one listener; lines of worker threads go in by trio's token."""

    def __init__(self, subscription: Subscription[LogLine]) -> None:
        super().__init__()
        self._subscription = subscription
        self._token = trio.lowlevel.current_trio_token()

    def emit(self, record: logging.LogRecord) -> None:
        """Pass one line on."""
        line = LogLine(record.levelno, record.getMessage())
        self._token.run_sync_soon(self._subscription.offer, line)


class Operator:
    """The DaemonApi of a running daemon."""

    def __init__(self, config: Config, driver: Driver, kernel: Kernel, publisher: Publisher, clock: Clock) -> None:
        self._config = config
        self._driver = driver
        self._kernel = kernel
        self._publisher = publisher
        self._clock = clock
        self._started_at = time.time()

    @property
    def version(self) -> str:
        """The version of ikepy."""
        return installed_version("ikepy")

    @property
    def pid(self) -> int:
        """The process."""
        return os.getpid()

    @property
    def config(self) -> Config:
        """The configuration in force."""
        return self._config

    @property
    def started_at(self) -> float:
        """Seconds since the epoch."""
        return self._started_at

    def now(self) -> float:
        """Seconds of CLOCK_BOOTTIME."""
        return self._clock()

    def snapshot(self) -> tuple[IkeSnapshot, ...]:
        """All IKE SAs as they are now."""
        return self._driver.endpoint.snapshot(self._clock())

    def drops(self) -> Mapping[str, int]:
        """Datagrams that came to nothing, by the words of their DropReason."""
        return {reason.value: count for reason, count in self._driver.endpoint.drops.items() if count}

    async def counters(self, sa: SaId) -> SaCounters | None:
        """What the kernel counted of a state; None where it has no such state."""
        return await self._kernel.counters(sa)

    def subscribe(self) -> AbstractContextManager[Subscription[Event]]:
        """Events from now on."""
        return self._publisher.subscribe()

    @contextmanager
    def subscribe_log(self) -> Iterator[Subscription[LogLine]]:
        """Log lines from now on."""
        subscription = Subscription[LogLine]()
        handler = _LogSubscriptionHandler(subscription)
        logger = logging.getLogger("ikepy")
        logger.addHandler(handler)
        try:
            yield subscription
        finally:
            logger.removeHandler(handler)

    # -- initiate ------------------------------------------------------------------------------------------------

    async def initiate(self, connection: str | None, child: str | None, timeout: float | None) -> InitiateOutcome:
        """Bring up a child (None: every child) of a connection (None: the one that has such a child)."""
        found = self._find_connection(connection, child)
        if isinstance(found, InitiateOutcome):
            return found
        wanted = {child} if child is not None else {each.name for each in found.children}
        with self._publisher.subscribe() as events:
            self._driver.feed("initiate", partial(self._driver.endpoint.initiate, found.name, child))
            if timeout == 0:
                return InitiateOutcome(succeeded=True)
            with trio.move_on_after(float("inf") if timeout is None else timeout):
                return await self._await_children(found.name, wanted, events)
        return InitiateOutcome(succeeded=False, reason=f"not up after {timeout:g} seconds; it goes on trying")

    def _find_connection(self, name: str | None, child: str | None) -> ConnectionConfig | InitiateOutcome:
        if name is not None:
            found = [c for c in self._config.connections if c.name == name]
        else:
            found = [c for c in self._config.connections if child is not None and c.child(child) is not None]
        if not found:
            wanted = f"connection {name}" if name is not None else f"connection with a child {child}"
            return InitiateOutcome(succeeded=False, reason=f"there is no {wanted}")
        if len(found) > 1:
            names = ", ".join(each.name for each in found)
            return InitiateOutcome(succeeded=False, reason=f"child {child} is in connections {names}: name one")
        if child is not None and found[0].child(child) is None:
            return InitiateOutcome(succeeded=False, reason=f"connection {found[0].name} has no child {child}")
        return found[0]

    async def _await_children(self, connection: str, wanted: set[str], events: Subscription[Event]) -> InitiateOutcome:
        """Wait until all wanted children are up, or (none wanted) the IKE SA is, or one of it has failed."""
        begun = {sa.unique_id for sa in self.snapshot() if sa.connection == connection}
        missing = set(wanted)
        while True:
            event = await _next_or_none(events, _LOOK_SECONDS)
            match event:
                case ChildSaUp(ike, child) if ike.connection == connection:
                    missing.discard(child.name)
                case AttemptFailed(name, child, unique_id, reason) if name == connection:
                    if (child is None or child in missing) and (unique_id in begun or not begun):
                        return InitiateOutcome(succeeded=False, reason=reason)
                case IkeSaDown(ike, reason) if ike.unique_id in begun:
                    return InitiateOutcome(succeeded=False, reason=reason)
                case IkeSaUp(ike) if ike.connection == connection:
                    begun.add(ike.unique_id)
            now = [sa for sa in self.snapshot() if sa.connection == connection]
            up = {c.name for sa in now for c in sa.children if c.state in _UP_CHILD_STATES}
            missing -= up
            if not missing and (wanted or any(sa.state == "ESTABLISHED" for sa in now)):
                return InitiateOutcome(succeeded=True)
            if event is None and not now:
                return InitiateOutcome(succeeded=False, reason="the IKE SA ended before its children were up")

    # -- rekey ---------------------------------------------------------------------------------------------------

    def rekey(self, wish: RekeyWish) -> int:
        """Have SAs rekeyed, without waiting for it; returns how many are meant."""
        meant = self._meant_by(TerminateWish(wish.ike, wish.ike_id, wish.child, wish.child_id))
        ike_ids = tuple(ike for ike, child in meant if child is None)
        child_ids = tuple(child for _, child in meant if child is not None)
        rekey = partial(self._driver.endpoint.rekey, ike_ids=ike_ids, child_ids=child_ids, reauth=wish.reauth)
        self._driver.feed("rekey", rekey)
        return len(meant)

    # -- terminate -----------------------------------------------------------------------------------------------

    async def terminate(self, wish: TerminateWish, timeout: float | None) -> TerminateOutcome:
        """End SAs and wait until they are gone."""
        meant = self._meant_by(wish)
        if not meant:
            return TerminateOutcome(0, 0, "no SA fits")
        with self._publisher.subscribe() as events:
            ike_ids = tuple(ike for ike, child in meant if child is None)
            child_ids = tuple(child for _, child in meant if child is not None)
            end = partial(self._driver.endpoint.terminate, ike_ids=ike_ids, child_ids=child_ids)
            self._driver.feed("terminate", end)
            if wish.force and timeout is None:
                self._close(ike_ids)
            if timeout == 0:
                return TerminateOutcome(len(meant), len(meant))
            with trio.move_on_after(float("inf") if timeout is None else timeout):
                while self._still_there(meant):
                    await _next_or_none(events, _LOOK_SECONDS)
            if wish.force:
                self._close(ike_ids)
        left = len(self._still_there(meant))
        reason = f"{left} of {len(meant)} not gone after {timeout:g} seconds" if left else ""
        return TerminateOutcome(len(meant), len(meant) - left, reason)

    def _close(self, ike_ids: tuple[int, ...]) -> None:
        """Wait no longer for the answers to our DELETEs."""
        for ike_id in ike_ids:
            self._driver.feed("terminate", partial(self._driver.endpoint.fail_sa, ike_id, "terminated"))

    def _meant_by(self, wish: TerminateWish) -> list[tuple[int, int | None]]:
        """Unique numbers of the IKE SA and, where a child is meant, of the child."""
        if (wish.ike, wish.ike_id, wish.child, wish.child_id) == (None, None, None, None):
            return []
        of_children = wish.child is not None or wish.child_id is not None
        meant: list[tuple[int, int | None]] = []
        for sa in self.snapshot():
            if wish.ike not in (None, sa.connection) or wish.ike_id not in (None, sa.unique_id):
                continue
            if not of_children:
                meant.append((sa.unique_id, None))
            meant += [
                (sa.unique_id, child.unique_id)
                for child in (sa.children if of_children else ())
                if wish.child in (None, child.name) and wish.child_id in (None, child.unique_id)
            ]
        return meant

    def _still_there(self, meant: list[tuple[int, int | None]]) -> set[tuple[int, int | None]]:
        there: set[tuple[int, int | None]] = set()
        for sa in self.snapshot():
            there.add((sa.unique_id, None))
            there.update((sa.unique_id, child.unique_id) for child in sa.children)
        return there & set(meant)


async def _next_or_none(events: Subscription[Event], seconds: float) -> Event | None:
    with trio.move_on_after(seconds):
        return await events.next()
    return None
