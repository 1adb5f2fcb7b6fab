"""NAT detection: its hashes, and what follows from them (RFC 7296 §2.23).

Not here: keepalives and mappings; sockets (daemon/udp.py).
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass

from ikepy.ike.actions import Path, SocketAddress
from ikepy.wire.notify import Notify
from ikepy.wire.registry import NotifyType


@dataclass(frozen=True, slots=True)
class NatFindings:
    """Who sits behind a NAT.

    supported  whether the peer does NAT detection at all
    forced     whether we only say so, for the sake of UDP encapsulation
    """

    supported: bool = False
    local: bool = False
    remote: bool = False
    forced: bool = False

    @property
    def is_between(self) -> bool:
        """Whether there is a NAT on either side, or both sides are to believe so."""
        return self.local or self.remote or self.forced


def nat_hash(spi_i: bytes, spi_r: bytes, at: SocketAddress) -> bytes:
    """SHA-1 of SPIs, address and port (§2.23); SPIr is zero in the first request."""
    return hashlib.sha1(  # noqa: S324 - the RFC fixes SHA-1; nothing rests on its strength
        spi_i + spi_r + at.address.packed + at.port.to_bytes(2, "big")
    ).digest()


def make_nat_notifies(spi_i: bytes, spi_r: bytes, path: Path, *, pretend: bytes | None) -> tuple[Notify, Notify]:
    """NAT_DETECTION_SOURCE_IP and _DESTINATION_IP for a message of ours on that path.

    pretend   20 octets sent as our source's hash, so that the peer believes in a NAT; None for the true hash
    """
    source = pretend if pretend is not None else nat_hash(spi_i, spi_r, path.local)
    return (
        Notify(NotifyType.NAT_DETECTION_SOURCE_IP, source),
        Notify(NotifyType.NAT_DETECTION_DESTINATION_IP, nat_hash(spi_i, spi_r, path.remote)),
    )


def find_nat(
    sources: tuple[Notify, ...], destinations: tuple[Notify, ...], spi_i: bytes, spi_r: bytes, path: Path
) -> NatFindings:
    """What the peer's notifies tell (§2.23); a peer may send several source hashes, one an address it has."""
    if not sources or not destinations:
        return NatFindings()
    at_peer = nat_hash(spi_i, spi_r, path.remote)
    at_us = nat_hash(spi_i, spi_r, path.local)
    return NatFindings(
        supported=True,
        local=not any(hmac.compare_digest(notify.octets, at_us) for notify in destinations),
        remote=not any(hmac.compare_digest(notify.octets, at_peer) for notify in sources),
    )


def float_path(path: Path, local_port: int, remote_port: int) -> Path:
    """The same two addresses on the ports of UDP encapsulation, with the non-ESP marker."""
    if path.non_esp_marker:
        return path
    return Path(
        SocketAddress(path.local.address, local_port),
        SocketAddress(path.remote.address, remote_port),
        non_esp_marker=True,
    )
