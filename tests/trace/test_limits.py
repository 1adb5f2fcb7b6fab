"""Keeping a log short."""

from __future__ import annotations

from ikepy.trace.limits import Bucket, Tally, is_worth_a_line


class HandClock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_bucket_lets_a_burst_through_and_then_its_rate() -> None:
    clock = HandClock()
    bucket = Bucket(rate=2.0, burst=3, clock=clock)

    assert [bucket.allows() for _ in range(5)] == [True, True, True, False, False]
    clock.now = 1.0
    assert [bucket.allows() for _ in range(3)] == [True, True, False]


def test_what_a_bucket_leaves_out_is_counted_once() -> None:
    bucket = Bucket(rate=1.0, burst=1, clock=HandClock())
    for _ in range(4):
        bucket.allows()

    assert bucket.take_left_out() == 3
    assert bucket.take_left_out() == 0


def test_a_bucket_never_holds_more_than_its_burst() -> None:
    clock = HandClock()
    bucket = Bucket(rate=1.0, burst=2, clock=clock)
    clock.now = 1e9

    assert [bucket.allows() for _ in range(3)] == [True, True, False]


def test_a_tally_counts_each_key_by_itself() -> None:
    tally = Tally()

    assert [tally.add(key) for key in "aabab"] == [1, 2, 1, 3, 2]


def test_a_tally_forgets_the_longest_unused_key_beyond_its_bound() -> None:
    tally = Tally(most=2)
    for key in "abac":
        tally.add(key)

    assert len(tally) == 2
    assert tally.add("a") == 3
    assert tally.add("b") == 1


def test_lines_are_said_at_powers_of_two() -> None:
    assert [count for count in range(1, 20) if is_worth_a_line(count)] == [1, 2, 4, 8, 16]
