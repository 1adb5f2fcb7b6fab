"""`ikepy --conf FILE --dry-run` and `ikepy cleanup`: what is shown, and what is refused."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ikepy.daemon.instance import held
from tests.cli.conftest import Said

Ikepy = Callable[..., Said]
CONNECTION = """
[connections.c]
{keys}
local = {{ auth = "psk", id = "a.test" }}
remote = {{ auth = "psk", id = "b.test" }}
[connections.c.children.net]
{child}
[secrets.c]
file = "secret"
"""


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def write(top: str = "", keys: str = "", child: str = "", tables: str = "") -> Path:
        (tmp_path / "secret").touch(0o600)
        (tmp_path / "secret").write_text("a secret for dry runs")
        path = tmp_path / "site.conf"
        path.write_text(top + CONNECTION.format(keys=keys, child=child) + tables)
        return path

    return write


def test_a_dry_run_shows_settings_and_rules_of_a_gateway(write: Callable[..., Path], ikepy: Ikepy) -> None:
    path = write(
        "gateway = true\n",
        'pools = ["v4"]',
        tables='[pools.v4]\naddrs = "10.9.0.0/24"\n[groups.staff]\nsubnets = "10.1.0.0/16"\n',
    )
    said = ikepy("--conf", path, "--dry-run")
    assert said.code == 0, said.err
    for each in ("# settings of the kernel", "# nftables", "table inet ikepy {", 'comment "group staff"'):
        assert each in said.out
    assert "secret" not in said.out


def test_a_dry_run_shows_interfaces_and_what_a_client_changes(write: Callable[..., Path], ikepy: Ikepy) -> None:
    path = write(
        '[client]\nkill_switch = true\n[interfaces.vpn0]\naddrs = "169.254.1.1/30"\nroutes = "10.2.0.0/16"\n',
        'remote_addrs = "192.0.2.1"\nvips = "0.0.0.0"',
        'remote_ts = "0.0.0.0/0"\ninterface = "vpn0"',
    )
    said = ikepy("--conf", path, "--dry-run")
    assert said.code == 0, said.err
    for each in (
        "vpn0: xfrm, ID 30277633, 169.254.1.1/30",
        "route 10.2.0.0/16 by vpn0",
        "DNS servers that a gateway gives are told to: auto (/etc/resolv.conf)",
        "IPv6 to the internet is refused",
        "table inet ikepy_kill_switch {",
        'oifname "vpn0" accept',
    ):
        assert each in said.out, said.out


def test_a_dry_run_of_a_plain_tunnel_says_that_nothing_is_changed(write: Callable[..., Path], ikepy: Ikepy) -> None:
    said = ikepy("--conf", write(), "--dry-run")
    assert (said.code, said.out.startswith("nothing: ")) == (0, True)


def test_a_dry_run_of_a_wrong_file_says_what_is_wrong(tmp_path: Path, ikepy: Ikepy) -> None:
    path = tmp_path / "site.conf"
    path.write_text("gatewy = true\n")
    said = ikepy("--conf", path, "--dry-run")
    assert said.code != 0
    assert "did you mean gateway" in said.line


def test_what_a_running_daemon_has_changed_is_not_undone(tmp_path: Path, ikepy: Ikepy) -> None:
    with held(tmp_path / "run"):
        said = ikepy("--run-dir", tmp_path / "run", "cleanup")
    assert said.code != 0
    assert f"process {os.getpid()}: stop it first" in said.line
