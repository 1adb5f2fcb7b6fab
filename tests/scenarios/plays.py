"""The plays: what happens to a pair on a bad line.

Each play is done by its seed alone: which side, when, in what order. The line loses, doubles and reorders all the while.

Not here: whom it happens to, and how it must end (scenarios.py); situations told step by step (tests/ike).
"""

from __future__ import annotations

import random
from collections.abc import Callable
from ipaddress import IPv4Address, ip_network

from ikepy.ike.actions import Action
from ikepy.ike.events import Acquire, Expire
from ikepy.ipsec import Selector
from tests.support.pair import Pair, Side

Act = Callable[[Side, random.Random], list[Action]]
Play = Callable[[Pair, random.Random], None]
SOON = (0.0, 0.0, 0.02, 0.2, 3.0)
"Seconds between two things that happen at about the same time, at most."
PACKET = Selector(ip_network("10.1.0.7/32"), ip_network("10.2.0.9/32"), 17, 5000, 0xFFFF, 53, 0xFFFF)
"A packet from the left that asks for a child."


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
    return side.endpoint.rekey(side.pair.now, ike_ids=ikes_of(side)[:1], reauth=True)


def delete_child(side: Side, rnd: random.Random) -> list[Action]:
    return side.endpoint.terminate(side.pair.now, child_ids=children_of(side)[:1])


def delete_children(side: Side, rnd: random.Random) -> list[Action]:
    return side.endpoint.terminate(side.pair.now, child_ids=children_of(side))


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
    """The oldest child of each name reaches its end; those that come after it have just begun."""
    actions, names = [], set()
    for sa in side.sas:
        for child in sa.children:
            if child.name not in names:
                assert child.spec is not None
                names.add(child.name)
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


def one_after_another(*choices: tuple[Act, ...]) -> Play:
    """One side alone does one thing of each choice, the next before the last is over."""

    def play(pair: Pair, rnd: random.Random) -> None:
        side = one_of(pair, "either", rnd)
        for acts in choices:
            do(pair, side, rnd.choice(acts), rnd)
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


def reboot(who: str, *while_: Act) -> Play:
    """One side is killed cold, in the middle of something or not, and back after 20 seconds with nothing of what it had."""

    def play(pair: Pair, rnd: random.Random) -> None:
        side = one_of(pair, who, rnd)
        if while_:
            do(pair, one_of(pair, "either", rnd), rnd.choice(while_), rnd)
            pair.run(rnd.choice(SOON) * rnd.random())
        side.reboot(rnd.randrange(1 << 30))
        pair.link.deaf = side.address
        pass_time(pair, 20.0)
        pair.link.deaf = None
        side.run(side.endpoint.start(pair.now), pair.now)
        pass_time(pair, 300.0)

    return play


def begin_without_a_line(pair: Pair, rnd: random.Random) -> None:
    """Both start before the network is there; then it is."""
    pair.link.deaf = pair.right.address
    for side in rnd.sample((pair.left, pair.right), 2):
        side.run(side.endpoint.start(pair.now), pair.now)
        pass_time(pair, rnd.uniform(0.0, 100.0))
    pair.link.deaf = None
    pass_time(pair, 300.0)


def begin(pair: Pair, rnd: random.Random) -> None:
    """Both do what start_action says."""
    for side in rnd.sample((pair.left, pair.right), 2):
        side.run(side.endpoint.start(pair.now), pair.now)
        pair.run(rnd.choice(SOON) * rnd.random())


def move(pair: Pair, rnd: random.Random) -> None:
    """The right has another address from one moment to the next, and its name resolves to that one a little later."""
    moved = IPv4Address(f"198.51.100.{rnd.randrange(1, 255)}")
    pair.right.address = moved
    pass_time(pair, rnd.uniform(0.0, 60.0))
    pair.left.resolved = (moved,)
    pass_time(pair, 300.0)


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
