"""What the kernel's notices come to, and what a dump says was missed."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address

from ikepy.ike.events import Acquire, Expire, Mapping
from ikepy.ipsec import Lifetime
from ikepy.kernel.addresses import pack_address
from ikepy.kernel.messages import MESSAGE_CLASSES, acquire, expire, mapping, newsa, numbers, xfrm_message
from ikepy.kernel.messages.message import make
from ikepy.kernel.messages.structures import xfrm_id, xfrm_userpolicy_info, xfrm_usersa_id
from ikepy.kernel.notices import missed, read_notice
from ikepy.kernel.translate import make_policy, make_selector, make_state
from tests.kernel.rig import make_child

CHILD = make_child()
REQID = CHILD.inbound.reqid


def is_ours(reqid: int) -> bool:
    return reqid == REQID


def decoded(message: xfrm_message) -> xfrm_message:
    message.encode()
    again = MESSAGE_CLASSES[message["header"]["type"]](bytes(message.data))
    again.decode()
    return again


def make_acquire(reqid: int) -> xfrm_message:
    out = CHILD.policies[0]
    assert out.template is not None
    policy = make_policy(replace(out, template=replace(out.template, reqid=reqid)))
    return decoded(
        make(
            acquire,
            numbers.XFRM_MSG_ACQUIRE,
            id=xfrm_id(pack_address(CHILD.outbound.destination), 0, 50),
            saddr=pack_address(CHILD.outbound.source),
            sel=make_selector(out.selector),
            policy=xfrm_userpolicy_info(),
            aalgos=0,
            ealgos=0,
            calgos=0,
            seq=1,
            attrs=[attribute for attribute in policy["attrs"] if attribute[0] == "XFRMA_TMPL"],
        )
    )


def make_expire(reqid: int, *, hard: bool) -> xfrm_message:
    state = make_state(replace(CHILD.inbound, reqid=reqid))["sa"]
    return decoded(make(expire, numbers.XFRM_MSG_EXPIRE, state=state, hard=hard, attrs=[]))


def make_mapping(reqid: int) -> xfrm_message:
    sa = CHILD.inbound
    return decoded(
        make(
            mapping,
            numbers.XFRM_MSG_MAPPING,
            id=xfrm_usersa_id(pack_address(sa.destination), sa.spi, 2, 50),
            reqid=reqid,
            old_saddr=pack_address(sa.source),
            new_saddr=pack_address(IPv4Address("203.0.113.5")),
            sports=(4500, 40123),
            attrs=[],
        )
    )


def test_an_acquire_says_packet_and_request_id() -> None:
    assert read_notice(make_acquire(REQID), is_ours) == Acquire(CHILD.policies[0].selector, REQID)


def test_an_expire_says_which_state_and_how() -> None:
    assert read_notice(make_expire(REQID, hard=True), is_ours) == Expire(CHILD.inbound.id, hard=True)
    assert read_notice(make_expire(REQID, hard=False), is_ours) == Expire(CHILD.inbound.id, hard=False)


def test_a_mapping_says_the_new_address_and_port() -> None:
    expected = Mapping(CHILD.inbound.id, IPv4Address("203.0.113.5"), 40123)
    assert read_notice(make_mapping(REQID), is_ours) == expected


def test_notices_about_others_are_not_passed_on() -> None:
    others = REQID + 1
    for message in (make_acquire(others), make_expire(others, hard=True), make_mapping(others)):
        assert read_notice(message, is_ours) is None
    state = decoded(make(newsa, numbers.XFRM_MSG_NEWSA, sa=make_state(CHILD.inbound)["sa"], attrs=[]))
    assert read_notice(state, is_ours) is None


def found(lifetime: Lifetime, **used: int) -> xfrm_message:
    message = make_state(replace(CHILD.inbound, lifetime=lifetime))
    info = message["sa"]
    message["sa"] = info._replace(curlft=info.curlft._replace(**used))
    return decoded(message)


def test_a_state_that_a_dump_does_not_show_has_expired() -> None:
    assert missed([], [CHILD.inbound], 0) == (Expire(CHILD.inbound.id, hard=True),)


def test_a_state_beyond_a_soft_limit_has_expired_softly() -> None:
    soft = (Expire(CHILD.inbound.id, hard=False),)
    known = [CHILD.inbound]
    assert missed([found(Lifetime(soft_octets=100), bytes=100)], known, 0) == soft
    assert missed([found(Lifetime(soft_packets=5), packets=6)], known, 0) == soft
    assert missed([found(Lifetime(soft_seconds=60), add_time=1000)], known, 1060) == soft


def test_a_state_within_its_limits_has_not_expired() -> None:
    limits = Lifetime(soft_seconds=60, soft_octets=100, soft_packets=5)
    assert missed([found(limits, bytes=99, packets=4, add_time=1000)], [CHILD.inbound], 1059) == ()
    assert missed([found(Lifetime(), bytes=1 << 50)], [CHILD.inbound], 1 << 40) == ()
