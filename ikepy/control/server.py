"""The control socket: VICI to whoever may write to it, which is root (mode 0600).

Rule 1: whatever a client does, the daemon and other clients go on.
Not here: one client (session.py), what commands do (commands.py), framing (codec.py).
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import trio

from ikepy.control.codec import ViciError
from ikepy.control.losses import Losses
from ikepy.control.session import SLOWEST_SECONDS, Session, first_of
from ikepy.daemon.api import DaemonApi
from ikepy.daemon.errors import StartupError

_log = logging.getLogger("ikepy.control")

MOST_CLIENTS = 32
_BREATHER_SECONDS = 0.5
"""How long nobody is accepted when the system has no descriptor for them."""
_ONLY_OWNER = 0o177


class ControlServer:
    """Serves a daemon on a Unix socket."""

    def __init__(self, daemon: DaemonApi) -> None:
        self._daemon = daemon
        self._clients = 0
        self.losses = Losses()

    async def serve(self, path: Path, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Make the socket and serve until cancelled; the socket's file goes with it. Raises StartupError."""
        with _listening(path) as listener:
            task_status.started()
            async with trio.open_nursery() as nursery:
                while True:
                    await self._accept(listener, nursery)

    async def _accept(self, listener: trio.socket.SocketType, nursery: trio.Nursery) -> None:
        try:
            connection, _ = await listener.accept()
        except OSError as error:
            _log.warning("control socket: no client can be accepted: %s", error.strerror)
            await trio.sleep(_BREATHER_SECONDS)
            return
        if self._clients >= MOST_CLIENTS:
            self.losses.clients_turned_away += 1
            _log.warning("control socket: %d clients are connected, one more is turned away", MOST_CLIENTS)
            connection.close()
            return
        self._clients += 1
        nursery.start_soon(self._serve_client, trio.SocketStream(connection))

    async def _serve_client(self, stream: trio.SocketStream) -> None:
        try:
            async with stream:
                await Session(self._daemon, stream, self.losses).serve()
        except* (trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # it left
        except* trio.TooSlowError:
            self.losses.clients_too_slow += 1
            _log.info("control socket: a client did not read for %g seconds and is turned away", SLOWEST_SECONDS)
        except* ViciError as group:
            _log.info("control socket: a client speaks no VICI and is turned away: %s", first_of(group))
        except* Exception as group:  # noqa: BLE001 - rule 1
            fault = first_of(group)
            _log.error("control socket: a client was lost by a fault of ikepy's: %s: %s", type(fault).__name__, fault)
            _log.debug("traceback of it", exc_info=group)
        finally:
            self._clients -= 1


@contextmanager
def _listening(path: Path) -> Iterator[trio.socket.SocketType]:
    """A socket that only its owner may connect to; whoever has the run directory's lock may replace an old one."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as plain:
        try:
            path.unlink(missing_ok=True)
            mask = os.umask(_ONLY_OWNER)
            try:
                plain.bind(str(path))
            finally:
                os.umask(mask)
        except OSError as error:
            raise StartupError(
                f"the control socket {path} cannot be made ({error.strerror or error})",
                "name another directory, with a shorter path, with --run-dir",
            ) from error
        plain.listen(MOST_CLIENTS)
        listener = trio.socket.from_stdlib_socket(plain)
        try:
            yield listener
        finally:
            listener.close()
            path.unlink(missing_ok=True)
