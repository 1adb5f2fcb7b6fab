"""A hub with two neighbours, each behind a tunnel that is an interface: all selectors are everything.

    east --- hub --- west       each tunnel is for 0.0.0.0/0 and ::/0; who gets what is a matter of routes

Inside the tunnels both sides have link-local addresses and nothing else, as routing protocols want it.
"""

from __future__ import annotations

import socket
import struct
from pathlib import Path

from tests.lab.gateway import Gateway
from tests.lab.namespaces import add_addresses, inside, link, sh
from tests.lab.strongswan import StrongSwan

SECRET = "a secret of a hub and its neighbours"
ALL_OSPF_ROUTERS = "224.0.0.5"
NEIGHBOURS = ("east", "west")
IF_IDS = {"east": 41, "west": 42}


def outer(side: str, of: str) -> str:
    """An outer address: of the hub or of a neighbour, on the cable of that neighbour."""
    return f"10.88.{NEIGHBOURS.index(of) + 1}.{1 if side == 'hub' else 2}"


def link_local(side: str, of: str) -> tuple[str, str]:
    """The addresses inside the tunnel to a neighbour."""
    end = 1 if side == "hub" else 2
    return f"169.254.{NEIGHBOURS.index(of) + 1}.{end}", f"fe80::{NEIGHBOURS.index(of) + 1}:{end}"


def network(of: str) -> str:
    """What is behind a neighbour."""
    return f"10.89.{NEIGHBOURS.index(of) + 1}.0/24"


def lay() -> None:
    """Cables, and addresses outside of tunnels."""
    for name in ("hub", *NEIGHBOURS):
        # Neighbours answer what is asked of all routers, as a routing protocol would; and addresses are there at once.
        sh(
            "ip",
            "netns",
            "exec",
            name,
            "sysctl",
            "-qw",
            "net.ipv4.icmp_echo_ignore_broadcasts=0",
            "net.ipv6.conf.default.accept_dad=0",
        )
    for name in NEIGHBOURS:
        ends = link("hub", name)
        add_addresses("hub", {ends[0]: [f"{outer('hub', name)}/24"]})
        behind = network(name).replace(".0/24", ".1/32")
        add_addresses(name, {ends[1]: [f"{outer(name, name)}/24"], "lo": [behind]})
    add_addresses("hub", {"lo": ["10.89.0.1/32"]})


def hub_conf(kind: str) -> str:
    """The hub's configuration."""
    text = ""
    for name in NEIGHBOURS:
        v4, v6 = link_local("hub", name)
        extra = ""
        if kind == "vti":
            extra = f'local_addr = "{outer("hub", name)}"\nremote_addr = "{outer(name, name)}"\n'
        text += f"""
[interfaces.to-{name}]
kind = "{kind}"
addrs = ["{v4}/30"{f', "{v6}/64"' if kind == "xfrm" else ""}]
mtu = 1400
routes = ["{network(name)}"]
{extra}
[connections.{name}]
remote_addrs = "{outer(name, name)}"
local = {{ auth = "psk", id = "hub.lab" }}
remote = {{ auth = "psk", id = "{name}.lab" }}
[connections.{name}.children.all]
local_ts = {'["0.0.0.0/0", "::/0"]' if kind == "xfrm" else '"0.0.0.0/0"'}
remote_ts = {'["0.0.0.0/0", "::/0"]' if kind == "xfrm" else '"0.0.0.0/0"'}
interface = "to-{name}"
start_action = "start"
"""
    return text + f'[secrets.all]\nsecret = "{SECRET}"\n'


def make_neighbour(name: str, directory: Path, kind: str) -> StrongSwan:
    """A strongSwan with an interface that its operator made."""
    v4, v6 = link_local(name, name)
    here, there = outer(name, name), outer("hub", name)
    if kind == "xfrm":
        sh("ip", "-n", name, "link", "add", "to-hub", "type", "xfrm", "if_id", str(IF_IDS[name]))
        way = f"if_id_in = {IF_IDS[name]}\n        if_id_out = {IF_IDS[name]}"
    else:
        sh("ip", "-n", name, "link", "add", "to-hub", "type", "vti", "key", "7", "local", here, "remote", there)
        way = "mark_in = 7\n        mark_out = 7"
    sh("ip", "-n", name, "link", "set", "to-hub", "up", "mtu", "1400", "multicast", "on")
    add_addresses(name, {"to-hub": [f"{v4}/30", *([f"{v6}/64"] if kind == "xfrm" else [])]})
    sh("ip", "-n", name, "route", "add", "10.89.0.1/32", "dev", "to-hub")
    everything = "0.0.0.0/0, ::/0" if kind == "xfrm" else "0.0.0.0/0"
    swan = StrongSwan(name, directory)
    swan.configure(f"""connections {{
  hub {{
    version = 2
    local_addrs = {here}
    remote_addrs = {there}
    local {{
      auth = psk
      id = {name}.lab
    }}
    remote {{
      auth = psk
      id = hub.lab
    }}
    children {{
      all {{
        local_ts = {everything}
        remote_ts = {everything}
        {way}
      }}
    }}
  }}
}}
secrets {{
  ike-all {{
    secret = "{SECRET}"
  }}
}}
""")
    return swan


def join_routers(name: str) -> socket.socket:
    """Have a neighbour listen to what is said to all OSPF routers on its interface; until the socket is closed."""

    def join() -> socket.socket:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        any_address, index = bytes(4), socket.if_nametoindex("to-hub")
        membership = struct.pack("=4s4si", socket.inet_aton(ALL_OSPF_ROUTERS), any_address, index)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
        return sock

    return inside(name, join)


def make_hub(directory: Path, kind: str) -> Gateway:
    """The hub."""
    hub = Gateway("hub", directory)
    hub.configure(hub_conf(kind))
    return hub
