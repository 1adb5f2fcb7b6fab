"""A daemon from its start to its end.

Start: instance lock, kernel, sockets, Endpoint, control socket, then what start_action says of each child.
End (SIGTERM, SIGINT): a DELETE to every peer, a short wait for their answers, then all that is ours out of the kernel;
within 5 seconds whatever peers and kernel do. A second signal cuts the waiting short.
Not here: reading the configuration (config/), the command line (cli/).
"""

from __future__ import annotations

import logging
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path

import trio

from ikepy.auth.credentials import CredentialError, Credentials, load_credentials
from ikepy.auth.service import AuthService
from ikepy.config.model import Config
from ikepy.control.server import ControlServer
from ikepy.crypto.entropy import Entropy, SystemEntropy
from ikepy.daemon.clock import Clock, boottime
from ikepy.daemon.driver import Driver
from ikepy.daemon.errors import StartupError
from ikepy.daemon.instance import CONTROL_SOCKET, held, request_ids_held
from ikepy.daemon.operator import Operator
from ikepy.daemon.performer import Performer
from ikepy.daemon.publisher import Publisher
from ikepy.daemon.udp import open_sockets
from ikepy.ike.endpoint import Endpoint
from ikepy.ike.errors import KernelRefused
from ikepy.ike.observer import Observer
from ikepy.kernel.interface import REQID_BASE, REQID_COUNT, Kernel, KernelUnavailable
from ikepy.kernel.links import ROUTE_TABLE
from ikepy.kernel.xfrm import XfrmKernel
from ikepy.trace.handlers import logging_to
from ikepy.trace.keylog import KeylogObserver
from ikepy.trace.log import LoggingObserver
from ikepy.trace.several import Observers

_log = logging.getLogger("ikepy.daemon")

DELETING_SECONDS = 2.0
"""How long an end waits for the peers to answer its DELETEs."""
DRAINING_SECONDS = 0.5
"""How long it waits for what it had begun in the kernel."""
CLEANING_SECONDS = 2.0
"""How long an end waits for the kernel."""
_LOOK_SECONDS = 0.02
_ROUTE_TABLES = 40

OpenKernel = Callable[[Config, Entropy], AbstractAsyncContextManager[Kernel]]
"""Opens the kernel: the real one, or one in memory for a test."""


def main(config: Config, run_directory: Path, warnings: tuple[str, ...] = ()) -> int:
    """Run a daemon in the foreground until SIGTERM or SIGINT; return the exit code.

    warnings   what the configuration is better without; logged first

    0 after a clean end; 1, and one line on standard error, where it cannot start or ends by a fault of its own.
    """
    with logging_to(config.daemon.log_level):
        try:
            credentials = load_credentials(config)
            for warning in (*warnings, *credentials.warnings):
                _log.warning("%s", warning)
            trio.run(_run_until_signal, config, credentials, run_directory)
        except Exception as error:  # noqa: BLE001 - whatever ends a daemon is said in one line
            return _say_why(error)
    return 0


def _say_why(error: Exception) -> int:
    """Say in one line why the daemon did not start, or ended; return the exit code."""
    first: BaseException = error
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    if isinstance(first, StartupError | CredentialError | KernelUnavailable | KernelRefused):
        print(f"ikepy: {first}", file=sys.stderr)  # noqa: T201 - the one line the operator is to see
    else:
        _log.error("the daemon ends by a fault of its own: %s: %s", type(first).__name__, first)
        _log.debug("traceback of it", exc_info=error)
    return 1


@dataclass(frozen=True, slots=True)
class Stop:
    """How a daemon is told to end: first kindly, then at once."""

    asked: trio.Event = field(default_factory=trio.Event)
    insisted: trio.Event = field(default_factory=trio.Event)


async def _run_until_signal(config: Config, credentials: Credentials, run_directory: Path) -> None:
    stop = Stop()
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as signals:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_watch_signals, signals, stop)
            await run(config, credentials, run_directory, stop=stop)
            nursery.cancel_scope.cancel()


async def _watch_signals(signals: AsyncIterator[int], stop: Stop) -> None:
    async for number in signals:
        _log.info("%s: ending", signal.Signals(number).name)
        (stop.insisted if stop.asked.is_set() else stop.asked).set()


async def run(
    config: Config,
    credentials: Credentials,
    run_directory: Path,
    *,
    stop: Stop,
    open_kernel: OpenKernel | None = None,
    entropy: Entropy | None = None,
    clock: Clock = boottime,
    task_status: trio.TaskStatus[Operator] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Run a daemon until it is told to stop, or cancelled; `task_status` gets its Operator when it is ready.

    open_kernel   None opens the kernel of this host
    entropy       None is the operating system's

    Raises StartupError, KernelUnavailable or KernelRefused where it cannot start.
    """
    entropy = entropy if entropy is not None else SystemEntropy()
    with held(run_directory):
        async with (open_kernel or open_xfrm)(config, entropy) as kernel:
            await _Daemon(config, credentials, run_directory, kernel, entropy, clock).live(stop, task_status)
    _log.info("ended")


def open_xfrm(config: Config, entropy: Entropy) -> AbstractAsyncContextManager[Kernel]:
    """Open the kernel of this host; what an earlier daemon left there stays until we know that it is gone."""
    base = config.daemon.reqid_base
    # Daemons side by side in one network namespace differ in their request IDs, and so in their routing tables.
    table = ROUTE_TABLE + (base - REQID_BASE) // REQID_COUNT % _ROUTE_TABLES
    return XfrmKernel.open(entropy, base, route_table=table, keep_leftovers=True)


class _Daemon:
    """What is there while the kernel is open."""

    def __init__(
        self,
        config: Config,
        credentials: Credentials,
        run_directory: Path,
        kernel: Kernel,
        entropy: Entropy,
        clock: Clock,
    ) -> None:
        self._config = config
        self._control_socket = run_directory / CONTROL_SOCKET
        self._kernel = kernel
        self._clock = clock
        self._endpoint = Endpoint(config, entropy, make_observer(config))
        self._publisher = Publisher()
        self._performer = Performer(config, AuthService(config, credentials), kernel, kernel.links, entropy)

    async def live(self, stop: Stop, task_status: trio.TaskStatus[Operator]) -> None:
        """From open sockets to closed ones, and to a kernel without anything of ours."""
        with (
            open_sockets(self._config, self._kernel) as sockets,
            request_ids_held(self._config.daemon.reqid_base),
        ):
            # Only now is it certain that no daemon of ours lives whose states these are.
            left = await self._kernel.remove_leftovers()
            if left:
                _log.warning("%d states, policies and routes of an earlier daemon are removed", left)
            try:
                async with trio.open_nursery() as nursery:
                    driver = Driver(
                        self._endpoint, self._performer, sockets, nursery, self._clock, self._publisher.publish
                    )
                    for each in sockets.sockets:
                        nursery.start_soon(each.receive, driver.datagram)
                    nursery.start_soon(driver.keep_time)
                    nursery.start_soon(self._performer.serve_kernel, driver.complete)
                    nursery.start_soon(self._pass_kernel_events, driver)
                    operator = Operator(self._config, driver, self._kernel, self._publisher, self._clock)
                    await self._serve(operator, driver, stop, task_status)
                    await self._say_goodbye(driver, stop)
                    nursery.cancel_scope.cancel()
            finally:
                with trio.CancelScope(shield=True, deadline=trio.current_time() + CLEANING_SECONDS):
                    await self._kernel.remove_everything()

    async def _serve(
        self, operator: Operator, driver: Driver, stop: Stop, task_status: trio.TaskStatus[Operator]
    ) -> None:
        """Do what operators want until we are told to stop."""
        async with trio.open_nursery() as serving:
            await serving.start(ControlServer(operator).serve, self._control_socket)
            _log.info("ikepy %s is ready; control socket %s", operator.version, self._control_socket)
            task_status.started(operator)
            driver.feed("the start", self._endpoint.start)
            await stop.asked.wait()
            serving.cancel_scope.cancel()

    async def _say_goodbye(self, driver: Driver, stop: Stop) -> None:
        """Delete all IKE SAs, and wait a little until the peers have answered and the kernel has followed."""
        driver.feed("the end", self._endpoint.shutdown)
        await self._await_idle(DELETING_SECONDS, stop)
        driver.feed("the end", self._endpoint.abandon)
        await self._await_idle(DRAINING_SECONDS, stop)

    async def _await_idle(self, seconds: float, stop: Stop) -> None:
        with trio.move_on_after(seconds):
            while not (self._endpoint.is_idle or stop.insisted.is_set()):  # noqa: ASYNC110 - the Endpoint has no events
                await trio.sleep(_LOOK_SECONDS)

    async def _pass_kernel_events(self, driver: Driver) -> None:
        async for event in self._kernel.events:
            driver.kernel_event(event)


def make_observer(config: Config) -> Observer:
    """Whoever is to hear of the protocol: the log, and the keylog where one is wanted."""
    log = LoggingObserver()
    if config.daemon.keylog is None:
        return log
    _log.warning("keys are written to %s: whoever reads it reads the traffic", config.daemon.keylog)
    return Observers(log, KeylogObserver(config.daemon.keylog))
