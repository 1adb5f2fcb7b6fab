"""What a peer is told of a fault, and which faults end an IKE SA (RFC 7296 §2.21).

Not here: the faults themselves (errors.py, wire/errors.py).
"""

from __future__ import annotations

from ikepy.ike.errors import ChildSaNotFound, GivenUpByPeer, IkeError, PeerFault
from ikepy.ike.phases import Authenticating, Phase
from ikepy.wire.base import Payload
from ikepy.wire.errors import WireError
from ikepy.wire.notify import Notify
from ikepy.wire.registry import NotifyType, ProtocolId


def answer_to(fault: IkeError | WireError, phase: Phase) -> tuple[Payload, ...]:
    """The payloads that answer a request which comes to nothing."""
    if isinstance(fault, GivenUpByPeer):
        return ()
    before = fault.before if isinstance(fault, PeerFault) else ()
    return (*before, notify_for(fault, phase))


def notify_for(fault: IkeError | WireError, phase: Phase) -> Notify:
    """The notify that answers a request; our own troubles are not told in detail."""
    if isinstance(fault, ChildSaNotFound):
        return Notify(fault.notify, b"", ProtocolId.ESP, fault.spi)
    if isinstance(fault, PeerFault):
        return Notify(fault.notify, fault.data)
    if isinstance(fault, WireError):
        return Notify(fault.notify or NotifyType.INVALID_SYNTAX, fault.data)
    if isinstance(phase, Authenticating):
        return Notify(NotifyType.AUTHENTICATION_FAILED)
    return Notify(NotifyType.NO_ADDITIONAL_SAS)


def is_fatal(fault: IkeError | WireError) -> bool:
    """Whether both sides forget the IKE SA without a delete: INVALID_SYNTAX in a protected message (§2.21.3)."""
    if isinstance(fault, PeerFault):
        return fault.notify is NotifyType.INVALID_SYNTAX
    return isinstance(fault, WireError) and fault.notify in {None, NotifyType.INVALID_SYNTAX}
