"""Two endpoints and a line between them: set-ups that succeed, on good lines and bad ones."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv6Address

import pytest

from ikepy.config.algorithms import parse_proposals
from ikepy.ike.drops import DropReason
from ikepy.ike.events import ChildSaUp, IkeSaUp
from ikepy.ipsec import Mode, PolicyAction
from ikepy.wire.message import parse_message
from ikepy.wire.registry import ExchangeType, NotifyType, ProtocolId
from tests.support.link import Link
from tests.support.pair import Pair, established_pair, make_child, make_config, make_pair, one_address


def mirrored(pair: Pair) -> None:
    """Both sides have the same SAs, seen from either end."""
    left, right = pair.left.established, pair.right.established
    assert {(sa.spi_i, sa.spi_r) for sa in left} == {(sa.spi_i, sa.spi_r) for sa in right}
    ours = {(c.spec.inbound.spi, c.spec.outbound.spi) for sa in left for c in sa.children}
    theirs = {(c.spec.outbound.spi, c.spec.inbound.spi) for sa in right for c in sa.children}
    assert ours == theirs
    keys = {s.id: s.encr_key for s in pair.left.kernel.states.values()}
    assert keys == {s.id: s.encr_key for s in pair.right.kernel.states.values()}


def nothing_left(pair: Pair) -> None:
    """No SA, no state in a kernel, nothing remembered of anybody."""
    for side in (pair.left, pair.right):
        assert not side.sas
        assert side.kernel.is_clean
        assert side.endpoint.is_idle
        assert side.endpoint.half_open == 0


def test_a_tunnel_comes_up_in_four_messages_and_both_sides_mirror_each_other() -> None:
    pair = established_pair()

    assert len(pair.link.sent) == 4
    assert [type(event) for event in pair.left.events] == [IkeSaUp, ChildSaUp]
    assert [type(event) for event in pair.right.events] == [IkeSaUp, ChildSaUp]
    mirrored(pair)


def test_a_deleted_tunnel_leaves_nothing() -> None:
    pair = established_pair()
    pair.left.terminate()
    pair.run(200)

    nothing_left(pair)


@pytest.mark.parametrize("seed", range(40))
def test_a_tunnel_comes_up_and_goes_on_a_line_that_loses_doubles_and_reorders(seed: int) -> None:
    link = Link(seed, loss=0.25, duplication=0.3, delay=0.05, jitter=0.5)
    pair = established_pair(link=link, seed=seed)
    mirrored(pair)
    pair.right.terminate()
    pair.run(400)

    nothing_left(pair)


@pytest.mark.parametrize(
    ("ike", "esp"),
    [
        ("aes128-sha256-modp2048", "aes128-sha256-noesn"),
        ("aes256ctr-sha384-ecp384", "aes256ctr-sha512-esn"),
        ("aes192gcm8-prfsha512-x448", "aes192gcm8"),
        ("aes256ccm12-prfaescmac-ecp256", "aes256ccm12"),
        ("chacha20poly1305-prfsha384-ecp521", "chacha20poly1305"),
        ("aes128-aesxcbc-prfaesxcbc-x25519", "aes256-aescmac-noesn"),
        ("aes256-sha1-modp3072", "aes128gcm16"),
    ],
)
def test_each_kind_of_suite_makes_keys_both_sides_agree_on(ike: str, esp: str) -> None:
    proposals = parse_proposals((ike,), ProtocolId.IKE)
    child = make_child(esp_proposals=parse_proposals((esp,), ProtocolId.ESP))
    pair = established_pair(*(make_config(left=left, children=(child,), proposals=proposals) for left in (True, False)))

    mirrored(pair)


def test_several_children_come_up_one_after_the_other() -> None:
    children = tuple(make_child(f"net{n}", f"10.1.{n}.0/24", f"10.2.{n}.0/24") for n in range(4))
    pair = established_pair(*(make_config(left=left, children=children) for left in (True, False)))

    assert sorted(c.name for c in pair.left.sa.children) == [c.name for c in children]
    mirrored(pair)


def test_transport_mode_is_agreed_on_and_protects_the_two_addresses() -> None:
    child = make_child(mode=Mode.TRANSPORT, local_ts=(), remote_ts=())
    pair = established_pair(*(make_config(left=left, children=(child,)) for left in (True, False)))

    (made,) = pair.left.sa.children
    assert made.mode is Mode.TRANSPORT
    assert [str(ts) for ts in made.local_ts + made.remote_ts] == ["192.0.2.1/32", "192.0.2.2/32"]
    assert made.spec.outbound.selector is not None
    assert all(policy.action is PolicyAction.PROTECT for policy in made.spec.policies)
    mirrored(pair)


def test_ipv4_goes_inside_an_ipv6_tunnel() -> None:
    left, right = IPv6Address("2001:db8::1"), IPv6Address("2001:db8::2")
    configs = [
        make_config(left=is_left, local_addrs=one_address(a), remote_addrs=one_address(b))
        for is_left, a, b in ((True, left, right), (False, right, left))
    ]
    pair = make_pair(*configs)
    pair.left.address, pair.right.address = left, right
    pair.left.initiate()
    pair.run(60)

    (child,) = pair.left.sa.children
    assert child.spec.outbound.source == left
    assert str(child.local_ts[0]) == "10.1.0.0/24"
    mirrored(pair)


def test_forced_encapsulation_moves_to_port_4500_and_puts_esp_into_udp() -> None:
    pair = established_pair(make_config(left=True, encap=True), make_config(left=False))

    assert pair.left.sa.path.local.port == 4500
    assert pair.left.sa.path.non_esp_marker
    for side in (pair.left, pair.right):
        (child,) = side.sa.children
        assert child.encap
        assert child.spec.outbound.encap is not None
    assert pair.right.sa.nat_remote
    mirrored(pair)


def test_the_more_narrow_offer_of_the_peer_is_taken() -> None:
    wide = make_child(local="10.1.0.0/16", remote="10.2.0.0/16")
    narrow = make_child(local="10.1.7.0/24", remote="10.2.0.0/16")
    pair = established_pair(make_config(left=True, children=(wide,)), make_config(left=False, children=(narrow,)))

    (child,) = pair.left.sa.children
    assert [str(ts) for ts in child.local_ts] == ["10.1.7.0/24"]
    mirrored(pair)


def test_initiating_what_is_up_already_says_so_and_sends_nothing() -> None:
    pair = established_pair()
    sent = len(pair.link.sent)
    pair.left.initiate()
    pair.run(60)

    assert len(pair.link.sent) == sent
    assert len(pair.left.established) == 1


def test_a_child_more_is_made_by_create_child_sa_with_its_own_key_exchange() -> None:
    esp = parse_proposals(("aes256gcm16-x25519",), ProtocolId.ESP)
    children = (make_child("net"), make_child("more", "10.1.1.0/24", "10.2.1.0/24", esp_proposals=esp))
    configs = [make_config(left=left, children=children) for left in (True, False)]
    pair = make_pair(*configs)
    pair.left.initiate("site", "net")
    pair.run(60)
    pair.right.initiate("site", "more")
    pair.run(60)

    assert {c.name for c in pair.left.sa.children} == {"net", "more"}
    mirrored(pair)
    exchanges = [parse_message(d.octets).header.exchange for d in pair.link.sent]
    assert ExchangeType.CREATE_CHILD_SA in exchanges


def test_the_peer_that_has_begun_anew_replaces_what_was_there() -> None:
    pair = established_pair()
    first = pair.right.sa
    pair.left.run(pair.left.endpoint.abandon(pair.now), pair.now)
    pair.left.initiate()
    pair.run(60)

    assert pair.right.sa.spi_i != first.spi_i
    assert len(pair.right.kernel.states) == 2
    mirrored(pair)
    assert any(m.notify(NotifyType.INITIAL_CONTACT) for m, _ in pair.right.recorder.received)


def test_a_request_repeated_gets_the_same_response_octet_for_octet() -> None:
    pair = established_pair()
    requests = [d for d in pair.link.sent if d.path.local.address == pair.left.address]
    responses = [d for d in pair.link.sent if d.path.local.address == pair.right.address]
    pair.right.outbox.clear()
    from tests.support.link import arriving

    pair.right.run(pair.right.endpoint.receive_datagram(arriving(requests[1]), pair.now), pair.now)
    assert pair.right.outbox == [responses[1]]
    assert len(pair.right.kernel.states) == 2


def test_a_repeat_with_other_content_is_dropped() -> None:
    pair = established_pair()
    from tests.support.link import arriving

    request = arriving([d for d in pair.link.sent if d.path.local.address == pair.left.address][1])
    changed = replace(request, octets=request.octets[:-1] + bytes([request.octets[-1] ^ 1]))
    pair.right.run(pair.right.endpoint.receive_datagram(changed, pair.now), pair.now)

    assert pair.right.recorder.drop_reasons == [DropReason.CHANGED_REPEAT]
    assert not pair.right.outbox
