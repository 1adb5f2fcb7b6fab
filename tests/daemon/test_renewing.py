"""Keys and certificates that are renewed while a daemon runs: taken whole or not at all, and said how long they last."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trio
import trio.testing

from ikepy.auth.credentials import Credentials, load_credentials
from ikepy.config.load import load
from ikepy.config.model import Config
from ikepy.daemon.renewing import LOOK_SECONDS, Renewing
from ikepy.pki.making import KeyKind
from ikepy.pki.store import Pki

NAME = "vpn.example.com"
CONF = """
[connections.clients]
local = {{ auth = "pubkey", id = "vpn.example.com", certs = ["{pki}/certs/vpn.example.com.pem"], key = "{pki}/private/vpn.example.com.key" }}
remote = {{ auth = "pubkey", cacerts = ["{pki}/ca.pem"] }}
[connections.clients.children.net]
local_ts = "10.1.0.0/16"
"""


class Stage:
    """A daemon's credentials in a directory."""

    def __init__(self, directory: Path) -> None:
        self.at = datetime.now(UTC).replace(microsecond=0)
        self.pki = Pki(directory / "pki")
        self.pki.init("CA", KeyKind.P256)
        self.pki.issue_server([NAME], KeyKind.P256, days=100)
        conf = directory / "site.conf"
        conf.write_text(CONF.format(pki=self.pki.directory))
        self.config: Config = load(conf).config
        self.used: list[Credentials] = []
        self.users = 0
        before = load_credentials(self.config)
        self.serial = before.local["clients"].certificate.parsed.serial_number
        self.renewing = Renewing(self.config, before, (self.used.append,), self._look, lambda: self.at)

    def _look(self) -> None:
        self.users += 1

    def renew(self) -> None:
        self.pki.issue_server([NAME], KeyKind.P256, renew=True)


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def test_a_renewed_certificate_is_used_from_then_on(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    stage.renew()
    assert trio.run(stage.renewing.reload) == ""
    (fresh,) = stage.used
    assert fresh.local["clients"].certificate.parsed.serial_number != stage.serial
    assert "read again: new for clients" in caplog.text
    assert stage.users == 1


def test_without_anything_new_it_says_so(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    assert trio.run(stage.renewing.reload) == ""
    assert "none is new" in caplog.text


def test_half_of_a_renewal_leaves_the_old_in_force(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    key = stage.pki.directory / f"private/{NAME}.key"
    stage.pki.issue_client("other", KeyKind.P256)
    before = key.read_bytes()
    key.write_bytes((stage.pki.directory / "private/other.key").read_bytes())
    reason = trio.run(stage.renewing.reload)
    assert "the key does not belong to certificate" in reason
    assert "stay as they were" in caplog.text
    assert stage.used == []
    key.write_bytes(before)
    assert trio.run(stage.renewing.reload) == ""


@pytest.mark.parametrize("damage", ["", "no certificate"])
def test_a_damaged_file_leaves_the_old_in_force(damage: str, stage: Stage) -> None:
    (stage.pki.directory / f"certs/{NAME}.pem").write_text(damage)
    assert trio.run(stage.renewing.reload)
    assert stage.used == []


def test_files_that_change_are_seen_without_a_word(stage: Stage) -> None:
    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stage.renewing.serve)
            await trio.sleep(LOOK_SECONDS * 2.5)
            assert stage.used == []
            stage.renew()
            await trio.sleep(LOOK_SECONDS)
            with trio.fail_after(60):
                while not stage.used:  # noqa: ASYNC110 - a thread reads them
                    await trio.sleep(0.01)
            nursery.cancel_scope.cancel()

    trio.run(main, clock=trio.testing.MockClock(rate=200))
    assert len(stage.used) == 1


def test_status_says_how_long_ours_is_good_for(stage: Stage) -> None:
    assert "99 days left" in stage.renewing.words()["clients"] or "100 days left" in stage.renewing.words()["clients"]
    stage.at += timedelta(days=200)
    assert stage.renewing.words()["clients"].endswith("it has expired")


def test_the_log_warns_at_twenty_one_and_at_seven_days_once_each(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    for days, warnings in ((70, 0), (79, 1), (80, 1), (92, 2), (93, 2)):
        stage.at = datetime.now(UTC) + timedelta(days=days, minutes=5)
        stage.renewing._warn()
        assert len([each for each in caplog.records if "renew it" in each.message]) == warnings, days
