"""Configurations of an ikepy that is a client of the gateway of world_room.py.

Not here: the gateway's (world_conf.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.lab.access_conf import PASSWORD
from tests.lab.world_room import GATEWAY

CONF = """
{top}
[retransmission]
timeout = 0.5
base = 1.5
limit = 2
tries = 4

[client]
resolv_conf = "{resolv}"
{client}

[connections.vpn]
remote_addrs = ["{gateway}"]
vips = {vips}
dpd_delay = "2s"
local = {{ auth = "eap", id = "{user}", eap_id = "{user}" }}
remote = {{ auth = "pubkey", id = "gate.lab", cacerts = ["{ca}"] }}
[connections.vpn.children.net]
remote_ts = {remote_ts}
start_action = "start"
{child}

[secrets.mine]
id = "{user}"
password = "{password}"
"""
INTERFACE = "[interfaces.vpn0]\nmtu = 1400\n"


@dataclass(frozen=True)
class Laptop:
    """What one of them is configured with."""

    user: str = "alice"
    families: tuple[int, ...] = (4, 6)
    networks: tuple[str, ...] = ("0.0.0.0/0", "::/0")
    client: str = ""
    interface: bool = False
    gateway: str = GATEWAY

    def conf(self, directory: Path, resolv: Path) -> str:
        """The text; certificates are in `directory`."""
        any_of = {4: '"0.0.0.0"', 6: '"::"'}
        return CONF.format(
            top=INTERFACE if self.interface else "",
            child='interface = "vpn0"' if self.interface else "",
            resolv=resolv,
            client=self.client,
            gateway=self.gateway,
            vips=f"[{', '.join(any_of[family] for family in self.families)}]",
            remote_ts=f"[{', '.join(f'{chr(34)}{network}{chr(34)}' for network in self.networks)}]",
            user=self.user,
            ca=directory / "ca-rsa.pem",
            password=PASSWORD,
        )
