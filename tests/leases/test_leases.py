"""Which address a client gets, and gets again."""

from __future__ import annotations

import random
import sqlite3
import stat
import threading
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from pathlib import Path

import pytest

from ikepy.config.access import PoolConfig
from ikepy.leases import Lease, Leases, LeaseStoreError, NoSuchFamily, PoolExhausted, PoolUse
from tests.leases.pools import pool

Open = Callable[..., Leases]

TEN = pool("ten", "10.9.0.10-10.9.0.19")
THREE = pool("three", "10.9.0.1-10.9.0.3")


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Open]:
    """Leases of the same file, opened anew each time it is called."""
    now: list[Leases] = []

    def open_again(*pools: PoolConfig, most_free: int = 65536) -> Leases:
        while now:
            now.pop().close()
        now.append(Leases.open(tmp_path / "leases.db", pools, most_free))
        return now[0]

    yield open_again
    while now:
        now.pop().close()


def address(leases: Leases, identity: str, *pools: str, requested: str | None = None) -> str:
    return str(leases.acquire(pools, identity, 4, ip_address(requested) if requested else None).address)


def test_addresses_are_lent_from_the_beginning_of_the_pool(opened: Open) -> None:
    leases = opened(TEN)

    assert [address(leases, name, "ten") for name in "abc"] == ["10.9.0.10", "10.9.0.11", "10.9.0.12"]


def test_of_a_prefix_network_and_broadcast_address_are_not_lent(opened: Open) -> None:
    leases = opened(pool("p", "10.9.0.0/30"))

    assert [address(leases, name, "p") for name in "ab"] == ["10.9.0.1", "10.9.0.2"]
    with pytest.raises(PoolExhausted):
        address(leases, "c", "p")


def test_the_same_identity_gets_the_same_address_again_also_after_a_restart(opened: Open) -> None:
    leases = opened(TEN)
    leases.acquire(("ten",), "other", 4)
    mine = leases.acquire(("ten",), "alice", 4)
    assert leases.release(mine)

    leases = opened(TEN)

    assert leases.acquire(("ten",), "bob", 4).address != mine.address
    assert leases.acquire(("ten",), "alice", 4).address == mine.address


def test_what_is_lent_is_still_lent_after_a_restart_until_it_is_given_back(opened: Open) -> None:
    leases = opened(TEN)
    first, second = (leases.acquire(("ten",), name, 4) for name in "ab")

    leases = opened(TEN)

    assert leases.in_use() == (first, second)
    assert leases.keep_only([second]) == (first,)
    assert leases.in_use() == (second,)
    assert leases.release(second)
    assert leases.in_use() == ()


def test_an_identity_with_several_sessions_has_several_addresses_and_keeps_them(opened: Open) -> None:
    leases = opened(TEN)
    sessions = [leases.acquire(("ten",), "alice", 4) for _ in range(3)]
    assert len({lease.address for lease in sessions}) == 3
    for lease in sessions:
        leases.release(lease)

    again = [leases.acquire(("ten",), "alice", 4) for _ in range(3)]

    assert {lease.address for lease in again} == {lease.address for lease in sessions}
    assert not {lease.number for lease in again} & {lease.number for lease in sessions}


def test_a_lease_is_given_back_once_and_only_by_its_own_number(opened: Open) -> None:
    leases = opened(THREE)
    first = leases.acquire(("three",), "alice", 4)
    assert leases.release(first)
    second = leases.acquire(("three",), "alice", 4)

    assert second.address == first.address
    assert not leases.release(first)
    assert leases.in_use() == (second,)


def test_an_address_that_was_never_lent_goes_before_one_that_was(opened: Open) -> None:
    leases = opened(THREE)
    leases.release(leases.acquire(("three",), "a", 4))

    assert [address(leases, name, "three") for name in "bc"] == ["10.9.0.2", "10.9.0.3"]


def test_of_addresses_given_back_the_oldest_is_lent_first(opened: Open) -> None:
    leases = opened(THREE)
    a, b, c = (leases.acquire(("three",), name, 4) for name in "abc")
    for lease in (b, a, c):
        leases.release(lease)

    leases = opened(THREE)

    assert [address(leases, name, "three") for name in "xyz"] == [str(lease.address) for lease in (b, a, c)]


def test_a_free_address_that_is_asked_for_is_given_and_another_ones_is_not(opened: Open) -> None:
    leases = opened(TEN)
    theirs = leases.acquire(("ten",), "bob", 4)

    assert address(leases, "alice", "ten", requested="10.9.0.17") == "10.9.0.17"
    assert address(leases, "alice", "ten", requested=str(theirs.address)) == "10.9.0.11"
    leases.release(theirs)
    assert address(leases, "alice", "ten", requested=str(theirs.address)) == "10.9.0.12"
    assert address(leases, "alice", "ten", requested="192.0.2.1") == "10.9.0.13"
    assert address(leases, "alice", "ten", requested="0.0.0.0") == "10.9.0.14"


def test_a_static_lease_is_its_owners_and_nobody_elses(opened: Open) -> None:
    leases = opened(pool("p", "10.9.0.1-10.9.0.3", alice="10.9.0.1"))

    assert address(leases, "bob", "p", requested="10.9.0.1") == "10.9.0.2"
    assert address(leases, "alice", "p", requested="10.9.0.3") == "10.9.0.1"
    assert address(leases, "alice", "p") == "10.9.0.3"
    with pytest.raises(PoolExhausted):
        address(leases, "carol", "p")


def test_a_free_static_lease_is_not_lent_though_all_else_is(opened: Open) -> None:
    leases = opened(pool("p", "10.9.0.1-10.9.0.2", alice="10.9.0.1"))
    leases.release(leases.acquire(("p",), "alice", 4))
    address(leases, "bob", "p")

    with pytest.raises(PoolExhausted, match=r"no address is free for 'carol' \(pool p: 1 of 2 in use\)"):
        address(leases, "carol", "p")


def test_an_address_that_becomes_somebodys_own_while_it_is_lent_goes_to_its_owner_next(opened: Open) -> None:
    leases = opened(THREE)
    bobs, _free = leases.acquire(("three",), "bob", 4), leases.release(leases.acquire(("three",), "dave", 4))

    leases.reload([pool("three", "10.9.0.1-10.9.0.3", alice="10.9.0.1", carol="10.9.0.2")])

    assert address(leases, "alice", "three") == "10.9.0.3"
    leases.release(bobs)
    with pytest.raises(PoolExhausted):
        address(leases, "bob", "three")
    assert address(leases, "alice", "three") == "10.9.0.1"
    assert address(leases, "carol", "three") == "10.9.0.2"


def test_pools_are_tried_in_the_order_they_are_named_and_a_used_address_of_any_before_a_fresh_one(opened: Open) -> None:
    leases = opened(TEN, THREE)
    first = [leases.acquire(("three", "ten"), name, 4) for name in "abcd"]

    assert [lease.pool for lease in first] == ["three", "three", "three", "ten"]
    leases.release(first[0])
    leases.release(first[3])
    assert leases.acquire(("three", "ten"), "d", 4).address == first[3].address


def test_pools_of_the_other_family_are_passed_over(opened: Open) -> None:
    leases = opened(TEN, pool("six", "2001:db8::/64"))

    assert str(leases.acquire(("ten", "six"), "alice", 6).address) == "2001:db8::1"
    assert str(leases.acquire(("ten", "six"), "alice", 4).address) == "10.9.0.10"
    with pytest.raises(NoSuchFamily, match="pools ten have no IPv6 addresses"):
        leases.acquire(("ten",), "alice", 6)
    with pytest.raises(NoSuchFamily, match="there are no pools with IPv4 addresses"):
        leases.acquire((), "alice", 4)


def test_exhaustion_names_each_pool_and_how_many_are_in_use(opened: Open) -> None:
    leases = opened(THREE, pool("one", "10.9.1.1"))
    for name in "abcd":
        leases.acquire(("three", "one"), name, 4)

    with pytest.raises(PoolExhausted) as caught:
        leases.acquire(("three", "one"), "eve\n", 4)

    assert [(each.name, each.in_use, each.size) for each in caught.value.pools] == [("three", 3, 3), ("one", 1, 1)]
    assert str(caught.value) == (
        "no address is free for 'eve\\n' (pool three: 3 of 3 in use, pool one: 1 of 1 in use): add addresses under pools"
    )


def test_a_session_that_takes_the_place_of_another_has_its_address_and_the_others_end_changes_nothing(
    opened: Open,
) -> None:
    leases = opened(TEN)
    crashed = leases.acquire(("ten",), "alice", 4)

    back = leases.acquire(("ten",), "alice", 4, instead_of=[crashed])

    assert back.address == crashed.address
    assert not leases.release(crashed)
    assert leases.in_use() == (back,)


def test_nobody_takes_the_place_of_another_identity(opened: Open) -> None:
    leases = opened(TEN)
    theirs = leases.acquire(("ten",), "bob", 4)

    assert leases.acquire(("ten",), "alice", 4, instead_of=[theirs]).address != theirs.address


def test_leases_outside_of_new_pools_end_when_they_are_released(opened: Open) -> None:
    leases = opened(TEN)
    inside, outside = (leases.acquire(("ten",), name, 4) for name in "ab")
    leases.release(leases.acquire(("ten",), "c", 4))

    strays = leases.reload([pool("new", "10.9.0.10", "10.9.0.30-10.9.0.31")])

    assert [lease.address for lease in strays] == [outside.address]
    assert leases.usage() == (PoolUse("new", 3, 1, 0),)
    assert leases.release(strays[0])
    leases.reload([TEN])
    assert leases.usage() == (PoolUse("ten", 10, 1, 0),)
    assert leases.in_use() == (Lease(inside.address, "ten", "a", inside.number),)
    assert address(leases, "d", "ten") == str(outside.address)


def test_huge_pools_cost_nothing(opened: Open) -> None:
    leases = opened(pool("eight", "10.0.0.0/8"), pool("six", "2001:db8::/64"), pool("all", "fd00::/8"))

    assert str(leases.acquire(("six",), "a", 6).address) == "2001:db8::1"
    assert address(leases, "a", "eight", requested="10.255.255.254") == "10.255.255.254"
    far = ip_address("2001:db8::ffff:ffff:ffff:ffff")
    assert leases.acquire(("six",), "b", 6, far).address == far
    assert str(leases.acquire(("all",), "b", 6).address) == "fd00::1"
    assert [use.size for use in leases.usage()] == [(1 << 24) - 2, (1 << 64) - 1, (1 << 120) - 1]


def test_where_many_leases_are_remembered_the_oldest_goes_before_a_fresh_address(opened: Open) -> None:
    leases = opened(pool("eight", "10.0.0.0/8"), most_free=5)

    for number in range(50):
        leases.release(leases.acquire(("eight",), f"user{number}", 4))

    (use,) = leases.usage()
    assert use.offline == 5
    assert address(leases, "user49", "eight") == "10.0.0.5"


def test_ranges_of_one_pool_are_lent_one_after_the_other(opened: Open) -> None:
    leases = opened(pool("p", "10.9.0.8", "10.9.0.1-10.9.0.2"))

    assert [address(leases, name, "p") for name in "abc"] == ["10.9.0.8", "10.9.0.1", "10.9.0.2"]


def test_the_file_is_its_owners_alone(opened: Open, tmp_path: Path) -> None:
    opened(TEN).acquire(("ten",), "alice", 4)

    files = list(tmp_path.iterdir())

    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_any_identity_can_have_a_lease(opened: Open) -> None:
    leases = opened(TEN)
    for identity in ("", "a\0b", "\udcff\ud800", "'; DROP TABLE lease; --", "x" * 100_000):
        lease = leases.acquire(("ten",), identity, 4)
        leases.release(lease)
        assert leases.acquire(("ten",), identity, 4).address == lease.address


def test_a_second_process_is_refused(opened: Open, tmp_path: Path) -> None:
    opened(TEN)

    with pytest.raises(LeaseStoreError, match="another process has it; stop the other daemon"):
        Leases.open(tmp_path / "leases.db", [TEN])


def test_a_file_that_is_none_is_named_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "leases.db"
    path.write_bytes(b"no database at all, but longer than its header is" * 100)

    with pytest.raises(LeaseStoreError, match=r"leases.db: it is damaged \(.*\); move it away"):
        Leases.open(path, [TEN])
    with pytest.raises(LeaseStoreError, match="cannot be opened"):
        Leases.open(tmp_path / "no" / "leases.db", [TEN])


def test_a_file_of_a_later_version_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "leases.db"
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 7")
    db.close()

    with pytest.raises(LeaseStoreError, match="it is of version 7; run the ikepy that made it"):
        Leases.open(path, [TEN])


def test_threads_may_ask_at_the_same_time(opened: Open) -> None:
    leases = opened(pool("p", "10.9.0.0/24"))
    found: list[Lease] = []
    threads = [
        threading.Thread(target=lambda: found.extend(leases.acquire(("p",), "a", 4) for _ in range(10)))
        for _ in range(5)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len({lease.address for lease in found}) == len({lease.number for lease in found}) == 50


@pytest.mark.slow
def test_twenty_thousand_leases_and_releases_lose_and_double_none(opened: Open) -> None:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    draw = random.Random(seed)
    leases = opened(pool("a", "10.9.0.0/24"), pool("b", "10.9.1.0/25", alice="10.9.1.7"))
    lent: dict[object, Lease] = {}
    for _ in range(20_000):
        if lent and draw.random() < 0.49:
            _, lease = lent.popitem() if draw.random() < 0.5 else _taken(lent, draw)
            assert leases.release(lease)
            continue
        try:
            lease = leases.acquire(("a", "b"), f"user{draw.randrange(400)}", 4)
        except PoolExhausted:
            assert len(lent) >= 254 + 125
            continue
        assert lease.address not in lent
        lent[lease.address] = lease

    assert set(leases.in_use()) == set(lent.values())
    assert sum(use.in_use for use in leases.usage()) == len(lent)


def _taken(lent: dict[object, Lease], draw: random.Random) -> tuple[object, Lease]:
    key = draw.choice(list(lent))
    return key, lent.pop(key)
