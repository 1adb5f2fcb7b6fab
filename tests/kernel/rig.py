"""What the kernel's tests share: children made from a number, kernels of both kinds, network namespaces.

A `Host` is one machine's SAD and SPD. Kernels of several daemons can be opened on it, each with its own range of
request IDs; `crash()` ends one without its taking anything out.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_address, ip_network

import trio

from ikepy.crypto.secret import Secret
from ikepy.ipsec import (
    ChildSaSpec,
    Direction,
    IpAddress,
    IpNetwork,
    Mode,
    Owner,
    PolicyAction,
    PolicySpec,
    SaSpec,
    Selector,
    Spi,
    Template,
)
from ikepy.kernel.base import BookedKernel
from ikepy.kernel.decoupled import DecoupledKernel, MemoryTables
from ikepy.kernel.early import QueuedEarly
from ikepy.kernel.interface import REQID_BASE, REQID_COUNT, KernelLosses
from ikepy.kernel.links import Links
from ikepy.kernel.probe import require_esp
from ikepy.kernel.xfrm import XfrmKernel, XfrmTables
from ikepy.wire.registry import EncrId
from tests.support.entropy import SeededEntropy

OUR_ADDRESS = IPv4Address("192.0.2.1")
PEER_ADDRESS = IPv4Address("192.0.2.2")
OTHER_BASE = REQID_BASE + REQID_COUNT
_CLONE_NEWNET = 0x40000000


# -- children ----------------------------------------------------------------------------------------------------


def make_child(
    number: int = 1,
    *,
    local: str | IpNetwork = "10.1.0.0/24",
    remote: str | IpNetwork = "10.2.0.0/24",
    here: str | IpAddress = OUR_ADDRESS,
    there: str | IpAddress = PEER_ADDRESS,
    reqid: int | None = None,
    priority: int = 1000,
    base: int = REQID_BASE,
) -> ChildSaSpec:
    """Two states and three policies of a tunnel; the number makes owner, SPIs, keys and request ID."""
    ours, theirs = ip_address(here), ip_address(there)
    reqid = base + number if reqid is None else reqid
    inbound = SaSpec(
        source=theirs,
        destination=ours,
        spi=Spi(0xC0000000 + number),
        mode=Mode.TUNNEL,
        reqid=reqid,
        encr=EncrId.AES_GCM_16,
        encr_key=Secret(bytes([number & 0xFF]) * 36),
        inbound=True,
    )
    outbound = replace(
        inbound,
        source=ours,
        destination=theirs,
        spi=Spi(0xD0000000 + number),
        encr_key=Secret(bytes([number + 1 & 0xFF]) * 36),
        inbound=False,
    )
    selector = Selector(ip_network(local), ip_network(remote))
    policies = make_policies(selector, ours, theirs, reqid, priority)
    return ChildSaSpec(Owner(f"child-{number}"), inbound, outbound, policies)


def make_policies(
    selector: Selector, here: IpAddress, there: IpAddress, reqid: int, priority: int = 1000
) -> tuple[PolicySpec, ...]:
    """Out, in and forward."""
    out = Template(here, there, Mode.TUNNEL, reqid)
    into = Template(there, here, Mode.TUNNEL, reqid)
    back = selector.reversed()
    return (
        PolicySpec(selector, Direction.OUT, PolicyAction.PROTECT, out, priority),
        PolicySpec(back, Direction.IN, PolicyAction.PROTECT, into, priority),
        PolicySpec(back, Direction.FORWARD, PolicyAction.PROTECT, into, priority),
    )


def everything_v6(number: int = 1) -> ChildSaSpec:
    """A child that would take all of IPv6 into the tunnel."""
    return make_child(number, local=IPv6Network("::/0"), remote=IPv6Network("::/0"))


def everything_v4(number: int = 1, *, local: str = "192.0.2.1/32") -> ChildSaSpec:
    """A child that takes all of this host's IPv4 into the tunnel."""
    return make_child(number, local=IPv4Network(local), remote=IPv4Network("0.0.0.0/0"))


# -- hosts and kernels -------------------------------------------------------------------------------------------


class DecoupledHost:
    """Tables in memory, shared by the kernels opened on them."""

    def __init__(self) -> None:
        self.memory = MemoryTables()

    @asynccontextmanager
    async def kernel(self, base: int = REQID_BASE, seed: int = 0) -> AsyncIterator[BookedKernel]:
        kernel = DecoupledKernel(SeededEntropy(seed), base, memory=self.memory, addresses=(OUR_ADDRESS,))
        await kernel.remove_leftovers()
        yield kernel
        await kernel.remove_everything()

    @asynccontextmanager
    async def crashing_kernel(self, base: int = REQID_BASE) -> AsyncIterator[BookedKernel]:
        yield DecoupledKernel(SeededEntropy(1), base, memory=self.memory)


class XfrmHost:
    """The tables of the network namespace we are in."""

    @asynccontextmanager
    async def kernel(self, base: int = REQID_BASE, seed: int = 0) -> AsyncIterator[BookedKernel]:
        table = 206 + (base - REQID_BASE) // REQID_COUNT
        async with XfrmKernel.open(SeededEntropy(seed), base, route_table=table) as kernel:
            yield kernel

    @asynccontextmanager
    async def crashing_kernel(self, base: int = REQID_BASE) -> AsyncIterator[BookedKernel]:
        await require_esp(base)
        tables, links, early = XfrmTables(base, REQID_COUNT), Links(), QueuedEarly()
        try:
            yield BookedKernel(SeededEntropy(1), tables, links, early)
        finally:
            tables.close()
            early.close()
            links.close()


Host = DecoupledHost | XfrmHost


# -- network namespaces ------------------------------------------------------------------------------------------


@contextmanager
def fresh_namespace() -> Iterator[None]:
    """Put this thread, and what it starts, into a network namespace of its own; raises OSError where it may not."""
    libc = ctypes.CDLL(None, use_errno=True)
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        if libc.unshare(_CLONE_NEWNET):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        try:
            ip("link set lo up")
            yield
        finally:
            libc.setns(before, _CLONE_NEWNET)
    finally:
        os.close(before)


@contextmanager
def inside(namespace: str) -> Iterator[None]:
    """Put this thread into a named namespace."""
    libc = ctypes.CDLL(None, use_errno=True)
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    other = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
    try:
        if libc.setns(other, _CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")
        yield
    finally:
        libc.setns(before, _CLONE_NEWNET)
        os.close(before)
        os.close(other)


def ip(*commands: str) -> str:
    """Do several `ip` commands in one process; returns what the last of a single command printed."""
    if len(commands) == 1:
        return run("ip", *commands[0].split())
    return subprocess.run(
        ["ip", "-batch", "-"], input="\n".join(commands), text=True, check=True, capture_output=True
    ).stdout


def run(*command: str) -> str:
    """Run a program that must succeed; returns its output."""
    done = subprocess.run(command, text=True, capture_output=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stdout}{done.stderr}"
    return done.stdout


def losses() -> KernelLosses:
    """Counters for what has none of its own."""
    return KernelLosses()


# -- two hosts on one cable --------------------------------------------------------------------------------------


@contextmanager
def two_hosts() -> Iterator[None]:
    """Namespaces ika and ikb, joined by a cable, each with a network of its own behind it.

    ika: 10.99.0.1, fd99::1, inside 10.1.0.1/24 and fd01::1/64; ikb: the same with 2
    """
    ip("netns add ika", "netns add ikb", "link add va netns ika type veth peer name vb netns ikb")
    try:
        for number, (name, other) in enumerate((("ika", "ikb"), ("ikb", "ika")), 1):
            far, end = 3 - number, f"v{name[2]}"
            commands = [
                "link set lo up",
                f"address add 10.99.0.{number}/24 dev {end}",
                f"address add fd99::{number}/64 dev {end} nodad",
                f"address add 10.{number}.0.1/24 dev lo",
                f"address add fd0{number}::1/64 dev lo nodad",
                f"link set {end} up",
                f"route add 10.{far}.0.0/24 via 10.99.0.{far} src 10.{number}.0.1",
                f"-6 route add fd0{far}::/64 via fd99::{far} src fd0{number}::1",
            ]
            assert other != name
            subprocess.run(
                ["ip", "-n", name, "-batch", "-"],
                input="\n".join(command.removeprefix("-6 ") for command in commands),
                text=True,
                check=True,
            )
        yield
    finally:
        for name in ("ika", "ikb"):
            subprocess.run(["ip", "netns", "delete", name], check=False)


def mirrored(child: ChildSaSpec) -> ChildSaSpec:
    """The same child as the other host has it."""
    policies = tuple(
        replace(
            policy,
            selector=policy.selector.reversed(),
            template=replace(policy.template, source=policy.template.destination, destination=policy.template.source),
            direction=policy.direction,
        )
        for policy in child.policies
        if policy.template is not None
    )
    return replace(
        child,
        inbound=replace(child.outbound, inbound=True),
        outbound=replace(child.inbound, inbound=False),
        policies=policies,
    )


async def ping(
    namespace: str, source: str, destination: str, count: int = 3, *, patience: float = 1, every: float = 0.01
) -> int:
    """Ping from one host to another; returns how many answers came, `patience` seconds after the last at most."""
    command = ["ip", "netns", "exec", namespace, "ping", "-q", "-c", str(count), "-i", str(every), "-W", str(patience)]
    done = await trio.run_process([*command, "-I", source, destination], capture_stdout=True, check=False)
    words = done.stdout.decode().split()
    return int(words[words.index("received,") - 1])
