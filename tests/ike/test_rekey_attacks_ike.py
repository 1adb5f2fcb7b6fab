"""A peer that is who it says and means no good, against the IKE SA: rekeyings, crossings, answers to our own requests.

Children: test_rekey_attacks.py. Octets that are wrong: tests/hostile.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from ikepy.config.algorithms import parse_proposals
from ikepy.crypto import modp
from ikepy.ike.drops import DropReason
from ikepy.ike.effects import ComputeSharedSecret
from ikepy.ike.succession import MOST_BEFORE
from ikepy.wire.notify import Notify
from ikepy.wire.payloads import Delete, Ke, Nonce, UnknownPayload
from ikepy.wire.registry import KeMethod, NotifyType, PayloadType, ProtocolId
from ikepy.wire.sa import Sa
from tests.hostile.attacker import CREATE, INFORMATIONAL, NONCE, Asked, Attacker, Hands, deleted
from tests.support.stage import LOWEST, SPARE, esp, facing, loses, staged

KE = facing((esp("aes256gcm16-ecp256"),))
TIMED = facing((esp(rekey_time=600.0),), rekey_time=2000.0)
MODP = parse_proposals(("aes256gcm16-prfsha256-modp2048",), ProtocolId.IKE)
TWO = facing((esp(), SPARE))
BYTES = bytes(range(64))


def rekey_ours(peer: Attacker) -> Asked:
    """The victim rekeys its IKE SA, and is left without an answer."""
    peer.answers = lambda _: None
    sa = peer.living()[-1]
    peer.make(peer.victim.endpoint.rekey(peer.pair.now, ike_ids=(sa.unique_id,)))
    return peer.asked[-1]


def phases(peer: Attacker) -> list[str]:
    return [type(sa.phase).__name__ for sa in peer.living()]


# -- many ----------------------------------------------------------------------------------------------------------------


def test_an_ike_sa_is_replaced_once() -> None:
    peer = Attacker()
    assert isinstance(peer.replace_ike(), Hands)
    for number in range(10):
        assert peer.replace_ike(bytes([number + 1]) * 8) is NotifyType.TEMPORARY_FAILURE
    peer.assert_bounded(states=2, ike_sas=2)


def test_successors_of_successors_that_are_never_deleted_are_few() -> None:
    peer, errors = Attacker(), []
    newest = peer.first
    for number in range(60):
        made = peer.replace_ike((number + 1).to_bytes(8, "big"), hands=newest)
        if isinstance(made, Hands):
            newest = made
        else:
            errors.append(made)
    assert set(errors) == {NotifyType.TEMPORARY_FAILURE}
    peer.assert_bounded(states=2, ike_sas=MOST_BEFORE + 1)
    peer.pass_time(600)
    assert phases(peer) == ["Established"]
    assert isinstance(peer.replace_ike(b"\x77" * 8, hands=newest), Hands)
    peer.assert_bounded(states=2, ike_sas=2)


def test_ike_sas_replaced_and_deleted_without_a_pause_leave_nothing_but_what_lingers() -> None:
    peer, newest = Attacker(), None
    newest, weights = peer.first, []
    for number in range(120):
        made = peer.replace_ike((number + 1).to_bytes(8, "big"), hands=newest)
        assert isinstance(made, Hands)
        assert peer.error(INFORMATIONAL, Delete(ProtocolId.IKE, (), 0), hands=newest) is None
        peer.all_hands, newest = [made], made
        peer.assert_bounded(states=2, ike_sas=1)
        peer.pass_time(1)
        if number in {59, 119}:
            peer.victim.recorder.__init__()
            weights.append(peer.weight())
    assert weights[1] <= weights[0] * 1.1
    assert len(peer.victim.endpoint._by_id) < 40


def test_a_peer_that_does_not_answer_our_rekeying_makes_one_successor_and_no_more() -> None:
    peer = Attacker()
    asked = rekey_ours(peer)
    held = peer.replace_ike()
    assert isinstance(held, Hands)
    for number in range(20):
        assert peer.replace_ike(bytes([number + 1]) * 8) is NotifyType.TEMPORARY_FAILURE
    peer.assert_bounded(states=2, ike_sas=2)
    peer.answer(asked, Notify(NotifyType.TEMPORARY_FAILURE))
    peer.answers = lambda _: ()
    peer.pass_time(600)
    assert phases(peer) == ["Established"]
    assert peer.living()[0].channel.spi_r == held.keyed.spi_r


def test_a_successor_taken_back_and_made_again_is_one() -> None:
    peer = Attacker()
    rekey_ours(peer)
    for number in range(50):
        held = peer.replace_ike(bytes([number + 1]) * 8)
        assert isinstance(held, Hands)
        assert peer.error(INFORMATIONAL, Delete(ProtocolId.IKE, (), 0), hands=held) is None
        peer.all_hands = [peer.first]
        peer.assert_bounded(states=2, ike_sas=2)
    peer.pass_time(60)
    assert len(peer.victim.endpoint._by_id) <= 3


def test_a_successor_whose_predecessor_came_to_a_bad_end_ends_with_it() -> None:
    peer = Attacker()
    rekey_ours(peer)
    held = peer.replace_ike()
    assert isinstance(held, Hands)
    assert peer.error(CREATE, Nonce(NONCE)) is NotifyType.INVALID_SYNTAX
    assert peer.error(INFORMATIONAL, hands=held) is None
    assert peer.error(CREATE, *peer.new(b"\0\1\0\0"), hands=held) is NotifyType.TEMPORARY_FAILURE
    peer.pass_time(600)
    peer.assert_bounded(states=0, ike_sas=0)


def test_a_successor_that_lost_is_not_replaced_itself_and_goes() -> None:
    peer = Attacker()
    asked = rekey_ours(peer)
    payloads, exchange = peer.rekey_ike(nonce=bytes(32))
    answer = peer.ask(CREATE, *payloads)
    assert answer is not None
    lost = peer.succeed(peer.hands, answer, exchange, b"\x11" * 8, ni=bytes(32))
    won = peer.grant_ike(asked, nonce=b"\xff" * 32)
    assert peer.error(INFORMATIONAL, hands=lost) is None
    assert peer.replace_ike(b"\x12" * 8, hands=lost) is NotifyType.TEMPORARY_FAILURE
    assert peer.error(CREATE, *peer.rekey(peer.spi_of(), b"\0\1\0\0"), hands=lost) is NotifyType.CHILD_SA_NOT_FOUND
    peer.answers = lambda _: ()
    peer.pass_time(600)
    assert [sa.channel.spi_r for sa in peer.living()] == [won.keyed.spi_r]
    peer.assert_bounded(states=2, ike_sas=1)


def test_a_peer_that_keeps_to_the_old_ike_sa_gets_nothing_there_and_it_goes() -> None:
    peer = Attacker()
    new = peer.replace_ike()
    assert isinstance(new, Hands)
    for _ in range(10):
        assert peer.error(CREATE, *peer.new(b"\0\1\0\0")) is NotifyType.TEMPORARY_FAILURE
        assert peer.error(INFORMATIONAL, deleted(peer.spi_of())) is None
        peer.pass_time(5)
    assert len(peer.victim.sas[-1].children) == 1
    peer.pass_time(400)
    assert phases(peer) == ["Established"]
    peer.assert_bounded(states=2, ike_sas=1)


def test_a_peer_that_repeats_its_last_request_for_ever_keeps_one_old_ike_sa() -> None:
    peer = Attacker()
    payloads, _ = peer.rekey_ike()
    octets = peer.seal(CREATE, *payloads, hands=peer.first, number=peer.first.number)
    for _ in range(200):
        peer.send(octets)
        peer.pass_time(30)
    peer.assert_bounded(states=2, ike_sas=2)


# -- what for ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "octets", [b"", bytes(4), b"\1\2\3\4", bytes(8), b"\1" * 9, b"\1" * 255], ids=lambda o: f"{len(o)}{o[:1].hex()}"
)
def test_a_successor_with_an_spi_that_is_none_is_refused(octets: bytes) -> None:
    peer = Attacker()
    assert peer.replace_ike(octets) is NotifyType.NO_PROPOSAL_CHOSEN
    peer.assert_bounded(states=2, ike_sas=1)


@pytest.mark.parametrize("whose", ["the peer's", "ours"])
def test_a_successor_with_an_spi_that_is_in_use_is_another_ike_sa(whose: str) -> None:
    peer = Attacker()
    keyed = peer.first.keyed
    made = peer.replace_ike(keyed.spi_i if whose == "the peer's" else keyed.spi_r)
    assert isinstance(made, Hands)
    assert made.keyed.spi_r not in {keyed.spi_i, keyed.spi_r}
    assert peer.error(INFORMATIONAL, hands=made) is None
    assert peer.error(INFORMATIONAL, Delete(ProtocolId.IKE, (), 0)) is None
    assert peer.error(INFORMATIONAL, hands=made) is None
    peer.assert_bounded(states=2, ike_sas=1)


@pytest.mark.parametrize(
    ("ke", "said"),
    [
        (Ke(KeMethod.CURVE25519, bytes(32)), NotifyType.INVALID_KE_PAYLOAD),
        (Ke(KeMethod(0), b""), NotifyType.INVALID_KE_PAYLOAD),
        (Ke(KeMethod.ECP_256, bytes(64)), NotifyType.INVALID_SYNTAX),
        (Ke(KeMethod.ECP_256, bytes(63) + b"\1"), NotifyType.INVALID_SYNTAX),
        (Ke(KeMethod.ECP_256, b"\xff" * 64), NotifyType.INVALID_SYNTAX),
        (Ke(KeMethod.ECP_256, BYTES), NotifyType.INVALID_SYNTAX),
        (Ke(KeMethod.ECP_256, b""), NotifyType.INVALID_SYNTAX),
    ],
    ids=["other method", "no method", "0", "1", "p and more", "beside the curve", "empty"],
)
def test_a_public_value_that_is_none_makes_no_successor(ke: Ke, said: NotifyType) -> None:
    peer = Attacker()
    payloads, _ = peer.rekey_ike(ke=ke)
    assert peer.error(CREATE, *payloads) is said
    peer.assert_bounded(states=2, ike_sas=1)
    assert len(peer.living()) == (said is not NotifyType.INVALID_SYNTAX)


@pytest.mark.parametrize("value", [0, 1, -1, None], ids=["0", "1", "p - 1", "p"])
def test_a_public_value_of_order_one_or_two_makes_no_successor(value: int | None) -> None:
    peer = Attacker(facing((esp(),), proposals=MODP))
    prime = modp.group(KeMethod.MODP_2048).prime
    number = prime if value is None else value % prime
    payloads, _ = peer.rekey_ike(ke=Ke(KeMethod.MODP_2048, number.to_bytes(256, "big")))
    assert peer.error(CREATE, *payloads) is NotifyType.INVALID_SYNTAX
    peer.assert_bounded(states=0, ike_sas=0)


def test_no_ke_at_all_or_two_make_no_successor() -> None:
    peer = Attacker()
    (sa, nonce, ke), _ = peer.rekey_ike()
    answer = peer.ask(CREATE, sa, nonce)
    assert answer is not None
    assert answer.error_notify == Notify(NotifyType.INVALID_KE_PAYLOAD, b"\0\x13")
    assert peer.error(CREATE, sa, nonce, ke, ke) is NotifyType.INVALID_SYNTAX
    peer.assert_bounded(states=0, ike_sas=0)


@pytest.mark.parametrize("nonces", [(), (NONCE, NONCE)], ids=["none", "two"])
def test_a_number_of_nonces_that_is_not_one_ends_the_ike_sa(nonces: tuple[bytes, ...]) -> None:
    peer = Attacker()
    (sa, _, ke), _ = peer.rekey_ike()
    assert peer.error(CREATE, sa, *(Nonce(octets) for octets in nonces), ke) is NotifyType.INVALID_SYNTAX
    peer.assert_bounded(states=0, ike_sas=0)


@pytest.mark.parametrize("count", [0, 15, 257])
def test_a_nonce_of_a_wrong_length_ends_the_ike_sa(count: int) -> None:
    peer = Attacker()
    (sa, _, ke), _ = peer.rekey_ike()
    assert peer.error(CREATE, sa, UnknownPayload(PayloadType.NONCE, bytes(count)), ke) is NotifyType.INVALID_SYNTAX
    peer.assert_bounded(states=0, ike_sas=0)


def test_a_nonce_used_again_makes_other_keys_all_the_same() -> None:
    peer = Attacker()
    first = peer.replace_ike()
    assert isinstance(first, Hands)
    second = peer.replace_ike(hands=first)
    assert isinstance(second, Hands)
    assert second.keyed.nr != first.keyed.nr
    assert second.keyed.keys.sk_d.reveal() != first.keyed.keys.sk_d.reveal()


def test_of_several_proposals_one_that_can_be_is_taken_and_esp_among_them_none() -> None:
    peer = Attacker()
    (sa, nonce, ke), exchange = peer.rekey_ike()
    (good,) = sa.proposals
    many = (replace(peer.offer(b"\0\1\0\0").proposals[0], number=1), replace(good, number=2))
    answer = peer.ask(CREATE, Sa(many), nonce, ke)
    assert answer is not None
    assert answer.all(Sa)[0].proposals[0].number == 2
    made = peer.succeed(peer.first, answer, exchange, good.spi)
    assert peer.error(CREATE, peer.offer(b"\0\1\0\0"), nonce, ke, hands=made) is NotifyType.NO_PROPOSAL_CHOSEN
    peer.assert_bounded(states=2, ike_sas=2)


def test_an_unknown_critical_payload_is_named_and_ends_nothing() -> None:
    peer = Attacker()
    critical = UnknownPayload(PayloadType(200), b"x", flags=0x80)
    for exchange, payloads in ((INFORMATIONAL, ()), (CREATE, peer.new(b"\0\1\0\0")), (CREATE, peer.rekey_ike()[0])):
        answer = peer.ask(exchange, critical, *payloads)
        assert answer is not None
        assert answer.error_notify == Notify(NotifyType.UNSUPPORTED_CRITICAL_PAYLOAD, b"\xc8")
    peer.assert_bounded(states=2, ike_sas=1)
    assert len(peer.living()) == 1


def test_requests_outside_the_window_come_to_nothing_while_the_ike_sa_is_rekeyed() -> None:
    peer = Attacker()
    rekey_ours(peer)
    for number in (peer.first.number + 1, peer.first.number + 100, 0xFFFFFFFF):
        assert peer.send(peer.seal(CREATE, *peer.rekey_ike()[0], hands=peer.first, number=number)) is None
        assert peer.victim.recorder.drop_reasons[-1] is DropReason.OUTSIDE_WINDOW
    peer.assert_bounded(states=2, ike_sas=1)


# -- crossings ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lowest", LOWEST)
def test_a_crossing_whose_request_is_answered_last_is_decided_by_the_nonces(lowest: str) -> None:
    stage = staged(lowest=lowest)
    stage.rekey_ike(stage.left)
    stage.rekey_ike(stage.right)
    stage.deliver(stage.left)
    held = [0]
    stage.left.hold = lambda effect: (
        isinstance(effect, ComputeSharedSecret) and not held.__setitem__(0, held[0] + 1) and held[0] == 1
    )
    stage.deliver(stage.right)  # the peer's request: its key exchange takes a while
    stage.deliver(stage.right)  # the answer to ours
    stage.left.hold = lambda effect: False
    stage.left.release(stage.pair.now)
    stage._collect()
    stage.end()
    winner = "right" if loses("left", lowest) else "left"
    assert stage.left.sa.initiator is (winner == "left")


@pytest.mark.parametrize("nonce", [bytes(32), b"\xff" * 32], ids=["lost", "won"])
@pytest.mark.parametrize("then", ["nothing", "deletes neither", "deletes both", "deletes the old one"])
def test_a_crossing_that_the_peer_does_not_clear_up_ends_in_one_ike_sa_at_most(nonce: bytes, then: str) -> None:
    peer = Attacker()
    asked = rekey_ours(peer)
    payloads, exchange = peer.rekey_ike(nonce=nonce)
    answer = peer.ask(CREATE, *payloads)
    assert answer is not None
    theirs = peer.succeed(peer.first, answer, exchange, b"\x11" * 8, ni=nonce)
    ours = peer.grant_ike(asked, nonce=b"\xff" * 32 if nonce == bytes(32) else bytes(32))
    end = Delete(ProtocolId.IKE, (), 0)
    if then == "deletes both":
        for hands in (theirs, ours):
            peer.ask(INFORMATIONAL, end, hands=hands)
    elif then == "deletes the old one":
        peer.ask(INFORMATIONAL, end)
    elif then == "deletes neither":
        peer.answers = lambda _: ()
    peer.pass_time(1500)
    peer.assert_bounded(states=2, ike_sas=1)
    if then == "deletes neither":
        assert [sa.channel.spi_r for sa in peer.living()] == [(ours if nonce == bytes(32) else theirs).keyed.spi_r]
        assert len(peer.victim.sa.children) == 1


def test_an_answer_with_our_own_nonce_decides_no_crossing_twice() -> None:
    peer = Attacker()
    asked = rekey_ours(peer)
    (nonce,) = asked.message.all(Nonce)
    payloads, exchange = peer.rekey_ike(nonce=nonce.octets)
    answer = peer.ask(CREATE, *payloads)
    assert answer is not None
    peer.succeed(peer.first, answer, exchange, b"\x11" * 8, ni=nonce.octets)
    peer.grant_ike(asked, nonce=nonce.octets)
    peer.answers = lambda _: ()
    peer.pass_time(600)
    assert phases(peer) == ["Established"]
    peer.assert_bounded(states=2, ike_sas=1)
