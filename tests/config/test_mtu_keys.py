"""`mtu` and `mss_clamp` of a child: what may be written, and what comes of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ikepy.config.errors import ConfigError
from ikepy.config.load import load
from ikepy.config.model import ChildConfig
from ikepy.ipsec import MssClamp

SITE = """
[connections.site]
remote_addrs = ["192.0.2.2"]
local = {{ auth = "psk", id = "left.example" }}
remote = {{ auth = "psk", id = "right.example" }}
[connections.site.children.net]
local_ts = ["{local}"]
remote_ts = ["{remote}"]
{more}
[secrets.site]
ids = ["left.example", "right.example"]
secret = "a secret that nobody will guess"
"""


def child(directory: Path, more: str, local: str = "10.1.0.0/16", remote: str = "10.2.0.0/16") -> ChildConfig:
    """The child of a site with these lines."""
    path = directory / "site.conf"
    path.write_text(SITE.format(local=local, remote=remote, more=more))
    path.chmod(0o600)
    return load(path).config.connections[0].children[0]


def test_without_the_keys_all_is_left_to_the_kernel(tmp_path: Path) -> None:
    plain = child(tmp_path, "")
    assert (plain.mtu, plain.mss_clamp) == (0, None)
    assert child(tmp_path, "mtu = 0\nmss_clamp = false") == plain


@pytest.mark.parametrize(
    ("written", "means"),
    [("true", MssClamp()), ('"yes"', MssClamp()), ("1200", MssClamp(1200)), ("536", MssClamp(536))],
)
def test_a_clamp_is_by_the_path_or_a_number(tmp_path: Path, written: str, means: MssClamp) -> None:
    assert child(tmp_path, f"mss_clamp = {written}").mss_clamp == means


def test_an_mtu_is_the_octets_of_a_packet(tmp_path: Path) -> None:
    assert child(tmp_path, "mtu = 576").mtu == 576


def test_ipv6_needs_what_every_link_carries(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"mtu: 1279 octets are too few for IPv6 \(RFC 8200 §5\); write 0 or 1280"):
        child(tmp_path, "mtu = 1279", "fd01::/64", "fd02::/64")
    assert child(tmp_path, "mtu = 1280", "fd01::/64", "fd02::/64").mtu == 1280


def test_transport_mode_has_no_route_to_give_an_mtu(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"mtu: .* transport mode has no route of its own; leave it out"):
        child(tmp_path, 'mode = "transport"\nmtu = 1400')
