"""PEAPv0: EAP inside TLS, whose server alone has a certificate ([MS-PEAP], draft-kamath-pppext-peapv0; RFC 9427 on TLS 1.3).

    client                                server
    ... Finished ->                    <- 1.2: Finished, and an empty response
                                       <- Identity                                   } inside the tunnel, without
    Identity, EAP-MSCHAPv2 ... ->      <- EAP-MSCHAPv2 ...                           } the header of EAP
    Result: success ->                 <- Result: success                            } Extensions, with its header
                                       <- EAP-Success

Rule 1: the client says success only after the method inside is through, which proved that the server knows the password.
Rule 2: the key comes from TLS alone; crypto-binding is neither sent nor answered.
Not here: version 1 and 2; whoever offers them is answered with 0.
"""

from __future__ import annotations

from enum import Enum, auto

from ikepy.auth.eap.inner import InnerClient, InnerServer
from ikepy.auth.eap.method import Ask, Failed, MethodsFor, Step, Succeeded
from ikepy.auth.eap.peap_tlvs import Result, build_result, is_extensions, parse_result
from ikepy.auth.eap.tls_engine import TlsSettings
from ikepy.auth.eap.tls_method import TlsClient, TlsServer
from ikepy.auth.eap.tls_tunnel import PACKET_OCTETS
from ikepy.wire.errors import InvalidSyntax
from ikepy.wire.registry import EapCode, EapType


class _Stage(Enum):
    """What the server waits for."""

    HANDSHAKE = auto()
    "its own last message of TLS 1.2 to be acknowledged"
    INSIDE = auto()
    "a response inside the tunnel"
    RESULT = auto()
    "the client's result, after a success of ours"


class PeapServer(TlsServer):
    """The server of PEAPv0."""

    TYPE = EapType.PEAP

    def __init__(self, settings: TlsSettings, methods_for: MethodsFor, packet_octets: int = PACKET_OCTETS) -> None:
        """Make a server.

        methods_for   methods inside the tunnel, for a user; who asks for a method that is none of them is refused
        """
        super().__init__(settings, packet_octets)
        self._inner = InnerServer(methods_for)
        self._stage: _Stage | None = None
        self._end: Succeeded | None = None
        self._identifier = 0

    def hear_identifier(self, identifier: int) -> None:
        """Take the identifier of the first request; what goes inside the tunnel has that of the packet it goes in."""
        self._identifier = identifier

    def respond(self, octets: bytes) -> Step:
        """Take a response, behind the type; say what follows. Identifiers go up by one."""
        self._identifier = (self._identifier + 1) & 0xFF
        return super().respond(octets)

    @property
    def verdict(self) -> Failed | None:
        """Why the client is not let in, where that is known inside the tunnel and the client may not know."""
        return self._inner.verdict

    def _advance(self, found: bytes) -> Step:
        match self._stage:
            case None | _Stage.HANDSHAKE:
                if found:
                    raise InvalidSyntax("application data before the server of PEAP asked for any")
                if self._stage is None and not self._tunnel.is_tls_1_3:
                    self._stage = _Stage.HANDSHAKE
                    return self._say()
                self._stage = _Stage.INSIDE
                return self._say(self._inner.begin())
            case _Stage.INSIDE:
                return self._inside(found)
            case _Stage.RESULT:
                return self._finish(found)

    def _inside(self, found: bytes) -> Step:
        match self._inner.respond(found, self._identifier):
            case Ask(more):
                return self._say(more)
            case Succeeded() as end:
                self._end = end
                self._stage = _Stage.RESULT
                return self._say(build_result(Result(EapCode.REQUEST, self._identifier, is_success=True)))
            case Failed() as step:
                # No result is sent: a client that did not wait for it would have guessed a password for nothing.
                return step

    def _finish(self, found: bytes) -> Step:
        result = parse_result(found)
        if result.code is not EapCode.RESPONSE:
            raise InvalidSyntax(f"a result in a packet of code {result.code}")
        if self._end is None or not result.is_success:
            return Failed("the client says that it failed")
        return self._succeed(self._end.identity)


class PeapClient(TlsClient):
    """The client of PEAPv0."""

    TYPE = EapType.PEAP

    def __init__(self, settings: TlsSettings, inner: InnerClient, packet_octets: int = PACKET_OCTETS) -> None:
        super().__init__(settings, packet_octets)
        self._inner = inner
        self._identifier = 0

    def hear_identifier(self, identifier: int) -> None:
        """Take the identifier of the request that is answered next; it is that of what is inside too."""
        self._identifier = identifier

    def _advance(self, found: bytes) -> bool:
        if not found:
            return False
        if not is_extensions(found):
            self._tunnel.write(self._inner.respond(_without_header(found), self._identifier))
            return False
        result = parse_result(found)
        if result.code is not EapCode.REQUEST:
            raise InvalidSyntax(f"a result in a packet of code {result.code}")
        through = result.is_success and self._inner.is_done
        self._tunnel.write(build_result(Result(EapCode.RESPONSE, result.identifier, through)))
        if not through:
            words = "a success out of turn" if result.is_success else "the server says that we failed"
            self._refuse(self._inner.fault or words)
        return through


def _without_header(octets: bytes) -> bytes:
    """FreeRADIUS asks for the identity with the header of EAP; everything else comes without, from everybody."""
    head = bytes([EapCode.REQUEST]), len(octets).to_bytes(2, "big") + bytes([EapType.IDENTITY])
    return octets[4:] if (octets[:1], octets[2:5]) == head else octets
