"""Sealing: a message becomes the datagrams that carry it, one or as many fragments as the path wants (RFC 7383 §2.5).

Rule 1: what is sealed once is repeated as it is; sealed again it is the same plaintext in more fragments, with new IVs.
Rule 2: a message that fits into one datagram goes without SKF, unless fragments are forced; INFORMATIONAL ones are
        not forced, since strongSwan 5.9 takes those that begin with SKF for unprotected ones.
Not here: sizes and cutting (fragments.py), ciphers (protection.py), when to try a smaller size (channel.py).
"""

from __future__ import annotations

from dataclasses import dataclass

from ikepy.config.model import Fragmentation
from ikepy.ike.actions import Path
from ikepy.ike.fragments import PathSizes, cut, room_for_ike
from ikepy.ike.protection import Protection
from ikepy.wire.chain import build_chain
from ikepy.wire.header import IkeHeader
from ikepy.wire.message import Message
from ikepy.wire.payloads import Sk, Skf
from ikepy.wire.registry import ExchangeType, PayloadType

IPV4 = 4


@dataclass(frozen=True, slots=True)
class Plain:
    """A message whose payloads are octets, and are not sealed yet."""

    header: IkeHeader
    first_inner: PayloadType
    octets: bytes


@dataclass(frozen=True, slots=True)
class Sealed:
    """A message as it travels.

    datagrams  what is sent, one after the other
    plain      what is in it; None of IKE_SA_INIT, which goes in clear
    size       of the IP datagrams it was made for; 0 where it may not be cut
    """

    datagrams: tuple[bytes, ...]
    plain: Plain | None = None
    size: int = 0

    @property
    def octets(self) -> int:
        """Octets of IKE in all datagrams together."""
        return sum(map(len, self.datagrams))


class Sealer:
    """Seals what one IKE SA sends."""

    def __init__(self, protection: Protection, sizes: PathSizes) -> None:
        self._protection, self._sizes = protection, sizes

    def seal(self, message: Message, path: Path, fragmentation: Fragmentation, most4: int | None = None) -> Sealed:
        """Seal a message for a path; NO and ACCEPT: in one datagram, whatever its size.

        most4   octets of the largest IPv4 datagram that the peer is known to like
        """
        first, octets = build_chain(message.payloads)
        plain = Plain(message.header, first, octets)
        if fragmentation in {Fragmentation.NO, Fragmentation.ACCEPT}:
            return Sealed((self._protection.seal_octets(plain.header, Sk(first, b""), octets),), plain)
        size = self._sizes.of(path)
        if most4 is not None and path.remote.address.version == IPV4:
            size = min(size, most4)
        most = self._protection.most_plaintext(room_for_ike(size, path), Sk(first, b""))
        is_informational = message.header.exchange is ExchangeType.INFORMATIONAL
        is_forced = fragmentation is Fragmentation.FORCE and bool(octets) and not is_informational
        if len(octets) <= most and not is_forced:
            whole = self._protection.seal_octets(plain.header, Sk(first, b""), octets)
            return Sealed((whole,), plain, size)
        return self._fragment(plain, size, path)

    def seal_smaller(self, sealed: Sealed, path: Path) -> Sealed | None:
        """The same message for the next smaller size that makes more fragments of it (§2.5.2); None where none does."""
        if sealed.plain is None:
            return None
        for size in self._sizes.below(sealed.size, path):
            room = self._room(size, path)
            if -(-len(sealed.plain.octets) // room) > len(sealed.datagrams):
                return self._fragment(sealed.plain, size, path)
        return None

    def _fragment(self, plain: Plain, size: int, path: Path) -> Sealed:
        pieces = cut(plain.octets, self._room(size, path))
        return Sealed(
            tuple(
                self._protection.seal_octets(
                    plain.header,
                    # §2.5: only the first fragment names the first payload inside.
                    Skf(plain.first_inner if number == 1 else PayloadType.NO_NEXT_PAYLOAD, number, len(pieces), b""),
                    piece,
                )
                for number, piece in enumerate(pieces, 1)
            ),
            plain,
            size,
        )

    def _room(self, size: int, path: Path) -> int:
        return self._protection.most_plaintext(room_for_ike(size, path), Skf(PayloadType.NO_NEXT_PAYLOAD, 1, 1, b""))
