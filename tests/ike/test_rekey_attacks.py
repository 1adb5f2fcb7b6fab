"""A peer that is who it says and means no good, against children: rekeyings, deletes, answers (RFC 7296 §1.3.3, §1.4.1, §2.8).

Each attack ends in the right notify, in no exception, and in tables, timers and kernel states that are bounded.
IKE SAs: test_rekey_attacks_ike.py. Octets that are wrong: tests/hostile.
"""

from __future__ import annotations

import pytest

from ikepy.ike import child_table, viewing
from ikepy.ike.events import ChildSaDown
from ikepy.ipsec import Mode
from ikepy.wire.notify import Notify
from ikepy.wire.payloads import Delete, Ke
from ikepy.wire.registry import KeMethod, NotifyType, ProtocolId
from ikepy.wire.ts import TsI, TsR
from tests.hostile.attacker import CREATE, INFORMATIONAL, NONCE, Attacker, deleted
from tests.support.pair import networks
from tests.support.stage import SPARE, esp, facing

KE = facing((esp("aes256gcm16-ecp256"),))
TRANSPORT = facing((esp(mode=Mode.TRANSPORT, local="192.0.2.1/32", remote="192.0.2.2/32"),))
WIDE = facing((esp(local="10.1.0.0/16", remote="10.2.0.0/16"),))
TWO = facing((esp(), SPARE))


def without_spare() -> Attacker:
    """The peer of a victim that may want one more child."""
    peer = Attacker(TWO)
    assert peer.error(INFORMATIONAL, deleted(peer.spi_of("spare"))) is None
    return peer


def spi(number: int) -> bytes:
    """An SPI of the peer's."""
    return (0x10000 + number).to_bytes(4, "big")


# -- many ----------------------------------------------------------------------------------------------------------------


def test_a_child_that_was_rekeyed_is_not_rekeyed_again() -> None:
    peer = Attacker()
    old = peer.spi_of()
    assert peer.error(CREATE, *peer.rekey(old, spi(0))) is None
    for number in range(1, 20):
        assert peer.error(CREATE, *peer.rekey(old, spi(number))) is NotifyType.TEMPORARY_FAILURE
    peer.assert_bounded(states=3, ike_sas=1)


def test_the_child_of_a_rekeying_is_not_rekeyed_before_it_is_used() -> None:
    peer = Attacker()
    old = peer.spi_of()
    assert peer.error(CREATE, *peer.rekey(old, spi(0))) is None
    assert peer.error(CREATE, *peer.rekey(spi(0), spi(1))) is NotifyType.TEMPORARY_FAILURE
    assert peer.error(INFORMATIONAL, deleted(old)) is None
    assert peer.error(CREATE, *peer.rekey(spi(0), spi(1))) is None
    peer.assert_bounded(states=6, ike_sas=1)


def test_children_that_are_used_rekeyed_and_never_deleted_are_no_more_than_there_is_room(monkeypatch) -> None:
    monkeypatch.setattr(viewing, "MOST_CHILDREN", 8)
    peer, errors = Attacker(), set()
    newest = peer.spi_of()
    for number in range(40):
        error = peer.error(CREATE, *peer.rekey(newest, spi(number)))
        errors.add(error)
        if error is None:
            newest = spi(number)
            for state in peer.victim.kernel.states.values():
                peer.victim.kernel.packets[state.id] = 1  # packets come by whatever there is
        peer.pass_time(2)
    assert errors == {None, NotifyType.TEMPORARY_FAILURE}
    peer.assert_bounded(states=2 * 16, ike_sas=1)
    peer.pass_time(600)
    assert len(peer.victim.sa.children) == 1
    peer.assert_bounded(states=2, ike_sas=1)


def test_children_rekeyed_and_deleted_without_a_pause_leave_few_that_wait_for_packets_in_flight(monkeypatch) -> None:
    monkeypatch.setattr(viewing, "MOST_CHILDREN", 8)
    peer = Attacker()
    weights = []
    for number in range(100):
        old = peer.spi_of()
        assert peer.error(CREATE, *peer.rekey(old, spi(number))) is None
        assert peer.error(INFORMATIONAL, deleted(old)) is None
        peer.assert_bounded(states=2 + 2 * 8, ike_sas=1)
        if number in {49, 99}:
            peer.victim.recorder.__init__()
            weights.append(peer.weight())
    assert weights[1] <= weights[0] + 150
    peer.pass_time(60)
    assert len(peer.victim.kernel.states) == 2


def test_a_child_rekeyed_and_taken_back_two_hundred_times_is_one_child() -> None:
    peer = Attacker()
    old, weights = peer.spi_of(), []
    for number in range(200):
        assert peer.error(CREATE, *peer.rekey(old, spi(number))) is None
        assert peer.error(INFORMATIONAL, deleted(spi(number))) is None
        if number in {99, 199}:
            peer.victim.recorder.__init__()
            weights.append(peer.weight())
    peer.assert_bounded(states=2, ike_sas=1)
    assert weights[1] <= weights[0] + 150
    assert [child.state for child in peer.victim.sa.children] == ["INSTALLED"]


def test_a_child_that_lost_a_crossing_is_not_rekeyed_but_deleted() -> None:
    peer = Attacker()
    old = peer.spi_of()
    peer.answers = lambda _: None
    peer.make(peer.victim.endpoint.rekey(peer.pair.now, child_ids=(peer.victim.sa.children[0].unique_id,)))
    assert peer.error(CREATE, *peer.rekey(old, spi(0), nonce=bytes(32))) is None
    peer.answer(peer.asked[0], *peer.grant(spi(1), nonce=b"\xff" * 32))
    assert peer.error(CREATE, *peer.rekey(spi(0), spi(2))) is NotifyType.TEMPORARY_FAILURE
    peer.answers = lambda _: ()
    peer.pass_time(400)
    assert peer.spi_of() == spi(1)
    peer.assert_bounded(states=2, ike_sas=1)


def test_wishes_do_not_pile_up_while_the_peer_keeps_silent() -> None:
    peer = without_spare()
    peer.answers = lambda asked: (
        peer.grant(spi(999), nonce=b"\xff" * 32) if asked.message.notify(NotifyType.REKEY_SA) else ()
    )
    peer.make(peer.victim.endpoint.rekey(peer.pair.now, child_ids=(peer.victim.sa.children[0].unique_id,)))
    peer.answers = lambda _: None
    peer.make(peer.victim.endpoint.initiate("site", "spare", peer.pair.now))
    for number in range(150):
        assert peer.error(CREATE, *peer.new(spi(number))) is None
        assert peer.error(INFORMATIONAL, deleted(spi(number))) is None
    peer.assert_bounded(states=6, ike_sas=1)
    assert len(peer.living()[0].pending) <= 2


def test_children_of_one_spi_are_no_more_than_one() -> None:
    peer = Attacker()
    old = peer.spi_of()
    assert peer.error(CREATE, *peer.new(spi(0))) is None
    assert peer.error(CREATE, *peer.new(spi(0))) is NotifyType.NO_ADDITIONAL_SAS
    assert peer.error(CREATE, *peer.rekey(old, spi(0))) is not None
    assert peer.error(CREATE, *peer.rekey(old, old)) is not None
    peer.pass_time(600)
    peer.assert_bounded(states=4, ike_sas=1)


def test_an_heir_that_the_peer_neither_uses_nor_lets_follow_comes_in_the_old_childs_place_all_the_same() -> None:
    peer = Attacker()
    assert peer.error(CREATE, *peer.rekey(peer.spi_of(), spi(0))) is None
    peer.pass_time(100)
    assert len(peer.victim.sa.children) == 2
    peer.pass_time(300)
    assert [child.spec.outbound.spi for child in peer.victim.sa.children] == [0x10000]
    peer.assert_bounded(states=2, ike_sas=1)


def test_a_child_whose_heir_is_used_makes_way_quietly_however_many_were_replaced_meanwhile(monkeypatch) -> None:
    monkeypatch.setattr(child_table, "MOST_HEIRS", 3)
    peer = Attacker(facing((esp(local="10.1.0.0/16", remote="10.2.0.0/16"),)))
    olds = [peer.spi_of()]
    for number in range(6):
        assert peer.error(CREATE, *peer.new(spi(number))) is None
        olds.append(spi(number))
    for number, old in enumerate(olds):
        assert peer.error(CREATE, *peer.rekey(old, spi(100 + number))) is None
    peer.victim.kernel.packets.update(dict.fromkeys(peer.victim.kernel.states, 1))
    peer.pass_time(3)
    assert peer.error(INFORMATIONAL, deleted(*olds)) is None
    assert not [event for event in peer.victim.events if isinstance(event, ChildSaDown)]
    peer.pass_time(10)
    peer.assert_bounded(states=14, ike_sas=1)


# -- which child -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "octets",
    [b"", b"\0\0\0", b"\0\0\0\0", bytes(8), b"\xff" * 4, bytes(255)],
    ids=lambda octets: f"{len(octets)} {octets[:1].hex()}",
)
def test_a_rekeying_of_no_child_is_told_so(octets: bytes) -> None:
    peer = Attacker()
    assert peer.error(CREATE, *peer.rekey(octets, spi(0))) is NotifyType.CHILD_SA_NOT_FOUND
    peer.assert_bounded(states=2, ike_sas=1)


def test_a_rekeying_that_names_our_spi_or_another_protocol_is_of_no_child() -> None:
    peer = Attacker()
    child = peer.victim.sa.children[0]
    ours = child.spec.inbound.spi.to_bytes(4, "big")
    assert peer.error(CREATE, *peer.rekey(ours, spi(0))) is NotifyType.CHILD_SA_NOT_FOUND
    for protocol in (ProtocolId.AH, ProtocolId.IKE, ProtocolId(0), ProtocolId(200)):
        rekey = Notify(NotifyType.REKEY_SA, b"", protocol, peer.spi_of())
        said = peer.error(CREATE, rekey, *peer.new(spi(0)))
        assert said is NotifyType.CHILD_SA_NOT_FOUND, protocol
    peer.assert_bounded(states=2, ike_sas=1)


def test_a_child_of_another_ike_sa_or_one_that_is_gone_is_not_rekeyed() -> None:
    peer = Attacker()
    old = peer.spi_of()
    made = peer.replace_ike()
    assert peer.error(CREATE, *peer.rekey(old, spi(0))) is NotifyType.TEMPORARY_FAILURE
    peer.hands = made
    assert peer.error(INFORMATIONAL, deleted(old)) is None
    assert peer.error(CREATE, *peer.rekey(old, spi(0))) is NotifyType.CHILD_SA_NOT_FOUND
    peer.assert_bounded(states=0, ike_sas=2)


def test_a_child_we_are_deleting_is_not_rekeyed() -> None:
    peer = Attacker()
    peer.answers = lambda _: None
    old = peer.spi_of()
    peer.victim.terminate_child(peer.victim.sa.children[0].unique_id)
    assert peer.error(CREATE, *peer.rekey(old, spi(0))) is NotifyType.TEMPORARY_FAILURE
    peer.assert_bounded(states=2, ike_sas=1)


def test_of_two_rekey_notifies_no_more_than_one_child_comes() -> None:
    peer = Attacker()
    more = Notify(NotifyType.REKEY_SA, b"", ProtocolId.ESP, b"abcd")
    peer.error(CREATE, more, *peer.rekey(peer.spi_of(), spi(0)))
    peer.error(CREATE, *peer.rekey(peer.spi_of(), spi(1)), more)
    peer.assert_bounded(states=3, ike_sas=1)


def test_a_rekey_notify_without_selectors_is_for_no_child() -> None:
    peer = Attacker()
    rekey, offer, nonce, *_ = peer.rekey(peer.spi_of(), spi(0))
    assert peer.error(CREATE, rekey, offer, nonce) is NotifyType.NO_PROPOSAL_CHOSEN
    peer.assert_bounded(states=2, ike_sas=1)


# -- what for ----------------------------------------------------------------------------------------------------------------


def test_a_rekeying_gives_no_more_than_the_policy_and_no_other_child() -> None:
    peer = Attacker(facing((esp(local="10.1.0.0/16", remote="10.2.0.0/16"), SPARE)))
    rekey, offer, nonce, *_ = peer.rekey(peer.spi_of(), spi(0))
    everything = TsI(networks("0.0.0.0/0", "::/0")), TsR(networks("0.0.0.0/0", "::/0"))
    answer = peer.ask(CREATE, rekey, offer, nonce, *everything)
    assert answer is not None
    assert answer.all(TsI)[0].selectors == networks("10.1.0.0/16")
    assert answer.all(TsR)[0].selectors == networks("10.2.0.0/16")
    peer.assert_bounded(states=5, ike_sas=1)


@pytest.mark.parametrize(
    "ts",
    [
        (networks("10.1.9.0/24"), networks("10.2.9.0/24")),
        (networks("192.0.2.1/32"), networks("192.0.2.2/32")),
        (networks("fd00::/64"), networks("fd01::/64")),
    ],
    ids=["of another child", "of the gateways", "of another family"],
)
def test_a_rekeying_with_selectors_of_another_is_refused(ts: tuple) -> None:
    peer = Attacker(TWO)
    rekey, offer, nonce, *_ = peer.rekey(peer.spi_of(), spi(0))
    said = peer.error(CREATE, rekey, offer, nonce, TsI(ts[0]), TsR(ts[1]))
    assert said is NotifyType.TS_UNACCEPTABLE
    assert peer.error(CREATE, *peer.rekey(peer.spi_of(), spi(0))) is None
    peer.assert_bounded(states=5, ike_sas=1)


def test_selectors_of_no_count_end_the_ike_sa_at_most() -> None:
    peer = Attacker()
    rekey, offer, nonce, *_ = peer.rekey(peer.spi_of(), spi(0))
    peer.ask(CREATE, rekey, offer, nonce, TsI(()), TsR(()))
    peer.assert_bounded(states=2, ike_sas=1)


def test_transport_mode_comes_neither_to_a_tunnel_nor_goes_from_a_child_that_has_it() -> None:
    peer = Attacker()
    use = Notify(NotifyType.USE_TRANSPORT_MODE)
    answer = peer.ask(CREATE, use, *peer.rekey(peer.spi_of(), spi(0)))
    assert answer is not None
    assert answer.notify(NotifyType.USE_TRANSPORT_MODE) is None
    assert {state.mode for state in peer.victim.kernel.states.values()} == {Mode.TUNNEL}
    peer = Attacker(TRANSPORT)
    assert peer.error(CREATE, *peer.rekey(peer.spi_of(), spi(0))) is NotifyType.NO_PROPOSAL_CHOSEN
    assert {state.mode for state in peer.victim.kernel.states.values()} == {Mode.TRANSPORT}


@pytest.mark.parametrize("octets", [b"", b"\0\0\0\x01", b"\0\0\0\xff", b"\1\1\1", bytes(8), b"\1" * 8], ids=bytes.hex)
def test_an_offer_with_an_spi_that_is_none_is_refused(octets: bytes) -> None:
    peer = Attacker()
    assert peer.error(CREATE, *peer.rekey(peer.spi_of(), octets)) is NotifyType.NO_PROPOSAL_CHOSEN
    assert peer.error(CREATE, *peer.new(octets)) is NotifyType.NO_PROPOSAL_CHOSEN
    peer.assert_bounded(states=2, ike_sas=1)


@pytest.mark.parametrize(
    "public", [bytes(64), bytes(63) + b"\x01", b"\xff" * 64, bytes(3)], ids=lambda p: f"{len(p)}{p[-1]}"
)
def test_a_public_value_outside_its_group_makes_no_child(public: bytes) -> None:
    peer = Attacker(KE)
    assert (
        peer.error(CREATE, *peer.rekey(peer.spi_of(), spi(0), "net", NONCE, Ke(KeMethod.ECP_256, public))) is not None
    )
    assert len(peer.victim.kernel.states) <= 2
    peer.assert_bounded(states=2, ike_sas=1)


def test_no_ke_or_one_of_another_method_is_answered_with_the_method_that_would_do() -> None:
    peer = Attacker(KE)
    for extra in ((), (Ke(KeMethod.CURVE25519, bytes(32)),), (Ke(KeMethod(60000), b"x"),)):
        answer = peer.ask(CREATE, *peer.rekey(peer.spi_of(), spi(0), "net", NONCE, *extra))
        assert answer is not None
        assert answer.error_notify == Notify(NotifyType.INVALID_KE_PAYLOAD, b"\0\x13")
    peer.assert_bounded(states=2, ike_sas=1)


# -- deletes -----------------------------------------------------------------------------------------------------------------


def test_a_delete_of_all_spis_that_fit_is_answered_at_once_and_deletes_what_there_is(monkeypatch) -> None:
    peer = Attacker()
    own = peer.spi_of()
    many = tuple(number.to_bytes(4, "big") for number in range(256, 16000))
    monkeypatch.setattr(child_table.ChildTable, "by_spi_out", None)  # children are not gone through for each
    answer = peer.ask(INFORMATIONAL, deleted(*many, own, own, *many[:300], own))
    assert answer is not None
    (said,) = answer.all(Delete)
    assert len(said.spis) == 1
    peer.assert_bounded(states=0, ike_sas=1)


@pytest.mark.parametrize(
    "delete",
    [
        Delete(ProtocolId.ESP, (bytes(8),), 8),
        Delete(ProtocolId.ESP, (), 4),
        Delete(ProtocolId.ESP, (), 0),
        Delete(ProtocolId.AH, (b"abcd",), 4),
        Delete(ProtocolId(77), (b"abcd",), 4),
        Delete(ProtocolId.ESP, (b"abcd", b"abcd", bytes(4)), 4),
    ],
    ids=lambda delete: delete.summary() if hasattr(delete, "summary") else str(delete)[:40],
)
def test_a_delete_of_nothing_we_have_gets_an_empty_answer(delete: Delete) -> None:
    peer = Attacker()
    answer = peer.ask(INFORMATIONAL, delete)
    assert answer is not None
    assert not answer.payloads
    peer.assert_bounded(states=2, ike_sas=1)
    assert len(peer.victim.sa.children) == 1


def test_a_delete_by_our_own_spi_deletes_nothing() -> None:
    peer = Attacker()
    ours = peer.victim.sa.children[0].spec.inbound.spi.to_bytes(4, "big")
    answer = peer.ask(INFORMATIONAL, deleted(ours))
    assert answer is not None
    assert not answer.payloads
    assert len(peer.victim.kernel.states) == 2


def test_the_end_of_the_ike_sa_among_deletes_ends_all() -> None:
    peer = Attacker()
    answer = peer.ask(INFORMATIONAL, deleted(peer.spi_of()), Delete(ProtocolId.IKE, (), 0), deleted(b"abcd"))
    assert answer is not None
    assert not answer.payloads
    peer.pass_time(60)
    peer.assert_bounded(states=0, ike_sas=0)


def test_a_delete_of_whatever_may_come_while_we_make_a_child_is_remembered_within_bounds() -> None:
    peer = without_spare()
    peer.answers = lambda _: None
    peer.make(peer.victim.endpoint.initiate("site", "spare", peer.pair.now))
    peer.ask(INFORMATIONAL, deleted(*(number.to_bytes(4, "big") for number in range(256, 16000))))
    (sa,) = peer.living()
    assert len(sa.deleted_ahead) <= viewing.MOST_CHILDREN
    peer.answer(peer.asked[0], *peer.grant((300).to_bytes(4, "big"), "spare"))
    peer.answers = lambda _: ()
    peer.pass_time(60)
    peer.assert_bounded(states=2, ike_sas=1)
