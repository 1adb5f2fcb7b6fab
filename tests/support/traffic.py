"""Packets of a pair: after each step each side sends one for each child, by the state its kernel would choose (the newest
with that request ID), and the other must take it.

A packet is looked at twice, as it leaves and FLIGHT seconds later: both times the far side must have the inbound state
with that SPI and those keys. So a rekeying that loses a packet, however short the gap, is found.

Not here: what a real kernel does (tests/kernel, tests/system).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from ikepy.ipsec import SaId, SaSpec
from tests.support.pair import Pair, Side

FLIGHT = 2.0
"Seconds the slowest packet is under way."


@dataclass
class Traffic:
    """Watches a pair; `lost` says what did not arrive."""

    pair: Pair
    sent: int = 0
    lost: list[str] = field(default_factory=list)
    _flying: deque[tuple[float, Side, SaSpec]] = field(default_factory=deque)
    _before: dict[int, dict[SaId, SaSpec]] = field(default_factory=dict)
    _reqids: dict[int, set[int]] = field(default_factory=dict)

    def begin(self) -> None:
        """Send from now on, for each child there is."""
        for side in (self.pair.left, self.pair.right):
            self._reqids[id(side)] = set(_newest(side))
        self.pair.watch = self.flow

    def flow(self) -> None:
        """What is late arrives, then each side sends a packet."""
        pair, now = self.pair, self.pair.now
        while self._flying and self._flying[0][0] <= now:
            at, other, state = self._flying.popleft()
            # Between two steps nothing changes: it met what was there before this one.
            self._arrive(at, other, state, self._before[id(other)])
        for side in (pair.left, pair.right):
            self._before[id(side)] = {name: each for name, each in side.kernel.states.items() if each.inbound}
        for side, other in ((pair.left, pair.right), (pair.right, pair.left)):
            newest, wanted = _newest(side), self._reqids[id(side)]
            for reqid in sorted(wanted - set(newest)):
                self.lost.append(f"{now:.3f} {side.address} has nothing to send by for request ID {reqid}")
            # A child that is new, in nobody's place, may be sent by before its initiator has the answer: not counted.
            for state in (newest[reqid] for reqid in sorted(wanted & set(newest))):
                self.sent += 1
                self._arrive(now, other, state, self._before[id(other)])
                self._flying.append((now + FLIGHT, other, state))

    def _arrive(self, now: float, side: Side, sent: SaSpec, states: dict[SaId, SaSpec]) -> None:
        taken = states.get(sent.id)
        if taken is None or taken.encr_key != sent.encr_key:
            self.lost.append(f"{now:.3f} {side.address} has no state {sent.spi:08x} to receive by")
        else:
            side.kernel.packets[sent.id] = side.kernel.packets.get(sent.id, 0) + 1


def _newest(side: Side) -> dict[int, SaSpec]:
    """What the kernel sends by, for each request ID: the state that came last."""
    return {state.reqid: state for state in side.kernel.states.values() if not state.inbound}
