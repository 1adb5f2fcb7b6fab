"""The pure functions: narrowing, negotiation, cookies, selectors for a kernel, keys, windows, timers."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, ip_address

import pytest

from ikepy.config.algorithms import parse_proposals
from ikepy.config.model import RetransmissionConfig
from ikepy.ike import errors
from ikepy.ike.actions import Path, SocketAddress
from ikepy.ike.child import BASE_PRIORITY, expand, priority
from ikepy.ike.conversation import Conversation
from ikepy.ike.cookies import Cookies
from ikepy.ike.faults import is_fatal, notify_for
from ikepy.ike.narrowing import MOST_SELECTORS, contains, intersect, is_within, narrow
from ikepy.ike.nat import find_nat, float_path, make_nat_notifies
from ikepy.ike.negotiation import check_answer, choose, chosen_ke, ke_methods, number_proposals
from ikepy.ike.phases import Connecting
from ikepy.ike.sealing import Sealed
from ikepy.ike.timers import TimerName, Timers
from ikepy.ike.window import RequestClass, RequestWindow, ResponseWindow
from ikepy.ike.wishes import WantChild, WantChildDeleted, WantForeignChildDeleted, WantLiveness
from ikepy.ipsec import Spi
from ikepy.wire.errors import TruncatedMessage, UnsupportedCriticalPayload
from ikepy.wire.registry import (
    EncrId,
    EsnId,
    ExchangeType,
    IntegId,
    KeMethod,
    NotifyType,
    PayloadType,
    PrfId,
    ProtocolId,
    TransformType,
    TsType,
    UnknownTransformId,
)
from ikepy.wire.sa import Proposal, Sa, Transform, make_transform
from ikepy.wire.ts import TrafficSelector
from tests.support.entropy import SeededEntropy
from tests.support.pair import make_child, networks

V4 = TsType.TS_IPV4_ADDR_RANGE


def ts(first: str, last: str, protocol: int = 0, ports: tuple[int, int] = (0, 65535)) -> TrafficSelector:
    kind = V4 if "." in first else TsType.TS_IPV6_ADDR_RANGE
    return TrafficSelector(kind, protocol, *ports, ip_address(first), ip_address(last))


# -- narrowing -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("offered", "configured", "expected"),
    [
        (ts("10.0.0.0", "10.0.0.255"), ts("10.0.0.0", "10.0.255.255"), ts("10.0.0.0", "10.0.0.255")),
        (ts("10.0.0.5", "10.0.1.9"), ts("10.0.0.0", "10.0.0.255"), ts("10.0.0.5", "10.0.0.255")),
        (ts("10.0.0.0", "10.0.0.255"), ts("10.9.0.0", "10.9.0.255"), None),
        (ts("10.0.0.0", "10.0.0.255"), ts("fd00::", "fd00::ff"), None),
        (ts("10.0.0.1", "10.0.0.1", 6), ts("10.0.0.0", "10.0.0.9"), ts("10.0.0.1", "10.0.0.1", 6)),
        (ts("10.0.0.1", "10.0.0.1", 6), ts("10.0.0.0", "10.0.0.9", 17), None),
        (ts("10.0.0.1", "10.0.0.1", 6, (80, 443)), ts("10.0.0.1", "10.0.0.1", 6, (100, 500)), (100, 443)),
        (ts("10.0.0.1", "10.0.0.1", 6, (80, 90)), ts("10.0.0.1", "10.0.0.1", 6, (100, 500)), None),
        (ts("10.0.0.1", "10.0.0.1", 6, (65535, 0)), ts("10.0.0.1", "10.0.0.1"), (65535, 0)),
        (ts("10.0.0.1", "10.0.0.1"), ts("10.0.0.1", "10.0.0.1", 6, (65535, 0)), (65535, 0)),
        (ts("10.0.0.1", "10.0.0.1", 6, (65535, 0)), ts("10.0.0.1", "10.0.0.1", 6, (65535, 0)), (65535, 0)),
        (ts("10.0.0.1", "10.0.0.1", 6, (65535, 0)), ts("10.0.0.1", "10.0.0.1", 6, (80, 80)), None),
        (ts("fd00::1", "fd00::9"), ts("fd00::", "fd00::ff"), ts("fd00::1", "fd00::9")),
    ],
)
def test_two_selectors_have_in_common_what_both_hold(offered, configured, expected) -> None:
    both = intersect(offered, configured)
    if isinstance(expected, tuple):
        assert both is not None
        assert (both.start_port, both.end_port) == expected
    else:
        assert both == expected
    again = intersect(configured, offered)
    assert (again is None) == (both is None)


def test_a_narrowed_answer_has_no_selector_inside_another_and_an_end() -> None:
    wide, narrow_one = networks("10.0.0.0/8")[0], networks("10.1.0.0/16")[0]
    assert narrow((narrow_one, wide), (wide,)) == (wide,)
    assert narrow((wide, narrow_one), (wide,)) == (wide,)
    many = tuple(networks(f"10.{n // 256}.{n % 256}.0/32")[0] for n in range(MOST_SELECTORS * 2))
    assert len(narrow(many, (wide,))) == MOST_SELECTORS
    assert is_within((narrow_one,), (wide,))
    assert not is_within((wide,), (narrow_one,))
    assert not is_within((), (wide,))
    assert contains(wide, narrow_one)


# -- negotiation ---------------------------------------------------------------------------------------------------


def ike(*words: str) -> tuple[Proposal, ...]:
    return parse_proposals(words, ProtocolId.IKE)


def esp(*words: str) -> tuple[Proposal, ...]:
    return parse_proposals(words, ProtocolId.ESP)


def test_our_order_decides_and_in_it_the_method_whose_value_was_sent() -> None:
    offered = Sa(ike("aes128-sha256-modp2048", "aes256gcm16-prfsha256-x25519-ecp256"))
    ours = ike("aes256gcm16-prfsha256-ecp256-x25519", "aes128-sha256-modp2048")
    chosen = choose(offered, ours)
    assert chosen is not None
    assert chosen.proposal.number == 2
    assert chosen_ke(chosen.proposal) is KeMethod.ECP_256
    sent = choose(offered, ours, sent_ke=KeMethod.CURVE25519)
    assert sent is not None
    assert chosen_ke(sent.proposal) is KeMethod.CURVE25519


def t(kind: TransformType, number, bits: int | None = None) -> Transform:
    return make_transform(kind, number, bits)


GCM, CBC = t(TransformType.ENCR, EncrId.AES_GCM_16, 256), t(TransformType.ENCR, EncrId.AES_CBC, 128)
SHA, NO_INTEG = t(TransformType.INTEG, IntegId.HMAC_SHA2_256_128), t(TransformType.INTEG, IntegId.NONE)
PRF, KE = t(TransformType.PRF, PrfId.HMAC_SHA2_256), t(TransformType.KE, KeMethod.CURVE25519)
NO_KE, ESN, NO_ESN = (
    t(TransformType.KE, KeMethod.NONE),
    t(TransformType.ESN, EsnId.ESN),
    t(TransformType.ESN, EsnId.NO_ESN),
)
ODD = Transform(TransformType(240), UnknownTransformId(7))


@pytest.mark.parametrize(
    ("protocol", "offered", "ours", "expected"),
    [
        (1, (GCM, PRF, KE), (GCM, PRF, KE), (GCM, PRF, KE)),
        (1, (GCM, NO_INTEG, PRF, KE), (GCM, PRF, KE), (GCM, PRF, KE)),
        (1, (GCM, SHA, PRF, KE), (GCM, PRF, KE), None),
        (1, (GCM, CBC, SHA, PRF, KE), (GCM, PRF, KE), (GCM, PRF, KE)),
        (1, (CBC, SHA, PRF, KE), (CBC, SHA, PRF, KE), (CBC, PRF, SHA, KE)),
        (1, (CBC, PRF, KE), (CBC, SHA, PRF, KE), None),
        (1, (CBC, NO_INTEG, PRF, KE), (CBC, NO_INTEG, PRF, KE), None),
        (1, (GCM, KE), (GCM, PRF, KE), None),
        (1, (GCM, PRF), (GCM, PRF, KE), None),
        (1, (GCM, PRF, NO_KE), (GCM, PRF, NO_KE), None),
        (1, (GCM, PRF, KE, ODD), (GCM, PRF, KE), None),
        (1, (PRF, KE), (GCM, PRF, KE), None),
        (1, (replace(GCM, attributes=()), PRF, KE), (GCM, PRF, KE), None),
        (3, (GCM, ESN, NO_ESN), (GCM, NO_ESN), (GCM, NO_ESN)),
        (3, (GCM,), (GCM, ESN, NO_ESN), (GCM,)),
        (3, (GCM,), (GCM, ESN), None),
        (3, (GCM, KE, NO_ESN), (GCM, NO_ESN), None),
        (3, (GCM, KE, NO_KE, NO_ESN), (GCM, NO_ESN), (GCM, NO_KE, NO_ESN)),
        (3, (GCM, PRF, NO_ESN), (GCM, NO_ESN), None),
    ],
)
def test_one_transform_a_type_is_chosen_or_nothing(protocol, offered, ours, expected) -> None:
    def make(number: int, transforms) -> Proposal:
        return Proposal(number, ProtocolId(protocol), b"", transforms)

    chosen = choose(Sa((make(4, offered),)), (make(1, ours),))
    assert (chosen.proposal.transforms if chosen else None) == expected
    if chosen:
        assert chosen.proposal.number == 4


def test_an_answer_must_be_one_of_our_proposals_with_one_transform_a_type() -> None:
    offer = number_proposals(esp("aes256gcm16-esn-noesn-x25519", "aes128-sha256-noesn"), b"\0\0\1\0")
    good = Proposal(1, ProtocolId.ESP, b"\0\0\2\0", (GCM, KE, NO_ESN))
    assert check_answer(Sa((good,)), offer).peer_spi == b"\0\0\2\0"
    without = number_proposals(esp("aes256gcm16-noesn-x25519"), b"", with_ke=False)
    assert ke_methods(without) == ()
    for bad in (
        Sa((good, good)),
        Sa((replace(good, number=2),)),
        Sa((replace(good, number=3),)),
        Sa((replace(good, protocol=ProtocolId.AH),)),
        Sa((replace(good, transforms=(GCM, KE, ESN, NO_ESN)),)),
    ):
        with pytest.raises(errors.NoProposalChosen):
            check_answer(bad, offer)


# -- cookies, NAT --------------------------------------------------------------------------------------------------

HERE, THERE = SocketAddress(IPv4Address("192.0.2.1"), 500), SocketAddress(IPv4Address("192.0.2.2"), 500)


def test_a_cookie_is_good_for_its_request_and_its_time_alone() -> None:
    cookies = Cookies(SeededEntropy(1))
    cookie = cookies.make(b"nonce", b"spi", HERE, 0.0)
    assert cookies.is_valid(cookie, b"nonce", b"spi", HERE, 1.0)
    assert cookies.is_valid(cookie, b"nonce", b"spi", SocketAddress(HERE.address, 4500), 1.0)
    assert not cookies.is_valid(cookie, b"other", b"spi", HERE, 1.0)
    assert not cookies.is_valid(cookie, b"nonce", b"spy", HERE, 1.0)
    assert not cookies.is_valid(cookie, b"nonce", b"spi", THERE, 1.0)
    assert not cookies.is_valid(b"", b"nonce", b"spi", HERE, 1.0)
    assert cookies.is_valid(cookie, b"nonce", b"spi", HERE, 61.0)
    assert not cookies.is_valid(cookie, b"nonce", b"spi", HERE, 122.0)
    fresh = cookies.make(b"nonce", b"spi", HERE, 123.0)
    assert not cookies.is_valid(fresh, b"nonce", b"spi", HERE, 500.0)


def test_who_is_behind_a_nat_is_told_by_the_hashes() -> None:
    path, seen = Path(HERE, THERE), Path(THERE, HERE)
    sources, destinations = zip(make_nat_notifies(b"i" * 8, b"r" * 8, path, pretend=None), strict=True)
    assert find_nat((), destinations, b"i" * 8, b"r" * 8, seen).supported is False
    none = find_nat(sources, destinations, b"i" * 8, b"r" * 8, seen)
    assert (none.supported, none.is_between) == (True, False)
    moved = Path(THERE, SocketAddress(HERE.address, 1024))
    assert find_nat(sources, destinations, b"i" * 8, b"r" * 8, moved).remote
    assert find_nat(sources, destinations, b"i" * 8, b"r" * 8, Path(HERE, HERE)).local
    floated = float_path(path, 4500, 4501)
    assert (floated.local.port, floated.remote.port, floated.non_esp_marker) == (4500, 4501, True)
    assert float_path(floated, 1, 2) is floated


# -- selectors for a kernel ----------------------------------------------------------------------------------------


def test_ranges_of_addresses_and_ports_become_prefixes_and_masks() -> None:
    local, remote = ts("10.0.0.1", "10.0.0.2", 6, (1000, 1003)), ts("10.9.0.0", "10.9.0.255", 0)
    found = expand((local,), (remote,))
    assert {str(each.source) for each in found} == {"10.0.0.1/32", "10.0.0.2/32"}
    assert {(each.source_port, each.source_port_mask) for each in found} == {(1000, 0xFFFC)}
    assert {each.protocol for each in found} == {6}
    assert expand((ts("10.0.0.1", "10.0.0.1", 6, (65535, 0)),), (remote,))[0].source_port_mask == 0
    odd = expand((ts("10.0.0.1", "10.0.0.1", 6, (1, 6)),), (remote,))
    assert {(each.source_port, each.source_port_mask) for each in odd} == {
        (1, 0xFFFF),
        (2, 0xFFFE),
        (4, 0xFFFE),
        (6, 0xFFFF),
    }
    assert expand((ts("10.0.0.1", "10.0.0.1", 6, (0, 3)),), (remote,))[0].source_port_mask == 0xFFFC


def test_an_icmp_type_stands_where_linux_wants_it() -> None:
    echo = ts("10.0.0.1", "10.0.0.1", 1, (0x0800, 0x08FF))
    (selector,) = expand((echo,), (ts("10.0.0.2", "10.0.0.2", 1),))
    assert (selector.source_port, selector.source_port_mask) == (8, 0xFFFF)
    (selector,) = expand((ts("10.0.0.1", "10.0.0.1", 1),), (ts("10.0.0.2", "10.0.0.2", 1, (0x0301, 0x0301)),))
    assert (selector.source_port, selector.destination_port, selector.destination_port_mask) == (3, 1, 0xFFFF)


def test_selectors_that_would_flood_the_kernel_or_never_meet_are_refused() -> None:
    wild = ts("10.0.0.1", "10.255.255.254", 6, (1, 65534))
    with pytest.raises(errors.KernelRefused, match="powers of two"):
        expand((wild,), (wild,))
    with pytest.raises(errors.TsUnacceptable):
        expand(networks("10.0.0.0/8"), networks("fd00::/8"))
    with pytest.raises(errors.TsUnacceptable):
        expand((ts("10.0.0.1", "10.0.0.1", 6),), (ts("10.0.0.2", "10.0.0.2", 17),))


def test_the_more_specific_a_policy_the_sooner_it_is_looked_at() -> None:
    (host,) = expand(networks("10.0.0.1/32"), networks("10.0.0.2/32"))
    (net,) = expand(networks("10.0.0.0/8"), networks("10.0.0.2/32"))
    (port,) = expand((ts("10.0.0.1", "10.0.0.1", 6, (80, 80)),), networks("10.0.0.2/32"))
    (all_,) = expand(networks("0.0.0.0/0"), networks("0.0.0.0/0"))
    assert 0 < priority(port) < priority(host) < priority(net) < priority(all_) == BASE_PRIORITY
    (six,) = expand(networks("fd00::1/128"), networks("fd00::2/128"))
    assert priority(six) > 0


# -- windows, timers, conversations, faults ------------------------------------------------------------------------


def test_requests_are_sorted_by_their_number_and_octets() -> None:
    window = ResponseWindow()
    assert window.classify(0, b"a") is RequestClass.NEW
    window.begin(b"a")
    assert window.is_answering
    assert window.classify(0, b"a") is RequestClass.IN_PROGRESS
    window.abandon()
    assert window.classify(0, b"a") is RequestClass.NEW
    window.begin(b"a")
    window.answer(Sealed((b"A",)))
    assert window.kept == Sealed((b"A",))
    assert window.classify(0, b"a") is RequestClass.REPEAT
    assert window.classify(0, b"b") is RequestClass.CHANGED_REPEAT
    assert window.classify(1, b"a") is RequestClass.NEW
    assert window.classify(2, b"a") is RequestClass.OUTSIDE
    assert window.classify(0xFFFFFFFF, b"a") is RequestClass.OUTSIDE


def test_waits_grow_to_a_limit_and_end() -> None:
    window = RequestWindow(RetransmissionConfig(timeout=2, base=2, limit=10, tries=4))
    assert window.wait() is None
    window.open(ExchangeType.IKE_AUTH, Sealed((b"x",)), 1)
    waits = []
    while (wait := window.wait()) is not None:
        waits.append(wait)
        assert window.outstanding is not None
        window.outstanding.sent += 1
    assert waits == [2, 4, 8, 10]
    assert window.last_wait() == 10
    assert window.answers(1) is window.outstanding
    assert window.answers(2) is None
    window.close()
    assert window.answers(1) is None


def test_timers_fire_in_order_and_once_and_forget_what_was_moved() -> None:
    timers: Timers[str] = Timers()
    assert timers.next() is None
    for number in range(500):
        timers.set("a", 100.0 + number)
    timers.set("b", 50.0)
    timers.set("c", 60.0)
    timers.clear("c")
    timers.clear("nothing")
    assert (timers.next(), len(timers), timers.instant("a"), timers.instant("c")) == (50.0, 2, 599.0, None)
    assert timers.pop_due(49.0) is None
    assert timers.pop_due(1000.0) == "b"
    assert timers.pop_due(1000.0) == "a"
    assert timers.pop_due(1000.0) is None
    assert len(timers._heap) < 200
    assert TimerName.LINGER.value == "end of a closed IKE SA"


def test_an_exchange_may_await_nothing_but_effects() -> None:
    class Sleep:
        def __await__(self):
            yield "an hour"

    async def exchange() -> None:
        await Sleep()

    with pytest.raises(TypeError, match="no effect"):
        Conversation("test", exchange()).start()


def test_each_fault_has_its_notify() -> None:
    phase = Connecting()
    wire = UnsupportedCriticalPayload(PayloadType(200))
    assert notify_for(wire, phase).octets == bytes([200])
    assert notify_for(errors.InvalidKePayload("x", KeMethod.ECP_256), phase).octets == b"\0\x13"
    assert notify_for(errors.NoCredential("x"), phase).type is NotifyType.NO_ADDITIONAL_SAS
    assert is_fatal(TruncatedMessage("x"))
    assert is_fatal(errors.InvalidPublicValue("x"))
    assert not is_fatal(wire)
    assert not is_fatal(errors.TsUnacceptable("x"))
    assert not is_fatal(errors.GaveUp("x"))


def test_wishes_read_well() -> None:
    wishes = (WantChild(make_child()), WantChildDeleted(7), WantForeignChildDeleted(Spi(1)), WantLiveness())
    assert [str(wish) for wish in wishes] == [
        "create child net",
        "delete child 7",
        "have the peer delete child 00000001",
        "liveness check",
    ]
