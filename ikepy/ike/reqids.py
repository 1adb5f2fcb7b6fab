"""Request IDs: the numbers that bind policies to states in the kernel.

Rule 1: children of the same peer, configuration and selectors have the same number, so that one can take another's place
        without a policy changing; all others differ, so that no packet takes another's state.
Rule 2: a number is kept as long as somebody holds it.
Not here: who holds what in the kernel (kernel/owners.py).
"""

from __future__ import annotations

from collections.abc import Hashable

REQIDS = 65536
"How many there are, from the configured first on."


class Reqids:
    """Numbers by what they stand for."""

    def __init__(self, base: int) -> None:
        self._base, self._last = base, 0
        self._by_key: dict[Hashable, int] = {}
        self._keys: dict[int, Hashable] = {}
        self._holders: dict[int, int] = {}

    def of(self, key: Hashable) -> int:
        """The number of a key, the same until the last holder has dropped it."""
        found = self._by_key.get(key)
        if found is None:
            found = self._draw()
            self._by_key[key], self._keys[found] = found, key
        return found

    def hold(self, reqid: int) -> None:
        """One more holds it."""
        self._holders[reqid] = self._holders.get(reqid, 0) + 1

    def drop(self, reqid: int) -> None:
        """One holds it no more."""
        left = self._holders.get(reqid, 0) - 1
        if left > 0:
            self._holders[reqid] = left
        else:
            self._holders.pop(reqid, None)
            self._forget(reqid)

    def _draw(self) -> int:
        for _ in range(REQIDS):
            self._last = (self._last + 1) % REQIDS
            reqid = self._base + self._last
            if reqid not in self._holders:
                self._forget(reqid)
                return reqid
        raise LookupError(f"all {REQIDS} request IDs are in use")

    def _forget(self, reqid: int) -> None:
        key = self._keys.pop(reqid, None)
        if key is not None:
            self._by_key.pop(key, None)
