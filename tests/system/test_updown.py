"""updown programs at a gateway with real clients: told when a client comes and goes, at the daemon's end, and of hostile names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.lab.access_conf import Client, gateway_conf, issue, make_client
from tests.lab.access_room import NAMESPACE, AccessRoom
from tests.lab.gateway import Gateway, await_true
from tests.lab.strongswan import StrongSwan

HOSTILE = "$(touch${IFS}/tmp/reached);`reboot`.clients.lab"
SCRIPT = """#!/bin/sh
printf '%s|%s|%s|%s|%s|%s\\n' "$1" "$IKEPY_CONNECTION" "$IKEPY_REMOTE_ID" "$IKEPY_USER" "$IKEPY_LENT" "$IKEPY_REASON" >> {out}
"""


@dataclass
class Updown:
    """A gateway whose children run a program, and what that has noted."""

    room: AccessRoom
    directory: Path
    gateway: Gateway

    @property
    def calls(self) -> list[list[str]]:
        out = self.directory / "calls"
        return [line.split("|") for line in out.read_text().splitlines()] if out.exists() else []

    def client(self, client: Client) -> StrongSwan:
        return make_client(self.room.client(0), self.directory / "swan", self.directory, client)

    def await_calls(self, number: int) -> list[list[str]]:
        await_true(f"{number} calls", lambda: len(self.calls) == number)
        return self.calls


@pytest.fixture
def updown(tmp_path: Path) -> Iterator[Updown]:
    issue(tmp_path)
    program = tmp_path / "updown"
    program.write_text(SCRIPT.format(out=tmp_path / "calls"))
    program.chmod(0o755)
    conf = gateway_conf(tmp_path).replace("\nlocal_ts = [", f'\nupdown = "{program}"\nlocal_ts = [')
    room = AccessRoom(1)
    with room.laid():
        gateway = Gateway(NAMESPACE, tmp_path / "gateway")
        gateway.configure(conf.replace('psk_ids = ["carol.lab"]', 'psk_ids = ["*.clients.lab"]'))
        gateway.start()
        yield Updown(room, tmp_path, gateway)
        gateway.stop()


def test_a_program_hears_of_a_client_that_comes_and_goes(updown: Updown) -> None:
    swan = updown.client(Client("eap-mschapv2"))
    swan.start()
    swan.up("vpn", "net")
    ((event, connection, _, user, lent, reason),) = updown.await_calls(1)
    assert (event, connection, user, reason) == ("up", "eap", "alice", "")
    assert lent.startswith("10.9.0.")
    swan.stop()
    came, went = updown.await_calls(2)
    assert went == ["down", *came[1:5], "deleted by the peer"]


def test_it_hears_of_those_that_are_there_when_the_daemon_ends(updown: Updown) -> None:
    swan = updown.client(Client("eap-mschapv2"))
    swan.start()
    swan.up("vpn", "net")
    updown.await_calls(1)
    assert updown.gateway.stop() == 0
    assert [call[0] for call in updown.calls] == ["up", "down"]
    swan.stop()


def test_a_name_full_of_commands_is_a_name(updown: Updown) -> None:
    swan = updown.client(Client("psk"))
    conf = updown.directory / "swan" / "swanctl" / "swanctl.conf"
    swan.configure(conf.read_text().replace("id = carol.lab", f'id = "{HOSTILE}"'))
    swan.start()
    swan.up("vpn", "net")
    ((_, connection, name, *_),) = updown.await_calls(1)
    assert connection == "psk"
    assert name == f"fqdn:#{HOSTILE.encode().hex()}"
    assert not Path("/tmp/reached").exists()
    swan.stop()
