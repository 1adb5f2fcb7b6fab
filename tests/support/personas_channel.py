"""How a played client sends and receives: requests in order, fragments both ways, the gateway's own requests.

Not here: what is in the messages (personas.py, personas_habits.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ikepy.crypto.entropy import Entropy
from ikepy.crypto.suites import IkeSuite
from ikepy.ike.actions import SocketAddress
from ikepy.ike.fragments import Reassembly, cut
from ikepy.ike.keymat import IkeKeys
from ikepy.ike.protection import Protection
from ikepy.wire.base import Payload
from ikepy.wire.chain import build_chain, parse_chain
from ikepy.wire.header import FLAG_INITIATOR, FLAG_RESPONSE, IkeHeader
from ikepy.wire.message import Message, build_message, parse_message
from ikepy.wire.payloads import Sk, Skf
from ikepy.wire.registry import ExchangeType, HashAlgorithm, NotifyType, PayloadType
from tests.support.personas_gateway import Gateway

BEFORE_IKE = 28 + 4
"Octets of IPv4, UDP and the non-ESP marker before an IKE message on port 4500."
NO_SPI = bytes(8)


class NoAnswer(Exception):
    """Nothing came back."""


@dataclass(slots=True)
class IkeSide:
    """The client's half of an IKE SA; it is always its initiator.

    init_request, init_response   octets, empty in an IKE SA that came by a rekey
    hashes                        the gateway verifies by RFC 7427; empty where that was not said
    """

    suite: IkeSuite
    keys: IkeKeys
    spis: tuple[bytes, bytes]
    ni: bytes
    nr: bytes
    init_request: bytes
    init_response: bytes
    hashes: frozenset[HashAlgorithm]
    entropy: Entropy
    init_answer: Message
    next_id: int = 1
    answered: dict[int, tuple[bytes, ...]] = field(default_factory=dict)
    protection: Protection = field(init=False)

    def __post_init__(self) -> None:
        self.protection = Protection(self.suite, self.keys, self.entropy, is_initiator=True)

    @property
    def takes_fragments(self) -> bool:
        """Whether the gateway said it takes fragments."""
        return self.init_answer.notify(NotifyType.IKEV2_FRAGMENTATION_SUPPORTED) is not None

    def seal(
        self, exchange: ExchangeType, number: int, payloads: tuple[Payload, ...], octets: int, *, response: bool = False
    ) -> tuple[bytes, ...]:
        """The datagrams of a message, none larger than so many octets of IKE where the gateway takes fragments."""
        flags = FLAG_INITIATOR | (FLAG_RESPONSE if response else 0)
        header = IkeHeader(*self.spis, PayloadType.NO_NEXT_PAYLOAD, exchange, flags, number, 0)
        first, plaintext = build_chain(payloads)
        room = self.protection.most_plaintext(octets, Skf(PayloadType.NO_NEXT_PAYLOAD, 1, 1, b""))
        if len(plaintext) <= room or not self.takes_fragments:
            return (self.protection.seal_octets(header, Sk(first, b""), plaintext),)
        pieces = cut(plaintext, room)
        heads = [
            Skf(first if number == 1 else PayloadType.NO_NEXT_PAYLOAD, number, len(pieces), b"")
            for number in range(1, len(pieces) + 1)
        ]
        return tuple(
            self.protection.seal_octets(header, head, piece) for head, piece in zip(heads, pieces, strict=True)
        )


@dataclass
class Channel:
    """A client's way to its gateway.

    on_request       answers the gateway's own requests
    most_datagrams   of one of the client's requests
    """

    gateway: Gateway
    outside: SocketAddress
    fragment_octets: int
    on_request: Callable[[Message], tuple[Payload, ...]] = lambda message: ()
    port: int = 500
    sides: dict[bytes, IkeSide] = field(default_factory=dict)
    fragments_received: int = 0
    most_datagrams: int = 0
    last_request: tuple[bytes, ...] = ()

    def ask_plain(self, octets: bytes) -> tuple[bytes, Message]:
        """Send an IKE_SA_INIT request; its answer."""
        self.port = 500
        self.gateway.mail.pop(self._here, None)
        self.gateway.deliver(octets, self._here, self.port)
        for answer in self._mail():
            message = parse_message(answer)
            if message.header.is_response and message.header.exchange is ExchangeType.IKE_SA_INIT:
                return answer, message
        raise NoAnswer

    def go_behind_nat(self, side: IkeSide) -> None:
        """From now on by port 4500, from another port of the NAT."""
        self.port = 4500
        self.sides[side.spis[0]] = side

    def ask(self, side: IkeSide, exchange: ExchangeType, payloads: tuple[Payload, ...]) -> Message:
        """Send a request and take its answer; raises NoAnswer."""
        number, side.next_id = side.next_id, side.next_id + 1
        self.last_request = side.seal(exchange, number, payloads, self.fragment_octets - BEFORE_IKE)
        self.most_datagrams = max(self.most_datagrams, len(self.last_request))
        return self.repeat(side, number)

    def repeat(self, side: IkeSide, number: int) -> Message:
        """Send the last request, again or for the first time; raises NoAnswer."""
        for octets in self.last_request:
            self.gateway.deliver(octets, self._here, self.port)
        found = None
        for message in self.listen():
            header = message.header
            if header.is_response and header.message_id == number and header.spi_i == side.spis[0]:
                found = message
        if found is None:
            raise NoAnswer
        return found

    def listen(self) -> list[Message]:
        """Take what came: answers are returned, opened; the gateway's requests are answered."""
        answers: list[Message] = []
        reassembly = Reassembly()
        for octets in self._mail():
            outer = parse_message(octets)
            side = self.sides.get(outer.header.spi_i)
            if side is None or not outer.payloads or not isinstance(outer.payloads[-1], (Sk, Skf)):
                continue  # §2.21.4: what is not protected is at most a hint
            message = self._open(side, outer, octets, reassembly)
            if message is None:
                continue
            if message.header.is_response:
                answers.append(message)
            else:
                self._answer(side, message)
        return answers

    def forget(self) -> None:
        """Lose what came."""
        self.gateway.mail.pop(self._here, None)

    @property
    def _here(self) -> SocketAddress:
        """Where the NAT shows the client: each of its ports is another one outside."""
        return self.outside if self.port == 500 else SocketAddress(self.outside.address, self.outside.port + 1)

    def _mail(self) -> list[bytes]:
        return self.gateway.mail.pop(self._here, [])

    def _open(self, side: IkeSide, outer: Message, octets: bytes, reassembly: Reassembly) -> Message | None:
        piece = outer.first(Skf)
        if piece is None:
            return side.protection.open(outer, octets)
        self.fragments_received += 1
        whole = reassembly.add(outer.header, piece, side.protection.open_octets(octets, piece.body))
        if whole is None:
            return None
        return Message(whole.header, parse_chain(whole.first_inner, whole.plaintext))

    def _answer(self, side: IkeSide, request: Message) -> None:
        number = request.header.message_id
        if number not in side.answered:
            payloads = self.on_request(request)
            size = self.fragment_octets - BEFORE_IKE
            side.answered[number] = side.seal(request.header.exchange, number, payloads, size, response=True)
        for octets in side.answered[number]:
            self.gateway.deliver(octets, self._here, self.port)


def request_of(spi_i: bytes, payloads: tuple[Payload, ...]) -> bytes:
    """An IKE_SA_INIT request."""
    header = IkeHeader(spi_i, NO_SPI, PayloadType.NO_NEXT_PAYLOAD, ExchangeType.IKE_SA_INIT, FLAG_INITIATOR, 0, 0)
    return build_message(Message(header, payloads))
