"""How effects are performed."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any, cast

import pytest
import trio
import trio.testing

from ikepy.auth.service import AuthService
from ikepy.config.model import Config
from ikepy.crypto.entropy import SystemEntropy
from ikepy.crypto.key_exchange import KeyExchange
from ikepy.crypto.secret import Secret
from ikepy.daemon.performer import Performer
from ikepy.daemon.workers import Workers
from ikepy.ike.actions import Done, Failed, Outcome, Ticket
from ikepy.ike.effects import (
    AllocateSpi,
    ComputeSharedSecret,
    Effect,
    FindTrustingConnections,
    MakeKeyExchange,
    ReleaseSpi,
    ResolvePath,
    TrustAnchorHashes,
)
from ikepy.ike.errors import AuthenticationFailed, InvalidPublicValue, KernelRefused, LocalFault, PeerUnknown
from ikepy.ipsec import IpAddress, SaId, Spi
from ikepy.kernel.interface import Kernel
from ikepy.wire.registry import KeMethod, ProtocolId

HERE = ip_address("192.0.2.1")


@dataclass
class SlowKernel:
    """Takes its time for each SPI, and remembers what was asked of it in which order."""

    order: list[str] = field(default_factory=list)
    fault: Exception | None = None

    async def allocate_spi(self, destination: IpAddress, protocol: ProtocolId, *, hold_early: bool = False) -> Spi:
        await trio.sleep(1)
        if self.fault is not None:
            raise self.fault
        self.order.append("allocated")
        return Spi(0x1000)

    async def release_spi(self, sa: SaId) -> None:
        await trio.lowlevel.checkpoint()
        self.order.append("released")


@dataclass
class Credentials:
    """Does what the test says for whatever is asked, and remembers in which thread."""

    work: Callable[[], object] = frozenset[str]
    threads: list[int] = field(default_factory=list)

    def find_trusting_connections(self, effect: FindTrustingConnections) -> object:
        self.threads.append(threading.get_ident())
        return self.work()

    def trust_anchor_hashes(self, effect: TrustAnchorHashes) -> object:
        self.threads.append(threading.get_ident())
        return self.work()


class NoRoutes:
    """A host without routes."""

    async def source_address_for(self, destination: IpAddress) -> IpAddress | None:
        await trio.lowlevel.checkpoint()
        return None


def perform(
    *effects: Effect[Any],
    kernel: SlowKernel | None = None,
    auth: Credentials | None = None,
    workers: Workers | None = None,
) -> list[tuple[int, Outcome]]:
    """Begin these effects at once, in order, and return tickets and outcomes as they came."""
    outcomes: list[tuple[int, Outcome]] = []

    async def main() -> None:
        performer = Performer(
            Config(),
            cast("AuthService", auth or Credentials()),
            cast("Kernel", kernel or SlowKernel()),
            NoRoutes(),
            SystemEntropy(),
        )
        performer.workers = workers or performer.workers
        everything = trio.Event()

        def complete(ticket: Ticket, outcome: Outcome) -> None:
            outcomes.append((ticket, outcome))
            if len(outcomes) == len(effects):
                everything.set()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(performer.serve_kernel, complete)
            for number, effect in enumerate(effects, 1):
                performer.perform(Ticket(number), effect, nursery, complete)
            await everything.wait()
            nursery.cancel_scope.cancel()

    # Threads do their own time: the clock jumps only while nothing at all is under way.
    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0.05))
    return outcomes


def test_a_fast_key_exchange_is_made_at_once() -> None:
    ((_, outcome),) = perform(MakeKeyExchange(KeMethod.CURVE25519))

    assert isinstance(outcome, Done)
    assert isinstance(outcome.reply, KeyExchange)


def test_both_sides_of_a_slow_key_exchange_come_to_the_same_secret() -> None:
    (_, ours), (_, theirs) = perform(*[MakeKeyExchange(KeMethod.MODP_2048)] * 2)
    assert isinstance(ours, Done)
    assert isinstance(theirs, Done)

    outcomes = perform(
        ComputeSharedSecret(ours.reply, theirs.reply.public), ComputeSharedSecret(theirs.reply, ours.reply.public)
    )

    secrets = [outcome.reply for _, outcome in outcomes if isinstance(outcome, Done)]
    assert len(secrets) == 2
    assert secrets[0] == secrets[1]
    assert isinstance(secrets[0], Secret)


@pytest.mark.parametrize("method", [KeMethod.CURVE25519, KeMethod.MODP_2048])
def test_a_bad_public_value_is_the_peers_fault(method: KeMethod) -> None:
    ((_, made),) = perform(MakeKeyExchange(method))
    assert isinstance(made, Done)

    ((_, outcome),) = perform(ComputeSharedSecret(made.reply, bytes(len(made.reply.public))))

    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, InvalidPublicValue)


def test_what_peers_can_make_slow_runs_in_another_thread() -> None:
    auth = Credentials()

    perform(FindTrustingConnections((), ()), auth=auth)

    assert auth.threads != [threading.get_ident()]


def test_what_is_cheap_runs_at_once() -> None:
    auth = Credentials()

    perform(TrustAnchorHashes(None), auth=auth)

    assert auth.threads == [threading.get_ident()]


def test_no_delete_overtakes_its_add() -> None:
    kernel = SlowKernel()
    spi = SaId(HERE, ProtocolId.ESP, Spi(0x1000))

    outcomes = perform(
        AllocateSpi(HERE, ProtocolId.ESP), ReleaseSpi(spi), AllocateSpi(HERE, ProtocolId.ESP), kernel=kernel
    )

    assert kernel.order == ["allocated", "released", "allocated"]
    assert [ticket for ticket, _ in outcomes] == [1, 2, 3]


def test_the_kernels_refusal_is_the_outcome() -> None:
    refusal = KernelRefused("no memory")

    assert perform(AllocateSpi(HERE, ProtocolId.ESP), kernel=SlowKernel(fault=refusal)) == [(1, Failed(refusal))]


def test_a_failed_authentication_is_the_outcome() -> None:
    fault = AuthenticationFailed("wrong signature")

    def work() -> object:
        raise fault

    assert perform(FindTrustingConnections((), ()), auth=Credentials(work)) == [(1, Failed(fault))]


def test_a_peer_that_is_nowhere_is_the_outcome() -> None:
    ((_, outcome),) = perform(ResolvePath("site"))

    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, PeerUnknown)


def test_a_fault_of_ours_is_logged_and_ends_the_exchange_only(caplog: pytest.LogCaptureFixture) -> None:
    def work() -> object:
        raise ZeroDivisionError("secret detail")

    with caplog.at_level(logging.INFO, "ikepy"):
        ((_, outcome),) = perform(TrustAnchorHashes(None), auth=Credentials(work))

    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, LocalFault)
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert "ZeroDivisionError" in caplog.text


def test_an_effect_nobody_performs_is_an_outcome_too() -> None:
    ((_, outcome),) = perform(Effect())

    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, LocalFault)


def test_more_work_than_may_wait_is_refused_at_once() -> None:
    go_on = threading.Event()

    def work() -> object:
        go_on.wait(5)
        return frozenset()

    effects: list[Effect[Any]] = [FindTrustingConnections((), ())] * 3

    class Door(Workers):
        """Lets the waiting work go on once something was refused."""

        async def do(self, work: Callable[[], Any]) -> Any:
            try:
                return await super().do(work)
            finally:
                if self.refused:
                    go_on.set()

    outcomes = perform(*effects, auth=Credentials(work), workers=Door(threads=1, waiting=2))

    refused = [outcome.error for _, outcome in outcomes if isinstance(outcome, Failed)]
    assert len(refused) == 1
    assert isinstance(refused[0], LocalFault)
