"""Guessing made slow."""

from __future__ import annotations

from ipaddress import ip_address

from ikepy.auth.slowdown import FORGOTTEN_SECONDS, LONGEST_SECONDS, Slowdown

HERE, THERE = ip_address("192.0.2.7"), ip_address("198.51.100.9")


def test_four_wrong_passwords_cost_nothing_and_from_the_fifth_on_each_costs_twice_as_much() -> None:
    slowdown = Slowdown()

    waits = [slowdown.failed(HERE, "alice", 100.0) for _ in range(12)]

    assert waits == [0, 0, 0, 0, 1, 2, 4, 8, 16, 30, 30, 30]


def test_a_name_is_slow_wherever_guesses_come_from_and_however_it_is_written() -> None:
    slowdown = Slowdown()
    for number in range(5):
        slowdown.failed(ip_address(f"203.0.113.{number}"), "alice", 100.0)

    assert slowdown.wait(HERE, "CORP\\Alice", 100.0) == 1.0
    assert slowdown.wait(HERE, "bob", 100.0) == 0.0


def test_a_source_is_slow_whatever_names_it_tries_and_a_site_of_ipv6_is_one() -> None:
    slowdown = Slowdown()
    for number in range(5):
        slowdown.failed(ip_address(f"2001:db8:1:2::{number}"), f"user{number}", 100.0)

    assert slowdown.wait(ip_address("2001:db8:1:2:ffff::1"), "bob", 100.0) == 1.0
    assert slowdown.wait(ip_address("2001:db8:1:3::1"), "bob", 100.0) == 0.0


def test_a_wait_ends_by_itself() -> None:
    slowdown = Slowdown()
    for _ in range(7):
        slowdown.failed(HERE, "alice", 100.0)

    assert [slowdown.wait(HERE, "alice", now) for now in (100.0, 103.0, 104.0, 1e9)] == [4.0, 1.0, 0.0, 0.0]


def test_nobody_is_kept_out_for_longer_than_half_a_minute() -> None:
    slowdown = Slowdown()
    for _ in range(1000):
        slowdown.failed(HERE, "alice", 100.0)

    assert slowdown.wait(THERE, "alice", 100.0) == LONGEST_SECONDS


def test_a_right_password_makes_the_name_clean_and_not_the_source() -> None:
    slowdown = Slowdown()
    for _ in range(5):
        slowdown.failed(HERE, "alice", 100.0)

    slowdown.succeeded("CORP\\alice")

    assert slowdown.wait(THERE, "alice", 100.0) == 0.0
    assert slowdown.wait(HERE, "alice", 100.0) == 1.0


def test_after_a_quiet_while_counting_begins_anew() -> None:
    slowdown = Slowdown()
    for _ in range(9):
        slowdown.failed(HERE, "alice", 100.0)

    assert slowdown.failed(HERE, "alice", 100.0 + FORGOTTEN_SECONDS) == 0.0


def test_memory_is_bounded_and_what_is_old_goes_first() -> None:
    slowdown = Slowdown(most_entries=10)
    for _ in range(6):
        slowdown.failed(HERE, "alice", 100.0)
    for number in range(9):
        slowdown.failed(THERE, f"{number}" * 10_000, 101.0)

    assert slowdown.wait(HERE, "alice", 101.0) == 1.0
    for number in range(1000):
        slowdown.failed(ip_address(number << 8), f"user{number}", 102.0)
    assert len(slowdown) == 20
    assert slowdown.wait(HERE, "alice", 100.0) == 0.0
    slowdown.failed(HERE, "bob", 102.0 + FORGOTTEN_SECONDS)
    assert len(slowdown) == 2
