"""One end of EAP in IKE_AUTH made by hand: it has the keys of its IKE SA, and no manners.

    client = HandClient(tmp_path)                    the gateway on the right is real
    client.begin()                                   IDi, SA, TS: the gateway asks for the name
    answer = client.ask(Eap(EapCode.SUCCESS, 0))

    gateway = HandGateway(tmp_path)                  the client on the left is real
    asked = gateway.answer(*gateway.proof, Eap(EapCode.SUCCESS, 0))

Not here: both ends real (access.py), attacks (tests/ike/test_eap_attacks*.py).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ikepy.auth.eap.client import EapClient
from ikepy.auth.eap.mschapv2 import MsChapV2Client
from ikepy.config.model import Config
from ikepy.crypto.password import nt_hash
from ikepy.crypto.secret import Secret
from ikepy.ike.actions import Datagram
from ikepy.ike.eap_turns import Accepted, Proved, Say, ServerTurn
from ikepy.ike.events import AttemptFailed
from ikepy.ike.exchanges.proving import shared_auth
from ikepy.ike.sa import IkeSa
from ikepy.wire.base import Payload
from ikepy.wire.eap import Eap
from ikepy.wire.header import FLAG_INITIATOR, FLAG_RESPONSE, IkeHeader, parse_header
from ikepy.wire.message import Message, parse_message
from ikepy.wire.payloads import Auth, Cert, Delete, Identification, IdI, IdR
from ikepy.wire.registry import EapCode, EapType, ExchangeType, NotifyType, PayloadType
from tests.support.access import PASSWORD, make_access_pair
from tests.support.entropy import SeededEntropy
from tests.support.link import arriving
from tests.support.pair import Pair, Side

IKE_AUTH = ExchangeType.IKE_AUTH


def halfway(pair: Pair) -> tuple[IkeSa, IkeSa]:
    """IKE_SA_INIT is done: the IKE SA as the left and as the right has it; the left's IKE_AUTH waits in its outbox."""
    connection = pair.left.config.connections[0]
    pair.left.endpoint.begin_connection(connection, connection.children)
    pair.left.run(pair.left.endpoint.handle_timeout(pair.now), pair.now)
    for side, other in ((pair.left, pair.right), (pair.right, pair.left)):
        other.run(other.endpoint.receive_datagram(arriving(side.outbox.pop()), pair.now), pair.now)
    left = list(pair.left.endpoint._by_id.values())[-1]
    right = next(sa for sa in pair.right.endpoint._by_id.values() if sa.channel.spi_i == left.channel.spi_i)
    return left, right


def reasons(side: Side) -> str:
    """Why attempts came to nothing, as one side sees it."""
    return "\n".join(event.reason for event in side.events if isinstance(event, AttemptFailed))


class HandClient:
    """A client that says whatever a test wants."""

    def __init__(
        self, directory: Path, gateway: Config | None = None, client: Config | None = None, *, seed: int = 1
    ) -> None:
        self.connect(make_access_pair(directory, gateway, client, seed=seed))

    def connect(self, pair: Pair) -> None:
        """Begin one more IKE SA."""
        self.pair, self.gateway = pair, pair.right
        pair.now += 1
        self.sa, _ = halfway(pair)
        pair.left.outbox.clear()
        self.first = pair.left.recorder.sent[-1][0].payloads
        self.number = 1

    def begin(self, *more: Payload, leave_out: tuple[type[Payload], ...] = ()) -> Message:
        """Send what an honest client sends first, with and without something."""
        return self.ask(*(each for each in self.first if not isinstance(each, leave_out)), *more)

    def ask(self, *payloads: Payload, exchange: ExchangeType = IKE_AUTH) -> Message:
        """Send the next request; there is an answer."""
        answer = self.send(*payloads, exchange=exchange)
        assert answer is not None, f"no answer: {self.gateway.recorder.drops[-1:]}"
        return answer

    def send(self, *payloads: Payload, exchange: ExchangeType = IKE_AUTH) -> Message | None:
        """Send the next request; the answer, None where there is none."""
        channel = self.sa.channel
        header = IkeHeader(channel.spi_i, channel.spi_r, PayloadType(0), exchange, FLAG_INITIATOR, self.number, 0)
        assert channel._protection is not None
        octets = channel._protection.seal(header, payloads)
        datagram = Datagram(octets, arriving(Datagram(b"", self.sa.path)).path)
        self.gateway.run(self.gateway.endpoint.receive_datagram(datagram, self.pair.now), self.pair.now)
        return self._take_answer()

    def _take_answer(self) -> Message | None:
        found = None
        for datagram in self.gateway.outbox:
            header = parse_header(datagram.octets)
            if header.is_response and header.spi_i == self.sa.channel.spi_i and header.message_id == self.number:
                found = datagram.octets
        self.gateway.outbox.clear()
        if found is None:
            return None
        self.number += 1
        assert self.sa.channel._protection is not None
        return self.sa.channel._protection.open(parse_message(found), found)

    def say_name(self, name: str | bytes = "alice") -> Message:
        """Answer the question for the name."""
        octets = name.encode() if isinstance(name, str) else name
        return self.ask(Eap(EapCode.RESPONSE, 0, bytes([EapType.IDENTITY]) + octets))

    def come_through(self, *, name: str = "alice", password: str = PASSWORD) -> Secret:
        """Begin, and follow MSCHAPv2 to EAP-Success; the key."""
        return self.follow(self.begin(), make_eap_client(name, password))

    def follow(self, answer: Message, client: EapClient) -> Secret:
        """Follow EAP to EAP-Success; the key."""
        while True:
            (packet,) = answer.all(Eap)
            turn = client.receive(packet)
            if isinstance(turn, Accepted):
                assert turn.msk is not None
                return turn.msk
            assert isinstance(turn, Say), turn
            answer = self.ask(turn.packet)

    def auth(self, key: Secret | None, identity: Identification | None = None) -> Auth:
        """AUTH of a key, of SK_pi where that is None, for the IDi of the first message or another."""
        keyed = self.sa.keyed
        assert keyed is not None
        return shared_auth(keyed, key, identity or self.identity, initiator=True)

    @property
    def identity(self) -> Identification:
        """What stood in IDi."""
        return next(each for each in self.first if isinstance(each, IdI)).identification

    @property
    def reasons(self) -> str:
        """Why the gateway refused, by its log."""
        return reasons(self.gateway)

    def assert_refused(self, answer: Message | None, notify: NotifyType = NotifyType.AUTHENTICATION_FAILED) -> None:
        """The gateway has said so, and keeps nothing."""
        assert answer is not None
        assert answer.error_notify is not None, answer.summary()
        assert answer.error_notify.type is notify
        assert not answer.all(Auth)
        self.assert_nothing()

    def assert_nothing(self) -> None:
        """The gateway has nothing of us."""
        assert not self.gateway.sas, self.gateway.sas
        assert self.gateway.kernel.is_clean
        assert self.gateway.leases is None or self.gateway.leases.in_use() == ()
        assert self.gateway.endpoint.half_open == 0


class HandGateway:
    """A gateway that says whatever a test wants; `proof` is what the real one would send beside its first EAP request."""

    def __init__(
        self, directory: Path, gateway: Config | None = None, client: Config | None = None, *, seed: int = 1
    ) -> None:
        self.pair = make_access_pair(directory, gateway, client, seed=seed)
        self.client = self.pair.left
        self.sa, self.real = halfway(self.pair)
        request = self.client.outbox.pop()
        self.asked: list[Message] = [self.client.recorder.sent[-1][0]]
        right = self.pair.right
        right.run(right.endpoint.receive_datagram(arriving(request), self.pair.now), self.pair.now)
        self.first: tuple[Payload, ...] = ()
        if right.outbox:
            octets = right.outbox.pop().octets
            assert self.sa.channel._protection is not None
            self.first = self.sa.channel._protection.open(parse_message(octets), octets).payloads
        self.proof = tuple(each for each in self.first if isinstance(each, IdR | Cert | Auth))

    def answer(self, *payloads: Payload) -> Message | None:
        """Answer the client's last request; its next request, None where none comes."""
        asked = self.asked[-1].header
        header = IkeHeader(
            asked.spi_i, self.sa.channel.spi_r, PayloadType(0), asked.exchange, FLAG_RESPONSE, asked.message_id, 0
        )
        assert self.real.channel._protection is not None
        octets = self.real.channel._protection.seal(header, payloads)
        datagram = Datagram(octets, self.sa.path)
        self.client.run(self.client.endpoint.receive_datagram(datagram, self.pair.now), self.pair.now)
        if not self.client.outbox:
            return None
        octets = self.client.outbox.pop().octets
        self.client.outbox.clear()
        self.asked.append(self.real.channel._protection.open(parse_message(octets), octets))
        if self._gives_up:
            return self.answer()
        return self.asked[-1]

    @property
    def _gives_up(self) -> bool:
        """Whether the client says that it does not go on with us, and does not say so again."""
        last, before = self.asked[-1], self.asked[-2]
        said = last.notify(NotifyType.AUTHENTICATION_FAILED) is not None
        return said and last.header.exchange is ExchangeType.INFORMATIONAL and before.header != last.header

    def lead(self, receive: Callable[[Eap], ServerTurn], first: Eap) -> Proved:
        """Have the client go through EAP with a server, up to EAP-Success, which is not sent."""
        asked = self.answer(*self.proof, first)
        while True:
            assert asked is not None, reasons(self.client)
            (packet,) = asked.all(Eap)
            turn = receive(packet)
            if isinstance(turn, Proved):
                return turn
            assert isinstance(turn, Say), turn
            asked = self.answer(turn.packet)

    def auth(self, key: Secret | None, identity: Identification | None = None) -> Auth:
        """AUTH of a key, of SK_pr where that is None."""
        keyed = self.real.keyed
        assert keyed is not None
        return shared_auth(keyed, key, identity or self.identity, initiator=False)

    @property
    def identity(self) -> Identification:
        """What stands in the real gateway's IDr."""
        return next(each for each in self.proof if isinstance(each, IdR)).identification

    @property
    def reasons(self) -> str:
        """Why the client did not go on, by its log."""
        return reasons(self.client)

    def assert_not_believed(self) -> None:
        """The client has no IKE SA that it believes in, and nothing in its kernel."""
        if self.asked[-1].header.exchange is ExchangeType.INFORMATIONAL and self.client.sas:
            assert self.asked[-1].all(Delete) or self.asked[-1].error_notify is not None
            self.answer()
        assert not self.client.sas
        assert self.client.kernel.is_clean
        assert self.reasons

    def assert_nothing_of_a_password(self) -> None:
        """No packet of EAP but names and NAKs has left the client."""
        said = [packet for message in self.asked for packet in message.all(Eap)]
        assert {packet.method for packet in said} <= {EapType.IDENTITY, EapType.NAK, EapType.NOTIFICATION}


def make_eap_client(name: str = "alice", password: str = PASSWORD) -> EapClient:
    """A client of MSCHAPv2 that believes its server."""
    method = MsChapV2Client(name, nt_hash(password), SeededEntropy(2))
    return EapClient(name, [method], server_proved=True)
