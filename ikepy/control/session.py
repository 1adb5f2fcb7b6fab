"""One client of the control socket: its requests one after the other, and the events it has registered for.

Rule 1: a client that does not read, or says nonsense, costs its own connection and nothing else.
Rule 2: a client that has left is noticed while its command runs; the command is not waited for any longer.
Rule 3: queues have bounds; what finds one full is counted (losses.py).
Not here: what commands do (commands.py), framing (codec.py), who may connect (server.py).
"""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager
from typing import Generic, TypeVar

import trio

from ikepy.control.codec import Packet, PacketType, Section, Segments, ViciError, build_segment, parse_packet
from ikepy.control.commands import COMMANDS, Call, Command, count
from ikepy.control.losses import Losses
from ikepy.control.progress import Progress, log_section
from ikepy.control.requests import BadRequest
from ikepy.control.sections import (
    alert_event,
    child_event,
    child_rekey_event,
    ike_event,
    ike_rekey_event,
    ike_update_event,
)
from ikepy.daemon.api import DaemonApi, LogLine, Subscription
from ikepy.ike.events import (
    ChildSaDown,
    ChildSaRekeyed,
    ChildSaUp,
    Event,
    HookFailed,
    IkeSaDown,
    IkeSaMoved,
    IkeSaRekeyed,
    IkeSaUp,
)

_log = logging.getLogger("ikepy.control")

SLOWEST_SECONDS = 10.0
"How long a client may take to read one packet."
MOST_WAITING = 16
"Requests of one client that may wait while one is being answered."
_OF_CHANGES = frozenset({"ike-updown", "child-updown", "ike-rekey", "ike-update", "child-rekey", "alert"})
_OF_COMMANDS = frozenset({"control-log", "list-sa", "list-conn", "list-policy", "ikepy-sa", "ikepy-policy"})
EVENTS = frozenset({"log"}) | _OF_CHANGES | _OF_COMMANDS
"""What a client may register for."""
_WITH_PROGRESS = frozenset({"initiate", "terminate", "rekey"})
_READ_OCTETS = 65536
_TICKS = 3
"""Turns of the event loop that a log line may take from the logger to its listeners."""

Item = TypeVar("Item")


class Session:
    """One connection, from its first packet to its end."""

    def __init__(self, daemon: DaemonApi, stream: trio.SocketStream, losses: Losses) -> None:
        self._daemon, self._stream, self._losses = daemon, stream, losses
        self._registered: set[str] = set()
        self._sending = trio.Lock()

    async def serve(self) -> None:
        """Answer until the client leaves; raises, in groups, ViciError, trio.TooSlowError, trio.BrokenResourceError."""
        into, out_of = trio.open_memory_channel[Packet](MOST_WAITING)
        with ExitStack() as subscriptions:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._answer_all, out_of, nursery, subscriptions)
                await self._read(into)
                nursery.cancel_scope.cancel()

    async def _read(self, packets: trio.MemorySendChannel[Packet]) -> None:
        segments = Segments()
        while octets := await self._stream.receive_some(_READ_OCTETS):
            for segment in segments.feed(octets):
                try:
                    packets.send_nowait(parse_packet(segment))
                except trio.WouldBlock:
                    raise ViciError(f"more than {MOST_WAITING} requests at once") from None

    async def _answer_all(
        self, packets: trio.MemoryReceiveChannel[Packet], nursery: trio.Nursery, subscriptions: ExitStack
    ) -> None:
        async for packet in packets:
            match packet.type:
                case PacketType.EVENT_REGISTER if packet.name in EVENTS:
                    self._listen(packet.name, nursery, subscriptions)
                    self._registered.add(packet.name)
                    await self._send(Packet(PacketType.EVENT_CONFIRM))
                case PacketType.EVENT_UNREGISTER if packet.name in EVENTS:
                    self._registered.discard(packet.name)
                    await self._send(Packet(PacketType.EVENT_CONFIRM))
                case PacketType.EVENT_REGISTER | PacketType.EVENT_UNREGISTER:
                    await self._send(Packet(PacketType.EVENT_UNKNOWN))
                case PacketType.CMD_REQUEST if packet.name in COMMANDS:
                    await self._answer(packet, COMMANDS[packet.name])
                case PacketType.CMD_REQUEST:
                    await self._send(Packet(PacketType.CMD_UNKNOWN))
                case _:
                    raise ViciError(f"a client does not send {packet.type.name}")

    async def _answer(self, packet: Packet, command: Command) -> None:
        call = Call(self._daemon, packet.message, self._stream_event, self._losses)
        try:
            async with self._progress_told(packet):
                answer = await _answered(command, call)
        except* BadRequest as refused:
            answer = _refusal(str(first_of(refused)))
        except* ViciError as too_much:
            answer = _too_much(first_of(too_much))
        try:
            segment = build_segment(Packet(PacketType.CMD_RESPONSE, "", answer))
        except ViciError as too_much:
            segment = build_segment(Packet(PacketType.CMD_RESPONSE, "", _too_much(too_much)))
        await self._send_octets(segment)

    # -- events --------------------------------------------------------------------------------------------------

    def _listen(self, event: str, nursery: trio.Nursery, subscriptions: ExitStack) -> None:
        """Begin to listen to what an event is made of, unless we do already."""
        if event == "log" and event not in self._registered:
            lines = subscriptions.enter_context(self._daemon.subscribe_log())
            nursery.start_soon(Pump(lines, self._pass_line, self._losses).run)
        elif event in _OF_CHANGES and not self._registered & _OF_CHANGES:
            events = subscriptions.enter_context(self._daemon.subscribe())
            nursery.start_soon(Pump(events, self._pass_event, self._losses).run)

    @asynccontextmanager
    async def _progress_told(self, packet: Packet) -> AsyncIterator[None]:
        """Pass the lines that concern a command on while it runs, all of them before its answer."""
        if "control-log" not in self._registered or packet.name not in _WITH_PROGRESS:
            yield
            return
        progress = Progress(self._daemon, packet.name, packet.message)

        async def tell(line: LogLine) -> None:
            section = progress.section(line)
            if section is not None:
                await self._stream_event("control-log", section)

        with self._daemon.subscribe_log() as lines:
            pump = Pump(lines, tell, self._losses)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(pump.run)
                yield
                for _ in range(_TICKS):
                    await trio.lowlevel.checkpoint()
                pump.end()

    async def _pass_line(self, line: LogLine) -> None:
        await self._stream_event("log", log_section(line, None))

    async def _pass_event(self, event: Event) -> None:
        now, wall = self._daemon.now(), time.time()
        match event:
            case IkeSaUp(ike):
                await self._stream_event("ike-updown", ike_event(ike, now, up=True))
            case IkeSaDown(ike):
                await self._stream_event("ike-updown", ike_event(ike, now, up=False))
            case ChildSaUp(ike, child):
                await self._stream_event("child-updown", child_event(ike, child, now, wall, up=True))
            case ChildSaDown(ike, child):
                await self._stream_event("child-updown", child_event(ike, child, now, wall, up=False))
            case IkeSaMoved(ike, before):
                await self._stream_event("ike-update", ike_update_event(ike, before, now))
            case IkeSaRekeyed(ike, new):
                await self._stream_event("ike-rekey", ike_rekey_event(ike, new, now))
            case ChildSaRekeyed(ike, child, heir) if "child-rekey" in self._registered:
                counted = await count(self._daemon, (child, heir))
                await self._stream_event("child-rekey", child_rekey_event(ike, child, heir, now, counted, wall))
            case HookFailed():
                await self._stream_event("alert", alert_event(event))
            case _:
                pass  # a failed attempt is told by the command that wanted it

    async def _stream_event(self, name: str, section: Section) -> None:
        if name in self._registered:
            await self._send(Packet(PacketType.EVENT, name, section))

    async def _send(self, packet: Packet) -> None:
        await self._send_octets(build_segment(packet))

    async def _send_octets(self, segment: bytes) -> None:
        async with self._sending:
            with trio.fail_after(SLOWEST_SECONDS):
                await self._stream.send_all(segment)


class Pump(Generic[Item]):
    """Passes on what comes by a subscription until told to end; what is in it then still goes."""

    def __init__(self, items: Subscription[Item], pass_on: Callable[[Item], Awaitable[None]], losses: Losses) -> None:
        self._items, self._pass_on, self._losses = items, pass_on, losses
        self._waiting = trio.CancelScope()
        self._ending = False
        self._lost = 0

    async def run(self) -> None:
        """Pass items on."""
        while (item := await self._next()) is not None:
            self._losses.events_lost += self._items.lost - self._lost
            self._lost = self._items.lost
            await self._pass_on(item)

    def end(self) -> None:
        """Pass on what is there, then end."""
        self._ending = True
        self._waiting.cancel()

    async def _next(self) -> Item | None:
        """Wait only while we are not to end; None where nothing is left."""
        if not self._ending:
            with trio.CancelScope() as self._waiting:
                return await self._items.next()
        try:
            return self._items.next_nowait()
        except trio.WouldBlock:
            return None


def first_of(group: BaseException) -> BaseException:
    """The first exception inside groups of them."""
    while isinstance(group, BaseExceptionGroup):
        group = group.exceptions[0]
    return group


async def _answered(command: Command, call: Call) -> Section:
    """A command's answer; its faults are ours, logged, and end nothing."""
    try:
        return await command(call)
    except (BadRequest, ViciError, trio.BrokenResourceError, trio.ClosedResourceError, trio.TooSlowError):
        raise
    except Exception as fault:  # noqa: BLE001 - rule 1
        _log.error("control socket: a command ended in a fault of ikepy's: %s: %s", type(fault).__name__, fault)
        _log.debug("traceback of it", exc_info=fault)
        return _refusal("a fault of ikepy's own; its log says more")


def _too_much(fault: BaseException) -> Section:
    return _refusal(f"the answer does not fit VICI: {fault}")


def _refusal(reason: str) -> Section:
    return {"success": "no", "errmsg": reason}
