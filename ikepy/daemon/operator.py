"""A running daemon as its operator has it: wishes go in as inputs, and their outcomes are waited for.

Rule 1: a wait is ended by what is so, or by its time; it holds nothing up meanwhile.
Rule 2: what was named and is rekeyed meanwhile is the same still (targets.py).
Not here: the control socket (control/), what is started by itself (ike/keeper.py), listeners (publisher.py).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from functools import partial
from importlib.metadata import version as installed_version

import trio

from ikepy.config.model import ChildConfig, Config, ConnectionConfig
from ikepy.daemon.api import (
    InitiateOutcome,
    InstallOutcome,
    LogLine,
    RekeyOutcome,
    RekeyWish,
    Subscription,
    TerminateOutcome,
    TerminateWish,
)
from ikepy.daemon.clock import Clock
from ikepy.daemon.driver import Driver
from ikepy.daemon.publisher import Publisher, log_lines
from ikepy.daemon.renewing import Renewing
from ikepy.daemon.targets import Target, Targets
from ikepy.ike.actions import Action
from ikepy.ike.errors import PeerUnknown
from ikepy.ike.events import (
    AttemptFailed,
    ChildSaRekeyed,
    ChildSaUp,
    Event,
    IkeSaDown,
    IkeSaRekeyed,
    IkeSaUp,
    IkeSnapshot,
    InstalledPolicy,
)
from ikepy.ipsec import SaCounters, SaId
from ikepy.kernel.interface import Kernel
from ikepy.wire.redirect import Gateway

_LOOK_SECONDS = 0.25
"""How often a wait looks at the SAs, for ends that no event tells of."""
_INSTALL_SECONDS = 10.0
"""How long the kernel, or a name server, may take for a trap or shunt."""
_UP_CHILD_STATES = frozenset({"INSTALLED", "REKEYING", "REKEYED"})
_UP_STATES = frozenset({"ESTABLISHED", "REKEYING"})
NOTHING_FITS = "no matching SAs to {} found"
"""charon's words."""


class NoSuchName(Exception):
    """A wish names no connection or child of the configuration; the message says what is wrong."""


class Operator:
    """The DaemonApi of a running daemon."""

    def __init__(
        self,
        config: Config,
        driver: Driver,
        kernel: Kernel,
        publisher: Publisher,
        clock: Clock,
        dropped_before: Callable[[], Mapping[str, int]] = dict,
        gateway: Callable[[], Mapping[str, str | list[str]]] = dict,
        client: Callable[[], Mapping[str, str]] = dict,
        renewing: Renewing | None = None,
    ) -> None:
        self.gateway, self.client, self._renewing = gateway, client, renewing
        self._config, self._dropped_before = config, dropped_before
        self._driver = driver
        self._kernel = kernel
        self._publisher = publisher
        self._clock = clock
        self._started_at = time.time()

    def certificates(self) -> Mapping[str, str]:
        """Our own certificates by connection, and how long they are good for."""
        return self._renewing.words() if self._renewing is not None else {}

    async def reload(self) -> str:
        """Read keys, certificates and CAs again; empty where all went well."""
        return await self._renewing.reload() if self._renewing is not None else ""

    @property
    def version(self) -> str:
        """The version of ikepy."""
        return installed_version("ikepy")

    @property
    def pid(self) -> int:
        """The process."""
        return os.getpid()

    @property
    def config(self) -> Config:
        """The configuration in force."""
        return self._config

    @property
    def started_at(self) -> float:
        """Seconds since the epoch."""
        return self._started_at

    def now(self) -> float:
        """Seconds of CLOCK_BOOTTIME."""
        return self._clock()

    def snapshot(self) -> tuple[IkeSnapshot, ...]:
        """All IKE SAs as they are now."""
        return self._driver.endpoint.snapshot(self._clock())

    def present_ike(self, unique_id: int) -> int:
        """The number of what has come in the place of that IKE SA; its own where nothing has."""
        return self._publisher.successors.of_ike(unique_id)[-1]

    def drops(self) -> Mapping[str, int]:
        """Datagrams that came to nothing, by the words of their DropReason, or by those of the sockets."""
        dropped = {reason.value: count for reason, count in self._driver.endpoint.drops.items() if count}
        return dropped | dict(self._dropped_before())

    async def counters(self, sa: SaId) -> SaCounters | None:
        """What the kernel counted of a state; None where it has no such state."""
        return await self._kernel.counters(sa)

    def subscribe(self) -> AbstractContextManager[Subscription[Event]]:
        """Events from now on."""
        return self._publisher.subscribe()

    def subscribe_log(self) -> AbstractContextManager[Subscription[LogLine]]:
        """Log lines from now on."""
        return log_lines()

    # -- initiate ------------------------------------------------------------------------------------------------

    async def initiate(self, connection: str | None, child: str | None, timeout: float | None) -> InitiateOutcome:
        """Bring up a child (None: every child) of a connection (None: the one that has such a child)."""
        try:
            found = self._connection(connection, child)
            wanted = _negotiated(found, child)
        except NoSuchName as wrong:
            return InitiateOutcome(succeeded=False, reason=str(wrong))
        with self._publisher.subscribe() as events:
            self._driver.feed("initiate", partial(self._driver.endpoint.initiate, found.name, child))
            if timeout == 0:
                return InitiateOutcome(succeeded=True)
            with trio.move_on_after(float("inf") if timeout is None else timeout):
                return await self._await_children(found.name, wanted, events)
        return InitiateOutcome(succeeded=False, reason=f"not up after {timeout:g} seconds; it goes on trying")

    def _connection(self, name: str | None, child: str | None) -> ConnectionConfig:
        """The connection that is meant by its name, or by a child's; raises NoSuchName."""
        if name is not None:
            found = [c for c in self._config.connections if c.name == name]
        else:
            found = [c for c in self._config.connections if child is not None and c.child(child) is not None]
        if not found:
            wanted = f"connection {name}" if name is not None else f"connection with a child {child}"
            raise NoSuchName(f"there is no {wanted}")
        if len(found) > 1:
            names = ", ".join(each.name for each in found)
            raise NoSuchName(f"child {child} is in connections {names}: name one")
        if child is not None and found[0].child(child) is None:
            raise NoSuchName(f"connection {found[0].name} has no child {child}")
        return found[0]

    async def _await_children(self, connection: str, wanted: set[str], events: Subscription[Event]) -> InitiateOutcome:
        """Wait until all wanted children are up, or (none wanted) the IKE SA is, or one of it has failed."""
        begun = {sa.unique_id for sa in self.snapshot() if sa.connection == connection}
        missing = set(wanted)
        while True:
            event = await _next_or_none(events, _LOOK_SECONDS)
            match event:
                case ChildSaUp(ike, child) | ChildSaRekeyed(ike, _, child) if ike.connection == connection:
                    missing.discard(child.name)
                case AttemptFailed(name, child, unique_id, reason) if name == connection:
                    if (child is None or child in missing) and (unique_id in begun or not begun):
                        return InitiateOutcome(succeeded=False, reason=reason)
                case IkeSaDown(ike, reason) if ike.unique_id in begun:
                    return InitiateOutcome(succeeded=False, reason=reason)
                case IkeSaUp(ike) | IkeSaRekeyed(_, ike) if ike.connection == connection:
                    begun.add(ike.unique_id)
            now = [sa for sa in self.snapshot() if sa.connection == connection]
            up = {c.name for sa in now for c in sa.children if c.state in _UP_CHILD_STATES}
            missing -= up
            if not missing and (wanted or any(sa.state in _UP_STATES for sa in now)):
                return InitiateOutcome(succeeded=True)
            if event is None and not now:
                return InitiateOutcome(succeeded=False, reason="the IKE SA ended before its children were up")

    # -- rekey ---------------------------------------------------------------------------------------------------

    async def rekey(self, wish: RekeyWish, timeout: float | None) -> RekeyOutcome:
        """Have SAs rekeyed and wait until they are."""
        targets = Targets(wish, self.snapshot(), self._publisher.successors)
        if not targets.all:
            return RekeyOutcome(0, NOTHING_FITS.format("rekey"))
        targets.all = [each for each in targets.all if each.can_be_rekeyed]
        matches = len(targets.all)
        if not matches:
            return RekeyOutcome(0, "what fits is not up, or is being replaced: look again in a moment")
        with self._publisher.subscribe() as events:
            ike_ids, child_ids = targets.ike_ids, targets.child_ids
            rekey = partial(self._driver.endpoint.rekey, ike_ids=ike_ids, child_ids=child_ids, reauth=wish.reauth)
            self._driver.feed("rekey", rekey)
            if timeout == 0:
                return RekeyOutcome(matches)
            with trio.move_on_after(float("inf") if timeout is None else timeout):
                await_them = self._await_reauthenticated if wish.reauth else self._await_rekeyed
                return RekeyOutcome(matches, await await_them(targets, events))
        return RekeyOutcome(matches, f"not rekeyed after {timeout:g} seconds; it goes on trying")

    async def _await_rekeyed(self, targets: Targets, events: Subscription[Event]) -> str:
        """Wait until all have successors; why one has none and never will, empty where all have."""
        waiting = targets.all
        while waiting := [each for each in waiting if not targets.successors_of(each, each.unique_id)]:
            there = targets.look(self.snapshot())
            for each in waiting:
                if each not in there:
                    return f"{each.name} ended before it was rekeyed"
            await _next_or_none(events, _LOOK_SECONDS)
        return ""

    async def _await_reauthenticated(self, targets: Targets, events: Subscription[Event]) -> str:
        """Wait until new IKE SAs are there and the old ones are gone; why that came to nothing, empty where it did not."""
        connections = {each.ike.connection for each in targets.all}
        while True:
            event = await _next_or_none(events, _LOOK_SECONDS)
            match event:
                case AttemptFailed(connection, None, _, reason) if connection in connections:
                    return reason
            now = self.snapshot()
            if targets.look(now):
                continue
            lacking = [each.name for each in targets.all if not any(_is_made_anew(each, sa) for sa in now)]
            if not lacking:
                return ""
            if event is None and not any(sa.connection in lacking for sa in now):
                return f"{lacking[0]} ended before it was made anew"

    # -- terminate -----------------------------------------------------------------------------------------------

    async def terminate(self, wish: TerminateWish, timeout: float | None) -> TerminateOutcome:
        """End SAs and wait until they are gone."""
        targets = Targets(wish, self.snapshot(), self._publisher.successors)
        if not targets.all:
            return self._give_up(wish)
        matches = len(targets.all)
        with self._publisher.subscribe() as events:
            end = partial(self._driver.endpoint.terminate, ike_ids=targets.ike_ids, child_ids=targets.child_ids)
            self._driver.feed("terminate", end)
            if wish.force and timeout is None:
                self._close(targets)
            if timeout == 0:
                return TerminateOutcome(matches, matches)
            with trio.move_on_after(float("inf") if timeout is None else timeout):
                while targets.look(self.snapshot()):
                    await _next_or_none(events, _LOOK_SECONDS)
            if wish.force:
                self._close(targets)
        left = len(targets.look(self.snapshot()))
        reason = f"{left} of {matches} not gone after {timeout:g} seconds" if left else ""
        return TerminateOutcome(matches, matches - left, reason)

    def _close(self, targets: Targets) -> None:
        """Wait no longer for the answers to our DELETEs."""
        for ike_id in targets.ike_ids:
            self._driver.feed("terminate", partial(self._driver.endpoint.fail_sa, ike_id, "terminated"))

    def _give_up(self, wish: TerminateWish) -> TerminateOutcome:
        """Nothing is there that fits: what is tried again and again by that name is tried no more."""
        found = False

        def forget(connection: str, now: float) -> list[Action]:
            nonlocal found
            was_wanted, actions = self._driver.endpoint.forget(connection, wish.child, now)
            found |= was_wanted
            return actions

        if wish.ike_id is None and wish.child_id is None:
            for connection in self._config.connections:
                named = wish.child is None or connection.child(wish.child) is not None
                if named and wish.ike in {None, connection.name} and (wish.ike, wish.child) != (None, None):
                    self._driver.feed("terminate", partial(forget, connection.name))
        return TerminateOutcome(0, 0, "" if found else NOTHING_FITS.format("terminate"), given_up=found)

    # -- redirect ------------------------------------------------------------------------------------------------

    def redirect(self, gateway: Gateway, ike: str | None, ike_id: int | None) -> int:
        """Send clients to another gateway; how many were told to go, who does not follow redirects not among them."""
        meant = [sa for sa in self.snapshot() if sa.unique_id == ike_id or (ike_id is None and sa.connection == ike)]
        told = 0

        def step(now: float) -> list[Action]:
            nonlocal told
            ike_ids = tuple(sa.unique_id for sa in meant)
            told, actions = self._driver.endpoint.redirect(gateway, now, ike_ids=ike_ids)
            return actions

        self._driver.feed("redirect", step)
        return told

    # -- traps and shunts ----------------------------------------------------------------------------------------

    def policies(self) -> tuple[InstalledPolicy, ...]:
        """The traps and shunts that are in the kernel."""
        return self._driver.endpoint.policies()

    async def install(self, connection: str | None, child: str) -> InstallOutcome:
        """Put the trap or shunt of a child into the kernel and wait until it is there."""
        return await self._place(connection, child, is_wanted=True)

    async def uninstall(self, connection: str | None, child: str) -> InstallOutcome:
        """Take the trap or shunt of a child out of the kernel and wait until it is gone."""
        return await self._place(connection, child, is_wanted=False)

    async def _place(self, connection: str | None, child: str, *, is_wanted: bool) -> InstallOutcome:
        endpoint = self._driver.endpoint
        refusals: list[str] = []

        def step(now: float) -> list[Action]:
            try:
                return (endpoint.install if is_wanted else endpoint.uninstall)(name, child, now)
            except (KeyError, PeerUnknown) as refusal:
                refusals.append(str(refusal.args[0]))
                return []

        try:
            name = self._connection(connection, child).name
        except NoSuchName as wrong:
            return InstallOutcome(succeeded=False, reason=str(wrong))
        self._driver.feed("install" if is_wanted else "uninstall", step)
        if refusals:
            return InstallOutcome(succeeded=False, reason=refusals[0])
        with trio.move_on_after(_INSTALL_SECONDS):
            while is_wanted is not any((p.connection, p.name) == (name, child) for p in self.policies()):  # noqa: ASYNC110 - no event tells of it
                await trio.sleep(_LOOK_SECONDS / 10)
            return InstallOutcome(succeeded=True)
        which = "is not in the kernel" if is_wanted else "is still in the kernel"
        reason = f"it {which} after {_INSTALL_SECONDS:g} seconds: the log says why; it goes on trying"
        return InstallOutcome(succeeded=False, reason=reason)


def _negotiated(connection: ConnectionConfig, child: str | None) -> set[str]:
    """The names of the children that are to come up: one, or all; raises NoSuchName where these are shunts."""
    meant = [each for each in connection.children if child in {None, each.name}]
    shunts = [each for each in meant if each.is_shunt]
    if meant and len(shunts) == len(meant):
        raise NoSuchName(f"{_listed(shunts)}: nothing is negotiated, `swanctl --install` puts its policies in")
    return {each.name for each in meant if not each.is_shunt}


def _listed(shunts: list[ChildConfig]) -> str:
    return ", ".join(f"child {each.name} is a shunt (mode = {each.mode.value})" for each in shunts)


def _is_made_anew(old: Target, sa: IkeSnapshot) -> bool:
    """Whether this IKE SA may be the one that was made in the place of the old one."""
    same_peer = (sa.connection, sa.remote_id) == (old.ike.connection, old.ike.remote_id)
    return same_peer and sa.state in _UP_STATES and sa.unique_id > old.unique_id


async def _next_or_none(events: Subscription[Event], seconds: float) -> Event | None:
    with trio.move_on_after(seconds):
        return await events.next()
    try:
        return events.next_nowait()  # it may have come in the last instant
    except trio.WouldBlock:
        return None
