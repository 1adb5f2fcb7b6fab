"""`hold_early`: from our request for a child until its inbound state is there, what comes for it waits."""

from __future__ import annotations

import pytest

from ikepy.ike.errors import KernelRefused
from ikepy.wire.registry import NotifyType
from tests.support.stage import SPARE, error_of, esp, facing, staged

HOLDING = facing((esp(),), hold_early=True)
TWO = facing((esp(), SPARE), hold_early=True)


def test_a_rekey_of_ours_holds_its_spi_until_the_state_is_installed() -> None:
    stage = staged(HOLDING)
    stage.rekey_child(stage.left)
    (held,) = stage.left.kernel.held

    assert held.destination == stage.left.address
    stage.deliver(stage.left)
    assert stage.left.kernel.held == {held}, "the peer may send already, and we cannot receive yet"
    stage.deliver(stage.right)
    assert stage.left.kernel.held == set()
    assert held in stage.left.kernel.states
    stage.end()


def test_one_more_child_of_ours_is_held_as_well() -> None:
    stage = staged(TWO)
    stage.delete_child(stage.left, "spare")
    stage.carry()
    stage.create(stage.left, "spare")

    assert len(stage.left.kernel.held) == 1
    stage.carry()
    assert stage.left.kernel.held == set()


def test_nothing_is_held_for_a_child_of_the_peers() -> None:
    stage = staged(HOLDING)
    stage.rekey_child(stage.left)
    stage.deliver(stage.left)

    assert stage.right.kernel.held == set()


def test_nothing_is_held_where_it_is_not_asked_for() -> None:
    stage = staged()
    stage.rekey_child(stage.left)

    assert stage.left.kernel.held == set()


def test_a_refused_rekey_lets_go() -> None:
    stage = staged(HOLDING)
    stage.delete_ike(stage.right)
    stage.rekey_child(stage.left)
    assert len(stage.left.kernel.held) == 1
    stage.deliver(stage.left)

    assert error_of(stage.deliver(stage.right, 1)) is NotifyType.TEMPORARY_FAILURE
    assert stage.left.kernel.held == set()


def test_a_rekey_that_the_kernel_refuses_lets_go() -> None:
    stage = staged(HOLDING)
    stage.rekey_child(stage.left)
    stage.left.kernel.refuse = KernelRefused("no memory")
    stage.carry()

    assert stage.left.kernel.held == set()


@pytest.mark.parametrize("lowest", ["left ni", "right ni"])
def test_crossing_rekeys_let_go_whoever_wins(lowest: str) -> None:
    stage = staged(HOLDING, lowest=lowest)
    stage.rekey_child(stage.left)
    stage.rekey_child(stage.right)
    assert (len(stage.left.kernel.held), len(stage.right.kernel.held)) == (1, 1)
    stage.carry()

    assert (stage.left.kernel.held, stage.right.kernel.held) == (set(), set())


def test_an_ike_sa_that_is_given_up_amid_a_rekey_lets_go() -> None:
    stage = staged(HOLDING)
    stage.rekey_child(stage.left)
    while stage.of(stage.left):
        stage.lose(stage.left)
    for _ in range(30):
        stage.wait(100)
        while stage.of(stage.left):
            stage.lose(stage.left)

    assert stage.left.kernel.held == set()
