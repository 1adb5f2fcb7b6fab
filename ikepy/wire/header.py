"""IkeHeader: the 28 octets before the payloads, read with plain struct (RFC 7296 §3.1).

Rule 1: only the octets' shape is judged; version, length and flags are judged by whoever routes the message.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from ikepy.wire.errors import InvalidSyntax, TruncatedMessage
from ikepy.wire.registry import ExchangeType, PayloadType

HEADER_OCTETS = 28
SPI_OCTETS = 8
FLAG_INITIATOR = 0x08
FLAG_VERSION = 0x10
FLAG_RESPONSE = 0x20
VERSION_2 = 0x20

_HEADER = struct.Struct(">8s8sBBBBII")


@dataclass(frozen=True, slots=True)
class IkeHeader:
    """The header of a message; SPIs are 8 octets each, version is major in the high and minor in the low nibble."""

    spi_i: bytes
    spi_r: bytes
    next_payload: PayloadType
    exchange: ExchangeType
    flags: int
    message_id: int
    length: int
    version: int = VERSION_2

    def __post_init__(self) -> None:
        if len(self.spi_i) != SPI_OCTETS or len(self.spi_r) != SPI_OCTETS:
            raise InvalidSyntax(f"SPIs of {len(self.spi_i)} and {len(self.spi_r)} octets, both have {SPI_OCTETS}")

    @property
    def is_response(self) -> bool:
        """Whether the R flag is set."""
        return bool(self.flags & FLAG_RESPONSE)

    @property
    def is_from_initiator(self) -> bool:
        """Whether the I flag is set: the sender began the IKE SA."""
        return bool(self.flags & FLAG_INITIATOR)

    @property
    def major(self) -> int:
        """Major version."""
        return self.version >> 4

    @property
    def minor(self) -> int:
        """Minor version."""
        return self.version & 0x0F


def parse_header(octets: bytes) -> IkeHeader:
    """Read the first 28 octets; raises TruncatedMessage where there are fewer."""
    if len(octets) < HEADER_OCTETS:
        raise TruncatedMessage(f"{len(octets)} octets, an IKE header has {HEADER_OCTETS}")
    spi_i, spi_r, following, version, exchange, flags, message_id, length = _HEADER.unpack_from(octets)
    return IkeHeader(spi_i, spi_r, PayloadType(following), ExchangeType(exchange), flags, message_id, length, version)


def build_header(header: IkeHeader) -> bytes:
    """The 28 octets; raises WireError where a number does not fit its field."""
    try:
        return _HEADER.pack(
            header.spi_i,
            header.spi_r,
            header.next_payload,
            header.version,
            header.exchange,
            header.flags,
            header.message_id,
            header.length,
        )
    except struct.error as error:
        raise InvalidSyntax(f"header: {error}") from error
