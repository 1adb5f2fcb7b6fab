"""EAP-TLS: both ends prove themselves by certificates (RFC 5216 on TLS 1.2, RFC 9190 on TLS 1.3).

    client                                server
                                       <- start
    ClientHello ->                     <- ServerHello ... CertificateRequest ...
    Certificate ... Finished ->        <- 1.2: Finished      1.3: application data 00, the protected success (§2.1.1)
    (nothing) ->                       <- EAP-Success

Rule 1: on TLS 1.3 a client has no key, and takes no EAP-Success, before the protected success.
Rule 2: the server's is the last word: one octet of zero, once, and no other application data either way.
Not here: whom to believe (tls_judges.py).
"""

from __future__ import annotations

from ikepy.auth.eap.method import Step
from ikepy.auth.eap.tls_engine import TlsSettings
from ikepy.auth.eap.tls_method import TlsClient, TlsServer
from ikepy.auth.eap.tls_tunnel import PACKET_OCTETS
from ikepy.wire.errors import InvalidSyntax
from ikepy.wire.registry import EapType

_PROTECTED_SUCCESS = b"\x00"


class EapTlsServer(TlsServer):
    """The server of EAP-TLS."""

    TYPE = EapType.TLS

    def __init__(self, settings: TlsSettings, packet_octets: int = PACKET_OCTETS) -> None:
        if settings.judge is None:
            raise ValueError("EAP-TLS without a judge of the client's certificates would let everybody in")
        super().__init__(settings, packet_octets)
        self._told = False

    def _advance(self, found: bytes) -> Step:
        if found:
            raise InvalidSyntax("application data from the client of EAP-TLS")
        if self._told:
            return self._succeed(self._tunnel.peer_identity)
        self._told = True
        return self._say(_PROTECTED_SUCCESS if self._tunnel.is_tls_1_3 else b"")


class EapTlsClient(TlsClient):
    """The client of EAP-TLS."""

    TYPE = EapType.TLS

    def __init__(self, settings: TlsSettings, packet_octets: int = PACKET_OCTETS) -> None:
        if not settings.chain:
            raise ValueError("EAP-TLS needs a certificate of our own")
        super().__init__(settings, packet_octets)

    def _advance(self, found: bytes) -> bool:
        if self._tunnel.is_tls_1_3:
            if found not in (b"", _PROTECTED_SUCCESS):
                raise InvalidSyntax("application data that is not the protected success")
            return found == _PROTECTED_SUCCESS
        if found:
            raise InvalidSyntax("application data of EAP-TLS on TLS 1.2")
        return True
