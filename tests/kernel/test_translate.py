"""Values <-> octets: against what `ip xfrm` sends for the same words, and there and back for any value."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyroute2.netlink import nlmsg

from ikepy.crypto.secret import Secret
from ikepy.ipsec import (
    CopyDscp,
    Direction,
    Handling,
    Lifetime,
    Mark,
    Mode,
    PolicyAction,
    PolicySpec,
    SaSpec,
    Selector,
    Spi,
    Template,
    UdpEncap,
)
from ikepy.kernel.algorithms import CIPHERS, INTEGRITIES
from ikepy.kernel.messages import MESSAGE_CLASSES, newpolicy, newsa, numbers, xfrm_message
from ikepy.kernel.messages.message import make
from ikepy.kernel.translate import (
    make_policy,
    make_policy_id,
    make_state,
    make_state_id,
    read_policy,
    read_selector,
    read_state,
)
from ikepy.wire.registry import EncrId, IntegId

FIRST_20 = Secret(bytes(range(20)))


def octets_of(message: xfrm_message) -> bytes:
    message.encode()
    return bytes(message.data)


# -- what iproute2 6.1 sends for the same words (captured with strace, without the netlink header) ----------------

# ip xfrm state add src 192.0.2.1 dst 192.0.2.2 proto esp spi 0xc0a81f03 reqid 484442113 mode tunnel
#   aead 'rfc4106(gcm(aes))' 0x00010203..13 128 replay-window 32 flag af-unspec
GCM_TUNNEL = bytes.fromhex("""
    0000000000000000000000000000000000000000000000000000000000000000
    000000000000000000000000000000000000000000000000c000020200000000
    0000000000000000c0a81f0332000000c0000201000000000000000000000000
    ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff
    0000000000000000000000000000000000000000000000000000000000000000
    0000000000000000000000000000000000000000000000000000000000000000
    000000000000000000000000000000000100e01c020001202000000000000000
    60001200726663343130362867636d2861657329290000000000000000000000
    0000000000000000000000000000000000000000000000000000000000000000
    00000000a000000080000000000102030405060708090a0b0c0d0e0f10111213
""")

# ip xfrm policy add src 10.1.0.0/24 dst 10.2.0.0/24 proto tcp dport 443 dir out priority 1000
#   tmpl src 192.0.2.1 dst 192.0.2.2 proto esp reqid 484442113 mode tunnel
POLICY_OUT = bytes.fromhex("""
    0a0200000000000000000000000000000a010000000000000000000000000000
    01bbffff0000000002001818060000000000000000000000ffffffffffffffff
    ffffffffffffffffffffffffffffffffffffffffffffffff0000000000000000
    0000000000000000000000000000000000000000000000000000000000000000
    000000000000000000000000000000000000000000000000e803000000000000
    010000000000000044000500c000020200000000000000000000000000000000
    3200000002000000c00002010000000000000000000000000100e01c01000000
    ffffffffffffffffffffffff
""")

# ip xfrm state add src 2001:db8::1 dst 2001:db8::2 proto esp spi 0xc0a81f04 reqid 484442114 mode transport
#   enc 'cbc(aes)' 0x00..0f auth-trunc 'hmac(sha256)' 0x00..1f 128 replay-window 128 flag esn
#   encap espinudp 4500 4501 0.0.0.0
CBC_TRANSPORT_ESN = bytes.fromhex("""
    0000000000000000000000000000000000000000000000000000000000000000
    00000000000000000000000000000000000000000000000020010db800000000
    0000000000000002c0a81f043200000020010db8000000000000000000000001
    ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff
    0000000000000000000000000000000000000000000000000000000000000000
    0000000000000000000000000000000000000000000000000000000000000000
    000000000000000000000000000000000200e01c0a0000008000000000000000
    5800020063626328616573290000000000000000000000000000000000000000
    0000000000000000000000000000000000000000000000000000000000000000
    0000000080000000000102030405060708090a0b0c0d0e0f6c001400686d6163
    2873686132353629000000000000000000000000000000000000000000000000
    0000000000000000000000000000000000000000000000000000000000010000
    80000000000102030405060708090a0b0c0d0e0f101112131415161718191a1b
    1c1d1e1f1c000400020011941195000000000000000000000000000000000000
    1c001700040000000000000000000000000000000000000080000000
""")


def test_a_tunnel_state_is_said_as_iproute2_says_it() -> None:
    spec = SaSpec(
        source=IPv4Address("192.0.2.1"),
        destination=IPv4Address("192.0.2.2"),
        spi=Spi(0xC0A81F03),
        mode=Mode.TUNNEL,
        reqid=484442113,
        encr=EncrId.AES_GCM_16,
        encr_key=FIRST_20,
    )
    assert octets_of(make_state(spec))[16:] == GCM_TUNNEL


def test_a_transport_state_with_everything_is_said_as_iproute2_says_it() -> None:
    spec = SaSpec(
        source=IPv6Address("2001:db8::1"),
        destination=IPv6Address("2001:db8::2"),
        spi=Spi(0xC0A81F04),
        mode=Mode.TRANSPORT,
        reqid=484442114,
        encr=EncrId.AES_CBC,
        encr_key=Secret(bytes(range(16))),
        integ=IntegId.HMAC_SHA2_256_128,
        integ_key=Secret(bytes(range(32))),
        esn=True,
        replay_window=128,
        encap=UdpEncap(4500, 4501),
    )
    assert octets_of(make_state(spec))[16:] == CBC_TRANSPORT_ESN


def test_a_policy_is_said_as_iproute2_says_it() -> None:
    policy = PolicySpec(
        Selector(IPv4Network("10.1.0.0/24"), IPv4Network("10.2.0.0/24"), 6, 0, 0, 443, 0xFFFF),
        Direction.OUT,
        PolicyAction.PROTECT,
        Template(IPv4Address("192.0.2.1"), IPv4Address("192.0.2.2"), Mode.TUNNEL, 484442113),
        priority=1000,
    )
    assert octets_of(make_policy(policy))[16:] == POLICY_OUT


# -- there and back ----------------------------------------------------------------------------------------------

ports = st.integers(0, 0xFFFF)
number32 = st.integers(1, 0xFFFFFFFF)
marks = st.builds(Mark, st.integers(0, 0xFFFFFFFF), number32)
limits = st.none() | st.integers(1, (1 << 64) - 2)
seconds = st.none() | st.integers(1, 1 << 40)
lifetimes = st.builds(Lifetime, seconds, seconds, limits, limits, limits, limits)


@st.composite
def networks(draw: st.DrawFn, version: int) -> IPv4Network | IPv6Network:
    network, bits = (IPv4Network, 32) if version == 4 else (IPv6Network, 128)
    length = draw(st.integers(0, bits))
    return network((draw(st.integers(0, (1 << bits) - 1)) >> (bits - length) << (bits - length), length))


@st.composite
def selectors(draw: st.DrawFn, version: int | None = None) -> Selector:
    version = version or draw(st.sampled_from([4, 6]))
    return Selector(
        draw(networks(version)),
        draw(networks(version)),
        draw(st.integers(0, 255)),
        *(draw(ports) for _ in range(4)),
    )


handlings = st.builds(
    Handling,
    st.booleans(),
    st.booleans(),
    st.sampled_from(CopyDscp),
    st.none() | st.integers(1, 0xFFFFFFFF),
    st.none() | marks,
)


@st.composite
def states(draw: st.DrawFn) -> SaSpec:
    version = draw(st.sampled_from([4, 6]))
    addresses = st.ip_addresses(v=version)
    encr = draw(st.sampled_from(sorted(CIPHERS)))
    cipher = CIPHERS[encr]
    key = draw(st.binary(min_size=1, max_size=1)) * (draw(st.sampled_from(cipher.key_octets)) + cipher.salt_octets)
    integ = None if cipher.is_aead else draw(st.sampled_from(sorted(INTEGRITIES)))
    mode = draw(st.sampled_from((Mode.TUNNEL, Mode.TRANSPORT)))
    return SaSpec(
        source=draw(addresses),
        destination=draw(addresses),
        spi=Spi(draw(number32)),
        mode=mode,
        reqid=draw(number32),
        encr=encr,
        encr_key=Secret(key),
        integ=integ,
        integ_key=Secret(bytes(INTEGRITIES[integ].key_octets)) if integ is not None else None,
        esn=draw(st.booleans()),
        replay_window=draw(st.integers(1, 4096)),
        encap=draw(st.none() | st.builds(UdpEncap, ports, ports)),
        lifetime=draw(lifetimes),
        selector=draw(st.none() | selectors(version)) if mode is Mode.TRANSPORT else None,
        mark=draw(st.none() | marks),
        if_id=draw(st.none() | number32),
        handling=draw(handlings),
    )


@st.composite
def policies(draw: st.DrawFn) -> PolicySpec:
    action = draw(st.sampled_from(PolicyAction))
    outer = st.ip_addresses(v=draw(st.sampled_from([4, 6])))
    spis = st.none() | number32.map(Spi)
    template = st.builds(Template, outer, outer, st.sampled_from((Mode.TUNNEL, Mode.TRANSPORT)), number32, spi=spis)
    return PolicySpec(
        draw(selectors()),
        draw(st.sampled_from(Direction)),
        action,
        draw(template) if action is PolicyAction.PROTECT else None,
        draw(st.integers(0, 0xFFFFFFFF)),
        draw(st.none() | marks),
        draw(st.none() | number32),
    )


def decoded(message: xfrm_message) -> xfrm_message:
    again = MESSAGE_CLASSES[message["header"]["type"]](octets_of(message))
    again.decode()
    return again


def without_whole_selector(spec: SaSpec) -> SaSpec:
    """A transport state for any packet of its family is what the kernel makes of one without a selector."""
    selector = spec.selector
    whole = selector is not None and Selector(selector.source, selector.destination) == selector
    is_any = whole and selector.source.prefixlen == selector.destination.prefixlen == 0
    return replace(spec, selector=None) if is_any else spec


@settings(max_examples=50, deadline=None)
@given(states())
def test_any_state_comes_back_from_its_octets(spec: SaSpec) -> None:
    assert read_state(decoded(make_state(spec))) == without_whole_selector(spec)


@settings(max_examples=50, deadline=None)
@given(policies())
def test_any_policy_comes_back_from_its_octets(policy: PolicySpec) -> None:
    assert read_policy(decoded(make_policy(policy))) == policy


@settings(max_examples=50, deadline=None)
@given(states(), policies())
def test_the_quick_encoder_gives_what_pyroute2_gives(spec: SaSpec, policy: PolicySpec) -> None:
    for message in (
        make_state(spec),
        make_state_id(spec.id, numbers.XFRM_MSG_DELSA, spec.mark),
        make_policy(policy),
        make_policy_id(policy, numbers.XFRM_MSG_DELPOLICY),
    ):
        message.encode()
        quick = bytes(message.data)
        message.reset()
        nlmsg.encode(message)
        assert bytes(message.data) == quick


# -- what cannot be said -----------------------------------------------------------------------------------------


def plain_state(**changes: object) -> SaSpec:
    one, two = ip_address("192.0.2.1"), ip_address("192.0.2.2")
    return replace(SaSpec(one, two, Spi(300), Mode.TUNNEL, 1, EncrId.AES_GCM_16, FIRST_20), **changes)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"encr": EncrId.NULL}, "Linux has no NULL for ESP"),
        ({"encr": EncrId.AES_CBC, "encr_key": Secret(bytes(16))}, "needs an integrity algorithm"),
        ({"encr_key": Secret(bytes(16))}, "takes a key of 20, 28, 36 octets"),
        ({"replay_window": 4097}, "0 to 4096 packets, not 4097"),
        ({"replay_window": 0, "esn": True}, "need a replay window"),
    ],
)
def test_a_state_linux_could_not_take_as_meant_says_why(changes: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make_state(plain_state(**changes))


def test_a_policy_to_protect_needs_a_template() -> None:
    selector = Selector(IPv4Network("10.0.0.0/8"), IPv4Network("10.0.0.0/8"))
    with pytest.raises(ValueError, match="needs a template"):
        make_policy(PolicySpec(selector, Direction.OUT, PolicyAction.PROTECT))


def test_what_others_have_in_the_tables_is_passed_over() -> None:
    state = decoded(make_state(plain_state()))
    beet = state["sa"]._replace(mode=4)
    assert read_state(decoded(make(newsa, numbers.XFRM_MSG_NEWSA, sa=beet, attrs=[]))) is None
    assert read_state(decoded(make(newsa, numbers.XFRM_MSG_NEWSA, sa=state["sa"], attrs=[]))) is None
    socket_policy = decoded(make_policy(PolicySpec(read_selector(SELECTOR), Direction.IN, PolicyAction.BYPASS)))
    of_socket = socket_policy["policy"]._replace(dir=3)
    assert read_policy(decoded(make(newpolicy, numbers.XFRM_MSG_NEWPOLICY, policy=of_socket, attrs=[]))) is None


SELECTOR = make_policy(
    PolicySpec(Selector(IPv6Network("::/0"), IPv6Network("::/0")), Direction.IN, PolicyAction.BYPASS)
)["policy"].sel


def test_key_material_does_not_print() -> None:
    message = make_state(plain_state(encr_key=Secret(b"\xaa" * 20)))
    assert "\\xaa" not in repr(message["attrs"])
