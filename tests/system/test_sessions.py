"""Sessions as an administrator has them: users who come and go, the audit log, status, idle clients, and no secret in all that was written."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from ikepy.crypto.password import nt_hash
from tests.lab.access_conf import PASSWORD, SHARED, Client, gateway_conf, issue, make_client
from tests.lab.access_room import INNER, NAMESPACE, AccessRoom, reaches
from tests.lab.gateway import Gateway, await_true
from tests.lab.strongswan import StrongSwan
from tests.support.no_secrets import assert_no_secrets

DAVES = "Dave's own pass phrase"
IDLE_SECONDS = 4
MORE = """
[groups.hasty]
idle_timeout = {idle}

[users.eve]
password = "{password}"
groups = ["hasty"]

[daemon]
users_file = "{directory}/users"
audit_log = "{directory}/audit.jsonl"
"""


@dataclass
class Office:
    """A gateway with a file of users and an audit log."""

    room: AccessRoom
    gateway: Gateway
    directory: Path

    @property
    def audit(self) -> Path:
        return self.directory / "audit.jsonl"

    def lines(self, user: str) -> list[dict[str, object]]:
        """The lines about a user."""
        lines = [json.loads(line) for line in self.audit.read_text().splitlines()] if self.audit.exists() else []
        return [line for line in lines if line.get("user") == user]

    @contextlib.contextmanager
    def client(self, number: int, client: Client) -> Iterator[StrongSwan]:
        directory = self.directory / f"client{number}"
        swan = make_client(self.room.client(number), directory, self.directory, client)
        swan.start()
        try:
            yield swan
        finally:
            swan.stop()

    def user(self, *arguments: str, password: str | None = None) -> str:
        """`ikepy user ...`, as an administrator types it."""
        command = [
            sys.executable,
            "-m",
            "ikepy",
            "user",
            arguments[0],
            "--conf",
            str(self.gateway.conf),
            *arguments[1:],
        ]
        done = subprocess.run(command, input=password, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def address_of(self, number: int) -> str:
        found = json.loads(
            subprocess.check_output(["ip", "-n", self.room.client(number), "-j", "address", "show"], text=True)
        )
        addresses = [info["local"] for device in found for info in device["addr_info"]]
        return next((each for each in addresses if each.startswith("10.9.0.")), "")


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    directory = tmp_path_factory.mktemp("office")
    issue(directory)
    room = AccessRoom(2)
    with room.laid():
        gateway = Gateway(NAMESPACE, directory / "gateway")
        more = MORE.format(idle=IDLE_SECONDS, password=PASSWORD, directory=directory)
        gateway.configure(gateway_conf(directory, more))
        gateway.start("--log-level", "debug")
        yield Office(room, gateway, directory)
        gateway.stop()


def test_a_session_stands_in_status_in_vici_and_in_the_audit_log(office: Office) -> None:
    with office.client(0, Client("eap-mschapv2")) as swan:
        swan.up("vpn", "net")
        address = office.address_of(0)
        assert reaches(office.room.client(0), address, INNER)
        shown = office.gateway.ikepy("status")
        for words in ("user: alice by EAP-MSCHAPV2, in staff", f"has: {address}", "client: strongSwan"):
            assert words in " ".join(shown.split()) or words.replace(": ", " ") in " ".join(shown.split()), shown
        raw = swan.swanctl("--list-sas", "--raw", "--uri", office.gateway.uri)
        assert "remote-eap-id=alice" in raw
        assert f"remote-vips=[{address}]" in raw
        swan.down("vpn")
        await_true("the session's end is written", lambda: len(office.lines("alice")) == 2)
    begun, ended = office.lines("alice")
    assert (begun["event"], ended["event"]) == ("begun", "ended")
    for line in (begun, ended):
        assert (line["groups"], line["addresses"], line["from"]) == (["staff"], [address], "10.90.0.2")
        assert (line["client"], line["method"]) == ("strongSwan", "EAP-MSCHAPV2")
    assert ended["octets_in"] == ended["octets_out"] > 0  # type: ignore[operator]
    assert ended["reason"] == "deleted by the peer"
    assert office.audit.stat().st_mode & 0o777 == 0o600


def test_a_wrong_password_is_one_line_that_says_so(office: Office) -> None:
    with office.client(1, Client("eap-mschapv2", user="bob", password="wrong")) as swan:
        with pytest.raises(AssertionError):
            swan.up("vpn", "net")
        await_true("the refusal is written", lambda: office.lines("bob"))
    (line,) = office.lines("bob")
    assert line["event"] == "refused"
    assert "wrong password" in str(line["reason"])
    assert line["from"] == "10.90.1.2"


def test_users_are_added_disabled_and_enabled_while_the_daemon_runs(office: Office) -> None:
    office.user("add", "dave", "--group", "staff", "--password-stdin", password=DAVES)
    with office.client(0, Client("eap-mschapv2", user="dave", password=DAVES)) as swan:
        swan.up("vpn", "net")
        office.user("disable", "dave")
        await_true("dave's session has ended", lambda: len(office.lines("dave")) >= 2 and not office.address_of(0))
        assert "disabled" in str(office.lines("dave")[-1]["reason"])
        with pytest.raises(AssertionError):
            swan.up("vpn", "net")
        office.user("enable", "dave")
        swan.up("vpn", "net")
        office.user("remove", "dave")
        await_true("dave is out", lambda: not office.address_of(0))
    assert "removed" in str(office.lines("dave")[-1]["reason"])


def test_an_idle_client_ends_after_the_time_its_group_has(office: Office) -> None:
    with office.client(1, Client("eap-mschapv2", user="eve", lines=("dpd_delay = 0",))) as swan:
        swan.up("vpn", "net")
        assert reaches(office.room.client(1), office.address_of(1), INNER)
        await_true("eve's session has ended", lambda: len(office.lines("eve")) == 2, 5 * IDLE_SECONDS)
    assert office.lines("eve")[-1]["reason"].startswith(f"idle for {IDLE_SECONDS} seconds")  # type: ignore[attr-defined]


def test_sighup_opens_the_audit_log_anew_and_ends_nothing(office: Office) -> None:
    with office.client(0, replace(Client("psk"))) as swan:
        swan.up("vpn", "net")
        office.audit.rename(office.audit.with_suffix(".old"))
        os.kill(office.gateway.pid, signal.SIGHUP)
        await_true("SIGHUP is seen", lambda: "SIGHUP" in office.gateway.log())
        assert reaches(office.room.client(0), office.address_of(0), INNER)
        swan.down("vpn")
        await_true("the new file has the end", lambda: office.audit.exists() and "ended" in office.audit.read_text())
    assert office.gateway.is_running


def test_nothing_that_was_written_holds_a_password_or_a_hash(office: Office) -> None:
    """The last of all: what daemon, clients and commands have written meanwhile, but for configurations."""
    own = {office.gateway.conf, office.directory / "users", *office.directory.rglob("swanctl.conf")}
    secrets = (PASSWORD, SHARED, DAVES, nt_hash(PASSWORD), nt_hash(DAVES))
    assert assert_no_secrets(office.directory, secrets, own) >= 3
