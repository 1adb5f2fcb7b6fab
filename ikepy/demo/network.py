"""Two network namespaces joined by one cable, each a gateway with a network behind it.

    10.1.0.0/24 -- left 192.0.2.1 ======== 192.0.2.2 right -- 10.2.0.0/24

Rule 1: names carry our process number, so several demonstrations do not meet.
Rule 2: taking it down never fails and forgets nothing that was put up.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ikepy.demo.commands import DemoError, attempt, run


@dataclass(frozen=True, slots=True)
class Gateway:
    """One of the two: its namespace, its end of the cable, and its addresses."""

    name: str
    namespace: str
    device: str
    outer: str
    inner: str

    def inside(self, *command: str) -> tuple[str, ...]:
        """The command that runs `command` in this gateway's namespace."""
        return ("ip", "netns", "exec", self.namespace, *command)


def make_gateways(pid: int) -> tuple[Gateway, Gateway]:
    """Name both gateways for one demonstration."""
    return (
        Gateway("left", f"ikepy-left-{pid}", f"il{pid}", "192.0.2.1", "10.1.0.1"),
        Gateway("right", f"ikepy-right-{pid}", f"ir{pid}", "192.0.2.2", "10.2.0.1"),
    )


def need_root() -> None:
    """Raise DemoError unless we are root."""
    if os.geteuid() != 0:
        raise DemoError("network namespaces and IPsec need root: run it again with sudo")


@contextmanager
def two_networks() -> Iterator[tuple[Gateway, Gateway]]:
    """Put both gateways up, and take them down whatever happens; raises DemoError."""
    left, right = make_gateways(os.getpid())
    try:
        _put_up(left, right)
        yield left, right
    finally:
        for gateway in (left, right):
            attempt(("ip", "netns", "delete", gateway.namespace))  # the cable goes with its end


def _put_up(left: Gateway, right: Gateway) -> None:
    for gateway in (left, right):
        run("ip", "netns", "add", gateway.namespace)
    run(
        *("ip", "link", "add", left.device, "netns", left.namespace, "type", "veth"),
        *("peer", "name", right.device, "netns", right.namespace),
    )
    for gateway in (left, right):
        for words in (
            ("link", "set", "lo", "up"),
            ("address", "add", f"{gateway.outer}/24", "dev", gateway.device),
            ("address", "add", f"{gateway.inner}/24", "dev", "lo"),
            ("link", "set", gateway.device, "up"),
        ):
            run("ip", "-n", gateway.namespace, *words)
