"""Where randomness comes from: injected, so that a test repeats and a conversation can be run again."""

from __future__ import annotations

import secrets
from typing import Protocol


class Entropy(Protocol):
    """A source of octets nobody can predict."""

    def octets(self, count: int) -> bytes:
        """`count` random octets."""


class SystemEntropy:
    """The operating system's generator."""

    def octets(self, count: int) -> bytes:
        """`count` random octets from the kernel."""
        return secrets.token_bytes(count)
