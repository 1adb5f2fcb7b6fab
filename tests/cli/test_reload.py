"""`ikepy reload` on a daemon behind a real socket, and certificates in `ikepy status`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.cli.conftest import Said
from tests.support.fake_daemon import FakeDaemon, make_ike

Ikepy = Callable[..., Said]
Serve = Callable[..., Path]


def test_reload_says_that_it_was_done(ikepy: Ikepy, serve: Serve) -> None:
    daemon = FakeDaemon(sas=[make_ike()])
    serve(daemon)
    assert ikepy("reload") == Said(0, "read again\n", "")
    assert daemon.reloads == 1


def test_reload_says_why_all_stays_as_it_was(ikepy: Ikepy, serve: Serve) -> None:
    serve(FakeDaemon(sas=[make_ike()], reload_refusal="gw.pem: no certificate is in it; name another file"))
    said = ikepy("reload")
    assert said.code == 1
    assert said.line == "ikepy: all stays as it was: gw.pem: no certificate is in it; name another file"


def test_status_says_how_long_certificates_are_good_for(ikepy: Ikepy, serve: Serve) -> None:
    serve(FakeDaemon(sas=[make_ike()], certificate_words={"clients": "'CN=vpn.example.com', 20 days left"}))
    assert "certificates\n  clients  'CN=vpn.example.com', 20 days left" in ikepy("status").out
