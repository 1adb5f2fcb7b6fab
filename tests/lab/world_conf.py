"""The configuration of a gateway to the world and to a network of its own, for clients with passwords.

Not here: namespaces (world_room.py), clients of strongSwan's (access_conf.py).
"""

from __future__ import annotations

from pathlib import Path

from tests.lab.access_conf import NAME, PASSWORD

CONF = """
{gateway}

[pools.v4]
addrs = ["10.9.0.10-10.9.0.60"]
dns = ["198.51.100.53"]

[pools.v6]
addrs = ["{six}::10-{six}::60"]

[connections.clients]
pools = ["v4", "v6"]
dpd_delay = 5
local = {{ auth = "pubkey", id = "gate.lab", certs = ["{cert}"], key = "{key}" }}
remote = {{ auth = "eap", eap_methods = ["mschapv2"], cacerts = ["{ca}"] }}
[connections.clients.children.net]
local_ts = ["0.0.0.0/0", "::/0"]

[groups.full]
tunnel = "full"

[groups.staff]
subnets = ["10.1.0.0/16", "fd00:1::/64"]

[groups.guests]
subnets = ["10.7.0.0/16"]

[users.alice]
password = "{password}"
groups = ["full"]

[users.bob]
password = "{password}"
groups = ["staff"]

[users.carl]
password = "{password}"
groups = ["guests"]
"""


def world_conf(directory: Path, gateway: str = "gateway = true", six: str = "fd00:9") -> str:
    """It, with certificates of that directory.

    gateway  the line, or the table's keys
    six      the beginning of the IPv6 pool's addresses
    """
    return CONF.format(
        gateway=gateway,
        six=six,
        cert=directory / f"{NAME}.cert.pem",
        key=directory / f"{NAME}.key.pem",
        ca=directory / "ca-rsa.pem",
        password=PASSWORD,
    )
