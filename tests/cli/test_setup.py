"""`ikepy setup gateway --yes` as people run it."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from ikepy.auth.users_file import read_users
from ikepy.crypto.password import nt_hash
from ikepy.pki.making import KeyKind
from ikepy.pki.store import Pki
from tests.cli.conftest import Said

Ikepy = Callable[..., Said]
NAME = "vpn.example.com"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory with a CA and certificates of quick keys, so that none are made."""
    pki = Pki(tmp_path / "etc" / "pki")
    pki.init("CA", KeyKind.P256)
    pki.issue_server([NAME], KeyKind.P256)
    pki.issue_client("carol", KeyKind.P256)
    return tmp_path / "etc"


def test_one_command_makes_all_of_it_and_shows_the_password_once(place: Path, ikepy: Ikepy) -> None:
    said = ikepy("setup", "gateway", "--name", NAME, "--full", "--user", "alice", "--yes", "--dir", place)
    assert said.code == 0, said.err
    (password,) = re.findall(r"The password of alice is (\S+) and is shown here alone", said.out)
    ((entry,), _) = read_users(place / "users")
    assert entry.nt_hash == nt_hash(password)
    assert "Open UDP ports 500 and 4500" in said.out
    assert (place / "profiles/alice/alice.mobileconfig").exists()
    assert (place / "ikepy.service").exists()
    assert ikepy("--conf", place / "site.conf", "--check").code == 0
    again = ikepy("setup", "gateway", "--name", NAME, "--full", "--user", "alice", "--yes", "--dir", place)
    assert again.code == 0, again.err
    assert "The password of" not in again.out


def test_a_password_comes_on_standard_input(place: Path, ikepy: Ikepy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("chosen by alice\n"))
    arguments = ("--name", NAME, "--user", "alice", "--password-stdin", "--yes", "--dir", place)
    said = ikepy("setup", "gateway", *arguments)
    assert said.code == 0, said.err
    assert "chosen by alice" not in said.out
    ((entry,), _) = read_users(place / "users")
    assert entry.nt_hash == nt_hash("chosen by alice")


def test_people_with_certificates_get_one(place: Path, ikepy: Ikepy) -> None:
    arguments = ("--name", NAME, "--sign-in", "certificate", "--reach", "10.1.0.0/16", "--user", "carol", "--yes")
    said = ikepy("setup", "gateway", *arguments, "--dir", place)
    assert said.code == 0, said.err
    assert "The password of" not in said.out
    assert any((place / "profiles/carol").glob("*-key.pem"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--yes",), "give it with --name"),
        (("--name", "a b", "--yes"), "no host name"),
        (("--name", NAME, "--reach", "10.1.0.1/16", "--yes"), "has host bits set"),
        (("--name", NAME, "--pool", "everything", "--yes"), "write a network such as"),
        (("--name", NAME, "--user", "a:b", "--yes"), "cannot be the name of a user"),
        (("--name", NAME, "--full", "--reach", "10.0.0.0/8"), "leave out --reach"),
    ],
)
def test_what_cannot_be_is_one_line_and_writes_nothing(
    arguments: tuple[str, ...], words: str, ikepy: Ikepy, tmp_path: Path
) -> None:
    said = ikepy("setup", "gateway", *arguments, "--dir", tmp_path / "etc")
    assert said.code != 0
    assert words in said.err
    assert not (tmp_path / "etc").exists()
