"""Both ends of a tunnel between two sites: they fit together, and what cannot be is refused before anything is written."""

from __future__ import annotations

import re
import stat
from pathlib import Path

import pytest

from ikepy.config.load import load
from ikepy.setup.answers import SetupError, parse_networks
from ikepy.setup.site_file import End, Peer, Site, libreswan_text
from ikepy.setup.site_steps import make_secret, set_up_site
from tests.support.entropy import SeededEntropy

LEFT = End("left.example.com", "198.51.100.1", parse_networks(("10.1.0.0/16", "2001:db8:1::/48")))
RIGHT = End("right.example.com", "203.0.113.2", parse_networks(("10.2.0.0/16", "2001:db8:2::/48")))
MOVING = End("right.example.com", "", RIGHT.networks)


def written(directory: Path, site: Site, peer: Peer = Peer.IKEPY) -> tuple[Path, Path]:
    return set_up_site(site, peer, directory, SeededEntropy(1), lambda _: None)


def test_each_end_says_what_the_other_expects(tmp_path: Path) -> None:
    conf, away = written(tmp_path, Site(LEFT, RIGHT))
    ours, theirs = load(conf), load(away / "site.conf")
    assert ours.warnings == theirs.warnings == ()
    (one,), (other,) = ours.config.connections, theirs.config.connections
    assert one.remote.id.identification == other.local.id is not None
    assert other.remote.id.identification == one.local.id is not None
    assert one.children[0].local_ts == other.children[0].remote_ts
    assert one.children[0].remote_ts == other.children[0].local_ts
    assert ours.config.psks[0].secret == theirs.config.psks[0].secret
    for path in (conf, tmp_path / "site.secret", away / "site.conf", away / "site.secret"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    assert stat.S_IMODE(away.stat().st_mode) == 0o700


def test_an_end_whose_address_changes_begins_and_the_other_waits(tmp_path: Path) -> None:
    conf, away = written(tmp_path, Site(LEFT, MOVING))
    assert "remote_addrs" not in conf.read_text()
    assert 'start_action = "none"' in conf.read_text()
    assert 'start_action = "start"' in (away / "site.conf").read_text()


@pytest.mark.parametrize("peer", [Peer.STRONGSWAN, Peer.LIBRESWAN])
def test_the_secret_is_the_same_at_both_ends_and_nowhere_else(peer: Peer, tmp_path: Path) -> None:
    four = [End(end.name, end.address, end.networks[:1]) for end in (LEFT, RIGHT)]
    conf, away = written(tmp_path, Site(*four), peer)
    secret = (tmp_path / "site.secret").read_text().strip()
    assert re.fullmatch(r"[a-z2-9]{8}(-[a-z2-9]{8}){4}", secret)
    held = [path.name for path in away.iterdir() if secret in path.read_text()]
    assert held == (["swanctl.conf"] if peer is Peer.STRONGSWAN else ["ipsec.secrets"])
    assert secret not in conf.read_text()
    assert all(stat.S_IMODE((away / name).stat().st_mode) == 0o600 for name in held)


@pytest.mark.slow
def test_certificates_stand_beside_each_end(tmp_path: Path) -> None:
    conf, away = written(tmp_path, Site(LEFT, RIGHT, by_certificate=True))
    for path in (conf, away / "site.conf"):
        assert load(path).warnings == ()
    assert (tmp_path / "ca.pem").read_bytes() == (away / "ca.pem").read_bytes()
    assert stat.S_IMODE((away / "right.example.com.key").stat().st_mode) == 0o600
    assert not (away / "left.example.com.key").exists()
    assert not (tmp_path / "site.secret").exists()


def test_what_is_there_is_not_written_over(tmp_path: Path) -> None:
    written(tmp_path, Site(LEFT, RIGHT))
    before = (tmp_path / "site.secret").read_text()
    with pytest.raises(SetupError, match="is there already"):
        written(tmp_path, Site(LEFT, RIGHT))
    assert (tmp_path / "site.secret").read_text() == before


def test_what_cannot_be_is_refused(tmp_path: Path) -> None:
    nowhere = End(LEFT.name, "", LEFT.networks)
    with pytest.raises(SetupError, match="must have an address"):
        Site(nowhere, MOVING)
    with pytest.raises(SetupError, match="overlaps"):
        Site(LEFT, End("x.example", "203.0.113.2", parse_networks(("10.1.5.0/24",))))
    with pytest.raises(SetupError, match="one family"):
        Site(End("a.example", "192.0.2.1", LEFT.networks[:1]), End("b.example", "192.0.2.2", RIGHT.networks[1:]))
    with pytest.raises(SetupError, match="one address family"):
        libreswan_text(Site(LEFT, RIGHT))
    for site in (Site(LEFT, RIGHT), Site(LEFT, RIGHT, by_certificate=True)):
        with pytest.raises(SetupError):
            written(tmp_path / "x", site, Peer.LIBRESWAN)
    assert not (tmp_path / "x").exists()


def test_secrets_differ() -> None:
    entropy = SeededEntropy(1)
    assert make_secret(entropy) != make_secret(entropy)
