"""What a packet of EAP comes to, for the exchange that carries it (ike/): what to send, or how it ended.

    server   Say | Proved | Refused | Ignored          client   Say | Accepted | Denied | Ignored

Rule 1: Ignored changed nothing: what was asked is still asked, and may be asked again.
Rule 2: only Proved and Accepted let anybody in; no other record holds a key.
Not here: who makes them (auth/eap).
"""

from __future__ import annotations

from dataclasses import dataclass

from ikepy.crypto.secret import Secret
from ikepy.wire.eap import Eap
from ikepy.wire.registry import EapType


@dataclass(frozen=True, slots=True)
class Say:
    """The conversation goes on with this packet.

    doom      why the client is not going to be let in, where that is known; a client that is told so may just go
    claimed   the name of the Identity as far as it came
    """

    packet: Eap
    doom: str = ""
    claimed: str = ""


@dataclass(frozen=True, slots=True)
class Proved:
    """The client proved who it is; the packet is the EAP-Success.

    user            as the method proved it: the name in the user's entry, or that of a certificate
    claimed         the name of the Identity as it came, before anything was proved; for the log
    msk             64 octets; None of methods that derive no key (AUTH is then made of SK_pi, RFC 7296 §2.16)
    proves_server   whether the method is fit for EAP-only authentication (RFC 5998 §4)
    """

    packet: Eap
    method: EapType
    user: str
    claimed: str
    msk: Secret | None
    proves_server: bool


@dataclass(frozen=True, slots=True)
class Refused:
    """The client is not let in; the packet is the EAP-Failure.

    claimed    the name of the Identity; None where none came
    method     the method in which it ended; None where none began
    is_guess   whether a password was tried and was wrong: it slows the name and the source down
    """

    packet: Eap
    reason: str
    claimed: str | None
    method: EapType | None
    is_guess: bool = False


@dataclass(frozen=True, slots=True)
class Ignored:
    """The packet is out of turn, and changed nothing."""

    reason: str


@dataclass(frozen=True, slots=True)
class Accepted:
    """The server let us in, after the method was through; msk and proves_server as in Proved."""

    method: EapType
    msk: Secret | None
    proves_server: bool


@dataclass(frozen=True, slots=True)
class Denied:
    """The server does not let us in, or we do not go on; there is nothing to send.

    by_us   whether it is we who end it, which the server does not know
    """

    reason: str
    by_us: bool = True


ServerTurn = Say | Proved | Refused | Ignored
ClientTurn = Say | Accepted | Denied | Ignored
