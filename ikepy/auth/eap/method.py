"""What every EAP method is to whoever carries it: a server's end, a client's end, and what a step comes to (RFC 3748).

    server   begin() -> request        respond(response) -> Ask(request) | Succeeded | Failed
    client                             respond(request) -> response;  is_done, msk and fault say how far it came

Octets are what is behind the EAP type; code, identifier and type belong to whoever carries the method (server.py,
client.py, inner.py). Nothing here does I/O, waits, or reads a clock.

Rule 1: a method lives for one conversation, and is thrown away at its end.
Rule 2: a client's method that is not done turns an EAP-Success into a fault.
Rule 3: msk has 64 octets, or is None of a method that derives no key (RFC 3748 §7.10).
Rule 4: one that fails says why for our log; the peer hears no more than its method tells it.
Not here: any method.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol, runtime_checkable

from ikepy.auth.users import User
from ikepy.crypto.secret import Secret
from ikepy.wire.errors import InvalidSyntax
from ikepy.wire.registry import EapType

MSK_OCTETS = 64

PROVES_SERVER = frozenset({EapType.TLS, EapType.TTLS, EapType.PEAP})
"""Methods in which the server proves itself before the client gives anything away: those fit for EAP-only (RFC 5998 §4).

Not MSCHAPv2: its server does prove that it knows the password, but only after it holds what passwords are guessed from.
"""


class EapError(InvalidSyntax):
    """A packet of a method that cannot be read, or is out of turn; the message holds lengths and numbers, no octets."""


@dataclass(frozen=True, slots=True)
class Ask:
    """The server's next request: what goes behind the type."""

    octets: bytes


@dataclass(frozen=True, slots=True)
class Succeeded:
    """The peer proved who it is.

    msk        None of methods that derive no key
    identity   the user it is, where the method knows it better than EAP's Identity; else None
    """

    msk: Secret | None = None
    identity: str | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """The peer is not let in; the reason is for our log.

    is_guess   whether a password was tried and was wrong: such failures slow the name and the source down
    """

    reason: str
    is_guess: bool = False


Step = Ask | Succeeded | Failed


class ServerMethod(Protocol):
    """The server's end of a method, for one conversation."""

    @property
    def TYPE(self) -> EapType:  # noqa: N802 - a constant of the class
        """Of the method."""

    def begin(self) -> bytes:
        """The first request, behind the type."""

    def respond(self, octets: bytes) -> Step:
        """Take a response, behind the type; say what follows. Raises InvalidSyntax where it cannot be read."""


class ClientMethod(Protocol):
    """The client's end of a method, for one conversation."""

    @property
    def TYPE(self) -> EapType:  # noqa: N802 - a constant of the class
        """Of the method."""

    def respond(self, octets: bytes) -> bytes:
        """Take a request, behind the type; return the response. Raises InvalidSyntax where there can be none."""

    @property
    def is_done(self) -> bool:
        """Whether the method is through, so that the server may now say that we are in."""

    @property
    def msk(self) -> Secret | None:
        """The MSK; None before the end, and of methods that derive no key."""

    @property
    def fault(self) -> str | None:
        """Why the method came to nothing, for our log; None while it may still come to something."""


@runtime_checkable
class HearsIdentifier(Protocol):
    """A method that works with the identifier of the EAP packet (MD5) or repeats it (MSCHAPv2).

    Whoever carries it calls this before begin() of a server's and each respond() of a client's.
    """

    def hear_identifier(self, identifier: int) -> None:
        """Take the identifier of the request that is made, or answered, next."""


@runtime_checkable
class KnowsVerdict(Protocol):
    """A server's method that knows a client to fail before it has been told so, and may have gone."""

    @property
    def verdict(self) -> Failed | None:
        """What it will come to, where it is known to be no good end."""


@runtime_checkable
class KnowsChain(Protocol):
    """A server's method that has judged certificates of the client."""

    @property
    def peer_chain(self) -> tuple[bytes, ...]:
        """The client's certificates in DER, its own first; empty before they are judged."""


MethodsFor = Callable[[str], Sequence[ServerMethod]]
"Fresh methods for the name of an Identity, the preferred one first; for who does not exist too."

Today = Callable[[], date]
"Tells the day, UTC."


class Users(Protocol):
    r"""Where users are looked up; auth/users.UserStore is one. `DOMAIN\alice` and the like are its business."""

    def find_or_stand_in(self, name: str) -> User:
        """Find a user; for who does not exist, somebody whose password nobody knows."""

    def verify_password(self, user: User, octets: bytes) -> bool:
        """Whether this is the user's password, UTF-8; the same work for all."""
