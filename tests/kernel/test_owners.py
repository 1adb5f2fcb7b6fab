"""The table of owners: what it plans, and that a plan is nothing until it is committed."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import pytest

from ikepy.ike.errors import PolicyTaken
from ikepy.ipsec import ChildSaSpec, Mode, Owner, PolicyAction
from ikepy.kernel.owners import Peer, PolicyTable, key_of
from tests.kernel.rig import PEER_ADDRESS, everything_v6, make_child

A, B = Owner("a"), Owner("b")
PLAIN = make_child().policies


def commit(table: PolicyTable, owner: Owner, policies: object = PLAIN, peer: Peer | None = None) -> None:
    table.commit(table.plan_add(owner, policies, peer))


def test_a_plan_changes_nothing_until_it_is_committed() -> None:
    table = PolicyTable()
    plan = table.plan_add(A, PLAIN)
    assert plan.added == PLAIN
    assert table.policies == ()
    table.commit(plan)
    assert table.policies == PLAIN


def test_the_second_owner_adds_nothing_and_the_first_to_go_removes_nothing() -> None:
    table = PolicyTable()
    commit(table, A)
    plan = table.plan_add(B, PLAIN)
    assert (plan.added, plan.replaced, plan.deleted) == ((), (), ())
    table.commit(plan)
    assert table.owners_of(PLAIN[0]) == (A, B)
    plan = table.plan_remove(A)
    assert plan.deleted == ()
    table.commit(plan)
    plan = table.plan_remove(B)
    assert set(plan.deleted) == set(PLAIN)
    table.commit(plan)
    assert table.policies == ()
    assert table.plan_remove(B).claims == {}


def test_a_refused_plan_leaves_the_table_as_it_was() -> None:
    table = PolicyTable()
    commit(table, A)
    with pytest.raises(PolicyTaken):
        table.plan_add(B, make_child(2, there="192.0.2.77").policies)
    assert table.owners_of(PLAIN[0]) == (A,)


def test_the_same_request_id_is_the_same_peer_wherever_it_moved() -> None:
    table = PolicyTable()
    commit(table, A)
    moved = make_child(1, there="192.0.2.77").policies
    plan = table.plan_add(B, moved)
    assert [after for _, after in plan.replaced] == list(moved)


def test_a_trap_put_in_or_changed_beside_its_child_takes_no_packets_from_it() -> None:
    table = PolicyTable()
    trap, moved = PLAIN, make_child(1, there="192.0.2.77").policies
    commit(table, B, PLAIN, Peer(ip_address("192.0.2.2")))
    commit(table, A, trap)
    plan = table.plan_add(A, moved)
    assert (plan.added, plan.replaced, plan.deleted) == ((), (), ())
    table.commit(plan)
    assert table.policies == PLAIN
    plan = table.plan_remove(B)
    assert [after for _, after in plan.replaced] == list(reversed(moved))
    table.commit(plan)
    assert set(table.policies) == set(moved)


@pytest.mark.parametrize(("one", "other", "same"), [(None, 4500, True), (4500, 4500, True), (4500, 4501, False)])
def test_peers_of_one_address_differ_by_ports_that_are_known(one: int | None, other: int | None, same: bool) -> None:
    address = ip_address("192.0.2.2")
    assert Peer(address, one).is_same_as(Peer(address, other)) is same


def test_a_bypass_is_never_put_over_a_policy_that_protects() -> None:
    table = PolicyTable()
    commit(table, A)
    bypass = replace(PLAIN[0], action=PolicyAction.BYPASS, template=None)
    with pytest.raises(PolicyTaken, match="in use by a"):
        table.plan_add(B, (bypass,))


def test_shunts_go_in_before_and_come_out_after_what_needs_them() -> None:
    table = PolicyTable()
    plan = table.plan_add(A, everything_v6().policies)
    is_shunt = [policy.action is PolicyAction.BYPASS for policy in plan.added]
    assert is_shunt == sorted(is_shunt, reverse=True)
    table.commit(plan)
    is_shunt = [policy.action is PolicyAction.BYPASS for policy in table.plan_remove(A).deleted]
    assert is_shunt == sorted(is_shunt)


def test_one_owner_holding_a_shunt_twice_holds_it_once() -> None:
    table = PolicyTable()
    commit(table, A, everything_v6().policies)
    shunts = [policy for policy in table.policies if policy.action is PolicyAction.BYPASS]
    assert all(table.owners_of(shunt) == (A,) for shunt in shunts)
    assert len({key_of(policy) for policy in table.policies}) == len(table.policies)


def test_a_second_client_of_one_nat_in_transport_mode_is_refused_with_what_to_do() -> None:
    table, nat = PolicyTable(), PEER_ADDRESS
    first, second = (in_transport(make_child(number)) for number in (1, 2))
    table.commit(table.plan_add(first.owner, first.policies, Peer(nat, 20001)))
    with pytest.raises(PolicyTaken, match="two peers behind one NAT: use tunnel mode, or give them different ports"):
        table.plan_add(second.owner, second.policies, Peer(nat, 20002))
    assert table.owners_of(first.policies[0]) == (first.owner,)


def in_transport(child: ChildSaSpec) -> ChildSaSpec:
    """The child's policies, of transport mode."""
    policies = tuple(
        replace(each, template=replace(each.template, mode=Mode.TRANSPORT))
        for each in child.policies
        if each.template is not None
    )
    return replace(child, policies=policies)
