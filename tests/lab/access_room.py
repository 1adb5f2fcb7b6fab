"""A gateway and clients, each on a cable of its own: where addresses, users and groups are tried.

    client n  10.90.n.2 -- 10.90.n.1  gateway 203.0.113.1, 2001:db8:f::1    behind it 10.1.0.1, 10.1.7.1, fd00:1::1

Rule 1: what is behind the gateway is reached through IPsec only, as with any sane firewall.
Not here: the daemons' configurations (access_conf.py).
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass

from tests.lab.namespaces import add_addresses, inside, link, namespaces, sh, udp

GATEWAY, GATEWAY6 = "203.0.113.1", "2001:db8:f::1"
INNER, INNER_OF_GUESTS, INNER6 = "10.1.0.1", "10.1.7.1", "fd00:1::1"
NAMESPACE = "gw"
_ONLY_THROUGH_IPSEC = """table inet lab {
  chain in {
    type filter hook input priority 0
    ip daddr 10.1.0.0/16 iifname != lo meta secpath missing drop
    ip6 daddr fd00:1::/32 iifname != lo meta secpath missing drop
  }
}
"""


@dataclass(frozen=True)
class AccessRoom:
    """The gateway's namespace and those of its clients."""

    clients: int

    def client(self, number: int) -> str:
        """A client's namespace."""
        return f"cl{number}"

    def address(self, number: int) -> str:
        """Where a client is."""
        return f"10.90.{number}.2"

    @contextlib.contextmanager
    def laid(self) -> Iterator[None]:
        """Namespaces, cables, addresses and routes; taken away in the end."""
        names = [self.client(number) for number in range(self.clients)]
        with namespaces(NAMESPACE, *names):
            loopback = [f"{each}/32" for each in (GATEWAY, INNER, INNER_OF_GUESTS)]
            add_addresses(NAMESPACE, {"lo": [*loopback, f"{GATEWAY6}/128", f"{INNER6}/128"]})
            for number, name in enumerate(names):
                ours, theirs = link(name, NAMESPACE)
                add_addresses(name, {ours: [f"10.90.{number}.2/30", f"2001:db8:90:{number}::2/64"]})
                add_addresses(NAMESPACE, {theirs: [f"10.90.{number}.1/30", f"2001:db8:90:{number}::1/64"]})
                sh("ip", "-n", name, "route", "add", "default", "via", f"10.90.{number}.1")
                sh("ip", "-n", name, "-6", "route", "add", "default", "via", f"2001:db8:90:{number}::1")
            sh("ip", "netns", "exec", NAMESPACE, "nft", "-f", "-", stdin=_ONLY_THROUGH_IPSEC)
            yield


def addresses_of(namespace: str) -> set[str]:
    """Every address of a namespace, without its prefix length."""
    found = json.loads(sh("ip", "-n", namespace, "-j", "address", "show"))
    return {info["local"] for device in found for info in device["addr_info"]}


def reaches(namespace: str, address: str, inner: str, port: int = 5001) -> bool:
    """Whether a datagram from an address of the client comes back from behind the gateway."""
    with contextlib.ExitStack() as stack:
        try:
            client = stack.enter_context(udp(namespace, address))
            server = stack.enter_context(inside(NAMESPACE, lambda: udp(NAMESPACE, inner, port)))
            client.settimeout(1)
            server.settimeout(1)
            client.sendto(b"there", (inner, port))
            octets, sender = server.recvfrom(2000)
            if sender[0] != address:
                return False
            server.sendto(octets, sender)
            return client.recvfrom(2000)[0] == b"there"
        except OSError:
            return False
