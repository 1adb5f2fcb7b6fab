"""INFORMATIONAL that says where an IKE SA is now (RFC 4555).

    Initiator                                              Responder
    HDR, SK {N(UPDATE_SA_ADDRESSES), N(NAT_DETECTION_*),
             N(ADDITIONAL_*), N(COOKIE2)}              -->
                                                       <-- HDR, SK {N(NAT_DETECTION_*), N(COOKIE2)}

Rule 1: what was said of one way is said again of the way the answer came by: hashes of addresses fit one way only.
Rule 2: a COOKIE2 that comes back comes back as it was sent, or the IKE SA is not the peer's any more.
Not here: which way is taken, and what moves (moving.py).
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from ipaddress import IPv4Address

from ikepy.config.model import ConnectionConfig
from ikepy.ike.actions import Path, SocketAddress
from ikepy.ike.effects import FindWays, Received, SendRequest
from ikepy.ike.errors import GaveUp, RefusedByPeer
from ikepy.ike.exchanges.view import SaView
from ikepy.ike.nat import NatFindings, find_nat, make_nat_notifies
from ikepy.ike.phases import Keyed
from ikepy.ipsec import IpAddress
from ikepy.wire.message import Message
from ikepy.wire.notify import Notify, additional_address, make_additional_address
from ikepy.wire.registry import ExchangeType, NotifyType

COOKIE2_OCTETS = 16
MOST_WAYS = 8
"Ways that are told the peer one after the other, each answered by another."
MOST_TOLD = 8
"Addresses of ours that a peer is told beside the path's: strongSwan takes no message with more than 20 notifies."
_ADDITIONAL = frozenset({NotifyType.ADDITIONAL_IP4_ADDRESS, NotifyType.ADDITIONAL_IP6_ADDRESS})


@dataclass(frozen=True, slots=True)
class Moved:
    """Both sides know the way: the path, and what NATs are on it.

    seen_as   the hash of our address as the peer sees it; empty where it said none
    """

    path: Path
    nat: NatFindings
    seen_as: bytes = b""


@dataclass(frozen=True, slots=True)
class AddressesTold:
    """The peer knows our addresses, and that it finds us at the first end of `path`."""

    path: Path
    ours: tuple[IpAddress, ...]


async def update(sa: SaView, keyed: Keyed) -> Moved:
    """Tell the peer where we are now; raises RefusedByPeer, GaveUp, WireError."""
    for _ in range(MOST_WAYS):
        path, cookie = sa.path, sa.entropy.octets(COOKIE2_OCTETS)
        ways = await FindWays(sa.connection.name, (path.remote.address,))
        received = await SendRequest(
            ExchangeType.INFORMATIONAL,
            (
                Notify(NotifyType.UPDATE_SA_ADDRESSES),
                *nat_notifies(sa, keyed, path),
                *addresses(ways.ours, path),
                Notify(NotifyType.COOKIE2, cookie),
            ),
        )
        error = received.message.error_notify
        if error is not None:
            raise RefusedByPeer(error.type, "it does not take our new address")
        check_cookie(received.message, cookie)
        if received.path == path == sa.path:
            return Moved(path, look(received, keyed), seen_as(received.message))
        sa.adopt_path(received.path if sa.path == path else sa.path)
    raise GaveUp("the way to the peer changes faster than it can be told")


async def tell_addresses(sa: SaView) -> AddressesTold:
    """Tell the peer what addresses we have beside the one this is sent from; raises RefusedByPeer, GaveUp."""
    ways = await FindWays(sa.connection.name, (sa.path.remote.address,))
    received = await SendRequest(ExchangeType.INFORMATIONAL, addresses(ways.ours, sa.path))
    error = received.message.error_notify
    if error is not None:
        raise RefusedByPeer(error.type, "it does not take our addresses")
    return AddressesTold(received.path, ways.ours)


@dataclass(frozen=True, slots=True)
class MobilityNews:
    """What a peer's INFORMATIONAL request says of its addresses.

    payloads   what the answer says to it
    moved      where the IKE SA is now; None where that is as it was
    others     the peer's further addresses; None where it tells of none
    path       where they were told from
    """

    path: Path
    payloads: tuple[Notify, ...] = ()
    moved: Moved | None = None
    others: tuple[IpAddress, ...] | None = None


NOWHERE = SocketAddress(IPv4Address(0), 0)
NO_NEWS = MobilityNews(Path(NOWHERE, NOWHERE))
"Of a request that says nothing of addresses."


def read_news(sa: SaView, keyed: Keyed, request: Received) -> MobilityNews:
    """Answer what a request says of addresses; raises WireError where one of them cannot be read."""
    message = request.message
    nat = look(request, keyed)
    payloads = tuple(Notify(NotifyType.COOKIE2, each.octets) for each in _all(message, NotifyType.COOKIE2))
    if nat.supported:
        payloads += nat_notifies(sa, keyed, request.path)
    if not sa.is_mobile:
        return MobilityNews(request.path, payloads)
    if _sees_a_nat(message, request.path):
        return MobilityNews(request.path, (*payloads, Notify(NotifyType.UNEXPECTED_NAT_DETECTED)))
    is_update = message.notify(NotifyType.UPDATE_SA_ADDRESSES) is not None
    moved = Moved(request.path, nat, seen_as(message)) if is_update and not sa.leads else None
    return MobilityNews(request.path, payloads, moved, read_addresses(message))


# -- in IKE_AUTH -------------------------------------------------------------------------------------------------


async def say_mobility(sa: SaView, connection: ConnectionConfig) -> tuple[Notify, ...]:
    """MOBIKE_SUPPORTED and our addresses beside the path's (RFC 4555 §3.1); nothing where it is switched off."""
    if not connection.mobike:
        return ()
    ways = await FindWays(connection.name, (sa.path.remote.address,))
    return (Notify(NotifyType.MOBIKE_SUPPORTED), *addresses(ways.ours, sa.path))


def read_mobility(message: Message) -> tuple[IpAddress, ...] | None:
    """The peer's further addresses; None where it does not do MOBIKE. Raises WireError."""
    if message.notify(NotifyType.MOBIKE_SUPPORTED) is None:
        return None
    return read_addresses(message) or ()


# -- words -------------------------------------------------------------------------------------------------------


def addresses(ours: tuple[IpAddress, ...], path: Path) -> tuple[Notify, ...]:
    """Our addresses beside the path's; NO_ADDITIONAL_ADDRESSES where there are none (RFC 4555 §4.2.2-4.2.3)."""
    others = tuple(make_additional_address(address) for address in ours if address != path.local.address)[:MOST_TOLD]
    return others or (Notify(NotifyType.NO_ADDITIONAL_ADDRESSES),)


def read_addresses(message: Message) -> tuple[IpAddress, ...] | None:
    """The further addresses a message tells; None where it says nothing of them. Raises WireError."""
    if message.notify(NotifyType.NO_ADDITIONAL_ADDRESSES) is not None:
        return ()
    found = tuple(additional_address(notify) for notify in message.all(Notify) if notify.type in _ADDITIONAL)
    return tuple(dict.fromkeys(found)) or None


def nat_notifies(sa: SaView, keyed: Keyed, path: Path) -> tuple[Notify, ...]:
    """NAT_DETECTION_* of a path; nothing where the peer does not know them."""
    if not keyed.nat.supported:
        return ()
    pretend = sa.entropy.octets(20) if keyed.connection.encap else None
    return make_nat_notifies(keyed.spi_i, keyed.spi_r, path, pretend=pretend)


def look(received: Received, keyed: Keyed) -> NatFindings:
    """What a message's NAT_DETECTION_* tell of the path it came by."""
    message = received.message
    sources = _all(message, NotifyType.NAT_DETECTION_SOURCE_IP)
    destinations = _all(message, NotifyType.NAT_DETECTION_DESTINATION_IP)
    return find_nat(sources, destinations, keyed.spi_i, keyed.spi_r, received.path)


def seen_as(message: Message) -> bytes:
    """The hash of our address as the peer sees it; empty where it said none."""
    found = message.notify(NotifyType.NAT_DETECTION_DESTINATION_IP)
    return found.octets if found is not None else b""


def check_cookie(message: Message, cookie: bytes) -> None:
    """Raises GaveUp where COOKIE2 comes back other than it was sent (RFC 4555 §4.2.5)."""
    found = message.notify(NotifyType.COOKIE2)
    # departs: §4.2.5 has us close the IKE SA where none comes back; libreswan 4.10 sends none back.
    if found is not None and not hmac.compare_digest(found.octets, cookie):
        raise GaveUp("the answer does not have the COOKIE2 we sent")


def _sees_a_nat(message: Message, path: Path) -> bool:
    """Whether the peer allows no NAT, and the addresses it sent between are not those it came by (RFC 4555 §4.2.6)."""
    found = message.notify(NotifyType.NO_NATS_ALLOWED)
    if found is None:
        return False
    remote, local = path.remote, path.local
    came = remote.address.packed + local.address.packed + remote.port.to_bytes(2, "big") + local.port.to_bytes(2, "big")
    return found.octets != came


def _all(message: Message, kind: NotifyType) -> tuple[Notify, ...]:
    return tuple(notify for notify in message.all(Notify) if notify.type is kind)
