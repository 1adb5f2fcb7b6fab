"""Keeper: keeps what the configuration wants: children up, traps and shunts in the kernel.

Rule 1: it is told of every child that comes up, ends or comes to nothing, and decides by the configuration and the cause.
Rule 2: an end only sets a timer; what follows begins when that comes (efforts.py).
Rule 3: after stop() nothing is wanted any more.
Not here: what follows from which cause (wanting.py), tries (efforts.py), policies (traps.py), IKE SAs (endpoint.py).
"""

from __future__ import annotations

from ikepy.config.model import Config
from ikepy.ike.causes import Cause
from ikepy.ike.efforts import Effort
from ikepy.ike.errors import IkeError
from ikepy.ike.events import Acquire, InstalledPolicy
from ikepy.ike.keeper_host import KeeperHost, KeeperTimer, Purpose
from ikepy.ike.traps import Traps
from ikepy.ike.wanting import Aim, Named, action_at_start, changes, children_of

STRAY_INTERVAL = 60.0
"Seconds between two lines about packets that ask for children of no trap of ours."


class Keeper:
    """What is wanted of the children of an endpoint's configuration."""

    def __init__(self, host: KeeperHost) -> None:
        self._host, self._config = host, host.config
        self._efforts: dict[str, Effort] = {}
        self._traps = Traps(host)
        self._is_stopped = False
        self._strays, self._stray_told_at = 0, float("-inf")

    # -- beginning and ending ------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin what start_action says: traps and shunts, then the children that are to be up."""
        named = tuple(children_of(self._config).values())
        for each in named:
            if action_at_start(each.child) is Aim.POLICIES:
                self._install(each)
        for connection in self._config.connections:
            names = [child.name for child in connection.children if action_at_start(child) is Aim.UP]
            effort = self._effort(connection.name)
            if names and effort is not None:
                effort.want(names)
                effort.try_now()

    def stop(self) -> None:
        """Want nothing any more, and take traps and shunts out of the kernel."""
        self._is_stopped = True
        for effort in self._efforts.values():
            effort.forget(child.name for child in effort.connection.children)
        self._traps.uninstall_all()

    def replace_config(self, config: Config) -> None:
        """Want what another configuration says; what is the same in both is left alone."""
        old, self._config = self._config, config
        for effort in tuple(self._efforts.values()):
            connection = config.connection(effort.connection.name)
            if connection is None:
                effort.forget(child.name for child in effort.connection.children)
                del self._efforts[effort.connection.name]
            else:
                effort.connection = connection
        if not self._is_stopped:
            for was, is_now in changes(old, config):
                self._change(was, is_now)

    # -- told by the endpoint ------------------------------------------------------------------------------------

    def child_up(self, connection: str, child: str) -> None:
        """A child is up, whoever began it; not told when one only takes another's place by a rekey."""
        effort = self._effort(connection)
        if effort is not None:
            effort.came_up(child)

    def child_ended(self, connection: str, child: str, cause: Cause) -> None:
        """A child that was up is gone, and nothing has come in its place."""
        effort = self._effort(connection)
        if effort is None or not effort.ended(child, cause):
            return
        named = self._named(connection, child)
        if named is not None:
            self._install(named)

    def attempt_failed(self, connection: str, child: str | None, cause: Cause) -> None:
        """A child came to nothing; with None an IKE SA is over or came to nothing, and what waited for it as well."""
        effort = self._effort(connection)
        if effort is not None and effort.failed(child, cause):
            self._traps.let_ask_again(connection)

    def acquired(self, acquire: Acquire) -> None:
        """A packet met a trap."""
        name = self._traps.name_of(acquire.reqid)
        if name is None:
            self._tell_of_stray(acquire)
            return
        connection, child = name
        effort = self._effort(connection)
        if effort is not None:
            effort.packet_came(child, acquire.selector)

    def handle_timeout(self, timer: KeeperTimer) -> None:
        """One of the instants has come that set_timer() was told."""
        if timer.purpose is Purpose.POLICIES:
            self._traps.try_again(timer.connection)
        elif timer.connection in self._efforts:
            self._efforts[timer.connection].try_now()

    # -- told by the operator ------------------------------------------------------------------------------------

    def install(self, connection: str, child: str) -> None:
        """Put the trap or shunt of a child into the kernel; nothing where it is there.

        Raises KeyError where the configuration has no such child, PeerUnknown where its peer's address is not known.
        """
        named = self._named(connection, child)
        if named is None:
            raise KeyError(f"connection {connection} has no child {child!r}")
        self._traps.install(named)

    def uninstall(self, connection: str, child: str) -> None:
        """Take the trap or shunt of a child out of the kernel. Raises KeyError where there is none."""
        if not self._traps.uninstall((connection, child)):
            raise KeyError(f"child {child!r} of connection {connection} has no trap or shunt installed")

    def want(self, connection: str, children: tuple[str, ...]) -> None:
        """Want children up that were up, whatever their start_action says; tried until they are, or tries are used up."""
        effort = self._effort(connection)
        if effort is not None:
            effort.want(children)

    def forget(self, connection: str, child: str | None = None) -> bool:
        """Want a child, or with None all of a connection, up no more; says whether a try was waiting."""
        effort = self._efforts.get(connection)
        if effort is None:
            return False
        names = [each.name for each in effort.connection.children] if child is None else [child]
        return effort.forget(names)

    def policies(self) -> tuple[InstalledPolicy, ...]:
        """The traps and shunts that are in the kernel."""
        return self._traps.policies()

    # -- helpers -------------------------------------------------------------------------------------------------

    def _effort(self, name: str) -> Effort | None:
        """What is done for a connection; None where the configuration has it no more, or nothing is wanted any more."""
        connection = self._config.connection(name)
        if connection is None or self._is_stopped:
            return None
        if name not in self._efforts:
            self._efforts[name] = Effort(self._host, connection)
        return self._efforts[name]

    def _named(self, connection: str, child: str) -> Named | None:
        found = self._config.connection(connection)
        config = found.child(child) if found is not None else None
        return Named(found, config) if found is not None and config is not None else None

    def _install(self, named: Named) -> None:
        try:
            self._traps.install(named)
        except IkeError as fault:
            self._host.decided(f"connection {named.connection.name}: {fault}", warning=True)

    def _change(self, was: Named | None, is_now: Named | None) -> None:
        """One child is configured otherwise than it was, is new, or is configured no more."""
        named = was or is_now
        assert named is not None  # noqa: S101 - one of both is there
        name = (named.connection.name, named.child.name)
        before = action_at_start(was.child) if was is not None else Aim.NOTHING
        aim = action_at_start(is_now.child) if is_now is not None else Aim.NOTHING
        is_other = aim is not before
        if is_now is None or (is_other and before is Aim.UP):
            self.forget(*name)
        if is_now is None or (is_other and before is Aim.POLICIES):
            self._traps.uninstall(name)
        elif (is_other and aim is Aim.POLICIES) or self._traps.is_wanted(name):
            self._install(is_now)
        effort = self._effort(name[0])
        if is_other and aim is Aim.UP and effort is not None:
            effort.want((name[1],))

    def _tell_of_stray(self, acquire: Acquire) -> None:
        self._strays += 1
        if self._host.now - self._stray_told_at < STRAY_INTERVAL:
            return
        what = f"{acquire.selector.source} to {acquire.selector.destination}"
        self._host.decided(
            f"a packet from {what} asks for request ID {acquire.reqid}, which is no trap's: ignored "
            f"({self._strays} such until now)"
        )
        self._stray_told_at = self._host.now
