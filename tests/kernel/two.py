"""Two hosts of a real kernel, and a story between them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import trio

from ikepy.ike.events import KernelEvent
from ikepy.ipsec import ChildSaSpec
from ikepy.kernel.xfrm import XfrmKernel
from tests.kernel.rig import inside, make_child, run
from tests.support.entropy import SeededEntropy

Story = Callable[[XfrmKernel, XfrmKernel], Awaitable[None]]


@asynccontextmanager
async def kernel_in(namespace: str, **options: int) -> AsyncIterator[XfrmKernel]:
    with inside(namespace):
        opening = XfrmKernel.open(SeededEntropy(), **options)
        kernel = await opening.__aenter__()
    try:
        yield kernel
    finally:
        await opening.__aexit__(None, None, None)


def play(story: Story) -> None:
    async def main() -> None:
        with trio.fail_after(30):
            async with kernel_in("ika") as a, kernel_in("ikb") as b:
                await story(a, b)
            for name in ("ika", "ikb"):
                assert run("ip", "-n", name, "xfrm", "state") == ""
                policies = run("ip", "-n", name, "xfrm", "policy")
                assert [line for line in policies.splitlines() if "dir " in line] == []

    trio.run(main)


def site_to_site(number: int = 1) -> ChildSaSpec:
    return make_child(number, here="10.99.0.1", there="10.99.0.2")


async def next_event(kernel: XfrmKernel, kind: type[KernelEvent]) -> KernelEvent:
    """The next event of a kind; others (addresses that settle) are passed over."""
    with trio.fail_after(5):
        async for event in kernel.events:
            if isinstance(event, kind):
                return event
    raise AssertionError("no more events")
