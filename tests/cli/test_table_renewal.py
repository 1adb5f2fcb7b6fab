"""What `ikepy status` draws of rekeys to come, of what was replaced, and of traps and shunts."""

from __future__ import annotations

import pytest
from rich.console import Console

from ikepy.cli.table import DaemonStatus, make_status
from ikepy.control.codec import Section
from ikepy.control.conns import policy_section
from ikepy.control.status import status_section
from ikepy.ike.events import IkeSnapshot, InstalledPolicy
from ikepy.ipsec import Mode
from tests.support.fake_daemon import NOW, make_child, make_ike, make_policy

TRAPS_AND_SHUNTS = (
    make_policy("web"),
    make_policy("printer", mode=Mode.PASS, local=("10.1.0.0/16",), remote=("10.1.9.9/32",)),
    make_policy("rest", "branch", Mode.DROP, local=("10.1.0.0/16",), remote=("0.0.0.0/0",)),
)


def draw(*sas: IkeSnapshot, policies: tuple[InstalledPolicy, ...] = (), width: int = 80) -> str:
    answer: Section = {"version": "1.2.3", "pid": "4711", "uptime": "7384", "idle": [], "drops": {}}
    sections = tuple((sa.connection, status_section(sa, NOW, {})) for sa in sas)
    bodies = tuple(body for each in policies for body in policy_section(each).values() if isinstance(body, dict))
    console = Console(width=width, highlight=False, color_system=None)
    with console.capture() as captured:
        console.print(*make_status(DaemonStatus("/run/ikepy/site", answer, sections, bodies), console), sep="\n")
    return "\n".join(line.rstrip() for line in captured.get().splitlines())


def lines_of(*sas: IkeSnapshot) -> list[str]:
    return [" ".join(line.split()) for line in draw(*sas).splitlines()]


def test_the_next_rekey_of_an_ike_sa_and_of_a_child_is_said() -> None:
    child = make_child(rekey_at=NOW + 540, life_until=NOW + 900)
    lines = lines_of(make_ike(rekey_at=NOW + 11100, reauth_at=NOW + 190000, children=(child,)))
    assert "rekey in 3 h 05 min, reauthentication in 2 d 4 h" in lines
    assert "rekey in 9 min" in lines


@pytest.mark.parametrize(
    ("rekey_in", "life_in", "line"),
    [
        (-3, None, "rekey due"),
        (-3, 100, "rekey due; it ends in 100 s if that fails"),
        (None, 100, "rekey none; it ends in 100 s"),
    ],
)
def test_a_rekey_that_is_late_or_never_comes_is_said_with_the_end(
    rekey_in: float | None, life_in: float | None, line: str
) -> None:
    instants = {"rekey_at": rekey_in, "life_until": life_in}
    child = make_child(**{name: NOW + span for name, span in instants.items() if span is not None})
    assert line in lines_of(make_ike(children=(child,)))


def test_where_no_rekey_comes_no_line_is_spent_on_it() -> None:
    assert "rekey" not in draw(make_ike())


@pytest.mark.parametrize("state", ["REKEYING", "DELETING"])
def test_a_rekey_under_way_is_said_by_the_state_alone(state: str) -> None:
    drawn = draw(make_ike(children=(make_child(state=state, rekey_at=NOW - 1, life_until=NOW + 100),)))
    assert f"site/net  {state} for 51 min\n" in drawn
    assert "rekey  " not in drawn


def test_a_timer_that_has_a_line_of_its_own_is_not_said_twice() -> None:
    drawn = draw(make_ike(rekey_at=NOW + 540, next_event=("rekeying", NOW + 540)))
    assert drawn.count("9 min") == 1
    assert "  next " not in drawn


def test_what_was_replaced_stands_behind_its_successor_in_few_words() -> None:
    old, new = make_child(state="DELETING"), make_child(unique_id=7, rekey_at=NOW + 540)
    drawn = draw(make_ike(children=(old, new))).splitlines()
    heads = [line for line in drawn if line.startswith("site/net")]
    assert heads == ["site/net  INSTALLED for 51 min", "site/net  replaced"]


def test_a_replaced_ike_sa_stands_behind_its_successor_and_before_other_connections() -> None:
    drawn = draw(
        make_ike(state="REKEYED", children=()),
        make_ike("branch", 2, children=()),
        make_ike(unique_id=3, children=()),
    ).splitlines()
    heads = [line for line in drawn if line.startswith(("site", "branch"))]
    assert heads == ["site  ESTABLISHED for 51 min", "site  replaced", "branch  ESTABLISHED for 51 min"]


@pytest.mark.parametrize("width", [60, 80, 160])
def test_traps_and_shunts_have_a_line_each_at_any_width(width: int) -> None:
    drawn = draw(make_ike(), policies=TRAPS_AND_SHUNTS, width=width).splitlines()
    assert drawn[drawn.index("traps and shunts") + 1 :] == [
        "site/web      trap  10.1.3.0/24 = 10.2.3.0/24",
        "site/printer  pass  10.1.0.0/16 = 10.1.9.9/32",
        "branch/rest   drop  10.1.0.0/16 = 0.0.0.0/0",
    ]


def test_a_daemon_of_shunts_alone_is_not_said_to_have_no_connection() -> None:
    drawn = draw(policies=TRAPS_AND_SHUNTS[1:])
    assert "no connection is configured" not in drawn
    assert "traps and shunts\n" in drawn


def test_without_traps_and_shunts_there_is_no_word_of_them() -> None:
    assert "traps" not in draw(make_ike())
