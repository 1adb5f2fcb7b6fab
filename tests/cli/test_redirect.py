"""`ikepy redirect` on a daemon behind a real socket."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.cli.conftest import Said
from tests.support.fake_daemon import FakeDaemon, make_ike

Ikepy = Callable[..., Said]
Serve = Callable[..., Path]


def test_redirect_says_how_many_go(ikepy: Ikepy, serve: Serve) -> None:
    daemon = FakeDaemon(sas=[make_ike()], following=2)
    serve(daemon)
    assert ikepy("redirect", "site", "gw2.example.com") == Said(0, "2 of site told to go to gw2.example.com\n", "")
    assert daemon.redirected == [("gw2.example.com", "site", None)]


def test_redirect_fails_where_nobody_goes(ikepy: Ikepy, serve: Serve) -> None:
    serve(FakeDaemon(sas=[make_ike()], following=0))
    said = ikepy("redirect", "site", "192.0.2.7")
    assert said.code != 0
    assert "nobody of site was sent on" in said.err
