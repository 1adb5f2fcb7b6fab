"""A pair whose datagrams are carried by hand: each waits until the test delivers or loses it, so crossings are exact.

    stage = staged()
    stage.rekey_child(stage.left)
    stage.rekey_child(stage.right)          # neither request has arrived yet
    stage.deliver(stage.left)               # the left's oldest datagram reaches the right
    stage.end()                             # all else arrives in its order; then both sides mirror each other

Not here: lines that lose and reorder by chance (link.py, tests/scenarios).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ikepy.config.algorithms import parse_proposals
from ikepy.config.model import ChildConfig, Config
from ikepy.ike.actions import Action, Datagram
from ikepy.ike.events import ChildSnapshot, Event, Expire
from ikepy.wire.message import Message
from ikepy.wire.registry import NotifyType, ProtocolId
from tests.support.copying import copied
from tests.support.link import arriving
from tests.support.mirror import assert_mirror
from tests.support.pair import Pair, Side, established_pair, make_child, make_config, make_pair
from tests.support.traffic import Traffic

LOWEST = ("left ni", "left nr", "right ni", "right nr")
"Whose nonce is the lowest of four where both sides rekey at once; nr is drawn for the other side's exchange."
ECP = ("aes256gcm16-prfsha256-ecp256",)
"IKE proposals whose private values have other lengths than nonces, so that only nonces are steered."


@dataclass(frozen=True)
class Flying:
    """A datagram on its way, and what it says; a repeat says nothing here."""

    sender: Side
    datagram: Datagram
    message: Message


class Stage:
    """A pair, and what is on its way."""

    def __init__(self, pair: Pair) -> None:
        self.pair, self.left, self.right = pair, pair.left, pair.right
        self.flying: list[Flying] = []
        self.traffic = Traffic(pair)
        self.traffic.begin()

    def other(self, side: Side) -> Side:
        """The side that faces this one."""
        return self.right if side is self.left else self.left

    # -- what is done ------------------------------------------------------------------------------------------------

    def do(self, side: Side, actions: list[Action]) -> None:
        """Perform what a side is to do; what it sends waits."""
        side.run(actions, self.pair.now)
        self._collect()
        self.traffic.flow()

    def rekey_child(self, side: Side, name: str = "net") -> None:
        """A side rekeys the oldest child of that name."""
        self.do(side, side.endpoint.rekey(self.pair.now, child_ids=(self.child(side, name).unique_id,)))

    def rekey_ike(self, side: Side) -> None:
        """A side rekeys its IKE SAs."""
        self.do(side, side.endpoint.rekey(self.pair.now, ike_ids=tuple(sa.unique_id for sa in side.sas)))

    def delete_child(self, side: Side, name: str = "net") -> None:
        """A side deletes the oldest child of that name, and whatever has come in its place."""
        self.do(side, side.endpoint.terminate(self.pair.now, child_ids=(self.child(side, name).unique_id,)))

    def delete_ike(self, side: Side) -> None:
        """A side deletes its IKE SAs."""
        self.do(side, side.endpoint.terminate(self.pair.now, ike_ids=tuple(sa.unique_id for sa in side.sas)))

    def create(self, side: Side, name: str | None = None) -> None:
        """A side brings up a child, or all."""
        self.do(side, side.endpoint.initiate("site", name, self.pair.now))

    def expire(self, side: Side, child: ChildSnapshot, *, hard: bool) -> None:
        """The kernel of a side tells that a child has reached a limit."""
        assert child.spec is not None
        if hard:
            side.kernel.states.pop(child.spec.inbound.id, None)
        self.do(side, side.endpoint.kernel_event(Expire(child.spec.inbound.id, hard=hard), self.pair.now))

    def child(self, side: Side, name: str = "net") -> ChildSnapshot:
        """The oldest child of that name."""
        return min(
            (child for sa in side.sas for child in sa.children if child.name == name),
            key=lambda child: child.unique_id,
        )

    # -- what arrives --------------------------------------------------------------------------------------------------

    def of(self, side: Side) -> list[Flying]:
        """What a side has sent and has not arrived, the oldest first."""
        return [each for each in self.flying if each.sender is side]

    def deliver(self, side: Side, which: int = 0) -> Message:
        """Let a datagram of that side's arrive: the oldest, or -1 the newest; says what was in it."""
        found = self.of(side)[which]
        self.flying.remove(found)
        receiver = self.other(side)
        arrived = receiver.endpoint.receive_datagram(arriving(found.datagram), self.pair.now)
        self.do(receiver, arrived)
        return found.message

    def lose(self, side: Side, which: int = 0) -> Message:
        """Let a datagram never arrive; its repeat may."""
        found = self.of(side)[which]
        self.flying.remove(found)
        return found.message

    def hold(self, side: Side, which: int = 0) -> Callable[[], None]:
        """Take a datagram off the line; calling the result delivers it after all."""
        found = self.of(side)[which]
        self.flying.remove(found)

        def arrive() -> None:
            self.flying.insert(0, found)
            self.deliver(side)

        return arrive

    def carry(self) -> None:
        """Let all that is on its way arrive in its order, and the answers to it."""
        for _ in range(1000):
            if not self.flying:
                return
            self.deliver(self.flying[0].sender)
        raise AssertionError("it never ends")

    def wait(self, seconds: float) -> None:
        """Let time pass in which nothing arrives."""
        end = self.pair.now + seconds
        while (at := self._next_timeout()) is not None and at <= end:
            self.pair.now = max(self.pair.now, at)
            for side in (self.left, self.right):
                self.do(side, side.endpoint.handle_timeout(self.pair.now))
        self.pair.now = end

    def settle(self, seconds: float = 1000.0) -> None:
        """Let all arrive at once whenever it is sent, for so long."""
        end = self.pair.now + seconds
        self.carry()
        while (at := self._next_timeout()) is not None and at <= end:
            self.wait(max(at - self.pair.now, 0.0))
            self.carry()
        self.pair.now = end

    def end(self, *, ike_sas: int | None = 1, lossless: bool = True, **children: int) -> None:
        """Let it come to rest: both sides mirror each other, with these children (one `net`), and no packet was lost."""
        self.settle()
        assert_mirror(self.pair, ike_sas=ike_sas, children=children or {"net": 1})
        assert not lossless or not self.traffic.lost, self.traffic.lost[:3]

    def _next_timeout(self) -> float | None:
        instants = (side.endpoint.next_timeout() for side in (self.left, self.right))
        return min((at for at in instants if at is not None), default=None)

    def _collect(self) -> None:
        for side in (self.left, self.right):
            outbox, side.outbox = side.outbox, []
            said = side.recorder.sent[len(side.recorder.sent) - len(outbox) :]
            self.flying += [
                Flying(side, datagram, message) for datagram, (message, _) in zip(outbox, said, strict=True)
            ]


def error_of(message: Message) -> NotifyType | None:
    """The error that a message tells, None where it tells none."""
    return message.error_notify.type if message.error_notify is not None else None


def events_of(side: Side, kind: type[Event]) -> list[Event]:
    """What a side has published of one kind."""
    return [event for event in side.events if isinstance(event, kind)]


# -- pairs ---------------------------------------------------------------------------------------------------------------


def esp(*texts: str, name: str = "net", **more: object) -> ChildConfig:
    """The child of the pair with other proposals, or a second child."""
    return make_child(name, esp_proposals=parse_proposals(texts or ("aes256gcm16",), ProtocolId.ESP), **more)


SPARE = esp(name="spare", local="10.1.9.0/24", remote="10.2.9.0/24")


def facing(left: tuple[ChildConfig, ...], right: tuple[ChildConfig, ...] = (), **more: object) -> tuple[Config, Config]:
    """Configurations of both sides; the right has the left's children where it has none of its own, seen from the left."""
    more.setdefault("proposals", parse_proposals(ECP, ProtocolId.IKE))
    return make_config(children=left, **more), make_config(left=False, children=right or left, **more)


PLAIN = facing((esp(),))


def staged(configs: tuple[Config, Config] = PLAIN, *, seed: int = 1, lowest: str | None = None) -> Stage:
    """A pair that came up long ago.

    lowest   whose nonce is the lowest of the next four, each side drawing ni first; one of LOWEST
    """
    pair = copied(_established(configs), seed)
    if lowest is not None:
        for name, side in (("left", pair.left), ("right", pair.right)):
            side.entropy.leads = [0x01 if lowest == f"{name} {nonce}" else 0x80 for nonce in ("ni", "nr")]
    return Stage(pair)


def unconnected(configs: tuple[Config, Config] = PLAIN, *, seed: int = 1) -> Stage:
    """A pair of which neither side has begun."""
    return Stage(make_pair(*configs, seed=seed))


def _established(configs: tuple[Config, Config]) -> Pair:
    """The pair of these configurations; it is brought up once."""
    for known, pair in _pairs:
        if known is configs:
            return pair
    pair = established_pair(*configs)
    pair.run(10)
    pair.now += 1000
    _pairs.append((configs, pair))
    return pair


_pairs: list[tuple[tuple[Config, Config], Pair]] = []


def loses(side: str, lowest: str) -> bool:
    """Whether that side's exchange has the lowest nonce: its own ni, or the nr of the side that answered it."""
    return lowest in {f"{side} ni", f"{'right' if side == 'left' else 'left'} nr"}
