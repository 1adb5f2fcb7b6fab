"""One side rekeys a child: make before break, and what may go wrong on the way (RFC 7296 §1.3.3, §2.8, §2.25)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ikepy.config.model import RetransmissionConfig
from ikepy.ike.events import ChildSaDown, ChildSaRekeyed, IkeSaDown
from ikepy.ipsec import Mode
from ikepy.wire.payloads import Delete, Ke
from ikepy.wire.registry import ExchangeType, KeMethod, NotifyType, ProtocolId
from tests.support.sealing import sa_of
from tests.support.stage import SPARE, error_of, esp, events_of, facing, staged

SIDES = ("left", "right")
KE = facing((esp("aes256gcm16-ecp256"),))
METHODS = ("aes256gcm16-ecp384", "aes128gcm16-ecp521")
INVALID_KE = facing((esp(*METHODS),), (esp(*reversed(METHODS)),))
TRANSPORT = facing((esp(mode=Mode.TRANSPORT, local="192.0.2.1/32", remote="192.0.2.2/32"),))

by_side = pytest.mark.parametrize("first", SIDES)


def deletes(message, child) -> bool:
    """Whether a message deletes what its receiver sends that child's packets by."""
    spis = [spi for delete in message.all(Delete) for spi in delete.spis]
    return spis == [child.spec.inbound.spi.to_bytes(4, "big")]


# -- as it should be ---------------------------------------------------------------------------------------------------


@by_side
def test_a_child_is_rekeyed_in_two_exchanges_and_the_old_one_goes(first: str) -> None:
    stage = staged()
    side = getattr(stage, first)
    old = stage.child(side)
    stage.rekey_child(side)
    request = stage.deliver(side)
    rekey = request.notify(NotifyType.REKEY_SA)

    assert request.summary().endswith("N(REKEY_SA) SA Ni TSi TSr")
    assert (rekey.protocol, int.from_bytes(rekey.spi, "big")) == (ProtocolId.ESP, old.spec.inbound.spi)
    stage.deliver(stage.other(side))
    assert deletes(stage.deliver(side), old)
    stage.end()
    for each in (stage.left, stage.right):
        (event,) = events_of(each, ChildSaRekeyed)
        assert (event.old.state, event.new.state) == ("REKEYED", "INSTALLED")
        assert event.new.spec.inbound.reqid == event.old.spec.inbound.reqid
        assert not events_of(each, ChildSaDown)


@by_side
def test_the_responder_receives_by_the_new_child_at_once_and_sends_by_the_old_until_it_goes(first: str) -> None:
    stage = staged()
    side, other = getattr(stage, first), stage.other(getattr(stage, first))
    old = stage.child(other)
    stage.rekey_child(side)
    stage.deliver(side)
    new = {state.id for state in other.kernel.states.values()} - {old.spec.inbound.id, old.spec.outbound.id}

    assert len(new) == 1
    assert next(iter(new)).destination == other.address
    stage.deliver(other)
    assert [state.spi for state in side.kernel.states.values() if not state.inbound][-1] == next(iter(new)).spi
    assert stage.child(side).state == "DELETING"
    stage.deliver(side)
    assert [state.spi for state in other.kernel.states.values() if not state.inbound] != [old.spec.outbound.spi]
    stage.end()


@by_side
def test_the_old_inbound_states_stay_for_packets_in_flight_and_then_go(first: str) -> None:
    stage = staged()
    old = [stage.child(side).spec.inbound.id for side in (stage.left, stage.right)]
    stage.rekey_child(getattr(stage, first))
    stage.carry()

    for side, name in zip((stage.left, stage.right), old, strict=True):
        assert name in side.kernel.states
    stage.wait(10)
    for side, name in zip((stage.left, stage.right), old, strict=True):
        assert name not in side.kernel.states
    stage.end()


@by_side
def test_a_child_is_rekeyed_with_its_own_key_exchange_though_the_first_had_none(first: str) -> None:
    stage = staged(KE)
    side = getattr(stage, first)
    stage.rekey_child(side)

    request = stage.deliver(side)
    assert [p.method for p in request.payloads if isinstance(p, Ke)] == [KeMethod.ECP_256]
    stage.end()
    stage.rekey_child(side)
    stage.end()


@by_side
def test_another_method_is_tried_when_it_is_asked_for(first: str) -> None:
    stage = staged(INVALID_KE)
    side = getattr(stage, first)
    stage.rekey_child(side)
    stage.deliver(side)

    assert error_of(stage.deliver(stage.other(side))) is NotifyType.INVALID_KE_PAYLOAD
    stage.end()


@by_side
def test_a_child_in_transport_mode_is_rekeyed_in_transport_mode(first: str) -> None:
    stage = staged(TRANSPORT)
    side = getattr(stage, first)
    stage.rekey_child(side)

    assert stage.deliver(side).notify(NotifyType.USE_TRANSPORT_MODE) is not None
    stage.end()
    assert stage.child(side).mode is Mode.TRANSPORT


@by_side
def test_several_children_are_rekeyed_one_after_the_other(first: str) -> None:
    stage = staged(facing((esp(), SPARE)))
    side = getattr(stage, first)
    stage.rekey_child(side, "net")
    stage.rekey_child(side, "spare")
    stage.end(net=1, spare=1)


@by_side
def test_every_message_of_a_rekeying_may_be_lost_once(first: str) -> None:
    for lost in range(4):
        stage = staged()
        stage.rekey_child(getattr(stage, first))
        for _ in range(lost):
            stage.deliver(stage.flying[0].sender)
        stage.lose(stage.flying[0].sender)
        stage.end()
        assert len(events_of(stage.left, ChildSaRekeyed)) == len(events_of(stage.right, ChildSaRekeyed)) == 1


def test_a_child_is_rekeyed_in_time_before_it_expires() -> None:
    stage = staged(facing((esp(rekey_time=100000.0, rand_time=0.0),)))
    old = stage.child(stage.left)
    assert old.rekey_at < old.life_until
    stage.wait(100001 - 1000)
    stage.carry()

    assert stage.child(stage.left).spec.inbound.id != old.spec.inbound.id


@by_side
def test_the_kernel_says_when_so_many_packets_are_through(first: str) -> None:
    stage = staged()
    side = getattr(stage, first)
    old = stage.child(side)
    stage.expire(side, old, hard=False)
    stage.expire(side, old, hard=False)
    stage.end()

    assert stage.child(side).spec.inbound.id != old.spec.inbound.id
    assert len(events_of(side, ChildSaRekeyed)) == 1


# -- while the responder waits for the delete ------------------------------------------------------------------------------


@by_side
def test_a_soft_limit_of_a_child_that_the_peer_has_replaced_is_ignored(first: str) -> None:
    stage = staged()
    side, other = getattr(stage, first), stage.other(getattr(stage, first))
    stage.rekey_child(side)
    stage.deliver(side)
    stage.expire(other, stage.child(other), hard=False)
    stage.end()

    assert len(events_of(other, ChildSaRekeyed)) == 1


@by_side
def test_a_hard_limit_of_a_child_that_the_peer_has_replaced_brings_no_second_one(first: str) -> None:
    stage = staged()
    side, other = getattr(stage, first), stage.other(getattr(stage, first))
    stage.rekey_child(side)
    stage.deliver(side)
    stage.expire(other, stage.child(other), hard=True)
    stage.end(lossless=False)


@by_side
def test_the_new_child_is_deleted_while_the_old_one_waits_for_its_delete(first: str) -> None:
    stage = staged()
    side, other = getattr(stage, first), stage.other(getattr(stage, first))
    stage.rekey_child(side)
    stage.deliver(side)
    stage.deliver(other)
    stage.delete_child(other)
    stage.end(lossless=False, net=0)


@by_side
def test_the_responder_wrongly_deletes_the_old_child_itself(first: str) -> None:
    stage = staged()
    side, other = getattr(stage, first), stage.other(getattr(stage, first))
    old = stage.child(other)
    stage.rekey_child(side)
    stage.deliver(side)
    wrong = Delete(ProtocolId.ESP, (old.spec.inbound.spi.to_bytes(4, "big"),), 4)
    sa = sa_of(other)
    sa.channel.send_request(ExchangeType.INFORMATIONAL, (wrong,))
    stage.do(other, other.endpoint._take_actions())
    sa.channel.requests.close()
    stage.deliver(other, -1)  # before the answer to the rekeying: nothing is there to send by, as it wants
    stage.end(lossless=False)


@by_side
def test_the_delete_of_the_old_child_is_never_answered_and_the_child_ends_once(first: str) -> None:
    impatient = tuple(replace(config, retransmission=RetransmissionConfig(tries=2)) for config in facing((esp(),)))
    stage = staged(impatient)
    side = getattr(stage, first)
    stage.rekey_child(side)
    stage.deliver(side)
    stage.deliver(stage.other(side))
    stage.flying.clear()
    stage.wait(100)

    assert not side.sas
    assert len(events_of(side, ChildSaDown)) == len(events_of(side, IkeSaDown)) == 1
    assert side.kernel.is_clean
