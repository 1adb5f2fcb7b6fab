"""Who is told what by DHCP: clients with an address of ours, the networks of their child, and their DNS."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network, ip_address

import trio

from ikepy.config.access import GroupConfig, PoolConfig
from ikepy.config.access_values import parse_range
from ikepy.config.gateway import GatewayConfig
from ikepy.config.model import Config
from ikepy.config.selectors import parse_selectors
from ikepy.daemon.informing import Informing
from ikepy.gateway.dhcp import Information
from ikepy.ike.events import IkeSnapshot, Session
from ikepy.kernel.decoupled import FixedLinks
from tests.support.fake_daemon import make_child, make_ike

CLIENT = IPv4Address("10.9.0.5")
POOL = PoolConfig("v4", (parse_range("10.9.0.0/24"),), dns=(ip_address("10.1.0.53"),), domains=("pool.example",))
STAFF = GroupConfig("staff", dns=(ip_address("10.1.0.54"), ip_address("fd00::53")), domains=("staff.example",))
CONFIG = Config(pools=(POOL,), groups=(STAFF,), gateway=GatewayConfig())
OURS = (ip_address("10.1.0.1"), ip_address("192.0.2.1"))


def session(*local: str, groups: tuple[str, ...] = (), lent: tuple[IPv4Address, ...] = (CLIENT,)) -> IkeSnapshot:
    child = replace(make_child(), local_ts=parse_selectors(local))
    return make_ike(children=(child,), session=Session("EAP-MSCHAPv2", "alice", groups, lent))


def told(*sas: IkeSnapshot, client: IPv4Address = CLIENT, config: Config = CONFIG) -> Information | None:
    return trio.run(Informing(config, lambda: sas, FixedLinks(OURS)).information, client)


def test_a_client_is_told_the_networks_of_its_child_by_an_address_inside_them() -> None:
    found = told(session("10.1.0.0/16", "10.2.0.0/15", "fd00::/8", "255.255.255.255/32"))
    assert found == Information(
        IPv4Address("10.1.0.1"),
        (IPv4Network("10.1.0.0/16"), IPv4Network("10.2.0.0/15")),
        (IPv4Address("10.1.0.53"),),
        "pool.example",
    )


def test_its_groups_servers_go_before_the_pools() -> None:
    found = told(session("10.1.0.0/16", groups=("staff",)))
    assert found is not None
    assert (found.dns, found.domain) == ((IPv4Address("10.1.0.54"),), "staff.example")


def test_a_full_tunnel_is_two_halves() -> None:
    found = told(session("0.0.0.0/0"))
    assert found is not None
    assert found.routes == (IPv4Network("0.0.0.0/1"), IPv4Network("128.0.0.0/1"))


def test_who_has_no_address_of_ours_is_told_nothing() -> None:
    assert told(session("10.1.0.0/16"), client=IPv4Address("10.9.0.6")) is None
    assert told(session("10.1.0.0/16", lent=())) is None
    assert told() is None


def test_each_is_told_of_its_own_session() -> None:
    other = replace(session("10.7.0.0/16", lent=(IPv4Address("10.9.0.6"),)), unique_id=2)
    found = told(session("10.1.0.0/16"), other, client=IPv4Address("10.9.0.6"))
    assert found is not None
    assert found.routes == (IPv4Network("10.7.0.0/16"),)


def test_without_a_gateway_nobody_listens() -> None:
    config = replace(CONFIG, gateway=GatewayConfig(dhcp=False))
    trio.run(Informing(config, tuple, FixedLinks(OURS)).serve)
    trio.run(Informing(Config(), tuple, FixedLinks(OURS)).serve)
