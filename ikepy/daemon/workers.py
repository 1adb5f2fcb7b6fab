"""The only door to threads: a few of them, and a bound to what waits for one.

Rule 1: what runs here takes values and gives a value; it never touches the Endpoint, a socket or trio.
Rule 2: a full queue is refused at once, so work asked for by peers nobody has authenticated cannot pile up.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TypeVar

import trio

Result = TypeVar("Result")


class WorkersBusy(Exception):
    """As much work waits as may wait."""


class Workers:
    """A few threads.

    threads   how many work at once; by default one a processor
    waiting   how many pieces of work there may be altogether, waiting and in work
    """

    def __init__(self, threads: int | None = None, waiting: int = 256) -> None:
        self._limiter = trio.CapacityLimiter(threads or os.cpu_count() or 1)
        self._bound = waiting
        self._inside = 0
        self.refused = 0

    async def do(self, work: Callable[[], Result]) -> Result:
        """Run `work` in a thread and return what it returns; raises what it raises, or WorkersBusy."""
        if self._inside >= self._bound:
            self.refused += 1
            raise WorkersBusy(f"{self._inside} pieces of work are waiting for a processor")
        self._inside += 1
        try:
            # Abandoned on cancellation: the daemon ends without waiting for a long exponentiation.
            return await trio.to_thread.run_sync(work, abandon_on_cancel=True, limiter=self._limiter)
        finally:
            self._inside -= 1
