"""Sessions: lines of the audit log, ends with their users, idle ends; with a kernel in memory and events as an Endpoint says them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from ipaddress import IPv4Address
from pathlib import Path

import pytest
import trio
import trio.testing

from ikepy.auth.users import UserStore
from ikepy.auth.users_file import changing
from ikepy.config.access import UserConfig
from ikepy.config.identities import parse_identity
from ikepy.crypto.password import nt_hash
from ikepy.daemon.sessions import LOOK_SECONDS, MOST_OWNERS, Sessions
from ikepy.ike.actions import Path as Way
from ikepy.ike.actions import SocketAddress
from ikepy.ike.events import (
    AttemptFailed,
    ChildSaRekeyed,
    ChildSaUp,
    ChildSnapshot,
    Claim,
    IkeSaDown,
    IkeSaMoved,
    IkeSaRekeyed,
    IkeSaUp,
    IkeSnapshot,
    Session,
)
from ikepy.ipsec import ChildSaSpec, SaCounters
from ikepy.kernel.decoupled import DecoupledKernel
from ikepy.trace.audit import AuditLog
from tests.kernel.rig import make_child
from tests.support.entropy import SeededEntropy

NOW = 1_700_000_000
HERE, THERE = SocketAddress(IPv4Address("192.0.2.1"), 4500), SocketAddress(IPv4Address("203.0.113.9"), 40000)
ALICE = Session("EAP-MSCHAPv2", "alice", ("staff",), (IPv4Address("10.9.0.10"),), client="Windows")

CHILD = ChildSnapshot("net", 1, "INSTALLED", None, None, (), (), None, encap=True, installed_at=0.0)  # type: ignore[arg-type]


def ike(number: int = 1, session: Session = ALICE, *, initiator: bool = False) -> IkeSnapshot:
    return IkeSnapshot(
        "office", number, "ESTABLISHED", initiator, b"i" * 8, b"r" * 8, Way(HERE, THERE, non_esp_marker=True),
        parse_identity("gate.example"), parse_identity("10.0.0.7"), None, 0.0, 0.0, None, None, False, True, (),
        session=session,
    )  # fmt: skip


class Stage:
    """Sessions of a daemon, what they write and whom they end."""

    def __init__(self, directory: Path, users: UserStore) -> None:
        self.kernel = DecoupledKernel(SeededEntropy(3))
        self.file = directory / "audit.jsonl"
        self.ended: list[tuple[tuple[int, ...], str]] = []
        self.sessions = Sessions(users, self.kernel, AuditLog(self.file), trio.current_time, self._end)

    def _end(self, numbers: tuple[int, ...], reason: str) -> None:
        self.ended.append((numbers, reason))

    async def child(self, number: int, at: int = 1, replaces: ChildSaSpec | None = None) -> ChildSaSpec:
        """A child is installed and told of."""
        spec = replace(make_child(number), owner=f"child-{number}")
        await self.kernel.install_child(spec, replaces)
        old = replace(CHILD, unique_id=number - 1)
        new = replace(CHILD, unique_id=number, spec=spec)
        self.sessions.note(ChildSaUp(ike(at), new) if replaces is None else ChildSaRekeyed(ike(at), old, new))
        return spec

    def count(self, spec: ChildSaSpec, inbound: int, outbound: int, last_used: int | None = None) -> None:
        self.kernel.count(spec.inbound.id, SaCounters(inbound, 1, last_used, NOW))
        self.kernel.count(spec.outbound.id, SaCounters(outbound, 1, last_used, NOW))

    @property
    def lines(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.file.read_text().splitlines()] if self.file.exists() else []


def play(directory: Path, act: Callable[[Stage], object], users: UserStore | None = None) -> Stage:
    """Play an act beside sessions.keep(); trio's clock jumps."""
    stage: list[Stage] = []

    async def scene() -> None:
        stage.append(Stage(directory, users or UserStore((), None, SeededEntropy(1))))
        with trio.fail_after(3600):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(stage[0].sessions.keep)
                await act(stage[0])  # type: ignore[misc]
                nursery.cancel_scope.cancel()
            await stage[0].sessions.finish()

    trio.run(scene, clock=trio.testing.MockClock(autojump_threshold=0.01))
    return stage[0]


def test_a_session_has_a_line_when_it_begins_and_one_when_it_ends_with_all_its_octets(tmp_path: Path) -> None:
    async def act(stage: Stage) -> None:
        stage.sessions.note(IkeSaUp(ike()))
        first = await stage.child(1)
        stage.count(first, 1000, 200)
        second = await stage.child(2, replaces=first)
        stage.count(second, 30, 4)
        await stage.kernel.remove_child(first)
        stage.sessions.note(IkeSaDown(ike(), "deleted by the peer"))
        await stage.kernel.remove_child(second)
        await trio.sleep(0.1)

    begun, ended = play(tmp_path, act).lines
    assert begun["event"] == "begun"
    assert (begun["user"], begun["groups"], begun["client"]) == ("alice", ["staff"], "Windows")
    assert (begun["from"], begun["port"], begun["addresses"]) == ("203.0.113.9", 40000, ["10.9.0.10"])
    assert ended["event"] == "ended"
    assert (ended["octets_in"], ended["octets_out"], ended["reason"]) == (1030, 204, "deleted by the peer")
    assert ended["began"] == begun["at"]


def test_a_session_is_one_whatever_is_rekeyed_and_wherever_it_goes(tmp_path: Path) -> None:
    elsewhere = replace(THERE, address=IPv4Address("198.51.100.1"))

    async def act(stage: Stage) -> None:
        stage.sessions.note(IkeSaUp(ike(1)))
        spec = await stage.child(1)
        stage.count(spec, 5, 6)
        stage.sessions.note(IkeSaRekeyed(ike(1), ike(2)))
        moved = replace(ike(2), path=Way(HERE, elsewhere, non_esp_marker=True))
        stage.sessions.note(IkeSaMoved(moved, ike(2).path))
        stage.sessions.note(IkeSaDown(ike(1), "not this one"))
        stage.sessions.note(IkeSaDown(moved, "idle"))

    begun, ended = play(tmp_path, act).lines
    assert begun["session"] == ended["session"] == 1
    assert (ended["from"], ended["reason"], ended["octets_in"]) == ("198.51.100.1", "idle", 5)


def test_many_rekeyed_children_are_added_up_and_forgotten(tmp_path: Path) -> None:
    async def act(stage: Stage) -> None:
        stage.sessions.note(IkeSaUp(ike()))
        before = await stage.child(1)
        for number in range(2, 3 * MOST_OWNERS):
            stage.count(before, 10, 1)
            now = await stage.child(number, replaces=before)
            await stage.kernel.remove_child(before)
            await trio.sleep(0.1)
            before = now
        (running,) = stage.sessions._running.values()
        assert len(running.owners) <= MOST_OWNERS + 1
        stage.sessions.note(IkeSaDown(ike(), "over"))

    *_, ended = play(tmp_path, act).lines
    assert ended["octets_in"] == 10 * (3 * MOST_OWNERS - 2)
    assert ended["octets_out"] == 3 * MOST_OWNERS - 2


def test_who_is_not_let_in_has_one_line_that_says_who_it_said_to_be(tmp_path: Path) -> None:
    claim = Claim(Way(HERE, THERE), parse_identity("10.0.0.7"), "WORK\\alice", "EAP-MSCHAPV2", "Windows")

    async def act(stage: Stage) -> None:
        await trio.lowlevel.checkpoint()
        stage.sessions.note(AttemptFailed("office", None, 7, "the password is wrong", claim))
        stage.sessions.note(AttemptFailed("site", None, 8, "no answer"))

    (line,) = play(tmp_path, act).lines
    assert line["event"] == "refused"
    assert line["user"] == "WORK\\alice"
    assert (line["identity"], line["method"], line["reason"]) == ("10.0.0.7", "EAP-MSCHAPV2", "the password is wrong")


def test_what_we_begin_ourselves_is_no_session(tmp_path: Path) -> None:
    async def act(stage: Stage) -> None:
        await trio.lowlevel.checkpoint()
        stage.sessions.note(IkeSaUp(ike(initiator=True)))
        stage.sessions.note(IkeSaDown(ike(initiator=True), "over"))

    assert play(tmp_path, act).lines == []


def test_the_end_of_the_daemon_ends_all_sessions_in_the_log(tmp_path: Path) -> None:
    async def act(stage: Stage) -> None:
        stage.sessions.note(IkeSaUp(ike(1)))
        stage.sessions.note(IkeSaUp(ike(2)))
        stage.count(await stage.child(1, at=2), 9, 9)

    lines = play(tmp_path, act).lines
    assert [line["event"] for line in lines] == ["begun", "begun", "ended", "ended"]
    assert [line["reason"] for line in lines[2:]] == ["the daemon ends"] * 2
    assert [line["octets_in"] for line in lines[2:]] == [0, 9]


# -- users -------------------------------------------------------------------------------------------------------


def users_file(directory: Path) -> UserStore:
    file = directory / "users"
    with changing(file) as users:
        users["alice"] = UserConfig("alice", nt_hash=nt_hash("a password"), groups=("staff",))
        users["bob"] = UserConfig("bob", nt_hash=nt_hash("another"))
    return UserStore((), file, SeededEntropy(1))


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda users: users.pop("alice"), "user alice is removed"),
        (lambda users: users.update(alice=replace(users["alice"], disabled=True)), "alice: the user is disabled"),
        (lambda users: users.update(alice=replace(users["alice"], groups=("guests",))), "user alice was changed"),
        (lambda users: users.update(alice=replace(users["alice"], nt_hash=nt_hash("new"))), "user alice was changed"),
    ],
    ids=["removed", "disabled", "other groups", "other password"],
)
def test_a_session_ends_with_its_user_at_once_and_nobody_else_does(
    tmp_path: Path, change: Callable[[dict[str, UserConfig]], object], what: str
) -> None:
    store = users_file(tmp_path)

    async def act(stage: Stage) -> None:
        stage.sessions.note(IkeSaUp(ike(1)))
        stage.sessions.note(IkeSaUp(ike(2, replace(ALICE, user="bob"))))
        with changing(tmp_path / "users") as users:
            change(users)
        os.utime(tmp_path / "users", ns=(1, 1))
        await trio.sleep(LOOK_SECONDS + 0.1)
        assert stage.ended == [((1,), what)]

    play(tmp_path, act, store)


def test_a_user_that_expires_ends_too_and_one_without_an_entry_stays(tmp_path: Path) -> None:
    yesterday = date.fromordinal(datetime.now(UTC).date().toordinal() - 1)
    store = UserStore((UserConfig("alice", nt_hash=nt_hash("a password"), expires=yesterday),), None, SeededEntropy(1))

    async def act(stage: Stage) -> None:
        stage.sessions.note(IkeSaUp(ike(1)))
        stage.sessions.note(IkeSaUp(ike(2, replace(ALICE, user="by certificate alone"))))
        await trio.sleep(LOOK_SECONDS + 0.1)
        assert [numbers for numbers, _ in stage.ended] == [(1,)]

    play(tmp_path, act, store)


def test_a_users_file_that_cannot_be_read_ends_nobody(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = users_file(tmp_path)

    async def act(stage: Stage) -> None:
        stage.sessions.note(IkeSaUp(ike(1)))
        (tmp_path / "users").write_text("{ half a line")
        await trio.sleep(3 * LOOK_SECONDS)
        assert stage.ended == []

    play(tmp_path, act, store)
    assert caplog.text.count("the users stay as they were") == 1


# -- idle --------------------------------------------------------------------------------------------------------


def test_an_idle_client_ends_and_one_that_is_not_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begin = datetime.now(UTC).timestamp()
    monkeypatch.setattr("time.time", lambda: begin + trio.current_time() - started[0])
    started = [0.0]
    limited = replace(ALICE, idle_timeout=60.0)

    async def act(stage: Stage) -> None:
        started[0] = trio.current_time()
        for number in (1, 2):
            stage.sessions.note(IkeSaUp(ike(number, limited)))
        stage.sessions.note(IkeSaUp(ike(3)))
        quiet, busy = await stage.child(1, at=1), await stage.child(2, at=2)
        stage.count(quiet, 1, 1, begin)
        for _ in range(20):
            await trio.sleep(5)
            stage.count(busy, 1, 1, begin + trio.current_time() - started[0])
        assert {numbers for numbers, _ in stage.ended} == {(1,)}
        assert "idle for 60 seconds" in stage.ended[0][1]

    play(tmp_path, act)
