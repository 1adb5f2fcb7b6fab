"""Transport mode through NATs: selectors with the addresses each side sees, in both roles, and as NATs change (RFC 7296 §2.23.1)."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, ip_network

import pytest

from ikepy.config.model import ChildConfig, Config
from ikepy.ike.actions import Datagram, SocketAddress
from ikepy.ike.errors import TsUnacceptable
from ikepy.ike.events import AttemptFailed, ChildSaDown, Mapping
from ikepy.ike.nat import NatFindings
from ikepy.ike.original_addresses import NO_ORIGINALS, Hosts, OriginalAddresses
from ikepy.ipsec import IpAddress, Mode
from ikepy.wire.registry import NotifyType
from ikepy.wire.ts import TrafficSelector
from tests.support.moving import ELSEWHERE, OUTSIDE, change
from tests.support.nat import Nat
from tests.support.pair import LEFT, RIGHT, Pair, Side, make_child, make_config, make_pair, networks, one_address
from tests.support.stage import events_of

GATE = IPv4Address("198.51.100.2")
"What the NAT before the right shows."
ANOTHER = IPv4Address("203.0.113.77")
L2TP = TrafficSelector.from_network(ip_network("0.0.0.0/0"), 17, 1701, 1701)
HOSTS = make_child(mode=Mode.TRANSPORT, local_ts=(), remote_ts=())
WHERE = ("left", "right", "both")


def configs(child: ChildConfig = HOSTS, *others: ChildConfig, **more: object) -> tuple[Config, Config]:
    """Both sides' configurations; the right takes its peer from anywhere."""
    left, right = (make_config(left=left, children=(child, *others), **more) for left in (True, False))
    return left, replace(right, connections=(replace(right.connections[0], remote_addrs=()),))


class Nats:
    """A NAT before the left, before the right, or before both."""

    def __init__(self, where: str) -> None:
        self.near = Nat(frozenset({LEFT, ELSEWHERE} if where != "right" else ()), OUTSIDE)
        self.far = Nat(frozenset({RIGHT} if where != "left" else ()), GATE, first_port=30_000)
        for port in (500, 4500):
            self.far.forward(SocketAddress(RIGHT, port), port)

    @property
    def left_seen(self) -> IpAddress:
        """The left, as the right sees it."""
        return self.near.outside if self.near.inside else LEFT

    @property
    def right_seen(self) -> IpAddress:
        """The right, as the left sees it."""
        return GATE if self.far.inside else RIGHT

    def translate(self, datagram: Datagram) -> Datagram | None:
        """Through both."""
        passed = self.near.translate(datagram)
        return self.far.translate(passed) if passed is not None else None


def through(nats: Nats, both: tuple[Config, Config] | None = None) -> Pair:
    """A pair with these NATs between, the left having begun."""
    left, right = both or configs()
    left = replace(left, connections=(replace(left.connections[0], remote_addrs=one_address(nats.right_seen)),))
    pair = make_pair(left, right)
    pair.link.translate = nats.translate
    pair.left.initiate()
    pair.run(25)
    return pair


def assert_between_hosts(side: Side, here: IpAddress, there: IpAddress) -> None:
    """The side's only child selects, and is between, these two addresses and no others."""
    (child,) = side.sa.children
    assert child.mode is Mode.TRANSPORT
    assert [(ts.start, ts.end) for ts in child.local_ts] == [(here, here)]
    assert [(ts.start, ts.end) for ts in child.remote_ts] == [(there, there)]
    spec = child.spec
    assert (spec.outbound.source, spec.outbound.destination) == (here, there)
    assert (spec.inbound.source, spec.inbound.destination) == (there, here)
    for out, selector in (
        (True, spec.outbound.selector),
        (False, spec.inbound.selector),
        *((policy.direction.value == "out", policy.selector) for policy in spec.policies),
    ):
        ends = selector.source.network_address, selector.destination.network_address
        assert ends == ((here, there) if out else (there, here))
    assert {policy.template.reqid for policy in spec.policies} == {spec.inbound.reqid}
    assert set(side.kernel.states) >= {spec.inbound.id, spec.outbound.id}


def assert_seen(pair: Pair, nats: Nats, left: IpAddress = LEFT) -> None:
    """Each side has its own address and the one it sees of the other; nothing is left over."""
    assert_between_hosts(pair.left, left, nats.right_seen)
    assert_between_hosts(pair.right, RIGHT, nats.left_seen)
    for side in (pair.left, pair.right):
        assert not events_of(side, AttemptFailed)


# -- as it should be -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", WHERE)
def test_each_side_selects_the_addresses_it_sees(where: str) -> None:
    nats = Nats(where)
    assert_seen(through(nats), nats)


@pytest.mark.parametrize("where", WHERE)
def test_the_address_a_peer_has_behind_its_nat_is_given_to_the_kernel(where: str) -> None:
    pair = through(Nats(where))
    far_hidden, near_hidden = where != "left", where != "right"
    (ours,), (theirs,) = pair.left.sa.children, pair.right.sa.children
    assert ours.spec.inbound.encap.original == ours.spec.outbound.encap.original == (RIGHT if far_hidden else None)
    assert theirs.spec.inbound.encap.original == theirs.spec.outbound.encap.original == (LEFT if near_hidden else None)


def test_ports_and_protocol_stay_as_they_are() -> None:
    nats = Nats("left")
    child = replace(HOSTS, local_ts=(L2TP,), remote_ts=(L2TP,))
    pair = through(nats, configs(child))
    for side, there in ((pair.left, RIGHT), (pair.right, OUTSIDE)):
        assert side.established
        selectors = {str(policy.selector.protocol) for policy in side.sa.children[0].spec.policies}
        assert selectors == {"17"}
        out = next(p.selector for p in side.sa.children[0].spec.policies if p.direction.value == "out")
        assert (out.source_port, out.destination_port) == (1701, 1701)
        assert there in out.destination


@pytest.mark.parametrize("by", ["left", "right"])
@pytest.mark.parametrize("where", WHERE)
def test_a_rekeyed_child_selects_the_same(where: str, by: str) -> None:
    nats = Nats(where)
    pair = through(nats)
    side = getattr(pair, by)
    (old,) = side.sa.children
    for _ in range(2):
        side.run(side.endpoint.rekey(pair.now, child_ids=(side.sa.children[0].unique_id,)), pair.now)
        pair.run(25)
    (new,) = side.sa.children
    assert new.unique_id != old.unique_id
    assert new.spec.inbound.reqid == old.spec.inbound.reqid
    assert_seen(pair, nats)


@pytest.mark.parametrize("where", WHERE)
def test_a_further_child_may_come_from_who_answered_first(where: str) -> None:
    nats = Nats(where)
    pair = through(nats)
    pair.left.terminate_child(pair.left.sa.children[0].unique_id)
    pair.run(25)
    assert not pair.right.sa.children
    pair.right.initiate(child="net")
    pair.run(25)
    assert pair.left.sa.children
    for side, here, there in ((pair.left, LEFT, nats.right_seen), (pair.right, RIGHT, nats.left_seen)):
        (child,) = side.sa.children
        assert {ts.start for ts in child.local_ts} == {here}
        assert {ts.start for ts in child.remote_ts} == {there}


def test_an_ike_sa_that_is_rekeyed_takes_such_children_along() -> None:
    nats = Nats("both")
    pair = through(nats)
    pair.right.run(pair.right.endpoint.rekey(pair.now, ike_ids=(pair.right.sa.unique_id,)), pair.now)
    pair.run(40)
    assert_seen(pair, nats)
    pair.right.run(pair.right.endpoint.rekey(pair.now, child_ids=(pair.right.sa.children[0].unique_id,)), pair.now)
    pair.run(25)
    assert_seen(pair, nats)


# -- NATs that change --------------------------------------------------------------------------------------------------------


def test_a_nat_with_other_ports_changes_ports_alone() -> None:
    nats = Nats("left")
    pair = through(nats, configs(mobike=False))
    inbound, policies = pair.right.sa.children[0].spec.inbound, pair.right.sa.children[0].spec.policies
    event = Mapping(inbound.id, OUTSIDE, 31_000)
    pair.right.run(pair.right.endpoint.kernel_event(event, pair.now), pair.now)
    (child,) = pair.right.sa.children
    assert child.spec.outbound.encap.destination_port == 31_000
    assert child.spec.inbound.encap.original == LEFT
    assert child.spec.policies == policies
    assert_between_hosts(pair.right, RIGHT, OUTSIDE)


@pytest.mark.parametrize("by", ["left", "right"])
def test_a_nat_with_another_address_takes_states_and_policies_along(by: str) -> None:
    nats = Nats("left")
    pair = through(nats, configs(mobike=False))
    inbound = pair.right.sa.children[0].spec.inbound
    nats.near.flush()
    nats.near.outside = ANOTHER
    nats.near.forward(SocketAddress(LEFT, 4500), 31_000)
    pair.right.run(pair.right.endpoint.kernel_event(Mapping(inbound.id, ANOTHER, 31_000), pair.now), pair.now)
    assert_between_hosts(pair.right, RIGHT, ANOTHER)
    pair.run(100)
    side = getattr(pair, by)
    side.run(side.endpoint.rekey(pair.now, child_ids=(side.sa.children[0].unique_id,)), pair.now)
    pair.run(25)
    assert_seen(pair, nats)
    assert not events_of(pair.right, ChildSaDown)


@pytest.mark.parametrize("where", ["neither", "left"])
def test_a_host_with_another_address_takes_states_and_policies_along(where: str) -> None:
    nats = Nats(where) if where != "neither" else Nats("left")
    if where == "neither":
        nats.near.inside = frozenset()
    left, right = configs(mobike=True)
    left = replace(left, connections=(replace(left.connections[0], local_addrs=()),))
    pair = through(nats, (left, right))
    change(pair, pair.left, ELSEWHERE)
    pair.run(40)
    assert_between_hosts(pair.left, ELSEWHERE, RIGHT)
    assert_between_hosts(pair.right, RIGHT, OUTSIDE if where == "left" else ELSEWHERE)


# -- what is not taken -------------------------------------------------------------------------------------------------------


def test_other_addresses_are_not_taken_where_no_nat_is_known() -> None:
    pair = through(Nats("left"), configs(nat_detection=False))
    assert pair.left.established
    assert not pair.left.sa.children
    assert not pair.right.sa.children
    assert not pair.right.kernel.states
    (failed,) = events_of(pair.right, AttemptFailed)
    assert "192.0.2.1 for the peer" in failed.reason
    assert "no NAT was found" in failed.reason
    assert str(NotifyType.TS_UNACCEPTABLE) in events_of(pair.left, AttemptFailed)[0].reason


def test_a_tunnel_sees_the_addresses_as_they_were_written() -> None:
    wants = replace(HOSTS, name="hosts")
    tunnel = make_child("tunnel", "192.0.2.0/24", "192.0.2.2/32")
    left, right = configs(tunnel)
    left = replace(left, connections=(replace(left.connections[0], children=(wants,)),))
    pair = through(Nats("left"), (left, right))
    (failed,) = events_of(pair.left, AttemptFailed)
    assert "transport mode" in failed.reason
    chosen = [line for line in pair.right.events if getattr(line, "child", None) is not None]
    assert any(str(LEFT) in str(event) for event in chosen)


def test_transport_mode_goes_before_a_wider_tunnel_where_the_peer_wants_it() -> None:
    nats = Nats("left")
    left, right = configs(make_child("wide", "0.0.0.0/0", "0.0.0.0/0"), HOSTS)
    left = replace(left, connections=(replace(left.connections[0], children=(HOSTS,)),))
    pair = through(nats, (left, right))
    assert_seen(pair, nats)
    assert pair.right.sa.children[0].name == "net"


# -- the selectors alone -----------------------------------------------------------------------------------------------------

BETWEEN = Hosts(RIGHT, OUTSIDE)


def seen(*remote: str) -> tuple[list[str], OriginalAddresses]:
    """What a peer's selectors for itself are taken as."""
    _, theirs, originals = BETWEEN.seen(networks("192.0.2.2/32"), networks(*remote))
    return [str(ts) for ts in theirs], originals


def test_what_is_right_already_stays() -> None:
    assert seen("203.0.113.9/32") == (["203.0.113.9/32"], NO_ORIGINALS)


def test_all_selectors_of_the_one_address_are_taken_together() -> None:
    narrow = replace(networks("10.0.0.7/32")[0], protocol=6, start_port=40_000, end_port=40_000)
    _, theirs, originals = BETWEEN.seen((), (narrow, *networks("10.0.0.7/32")))
    assert [ts.start for ts in theirs] == [ts.end for ts in theirs] == [OUTSIDE, OUTSIDE]
    assert (theirs[0].protocol, theirs[0].start_port, theirs[0].end_port) == (6, 40_000, 40_000)
    assert originals == OriginalAddresses(None, IPv4Address("10.0.0.7"))


def test_networks_and_several_hosts_are_left_as_they_are() -> None:
    assert seen("10.0.0.0/24") == (["10.0.0.0/24"], NO_ORIGINALS)
    assert seen("10.0.0.7/32", "10.0.0.8/32") == (["10.0.0.7/32", "10.0.0.8/32"], NO_ORIGINALS)
    assert seen("10.0.0.7/32", "10.0.0.0/24") == (["10.0.0.7/32", "10.0.0.0/24"], NO_ORIGINALS)
    assert seen() == ([], NO_ORIGINALS)


def test_selectors_of_the_other_family_are_nobodys_here() -> None:
    assert seen("10.0.0.7/32", "2001:db8::7/128")[0] == ["203.0.113.9/32", "2001:db8::7/128"]
    assert seen("2001:db8::7/128") == (["2001:db8::7/128"], NO_ORIGINALS)


@pytest.mark.parametrize(("local", "remote"), [(True, False), (False, True), (False, False)])
def test_each_address_must_have_a_nat_of_its_own(local: bool, remote: bool) -> None:
    both = OriginalAddresses(LEFT, RIGHT)
    both.check(NatFindings(supported=True, local=True, remote=True))
    with pytest.raises(TsUnacceptable, match="no NAT was found"):
        both.check(NatFindings(supported=True, local=local, remote=remote))
