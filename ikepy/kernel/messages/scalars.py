"""Numbers, flags and addresses that stand alone in messages and attributes: values <-> octets."""

# ruff: noqa: D102 - pack() and unpack() are what rule 1 of structures.py says

from __future__ import annotations

import struct
import sys

_U32 = struct.Struct("=I")
_U64 = struct.Struct("=Q")
_PORTS = struct.Struct(">2H")


class nothing:
    """A message without a body."""

    @staticmethod
    def pack(_: object) -> bytes:
        return b""

    @staticmethod
    def unpack(_: bytes) -> None:
        return None


class u8:
    """A number of 8 bits, and the padding behind it."""

    @staticmethod
    def pack(number: int) -> bytes:
        return bytes((number, 0, 0, 0))

    @staticmethod
    def unpack(octets: bytes) -> int:
        return octets[0]


class hard_flag:
    """Whether a limit was a hard one, and the padding behind it."""

    @staticmethod
    def pack(hard: bool) -> bytes:  # noqa: FBT001 - the value of a field
        return bytes((hard, 0, 0, 0, 0, 0, 0, 0))

    @staticmethod
    def unpack(octets: bytes) -> bool:
        return octets[0] != 0


class two_ports:
    """Two ports, big-endian."""

    @staticmethod
    def pack(ports: tuple[int, int]) -> bytes:
        return _PORTS.pack(*ports)

    @staticmethod
    def unpack(octets: bytes) -> tuple[int, int]:
        first, second = _PORTS.unpack(octets)
        return first, second


class xfrm_address:
    """An address: 16 octets, IPv4 in the first four."""

    @staticmethod
    def pack(address: bytes) -> bytes:
        return address

    @staticmethod
    def unpack(octets: bytes) -> bytes:
        return octets


class u32:
    """A number of 32 bits in the host's order."""

    @staticmethod
    def pack(number: int) -> bytes:
        return _U32.pack(number)

    @staticmethod
    def unpack(octets: bytes) -> int:
        return int.from_bytes(octets[:4], sys.byteorder)


class u64:
    """A number of 64 bits in the host's order."""

    @staticmethod
    def pack(number: int) -> bytes:
        return _U64.pack(number)

    @staticmethod
    def unpack(octets: bytes) -> int:
        return int.from_bytes(octets[:8], sys.byteorder)


class counts:
    """Several numbers of 32 bits: struct xfrmu_spdinfo, struct xfrmu_sadhinfo, struct xfrmu_spdhinfo."""

    @staticmethod
    def pack(numbers: tuple[int, ...]) -> bytes:
        return b"".join(_U32.pack(number) for number in numbers)

    @staticmethod
    def unpack(octets: bytes) -> tuple[int, ...]:
        return tuple(int.from_bytes(octets[at : at + 4], sys.byteorder) for at in range(0, len(octets) - 3, 4))
