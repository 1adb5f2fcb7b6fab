"""Why a child or an IKE SA came to its end: what decides whether it is made again.

Not here: what follows from it (keeper.py), words for the operator (the reason that goes with each event).
"""

from __future__ import annotations

from enum import Enum


class Cause(Enum):
    """The causes; the value is how a log words them."""

    OPERATOR = "ended by the operator"
    PEER_CLOSED = "closed by the peer"
    PEER_DEAD = "the peer is dead"
    FAILED = "failed"
    SUPERSEDED = "replaced by another"
    EXPIRED = "expired"
    SHUTDOWN = "the daemon ends"
