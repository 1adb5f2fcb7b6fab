"""What every kernel must do: the same tests for tables in memory and for Linux's own."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Network

import pytest
import trio

from ikepy.crypto.secret import Secret
from ikepy.ike.errors import KernelRefused, PolicyTaken, SpiTaken
from ikepy.ipsec import (
    Direction,
    Owner,
    PolicyAction,
    PolicySpec,
    Selector,
    UdpEncap,
)
from ikepy.kernel.base import BookedKernel
from ikepy.kernel.interface import REQID_BASE
from ikepy.kernel.owners import key_of
from ikepy.wire.registry import ProtocolId
from tests.kernel.rig import (
    OTHER_BASE,
    OUR_ADDRESS,
    Host,
    everything_v4,
    everything_v6,
    make_child,
)
from tests.kernel.story import contents, play

# -- one child ---------------------------------------------------------------------------------------------------


def test_an_installed_child_is_in_the_tables_as_it_was_said(host: Host) -> None:
    child = make_child()

    async def story(kernel: BookedKernel) -> None:
        await kernel.install_child(child)
        states = {spec.id: spec for spec in await kernel.dump_states()}
        assert states == {
            child.inbound.id: replace(child.inbound, inbound=False),
            child.outbound.id: child.outbound,
        }
        assert set(await kernel.dump_policies()) == set(child.policies)

    play(host, story)


def test_removal_leaves_nothing_and_may_be_repeated(host: Host) -> None:
    async def story(kernel: BookedKernel) -> None:
        child = make_child()
        await kernel.install_child(child)
        for _ in range(2):
            await kernel.remove_child(child)
            assert await contents(kernel) == (set(), set())

    play(host, story)


def test_a_child_that_is_gone_from_the_tables_can_still_be_removed(host: Host) -> None:
    async def story(kernel: BookedKernel) -> None:
        child = make_child()
        await kernel.install_child(child)
        async with host.crashing_kernel() as sweeper:
            assert await sweeper.remove_leftovers() == 5
        await kernel.remove_child(child)

    play(host, story)


def test_a_fresh_state_has_counted_nothing_and_an_unknown_one_has_no_counters(host: Host) -> None:
    async def story(kernel: BookedKernel) -> None:
        child = make_child()
        await kernel.install_child(child)
        counters = await kernel.counters(child.inbound.id)
        assert counters is not None
        assert (counters.octets, counters.packets, counters.last_used) == (0, 0, None)
        assert await kernel.counters(make_child(2).inbound.id) is None

    play(host, story)


def test_leaving_the_context_takes_everything_out(host: Host) -> None:
    async def story(kernel: BookedKernel) -> None:
        await kernel.install_child(make_child())
        await kernel.install_policies(Owner("trap"), (make_child(2, local="10.7.0.0/24").policies[0],))

    play(host, story)


# -- SPIs --------------------------------------------------------------------------------------------------------


def test_spis_are_drawn_from_256_up_and_never_twice(host: Host) -> None:
    async def story(kernel: BookedKernel) -> None:
        spis = [await kernel.allocate_spi(OUR_ADDRESS, ProtocolId.ESP) for _ in range(50)]
        assert len(set(spis)) == 50
        assert min(spis) >= 256

    play(host, story)


def test_a_taken_inbound_spi_is_told_apart_and_leaves_the_other_child_alone(host: Host) -> None:
    async def story(kernel: BookedKernel) -> None:
        first = make_child(1)
        second = make_child(2, local="10.9.0.0/24")
        second = replace(second, inbound=replace(second.inbound, spi=first.inbound.spi))
        await kernel.install_child(first)
        before = await contents(kernel)
        with pytest.raises(SpiTaken, match="c0000001"):
            await kernel.install_child(second)
        assert await contents(kernel) == before
        await kernel.remove_child(second)
        assert await contents(kernel) == before

    play(host, story)


def test_a_taken_spi_of_another_daemon_is_told_apart_too(host: Host) -> None:
    async def story(kernel: BookedKernel) -> None:
        async with host.kernel(OTHER_BASE) as other:
            theirs = make_child(1, base=OTHER_BASE)
            await other.install_child(theirs)
            with pytest.raises(SpiTaken):
                await kernel.install_child(make_child(1, local="10.9.0.0/24"))
            assert await contents(kernel) == (set(), set())
            assert len((await contents(other))[0]) == 2

    play(host, story)


def test_a_taken_outbound_spi_is_the_peers_doing(host: Host) -> None:
    async def story(kernel: BookedKernel) -> None:
        first, second = make_child(1), make_child(2, local="10.9.0.0/24")
        second = replace(second, outbound=replace(second.outbound, spi=first.outbound.spi))
        await kernel.install_child(first)
        before = await contents(kernel)
        with pytest.raises(KernelRefused, match="the peer chose SPI d0000001") as raised:
            await kernel.install_child(second)
        assert not isinstance(raised.value, SpiTaken)
        assert await contents(kernel) == before

    play(host, story)


# -- owners ------------------------------------------------------------------------------------------------------


def test_an_equal_policy_of_a_second_owner_stays_until_the_last_is_gone(host: Host) -> None:
    async def story(kernel: BookedKernel) -> None:
        old, new = make_child(1, reqid=REQID_BASE + 1), make_child(2, reqid=REQID_BASE + 1)
        await kernel.install_child(old)
        await kernel.install_child(new)
        await kernel.remove_child(old)
        states, policies = await contents(kernel)
        assert states == {new.inbound.id, new.outbound.id}
        assert policies == {key_of(policy) for policy in new.policies}
        await kernel.remove_child(new)
        assert await contents(kernel) == (set(), set())

    play(host, story)


def test_equal_selectors_of_two_peers_are_refused_with_the_name_of_the_other(host: Host) -> None:
    async def story(kernel: BookedKernel) -> None:
        await kernel.install_child(make_child(1))
        before = await contents(kernel)
        with pytest.raises(PolicyTaken, match=r"child-1, a policy to 192\.0\.2\.2"):
            await kernel.install_child(make_child(2, there="192.0.2.77"))
        assert await contents(kernel) == before

    play(host, story)


def test_two_peers_behind_one_nat_are_two_peers(host: Host) -> None:
    async def story(kernel: BookedKernel) -> None:
        first, second = make_child(1), make_child(2)
        await kernel.install_child(replace(first, outbound=replace(first.outbound, encap=UdpEncap(4500, 40001))))
        with pytest.raises(PolicyTaken):
            await kernel.install_child(replace(second, outbound=replace(second.outbound, encap=UdpEncap(4500, 40002))))

    play(host, story)


def test_the_same_peer_coming_again_has_the_policies_and_gives_them_back(host: Host) -> None:
    async def story(kernel: BookedKernel) -> None:
        old, new = make_child(1), make_child(2)
        await kernel.install_child(old)
        await kernel.install_child(new)
        assert set(await kernel.dump_policies()) == set(new.policies)
        await kernel.remove_child(new)
        assert set(await kernel.dump_policies()) == set(old.policies)

    play(host, story)


def test_a_trap_outlives_the_child_beside_it(host: Host) -> None:
    async def story(kernel: BookedKernel) -> None:
        child = make_child(1)
        for policy in child.policies:
            await kernel.install_policies(Owner("trap"), (policy,))
        await kernel.install_child(child)
        await kernel.remove_child(child)
        assert set(await kernel.dump_policies()) == set(child.policies)
        await kernel.remove_policies(Owner("trap"))
        assert await contents(kernel) == (set(), set())

    play(host, story)


def test_a_policy_that_is_not_ours_is_refused_and_the_states_are_taken_back(host: Host) -> None:
    async def story(kernel: BookedKernel) -> None:
        async with host.kernel(OTHER_BASE) as other:
            await other.install_policies(Owner("theirs"), (make_child(1, base=OTHER_BASE).policies[1],))
            with pytest.raises(PolicyTaken, match="not ikepy's"):
                await kernel.install_child(make_child(1))
            assert await contents(kernel) == (set(), set())
            assert len(await other.dump_policies()) == 1

    play(host, story)


def test_a_bypass_and_a_discard_go_in_and_out(host: Host) -> None:
    async def story(kernel: BookedKernel) -> None:
        selector = Selector(IPv4Network("10.1.0.0/24"), IPv4Network("10.3.0.0/16"), 6, 0, 0, 25, 0xFFFF)
        for action in (PolicyAction.BYPASS, PolicyAction.DISCARD):
            policy = PolicySpec(selector, Direction.OUT, action, priority=7)
            await kernel.install_policies(Owner("shunt"), (policy,))
            assert await kernel.dump_policies() == (policy,)
            await kernel.remove_policies(Owner("shunt"))
            assert await kernel.dump_policies() == ()

    play(host, story)


# -- what must not be encrypted ----------------------------------------------------------------------------------


def test_shunts_stand_before_a_policy_for_all_of_ipv6_until_its_last_owner_is_gone(host: Host) -> None:
    async def story(kernel: BookedKernel) -> None:
        one = everything_v6(1)
        two = make_child(2, local="fd01::/64", remote="fd02::/64")
        await kernel.install_child(one)
        shunts = [policy for policy in await kernel.dump_policies() if policy.action is PolicyAction.BYPASS]
        assert len(shunts) == 10
        assert all(shunt.priority < 1000 for shunt in shunts)
        await kernel.install_child(two)
        await kernel.remove_child(one)
        shunts = [policy for policy in await kernel.dump_policies() if policy.action is PolicyAction.BYPASS]
        assert {shunt.selector.protocol for shunt in shunts} == {58}
        await kernel.remove_child(two)
        assert await contents(kernel) == (set(), set())

    play(host, story)


def test_a_shunt_has_the_best_priority_anyone_needs(host: Host) -> None:
    async def story(kernel: BookedKernel) -> None:
        await kernel.install_child(everything_v6(1))
        two = make_child(2, local="fd01::/64", remote="fd02::/64", priority=500)
        await kernel.install_child(two)
        assert await priorities_of_discovery(kernel) == {499}
        await kernel.remove_child(two)
        assert await priorities_of_discovery(kernel) == {999}

    async def priorities_of_discovery(kernel: BookedKernel) -> set[int]:
        return {policy.priority for policy in await kernel.dump_policies() if policy.selector.protocol == 58}

    play(host, story)


def test_a_host_that_sends_all_of_ipv4_through_a_tunnel_keeps_its_lease(host: Host) -> None:
    async def story(kernel: BookedKernel) -> None:
        child = everything_v4()
        await kernel.install_child(child)
        shunts = [policy for policy in await kernel.dump_policies() if policy.action is PolicyAction.BYPASS]
        assert {shunt.selector.protocol for shunt in shunts} == {17}
        assert len(shunts) == 3
        await kernel.remove_child(child)
        assert await contents(kernel) == (set(), set())

    play(host, story)


# -- all or nothing, in order ------------------------------------------------------------------------------------


def test_what_cannot_be_said_is_refused_before_anything_is_done(host: Host) -> None:
    async def story(kernel: BookedKernel) -> None:
        child = make_child()
        short_key = replace(child, outbound=replace(child.outbound, encr_key=Secret(bytes(17))))
        with pytest.raises(KernelRefused, match="takes a key of 20, 28, 36 octets with its salt, not 17"):
            await kernel.install_child(short_key)
        with pytest.raises(KernelRefused, match="not of our range"):
            await kernel.install_child(make_child(1, reqid=5))
        assert await contents(kernel) == (set(), set())

    play(host, story)


def test_no_delete_overtakes_its_add_even_when_the_adder_was_cancelled(host: Host) -> None:
    async def story(kernel: BookedKernel) -> None:
        children = [make_child(number, local=f"10.{number}.0.0/24") for number in range(1, 21)]

        async def install(child_number: int, scope: trio.CancelScope) -> None:
            with scope:
                await kernel.install_child(children[child_number])

        async with trio.open_nursery() as nursery:
            for number, child in enumerate(children):
                scope = trio.CancelScope()
                nursery.start_soon(install, number, scope)
                for _ in range(number % 5):
                    await trio.lowlevel.checkpoint()
                scope.cancel()
                await kernel.remove_child(child)
        assert await contents(kernel) == (set(), set())

    play(host, story)


def test_an_installation_that_has_begun_is_finished_though_cancelled(host: Host) -> None:
    async def story(kernel: BookedKernel) -> None:
        with trio.move_on_after(0):
            await kernel.install_child(make_child())
        states, policies = await contents(kernel)
        assert (len(states), len(policies)) in ((0, 0), (2, 3))

    play(host, story)


# -- after a crash -----------------------------------------------------------------------------------------------


def test_a_new_process_takes_out_what_a_crashed_one_left_and_nothing_else(host: Host) -> None:
    async def main() -> None:
        async with host.kernel(OTHER_BASE) as other:
            await other.install_child(make_child(9, base=OTHER_BASE, local="fd09::/64", remote="::/0"))
            theirs = await contents(other)
            async with host.crashing_kernel() as crashing:
                await crashing.install_child(make_child(1, local="10.5.0.0/24"))
                await crashing.install_policies(
                    Owner("shunt"),
                    (PolicySpec(make_child(2).policies[0].selector, Direction.OUT, PolicyAction.BYPASS, priority=1),),
                )
            async with host.kernel() as kernel:
                assert await contents(kernel) == (set(), set())
                assert await contents(other) == theirs

    trio.run(main)
