"""ESP that comes before the state it is for: kept by the kernel until that is installed (`hold_early`).

A peer that answers our CREATE_CHILD_SA request may send by the new SA at once, as libreswan does; we can receive by it
only when the answer has come and was read. What comes meanwhile finds no state and is dropped (XfrmInNoStates), unless
a rule of nf_tables has sent it to a queue of nfnetlink_queue, where it waits for our word.

Rule 1: only packets with an SPI that we gave out and wait for are held; all else passes in the kernel.
Rule 2: every packet held is let go on, never dropped by us: what its SPI has come to, the kernel itself finds.
Rule 3: table and queue belong to our sockets: when the process ends, however it does, the kernel takes them out.
Rule 4: whatever cannot be done here is said once, and is no reason for anything else to fail.
Not here: the messages (messages/tables.py, messages/queue.py), when to hold (base.py).
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterable, Sequence
from contextlib import suppress
from errno import EBUSY, EPERM
from typing import Protocol

import trio

from ikepy.ike.errors import KernelRefused
from ikepy.ipsec import SaId, Spi
from ikepy.kernel.messages import queue, tables
from ikepy.kernel.messages.netfilter import (
    NETLINK_NETFILTER,
    NFNL_SUBSYS_NFTABLES,
    batch_begin,
    batch_end,
    netfilter_message,
)
from ikepy.kernel.netlink import MOST_IN_A_WRITE, Connection, Refusal, open_netlink, split

FIRST_QUEUE = 7392
"""Number of the queue; the next are tried where another process has it."""
QUEUES_TRIED = 16
MOST_HELD = 1024
"""Packets in the queue; more pass as if nothing were held."""
_ROUNDS = 16
"""How often the queue is emptied before newer packets may pass it; each round finds what came during the one before."""
_SOL_NETLINK = 270
_NETLINK_NO_ENOBUFS = 5
_BUFFER_OCTETS = 1 << 20

_log = logging.getLogger("ikepy.kernel")


class EarlyPackets(Protocol):
    """Whoever keeps packets for states that are still to come."""

    async def hold(self, sa: SaId) -> None:
        """Hold what comes for that SPI from now on, where this can be done."""

    async def let_go(self, sa: SaId) -> None:
        """Let go on what came for that SPI, in its order, and hold no more; harmless where nothing is held."""

    async def let_all_go(self) -> None:
        """let_go() of everything."""


class QueuedEarly:
    """EarlyPackets by nf_tables and nfnetlink_queue; the sockets are opened when first needed."""

    def __init__(self) -> None:
        self._held: set[SaId] = set()
        self._gate: _Gate | None = None
        self._is_impossible = False
        self._opened = trio.Event()

    @property
    def held(self) -> frozenset[SaId]:
        """For which states packets are held."""
        return frozenset(self._held)

    async def hold(self, sa: SaId) -> None:
        """Hold what comes for that SPI from now on; one warning where it cannot be done."""
        if self._is_impossible:
            return
        try:
            if self._gate is None:
                self._gate = await _Gate.open()
                self._opened.set()
            if not self._is_held(sa.spi):
                await self._gate.close_for(sa.spi)
            self._held.add(sa)
        except KernelRefused as error:
            self._is_impossible = self._gate is None
            _log.warning("hold_early is without effect: %s", error)

    async def let_go(self, sa: SaId) -> None:
        """Let go on what came for that SPI, in its order, and hold no more; harmless where nothing is held."""
        if self._gate is None or sa not in self._held:
            return
        self._held.discard(sa)
        if not self._is_held(sa.spi):
            await self._gate.open_for(sa.spi)

    async def let_all_go(self) -> None:
        """Let everything go on."""
        for sa in tuple(self._held):
            await self.let_go(sa)

    async def listen(self) -> None:
        """Note what the queue is given, for ever, and let pass what is not held any more."""
        await self._opened.wait()
        if self._gate is not None:
            await self._gate.listen()

    def close(self) -> None:
        """Remove table and queue."""
        if self._gate is not None:
            self._gate.close()
            self._gate = None

    def _is_held(self, spi: Spi) -> bool:
        return any(sa.spi == spi for sa in self._held)


class _Gate:
    """The table that sends packets aside, the queue they wait in, and which packets those are."""

    def __init__(self, connection: Connection, sock: socket.socket, number: int) -> None:
        self._connection = connection
        self._sock = sock
        self._number = number
        self._table = f"ikepy-early-{number}"
        self._buffer = bytearray(1 << 16)
        self._waiting: dict[Spi, list[int]] = {}

    @classmethod
    async def open(cls) -> _Gate:
        """Take a queue and make the table; raises KernelRefused, whose words say what is missing."""
        try:
            sock = open_netlink(NETLINK_NETFILTER, buffer_octets=_BUFFER_OCTETS)
        except OSError as error:
            raise KernelRefused(f"netlink: {error.strerror}") from error
        connection: Connection | None = None
        try:
            # A queue that we read too slowly lets packets pass: that is for the kernel to know, not for us.
            sock.setsockopt(_SOL_NETLINK, _NETLINK_NO_ENOBUFS, 1)
            number = await _take_queue(sock)
            connection = Connection(open_netlink(NETLINK_NETFILTER), {})
            gate = cls(connection, sock, number)
            await gate._do(tables.make_table(gate._table, number), tables.PARTS)
        except BaseException as error:
            sock.close()
            if connection is not None:
                connection.close()
            if isinstance(error, OSError):
                raise KernelRefused(f"netlink: {error.strerror}") from error
            raise
        return gate

    def close(self) -> None:
        """Close both sockets: the kernel removes the table first, then the queue."""
        self._connection.close()
        trio.lowlevel.notify_closing(self._sock)
        self._sock.close()

    async def close_for(self, spi: Spi) -> None:
        """Send packets with that SPI aside; raises KernelRefused."""
        await self._do([tables.add_spi(self._table, spi)], ["a set's element"])
        self._waiting[spi] = []

    async def open_for(self, spi: Spi) -> None:
        """Let packets with that SPI pass, those first that have waited.

        They are not to be overtaken by more than the state's replay window holds: the queue is emptied before the
        rule lets newer ones past it.
        """
        self._drain()
        self._accept(self._waiting.pop(spi, ()))  # from here on _drain() lets go on what it reads
        for _ in range(_ROUNDS):
            if not self._drain():
                break
        with suppress(KernelRefused):  # with its socket the table goes, and nothing is sent aside
            await self._do([tables.remove_spi(self._table, spi)], ["without a set's element"])
        self._drain()

    async def listen(self) -> None:
        """Read what the kernel sends aside, for ever."""
        with suppress(trio.ClosedResourceError):
            while True:
                await trio.lowlevel.wait_readable(self._sock)
                self._drain()

    async def _do(self, messages: Sequence[netfilter_message], parts: Sequence[str]) -> None:
        """Do all or nothing; raises KernelRefused, which names the part that cannot be done."""
        batch = [batch_begin(NFNL_SUBSYS_NFTABLES), *messages]
        answers = await self._connection.request(batch, closing=batch_end(NFNL_SUBSYS_NFTABLES))
        for part, answer in zip(("nf_tables", *parts), answers, strict=True):
            if answer.refusal is not None:  # what follows the first mostly follows from it
                raise KernelRefused(f"the kernel cannot do {part}: {answer.refusal}")

    def _drain(self) -> bool:
        """Read what is there, at most what the queue can hold; what nobody waits for goes on at once: was there any?"""
        passing: list[int] = []
        for _ in range(MOST_HELD):
            try:
                count = self._sock.recv_into(self._buffer)
            except OSError:  # nothing more, or nothing that could be helped
                break
            for kind, _flags, _sequence, message in split(bytes(self._buffer[:count])):
                packet = queue.read_packet(message) if kind == queue.PACKET else None
                if packet is None:
                    continue
                numbers = self._waiting.get(packet.spi) if packet.spi is not None else None
                (passing if numbers is None else numbers).append(packet.number)
        self._accept(passing)
        return bool(passing)

    def _accept(self, numbers: Iterable[int]) -> None:
        messages = [queue.make_accept(self._number, number) for number in numbers]
        for start in range(0, len(messages), MOST_IN_A_WRITE):
            octets = bytearray()
            for message in messages[start : start + MOST_IN_A_WRITE]:
                message.encode()
                octets += message.data
            with suppress(OSError):
                self._sock.send(octets)


async def _take_queue(sock: socket.socket) -> int:
    """Take the first queue that nobody has; raises KernelRefused."""
    connection = Connection(sock, {})
    refusal: Refusal | None = None
    for number in range(FIRST_QUEUE, FIRST_QUEUE + QUEUES_TRIED):
        (answer,) = await connection.request([queue.make_bind(number, MOST_HELD)])
        refusal = answer.refusal
        if refusal is None:
            return number
        if refusal.errno not in (EBUSY, EPERM):
            break
    raise KernelRefused(f"no queue can be had from the kernel (nfnetlink_queue): {refusal}")
