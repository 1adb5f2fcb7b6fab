"""Whole daemons in memory: real sockets on loopback, real Endpoints, kernels that are two dictionaries.

Time is trio's autojump clock: seconds pass when nothing else can happen.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trio
import trio.testing

from ikepy.auth.credentials import load_credentials
from ikepy.config.load import load
from ikepy.config.model import Config
from ikepy.crypto.entropy import Entropy, SystemEntropy
from ikepy.daemon.api import TerminateWish
from ikepy.daemon.errors import StartupError
from ikepy.daemon.instance import CONTROL_SOCKET
from ikepy.daemon.operator import Operator
from ikepy.daemon.service import Stop, run
from ikepy.kernel.decoupled import DecoupledKernel
from tests.daemon.test_udp import free_ports

LEFT, RIGHT = "127.0.0.1", "127.0.0.2"
REQID_BASES = {LEFT: 0x1CE00000, RIGHT: 0x1CE10000}

CONF = """
[daemon]
listen = ["{ours}"]
port = {port}
port_nat_t = {port_nat_t}
reqid_base = {reqid_base}

[retransmission]
timeout = 1
tries = 2

[connections.site]
local_addrs = ["{ours}"]
remote_addrs = ["{theirs}"]
remote_port = {port}
local = {{ auth = "psk", id = "{our_id}" }}
remote = {{ auth = "psk", id = "{their_id}" }}

[connections.site.children.net]
local_ts = ["{our_net}"]
remote_ts = ["{their_net}"]
start_action = "{start_action}"

[connections.site.children.other]
local_ts = ["{our_net}[tcp/80]"]
remote_ts = ["{their_net}[tcp]"]

[secrets.site]
file = "site.secret"
"""


@dataclass
class Site:
    """One daemon of a pair: its configuration, its kernel, and how it is stopped."""

    config: Config
    run_directory: Path
    kernels: list[DecoupledKernel] = field(default_factory=list)
    stop: Stop = field(default_factory=Stop)

    @property
    def kernel(self) -> DecoupledKernel:
        return self.kernels[-1]

    @asynccontextmanager
    async def open_kernel(self, config: Config, entropy: Entropy) -> AsyncIterator[DecoupledKernel]:
        await trio.lowlevel.checkpoint()
        memory = self.kernels[-1].memory if self.kernels else None
        address = config.daemon.listen[0]
        self.kernels.append(DecoupledKernel(entropy, config.daemon.reqid_base, addresses=[address], memory=memory))
        yield self.kernel

    async def run(self, *, task_status: trio.TaskStatus[Operator] = trio.TASK_STATUS_IGNORED) -> None:
        await run(
            self.config,
            load_credentials(self.config),
            self.run_directory,
            stop=self.stop,
            open_kernel=self.open_kernel,
            entropy=SystemEntropy(),
            clock=trio.current_time,
            task_status=task_status,
        )


@dataclass
class Sites:
    """Two sites that share a secret, each the other's peer."""

    left: Site
    right: Site


def make_site(directory: Path, ours: str, theirs: str, ports: list[int], **words: str) -> Site:
    directory.mkdir()
    secret = directory / "site.secret"
    secret.touch(0o600)
    secret.write_text(words.pop("secret", "correct horse battery staple"))
    conf = directory / "site.conf"
    sides = {"left": "10.1.0.0/24", "right": "10.2.0.0/24"}
    name = directory.name
    other = next(side for side in sides if side != name)
    values = {
        "our_id": f"{name}.example",
        "their_id": f"{other}.example",
        "our_net": sides[name],
        "their_net": sides[other],
        "start_action": "none",
    }
    conf.write_text(
        CONF.format(
            ours=ours,
            theirs=theirs,
            port=ports[0],
            port_nat_t=ports[1],
            reqid_base=REQID_BASES[ours],
            **(values | words),
        )
    )
    return Site(load(conf).config, directory / "run")


@pytest.fixture
def make_sites(tmp_path: Path) -> Callable[..., Sites]:
    def make(**left_words: str) -> Sites:
        ports = free_ports(2)
        return Sites(
            make_site(tmp_path / "left", LEFT, RIGHT, ports, **left_words),
            make_site(tmp_path / "right", RIGHT, LEFT, ports),
        )

    return make


def play(main: Callable[[trio.Nursery], Awaitable[None]]) -> None:
    """Run a play in a nursery that ends with it."""

    async def scene() -> None:
        with trio.fail_after(3600):
            async with trio.open_nursery() as nursery:
                await main(nursery)
                nursery.cancel_scope.cancel()

    trio.run(scene, clock=trio.testing.MockClock(autojump_threshold=0.001))


async def until(true: Callable[[], bool]) -> None:
    """Wait for something that no event tells of."""
    with trio.fail_after(60):
        while not true():  # noqa: ASYNC110 - no event tells of it
            await trio.sleep(0.01)


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
