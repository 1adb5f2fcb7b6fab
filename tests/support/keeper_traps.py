"""Traps and shunts of a keeper in memory."""

from __future__ import annotations

from ipaddress import ip_network

from ikepy.config.model import ChildConfig, StartAction
from ikepy.ike.events import InstalledPolicy
from ikepy.ipsec import Mode, Selector
from tests.support.keeper_host import MemoryKeeperHost, keeper_host
from tests.support.pair import make_child

TRAP = StartAction.TRAP


def trap(name: str = "net", **more: object) -> ChildConfig:
    return make_child(name, start_action=TRAP, **more)


def shunt(mode: Mode, name: str = "net", **more: object) -> ChildConfig:
    return make_child(name, mode=mode, start_action=TRAP, **more)


def started(*children: ChildConfig, **connection: object) -> MemoryKeeperHost:
    host = keeper_host(*(children or (trap(),)), **connection)
    host.keeper.start()
    return host


def reqid_of(host: MemoryKeeperHost, owner: str = "trap-site-net") -> int:
    template = host.owned_by(owner)[0].template
    assert template is not None
    return template.reqid


def packet(last: int = 1) -> Selector:
    number = last % 250 + 1
    return Selector(ip_network(f"10.1.0.{number}/32"), ip_network("10.2.0.9/32"), 17, 1000 + last, 0xFFFF, 53, 0xFFFF)


def standing(child: ChildConfig, connection: str = "site") -> InstalledPolicy:
    return InstalledPolicy(child.name, connection, child.mode, child.local_ts, child.remote_ts)
