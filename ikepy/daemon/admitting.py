"""How the effects that let a client in are performed: EAP, addresses of pools, addresses of our own.

Rule 1: EAP is work for a thread: scrypt and RSA take tens of milliseconds.
Rule 2: who guessed passwords wrong waits before the next packet is looked at; who waits in vain is refused.
Rule 3: leases are lent and given back in the order in which that was wanted.
Not here: EAP (auth/eap_service.py), the book of leases (leases/).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import trio

from ikepy.auth.eap_service import EapService
from ikepy.daemon.clock import Clock
from ikepy.daemon.fetching import Fetching
from ikepy.daemon.gatewaying import Gatewaying
from ikepy.daemon.ways import AtOnce, InBook, InKernel, InThread, Waiting, Way
from ikepy.daemon.workers import Workers
from ikepy.ike.admission import (
    AddressesRefused,
    AnswerEap,
    BeginEap,
    DropAddresses,
    EapIdentity,
    FollowEap,
    HoldAddresses,
    JoinEap,
    Lease,
    LendAddresses,
    ReturnAddresses,
    VerifyEapAuth,
)
from ikepy.ike.eap_turns import ServerTurn
from ikepy.ike.effects import Effect
from ikepy.ike.errors import AuthenticationFailed
from ikepy.kernel.interface import LinkTable
from ikepy.leases import LeaseRefused, Leases, LeaseStoreError, NoSuchFamily

MOST_WAITS = 2
"Waits of one packet; who is slowed down still after these is refused."


class Admitting:
    """Performs them, with the users and the book of one daemon; without pools there is no book."""

    def __init__(
        self,
        eap: EapService,
        leases: Leases | None,
        links: LinkTable,
        workers: Workers,
        clock: Clock,
        gateway: Gatewaying,
        fetching: Fetching,
    ) -> None:
        self.eap = eap
        self._gateway = gateway
        self._leases = leases
        self._workers = workers
        self._clock = clock
        self.ways: dict[type[Effect[Any]], Callable[[Any], Way]] = {
            BeginEap: lambda effect: InThread(partial(self.eap.begin, effect)),
            AnswerEap: lambda effect: Waiting(partial(self._answer, effect)),
            EapIdentity: lambda effect: Waiting(partial(fetching.verified, partial(self.eap.identify, effect))),
            VerifyEapAuth: lambda effect: AtOnce(partial(self.eap.verify, effect)),
            JoinEap: lambda effect: InThread(partial(self.eap.join, effect)),
            FollowEap: lambda effect: InThread(partial(self.eap.follow, effect)),
            LendAddresses: lambda effect: InBook(partial(lend, self._leases, effect), partial(self._let_in, effect)),
            ReturnAddresses: lambda effect: InBook(partial(give_back, self._leases, effect), self._let_out),
            HoldAddresses: lambda effect: InKernel(partial(links.hold_addresses, effect.addresses, effect.interface)),
            DropAddresses: lambda effect: InKernel(partial(links.drop_addresses, effect.addresses)),
        }

    async def _let_in(self, effect: LendAddresses, leases: tuple[Lease, ...]) -> tuple[Lease, ...]:
        """Have the gateway let the client's packets through; the addresses go back where it cannot."""
        try:
            await self._gateway.lent([lease.address for lease in leases], effect.groups)
        except AddressesRefused:
            await self._workers.do(partial(give_back, self._leases, ReturnAddresses(leases)))
            raise
        return leases

    async def _let_out(self, released: tuple[Lease, ...]) -> None:
        await self._gateway.returned([lease.address for lease in released])

    def _answer(self, effect: AnswerEap) -> Awaitable[ServerTurn]:
        return self._answer_in_time(effect)

    async def _answer_in_time(self, effect: AnswerEap) -> ServerTurn:
        for _ in range(MOST_WAITS):
            wait = self.eap.wait(effect, self._clock())
            if wait <= 0:
                break
            await trio.sleep(wait)
        else:
            if self.eap.wait(effect, self._clock()) > 0:
                raise AuthenticationFailed(
                    "too many wrong passwords from there, or for that name: it is refused for some seconds"
                )
        return await self._workers.do(partial(self.eap.answer, effect, self._clock()))


def lend(book: Leases | None, effect: LendAddresses) -> tuple[Lease, ...]:
    """Lend what the pools have of what is wanted, each family by itself; raises AddressesRefused."""
    if book is None:
        raise AddressesRefused("there are no pools")
    found: list[Lease] = []
    refusal = "the client wants no address of a family that the pools have"
    try:
        for wanted in effect.wanted:
            try:
                again = [lease for lease in effect.instead_of if lease.address.version == wanted.family]
                found.append(book.acquire(effect.pools, effect.identity, wanted.family, wanted.address, again))
            except NoSuchFamily as refused:
                refusal = str(refused) if not found else refusal
            except LeaseRefused as refused:
                raise AddressesRefused(str(refused)) from refused
    except (AddressesRefused, LeaseStoreError) as fault:
        for lease in found:
            book.release(lease)
        raise AddressesRefused(str(fault)) from fault
    if not found:
        raise AddressesRefused(refusal)
    return tuple(found)


def give_back(book: Leases | None, effect: ReturnAddresses) -> tuple[Lease, ...]:
    """Give leases back, and say which were; those that went over to another session stay."""
    return tuple(lease for lease in effect.leases if book is not None and book.release(lease))
