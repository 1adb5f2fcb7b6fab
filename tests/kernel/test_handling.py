"""Handling and offload of states on a real kernel: what it keeps, and what it refuses or does itself."""

from __future__ import annotations

from dataclasses import replace

import pytest
import trio

from ikepy.ike.errors import KernelRefused
from ikepy.ipsec import PLAIN, CopyDscp, Handling, Mark, Offload
from ikepy.kernel.xfrm import XfrmKernel
from tests.kernel.rig import XfrmHost, make_child
from tests.support.entropy import SeededEntropy

pytestmark = pytest.mark.system


@pytest.mark.parametrize("offload", [Offload.CRYPTO, Offload.PACKET])
def test_an_interface_that_does_no_esp_refuses_the_child(offload: Offload, xfrm_host: XfrmHost) -> None:
    child = make_child()

    async def main() -> None:
        async with XfrmKernel.open(SeededEntropy()) as kernel:
            with pytest.raises(KernelRefused):
                await kernel.install_child(replace(child, inbound=replace(child.inbound, offload=offload)))
            assert await kernel.dump_states() == ()

    trio.run(main)


def test_where_the_interface_can_do_no_esp_the_kernel_does_it(xfrm_host: XfrmHost) -> None:
    child = make_child()

    async def main() -> None:
        async with XfrmKernel.open(SeededEntropy()) as kernel:
            await kernel.install_child(replace(child, inbound=replace(child.inbound, offload=Offload.AUTO)))
            assert len(await kernel.dump_states()) == 2

    trio.run(main)


HANDLINGS = [
    PLAIN,
    Handling(copy_df=False),
    Handling(copy_ecn=False),
    *(Handling(copy_dscp=way) for way in CopyDscp),
    Handling(tfc_octets=1400),
    Handling(set_mark=Mark(0x10, 0xF0)),
    Handling(False, False, CopyDscp.NO, 0xFFFFFFFF, Mark(7)),
]


@pytest.mark.parametrize("handling", HANDLINGS)
def test_the_kernel_keeps_what_a_state_does_with_packets(handling: Handling, xfrm_host: XfrmHost) -> None:
    child = make_child()

    async def main() -> None:
        async with XfrmKernel.open(SeededEntropy()) as kernel:
            await kernel.install_child(replace(child, outbound=replace(child.outbound, handling=handling)))
            found = [spec.handling for spec in await kernel.dump_states() if spec.spi == child.outbound.spi]
            assert found == [handling]

    trio.run(main)
