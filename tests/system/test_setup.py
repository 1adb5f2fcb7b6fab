"""From nothing to a client that browses, by commands alone: no file is edited by anybody."""

from __future__ import annotations

import os
import re
import shutil
import socket
import sys
from pathlib import Path

import pytest

from tests.lab.access_room import addresses_of
from tests.lab.gateway import Gateway, await_true
from tests.lab.namespaces import sh, states
from tests.lab.strongswan import StrongSwan
from tests.lab.world_room import GATEWAY, INSIDE, NAMESPACE, WEB, WorldRoom, browse

CLIENT, NAME = "cl0", "vpn.example.com"
HOSTS = Path("/etc/netns")
PASSWORD = "bob's own password"


def ikepy(*arguments: object, stdin: str | None = None) -> str:
    """Run the command as somebody would who has never seen it."""
    command = (sys.executable, "-m", "ikepy", *map(str, arguments))
    return sh("ip", "netns", "exec", NAMESPACE, *command, stdin=stdin)


@pytest.mark.parametrize("sign_in", ["password", "certificate"])
def test_two_commands_on_the_server_and_the_files_on_the_client(
    sign_in: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    etc, room = tmp_path / "etc", WorldRoom(1)
    with room.laid(), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        (HOSTS / CLIENT).mkdir(parents=True, exist_ok=True)
        (HOSTS / CLIENT / "hosts").write_text(f"127.0.0.1 localhost\n{GATEWAY} {NAME}\n")
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(10)
        monkeypatch.setitem(os.environ, "NOTIFY_SOCKET", str(tmp_path / "notify"))
        said = ikepy("setup", "gateway", "--name", NAME, "--sign-in", sign_in, "--user", "alice", "--yes", "--dir", etc)
        gateway = Gateway(NAMESPACE, tmp_path / "daemon")
        gateway.conf = etc / "site.conf"
        swan = StrongSwan(CLIENT, tmp_path / "swan", "install_virtual_ip_on = lo", routes=True)
        try:
            gateway.start()
            assert systemd.recv(100) == b"READY=1"
            files = _files_of_a_second_user(sign_in, etc, tmp_path / "bob")
            for ending, place in (("-ca.pem", "x509ca"), ("-cert.pem", "x509"), ("-key.pem", "private")):
                for file in files.glob(f"*{ending}"):
                    shutil.copy(file, swan.directory / "swanctl" / place)
            swan.configure((files / "bob-swanctl.conf").read_text())
            swan.start()
            swan.up("vpn", "vpn")
            four = next(each for each in addresses_of(CLIENT) if each.startswith("10.99.0."))
            assert browse(CLIENT, WEB, four) == GATEWAY, gateway.log()
            assert browse(CLIENT, INSIDE, four) == four
            assert "bob" in gateway.ikepy("status")
            before = {state.spi for state in states(NAMESPACE)}
            ikepy("pki", "server", NAME, "--renew", "--dir", etc / "pki")
            assert gateway.ikepy("reload") == "read again\n"
            assert "new for clients" in gateway.log()
            assert {state.spi for state in states(NAMESPACE)} == before, "who is there stays"
            assert browse(CLIENT, WEB, four) == GATEWAY
            if sign_in == "certificate":
                swan.down("vpn")
                assert "is revoked" in ikepy("pki", "revoke", "bob", "--reason", "keyCompromise", "--dir", etc / "pki")
                with pytest.raises(AssertionError, match="AUTHENTICATION_FAILED"):
                    swan.up("vpn", "vpn")
                assert "was revoked" in gateway.log()
            if sign_in == "password":
                assert re.search(r"The password of alice is \S{20,}", said)
                ikepy("user", "disable", "bob", "--conf", gateway.conf)
                await_true("bob is out", lambda: "bob" not in gateway.ikepy("status"), 15)
        finally:
            swan.stop()
            gateway.stop()
            shutil.rmtree(HOSTS / CLIENT)


def _files_of_a_second_user(sign_in: str, etc: Path, out: Path) -> Path:
    """Add bob, and make the files of his strongSwan."""
    conf = etc / "site.conf"
    more: list[object] = []
    if sign_in == "password":
        ikepy("user", "add", "bob", "--conf", conf, "--group", "people", "--password-stdin", stdin=PASSWORD)
        more = ["--with-password", "--password-stdin"]
    else:
        ikepy("pki", "client", "bob", "--dir", etc / "pki")
        more = ["--cert", etc / "pki/certs/bob.pem", "--key", etc / "pki/private/bob.key"]
    ikepy("profile", "bob", "--for", "strongswan", "--conf", conf, "--out", out, *more, stdin=PASSWORD)
    return out
