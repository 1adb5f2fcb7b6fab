"""A NAT before one side of a pair: sources are rewritten, and only what answers them comes in.

Not here: the line itself (link.py).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from ikepy.ike.actions import Datagram, SocketAddress
from ikepy.ipsec import IpAddress


@dataclass
class Nat:
    """Stands between `inside` and everybody else, who see `outside`.

    first_port  the next mapping's port outside
    """

    inside: frozenset[IpAddress]
    outside: IpAddress
    first_port: int = 20_000
    mappings: dict[SocketAddress, SocketAddress] = field(default_factory=dict)

    def flush(self) -> None:
        """Forget all mappings: each socket inside has another port outside from now on."""
        self.mappings.clear()

    def forward(self, inside: SocketAddress, port: int) -> None:
        """Let what comes to a port outside in, as a port forward does; and what goes out from there have that port."""
        self.mappings[inside] = SocketAddress(self.outside, port)

    def translate(self, datagram: Datagram) -> Datagram | None:
        """The datagram behind the NAT, on whichever side it goes to; None where it comes to nobody."""
        path = datagram.path
        if path.local.address in self.inside:
            if path.local not in self.mappings:
                self.mappings[path.local] = SocketAddress(self.outside, self.first_port)
                self.first_port += 1
            return Datagram(datagram.octets, replace(path, local=self.mappings[path.local]))
        if path.remote.address == self.outside:
            for inside, outside in self.mappings.items():
                if outside == path.remote:
                    return Datagram(datagram.octets, replace(path, remote=inside))
            return None
        if path.remote.address in self.inside:
            return None
        return datagram
