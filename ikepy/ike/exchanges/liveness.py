"""Liveness: an empty INFORMATIONAL request, which any peer that lives answers (RFC 7296 §2.4).

Not here: when one is due (sa.py), what follows when nobody answers.
"""

from __future__ import annotations

from ikepy.ike.effects import SendRequest
from ikepy.wire.registry import ExchangeType


async def initiate() -> None:
    """Ask for a sign of life; raises GaveUp where none comes."""
    await SendRequest(ExchangeType.INFORMATIONAL, ())
