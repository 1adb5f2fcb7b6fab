"""What can fail when one side rekeys a child, and what comes of it (RFC 7296 §2.25)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ikepy.config.algorithms import parse_proposals
from ikepy.ike.actions import Datagram
from ikepy.ike.errors import KernelRefused
from ikepy.ike.events import ChildSaRekeyed, ChildSaUp, IkeSaUp
from ikepy.wire.header import FLAG_RESPONSE, IkeHeader
from ikepy.wire.notify import Notify
from ikepy.wire.payloads import Nonce
from ikepy.wire.registry import ExchangeType, NotifyType, PayloadType, ProtocolId
from ikepy.wire.sa import Sa
from ikepy.wire.ts import TsI, TsR
from tests.support.link import arriving
from tests.support.pair import Pair, networks
from tests.support.sealing import ask, sa_of
from tests.support.stage import Stage, error_of, esp, events_of, facing, staged

by_side = pytest.mark.parametrize("first", ["left", "right"])


@by_side
def test_a_child_that_the_responder_lost_is_made_anew(first: str) -> None:
    stage = staged()
    side, other = getattr(stage, first), stage.other(getattr(stage, first))
    forget(other)
    stage.rekey_child(side)
    stage.deliver(side)

    assert error_of(stage.deliver(other)) is NotifyType.CHILD_SA_NOT_FOUND
    stage.end(lossless=False)


@by_side
def test_what_the_initiators_kernel_refuses_the_responder_deletes_and_the_next_try_may_come_through(first: str) -> None:
    stage = staged()
    side = getattr(stage, first)
    old = stage.child(side).spec.inbound.id
    side.kernel.refuse = KernelRefused("no room")
    stage.rekey_child(side)
    stage.carry()
    assert [child.spec.inbound.id for child in side.sa.children] == [old]
    assert len(stage.other(side).sa.children) == 1

    side.kernel.refuse = None
    stage.end()
    assert stage.child(side).spec.inbound.id != old


@by_side
def test_what_the_responders_kernel_refuses_leaves_the_old_child_and_is_tried_again(first: str) -> None:
    stage = staged()
    side, other = getattr(stage, first), stage.other(getattr(stage, first))
    old = stage.child(side).spec.inbound.id
    other.kernel.refuse = KernelRefused("no room")
    stage.rekey_child(side)
    stage.carry()
    assert [child.spec.inbound.id for child in side.sa.children] == [old]

    other.kernel.refuse = None
    stage.end(lossless=False)  # by a reauthentication: the peer makes no more children on this IKE SA
    assert stage.child(side).spec.inbound.id != old


@by_side
def test_without_a_proposal_in_common_any_more_the_old_child_stays_and_the_log_says_why(first: str) -> None:
    stage = staged(facing((esp("aes256gcm16-ecp384"),), (esp("aes256gcm16-ecp521"),)))
    side, other = getattr(stage, first), stage.other(getattr(stage, first))
    old = stage.child(side).spec.inbound.id
    stage.rekey_child(side)
    stage.deliver(side)

    assert error_of(stage.deliver(other)) is NotifyType.NO_PROPOSAL_CHOSEN
    assert any("key exchange" in decision for decision in other.recorder.decisions)
    assert [child.spec.inbound.id for child in side.sa.children] == [old]
    assert side.endpoint.next_timeout() is not None


def test_a_wish_to_rekey_with_foreign_selectors_is_refused_and_the_child_stays() -> None:
    stage = staged()
    answer = ask_to_rekey(stage.pair, TsI(networks("172.16.0.0/24")), TsR(networks("172.17.0.0/24")))

    assert error_of(answer) is NotifyType.TS_UNACCEPTABLE
    stage.end()
    assert not stage.right.kernel.reserved


def test_a_wish_to_rekey_a_child_that_the_peer_has_replaced_already_is_put_off() -> None:
    stage = staged()
    stage.rekey_child(stage.left)
    stage.deliver(stage.left)
    stage.flying.clear()
    sa_of(stage.left).channel.end_request()
    answer = ask_to_rekey(stage.pair, TsI(networks("10.1.0.0/24")), TsR(networks("10.2.0.0/24")))

    assert error_of(answer) is NotifyType.TEMPORARY_FAILURE


@by_side
def test_what_the_peer_never_answers_ends_the_ike_sa_and_leaves_nothing(first: str) -> None:
    stage = staged()
    side = getattr(stage, first)
    stage.rekey_child(side)
    stage.flying.clear()
    stage.wait(500)

    assert not side.sas
    assert side.kernel.is_clean


@by_side
def test_temporary_failure_is_tried_again_after_a_while_and_not_at_once(first: str) -> None:
    stage = staged()
    side, other = getattr(stage, first), stage.other(getattr(stage, first))
    stage.rekey_ike(other)
    arrive = stage.hold(other)
    stage.rekey_child(side)
    stage.deliver(side)
    assert error_of(stage.deliver(other)) is NotifyType.TEMPORARY_FAILURE
    assert not stage.of(side)

    arrive()
    stage.carry()
    assert not events_of(side, ChildSaRekeyed)
    stage.end()
    assert len(events_of(side, ChildSaRekeyed)) == 1


@by_side
def test_minutes_of_temporary_failure_mean_both_sides_are_out_of_step(first: str) -> None:
    stage = staged()
    side, other = getattr(stage, first), stage.other(getattr(stage, first))
    sa_of(other).table.deleting.update(child.unique_id for child in other.sa.children)
    stage.rekey_child(side)
    stage.settle(400)

    assert not side.sas
    assert not other.sas


def test_a_peer_that_makes_no_more_children_is_asked_for_another_ike_sa() -> None:
    stage = staged()
    stage.rekey_child(stage.left)
    stage.flying.clear()
    refuse(stage, Notify(NotifyType.NO_ADDITIONAL_SAS))
    stage.end(lossless=False)

    assert [type(event) for event in stage.left.events].count(IkeSaUp) == 1
    assert [type(event) for event in stage.left.events].count(ChildSaUp) == 1


def forget(side) -> None:
    """A side that has nothing of its child any more, in the kernel neither."""
    sa = sa_of(side)
    for child in tuple(sa.table.children.values()):
        side.kernel.states.pop(child.spec.inbound.id)
        side.kernel.states.pop(child.spec.outbound.id)
        side.kernel.children.pop(child.spec.owner)
        sa.begin_removal(child)
        sa.table.removing.clear()
        side.endpoint.reqids.drop(child.reqid)


def ask_to_rekey(pair: Pair, tsi: TsI, tsr: TsR):
    """A request of the left's to rekey the child, made by hand; the right's answer."""
    child = min(pair.left.sa.children, key=lambda each: each.unique_id)
    rekeys = Notify(NotifyType.REKEY_SA, b"", ProtocolId.ESP, child.spec.inbound.spi.to_bytes(4, "big"))
    proposals = parse_proposals(("aes256gcm16",), ProtocolId.ESP)
    offer = Sa(tuple(replace(each, number=n, spi=b"\x12\x34\x56\x78") for n, each in enumerate(proposals, 1)))
    answer = ask(pair, ExchangeType.CREATE_CHILD_SA, rekeys, offer, Nonce(bytes(32)), tsi, tsr)
    sa_of(pair.left).channel.requests.next_id += 1
    return answer


def refuse(stage: Stage, notify: Notify) -> None:
    """The right answers the left's outstanding request with this, whatever it was."""
    right, left = sa_of(stage.right), sa_of(stage.left)
    number = right.channel.responses.expected_id
    header = IkeHeader(
        right.channel.spi_i,
        right.channel.spi_r,
        PayloadType(0),
        ExchangeType.CREATE_CHILD_SA,
        FLAG_RESPONSE,
        number,
        0,
    )
    right.channel.responses.expected_id += 1
    octets = right.channel._protection.seal(header, (notify,))
    datagram = Datagram(octets, arriving(Datagram(b"", left.path)).path)
    stage.do(stage.left, stage.left.endpoint.receive_datagram(arriving(datagram), stage.pair.now))
