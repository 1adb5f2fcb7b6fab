"""The message layer of an IKE SA: windows, sealing and opening, repeats; not what messages mean.

Rule 1: what does not open is dropped by name and changes nothing.
Rule 2: a repeat is the kept octets, both ways.
Not here: exchanges and phases (sa.py), routing (endpoint.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ikepy.crypto.errors import IntegrityError
from ikepy.ike.actions import Datagram, Path
from ikepy.ike.drops import DropReason
from ikepy.ike.effects import Received
from ikepy.ike.host import Host
from ikepy.ike.phases import Keyed
from ikepy.ike.protection import Protection
from ikepy.ike.timers import TimerName
from ikepy.ike.window import RequestClass, RequestWindow, ResponseWindow
from ikepy.wire.base import Payload
from ikepy.wire.errors import WireError
from ikepy.wire.header import FLAG_INITIATOR, FLAG_RESPONSE, IkeHeader
from ikepy.wire.message import Message, build_message, parse_message
from ikepy.wire.payloads import Sk
from ikepy.wire.registry import ExchangeType, PayloadType

if TYPE_CHECKING:
    from ikepy.ike.sa import IkeSa

_DROP_OF = {
    RequestClass.IN_PROGRESS: DropReason.IN_PROGRESS,
    RequestClass.CHANGED_REPEAT: DropReason.CHANGED_REPEAT,
    RequestClass.OUTSIDE: DropReason.OUTSIDE_WINDOW,
    RequestClass.REPEAT: DropReason.CLOSED,
}


class Channel:
    """Sends and receives the messages of one IKE SA."""

    def __init__(self, host: Host, sa: IkeSa, spi_i: bytes, path: Path, *, is_initiator: bool) -> None:
        self._host, self._sa = host, sa
        self.is_initiator, self.path = is_initiator, path
        self.spi_i, self.spi_r = spi_i, bytes(8)
        self.requests = RequestWindow(host.config.retransmission)
        self.responses = ResponseWindow()
        self._protection: Protection | None = None

    def protect(self, keyed: Keyed) -> None:
        """From now on messages are sealed and opened with these keys."""
        self.spi_r = keyed.spi_r
        self._protection = Protection(keyed.suite, keyed.keys, self._host.entropy, is_initiator=self.is_initiator)

    # -- in ------------------------------------------------------------------------------------------------------

    def is_new_request(self, datagram: Datagram, header: IkeHeader) -> bool:
        """Whether the message ID is the expected one; repeats are answered and all else is dropped here."""
        kind = self.responses.classify(header.message_id, datagram.octets)
        if kind is RequestClass.NEW:
            return True
        if kind is RequestClass.REPEAT and self.responses.kept is not None:
            observer, message = self._host.observer, Message(header, ())
            observer.message_received(message, len(datagram.octets), datagram.path, repeat=True)
            self._host.send(self.responses.kept, datagram.path)
            self._sa.upkeep.heard_repeat()
        else:
            detail = f"expected message ID {self.responses.expected_id}"
            self._host.drop(datagram, _DROP_OF[kind], detail, header)
        return False

    def open(self, datagram: Datagram, header: IkeHeader) -> Message | None:
        """The message with its inner payloads; None where it was dropped.

        Raises WireError only where it opened and its inside cannot be read.
        """
        if self._protection is None:
            self._host.drop(datagram, DropReason.NOT_PROTECTED, "no keys yet", header)
            return None
        try:
            outer = parse_message(datagram.octets)
        except WireError as fault:
            self._host.drop(datagram, DropReason.MALFORMED, str(fault), header)
            return None
        if not outer.payloads or not isinstance(outer.payloads[-1], Sk):
            error = outer.error_notify
            reason = DropReason.NOT_PROTECTED if error is None else DropReason.UNPROTECTED_ERROR
            self._host.drop(datagram, reason, "" if error is None else str(error.type), header)
            return None
        try:
            return self._protection.open(outer, datagram.octets)
        except IntegrityError as fault:
            self._host.drop(datagram, DropReason.INTEGRITY, str(fault), header)
            return None

    # -- out -----------------------------------------------------------------------------------------------------

    def send_request(self, exchange: ExchangeType, payloads: tuple[Payload, ...], tries: int | None = None) -> None:
        """Send a request and set the timer for its first repeat; IKE_SA_INIT is in clear and always number 0."""
        is_init = exchange is ExchangeType.IKE_SA_INIT
        message_id = 0 if is_init else self.requests.next_id
        message = Message(self._header(exchange, message_id, response=False), payloads)
        octets = build_message(message) if is_init else self._seal(message)
        self.requests.open(exchange, octets, message_id, tries)
        self._host.observer.message_sent(message, len(octets), self.path, repeat=False)
        self._host.send(octets, self.path)
        self.await_response()

    def await_response(self) -> None:
        """Set the timer for the next repeat, or after the last one for giving up."""
        wait = self.requests.wait()
        seconds = wait if wait is not None else self.requests.last_wait()
        self._sa.agenda.set(TimerName.RETRANSMIT, self._host.now + seconds)

    def repeat_request(self) -> None:
        """Send the outstanding request once more, the same octets."""
        outstanding = self.requests.outstanding
        if outstanding is None:
            return
        outstanding.sent += 1
        message = Message(self._header(outstanding.exchange, outstanding.message_id, response=False), ())
        self._host.observer.message_sent(message, len(outstanding.octets), self.path, repeat=True)
        self._host.send(outstanding.octets, self.path)
        self.await_response()

    def end_request(self) -> None:
        """The outstanding request is answered, or no longer wanted."""
        self.requests.close()
        self._sa.agenda.clear(TimerName.RETRANSMIT)
        self._sa.agenda.clear(TimerName.PATIENCE)

    def send_response(self, request: Received, payloads: tuple[Payload, ...], octets: bytes | None = None) -> None:
        """Send and keep the response to a request; `octets` where the exchange built it already (IKE_SA_INIT)."""
        asked = request.message.header
        message = Message(self._header(asked.exchange, asked.message_id, response=True), payloads)
        sealed = octets if octets is not None else self._seal(message)
        self.responses.answer(sealed)
        self._host.observer.message_sent(message, len(sealed), request.path, repeat=False)
        self._host.send(sealed, request.path)

    def _seal(self, message: Message) -> bytes:
        if self._protection is None:
            return build_message(message)
        return self._protection.seal(message.header, message.payloads)

    def _header(self, exchange: ExchangeType, message_id: int, *, response: bool) -> IkeHeader:
        flags = (FLAG_INITIATOR if self.is_initiator else 0) | (FLAG_RESPONSE if response else 0)
        return IkeHeader(self.spi_i, self.spi_r, PayloadType.NO_NEXT_PAYLOAD, exchange, flags, message_id, 0)
