"""A whole daemon in memory, from its start to its end."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import trio

from ikepy.daemon.errors import StartupError
from ikepy.daemon.instance import CONTROL_SOCKET
from ikepy.daemon.service import Stop
from tests.support.sites import LEFT, Site, Sites, make_sites, play, until

__all__ = ["make_sites"]


def test_start_action_start_reaches_a_peer_that_is_started_later(make_sites: Callable[..., Sites]) -> None:
    sites = make_sites(start_action="start")

    async def main(nursery: trio.Nursery) -> None:
        left = await nursery.start(sites.left.run)
        await trio.sleep(100)
        assert {sa.state for sa in left.snapshot()} <= {"CONNECTING"}
        await nursery.start(sites.right.run)

        await until(lambda: len(sites.right.kernel.memory.sad) == 2)

    play(main)


def test_a_stopped_daemon_tells_its_peer_and_leaves_nothing_within_5_seconds(
    make_sites: Callable[..., Sites],
) -> None:
    sites = make_sites()

    async def main(nursery: trio.Nursery) -> None:
        right = await nursery.start(sites.right.run)
        async with trio.open_nursery() as left_nursery:
            left = await left_nursery.start(sites.left.run)
            await left.initiate("site", None, 30)
            asked_at = trio.current_time()
            sites.left.stop.asked.set()

        assert trio.current_time() - asked_at < 1
        assert not sites.left.kernel.memory.sad
        assert not sites.left.kernel.memory.spd
        assert not (sites.left.run_directory / CONTROL_SOCKET).exists()
        await until(lambda: not right.snapshot())
        await until(lambda: not sites.right.kernel.memory.sad)

    play(main)


def test_a_daemon_whose_peer_is_dead_ends_within_5_seconds(make_sites: Callable[..., Sites]) -> None:
    sites = make_sites()

    async def main(nursery: trio.Nursery) -> None:
        async with trio.open_nursery() as left_nursery:
            left = await left_nursery.start(sites.left.run)
            with trio.CancelScope() as right_lives:
                async with trio.open_nursery() as right_nursery:
                    await right_nursery.start(sites.right.run)
                    await left.initiate("site", None, 30)
                    right_lives.cancel()
            asked_at = trio.current_time()
            sites.left.stop.asked.set()

        assert trio.current_time() - asked_at < 5
        assert not sites.left.kernel.memory.sad

    play(main)


def test_what_a_killed_daemon_left_in_the_kernel_is_taken_out_by_the_next(make_sites: Callable[..., Sites]) -> None:
    sites = make_sites()

    async def main(nursery: trio.Nursery) -> None:
        await nursery.start(sites.right.run)
        left = await nursery.start(sites.left.run)
        await left.initiate("site", "net", 30)
        left_over = dict(sites.left.kernel.memory.sad)
        sites.left.stop.asked.set()
        await until(lambda: not sites.left.kernel.memory.sad)
        sites.left.kernel.memory.sad.update(left_over)
        sites.left.kernel.memory.counts.update(dict.fromkeys(left_over))
        await until(lambda: not (sites.left.run_directory / "pid").exists())

        sites.left.stop = Stop()
        await nursery.start(sites.left.run)

        assert not sites.left.kernel.memory.sad

    play(main)


def test_a_second_daemon_in_the_same_run_directory_is_refused(make_sites: Callable[..., Sites]) -> None:
    sites = make_sites()

    async def main(nursery: trio.Nursery) -> None:
        await nursery.start(sites.left.run)
        with pytest.raises(StartupError, match="process"):
            await sites.left.run()

    play(main)


def test_a_second_daemon_on_the_same_sockets_is_refused_and_disturbs_nothing(
    make_sites: Callable[..., Sites], tmp_path: Path
) -> None:
    sites = make_sites()
    second = Site(sites.left.config, tmp_path / "elsewhere")

    async def main(nursery: trio.Nursery) -> None:
        await nursery.start(sites.right.run)
        left = await nursery.start(sites.left.run)
        await left.initiate("site", "net", 30)
        second.kernels = sites.left.kernels[:]

        with pytest.raises(StartupError, match=rf"UDP port {sites.left.config.daemon.port} of {LEFT} is taken"):
            await second.run()

        assert len(sites.left.kernel.memory.sad) == 2

    play(main)
