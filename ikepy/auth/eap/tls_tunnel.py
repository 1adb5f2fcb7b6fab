"""One TLS conversation inside EAP: packets of a TLS-based method in, application data out, and packets back.

    octets of a packet --receive()--> framing --> engine --> application data, or None: next_packet() is all the answer
    next_packet() <-- framing <-- engine <--write()-- application data

Rule 1: packets are counted; a peer that never comes to an end is left at a bound.
Rule 2: what went wrong in TLS is told to the peer by its alert, where there is one, and by nothing else.
Not here: what the application data mean, when the method is done (tls.py, ttls.py, peap.py).
"""

from __future__ import annotations

from ikepy.auth.eap.tls_engine import TlsEngine, TlsFault, TlsSettings, TlsVersion
from ikepy.auth.eap.tls_records import TlsFraming, TlsPacket, build_packet, parse_packet
from ikepy.crypto.secret import Secret
from ikepy.wire.errors import InvalidSyntax
from ikepy.wire.registry import EapType

PACKET_OCTETS = 1024
"EAP packets are cut to this, where nothing else is configured (RFC 3748 §3.1 promises 1020 octets everywhere)."
MOST_PACKETS = 600
"Packets of the peer in one conversation; a message of 64 KiB in small fragments fits."
MOST_MESSAGES = 40
"Whole TLS messages of the peer in one conversation."
MSK_OCTETS = 64
_TLS_1_3_LABEL = b"EXPORTER_EAP_TLS_Key_Material"


class TlsTunnel:
    """Framing and engine of one end, and how far they came."""

    __slots__ = ("_engine", "_framing", "_messages", "_method", "_packets")

    def __init__(self, method: EapType, settings: TlsSettings, packet_octets: int, *, is_server: bool) -> None:
        self._method = method
        self._engine = TlsEngine(settings, is_server=is_server)
        # The version bits of EAP-TLS are reserved; of TTLS and PEAP only version 0 is here.
        self._framing = TlsFraming(packet_octets, None if method is EapType.TLS else 0)
        self._packets = self._messages = 0

    @staticmethod
    def start_packet() -> bytes:
        """The server's first packet: a start, version 0."""
        return build_packet(TlsPacket(start=True))

    def begin(self, octets: bytes) -> None:
        """Take the server's start, as its client; raises InvalidSyntax, TlsFault."""
        packet = parse_packet(octets)
        if not packet.start or packet.more or self._packets:
            raise InvalidSyntax("the server's first packet is no start")
        self._packets = 1
        # RFC 5281 §9.1: a server of a higher version is answered with the version that is spoken here; what the start
        # may hold behind its flags (an outer AVP, PEAP's authority) says nothing to us.
        self._engine.begin()

    def receive(self, octets: bytes) -> bytes | None:
        """Take a packet; return its application data, or None where next_packet() is all the answer.

        Raises InvalidSyntax, TlsFault.
        """
        self._packets += 1
        if self._packets > MOST_PACKETS:
            raise TlsFault(f"no end after {MOST_PACKETS} packets")
        message = self._framing.receive(parse_packet(octets))
        if message is None:
            return None
        self._messages += 1
        if self._messages > MOST_MESSAGES:
            raise TlsFault(f"no end after {MOST_MESSAGES} TLS messages")
        return self._engine.feed(message)

    def write(self, octets: bytes) -> None:
        """Seal application data for next_packet(); raises TlsFault."""
        self._engine.write(octets)

    def next_packet(self) -> bytes:
        """The next packet to send: a fragment, or an acknowledgement where nothing is to be said."""
        if not (self._framing.is_sending or self._framing.is_receiving):
            self._framing.send(self._engine.take())
        return self._framing.next_packet()

    def last_words(self) -> bytes | None:
        """After a fault: the packet with the alert, or None where there is none."""
        if self._framing.is_sending or self._framing.is_receiving:
            return None
        packet = self.next_packet()
        return None if packet == self.acknowledgement() else packet

    @staticmethod
    def acknowledgement() -> bytes:
        """The packet that holds nothing."""
        return build_packet(TlsPacket())

    @property
    def is_established(self) -> bool:
        """Whether the handshake is complete, and the peer's chain was judged where one was asked for."""
        return self._engine.is_established

    @property
    def is_tls_1_3(self) -> bool:
        """Whether TLS 1.3 is spoken; only of an established tunnel."""
        return self._engine.version is TlsVersion.TLS_1_3

    @property
    def peer_identity(self) -> str | None:
        """Whose the peer's certificate is; None where it was asked for none."""
        return self._engine.peer_identity

    @property
    def peer_chain(self) -> tuple[bytes, ...]:
        """The peer's certificates in DER, its own first."""
        return self._engine.peer_chain

    def derive_msk(self, tls_1_2_label: bytes) -> Secret:
        """Derive the MSK (RFC 5216 §2.3, RFC 5281 §8; RFC 9190 §2.3 and RFC 9427 §2.1 on TLS 1.3).

        tls_1_2_label   the method's own, on TLS 1.2; there the exporter has no context at all
        """
        # Both halves are exported, MSK and EMSK: on TLS 1.3 the length goes into the derivation.
        if self.is_tls_1_3:
            both = self._engine.export(_TLS_1_3_LABEL, 2 * MSK_OCTETS, bytes([self._method]))
        else:
            both = self._engine.export(tls_1_2_label, 2 * MSK_OCTETS, None)
        return Secret(both.reveal()[:MSK_OCTETS])

    def export(self, label: bytes, octets: int) -> bytes:
        """Export a challenge without a context; not secret, since it is sent (RFC 5281 §11.1, RFC 9427 §2.3)."""
        return self._engine.export(label, octets, None).reveal()
