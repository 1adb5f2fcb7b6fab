"""One tunnel's end, as ikepy, strongSwan or libreswan: the same wish in three configurations.

    end = End("client.lab", "gateway.lab", "203.0.113.2", "192.0.2.1", "172.31.1.0/24", "172.31.2.0/24")
    daemon = make_daemon("strongswan", "room1l", directory, {"tun": end})
    daemon.start(); daemon.up("tun", "net")

Not here: namespaces and cables (namespaces.py, nat_room.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.lab.gateway import Gateway
from tests.lab.libreswan import Libreswan
from tests.lab.strongswan import StrongSwan

SECRET = "a secret between two ends of the lab"
Daemon = Gateway | StrongSwan | Libreswan
KINDS = ("ikepy", "strongswan", "libreswan")


@dataclass(frozen=True)
class End:
    """One end of a tunnel.

    local, remote    identities, FQDNs
    peer             the peer's address; empty where it may come from anywhere
    own              its own outer address
    ours, theirs     the networks behind both ends
    dpd              seconds of silence until the peer is asked for a sign of life
    more             more lines of the connection, by kind of daemon
    """

    local: str
    remote: str
    peer: str
    own: str
    ours: str
    theirs: str
    mobike: bool = True
    dpd: int = 30
    more: tuple[tuple[str, str], ...] = ()

    def extra(self, kind: str) -> str:
        """The further lines of a kind of daemon."""
        return "\n".join(text for name, text in self.more if name == kind)


def make_daemon(kind: str, namespace: str, directory: Path, ends: dict[str, End]) -> Daemon:
    """A daemon with these connections, configured and not started."""
    directory.mkdir(parents=True, exist_ok=True)
    return _MAKERS[kind](namespace, directory, ends)


def _make_ikepy(namespace: str, directory: Path, ends: dict[str, End]) -> Gateway:
    gateway = Gateway(namespace, directory)
    blocks = [_ikepy_connection(name, end) for name, end in ends.items()]
    gateway.configure("[retransmission]\ntimeout = 1\nbase = 1.5\nlimit = 4\ntries = 8\n" + "".join(blocks))
    return gateway


def _ikepy_connection(name: str, end: End) -> str:
    remote = f'remote_addrs = ["{end.peer}"]' if end.peer else ""
    return f"""
[connections.{name}]
{remote}
mobike = {str(end.mobike).lower()}
dpd_delay = "{end.dpd}s"
{end.extra("ikepy")}
local = {{ auth = "psk", id = "{end.local}" }}
remote = {{ auth = "psk", id = "{end.remote}" }}
[connections.{name}.children.net]
local_ts = ["{end.ours}"]
remote_ts = ["{end.theirs}"]
esp_proposals = ["aes256gcm16"]
[secrets.{name}]
ids = ["{end.local}", "{end.remote}"]
secret = "{SECRET}"
"""


def _make_strongswan(namespace: str, directory: Path, ends: dict[str, End]) -> StrongSwan:
    swan = StrongSwan(namespace, directory, "retransmit_timeout = 1\n  retransmit_base = 1.5\n  retransmit_limit = 4")
    connections = "".join(_swan_connection(name, end) for name, end in ends.items())
    secrets = "".join(
        f'  ike-{name} {{\n    id-1 = {end.local}\n    id-2 = {end.remote}\n    secret = "{SECRET}"\n  }}\n'
        for name, end in ends.items()
    )
    swan.configure(f"connections {{\n{connections}}}\nsecrets {{\n{secrets}}}\n")
    return swan


def _swan_connection(name: str, end: End) -> str:
    return f"""  {name} {{
    version = 2
    mobike = {"yes" if end.mobike else "no"}
    local_addrs = %any
    remote_addrs = {end.peer or "%any"}
    dpd_delay = {end.dpd}s
    proposals = aes256gcm16-prfsha256-x25519
    {end.extra("strongswan")}
    local {{
      auth = psk
      id = {end.local}
    }}
    remote {{
      auth = psk
      id = {end.remote}
    }}
    children {{
      net {{
        local_ts = {end.ours}
        remote_ts = {end.theirs}
        esp_proposals = aes256gcm16
      }}
    }}
  }}
"""


def _make_libreswan(namespace: str, directory: Path, ends: dict[str, End]) -> Libreswan:
    libre = Libreswan(namespace, directory)
    connections = "".join(_ipsec_connection(name, end) for name, end in ends.items())
    secrets = "".join(f'@{end.local} @{end.remote} : PSK "{SECRET}"\n' for end in ends.values())
    libre.configure(f"config setup\n\tuniqueids=no\n{connections}", secrets, tuple(ends))
    return libre


def _ipsec_connection(name: str, end: End) -> str:
    lines = (
        f"conn {name}",
        f"left={end.own}",
        f"leftid=@{end.local}",
        f"leftsubnet={end.ours}",
        f"right={end.peer or '%any'}",
        f"rightid=@{end.remote}",
        f"rightsubnet={end.theirs}",
        "authby=secret",
        "ikev2=insist",
        "ike=aes_gcm256-sha2_256-dh31",
        "esp=aes_gcm256",
        "pfs=no",
        "leftupdown=%disabled",
        f"mobike={'yes' if end.mobike else 'no'}",
        f"dpddelay={end.dpd}",
        "auto=ignore",
        end.extra("libreswan"),
    )
    return "\n\t".join(line for line in lines if line) + "\n"


_MAKERS: dict[str, Callable[[str, Path, dict[str, End]], Daemon]] = {
    "ikepy": _make_ikepy,
    "strongswan": _make_strongswan,
    "libreswan": _make_libreswan,
}
