"""Payload: what every payload has besides its body (RFC 7296 §3.2).

Not here: the generic header's octets (chain.py).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from ikepy.wire.registry import PayloadType

CRITICAL = 0x80


@dataclass(frozen=True, slots=True)
class Payload:
    """A payload; `flags` is the second octet of its generic header: the critical bit and seven reserved ones."""

    TYPE: ClassVar[PayloadType]
    flags: int = field(default=0, kw_only=True)

    @property
    def critical(self) -> bool:
        """Whether the critical bit is set (§2.5)."""
        return bool(self.flags & CRITICAL)

    @property
    def payload_type(self) -> PayloadType:
        """Its number in the next-payload chain."""
        return self.TYPE
