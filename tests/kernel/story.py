"""Telling a story with one kernel, and finding nothing of it afterwards."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import trio

from ikepy.ipsec import (
    SaId,
)
from ikepy.kernel.base import BookedKernel
from ikepy.kernel.owners import key_of
from tests.kernel.rig import (
    Host,
)

Story = Callable[[BookedKernel], Awaitable[None]]


def play(host: Host, story: Story) -> None:
    """Tell a story with one kernel; at its end nothing of ours may be left."""

    async def main() -> None:
        async with host.kernel() as kernel:
            await story(kernel)
        async with host.crashing_kernel() as looking:
            assert await contents(looking) == (set(), set())

    trio.run(main)


async def contents(kernel: BookedKernel) -> tuple[set[SaId], set[object]]:
    """Names of our states, and keys of our policies."""
    return {spec.id for spec in await kernel.dump_states()}, {key_of(p) for p in await kernel.dump_policies()}
