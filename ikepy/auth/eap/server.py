"""The server of one EAP authentication: Identity, a method, a NAK if need be, and the end (RFC 3748).

    begin()    -> Say(Identity)                                   or the first method, where the name is known
    receive()  -> Say(method's request) ... Proved(EAP-Success) | Refused(EAP-Failure)

Rule 1: one request is outstanding; a response with another identifier is a repeat or a forgery, and ignored.
Rule 2: requests, successes and failures that come from a client are ignored, and so is everything after the end.
Rule 3: a NAK answers a method's first request, and nothing else; what it asks for must be on offer.
Rule 4: packets are counted, ignored ones too; whoever comes to no end is refused at a bound.
Rule 5: what the method cannot read ends in EAP-Failure: under IKE nobody but the client itself can have sent it.
Not here: which methods a user is offered (offers.py), waiting after wrong passwords (auth/slowdown.py).
"""

from __future__ import annotations

from collections.abc import Collection

from ikepy.auth.eap.identity import parse_identity
from ikepy.auth.eap.method import (
    PROVES_SERVER,
    Ask,
    Failed,
    HearsIdentifier,
    KnowsChain,
    KnowsVerdict,
    MethodsFor,
    ServerMethod,
    Step,
    Succeeded,
)
from ikepy.auth.eap.packets import parse_nak
from ikepy.ike.eap_turns import Ignored, Proved, Refused, Say, ServerTurn
from ikepy.wire.eap import Eap
from ikepy.wire.errors import InvalidSyntax
from ikepy.wire.registry import EapCode, EapType

MOST_PACKETS = 640
"Packets of the client in one authentication; TLS in small fragments fits, and bounds itself before."


class EapServer:
    """One authentication of one client."""

    __slots__ = (
        "_answered",
        "_claimed",
        "_current",
        "_ended",
        "_identifier",
        "_left",
        "_methods_for",
        "_outstanding",
        "_received",
    )

    def __init__(self, methods_for: MethodsFor, name: str | None = None) -> None:
        """Make a server.

        methods_for   fresh methods for a name (offers.Offers is one); it may take its time, as may receive()
        name          where it is known already; None where the client is to be asked, as Windows needs it
        """
        self._methods_for = methods_for
        self._claimed = name
        self._left: list[ServerMethod] = []
        self._current: ServerMethod | None = None
        self._answered = False
        # No request has gone out at first; Identity has the identifier 0, and the first method 1.
        self._identifier: int | None = None
        self._outstanding: Eap | None = None
        self._received = 0
        self._ended = False

    def begin(self) -> Say | Refused:
        """The first request; Refused where the name is known, and nothing is on offer. Called once."""
        if self._identifier is not None:
            raise RuntimeError("this authentication has begun already")
        self._identifier = 0
        if self._claimed is None:
            return self._say(EapType.IDENTITY, b"")
        self._left = list(self._methods_for(self._claimed))
        return self._next_method()

    def receive(self, packet: Eap) -> ServerTurn:
        """Take a packet of the client; say what follows."""
        if self._ended or self._identifier is None:
            return Ignored("an EAP packet after the end" if self._ended else "an EAP packet before any request")
        self._received += 1
        if self._received > MOST_PACKETS:
            return self._refuse(f"no end after {MOST_PACKETS} EAP packets")
        if packet.code is not EapCode.RESPONSE:
            return Ignored(f"EAP {packet.code} from a client")
        if packet.identifier != self._identifier:
            return Ignored(f"EAP response {packet.identifier} to the request {self._identifier}")
        try:
            return self._take(packet)
        except InvalidSyntax as error:
            return self._refuse(str(error))

    @property
    def outstanding(self) -> Eap | None:
        """The request that waits for its response, to be said again after what was ignored; None where none does."""
        return None if self._ended else self._outstanding

    @property
    def claimed(self) -> str | None:
        """The name of the Identity; None before it came."""
        return self._claimed

    @property
    def verdict(self) -> Failed | None:
        """Why the client is not let in, where the method knows that and the client may not."""
        method: object = self._current
        return method.verdict if isinstance(method, KnowsVerdict) else None

    @property
    def peer_chain(self) -> tuple[bytes, ...]:
        """The client's certificates in DER, its own first, where the method has judged any."""
        method: object = self._current
        return method.peer_chain if isinstance(method, KnowsChain) else ()

    def _take(self, packet: Eap) -> ServerTurn:
        """Take a response to the request that is outstanding."""
        kind, octets = packet.method, packet.type_octets[1:]
        if kind is None:
            raise InvalidSyntax("an EAP response without a type")
        if self._current is None:
            if kind is not EapType.IDENTITY:
                return Ignored(f"EAP response of type {kind}; the identity was asked for")
            self._claimed = parse_identity(octets)
            self._left = list(self._methods_for(self._claimed))
            return self._next_method()
        if kind is EapType.NAK and not self._answered:
            return self._next_method(parse_nak(octets))
        if kind != self._current.TYPE:
            return Ignored(f"EAP response of type {kind}, in the middle of {self._current.TYPE}")
        self._answered = True
        return self._follow(self._current, self._current.respond(octets))

    def _follow(self, method: ServerMethod, step: Step) -> ServerTurn:
        match step:
            case Ask(octets):
                self._step_identifier()
                return self._say(method.TYPE, octets)
            case Succeeded(msk, identity):
                self._ended = True
                claimed = self._claimed or ""
                user = claimed if identity is None else identity
                return Proved(self._end(EapCode.SUCCESS), method.TYPE, user, claimed, msk, method.TYPE in PROVES_SERVER)
            case Failed(reason, is_guess):
                return self._refuse(reason, is_guess=is_guess)

    def _next_method(self, wanted: Collection[EapType] | None = None) -> Say | Refused:
        """Begin the next method; wanted is what a NAK asks for."""
        tried = self._current
        while self._left:
            method = self._left.pop(0)
            if wanted is None or method.TYPE in wanted:
                self._current = method
                self._step_identifier()
                if isinstance(method, HearsIdentifier):
                    method.hear_identifier(self._identifier or 0)
                return self._say(method.TYPE, method.begin())
        if tried is None:
            return self._refuse("no EAP method is on offer; name one that the user's entry has a password for")
        asked = ", ".join(str(kind) for kind in wanted or ()) or "nothing else"
        return self._refuse(f"the client takes no {tried.TYPE}, and asks for {asked}, which is not on offer")

    def _step_identifier(self) -> None:
        self._identifier = ((self._identifier or 0) + 1) & 0xFF

    def _say(self, kind: EapType, octets: bytes) -> Say:
        self._outstanding = Eap(EapCode.REQUEST, self._identifier or 0, bytes([kind]) + octets)
        verdict = self.verdict
        return Say(self._outstanding, verdict.reason if verdict is not None else "", self._claimed or "")

    def _end(self, code: EapCode) -> Eap:
        """The last packet: its identifier is that of the response it follows (RFC 3748 §4.2)."""
        return Eap(code, self._identifier or 0)

    def _refuse(self, reason: str, *, is_guess: bool = False) -> Refused:
        self._ended = True
        method = self._current.TYPE if self._current is not None else None
        return Refused(self._end(EapCode.FAILURE), reason, self._claimed, method, is_guess)
