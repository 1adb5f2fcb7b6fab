"""Which of two SAs made at once, one by each side, is to go (RFC 7296 §2.8.1, §2.8.2).

Rule 1: the SA made with the lowest of the four nonces is closed by the side that made it; both sides find the same.
Rule 2: nonces are compared octet by octet, and one that is the beginning of another is the lower.
Not here: what is done about it (exchanges/rekey_child.py, succession.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True, slots=True)
class Nonces:
    """The two nonces of one exchange that rekeys, 16..256 octets each."""

    ni: bytes
    nr: bytes

    @property
    def lowest(self) -> bytes:
        """The lower of the two."""
        return min(self.ni, self.nr)


class Side(Enum):
    """Whose exchange."""

    OURS = "ours"
    THEIRS = "theirs"


def loser_of(ours: Nonces, theirs: Nonces) -> Side:
    """Whose SA is closed, by whoever made it: the one with the lowest of the four nonces (§2.8.1)."""
    return Side.OURS if ours.lowest < theirs.lowest else Side.THEIRS
