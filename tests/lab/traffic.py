"""Numbered datagrams both ways between two namespaces, at a steady rate, and which of them did not arrive.

    with Traffic("left", "172.16.0.1", "right", "172.24.0.1") as traffic:
        ...
    assert traffic.lost == ((), ())

Rule 1: one thread, two datagrams each way every 4 ms: in the lab a system call costs 11 us, a process 80 ms.
Not here: what the kernel counted as dropped (drops()).
"""

from __future__ import annotations

import select
import socket
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.lab.namespaces import SLOWNESS, inside, udp

PORT = 5001
EVERY = 0.004
"Seconds between two sendings."
BATCH = 2
_SO_RCVBUFFORCE = 33
_BUFFER_OCTETS = 32 << 20
LATE = 0.5 * SLOWNESS
"Seconds the last datagrams may take."


class Traffic:
    """500 datagrams a second each way."""

    def __init__(self, left: str, left_address: str, right: str, right_address: str) -> None:
        self._sockets = udp(left, left_address, PORT), udp(right, right_address, PORT)
        self._to = (right_address, PORT), (left_address, PORT)
        self._sent = [0, 0]
        self._arrived: tuple[set[int], set[int]] = (set(), set())
        self.failures: list[str] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        for each in self._sockets:
            each.setblocking(False)
            # After a pause of the guest all that was due is sent at once: that is not to be lost here.
            each.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER_OCTETS)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        for each in self._sockets:
            each.close()

    @property
    def sent(self) -> tuple[int, int]:
        """How many left each side, the left one first."""
        return self._sent[0], self._sent[1]

    @property
    def lost(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The numbers of those from the left, and from the right, that did not arrive."""
        return tuple(  # type: ignore[return-value]
            tuple(sorted(set(range(count)) - arrived)) for count, arrived in zip(self._sent, self._arrived, strict=True)
        )

    def _run(self) -> None:
        due = time.monotonic()
        while not self._stop.is_set():
            while due <= time.monotonic():
                due += EVERY
                self._send()
            self._receive(max(0.0, due - time.monotonic()))
        end = time.monotonic() + LATE
        while time.monotonic() < end:
            self._receive(0.05)

    def _send(self) -> None:
        for side, (sender, to) in enumerate(zip(self._sockets, self._to, strict=True)):
            for _ in range(BATCH):
                try:
                    sender.sendto(b"%d" % self._sent[side], to)
                except OSError as error:
                    self.failures.append(f"{side} {self._sent[side]}: {error}")
                self._sent[side] += 1

    def _receive(self, seconds: float) -> None:
        ready, _, _ = select.select(self._sockets, [], [], seconds)
        for each in ready:
            arrived = self._arrived[1 if each is self._sockets[0] else 0]
            try:
                while True:
                    arrived.add(int(each.recv(64)))
            except BlockingIOError:
                pass


def overflows(namespace: str) -> int:
    """How many datagrams a namespace had no room for in a socket's buffer: lost by who should have read, not on the way."""
    text = inside(namespace, lambda: Path("/proc/thread-self/net/snmp").read_text())
    names, counts = (line.split() for line in text.splitlines() if line.startswith("Udp:"))
    return int(counts[names.index("RcvbufErrors")])


def drops(namespace: str) -> dict[str, int]:
    """What the kernel's IPsec has dropped until now, by its reason; only what is not zero."""
    text = inside(namespace, lambda: Path("/proc/thread-self/net/xfrm_stat").read_text())
    counts = (line.split() for line in text.splitlines())
    return {name: int(count) for name, count in counts if int(count)}
