"""EAP inside a tunnel: Identity, then one method, with a NAK if need be (RFC 3748 §5.3, RFC 5281 §11.2.1, [MS-PEAP]).

What comes and goes is an EAP packet without its header: the type and what is behind it. PEAPv0 sends just that; TTLS
puts a header before it (ttls.py).

Rule 1: one Identity, then one method; a NAK is only an answer to a method's first request.
Rule 2: a client answers only methods that are wanted, and stays with the one it began.
Rule 3: a success comes from the method alone; EAP-Success and EAP-Failure have no place in here.
Not here: the methods themselves.
"""

from __future__ import annotations

from collections.abc import Sequence

from ikepy.auth.eap.identity import build_identity, parse_identity
from ikepy.auth.eap.method import (
    Ask,
    ClientMethod,
    Failed,
    HearsIdentifier,
    KnowsVerdict,
    MethodsFor,
    ServerMethod,
    Step,
    Succeeded,
)
from ikepy.wire.errors import InvalidSyntax, TruncatedMessage
from ikepy.wire.registry import EapCode, EapType

_EAP_HEAD = 4


class InnerServer:
    """The server of EAP inside a tunnel."""

    __slots__ = ("_answered", "_current", "_left", "_methods_for", "_name")

    def __init__(self, methods_for: MethodsFor) -> None:
        self._methods_for = methods_for
        self._name: str | None = None
        self._left: list[ServerMethod] = []
        self._current: ServerMethod | None = None
        self._answered = False

    @staticmethod
    def begin() -> bytes:
        """The request for the user's identity."""
        return bytes([EapType.IDENTITY])

    @property
    def name(self) -> str | None:
        """The user's name as it came; None before it came."""
        return self._name

    @property
    def verdict(self) -> Failed | None:
        """Why the client is not let in, where the method knows that and the client may not."""
        method: object = self._current
        return method.verdict if isinstance(method, KnowsVerdict) else None

    def respond(self, octets: bytes, next_identifier: int) -> Step:
        """Take a response, its type first; say what follows. Raises InvalidSyntax.

        next_identifier   of the request that follows, if one does
        """
        if not octets:
            raise InvalidSyntax("an EAP response without a type inside the tunnel")
        kind, rest = EapType(octets[0]), octets[1:]
        if self._name is None:
            if kind is not EapType.IDENTITY:
                raise InvalidSyntax(f"{kind} inside the tunnel; the user's identity was asked for")
            self._name = read_name(rest)
            self._left = list(self._methods_for(self._name))
            return self._next_method(next_identifier)
        if kind is EapType.NAK and not self._answered:
            return self._next_method(next_identifier, frozenset(rest))
        if self._current is None or kind != self._current.TYPE:
            raise InvalidSyntax(f"{kind} inside the tunnel, which nobody asked for")
        self._answered = True
        step = self._current.respond(rest)
        match step:
            case Ask(more):
                return Ask(bytes([self._current.TYPE]) + more)
            case Succeeded():
                return Succeeded(step.msk, step.identity or self._name)
            case Failed():
                return step

    def _next_method(self, identifier: int, wanted: frozenset[int] | None = None) -> Step:
        """Begin the next method; wanted is what a NAK asks for."""
        while self._left:
            method = self._current = self._left.pop(0)
            if wanted is None or method.TYPE in wanted:
                if isinstance(method, HearsIdentifier):
                    method.hear_identifier(identifier)
                return Ask(bytes([method.TYPE]) + method.begin())
        return Failed(f"the client wants none of the methods that '{self._name}' may use inside the tunnel")


class InnerClient:
    """The client of EAP inside a tunnel."""

    __slots__ = ("_current", "_methods", "_name", "_named")

    def __init__(self, name: str, methods: Sequence[ClientMethod]) -> None:
        if not methods:
            raise ValueError("EAP inside a tunnel without a method")
        self._name = name
        self._methods = {method.TYPE: method for method in methods}
        self._current: ClientMethod | None = None
        self._named = False

    def identity(self) -> bytes:
        """The response that tells who we are."""
        self._named = True
        return bytes([EapType.IDENTITY]) + build_identity(self._name)

    def respond(self, octets: bytes, identifier: int) -> bytes:
        """Take a request, its type first; return the response. Raises InvalidSyntax.

        identifier   of the request
        """
        if not octets:
            raise InvalidSyntax("an EAP request without a type inside the tunnel")
        kind = EapType(octets[0])
        if kind is EapType.IDENTITY and self._current is None and not self._named:
            return self.identity()
        if kind is EapType.NOTIFICATION and self._current is None:
            return octets[:1]
        if self._current is None:
            if kind not in self._methods:
                return bytes([EapType.NAK, *self._methods])
            self._current = self._methods[kind]
        if kind != self._current.TYPE:
            raise InvalidSyntax(f"{kind} inside the tunnel, in the middle of {self._current.TYPE}")
        if isinstance(self._current, HearsIdentifier):
            self._current.hear_identifier(identifier)
        return octets[:1] + self._current.respond(octets[1:])

    @property
    def is_done(self) -> bool:
        """Whether the method is through."""
        return self._current is not None and self._current.is_done

    @property
    def fault(self) -> str | None:
        """Why the method came to nothing; None while it may still come to something."""
        return self._current.fault if self._current is not None else None


def read_name(octets: bytes) -> str:
    """Read a user's name, which is not empty; raises InvalidSyntax."""
    name = parse_identity(octets)
    if not name:
        raise InvalidSyntax("an empty user name inside the tunnel, where nobody else reads it")
    return name


def parse_inner(octets: bytes, code: EapCode) -> tuple[int, bytes]:
    """Parse a request or response with its header; return its identifier, and its type with what is behind it.

    Raises InvalidSyntax.
    """
    if len(octets) <= _EAP_HEAD:
        raise TruncatedMessage(f"an EAP packet of {len(octets)} octets inside the tunnel")
    length = int.from_bytes(octets[2:4], "big")
    if length != len(octets):
        raise InvalidSyntax(f"an EAP packet of length {length} in {len(octets)} octets")
    if octets[0] != code:
        raise InvalidSyntax(f"an EAP packet of code {octets[0]} inside the tunnel; only {code:d} has a place there")
    return octets[1], octets[_EAP_HEAD:]


def build_inner(code: EapCode, identifier: int, octets: bytes) -> bytes:
    """Build a request or response with its header, from its type and what is behind it."""
    return bytes([code, identifier]) + (_EAP_HEAD + len(octets)).to_bytes(2, "big") + octets
