"""Configurations of a gateway for clients, and of clients: ikepy's and strongSwan's.

Not here: namespaces (access_room.py).
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from tests.lab.access_room import GATEWAY
from tests.lab.certs import Authority
from tests.lab.strongswan import StrongSwan

PASSWORD = "Tr0ub4dor&3 of the lab"
SHARED = "a secret that all clients with a key share"
NAME = "gate.lab"
POOL = "10.9.0.10-10.9.0.60"

GATEWAY_CONF = """
[retransmission]
timeout = 1
base = 1.5
limit = 4
tries = 6

[pools.v4]
addrs = ["{pool}"]
dns = ["10.1.0.53"]
domains = ["corp.lab"]

[pools.v6]
addrs = ["2001:db8:9::10-2001:db8:9::60"]
dns = ["fd00:1::53"]

[connections.eap]
pools = ["v4", "v6"]
local = {{ auth = "pubkey", id = "gate.lab", certs = ["{cert}"], key = "{key}" }}
remote = {{ auth = "eap", eap_methods = ["mschapv2", "tls", "ttls", "peap", "gtc", "md5"], cacerts = ["{ca}"] }}
[connections.eap.children.net]
local_ts = ["10.1.0.0/16", "fd00:1::/32"]

[connections.cert]
pools = ["v4", "v6"]
local = {{ auth = "pubkey", id = "gate.lab", certs = ["{cert}"], key = "{key}" }}
remote = {{ auth = "pubkey", cacerts = ["{ca}"] }}
[connections.cert.children.net]
local_ts = ["10.1.0.0/16", "fd00:1::/32"]

[connections.psk]
pools = ["v4", "v6"]
local = {{ auth = "psk", id = "gate.lab" }}
remote = {{ auth = "psk" }}
[connections.psk.children.net]
local_ts = ["10.1.0.0/16", "fd00:1::/32"]

[secrets.psk]
secret = "{shared}"

[groups.staff]
cert_ids = ["*.clients.lab", "carol.lab"]
psk_ids = ["carol.lab"]

[groups.guests]
subnets = ["10.1.7.0/24"]

[users.alice]
password = "{password}"
groups = ["staff"]

[users.bob]
password = "{password}"
groups = ["guests"]

[users."carol.lab"]
password = "{password}"
groups = ["staff"]

[users.mallory]
password = "{password}"
disabled = true
groups = ["staff"]
"""


@dataclass(frozen=True)
class Client:
    """What a client says and wants.

    auth     strongSwan's word: psk, pubkey, eap-mschapv2, ...
    more     further lines of its `local` section
    extra    further lines of strongswan.conf
    newer    whether it is strongSwan 6.1 instead of Debian's
    """

    auth: str
    user: str = "alice"
    password: str = PASSWORD
    vips: str = "0.0.0.0"
    more: tuple[str, ...] = ()
    extra: str = ""
    gateway: str = GATEWAY
    remote_ts: str = "10.1.0.0/16, fd00:1::/32"
    lines: tuple[str, ...] = ()
    newer: bool = False


def issue(directory: Path) -> Authority:
    """The CA, the gateway's certificate and one of a client."""
    authority = Authority(directory, "rsa")
    authority.issue(NAME, "rsa")
    authority.issue("carol.lab", "rsa")
    return authority


def gateway_conf(directory: Path, more: str = "") -> str:
    """The gateway's configuration, with certificates of that directory."""
    conf = GATEWAY_CONF.format(
        pool=POOL,
        cert=directory / f"{NAME}.cert.pem",
        key=directory / f"{NAME}.key.pem",
        ca=directory / "ca-rsa.pem",
        shared=SHARED,
        password=PASSWORD,
    )
    return conf + more


def make_client(namespace: str, directory: Path, certificates: Path, client: Client) -> StrongSwan:
    """A strongSwan that is this client, configured and not started."""
    directory.mkdir(parents=True, exist_ok=True)
    extra = f"install_virtual_ip_on = lo\n  retransmit_timeout = 1\n  retransmit_base = 1.5\n  {client.extra}"
    swan = StrongSwan(namespace, directory, extra, routes=True, newer=client.newer)
    shutil.copy(certificates / "ca-rsa.pem", directory / "swanctl" / "x509ca")
    shutil.copy(certificates / "carol.lab.cert.pem", directory / "swanctl" / "x509")
    shutil.copy(certificates / "carol.lab.key.pem", directory / "swanctl" / "private")
    swan.configure(_swanctl(client))
    return swan


def _swanctl(client: Client) -> str:
    local = [f"auth = {client.auth}", *client.more]
    if client.auth.startswith("eap"):
        local.append(f"eap_id = {client.user}")
    elif client.auth == "psk":
        local.append("id = carol.lab")
    if client.auth in {"pubkey", "eap-tls"}:
        local += ["certs = carol.lab.cert.pem", "id = carol.lab"]
    remote = "psk" if client.auth == "psk" else "pubkey"
    lines = "\n      ".join(local)
    more = "\n    ".join(client.lines)
    return f"""connections {{
  vpn {{
    version = 2
    local_addrs = %any
    remote_addrs = {client.gateway}
    vips = {client.vips}
    {more}
    local {{
      {lines}
    }}
    remote {{
      auth = {remote}
      id = {NAME}
    }}
    children {{
      net {{
        remote_ts = {client.remote_ts}
      }}
    }}
  }}
}}
secrets {{
  eap-1 {{
    id = {client.user}
    secret = "{client.password}"
  }}
  ike-1 {{
    id = {NAME}
    secret = "{SHARED}"
  }}
}}
"""
