"""INFORMATIONAL, answered: deletes, notices, and the empty request that asks for a sign of life (RFC 7296 §1.4).

Rule 1: an empty request gets an empty response; what is not understood is ignored.
Rule 2: a child that the peer has replaced makes way: first we send by its heir, then it goes, its inbound state last.
Rule 3: of a delete for a child, the answer names the other half, unless our own delete of it crosses (§1.4.1).
Not here: our own requests (delete.py, liveness.py).
"""

from __future__ import annotations

from dataclasses import dataclass

from ikepy.ike.child import ChildSa
from ikepy.ike.effects import LookAtInbound, Received, RemoveChildSa
from ikepy.ike.exchanges.change_over import change_over
from ikepy.ike.exchanges.children import parse_spi
from ikepy.ike.exchanges.mobike import NO_NEWS, MobilityNews, read_news
from ikepy.ike.exchanges.view import Answer, SaView
from ikepy.ike.phases import Keyed
from ikepy.wire.base import Payload
from ikepy.wire.message import Message
from ikepy.wire.payloads import Delete
from ikepy.wire.redirect import Gateway, redirect
from ikepy.wire.registry import NotifyType, ProtocolId
from ikepy.wire.shapes import Informational

SPI_OCTETS = 4


@dataclass(frozen=True, slots=True)
class Informed:
    """What the peer's request means for us.

    closed   why the IKE SA is over; None where it lives on
    removed  children that are out of the kernel
    news     of the peer's addresses
    redirect where the gateway sends us; None where it does not
    """

    closed: str | None = None
    removed: tuple[ChildSa, ...] = ()
    news: MobilityNews = NO_NEWS
    redirect: Gateway | None = None


async def respond(sa: SaView, keyed: Keyed, request: Received) -> Answer[Informed]:
    """Answer an INFORMATIONAL request; raises WireError where it cannot be read."""
    notice = Informational.of(request.message)
    if any(delete.protocol is ProtocolId.IKE for delete in notice.deletes):
        return Answer((), Informed(closed="deleted by the peer"))
    failure = request.message.notify(NotifyType.AUTHENTICATION_FAILED)
    if failure is not None:
        # §2.21.2: the initiator could not verify our proof.
        return Answer((), Informed(closed="the peer does not accept our identity or proof, its log says why"))
    news = read_news(sa, keyed, request)
    # §2.8: the peer sends by the new child now, and so do we before the old one goes.
    doomed = children_meant(sa, request.message)
    crossing = {child.unique_id for child in doomed if sa.is_deleting(child)}
    for child in doomed:
        heir = sa.heir_waiting_for(child)
        if heir is not None:
            await change_over(sa, child, heir)
        elif sa.is_changing_over(child):
            await LookAtInbound(())  # behind the change-over that is under way, in the kernel's queue
    removed = []
    for child in doomed:
        if sa.has_heir(child):
            sa.begin_retirement(child)
        elif sa.begin_removal(child):
            removed.append(child)
    for child in removed:
        await RemoveChildSa(child.spec)
    ours = tuple(child.spi_in.to_bytes(SPI_OCTETS, "big") for child in doomed if child.unique_id not in crossing)
    payloads: tuple[Payload, ...] = (Delete(ProtocolId.ESP, ours, SPI_OCTETS),) if ours else ()
    elsewhere = request.message.notify(NotifyType.REDIRECT) if sa.leads else None
    gateway = redirect(elsewhere).gateway if elsewhere is not None else None
    return Answer((*payloads, *news.payloads), Informed(removed=tuple(removed), news=news, redirect=gateway))


def children_meant(sa: SaView, message: Message) -> tuple[ChildSa, ...]:
    """The children whose peer's half a message deletes, each once; unknown SPIs mean none (§1.4.1)."""
    found: dict[int, ChildSa] = {}
    known = sa.children_by_spi_out()  # once: a message may name thousands
    for delete in message.all(Delete):
        if delete.protocol is not ProtocolId.ESP or delete.spi_octets != SPI_OCTETS:
            continue
        for octets in delete.spis:
            spi = parse_spi(octets)
            child = known.get(spi)
            if child is not None:
                found[child.unique_id] = child
            else:
                sa.note_deleted_ahead(spi)
    return tuple(found.values())
