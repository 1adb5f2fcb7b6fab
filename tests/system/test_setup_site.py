"""`ikepy setup site`: both ends' files as they are written make a tunnel, with each kind of peer."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.gateway import Gateway, await_true
from tests.lab.libreswan import Libreswan
from tests.lab.namespaces import add_addresses, crosses, link, namespaces, sh, states
from tests.lab.strongswan import StrongSwan

NEAR, FAR = "west", "east"
OUTER = ("198.51.100.1", "198.51.100.2")
INNER = ("10.1.0.1", "10.2.0.1")
NAMES = ("left.example.com", "right.example.com")


@pytest.fixture(scope="module", autouse=True)
def room() -> Iterator[None]:
    with namespaces(NEAR, FAR):
        ends = link(NEAR, FAR)
        for name, end, outer, inner in zip((NEAR, FAR), ends, OUTER, INNER, strict=True):
            add_addresses(name, {end: [f"{outer}/24"], "lo": [f"{inner}/32"]})
        yield


def set_up(directory: Path, peer: str, *more: str) -> Path:
    """Run the command; the peer's directory."""
    command = ["setup", "site", "--peer", peer, "--dir", str(directory), *more]
    for prefix, at in (("", 0), ("peer-", 1)):
        network = INNER[at].replace(".0.1", ".0.0/16")
        command += [f"--{prefix}name", NAMES[at], f"--{prefix}address", OUTER[at], f"--{prefix}networks", network]
    sh(sys.executable, "-m", "ikepy", *command)
    return directory / f"for-{NAMES[1]}"


def peer_of(kind: str, files: Path, directory: Path) -> Gateway | StrongSwan | Libreswan:
    """The other end, with the files where its documentation says."""
    if kind == "ikepy":
        gateway = Gateway(FAR, directory)
        gateway.conf = files / "site.conf"
        return gateway
    if kind == "strongswan":
        swan = StrongSwan(FAR, directory, routes=True)
        for pattern, place in (("ca.pem", "x509ca"), (f"{NAMES[1]}.pem", "x509"), ("*.key", "private")):
            for file in files.glob(pattern):
                shutil.copy(file, directory / "swanctl" / place)
        swan.configure((files / "swanctl.conf").read_text())
        return swan
    pluto = Libreswan(FAR, directory)
    text = (files / "ipsec.conf").read_text().replace("    auto=", "    leftupdown=%disabled\n    auto=")
    pluto.configure(text, (files / "ipsec.secrets").read_text(), ("site",))
    sh("ip", "-n", FAR, "route", "replace", "10.1.0.0/16", "via", OUTER[0], "src", INNER[1])
    return pluto


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("ikepy", ()),
        ("ikepy", ("--certificates",)),
        ("strongswan", ()),
        ("strongswan", ("--certificates",)),
        ("libreswan", ()),
    ],
    ids=lambda value: value if isinstance(value, str) else ("certificates" if value else "a key"),
)
def test_the_files_of_both_ends_make_a_tunnel(kind: str, more: tuple[str, ...], tmp_path: Path) -> None:
    files = set_up(tmp_path / "etc", kind, *more)
    ours, theirs = Gateway(NEAR, tmp_path / "near"), peer_of(kind, files, tmp_path / "far")
    ours.conf = tmp_path / "etc" / "site.conf"
    try:
        theirs.start()
        ours.start()
        await_true("the tunnel is up", lambda: len(states(NEAR)) >= 2 and len(states(FAR)) >= 2, 20)
        await_true("packets cross", lambda: crosses(NEAR, INNER[0], FAR, INNER[1]) == 3, 10)
        assert all(state.packets for state in states(NEAR)[:2]), ours.log()
    finally:
        ours.stop()
        theirs.stop()
        for name in (NEAR, FAR):
            sh("ip", "-n", name, "xfrm", "state", "flush")
            sh("ip", "-n", name, "xfrm", "policy", "flush")
        sh("ip", "-n", FAR, "route", "flush", "10.1.0.0/16", check=False)
