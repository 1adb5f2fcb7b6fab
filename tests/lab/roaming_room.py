"""A near host with two uplinks, a far one that both lead to; addresses, routes and interfaces that come and go.

    near - router a - far        near: 10.91.n.2 and fd91:n::2 by a, 10.92.n.2 and fd92:n::2 by b
         - router b -            far:  10.99.n.1 and fd99:n::1, which both routers lead to

Rule 1: a room is known by its number; many can be there at once.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.lab.namespaces import add_addresses, inside, link, namespaces, sh

_FORWARD = ("/proc/sys/net/ipv4/ip_forward", "/proc/sys/net/ipv6/conf/all/forwarding")


@dataclass(frozen=True)
class RoamingRoom:
    """One room."""

    number: int

    @property
    def near(self) -> str:
        """The near host's namespace."""
        return f"near{self.number}"

    @property
    def far(self) -> str:
        """The far host's namespace."""
        return f"far{self.number}"

    def router(self, way: int) -> str:
        """The namespace of router a (1) or b (2)."""
        return f"r{'ab'[way - 1]}{self.number}"

    def near_end(self, way: int) -> str:
        """The near host's interface to a router."""
        return f"v-{self.near}-{self.router(way)}"

    def near_address(self, way: int, last: int = 2, *, family: int = 4) -> str:
        """An address of the near host."""
        return f"10.9{way}.{self.number}.{last}" if family == 4 else f"fd9{way}:{self.number}::{last}"

    def far_address(self, last: int = 1, *, family: int = 4) -> str:
        """An address of the far host."""
        return f"10.99.{self.number}.{last}" if family == 4 else f"fd99:{self.number}::{last}"

    def inner(self, side: int) -> str:
        """The inner address of near (1) or far (2)."""
        return f"172.{27 + side}.{self.number}.1"

    def network(self, side: int) -> str:
        """The network behind near (1) or far (2)."""
        return f"172.{27 + side}.{self.number}.0/24"

    # -- laying --------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def laid(self, families: tuple[int, ...]) -> Iterator[None]:
        """Namespaces, cables, addresses of the families, and routes; the near host's default way is by a."""
        with namespaces(self.near, self.far, self.router(1), self.router(2)):
            add_addresses(self.near, {"lo": [f"{self.inner(1)}/32"]})
            add_addresses(
                self.far,
                {"lo": [f"{self.inner(2)}/32", f"{self.far_address()}/32", f"{self.far_address(family=6)}/128"]},
            )
            promote = Path("/proc/sys/net/ipv4/conf/all/promote_secondaries")
            inside(self.near, lambda: promote.write_text("1"))
            for way in (1, 2):
                self._lay(way)
            for way in (1, 2):
                self.add(way, families=families)
            for space, side in ((self.near, 1), (self.far, 2)):
                # Any interface does that stays: the policy takes the packets first. On lo there are no policies.
                sh("ip", "-n", space, "link", "add", "stays", "type", "veth", "peer", "name", "stays2")
                for end in ("stays", "stays2"):
                    sh("ip", "-n", space, "link", "set", end, "up")
                sh("ip", "-n", space, "route", "add", self.network(3 - side), "dev", "stays", "src", self.inner(side))
            yield

    def _lay(self, way: int) -> None:
        router = self.router(way)
        near_end, near_port = link(self.near, router)
        far_end, far_port = link(self.far, router)
        add_addresses(
            router, {near_port: [self.near_address(way, 1) + "/29", self.near_address(way, 1, family=6) + "/64"]}
        )
        inside(router, lambda: [Path(path).write_text("1") for path in _FORWARD])
        there, here = f"10.98.{self.number}.{4 * way + 1}", f"10.98.{self.number}.{4 * way + 2}"
        there6, here6 = f"fd98:{self.number}:{way}::1", f"fd98:{self.number}:{way}::2"
        add_addresses(router, {far_port: [f"{there}/30", f"{there6}/64"]})
        add_addresses(self.far, {far_end: [f"{here}/30", f"{here6}/64"]})
        far_net, far_net6 = f"10.99.{self.number}.0/24", f"fd99:{self.number}::/64"
        sh("ip", "-n", router, "route", "add", far_net, "via", here)
        sh("ip", "-6", "-n", router, "route", "add", far_net6, "via", here6)
        source, source6 = self.far_address(), self.far_address(family=6)
        back = f"10.9{way}.{self.number}.0/29", f"fd9{way}:{self.number}::/64"
        sh("ip", "-n", self.far, "route", "add", back[0], "via", there, "src", source)
        sh("ip", "-6", "-n", self.far, "route", "add", back[1], "via", there6, "src", source6)
        assert near_end == self.near_end(way)

    # -- disturbing ----------------------------------------------------------------------------------------------

    def add(self, way: int, last: int = 2, *, families: tuple[int, ...] = (4, 6)) -> None:
        """Give the near host an address by a router, and a default route there; a's is the better one."""
        end = self.near_end(way)
        for family in families:
            length = 29 if family == 4 else 64
            address = self.near_address(way, last, family=family)
            add_addresses(self.near, {end: [f"{address}/{length}"]})
            gateway = self.near_address(way, 1, family=family)
            how = ["default", "via", gateway, "dev", end, "metric", str(100 * way), "src", address]
            sh("ip", f"-{family}", "-n", self.near, "route", "replace", *how)

    def remove(self, way: int, *, families: tuple[int, ...] = (4, 6)) -> None:
        """Take all addresses of families from an interface, and its routes with them."""
        for family in families:
            sh("ip", f"-{family}", "-n", self.near, "address", "flush", "dev", self.near_end(way), "scope", "global")
            sh("ip", f"-{family}", "-n", self.near, "route", "flush", "dev", self.near_end(way), check=False)

    def set_link(self, way: int, to: str, families: tuple[int, ...] = (4, 6)) -> None:
        """The near host's interface to a router `up` or `down`; with it come its addresses and routes again."""
        sh("ip", "-n", self.near, "link", "set", self.near_end(way), to)
        if to == "up":
            self.remove(way)
            self.add(way, families=families)

    def masquerade(self, way: int) -> None:
        """Have a router show one address to the world."""
        end = f"v-{self.router(way)}-{self.far}"
        rules = f"table ip lab {{ chain out {{ type nat hook postrouting priority 100; oifname {end} masquerade; }}; }}"
        sh("ip", "netns", "exec", self.router(way), "nft", rules)

    def move_far(self, last: int) -> None:
        """Give the far host another address of its network, and take the one it had."""
        add_addresses(self.far, {"lo": [f"{self.far_address(last)}/32"]})
        for way in (1, 2):
            via = f"10.98.{self.number}.{4 * way + 1}"
            back = f"10.9{way}.{self.number}.0/29"
            sh("ip", "-n", self.far, "route", "replace", back, "via", via, "src", self.far_address(last))
        sh("ip", "-n", self.far, "address", "del", f"{self.far_address()}/32", "dev", "lo")
