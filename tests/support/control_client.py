"""A control server before a fake daemon, and a client of it under trio, for tests that look at each packet."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from pathlib import Path

import trio
import trio.testing

from ikepy.control.codec import Packet, PacketType, Section, Segments, build_segment, parse_packet
from ikepy.control.server import ControlServer
from tests.support.fake_daemon import FakeDaemon


class Talk:
    """One connection to a control socket."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self.stream = stream
        self._segments = Segments()
        self._ready: deque[bytes] = deque()

    async def send(self, kind: PacketType, name: str = "", message: Section | None = None) -> None:
        await self.stream.send_all(build_segment(Packet(kind, name, message or {})))

    async def receive(self) -> Packet:
        """The next packet; raises EOFError where the server has ended the connection."""
        while not self._ready:
            octets = await self.stream.receive_some(65536)
            if not octets:
                raise EOFError
            self._ready.extend(self._segments.feed(octets))
        return parse_packet(self._ready.popleft())

    async def receive_all(self) -> None:
        """Read until the server ends the connection, which raises EOFError or trio.BrokenResourceError."""
        while True:
            await self.receive()

    async def register(self, *events: str) -> None:
        for event in events:
            await self.send(PacketType.EVENT_REGISTER, event)
            assert (await self.receive()).type is PacketType.EVENT_CONFIRM

    async def call(self, command: str, message: Section | None = None) -> Section:
        events, answer = await self.call_with_events(command, message)
        assert not events
        return answer

    async def call_with_events(self, command: str, message: Section | None = None) -> tuple[list[Packet], Section]:
        await self.send(PacketType.CMD_REQUEST, command, message)
        events = []
        while (packet := await self.receive()).type is PacketType.EVENT:
            events.append(packet)
        assert packet.type is PacketType.CMD_RESPONSE, packet
        return events, packet.message


class Stage:
    """A server and a way to connect to it."""

    def __init__(self, server: ControlServer, path: Path) -> None:
        self.server, self.path = server, path
        self._streams: list[trio.SocketStream] = []

    async def connect(self) -> Talk:
        self._streams.append(await trio.open_unix_socket(str(self.path)))
        return Talk(self._streams[-1])

    def close(self) -> None:
        for stream in self._streams:
            stream.socket.close()


def play(
    directory: Path, daemon: FakeDaemon, scene: Callable[[Stage], Awaitable[None]], *, real_time: bool = False
) -> None:
    """Run a scene before a control server; time passes when nothing else can happen, or really where others take part."""

    async def main() -> None:
        with trio.fail_after(600):
            async with trio.open_nursery() as nursery:
                server = ControlServer(daemon)
                await nursery.start(server.serve, directory / "control.sock")
                stage = Stage(server, directory / "control.sock")
                try:
                    await scene(stage)
                finally:
                    stage.close()
                nursery.cancel_scope.cancel()

    trio.run(main, clock=None if real_time else trio.testing.MockClock(autojump_threshold=0.05))


def ask(
    directory: Path, daemon: FakeDaemon, command: str, message: Section | None = None, *events: str
) -> tuple[list[Packet], Section]:
    """One command to a fake daemon, by a client that has registered for these events."""
    heard: list[tuple[list[Packet], Section]] = []

    async def scene(stage: Stage) -> None:
        talk = await stage.connect()
        await talk.register(*events)
        heard.append(await talk.call_with_events(command, message))

    play(directory, daemon, scene)
    return heard[0]


async def until(true: Callable[[], bool]) -> None:
    """Wait for something that no event tells of."""
    with trio.fail_after(60):
        while not true():  # noqa: ASYNC110 - no event tells of it
            await trio.sleep(0.01)
