"""Uniqueness: what becomes of an earlier IKE SA when its pair of identities comes again (RFC 7296 §2.4).

Rule 1: pure: the verdict on one earlier IKE SA, given what is known of both.
Rule 2: a peer that makes a second IKE SA from the same address, as initiator of both, may be reauthenticating: the first
        is left to it for a while (RFC 7296 §2.8.3).
Not here: who looks for the earlier ones (hosting.py), closing them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from ikepy.config.model import Unique


class Verdict(Enum):
    """What becomes of the earlier IKE SA, or of the new one."""

    STAYS = "stays"
    CLOSED = "closed without a word: the peer does not have it any more"
    DELETED = "deleted"
    LEFT_TO_PEER = "left to the peer for a while"
    NEW_REFUSED = "stays, and the new one is refused"


@dataclass(frozen=True, slots=True)
class Again:
    """The new IKE SA beside the earlier one.

    initial_contact  whether the peer says that it has no other
    crossed          whether the earlier one was established only after the new one had begun: then the peer may have
                     said so without knowing of it
    same_address     whether the peer is where it was
    we_began_one     whether we are the initiator of either
    """

    initial_contact: bool
    crossed: bool
    same_address: bool
    we_began_one: bool


def verdict_on_earlier(unique: Unique, again: Again) -> Verdict:
    """Judge an earlier IKE SA of the same identities."""
    if unique is Unique.NEVER:
        return Verdict.STAYS
    if again.crossed:
        return Verdict.STAYS
    if again.initial_contact:
        return Verdict.CLOSED
    if unique is Unique.NO or (again.same_address and again.we_began_one):
        return Verdict.STAYS
    if again.same_address:
        return Verdict.LEFT_TO_PEER
    return Verdict.NEW_REFUSED if unique is Unique.KEEP else Verdict.DELETED
