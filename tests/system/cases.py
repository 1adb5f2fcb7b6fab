"""The matrix: one case is a way to set up a tunnel, written down for ikepy, strongSwan and libreswan.

Each case of each peer has addresses of its own, so that all can be configured at once in one daemon each:
outer 10.<90+peer>.<case>.1 and .2, inner 172.<16+peer>.<case>.0/24 and 172.<24+peer>.<case>.0/24, and the like in IPv6.
"""

from __future__ import annotations

from dataclasses import dataclass, field

PEERS = {"strongswan": 1, "libreswan": 2, "ikepy": 3}
SECRET = "a secret of the lab and of nothing else"


@dataclass(frozen=True)
class Algorithms:
    """The same algorithms in each one's words."""

    ike: str
    esp: str
    libreswan_ike: str
    libreswan_esp: str


PFS = Algorithms("aes256gcm16-prfsha256-x25519", "aes256gcm16-x25519", "aes_gcm256-sha2_256;dh31", "aes_gcm256")
GCM = Algorithms("aes256gcm16-prfsha256-x25519", "aes256gcm16", "aes_gcm256-sha2_256;dh31", "aes_gcm256")
CHACHA = Algorithms(
    "chacha20poly1305-prfsha256-ecp256", "chacha20poly1305", "aes_gcm128-sha2_256;dh19", "chacha20_poly1305"
)
CHACHA_LIBRESWAN_IKE = "aes128gcm16-prfsha256-ecp256"
CBC = Algorithms("aes128-sha256-modp2048", "aes128-sha256", "aes128-sha2_256;dh14", "aes128-sha2_256")


@dataclass(frozen=True)
class Case:
    """One way. `auth` is psk, rsa, ecdsa or ed25519; `outer` and `inner` are 4 or 6."""

    name: str
    number: int
    algorithms: Algorithms = GCM
    auth: str = "psk"
    outer: int = 4
    inner: int = 4
    transport: bool = False
    children: tuple[str, ...] = ("net",)
    port: int | None = None
    peers: tuple[str, ...] = field(default=("ikepy", "strongswan", "libreswan"))

    def addresses(self, peer: str) -> Addresses:
        """Where this case takes place, between ikepy and that peer."""
        return Addresses(self, PEERS[peer])

    def libreswan_connections(self) -> tuple[str, ...]:
        """What libreswan calls the children: each is a connection to it, and they share an IKE SA."""
        name = self.connection("libreswan")
        return (name, *(f"{name}.{child}" for child in self.children[1:]))

    def connection(self, peer: str) -> str:
        """Its name in every configuration."""
        return f"{peer}-{self.name}"


@dataclass(frozen=True)
class Addresses:
    """The addresses of a case with a peer; ikepy is left."""

    case: Case
    peer: int

    def outer(self, side: int) -> str:
        """The outer address of a side, 1 or 2."""
        if self.case.outer == 4:
            return f"10.{90 + self.peer}.{self.case.number}.{side}"
        return f"fd9{self.peer}:{self.case.number}::{side}"

    def inner(self, side: int, child: int = 0) -> str:
        """The inner address of a side in a child."""
        if self.case.transport:
            return self.outer(side)
        if self.case.inner == 4:
            return f"172.{16 + self.peer + 8 * (side - 1)}.{self.case.number}.{1 + 64 * child}"
        return f"fd{side}{self.peer}:{self.case.number}:{child}::1"

    def network(self, side: int, child: int = 0) -> str:
        """The inner network of a side in a child."""
        if self.case.transport:
            return self.outer(side) + ("/32" if self.case.outer == 4 else "/128")
        if self.case.inner == 4:
            return f"172.{16 + self.peer + 8 * (side - 1)}.{self.case.number}.{64 * child}/26"
        return f"fd{side}{self.peer}:{self.case.number}:{child}::/64"

    def identity(self, side: int) -> str:
        """Who a side says to be."""
        return f"{'left' if side == 1 else 'right'}{self.peer}-{self.case.name}.lab"


CASES = (
    Case("psk-gcm", 1),
    Case("psk-chacha", 2, CHACHA),
    Case("psk-cbc", 3, CBC),
    Case("rsa", 4, GCM, "rsa"),
    Case("ecdsa", 5, GCM, "ecdsa"),
    Case("ed25519", 6, GCM, "ed25519", peers=("ikepy", "strongswan")),
    Case("v6-in-v6", 7, outer=6, inner=6),
    Case("v4-in-v6", 8, outer=6, inner=4),
    Case("transport", 9, transport=True),
    Case("transport-v6", 10, CBC, outer=6, transport=True),
    Case("children", 11, children=("net", "more")),
    Case("port", 12, port=5001),
    Case("psk-pfs", 13, PFS),
)


def select(*peers: str) -> list[tuple[str, Case]]:
    """Each (peer, case) there is for these peers."""
    return [(peer, case) for peer in peers for case in CASES if peer in case.peers]


# -- ikepy ---------------------------------------------------------------------------------------------------------


def ikepy_conf(chosen: list[tuple[str, Case]], directory: str, *, side: int = 1) -> str:
    """The configuration of an ikepy on that side of all cases."""
    parts = [_ikepy_connection(peer, case, directory, side) for peer, case in chosen]
    return "\n".join(parts)


def _ikepy_connection(peer: str, case: Case, directory: str, side: int) -> str:
    at, other = case.addresses(peer), 3 - side
    name = case.connection(peer)
    ike = CHACHA_LIBRESWAN_IKE if peer == "libreswan" and case.algorithms is CHACHA else case.algorithms.ike
    lines = [
        f"[connections.{name}]",
        f'local_addrs = ["{at.outer(side)}"]',
        f'remote_addrs = ["{at.outer(other)}"]',
        f'proposals = ["{ike}"]',
    ]
    if peer == "libreswan":
        lines.append("hold_early = true")
    if case.auth == "psk":
        lines.append(f'local = {{ auth = "psk", id = "{at.identity(side)}" }}')
        lines.append(f'remote = {{ auth = "psk", id = "{at.identity(other)}" }}')
    else:
        mine, ca = at.identity(side), f"{directory}/ca-{ca_kind(case)}.pem"
        lines.append(
            f'local = {{ auth = "pubkey", id = "{mine}", certs = ["{directory}/{mine}.cert.pem"], '
            f'key = "{directory}/{mine}.key.pem" }}'
        )
        lines.append(f'remote = {{ auth = "pubkey", id = "{at.identity(other)}", cacerts = ["{ca}"] }}')
    for number, child in enumerate(case.children):
        suffix = f"[udp/{case.port}]" if case.port else ""
        near = "[udp]" if case.port else ""
        own, far = (near, suffix) if side == 1 else (suffix, near)
        lines += [
            f"[connections.{name}.children.{child}]",
            f'local_ts = ["{at.network(side, number)}{own}"]',
            f'remote_ts = ["{at.network(other, number)}{far}"]',
            f'esp_proposals = ["{case.algorithms.esp}"]',
        ]
        if case.transport:
            lines.append('mode = "transport"')
    if case.auth == "psk":
        lines += [
            f"[secrets.{name}]",
            f'ids = ["{at.identity(1)}", "{at.identity(2)}"]',
            f'secret = "{SECRET}"',
        ]
    return "\n".join(lines) + "\n"


def ca_kind(case: Case) -> str:
    """The CA that signs a case's certificates."""
    return "ecdsa" if case.auth == "ecdsa" else "rsa"


# -- strongSwan ----------------------------------------------------------------------------------------------------


def swanctl_conf(cases: list[Case]) -> str:
    """The configuration of a strongSwan on the right side."""
    connections = "".join(_swanctl_connection(case) for case in cases)
    secrets = "".join(
        f"  ike-{case.name} {{\n    id-1 = {case.addresses('strongswan').identity(1)}\n"
        f'    id-2 = {case.addresses("strongswan").identity(2)}\n    secret = "{SECRET}"\n  }}\n'
        for case in cases
        if case.auth == "psk"
    )
    return f"connections {{\n{connections}}}\nsecrets {{\n{secrets}}}\n"


def _swanctl_connection(case: Case) -> str:
    at = case.addresses("strongswan")
    auth = "psk" if case.auth == "psk" else "pubkey"
    certs = "" if case.auth == "psk" else f"\n      certs = {at.identity(2)}.cert.pem"
    cacerts = "" if case.auth == "psk" else f"\n      cacerts = ca-{ca_kind(case)}.pem"
    children = ""
    for number, child in enumerate(case.children):
        near = f"[udp/{case.port}]" if case.port else ""
        far = "[udp]" if case.port else ""
        children += f"""
      {child} {{
        local_ts = {at.network(2, number)}{near}
        remote_ts = {at.network(1, number)}{far}
        esp_proposals = {case.algorithms.esp}
        mode = {"transport" if case.transport else "tunnel"}
      }}"""
    return f"""  {case.connection("strongswan")} {{
    version = 2
    local_addrs = {at.outer(2)}
    remote_addrs = {at.outer(1)}
    proposals = {case.algorithms.ike}
    local {{
      auth = {auth}
      id = {at.identity(2)}{certs}
    }}
    remote {{
      auth = {auth}
      id = {at.identity(1)}{cacerts}
    }}
    children {{{children}
    }}
  }}
"""


# -- libreswan -----------------------------------------------------------------------------------------------------


def ipsec_conf(cases: list[Case]) -> str:
    """The configuration of a libreswan; ikepy is its right."""
    return "config setup\n\tuniqueids=no\n" + "".join(
        _ipsec_connection(case, number) for case in cases for number in range(len(case.children))
    )


def ipsec_secrets(cases: list[Case]) -> str:
    """Its pre-shared keys."""
    return "".join(
        f'@{case.addresses("libreswan").identity(1)} @{case.addresses("libreswan").identity(2)} : PSK "{SECRET}"\n'
        for case in cases
        if case.auth == "psk"
    )


def _ipsec_connection(case: Case, number: int) -> str:
    at = case.addresses("libreswan")
    lines = [
        f"conn {case.libreswan_connections()[number]}",
        f"left={at.outer(2)}",
        f"leftid=@{at.identity(2)}",
        f"right={at.outer(1)}",
        f"rightid=@{at.identity(1)}",
        "ikev2=insist",
        f"ike={case.algorithms.libreswan_ike}",
        f"esp={case.algorithms.libreswan_esp}",
        "leftupdown=%disabled",
        f"pfs={'yes' if case.algorithms is PFS else 'no'}",
        "auto=ignore",
    ]
    if case.transport:
        lines.append("type=transport")
    else:
        lines += [f"leftsubnet={at.network(2, number)}", f"rightsubnet={at.network(1, number)}"]
    if case.port:
        lines += [f"leftprotoport=udp/{case.port}", "rightprotoport=udp"]
    if case.auth == "psk":
        lines.append("authby=secret")
    else:
        authby = "rsasig" if case.auth == "rsa" else "ecdsa"
        lines += [f"authby={authby}", f"leftcert={at.identity(2)}", "leftsendcert=always", "rightca=%same"]
    return "\n\t".join(lines) + "\n"
