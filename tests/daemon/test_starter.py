"""Children that are to be started."""

from __future__ import annotations

from itertools import pairwise
from typing import cast

import trio
import trio.testing

from ikepy.config.model import (
    AuthKind,
    ChildConfig,
    Config,
    ConnectionConfig,
    LocalAuthConfig,
    RemoteAuthConfig,
    StartAction,
)
from ikepy.daemon.api import DaemonApi, InitiateOutcome
from ikepy.daemon.starter import start_children


class Reluctant:
    """A daemon whose children come up at the n-th try."""

    def __init__(self, config: Config, tries_needed: dict[str, int]) -> None:
        self.config = config
        self.tried: list[tuple[str, float]] = []
        self._needed = tries_needed

    def snapshot(self) -> tuple[()]:
        return ()

    async def initiate(self, connection: str | None, child: str | None, timeout: float | None) -> InitiateOutcome:
        await trio.lowlevel.checkpoint()
        assert child is not None
        self.tried.append((child, trio.current_time()))
        self._needed[child] -= 1
        return InitiateOutcome(self._needed[child] <= 0)


def make_config(children: dict[str, StartAction]) -> Config:
    return Config(
        connections=(
            ConnectionConfig(
                name="site",
                local=LocalAuthConfig(AuthKind.PSK),
                remote=RemoteAuthConfig(AuthKind.PSK),
                children=tuple(ChildConfig(name, start_action=action) for name, action in children.items()),
            ),
        )
    )


def run_starter(daemon: Reluctant) -> None:
    trio.run(start_children, cast("DaemonApi", daemon), clock=trio.testing.MockClock(autojump_threshold=0))


def test_only_children_with_start_action_start_are_initiated() -> None:
    daemon = Reluctant(make_config({"a": StartAction.START, "b": StartAction.NONE}), {"a": 1, "b": 1})

    run_starter(daemon)

    assert [name for name, _ in daemon.tried] == ["a"]


def test_a_child_is_tried_again_after_1_2_4_seconds_until_it_is_up() -> None:
    daemon = Reluctant(make_config({"a": StartAction.START}), {"a": 4})

    run_starter(daemon)

    instants = [at for _, at in daemon.tried]
    assert [round(later - earlier) for earlier, later in pairwise(instants)] == [1, 2, 4]


def test_the_wait_grows_no_longer_than_a_minute() -> None:
    daemon = Reluctant(make_config({"a": StartAction.START}), {"a": 12})

    run_starter(daemon)

    assert round(daemon.tried[-1][1] - daemon.tried[-2][1]) == 60


def test_a_child_that_is_up_is_not_tried_again_for_its_siblings_sake() -> None:
    daemon = Reluctant(make_config({"a": StartAction.START, "b": StartAction.START}), {"a": 1, "b": 3})

    run_starter(daemon)

    assert [name for name, _ in daemon.tried] == ["a", "b", "b", "b"]
