"""Traps and shunts: what stands in the kernel, what a packet begins, and what happens when things come at the wrong time."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from ipaddress import ip_network

import pytest

from ikepy.config.model import AddressPattern, AddressPatternKind, ChildConfig, CloseAction, DpdAction, StartAction
from ikepy.ike.causes import Cause
from ikepy.ike.child import make_policies, priority
from ikepy.ike.effects import AskAgain, InstallPolicies, RemovePolicies
from ikepy.ike.errors import KernelRefused, PeerUnknown
from ikepy.ike.events import Acquire
from ikepy.ipsec import Direction, Mode, Owner, PolicyAction, Selector
from tests.support.keeper_host import NO_NETWORK, PATH, keeper_host
from tests.support.keeper_traps import packet, reqid_of, shunt, standing, started, trap
from tests.support.pair import LEFT, RIGHT, make_child, networks

PROTECT, BYPASS, DISCARD = PolicyAction.PROTECT, PolicyAction.BYPASS, PolicyAction.DISCARD
ALL_WAYS = [Direction.OUT, Direction.IN, Direction.FORWARD]
NET = Selector(ip_network("10.1.0.0/24"), ip_network("10.2.0.0/24"))


# -- traps ---------------------------------------------------------------------------------------------------------


def test_a_trap_has_the_policies_of_its_child_in_all_directions() -> None:
    host = started()
    policies = host.owned_by("trap-site-net")
    assert [policy.direction for policy in policies] == ALL_WAYS
    assert {policy.action for policy in policies} == {PROTECT}
    assert tuple(policies) == make_policies(trap(), (NET,), PATH, reqid_of(host))
    assert host.keeper.policies() == (standing(trap()),)


def test_a_trap_initiates_nothing_by_itself() -> None:
    host = started()
    host.pass_time(86400)
    assert not host.initiated
    assert not len(host.timers)


def test_a_trap_of_transport_mode_has_no_forward_policy() -> None:
    host = started(trap(mode=Mode.TRANSPORT))
    assert [policy.direction for policy in host.policies] == ALL_WAYS[:2]


def test_a_trap_without_selectors_is_between_the_addresses_of_its_path() -> None:
    host = started(trap(local_ts=(), remote_ts=()))
    assert host.policies[0].selector == Selector(ip_network(f"{LEFT}/32"), ip_network(f"{RIGHT}/32"))
    (found,) = host.keeper.policies()
    assert found.local_ts == networks(f"{LEFT}/32")


def test_mark_and_interface_id_are_the_childs() -> None:
    host = started(trap(if_id=7))
    assert {policy.if_id for policy in host.policies} == {7}


def test_a_trap_and_the_child_it_made_share_their_policies() -> None:
    host = started()
    child = make_policies(trap(), (NET,), PATH, reqid_of(host))
    before = host.policies
    host.table.commit(host.table.plan_add(Owner("child-1"), child))
    assert host.policies == before
    host.keeper.stop()
    assert host.policies == before, "the child still holds them"


def test_two_traps_have_different_request_ids() -> None:
    host = started(trap("a"), trap("b", remote="10.3.0.0/24"))
    assert reqid_of(host, "trap-site-a") != reqid_of(host, "trap-site-b")


# -- shunts --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("mode", "action"), [(Mode.PASS, BYPASS), (Mode.DROP, DISCARD)])
def test_a_shunt_is_in_all_directions_and_before_a_protecting_policy_of_equal_selectors(
    mode: Mode, action: PolicyAction
) -> None:
    host = started(shunt(mode))
    policies = host.owned_by("shunt-site-net")
    assert [policy.direction for policy in policies] == ALL_WAYS
    assert [policy.selector for policy in policies] == [NET, NET.reversed(), NET.reversed()]
    assert {(policy.action, policy.template) for policy in policies} == {(action, None)}
    assert all(policy.priority < priority(NET) for policy in policies)
    assert host.keeper.policies() == (standing(shunt(mode)),)


def test_a_shunt_goes_behind_a_policy_of_narrower_selectors() -> None:
    host = started(shunt(Mode.DROP, local="10.0.0.0/8", remote="0.0.0.0/0"), trap("inner"))
    discards = [policy for policy in host.policies if policy.action is DISCARD]
    protects = [policy for policy in host.policies if policy.action is PROTECT]
    assert min(policy.priority for policy in discards) > max(policy.priority for policy in protects)


def test_a_shunt_needs_neither_network_nor_peer() -> None:
    host = keeper_host(shunt(Mode.PASS), remote_addrs=())
    host.paths["site"] = NO_NETWORK
    host.keeper.start()
    assert len(host.policies) == 3


def test_each_pair_of_selectors_has_its_shunt() -> None:
    host = started(shunt(Mode.DROP, remote_ts=networks("10.2.0.0/24", "10.3.0.0/24")))
    assert len(host.policies) == 6


def test_a_shunt_that_is_switched_off_is_not_there() -> None:
    host = started(replace(shunt(Mode.PASS), start_action=StartAction.NONE))
    assert not host.policies
    host.keeper.install("site", "net")
    assert len(host.policies) == 3


# -- no network yet ------------------------------------------------------------------------------------------------


def test_a_trap_that_cannot_be_resolved_yet_is_tried_again_with_growing_waits() -> None:
    host = keeper_host(trap("a"), trap("b", remote="10.3.0.0/24"))
    host.paths["site"] = NO_NETWORK
    host.keeper.start()
    gaps = []
    for _ in range(8):
        at = host.timers.next()
        assert at is not None
        gaps.append(at - host.now)
        host.pass_time(gaps[-1])
    for least, gap in zip((1, 2, 4, 8, 16, 32, 60, 60), gaps, strict=True):
        assert least <= gap <= least * 1.25
    assert len(host.timers) == 1

    host.paths["site"] = PATH
    host.pass_time(80)
    assert len(host.keeper.policies()) == 2
    assert not len(host.timers)


def test_only_the_first_failure_of_a_connection_is_a_warning() -> None:
    host = keeper_host(trap())
    host.paths["site"] = NO_NETWORK
    host.keeper.start()
    host.pass_time(3600)
    assert len(host.warnings) == 1
    assert "no route" in host.warnings[0]


def test_a_trap_the_kernel_refuses_is_tried_again() -> None:
    host = keeper_host(trap())
    host.refuse_policies = KernelRefused("Operation not permitted")
    host.keeper.start()
    assert not host.keeper.policies()
    host.refuse_policies = None
    host.pass_time(1.25)
    assert host.keeper.policies()
    assert host.reqids.of(("site", "net")) == reqid_of(host)


def test_selectors_without_a_common_family_are_told_of_and_harm_nobody_else() -> None:
    host = started(trap("mixed", remote_ts=networks("fd00::/64")), trap())
    assert [found.name for found in host.keeper.policies()] == ["net"]
    assert "family" in host.warnings[0]


def test_a_trap_of_a_peer_without_an_address_is_refused_and_it_is_said_what_to_do() -> None:
    anybody = (AddressPattern(AddressPatternKind.ANY),)
    host = started(remote_addrs=anybody)
    assert "set remote_addrs" in host.warnings[0]
    assert not host.effects
    with pytest.raises(PeerUnknown, match="remote_addrs"):
        host.keeper.install("site", "net")


# -- packets -------------------------------------------------------------------------------------------------------


def test_a_packet_begins_its_child_with_its_own_selector() -> None:
    host = started()
    host.keeper.acquired(Acquire(packet(), reqid_of(host)))
    (initiated,) = host.initiated
    assert (initiated.connection, initiated.child, initiated.packet) == ("site", "net", packet())


def test_a_packet_for_a_child_that_is_up_or_under_way_begins_nothing() -> None:
    host = started()
    reqid = reqid_of(host)
    host.under_way["site", "net"] = None
    host.keeper.acquired(Acquire(packet(), reqid))
    host.come_up("site", "net")
    host.keeper.acquired(Acquire(packet(), reqid))
    assert not host.initiated
    assert not len(host.timers)


def test_a_packet_that_comes_before_its_policies_are_confirmed_begins_its_child() -> None:
    host = keeper_host(trap())
    host.hold = lambda effect: isinstance(effect, InstallPolicies)
    host.keeper.start()
    host.keeper.acquired(Acquire(packet(), host.reqids.of(("site", "net"))))
    assert len(host.initiated) == 1


def test_a_storm_of_packets_begins_one_child_and_costs_no_memory() -> None:
    host = started()
    reqid = reqid_of(host)
    acquires = [Acquire(packet(number), reqid) for number in range(100)] * 100
    host.keeper.acquired(acquires[0])
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for acquire in acquires:
        host.keeper.acquired(acquire)
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert len(host.initiated) == 1
    assert not len(host.timers)
    assert not host.decisions[1:]
    assert grown < 4096


def test_a_storm_of_packets_for_a_peer_that_refuses_is_one_try_a_wait() -> None:
    host = started()
    reqid = reqid_of(host)
    host.on_initiate = lambda connection, child: host.end_ike(connection, Cause.FAILED)
    for number in range(10_000):
        host.keeper.acquired(Acquire(packet(number), reqid))
        host.pass_time(0.01)
    assert 6 <= len(host.initiated) <= 7
    assert len(host.timers) == 1


def test_a_packet_that_comes_in_the_wait_after_a_failure_begins_its_child_when_that_is_over() -> None:
    host = started()
    reqid = reqid_of(host)
    host.keeper.acquired(Acquire(packet(1), reqid))
    host.end_ike("site", Cause.FAILED)
    host.keeper.acquired(Acquire(packet(2), reqid))
    host.keeper.acquired(Acquire(packet(3), reqid))
    assert len(host.initiated) == 1
    host.pass_time(1.25)
    assert [each.packet for each in host.initiated] == [packet(1), packet(2)]


def test_after_a_try_that_failed_the_kernel_is_to_ask_again_by_the_next_packet() -> None:
    host = started()
    reqid = reqid_of(host)
    host.keeper.acquired(Acquire(packet(), reqid))
    assert AskAgain(reqid) not in host.effects
    host.end_ike("site", Cause.FAILED)
    assert host.effects.count(AskAgain(reqid)) == 1


def test_a_child_a_packet_asked_for_is_not_tried_again_without_another_packet() -> None:
    host = started(keyingtries=1)
    host.keeper.acquired(Acquire(packet(), reqid_of(host)))
    host.end_ike("site", Cause.FAILED)
    host.pass_time(86400)
    assert len(host.initiated) == 1
    assert not host.events, "the peer's fault was told by its IKE SA"
    host.keeper.acquired(Acquire(packet(), reqid_of(host)))
    assert len(host.initiated) == 2


def test_a_packet_for_nobodys_request_id_is_told_of_and_ignored() -> None:
    host = started()
    for _ in range(1000):
        host.keeper.acquired(Acquire(packet(), 12345))
    assert not host.initiated
    assert len([decision for decision in host.decisions if "12345" in decision]) == 1
    host.pass_time(60)
    host.keeper.acquired(Acquire(packet(), 12345))
    assert "1001 such" in host.decisions[-1]


def test_a_packet_for_a_trap_that_is_out_again_begins_nothing() -> None:
    host = started()
    reqid = reqid_of(host)
    host.keeper.uninstall("site", "net")
    host.keeper.acquired(Acquire(packet(), reqid))
    assert not host.initiated


# -- after the end of a child --------------------------------------------------------------------------------------


@pytest.mark.parametrize("cause", list(Cause))
def test_the_trap_stays_whatever_its_child_ends_of(cause: Cause) -> None:
    host = started()
    before = host.policies
    host.keeper.acquired(Acquire(packet(), reqid_of(host)))
    host.come_up("site", "net")
    host.pass_time(60)
    host.end_ike("site", cause)
    host.pass_time(3600)
    assert host.policies == before
    assert len(host.initiated) == 1


@pytest.mark.parametrize(
    ("child", "cause"),
    [
        (make_child(dpd_action=DpdAction.TRAP), Cause.PEER_DEAD),
        (make_child(close_action=CloseAction.TRAP), Cause.PEER_CLOSED),
    ],
)
def test_an_action_that_says_trap_puts_the_trap_in(child: ChildConfig, cause: Cause) -> None:
    host = started(child)
    assert not host.policies
    host.come_up("site", "net")
    host.end_ike("site", cause)
    assert host.keeper.policies() == (standing(child),)
    host.keeper.acquired(Acquire(packet(), reqid_of(host)))
    assert host.children_initiated == ["net"]


# -- the operator --------------------------------------------------------------------------------------------------


def test_the_operator_may_install_and_uninstall_a_trap() -> None:
    host = started(make_child())
    host.keeper.install("site", "net")
    host.keeper.install("site", "net")
    assert len(host.policies) == 3
    assert len([effect for effect in host.effects if isinstance(effect, InstallPolicies)]) == 1
    host.keeper.uninstall("site", "net")
    assert not host.policies
    assert not host.keeper.policies()


def test_what_is_not_there_cannot_be_installed_or_uninstalled() -> None:
    host = started(make_child())
    with pytest.raises(KeyError, match="elsewhere"):
        host.keeper.install("elsewhere", "net")
    with pytest.raises(KeyError, match="other"):
        host.keeper.install("site", "other")
    with pytest.raises(KeyError, match="no trap"):
        host.keeper.uninstall("site", "net")


def test_a_kernel_that_refuses_to_remove_is_told_of_and_the_trap_counts_as_gone() -> None:
    host = started()
    host.hold = lambda effect: isinstance(effect, RemovePolicies)
    host.keeper.uninstall("site", "net")
    ((conversation, _),) = host.held
    conversation.fail(KernelRefused("No such file or directory"))
    assert "No such file" in host.warnings[0]
    assert not host.keeper.policies()
