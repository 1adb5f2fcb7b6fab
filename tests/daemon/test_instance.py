"""One daemon a run directory."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from ikepy.daemon.errors import StartupError
from ikepy.daemon.instance import CONTROL_SOCKET, held, request_ids_held, run_directory_of, running_pid


def test_the_run_directory_is_named_after_the_configuration() -> None:
    assert run_directory_of(Path("/etc/ikepy/site.conf")) == Path("/run/ikepy/site")


def test_a_held_directory_is_its_owners_alone_and_names_the_process(tmp_path: Path) -> None:
    directory = tmp_path / "run" / "site"
    with held(directory):
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700
        assert running_pid(directory) == os.getpid()


def test_a_second_daemon_is_refused_and_told_the_first_ones_process(tmp_path: Path) -> None:
    with held(tmp_path), pytest.raises(StartupError, match=rf"process {os.getpid()}.*stop it first"), held(tmp_path):
        pass


def test_a_refused_second_daemon_leaves_the_first_ones_files_alone(tmp_path: Path) -> None:
    with held(tmp_path):
        with pytest.raises(StartupError), held(tmp_path):
            pass
        assert running_pid(tmp_path) == os.getpid()


def test_after_a_clean_end_the_directory_is_free_and_empty_of_us(tmp_path: Path) -> None:
    with held(tmp_path):
        (tmp_path / CONTROL_SOCKET).touch()

    assert running_pid(tmp_path) is None
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]


def test_a_process_number_left_by_a_killed_daemon_does_not_hold_the_directory(tmp_path: Path) -> None:
    (tmp_path / "lock").touch()
    (tmp_path / "pid").write_text("1\n")

    assert running_pid(tmp_path) is None
    with held(tmp_path):
        assert running_pid(tmp_path) == os.getpid()


def test_a_directory_that_cannot_be_made_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(StartupError, match="--run-dir"), held(tmp_path / "file" / "run"):
        pass


def test_request_ids_of_a_network_namespace_are_one_daemons() -> None:
    with (
        request_ids_held(0x7000_0000),
        request_ids_held(0x7001_0000),
        pytest.raises(StartupError, match=rf"process {os.getpid()}.*reqid_base"),
        request_ids_held(0x7000_0000),
    ):
        pass
    with request_ids_held(0x7000_0000):
        pass
