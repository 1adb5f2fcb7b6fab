"""The ways in which a side is told wrong things while children and IKE SAs are rekeyed, by either side or by both at once.

Each message is well-formed before a seeded hand makes it wrong, and sealed with the right keys: of one situation a few, then
time passes, and what is left must be calm.

Not here: rekeyings that are well-formed and mean no good (tests/ike/test_rekey_attacks*.py).
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

from ikepy.ike.actions import Datagram
from ikepy.ike.phases import Closed
from ikepy.ike.sa import IkeSa
from ikepy.wire.base import Payload
from ikepy.wire.chain import build_chain
from ikepy.wire.header import FLAG_INITIATOR, FLAG_RESPONSE, IkeHeader
from ikepy.wire.notify import Notify
from ikepy.wire.payloads import Delete, Ke, Nonce, Sk
from ikepy.wire.registry import ExchangeType, NotifyType, PayloadType, ProtocolId
from ikepy.wire.sa import Sa
from tests.hostile.attacker import CREATE, INFORMATIONAL, Attacker, Hands, deleted
from tests.hostile.ways import Target, path_to, throw
from tests.support import mirror
from tests.support.mutation import mutate_chain
from tests.support.stage import esp, facing

CONFIGS = facing((esp("aes256gcm16-ecp256", "aes256gcm16", rekey_time=3000.0),), rekey_time=10000.0)
WITH_EACH = 8
"Messages in one situation at most."
SETTLED_EACH = 12
"Situations of which one is let come to rest."
SLOW = {"AllocateSpi", "InstallChildSa", "InstallInbound", "InstallOutbound", "RemoveChildSa", "ComputeSharedSecret"}
NEW, OTHER, SPI = b"\0\1\0\0", b"\0\1\0\1", b"\x22" * 8
ERRORS = (NotifyType.TEMPORARY_FAILURE, NotifyType.CHILD_SA_NOT_FOUND, NotifyType.INVALID_KE_PAYLOAD)


def ours_of_child(peer: Attacker) -> None:
    child = peer.victim.sas[-1].children[0]
    peer.make(peer.victim.endpoint.rekey(peer.pair.now, child_ids=(child.unique_id,)))


def ours_of_ike(peer: Attacker) -> None:
    peer.make(peer.victim.endpoint.rekey(peer.pair.now, ike_ids=(peer.victim.sas[-1].unique_id,)))


def our_delete(peer: Attacker) -> None:
    peer.victim.terminate_child(peer.victim.sas[-1].children[0].unique_id)


def theirs_of_child(peer: Attacker) -> None:
    peer.ask(CREATE, *peer.rekey(peer.spi_of(), NEW, "net", rng_nonce(peer), *ke(peer)))


def theirs_of_ike(peer: Attacker) -> None:
    peer.replace_ike()


SITUATIONS: dict[str, tuple[Callable[[Attacker], None], ...]] = {
    "at rest": (),
    "our child is asked for": (ours_of_child,),
    "our successor is asked for": (ours_of_ike,),
    "our delete is on its way": (our_delete,),
    "their child waits": (theirs_of_child,),
    "their successor is there": (theirs_of_ike,),
    "both children": (ours_of_child, theirs_of_child),
    "both successors": (ours_of_ike, theirs_of_ike),
    "their child, then our successor": (theirs_of_child, ours_of_ike),
    "their child, then our delete": (theirs_of_child, our_delete),
}


def rng_nonce(peer: Attacker) -> bytes:
    return peer.entropy.octets(32)


def ke(peer: Attacker) -> tuple[Ke, ...]:
    """A KE payload whose value is on the curve: that of a request for a successor."""
    payloads, _ = peer.rekey_ike()
    return tuple(payload for payload in payloads if isinstance(payload, Ke))


def requests(rng: random.Random, peer: Attacker) -> tuple[ExchangeType, tuple[Payload, ...]]:
    """A request as an honest peer would make it, of one kind or another."""
    known = [child.spi_out for sa in peer.living() for child in sa.table.children.values()]
    old, end = rng.choice(known).to_bytes(4, "big") if known else NEW, Delete(ProtocolId.IKE, (), 0)
    nonce = rng.choice((bytes(32), b"\xff" * 32, rng.randbytes(16)))
    match rng.randrange(8):
        case 0 | 1 | 2:
            return CREATE, peer.rekey(old, OTHER, "net", nonce, *(ke(peer) if rng.random() < 0.8 else ()))
        case 3 | 4:
            return CREATE, peer.rekey_ike(rng.randbytes(8), nonce)[0]
        case 5:
            return CREATE, peer.new(OTHER, nonce=nonce)
        case 6:
            return INFORMATIONAL, (deleted(old, NEW, OTHER),)
        case _:
            return INFORMATIONAL, rng.choice(((), (end,), (Notify(NotifyType.COOKIE, b"c"), deleted(NEW))))


def answers(rng: random.Random, peer: Attacker) -> tuple[Payload, ...]:
    """An answer as an honest peer would make it, to one request or another."""
    nonce = rng.choice((bytes(32), b"\xff" * 32, rng.randbytes(32)))
    match rng.randrange(6):
        case 0 | 1:
            sa, number, *selectors = peer.grant(OTHER, nonce=nonce)
            return (sa, number, *ke(peer), *selectors)
        case 2 | 3:
            proposal = replace(peer.hands.keyed.connection.proposals[0], number=1, spi=SPI)
            return (Sa((proposal,)), Nonce(nonce), *ke(peer))
        case 4:
            return (Notify(rng.choice(ERRORS), b"\0\x13"),)
        case _:
            return rng.choice(((), (deleted(NEW),)))


def throw_one(rng: random.Random, peer: Attacker, ends: Counter[str], *, answer: bool) -> bool:
    """Throw one wrong message at an IKE SA that both know; False where there is none any more."""
    known = [(hands, sa) for hands in peer.all_hands if (sa := _sa_of(peer, hands)) is not None]
    if not known:
        return False
    hands, sa = rng.choice(known)
    outstanding = sa.channel.requests.outstanding
    if answer and outstanding is not None:
        exchange, number, payloads = outstanding.exchange, outstanding.message_id, answers(rng, peer)
    else:
        exchange, payloads = requests(rng, peer)
        number, answer = sa.channel.responses.expected_id + rng.choice((0,) * 12 + (-1, 1)), False
    flags = (FLAG_INITIATOR if hands.is_initiator else 0) | (FLAG_RESPONSE if answer else 0)
    header = IkeHeader(hands.keyed.spi_i, hands.keyed.spi_r, PayloadType(0), exchange, flags, number & 0xFFFFFFFF, 0)
    first, chain = build_chain(payloads)
    if rng.random() < 0.85:
        first, chain = mutate_chain(rng, first, chain)
    octets = hands.protection.seal_octets(header, Sk(PayloadType(first & 0xFF), b""), chain[:60000])
    throw(peer.victim, Datagram(octets, path_to(peer.victim)), peer.pair.now, ends)
    return True


def _sa_of(peer: Attacker, hands: Hands) -> IkeSa | None:
    ours = hands.keyed.spi_r if hands.is_initiator else hands.keyed.spi_i
    sa = peer.victim.endpoint._sas.get(ours)
    return sa if sa is not None and not isinstance(sa.phase, Closed) else None


def rekeyings(target: Target, count: int, ends: Counter[str], *, answer: float = 0.0, pending: bool = False) -> None:
    """Situation after situation.

    answer    the share of answers to our requests, where one is asked
    pending   what is asked of the kernel, and the key exchange, is done a few messages later
    """
    rng, situations = target.rng, tuple(SITUATIONS)
    target.established()
    number = 0
    while ends.total() < count:
        peer = Attacker(CONFIGS, seed=rng.getrandbits(20))
        peer.answers = lambda _: None
        for step in SITUATIONS[situations[number % len(situations)]]:
            step(peer)
        if pending:
            peer.victim.hold = lambda effect: type(effect).__name__ in SLOW
        for _ in range(rng.randrange(1, WITH_EACH + 1)):
            if ends.total() >= count or not throw_one(rng, peer, ends, answer=rng.random() < answer):
                break
            if pending and rng.random() < 0.4:
                peer.victim.release(peer.pair.now)
        number += 1
        target.made += 1
        if number % SETTLED_EACH == 0:
            settle(peer)


def settle(peer: Attacker) -> None:
    """Perform what waits, answer politely, let time pass: nothing may be left that waits for anything."""
    peer.victim.hold = lambda effect: False
    while peer.victim.held:
        peer.victim.release(peer.pair.now)
    peer.answers = lambda _: ()
    peer.pass_time(1000)
    peer.assert_bounded(states=2 * 12, ike_sas=2)
    mirror._assert_calm(peer.victim)
