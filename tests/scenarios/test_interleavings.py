"""Two things begun at once, and every order in which the datagrams of both sides can arrive.

Each of the datagrams on their way may be the next to arrive, and one of all may be lost: each choice is tried, until
nothing is on its way. So of a crossing, which takes a dozen datagrams, nothing is left to luck.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.stage import LOWEST, PLAIN, SPARE, Stage, esp, facing, staged, unconnected

Act = Callable[[Stage, str], None]
MOST_CHOICES = 12
"Datagrams for which each choice is tried; after so many the oldest arrives first."
FEWER_CHOICES = 5
"The same where a crossing takes many datagrams."


def rekey_child(stage: Stage, side: str) -> None:
    stage.rekey_child(getattr(stage, side))


def rekey_ike(stage: Stage, side: str) -> None:
    stage.rekey_ike(getattr(stage, side))


def delete_child(stage: Stage, side: str) -> None:
    stage.delete_child(getattr(stage, side))


def delete_ike(stage: Stage, side: str) -> None:
    stage.delete_ike(getattr(stage, side))


def create(stage: Stage, side: str) -> None:
    stage.create(getattr(stage, side))


def reauthenticate(stage: Stage, side: str) -> None:
    who = getattr(stage, side)
    ids = tuple(sa.unique_id for sa in who.sas)
    stage.do(who, who.endpoint.rekey(stage.pair.now, ike_ids=ids, reauth=True))


NONE, ONE = {"net": 0, "lossless": False}, {"net": 1}
TWO = facing((esp(), SPARE))
CROSSINGS: dict[str, tuple[Act, Act, dict[str, object]]] = {
    "child rekeyed by both": (rekey_child, rekey_child, ONE),
    "child rekeyed and deleted": (rekey_child, delete_child, NONE),
    "child rekeyed, IKE SA rekeyed": (rekey_child, rekey_ike, ONE),
    "child rekeyed, IKE SA deleted": (rekey_child, delete_ike, {**NONE, "ike_sas": 0}),
    "child deleted by both": (delete_child, delete_child, NONE),
    "child deleted, IKE SA rekeyed": (delete_child, rekey_ike, NONE),
    "child deleted, IKE SA deleted": (delete_child, delete_ike, {**NONE, "ike_sas": 0}),
    "IKE SA rekeyed by both": (rekey_ike, rekey_ike, ONE),
    "IKE SA rekeyed and deleted": (rekey_ike, delete_ike, {**NONE, "ike_sas": 0}),
    "IKE SA deleted by both": (delete_ike, delete_ike, {**NONE, "ike_sas": 0}),
    "reauthenticated by both": (reauthenticate, reauthenticate, {**ONE, "lossless": False}),
    "reauthenticated, child rekeyed": (reauthenticate, rekey_child, {**ONE, "lossless": False}),
    "reauthenticated, IKE SA rekeyed": (reauthenticate, rekey_ike, {**ONE, "lossless": False}),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CROSSINGS)
def test_each_order_of_arrival_ends_the_same(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    left, right, outcome = CROSSINGS[name]
    most = FEWER_CHOICES if left is reauthenticate else MOST_CHOICES
    orders = 0
    for lowest in LOWEST:
        for acts in {(left, right), (right, left)}:

            def begun(acts: tuple[Act, Act] = acts, lowest: str = lowest) -> Stage:
                stage = staged(PLAIN, lowest=lowest)
                acts[0](stage, "left")
                acts[1](stage, "right")
                return stage

            orders += all_orders(begun, outcome, most_choices=most)
    with capsys.disabled():
        print(f"\n{name}: {orders} orders of arrival", end="")


@pytest.mark.slow
@pytest.mark.parametrize("other", [create, rekey_ike, rekey_child])
def test_a_child_created_beside_another_crossing_comes_up_once(other: Act) -> None:
    for lowest in LOWEST:

        def begun(lowest: str = lowest) -> Stage:
            stage = staged(TWO)
            stage.delete_child(stage.left, "spare")
            stage.carry()
            for name, side in (("left", stage.left), ("right", stage.right)):
                side.entropy.leads = [0x01 if lowest == f"{name} {nonce}" else 0x80 for nonce in ("ni", "nr")]
            create(stage, "left")
            other(stage, "right")
            return stage

        assert all_orders(begun, {"net": 1, "spare": 1, "lossless": False})


@pytest.mark.slow
def test_both_begin_and_each_order_of_arrival_leaves_one_ike_sa() -> None:
    def begun() -> Stage:
        stage = unconnected()
        create(stage, "left")
        create(stage, "right")
        return stage

    assert all_orders(begun, {"net": 1, "lossless": False})


def all_orders(
    begun: Callable[[], Stage], outcome: dict[str, object], *, most_choices: int = MOST_CHOICES, most_lost: int = 1
) -> int:
    """Try each order; how many there are."""
    count = 0
    waiting: list[list[int]] = [[]]
    while waiting:
        order = waiting.pop()
        stage = begun()
        for choice in order:
            arrive(stage, choice)
        while stage.flying:
            if len(order) < most_choices:
                among = range(len(stage.flying))
                lost = [~choice for choice in among] if sum(choice < 0 for choice in order) < most_lost else []
                waiting += [[*order, choice] for choice in (*among[1:], *lost)]
            order.append(0)
            arrive(stage, 0)
        count += 1
        try:
            stage.end(**outcome)
        except AssertionError as failure:
            raise AssertionError(f"arriving in the order {order}: {failure}") from failure
    return count


def arrive(stage: Stage, choice: int) -> None:
    """Deliver that datagram of those on their way, the oldest first; ~n loses it."""
    found = stage.flying[choice if choice >= 0 else ~choice]
    which = stage.of(found.sender).index(found)
    (stage.deliver if choice >= 0 else stage.lose)(found.sender, which)
