"""A daemon that cannot start says why in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from ikepy.config.model import AuthKind, Config, ConnectionConfig, LocalAuthConfig, RemoteAuthConfig
from ikepy.daemon.service import main


def test_a_key_that_cannot_be_read_is_one_line_and_exit_code_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cert = tmp_path / "cert.pem"
    cert.write_text("no certificate")
    local = LocalAuthConfig(AuthKind.PUBKEY, certs=(cert,))
    config = Config(connections=(ConnectionConfig("site", local, RemoteAuthConfig(AuthKind.PSK)),))

    assert main(config, tmp_path / "run") == 1

    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("ikepy: ")
    assert str(cert) in line


def test_a_run_directory_that_cannot_be_made_is_one_line_and_exit_code_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()

    assert main(Config(), tmp_path / "file" / "run", ("the configuration could be better",)) == 1

    warning, line = capsys.readouterr().err.splitlines()
    assert warning.endswith("WARNING the configuration could be better")
    assert line.startswith(f"ikepy: the run directory {tmp_path / 'file' / 'run'} cannot be made")
    assert "--run-dir" in line
