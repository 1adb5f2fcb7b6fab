"""Liveness: an empty INFORMATIONAL request, which any peer that lives answers (RFC 7296 §2.4).

Rule 1: packets that came by a child are a sign of life as good as any, and ask nothing of the peer.
Not here: when one is due (upkeep.py), what follows when nobody answers.
"""

from __future__ import annotations

from ikepy.ike.effects import LookAtInbound, SendRequest
from ikepy.ike.exchanges.view import SaView
from ikepy.wire.registry import ExchangeType


async def initiate(sa: SaView, *, ask: bool) -> None:
    """Find a sign of life; raises GaveUp where none comes.

    ask   whether the peer is to be asked whatever has come in by its children
    """
    states = () if ask else sa.inbound_states()
    if states:
        seen = await LookAtInbound(states)
        if seen.idle is not None and seen.idle < sa.connection.dpd_delay:
            sa.heard_by_children(seen.idle)
            return
    await SendRequest(ExchangeType.INFORMATIONAL, ())
