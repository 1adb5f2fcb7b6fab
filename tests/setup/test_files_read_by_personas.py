"""`ikepy setup gateway --yes`, and its files as they are: each client that reads its own connects, and nobody edits anything."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from ikepy.cli import main
from ikepy.config.load import load
from ikepy.pki.making import KeyKind
from ikepy.pki.store import Pki
from tests.profiles.readers import Reading, read_apple, read_networkmanager, read_sswan, read_windows
from tests.support.entropy import SeededEntropy
from tests.support.personas import PersonaClient
from tests.support.personas_gateway import Gateway, gateway_of
from tests.support.personas_habits import Habits
from tests.support.personas_proof import Credentials, ServerRefused

NAME, USER = "vpn.example.com", "alice"
READERS: dict[str, Callable[[bytes, str | None], Reading]] = {
    "alice.mobileconfig": read_apple,
    "alice-windows.ps1": read_windows,
    "alice.sswan": read_sswan,
    "alice-networkmanager.sh": read_networkmanager,
}


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CA and certificates of quick keys, so that none are made."""
    pki = Pki(tmp_path_factory.mktemp("authority") / "pki")
    pki.init("CA", KeyKind.P256)
    pki.issue_server([NAME], KeyKind.P256)
    pki.issue_client(USER, KeyKind.RSA)  # which every client reads
    return pki.directory


def set_up(etc: Path, sign_in: str, authority: Path, capsys: pytest.CaptureFixture[str]) -> tuple[Gateway, str]:
    """Run the command; a gateway by its file, and the password it shows."""
    etc.mkdir()
    (etc / "pki").symlink_to(authority)
    arguments = ("setup", "gateway", "--name", NAME, "--sign-in", sign_in, "--user", USER, "--yes", "--dir", str(etc))
    assert main(arguments) == 0
    found = re.search(r"The password of alice is (\S+) and is shown here alone", capsys.readouterr().out)
    return gateway_of(load(etc / "site.conf").config, etc / "leases.db"), found[1] if found else ""


def client_of(gateway: Gateway, reading: Reading, password: str) -> PersonaClient:
    """Who has that file, and types in no more than its name and password where the file has none."""
    assert reading.anchor is not None, "a CA of one's own is in the file"
    typed = Credentials(
        reading.user or USER,
        password,
        reading.own,
        SeededEntropy(3),
        reading.typed,
        reading.server,
        reading.anchor,
    )
    return PersonaClient(gateway, reading.persona, reading.proving, credentials=typed)


@pytest.mark.parametrize("sign_in", ["password", "certificate"])
@pytest.mark.parametrize("file", READERS)
def test_a_client_with_its_file_connects_and_gets_new_keys(
    file: str, sign_in: str, authority: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gateway, password = set_up(tmp_path / "etc", sign_in, authority, capsys)
    files = tmp_path / "etc/profiles/alice"
    opening = files / "alice-p12-password.txt"
    reading = READERS[file]((files / file).read_bytes(), opening.read_text().strip() if opening.exists() else None)
    assert reading.calls == NAME

    client = client_of(gateway, reading, password)
    client.connect()
    Habits(client).rekey_child()

    assert gateway.sa.state == "ESTABLISHED"
    assert len(client.addresses) == 2
    assert [str(each) for each in client.children[0].tsr] == ["0.0.0.0/0", "::/0"]


@pytest.mark.parametrize("file", READERS)
def test_a_gateway_of_another_ca_is_not_taken_for_it(
    file: str, authority: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = Pki(tmp_path / "other")
    other.init("CA", KeyKind.P256)
    other.issue_server([NAME], KeyKind.P256)
    _, password = set_up(tmp_path / "etc", "password", authority, capsys)
    impostor, _ = set_up(tmp_path / "impostor", "password", other.directory, capsys)
    reading = READERS[file]((tmp_path / "etc/profiles/alice" / file).read_bytes(), None)
    with pytest.raises(ServerRefused, match="not by the CA"):
        client_of(impostor, reading, password).connect()
