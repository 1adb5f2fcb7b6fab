"""IkeSa: one IKE SA's phase, its conversations and its children.

Rule 1: at most one initiating and one responding conversation; a further wish waits in `pending`.
Rule 2: no message that did not open changes anything; answers to IKE_SA_INIT are judged by their exchange.
Rule 3: what a conversation found out is adopted in one commit when it ends (adoption.py, succession.py).
Not here: octets (channel.py), routing and limits (endpoint.py), the exchanges themselves (exchanges/), what it does
by itself in time (upkeep.py), in which order it does what it wants (granting.py).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Coroutine
from typing import Any

from ikepy.config.model import ChildConfig, ConnectionConfig
from ikepy.ike.actions import Datagram, Done, Outcome, Path
from ikepy.ike.adoption import Adoption
from ikepy.ike.agenda import Agenda
from ikepy.ike.causes import Cause
from ikepy.ike.channel import FEW_REPEATS, Channel
from ikepy.ike.child import ChildSa
from ikepy.ike.child_table import ChildTable
from ikepy.ike.conversation import Broken, Conversation, Finished, Step, Wants
from ikepy.ike.drops import DropReason
from ikepy.ike.effects import Effect, NextAnswer, Received, Respond, SendRequest
from ikepy.ike.ending import Ending
from ikepy.ike.errors import GaveUp, IkeError
from ikepy.ike.exchanges import answering, ike_auth, ike_sa_init, informational, is_allowed
from ikepy.ike.exchanges.rekey_ike import Successor
from ikepy.ike.exchanges.view import Answer
from ikepy.ike.faults import answer_to, is_fatal
from ikepy.ike.granting import Granting
from ikepy.ike.host import Host
from ikepy.ike.moving import Moving
from ikepy.ike.phases import Authenticating, Closed, Connecting, Keyed, Phase
from ikepy.ike.redirection import Redirection
from ikepy.ike.succession import Succession
from ikepy.ike.timers import TimerName
from ikepy.ike.upkeep import Upkeep
from ikepy.ike.viewing import Viewing
from ikepy.ike.wishes import WantChild, Wish
from ikepy.ipsec import Selector, Spi
from ikepy.wire.base import Payload
from ikepy.wire.errors import WireError
from ikepy.wire.header import IkeHeader
from ikepy.wire.message import Message, parse_message
from ikepy.wire.payloads import Delete
from ikepy.wire.registry import ExchangeType, ProtocolId

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
        self.agenda = Agenda(host, self)
        self.channel = Channel(host, self, spi_i, path, is_initiator=self.is_initiator)
        self._phase: Phase = Connecting()
        self.table = ChildTable()
        self.pending: deque[Wish] = deque()
        self.first_child: ChildConfig | None = None
        self.first_packet: Selector | None = None
        self.wanted_child: ChildConfig | None = None
        self.rekeyed_child: ChildSa | None = None
        self.initiating: Conversation | None = None
        self.responding: Conversation | None = None
        self.held: IkeSa | None = None
        self.held_by: IkeSa | None = None
        self.is_announced = self.has_heard = False
        self.claim, self.left_behind, self.deleted_ahead = None, (), set[Spi]()
        self.created_at = self.heard_at = host.now
        self._answering: Received | None = None
        self._unmoved: Successor | None = None
        self.granting, self.upkeep, self.succession = Granting(self), Upkeep(self), Succession(self)
        self.moving = Moving(self)
        self._adoption, self.ending = Adoption(self), Ending(self)

    # -- inputs --------------------------------------------------------------------------------------------------

    def begin(
        self, children: tuple[ChildConfig, ...], packet: Selector | None = None, elsewhere: Redirection | None = None
    ) -> None:
        """Start to connect, or `elsewhere`; the first child, for that packet, goes with IKE_AUTH, the others wait."""
        self.first_child, self.first_packet = (children[0] if children else None), packet
        self.pending.extend(WantChild(child) for child in children[1:])
        self.initiate("IKE_SA_INIT", ike_sa_init.initiate(self, self.channel.spi_i, elsewhere))

    def answer_init(self, datagram: Datagram, message: Message, spi_r: bytes) -> None:
        """Answer an IKE_SA_INIT request with which this SA begins."""
        self.channel.spi_r = spi_r
        self.agenda.set(TimerName.HALF_OPEN, self.now + self.config.daemon.half_open_timeout)
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

    def handle_timeout(self) -> None:
        """Instants of this SA have come."""
        while (due := self.agenda.pop_due(self.now)) is not None:
            match due:
                case (TimerName.RETRANSMIT, _):
                    self._repeat_request()
                case (TimerName.PATIENCE, _):
                    self._give_up("no usable answer")
                case (TimerName.HALF_OPEN, _):
                    self.close(self.why_unfinished)
                case (TimerName.FRAGMENTS, _):
                    self.channel.forget_fragments()
                case (TimerName.LINGER, _):
                    self.host.closed(self)
                case (name, child):
                    self.upkeep.handle(name, child)

    def wish_child(self, child: ChildConfig, packet: Selector | None = None) -> None:
        """Want one more child, unless it is the one being made."""
        if child is not self.child_under_way:
            self.wish(WantChild(child, packet))

    def wish(self, wish: Wish) -> None:
        """Do it now or as soon as may be; dropped where it waits already or too much does."""
        self.granting.wish(wish)

    def terminate(self, reason: str, cause: Cause = Cause.OPERATOR) -> None:
        """End the IKE SA: with a delete where the peer is known, else at once."""
        self.ending.terminate(reason, cause)

    def close(self, reason: str, cause: Cause = Cause.FAILED) -> None:
        """End it now, without a word to the peer."""
        self.ending.close(reason, cause)

    def end_removal(self, child: ChildSa, reason: str, cause: Cause) -> None:
        """The child is out of the kernel, or its removal is queued and nobody waits for it."""
        self.ending.end_removal(child, reason, cause)

    def end_conversations(self) -> None:
        """End what is under way where it stands, and take back what it did."""
        for conversation in (self.initiating, self.responding):
            if conversation is not None:
                conversation.close()
                self._undo(conversation)
        self.initiating = self.responding = self._unmoved = None

    def protect(self, keyed: Keyed) -> None:
        """Seal and open with these keys from now on."""
        self.channel.protect(keyed)
        integ = str(keyed.suite.integ.id) if keyed.suite.integ is not None else "NONE"
        encr = f"{keyed.suite.encr.id}-{keyed.suite.encr.key_length_bits or 0}"
        self.host.observer.keys_derived(keyed.spi_i, keyed.spi_r, keyed.keys.named(), encr, integ)

    def enter(self, phase: Phase) -> None:
        """Replace the phase."""
        self._phase = phase
        if not isinstance(phase, Connecting | Closed):
            self._connection = phase.keyed.connection

    @property
    def child_under_way(self) -> ChildConfig | None:
        """The child that the present conversation makes, None where it makes none."""
        if self.initiating is None:
            return None
        if self.initiating.name in {"IKE_SA_INIT", "IKE_AUTH"}:
            return self.first_child
        return self.wanted_child if self.initiating.name == "CREATE_CHILD_SA" else None

    # -- requests ------------------------------------------------------------------------------------------------

    def _receive_request(self, datagram: Datagram, header: IkeHeader) -> None:
        waits = self.responding is not None and isinstance(self.responding.waiting_for, Respond)
        if not is_allowed(self._phase, header.exchange, we_initiated=self.is_initiator, in_rounds=waits):
            phase = type(self._phase).__name__.lower()
            self.host.drop(datagram, DropReason.NOT_ALLOWED_NOW, f"the IKE SA is {phase}", header)
            return
        try:
            opened = self.channel.open(datagram, header)
        except WireError as fault:
            self._accept_request(datagram, Message(header, ()))
            self._refuse(fault)
            return
        if opened is not None:
            message, datagram = opened
            self._heard(datagram)
            self._accept_request(datagram, message)
            if self.held_by is not None and not _deletes_ike(message):
                # The peer uses its successor: it has decided, and we follow.
                self.held_by.succession.follow_peer()
            self._start_responding()

    def _accept_request(self, datagram: Datagram, message: Message) -> None:
        self.channel.responses.begin(datagram.octets)
        self._answering = Received(message, datagram.octets, datagram.path)
        self._say_received(message, datagram)

    def _say_received(self, message: Message, datagram: Datagram) -> None:
        octets, fragments = len(datagram.octets), datagram.fragments
        self.host.observer.message_received(message, octets, datagram.path, repeat=False, fragments=fragments)
        self.explain(message)

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
                self._respond("CREATE_CHILD_SA", answering.respond(self, keyed, received))
            case _:
                self._respond("INFORMATIONAL", informational.respond(self, keyed, received))

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
        self._send_response(answer_to(fault, self._phase))
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
            opened = (parse_message(datagram.octets), datagram) if is_init else self.channel.open(datagram, header)
        except WireError as fault:
            if is_init:
                self.host.drop(datagram, DropReason.MALFORMED, str(fault), header)
                return
            self._say_received(Message(header, ()), datagram)
            self.channel.end_request()
            self._follow(conversation, conversation.fail(fault))
            return
        if opened is None:
            return
        message, datagram = opened
        self._say_received(message, datagram)
        # An answer to IKE_SA_INIT may be anybody's: the request stays open until its exchange says otherwise.
        if not is_init:
            self._heard(datagram)
            self.channel.requests.close()
        self.agenda.clear(TimerName.RETRANSMIT)
        self.agenda.clear(TimerName.PATIENCE)
        received = Received(message, datagram.octets, datagram.path, b"".join(outstanding.sealed.datagrams))
        self._follow(conversation, conversation.resume(received))

    def _repeat_request(self) -> None:
        outstanding = self.channel.requests.outstanding
        if outstanding is None:
            return
        if self.channel.requests.wait() is None:
            self._give_up(
                f"no answer to {outstanding.exchange} after {outstanding.sent} tries{self.channel.came_in_part}"
            )
        else:
            if outstanding.sent == FEW_REPEATS:
                self.moving.probe()
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
        self.heard_at, self.has_heard = self.now, True
        if isinstance(self._phase, Authenticating) and not self.is_initiator:
            self.channel.path = datagram.path
        else:
            self.moving.heard(datagram.path)

    # -- conversations -------------------------------------------------------------------------------------------

    def initiate(self, name: str, exchange: Coroutine[Effect[Any], Any, Any]) -> None:
        """Begin a conversation of our own."""
        self.deleted_ahead.clear()
        self.initiating = Conversation(name, exchange)
        self._follow(self.initiating, self.initiating.start())

    def _follow(self, conversation: Conversation, step: Step) -> None:
        match step:
            case Wants(SendRequest(exchange, payloads, tries)):
                if self.channel.requests.is_exhausted:
                    self.close("all message IDs are used")
                else:
                    self.channel.send_request(exchange, payloads, tries)
            case Wants(NextAnswer(patience)):
                self.agenda.set(TimerName.PATIENCE, self.now + patience)
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
            if isinstance(result, Successor) and self.responding is not None:
                self._unmoved = result  # children move when the peer's request about them is answered
            else:
                self._adoption.adopt(result)
        self._move_if_ready()
        self.granting.grant()

    def _move_if_ready(self) -> None:
        if self._unmoved is not None and self.responding is None and not isinstance(self._phase, Closed):
            successor, self._unmoved = self._unmoved, None
            self._adoption.adopt(successor)

    def _break(self, conversation: Conversation, error: IkeError | WireError) -> None:
        if conversation is self.responding:
            self._refuse(error)
            self._move_if_ready()
            self.granting.grant()
            return
        self.initiating = None
        self.channel.end_request()
        self._adoption.attempt_failed(conversation.name, error)
        self.granting.grant()

    def _undo(self, conversation: Conversation) -> None:
        for effect in conversation.take_ledger():
            self.host.perform_undo(effect)

    @property
    def is_initiating(self) -> bool:
        """Whether a conversation of our own is under way, or its end is not adopted yet."""
        return self.initiating is not None or self._unmoved is not None


def _waits_for_answer(conversation: Conversation) -> bool:
    return isinstance(conversation.waiting_for, SendRequest | NextAnswer)


def _deletes_ike(message: Message) -> bool:
    return any(delete.protocol is ProtocolId.IKE for delete in message.all(Delete))
