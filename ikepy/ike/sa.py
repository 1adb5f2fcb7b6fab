"""IkeSa: one IKE SA's phase, its conversations and its children.

Rule 1: at most one initiating and one responding conversation; a further wish waits in `pending`.
Rule 2: no message that did not open changes anything; answers to IKE_SA_INIT are judged by their exchange.
Rule 3: what a conversation found out is adopted in one commit when it ends (adoption.py).
Not here: octets (channel.py), routing and limits (endpoint.py), the exchanges themselves (exchanges/).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Coroutine
from typing import Any

from ikepy.config.model import ChildConfig, ConnectionConfig
from ikepy.ike.actions import Datagram, Done, Outcome, Path
from ikepy.ike.adoption import Adoption
from ikepy.ike.channel import Channel
from ikepy.ike.child import ChildSa
from ikepy.ike.conversation import Broken, Conversation, Finished, Step, Wants
from ikepy.ike.drops import DropReason
from ikepy.ike.effects import Effect, NextAnswer, Received, RemoveChildSa, Respond, SendRequest
from ikepy.ike.errors import GaveUp, IkeError
from ikepy.ike.events import AttemptFailed, ChildSaDown, IkeSaDown
from ikepy.ike.exchanges import create_child, delete, ike_auth, ike_sa_init, informational, is_allowed, liveness
from ikepy.ike.exchanges.view import Answer
from ikepy.ike.faults import is_fatal, notify_for
from ikepy.ike.host import Host
from ikepy.ike.phases import Authenticating, Closed, Closing, Connecting, Established, Keyed, Phase
from ikepy.ike.snapshot import snapshot_child, snapshot_ike
from ikepy.ike.timers import TimerName
from ikepy.ike.viewing import Viewing
from ikepy.ike.wishes import WantChild, WantChildDeleted, WantForeignChildDeleted, WantLiveness, Wish
from ikepy.wire.base import Payload
from ikepy.wire.errors import WireError
from ikepy.wire.header import IkeHeader
from ikepy.wire.message import Message, parse_message
from ikepy.wire.registry import ExchangeType

MOST_PENDING = 64
"Wishes that may wait."
LINGER = 30.0
"Seconds a closed IKE SA answers repeats of its last request."


class IkeSa(Viewing):
    """One IKE SA, from its first datagram to its end."""

    def __init__(
        self,
        host: Host,
        unique_id: int,
        connection: ConnectionConfig,
        path: Path,
        spi_i: bytes,
        *,
        our_spi: bytes | None,
    ) -> None:
        self.host, self.unique_id, self.is_initiator = host, unique_id, our_spi is None
        self.our_spi = spi_i if our_spi is None else our_spi
        self._connection = connection
        self.channel = Channel(host, self, spi_i, path, is_initiator=self.is_initiator)
        self._phase: Phase = Connecting()
        self.children: dict[int, ChildSa] = {}
        self.deleting: set[int] = set()
        self.removing: dict[int, ChildSa] = {}
        self.pending: deque[Wish] = deque()
        self.initiating: Conversation | None = None
        self.responding: Conversation | None = None
        self.created_at = self.heard_at = host.now
        self._answering: Received | None = None
        self._adoption = Adoption(self)

    # -- inputs --------------------------------------------------------------------------------------------------

    def begin(self, children: tuple[ChildConfig, ...]) -> None:
        """Start to connect; the first child goes with IKE_AUTH, the others wait."""
        self._adoption.first_child = children[0] if children else None
        self.pending.extend(WantChild(child) for child in children[1:MOST_PENDING])
        self.initiate("IKE_SA_INIT", ike_sa_init.initiate(self, self.channel.spi_i))

    def answer_init(self, datagram: Datagram, message: Message, spi_r: bytes) -> None:
        """Answer an IKE_SA_INIT request with which this SA begins."""
        self.channel.spi_r = spi_r
        self.host.set_timer(self, TimerName.HALF_OPEN, self.now + self.config.daemon.half_open_timeout)
        self._accept_request(datagram, message)
        assert self._answering is not None  # noqa: S101 - just accepted
        self._respond("IKE_SA_INIT", ike_sa_init.respond(self, self._answering, spi_r))

    def receive(self, datagram: Datagram, header: IkeHeader) -> None:
        """Take a datagram whose SPIs are this SA's."""
        if header.is_response:
            self._receive_response(datagram, header)
        elif self.channel.is_new_request(datagram, header):
            self._receive_request(datagram, header)

    def resume(self, conversation: Conversation, outcome: Outcome) -> None:
        """Take an effect's outcome for a conversation of this SA."""
        step = conversation.resume(outcome.reply) if isinstance(outcome, Done) else conversation.fail(outcome.error)
        self._follow(conversation, step)

    def handle_timeout(self, name: TimerName) -> None:
        """A timer of this SA fired."""
        match name:
            case TimerName.RETRANSMIT:
                self._repeat_request()
            case TimerName.PATIENCE:
                self._give_up("no usable answer")
            case TimerName.HALF_OPEN:
                self.close("the peer began and did not go on")
            case TimerName.LIVENESS:
                self._look_for_life()
            case TimerName.LINGER:
                self.host.closed(self)

    def wish_child(self, child: ChildConfig) -> None:
        """Want one more child, unless it is the one being made."""
        if child is not self._adoption.child_under_way:
            self.wish(WantChild(child))

    def wish(self, wish: Wish) -> None:
        """Do it now or as soon as may be; dropped where it waits already or too much does."""
        if wish not in self.pending and len(self.pending) < MOST_PENDING:
            self.pending.append(wish)
        self.grant_wishes()

    def terminate(self, reason: str) -> None:
        """End the IKE SA: with a delete where the peer is known, else at once."""
        if isinstance(self._phase, Established):
            self._phase = Closing(self._phase.keyed, self._phase.authenticated, reason)
            self.pending.clear()
            self.grant_wishes()
        elif not self.is_closing:
            self.close(reason)

    def close(self, reason: str) -> None:
        """End it now, without a word to the peer: conversations, children, timers."""
        was, last = self._phase, snapshot_ike(self)
        if isinstance(was, Closed):
            return
        for conversation in (self.initiating, self.responding):
            if conversation is not None:
                conversation.close()
                self._undo(conversation)
        self.initiating = self.responding = None
        for child in tuple(self.children.values()):
            self.host.perform_undo(RemoveChildSa(child.spec))
            self.begin_removal(child)
        for child in tuple(self.removing.values()):
            self.end_removal(child, reason)
        known = was.authenticated if isinstance(was, Established | Closing) else None
        self._phase = Closed(self.keyed, known, reason)
        self.pending.clear()
        self.channel.requests.close()
        for name in TimerName:
            self.host.clear_timer(self, name)
        reason = was.reason if isinstance(was, Closing) else reason
        if isinstance(was, Established) or (isinstance(was, Closing) and was.authenticated is not None):
            self.host.publish(IkeSaDown(last, reason))
        else:
            self.host.publish(AttemptFailed(self._connection.name, None, self.unique_id, reason))
        # Of a refused IKE_SA_INIT nothing is kept: a flood of them may not cost memory.
        if self.channel.responses.kept is None or isinstance(was, Connecting):
            self.host.closed(self)
        else:
            self.host.linger(self)

    def enter(self, phase: Phase) -> None:
        """Replace the phase."""
        self._phase = phase
        if not isinstance(phase, Connecting | Closed):
            self._connection = phase.keyed.connection

    def end_removal(self, child: ChildSa, reason: str) -> None:
        """The child is out of the kernel, or its removal is queued and nobody waits for it."""
        if self.removing.pop(child.unique_id, None) is not None:
            self.host.publish(ChildSaDown(snapshot_ike(self), snapshot_child(child, "DELETED"), reason))

    # -- requests ------------------------------------------------------------------------------------------------

    def _receive_request(self, datagram: Datagram, header: IkeHeader) -> None:
        if not is_allowed(self._phase, header.exchange, we_initiated=self.is_initiator):
            phase = type(self._phase).__name__.lower()
            self.host.drop(datagram, DropReason.NOT_ALLOWED_NOW, f"the IKE SA is {phase}", header)
            return
        try:
            message = self.channel.open(datagram, header)
        except WireError as fault:
            self._accept_request(datagram, Message(header, ()))
            self._refuse(fault)
            return
        if message is not None:
            self._heard(datagram)
            self._accept_request(datagram, message)
            self._start_responding()

    def _accept_request(self, datagram: Datagram, message: Message) -> None:
        self.channel.responses.begin(datagram.octets)
        self._answering = Received(message, datagram.octets, datagram.path)
        self.host.observer.message_received(message, len(datagram.octets), datagram.path, repeat=False)

    def _start_responding(self) -> None:
        received, keyed, waiting = self._answering, self.keyed, self.responding
        assert received is not None  # noqa: S101 - just accepted
        assert keyed is not None  # noqa: S101 - a message only opens where keys are
        if waiting is not None and isinstance(waiting.waiting_for, Respond):
            self._follow(waiting, waiting.resume(received))
            return
        match received.message.header.exchange:
            case ExchangeType.IKE_AUTH:
                self._respond("IKE_AUTH", ike_auth.respond(self, keyed, received))
            case ExchangeType.CREATE_CHILD_SA:
                self._respond("CREATE_CHILD_SA", create_child.respond(self, keyed, received))
            case _:
                self._respond("INFORMATIONAL", informational.respond(self, received))

    def _respond(self, name: str, exchange: Coroutine[Effect[Any], Any, Any]) -> None:
        self.responding = Conversation(name, exchange)
        self._follow(self.responding, self.responding.start())

    def _send_response(self, payloads: tuple[Payload, ...], octets: bytes | None = None) -> None:
        if self._answering is not None:
            request, self._answering = self._answering, None
            self.channel.send_response(request, payloads, octets)

    def _refuse(self, fault: IkeError | WireError) -> None:
        """Answer the present request with the fault's notify, and end the SA where the fault is fatal."""
        self.responding = None
        self.decided(f"refused: {fault}", warning=True)
        if isinstance(self._phase, Connecting):
            self.channel.spi_r = bytes(8)
        self._send_response((notify_for(fault, self._phase),))
        if isinstance(self._phase, Connecting | Authenticating) or is_fatal(fault):
            self.close(str(fault))

    # -- responses -----------------------------------------------------------------------------------------------

    def _receive_response(self, datagram: Datagram, header: IkeHeader) -> None:
        outstanding = self.channel.requests.answers(header.message_id)
        conversation = self.initiating
        if outstanding is None or conversation is None or not _waits_for_answer(conversation):
            self.host.drop(datagram, DropReason.UNEXPECTED_RESPONSE, "", header)
            return
        if outstanding.exchange is not header.exchange:
            self.host.drop(datagram, DropReason.WRONG_EXCHANGE, f"expected {outstanding.exchange}", header)
            return
        is_init = header.exchange is ExchangeType.IKE_SA_INIT
        try:
            message = parse_message(datagram.octets) if is_init else self.channel.open(datagram, header)
        except WireError as fault:
            if is_init:
                self.host.drop(datagram, DropReason.MALFORMED, str(fault), header)
                return
            self.host.observer.message_received(Message(header, ()), len(datagram.octets), datagram.path, repeat=False)
            self.channel.end_request()
            self._follow(conversation, conversation.fail(fault))
            return
        if message is None:
            return
        self.host.observer.message_received(message, len(datagram.octets), datagram.path, repeat=False)
        # An answer to IKE_SA_INIT may be anybody's: the request stays open until its exchange says otherwise.
        if not is_init:
            self._heard(datagram)
            self.channel.requests.close()
        self.host.clear_timer(self, TimerName.RETRANSMIT)
        self.host.clear_timer(self, TimerName.PATIENCE)
        received = Received(message, datagram.octets, datagram.path, outstanding.octets)
        self._follow(conversation, conversation.resume(received))

    def _repeat_request(self) -> None:
        outstanding = self.channel.requests.outstanding
        if outstanding is None:
            return
        if self.channel.requests.wait() is None:
            self._give_up(f"no answer to {outstanding.exchange} after {outstanding.sent} tries")
        else:
            self.channel.repeat_request()

    def _give_up(self, reason: str) -> None:
        conversation = self.initiating
        if conversation is None or not _waits_for_answer(conversation):
            return
        self.channel.end_request()
        remedy = f"{reason} from {self.path.remote}: is it reachable, and does it listen there?"
        self._follow(conversation, conversation.fail(GaveUp(remedy)))

    def _heard(self, datagram: Datagram) -> None:
        """A message opened: the peer lives, and before it is known we answer where it sent from (§2.23)."""
        self.heard_at = self.now
        if isinstance(self._phase, Authenticating) and not self.is_initiator:
            self.channel.path = datagram.path

    # -- conversations -------------------------------------------------------------------------------------------

    def initiate(self, name: str, exchange: Coroutine[Effect[Any], Any, Any]) -> None:
        """Begin a conversation of our own."""
        self.initiating = Conversation(name, exchange)
        self._follow(self.initiating, self.initiating.start())

    def _follow(self, conversation: Conversation, step: Step) -> None:
        match step:
            case Wants(SendRequest(exchange, payloads)):
                if self.channel.requests.is_exhausted:
                    self.close("all message IDs are used")
                else:
                    self.channel.send_request(exchange, payloads)
            case Wants(NextAnswer(patience)):
                self.host.set_timer(self, TimerName.PATIENCE, self.now + patience)
                self.channel.await_response()
            case Wants(Respond(payloads)):
                self._send_response(payloads)
            case Wants(effect):
                conversation.ticket = self.host.perform(effect, self, conversation)
            case Finished(result):
                conversation.take_ledger()
                self._finish(conversation, result)
            case Broken(error):
                self._undo(conversation)
                self._break(conversation, error)

    def _finish(self, conversation: Conversation, result: object) -> None:
        if conversation is self.responding:
            self.responding = None
            assert isinstance(result, Answer)  # noqa: S101 - each respond() ends in one
            init = result.result.init_response if isinstance(result.result, Keyed) else None
            self._send_response(result.payloads, init)
            self._adoption.adopt(result.result)
        else:
            self.initiating = None
            self.channel.end_request()
            self._adoption.adopt(result)
        self.grant_wishes()

    def _break(self, conversation: Conversation, error: IkeError | WireError) -> None:
        if conversation is self.responding:
            self._refuse(error)
            return
        self.initiating = None
        self.channel.end_request()
        self._adoption.attempt_failed(conversation.name, error)
        self.grant_wishes()

    def _undo(self, conversation: Conversation) -> None:
        for effect in conversation.take_ledger():
            self.host.perform_undo(effect)

    @property
    def is_initiating(self) -> bool:
        """Whether a conversation of our own is under way."""
        return self.initiating is not None

    # -- wishes --------------------------------------------------------------------------------------------------

    def grant_wishes(self) -> None:
        """Begin what is wanted, if nothing is under way; the end of the SA goes before all else."""
        if self.is_initiating:
            return
        if isinstance(self._phase, Closing):
            refused = self._phase.authenticated is None
            self.initiate("delete", delete.initiate_refusal() if refused else delete.initiate_ike())
        while self.pending and isinstance(self._phase, Established) and not self.is_initiating:
            self._grant(self.pending.popleft(), self._phase.keyed)

    def _grant(self, wish: Wish, keyed: Keyed) -> None:
        match wish:
            case WantChild(child):
                self._adoption.wanted_child = child
                self.initiate("CREATE_CHILD_SA", create_child.initiate(self, keyed, child))
            case WantChildDeleted(spi_in):
                doomed = self.child_by_spi_in(spi_in)
                if doomed is not None:
                    self.deleting.add(doomed.unique_id)
                    self.initiate("delete child", delete.initiate_child(self, doomed))
            case WantForeignChildDeleted(spi_in):
                self.initiate("delete child", delete.initiate_foreign_child(spi_in))
            case WantLiveness():
                self.initiate("liveness", liveness.initiate())

    def watch_for_life(self) -> None:
        """Set the liveness timer anew, if the connection wants one."""
        if self._connection.dpd_delay > 0:
            self.host.set_timer(self, TimerName.LIVENESS, self.heard_at + self._connection.dpd_delay)

    def _look_for_life(self) -> None:
        due = self.heard_at + self._connection.dpd_delay
        if due <= self.now:
            due = self.now + self._connection.dpd_delay
            # Any request of ours that waits for its answer asks for a sign of life already.
            if not self.is_initiating:
                self.wish(WantLiveness())
        self.host.set_timer(self, TimerName.LIVENESS, due)


def _waits_for_answer(conversation: Conversation) -> bool:
    return isinstance(conversation.waiting_for, SendRequest | NextAnswer)
