"""Entropy that repeats: a stream of SHA-256 over a seed and a counter."""

from __future__ import annotations

import hashlib

from ikepy.ike.exchanges.ike_sa_init import NONCE_OCTETS


class SeededEntropy:
    """The same octets for the same seed, in the order they are asked for.

    leads   what the next nonces begin with: whatever else has as many octets, such as a private value of X25519, does too
    """

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed.to_bytes(16, "big", signed=True)
        self._count = 0
        self._left = b""
        self.leads: list[int] = []

    def octets(self, count: int) -> bytes:
        while len(self._left) < count:
            self._left += hashlib.sha256(self._seed + self._count.to_bytes(8, "big")).digest()
            self._count += 1
        octets, self._left = self._left[:count], self._left[count:]
        if count == NONCE_OCTETS and self.leads:
            return bytes([self.leads.pop(0)]) + octets[1:]
        return octets


class ToldEntropy:
    """Gives the octets it was told, piece by piece, for known answers; any other request is an error of the test."""

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = list(pieces)

    def octets(self, count: int) -> bytes:
        piece = self._pieces.pop(0)
        assert len(piece) == count, f"{count} octets asked for, {len(piece)} told"
        return piece
