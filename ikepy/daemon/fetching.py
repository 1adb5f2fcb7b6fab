"""Fetches what CAs say of certificates, while whoever has to be verified waits and nobody else.

Rule 1: a fetch has FETCH_SECONDS, and what is under way is bounded; a source that is being asked is not asked twice.
Rule 2: no thread waits for the network: a verification ends in StatusWanted, and is done again when all has come, or has not.
Rule 3: whatever happens is told to Fetched, so that the next time is not another wait.
Not here: HTTP (http.py), what is kept and what it means (auth/fetched.py, auth/revocation.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

import trio

from ikepy.auth.fetched import Fetched, Source, is_plain
from ikepy.auth.revocation import StatusWanted
from ikepy.daemon.http import HttpError, ask
from ikepy.daemon.workers import Workers
from ikepy.ike.errors import AuthenticationFailed

FETCH_SECONDS = 5.0
"How long one source may take; clients send a request again for longer."
MOST_AT_ONCE = 16
MOST_WAITING = 256
MOST_ROUNDS = 4
"OCSP, the CRL after it, once more for another certificate's, and one to spare."
_KIND = "application/ocsp-request"
Result = TypeVar("Result")


class Fetching:
    """Fetches for one daemon."""

    def __init__(
        self,
        fetched: Fetched,
        workers: Workers,
        seconds: float = FETCH_SECONDS,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._fetched, self._workers, self._seconds, self._now = fetched, workers, seconds, now
        self._slots = trio.CapacityLimiter(MOST_AT_ONCE)
        self._under_way: dict[str, trio.Event] = {}

    async def verified(self, work: Callable[[], Result]) -> Result:
        """Do work of a thread, again and again until nothing has to be fetched for it; raises AuthenticationFailed."""
        for _ in range(MOST_ROUNDS):
            try:
                return await self._workers.do(work)
            except StatusWanted as wanted:
                await self.fetch(wanted.sources)
        raise AuthenticationFailed("what CAs say of the peer's certificates cannot be found out")

    async def fetch(self, sources: Sequence[Source]) -> None:
        """Ask all of them, and return when each has answered or will not."""
        async with trio.open_nursery() as nursery:
            for source in sources:
                nursery.start_soon(self._fetch_one, source)

    async def _fetch_one(self, source: Source) -> None:
        asked = self._under_way.get(source.key)
        if asked is not None:
            await asked.wait()
            return
        if len(self._under_way) >= MOST_WAITING:
            self._fetched.failed(source, "too much is being fetched already", self._now())
            return
        self._under_way[source.key] = done = trio.Event()
        try:
            await self._ask(source)
        finally:
            del self._under_way[source.key]
            done.set()

    async def _ask(self, source: Source) -> None:
        octets: bytes | None = None
        why = f"it does not answer within {self._seconds:g} s"
        with trio.move_on_after(self._seconds):
            try:
                async with self._slots:
                    octets = await ask(source.url, source.request, _KIND, source.most_octets, is_plain)
            except HttpError as error:
                why = str(error)
        if octets is None:
            self._fetched.failed(source, why, self._now())
        else:
            await self._workers.do(partial(self._fetched.take, source, octets, self._now()))
