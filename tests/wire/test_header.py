"""The 28 octets before the payloads."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ikepy.wire.errors import InvalidSyntax, TruncatedMessage
from ikepy.wire.header import FLAG_INITIATOR, FLAG_RESPONSE, IkeHeader, build_header, parse_header
from ikepy.wire.registry import ExchangeType, PayloadType

OCTETS = bytes.fromhex("0001020304050607 08090a0b0c0d0e0f 2e 20 23 08 00000001 000000ec")
HEADER = IkeHeader(bytes(range(8)), bytes(range(8, 16)), PayloadType.SK, ExchangeType.IKE_AUTH, FLAG_INITIATOR, 1, 0xEC)


def test_each_field_stands_where_the_rfc_draws_it() -> None:
    assert parse_header(OCTETS) == HEADER
    assert build_header(HEADER) == OCTETS


def test_octets_behind_the_header_are_not_looked_at() -> None:
    assert parse_header(OCTETS + b"rest") == HEADER


def test_fewer_than_28_octets_are_no_header() -> None:
    with pytest.raises(TruncatedMessage, match="27 octets"):
        parse_header(OCTETS[:27])


def test_flags_and_versions_are_told_apart() -> None:
    header = replace(HEADER, flags=FLAG_RESPONSE, version=0x21)

    assert header.is_response
    assert not header.is_from_initiator
    assert (header.major, header.minor) == (2, 1)
    assert HEADER.is_from_initiator
    assert not HEADER.is_response


def test_another_version_is_still_read() -> None:
    assert parse_header(OCTETS[:17] + b"\x10" + OCTETS[18:]).major == 1


@pytest.mark.parametrize("spi", [b"", bytes(7), bytes(9)])
def test_an_spi_has_eight_octets(spi: bytes) -> None:
    with pytest.raises(InvalidSyntax, match="SPIs of"):
        replace(HEADER, spi_i=spi)


def test_a_message_id_that_does_not_fit_is_refused() -> None:
    with pytest.raises(InvalidSyntax, match="header"):
        build_header(replace(HEADER, message_id=2**32))
