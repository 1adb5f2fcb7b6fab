"""`ikepy rekey` on daemons behind real sockets, and `ikepy down` of what is only tried."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ikepy.daemon.api import RekeyOutcome, RekeyWish, TerminateOutcome
from tests.cli.conftest import Said
from tests.support.fake_daemon import FakeDaemon, make_ike

Ikepy = Callable[..., Said]
Serve = Callable[..., Path]


@pytest.mark.parametrize(
    ("words", "wish", "out"),
    [
        (("site",), RekeyWish("site"), "site is rekeyed\n"),
        (("site", "--child", "net"), RekeyWish("site", child="net"), "site/net is rekeyed\n"),
        (("site", "net"), RekeyWish("site", child="net"), "site/net is rekeyed\n"),
        (("site", "--reauth"), RekeyWish("site", reauth=True), "site is reauthenticated\n"),
    ],
)
def test_rekey_waits_until_it_is_so_and_says_so(
    ikepy: Ikepy, serve: Serve, words: tuple[str, ...], wish: RekeyWish, out: str
) -> None:
    daemon = FakeDaemon(sas=[make_ike()])
    serve(daemon)
    assert ikepy("rekey", *words) == Said(0, out, "")
    assert daemon.rekeyed == [(wish, 30.0)]


def test_rekey_tells_progress_on_standard_error_and_waits_as_long_as_told(ikepy: Ikepy, serve: Serve) -> None:
    daemon = FakeDaemon(sas=[make_ike()], says=("7d0c…01 > CREATE_CHILD_SA request 2, 300 octets",))
    serve(daemon)
    said = ikepy("rekey", "site", "--timeout", 5)
    assert said == Said(0, "site is rekeyed\n", "7d0c...01 > CREATE_CHILD_SA request 2, 300 octets\n")
    assert daemon.rekeyed == [(RekeyWish("site"), 5.0)]


@pytest.mark.parametrize(
    ("words", "outcome", "line"),
    [
        (("site",), RekeyOutcome(0, "no matching SAs to rekey found"), "site is not up: see `ikepy status`"),
        (("site", "net"), RekeyOutcome(1, "site/net ended before it was rekeyed"), "site/net is not rekeyed: site/net"),
        (("site", "--reauth"), RekeyOutcome(1, "no answer"), "site is not reauthenticated: no answer"),
    ],
)
def test_rekey_that_comes_to_nothing_says_why_in_one_line(
    ikepy: Ikepy, serve: Serve, words: tuple[str, ...], outcome: RekeyOutcome, line: str
) -> None:
    serve(FakeDaemon(rekeying=outcome))
    said = ikepy("rekey", *words)
    assert (said.code, said.out) == (1, "")
    assert said.line.startswith(f"ikepy: {line}")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("site", "net", "--child", "other"), "name one child"),
        (("site", "--child", "net", "--reauth"), "--reauth is of a whole connection: name no child"),
    ],
)
def test_rekey_that_makes_no_sense_is_a_mistake_of_the_command_line(
    ikepy: Ikepy, serve: Serve, words: tuple[str, ...], line: str
) -> None:
    daemon = FakeDaemon()
    serve(daemon)
    said = ikepy("rekey", *words)
    assert (said.code, said.out) == (2, "")
    assert line in said.err
    assert not daemon.rekeyed


def test_rekey_without_a_daemon_says_what_to_do(ikepy: Ikepy, serve: Serve) -> None:
    said = ikepy("rekey", "site")
    assert (said.code, said.out) == (1, "")
    assert said.line.startswith("ikepy: no daemon is running: start one with `ikepy --conf FILE`")


def test_down_of_what_is_only_tried_gives_it_up_and_is_done(ikepy: Ikepy, serve: Serve) -> None:
    serve(FakeDaemon(terminating=TerminateOutcome(0, 0, given_up=True)))
    assert ikepy("down", "site") == Said(0, "site is down\n", "")
