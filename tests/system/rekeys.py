"""How each daemon is told to rekey."""

from __future__ import annotations

from collections.abc import Callable

from tests.lab.gateway import Gateway
from tests.lab.libreswan import Libreswan
from tests.lab.strongswan import StrongSwan
from tests.system.cast import Peer


def rekeys(side: Gateway | Peer, name: str) -> tuple[Callable[[], object], Callable[[], object]]:
    """How that side is told to rekey the child, and the IKE SA."""
    if isinstance(side, StrongSwan):
        return (
            lambda: side.swanctl("--rekey", "--ike", name, "--child", "net"),
            lambda: side.swanctl("--rekey", "--ike", name),
        )
    if isinstance(side, Libreswan):
        return (
            lambda: side.whack("--rekey-ipsec", "--name", name, check=False),
            lambda: side.whack("--rekey-ike", "--name", name, check=False),
        )
    return lambda: side.rekey(name, "net"), lambda: side.rekey(name)
