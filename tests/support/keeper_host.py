"""A keeper and, in memory, what it asks of an endpoint: children that come up and end as a test says, real policy owners.

    host = MemoryKeeperHost(config)
    host.keeper.start()
    host.come_up("site", "net")
    host.end("site", "net", Cause.PEER_DEAD)
    host.pass_time(60)

Not here: exchanges; children under way stay so until the test says what came of them.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from ikepy.config.model import ChildConfig, Config, ConnectionConfig
from ikepy.ike.actions import Path, SocketAddress
from ikepy.ike.causes import Cause
from ikepy.ike.conversation import Broken, Conversation, Step, Wants
from ikepy.ike.effects import AskAgain, Effect, InstallPolicies, RemovePolicies, ResolvePath
from ikepy.ike.errors import IkeError, PeerUnknown
from ikepy.ike.events import Event
from ikepy.ike.keeper import Keeper
from ikepy.ike.keeper_host import KeeperTimer
from ikepy.ike.reqids import Reqids
from ikepy.ike.timers import Timers
from ikepy.ipsec import Owner, PolicySpec, Selector
from ikepy.kernel.owners import PolicyTable
from tests.support.entropy import SeededEntropy
from tests.support.pair import LEFT, RIGHT, make_config

PATH = Path(SocketAddress(LEFT, 500), SocketAddress(RIGHT, 500))


@dataclass(frozen=True)
class Initiated:
    """What was asked for, and when."""

    at: float
    connection: str
    child: str
    packet: Selector | None = None


class MemoryKeeperHost:
    """An endpoint to its keeper.

    paths    what ResolvePath answers, by connection; PATH where nothing is said
    hold     effects this says yes to wait in `held` until `release()`
    refuse_policies  what the kernel answers to InstallPolicies, None where it takes them
    """

    def __init__(self, config: Config, *, seed: int = 1) -> None:
        self.config, self.now = config, 1000.0
        self.entropy = SeededEntropy(seed)
        self.reqids = Reqids(config.daemon.reqid_base)
        self.timers: Timers[KeeperTimer] = Timers()
        self.up: dict[tuple[str, str], None] = {}
        self.under_way: dict[tuple[str, str], None] = {}
        self.initiated: list[Initiated] = []
        self.on_initiate: Callable[[str, str], None] = lambda connection, child: None
        self.paths: dict[str, Path | IkeError] = {}
        self.table = PolicyTable()
        self.refuse_policies: IkeError | None = None
        self.effects: list[Effect[Any]] = []
        self.hold: Callable[[Effect[Any]], bool] = lambda effect: False
        self.held: list[tuple[Conversation, Effect[Any]]] = []
        self.decisions: list[str] = []
        self.warnings: list[str] = []
        self.events: list[Event] = []
        self.keeper = Keeper(self)

    # -- asked by the keeper -------------------------------------------------------------------------------------

    def initiate(self, connection: str, child: str, packet: Selector | None) -> None:
        if self.is_up(connection, child) or self.is_under_way(connection, child):
            return
        self.initiated.append(Initiated(self.now, connection, child, packet))
        self.under_way[connection, child] = None
        self.on_initiate(connection, child)

    def is_up(self, connection: str, child: str) -> bool:
        return (connection, child) in self.up

    def is_under_way(self, connection: str, child: str) -> bool:
        return (connection, child) in self.under_way

    def run(self, name: str, exchange: Coroutine[Effect[Any], Any, None]) -> None:
        conversation = Conversation(name, exchange)
        self._follow(conversation, conversation.start())

    def set_timer(self, key: KeeperTimer, at: float) -> None:
        self.timers.set(key, at)

    def clear_timer(self, key: KeeperTimer) -> None:
        self.timers.clear(key)

    def decided(self, decision: str, *, warning: bool = False) -> None:
        (self.warnings if warning else self.decisions).append(decision)

    def publish(self, event: Event) -> None:
        self.events.append(event)

    def reqid_for(self, connection: str, child: str) -> int:
        reqid = self.reqids.of((connection, child))
        self.reqids.hold(reqid)
        return reqid

    def drop_reqid(self, reqid: int) -> None:
        self.reqids.drop(reqid)

    # -- said by a test ------------------------------------------------------------------------------------------

    def come_up(self, connection: str, *children: str) -> None:
        """These children are up."""
        for child in children:
            self.under_way.pop((connection, child), None)
            self.up[connection, child] = None
            self.keeper.child_up(connection, child)

    def refuse(self, connection: str, child: str, cause: Cause = Cause.FAILED) -> None:
        """A child comes to nothing while its IKE SA lives."""
        self.under_way.pop((connection, child), None)
        self.keeper.attempt_failed(connection, child, cause)

    def end(self, connection: str, child: str, cause: Cause) -> None:
        """A child that was up ends while its IKE SA lives."""
        del self.up[connection, child]
        self.keeper.child_ended(connection, child, cause)

    def end_ike(self, connection: str, cause: Cause) -> None:
        """The connection's IKE SA ends, or comes to nothing; with it what was up and what was under way."""
        for name in [name for name in self.up if name[0] == connection]:
            self.end(*name, cause)
        for name in [name for name in self.under_way if name[0] == connection]:
            del self.under_way[name]
        self.keeper.attempt_failed(connection, None, cause)

    def replace_config(self, config: Config) -> None:
        """Another configuration is loaded."""
        self.config = config
        self.keeper.replace_config(config)

    def pass_time(self, seconds: float) -> None:
        """Let timers fire that come in that span."""
        end = self.now + seconds
        while (at := self.timers.next()) is not None and at <= end:
            self.now = max(self.now, at)
            timer = self.timers.pop_due(self.now)
            assert timer is not None
            self.keeper.handle_timeout(timer)
        self.now = end

    def release(self) -> None:
        """Perform what was held."""
        held, self.held = self.held, []
        for conversation, effect in held:
            self._perform(conversation, effect)

    @property
    def children_initiated(self) -> list[str]:
        """The names of what was initiated, in order."""
        return [each.child for each in self.initiated]

    @property
    def tries(self) -> list[float]:
        """The instants of tries, each once."""
        return list(dict.fromkeys(each.at for each in self.initiated))

    @property
    def policies(self) -> tuple[PolicySpec, ...]:
        """What is in the kernel."""
        return self.table.policies

    # -- effects -------------------------------------------------------------------------------------------------

    def _follow(self, conversation: Conversation, step: Step) -> None:
        assert not isinstance(step, Broken), step
        if not isinstance(step, Wants):
            return
        self.effects.append(step.effect)
        if self.hold(step.effect):
            self.held.append((conversation, step.effect))
        else:
            self._perform(conversation, step.effect)

    def _perform(self, conversation: Conversation, effect: Effect[Any]) -> None:
        try:
            reply = self._reply_to(effect)
        except IkeError as fault:
            self._follow(conversation, conversation.fail(fault))
        else:
            self._follow(conversation, conversation.resume(reply))

    def _reply_to(self, effect: Effect[Any]) -> object:
        match effect:
            case ResolvePath(connection):
                path = self.paths.get(connection, PATH)
                if isinstance(path, IkeError):
                    raise path
                return (path,)
            case InstallPolicies(owner, policies):
                if self.refuse_policies is not None:
                    raise self.refuse_policies
                self.table.commit(self.table.plan_add(owner, policies))
            case AskAgain():
                pass
            case RemovePolicies(owner):
                self.table.commit(self.table.plan_remove(owner))
            case _:
                raise AssertionError(f"the keeper awaits {effect}")
        return None

    def owned_by(self, owner: str) -> list[PolicySpec]:
        """The policies in the kernel that this owner holds."""
        return [policy for policy in self.policies if Owner(owner) in self.table.owners_of(policy)]


NO_NETWORK = PeerUnknown("no route and local address for 192.0.2.2")


def keeper_host(*children: ChildConfig, **connection: object) -> MemoryKeeperHost:
    """A host whose configuration has one connection, `site`, with these children."""
    return MemoryKeeperHost(make_config(children=children, **connection))


def connections(*found: ConnectionConfig) -> Config:
    """A configuration with these connections."""
    return Config(found)
