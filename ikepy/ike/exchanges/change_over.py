"""The change-over to a child the peer made in another's place: from now on we send by it (RFC 7296 §2.8).

It comes when the peer deletes the old child, or is seen to send by the new one, whichever is first; of a peer that does
neither, when we have waited long enough.

Not here: when we look (upkeep.py), how the child was made (rekey_child.py).
"""

from __future__ import annotations

from dataclasses import dataclass

from ikepy.ike.child import ChildSa
from ikepy.ike.effects import InstallOutbound, LookAtInbound
from ikepy.ike.errors import LocalFault
from ikepy.ike.exchanges.view import SaView


@dataclass(frozen=True, slots=True)
class Looked:
    """Whether packets have come by the new child, or are taken to come, and so go by it."""

    heir: ChildSa
    is_used: bool


async def look(sa: SaView, old: ChildSa, heir: ChildSa, *, at_last: bool = False) -> Looked:
    """Change over if the peer is seen to send by the heir; `at_last` whether it is or not."""
    seen = await LookAtInbound((heir.spec.inbound.id,))
    is_used = seen.packets > 0 or at_last
    if is_used:
        await change_over(sa, old, heir)
    return Looked(heir, is_used)


async def change_over(sa: SaView, old: ChildSa, heir: ChildSa) -> None:
    """Send by the heir; where the kernel refuses, it is deleted."""
    if not sa.begin_change_over(old, heir):
        return
    try:
        await InstallOutbound(heir.spec, old.spec)
    except LocalFault as fault:
        sa.child_failed(heir.name, str(fault))
        sa.delete_child(heir)
        return
    sa.changed_over(old, heir)
