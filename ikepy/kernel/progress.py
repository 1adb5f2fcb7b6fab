"""How far a state has come: its sequence numbers and its window, taken from one state and given to the one that moves.

Rule 1: what is sent goes on beyond what was sent, none included: packets go out between looking and moving, and no
        number, which is the nonce of a counter mode, goes twice.
Rule 2: what was received goes on where it was seen last; what arrives between looking and moving, a moment, could be
        received again.
Not here: moving, and states that stay where they are (base.py).
"""

from __future__ import annotations

from dataclasses import dataclass

from ikepy.kernel.messages import xfrm_message
from ikepy.kernel.messages.values import xfrm_replay_state, xfrm_replay_state_esn

MARGIN = 1 << 16
"Packets that may go out by a state while it is moved."
_LOW = 0xFFFFFFFF
_SMALL_OCTETS = 4


@dataclass(frozen=True, slots=True)
class Progress:
    """Sequence numbers of a state, the high halves included, and the window's bits as the kernel has them."""

    sent: int
    received: int
    bitmap: bytes

    def continued(self) -> Progress:
        """For the outbound state that goes on in this one's place."""
        return Progress(self.sent + MARGIN, self.received, self.bitmap)


FRESH = Progress(0, 0, b"")


def read_progress(message: xfrm_message) -> Progress:
    """The progress of a state as GETSA tells it."""
    wide: xfrm_replay_state_esn | None = message.get_attr("XFRMA_REPLAY_ESN_VAL")
    if wide is not None:
        return Progress(wide.oseq_hi << 32 | wide.oseq, wide.seq_hi << 32 | wide.seq, wide.bmp)
    small: xfrm_replay_state | None = message.get_attr("XFRMA_REPLAY_VAL")
    if small is not None:
        return Progress(small.oseq, small.seq, small.bitmap.to_bytes(_SMALL_OCTETS, "big"))
    return FRESH


def progress_attributes(progress: Progress, window: int, *, wide: bool) -> list[tuple[str, object]]:
    """What NEWSA says of a window of so many packets, and of where it stands."""
    if wide:
        words = (window + 31) // 32
        bitmap = progress.bitmap.ljust(4 * words, b"\0")[: 4 * words] if progress.bitmap else b""
        out, into = progress.sent, progress.received
        state = xfrm_replay_state_esn(words, out & _LOW, into & _LOW, out >> 32, into >> 32, window, bitmap)
        return [("XFRMA_REPLAY_ESN_VAL", state)]
    if progress == FRESH:
        return []
    bits = int.from_bytes(progress.bitmap[:_SMALL_OCTETS], "big")
    return [("XFRMA_REPLAY_VAL", xfrm_replay_state(progress.sent & _LOW, progress.received & _LOW, bits))]
