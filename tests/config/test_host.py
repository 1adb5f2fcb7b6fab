"""Interfaces and children of a configuration file, and what they say together."""

from __future__ import annotations

from ipaddress import ip_interface, ip_network
from pathlib import Path

import pytest

from ikepy.config.errors import ConfigError
from ikepy.config.host import ClientConfig, DnsMode, InterfaceKind
from ikepy.config.host_checks import FIRST_ID
from ikepy.config.host_values import TO_THE_PATH
from ikepy.config.load import load
from ikepy.config.model import ChildConfig, Config
from ikepy.ipsec import CopyDscp, Handling, Mark, Offload

BASE = """
[secrets.all]
file = "psk"
[connections.east]
remote_addrs = "192.0.2.1"
{connection}
local = {{ auth = "psk", id = "hub.test" }}
remote = {{ auth = "psk", id = "east.test" }}
[connections.east.children.all]
{child}
{interfaces}
"""
EVERYWHERE = 'local_ts = "0.0.0.0/0"\nremote_ts = "0.0.0.0/0"\n'


def read(tmp_path: Path, child: str = "", interfaces: str = "", connection: str = "") -> Config:
    (tmp_path / "psk").touch(0o600)
    (tmp_path / "psk").write_text("a secret for tables")
    path = tmp_path / "site.conf"
    path.write_text(BASE.format(child=child, interfaces=interfaces, connection=connection))
    return load(path).config


def only_child(config: Config) -> ChildConfig:
    return config.connections[0].children[0]


def test_every_key_of_an_interface_is_read(tmp_path: Path) -> None:
    config = read(
        tmp_path,
        interfaces="""
[interfaces.vti0]
kind = "vti"
if_id = 9
addrs = ["169.254.1.1/30", "fe80::1/64"]
mtu = 1400
underlay = "eth0"
local_addr = "192.0.2.9"
remote_addr = "192.0.2.1"
routes = ["10.2.0.0/16"]
""",
    )
    (interface,) = config.interfaces
    assert (interface.name, interface.kind, interface.if_id) == ("vti0", InterfaceKind.VTI, 9)
    assert interface.addrs == (ip_interface("169.254.1.1/30"), ip_interface("fe80::1/64"))
    assert (interface.mtu, interface.underlay) == (1400, "eth0")
    assert (str(interface.local_addr), str(interface.remote_addr)) == ("192.0.2.9", "192.0.2.1")
    assert interface.routes == (ip_network("10.2.0.0/16"),)


def test_a_child_gets_the_id_of_its_xfrm_interface(tmp_path: Path) -> None:
    child = only_child(read(tmp_path, 'interface = "ipsec0"', "[interfaces.ipsec0]"))
    assert child.if_id == FIRST_ID + 1
    assert child.mark is None


def test_a_child_gets_the_key_of_its_vti_as_its_mark(tmp_path: Path) -> None:
    child = only_child(read(tmp_path, 'interface = "ipsec0"', '[interfaces.ipsec0]\nkind = "vti"\nif_id = 7'))
    assert child.mark == Mark(7)
    assert child.if_id is None


def test_a_child_that_selects_everything_makes_no_route_unless_a_gateway_gives_an_address(tmp_path: Path) -> None:
    child, interfaces = EVERYWHERE + 'interface = "ipsec0"', "[interfaces.ipsec0]"
    assert only_child(read(tmp_path, child, interfaces)).install_routes is False
    narrow = 'remote_ts = "10.0.0.0/8"\ninterface = "ipsec0"'
    assert only_child(read(tmp_path, narrow, interfaces)).install_routes is True
    client = 'remote_ts = "0.0.0.0/0"\ninterface = "ipsec0"'
    assert only_child(read(tmp_path, client, interfaces, 'vips = "0.0.0.0"')).install_routes is True


def test_what_states_do_with_packets_is_read(tmp_path: Path) -> None:
    child = only_child(
        read(
            tmp_path,
            'mark_in = 1\nmark_out = 2\nif_id_in = 3\nif_id_out = 4\nset_mark_in = "5/7"\nset_mark_out = 6\n'
            'copy_df = false\ncopy_ecn = false\ncopy_dscp = "yes"\ntfc_padding = "mtu"\nhw_offload = "auto"\n'
            "policies = false",
        )
    )
    assert (child.mark_of(inbound=True), child.mark_of(inbound=False)) == (Mark(1), Mark(2))
    assert (child.if_id_of(inbound=True), child.if_id_of(inbound=False)) == (3, 4)
    assert child.handling_of(inbound=True) == Handling(False, False, CopyDscp.YES, None, Mark(5, 7))
    assert child.handling_of(inbound=False) == Handling(False, False, CopyDscp.YES, TO_THE_PATH, Mark(6))
    assert (child.hw_offload, child.policies) == (Offload.AUTO, False)


def test_the_client_table_is_read_and_has_defaults(tmp_path: Path) -> None:
    assert read(tmp_path).client == ClientConfig()
    written = '[client]\ndns = "file"\nresolv_conf = "resolv"\nblock_ipv6 = false\nkill_switch = true'
    client = read(tmp_path, interfaces=written).client
    assert client == ClientConfig(DnsMode.FILE, tmp_path / "resolv", block_ipv6=False, kill_switch=True)


@pytest.mark.parametrize(
    ("child", "interfaces", "words"),
    [
        ('interface = "ipsec0"', "", "no [interfaces.ipsec0], and no if_id"),
        ('interface = "a b"', "", "no name for an interface"),
        ('interface = "ipsec0"\nif_id = 3', "[interfaces.ipsec0]\nif_id = 4", "has the ID 4"),
        ('interface = "v0"\nmark = 3', '[interfaces.v0]\nkind = "vti"\nif_id = 4', "has the key 4"),
        ('interface = "v0"\nif_id = 3', '[interfaces.v0]\nkind = "vti"', "by mark, not by interface ID"),
        ('interface = "i0"\nmode = "transport"', "[interfaces.i0]", "goes by no interface"),
        ("", "[interfaces.a]\nif_id = 4\n[interfaces.b]\nif_id = 4", "has the if_id of interface a"),
        ("", '[interfaces.a]\nkind = "vti"\n[interfaces.b]\nkind = "vti"', "takes any peer already"),
        ("", "[interfaces.averyverylongname]", "up to 15 letters"),
        ("", '[interfaces.a]\nlocal_addr = "192.0.2.1"', "only an interface of kind"),
        ("", '[interfaces.a]\nkind = "dummy"\nif_id = 3', "packets do not go by"),
        ("", '[interfaces.a]\naddrs = "10.0.0.300"', "is no address"),
        ("", '[interfaces.a]\nroutes = "10.0.0.1/8"', "has host bits set"),
        ('tfc_padding = "some"', "", "from 0 to 65535"),
        ('hw_offload = "eth0"', "", "auto"),
        ('copy_dscp = "maybe"', "", "copy_dscp"),
        ("", '[client]\ndns = "magic"', "dns"),
    ],
)
def test_what_does_not_go_together_is_refused_with_words(
    child: str, interfaces: str, words: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError) as fault:
        read(tmp_path, child, interfaces)
    assert words in str(fault.value)
