"""Which SAs a wish means, and what comes after which."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ikepy.daemon.api import TerminateWish
from ikepy.daemon.successors import MOST, Successors
from ikepy.daemon.targets import Targets
from ikepy.ike.events import ChildSaRekeyed, IkeSaRekeyed
from tests.support.fake_daemon import make_child, make_ike

OLD, NEW, OTHER = make_child("net", 1, state="REKEYED"), make_child("net", 2), make_child("other", 3)
SITE = make_ike(children=(OLD, NEW, OTHER))
BEFORE = make_ike(unique_id=7, state="REKEYED", children=())


def meant(**wish: object) -> list[tuple[str, set[int]]]:
    targets = Targets(TerminateWish(**wish), (BEFORE, SITE), Successors())
    return [(each.name, each.numbers) for each in targets.all]


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        ({"ike": "site"}, [("site", {1})]),
        ({"ike_id": 1}, [("site", {1})]),
        ({"ike": "site", "child": "net"}, [("site/net", {1, 2})]),
        ({"child_id": 1}, [("site/net", {1, 2})]),
        ({"child_id": 2}, [("site/net", {2})]),
        ({"child": "other"}, [("site/other", {3})]),
        ({"ike": "other", "child": "net"}, []),
        ({"ike_id": 9}, []),
        ({}, []),
    ],
)
def test_what_was_replaced_and_its_successor_are_one_target(
    wish: dict[str, object], expected: list[tuple[str, set[int]]]
) -> None:
    assert meant(**wish) == expected


def test_all_children_that_fit_are_targets_of_their_own() -> None:
    both = make_ike(children=(make_child("net", 1), make_child("net", 2)))
    targets = Targets(TerminateWish(child="net"), (both,), Successors())
    assert targets.child_ids == (1, 2)
    assert len(targets.look((replace(both, children=both.children[:1]),))) == 1


def test_successors_are_followed_over_several_rekeys() -> None:
    successors = Successors()
    for old, new in ((1, 2), (2, 5)):
        successors.note(IkeSaRekeyed(make_ike(unique_id=old), make_ike(unique_id=new)))
    successors.note(ChildSaRekeyed(SITE, OLD, NEW))
    assert successors.of_ike(1) == (1, 2, 5)
    assert successors.of_ike(5) == (5,)
    assert successors.of_child(1) == (1, 2)
    assert successors.of_child(3) == (3,)


def test_successors_are_not_remembered_without_a_bound() -> None:
    successors = Successors()
    for number in range(MOST + 10):
        old, new = replace(OLD, unique_id=2 * number), replace(NEW, unique_id=2 * number + 1)
        successors.note(ChildSaRekeyed(SITE, old, new))
    assert successors.of_child(0) == (0,)
    assert successors.of_child(2 * MOST) == (2 * MOST, 2 * MOST + 1)
