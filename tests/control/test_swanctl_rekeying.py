"""Debian's swanctl against what keeps tunnels up: rekeys, traps and shunts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ikepy.config.model import Config, StartAction, Unique
from ikepy.daemon.api import InstallOutcome, RekeyOutcome, RekeyWish
from ikepy.ipsec import Mode
from tests.control.test_swanctl import SWANCTL, make_daemon, swanctl
from tests.support.fake_daemon import NOW, FakeDaemon, make_child, make_connection, make_ike, make_policy

pytestmark = pytest.mark.skipif(SWANCTL is None, reason="swanctl is not installed (Debian: strongswan-swanctl)")


@pytest.mark.parametrize(
    ("words", "wish"),
    [
        (("--ike", "site"), RekeyWish(ike="site")),
        (("--ike", "site", "--reauth"), RekeyWish(ike="site", reauth=True)),
        (("--child", "net"), RekeyWish(child="net")),
        (("--ike-id", "1"), RekeyWish(ike_id=1)),
        (("--child-id", "2"), RekeyWish(child_id=2)),
    ],
)
def test_rekey_says_what_is_meant_and_does_not_wait(tmp_path: Path, words: tuple[str, ...], wish: RekeyWish) -> None:
    daemon = make_daemon()
    code, said = swanctl(tmp_path, daemon, "--rekey", *words)
    assert (code, daemon.rekeyed) == (0, [(wish, 0.0)])
    assert "rekey completed successfully" in said


def test_rekey_of_nothing_is_a_failure(tmp_path: Path) -> None:
    daemon = make_daemon()
    daemon.rekeying = RekeyOutcome(0, "no matching SAs to rekey found")
    code, said = swanctl(tmp_path, daemon, "--rekey", "--ike", "nobody")
    assert code != 0
    assert "no matching SAs to rekey found" in said


def test_list_sas_says_when_what_is_due(tmp_path: Path) -> None:
    child = make_child(rekey_at=NOW + 540, life_until=NOW + 900)
    daemon = FakeDaemon(sas=[make_ike(rekey_at=NOW + 9000, reauth_at=NOW + 86400, children=(child,))])
    code, said = swanctl(tmp_path, daemon, "--list-sas")
    assert code == 0
    lines = [line.strip() for line in said.splitlines()]
    assert "established 3061s ago, rekeying in 9000s, reauth in 86400s" in lines
    assert "installed 3060s ago, rekeying in 540s, expires in 900s" in lines
    assert "(null)" not in said


def test_list_conns_says_how_a_tunnel_is_kept_up(tmp_path: Path) -> None:
    plain = make_connection("site", "net")
    child = replace(plain.children[0], rekey_time=3600.0, rekey_bytes=10**9, start_action=StartAction.START)
    site = replace(
        plain, rekey_time=14400.0, reauth_time=86400.0, dpd_delay=30.0, unique=Unique.REPLACE, children=(child,)
    )
    code, said = swanctl(tmp_path, FakeDaemon(config=Config(connections=(site,))), "--list-conns")
    assert code == 0
    assert "site: IKEv2, reauthentication every 86400s, rekeying every 14400s, dpd delay 30s" in said
    assert "net: TUNNEL, rekeying every 3600s or 1000000000 bytes, dpd action is start" in said
    assert "(null)" not in said


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ((), ["site/web, TUNNEL", "site/printer, PASS", "branch/rest, DROP"]),
        (("--trap",), ["site/web, TUNNEL"]),
        (("--drop", "--pass"), ["site/printer, PASS", "branch/rest, DROP"]),
        (("--child", "rest"), ["branch/rest, DROP"]),
    ],
)
def test_list_pols_shows_traps_and_shunts(tmp_path: Path, words: tuple[str, ...], names: list[str]) -> None:
    placed = [make_policy("web"), make_policy("printer", mode=Mode.PASS), make_policy("rest", "branch", Mode.DROP)]
    code, said = swanctl(tmp_path, FakeDaemon(placed=placed), "--list-pols", *words)
    assert code == 0
    assert [line for line in said.splitlines() if ", " in line and not line.startswith(" ")] == names
    assert said.count("local:  10.1.3.0/24") == len(names)
    assert "(null)" not in said


@pytest.mark.parametrize("command", ["install", "uninstall"])
def test_install_and_uninstall_say_whether_it_is_so(tmp_path: Path, command: str) -> None:
    daemon = make_daemon()
    code, said = swanctl(tmp_path, daemon, f"--{command}", "--child", "net", "--ike", "site")
    assert (code, daemon.installed) == (0, [(command, "site", "net")])
    assert f"{command} completed successfully" in said

    daemon.placing = InstallOutcome(succeeded=False, reason="its peer's address is not known")
    again = tmp_path / "again"
    again.mkdir()
    code, said = swanctl(again, daemon, f"--{command}", "--child", "net")
    assert code != 0
    assert "its peer's address is not known" in said
