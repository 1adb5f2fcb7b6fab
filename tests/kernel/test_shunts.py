"""Which bypass policies a policy needs before it."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network

import pytest

from ikepy.ipsec import Direction, Mark, PolicyAction, PolicySpec, Selector
from ikepy.kernel.shunts import DHCP_IN, DHCP_OUT, LINK_LOCAL, NEIGHBOUR_DISCOVERY, shunts_for


def policy(source: str, destination: str, direction: Direction = Direction.OUT, **changes: object) -> PolicySpec:
    selector = Selector(ip_network(source), ip_network(destination))
    plain = PolicySpec(selector, direction, PolicyAction.PROTECT, None, 1000)
    return replace(plain, **changes)


def selectors(shunts: tuple[PolicySpec, ...]) -> set[Selector]:
    return {shunt.selector for shunt in shunts}


def test_the_masks_of_neighbour_discovery_are_types_133_to_137_and_no_others() -> None:
    types = {
        number
        for number in range(256)
        for shunt in NEIGHBOUR_DISCOVERY
        if number & shunt.source_port_mask == shunt.source_port
    }
    assert types == {133, 134, 135, 136, 137}


def test_everything_needs_discovery_and_link_local_both_ways() -> None:
    shunts = shunts_for(policy("::/0", "::/0"))
    assert selectors(shunts) == {*NEIGHBOUR_DISCOVERY, *LINK_LOCAL}
    assert {shunt.direction for shunt in shunts} == {Direction.OUT, Direction.IN}
    assert len(shunts) == 10


def test_two_hosts_need_discovery_alone() -> None:
    assert selectors(shunts_for(policy("fd99::1/128", "fd99::2/128"))) == set(NEIGHBOUR_DISCOVERY)


def test_link_local_hosts_that_are_named_are_protected() -> None:
    assert selectors(shunts_for(policy("fe80::1/128", "fe80::2/128"))) == set(NEIGHBOUR_DISCOVERY)
    assert selectors(shunts_for(policy("fe80::/10", "::/0"))) == set(NEIGHBOUR_DISCOVERY)


@pytest.mark.parametrize(
    ("changes", "needed"),
    [
        ({"protocol": 6}, False),
        ({"protocol": 58}, True),
        ({"protocol": 58, "source_port": 128, "source_port_mask": 0xFFFF}, False),
        ({"protocol": 58, "source_port": 135, "source_port_mask": 0xFFFF}, True),
    ],
)
def test_a_policy_for_one_protocol_needs_discovery_where_it_covers_it(changes: dict[str, int], needed: bool) -> None:
    base = policy("fd01::/64", "fd02::/64")
    shunts = shunts_for(replace(base, selector=replace(base.selector, **changes)))
    assert bool(shunts) is needed


def test_a_shunt_is_looked_at_before_its_policy_and_has_its_mark() -> None:
    shunts = shunts_for(policy("::/0", "::/0", mark=Mark(1, 1)))
    assert {(shunt.priority, shunt.mark, shunt.action) for shunt in shunts} == {(999, Mark(1, 1), PolicyAction.BYPASS)}


def test_a_discard_policy_needs_shunts_as_one_that_protects_does() -> None:
    assert shunts_for(policy("::/0", "::/0", action=PolicyAction.DISCARD))


@pytest.mark.parametrize(
    "exempt",
    [
        policy("::/0", "::/0", action=PolicyAction.BYPASS),
        policy("::/0", "::/0", if_id=7),
        policy("::/0", "::/0", Direction.FORWARD),
        policy("10.1.0.0/24", "10.2.0.0/24"),
        policy("0.0.0.0/0", "10.3.0.9/32"),
        policy("10.3.0.9/32", "0.0.0.0/0", Direction.IN),
    ],
    ids=["bypass", "interface", "forward", "site to site", "out to a client", "in from a client"],
)
def test_what_needs_no_shunt_has_none(exempt: PolicySpec) -> None:
    assert shunts_for(exempt) == ()


def test_all_of_ipv4_from_a_network_leaves_the_broadcast_of_dhcp_alone() -> None:
    for direction, ends in (
        (Direction.OUT, ("10.1.0.0/24", "0.0.0.0/0")),
        (Direction.IN, ("0.0.0.0/0", "10.1.0.0/24")),
    ):
        shunts = shunts_for(policy(*ends, direction))
        assert {(shunt.selector, shunt.direction) for shunt in shunts} == {
            (DHCP_OUT, Direction.OUT),
            (DHCP_IN, Direction.IN),
        }


def test_a_host_may_also_renew_its_lease_by_unicast() -> None:
    shunts = shunts_for(policy("192.0.2.1/32", "0.0.0.0/0"))
    renewal = replace(DHCP_OUT, source=ip_network("192.0.2.1/32"), destination=ip_network("0.0.0.0/0"))
    assert renewal in selectors(shunts)


def test_a_policy_for_tcp_has_no_dhcp() -> None:
    base = policy("192.0.2.1/32", "0.0.0.0/0")
    assert shunts_for(replace(base, selector=replace(base.selector, protocol=6))) == ()
