"""A process that has leases is killed (kill -9) between any two operations, and in the middle of any."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from ipaddress import ip_address
from pathlib import Path

import pytest

from ikepy.leases import Lease, Leases, PoolExhausted
from tests.leases.pools import pool

POOLS = (pool("a", "10.9.0.0/27"), pool("b", "10.9.1.0/28", user3="10.9.1.5"))
ROUNDS = 40


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def work(path: Path, journal: int, draw: random.Random) -> None:
    """Lend and take back for ever; say what is about to be done, and what came of it."""
    leases = Leases.open(path, POOLS)
    lent = list(leases.in_use())
    while True:
        if lent and draw.random() < 0.5:
            lease = lent.pop(draw.randrange(len(lent)))
            _say(journal, {"release": _words(lease)})
            assert leases.release(lease)
            _say(journal, {"released": _words(lease)})
            continue
        identity = f"user{draw.randrange(30)}"
        _say(journal, {"acquire": identity})
        try:
            lease = leases.acquire(("a", "b"), identity, 4)
        except PoolExhausted:
            _say(journal, {"none": identity})
            continue
        lent.append(lease)
        _say(journal, {"acquired": _words(lease)})


def forked(child: object, *arguments: object) -> int:
    """Run a function in a process of its own, which ends by SIGKILL only."""
    pid = os.fork()
    if pid == 0:
        try:
            child(*arguments)  # type: ignore[operator]
        finally:
            os._exit(3)
    return pid


def ended_by(pid: int) -> int:
    _, status = os.waitpid(pid, 0)
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else -os.WEXITSTATUS(status)


def replayed(before: set[tuple[str, str, int]], lines: list[dict[str, object]]) -> list[set[tuple[str, str, int]]]:
    """What may be lent after a journal: all that was said to be done, and perhaps the last thing begun."""
    lent, begun = set(before), None
    for line in lines:
        ((kind, what),) = line.items()
        begun = line if kind in {"acquire", "release"} else None
        if kind == "acquired":
            assert not {entry for entry in lent if entry[0] == what[0]}, f"{what} was lent twice"
            lent.add(tuple(what))
        if kind == "released":
            lent.remove(tuple(what))
    if begun is None or "acquire" in begun:
        return [lent]
    return [lent, lent - {tuple(begun["release"])}]


@pytest.mark.slow
def test_kill_9_at_any_moment_loses_and_doubles_no_lease(tmp_path: Path) -> None:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    draw = random.Random(seed)
    lent: set[tuple[str, str, int]] = set()
    operations = 0
    for number in range(ROUNDS):
        journal = tmp_path / f"journal{number}"
        descriptor = os.open(journal, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        pid = forked(work, tmp_path / "leases.db", descriptor, random.Random(draw.random()))
        while not journal.stat().st_size:
            time.sleep(0.001)
        time.sleep(draw.random() * 0.03)
        os.kill(pid, signal.SIGKILL)
        assert ended_by(pid) == signal.SIGKILL
        os.close(descriptor)
        lines = [json.loads(line) for line in journal.read_text().splitlines()]
        operations += len(lines) // 2

        leases = Leases.open(tmp_path / "leases.db", POOLS)
        found = {tuple(_words(lease)) for lease in leases.in_use()}
        leases.close()

        extra = found - replayed(lent, lines)[0]
        acquiring = lines[-1].get("acquire")
        assert found in replayed(lent, lines) or [entry[1] for entry in extra] == [acquiring]
        assert replayed(lent, lines)[-1] <= found
        assert len({address for address, _, _ in found}) == len(found)
        lent = found
    print("operations", operations)


@pytest.mark.slow
@pytest.mark.parametrize("what", ["acquire", "release", "reload"])
def test_who_dies_inside_an_operation_leaves_all_of_it_or_nothing(tmp_path: Path, what: str) -> None:
    outcomes = set()
    for statement in range(1, 30):
        path = tmp_path / f"leases{statement}.db"
        leases = Leases.open(path, POOLS)
        kept = leases.acquire(("a",), "kept", 4)
        given = leases.acquire(("a",), "given", 4)
        leases.close()

        died = ended_by(forked(_operate, path, what, given, statement)) == signal.SIGKILL

        leases = Leases.open(path, POOLS)
        found = leases.in_use()
        assert kept in found
        assert len({lease.address for lease in found}) == len(found)
        assert leases.acquire(("a",), "next", 4).address not in {lease.address for lease in found}
        outcomes.add((died, len(found)))
        leases.close()
    after = {"acquire": 3, "release": 1, "reload": 2}[what]
    assert outcomes == {(True, 2), (False, after)} | ({(True, after)} & outcomes)


def _operate(path: Path, what: str, given: Lease, statement: int) -> None:
    """Do one operation, and die before its SQL statement of that number."""
    leases = Leases.open(path, POOLS)
    left = [statement]

    def count(_sql: str) -> None:
        left[0] -= 1
        if not left[0]:
            die()

    leases._table._db.set_trace_callback(count)
    match what:
        case "acquire":
            leases.acquire(("a",), "late", 4, ip_address("10.9.0.9"))
        case "release":
            leases.release(given)
        case "reload":
            leases.reload(POOLS)


def _words(lease: Lease) -> list[object]:
    return [str(lease.address), lease.identity, lease.number]


def _say(journal: int, words: dict[str, object]) -> None:
    os.write(journal, json.dumps(words).encode() + b"\n")
