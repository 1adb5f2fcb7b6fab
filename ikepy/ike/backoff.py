"""How long is waited between tries: each wait twice the one before, and a random part more, so that hosts do not keep step.

Not here: what is tried (efforts.py, traps.py).
"""

from __future__ import annotations

from ikepy.crypto.entropy import Entropy

FIRST_WAIT = 1.0
"Seconds after the first try that failed."
LONGEST_WAIT = 60.0
"Seconds no wait is longer than, but for its random part."
_MOST_DOUBLINGS = 6
_JITTER = 0.25


def wait_after(tries: int, entropy: Entropy) -> float:
    """Seconds to wait after so many tries that failed, 1 at least; up to a quarter of them is random."""
    doublings = min(max(tries, 1) - 1, _MOST_DOUBLINGS)
    fraction = int.from_bytes(entropy.octets(4), "big") / (1 << 32)
    return min(FIRST_WAIT * (1 << doublings), LONGEST_WAIT) * (1 + _JITTER * fraction)
