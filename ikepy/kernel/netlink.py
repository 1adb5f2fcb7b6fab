"""One netlink socket for requests: octets out, answers in, matched by sequence number and read up to the ACK.

A write holds any number of messages; the kernel takes them one after the other and goes on after one it refuses. Only
the last asks for an ACK: that ACK says that all are done, and whatever was refused before it has said so already.

Rule 1: one write at a time, in the order of the calls (a strictly fair lock).
Rule 2: an answer to a sequence number that nobody waits for, however late, is counted and dropped.
Rule 3: a refusal keeps the kernel's own words (extended ACK).
Not here: what is asked (xfrm.py, links.py), what the kernel says unasked (notices.py).

The socket is the standard library's, waited for by trio: it has several datagrams to read for one write, and trio's
own socket would let other tasks run between each two of them.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from errno import ENOBUFS

import trio
from pyroute2.netlink import nlmsg

from ikepy.ike.errors import KernelRefused

NLMSG_ERROR = 2
NLMSG_DONE = 3
NLM_F_REQUEST = 0x1
NLM_F_ACK = 0x4
NLM_F_DUMP_INTR = 0x10
NLM_F_DUMP = 0x300
NLM_F_CAPPED = 0x100
NLM_F_ACK_TLVS = 0x200
_SOL_NETLINK = 270
_NETLINK_CAP_ACK = 10
_NETLINK_EXT_ACK = 11
_SO_RCVBUFFORCE = 33
_SO_SNDBUFFORCE = 32
_NLMSGERR_ATTR_MSG = 1

_HEADER = struct.Struct("=IHHII")
_ERROR = struct.Struct("=iI")
_NLA = struct.Struct("=HH")

PATIENCE = 4.0
"""Seconds until a request counts as unanswered; the kernel answers before the write returns, or it is in trouble."""
MOST_IN_A_WRITE = 256
"""Messages in one write: the kernel must be able to queue an answer to each."""
_BUFFER_OCTETS = 4 << 20
_DUMP_ATTEMPTS = 5


class NetlinkFailed(KernelRefused):
    """The socket itself failed: no answer in time, or answers lost. What was asked may or may not have been done."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """The kernel's no.

    errno   positive
    words   its own, empty where it gave none
    """

    errno: int
    words: str = ""

    def __str__(self) -> str:
        name = os.strerror(self.errno)
        return f"{name}: {self.words}" if self.words else name


@dataclass(slots=True)
class Answer:
    """What came back for one message: replies, and a refusal or None."""

    replies: list[nlmsg] = field(default_factory=list)
    refusal: Refusal | None = None


def open_netlink(protocol: int, groups: int = 0, buffer_octets: int = _BUFFER_OCTETS) -> socket.socket:
    """Open and bind a netlink socket; raises OSError."""
    sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK, protocol)
    try:
        for option in (_NETLINK_EXT_ACK, _NETLINK_CAP_ACK):
            with suppress(OSError):  # conveniences that old kernels lack
                sock.setsockopt(_SOL_NETLINK, option, 1)
        for option, plain in ((_SO_RCVBUFFORCE, socket.SO_RCVBUF), (_SO_SNDBUFFORCE, socket.SO_SNDBUF)):
            try:
                sock.setsockopt(socket.SOL_SOCKET, option, buffer_octets)
            except PermissionError:
                sock.setsockopt(socket.SOL_SOCKET, plain, buffer_octets)
        sock.bind((0, groups))
    except BaseException:
        sock.close()
        raise
    return sock


class Connection:
    """Requests to one netlink family and their answers.

    message_classes   pyroute2's class for each message type that may come back
    """

    def __init__(
        self, sock: socket.socket, message_classes: Mapping[int, type[nlmsg]], patience: float = PATIENCE
    ) -> None:
        self._sock = sock
        self._classes = message_classes
        self._patience = patience
        self._lock = trio.StrictFIFOLock()
        self._sequence = int.from_bytes(os.urandom(3), "big")
        self._buffer = bytearray(1 << 16)
        self.late_answers = 0

    def close(self) -> None:
        """Close the socket; whoever waits is told by trio.ClosedResourceError."""
        trio.lowlevel.notify_closing(self._sock)
        self._sock.close()

    async def request(self, messages: Sequence[nlmsg], closing: bytes = b"") -> list[Answer]:
        """Send messages in one write (in several over MOST_IN_A_WRITE) and return what came back for each, in order.

        closing   what ends a batch of netfilter, and is not answered; a refusal of the batch as a whole answers the
                  first message

        Raises NetlinkFailed where no answer comes in time, or answers were lost.
        """
        answers: list[Answer] = []
        async with self._lock:
            for start in range(0, len(messages), MOST_IN_A_WRITE):
                some = messages[start : start + MOST_IN_A_WRITE]
                answers += await self._exchange(some, dump=False, closing=closing)
        return answers

    async def dump(self, message: nlmsg) -> list[nlmsg]:
        """Ask for all there is of a kind; again where it changed meanwhile. Raises KernelRefused."""
        async with self._lock:
            for _ in range(_DUMP_ATTEMPTS):
                (answer,) = await self._exchange([message], dump=True)
                if answer.refusal is not None:
                    raise KernelRefused(f"the kernel's tables cannot be read: {answer.refusal}")
                if not any(reply["header"]["flags"] & NLM_F_DUMP_INTR for reply in answer.replies):
                    break
        return answer.replies

    async def _exchange(self, messages: Sequence[nlmsg], *, dump: bool, closing: bytes = b"") -> list[Answer]:
        first = self._sequence + 1
        answers = [Answer() for _ in messages]
        octets = bytearray()
        for number, message in enumerate(messages):
            header = message["header"]
            header["sequence_number"] = (first + number) & 0xFFFFFFFF
            header["flags"] |= NLM_F_REQUEST | (NLM_F_DUMP if dump else 0)
            if number == len(messages) - 1 and not dump:
                header["flags"] |= NLM_F_ACK
            message.encode()
            octets += message.data
        self._sequence = first + len(messages) - 1
        with trio.move_on_after(self._patience):
            await self._send(octets + closing)
            while not self._take(await self._receive(), first, answers):
                if closing and answers[0].refusal is not None:
                    break
            return answers
        raise NetlinkFailed(f"the kernel did not answer within {self._patience:g} s")

    async def _send(self, octets: bytearray) -> None:
        while True:
            try:
                self._sock.send(octets)
            except BlockingIOError:
                await trio.lowlevel.wait_writable(self._sock)
            except OSError as error:
                raise NetlinkFailed(f"netlink: {error.strerror}") from error
            else:
                return

    async def _receive(self) -> bytes:
        while True:
            try:
                count, sender = self._sock.recvfrom_into(self._buffer)
            except BlockingIOError:
                await trio.lowlevel.wait_readable(self._sock)
            except OSError as error:
                why = "answers were lost" if error.errno == ENOBUFS else error.strerror
                raise NetlinkFailed(f"netlink: {why}") from error
            else:
                if isinstance(sender, tuple) and sender[0] != 0:
                    continue  # another process, not the kernel
                return bytes(self._buffer[:count])

    def _take(self, octets: bytes, first: int, answers: list[Answer]) -> bool:
        """Sort in what was read; True once the last message is answered."""
        done = False
        for kind, flags, sequence, message in split(octets):
            number = (sequence - first) & 0xFFFFFFFF
            if number >= len(answers):
                self.late_answers += 1
                continue
            answer = answers[number]
            if kind == NLMSG_ERROR:
                answer.refusal = read_error(message, flags)
                done = done or number == len(answers) - 1
            elif kind == NLMSG_DONE:
                answer.refusal = read_error(message, flags)
                done = True
            elif (message_class := self._classes.get(kind)) is not None:
                reply = message_class(message)
                reply.decode()
                answer.replies.append(reply)
        return done


def split(octets: bytes) -> list[tuple[int, int, int, bytes]]:
    """Split what one read gave into messages: type, flags, sequence number, and the octets of each."""
    found, at = [], 0
    while at + _HEADER.size <= len(octets):
        length, kind, flags, sequence, _ = _HEADER.unpack_from(octets, at)
        if not _HEADER.size <= length <= len(octets) - at:
            break
        found.append((kind, flags, sequence, octets[at : at + length]))
        at += (length + 3) & ~3
    return found


def read_error(message: bytes, flags: int) -> Refusal | None:
    """Read NLMSG_ERROR or NLMSG_DONE with the kernel's words; None where it says that all is well."""
    at = _HEADER.size
    if len(message) < at + 4:
        return None
    (number,) = struct.unpack_from("=i", message, at)
    if number == 0:
        return None
    is_error = len(message) >= at + 4 + _HEADER.size and _HEADER.unpack_from(message)[1] == NLMSG_ERROR
    at += 4
    if is_error:
        (asked_octets,) = struct.unpack_from("=I", message, at)
        at += _HEADER.size if flags & NLM_F_CAPPED else (asked_octets + 3) & ~3
    return Refusal(-number, _words(message[at:]) if flags & NLM_F_ACK_TLVS else "")


def _words(attributes: bytes) -> str:
    at = 0
    while at + 4 <= len(attributes):
        length, kind = _NLA.unpack_from(attributes, at)
        if length < _NLA.size:
            break
        if kind & 0x3FFF == _NLMSGERR_ATTR_MSG:
            return attributes[at + 4 : at + length].rstrip(b"\0").decode("utf-8", "replace")
        at += (length + 3) & ~3
    return ""
