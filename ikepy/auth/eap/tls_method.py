"""What the server and the client of every TLS-based method do alike: handshake, acknowledgements, alerts.

    server  start -> handshake -> _advance(application data) -> Ask | Succeeded | Failed
    client  start -> handshake -> _advance(application data) -> True when the method is through

Rule 1: _advance() sees nothing before the handshake is complete and the peer's chain was judged.
Rule 2: after a fault the peer gets the alert, then the failure; nothing brings the method back.
Not here: what goes through the tunnel (tls.py, ttls.py, peap.py).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from ikepy.auth.eap.method import Ask, Failed, Step, Succeeded
from ikepy.auth.eap.tls_engine import TlsFault, TlsSettings
from ikepy.auth.eap.tls_tunnel import PACKET_OCTETS, TlsTunnel
from ikepy.crypto.secret import Secret
from ikepy.wire.errors import InvalidSyntax
from ikepy.wire.registry import EapType


class TlsServer(ABC):
    """A server of a TLS-based method, for one conversation."""

    TYPE: ClassVar[EapType]
    TLS_1_2_LABEL: ClassVar[bytes] = b"client EAP encryption"

    def __init__(self, settings: TlsSettings, packet_octets: int = PACKET_OCTETS) -> None:
        self._tunnel = TlsTunnel(self.TYPE, settings, packet_octets, is_server=True)
        self._fault: str | None = None

    def begin(self) -> bytes:
        """The first request, behind the type."""
        return self._tunnel.start_packet()

    def respond(self, octets: bytes) -> Step:
        """Take a response, behind the type; say what follows."""
        if self._fault is not None:
            return Failed(self._fault)
        try:
            found = self._tunnel.receive(octets)
            if found is None or not self._tunnel.is_established:
                return Ask(self._tunnel.next_packet())
            step = self._advance(found)
        except (InvalidSyntax, TlsFault) as error:
            self._fault = str(error)
            alert = self._tunnel.last_words()
            return Failed(self._fault) if alert is None else Ask(alert)
        if isinstance(step, Failed):
            self._fault = step.reason
        return step

    @property
    def peer_chain(self) -> tuple[bytes, ...]:
        """The client's certificates in DER, its own first; empty before the handshake is complete."""
        return self._tunnel.peer_chain

    @abstractmethod
    def _advance(self, found: bytes) -> Step:
        """Take application data, or none, of an established tunnel; raises InvalidSyntax, TlsFault."""

    def _say(self, octets: bytes = b"") -> Ask:
        """The next request, with application data where there are any, behind what TLS has to say itself."""
        if octets:
            self._tunnel.write(octets)
        return Ask(self._tunnel.next_packet())

    def _succeed(self, identity: str | None) -> Succeeded:
        return Succeeded(self._tunnel.derive_msk(self.TLS_1_2_LABEL), identity)


class TlsClient(ABC):
    """A client of a TLS-based method, for one conversation."""

    TYPE: ClassVar[EapType]
    TLS_1_2_LABEL: ClassVar[bytes] = b"client EAP encryption"

    def __init__(self, settings: TlsSettings, packet_octets: int = PACKET_OCTETS) -> None:
        self._tunnel = TlsTunnel(self.TYPE, settings, packet_octets, is_server=False)
        self._begun = False
        self._msk: Secret | None = None
        self.fault: str | None = None
        "Why the method came to nothing, for our log; None while it may still come to something."

    def respond(self, octets: bytes) -> bytes:
        """Take a request, behind the type; return the response, behind the type."""
        try:
            self._take(octets)
            return self._tunnel.next_packet()
        except (InvalidSyntax, TlsFault) as error:
            # The first fault is what is told; a peer that goes on after it gets acknowledgements.
            self.fault = self.fault or str(error)
            self._msk = None
            return self._tunnel.last_words() or self._tunnel.acknowledgement()

    @property
    def is_done(self) -> bool:
        """Whether the method is through: an EAP-Success before is early."""
        return self._msk is not None

    @property
    def msk(self) -> Secret | None:
        """The MSK; None as long as an EAP-Success would be early."""
        return self._msk

    @property
    def peer_identity(self) -> str | None:
        """The name that the server's certificate was believed for; None before that."""
        return self._tunnel.peer_identity

    def _take(self, octets: bytes) -> None:
        if self.fault is not None:
            raise TlsFault(self.fault)
        if not self._begun:
            self._begun = True
            self._tunnel.begin(octets)
            return
        found = self._tunnel.receive(octets)
        if found is None or not self._tunnel.is_established:
            return
        if self._msk is not None:
            if found:
                raise InvalidSyntax("application data after the end")
            return
        if self._advance(found):
            self._msk = self._tunnel.derive_msk(self.TLS_1_2_LABEL)

    def _refuse(self, reason: str) -> None:
        """Come to nothing, with what is to be said to the server still said; the method's own kind of alert."""
        self.fault = reason

    @abstractmethod
    def _advance(self, found: bytes) -> bool:
        """Take application data, or none, of an established tunnel; return whether the method is through.

        Raises InvalidSyntax, TlsFault.
        """
