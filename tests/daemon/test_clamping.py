"""MSS clamps come and go with children: over a kernel and nftables' tables in memory."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
import trio

from ikepy.daemon.clamping import Clamping
from ikepy.daemon.ways import InKernel
from ikepy.gateway.mss import FAMILY, MssClamps, table_name
from ikepy.ike.effects import Effect, InstallChildSa, InstallInbound, MoveChildSa, RemoveChildSa
from ikepy.ike.errors import KernelRefused
from ikepy.ipsec import ChildSaSpec, IpAddress, MssClamp
from ikepy.kernel.decoupled import DecoupledKernel
from ikepy.kernel.interface import REQID_BASE
from tests.gateway.rig import NftInMemory
from tests.kernel.rig import OUR_ADDRESS, make_child
from tests.support.entropy import SeededEntropy

TABLE = (FAMILY, table_name(REQID_BASE))
CHILD = replace(make_child(), mss_clamp=MssClamp())
Do = Callable[[Effect[Any]], Awaitable[object]]
Story = Callable[[Do, DecoupledKernel, NftInMemory], Awaitable[None]]


def play(story: Story, nft: NftInMemory | None = None) -> None:
    """Perform effects over a kernel in memory."""

    async def main() -> None:
        kernel = DecoupledKernel(SeededEntropy(1), addresses=(OUR_ADDRESS,))
        tables = nft or NftInMemory()
        clamping = Clamping(kernel, MssClamps(tables, REQID_BASE))

        async def do(effect: Effect[Any]) -> object:
            way = clamping.ways[type(effect)](effect)
            assert isinstance(way, InKernel)
            return await way.work()

        await story(do, kernel, tables)

    trio.run(main)


def inward(nft: NftInMemory) -> list[int]:
    """The MSS of packets out of tunnels, as the table says it."""
    found: list[int] = []
    for thing in nft.tables.get(TABLE, []):
        rule: Any = thing.get("rule")
        value = rule["expr"][-1]["mangle"]["value"] if rule is not None else None
        found += [value] if isinstance(value, int) else []
    return found


def test_a_clamp_is_there_with_its_child_and_gone_with_it() -> None:
    async def story(do: Do, kernel: DecoupledKernel, nft: NftInMemory) -> None:
        await do(InstallChildSa(CHILD))
        assert inward(nft) == [1406, 1386]
        await do(RemoveChildSa(CHILD))
        assert nft.tables == {}
        assert not kernel.memory.sad

    play(story)


def test_an_inbound_half_has_it_already() -> None:
    async def story(do: Do, kernel: DecoupledKernel, nft: NftInMemory) -> None:
        await do(InstallInbound(CHILD))
        assert inward(nft) == [1406, 1386]

    play(story)


def test_a_child_without_the_key_never_runs_nft() -> None:
    async def story(do: Do, kernel: DecoupledKernel, nft: NftInMemory) -> None:
        plain = make_child()
        for effect in (InstallChildSa(plain), MoveChildSa(plain), RemoveChildSa(plain)):
            await do(effect)
        assert nft.runs == 0

    play(story)


def test_the_number_follows_a_child_that_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(do: Do, kernel: DecoupledKernel, nft: NftInMemory) -> None:
        await do(InstallChildSa(CHILD))

        async def narrower(destination: IpAddress) -> int:
            await trio.lowlevel.checkpoint()
            return 1400

        monkeypatch.setattr(kernel.fixed_links, "path_mtu_to", narrower)
        await do(MoveChildSa(CHILD))
        assert inward(nft) == [1306, 1286]

    play(story)


def test_a_move_of_a_child_that_is_gone_brings_no_clamp_back() -> None:
    async def story(do: Do, kernel: DecoupledKernel, nft: NftInMemory) -> None:
        await do(InstallChildSa(CHILD))
        await do(RemoveChildSa(CHILD))
        await do(MoveChildSa(CHILD))
        assert nft.tables == {}

    play(story)


def test_a_child_that_the_kernel_refuses_has_no_clamp() -> None:
    async def story(do: Do, kernel: DecoupledKernel, nft: NftInMemory) -> None:
        await do(InstallChildSa(CHILD))
        taken: ChildSaSpec = replace(make_child(2), inbound=CHILD.inbound, mss_clamp=MssClamp())
        with pytest.raises(KernelRefused):
            await do(InstallChildSa(taken))
        assert len(inward(nft)) == 2

    play(story)


@pytest.mark.parametrize("path", ["unknown", "refused"])
def test_where_the_paths_mtu_is_not_known_the_usual_one_counts(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(do: Do, kernel: DecoupledKernel, nft: NftInMemory) -> None:
        async def nothing(destination: IpAddress) -> int | None:
            await trio.lowlevel.checkpoint()
            if path == "refused":
                raise KernelRefused("the kernel's tables cannot be read")
            return None

        monkeypatch.setattr(kernel.fixed_links, "path_mtu_to", nothing)
        await do(InstallChildSa(CHILD))
        assert inward(nft) == [1406, 1386]

    play(story)


def test_a_child_is_up_where_nftables_refuses() -> None:
    nft = NftInMemory()
    nft.refusal = "Operation not supported"

    async def story(do: Do, kernel: DecoupledKernel, nft: NftInMemory) -> None:
        await do(InstallChildSa(CHILD))
        assert len(kernel.memory.sad) == 2

    play(story, nft)
