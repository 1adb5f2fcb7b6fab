"""Tables of gateways and kill switches for tests, by what is special about each."""

from __future__ import annotations

from ipaddress import ip_address

from ikepy.config.access import GroupConfig, PoolConfig
from ikepy.config.access_values import parse_range
from ikepy.config.gateway import GatewayConfig, Reach4, Reach6
from ikepy.config.selectors import parse_selectors
from ikepy.gateway.kill_switch import KillSwitch
from ikepy.gateway.rules import GatewayTable, Members

V4 = PoolConfig("v4", (parse_range("10.9.0.0/24"),))
ODD = PoolConfig("odd", (parse_range("10.9.1.10-10.9.1.20"),))
V6 = PoolConfig("v6", (parse_range("fd00:9::/64"),))
STAFF = GroupConfig(
    "staff",
    subnets=parse_selectors(
        ("10.1.0.0/16[tcp/443]", "10.2.0.0/16", "10.3.0.5/32[udp/1000-2000]", "10.4.0.0/16[icmp]", "2001:db8::/32")
    ),
)
FULL = GroupConfig("full@x")
UPLINKS = {4: ("eth0",), 6: ("eth0", "eth1")}
MEMBERS: Members = {
    ip_address("10.9.0.5"): ("staff",),
    ip_address("10.9.0.6"): (),
    ip_address("fd00:9::1"): ("staff", "full@x"),
}


def table(
    gateway: GatewayConfig | None = None,
    pools: tuple[PoolConfig, ...] = (V4, ODD, V6),
    groups: tuple[GroupConfig, ...] = (STAFF, FULL),
    uplinks: dict[int, tuple[str, ...]] | None = None,
) -> GatewayTable:
    """One table, with all there is unless said otherwise."""
    return GatewayTable("ikepy", gateway or GatewayConfig(), pools, groups, UPLINKS if uplinks is None else uplinks)


TABLES = {
    "all there is": table(),
    "IPv4 alone": table(pools=(V4,)),
    "IPv6 alone": table(pools=(V6,)),
    "no groups": table(groups=()),
    "clients reach each other": table(GatewayConfig(client_to_client=True)),
    "leaks are not blocked": table(GatewayConfig(block_leaks=False)),
    "no clamp": table(GatewayConfig(mss_clamp=False)),
    "routed": table(GatewayConfig(ipv4=Reach4.ROUTED, ipv6=Reach6.ROUTED)),
    "proxied": table(GatewayConfig(ipv6=Reach6.PROXY_NDP)),
    "no uplink yet": table(uplinks={}),
    "a group with a name of 200 letters": table(groups=(GroupConfig("g" * 200, subnets=STAFF.subnets),)),
    "a group with a quote in its name": table(groups=(GroupConfig('a"b\\c; drop', subnets=STAFF.subnets),)),
    "a group with line ends in its name": table(groups=(GroupConfig("a\nb\tc", subnets=STAFF.subnets),)),
}
KILL_SWITCHES = {
    "nothing special": KillSwitch((500, 4500)),
    "one port": KillSwitch((4500,)),
    "interfaces": KillSwitch((500, 4500), ("vpn0", "vpn1")),
    "one interface": KillSwitch((500, 4500), ("vpn0",)),
    "passes": KillSwitch((500, 4500), (), parse_selectors(("192.168.0.0/16", "10.3.0.5/32[udp/53]", "fd00::/8"))),
}
