"""The exchanges: one module each, `initiate()` and `respond()` facing each other; and what is allowed when.

Rule 1: legality is this table, checked before an exchange is started.
Not here: which payloads a message must have (wire/shapes.py).
"""

from __future__ import annotations

from ikepy.ike.phases import Authenticating, Closed, Closing, Connecting, Established, Phase, Rekeyed
from ikepy.wire.registry import ExchangeType

_ALLOWED_REQUESTS: dict[type[Phase], frozenset[ExchangeType]] = {
    Connecting: frozenset(),
    Authenticating: frozenset({ExchangeType.IKE_AUTH}),
    Established: frozenset({ExchangeType.CREATE_CHILD_SA, ExchangeType.INFORMATIONAL}),
    Closing: frozenset({ExchangeType.CREATE_CHILD_SA, ExchangeType.INFORMATIONAL}),
    Rekeyed: frozenset({ExchangeType.CREATE_CHILD_SA, ExchangeType.INFORMATIONAL}),
    Closed: frozenset(),
}


def is_allowed(phase: Phase, exchange: ExchangeType, *, we_initiated: bool, in_rounds: bool = False) -> bool:
    """Whether the peer may begin that exchange now; who initiated the IKE SA never gets an IKE_AUTH request.

    in_rounds   whether IKE_AUTH waits for the peer's next request: it may end it by INFORMATIONAL instead (§2.21.2)
    """
    if in_rounds and isinstance(phase, Authenticating) and exchange is ExchangeType.INFORMATIONAL:
        return True
    if exchange is ExchangeType.IKE_AUTH and we_initiated:
        return False
    return exchange in _ALLOWED_REQUESTS[type(phase)]
