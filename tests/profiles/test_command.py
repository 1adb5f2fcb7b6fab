"""ikepy profile, from a configuration file to files in a directory, which are read again and compared with it."""

from __future__ import annotations

import io
import json
import plistlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from ikepy.cli import main
from ikepy.config.load import load
from ikepy.profiles.guides import Platform
from tests.lab.access_conf import PASSWORD, SHARED, gateway_conf
from tests.lab.certs import Authority


@dataclass(frozen=True)
class Said:
    """What a command came to."""

    code: int
    out: str
    err: str


@pytest.fixture
def profile(capsys: pytest.CaptureFixture[str], conf: Path, tmp_path: Path) -> Callable[..., Said]:
    def run(*arguments: object) -> Said:
        code = main(["profile", *map(str, arguments), "--conf", str(conf), "--out", str(tmp_path / "out")])
        return Said(code, *capsys.readouterr())

    return run


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("certificates")
    authority = Authority(directory, "ecdsa")
    (directory / "ca-ecdsa.pem").rename(directory / "ca-rsa.pem")  # the name that access_conf.py writes
    for name in ("gate.lab", "carol.lab"):
        authority.issue(name, "ecdsa")
    return directory


@pytest.fixture
def conf(certificates: Path, tmp_path: Path) -> Path:
    path = tmp_path / "gate.conf"
    path.write_text(gateway_conf(certificates))
    path.chmod(0o600)
    return path


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    return lambda text: monkeypatch.setattr(sys, "stdin", io.StringIO(text))


def names(tmp_path: Path) -> set[str]:
    return {each.name for each in (tmp_path / "out").iterdir()}


def test_all_platforms_are_made_at_once_and_each_file_is_named(profile, tmp_path: Path) -> None:
    said = profile("alice", "--for", "all")

    assert (said.code, said.err) == (0, "")
    assert sorted(said.out.splitlines()) == sorted(str(tmp_path / "out" / name) for name in names(tmp_path))
    assert len(names(tmp_path)) == 11
    assert all(PASSWORD.encode() not in each.read_bytes() for each in (tmp_path / "out").iterdir())


def test_only_what_was_asked_for_is_made(profile, tmp_path: Path) -> None:
    assert profile("alice", "--for", "apple", "--for", "windows").code == 0

    assert names(tmp_path) == {"alice.mobileconfig", "alice-windows.ps1", "alice.html", "alice-qr.png"}


def test_our_own_file_for_the_client_agrees_with_the_gateways(profile, conf: Path, tmp_path: Path, typed) -> None:
    typed(f"{PASSWORD}\n")
    assert profile("alice", "--for", "ikepy", "--with-password", "--password-stdin").code == 0

    gateway = load(conf).config.connection("eap")
    (client,) = load(tmp_path / "out/alice-laptop.conf").config.connections
    assert client.proposals == gateway.proposals
    assert client.children[0].esp_proposals == gateway.children[0].esp_proposals
    assert client.children[0].remote_ts == gateway.children[0].local_ts
    assert client.remote.id.identification == gateway.local.id


def test_a_password_is_in_the_files_where_it_was_asked_for_and_only_the_right_one(
    profile, tmp_path: Path, typed
) -> None:
    typed(f"{PASSWORD}\n")
    assert profile("alice", "--for", "android-strongswan", "--with-password", "--password-stdin").code == 0
    assert json.loads((tmp_path / "out/alice.sswan").read_text())["local"]["shared_secret"] == PASSWORD

    typed("another\n")
    said = profile("alice", "--for", "apple", "--with-password", "--password-stdin")
    assert said.code == 1
    assert "not the password of alice" in said.err
    assert "another" not in said.err
    assert "alice.mobileconfig" not in names(tmp_path)


def test_a_certificate_comes_with_a_fresh_password_for_its_p12(profile, certificates: Path, tmp_path: Path) -> None:
    pair = ("--cert", certificates / "carol.lab.cert.pem", "--key", certificates / "carol.lab.key.pem")

    said = profile("carol", "--for", "all", "--connection", "cert", *pair)

    assert said.code == 0
    password = (tmp_path / "out/carol-p12-password.txt").read_text().strip()
    assert len(password) == 24
    assert password not in said.out + said.err
    assert "nothing for windows: Windows signs with RSA" in said.err
    profile_ = plistlib.loads((tmp_path / "out/carol.mobileconfig").read_bytes())
    vpn = next(each["IKEv2"] for each in profile_["PayloadContent"] if "IKEv2" in each)
    assert (vpn["CertificateType"], vpn["LocalIdentifier"]) == ("ECDSA256", "carol.lab")


def test_a_pre_shared_key_is_in_the_files_only_where_it_was_asked_for(profile, tmp_path: Path) -> None:
    assert profile("carol.lab", "--for", "strongswan", "--connection", "psk").code == 0
    assert SHARED not in (tmp_path / "out/carol.lab-swanctl.conf").read_text()

    assert profile("carol.lab", "--for", "strongswan", "--connection", "psk", "--with-password").code == 0
    assert SHARED in (tmp_path / "out/carol.lab-swanctl.conf").read_text()


def test_a_profile_is_signed_where_a_signer_is_named(profile, certificates: Path, tmp_path: Path) -> None:
    pair = ("--sign-cert", certificates / "gate.lab.cert.pem", "--sign-key", certificates / "gate.lab.key.pem")

    assert profile("alice", "--for", "apple", *pair).code == 0

    assert b"<plist" in (tmp_path / "out/alice.mobileconfig").read_bytes()
    assert (tmp_path / "out/alice.mobileconfig").read_bytes()[0] == 0x30


def test_the_qr_code_is_shown_on_request(profile) -> None:
    shown = profile("alice", "--for", "apple", "--url", "https://vpn.example.com/alice.mobileconfig", "--qr").out

    assert "█" in shown
    assert "█" not in profile("alice", "--for", "apple").out


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("alcie", "--for", "all"), 1, "there is no user alcie: did you mean alice?"),
        (("mallory", "--for", "all"), 1, "disabled"),
        (("carol.lab", "--for", "windows", "--connection", "psk"), 1, "windows: Windows has no pre-shared key"),
        (("alice", "--for", "beos"), 2, "beos"),
        (("alice", "--for", "apple", "--cert", "x"), 2, "--cert goes with --key"),
        (("alice", "--for", "apple", "--password-stdin"), 2, "goes with --with-password"),
        (("alice\n", "--for", "apple"), 1, "cannot be the name of a user"),
        (("carol.lab", "--for", "apple", "--connection", "nope"), 1, "there is no connection nope"),
    ],
)
def test_what_cannot_be_made_is_one_line_and_no_file(
    profile, tmp_path: Path, arguments: tuple[str, ...], code: int, message: str
) -> None:
    said = profile(*arguments)

    assert said.code == code
    assert message in said.err
    assert not (tmp_path / "out").exists()
    assert code == 2 or len(said.err.splitlines()) == 1


def test_every_platform_is_a_word_of_for(profile, tmp_path: Path) -> None:
    for platform in Platform:
        assert profile("alice", "--for", platform.value).code == 0
