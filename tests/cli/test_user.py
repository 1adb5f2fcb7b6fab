"""ikepy user."""

from __future__ import annotations

import io
import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from ikepy.auth.users_file import read_users
from ikepy.config.access import UserConfig
from ikepy.crypto.password import nt_hash
from tests.support.conf_files import SITE

Ikepy = Callable[..., object]
CONF = SITE + (
    '[daemon]\nusers_file = "users.jsonl"\n[groups.staff]\npsk_ids = "right.example.com"\n[groups.sales]\n'
    "[users.carol]\ngroups = ['staff']\n"
)


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    path = tmp_path / "site.conf"
    path.write_text(CONF)
    path.chmod(0o600)
    return path


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """What stands on standard input."""
    return lambda text: monkeypatch.setattr(sys, "stdin", io.StringIO(text))


def users(conf: Path) -> dict[str, UserConfig]:
    return {user.name: user for user in read_users(conf.with_name("users.jsonl"))[0]}


def test_a_user_is_added_with_groups_expiry_and_an_nt_hash(ikepy, conf, typed) -> None:
    typed("clientPass\n")

    said = ikepy(
        "user", "add", "alice", "--conf", conf, "--group", "staff", "--expires", "2026-12-31", "--password-stdin"
    )

    assert (said.code, said.out, said.err) == (0, f"alice is added to {conf.parent}/users.jsonl\n", "")
    assert users(conf) == {
        "alice": UserConfig("alice", nt_hash=nt_hash("clientPass"), groups=("staff",), expires=date(2026, 12, 31))
    }


def test_a_scrypt_hash_goes_in_the_place_of_the_nt_hash(ikepy, conf, typed) -> None:
    typed("sesame\r\n")
    assert ikepy("--conf", conf, "user", "add", "alice", "--scrypt", "--password-stdin").code == 0

    alice = users(conf)["alice"]
    assert alice.nt_hash is None
    assert alice.scrypt is not None
    assert alice.scrypt.fits(b"sesame")

    typed("other")
    assert ikepy("user", "passwd", "alice", "--conf", conf, "--password-stdin").out == "alice has a new password\n"
    assert users(conf)["alice"] == UserConfig("alice", nt_hash=nt_hash("other"))


def test_no_password_is_ever_in_the_file_or_in_what_is_said(ikepy, conf, typed) -> None:
    typed("correct horse\n")
    first = ikepy("user", "add", "alice", "--conf", conf, "--password-stdin")
    typed("correct horse\n")
    second = ikepy("user", "add", "alice", "--conf", conf, "--password-stdin")

    said = first.out + first.err + second.out + second.err + ikepy("user", "list", "--conf", conf, "--json").out
    assert "correct" not in said + conf.with_name("users.jsonl").read_text()
    assert nt_hash("correct horse").reveal().hex() not in said


def test_users_are_disabled_enabled_and_removed(ikepy, conf) -> None:
    ikepy("user", "add", "alice", "--conf", conf, "--no-password")

    assert ikepy("user", "disable", "alice", "--conf", conf).out == "alice is disabled\n"
    assert users(conf)["alice"].disabled
    assert ikepy("user", "enable", "alice", "--conf", conf).out == "alice is enabled\n"
    assert not users(conf)["alice"].disabled
    assert ikepy("user", "remove", "alice", "--conf", conf).out == "alice is removed\n"
    assert users(conf) == {}


def test_the_list_shows_all_users_and_no_hash(ikepy, conf, typed) -> None:
    typed("clientPass")
    ikepy("user", "add", "alice", "--conf", conf, "--password-stdin", "--group", "staff", "--group", "sales")
    ikepy("user", "add", "bob", "--conf", conf, "--no-password", "--expires", "2020-01-01")

    said = ikepy("user", "list", "--conf", conf)

    assert [line.split() for line in said.out.splitlines() if "─" not in line] == [
        ["NAME", "STATE", "PASSWORD", "GROUPS", "EXPIRES"],
        ["alice", "active", "NT", "hash", "staff,", "sales"],
        ["bob", "expired", "none", "2020-01-01"],
        ["carol", "active", "none", "staff"],
    ]
    assert [row["name"] for row in json.loads(ikepy("user", "list", "--conf", conf, "--json").out)] == [
        "alice",
        "bob",
        "carol",
    ]


def test_a_file_can_be_named_without_a_configuration(ikepy, tmp_path: Path) -> None:
    file = tmp_path / "users.jsonl"

    assert ikepy("user", "add", "alice", "--file", file, "--no-password", "--group", "any").code == 0
    assert read_users(file)[0] == (UserConfig("alice", groups=("any",)),)


@pytest.mark.parametrize(
    ("arguments", "wording"),
    [
        (["disable", "alice"], "there is no user alice in"),
        (["passwd", "alice"], "it has no users"),
        (["add", "carol", "--no-password"], "the user carol is in the configuration, under [users]: change it there"),
        (["add", "alice", "--no-password", "--group", "stuff"], "there is no group stuff: did you mean staff?"),
        (["add", "a:b", "--no-password"], "'a:b' cannot be the name of a user; write up to 128 letters"),
        (["add", "alice", "--no-password", "--expires", "soon"], "'soon' is no day; write it like 2026-12-31"),
        (["add", "alice", "--password-stdin"], "the password is empty"),
        (["add", "alice"], "there is no terminal to ask for the password: give it with --password-stdin"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_changes_nothing(ikepy, conf, typed, arguments, wording) -> None:
    typed("\n")

    said = ikepy("user", *arguments, "--conf", conf)

    assert said.code == 1
    assert wording in said.line
    assert not conf.with_name("users.jsonl").exists()


def test_whose_users_are_meant_must_be_said(ikepy, tmp_path: Path, conf) -> None:
    assert "whose users? name the configuration with --conf FILE" in ikepy("user", "list").line
    conf.write_text(SITE)
    assert 'add users_file = "users.jsonl" under [daemon]' in ikepy("user", "list", "--conf", conf).line


def test_a_password_is_no_argument(ikepy, conf) -> None:
    assert ikepy("user", "add", "alice", "--conf", conf, "--password", "x").code == 2
    assert ikepy("user", "add", "alice", "secret", "--conf", conf).code == 2
    assert ikepy("user", "add", "alice", "--conf", conf, "--no-password", "--scrypt").code == 2


def test_a_file_that_others_may_read_is_refused(ikepy, conf) -> None:
    conf.with_name("users.jsonl").touch(0o644)

    assert "others may get at the users' hashes (mode 0644); chmod 600" in ikepy("user", "list", "--conf", conf).line


@pytest.mark.slow
def test_at_a_terminal_the_password_is_asked_for_twice_and_not_shown(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    file = tmp_path / "users.jsonl"
    process = subprocess.Popen(
        [sys.executable, "-m", "ikepy", "user", "add", "alice", "--file", file],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    shown = b""
    for prompt in (b"Password: ", b"Repeat for confirmation: "):
        while not shown.endswith(prompt):
            shown += os.read(ours, 1024)
        os.write(ours, b"clientPass\n")
    assert process.wait(20) == 0
    os.close(ours)

    assert b"clientPass" not in shown
    assert read_users(file)[0] == (UserConfig("alice", nt_hash=nt_hash("clientPass")),)
