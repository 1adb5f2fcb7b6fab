"""Fragments: how large a datagram may be, messages cut into pieces, and pieces put together again (RFC 7383).

A size is that of the whole IP datagram. What is left of it for IKE:

    size - 28 (IPv4: 20 of IP, 8 of UDP) or 48 (IPv6: 40 and 8) - 4 (the non-ESP marker, on port 4500)

and of that, for each piece of the plaintext: less 28 (IKE header), 8 (header of SKF), IV, padding with its length, ICV.

Rule 1: a fragment is authenticated on its own before it is kept; what can be refused before that, is.
Rule 2: one message at a time is put together each way, of so many fragments and octets, for so long.
Rule 3: a smaller size makes more fragments; whoever has some of the fewer throws them away (§2.6).
Not here: keys (protection.py), sealing (sealing.py), which message is expected (window.py, channel.py).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ikepy.config.model import DaemonConfig
from ikepy.ike.actions import Path
from ikepy.ike.drops import DropReason
from ikepy.ipsec import IpAddress
from ikepy.wire.header import IkeHeader
from ikepy.wire.message import Message, build_message
from ikepy.wire.payloads import Sk, Skf
from ikepy.wire.registry import PayloadType

IPV4_UDP_OCTETS = 28
IPV6_UDP_OCTETS = 48
NON_ESP_MARKER_OCTETS = 4
_VERSION_6 = 6

IPV4_LADDER = (1280, 576)
"Sizes that are tried after a larger one has failed (§2.5.1, §2.5.2): 576 is what every IPv4 host takes."
IPV6_LADDER = (1280,)
"The same for IPv6, whose every link carries 1280."

MOST_FRAGMENTS = 256
"Fragments of a message; at a size of 576 a message of 64 KiB has fewer."
MOST_OCTETS = 0xFFFF
"Octets of all fragments of a message together: what one message without fragments could have."
MOST_SECONDS = 120.0
"How long a message waits for the rest of its fragments; a request is repeated all that time."


def room_for_ike(size: int, path: Path) -> int:
    """How many octets of IKE go into an IP datagram of that size."""
    return size - _octets_before_ike(path)


def size_of_datagram(ike_octets: int, path: Path) -> int:
    """How large the IP datagram is that carries so many octets of IKE."""
    return ike_octets + _octets_before_ike(path)


def _octets_before_ike(path: Path) -> int:
    network = IPV6_UDP_OCTETS if path.remote.address.version == _VERSION_6 else IPV4_UDP_OCTETS
    return network + (NON_ESP_MARKER_OCTETS if path.non_esp_marker else 0)


def cut(plaintext: bytes, room: int) -> tuple[bytes, ...]:
    """The pieces of a plaintext, each as long as its fragment has room for, the last with what is left; none is empty.

    Raises ValueError where a fragment has room for nothing.
    """
    if room < 1:
        raise ValueError(f"a fragment with room for {room} octets: set fragment_size larger")
    return tuple(plaintext[at : at + room] for at in range(0, len(plaintext), room))


class PathSizes:
    """How large the datagrams of one IKE SA may be: as configured, and smaller where that has failed."""

    def __init__(self, daemon: DaemonConfig) -> None:
        self._configured = (daemon.fragment_size, daemon.fragment_size6)
        self._learned: tuple[IpAddress, IpAddress, int] | None = None

    def of(self, path: Path) -> int:
        """The size to begin with on that path."""
        configured = self._configured[path.remote.address.version == _VERSION_6]
        if self._learned is not None and self._learned[:2] == (path.local.address, path.remote.address):
            return min(configured, self._learned[2])
        return configured

    def below(self, size: int, path: Path) -> tuple[int, ...]:
        """The smaller sizes to try where that one has failed, the largest first."""
        ladder = IPV6_LADDER if path.remote.address.version == _VERSION_6 else IPV4_LADDER
        return tuple(rung for rung in ladder if rung < size)

    def learn(self, path: Path, size: int) -> None:
        """A smaller size is to be used between these two addresses; never below the least there is a reason for."""
        least = IPV6_LADDER[-1] if path.remote.address.version == _VERSION_6 else IPV4_LADDER[-1]
        if size < self.of(path):
            self._learned = (path.local.address, path.remote.address, max(size, least))

    def inherit(self, other: PathSizes) -> None:
        """What another IKE SA with the same peer has learned is true of this one."""
        self._learned = other._learned


@dataclass(frozen=True, slots=True)
class Whole:
    """A message put together.

    header       of one of its fragments; they differ in their lengths only
    fragments    how many there were
    largest      octets of IKE in the largest of them
    """

    header: IkeHeader
    first_inner: PayloadType
    plaintext: bytes
    fragments: int
    largest: int

    def as_one(self) -> bytes:
        """The message as if it had come in one SK payload, with its plaintext: what IntAuth takes (RFC 9242 §3.3.2)."""
        return build_message(Message(self.header, (Sk(self.first_inner, self.plaintext),)))


@dataclass(slots=True)
class _Begun:
    """The fragments of one message that have come; `header` is that of the first there is."""

    header: IkeHeader
    total: int
    first_inner: PayloadType = PayloadType.NO_NEXT_PAYLOAD
    octets: int = 0
    largest: int = 0
    pieces: dict[int, bytes] = field(default_factory=dict)


class Reassembly:
    """The fragments of one message that have come so far; a message with another ID takes its place."""

    def __init__(self) -> None:
        self._begun: _Begun | None = None

    @property
    def state(self) -> str:
        """`3 of 4 fragments of IKE_AUTH request 1`, empty where nothing waits."""
        if self._begun is None:
            return ""
        header, has, total = self._begun.header, len(self._begun.pieces), self._begun.total
        kind = "response" if header.is_response else "request"
        return f"{has} of {total} fragments of {header.exchange} {kind} {header.message_id}"

    def has_some_of(self, message_id: int) -> bool:
        """Whether fragments of that message have come."""
        return self._begun is not None and self._begun.header.message_id == message_id

    def judge(self, header: IkeHeader, skf: Skf) -> DropReason | None:  # noqa: PLR0911 - one for each reason
        """Why a fragment is not even opened, None where it is to be (§2.6); changes nothing."""
        begun = self._begun
        if skf.total > MOST_FRAGMENTS or len(skf.body) > MOST_OCTETS:
            return DropReason.FRAGMENT_LIMIT
        if begun is None or begun.header.message_id != header.message_id:
            return None
        if (header.exchange, header.flags) != (begun.header.exchange, begun.header.flags):
            return DropReason.FRAGMENT_UNFIT
        if skf.total < begun.total:
            return DropReason.FRAGMENT_OUTDATED
        if skf.total > begun.total:
            return None
        if skf.number in begun.pieces:
            return DropReason.FRAGMENT_REPEATED
        return DropReason.FRAGMENT_LIMIT if begun.octets + len(skf.body) > MOST_OCTETS else None

    def add(self, header: IkeHeader, skf: Skf, plaintext: bytes) -> Whole | None:
        """Keep an authentic fragment that judge() let through; the message where it was the last one missing.

        A larger total than before is another try with smaller fragments: the earlier ones are dropped (§2.6).
        """
        begun = self._begun
        if begun is None or begun.header.message_id != header.message_id or skf.total > begun.total:
            begun = self._begun = _Begun(header, skf.total)
        if skf.number == 1:
            begun.first_inner = skf.first_inner
        begun.pieces[skf.number] = plaintext
        begun.octets += len(skf.body)
        begun.largest = max(begun.largest, header.length)
        if len(begun.pieces) < begun.total:
            return None
        self._begun = None
        together = b"".join(begun.pieces[number] for number in range(1, begun.total + 1))
        return Whole(header, begun.first_inner, together, begun.total, begun.largest)

    def clear(self) -> None:
        """Forget what has come."""
        self._begun = None
