"""Octets made wrong: every length, type, count and order of a message, by a seeded hand.

Not here: whom they are thrown at (tests/hostile).
"""

from __future__ import annotations

import random
import struct

EDGES = (0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 27, 28, 31, 32, 127, 128, 254, 255)
WIDE_EDGES = (0, 1, 3, 4, 5, 7, 8, 9, 255, 256, 1024, 1025, 16383, 32767, 32768, 65534, 65535)
TYPES = (0, 1, 2, 13, 32, *range(33, 56), 127, 128, 200, 255)

Piece = tuple[int, int, bytes]
"""Type, flags and body of a payload, whatever they say."""


def split_chain(first: int, octets: bytes) -> list[Piece]:
    """The payloads of a well-formed chain."""
    pieces, kind, at = [], first, 0
    while kind and at < len(octets):
        following, flags, length = struct.unpack_from(">BBH", octets, at)
        pieces.append((kind, flags, octets[at + 4 : at + length]))
        kind, at = following, at + length
    return pieces


def join_chain(pieces: list[Piece], lengths: dict[int, int] | None = None) -> tuple[int, bytes]:
    """The chain again; `lengths` has lies for some."""
    octets = b""
    for number, (_, flags, body) in enumerate(pieces):
        following = pieces[number + 1][0] if number + 1 < len(pieces) else 0
        length = (lengths or {}).get(number, len(body) + 4) & 0xFFFF
        octets += struct.pack(">BBH", following & 0xFF, flags & 0xFF, length) + body
    return (pieces[0][0] if pieces else 0), octets


def mutate_octets(rng: random.Random, octets: bytes) -> bytes:
    """One to four wrongs in octets that are nobody's in particular."""
    out = bytearray(octets)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        if not out:
            return rng.randbytes(rng.randrange(1, 40))
        at = rng.randrange(len(out))
        match rng.randrange(7):
            case 0:
                out[at] ^= 1 << rng.randrange(8)
            case 1:
                out[at] = rng.choice(EDGES)
            case 2 if at + 1 < len(out):
                struct.pack_into(">H", out, at, rng.choice(WIDE_EDGES))
            case 3:
                del out[at:]
            case 4:
                out += rng.randbytes(rng.randrange(1, 64))
            case 5:
                end = min(len(out), at + rng.randrange(1, 32))
                out[at:at] = out[at:end]
            case _:
                del out[at : at + rng.randrange(1, 16)]
    return bytes(out)


def mutate_chain(rng: random.Random, first: int, octets: bytes) -> tuple[int, bytes]:
    """One or two wrongs in a chain: an order, a type, a length, a body."""
    pieces, lengths = split_chain(first, octets), dict[int, int]()
    for _ in range(rng.choice((1, 1, 2))):
        if not pieces:
            pieces = [(rng.choice(TYPES), 0, rng.randbytes(rng.randrange(40)))]
            continue
        at = rng.randrange(len(pieces))
        kind, flags, body = pieces[at]
        match rng.randrange(9):
            case 0:
                del pieces[at]
            case 1:
                pieces.insert(rng.randrange(len(pieces) + 1), pieces[at])
            case 2:
                rng.shuffle(pieces)
            case 3:
                pieces[at] = (rng.choice(TYPES), flags, body)
            case 4:
                pieces[at] = (kind, rng.choice((0x80, 0x7F, 0xFF)), body)
            case 5:
                lengths[at] = rng.choice((*WIDE_EDGES, len(body) + 3, len(body) + 5, len(body)))
            case 6:
                pieces += [pieces[at]] * rng.choice((2, 20, 300))
            case _:
                pieces[at] = (kind, flags, mutate_octets(rng, body))
    start, chain = join_chain(pieces, lengths)
    return start, mutate_octets(rng, chain) if rng.random() < 0.1 else chain
