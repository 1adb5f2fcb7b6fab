"""A line between two endpoints: seeded loss, duplication, reordering and delay, on a virtual clock.

Not here: what the endpoints do (pair.py).
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from ikepy.ike.actions import Datagram, Path
from ikepy.ike.fragments import size_of_datagram
from ikepy.ipsec import IpAddress

KEEPALIVE = b"\xff"


@dataclass
class Link:
    """Datagrams in flight; `seed` makes every run the same.

    loss, duplication  chances of each datagram, 0..1
    delay, jitter      seconds; jitter above the spacing of datagrams reorders them
    deaf               the address of a host that is not there at present
    mtu                octets of the largest IP datagram that passes; fragments of IP do not
    translate          what a NAT on the line makes of each datagram; None where it lets it not pass
    """

    seed: int = 0
    loss: float = 0.0
    duplication: float = 0.0
    delay: float = 0.01
    jitter: float = 0.0
    log: list[str] = field(default_factory=list)
    sent: list[Datagram] = field(default_factory=list)
    deaf: IpAddress | None = None
    translate: Callable[[Datagram], Datagram | None] | None = None
    mtu: int = 65535

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._in_flight: list[tuple[float, int, Datagram]] = []
        self._count = 0

    def send(self, datagram: Datagram, now: float) -> None:
        """Take a datagram as its sender sends it; it arrives with its path turned round, or never."""
        self.sent.append(datagram)
        if self._random.random() < self.loss or self.deaf in (
            datagram.path.local.address,
            datagram.path.remote.address,
        ):
            self.log.append(f"{now:.3f} lost {_worded(datagram)}")
            return
        if size_of_datagram(len(datagram.octets), datagram.path) > self.mtu:
            self.log.append(f"{now:.3f} too large {_worded(datagram)}")
            return
        passed = self.translate(datagram) if self.translate is not None else datagram
        if passed is None:
            self.log.append(f"{now:.3f} not let through {_worded(datagram)}")
            return
        datagram = passed
        if datagram.octets == KEEPALIVE:
            return  # the receiver's sockets eat it
        copies = 2 if self._random.random() < self.duplication else 1
        for _ in range(copies):
            self._count += 1
            at = now + self.delay + self._random.random() * self.jitter
            heapq.heappush(self._in_flight, (at, self._count, arriving(datagram)))
        self.log.append(f"{now:.3f} sent {copies}x {_worded(datagram)}")

    def next_arrival(self) -> float | None:
        """When the next datagram arrives, None where none is in flight."""
        return self._in_flight[0][0] if self._in_flight else None

    def pop(self) -> Datagram:
        """The next datagram to arrive."""
        return heapq.heappop(self._in_flight)[2]

    def calm(self) -> None:
        """Be a good line from now on."""
        self.loss = self.duplication = self.jitter = 0.0

    def clear(self) -> None:
        """Lose all that is in flight."""
        self._in_flight.clear()


def arriving(datagram: Datagram) -> Datagram:
    """The datagram as its receiver sees it."""
    path = datagram.path
    return Datagram(datagram.octets, Path(path.remote, path.local, path.non_esp_marker))


def _worded(datagram: Datagram) -> str:
    octets = datagram.octets
    if len(octets) < 24:
        return f"{datagram.path.local} > {datagram.path.remote} {octets.hex()}"
    return f"{datagram.path.local} > {datagram.path.remote} exchange {octets[18]} flags {octets[19]:02x} id {int.from_bytes(octets[20:24], 'big')}"
