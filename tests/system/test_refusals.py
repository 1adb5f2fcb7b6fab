"""What keeps the real command from starting is one line that says what to do, and exit code 1."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.gateway import Gateway
from tests.lab.namespaces import namespaces, udp

CONF = """
[connections.c]
remote_addrs = ["192.0.2.2"]
local = {{ auth = "psk", id = "a.lab" }}
remote = {{ auth = "psk", id = "b.lab" }}
[connections.c.children.net]
remote_ts = ["10.2.0.0/24"]
[secrets.s]
file = "{secret}"
"""


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    with namespaces("lone"):
        made = Gateway("lone", tmp_path / "lone")
        secret = made.directory / "c.secret"
        secret.touch(0o600)
        secret.write_text("a secret of the lab")
        made.configure(CONF.format(secret=secret))
        yield made
        made.stop()


def refusal(gateway: Gateway, *options: str) -> str:
    outcome = subprocess.run(
        gateway.command(*options), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, check=False
    )
    assert outcome.returncode == 1, outcome
    assert "Traceback" not in outcome.stderr
    [line] = [line for line in outcome.stderr.splitlines() if line.startswith("ikepy: ")]
    return line


@pytest.mark.parametrize("port", [500, 4500])
def test_a_port_that_somebody_else_has_is_named(gateway: Gateway, port: int) -> None:
    with udp("lone", "127.0.0.1", port):
        line = refusal(gateway)

    assert f"{port}" in line
    assert "in use" in line or "taken" in line, line


def test_a_secret_file_that_is_not_there_is_named(gateway: Gateway) -> None:
    gateway.configure(CONF.format(secret="/nowhere/c.secret"))

    assert "/nowhere/c.secret" in refusal(gateway)


def test_a_private_key_that_is_none_is_named(gateway: Gateway) -> None:
    key = gateway.directory / "c.key.pem"
    key.touch(0o600)
    key.write_text("this is no key\n")
    pubkey = f'local = {{{{ auth = "pubkey", id = "a.lab", certs = ["{key}"], key = "{key}" }}}}'
    gateway.configure(
        CONF.replace('local = {{ auth = "psk", id = "a.lab" }}', pubkey).format(secret=gateway.directory / "c.secret")
    )

    assert str(key) in refusal(gateway)


def test_a_configuration_with_an_unknown_key_is_named_with_its_place(gateway: Gateway) -> None:
    gateway.configure(gateway.conf.read_text().replace("remote_addrs", "remote_adrs"))

    line = refusal(gateway)
    assert str(gateway.conf) in line
    assert "remote_adrs" in line
    assert "remote_addrs" in line


def test_checking_a_good_configuration_opens_nothing(gateway: Gateway) -> None:
    with udp("lone", "127.0.0.1", 500):
        outcome = subprocess.run(gateway.command("--check"), capture_output=True, text=True, timeout=30, check=False)

    assert outcome.returncode == 0, outcome.stderr
    assert not gateway.run_directory.exists()
