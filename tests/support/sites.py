"""Whole daemons in memory: real sockets on loopback, real Endpoints, kernels that are two dictionaries.

`make_sites` is a fixture: tests import it by name.

Time is trio's autojump clock: seconds pass when nothing else can happen.
"""

from __future__ import annotations

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
