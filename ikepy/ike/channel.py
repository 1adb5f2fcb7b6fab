"""The message layer of an IKE SA: windows, sealing and opening, repeats; not what messages mean.

Rule 1: what does not open is dropped by name and changes nothing.
Rule 2: a repeat is the kept octets, both ways; after losses it is the same message in smaller fragments (RFC 7383).
Not here: how messages are cut and put together (fragments.py, sealing.py), exchanges and phases (sa.py), routing (endpoint.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ikepy.config.model import Fragmentation
from ikepy.crypto.errors import IntegrityError
from ikepy.ike.actions import Datagram, Path
from ikepy.ike.drops import DropReason
from ikepy.ike.effects import Received
from ikepy.ike.fragments import MOST_SECONDS, PathSizes, Reassembly, size_of_datagram
from ikepy.ike.host import Host
from ikepy.ike.phases import Keyed
from ikepy.ike.protection import Protection
from ikepy.ike.sealing import Sealed, Sealer
from ikepy.ike.timers import TimerName
from ikepy.ike.window import RequestClass, RequestWindow, ResponseWindow
from ikepy.wire.base import Payload
from ikepy.wire.chain import parse_chain
from ikepy.wire.errors import WireError
from ikepy.wire.header import FLAG_INITIATOR, FLAG_RESPONSE, IkeHeader
from ikepy.wire.message import Message, build_message, parse_message
from ikepy.wire.payloads import Sk, Skf
from ikepy.wire.registry import ExchangeType, PayloadType

if TYPE_CHECKING:
    from ikepy.ike.sa import IkeSa

_DROP_OF = {
    RequestClass.IN_PROGRESS: DropReason.IN_PROGRESS,
    RequestClass.CHANGED_REPEAT: DropReason.CHANGED_REPEAT,
    RequestClass.OUTSIDE: DropReason.OUTSIDE_WINDOW,
    RequestClass.REPEAT: DropReason.CLOSED,
}


FEW_REPEATS = 2
"How often a request goes by the same path before it goes by others, where there are others."
LOSSES = 2
"How often a message goes in the same datagrams before smaller ones are tried, where there are smaller ones."


class Channel:
    """Sends and receives the messages of one IKE SA."""

    def __init__(self, host: Host, sa: IkeSa, spi_i: bytes, path: Path, *, is_initiator: bool) -> None:
        self._host, self._sa = host, sa
        self.is_initiator, self.path = is_initiator, path
        self.alternatives: tuple[Path, ...] = ()
        self.sent_at = host.now
        self.spi_i, self.spi_r = spi_i, bytes(8)
        self.requests = RequestWindow(host.config.retransmission)
        self.responses = ResponseWindow()
        self.sizes = PathSizes(host.config.daemon)
        self._parts = {False: Reassembly(), True: Reassembly()}
        self._agreed = False
        self._protection: Protection | None = None
        self._sealer: Sealer | None = None

    def protect(self, keyed: Keyed) -> None:
        """From now on messages are sealed and opened with these keys."""
        self.spi_r, self._agreed = keyed.spi_r, keyed.fragmentation
        self._protection = Protection(keyed.suite, keyed.keys, self._host.entropy, is_initiator=self.is_initiator)
        self._sealer = Sealer(self._protection, self.sizes)

    # -- in ------------------------------------------------------------------------------------------------------

    def is_new_request(self, datagram: Datagram, header: IkeHeader) -> bool:
        """Whether the message ID is the expected one; repeats are answered and all else is dropped here."""
        kind = self.responses.classify(header.message_id, datagram.octets)
        if kind is RequestClass.NEW:
            return True
        reason = self._judge_repeat(kind, datagram)
        if reason is None:
            self._host.observer.message_received(Message(header, ()), len(datagram.octets), datagram.path, repeat=True)
            self._answer_again(datagram.path)
            self._sa.upkeep.heard_repeat()
        else:
            detail = f"expected message ID {self.responses.expected_id}"
            self._host.drop(datagram, reason, detail, header)
        return False

    def _judge_repeat(self, kind: RequestClass, datagram: Datagram) -> DropReason | None:
        """Why an old request is not answered again, None where it is."""
        if kind not in {RequestClass.REPEAT, RequestClass.CHANGED_REPEAT} or self.responses.kept is None:
            return _DROP_OF[kind]
        try:
            outer = parse_message(datagram.octets)
        except WireError:
            return _DROP_OF[kind]
        last = outer.payloads[-1] if outer.payloads else None
        if isinstance(last, Skf):
            return self._judge_old_fragment(last, outer.header, datagram)
        return None if kind is RequestClass.REPEAT else _DROP_OF[kind]

    def _judge_old_fragment(self, skf: Skf, header: IkeHeader, datagram: Datagram) -> DropReason | None:
        """The same of a fragment: the first stands for all (RFC 7383 §2.6.1)."""
        if self._protection is None or not self._agreed:
            return DropReason.FRAGMENT_NOT_AGREED
        answered = self.responses.kept.plain if self.responses.kept is not None else None
        if answered is None or answered.header.exchange is not header.exchange:
            return DropReason.CHANGED_REPEAT
        if skf.number != 1:
            return DropReason.FRAGMENT_REPEATED
        # The peer may have cut it anew, smaller: whether it is the same request only its message ID and keys can say.
        try:
            self._protection.open_octets(datagram.octets, skf.body)
        except IntegrityError:
            return DropReason.INTEGRITY
        return None

    def _answer_again(self, path: Path) -> None:
        kept = self.responses.kept
        assert kept is not None  # noqa: S101 - _judge_repeat() has looked
        self.responses.repeats += 1
        if self.responses.repeats >= LOSSES and self._sealer is not None:
            smaller = self._sealer.seal_smaller(kept, path)
            if smaller is not None:
                self.responses.answer_smaller(smaller)
                self._say_smaller(smaller, path)
                kept = smaller
        self._send(kept, path)

    def open(self, datagram: Datagram, header: IkeHeader) -> tuple[Message, Datagram] | None:
        """The message with its inner payloads, and what brought it; None where it was dropped or is not whole yet.

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
        last = outer.payloads[-1] if outer.payloads else None
        if isinstance(last, Skf):
            return self._open_fragment(datagram, header, last)
        if not isinstance(last, Sk):
            error = outer.error_notify
            reason = DropReason.NOT_PROTECTED if error is None else DropReason.UNPROTECTED_ERROR
            self._host.drop(datagram, reason, "" if error is None else str(error.type), header)
            return None
        try:
            message = self._protection.open(outer, datagram.octets)
        except IntegrityError as fault:
            self._host.drop(datagram, DropReason.INTEGRITY, str(fault), header)
            return None
        self._forget_parts(self._parts[header.is_response])
        return message, datagram

    def _open_fragment(self, datagram: Datagram, header: IkeHeader, skf: Skf) -> tuple[Message, Datagram] | None:
        """The message of which this is the last fragment missing; None where it is not, or was dropped."""
        assert self._protection is not None  # noqa: S101 - open() has looked
        parts = self._parts[header.is_response]
        reason = parts.judge(header, skf) if self._agreed else DropReason.FRAGMENT_NOT_AGREED
        detail = f"{skf.number} of {skf.total}"
        if reason is None:
            try:
                plaintext = self._protection.open_octets(datagram.octets, skf.body)
            except IntegrityError as fault:
                reason, detail = DropReason.INTEGRITY, f"fragment {detail}, {fault}"
        if reason is not None:
            self._host.drop(datagram, reason, detail, header)
            return None
        if not parts.has_some_of(header.message_id):
            self._sa.agenda.set(TimerName.FRAGMENTS, self._host.now + MOST_SECONDS)
        whole = parts.add(header, skf, plaintext)
        if whole is None:
            if header.is_response and self.requests.heard_part():
                self.await_response()
            return None
        self._forget_parts(parts)
        if not header.is_response and whole.fragments > 1:
            # A peer that cuts smaller than we do may know why.
            self.sizes.learn(datagram.path, size_of_datagram(whole.largest, datagram.path))
        message = Message(header, parse_chain(whole.first_inner, whole.plaintext))
        return message, Datagram(whole.as_one(), datagram.path, whole.fragments)

    def _forget_parts(self, parts: Reassembly) -> None:
        """The message is here: no fragment is waited for, unless of one in the other direction."""
        parts.clear()
        if not any(each.state for each in self._parts.values()):
            self._sa.agenda.clear(TimerName.FRAGMENTS)

    def forget_fragments(self) -> None:
        """The rest of what has come in part did not come in time."""
        for parts in self._parts.values():
            if parts.state:
                self._sa.decided(f"only {parts.state} came: the others are lost on the way", warning=True)
                parts.clear()

    @property
    def came_in_part(self) -> str:
        """What is there of the answer to the present request, in words; empty where nothing is."""
        outstanding, parts = self.requests.outstanding, self._parts[True]
        if outstanding is None or not parts.has_some_of(outstanding.message_id):
            return ""
        return f" ({parts.state} came)"

    # -- out -----------------------------------------------------------------------------------------------------

    def send_request(self, exchange: ExchangeType, payloads: tuple[Payload, ...], tries: int | None = None) -> None:
        """Send a request and set the timer for its first repeat; IKE_SA_INIT is in clear and always number 0."""
        is_init = exchange is ExchangeType.IKE_SA_INIT
        message_id = 0 if is_init else self.requests.next_id
        message = Message(self._header(exchange, message_id, response=False), payloads)
        sealed = Sealed((build_message(message),)) if is_init else self._seal(message, self.path)
        self.requests.open(exchange, sealed, message_id, tries)
        self._say_sent(message, sealed, self.path)
        self._send(sealed, self.path)
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
        if self.alternatives and outstanding.sent >= FEW_REPEATS:
            self.path, *rest = *self.alternatives, self.path
            self.alternatives = tuple(rest)
        self.requests.sent_again()
        if outstanding.unmoved > LOSSES and self._sealer is not None and not self.came_in_part:
            smaller = self._sealer.seal_smaller(outstanding.sealed, self.path)
            if smaller is not None:
                outstanding.sealed, outstanding.unmoved = smaller, 1
                self.sizes.learn(self.path, smaller.size)
                self._say_smaller(smaller, self.path)
        self._send_once_more()

    def send_again(self) -> None:
        """Send the outstanding request by the present path at once: it may not have come through by the one before."""
        if self.requests.outstanding is not None and self.requests.outstanding.exchange is not ExchangeType.IKE_SA_INIT:
            self.requests.outstanding.sent = 1
            self._send_once_more()

    def _send_once_more(self) -> None:
        outstanding = self.requests.outstanding
        assert outstanding is not None  # noqa: S101 - whoever calls has looked
        message = Message(self._header(outstanding.exchange, outstanding.message_id, response=False), ())
        self._say_sent(message, outstanding.sealed, self.path, repeat=True)
        self._send(outstanding.sealed, self.path)
        self.await_response()

    def _send(self, sealed: Sealed, path: Path) -> None:
        self.sent_at = self._host.now
        for octets in sealed.datagrams:
            self._host.send(octets, path)

    def _say_sent(self, message: Message, sealed: Sealed, path: Path, *, repeat: bool = False) -> None:
        fragments = len(sealed.datagrams)
        self._host.observer.message_sent(message, sealed.octets, path, repeat=repeat, fragments=fragments)

    def _say_smaller(self, sealed: Sealed, path: Path) -> None:
        count = len(sealed.datagrams)
        self._sa.decided(f"no word from {path.remote}: smaller datagrams, {count} of at most {sealed.size} octets")

    def end_request(self) -> None:
        """The outstanding request is answered, or no longer wanted."""
        self.requests.close()
        self._sa.agenda.clear(TimerName.RETRANSMIT)
        self._sa.agenda.clear(TimerName.PATIENCE)

    def close(self) -> None:
        """The IKE SA is over: no answer is waited for, nothing is put together; the kept response stays."""
        self.requests.close()
        for parts in self._parts.values():
            parts.clear()

    def send_response(self, request: Received, payloads: tuple[Payload, ...], octets: bytes | None = None) -> None:
        """Send and keep the response to a request; `octets` where the exchange built it already (IKE_SA_INIT)."""
        asked = request.message.header
        message = Message(self._header(asked.exchange, asked.message_id, response=True), payloads)
        kept = self.responses.kept
        if kept is not None and kept.size:
            self.sizes.learn(request.path, kept.size)  # the peer goes on, so what it was told at last has arrived
        sealed = Sealed((octets,)) if octets is not None else self._seal(message, request.path)
        self.responses.answer(sealed)
        self._say_sent(message, sealed, request.path)
        self._send(sealed, request.path)

    def _seal(self, message: Message, path: Path) -> Sealed:
        if self._sealer is None:
            return Sealed((build_message(message),))
        fragmentation = self._sa.connection.fragmentation if self._agreed else Fragmentation.NO
        return self._sealer.seal(message, path, fragmentation, self._sa.quirks.fragment_octets)

    def _header(self, exchange: ExchangeType, message_id: int, *, response: bool) -> IkeHeader:
        flags = (FLAG_INITIATOR if self.is_initiator else 0) | (FLAG_RESPONSE if response else 0)
        return IkeHeader(self.spi_i, self.spi_r, PayloadType.NO_NEXT_PAYLOAD, exchange, flags, message_id, 0)
