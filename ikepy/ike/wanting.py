"""What is wanted of a child: when the daemon starts, when the child has ended, when the configuration changes.

Rule 1: pure; the configuration and the cause of an end decide, nothing that happened before.
Not here: how it is brought about (efforts.py, traps.py), why something ended (causes.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum
from typing import assert_never

from ikepy.config.model import ChildConfig, CloseAction, Config, ConnectionConfig, DpdAction, StartAction
from ikepy.ike.causes import Cause


class Aim(Enum):
    """What is to become of a child; the value is how a log words it."""

    NOTHING = "nothing"
    UP = "bring it up"
    POLICIES = "have its trap or shunt in the kernel"


@dataclass(frozen=True, slots=True)
class Named:
    """A child's configuration, with the connection it is of."""

    connection: ConnectionConfig
    child: ChildConfig

    def is_same_as(self, other: Named) -> bool:
        """Whether nothing has changed for the child; other children of the connection do not count."""
        return self.child == other.child and replace(self.connection, children=other.connection.children) == (
            other.connection
        )


_OF_START = {StartAction.NONE: Aim.NOTHING, StartAction.START: Aim.UP, StartAction.TRAP: Aim.POLICIES}
_OF_DPD = {DpdAction.CLEAR: Aim.NOTHING, DpdAction.RESTART: Aim.UP, DpdAction.TRAP: Aim.POLICIES}
_OF_CLOSE = {CloseAction.NONE: Aim.NOTHING, CloseAction.START: Aim.UP, CloseAction.TRAP: Aim.POLICIES}


def action_at_start(child: ChildConfig) -> Aim:
    """What is done with a child when the daemon starts."""
    return _OF_START[child.start_action]


def action_after(child: ChildConfig, cause: Cause) -> Aim:
    """What is done with a child that was up and has ended; an action that is not configured is what start_action says."""
    match cause:
        case Cause.OPERATOR | Cause.SHUTDOWN | Cause.SUPERSEDED:
            return Aim.NOTHING
        case Cause.PEER_CLOSED:
            return _OF_CLOSE[child.close_action] if child.close_action is not None else action_at_start(child)
        case Cause.PEER_DEAD | Cause.FAILED | Cause.EXPIRED:
            return _OF_DPD[child.dpd_action] if child.dpd_action is not None else action_at_start(child)
        case _:
            assert_never(cause)


def may_be_wanted(child: ChildConfig) -> bool:
    """Whether there is a cause after which the child is to come up again by itself."""
    return any(action_after(child, cause) is Aim.UP for cause in (Cause.PEER_CLOSED, Cause.PEER_DEAD))


def children_of(config: Config) -> dict[tuple[str, str], Named]:
    """All children by the names of their connection and their own."""
    return {
        (connection.name, child.name): Named(connection, child)
        for connection in config.connections
        for child in connection.children
    }


def changes(old: Config, new: Config) -> Iterator[tuple[Named | None, Named | None]]:
    """Each child that is not what it was, before and after; None where there is none."""
    before, after = children_of(old), children_of(new)
    for name in dict.fromkeys((*before, *after)):
        was, is_now = before.get(name), after.get(name)
        if was is None or is_now is None or not was.is_same_as(is_now):
            yield was, is_now
