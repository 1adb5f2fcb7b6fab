"""A peer that has proven who it is, holds all keys, and has no manners: each message of its is made by hand.

    peer = Attacker()
    answer = peer.ask(CREATE, *peer.rekey(peer.spi_of("net"), b"\\0\\0\\x12\\x34"))
    peer.answers = lambda request: (Notify(NotifyType.TEMPORARY_FAILURE),)
    peer.pass_time(3600)

Its victim is the right of a pair; the left only lends its keys, and never sees a datagram.

Not here: what is asked (test_rekey_*.py in tests/ike), messages whose octets are wrong (test_mutations.py).
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import dataclass, replace
from types import BuiltinFunctionType, FunctionType, ModuleType

from ikepy.config.model import ChildConfig, Config
from ikepy.crypto.key_exchange import KeyExchange, make_key_exchange
from ikepy.ike.actions import Datagram, Path, SocketAddress
from ikepy.ike.exchanges import rekey_ike
from ikepy.ike.hosting import MOST_LINGERING
from ikepy.ike.negotiation import chosen_ke
from ikepy.ike.phases import Closed, Keyed
from ikepy.ike.protection import Protection
from ikepy.ike.sa import IkeSa
from ikepy.wire.base import Payload
from ikepy.wire.header import FLAG_INITIATOR, FLAG_RESPONSE, IkeHeader, parse_header
from ikepy.wire.message import Message, parse_message
from ikepy.wire.notify import Notify
from ikepy.wire.payloads import Delete, Ke, Nonce
from ikepy.wire.registry import ExchangeType, NotifyType, PayloadType, ProtocolId
from ikepy.wire.sa import Sa
from ikepy.wire.ts import TsI, TsR
from tests.support.pair import LEFT, RIGHT, networks
from tests.support.stage import PLAIN, staged

CREATE, INFORMATIONAL = ExchangeType.CREATE_CHILD_SA, ExchangeType.INFORMATIONAL
NONCE = bytes(range(32))
ATOMS = (type, ModuleType, FunctionType, BuiltinFunctionType, int, float, str, bytes, bool, type(None))


@dataclass
class Hands:
    """One IKE SA as the peer holds it; `number` is that of its next request."""

    keyed: Keyed
    is_initiator: bool
    protection: Protection
    number: int = 0


@dataclass(frozen=True)
class Asked:
    """A request of the victim's."""

    hands: Hands
    message: Message


class Attacker:
    """The peer of one endpoint.

    answers   what it says to a request of the victim's; None leaves that without an answer
    asked     all requests of the victim's, the repeats too
    """

    def __init__(self, configs: tuple[Config, Config] = PLAIN, *, seed: int = 1) -> None:
        self.stage = staged(configs, seed=seed)
        self.pair, self.victim = self.stage.pair, self.stage.right
        self.entropy = self.stage.left.entropy
        self.answers: Callable[[Asked], tuple[Payload, ...] | None] = lambda _: ()
        self.asked: list[Asked] = []
        self.datagrams = 0
        left, (sa,) = self.stage.left, self.living()
        keyed = sa.keyed
        assert keyed is not None
        protection = next(iter(left.endpoint._by_id.values())).channel._protection
        assert protection is not None
        self.first = self.hands = Hands(keyed, True, protection, sa.channel.responses.expected_id)
        self.all_hands = [self.first]

    # -- asking ------------------------------------------------------------------------------------------------------

    def ask(self, exchange: ExchangeType, *payloads: Payload, hands: Hands | None = None) -> Message | None:
        """Send the next request and take the answer; None where none comes at once."""
        hands = hands or self.hands
        number, hands.number = hands.number, hands.number + 1
        return self.send(self.seal(exchange, *payloads, hands=hands, number=number))

    def error(self, exchange: ExchangeType, *payloads: Payload, hands: Hands | None = None) -> NotifyType | None:
        """Send the next request; the error in its answer, None where it was granted."""
        answer = self.ask(exchange, *payloads, hands=hands)
        assert answer is not None, "no answer at all"
        return answer.error_notify.type if answer.error_notify is not None else None

    def seal(
        self, exchange: ExchangeType, *payloads: Payload, hands: Hands, number: int, response: bool = False
    ) -> bytes:
        """A message sealed with the peer's keys."""
        flags = (FLAG_INITIATOR if hands.is_initiator else 0) | (FLAG_RESPONSE if response else 0)
        header = IkeHeader(hands.keyed.spi_i, hands.keyed.spi_r, PayloadType(0), exchange, flags, number, 0)
        return hands.protection.seal(header, payloads)

    def send(self, octets: bytes) -> Message | None:
        """Hand octets to the victim; the answer that it sends at once, if any."""
        path = Path(SocketAddress(RIGHT, 500), SocketAddress(LEFT, 500))
        self.victim.run(self.victim.endpoint.receive_datagram(Datagram(octets, path), self.pair.now), self.pair.now)
        return self.listen()

    def listen(self) -> Message | None:
        """Take what the victim has sent, answer its requests; its last response, if any."""
        last = None
        while self.victim.outbox:
            octets = self.victim.outbox.pop(0).octets
            self.datagrams += 1
            header = parse_header(octets)
            hands = next((h for h in self.all_hands if h.keyed.spi_i + h.keyed.spi_r == octets[:16]), None)
            if hands is None:
                continue  # another IKE SA is begun: nobody is there
            message = hands.protection.open(parse_message(octets), octets)
            if header.is_response:
                last = message
                continue
            self.asked.append(Asked(hands, message))
            said = self.answers(self.asked[-1])
            if said is not None:
                self.answer(self.asked[-1], *said)
        return last

    def answer(self, asked: Asked, *payloads: Payload) -> None:
        """Answer a request of the victim's."""
        header = asked.message.header
        octets = self.seal(header.exchange, *payloads, hands=asked.hands, number=header.message_id, response=True)
        path = Path(SocketAddress(RIGHT, 500), SocketAddress(LEFT, 500))
        self.victim.run(self.victim.endpoint.receive_datagram(Datagram(octets, path), self.pair.now), self.pair.now)

    def pass_time(self, seconds: float) -> None:
        """Let the victim do what it does by itself; its requests are answered as `answers` says."""
        end = self.pair.now + seconds
        self.listen()
        while (at := self.victim.endpoint.next_timeout()) is not None and at <= end:
            self.pair.now = max(self.pair.now, at)
            self.victim.run(self.victim.endpoint.handle_timeout(self.pair.now), self.pair.now)
            self.listen()
        self.pair.now = end

    def make(self, actions: list) -> None:
        """Have the victim do what an operator wants."""
        self.victim.run(actions, self.pair.now)
        self.listen()

    # -- what is asked -----------------------------------------------------------------------------------------------

    def offer(self, spi: bytes, name: str = "net", **more: object) -> Sa:
        """The first ESP proposal of a child, with that SPI."""
        proposal = self.config_of(name).esp_proposals[0]
        return Sa((replace(proposal, number=1, spi=spi, **more),))

    def new(self, spi: bytes, name: str = "net", nonce: bytes = NONCE) -> tuple[Payload, ...]:
        """A request for one more child."""
        return (self.offer(spi, name), Nonce(nonce), *self.selectors(name))

    def rekey(
        self, old: bytes, spi: bytes, name: str = "net", nonce: bytes = NONCE, *extra: Payload
    ) -> tuple[Payload, ...]:
        """A request to replace a child."""
        rekey = Notify(NotifyType.REKEY_SA, b"", ProtocolId.ESP, old)
        return (rekey, self.offer(spi, name), Nonce(nonce), *extra, *self.selectors(name))

    def grant(self, spi: bytes, name: str = "net", nonce: bytes = NONCE, **more: object) -> tuple[Payload, ...]:
        """The answer to a request of the victim's for a child."""
        offered = self.config_of(name).esp_proposals[0].transforms
        one_each = tuple({transform.type: transform for transform in reversed(offered)}.values())
        tsr, tsi = self.selectors(name)
        offer = self.offer(spi, name, transforms=one_each, **more)
        return (offer, Nonce(nonce), TsI(tsi.selectors), TsR(tsr.selectors))

    def selectors(self, name: str = "net") -> tuple[TsI, TsR]:
        """What a child holds, seen from the peer."""
        config = self.config_of(name)
        return TsI(config.remote_ts), TsR(config.local_ts)

    def config_of(self, name: str) -> ChildConfig:
        """How the victim has it configured."""
        found = self.victim.config.connections[0].child(name)
        assert found is not None
        return found

    def rekey_ike(
        self,
        spi: bytes = b"\x11" * 8,
        nonce: bytes = NONCE,
        hands: Hands | None = None,
        ke: Ke | None = None,
    ) -> tuple[tuple[Payload, ...], KeyExchange]:
        """A request to replace the IKE SA, and the private value of it."""
        keyed = (hands or self.hands).keyed
        proposal = replace(keyed.connection.proposals[0], number=1, spi=spi)
        exchange = make_key_exchange(chosen_ke(proposal), self.entropy)
        return (Sa((proposal,)), Nonce(nonce), ke or Ke(exchange.method, exchange.public)), exchange

    def replace_ike(self, spi: bytes = b"\x11" * 8, hands: Hands | None = None) -> Hands | NotifyType:
        """Replace an IKE SA; what the peer then has, or the error."""
        before = hands or self.hands
        payloads, exchange = self.rekey_ike(spi, hands=before)
        answer = self.ask(CREATE, *payloads, hands=before)
        assert answer is not None
        if answer.error_notify is not None:
            return answer.error_notify.type
        return self.succeed(before, answer, exchange, spi)

    def succeed(self, before: Hands, answer: Message, exchange: KeyExchange, spi: bytes, ni: bytes = NONCE) -> Hands:
        """The IKE SA that comes of an answer."""
        (sa,), (nonce,), (ke,) = answer.all(Sa), answer.all(Nonce), answer.all(Ke)
        chosen = sa.proposals[0]
        shared = exchange.shared(ke.public)
        keyed = rekey_ike._key(before.keyed, chosen, shared, (ni, nonce.octets), (spi, chosen.spi))
        return self._hold(keyed, is_initiator=True)

    def grant_ike(self, asked: Asked, spi: bytes = b"\x22" * 8, nonce: bytes = NONCE) -> Hands:
        """Answer the victim's request to replace an IKE SA; what the peer then has."""
        (sa,), (ni,), (ke,) = asked.message.all(Sa), asked.message.all(Nonce), asked.message.all(Ke)
        exchange = make_key_exchange(ke.method, self.entropy)
        offered = sa.proposals[0]
        nonces, spis = (ni.octets, nonce), (offered.spi, spi)
        keyed = rekey_ike._key(asked.hands.keyed, offered, exchange.shared(ke.public), nonces, spis)
        made = self._hold(keyed, is_initiator=False)
        self.answer(asked, Sa((replace(offered, spi=spi),)), Nonce(nonce), Ke(ke.method, exchange.public))
        self.listen()
        return made

    def _hold(self, keyed: Keyed, *, is_initiator: bool) -> Hands:
        protection = Protection(keyed.suite, keyed.keys, self.entropy, is_initiator=is_initiator)
        self.all_hands.append(Hands(keyed, is_initiator, protection))
        return self.all_hands[-1]

    # -- what became of it -------------------------------------------------------------------------------------------

    def living(self) -> list[IkeSa]:
        """The victim's IKE SAs that are not over."""
        return [sa for sa in self.victim.endpoint._by_id.values() if not isinstance(sa.phase, Closed)]

    def spi_of(self, name: str = "net") -> bytes:
        """What the victim sends a child's packets by: the newest of that name."""
        found = [child for sa in self.living() for child in sa.table.children.values() if child.name == name]
        return max(found, key=lambda child: child.unique_id).spi_out.to_bytes(4, "big")

    def weight(self) -> int:
        """How many objects the victim's endpoint holds."""
        return weight_of(self.victim.endpoint)

    def assert_bounded(self, *, states: int, ike_sas: int) -> None:
        """Nothing has more than it may, and the kernel has nothing that no table knows."""
        endpoint, kernel = self.victim.endpoint, self.victim.kernel
        living = self.living()
        assert len(living) <= ike_sas, f"{len(living)} IKE SAs"
        assert len(kernel.states) <= states, f"{len(kernel.states)} states in the kernel"
        known = {
            name
            for sa in living
            for child in sa.table.all()
            for name in (child.spec.inbound.id, child.spec.outbound.id)
        }
        assert set(kernel.states) <= known, "states in the kernel that belong to no child"
        under_way = sum((sa.initiating is not None) + (sa.responding is not None) for sa in living)
        assert len(kernel.reserved) <= under_way, "SPIs that were neither used nor given back"
        assert len(endpoint._by_id) - len(living) <= MOST_LINGERING
        assert set(endpoint._alarms._at) <= set(endpoint._by_id), "timers of IKE SAs that are gone"
        assert not endpoint._tickets, "effects that were never answered"
        for sa in living:
            children = len(sa.table.all())
            assert len(sa.agenda._timers) <= 16 + 4 * children
            assert len(sa.pending) <= 512
            assert len(sa.granting.postponed) <= 512
            assert len(sa.table.replacements) <= children + 1
            assert len(sa.table.unannounced) <= children
        held = {child.reqid for sa in living for child in sa.table.all()}
        assert set(endpoint.reqids._holders) == held, "request IDs that nobody holds, or that are held and not counted"


def weight_of(root: object) -> int:
    """Objects of ours reachable from one, containers and values alike."""
    known, left = {id(root)}, [root]
    while left:
        for each in gc.get_referents(left.pop()):
            if id(each) not in known and not isinstance(each, ATOMS):
                known.add(id(each))
                left.append(each)
    return len(known)


def deleted(*spis: bytes) -> Delete:
    """A delete of children."""
    return Delete(ProtocolId.ESP, spis, 4)


def wide(*prefixes: str) -> tuple[TsI, TsR]:
    """Selectors of whatever prefixes, the peer's first."""
    return TsI(networks(prefixes[0])), TsR(networks(*prefixes[1:]))
