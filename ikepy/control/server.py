"""The control socket: VICI to anyone who may write to it (mode 0600).

Rule 1: a client that does not read, or says nonsense, costs its own connection and nothing else.
Rule 2: one command at a time on a connection; events may come in between.
Not here: what commands do (commands.py), framing (codec.py).
"""

from __future__ import annotations

import logging
import socket
import time
from contextlib import ExitStack
from pathlib import Path

import trio

from ikepy.control.codec import Packet, PacketType, Section, Segments, ViciError, build_segment, parse_packet
from ikepy.control.commands import COMMANDS, EVENTS
from ikepy.control.sections import child_section, ike_section
from ikepy.daemon.api import DaemonApi, LogLine, Subscription
from ikepy.ike.events import ChildSaDown, ChildSaUp, ChildSnapshot, Event, IkeSaDown, IkeSaUp, IkeSnapshot

_log = logging.getLogger("ikepy.control")

MOST_CLIENTS = 32
SLOWEST_SECONDS = 10.0
"How long a client may take to read one packet."
_READ_OCTETS = 65536


class ControlServer:
    """Serves a daemon on a Unix socket."""

    def __init__(self, daemon: DaemonApi) -> None:
        self._daemon = daemon
        self._clients = 0

    async def serve(self, path: Path, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Make the socket and serve until cancelled; the socket's file goes with it."""
        listener = trio.socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        await trio.to_thread.run_sync(_remove, path)
        await listener.bind(str(path))
        path.chmod(0o600)
        listener.listen(MOST_CLIENTS)
        task_status.started()
        try:
            async with trio.open_nursery() as nursery:
                while True:
                    connection, _ = await listener.accept()
                    if self._clients >= MOST_CLIENTS:
                        _log.warning("control socket: more than %d clients, one is turned away", MOST_CLIENTS)
                        connection.close()
                        continue
                    nursery.start_soon(self._serve_client, trio.SocketStream(connection))
        finally:
            listener.close()
            _remove(path)

    async def _serve_client(self, stream: trio.SocketStream) -> None:
        self._clients += 1
        try:
            await Client(self._daemon, stream).serve()
        except (trio.BrokenResourceError, trio.ClosedResourceError, trio.TooSlowError):
            pass  # it left, or did not read
        except ViciError as error:
            _log.info("control socket: a client said nonsense: %s", error)
        except Exception:
            _log.exception("control socket: a command failed by a fault of ours")
        finally:
            self._clients -= 1
            with trio.CancelScope(shield=True), trio.move_on_after(1):
                await stream.aclose()


class Client:
    """One connection."""

    def __init__(self, daemon: DaemonApi, stream: trio.SocketStream) -> None:
        self._daemon, self._stream = daemon, stream
        self._registered: set[str] = set()
        self._sending = trio.Lock()

    async def serve(self) -> None:
        """Answer until the client leaves; raises ViciError for nonsense."""
        segments = Segments()
        with ExitStack() as stack:
            events = stack.enter_context(self._daemon.subscribe())
            lines = stack.enter_context(self._daemon.subscribe_log())
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._pass_events, events)
                nursery.start_soon(self._pass_log, lines)
                while octets := await self._stream.receive_some(_READ_OCTETS):
                    for segment in segments.feed(octets):
                        await self._answer(parse_packet(segment))
                nursery.cancel_scope.cancel()

    async def _answer(self, packet: Packet) -> None:
        match packet.type:
            case PacketType.EVENT_REGISTER | PacketType.EVENT_UNREGISTER:
                if packet.name not in EVENTS:
                    await self._send(Packet(PacketType.EVENT_UNKNOWN))
                    return
                change = self._registered.add if packet.type is PacketType.EVENT_REGISTER else self._registered.discard
                change(packet.name)
                await self._send(Packet(PacketType.EVENT_CONFIRM))
            case PacketType.CMD_REQUEST:
                command = COMMANDS.get(packet.name)
                if command is None:
                    await self._send(Packet(PacketType.CMD_UNKNOWN))
                    return
                answer = await command(self._daemon, packet.message, self._stream_event)
                await self._send(Packet(PacketType.CMD_RESPONSE, "", answer))
            case _:
                raise ViciError(f"a client does not send {packet.type.name}")

    async def _stream_event(self, name: str, section: Section) -> None:
        if name in self._registered:
            await self._send(Packet(PacketType.EVENT, name, section))

    async def _send(self, packet: Packet) -> None:
        async with self._sending:
            with trio.fail_after(SLOWEST_SECONDS):
                await self._stream.send_all(build_segment(packet))

    async def _pass_log(self, lines: Subscription[LogLine]) -> None:
        while True:
            line = await lines.next()
            section: Section = {"group": "IKE", "level": "1", "msg": line.text}
            await self._stream_event("control-log", section)
            await self._stream_event("log", section)

    async def _pass_events(self, events: Subscription[Event]) -> None:
        while True:
            match await events.next():
                case IkeSaUp(ike):
                    await self._stream_event("ike-updown", _up() | {ike.connection: self._ike(ike)})
                case IkeSaDown(ike):
                    await self._stream_event("ike-updown", {ike.connection: self._ike(ike)})
                case ChildSaUp(ike, child):
                    await self._stream_event("child-updown", _up() | {ike.connection: self._ike(ike, child)})
                case ChildSaDown(ike, child):
                    await self._stream_event("child-updown", {ike.connection: self._ike(ike, child)})
                case _:
                    pass  # a failed attempt is told by the command that wanted it

    def _ike(self, ike: IkeSnapshot, child: ChildSnapshot | None = None) -> Section:
        """The IKE SA as it was at the event, with that child alone where one is meant."""
        now, wall = self._daemon.now(), time.time()
        section = ike_section(ike, now, {}, wall)
        if child is not None:
            section["child-sas"] = {f"{child.name}-{child.unique_id}": child_section(child, now, (None, None), wall)}
        return section


def _up() -> Section:
    return {"up": "yes"}


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
