"""Message IDs: the request we wait on, and the response we may have to repeat (RFC 7296 §2.1-2.3).

Rule 1: a repeat is the same octets, never a message built again.
Rule 2: nothing here looks inside a message.
Rule 3: the window is 1 each way; SET_WINDOW_SIZE is not sent and its absence promises the peer no more.
Not here: what becomes fragments (sealing.py), who may send what (exchanges/__init__.py), clocks.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import Enum

from ikepy.config.model import RetransmissionConfig
from ikepy.ike.sealing import Sealed
from ikepy.wire.registry import ExchangeType

LAST_MESSAGE_ID = 0xFFFFFFFF
MOST_PARTIAL = 20
"Sendings of one request that may bring some fragments of its answer and not the last one missing."


@dataclass(slots=True)
class Outstanding:
    """A request on its way.

    sealed   all its datagrams
    tries    how often it is repeated at most
    sent     how often it was sent
    unmoved  how often it was sent in these datagrams
    partial  how many of the sendings brought a part of the answer, where it comes in fragments
    """

    message_id: int
    exchange: ExchangeType
    sealed: Sealed
    tries: int
    sent: int = 1
    unmoved: int = 1
    partial: int = 0
    is_partial: bool = False


class RequestWindow:
    """Our requests: one at a time, repeated with growing waits until answered or given up."""

    def __init__(self, retransmission: RetransmissionConfig, first_id: int = 0) -> None:
        self._retransmission = retransmission
        self.next_id = first_id
        self.outstanding: Outstanding | None = None

    def open(self, exchange: ExchangeType, sealed: Sealed, message_id: int, tries: int | None = None) -> None:
        """Take a request that is being sent; its message ID is `next_id`, or 0 again for IKE_SA_INIT's loops.

        tries   repeats at most; None for as many as are configured
        """
        tries = self._retransmission.tries if tries is None else tries
        self.outstanding = Outstanding(message_id, exchange, sealed, tries)
        self.next_id = message_id + 1

    def heard_part(self) -> bool:
        """Part of the answer has come: the peer is there, so the waits begin anew; False where that was so too often."""
        outstanding = self.outstanding
        if outstanding is None or outstanding.partial >= MOST_PARTIAL:
            return False
        outstanding.partial += not outstanding.is_partial
        outstanding.sent, outstanding.is_partial = 1, True
        return True

    def sent_again(self) -> None:
        """The request was sent once more."""
        if self.outstanding is not None:
            self.outstanding.sent += 1
            self.outstanding.unmoved += 1
            self.outstanding.is_partial = False

    @property
    def is_exhausted(self) -> bool:
        """Whether no message ID is left (§2.2: the SA must be closed)."""
        return self.next_id > LAST_MESSAGE_ID

    def answers(self, message_id: int) -> Outstanding | None:
        """The request a response of that ID answers, None where there is none."""
        if self.outstanding is None or self.outstanding.message_id != message_id:
            return None
        return self.outstanding

    def close(self) -> None:
        """The request is answered, or no longer wanted."""
        self.outstanding = None

    def wait(self) -> float | None:
        """Seconds from the last sending to the next repeat; None where the peer is to be given up."""
        if self.outstanding is None or self.outstanding.sent > self.outstanding.tries:
            return None
        grown = self._retransmission.timeout * self._retransmission.base ** (self.outstanding.sent - 1)
        return min(grown, self._retransmission.limit)

    def last_wait(self) -> float:
        """Seconds to wait after the last repeat before giving up."""
        tries = self.outstanding.tries if self.outstanding is not None else self._retransmission.tries
        grown = self._retransmission.timeout * self._retransmission.base**tries
        return min(grown, self._retransmission.limit)


class RequestClass(Enum):
    """What an arriving request is, by its message ID and octets."""

    NEW = "new"
    IN_PROGRESS = "in progress"
    REPEAT = "repeat"
    CHANGED_REPEAT = "repeat with other content"
    OUTSIDE = "outside"


class ResponseWindow:
    """The peer's requests: the next one expected, and the kept response to the last."""

    def __init__(self, first_id: int = 0) -> None:
        self.expected_id = first_id
        self._in_progress: bytes | None = None
        self._answered: bytes | None = None
        self._kept: Sealed | None = None
        self.repeats = 0

    def classify(self, message_id: int, octets: bytes) -> RequestClass:
        """Sort a request into one of the classes of §2.1-2.3; octets are the whole message as it came."""
        if message_id == self.expected_id:
            return RequestClass.IN_PROGRESS if self._in_progress is not None else RequestClass.NEW
        if message_id == self.expected_id - 1 and self._kept is not None:
            same = self._answered == hashlib.sha256(octets).digest()
            return RequestClass.REPEAT if same else RequestClass.CHANGED_REPEAT
        return RequestClass.OUTSIDE

    def begin(self, octets: bytes) -> None:
        """The answer to the expected request is being made."""
        self._in_progress = hashlib.sha256(octets).digest()

    def abandon(self) -> None:
        """No answer will be made; the request may come again."""
        self._in_progress = None

    def answer(self, sealed: Sealed) -> None:
        """Keep the response and expect the next request."""
        self._answered, self._in_progress = self._in_progress, None
        self._kept, self.repeats = sealed, 0
        self.expected_id += 1

    def answer_smaller(self, sealed: Sealed) -> None:
        """Keep the same response in smaller fragments."""
        self._kept, self.repeats = sealed, 0

    @property
    def kept(self) -> Sealed | None:
        """The response to the last request, as it was sent."""
        return self._kept

    @property
    def is_answering(self) -> bool:
        """Whether a response is being made."""
        return self._in_progress is not None
