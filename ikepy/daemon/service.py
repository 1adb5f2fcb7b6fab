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
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import trio

from ikepy.auth.credentials import CredentialError, Credentials, load_credentials
from ikepy.auth.eap_service import EapService
from ikepy.auth.fetched import Fetched
from ikepy.auth.service import AuthService
from ikepy.auth.users import UserStore
from ikepy.auth.users_file import UsersFileError
from ikepy.config.model import Config
from ikepy.control.server import ControlServer
from ikepy.crypto.entropy import Entropy, SystemEntropy
from ikepy.daemon import systemd
from ikepy.daemon.admitting import Admitting
from ikepy.daemon.clamping import Clamping
from ikepy.daemon.clienting import Clienting
from ikepy.daemon.clock import Clock, boottime
from ikepy.daemon.driver import Driver
from ikepy.daemon.errors import StartupError
from ikepy.daemon.gatewaying import Gatewaying
from ikepy.daemon.hooks import Hooks
from ikepy.daemon.informing import Informing
from ikepy.daemon.instance import CONTROL_SOCKET, held, request_ids_held, state_directory_of
from ikepy.daemon.interfaces import names_interfaces, on_interfaces, unknown_interfaces
from ikepy.daemon.names import NAMES_FILE, Names
from ikepy.daemon.operator import Operator
from ikepy.daemon.performer import Performer
from ikepy.daemon.publisher import Publisher
from ikepy.daemon.renewing import Renewing
from ikepy.daemon.sessions import Sessions
from ikepy.daemon.udp import UdpSockets, open_sockets
from ikepy.gateway.mss import MssClamps
from ikepy.gateway.nft import Nft, find_nft
from ikepy.ike.actions import Action
from ikepy.ike.endpoint import Endpoint
from ikepy.ike.errors import KernelRefused
from ikepy.ike.events import AddressesChanged, Event
from ikepy.ike.observer import Observer
from ikepy.kernel.interface import REQID_BASE, REQID_COUNT, Kernel, KernelUnavailable
from ikepy.kernel.links import ROUTE_TABLE
from ikepy.kernel.neighbours import NeighbourProxies
from ikepy.kernel.xfrm import XfrmKernel
from ikepy.leases import Leases, LeaseStoreError
from ikepy.trace.audit import AuditLog
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
LEASES_FILE = "leases.db"
REVOCATION = "revocation"
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
            credentials = load_credentials(config, fetched=Fetched(state_directory_of(run_directory) / REVOCATION))
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
    if isinstance(
        first, StartupError | CredentialError | KernelUnavailable | KernelRefused | LeaseStoreError | UsersFileError
    ):
        print(f"ikepy: {first}", file=sys.stderr)  # noqa: T201 - the one line the operator is to see
    else:
        _log.error("the daemon ends by a fault of its own: %s: %s", type(first).__name__, first)
        _log.debug("traceback of it", exc_info=error)
    return 1


@dataclass(slots=True)
class Stop:
    """How a daemon is told to end: first kindly, then at once; and what it does on SIGHUP."""

    asked: trio.Event = field(default_factory=trio.Event)
    insisted: trio.Event = field(default_factory=trio.Event)
    hang_up: Callable[[], None] = lambda: None


async def _run_until_signal(config: Config, credentials: Credentials, run_directory: Path) -> None:
    stop = Stop()
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as signals:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_watch_signals, signals, stop)
            await run(config, credentials, run_directory, stop=stop)
            nursery.cancel_scope.cancel()


async def _watch_signals(signals: AsyncIterator[int], stop: Stop) -> None:
    async for number in signals:
        if number == signal.SIGHUP:
            _log.info("SIGHUP: the audit log is opened anew; users, keys and certificates are read again")
            stop.hang_up()
            continue
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
    nft: Nft | None = None,
    gateway: Gatewaying | None = None,
    clock: Clock = boottime,
    task_status: trio.TaskStatus[Operator] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Run a daemon until it is told to stop, or cancelled; `task_status` gets its Operator when it is ready.

    open_kernel   None opens the kernel of this host
    entropy       None is the operating system's
    nft           None is this host's where its kernel is opened, and otherwise none
    gateway       None is this host

    Raises StartupError, KernelUnavailable or KernelRefused where it cannot start.
    """
    entropy = entropy if entropy is not None else SystemEntropy()
    if nft is None and open_kernel is None:
        nft = find_nft()
    with held(run_directory), ExitStack() as stack:
        if gateway is None:
            proxies = (
                None
                if open_kernel is not None
                else stack.enter_context(closing(NeighbourProxies(daemon_number(config))))
            )
            gateway = Gatewaying(config, run_directory, nft, proxies)
        async with (open_kernel or open_xfrm)(config, entropy) as kernel:
            there = await kernel.links.addresses_by_interface()
            for name in unknown_interfaces(config, there):
                _log.warning("interface %s has no address at present; it is used when it has", name)
            used = on_interfaces(config, there)
            daemon = _Daemon(config, used, credentials, run_directory, kernel, entropy, nft, gateway, clock)
            await daemon.live(stop, task_status)
    _log.info("ended")


def open_xfrm(config: Config, entropy: Entropy) -> AbstractAsyncContextManager[Kernel]:
    """Open the kernel of this host; what an earlier daemon left there stays until we know that it is gone."""
    base = config.daemon.reqid_base
    return XfrmKernel.open(entropy, base, route_table=ROUTE_TABLE + daemon_number(config), keep_leftovers=True)


def daemon_number(config: Config) -> int:
    """Daemons side by side in one network namespace differ in their request IDs, and so in this."""
    return (config.daemon.reqid_base - REQID_BASE) // REQID_COUNT % _ROUTE_TABLES


class _Daemon:
    """What is there while the kernel is open."""

    def __init__(
        self,
        written: Config,
        config: Config,
        credentials: Credentials,
        run_directory: Path,
        kernel: Kernel,
        entropy: Entropy,
        nft: Nft | None,
        gateway: Gatewaying,
        clock: Clock,
    ) -> None:
        self._gateway = gateway
        self._client = Clienting(written, run_directory, nft)
        self._written, self._config = written, config
        self._control_socket = run_directory / CONTROL_SOCKET
        self._kernel = kernel
        self._clock = clock
        self._endpoint = Endpoint(config, entropy, make_observer(config))
        self._publisher = Publisher()
        auth = AuthService(config, credentials)
        self._performer = Performer(config, auth, kernel, kernel.links, entropy, credentials.fetched)
        self._clamps = MssClamps(nft, config.daemon.reqid_base)
        self._performer.clamp_with(Clamping(kernel, self._clamps))
        self._users = UserStore(config.users, config.daemon.users_file, entropy)
        self._eap = EapService(config, credentials, self._users, entropy)
        self._state_directory = state_directory_of(run_directory)
        self._performer.names = Names(self._state_directory / NAMES_FILE)
        log = config.daemon.audit_log
        audit = AuditLog(log, config.daemon.audit_log_size) if log is not None else None
        self._sessions = Sessions(self._users, kernel, audit, clock)
        use = (auth.renew, self._eap.renew)
        self._renewing = Renewing(written, credentials, use, self._sessions.reread_users)
        self._hooks = Hooks(config, self._publisher.publish)

    async def live(self, stop: Stop, task_status: trio.TaskStatus[Operator]) -> None:
        """From open sockets to closed ones, and to a kernel and a host without anything of ours."""
        with (
            open_sockets(self._config, self._kernel) as sockets,
            request_ids_held(self._config.daemon.reqid_base),
            leases_of(self._config, self._state_directory) as leases,
        ):
            workers = self._performer.workers
            links, fetching = self._kernel.links, self._performer.fetching
            admitting = Admitting(self._eap, leases, links, workers, self._clock, self._gateway, fetching)
            self._performer.admit_with(admitting)
            await self._undo_left()
            try:
                await self._client.begin(self._performer.names)
                await self._kernel.links.make_interfaces(self._config.interfaces)
                await self._gateway.begin()
                async with trio.open_nursery() as nursery:
                    driver = Driver(self._endpoint, self._performer, sockets, nursery, self._clock, self._publish)
                    operator = self._begin(nursery, driver, sockets, stop)
                    await self._serve(operator, driver, stop, task_status)
                    await self._say_goodbye(driver, stop)
                    await self._hooks.finish(stop.insisted.is_set)
                    nursery.cancel_scope.cancel()
            finally:
                with trio.CancelScope(shield=True, deadline=trio.current_time() + CLEANING_SECONDS):
                    await self._sessions.finish()
                    await self._clamps.remove_everything()
                    await self._gateway.end()
                    await self._client.end(self._kernel.links)
                    await self._kernel.remove_everything()

    async def _undo_left(self) -> None:
        """Undo what an earlier daemon left: only now is it certain that none of ours lives whose that is."""
        left = await self._kernel.remove_leftovers()
        if left:
            _log.warning("%d states, policies and routes of an earlier daemon are removed", left)
        await self._clamps.sweep()
        await self._gateway.undo_left()
        await self._client.undo_left()

    def _begin(self, nursery: trio.Nursery, driver: Driver, sockets: UdpSockets, stop: Stop) -> Operator:
        """Begin all that goes on while the daemon runs."""
        self._sessions.end_sas = partial(end_sas, driver)
        stop.hang_up = partial(self._hang_up, nursery)
        for serve in (self._sessions.keep, self._hooks.serve, self._renewing.serve, driver.keep_time):
            nursery.start_soon(serve)
        for each in sockets.sockets:
            nursery.start_soon(each.receive, driver.datagram)
        nursery.start_soon(self._performer.serve_kernel, driver.complete)
        nursery.start_soon(self._performer.serve_book, driver.complete)
        nursery.start_soon(self._pass_kernel_events, driver)
        operator = Operator(
            self._config,
            driver,
            self._kernel,
            self._publisher,
            self._clock,
            sockets.counters.drops,
            self._gateway.words,
            self._client.words,
            self._renewing,
        )
        nursery.start_soon(self._client.serve, operator.snapshot, self._kernel.links)
        nursery.start_soon(Informing(self._config, operator.snapshot, self._kernel.links).serve)
        return operator

    def _publish(self, event: Event) -> None:
        self._sessions.note(event)
        self._hooks.note(event)
        self._client.note(event)
        self._publisher.publish(event)

    def _hang_up(self, nursery: trio.Nursery) -> None:
        self._sessions.reopen_log()
        nursery.start_soon(self._renewing.reload)

    async def _serve(
        self, operator: Operator, driver: Driver, stop: Stop, task_status: trio.TaskStatus[Operator]
    ) -> None:
        """Do what operators want until we are told to stop."""
        async with trio.open_nursery() as serving:
            await serving.start(ControlServer(operator).serve, self._control_socket)
            _log.info("ikepy %s is ready; control socket %s", operator.version, self._control_socket)
            systemd.tell(systemd.READY)
            serving.start_soon(systemd.feed_watchdog)
            task_status.started(operator)
            driver.feed("the start", self._endpoint.start)
            await stop.asked.wait()
            systemd.tell(systemd.STOPPING)
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
            if isinstance(event, AddressesChanged):
                await self._follow_interfaces(driver)
                await self._gateway.follow()
                await self._client.refresh()
            driver.kernel_event(event)

    async def _follow_interfaces(self, driver: Driver) -> None:
        """Use the addresses that the interfaces of the configuration have now."""
        if not names_interfaces(self._written):
            return
        config = on_interfaces(self._written, await self._kernel.links.addresses_by_interface())
        if config != self._config:
            self._config = self._performer.config = self._hooks.config = config
            driver.feed("new addresses", partial(_replace_config, self._endpoint, config))


def _replace_config(endpoint: Endpoint, config: Config, _now: float) -> list[Action]:
    endpoint.replace_config(config)
    return []


def end_sas(driver: Driver, ike_ids: tuple[int, ...], reason: str) -> None:
    """End IKE SAs, for a reason that the log and the audit log say."""
    driver.feed("the end of a session", partial(driver.endpoint.terminate, ike_ids=ike_ids, reason=reason))


@contextmanager
def leases_of(config: Config, state_directory: Path) -> Iterator[Leases | None]:
    """Open the book of leases, none where there are no pools; what an earlier daemon had lent is given back."""
    if not config.pools:
        yield None
        return
    state_directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    with closing(Leases.open(state_directory / LEASES_FILE, config.pools)) as leases:
        back = leases.keep_only(())
        if back:
            _log.info("%d addresses lent by an earlier daemon are given back; their clients get them again", len(back))
        yield leases


def make_observer(config: Config) -> Observer:
    """Whoever is to hear of the protocol: the log, and the keylog where one is wanted."""
    log = LoggingObserver()
    if config.daemon.keylog is None:
        return log
    _log.warning("keys are written to %s: whoever reads it reads the traffic", config.daemon.keylog)
    return Observers(log, KeylogObserver(config.daemon.keylog))
