"""Programs of the administrator's that are run when a child comes, goes or moves (`updown`).

    hooks.note(event)       each event, as it is published
    await hooks.serve()     for ever
    await hooks.finish()    until those that were asked for have run

Rule 1: a program is run without a shell, with one argument of ours (`up`, `down`, `moved`), and with nothing of the
        daemon's environment; what peers say is in its environment (hook_values.py).
Rule 2: it holds up nothing: neither packets nor IKE. One child's calls come one after the other, in their order.
Rule 3: one that takes too long is killed with all that it began. One that fails is told of, and that is all.
Rule 4: what it says is logged where it fails, else at debug; so much and no more of it is kept.
Not here: which are there (config), what they are told (hook_values.py).
"""

from __future__ import annotations

import logging
import math
import os
import signal
import subprocess
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import trio

from ikepy.config.model import Config
from ikepy.daemon.hook_values import environment_of, harmless
from ikepy.ike.events import ChildSaDown, ChildSaUp, ChildSnapshot, Event, HookFailed, IkeSaMoved, IkeSnapshot

_log = logging.getLogger("ikepy.daemon")

MOST_AT_ONCE: Final = 16
"Programs that run at the same time."
MOST_WAITING: Final = 64
"Calls of one child that wait."
MOST_SAID: Final = 2048
"Octets of what a program says that are kept."
LAST_WORDS_SECONDS: Final = 0.2
"How long what it has said is read after its end: it may have left others running that could say more."

MARGIN_SECONDS: Final = 2.0
"How much longer than one program may take the daemon's end waits for them."

Publish = Callable[[Event], None]
Key = tuple[int, str]
"Of the IKE SA and the child whose calls come one after the other."


@dataclass(frozen=True, slots=True)
class Call:
    """A program that is to be run."""

    program: Path
    event: str
    ike: IkeSnapshot
    child: ChildSnapshot
    environment: dict[str, str] = field(repr=False)


class Hooks:
    """All programs of one daemon."""

    def __init__(self, config: Config, publish: Publish) -> None:
        self.config = config
        self._publish = publish
        self._waiting: dict[Key, deque[Call]] = {}
        self._keys_in, self._keys = trio.open_memory_channel[Key](math.inf)
        # Unbounded: one for each child at most, which all else bounds.
        self._at_once = trio.CapacityLimiter(MOST_AT_ONCE)

    def note(self, event: Event) -> None:
        """An event is published."""
        match event:
            case ChildSaUp(ike, child):
                self._want("up", ike, child)
            case ChildSaDown(ike, child, reason):
                self._want("down", ike, child, reason)
            case IkeSaMoved(ike, _):
                for child in ike.children:
                    self._want("moved", ike, child)

    async def serve(self) -> None:
        """Run what is wanted, for ever."""
        async with trio.open_nursery() as nursery:
            async for key in self._keys:
                nursery.start_soon(self._work, key)

    async def finish(self, insisted: Callable[[], bool]) -> None:
        """Wait until nothing is wanted any more, or the end is insisted on: not much longer than one program may take."""
        with trio.move_on_after(self.config.daemon.hook_timeout + MARGIN_SECONDS):
            while self._waiting and not insisted():  # noqa: ASYNC110 - only at the end of the daemon
                await trio.sleep(LAST_WORDS_SECONDS)

    def _want(self, event: str, ike: IkeSnapshot, child: ChildSnapshot, reason: str = "") -> None:
        program = self._program_of(ike.connection, child.name)
        if program is None:
            return
        key = ike.unique_id, child.name
        queue = self._waiting.get(key)
        if queue is None:
            queue = self._waiting[key] = deque()
            self._keys_in.send_nowait(key)
        call = Call(program, event, ike, child, environment_of(event, ike, child, reason))
        if len(queue) < MOST_WAITING:
            queue.append(call)
        else:
            self._tell(call, f"{MOST_WAITING} calls wait already, so it is not run")

    def _program_of(self, connection: str, child: str) -> Path | None:
        for each in self.config.connections:
            if each.name == connection:
                return next((one.updown for one in each.children if one.name == child), None)
        return None

    async def _work(self, key: Key) -> None:
        queue = self._waiting[key]
        while queue:
            async with self._at_once:
                await self._run(queue.popleft())
        del self._waiting[key]

    async def _run(self, call: Call) -> None:
        said = bytearray()
        seconds = self.config.daemon.hook_timeout
        try:
            with trio.fail_after(seconds):
                code = await _execute(call, said)
        except trio.TooSlowError:
            self._tell(call, f"it took more than {seconds:g} s and was killed; raise daemon.hook_timeout", said)
        except OSError as error:
            self._tell(
                call, f"it cannot be run: {error.strerror or error}; is it executable, and its first line right?"
            )
        else:
            if code == 0:
                _log.debug("%s %s has run%s", call.program, call.event, _words(said))
            else:
                how = f"it ended with {code}" if code > 0 else f"signal {-code} ended it"
                self._tell(call, how, said)

    def _tell(self, call: Call, fault: str, said: bytes | bytearray = b"") -> None:
        reason = f"{call.program} {call.event}: {fault}{_words(said)}"
        _log.warning("updown of connection %s, child %s failed: %s", call.ike.connection, call.child.name, reason)
        self._publish(HookFailed(call.ike.connection, call.child.name, call.ike.unique_id, reason))


async def _execute(call: Call, said: bytearray) -> int:
    """Run a program to its end and keep some of what it says; return its code, or minus a signal. Raises OSError."""
    process = await trio.lowlevel.open_process(
        [str(call.program), call.event],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=call.environment,
        cwd="/",
        start_new_session=True,
    )
    output = process.stdout
    assert output is not None  # noqa: S101 - it was asked for
    try:
        async with output, trio.open_nursery() as nursery:
            nursery.start_soon(_listen, output, said)
            code = await process.wait()
            nursery.cancel_scope.deadline = trio.current_time() + LAST_WORDS_SECONDS
        return code
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            with trio.CancelScope(shield=True):
                await process.wait()


async def _listen(output: trio.abc.ReceiveStream, said: bytearray) -> None:
    async for octets in output:
        said += octets[: MOST_SAID - len(said)]


def _words(said: bytes | bytearray) -> str:
    lines = said.decode("utf-8", "backslashreplace").split("\n")
    text = " / ".join(harmless(line.strip()) for line in lines if line.strip())
    return f"; it said: {text}" if text else ""
