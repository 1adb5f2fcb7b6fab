"""Clients are sent to another gateway over the control socket."""

from __future__ import annotations

from pathlib import Path

import pytest

from ikepy.control.codec import Section
from tests.support.control_client import ask
from tests.support.fake_daemon import FakeDaemon


@pytest.mark.parametrize("gateway", ["192.0.2.7", "2001:db8::7", "gw2.example.com"])
def test_redirect_passes_on_who_and_where_to(tmp_path: Path, gateway: str) -> None:
    daemon = FakeDaemon(following=3)
    _, answer = ask(tmp_path, daemon, "redirect", {"ike": "site", "ike-id": "4", "gateway": gateway})
    assert answer == {"success": "yes", "matches": "3"}
    assert daemon.redirected == [(gateway, "site", 4)]


def test_redirect_says_where_nobody_goes(tmp_path: Path) -> None:
    _, answer = ask(tmp_path, FakeDaemon(following=0), "redirect", {"ike": "site", "gateway": "192.0.2.7"})
    assert (answer["success"], answer["matches"]) == ("no", "0")
    assert "follow redirects" in str(answer["errmsg"])


@pytest.mark.parametrize(
    "message",
    [{"ike": "site"}, {"gateway": "192.0.2.7"}, {"ike": "site", "gateway": "a b"}, {"gateway": "", "ike": "x"}],
)
def test_redirect_wants_to_know_who_and_where_to(tmp_path: Path, message: Section) -> None:
    daemon = FakeDaemon()
    _, answer = ask(tmp_path, daemon, "redirect", message)
    assert answer["success"] == "no"
    assert not daemon.redirected
