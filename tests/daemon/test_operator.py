"""What an operator wishes of a whole daemon in memory, and what comes of it."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import trio

from ikepy.daemon.api import TerminateWish
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
