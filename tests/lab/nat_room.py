"""Two sites, a router before each, and a network between the routers: routers that translate addresses, or only forward.

    near - near's router - far's router - far
    10.81.n.2             198.18.n.1/.2   10.82.n.2

Rule 1: a room is known by its number; many can be there at once.
Not here: the daemons (daemon.py).
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.lab.namespaces import add_addresses, inside, link, namespaces, sh

GONE = 2.5
"Seconds a NAT that is started anew is away."


@dataclass(frozen=True)
class NatRoom:
    """One room: its number, and how many sites are near."""

    number: int
    near_sites: int = 1

    # -- names ---------------------------------------------------------------------------------------------------

    def near(self, site: int = 0) -> str:
        """The namespace of a near site."""
        return f"n{site}r{self.number}"

    @property
    def far(self) -> str:
        """The namespace of the far site."""
        return f"far{self.number}"

    @property
    def routers(self) -> tuple[str, str]:
        """The routers' namespaces, the near one first."""
        return f"rn{self.number}", f"rf{self.number}"

    def near_address(self, site: int = 0) -> str:
        """The outer address of a near site, before any translation."""
        return f"10.81.{self.number}.{4 * site + 2}"

    @property
    def far_address(self) -> str:
        """The far site's, before any translation."""
        return f"10.82.{self.number}.2"

    def outside(self, router: int) -> str:
        """A router's address in the network between."""
        return f"198.18.{self.number}.{router + 1}"

    def inner(self, site: int) -> str:
        """The inner address of a near site; of far with -1."""
        return f"172.31.{self.number}.1" if site < 0 else f"172.30.{self.number * 8 + site}.1"

    def network(self, site: int) -> str:
        """The network behind a near site; behind far with -1."""
        return f"{self.inner(site)[:-2]}.0/24"

    # -- laying --------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def laid(self) -> Iterator[None]:
        """Namespaces, cables, addresses and plain routes; taken away in the end."""
        sites = [self.near(site) for site in range(self.near_sites)]
        with namespaces(*sites, *self.routers, self.far):
            near, far = self.routers
            ends = link(near, far)
            for router, other, end in ((0, 1, ends[0]), (1, 0, ends[1])):
                add_addresses(self.routers[router], {end: [f"{self.outside(router)}/24"]})
                where = f"10.8{other + 1}.{self.number}.0/24"
                sh("ip", "-n", self.routers[router], "route", "add", where, "via", self.outside(other))
                inside(self.routers[router], lambda: Path("/proc/sys/net/ipv4/ip_forward").write_text("1"))
            for site, name in enumerate(sites):
                self._plug(name, near, self.near_address(site), self.inner(site))
            self._plug(self.far, far, self.far_address, self.inner(-1))
            yield

    def _plug(self, site: str, router: str, address: str, inner: str) -> None:
        ends = link(site, router)
        start, last = address.rsplit(".", 1)
        gateway = f"{start}.{int(last) - 1}"
        add_addresses(site, {ends[0]: [f"{address}/30"], "lo": [f"{inner}/32"]})
        add_addresses(router, {ends[1]: [f"{gateway}/30"]})
        sh("ip", "-n", site, "route", "add", "default", "via", gateway)

    def route(self, namespace: str, inner: str) -> None:
        """What this host itself sends into tunnels has its inner address: strongSwan and libreswan install no such route."""
        gateway = sh("ip", "-n", namespace, "route", "show", "default").split()[2]
        sh("ip", "-n", namespace, "route", "replace", "172.16.0.0/12", "via", gateway, "src", inner)

    # -- translating ---------------------------------------------------------------------------------------------

    def masquerade(self, first_port: int = 10_000, *, timeout: int = 120) -> None:
        """Have the near router show one address to the world; a mapping that is idle so many seconds is forgotten."""
        end = f"v-{self.routers[0]}-{self.routers[1]}"
        ports = f"{first_port}-{first_port + 9_999}"
        self._nft(
            0,
            "table ip lab { chain out { type nat hook postrouting priority 100; "
            f"oifname {end} meta l4proto udp masquerade to :{ports}; oifname {end} masquerade; }}; }}",
        )
        self._set_timeout(0, timeout)

    def forward(self) -> None:
        """Have the far router hide far, but for IKE's ports."""
        end = f"v-{self.routers[1]}-{self.routers[0]}"
        self._nft(
            1,
            "table ip lab { chain in { type nat hook prerouting priority -100; "
            f"iifname {end} udp dport {{ 500, 4500 }} dnat to {self.far_address}; }}; "
            f"chain out {{ type nat hook postrouting priority 100; oifname {end} masquerade; }}; }}",
        )

    def restart_nat(self, first_port: int = 20_000) -> None:
        """The near router forgets all mappings, is away for some seconds, and then gives out other ports."""
        self._set_timeout(0, 1)
        self._nft(0, "table ip gone { chain away { type filter hook prerouting priority -350; drop; }; }")
        time.sleep(GONE)
        self._nft(0, "delete table ip lab")
        self.masquerade(first_port)
        self._nft(0, "delete table ip gone")

    def _nft(self, router: int, rules: str) -> None:
        sh("ip", "netns", "exec", self.routers[router], "nft", rules)

    def _set_timeout(self, router: int, seconds: int) -> None:
        def write() -> None:
            for name in ("udp_timeout", "udp_timeout_stream"):
                Path(f"/proc/sys/net/netfilter/nf_conntrack_{name}").write_text(str(seconds))

        inside(self.routers[router], write)
