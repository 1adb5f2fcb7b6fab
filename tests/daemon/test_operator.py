"""What an operator wishes of a whole daemon in memory, and what comes of it."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import trio

from ikepy.daemon.api import InstallOutcome, RekeyOutcome, RekeyWish, TerminateOutcome, TerminateWish
from ikepy.daemon.operator import Operator
from ikepy.ipsec import Mode
from tests.support.sites import Sites, make_sites, play, until

__all__ = ["make_sites"]


def test_an_operator_brings_a_child_up_and_both_kernels_have_it(make_sites: Callable[..., Sites]) -> None:
    sites = make_sites()

    async def main(nursery: trio.Nursery) -> None:
        right = await nursery.start(sites.right.run)
        left = await nursery.start(sites.left.run)

        outcome = await left.initiate("site", "net", 30)

        assert outcome.succeeded, outcome.reason
        await until(lambda: len(sites.right.kernel.memory.sad) == 2)
        assert len(sites.left.kernel.memory.sad) == 2
        (ours,), (theirs,) = left.snapshot(), right.snapshot()
        assert (ours.spi_i, ours.spi_r, ours.state) == (theirs.spi_i, theirs.spi_r, "ESTABLISHED")
        assert set(sites.left.kernel.memory.sad) == set(sites.right.kernel.memory.sad)

    play(main)


def test_a_second_child_joins_the_same_ike_sa(make_sites: Callable[..., Sites]) -> None:
    sites = make_sites()

    async def main(nursery: trio.Nursery) -> None:
        await nursery.start(sites.right.run)
        left = await nursery.start(sites.left.run)

        first = await left.initiate("site", "net", 30)
        second = await left.initiate(None, "other", 30)

        assert (first.reason, second.reason) == ("", "")
        (sa,) = left.snapshot()
        assert sorted(child.name for child in sa.children) == ["net", "other"]

    play(main)


def test_without_a_childs_name_every_child_comes_up(make_sites: Callable[..., Sites]) -> None:
    sites = make_sites()

    async def main(nursery: trio.Nursery) -> None:
        await nursery.start(sites.right.run)
        left = await nursery.start(sites.left.run)

        outcome = await left.initiate("site", None, 30)

        assert outcome.succeeded, outcome.reason
        assert len(sites.left.kernel.memory.sad) == 4

    play(main)


def test_a_child_is_terminated_alone_and_an_ike_sa_with_all_its_children(make_sites: Callable[..., Sites]) -> None:
    sites = make_sites()

    async def main(nursery: trio.Nursery) -> None:
        right = await nursery.start(sites.right.run)
        left = await nursery.start(sites.left.run)
        await left.initiate("site", None, 30)

        child = await left.terminate(TerminateWish(child="other"), 30)
        assert (child.matches, child.terminated) == (1, 1)
        assert [each.name for sa in left.snapshot() for each in sa.children] == ["net"]

        whole = await left.terminate(TerminateWish(ike="site"), 30)
        assert (whole.matches, whole.terminated) == (1, 1)
        await until(lambda: not right.snapshot())
        await until(lambda: not (sites.left.kernel.memory.sad or sites.right.kernel.memory.sad))

    play(main)


def test_a_wrong_secret_fails_with_a_reason_and_leaves_nothing(make_sites: Callable[..., Sites]) -> None:
    sites = make_sites(secret="another secret than the peer's")

    async def main(nursery: trio.Nursery) -> None:
        right = await nursery.start(sites.right.run)
        left = await nursery.start(sites.left.run)

        outcome = await left.initiate("site", "net", 30)

        assert not outcome.succeeded
        assert "AUTHENTICATION_FAILED" in outcome.reason
        await until(lambda: not (left.snapshot() or right.snapshot()))
        assert not sites.left.kernel.memory.sad
        assert not sites.right.kernel.memory.sad

    play(main)


def test_a_peer_that_does_not_answer_ends_the_attempt_with_a_reason(make_sites: Callable[..., Sites]) -> None:
    sites = make_sites()

    async def main(nursery: trio.Nursery) -> None:
        left = await nursery.start(sites.left.run)

        outcome = await left.initiate("site", "net", None)

        assert not outcome.succeeded
        assert "no answer" in outcome.reason

    play(main)


def test_log_lines_and_events_reach_who_subscribed(make_sites: Callable[..., Sites]) -> None:
    sites = make_sites()

    async def main(nursery: trio.Nursery) -> None:
        await nursery.start(sites.right.run)
        left = await nursery.start(sites.left.run)
        with left.subscribe() as events:
            await left.initiate("site", "net", math.inf)

            assert [type(await events.next()).__name__ for _ in range(2)] == ["IkeSaUp", "ChildSaUp"]

    play(main)


@pytest.mark.parametrize(
    ("connection", "child", "reason"),
    [
        ("nowhere", None, "there is no connection nowhere"),
        (None, "nothing", "there is no connection with a child nothing"),
        ("site", "nothing", "connection site has no child nothing"),
        (None, None, "there is no connection with a child None"),
    ],
)
def test_a_wish_that_names_nothing_is_refused(
    make_sites: Callable[..., Sites], connection: str | None, child: str | None, reason: str
) -> None:
    sites = make_sites()

    async def main(nursery: trio.Nursery) -> None:
        left = await nursery.start(sites.left.run)

        assert (await left.initiate(connection, child, 1)).reason == reason
        assert (await left.terminate(TerminateWish(), 1)).matches == 0

    play(main)


# -- rekey -------------------------------------------------------------------------------------------------------


async def begin(nursery: trio.Nursery, sites: Sites) -> tuple[Operator, Operator]:
    """Two daemons with a child between them."""
    right = await nursery.start(sites.right.run)
    left = await nursery.start(sites.left.run)
    assert (await left.initiate("site", "net", 30)).succeeded
    await until(lambda: any(sa.children for sa in right.snapshot()))
    return left, right


def numbers(operator: Operator) -> list[tuple[int, list[int]]]:
    """Unique numbers of all IKE SAs and their children."""
    return [(sa.unique_id, [child.unique_id for child in sa.children]) for sa in operator.snapshot()]


@pytest.mark.parametrize(
    ("wish", "after"),
    [(RekeyWish(ike="site", child="net"), [(1, [2])]), (RekeyWish(ike="site"), [(2, [1])])],
)
def test_a_rekey_is_waited_for_until_the_successor_is_there_alone(
    make_sites: Callable[..., Sites], wish: RekeyWish, after: list[tuple[int, list[int]]]
) -> None:
    sites = make_sites()

    async def main(nursery: trio.Nursery) -> None:
        left, right = await begin(nursery, sites)

        assert await left.rekey(wish, 30) == RekeyOutcome(1)

        await until(lambda: numbers(left) == after == numbers(right))

    play(main)


def test_a_reauthentication_is_waited_for_until_the_new_ike_sa_has_the_children(
    make_sites: Callable[..., Sites],
) -> None:
    sites = make_sites()

    async def main(nursery: trio.Nursery) -> None:
        left, _ = await begin(nursery, sites)

        assert await left.rekey(RekeyWish(ike_id=1, reauth=True), 30) == RekeyOutcome(1)

        assert numbers(left) == [(2, [2])]

    play(main)


def test_a_rekey_of_what_is_not_there_or_not_up_is_refused(make_sites: Callable[..., Sites]) -> None:
    sites = make_sites()

    async def main(nursery: trio.Nursery) -> None:
        left = await nursery.start(sites.left.run)
        nothing = await left.rekey(RekeyWish(ike="site"), 30)
        await left.initiate("site", "net", 0)
        connecting = await left.rekey(RekeyWish(ike="site"), 30)

        assert nothing == RekeyOutcome(0, "no matching SAs to rekey found")
        assert connecting.matches == 0
        assert "not up" in connecting.reason

    play(main)


def test_a_rekey_that_the_peer_does_not_answer_is_given_up_waiting_for_with_a_reason(
    make_sites: Callable[..., Sites],
) -> None:
    sites = make_sites()

    async def main(nursery: trio.Nursery) -> None:
        left = await nursery.start(sites.left.run)
        async with trio.open_nursery() as elsewhere:
            await elsewhere.start(sites.right.run)
            assert (await left.initiate("site", "net", 30)).succeeded
            elsewhere.cancel_scope.cancel()

        assert await left.rekey(RekeyWish(ike="site"), 1) == RekeyOutcome(
            1, "not rekeyed after 1 seconds; it goes on trying"
        )
        assert [sa.state for sa in left.snapshot()] == ["REKEYING"]
        assert await left.rekey(RekeyWish(child="net"), None) == RekeyOutcome(1, "site/net ended before it was rekeyed")

    play(main)


# -- numbers that change -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("rekeyed", [RekeyWish(ike_id=1), RekeyWish(child_id=1)])
@pytest.mark.parametrize("wish", [TerminateWish(ike_id=1), TerminateWish(child_id=1)])
def test_what_was_rekeyed_is_terminated_by_the_number_it_had(
    make_sites: Callable[..., Sites], rekeyed: RekeyWish, wish: TerminateWish
) -> None:
    sites = make_sites()

    async def main(nursery: trio.Nursery) -> None:
        left, right = await begin(nursery, sites)
        assert not (await left.rekey(rekeyed, 30)).reason

        outcome = await left.terminate(wish, 30)

        assert outcome == TerminateOutcome(1, 1)
        assert not [child for sa in left.snapshot() for child in sa.children]
        await until(lambda: not [child for sa in right.snapshot() for child in sa.children])

    play(main)


@pytest.mark.parametrize("rekeyed", [RekeyWish(ike="site"), RekeyWish(child="net")])
@pytest.mark.parametrize("wish", [TerminateWish(ike_id=1), TerminateWish(child_id=1)])
@pytest.mark.parametrize("who", ["left", "right"])
def test_what_is_being_rekeyed_while_it_is_terminated_is_gone_when_that_is_said(
    make_sites: Callable[..., Sites], rekeyed: RekeyWish, wish: TerminateWish, who: str
) -> None:
    sites = make_sites()

    async def main(nursery: trio.Nursery) -> None:
        left, right = await begin(nursery, sites)
        await (left if who == "left" else right).rekey(rekeyed, 0)

        outcome = await left.terminate(wish, 30)

        assert outcome == TerminateOutcome(1, 1)
        assert not [child for sa in left.snapshot() for child in sa.children]
        await trio.sleep(60)
        assert not [child for each in (left, right) for sa in each.snapshot() for child in sa.children]

    play(main)


@pytest.mark.slow
def test_taking_down_what_is_only_tried_again_and_again_ends_the_tries(make_sites: Callable[..., Sites]) -> None:
    sites = make_sites(start_action="start")

    async def main(nursery: trio.Nursery) -> None:
        left = await nursery.start(sites.left.run)
        await until(lambda: bool(left.snapshot()))
        await until(lambda: not left.snapshot())

        assert await left.terminate(TerminateWish(ike="site", child="other"), 5) == TerminateOutcome(
            0, 0, "no matching SAs to terminate found"
        )
        assert await left.terminate(TerminateWish(ike="site"), 5) == TerminateOutcome(0, 0, given_up=True)

        for _ in range(30):
            await trio.sleep(0.7)
            assert not left.snapshot()

    play(main)


# -- traps and shunts --------------------------------------------------------------------------------------------


def test_a_trap_is_installed_and_uninstalled_and_listed(make_sites: Callable[..., Sites]) -> None:
    sites = make_sites()

    async def main(nursery: trio.Nursery) -> None:
        left = await nursery.start(sites.left.run)

        assert await left.install(None, "net") == InstallOutcome(succeeded=True)
        (policy,) = left.policies()
        assert (policy.connection, policy.name, policy.mode) == ("site", "net", Mode.TUNNEL)
        assert sites.left.kernel.memory.spd
        assert await left.install("site", "net") == InstallOutcome(succeeded=True)
        assert await left.uninstall("site", "net") == InstallOutcome(succeeded=True)
        assert not left.policies()
        await until(lambda: not sites.left.kernel.memory.spd)
        again = await left.uninstall("site", "net")
        assert not again.succeeded
        assert "no trap or shunt installed" in again.reason
        assert (await left.install(None, "nothing")).reason == "there is no connection with a child nothing"

    play(main)
