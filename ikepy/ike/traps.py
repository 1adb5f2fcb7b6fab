"""Traps and shunts: policies that stand in the kernel without states, from the start on.

A trap is a child's policies with no state behind them: a packet that meets them makes the kernel ask for one (Acquire),
and what comes in clear where it should be protected is lost. A shunt lets its packets pass in clear, or discards them.

Rule 1: what is wanted and what stands are two facts; one coroutine a policy brings the second in line with the first.
Rule 2: after each await it is looked again what is wanted: an uninstall may have come meanwhile.
Rule 3: policies that only change are changed in place: there is no instant without them.
Not here: who wants them (keeper.py), owners of equal policies (kernel/owners.py).
"""

from __future__ import annotations

from dataclasses import dataclass

from ikepy.config.model import AddressPatternKind, ChildConfig
from ikepy.ike.actions import Path
from ikepy.ike.backoff import wait_after
from ikepy.ike.child import expand, make_policies, priority
from ikepy.ike.effects import AskAgain, InstallPolicies, RemovePolicies, ResolvePath
from ikepy.ike.ends import ends_of
from ikepy.ike.errors import IkeError, PeerUnknown
from ikepy.ike.events import InstalledPolicy
from ikepy.ike.keeper_host import KeeperHost, KeeperTimer, Purpose
from ikepy.ike.wanting import Named
from ikepy.ipsec import Direction, Mode, Owner, PolicyAction, PolicySpec
from ikepy.wire.ts import TrafficSelector

BEFORE = 1
"How much smaller a shunt's priority number is than that of a protecting policy of equal selectors."
_ACTIONS = {Mode.PASS: PolicyAction.BYPASS, Mode.DROP: PolicyAction.DISCARD}
Name = tuple[str, str]
"""The names of a connection and of its child."""


@dataclass(frozen=True, slots=True)
class Placed:
    """What stands in the kernel, or is about to: for which configuration, and with which selectors.

    reqid   that of a trap; None of a shunt
    """

    owner: Owner
    named: Named
    reqid: int | None
    local_ts: tuple[TrafficSelector, ...]
    remote_ts: tuple[TrafficSelector, ...]
    policies: tuple[PolicySpec, ...]


@dataclass(slots=True)
class Standing:
    """One trap or shunt: what is wanted (None: nothing), what stands, and whether it is being seen to."""

    wanted: Named | None = None
    placed: Placed | None = None
    is_busy: bool = False

    @property
    def is_settled(self) -> bool:
        """Whether what stands is what is wanted."""
        return (self.placed.named if self.placed is not None else None) is self.wanted


@dataclass(slots=True)
class Failing:
    """The traps and shunts of one connection that could not be put in, and the next try."""

    names: dict[Name, None]
    tries: int = 0
    again_at: float = 0.0


class Traps:
    """The traps and shunts of an endpoint, by the names of their children."""

    def __init__(self, host: KeeperHost) -> None:
        self._host = host
        self._standing: dict[Name, Standing] = {}
        self._by_reqid: dict[int, Name] = {}
        self._failing: dict[str, Failing] = {}

    # -- wanting -------------------------------------------------------------------------------------------------

    def install(self, named: Named) -> None:
        """Have the trap or shunt of a child in the kernel; nothing where that is so. Raises PeerUnknown."""
        check_can_stand(named)
        name = (named.connection.name, named.child.name)
        standing = self._standing.setdefault(name, Standing())
        if standing.wanted is None or not standing.wanted.is_same_as(named):
            standing.wanted = named
        self._settle(name)

    def uninstall(self, name: Name) -> bool:
        """Have it out of the kernel; says whether it was wanted."""
        standing = self._standing.get(name)
        if standing is None or standing.wanted is None:
            return False
        standing.wanted = None
        self._settle(name)
        return True

    def is_wanted(self, name: Name) -> bool:
        """Whether the trap or shunt of the child stands or is to stand."""
        standing = self._standing.get(name)
        return standing is not None and standing.wanted is not None

    def uninstall_all(self) -> None:
        """Have them all out of the kernel."""
        for name in tuple(self._standing):
            self.uninstall(name)

    # -- looking -------------------------------------------------------------------------------------------------

    def name_of(self, reqid: int) -> Name | None:
        """Whose trap has that request ID; None where none has."""
        return self._by_reqid.get(reqid)

    def policies(self) -> tuple[InstalledPolicy, ...]:
        """What stands in the kernel."""
        return tuple(
            InstalledPolicy(child, connection, placed.named.child.mode, placed.local_ts, placed.remote_ts)
            for (connection, child), standing in self._standing.items()
            if (placed := standing.placed) is not None
        )

    # -- doing ---------------------------------------------------------------------------------------------------

    def let_ask_again(self, connection: str) -> None:
        """What packets asked of the connection's traps came to nothing: the next one may ask."""
        for reqid, name in tuple(self._by_reqid.items()):
            if name[0] == connection:
                self._host.run(f"trap of {' '.join(name)}", _ask_again(reqid))

    def try_again(self, connection: str) -> None:
        """The wait after a failed try is over."""
        failing = self._failing.get(connection)
        for name in tuple(failing.names) if failing is not None else ():
            self._settle(name)

    def _settle(self, name: Name) -> None:
        standing = self._standing[name]
        if standing.is_busy:
            return
        if standing.is_settled:
            self._settled(name, standing)
        else:
            standing.is_busy = True
            self._host.run(f"policies of {' '.join(name)}", self._bring_in_line(name, standing))

    async def _bring_in_line(self, name: Name, standing: Standing) -> None:
        try:
            while not standing.is_settled:
                if standing.wanted is None:
                    await self._take_out(name, standing)
                else:
                    await self._put_in(name, standing, standing.wanted)
            self._settled(name, standing)
        except IkeError as fault:
            if standing.is_settled:
                self._settled(name, standing)
            else:
                self._wait(name, fault)
        finally:
            standing.is_busy = False

    def _settled(self, name: Name, standing: Standing) -> None:
        if standing.wanted is None:
            del self._standing[name]
        failing = self._failing.get(name[0])
        if failing is None:
            return
        failing.names.pop(name, None)
        if not failing.names:
            del self._failing[name[0]]
            self._host.clear_timer(KeeperTimer(Purpose.POLICIES, name[0]))

    async def _put_in(self, name: Name, standing: Standing, wanted: Named) -> None:
        """Put what is wanted into the kernel; raises PeerUnknown, TsUnacceptable, KernelRefused, PolicyTaken."""
        path = None if wanted.child.is_shunt else (await ResolvePath(wanted.connection.name))[0]
        if standing.wanted is not wanted:
            return
        new, old = self._make(wanted, path), standing.placed
        try:
            if old is not None and _keys(old) != _keys(new):
                await self._take_out(name, standing)
                old = None
            if new.reqid is not None:
                self._by_reqid[new.reqid] = name
            if old is None or old.policies != new.policies:
                await InstallPolicies(new.owner, new.policies)
        except IkeError:
            self._drop(name, standing, new)
            raise
        standing.placed = new
        self._drop(name, standing, old)
        self._host.decided(_worded(new))

    async def _take_out(self, name: Name, standing: Standing) -> None:
        """Take what stands out of the kernel; what the kernel says to it changes nothing."""
        old, standing.placed = standing.placed, None
        if old is None:
            return
        try:
            await RemovePolicies(old.owner)
        except IkeError as fault:
            self._host.decided(f"{old.owner} could not be taken out of the kernel: {fault}", warning=True)
        self._drop(name, standing, old)

    def _make(self, named: Named, path: Path | None) -> Placed:
        """Word a trap (on its path) or a shunt (None) for the kernel."""
        child, owner = named.child, owner_of(named)
        if path is None:
            return Placed(owner, named, None, child.local_ts, child.remote_ts, make_shunt_policies(child))
        ends = ends_of(path)
        local, remote = ends.local_of(child), ends.remote_of(child)
        pairs = expand(local, remote)
        reqid = self._host.reqid_for(named.connection.name, child.name)
        return Placed(owner, named, reqid, local, remote, make_policies(child, pairs, path, reqid))

    def _drop(self, name: Name, standing: Standing, placed: Placed | None) -> None:
        """It stands no more; where nothing with its request ID does, packets that ask by that are nobody's."""
        if placed is None or placed.reqid is None:
            return
        self._host.drop_reqid(placed.reqid)
        if standing.placed is None or standing.placed.reqid != placed.reqid:
            self._by_reqid.pop(placed.reqid, None)

    def _wait(self, name: Name, fault: IkeError) -> None:
        """A try has failed: wait before the next. Of one try's failures the first counts, and the first try's warns."""
        connection, child = name
        failing = self._failing.setdefault(connection, Failing({}))
        failing.names[name] = None
        if failing.again_at <= self._host.now:
            failing.tries += 1
            failing.again_at = self._host.now + wait_after(failing.tries, self._host.entropy)
        self._host.set_timer(KeeperTimer(Purpose.POLICIES, connection), failing.again_at)
        self._host.decided(
            f"connection {connection}, child {child}: its policies are not in the kernel, "
            f"trying again in {failing.again_at - self._host.now:.1f} seconds: {fault}",
            warning=failing.tries == 1,
        )


async def _ask_again(reqid: int) -> None:
    await AskAgain(reqid)


def check_can_stand(named: Named) -> None:
    """A trap needs a peer whose address is known, for whom it asks; raises PeerUnknown."""
    patterns = named.connection.remote_addrs
    known = any(each.single is not None or each.kind is AddressPatternKind.NAME for each in patterns)
    if not known and not named.child.is_shunt:
        raise PeerUnknown(
            f"child {named.child.name} can have no trap: "
            f"set remote_addrs of connection {named.connection.name} to one address or name"
        )


def owner_of(named: Named) -> Owner:
    """Who holds the policies of a child's trap, or of a shunt."""
    kind = "shunt" if named.child.is_shunt else "trap"
    return Owner(f"{kind}-{named.connection.name}-{named.child.name}")


def make_shunt_policies(child: ChildConfig) -> tuple[PolicySpec, ...]:
    """The policies of a shunt, looked at before a protecting policy of equal selectors; raises as expand() does."""
    return tuple(
        PolicySpec(
            selector if direction is Direction.OUT else selector.reversed(),
            direction,
            _ACTIONS[child.mode],
            None,
            priority(selector) - BEFORE,
            child.mark_of(inbound=direction is not Direction.OUT),
            child.if_id_of(inbound=direction is not Direction.OUT),
        )
        for selector in expand(child.local_ts, child.remote_ts)
        for direction in (Direction.OUT, Direction.IN, Direction.FORWARD)
    )


def _keys(placed: Placed) -> frozenset[object]:
    """What must be equal for policies to be changed in place: what the kernel tells them apart by, and whose they are."""
    return frozenset(
        (placed.owner, placed.reqid, each.selector, each.direction, each.action, each.mark, each.if_id)
        for each in placed.policies
    )


def _worded(placed: Placed) -> str:
    named = placed.named
    kind = f"{named.child.mode.value} shunt" if named.child.is_shunt else "trap"
    local, remote = (", ".join(map(str, selectors)) for selectors in (placed.local_ts, placed.remote_ts))
    return f"connection {named.connection.name}, child {named.child.name}: {kind} installed: {local} = {remote}"
