"""`ikepy --conf FILE [--check]`, and what the command line makes of mistakes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from ikepy import __version__
from ikepy.cli.errors import CommandFailed, say
from ikepy.control.client import Refused
from tests.cli.conftest import Said

Ikepy = Callable[..., Said]

CONF = """
[connections.site]
remote_addrs = ["203.0.113.2"]
local = { auth = "psk", id = "left.example.com" }
remote = { auth = "psk", id = "right.example.com" }
[connections.site.children.net]
local_ts = ["10.1.0.0/16"]
remote_ts = ["10.2.0.0/16"]
[connections.site.children.other]
local_ts = ["10.1.0.0/16"]
remote_ts = ["10.3.0.0/16"]
[secrets.site]
file = "site.secret"
"""


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    secret = tmp_path / "site.secret"
    secret.touch(0o600)
    secret.write_text("correct horse battery staple")
    path = tmp_path / "site.conf"
    path.write_text(CONF)
    return path


def test_check_counts_what_it_found(ikepy: Ikepy, conf: Path) -> None:
    assert ikepy("--conf", conf, "--check") == Said(0, "OK: 1 connection, 2 children\n", "")


def test_check_prints_warnings_and_is_content(ikepy: Ikepy, conf: Path) -> None:
    conf.write_text(
        CONF.replace(
            'remote_addrs = ["203.0.113.2"]', 'remote_addrs = ["203.0.113.2"]\nproposals = ["3des-sha1-modp1024"]'
        )
    )
    said = ikepy("--conf", conf, "--check")
    assert (said.code, said.out) == (0, "OK: 1 connection, 2 children\n")
    assert said.err.startswith("warning: ")
    assert "3des" in said.err


@pytest.mark.parametrize(
    ("was", "becomes", "words"),
    [
        ("remote_addrs", "remote_adrs", ("[connections.site]", "remote_adrs", "did you mean remote_addrs?")),
        ('"site.secret"', '"nowhere.secret"', ("[secrets.site]", "file", "nowhere.secret")),
        ("[connections.site]", "[connections.site", ("line 2",)),
        ('"10.3.0.0/16"', '"10.3.0.0/33"', ("[connections.site.children.other]", "remote_ts", "10.3.0.0/33")),
    ],
)
def test_check_names_file_table_key_and_remedy_in_one_line(
    ikepy: Ikepy, conf: Path, was: str, becomes: str, words: tuple[str, ...]
) -> None:
    conf.write_text(CONF.replace(was, becomes, 1))
    said = ikepy("--conf", conf, "--check")
    assert (said.code, said.out) == (1, "")
    assert said.line.startswith("ikepy: ")
    for word in (str(conf), *words):
        assert word in said.line


def test_check_looks_at_certificates_and_keys(ikepy: Ikepy, conf: Path) -> None:
    (conf.parent / "left.pem").write_text("no certificate")
    (conf.parent / "left.key").touch(0o600)
    pubkey = 'local = { auth = "pubkey", id = "left.example.com", certs = ["left.pem"], key = "left.key" }'
    conf.write_text(CONF.replace('local = { auth = "psk", id = "left.example.com" }', pubkey))
    said = ikepy("--conf", conf, "--check")
    assert said.code == 1
    assert str(conf.parent / "left.") in said.line


def test_a_daemon_whose_configuration_is_wrong_does_not_start(ikepy: Ikepy, conf: Path) -> None:
    conf.write_text(CONF.replace("remote_ts", "remote_tz"))
    said = ikepy("--conf", conf)
    assert said.code == 1
    assert "remote_tz" in said.line


def test_a_daemon_whose_run_directory_cannot_be_made_does_not_start(ikepy: Ikepy, conf: Path) -> None:
    said = ikepy("--conf", conf, "--run-dir", conf / "run", "--log-level", "error")
    assert said.code == 1
    assert "--run-dir" in said.line


def test_version(ikepy: Ikepy) -> None:
    assert ikepy("--version") == Said(0, f"ikepy {__version__}\n", "")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ((), "name a configuration with --conf FILE"),
        (("--check",), "name a configuration with --conf FILE"),
        (("--check", "status"), "do not go with the command status"),
        (("up",), "Missing argument 'CONNECTION'"),
        (("up", "site", "--timeout", "0"), "Invalid value for '--timeout'"),
        (("nonsense",), "No such command 'nonsense'"),
        (("--log-level", "loud"), "Invalid value for '--log-level'"),
    ],
)
def test_what_cannot_be_understood_is_exit_code_2(ikepy: Ikepy, words: tuple[str, ...], expected: str) -> None:
    said = ikepy(*words)
    assert (said.code, said.out) == (2, "")
    assert expected in said.err


@pytest.mark.parametrize(
    "words", [("--help",), ("-h",), ("status", "--help"), ("up", "-h"), ("down", "-h"), ("demo", "-h")]
)
def test_help_is_there(ikepy: Ikepy, words: tuple[str, ...]) -> None:
    said = ikepy(*words)
    assert said.code == 0
    assert said.out.startswith("Usage: ikepy")


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (CommandFailed("why"), 1, "ikepy: why\n"),
        (
            Refused("the daemon answers CMD_UNKNOWN"),
            1,
            "ikepy: the daemon answers CMD_UNKNOWN: does the daemon run the",
        ),
        (KeyboardInterrupt(), 130, "ikepy: interrupted; what the daemon has begun goes on\n"),
        (click.exceptions.Abort(), 130, "ikepy: interrupted"),
        (SystemExit(3), 3, ""),
        (SystemExit("words"), 1, ""),
        (OSError(28, "No space left on device"), 1, "ikepy: [Errno 28] No space left on device\n"),
    ],
)
def test_each_expected_end_has_its_code_and_words(
    error: BaseException, code: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert say(error) == code
    assert capsys.readouterr().err.startswith(words)


def test_what_nobody_expects_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        say(ZeroDivisionError())


@pytest.mark.slow
def test_a_pipe_that_nobody_reads_is_no_traceback() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", "import os, sys; os.read(0, 1); from ikepy.cli import main; sys.exit(main(['--help']))"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGPIPE, signal.SIG_IGN),
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.stdin is not None
    process.stdin.write(b"x")
    process.stdin.close()
    assert process.stderr is not None
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait() == 1


@pytest.mark.slow
def test_python_m_ikepy_is_the_same_program() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ikepy", "--version"], capture_output=True, text=True, check=True, env=os.environ
    )
    assert done.stdout == f"ikepy {__version__}\n"
