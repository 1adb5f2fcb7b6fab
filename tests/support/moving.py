"""A pair of which each side may move: its configurations, and where it is."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address

from ikepy.config.model import Config
from ikepy.ike.events import AddressesChanged
from ikepy.ipsec import IpAddress
from tests.support.nat import Nat
from tests.support.pair import LEFT, Pair, Side, make_child, make_config, make_pair

ELSEWHERE, SECOND = IPv4Address("198.51.100.7"), IPv4Address("198.51.100.8")
V6_LEFT, V6_RIGHT = IPv6Address("2001:db8::1"), IPv6Address("2001:db8::2")
OUTSIDE = IPv4Address("203.0.113.9")
TWO = (make_child("net"), make_child("more", "10.1.1.0/24", "10.2.1.0/24"))


def mobile(*, mobike: bool = True, **more: object) -> tuple[Config, Config]:
    """Both sides' configurations; each takes the other from everywhere."""
    left, right = (
        make_config(left=side, children=TWO, mobike=mobike, local_addrs=(), dpd_delay=30.0, **more)
        for side in (True, False)
    )
    return left, replace(right, connections=(replace(right.connections[0], remote_addrs=()),))


def up(configs: tuple[Config, Config] | None = None, *, nat: Nat | None = None) -> Pair:
    """A pair that is up, the left having begun, perhaps from behind a NAT."""
    pair = make_pair(*(configs or mobile()))
    if nat is not None:
        pair.link.translate = nat.translate
    pair.left.initiate()
    pair.run(25)
    assert pair.left.established
    return pair


def before_left() -> Nat:
    return Nat(frozenset({LEFT, ELSEWHERE}), OUTSIDE)


def change(pair: Pair, side: Side, *addresses: IpAddress) -> None:
    """A side has these addresses from now on, the best first."""
    side.addresses = list(addresses)
    side.run(side.endpoint.kernel_event(AddressesChanged(), pair.now), pair.now)


def assert_between(pair: Pair, left: IpAddress, right: IpAddress) -> None:
    """Both IKE SAs and all children are between these."""
    for side, here, there in ((pair.left, left, right), (pair.right, right, left)):
        path = side.sa.path
        assert (path.local.address, path.remote.address) == (here, there)
        for child in side.sa.children:
            assert (child.spec.inbound.source, child.spec.inbound.destination) == (there, here)
            assert (child.spec.outbound.source, child.spec.outbound.destination) == (here, there)
            assert set(side.kernel.states) >= {child.spec.inbound.id, child.spec.outbound.id}
            for policy in child.spec.policies:
                assert {policy.template.source, policy.template.destination} == {here, there}
