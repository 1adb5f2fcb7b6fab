"""PEAP's Extensions packets, which say inside the tunnel what came of it ([MS-PEAP] §2.2.8, EAP type 33).

    EAP header with its length (code 1 or 2), type 33, then TLVs:
    |M|R|         Type (14)         |           Length            |  Value ...
    Result (3): two octets, 1 success or 2 failure

Rule 1: what marks itself mandatory and is not known refuses the whole; crypto-binding (12) is known, and passed over.
Rule 2: exactly one result.
Not here: who may send one when (peap.py).
"""

from __future__ import annotations

from dataclasses import dataclass

from ikepy.wire.errors import InvalidSyntax, TruncatedMessage
from ikepy.wire.registry import EapCode

EXTENSIONS = 33
_MANDATORY = 0x8000
_TYPE = 0x3FFF
_RESULT, _CRYPTO_BINDING = 3, 12
_SUCCESS, _FAILURE = 1, 2
_EAP_HEAD, _HEAD = 5, 4
_MOST_TLVS = 16


@dataclass(frozen=True, slots=True)
class Result:
    """An Extensions packet with a result in it."""

    code: EapCode
    identifier: int
    is_success: bool


def is_extensions(octets: bytes) -> bool:
    """Whether what came through the tunnel begins as an Extensions packet, which alone keeps its EAP header."""
    return (
        len(octets) >= _EAP_HEAD
        and octets[0] in (EapCode.REQUEST, EapCode.RESPONSE)
        and int.from_bytes(octets[2:4], "big") == len(octets)
        and octets[4] == EXTENSIONS
    )


def parse_result(octets: bytes) -> Result:
    """Parse an Extensions packet with its EAP header; raises InvalidSyntax."""
    if len(octets) < _EAP_HEAD:
        raise TruncatedMessage(f"an Extensions packet of {len(octets)} octets")
    if int.from_bytes(octets[2:4], "big") != len(octets) or octets[4] != EXTENSIONS:
        raise InvalidSyntax("a packet that is no Extensions packet of its length")
    results = [value for kind, value in _tlvs(octets[_EAP_HEAD:]) if kind == _RESULT]
    if len(results) != 1:
        raise InvalidSyntax(f"{len(results)} results in an Extensions packet; there must be one")
    value = results[0]
    if len(value) != 2 or int.from_bytes(value, "big") not in (_SUCCESS, _FAILURE):  # noqa: PLR2004 - octets
        raise InvalidSyntax(f"a result of {len(value)} octets that is neither success nor failure")
    return Result(EapCode(octets[0]), octets[1], int.from_bytes(value, "big") == _SUCCESS)


def build_result(result: Result) -> bytes:
    """Build an Extensions packet with its EAP header."""
    value = (_SUCCESS if result.is_success else _FAILURE).to_bytes(2, "big")
    tlv = (_MANDATORY | _RESULT).to_bytes(2, "big") + len(value).to_bytes(2, "big") + value
    length = _EAP_HEAD + len(tlv)
    return bytes([result.code, result.identifier]) + length.to_bytes(2, "big") + bytes([EXTENSIONS]) + tlv


def _tlvs(octets: bytes) -> list[tuple[int, bytes]]:
    found: list[tuple[int, bytes]] = []
    place = 0
    while place < len(octets):
        if len(octets) - place < _HEAD:
            raise TruncatedMessage(f"{len(octets) - place} octets where a TLV's header should be")
        first = int.from_bytes(octets[place : place + 2], "big")
        length = int.from_bytes(octets[place + 2 : place + 4], "big")
        place += _HEAD
        if length > len(octets) - place:
            raise TruncatedMessage(f"TLV of length {length}, {len(octets) - place} octets left")
        kind = first & _TYPE
        if first & _MANDATORY and kind not in (_RESULT, _CRYPTO_BINDING):
            raise InvalidSyntax(f"the TLV {kind} must be understood, and is not")
        if len(found) == _MOST_TLVS:
            raise InvalidSyntax(f"more than {_MOST_TLVS} TLVs")
        found.append((kind, octets[place : place + length]))
        place += length
    return found
