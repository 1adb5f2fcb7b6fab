"""The ways in which a pair is told wrong things while it comes up, is up, and ends; each message is handed over by `throw`.

Not here: rekeyings and crossings (rekey_ways.py), how many of which (test_mutations.py).
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from ipaddress import IPv4Address

from ikepy.ike.actions import Datagram, Path, SocketAddress
from ikepy.ike.hosting import MOST_LINGERING
from ikepy.ike.phases import Authenticating, Closed
from ikepy.ike.sa import IkeSa
from ikepy.wire.chain import build_chain
from ikepy.wire.header import FLAG_INITIATOR, FLAG_RESPONSE, IkeHeader, build_header, parse_header
from ikepy.wire.notify import Notify
from ikepy.wire.payloads import Delete, Ke, Nonce, Sk
from ikepy.wire.registry import ExchangeType, KeMethod, NotifyType, PayloadType, ProtocolId
from ikepy.wire.sa import Sa
from ikepy.wire.ts import TsI, TsR
from tests.support.copying import copied
from tests.support.link import arriving
from tests.support.mutation import mutate_chain, mutate_octets
from tests.support.pair import LEFT, RIGHT, Pair, Side, make_child, make_config, make_pair, networks

COPIES = 8
"Pairs of which one is made from the start."


class Target:
    """A pair that is made again whenever it has been ended.

    Most are copies of one; of each COPIES one is made from the start, its right side always the same endpoint, so that what
    stays behind adds up.
    """

    def __init__(self, rng: random.Random) -> None:
        self.rng, self.made, self.copies = rng, 0, 0
        self._pattern: Pair | None = None
        children = (make_child(), make_child("spare", "10.1.9.0/24", "10.2.9.0/24"))
        self.configs = [make_config(left=left, children=children) for left in (True, False)]
        self.right: Side | None = None

    def fresh(self) -> Pair:
        """A pair of which nobody has begun, its right side the one that lives on."""
        self.made += 1
        pair = make_pair(*self.configs, seed=self.made)
        if self.right is None:
            self.right = pair.right
        pair.right = self.right
        # 30 s for a half-open IKE SA, 16 of one source: at this pace none is turned away.
        pair.now = self.right.last_now = getattr(self.right, "last_now", 1000.0) + 2.5
        self.right.pair = pair
        self.right.run(self.right.endpoint.handle_timeout(pair.now), pair.now)
        self.right.outbox.clear()
        self.right.events.clear()
        self.right.recorder.__init__()  # type: ignore[misc]
        return pair

    def established(self) -> Pair:
        """Both sides up, with the first child."""
        pair = self.fresh()
        pair.left.initiate("site", "net")
        pair.run(2)
        assert pair.left.established
        self.right.last_now = pair.now  # type: ignore[union-attr]
        return pair

    def ready(self) -> Pair:
        """The same, or a copy of such a pair."""
        self.copies += 1
        if self.copies % COPIES == 1:
            return self.established()
        if self._pattern is None:
            self._pattern = make_pair(*self.configs)
            self._pattern.left.initiate("site", "net")
            self._pattern.run(2)
        self.made += 1
        return copied(self._pattern, self.made)

    def authenticating(self) -> tuple[Pair, Datagram]:
        """IKE_SA_INIT done; the IKE_AUTH request is in hand."""
        pair = self.fresh()
        pair.left.initiate("site", "net")
        for side, other in ((pair.left, pair.right), (pair.right, pair.left)):
            datagram = arriving(side.outbox.pop())
            other.run(other.endpoint.receive_datagram(datagram, pair.now), pair.now)
        return pair, pair.left.outbox.pop()


def sa_of(side: Side, spi_i: bytes | None = None) -> IkeSa | None:
    found = [sa for sa in side.endpoint._by_id.values() if not isinstance(sa.phase, Closed)]
    return next((sa for sa in reversed(found) if spi_i in (None, sa.channel.spi_i)), None)


def throw(side: Side, datagram: Datagram, now: float, ends: Counter[str]) -> None:
    """Hand it over; something must be known of what came of it."""
    before = sum(side.endpoint.drops.values()) + len(side.recorder.received)
    dropped = sum(side.endpoint.drops.values())
    side.run(side.endpoint.receive_datagram(datagram, now), now)
    assert sum(side.endpoint.drops.values()) + len(side.recorder.received) > before, datagram.octets.hex()
    ends["dropped by name" if sum(side.endpoint.drops.values()) > dropped else "read"] += 1
    side.outbox.clear()


def seal(rng: random.Random, sa: IkeSa, header: IkeHeader, payloads: tuple) -> bytes:
    """Payloads made wrong and sealed with the sender's keys."""
    first, chain = build_chain(payloads)
    first_wrong, wrong = mutate_chain(rng, first, chain)
    return sa.channel._protection.seal_octets(header, Sk(PayloadType(first_wrong & 0xFF), b""), wrong[:60000])


def payload_sets(sa: IkeSa) -> tuple[tuple[ExchangeType, tuple], ...]:
    """Well-formed requests on an established IKE SA."""
    esp = sa.connection.children[0].esp_proposals[0]
    offer = Sa((replace(esp, number=1, spi=b"\0\0\x12\x34"),))
    spi = next(iter(sa.children.values())).spi_in.to_bytes(4, "big") if sa.children else b"abcd"
    selectors = TsI(networks("10.1.9.0/24", "fd00::/64")), TsR(networks("10.2.9.0/24"))
    rekey = Notify(NotifyType.REKEY_SA, b"", ProtocolId.ESP, spi)
    ke = Ke(KeMethod.CURVE25519, bytes(range(32)))
    ike_offer = Sa((replace(sa.connection.proposals[0], spi=bytes(8)),))
    return (
        (ExchangeType.INFORMATIONAL, (Delete(ProtocolId.ESP, (spi, b"wxyz"), 4), Notify(NotifyType.COOKIE, b"c"))),
        (ExchangeType.INFORMATIONAL, (Notify(NotifyType.MOBIKE_SUPPORTED), Delete(ProtocolId.ESP, (b"none",), 4))),
        (ExchangeType.CREATE_CHILD_SA, (offer, Nonce(bytes(32)), *selectors)),
        (ExchangeType.CREATE_CHILD_SA, (rekey, offer, Nonce(bytes(32)), ke, *selectors)),
        (ExchangeType.CREATE_CHILD_SA, (ike_offer, Nonce(bytes(32)), ke)),
    )


def path_to(side: Side, port: int = 500) -> Path:
    ours, theirs = (RIGHT, LEFT) if side.address == RIGHT else (LEFT, RIGHT)
    return Path(SocketAddress(ours, 500), SocketAddress(theirs, port))


# -- the ways ------------------------------------------------------------------------------------------------------


def sealed_requests(
    target: Target, count: int, ends: Counter[str], *, to_responder: bool, pending: bool = False
) -> None:
    """With `pending`, what the kernel is asked for is answered a few messages later."""
    rng, pair = target.rng, target.ready()
    spi_i = pair.left.sa.spi_i
    for _ in range(count):
        near, far = (pair.right, pair.left) if to_responder else (pair.left, pair.right)
        receiver, sender = sa_of(near, spi_i), sa_of(far, spi_i)
        if receiver is None or sender is None or not receiver.children:
            let_go(near, pair)
            pair = target.ready()
            spi_i = pair.left.sa.spi_i
            near, far = (pair.right, pair.left) if to_responder else (pair.left, pair.right)
            receiver, sender = sa_of(near, spi_i), sa_of(far, spi_i)
        if pending:
            near.hold = lambda effect: type(effect).__name__ in {"AllocateSpi", "InstallChildSa", "RemoveChildSa"}
            if rng.random() < 0.2:
                near.release(pair.now)
            near.outbox.clear()
        exchange, payloads = rng.choice(payload_sets(sender))
        number = receiver.channel.responses.expected_id + rng.choice((0,) * 12 + (-1, 1, 7))
        flags = FLAG_INITIATOR if to_responder else 0
        header = IkeHeader(spi_i, sender.channel.spi_r, PayloadType(0), exchange, flags, number & 0xFFFFFFFF, 0)
        throw(near, Datagram(seal(rng, sender, header, payloads), path_to(near)), pair.now, ends)
    let_go(near, pair)


def let_go(side: Side, pair: Pair) -> None:
    """Perform all that was held, and hold nothing more."""
    side.hold = lambda effect: False
    while side.held:
        side.release(pair.now)
    side.outbox.clear()
    assert_bounded(side)


def sealed_auth_requests(target: Target, count: int, ends: Counter[str]) -> None:
    rng, pair, receiver = target.rng, None, None
    for _ in range(count):
        if receiver is None or not isinstance(receiver.phase, Authenticating) or receiver.responding:
            pair, _ = target.authenticating()
            receiver, sender = sa_of(pair.right, pair.left.sa.spi_i), sa_of(pair.left)
            payloads = pair.left.recorder.sent[-1][0].payloads
        assert pair is not None
        exchange = rng.choice((ExchangeType.IKE_AUTH,) * 9 + (ExchangeType.CREATE_CHILD_SA, ExchangeType.INFORMATIONAL))
        spis = sender.channel.spi_i, sender.channel.spi_r
        header = IkeHeader(*spis, PayloadType(0), exchange, FLAG_INITIATOR, 1, 0)
        throw(pair.right, Datagram(seal(rng, sender, header, payloads), path_to(pair.right)), pair.now, ends)


def sealed_auth_responses(target: Target, count: int, ends: Counter[str]) -> None:
    rng, payloads = target.rng, ()
    pair = target.established()
    payloads = next(
        m.payloads for m, _ in reversed(pair.right.recorder.sent) if m.header.exchange is ExchangeType.IKE_AUTH
    )
    waiting: IkeSa | None = None
    for _ in range(count):
        if waiting is None or not isinstance(waiting.phase, Authenticating):
            pair, _ = target.authenticating()
            waiting, sender = sa_of(pair.left), sa_of(pair.right, pair.left.sa.spi_i)
        assert waiting is not None
        spis = waiting.channel.spi_i, waiting.channel.spi_r
        header = IkeHeader(*spis, PayloadType(0), ExchangeType.IKE_AUTH, FLAG_RESPONSE, 1, 0)
        throw(pair.left, Datagram(seal(rng, sender, header, payloads), path_to(pair.left)), pair.now, ends)
        pair.left.outbox.clear()


def sealed_responses(target: Target, count: int, ends: Counter[str]) -> None:
    """Answers to our CREATE_CHILD_SA and deletes."""
    rng = target.rng
    for _ in range(count):
        pair = target.ready()
        sender = sa_of(pair.right, pair.left.sa.spi_i)
        assert sender is not None
        if rng.random() < 0.6:
            pair.left.initiate("site", "spare")
        else:
            pair.left.terminate_child(pair.left.sa.children[0].unique_id)
        waiting = sa_of(pair.left)
        assert waiting is not None
        asked = parse_header(pair.left.outbox.pop().octets)
        _, payloads = rng.choice(payload_sets(sender))
        header = replace(asked, flags=FLAG_RESPONSE, length=0, next_payload=PayloadType(0))
        throw(pair.left, Datagram(seal(rng, sender, header, payloads), path_to(pair.left)), pair.now, ends)


def sealed_to_closing(target: Target, count: int, ends: Counter[str]) -> None:
    rng, pair = target.rng, None
    for number in range(count):
        receiver = sa_of(pair.left) if pair is not None else None
        if receiver is None or number % 8 == 0:
            pair = target.ready()
            pair.left.terminate()
            receiver = sa_of(pair.left)
        assert pair is not None
        assert receiver is not None
        sender = sa_of(pair.right, receiver.channel.spi_i)
        assert sender is not None
        exchange, payloads = rng.choice(payload_sets(sender))
        spis = receiver.channel.spi_i, receiver.channel.spi_r
        number_due = receiver.channel.responses.expected_id
        header = IkeHeader(*spis, PayloadType(0), exchange, rng.choice((0, 0, 0, FLAG_RESPONSE)), number_due, 0)
        throw(pair.left, Datagram(seal(rng, sender, header, payloads), path_to(pair.left)), pair.now, ends)


def init_requests(target: Target, count: int, ends: Counter[str]) -> None:
    rng, pair = target.rng, target.fresh()
    pair.left.initiate("site", "net")
    octets = pair.left.outbox.pop().octets
    header, chain = parse_header(octets), octets[28:]
    for number in range(count):
        first, wrong = mutate_chain(rng, header.next_payload, chain)
        mine = replace(
            header,
            spi_i=rng.randbytes(8),
            next_payload=PayloadType(first & 0xFF),
            length=(28 + len(wrong)) & 0xFFFFFFFF,
        )
        datagram = build_header(mine) + wrong
        if rng.random() < 0.3:
            datagram = mutate_octets(rng, datagram)
        source = SocketAddress(
            IPv4Address(0xC0000201 if rng.random() < 0.9 else rng.getrandbits(32)), rng.randrange(65536)
        )
        pair.now += rng.choice((0.01, 5.0))
        throw(pair.right, Datagram(datagram, Path(SocketAddress(RIGHT, 500), source)), pair.now, ends)
        if number % 16 == 0:
            pair.right.run(pair.right.endpoint.handle_timeout(pair.now), pair.now)
            pair.right.outbox.clear()
    target.right.last_now = pair.now + 200  # type: ignore[union-attr]
    pair.right.run(pair.right.endpoint.handle_timeout(pair.now + 200), pair.now + 200)
    pair.right.outbox.clear()


def init_responses(target: Target, count: int, ends: Counter[str]) -> None:
    rng = target.rng
    pair = target.fresh()
    pair.left.initiate("site", "net")
    request = arriving(pair.left.outbox.pop())
    pair.right.run(pair.right.endpoint.receive_datagram(request, pair.now), pair.now)
    answer = pair.right.outbox.pop().octets
    waiting: IkeSa | None = None
    for _ in range(count):
        if (
            waiting is None
            or not isinstance(waiting.phase, type(waiting.phase))
            or sa_of(pair.left) is None
            or waiting.keyed
        ):
            pair = target.fresh()
            pair.left.initiate("site", "net")
            pair.left.outbox.clear()
            waiting = sa_of(pair.left)
        assert waiting is not None
        first, wrong = mutate_chain(rng, answer[16], answer[28:])
        header = replace(
            parse_header(answer),
            spi_i=waiting.channel.spi_i,
            next_payload=PayloadType(first & 0xFF),
            length=28 + len(wrong),
        )
        octets = build_header(header) + wrong
        if rng.random() < 0.2:
            octets = mutate_octets(rng, octets)
        throw(pair.left, Datagram(octets, path_to(pair.left)), pair.now, ends)


def anything(target: Target, count: int, ends: Counter[str], *, pending: bool) -> None:
    """Real datagrams made wrong without keys; with `pending`, while a proof is being checked or a child installed."""
    rng = target.rng
    held = ("VerifyAuth", "InstallChildSa", "SignAuth", "ComputeSharedSecret")
    pair, corpus = None, list[Datagram]()
    for number in range(count):
        if pair is None or number % 400 == 0:
            if target.right is not None:
                target.right.last_now += 40  # what wrong requests left half-open is forgotten
            if pending:
                name = held[(number // 400) % len(held)]
                pair = target.fresh()
                pair.right.hold = lambda effect, name=name: type(effect).__name__ == name
                pair.left.initiate("site", "net")
                pair.run(0.2)
            else:
                pair = target.established()
            corpus = [arriving(d) for d in pair.link.sent]
        datagram = rng.choice(corpus)
        side = pair.right if datagram.path.local.address == RIGHT else pair.left
        throw(side, replace(datagram, octets=mutate_octets(rng, datagram.octets)), pair.now, ends)
        if pending and number % 400 == 399:
            pair.right.hold = lambda effect: False
            pair.right.release(pair.now)
            pair.left.outbox.clear()
            pair.right.outbox.clear()
    if pair is not None:
        pair.right.hold = lambda effect: False
        pair.right.release(pair.now)
        target.right.last_now = pair.now + 200  # type: ignore[union-attr]
        pair.right.run(pair.right.endpoint.handle_timeout(pair.now + 200), pair.now + 200)
        pair.right.outbox.clear()


def assert_bounded(side: Side) -> None:
    """Tables hold no more than their limits, and the kernel nothing of SAs that are gone."""
    endpoint = side.endpoint
    living = [sa for sa in endpoint._by_id.values() if not isinstance(sa.phase, Closed)]
    assert len(endpoint._by_id) - len(living) <= MOST_LINGERING + 1
    assert endpoint.half_open <= endpoint.config.daemon.half_open_limit
    assert len(endpoint._sas) == len(endpoint._by_id)
    children = [child for sa in living for child in sa.children.values()]
    assert len(side.kernel.states) == 2 * len(children)
    assert len(endpoint._tickets) <= 2 * len(living)
