"""Liveness: an INFORMATIONAL request, which any peer that lives answers (RFC 7296 §2.4).

Rule 1: packets that came by a child are a sign of life as good as any, and ask nothing of the peer.
Rule 2: with MOBIKE from behind a NAT it tells where we are, too, though that may be where we were.
Rule 3: with MOBIKE it asks, too, what NATs are between both (RFC 4555 §3.8), and that the peer is where it answers from.
Not here: when one is due (upkeep.py), what follows when nobody answers.
"""

from __future__ import annotations

from ikepy.ike.effects import LookAtInbound, SendRequest
from ikepy.ike.exchanges.mobike import COOKIE2_OCTETS, check_cookie, look, nat_notifies, seen_as
from ikepy.ike.exchanges.view import SaView
from ikepy.ike.phases import Keyed
from ikepy.wire.notify import Notify
from ikepy.wire.registry import ExchangeType, NotifyType


async def initiate(sa: SaView, keyed: Keyed, *, ask: bool) -> None:
    """Find a sign of life; raises GaveUp where none comes.

    ask   whether the peer is to be asked whatever has come in by its children
    """
    states = () if ask else sa.inbound_states()
    if states:
        seen = await LookAtInbound(states)
        if seen.idle is not None and seen.idle < sa.connection.dpd_delay:
            sa.heard_by_children(seen.idle)
            return
    if not sa.is_mobile:
        await SendRequest(ExchangeType.INFORMATIONAL, ())
        return
    cookie = sa.entropy.octets(COOKIE2_OCTETS)
    nat = nat_notifies(sa, keyed, sa.path) if sa.leads else ()
    # Nothing comes in, so the NAT before us may have forgotten; not every peer tells what it sees of us (libreswan 4.10).
    update = (Notify(NotifyType.UPDATE_SA_ADDRESSES),) if sa.leads and keyed.nat.local else ()
    answer = await SendRequest(ExchangeType.INFORMATIONAL, (*update, *nat, Notify(NotifyType.COOKIE2, cookie)))
    check_cookie(answer.message, cookie)
    sa.look_at_nat(look(answer, keyed), seen_as(answer.message))
