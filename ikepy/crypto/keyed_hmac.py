"""HMAC under a key that is used again and again: keyed once, then copied.

Not here: a single digest, for which hmac.digest() is quicker (prf.py).
"""

from __future__ import annotations

import hmac

from ikepy.crypto.secret import Secret


class KeyedHmac:
    """HMAC under one key; neither prints nor pickles it."""

    __slots__ = ("_keyed",)

    def __init__(self, key: Secret, hash: str) -> None:  # noqa: A002 - as in hashlib
        self._keyed = hmac.new(key.reveal(), digestmod=hash)

    def digest(self, octets: bytes) -> bytes:
        """The whole HMAC, not truncated."""
        copy = self._keyed.copy()
        copy.update(octets)
        return copy.digest()
