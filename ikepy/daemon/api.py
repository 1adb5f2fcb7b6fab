"""What the running daemon offers to whoever operates it: the control socket, and tests.

Rule 1: everything here is said in the Endpoint's own values; wording them for VICI or a table is the caller's.
Rule 2: a subscription has a bound and counts what it loses; a slow listener never holds up the daemon.
Not here: how it is done (service.py), the control socket's protocol (control/).

The control server is used as `await nursery.start(ControlServer(daemon).serve, run_directory / "control.sock")`:
it makes the socket (mode 0600), says `task_status.started()` when clients can connect, and ends by cancellation.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import trio

from ikepy.config.model import Config
from ikepy.ike.events import Event, IkeSnapshot, InstalledPolicy
from ikepy.ipsec import SaCounters, SaId
from ikepy.wire.redirect import Gateway

Item = TypeVar("Item")


class Subscription(Generic[Item]):
    """A bounded queue of what happens from now on; what finds it full is lost and counted."""

    def __init__(self, bound: int = 1000) -> None:
        self._send, self._receive = trio.open_memory_channel[Item](bound)
        self.lost = 0

    def offer(self, item: Item) -> None:
        """Put the item in, or count it as lost."""
        try:
            self._send.send_nowait(item)
        except trio.WouldBlock:
            self.lost += 1

    async def next(self) -> Item:
        """Wait for the next item."""
        return await self._receive.receive()

    def next_nowait(self) -> Item:
        """Return the next item if there is one; raises trio.WouldBlock."""
        return self._receive.receive_nowait()


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of the log, as `control-log` passes it on.

    level   logging's number: 10 DEBUG, 20 INFO, 30 WARNING, 40 ERROR
    """

    level: int
    text: str


@dataclass(frozen=True, slots=True)
class InitiateOutcome:
    """What came of a wish to initiate.

    reason   why not, one sentence; empty where it succeeded
    """

    succeeded: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class TerminateOutcome:
    """What came of a wish to terminate.

    matches      how many SAs were meant
    terminated   how many of them are gone
    reason       why not all, one sentence; empty where all are gone
    given_up     whether nothing was there, and tries to bring it up are given up
    """

    matches: int
    terminated: int
    reason: str = ""
    given_up: bool = False


@dataclass(frozen=True, slots=True)
class RekeyOutcome:
    """What came of a wish to rekey.

    matches   how many SAs were meant
    reason    why not all are, or will be, rekeyed, one sentence; empty where nothing speaks against it
    """

    matches: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class InstallOutcome:
    """What came of a wish to have a trap or shunt in the kernel, or out of it.

    reason   why not, one sentence; empty where it succeeded
    """

    succeeded: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class TerminateWish:
    """Which SAs are to end; what is None does not narrow the choice, and at least one must be given.

    ike, ike_id      connection's name, IKE SA's unique number: without child or child_id the IKE SA ends
    child, child_id  child's name or unique number: only that child ends
    force            the peer is told, and its answer waited for no longer than `timeout` (None: not at all)
    """

    ike: str | None = None
    ike_id: int | None = None
    child: str | None = None
    child_id: int | None = None
    force: bool = False


@dataclass(frozen=True, slots=True)
class RekeyWish:
    """Which SAs are to be rekeyed; what is None does not narrow the choice, and at least one must be given.

    ike, ike_id      connection's name, IKE SA's unique number: without child or child_id the IKE SA is
    child, child_id  child's name or unique number: only that child is
    reauth           both sides of the IKE SA prove anew who they are
    """

    ike: str | None = None
    ike_id: int | None = None
    child: str | None = None
    child_id: int | None = None
    reauth: bool = False


class DaemonApi(Protocol):
    """A running daemon, seen by its operator."""

    @property
    def version(self) -> str:
        """The version of ikepy."""

    @property
    def pid(self) -> int:
        """The process."""

    @property
    def config(self) -> Config:
        """The configuration in force."""

    @property
    def started_at(self) -> float:
        """Seconds since the epoch."""

    def now(self) -> float:
        """The Endpoint's clock, which the instants in snapshots are of: seconds of CLOCK_BOOTTIME."""

    def snapshot(self) -> tuple[IkeSnapshot, ...]:
        """All IKE SAs as they are now."""

    def drops(self) -> Mapping[str, int]:
        """Datagrams that came to nothing, by the words of their DropReason."""

    def gateway(self) -> Mapping[str, str | list[str]]:
        """What is in force where this host is a gateway, in words; empty where it is none."""

    def certificates(self) -> Mapping[str, str]:
        """Our own certificates by connection, and how long they are good for, in words."""

    async def reload(self) -> str:
        """Read keys, certificates, CAs and users again; why that was not done, empty where it was."""

    def client(self) -> Mapping[str, str]:
        """What is in force on this host as a client of gateways, in words; empty where nothing is."""

    async def counters(self, sa: SaId) -> SaCounters | None:
        """What the kernel counted of a state; None where it has no such state."""

    async def initiate(self, connection: str | None, child: str | None, timeout: float | None) -> InitiateOutcome:
        """Bring up a child (None: every child) of a connection (None: the one that has such a child).

        timeout  seconds to wait for the outcome; None for ever, 0 not at all (succeeded: it was begun)
        """

    async def terminate(self, wish: TerminateWish, timeout: float | None) -> TerminateOutcome:
        """End SAs and wait until they are gone; `timeout` as for initiate."""

    async def rekey(self, wish: RekeyWish, timeout: float | None) -> RekeyOutcome:
        """Have SAs rekeyed and wait until they are; `timeout` as for initiate."""

    def redirect(self, gateway: Gateway, ike: str | None, ike_id: int | None) -> int:
        """Send the clients of a connection, or of one IKE SA, to another gateway; says how many were told to go."""

    def present_ike(self, unique_id: int) -> int:
        """The number of the IKE SA that has come in the place of that one by rekeys; its own where none has."""

    def policies(self) -> tuple[InstalledPolicy, ...]:
        """The traps and shunts that are in the kernel."""

    async def install(self, connection: str | None, child: str) -> InstallOutcome:
        """Put the trap or shunt of a child into the kernel and wait until it is there.

        connection   None: the one that has such a child
        """

    async def uninstall(self, connection: str | None, child: str) -> InstallOutcome:
        """Take the trap or shunt of a child out of the kernel and wait until it is gone; `connection` as for install."""

    def subscribe(self) -> AbstractContextManager[Subscription[Event]]:
        """Events from now on, for as long as the context lasts."""

    def subscribe_log(self) -> AbstractContextManager[Subscription[LogLine]]:
        """Log lines from now on, for as long as the context lasts."""
