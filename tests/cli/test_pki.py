"""`ikepy pki` as people run it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Said

Ikepy = Callable[..., Said]
QUICK = ("--key", "p256")


@pytest.fixture
def pki(ikepy: Ikepy, tmp_path: Path) -> Callable[..., Said]:
    directory = tmp_path / "pki"

    def run(command: str, *arguments: object) -> Said:
        return ikepy("pki", command, *arguments, "--dir", directory)

    return run


def test_from_nothing_to_a_revoked_client(pki: Callable[..., Said]) -> None:
    said = pki("init", "Example CA", *QUICK)
    assert said.code == 0
    assert "keep a copy off this machine" in said.out
    assert "iOS set up by hand refuses ECDSA" in said.err
    assert "is valid until" in pki("server", "vpn.example.com", "203.0.113.1", *QUICK).out
    assert "private/alice.key" in pki("client", "alice", *QUICK).out
    listed = pki("list").out
    assert "vpn.example.com" in listed
    assert re.search(r"valid +39[67]", listed)
    assert "crl.pem says so" in pki("revoke", "alice", "--reason", "keyCompromise").out
    assert "1 revoked, next one by" in pki("crl").out
    rows = {row["file"]: row for row in json.loads(pki("list", "--json").out)}
    assert rows["certs/alice.pem"]["state"] == "revoked"
    assert rows["certs/vpn.example.com.pem"]["reason"] is None
    assert "names      vpn.example.com, 203.0.113.1" in pki("show", "vpn.example.com").out


def test_a_renewed_certificate_stands_beside_the_old_one(pki: Callable[..., Said]) -> None:
    pki("init", "CA", *QUICK)
    pki("server", "vpn.example.com", *QUICK)
    assert "--renew" in pki("server", "vpn.example.com", *QUICK).line
    assert pki("server", "vpn.example.com", "--renew").code == 0
    assert "vpn.example.com (renewed since)" in " ".join(pki("list").out.split())


def test_who_cannot_read_ed25519_is_named(pki: Callable[..., Said]) -> None:
    assert "Windows, macOS, iOS" in pki("init", "CA", "--key", "ed25519").err


def test_a_passphrase_comes_from_a_file_or_the_environment(
    pki: Callable[..., Said], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "passphrase"
    file.write_text("a long passphrase\n")
    assert pki("init", "CA", *QUICK, "--passphrase-file", file).code == 0
    assert b"ENCRYPTED" in (tmp_path / "pki/ca.key").read_bytes()
    assert pki("client", "alice", *QUICK, "--passphrase-file", file).code == 0
    monkeypatch.setenv("IKEPY_PKI_PASSPHRASE", "a long passphrase")
    assert pki("client", "bob", *QUICK).code == 0
    monkeypatch.setenv("IKEPY_PKI_PASSPHRASE", "another one")
    assert "wrong passphrase" in pki("client", "carol", *QUICK).line


def test_a_short_passphrase_is_refused(pki: Callable[..., Said], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IKEPY_PKI_PASSPHRASE", "short")
    assert "8 characters or more" in pki("init", "CA", *QUICK, "--encrypt").line


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("client", "../../etc/passwd"), "cannot be a client's name"),
        (("server", "a b"), "is no host name"),
        (("show", "nobody"), "nothing was issued to 'nobody'"),
        (("import", "/nonexistent"), "No such file"),
    ],
)
def test_what_cannot_be_done_is_one_line(arguments: tuple[str, ...], words: str, pki: Callable[..., Said]) -> None:
    pki("init", "CA", *QUICK)
    said = pki(*arguments)
    assert said.code == 1
    assert words in said.line


def test_a_ca_of_another_directory_can_be_taken_over(pki: Callable[..., Said], ikepy: Ikepy, tmp_path: Path) -> None:
    pki("init", "CA", *QUICK)
    source, other = tmp_path / "pki", tmp_path / "other"
    said = ikepy("pki", "import", source / "ca.pem", "--key", source / "ca.key", "--dir", other)
    assert said.code == 0, said.err
    assert (other / "ca.pem").read_bytes() == (source / "ca.pem").read_bytes()
    assert "CN=CA" in ikepy("pki", "show", "--dir", other).out
    assert (
        "is there already" in ikepy("pki", "import", source / "ca.pem", "--key", source / "ca.key", "--dir", other).line
    )
