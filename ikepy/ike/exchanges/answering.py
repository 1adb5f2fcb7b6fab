"""CREATE_CHILD_SA, answered: which of its three kinds a request is (RFC 7296 §1.3).

Rule 1: without selectors it is for the IKE SA, with REKEY_SA for a child there is, else for one more child.
Not here: the three kinds (rekey_ike.py, rekey_child.py, create_child.py).
"""

from __future__ import annotations

from ikepy.ike.child import ChildSa
from ikepy.ike.effects import Received
from ikepy.ike.exchanges import create_child, rekey_child, rekey_ike
from ikepy.ike.exchanges.rekey_child import ChildRekeyedByPeer
from ikepy.ike.exchanges.rekey_ike import Successor
from ikepy.ike.exchanges.view import Answer, SaView
from ikepy.ike.phases import Keyed
from ikepy.wire.registry import NotifyType
from ikepy.wire.shapes import CreateChildSaRequest


async def respond(
    sa: SaView, keyed: Keyed, request: Received
) -> Answer[ChildSa] | Answer[ChildRekeyedByPeer] | Answer[Successor]:
    """Answer a CREATE_CHILD_SA request; raises what its kind raises, WireError where it cannot be read."""
    rekey = request.message.notify(NotifyType.REKEY_SA)
    wish = CreateChildSaRequest.of(request.message)
    if wish.tsi is None:
        return await rekey_ike.respond(sa, keyed, wish)
    if rekey is not None:
        return await rekey_child.respond(sa, keyed, request, wish)
    return await create_child.respond(sa, keyed, wish)
