"""A peer that answers each request of ours badly, for ever; and a kernel that tells too much, too late, or of nothing we know.

Nothing is asked in a tight loop: what is sent in a virtual hour is counted.
"""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network

import pytest

from ikepy.config.model import StartAction
from ikepy.ike.events import Acquire, Expire
from ikepy.ipsec import SaId, Selector, Spi
from ikepy.wire.base import Payload
from ikepy.wire.notify import Notify
from ikepy.wire.payloads import Ke, Nonce, UnknownPayload
from ikepy.wire.registry import KeMethod, NotifyType, PayloadType, ProtocolId
from ikepy.wire.sa import Sa
from ikepy.wire.ts import TsI, TsR
from tests.hostile.attacker import CREATE, INFORMATIONAL, NONCE, Attacker, deleted
from tests.support import mirror
from tests.support.pair import RIGHT, networks
from tests.support.stage import SPARE, esp, facing

HOUR = 3600.0
MOST_AN_HOUR = 150
"Datagrams: 60 tries with two each, and some repeats."
TIMED = facing(
    (
        esp("aes256gcm16-ecp256", "aes256gcm16-ecp384", rekey_time=600.0),
        esp(name="spare", local="10.1.9.0/24", remote="10.2.9.0/24"),
    ),
    rekey_time=1500.0,
)
ERRORS = {
    "TEMPORARY_FAILURE": Notify(NotifyType.TEMPORARY_FAILURE),
    "NO_ADDITIONAL_SAS": Notify(NotifyType.NO_ADDITIONAL_SAS),
    "CHILD_SA_NOT_FOUND": Notify(NotifyType.CHILD_SA_NOT_FOUND, b"", ProtocolId.ESP, b"abcd"),
    "CHILD_SA_NOT_FOUND of AH": Notify(NotifyType.CHILD_SA_NOT_FOUND, b"", ProtocolId.AH, bytes(8)),
    "NO_PROPOSAL_CHOSEN": Notify(NotifyType.NO_PROPOSAL_CHOSEN, b"?", ProtocolId.IKE, bytes(8)),
    "TS_UNACCEPTABLE": Notify(NotifyType.TS_UNACCEPTABLE),
    "INVALID_KE_PAYLOAD, none": Notify(NotifyType.INVALID_KE_PAYLOAD, b"\0\0"),
    "INVALID_KE_PAYLOAD, what we sent": Notify(NotifyType.INVALID_KE_PAYLOAD, b"\0\x13"),
    "INVALID_KE_PAYLOAD, another": Notify(NotifyType.INVALID_KE_PAYLOAD, b"\0\x14"),
    "INVALID_KE_PAYLOAD of no octets": Notify(NotifyType.INVALID_KE_PAYLOAD),
    "INVALID_SYNTAX": Notify(NotifyType.INVALID_SYNTAX),
    "UNSUPPORTED_CRITICAL_PAYLOAD": Notify(NotifyType.UNSUPPORTED_CRITICAL_PAYLOAD, b"\x28"),
    "AUTHENTICATION_FAILED": Notify(NotifyType.AUTHENTICATION_FAILED),
    "INVALID_IKE_SPI": Notify(NotifyType.INVALID_IKE_SPI),
    "an unknown error": Notify(NotifyType(8191), b"x" * 100),
    "a private error": Notify(NotifyType(16383)),
    "a status": Notify(NotifyType.MOBIKE_SUPPORTED),
}
WISHES = {
    "child": lambda endpoint, child, now: endpoint.rekey(now, child_ids=(child.unique_id,)),
    "IKE SA": lambda endpoint, child, now: endpoint.rekey(now, ike_ids=(1,)),
    "new child": lambda endpoint, child, now: endpoint.initiate("site", "spare", now),
    "delete": lambda endpoint, child, now: endpoint.terminate(now, child_ids=(child.unique_id,)),
    "end": lambda endpoint, child, now: endpoint.terminate(now, ike_ids=(1,)),
    "reauthentication": lambda endpoint, child, now: endpoint.rekey(now, ike_ids=(1,), reauth=True),
}


def begun(wish: str, configs=TIMED) -> Attacker:
    """A victim that has asked for something; the `spare` child is not there."""
    peer = Attacker(configs)
    if len(peer.victim.sa.children) > 1:
        assert peer.error(INFORMATIONAL, deleted(peer.spi_of("spare"))) is None
    peer.answers = lambda _: None
    peer.make(WISHES[wish](peer.victim.endpoint, peer.victim.sa.children[0], peer.pair.now))
    return peer


# -- errors for ever -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("wish", WISHES)
def test_an_error_for_ever_is_asked_for_seldom(wish: str, error: str) -> None:
    peer = begun(wish)
    if peer.asked:
        peer.answer(peer.asked[-1], ERRORS[error])
    peer.answers = lambda _: (ERRORS[error],)
    peer.pass_time(HOUR)
    assert peer.datagrams <= MOST_AN_HOUR
    peer.assert_bounded(states=6, ike_sas=3)


def test_invalid_syntax_as_an_answer_ends_the_ike_sa_on_both_sides_without_a_delete() -> None:
    for wish in ("child", "IKE SA", "new child"):
        peer = begun(wish)
        peer.answer(peer.asked[-1], Notify(NotifyType.INVALID_SYNTAX))
        assert not peer.living()
        assert len(peer.asked) == 1
        peer.assert_bounded(states=0, ike_sas=0)


def test_a_deleted_child_goes_though_the_answer_cannot_be_read() -> None:
    peer = begun("delete")
    peer.answer(peer.asked[-1], UnknownPayload(PayloadType(128), b"?", flags=0x80))
    assert [len(sa.children) for sa in peer.victim.sas] == [0]
    mirror._assert_calm(peer.victim)
    peer.assert_bounded(states=0, ike_sas=1)


def test_temporary_failures_hours_apart_do_not_end_the_ike_sa() -> None:
    peer = Attacker()
    for number in range(4):
        peer.answers = lambda _: (Notify(NotifyType.TEMPORARY_FAILURE),)
        child = peer.victim.sa.children[0]
        peer.make(peer.victim.endpoint.rekey(peer.pair.now, child_ids=(child.unique_id,)))
        peer.answers = lambda _: ()
        # The peer rekeys it itself: nobody tries again.
        old, new = peer.spi_of(), (0x10000 + number).to_bytes(4, "big")
        assert peer.error(peer.asked[0].message.header.exchange, *peer.rekey(old, new)) is None
        assert peer.error(INFORMATIONAL, deleted(old)) is None
        peer.pass_time(HOUR)
        assert len(peer.victim.sa.children) == 1


def test_nothing_but_temporary_failure_ends_the_ike_sa_after_minutes() -> None:
    peer = begun("child")
    peer.answers = lambda _: (Notify(NotifyType.TEMPORARY_FAILURE),)
    peer.pass_time(400)
    assert not peer.living()


@pytest.mark.parametrize("wish", WISHES)
def test_silence_for_ever_ends_the_ike_sa_and_all_it_had(wish: str) -> None:
    peer = begun(wish)
    peer.pass_time(HOUR)
    assert peer.datagrams <= MOST_AN_HOUR
    peer.assert_bounded(states=0 if wish != "reauthentication" else 2, ike_sas=2)


# -- answers that are none ---------------------------------------------------------------------------------------------------


def bad_child_answers(peer: Attacker) -> dict[str, tuple[Payload, ...]]:
    """What a peer may say to a wish for a child without KE, by what is wrong with it."""
    spi = b"\0\1\0\0"
    sa, nonce, tsi, tsr = peer.grant(spi)
    (proposal,) = sa.proposals
    other = esp("aes128gcm16").esp_proposals[0]
    transforms = tuple({each.type: each for each in other.transforms}.values())
    return {
        "not offered": (Sa((replace(proposal, transforms=transforms),)), nonce, tsi, tsr),
        "another number": (Sa((replace(proposal, number=9),)), nonce, tsi, tsr),
        "of IKE": (Sa((replace(proposal, protocol=ProtocolId.IKE),)), nonce, tsi, tsr),
        "all that was offered": (peer.offer(spi), nonce, tsi, tsr),
        "two": (Sa((proposal, replace(proposal, number=2))), nonce, tsi, tsr),
        "no transforms": (Sa((replace(proposal, transforms=()),)), nonce, tsi, tsr),
        "SPI 0": (Sa((replace(proposal, spi=bytes(4)),)), nonce, tsi, tsr),
        "SPI 255": (Sa((replace(proposal, spi=b"\0\0\0\xff"),)), nonce, tsi, tsr),
        "no SPI": (Sa((replace(proposal, spi=b""),)), nonce, tsi, tsr),
        "SPI of 8 octets": (Sa((replace(proposal, spi=b"\1" * 8),)), nonce, tsi, tsr),
        "SPI of 255 octets": (Sa((replace(proposal, spi=b"\1" * 255),)), nonce, tsi, tsr),
        "the SPI of the old child": (Sa((replace(proposal, spi=peer.spi_of()),)), nonce, tsi, tsr),
        "wider": (sa, nonce, TsI(networks("10.0.0.0/8")), tsr),
        "everything": (sa, nonce, TsI(networks("0.0.0.0/0")), TsR(networks("0.0.0.0/0"))),
        "nothing": (sa, nonce, TsI(()), TsR(())),
        "the other way round": (sa, nonce, TsI(tsr.selectors), TsR(tsi.selectors)),
        "transport": (Notify(NotifyType.USE_TRANSPORT_MODE), sa, nonce, tsi, tsr),
        "no nonce": (sa, tsi, tsr),
        "no selectors": (sa, nonce),
        "empty": (),
    }


@pytest.mark.parametrize("wish", ["child", "new child"])
def test_an_answer_that_is_none_leaves_the_old_child_or_ends_the_ike_sa(wish: str) -> None:
    names = bad_child_answers(Attacker())
    for name in names:
        peer = begun(wish, facing((esp(),)) if wish == "child" else facing((esp(), SPARE)))
        said = bad_child_answers(peer)[name]
        before = set(peer.victim.kernel.states)
        peer.answers = lambda _: ()
        peer.answer(peer.asked[0], *said)
        peer.listen()
        peer.pass_time(10)
        assert set(peer.victim.kernel.states) in (before, set()), name
        peer.assert_bounded(states=2, ike_sas=1)


def test_a_ke_payload_nobody_asked_for_is_no_part_of_the_keys_and_a_missing_one_is_no_answer() -> None:
    peer = begun("child", facing((esp("aes256gcm16-ecp256"),)))
    peer.answers = lambda _: ()
    peer.answer(peer.asked[0], *peer.grant(b"\0\1\0\0"))
    peer.listen()
    assert peer.spi_of() != b"\0\1\0\0"
    peer = begun("child", facing((esp(),)))
    sa, nonce, *selectors = peer.grant(b"\0\1\0\0")
    peer.answers = lambda _: ()
    peer.answer(peer.asked[0], sa, nonce, Ke(KeMethod.ECP_256, bytes(64)), *selectors)
    peer.listen()
    peer.pass_time(10)
    peer.assert_bounded(states=2, ike_sas=1)


@pytest.mark.parametrize(
    "public", [bytes(64), b"\xff" * 64, b"", bytes(range(64))], ids=["0", "p and more", "none", "beside"]
)
def test_a_public_value_that_is_none_in_an_answer_ends_the_ike_sa(public: bytes) -> None:
    peer = begun("IKE SA")
    (sa,) = peer.asked[0].message.all(Sa)
    answer = Sa((replace(sa.proposals[0], spi=b"\x22" * 8),)), Nonce(NONCE), Ke(KeMethod.ECP_256, public)
    peer.answer(peer.asked[0], *answer)
    peer.answers = lambda _: ()
    peer.pass_time(60)
    peer.assert_bounded(states=0, ike_sas=0)


@pytest.mark.parametrize("octets", [b"", bytes(8), bytes(4), b"\1" * 9], ids=bytes.hex)
def test_a_successor_with_no_spi_in_an_answer_leaves_the_ike_sa_as_it_is(octets: bytes) -> None:
    peer = begun("IKE SA")
    (sa,), (ke,) = peer.asked[0].message.all(Sa), peer.asked[0].message.all(Ke)
    peer.answer(peer.asked[0], Sa((replace(sa.proposals[0], spi=octets),)), Nonce(NONCE), ke)
    peer.assert_bounded(states=2, ike_sas=1)
    assert peer.error(INFORMATIONAL) is None


# -- crossings of children -----------------------------------------------------------------------------------------------------

OLD, OURS, THEIRS = b"old ", b"\0\1\0\0", b"\0\1\0\1"


@pytest.mark.parametrize("wins", [True, False], ids=["wins", "loses"])
@pytest.mark.parametrize(
    "doomed",
    [(), (OLD,), (OURS,), (THEIRS,), (OURS, THEIRS), (OLD, OURS, THEIRS), (THEIRS, THEIRS, OLD)],
    ids=["nothing", "the old", "ours", "theirs", "both new", "all", "theirs twice and the old"],
)
def test_a_crossing_ends_in_one_child_at_most_whoever_wins_and_whatever_the_peer_deletes(
    doomed: tuple[bytes, ...], wins: bool
) -> None:
    peer = begun("child", facing((esp(),)))
    old = peer.spi_of()
    theirs, ours = (b"\xff" * 32, bytes(32)) if wins else (bytes(32), b"\xff" * 32)
    assert peer.error(CREATE, *peer.rekey(old, THEIRS, nonce=theirs)) is None
    peer.answer(peer.asked[0], *peer.grant(OURS, nonce=ours))
    peer.listen()
    for spi in doomed:
        assert peer.error(INFORMATIONAL, deleted(old if spi == OLD else spi)) is None
    peer.answers = lambda _: ()
    peer.pass_time(1500)
    peer.assert_bounded(states=2, ike_sas=1)
    mirror._assert_calm(peer.victim)
    left = [child.spec.outbound.spi.to_bytes(4, "big") for child in peer.victim.sa.children]
    winner = THEIRS if wins else OURS
    assert left in (([], [old]) if winner in doomed else ([winner],))


# -- the kernel ----------------------------------------------------------------------------------------------------------------


def test_expiries_of_states_we_do_not_know_or_that_are_going_come_to_nothing() -> None:
    peer = Attacker()
    old = peer.victim.sa.children[0].spec
    for hard in (False, True):
        event = Expire(SaId(RIGHT, ProtocolId.ESP, Spi(0xDEAD)), hard=hard)
        peer.make(peer.victim.endpoint.kernel_event(event, peer.pair.now))
    assert not peer.asked
    assert peer.error(INFORMATIONAL, deleted(peer.spi_of())) is None
    for name in (old.inbound.id, old.outbound.id):
        peer.make(peer.victim.endpoint.kernel_event(Expire(name, hard=True), peer.pair.now))
    assert not peer.asked
    peer.assert_bounded(states=0, ike_sas=1)


def test_hard_before_soft_and_each_a_hundred_times_makes_one_child_anew() -> None:
    peer = Attacker()
    name = peer.victim.sa.children[0].spec.inbound.id
    peer.answers = lambda _: None
    for hard in (True, False) * 100:
        peer.make(peer.victim.endpoint.kernel_event(Expire(name, hard=hard), peer.pair.now))
    peer.answers = lambda asked: peer.grant(b"\0\1\0\0") if asked.message.all(Sa) else ()
    peer.answer(peer.asked[0])
    peer.pass_time(60)
    assert [child.spec.outbound.spi for child in peer.victim.sa.children] == [0x10000]
    peer.assert_bounded(states=2, ike_sas=1)


def test_a_thousand_packets_that_ask_for_one_trap_make_one_child() -> None:
    peer = Attacker(facing((esp(start_action=StartAction.TRAP),)))
    peer.answers = lambda _: None
    assert peer.error(INFORMATIONAL, deleted(peer.spi_of())) is None
    peer.make(peer.victim.endpoint.install("site", "net", peer.pair.now))
    reqid = next(iter(peer.victim.endpoint._keeping.keeper._traps._by_reqid))
    here, there = ip_network("10.2.0.7/32"), ip_network("10.1.0.7/32")
    before = peer.weight()
    for number in range(1000):
        packet = Selector(here, there, 17, 1024 + number, 0xFFFF, 53, 0xFFFF)
        peer.make(peer.victim.endpoint.kernel_event(Acquire(packet, reqid), peer.pair.now))
    assert len(peer.asked) == 1
    assert peer.weight() < before + 300
    peer.answers = lambda asked: peer.grant(b"\0\1\0\0") if asked.message.all(Sa) else ()
    peer.answer(peer.asked[0], *peer.grant(b"\0\1\0\0"))
    peer.pass_time(60)
    assert len(peer.victim.sa.children) == 1
