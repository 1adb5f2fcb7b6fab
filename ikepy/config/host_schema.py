"""The tables about this host: interfaces, what a client changes, what a gateway changes.

Not here: what they mean (host.py, gateway.py), whether they fit together (host_checks.py).
"""

from __future__ import annotations

from collections.abc import Mapping

from ikepy.config.errors import Unfit
from ikepy.config.gateway import GatewayConfig, Reach4, Reach6
from ikepy.config.host import ClientConfig, DnsMode, InterfaceConfig, InterfaceKind
from ikepy.config.host_values import INTERFACE, ONE_ADDRESS, OWN_ADDRESSES, PREFIXES, parse_interface
from ikepy.config.sections import Key, Section
from ikepy.config.values import FLAG, MOST_MTU, NEW_FILE, TEXT, list_of, number, one_of


def _make_interface(name: str, **fields: object) -> InterfaceConfig:
    parse_interface(name)
    return InterfaceConfig(name, **fields)  # type: ignore[arg-type]


def _check_interface(written: Mapping[str, object]) -> None:
    kind = written.get("kind", InterfaceKind.XFRM)
    for key in ("local_addr", "remote_addr"):
        if key in written and kind is not InterfaceKind.VTI:
            raise Unfit('only an interface of kind = "vti" has outer addresses', "leave it out", key)
    if kind is InterfaceKind.DUMMY:
        for key in ("if_id", "underlay"):
            if key in written:
                raise Unfit('packets do not go by an interface of kind = "dummy"', "leave it out", key)


INTERFACE_TABLE = Section(
    "interfaces.NAME",
    _make_interface,
    InterfaceConfig,
    (
        Key("kind", one_of(InterfaceKind)),
        Key("if_id", number(1, 0xFFFFFFFF), default_text="one of our own"),
        Key("addrs", OWN_ADDRESSES),
        Key("mtu", number(0, MOST_MTU, "octets: 0, or 576 to 65535")),
        Key("underlay", INTERFACE),
        Key("local_addr", ONE_ADDRESS),
        Key("remote_addr", ONE_ADDRESS),
        Key("routes", PREFIXES),
    ),
    check=_check_interface,
)

CLIENT_TABLE = Section(
    "client",
    ClientConfig,
    ClientConfig,
    (
        Key("dns", one_of(DnsMode)),
        Key("resolv_conf", NEW_FILE),
        Key("block_ipv6", FLAG),
        Key("kill_switch", FLAG),
    ),
)

GATEWAY_TABLE = Section(
    "gateway",
    GatewayConfig,
    GatewayConfig,
    (
        Key("ipv4", one_of(Reach4)),
        Key("ipv6", one_of(Reach6)),
        Key("uplinks", list_of(TEXT, "list: interface"), default_text="by default routes"),
        Key("client_to_client", FLAG),
        Key("block_leaks", FLAG),
        Key("mss_clamp", FLAG),
        Key("dhcp", FLAG),
    ),
)
