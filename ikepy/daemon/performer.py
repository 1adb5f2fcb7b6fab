"""How each effect is performed: at once, in a worker thread, by the kernel, or by the resolver.

Rule 1: one table says how; the protocol does not know (architecture.md §5 step 8).
Rule 2: all that changes the kernel goes through one queue, so no delete overtakes its add.
Rule 3: whatever happens ends in an outcome; what is not an IkeError becomes one, and is logged as a fault of ours.
Not here: when effects are performed and what is done with outcomes (driver.py).
"""

from __future__ import annotations

import logging
import math
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import trio

from ikepy.auth.fetched import Fetched
from ikepy.auth.service import AuthService
from ikepy.config.model import AuthKind, Config
from ikepy.crypto import errors as crypto_errors
from ikepy.crypto.entropy import Entropy
from ikepy.crypto.key_exchange import is_slow, make_key_exchange
from ikepy.daemon.admitting import Admitting
from ikepy.daemon.clamping import Clamping
from ikepy.daemon.fetching import Fetching
from ikepy.daemon.names import Names
from ikepy.daemon.paths import FindsSources, find_ways, resolve_paths
from ikepy.daemon.ways import AtOnce, InBook, InKernel, InThread, Waiting, Way
from ikepy.daemon.workers import Workers, WorkersBusy
from ikepy.ike.actions import Done, Failed, Outcome, Ticket
from ikepy.ike.effects import (
    AllocateSpi,
    AskAgain,
    ComputeSharedSecret,
    Effect,
    FindTrustingConnections,
    FindWays,
    InstallChildSa,
    InstallInbound,
    InstallOutbound,
    InstallPolicies,
    LocalIdentity,
    LookAtInbound,
    MakeKeyExchange,
    MoveChildSa,
    ReleaseSpi,
    RemoveChildSa,
    RemovePolicies,
    ResolvePath,
    SignAuth,
    TrustAnchorHashes,
    VerifyAuth,
)
from ikepy.ike.errors import IkeError, InvalidPublicValue, LocalFault
from ikepy.kernel.interface import Kernel
from ikepy.wire.registry import AuthMethod

_log = logging.getLogger("ikepy.daemon")


Complete = Callable[[Ticket, Outcome], None]
"""Who is told the outcome."""


class Performer:
    """Performs effects and tells their outcomes by `complete(ticket, outcome)`."""

    def __init__(
        self,
        config: Config,
        auth: AuthService,
        kernel: Kernel,
        links: FindsSources,
        entropy: Entropy,
        fetched: Fetched | None = None,
    ) -> None:
        self.config = config
        self.auth = auth
        self.workers = Workers()
        self.fetching = Fetching(fetched or Fetched(), self.workers)
        self.names = Names()
        self._book_in, self._book_out = trio.open_memory_channel[tuple[Ticket, InBook]](math.inf)
        self._kernel = kernel
        self._links = links
        self._entropy = entropy
        self._kernel_in, self._kernel_out = trio.open_memory_channel[tuple[Ticket, InKernel]](math.inf)
        # Unbounded: it holds what authenticated peers and the operator asked for, a few pieces a child.
        self._ways: dict[type[Effect[Any]], Callable[[Any], Way]] = {
            MakeKeyExchange: self._make_key_exchange,
            ComputeSharedSecret: self._compute_shared_secret,
            SignAuth: self._sign_auth,
            VerifyAuth: self._verify_auth,
            LocalIdentity: lambda effect: AtOnce(partial(self.auth.local_identity, effect)),
            FindTrustingConnections: lambda effect: InThread(partial(self.auth.find_trusting_connections, effect)),
            TrustAnchorHashes: lambda effect: AtOnce(partial(self.auth.trust_anchor_hashes, effect)),
            AllocateSpi: self._allocate_spi,
            ReleaseSpi: lambda effect: InKernel(partial(kernel.release_spi, effect.sa)),
            InstallChildSa: lambda effect: InKernel(partial(kernel.install_child, effect.child, effect.replaces)),
            InstallInbound: lambda effect: InKernel(partial(kernel.install_inbound, effect.child)),
            InstallOutbound: lambda effect: InKernel(partial(kernel.install_outbound, effect.child, effect.replaces)),
            LookAtInbound: lambda effect: InKernel(partial(kernel.seen_inbound, effect.states)),
            InstallPolicies: lambda effect: InKernel(partial(kernel.install_policies, effect.owner, effect.policies)),
            AskAgain: lambda effect: InKernel(partial(kernel.ask_again, effect.reqid)),
            RemovePolicies: lambda effect: InKernel(partial(kernel.remove_policies, effect.owner)),
            MoveChildSa: lambda effect: InKernel(partial(kernel.move_child, effect.child)),
            RemoveChildSa: lambda effect: InKernel(partial(kernel.remove_child, effect.child)),
            ResolvePath: self._resolve_paths,
            FindWays: self._find_ways,
        }

    def admit_with(self, admitting: Admitting) -> None:
        """Perform what lets clients in, too."""
        self._ways.update(admitting.ways)

    def clamp_with(self, clamping: Clamping) -> None:
        """Have the MSS clamps of children come and go with them."""
        self._ways.update(clamping.ways)

    def perform(self, ticket: Ticket, effect: Effect[Any], nursery: trio.Nursery, complete: Complete) -> None:
        """Begin; the outcome of what is done at once is told before this returns."""
        way_of = self._ways.get(type(effect))
        if way_of is None:
            complete(ticket, Failed(LocalFault(f"nothing here performs {type(effect).__name__}")))
            return
        match way_of(effect):
            case AtOnce(work):
                complete(ticket, _outcome_of(work))
            case InKernel() as way:
                self._kernel_in.send_nowait((ticket, way))
            case InBook() as way:
                self._book_in.send_nowait((ticket, way))
            case InThread(work):
                nursery.start_soon(self._in_turn, partial(self.workers.do, work), ticket, complete)
            case Waiting(work):
                nursery.start_soon(self._in_turn, work, ticket, complete)

    async def serve_kernel(self, complete: Complete) -> None:
        """Perform what changes the kernel, one after the other, for ever."""
        async for ticket, way in self._kernel_out:
            await self._in_turn(way.work, ticket, complete)

    async def serve_book(self, complete: Complete) -> None:
        """Perform what is written to the book of leases, one after the other, for ever."""
        async with trio.open_nursery() as nursery:
            async for ticket, way in self._book_out:
                if way.then is None:
                    await self._in_turn(partial(self.workers.do, way.work), ticket, complete)
                    continue
                try:
                    result = await self.workers.do(way.work)
                except Exception as error:  # noqa: BLE001 - as in _in_turn
                    complete(ticket, _failed(error))
                else:
                    nursery.start_soon(self._in_turn, partial(way.then, result), ticket, complete)

    @property
    def kernel_is_idle(self) -> bool:
        """Whether nothing waits for the kernel."""
        waiting = self._kernel_in.statistics().current_buffer_used + self._book_in.statistics().current_buffer_used
        return waiting == 0

    @staticmethod
    async def _in_turn(work: Callable[[], Awaitable[object]], ticket: Ticket, complete: Complete) -> None:
        try:
            outcome: Outcome = Done(await work())
        except Exception as error:  # noqa: BLE001 - an effect's failure is its exchange's, not the daemon's
            outcome = _failed(error)
        complete(ticket, outcome)

    # -- the ways that depend on more than the type --------------------------------------------------------------

    def _make_key_exchange(self, effect: MakeKeyExchange) -> Way:
        return _by_cost(partial(make_key_exchange, effect.method, self._entropy), slow=is_slow(effect.method))

    @staticmethod
    def _compute_shared_secret(effect: ComputeSharedSecret) -> Way:
        work = partial(effect.key_exchange.shared, effect.peer_public)
        return _by_cost(work, slow=is_slow(effect.key_exchange.method))

    def _sign_auth(self, effect: SignAuth) -> Way:
        return _by_cost(partial(self.auth.sign_auth, effect), slow=effect.local.auth is not AuthKind.PSK)

    def _verify_auth(self, effect: VerifyAuth) -> Way:
        cheap = effect.auth.method == AuthMethod.SHARED_KEY and not effect.certs
        work = partial(self.auth.verify_auth, effect)
        return AtOnce(work) if cheap else Waiting(partial(self.fetching.verified, work))

    def _allocate_spi(self, effect: AllocateSpi) -> Way:
        allocate = self._kernel.allocate_spi
        return InKernel(partial(allocate, effect.destination, effect.protocol, hold_early=effect.hold_early))

    def _find_ways(self, effect: FindWays) -> Way:
        return Waiting(partial(find_ways, self.config, effect.connection, effect.remotes, self._links))

    def _resolve_paths(self, effect: ResolvePath) -> Way:
        return Waiting(partial(resolve_paths, self.config, effect.connection, self._links, effect.gateway, self.names))


def _by_cost(work: Callable[[], object], *, slow: bool) -> Way:
    return InThread(work) if slow else AtOnce(work)


def _outcome_of(work: Callable[[], object]) -> Outcome:
    try:
        return Done(work())
    except Exception as error:  # noqa: BLE001 - an effect's failure is its exchange's, not the daemon's
        return _failed(error)


def _failed(error: Exception) -> Failed:
    """What an exchange is told of an error (rule 3)."""
    match error:
        case IkeError():
            return Failed(error)
        case crypto_errors.InvalidPublicValue():
            return Failed(InvalidPublicValue(str(error)))
        case crypto_errors.CryptoError() | WorkersBusy():
            return Failed(LocalFault(str(error)))
    _log.error("an effect failed in a way nobody expected: %s: %s", type(error).__name__, error)
    _log.debug("traceback of it", exc_info=error)
    return Failed(LocalFault(f"internal error: {type(error).__name__}"))
