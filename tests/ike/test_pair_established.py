"""What happens on an IKE SA that is up: deletes, more children, requests for what is not done yet, silence, hints."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network

import pytest

from ikepy.config.algorithms import parse_proposals
from ikepy.ike.actions import Datagram
from ikepy.ike.drops import DropReason
from ikepy.ike.errors import KernelRefused
from ikepy.ike.events import Acquire, AttemptFailed, ChildSaDown, IkeSaDown
from ikepy.ipsec import Selector
from ikepy.wire.header import FLAG_INITIATOR, FLAG_RESPONSE, IkeHeader, build_header
from ikepy.wire.message import Message, build_message, parse_message
from ikepy.wire.notify import Notify
from ikepy.wire.payloads import Delete, Ke, Nonce
from ikepy.wire.registry import ExchangeType, KeMethod, NotifyType, PayloadType, ProtocolId
from ikepy.wire.sa import Sa
from ikepy.wire.ts import TsI, TsR
from tests.ike.test_pair_set_up import mirrored, nothing_left
from tests.support.link import arriving
from tests.support.pair import established_pair, make_child, make_config, networks
from tests.support.sealing import ask, raw, sa_of

ESP_KE = parse_proposals(("aes256gcm16-x25519-ecp256",), ProtocolId.ESP)
ESP_ECP = parse_proposals(("aes256gcm16-ecp256",), ProtocolId.ESP)


def child_offer(spi: bytes = b"\x00\x00\x12\x34", *, proposals=ESP_KE) -> tuple:
    numbered = tuple(replace(p, number=n, spi=spi) for n, p in enumerate(proposals, 1))
    return Sa(numbered), Nonce(bytes(32)), TsI(networks("10.1.9.0/24")), TsR(networks("10.2.9.0/24"))


def spare_child(**more) -> tuple:
    return make_child(), make_child("spare", "10.1.9.0/24", "10.2.9.0/24", esp_proposals=ESP_KE, **more)


# -- deletes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_child_deleted_by_either_side_goes_on_both_and_the_ike_sa_stays(side: str) -> None:
    pair = established_pair()
    who = getattr(pair, side)
    who.terminate_child(who.sa.children[0].unique_id)
    pair.run(30)

    for each in (pair.left, pair.right):
        assert not each.sa.children
        assert each.kernel.is_clean
        assert isinstance(each.events[-1], ChildSaDown)
        assert len(each.established) == 1


def test_crossing_deletes_of_a_child_end_it_once_on_each_side() -> None:
    pair = established_pair()
    for side in (pair.left, pair.right):
        side.terminate_child(side.sa.children[0].unique_id)
    pair.run(60)

    for side in (pair.left, pair.right):
        assert [type(event) for event in side.events].count(ChildSaDown) == 1
        assert side.kernel.is_clean
        assert len(side.established) == 1


def test_crossing_deletes_of_the_ike_sa_leave_nothing() -> None:
    pair = established_pair()
    for side in (pair.left, pair.right):
        side.terminate()
    pair.run(200)

    nothing_left(pair)
    for side in (pair.left, pair.right):
        assert [type(event) for event in side.events].count(IkeSaDown) == 1


def test_a_delete_of_a_child_crosses_a_delete_of_the_ike_sa() -> None:
    pair = established_pair()
    pair.left.terminate_child(pair.left.sa.children[0].unique_id)
    pair.right.terminate()
    pair.run(200)

    nothing_left(pair)


def test_a_delete_of_an_spi_nobody_has_is_answered_and_changes_nothing() -> None:
    pair = established_pair()
    answer = ask(pair, ExchangeType.INFORMATIONAL, Delete(ProtocolId.ESP, (b"\xde\xad\xbe\xef",), 4))

    assert answer.payloads == ()
    assert len(pair.right.sa.children) == 1
    for odd in (Delete(ProtocolId.AH, (b"\xde\xad\xbe\xef",), 4), Delete(ProtocolId.ESP, (b"\xde\xad",), 2)):
        assert ask(pair, ExchangeType.INFORMATIONAL, odd).payloads == ()


def test_a_closed_ike_sa_repeats_its_last_response_for_a_while_and_then_no_more() -> None:
    pair = established_pair()
    pair.left.terminate()
    pair.run(1)
    request = [d for d in pair.link.sent if d.path.local.address == pair.left.address][-1]
    pair.right.run(pair.right.endpoint.receive_datagram(arriving(request), pair.now), pair.now)
    assert len(pair.right.outbox) == 1
    pair.run(100)
    pair.right.run(pair.right.endpoint.receive_datagram(arriving(request), pair.now), pair.now)
    assert pair.right.recorder.drop_reasons[-1] is DropReason.UNKNOWN_SPI
    nothing_left(pair)


def test_a_dead_peer_does_not_keep_an_end_from_coming() -> None:
    pair = established_pair()
    pair.link.loss = 1.0
    pair.left.terminate()
    pair.run(400)

    assert not pair.left.sas
    assert pair.left.kernel.is_clean


def test_a_shutdown_deletes_everything_and_what_waits_for_nobody_is_abandoned() -> None:
    pair = established_pair()
    pair.left.run(pair.left.endpoint.shutdown(pair.now), pair.now)
    assert not pair.left.endpoint.is_idle
    pair.run(60)
    assert pair.left.endpoint.is_idle
    nothing_left(pair)


# -- more children -------------------------------------------------------------------------------------------------


def test_another_method_for_a_child_is_tried_when_it_is_asked_for() -> None:
    left = make_config(left=True, children=spare_child())
    right = make_config(left=False, children=(make_child(), replace(spare_child()[1], esp_proposals=ESP_ECP)))
    pair = established_pair(left, right)

    assert {c.name for c in pair.left.sa.children} == {"net", "spare"}
    mirrored(pair)


def test_a_child_without_a_proposal_in_common_is_refused_and_gives_its_spi_back() -> None:
    other = parse_proposals(("aes128-sha256",), ProtocolId.ESP)
    left = make_config(left=True, children=spare_child())
    right = make_config(left=False, children=(make_child(), replace(spare_child()[1], esp_proposals=other)))
    pair = established_pair(left, right)

    failed = [event for event in pair.left.events if isinstance(event, AttemptFailed)]
    assert [(event.child, "NO_PROPOSAL_CHOSEN" in event.reason) for event in failed] == [("spare", True)]
    assert not pair.left.kernel.reserved
    assert not pair.right.kernel.reserved


def test_a_kernel_that_refuses_one_more_child_has_the_peer_delete_it() -> None:
    configs = [make_config(left=left, children=spare_child()) for left in (True, False)]
    from tests.support.pair import make_pair

    pair = make_pair(*configs)
    pair.left.initiate("site", "net")
    pair.run(20)
    pair.left.kernel.refuse = KernelRefused("no room")
    pair.left.initiate("site", "spare")
    pair.run(60)

    assert [c.name for c in pair.right.sa.children] == ["net"]
    assert len(pair.right.kernel.states) == len(pair.left.kernel.states) == 2


def test_a_child_is_refused_while_the_ike_sa_is_being_deleted() -> None:
    pair = established_pair(*(make_config(left=left, children=spare_child()) for left in (True, False)))
    pair.right.terminate()
    pair.right.outbox.clear()
    answer = ask(pair, ExchangeType.CREATE_CHILD_SA, *child_offer())

    assert answer.error_notify is not None
    assert answer.error_notify.type is NotifyType.TEMPORARY_FAILURE


def test_a_child_offer_without_its_key_exchange_is_told_which_method_is_wanted() -> None:
    pair = established_pair(*(make_config(left=left, children=spare_child()) for left in (True, False)))
    answer = ask(pair, ExchangeType.CREATE_CHILD_SA, *child_offer())

    assert answer.error_notify == Notify(NotifyType.INVALID_KE_PAYLOAD, int(KeMethod.CURVE25519).to_bytes(2, "big"))
    answer = ask(pair, ExchangeType.CREATE_CHILD_SA, *child_offer(), Ke(KeMethod.CURVE25519, bytes(32)))
    assert answer.error_notify is not None
    assert answer.error_notify.type is NotifyType.INVALID_SYNTAX
    assert not pair.right.established


# -- rekeying by request alone ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", [ProtocolId.NONE, ProtocolId.IKE, ProtocolId.AH, ProtocolId.ESP])
def test_a_wish_to_rekey_a_child_nobody_has_is_answered_so(protocol: ProtocolId) -> None:
    pair = established_pair()
    rekey = Notify(NotifyType.REKEY_SA, b"", protocol, b"\xde\xad\xbe\xef")
    answer = ask(pair, ExchangeType.CREATE_CHILD_SA, rekey, *child_offer())

    assert answer.error_notify is not None
    assert answer.error_notify.type is NotifyType.CHILD_SA_NOT_FOUND
    assert len(pair.right.established) == 1


def test_a_kernel_event_changes_nothing_yet() -> None:
    pair = established_pair()
    selector = Selector(ip_network("10.1.0.0/24"), ip_network("10.2.0.0/24"))
    assert pair.left.endpoint.kernel_event(Acquire(selector, 1), pair.now) == []
    mirrored(pair)


# -- silence and hints ---------------------------------------------------------------------------------------------


def test_a_silent_peer_is_asked_for_a_sign_of_life() -> None:
    pair = established_pair(make_config(left=True, dpd_delay=30.0), make_config(left=False))
    sent = len(pair.link.sent)
    pair.run(95)

    assert len(pair.link.sent) == sent + 6
    assert len(pair.left.established) == 1


def test_a_peer_that_died_is_found_out_and_taken_down() -> None:
    pair = established_pair(make_config(left=True, dpd_delay=30.0), make_config(left=False))
    pair.link.loss = 1.0
    pair.run(400)

    assert not pair.left.sas
    assert pair.left.kernel.is_clean
    assert isinstance(pair.left.events[-1], IkeSaDown)


def test_an_unprotected_invalid_ike_spi_is_a_hint_to_probe_and_no_more() -> None:
    pair = established_pair()
    left = sa_of(pair.left)
    kind = ExchangeType.INFORMATIONAL
    header = IkeHeader(left.channel.spi_i, left.channel.spi_r, PayloadType(0), kind, FLAG_RESPONSE, 2, 0)
    lie = build_message(Message(header, (Notify(NotifyType.INVALID_IKE_SPI),)))
    for _ in range(5):
        datagram = Datagram(lie, arriving(Datagram(b"", sa_of(pair.right).path)).path)
        pair.left.run(pair.left.endpoint.receive_datagram(datagram, pair.now), pair.now)

    assert len(pair.left.outbox) == 1
    assert set(pair.left.recorder.drop_reasons) == {DropReason.UNPROTECTED_ERROR}
    pair.run(30)
    assert len(pair.left.established) == 1


def test_a_peer_that_lost_its_state_is_found_out_by_the_probe() -> None:
    pair = established_pair()
    pair.right.endpoint._sas.clear()
    pair.left.terminate_child(pair.left.sa.children[0].unique_id)
    pair.run(400)

    assert not pair.left.sas
    assert pair.left.kernel.is_clean


def test_requests_for_ike_sas_nobody_has_are_answered_sparingly() -> None:
    pair = established_pair()
    for number in range(40):
        header = IkeHeader(
            b"stranger", number.to_bytes(8, "big"), PayloadType(0), ExchangeType.INFORMATIONAL, FLAG_INITIATOR, 0, 28
        )
        raw(pair, build_header(replace(header, spi_r=(number + 1).to_bytes(8, "big"))))

    assert len(pair.right.outbox) == 10
    assert parse_message(pair.right.outbox[0].octets).error_notify == Notify(NotifyType.INVALID_IKE_SPI)


def test_what_is_asked_for_and_not_configured_is_an_error_of_the_caller() -> None:
    pair = established_pair()
    for connection, child in (("nowhere", None), ("site", "nothing")):
        with pytest.raises(KeyError):
            pair.left.endpoint.initiate(connection, child, pair.now)


def test_an_endpoint_can_end_the_one_sa_in_whose_service_something_broke() -> None:
    pair = established_pair()
    pair.left.run(pair.left.endpoint.fail_sa(pair.left.sa.unique_id, "a fault of ours", pair.now), pair.now)

    assert not pair.left.sas
    assert pair.left.kernel.is_clean
    assert pair.left.endpoint.fail_sa(99, "nobody", pair.now) == []


def test_another_configuration_is_for_new_ike_sas() -> None:
    pair = established_pair()
    pair.left.endpoint.replace_config(make_config(left=True, children=(make_child("other"),)))

    assert [c.name for c in pair.left.sa.children] == ["net"]
    with pytest.raises(KeyError):
        pair.left.endpoint.initiate("site", "net", pair.now)
