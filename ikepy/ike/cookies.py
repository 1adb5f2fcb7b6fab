"""COOKIE of IKE_SA_INIT: proof that the sender receives at its address, kept by nobody (RFC 7296 §2.6).

Rule 1: nothing is remembered of who was asked; the secret alone tells a cookie of ours.
Rule 2: the secret changes with time; cookies of the one before are still taken.
Not here: when cookies are asked for (endpoint.py).
"""

from __future__ import annotations

import hmac

from ikepy.crypto.entropy import Entropy
from ikepy.ike.actions import SocketAddress

SECRET_LIFETIME = 60.0
"Seconds a secret makes new cookies; it is good for checking twice as long."


class Cookies:
    """Makes and checks cookies: one octet that names the secret, then 16 octets of HMAC-SHA256."""

    def __init__(self, entropy: Entropy) -> None:
        self._entropy = entropy
        self._generation = 0
        self._secret = entropy.octets(32)
        self._previous: bytes | None = None
        self._renew_at: float | None = None

    def make(self, nonce: bytes, spi_i: bytes, source: SocketAddress, now: float) -> bytes:
        """The cookie for that request, bound to Ni, IPi and SPIi."""
        self._renew(now)
        return self._cookie(self._generation, self._secret, nonce, spi_i, source)

    def is_valid(self, cookie: bytes, nonce: bytes, spi_i: bytes, source: SocketAddress, now: float) -> bool:
        """Whether the cookie is ours, for that request, and not too old."""
        self._renew(now)
        expected = self._cookie(self._generation, self._secret, nonce, spi_i, source)
        if hmac.compare_digest(cookie, expected):
            return True
        if self._previous is None:
            return False
        expected = self._cookie(self._generation - 1, self._previous, nonce, spi_i, source)
        return hmac.compare_digest(cookie, expected)

    def _renew(self, now: float) -> None:
        if self._renew_at is None:
            self._renew_at = now + SECRET_LIFETIME
        if now < self._renew_at:
            return
        # Unused for a whole lifetime: the last secret is as old as two.
        self._previous = self._secret if now < self._renew_at + SECRET_LIFETIME else None
        self._secret = self._entropy.octets(32)
        self._generation += 1
        self._renew_at = now + SECRET_LIFETIME

    @staticmethod
    def _cookie(generation: int, secret: bytes, nonce: bytes, spi_i: bytes, source: SocketAddress) -> bytes:
        octets = spi_i + source.address.packed + nonce
        return bytes([generation & 0xFF]) + hmac.digest(secret, octets, "sha256")[:16]
