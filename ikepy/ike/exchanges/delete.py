"""Our own deletes: of a child, of a child only the peer has, of the whole IKE SA (RFC 7296 §1.4.1).

Not here: the peer's deletes (informational.py).
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from ikepy.ike.child import ChildSa
from ikepy.ike.effects import RemoveChildSa, SendRequest
from ikepy.ike.exchanges.informational import SPI_OCTETS
from ikepy.ike.exchanges.view import SaView
from ikepy.ipsec import Spi
from ikepy.wire.errors import UnsupportedCriticalPayload
from ikepy.wire.notify import Notify
from ikepy.wire.payloads import Delete
from ikepy.wire.registry import ExchangeType, NotifyType, ProtocolId


@dataclass(frozen=True, slots=True)
class IkeDeleted:
    """The peer knows that the IKE SA is over."""


async def initiate_child(sa: SaView, child: ChildSa) -> tuple[ChildSa, ...]:
    """Delete a child on both sides, the peer first; returns what we took down."""
    await _request_delete(child.spi_in)
    if sa.has_heir(child):
        sa.begin_retirement(child)
        return ()
    # The peer's own delete may have crossed ours and taken it down already.
    if not sa.begin_removal(child):
        return ()
    await RemoveChildSa(child.spec)
    return (child,)


async def initiate_foreign_child(spi_in: Spi) -> tuple[ChildSa, ...]:
    """Delete a child that the peer made and we could not use; we have nothing of it."""
    await _request_delete(spi_in)
    return ()


async def initiate_ike() -> IkeDeleted:
    """Delete the IKE SA; the response only says that the peer knows."""
    await SendRequest(ExchangeType.INFORMATIONAL, (Delete(ProtocolId.IKE, (), 0),))
    return IkeDeleted()


async def initiate_refusal() -> IkeDeleted:
    """Tell a responder that its proof does not hold (§2.21.2); both sides then forget the IKE SA."""
    await SendRequest(ExchangeType.INFORMATIONAL, (Notify(NotifyType.AUTHENTICATION_FAILED),))
    return IkeDeleted()


async def _request_delete(spi_in: Spi) -> None:
    delete = Delete(ProtocolId.ESP, (spi_in.to_bytes(SPI_OCTETS, "big"),), SPI_OCTETS)
    # It has answered, so it has read the delete: its half is gone, whatever else it says (§2.5).
    with suppress(UnsupportedCriticalPayload):
        await SendRequest(ExchangeType.INFORMATIONAL, (delete,))
