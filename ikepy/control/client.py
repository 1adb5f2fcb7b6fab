"""A VICI client over a blocking Unix socket: what the command line speaks to a daemon with.

Not here: which daemon (cli/find.py), tables (cli/table.py).
"""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ikepy.control.codec import Packet, PacketType, Section, Segments, ViciError, build_segment, parse_packet

OnEvent = Callable[[str, Section], None]
_READ_OCTETS = 65536


class Refused(Exception):
    """The daemon does not know the command or event."""


class ViciClient:
    """One connection to a daemon."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._segments = Segments()
        self._ready: deque[bytes] = deque()

    def call(
        self, command: str, request: Section, events: tuple[str, ...] = (), on_event: OnEvent | None = None
    ) -> Section:
        """Run a command and wait for its answer; the events named are handed to `on_event` meanwhile.

        Raises Refused, ViciError, OSError.
        """
        for event in events:
            self._send(Packet(PacketType.EVENT_REGISTER, event))
            self._expect(PacketType.EVENT_CONFIRM, f"event {event}", on_event)
        self._send(Packet(PacketType.CMD_REQUEST, command, request))
        answer = self._expect(PacketType.CMD_RESPONSE, f"command {command}", on_event)
        for event in events:
            self._send(Packet(PacketType.EVENT_UNREGISTER, event))
            self._expect(PacketType.EVENT_CONFIRM, f"event {event}", on_event)
        return answer.message

    def _expect(self, kind: PacketType, what: str, on_event: OnEvent | None) -> Packet:
        while True:
            packet = self._receive()
            if packet.type is PacketType.EVENT:
                if on_event is not None:
                    on_event(packet.name, packet.message)
            elif packet.type is kind:
                return packet
            else:
                raise Refused(f"the daemon answers {packet.type.name} to {what}")

    def _receive(self) -> Packet:
        while not self._ready:
            octets = self._socket.recv(_READ_OCTETS)
            if not octets:
                raise ViciError("the daemon has ended the connection")
            self._ready.extend(self._segments.feed(octets))
        return parse_packet(self._ready.popleft())

    def _send(self, packet: Packet) -> None:
        self._socket.sendall(build_segment(packet))


@contextmanager
def connect(path: Path, timeout: float | None = None) -> Iterator[ViciClient]:
    """Connect to a daemon's control socket; `timeout` is seconds for each answer, None for ever. Raises OSError."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout)
        connection.connect(str(path))
        yield ViciClient(connection)
