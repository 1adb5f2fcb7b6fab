"""How TLS travels in EAP-TLS, EAP-TTLS and PEAP: one octet of flags, and messages in fragments (RFC 5216 §2.1.5, §3.1).

     0 1 2 3 4 5 6 7
    +-+-+-+-+-+-+-+-+   L  four octets with the length of the whole message follow
    |L M S R R| Ver |   M  more fragments follow        S  start, from the server, before any TLS
    +-+-+-+-+-+-+-+-+   Ver  of TTLS and PEAP, 0 here; reserved in EAP-TLS

What is read and written here is the octets behind the EAP type. A packet that holds the flags and nothing else is the
acknowledgement of a fragment, or says that its sender has nothing to say.

Rule 1: a message is bounded, in octets and in fragments, before any of it is kept.
Rule 2: the length that was announced is the length that comes; each fragment but the last brings something.
Rule 3: while fragments of ours are outstanding the peer may only acknowledge.
Not here: TLS (tls_engine.py), EAP codes and identifiers (method.py).
"""

from __future__ import annotations

from dataclasses import dataclass

from ikepy.wire.errors import InvalidSyntax, TruncatedMessage

MOST_OCTETS = 64 << 10
"The longest TLS message that is put together."
MOST_FRAGMENTS = 512
"The most fragments of one message, of whatever size."
LEAST_PACKET = 64
"The smallest packet worth cutting a message for."

_LENGTH, _MORE, _START = 0x80, 0x40, 0x20
_VERSION = 0x07
_EAP_HEAD = 5
_LENGTH_OCTETS = 4


@dataclass(frozen=True, slots=True)
class TlsPacket:
    """One packet of a TLS-based method.

    total     the length of the whole message, where the packet says it
    version   the version bits; of EAP-TLS, reserved ones
    """

    octets: bytes = b""
    total: int | None = None
    more: bool = False
    start: bool = False
    version: int = 0

    @property
    def is_acknowledgement(self) -> bool:
        """Whether it holds nothing at all."""
        return not (self.octets or self.more or self.start or self.total is not None)


def parse_packet(octets: bytes) -> TlsPacket:
    """Parse what is behind the EAP type; raises InvalidSyntax."""
    if not octets:
        raise TruncatedMessage("a TLS packet without its flags")
    flags, rest, total = octets[0], octets[1:], None
    if flags & _LENGTH:
        if len(rest) < _LENGTH_OCTETS:
            raise TruncatedMessage(f"a TLS packet with {len(rest)} octets where its length should be")
        total, rest = int.from_bytes(rest[:_LENGTH_OCTETS], "big"), rest[_LENGTH_OCTETS:]
    return TlsPacket(rest, total, bool(flags & _MORE), bool(flags & _START), flags & _VERSION)


def build_packet(packet: TlsPacket) -> bytes:
    """Build what goes behind the EAP type."""
    flags = packet.version | (_MORE if packet.more else 0) | (_START if packet.start else 0)
    if packet.total is None:
        return bytes([flags]) + packet.octets
    return bytes([flags | _LENGTH]) + packet.total.to_bytes(_LENGTH_OCTETS, "big") + packet.octets


class TlsFraming:
    """One end's fragments in both directions.

    packet_octets   of the longest EAP packet to send, its header included
    version         the only version to speak; None where the bits are reserved (EAP-TLS)
    """

    __slots__ = ("_coming", "_fragments", "_going", "_room", "_sent", "_total", "_version")

    def __init__(self, packet_octets: int, version: int | None = None) -> None:
        if packet_octets < LEAST_PACKET:
            raise ValueError(f"EAP packets of {packet_octets} octets; {LEAST_PACKET} are the least")
        self._room = packet_octets - _EAP_HEAD - 1
        self._version = version
        self._going = b""
        self._sent = 0
        self._coming = bytearray()
        self._total = 0
        self._fragments = 0

    def send(self, message: bytes) -> None:
        """Take a whole message to be sent; next_packet() gives its fragments."""
        if self.is_sending:
            raise RuntimeError("fragments of the message before are outstanding")
        if len(message) > MOST_OCTETS:
            raise InvalidSyntax(f"a TLS message of {len(message)} octets to send; {MOST_OCTETS} are the most")
        self._going, self._sent = message, 0

    @property
    def is_sending(self) -> bool:
        """Whether fragments of our message are still to be sent."""
        return self._sent < len(self._going)

    @property
    def is_receiving(self) -> bool:
        """Whether more fragments of the peer's message are to come; what we send is then an acknowledgement."""
        return self._fragments > 0

    def next_packet(self) -> bytes:
        """The next fragment of our message; or an acknowledgement, where there is none."""
        version = self._version or 0
        left = len(self._going) - self._sent
        if not left or self.is_receiving:
            return build_packet(TlsPacket(version=version))
        first = not self._sent
        total = len(self._going) if first and left > self._room else None
        room = self._room - (_LENGTH_OCTETS if total is not None else 0)
        cut = self._going[self._sent : self._sent + room]
        self._sent += len(cut)
        more = self.is_sending
        if not more:
            self._going, self._sent = b"", 0
        return build_packet(TlsPacket(cut, total, more=more, version=version))

    def receive(self, packet: TlsPacket) -> bytes | None:
        """Take a packet that is no start; return the whole message, or None where next_packet() is all the answer.

        An empty message is the peer's that has nothing to say. Raises InvalidSyntax.
        """
        if packet.start:
            raise InvalidSyntax("a TLS start where the conversation has begun")
        if self._version is not None and packet.version != self._version:
            raise InvalidSyntax(f"version {packet.version} of the method; {self._version} was agreed on")
        if self.is_sending:
            if not packet.is_acknowledgement:
                raise InvalidSyntax("the acknowledgement of a fragment holds something")
            return None
        return self._put_together(packet)

    def _put_together(self, packet: TlsPacket) -> bytes | None:
        if not self.is_receiving:
            if packet.more and packet.total is None:
                raise InvalidSyntax("the first of several fragments does not say the length of their message")
            self._total = len(packet.octets) if packet.total is None else packet.total
            if self._total > MOST_OCTETS:
                raise InvalidSyntax(f"a TLS message of {self._total} octets; {MOST_OCTETS} are the most")
        elif packet.total not in (None, self._total):
            raise InvalidSyntax(f"a fragment of a message of {packet.total} octets; the first one said {self._total}")
        self._fragments += 1
        come = len(self._coming) + len(packet.octets)
        if self._fragments > MOST_FRAGMENTS:
            raise InvalidSyntax(f"a TLS message in more than {MOST_FRAGMENTS} fragments")
        if packet.more and not packet.octets:
            raise InvalidSyntax("an empty fragment with more to follow")
        if come > self._total or (packet.more and come == self._total) or (not packet.more and come < self._total):
            raise InvalidSyntax(f"{come} octets in {self._fragments} fragments of a message of {self._total}")
        self._coming += packet.octets
        if packet.more:
            return None
        message = bytes(self._coming)
        self._coming.clear()
        self._fragments = 0
        return message
