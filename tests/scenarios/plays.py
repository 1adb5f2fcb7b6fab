"""The plays: what happens to an established pair on a bad line, and how it must end.

Each play is done by its seed alone: which side, when, in what order. The line loses, doubles and reorders all the while.

Not here: how many seeds (test_seeds.py), situations told step by step (tests/ike).
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from ipaddress import ip_network

from ikepy.config.algorithms import parse_proposals
from ikepy.config.model import ChildConfig, Childless, Config, DpdAction, RetransmissionConfig, StartAction, Unique
from ikepy.ike.actions import Action
from ikepy.ike.events import Acquire, Expire
from ikepy.ipsec import Selector
from ikepy.wire.registry import ProtocolId
from tests.support.pair import Pair, Side, make_child, make_config

Act = Callable[[Side, random.Random], list[Action]]
Play = Callable[[Pair, random.Random], None]
PERSISTENT = RetransmissionConfig(tries=20)
"So that the line, however bad, is never taken for a dead peer."
SOON = (0.0, 0.0, 0.02, 0.2, 3.0)


# -- what an operator, the kernel or the peer's host may do ---------------------------------------------------------


def children_of(side: Side) -> tuple[int, ...]:
    return tuple(child.unique_id for sa in side.sas for child in sa.children)


def ikes_of(side: Side) -> tuple[int, ...]:
    return tuple(sa.unique_id for sa in side.sas)


def rekey_child(side: Side, rnd: random.Random) -> list[Action]:
    return side.endpoint.rekey(side.pair.now, child_ids=children_of(side))


def rekey_ike(side: Side, rnd: random.Random) -> list[Action]:
    return side.endpoint.rekey(side.pair.now, ike_ids=ikes_of(side))


def reauthenticate(side: Side, rnd: random.Random) -> list[Action]:
    return side.endpoint.rekey(side.pair.now, ike_ids=ikes_of(side), reauth=True)


def delete_child(side: Side, rnd: random.Random) -> list[Action]:
    return side.endpoint.terminate(side.pair.now, child_ids=children_of(side)[:1])


def delete_ike(side: Side, rnd: random.Random) -> list[Action]:
    return side.endpoint.terminate(side.pair.now, ike_ids=ikes_of(side))


def create(side: Side, rnd: random.Random) -> list[Action]:
    return side.endpoint.initiate("site", None, side.pair.now)


def expire_softly(side: Side, rnd: random.Random) -> list[Action]:
    actions = []
    for sa in side.sas:
        for child in sa.children:
            assert child.spec is not None
            state = rnd.choice((child.spec.inbound, child.spec.outbound))
            actions += side.endpoint.kernel_event(Expire(state.id, hard=False), side.pair.now)
    return actions


def expire_hard(side: Side, rnd: random.Random) -> list[Action]:
    actions = []
    for sa in side.sas:
        for child in sa.children:
            assert child.spec is not None
            side.kernel.states.pop(child.spec.inbound.id, None)
            actions += side.endpoint.kernel_event(Expire(child.spec.inbound.id, hard=True), side.pair.now)
    return actions


def acquire(side: Side, rnd: random.Random) -> list[Action]:
    trap = next(policies[0] for policies in side.kernel.policies.values())
    assert trap.template is not None
    return side.endpoint.kernel_event(
        Acquire(PACKET if side is side.pair.left else PACKET.reversed(), trap.template.reqid), side.pair.now
    )


# -- plays ----------------------------------------------------------------------------------------------------------


def alone(act: Act, *, who: str = "either") -> Play:
    """One side does it, once or twice."""

    def play(pair: Pair, rnd: random.Random) -> None:
        for _ in range(rnd.choice((1, 2))):
            do(pair, one_of(pair, who, rnd), act, rnd)
            pair.run(rnd.choice((0.5, 30.0)))

    return play


def crossing(left: Act, right: Act | None = None) -> Play:
    """Both sides do something at about the same time, either first; with one act both do that."""

    def play(pair: Pair, rnd: random.Random) -> None:
        acts = [(pair.left, left), (pair.right, right or left)]
        if rnd.random() < 0.5:
            acts = [(pair.left, right or left), (pair.right, left)]
        rnd.shuffle(acts)
        do(pair, *acts[0], rnd)
        pair.run(rnd.choice(SOON) * rnd.random())
        do(pair, *acts[1], rnd)

    return play


def anything(*acts: Act) -> Play:
    """Two to five of the acts, by either side, at any time."""

    def play(pair: Pair, rnd: random.Random) -> None:
        for _ in range(rnd.randrange(2, 6)):
            do(pair, one_of(pair, "either", rnd), rnd.choice(acts), rnd)
            pair.run(rnd.choice(SOON) * rnd.random())

    return play


def beside(theirs: Act, *others: Act) -> Play:
    """The left does the first, and either side one to three of the others, at any time."""

    def play(pair: Pair, rnd: random.Random) -> None:
        acts = [(one_of(pair, "either", rnd), rnd.choice(others)) for _ in range(rnd.randrange(1, 4))]
        acts.insert(rnd.randrange(len(acts) + 1), (pair.left, theirs))
        for side, act in acts:
            do(pair, side, act, rnd)
            pair.run(rnd.choice(SOON) * rnd.random())

    return play


def outage(seconds: float) -> Play:
    """The line is away, then good again; with it goes whatever was under way."""

    def play(pair: Pair, rnd: random.Random) -> None:
        pair.link.loss = 1.0
        if rnd.random() < 0.5:
            do(pair, one_of(pair, "either", rnd), rnd.choice((rekey_child, rekey_ike)), rnd)
        pass_time(pair, seconds)
        pair.link.calm()
        pass_time(pair, 300.0)

    return play


def reboot(who: str) -> Play:
    """One side is killed cold and back after 20 seconds, with nothing of what it had."""

    def play(pair: Pair, rnd: random.Random) -> None:
        side = one_of(pair, who, rnd)
        side.reboot(rnd.randrange(1 << 30))
        pair.link.deaf = side.address
        pass_time(pair, 20.0)
        pair.link.deaf = None
        side.run(side.endpoint.start(pair.now), pair.now)
        pass_time(pair, 600.0)

    return play


def quiet(seconds: float) -> Play:
    """Nobody does anything: timers do."""

    def play(pair: Pair, rnd: random.Random) -> None:
        pass_time(pair, seconds)

    return play


def one_of(pair: Pair, who: str, rnd: random.Random) -> Side:
    return {"left": pair.left, "right": pair.right}.get(who) or rnd.choice((pair.left, pair.right))


def do(pair: Pair, side: Side, act: Act, rnd: random.Random) -> None:
    pair.link.log.append(f"{pair.now:.3f} {side.address} does {act.__name__}")
    side.run(act(side, rnd), pair.now)


def pass_time(pair: Pair, seconds: float) -> None:
    """Let exactly so much time pass."""
    end = pair.now + seconds
    pair.run(seconds)
    pair.now = max(pair.now, end)


# -- the list -------------------------------------------------------------------------------------------------------

PACKET = Selector(ip_network("10.1.0.7/32"), ip_network("10.2.0.9/32"), 17, 5000, 0xFFFF, 53, 0xFFFF)
"A packet from the left that asks for a child."
TWO = (
    make_child("net"),
    make_child("more", "10.1.1.0/24", "10.2.1.0/24"),
    make_child("mine", "10.1.2.0/24", "10.2.2.0/24"),
)


@dataclass(frozen=True)
class Scenario:
    """A play with its configurations, and how it ends.

    ike_sas, children   as for assert_mirror()
    lossless            whether the tunnel carries every packet all the while
    settling            seconds until everything has come to rest
    """

    play: Play
    left: Config
    right: Config
    ike_sas: int | None = 1
    children: dict[str, int] | None = field(default_factory=lambda: {"net": 1})
    lossless: bool = True
    settling: float = 1500.0


def both(children: tuple[ChildConfig, ...] = (), **more: object) -> tuple[Config, Config]:
    """Fitting configurations of both sides."""
    left, right = (make_config(left=side, children=children, **more) for side in (True, False))
    return replace(left, retransmission=PERSISTENT), replace(right, retransmission=PERSISTENT)


def with_ke(*texts: str) -> tuple[ChildConfig, ...]:
    return tuple(make_child(esp_proposals=parse_proposals((text,), ProtocolId.ESP)) for text in texts)


def unlike(option: str, left: object, right: object) -> tuple[Config, Config]:
    """Configurations that differ in one thing."""
    return both(**{option: left})[0], both(**{option: right})[1]


IKE_METHODS = (
    parse_proposals(("aes256gcm16-prfsha256-x25519-ecp256",), ProtocolId.IKE),
    parse_proposals(("aes256gcm16-prfsha256-ecp256-x25519",), ProtocolId.IKE),
)
ESP_METHODS = with_ke("aes256gcm16-x25519-ecp256", "aes256gcm16-ecp256-x25519")
KE, PLAIN = both(with_ke("aes256gcm16-x25519")), both()
INVALID_KE = both(ESP_METHODS[:1])[0], both(ESP_METHODS[1:])[1]
INVALID_IKE_KE = unlike("proposals", *IKE_METHODS)
STARTED = both((make_child(start_action=StartAction.START),), dpd_delay=10.0)
IMPATIENT = tuple(replace(config, retransmission=RetransmissionConfig(tries=4, limit=8.0)) for config in STARTED)
ONE_STARTS = (
    IMPATIENT[0],
    replace(make_config(left=False, dpd_delay=10.0), retransmission=RetransmissionConfig(tries=4, limit=8.0)),
)
UP = make_child(start_action=StartAction.START)
REAUTHENTICATED, BROKEN = (
    tuple(replace(c, retransmission=RetransmissionConfig(tries=8)) for c in both((UP,), make_before_break=mbb))
    for mbb in (True, False)
)
LIFETIMES = (
    REAUTHENTICATED[0],
    replace(make_config(left=False, children=(UP,), reauth_time=300.0), retransmission=RetransmissionConfig(tries=8)),
)
TRAPPED = both((make_child(start_action=StartAction.TRAP, dpd_action=DpdAction.TRAP),))
LIMITED = both((make_child(rekey_time=40.0, rand_time=15.0),), rekey_time=100.0, rand_time=30.0, over_time=120.0)
ANY = {"ike_sas": None, "children": None, "lossless": False}

SCENARIOS: dict[str, Scenario] = {
    "child rekeyed by one side": Scenario(alone(rekey_child), *PLAIN),
    "child rekeyed by one side, with KE": Scenario(alone(rekey_child), *KE),
    "child rekeyed by both at once": Scenario(crossing(rekey_child), *PLAIN),
    "child rekeyed by both at once, with KE": Scenario(crossing(rekey_child), *KE),
    "child rekeyed by both at once, INVALID_KE_PAYLOAD": Scenario(crossing(rekey_child), *INVALID_KE),
    "three children rekeyed by both at once": Scenario(
        crossing(rekey_child), *both(TWO), children={"net": 1, "more": 1, "mine": 1}
    ),
    "child rekeyed, deleted by the other": Scenario(
        crossing(rekey_child, delete_child), *PLAIN, ike_sas=1, children=None, lossless=False
    ),
    "child rekeyed, deleted by either": Scenario(anything(rekey_child, delete_child), *PLAIN, 1, None, lossless=False),
    "child rekeyed, another created": Scenario(
        crossing(rekey_child, create), *both(TWO), children={"net": 1, "more": 1, "mine": 1}
    ),
    "child rekeyed, IKE SA rekeyed": Scenario(crossing(rekey_child, rekey_ike), *PLAIN),
    "child rekeyed, IKE SA deleted": Scenario(crossing(rekey_child, delete_ike), *PLAIN, 0, {}, lossless=False),
    "child limits reached in the kernel of both": Scenario(crossing(expire_softly), *PLAIN),
    "child limit reached during our own rekeying": Scenario(anything(expire_softly, rekey_child), *PLAIN),
    "child closed by the kernel": Scenario(alone(expire_hard), *PLAIN, lossless=False),
    "child deleted by both at once": Scenario(crossing(delete_child), *PLAIN, 1, {}, lossless=False),
    "child created by both at once": Scenario(crossing(create), *both(childless=Childless.FORCE), lossless=False),
    "child created, IKE SA rekeyed": Scenario(
        crossing(create, rekey_ike), *both(TWO), children={"net": 1, "more": 1, "mine": 1}
    ),
    "child deleted, IKE SA rekeyed": Scenario(crossing(delete_child, rekey_ike), *PLAIN, 1, {}, lossless=False),
    "child deleted, IKE SA deleted": Scenario(crossing(delete_child, delete_ike), *PLAIN, 0, {}, lossless=False),
    "IKE SA rekeyed by one side": Scenario(alone(rekey_ike), *PLAIN),
    "IKE SA rekeyed by both at once": Scenario(crossing(rekey_ike), *PLAIN),
    "IKE SA rekeyed by both at once, INVALID_KE_PAYLOAD": Scenario(crossing(rekey_ike), *INVALID_IKE_KE),
    "IKE SA rekeyed, deleted by the other": Scenario(crossing(rekey_ike, delete_ike), *PLAIN, 0, {}, lossless=False),
    "IKE SA deleted by both at once": Scenario(crossing(delete_ike), *PLAIN, 0, {}, lossless=False),
    "IKE SA and child rekeyed by either, again and again": Scenario(anything(rekey_child, rekey_ike), *PLAIN),
    "everything by either": Scenario(anything(rekey_child, rekey_ike, create, delete_child, delete_ike), *PLAIN, **ANY),
    "IKE SA begun by both at once": Scenario(anything(create, delete_ike), *PLAIN, **ANY),
    "reauthenticated, make before break": Scenario(alone(reauthenticate, who="left"), *REAUTHENTICATED, lossless=False),
    "reauthenticated, break before make": Scenario(alone(reauthenticate, who="left"), *BROKEN, lossless=False),
    "reauthenticated while the other rekeys": Scenario(
        beside(reauthenticate, rekey_child, rekey_ike), *REAUTHENTICATED, lossless=False
    ),
    "reauthenticated, unique = replace": Scenario(
        alone(reauthenticate, who="left"), *both(unique=Unique.REPLACE), lossless=False
    ),
    "reauthenticated by AUTH_LIFETIME": Scenario(quiet(800.0), *LIFETIMES, lossless=False, settling=150.0),
    "rekeyed in time by both": Scenario(quiet(400.0), *LIMITED, settling=150.0),
    "liveness on a bad line": Scenario(quiet(300.0), *both(dpd_delay=10.0), settling=150.0),
    "outage of ten minutes, both start": Scenario(outage(600.0), *IMPATIENT, lossless=False, settling=150.0),
    "outage of ten minutes, one starts": Scenario(outage(600.0), *ONE_STARTS, lossless=False, settling=150.0),
    "killed and back, both start": Scenario(reboot("either"), *IMPATIENT, lossless=False, settling=150.0),
    "killed and back, who starts": Scenario(reboot("left"), *ONE_STARTS, lossless=False, settling=150.0),
    "killed and back, who answers": Scenario(reboot("right"), *ONE_STARTS, lossless=False, settling=150.0),
    "trapped packets, while children are deleted": Scenario(
        anything(acquire, delete_child, delete_ike), *TRAPPED, **ANY
    ),
}
