"""INFORMATIONAL that sends a client to another gateway (RFC 5685 §5).

    Gateway                                Client
    HDR, SK {N(REDIRECT)}             -->
                                      <--  HDR, SK {}

Not here: redirects in IKE_SA_INIT and IKE_AUTH (ike_sa_init.py, ike_auth.py); what the client makes of it (informational.py).
"""

from __future__ import annotations

from dataclasses import dataclass

from ikepy.ike.effects import SendRequest
from ikepy.wire.redirect import Gateway, make_redirect
from ikepy.wire.registry import ExchangeType


@dataclass(frozen=True, slots=True)
class SentOn:
    """The client knows where to go."""

    gateway: Gateway


async def initiate(gateway: Gateway) -> SentOn:
    """Send the client to another gateway; raises GaveUp."""
    await SendRequest(ExchangeType.INFORMATIONAL, (make_redirect(gateway),))
    return SentOn(gateway)
