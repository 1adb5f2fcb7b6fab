"""Clients that run with exactly the files of `ikepy profile`: strongSwan, and ikepy itself."""

from __future__ import annotations

import contextlib
import io
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ikepy.auth.users_file import write_users
from ikepy.cli import main
from ikepy.config.access import UserConfig
from ikepy.crypto.password import nt_hash
from tests.lab.access_conf import PASSWORD, gateway_conf, issue
from tests.lab.access_room import GATEWAY, INNER, INNER6, NAMESPACE, AccessRoom, addresses_of, reaches
from tests.lab.gateway import Gateway, await_true
from tests.lab.strongswan import StrongSwan

STRANGE = 'o\'neil $(id) "x", CN=y'
MORE = '[daemon]\nusers_file = "users.jsonl"\n'


@dataclass
class Office:
    """A gateway that runs, and its configuration."""

    room: AccessRoom
    gateway: Gateway
    directory: Path

    def profile(self, out: Path, user: str, platform: str, *more: str) -> Path:
        """Make the files of a user."""
        conf = self.gateway.conf
        assert main(["profile", user, "--for", platform, "--conf", str(conf), "--out", str(out), *more]) == 0
        return out

    def leased(self, number: int) -> list[str]:
        found = addresses_of(self.room.client(number))
        return sorted(each for each in found if each.startswith(("10.9.0.", "2001:db8:9:")))


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    directory = tmp_path_factory.mktemp("office")
    issue(directory)
    room = AccessRoom(2)
    with room.laid():
        gateway = Gateway(NAMESPACE, directory / "gateway")
        gateway.configure(gateway_conf(directory, MORE))
        strange = UserConfig(STRANGE, nt_hash=nt_hash(PASSWORD), groups=("staff",))
        write_users(gateway.directory / "users.jsonl", [strange])
        gateway.start("--log-level", "debug")
        yield Office(room, gateway, directory)
        gateway.stop()


@contextlib.contextmanager
def strongswan(namespace: str, directory: Path, files: Path, *, newer: bool) -> Iterator[StrongSwan]:
    """A strongSwan with the files where the first lines of its swanctl.conf say."""
    swan = StrongSwan(namespace, directory, "install_virtual_ip_on = lo", routes=True, newer=newer)
    for ending, place in (("-ca.pem", "x509ca"), ("-cert.pem", "x509"), ("-key.pem", "private")):
        for file in files.glob(f"*{ending}"):
            shutil.copy(file, directory / "swanctl" / place)
    (conf,) = files.glob("*-swanctl.conf")
    swan.configure(conf.read_text())
    swan.start()
    try:
        yield swan
    finally:
        swan.stop()


PAIR = ("carol.lab.cert.pem", "carol.lab.key.pem")
WAYS = {
    "password": ("alice", "eap", False, False),
    "newer password": ("alice", "eap", False, True),
    "a strange name": (STRANGE, "eap", False, False),
    "newer, a strange name": (STRANGE, "eap", False, True),
    "certificate": ("carol", "cert", True, False),
    "newer EAP-TLS": ("carol.lab", "eap", True, True),
    "pre-shared key": ("carol.lab", "psk", False, False),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_strongswan_with_those_files_comes_in(
    office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    user, connection, by_certificate, newer = WAYS[way]
    more = ["--connection", connection, "--server", GATEWAY]
    if by_certificate:
        more += ["--cert", str(office.directory / PAIR[0]), "--key", str(office.directory / PAIR[1])]
    else:
        more += ["--with-password", *(["--password-stdin"] if connection == "eap" else [])]
        monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSWORD}\n"))
    files = office.profile(tmp_path / "files", user, "strongswan", *more)

    with strongswan(office.room.client(0), tmp_path / "swan", files, newer=newer) as swan:
        swan.up("vpn", "vpn")
        v4, v6 = office.leased(0)
        story = f"{office.gateway.log()}\n{swan.log()}"
        assert reaches(office.room.client(0), v4, INNER), story
        assert reaches(office.room.client(0), v6, INNER6), story
        swan.down("vpn")


def test_an_ikepy_with_those_files_comes_in(office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSWORD}\n"))
    files = office.profile(
        tmp_path / "files", "alice", "ikepy", "--connection", "eap", "--server", GATEWAY, "--with-password",
        "--password-stdin",
    )  # fmt: skip
    namespace = office.room.client(1)
    client = Gateway(namespace, tmp_path / "client")
    for file in files.iterdir():
        shutil.copy2(file, client.directory)
    client.configure((files / "alice-laptop.conf").read_text())
    client.start()
    try:
        await_true("it has both addresses", lambda: len(office.leased(1)) == 2, 20)
        v4, v6 = office.leased(1)
        story = f"{office.gateway.log()}\n{client.log()}"
        assert reaches(namespace, v4, INNER), story
        assert reaches(namespace, v6, INNER6), story
    finally:
        client.stop()
