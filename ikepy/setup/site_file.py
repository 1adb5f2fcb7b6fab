"""Both ends of a tunnel between two sites: ours for ikepy, the peer's for ikepy, strongSwan or libreswan.

Rule 1: both are made of the same facts in one go: what one side says is what the other expects.
Rule 2: only algorithms that all three have from their packages: AES-256-GCM and Curve25519 or ECP-256.
Rule 3: a pre-shared key is letters and digits alone, so that no file's quoting changes it.
Not here: where the files go (site_steps.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from ikepy.setup.answers import IpNetwork, SetupError

IKE, ESP = "aes256gcm16-prfsha256-x25519", "aes256gcm16-x25519"


class Peer(Enum):
    """What runs at the other end."""

    IKEPY = "ikepy"
    STRONGSWAN = "strongswan"
    LIBRESWAN = "libreswan"


@dataclass(frozen=True, slots=True)
class End:
    """One site.

    name      its identity, a host name
    address   where it is met; empty where that changes, and then it begins
    networks  behind it
    """

    name: str
    address: str
    networks: tuple[IpNetwork, ...]


@dataclass(frozen=True, slots=True)
class Site:
    """Two ends, and how they prove themselves.

    by_certificate  by certificates of one CA, else by a pre-shared key
    """

    here: End
    there: End
    by_certificate: bool = False

    def __post_init__(self) -> None:
        if not self.here.address and not self.there.address:
            raise SetupError("one end must have an address that the other can reach: give --address or --peer-address")
        for one in self.here.networks:
            for other in self.there.networks:
                if one.version == other.version and one.overlaps(other):
                    raise SetupError(f"{one} here overlaps {other} there: renumber one, or name smaller networks")
        ours, theirs = ({each.version for each in end.networks} for end in (self.here, self.there))
        if not ours & theirs:
            raise SetupError("both ends need networks of one family: name them with --networks and --peer-networks")

    def turned(self) -> Site:
        """As the other end sees it."""
        return Site(self.there, self.here, self.by_certificate)


def ikepy_text(site: Site) -> str:
    """site.conf of one end."""
    here, there = site.here, site.there
    begins = bool(there.address)
    remote = f'remote_addrs = ["{there.address}"]\n' if begins else ""
    if site.by_certificate:
        local = f'auth = "pubkey"\nid = "{here.name}"\ncerts = ["{here.name}.pem"]\nkey = "{here.name}.key"'
        peer = f'auth = "pubkey"\nid = "{there.name}"\ncacerts = ["ca.pem"]'
        secrets = ""
    else:
        local, peer = f'auth = "psk"\nid = "{here.name}"', f'auth = "psk"\nid = "{there.name}"'
        secrets = f'\n[secrets.site]\nids = ["{here.name}", "{there.name}"]\nfile = "site.secret"\n'
    return f"""\
# The tunnel between {here.name} and {there.name}, this end; written by `ikepy setup site`.
# Forwarding between the networks is this host's own affair: sysctl net.ipv4.ip_forward=1.

[connections.site]
{remote}proposals = ["{IKE}", "default"]

[connections.site.local]
{local}

[connections.site.remote]
{peer}

[connections.site.children.net]
local_ts = [{_quoted(here.networks)}]
remote_ts = [{_quoted(there.networks)}]
esp_proposals = ["{ESP}", "default"]
start_action = "{"start" if begins else "none"}"
{secrets}"""


def strongswan_text(site: Site, secret: str) -> str:
    """swanctl.conf of one end; `secret` is not looked at where certificates prove."""
    here, there = site.here, site.there
    local = f"auth = pubkey\n      certs = {here.name}.pem" if site.by_certificate else "auth = psk"
    remote = "auth = pubkey\n      cacerts = ca.pem" if site.by_certificate else "auth = psk"
    secrets = (
        ""
        if site.by_certificate
        else f"""
secrets {{
  ike-site {{
    id-1 = {here.name}
    id-2 = {there.name}
    secret = "{secret}"
  }}
}}
"""
    )
    return f"""\
# The tunnel between {here.name} and {there.name}, this end: /etc/swanctl/conf.d/site.conf, then swanctl --load-all.
# {f"Certificates: ca.pem to x509ca, {here.name}.pem to x509, {here.name}.key to private." if site.by_certificate else "It holds a secret: chmod 600."}
connections {{
  site {{
    version = 2
    local_addrs = {here.address or "%any"}
    remote_addrs = {there.address or "%any"}
    proposals = {IKE}
    dpd_delay = 30s
    local {{
      {local}
      id = {here.name}
    }}
    remote {{
      {remote}
      id = {there.name}
    }}
    children {{
      net {{
        local_ts = {_listed(here.networks)}
        remote_ts = {_listed(there.networks)}
        esp_proposals = {ESP}
        start_action = {"start" if there.address else "none"}
        dpd_action = {"restart" if there.address else "clear"}
      }}
    }}
  }}
}}
{secrets}"""


def libreswan_text(site: Site) -> str:
    """ipsec.conf of one end, by a pre-shared key."""
    here, there = site.here, site.there
    family = next(each.version for each in here.networks if each.version in {net.version for net in there.networks})
    ours, theirs = ([each for each in end.networks if each.version == family] for end in (here, there))
    if len(ours) + len(theirs) != len(here.networks) + len(there.networks):
        raise SetupError("a libreswan connection is of one address family: set up one tunnel for each")
    return f"""\
# The tunnel between {here.name} and {there.name}, this end: /etc/ipsec.d/site.conf; its key goes to /etc/ipsec.d/site.secrets.
conn site
    ikev2=insist
    authby=secret
    left={here.address or "%defaultroute"}
    leftid=@{here.name}
    leftsubnets={{{_listed(ours)}}}
    right={there.address or "%any"}
    rightid=@{there.name}
    rightsubnets={{{_listed(theirs)}}}
    ike=aes_gcm256-sha2_256-dh31
    esp=aes_gcm256
    auto={"start" if there.address else "add"}
    dpddelay=30
    dpdtimeout=120
    dpdaction={"restart" if there.address else "clear"}
"""


def libreswan_secrets(site: Site, secret: str) -> str:
    """ipsec.secrets of one end."""
    return f'@{site.here.name} @{site.there.name} : PSK "{secret}"\n'


def _quoted(networks: Iterable[object]) -> str:
    return ", ".join(f'"{network}"' for network in networks)


def _listed(networks: Iterable[object]) -> str:
    return ",".join(map(str, networks))
