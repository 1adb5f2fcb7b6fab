"""Events and log lines of a running daemon, handed to whoever listens.

Rule 1: listeners have bounded queues (api.Subscription): nobody who listens holds anything up.
Not here: what is done with them (operator.py, control/).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import trio

from ikepy.daemon.api import LogLine, Subscription
from ikepy.daemon.successors import Successors
from ikepy.ike.events import Event


class Publisher:
    """Hands events to whoever listens, and remembers who has come in whose place."""

    def __init__(self) -> None:
        self.successors = Successors()
        self._events: set[Subscription[Event]] = set()

    def publish(self, event: Event) -> None:
        """Hand an event to every listener."""
        self.successors.note(event)
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


@contextmanager
def log_lines() -> Iterator[Subscription[LogLine]]:
    """Listen to ikepy's log for as long as the context lasts."""
    subscription = Subscription[LogLine]()
    handler = _LogSubscriptionHandler(subscription)
    logger = logging.getLogger("ikepy")
    logger.addHandler(handler)
    try:
        yield subscription
    finally:
        logger.removeHandler(handler)
