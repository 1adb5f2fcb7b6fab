"""A child and its MSS clamp come and go together: the kernel's effects with nftables' behind them.

Rule 1: the clamp follows the child: in after the policies, out before them, and it never makes an effect fail.
Not here: the rules (gateway/mss.py), the order of effects (performer.py).
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from ikepy.daemon.ways import InKernel, Way
from ikepy.gateway.mss import MssClamps, clamp_of
from ikepy.ike.effects import Effect, InstallChildSa, InstallInbound, MoveChildSa, RemoveChildSa
from ikepy.ike.errors import KernelRefused
from ikepy.ipsec import ChildSaSpec
from ikepy.kernel.interface import Kernel

_ETHERNET_MTU = 1500


class Clamping:
    """Performs the effects that make, move and remove children."""

    def __init__(self, kernel: Kernel, clamps: MssClamps) -> None:
        self._kernel = kernel
        self._clamps = clamps
        self.ways: dict[type[Effect[Any]], Callable[[Any], Way]] = {
            InstallChildSa: lambda effect: InKernel(partial(self.install_child, effect.child, effect.replaces)),
            InstallInbound: lambda effect: InKernel(partial(self.install_inbound, effect.child)),
            MoveChildSa: lambda effect: InKernel(partial(self.move_child, effect.child)),
            RemoveChildSa: lambda effect: InKernel(partial(self.remove_child, effect.child)),
        }

    async def install_child(self, child: ChildSaSpec, replaces: ChildSaSpec | None = None) -> None:
        """Install a child; see Kernel."""
        await self._kernel.install_child(child, replaces)
        await self._clamp(child)

    async def install_inbound(self, child: ChildSaSpec) -> None:
        """Install the inbound half of a child; see Kernel."""
        await self._kernel.install_inbound(child)
        await self._clamp(child)

    async def move_child(self, child: ChildSaSpec) -> None:
        """Have a child between other addresses; see Kernel."""
        await self._kernel.move_child(child)
        if self._clamps.holds(child.owner):
            await self._clamp(child)

    async def remove_child(self, child: ChildSaSpec) -> None:
        """Remove a child; see Kernel."""
        await self._clamps.release(child.owner)
        await self._kernel.remove_child(child)

    async def _clamp(self, child: ChildSaSpec) -> None:
        if child.mss_clamp is None:
            return
        path_mtu = None
        with suppress(KernelRefused):  # the child is there; what is usual will do
            path_mtu = await self._kernel.links.path_mtu_to(child.outbound.destination)
        await self._clamps.hold(child.owner, clamp_of(child, path_mtu or _ETHERNET_MTU))
