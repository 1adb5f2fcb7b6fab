"""Traps and shunts when things come at the wrong time, when the daemon stops, and under another configuration."""

from __future__ import annotations

from ipaddress import IPv4Address, ip_network

import pytest

from ikepy.config.model import StartAction
from ikepy.ike.actions import Path, SocketAddress
from ikepy.ike.causes import Cause
from ikepy.ike.effects import InstallPolicies, RemovePolicies, ResolvePath
from ikepy.ike.errors import KernelRefused
from ikepy.ike.events import Acquire
from ikepy.ipsec import Direction, Mode, PolicyAction
from tests.support.keeper_host import NO_NETWORK, connections, keeper_host
from tests.support.keeper_traps import packet, reqid_of, shunt, standing, started, trap
from tests.support.pair import LEFT, make_child, make_config

PROTECT, BYPASS, DISCARD = PolicyAction.PROTECT, PolicyAction.BYPASS, PolicyAction.DISCARD
MOVED = Path(SocketAddress(LEFT, 500), SocketAddress(IPv4Address("192.0.2.77"), 500))


# -- at the wrong time ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [ResolvePath, InstallPolicies])
def test_a_trap_uninstalled_while_it_is_put_in_does_not_stay(kind: type) -> None:
    host = keeper_host(trap())
    host.hold = lambda effect: isinstance(effect, kind)
    host.keeper.start()
    host.keeper.uninstall("site", "net")
    host.release()
    assert not host.policies
    assert not host.keeper.policies()
    host.hold = lambda effect: False
    host.keeper.install("site", "net")
    assert len(host.policies) == 3


def test_a_trap_installed_while_it_is_taken_out_is_there_again() -> None:
    host = started()
    host.hold = lambda effect: isinstance(effect, RemovePolicies)
    host.keeper.uninstall("site", "net")
    host.keeper.install("site", "net")
    host.release()
    assert len(host.policies) == 3
    assert host.keeper.policies() == (standing(trap()),)
    host.keeper.acquired(Acquire(packet(), reqid_of(host)))
    assert len(host.initiated) == 1


def test_a_trap_uninstalled_while_its_retry_waits_leaves_no_timer() -> None:
    host = keeper_host(trap())
    host.paths["site"] = NO_NETWORK
    host.keeper.start()
    host.keeper.uninstall("site", "net")
    assert not len(host.timers)


def test_a_trap_that_fails_after_it_was_uninstalled_is_not_tried_again() -> None:
    host = keeper_host(trap())
    host.hold = lambda effect: isinstance(effect, InstallPolicies)
    host.keeper.start()
    host.keeper.uninstall("site", "net")
    host.refuse_policies = KernelRefused("Operation not permitted")
    host.release()
    assert not len(host.timers)
    assert not host.keeper.policies()


# -- stopping and another configuration ----------------------------------------------------------------------------


def test_stop_takes_traps_and_shunts_out_of_the_kernel() -> None:
    host = started(trap("a"), trap("b", remote="10.3.0.0/24"), shunt(Mode.PASS, "c", remote="10.4.0.0/24"))
    assert len(host.policies) == 9
    host.keeper.stop()
    assert not host.policies
    assert not len(host.timers)
    host.come_up("site", "a")
    host.end_ike("site", Cause.PEER_DEAD)
    assert not host.policies


def test_stop_while_a_trap_waits_for_the_network_leaves_no_timer() -> None:
    host = keeper_host(trap())
    host.paths["site"] = NO_NETWORK
    host.keeper.start()
    host.keeper.stop()
    assert not len(host.timers)
    host.pass_time(3600)
    assert not host.policies


def test_another_configuration_puts_in_what_is_new_and_takes_out_what_is_gone() -> None:
    same, gone, new = trap("same"), trap("gone", remote="10.3.0.0/24"), trap("new", remote="10.4.0.0/24")
    host = started(same, gone)
    before, effects = host.owned_by("trap-site-same"), len(host.effects)
    host.replace_config(make_config(children=(same, new)))
    assert [found.name for found in host.keeper.policies()] == ["same", "new"]
    assert host.owned_by("trap-site-same") == before
    assert not any(
        effect.owner == "trap-site-same"
        for effect in host.effects[effects:]
        if isinstance(effect, InstallPolicies | RemovePolicies)
    )


def test_a_connection_that_is_configured_no_more_has_no_traps() -> None:
    host = started(trap(), shunt(Mode.DROP, "other", remote="10.3.0.0/24"))
    host.replace_config(connections())
    assert not host.policies


def test_a_trap_whose_selectors_change_is_replaced() -> None:
    host = started()
    changed = trap(remote="10.9.0.0/24")
    host.replace_config(make_config(children=(changed,)))
    assert host.keeper.policies() == (standing(changed),)
    assert {policy.selector.destination for policy in host.policies if policy.direction is Direction.OUT} == {
        ip_network("10.9.0.0/24")
    }


def test_a_trap_whose_peer_moves_is_changed_without_an_instant_in_which_packets_pass() -> None:
    host = started()
    host.paths["site"] = MOVED
    host.replace_config(make_config(children=(trap(),), dpd_delay=5.0))
    assert not [effect for effect in host.effects if isinstance(effect, RemovePolicies)]
    assert {policy.template.destination for policy in host.policies if policy.template is not None} == {
        MOVED.remote.address,
        LEFT,
    }
    assert len(host.policies) == 3


def test_a_change_that_concerns_no_policy_does_not_touch_the_kernel() -> None:
    host = started()
    host.replace_config(make_config(children=(trap(rekey_time=60.0),)))
    assert len([effect for effect in host.effects if isinstance(effect, InstallPolicies)]) == 1
    host.replace_config(make_config(children=(trap(rekey_time=60.0),)))
    assert len([effect for effect in host.effects if isinstance(effect, ResolvePath)]) == 2


def test_a_trap_that_becomes_a_shunt_and_that_another_shunt_is_replaced_each_time() -> None:
    host = started()
    for mode, action in ((Mode.PASS, BYPASS), (Mode.DROP, DISCARD), (Mode.TUNNEL, PROTECT)):
        host.replace_config(make_config(children=(shunt(mode),)))
        assert [policy.action for policy in host.policies] == [action] * 3
    assert reqid_of(host)


def test_a_child_that_is_no_trap_any_more_has_its_trap_taken_out() -> None:
    host = started()
    host.replace_config(make_config(children=(make_child(start_action=StartAction.START),)))
    host.pass_time(0)
    assert not host.policies
    assert host.children_initiated == ["net"]


def test_what_the_operator_took_out_stays_out_when_the_configuration_is_equal() -> None:
    host = started()
    host.keeper.uninstall("site", "net")
    host.replace_config(make_config(children=(trap(),)))
    assert not host.policies


def test_request_ids_are_given_back() -> None:
    host = started()
    first = reqid_of(host)
    for _ in range(100):
        host.keeper.uninstall("site", "net")
        host.keeper.install("site", "net")
    host.keeper.uninstall("site", "net")
    host.reqids.hold(first)
    assert host.reqids.of(("site", "net")) != first, "nobody holds the trap's number any more"
