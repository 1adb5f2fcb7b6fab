"""A child that moves: other addresses, ports, encapsulation; its sequence numbers go on, and nobody else's policies suffer."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import pytest

from ikepy.ike.errors import KernelRefused
from ikepy.ipsec import ChildSaSpec, Direction, UdpEncap
from ikepy.kernel.base import BookedKernel
from ikepy.kernel.operations import AddState, DeleteState, UpdateState
from ikepy.kernel.progress import MARGIN, Progress
from ikepy.kernel.xfrm import XfrmKernel
from tests.kernel.rig import (
    DecoupledHost,
    Host,
    XfrmHost,
    make_child,
    mirrored,
    ping,
    run,
    two_hosts,
)
from tests.kernel.story import contents
from tests.kernel.story import play as play_one
from tests.kernel.two import play

MOVED = "198.51.100.7"


def moved(child: ChildSaSpec, *, here: str | None = None, there: str | None = None) -> ChildSaSpec:
    """The same child between other addresses."""
    ours = ip_address(here) if here else child.outbound.source
    theirs = ip_address(there) if there else child.outbound.destination
    policies = tuple(
        replace(
            policy,
            template=replace(
                policy.template,
                source=ours if policy.direction is Direction.OUT else theirs,
                destination=theirs if policy.direction is Direction.OUT else ours,
            ),
        )
        for policy in child.policies
        if policy.template is not None
    )
    return replace(
        child,
        inbound=replace(child.inbound, source=theirs, destination=ours),
        outbound=replace(child.outbound, source=ours, destination=theirs),
        policies=policies,
    )


async def assert_is(kernel: BookedKernel, child: ChildSaSpec) -> None:
    """The kernel has just this child."""
    states = {spec.id: replace(spec, inbound=False) for spec in await kernel.dump_states()}
    assert states == {spec.id: replace(spec, inbound=False) for spec in (child.inbound, child.outbound)}
    templates = {(policy.selector, policy.direction): policy.template for policy in await kernel.dump_policies()}
    assert templates == {(policy.selector, policy.direction): policy.template for policy in child.policies}


@pytest.mark.parametrize(("here", "there"), [(None, MOVED), (MOVED, None), ("198.51.100.1", MOVED)])
def test_a_child_moves_and_is_removed_from_where_it_is(host: Host, here: str | None, there: str | None) -> None:
    child = make_child()
    new = moved(child, here=here, there=there)

    async def story(kernel: BookedKernel) -> None:
        await kernel.install_child(child)
        await kernel.move_child(new)
        await assert_is(kernel, new)
        await kernel.remove_child(child)  # whoever removes it may know it as it was
        assert await contents(kernel) == (set(), set())

    play_one(host, story)


def test_encapsulation_begins_changes_its_port_and_ends(host: Host) -> None:
    child = make_child()

    def encapsulated(port: int) -> ChildSaSpec:
        return replace(
            child,
            inbound=replace(child.inbound, encap=UdpEncap(port, 4500)),
            outbound=replace(child.outbound, encap=UdpEncap(4500, port)),
        )

    async def story(kernel: BookedKernel) -> None:
        await kernel.install_child(child)
        for new in (encapsulated(4500), encapsulated(40_000), child):
            await kernel.move_child(new)
            await assert_is(kernel, new)
        await kernel.remove_child(child)

    play_one(host, story)


def test_only_what_is_there_of_a_child_moves(host: Host) -> None:
    child = make_child()
    new = moved(child, there=MOVED)

    async def story(kernel: BookedKernel) -> None:
        await kernel.move_child(new)
        assert await contents(kernel) == (set(), set())
        await kernel.install_inbound(child)
        await kernel.move_child(new)
        assert [spec.id for spec in await kernel.dump_states()] == [new.inbound.id]
        await kernel.install_outbound(new)
        await assert_is(kernel, new)
        await kernel.remove_child(child)

    play_one(host, story)


def test_a_child_and_its_successor_move_one_after_the_other(host: Host) -> None:
    first = make_child(1)
    second = replace(make_child(2, reqid=first.inbound.reqid), policies=first.policies)

    async def story(kernel: BookedKernel) -> None:
        await kernel.install_child(first)
        await kernel.install_child(second, first)
        for child in (first, second):
            await kernel.move_child(moved(child, there=MOVED))
        await kernel.remove_child(first)
        await assert_is(kernel, moved(second, there=MOVED))
        await kernel.remove_child(second)

    play_one(host, story)


def test_a_move_that_the_kernel_refuses_leaves_the_child_where_it_was(host: Host) -> None:
    child, taken = make_child(1), make_child(1, there=MOVED)
    other = replace(make_child(3, local="10.7.0.0/24", remote="10.8.0.0/24"), outbound=taken.outbound)

    async def story(kernel: BookedKernel) -> None:
        await kernel.install_child(child)
        await kernel.install_child(other)
        with pytest.raises(KernelRefused, match="which another SA"):
            await kernel.move_child(moved(child, there=MOVED))
        names = {spec.id for spec in await kernel.dump_states()}
        assert names == {child.inbound.id, child.outbound.id, other.inbound.id, other.outbound.id}
        await kernel.remove_child(other)
        await assert_is(kernel, child)
        await kernel.remove_child(child)

    play_one(host, story)


def test_sequence_numbers_go_on_beyond_those_that_were_used() -> None:
    host = DecoupledHost()
    child = make_child()

    async def story(kernel: BookedKernel) -> None:
        await kernel.install_child(child)
        host.memory.progress[child.outbound.id] = Progress(70, 0, b"")
        host.memory.progress[child.inbound.id] = Progress(0, 90, b"\xff")
        new = moved(child, there=MOVED)
        await kernel.move_child(new)
        assert host.memory.progress[new.outbound.id] == Progress(70 + MARGIN, 0, b"")
        assert host.memory.progress[new.inbound.id] == Progress(0, 90, b"\xff")
        await kernel.remove_child(child)

    play_one(host, story)


@pytest.mark.system
@pytest.mark.slow
@pytest.mark.parametrize("kind", ["32 packets", "ESN", "wide"])
def test_pings_go_on_when_both_hosts_move(xfrm_host: XfrmHost, kind: str) -> None:
    plain = make_child(here="10.99.0.1", there="10.99.0.2")
    more = {"32 packets": {}, "ESN": {"esn": True, "replay_window": 128}, "wide": {"replay_window": 256}}[kind]
    child = replace(plain, inbound=replace(plain.inbound, **more), outbound=replace(plain.outbound, **more))

    async def story(a: XfrmKernel, b: XfrmKernel) -> None:
        await a.install_child(child)
        await b.install_child(mirrored(child))
        assert await ping("ika", "10.1.0.1", "10.2.0.1") == 3
        run("ip", "-n", "ika", "address", "add", "10.99.0.7/24", "dev", "va")
        new = moved(child, here="10.99.0.7")
        await a.move_child(new)
        await b.move_child(mirrored(new))
        assert await ping("ika", "10.1.0.1", "10.2.0.1") == 3
        seen = run("ip", "-n", "ikb", "-s", "xfrm", "state")
        assert "10.99.0.7" in seen
        assert "replay 0 failed 0" in seen
        for spec in (new.inbound, new.outbound):
            counted = await a.counters(spec.id)
            assert counted is not None
            assert counted.replay_errors == 0
        await a.remove_child(child)
        await b.remove_child(mirrored(child))

    with two_hosts():
        play(story)


def encapsulated(child: ChildSaSpec, *, here: int = 4500, there: int = 4500) -> ChildSaSpec:
    """The same child in UDP, between these ports."""
    return replace(
        child,
        inbound=replace(child.inbound, encap=UdpEncap(there, here)),
        outbound=replace(child.outbound, encap=UdpEncap(here, there)),
    )


def test_an_outbound_state_that_had_sent_nothing_yet_goes_on_beyond_what_it_may_send_meanwhile() -> None:
    host = DecoupledHost()
    child = make_child()

    async def story(kernel: BookedKernel) -> None:
        await kernel.install_child(child)
        new = moved(child, there=MOVED)
        await kernel.move_child(new)
        assert host.memory.progress[new.outbound.id].sent == MARGIN
        await kernel.remove_child(child)

    play_one(host, story)


def test_states_that_only_get_other_ports_are_never_away() -> None:
    host = DecoupledHost()
    child = encapsulated(make_child())
    new = encapsulated(make_child(), there=40_001)

    async def story(kernel: BookedKernel) -> None:
        await kernel.install_child(child)
        written = len(host.memory.writes)
        await kernel.move_child(new)
        (operations,) = host.memory.writes[written:]
        updates = [each for each in operations if isinstance(each, UpdateState)]
        assert [each.spec for each in updates] == [new.inbound, new.outbound]
        assert not [each for each in operations if isinstance(each, AddState | DeleteState)]
        await assert_is(kernel, new)
        await kernel.remove_child(new)

    play_one(host, story)


@pytest.mark.parametrize("kind", ["to a port", "into UDP"])
def test_moves_that_linux_has_no_update_for_make_new_states(kind: str) -> None:
    host = DecoupledHost()
    child = encapsulated(make_child()) if kind == "to a port" else make_child()
    new = encapsulated(moved(make_child(), there=MOVED) if kind == "to a port" else make_child(), there=40_001)

    async def story(kernel: BookedKernel) -> None:
        await kernel.install_child(child)
        written = len(host.memory.writes)
        await kernel.move_child(new)
        assert not [each for write in host.memory.writes[written:] for each in write if isinstance(each, UpdateState)]
        await assert_is(kernel, new)
        await kernel.remove_child(new)

    play_one(host, story)


@pytest.mark.system
@pytest.mark.slow
@pytest.mark.parametrize("kind", ["32 packets", "ESN"])
def test_other_ports_leave_the_sequence_numbers_and_the_window_alone(xfrm_host: XfrmHost, kind: str) -> None:
    plain = encapsulated(make_child(here="10.99.0.1", there="10.99.0.2"))
    more = {"32 packets": {}, "ESN": {"esn": True, "replay_window": 128}}[kind]
    child = replace(plain, inbound=replace(plain.inbound, **more), outbound=replace(plain.outbound, **more))

    async def story(a: XfrmKernel, b: XfrmKernel) -> None:
        await a.install_child(child)
        await b.install_child(mirrored(child))
        before = run("ip", "-n", "ika", "-s", "xfrm", "state")
        assert "sport 4500 dport 4500" in before
        new = encapsulated(child, here=4501, there=40_001)
        await a.move_child(new)
        after = run("ip", "-n", "ika", "-s", "xfrm", "state")
        assert "sport 4501 dport 40001" in after
        assert "sport 40001 dport 4501" in after
        assert "oseq 0x0" in after, "nothing was sent, and no number was left out"
        states = {spec.id: replace(spec, inbound=False) for spec in await a.dump_states()}
        assert states[new.outbound.id] == replace(new.outbound, inbound=False)
        assert states[new.inbound.id] == replace(new.inbound, inbound=False)
        await a.remove_child(new)
        await b.remove_child(mirrored(child))

    with two_hosts():
        play(story)
