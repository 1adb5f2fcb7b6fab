"""Ten questions a second from one namespace to another, each answered; which were not, and when they were asked.

with Pinger("near", "172.30.1.1", "far", "172.31.1.1") as pinger:
    ...
assert pinger.gap() < 2
"""

from __future__ import annotations

import contextlib
import select
import threading
import time
from types import TracebackType
from typing import Self

from tests.lab.namespaces import udp

PORT = 5007
EVERY = 0.1
LATE = 1.0
"Seconds the last answers may take."


class Pinger:
    """Asks and answers until it is ended."""

    def __init__(self, near: str, near_address: str, far: str, far_address: str) -> None:
        self._near, self._far = udp(near, near_address), udp(far, far_address, PORT)
        self._to = (far_address, PORT)
        self.asked: dict[int, float] = {}
        self.answered: set[int] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        for each in (self._near, self._far):
            each.setblocking(False)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        self._near.close()
        self._far.close()

    @property
    def lost(self) -> list[int]:
        """The numbers of the questions that had no answer."""
        return sorted(set(self.asked) - self.answered)

    def gap(self) -> float:
        """Seconds from the first question that was lost to the last."""
        lost = self.lost
        return self.asked[lost[-1]] - self.asked[lost[0]] + EVERY if lost else 0.0

    def _run(self) -> None:
        due, ends = time.monotonic(), float("inf")
        while time.monotonic() < ends:
            if self._stop.is_set() and ends == float("inf"):
                ends = time.monotonic() + LATE
            if time.monotonic() >= due and not self._stop.is_set():
                number = len(self.asked)
                self.asked[number] = time.monotonic()
                with contextlib.suppress(OSError):
                    self._near.sendto(b"%d" % number, self._to)
                due += EVERY
            readable, _, _ = select.select([self._near, self._far], [], [], 0.02)
            for each in readable:
                with contextlib.suppress(OSError):
                    octets, sender = each.recvfrom(100)
                    if each is self._far:
                        each.sendto(octets, sender)
                    else:
                        self.answered.add(int(octets))
