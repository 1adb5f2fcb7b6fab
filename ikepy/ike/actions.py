"""What the Endpoint asks of the world, in order: send, perform, publish; and the values they carry.

Not here: how any of it is done (daemon/).
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import TYPE_CHECKING, Any, NewType

from ikepy.ipsec import IpAddress

if TYPE_CHECKING:
    from ikepy.ike.effects import Effect
    from ikepy.ike.events import Event

Ticket = NewType("Ticket", int)
"""Names one performance of an effect, for its outcome."""


@dataclass(frozen=True, slots=True)
class SocketAddress:
    """An address and a UDP port; for link-local v6 the scope is in the address."""

    address: IpAddress
    port: int

    @property
    def host(self) -> IpAddress:
        """The address as packets have it: a link-local one without its scope."""
        address = self.address
        scoped = isinstance(address, IPv6Address) and address.scope_id is not None
        return IPv6Address(address.packed) if scoped else address

    def __str__(self) -> str:
        return (
            f"[{self.address}]:{self.port}" if isinstance(self.address, IPv6Address) else f"{self.address}:{self.port}"
        )


@dataclass(frozen=True, slots=True)
class Path:
    """Between which sockets an IKE SA's datagrams travel, and whether they carry the non-ESP marker (RFC 3948 §2.2)."""

    local: SocketAddress
    remote: SocketAddress
    non_esp_marker: bool = False


@dataclass(frozen=True, slots=True)
class Datagram:
    """One IKE message without its non-ESP marker, and the path it came or goes by.

    fragments  how many datagrams it came in, where it was put together (RFC 7383)
    """

    octets: bytes
    path: Path
    fragments: int = 1


@dataclass(frozen=True, slots=True)
class SendDatagram:
    """Send it now."""

    datagram: Datagram


@dataclass(frozen=True, slots=True)
class Perform:
    """Perform the effect and hand its outcome to Endpoint.complete()."""

    ticket: Ticket
    effect: Effect[Any]


@dataclass(frozen=True, slots=True)
class Publish:
    """Tell whoever listens (the control socket, waiting commands)."""

    event: Event


Action = SendDatagram | Perform | Publish


@dataclass(frozen=True, slots=True)
class Done:
    """The effect's reply."""

    reply: Any


@dataclass(frozen=True, slots=True)
class Failed:
    """The error that is thrown into the exchange instead of a reply."""

    error: Exception


Outcome = Done | Failed
