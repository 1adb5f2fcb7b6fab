"""The lab's cast, made once a session: ikepy on the left, strongSwan, libreswan and another ikepy on the right."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.lab.certs import Authority
from tests.lab.gateway import Gateway
from tests.lab.libreswan import Libreswan
from tests.lab.namespaces import Wire, add_addresses, link, namespaces
from tests.lab.strongswan import StrongSwan
from tests.system.cases import CASES, Case, ikepy_conf, ipsec_conf, ipsec_secrets, select, swanctl_conf

NAMESPACES = {"left": "left", "strongswan": "swan", "libreswan": "libre", "ikepy": "right"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker("system")


@dataclass
class Lab:
    """All that takes part."""

    left: Gateway
    peers: dict[str, StrongSwan | Libreswan | Gateway]
    wires: dict[str, Wire]
    directory: Path

    def namespace(self, peer: str) -> str:
        return NAMESPACES[peer]


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Certificates of all cases, in one directory."""
    directory = tmp_path_factory.mktemp("certificates")
    authorities = {kind: Authority(directory, kind) for kind in ("rsa", "ecdsa")}
    for peer, case in select("strongswan", "libreswan", "ikepy"):
        if case.auth == "psk":
            continue
        authority = authorities["ecdsa" if case.auth == "ecdsa" else "rsa"]
        for side in (1, 2):
            authority.issue(case.addresses(peer).identity(side), case.auth)
    return directory


@pytest.fixture(scope="session")
def network() -> Iterator[dict[str, Wire]]:
    """Namespaces, cables, addresses of all cases, and a watcher on each cable."""
    with namespaces(*NAMESPACES.values()):
        wires = {}
        for peer in ("strongswan", "libreswan", "ikepy"):
            right = NAMESPACES[peer]
            ends = link("left", right)
            cases = [case for case in CASES if peer in case.peers]
            for side, (namespace, end) in enumerate(zip(("left", right), ends, strict=True), 1):
                add_addresses(namespace, _addresses(peer, cases, side, end))
            wires[peer] = Wire(("left", ends[0]), (right, ends[1]))
        yield wires
        for wire in wires.values():
            wire.close()


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory, network: dict[str, Wire], certificates: Path) -> Iterator[Lab]:
    """Everybody configured and running."""
    directory = tmp_path_factory.mktemp("lab")
    left, right = Gateway("left", directory / "left"), Gateway("right", directory / "right")
    chosen = select("strongswan", "libreswan", "ikepy")
    left.configure(ikepy_conf(chosen, str(certificates)))
    right.configure(ikepy_conf(select("ikepy"), str(certificates), side=2))
    swan = make_strongswan(directory / "swan", certificates)
    libre = make_libreswan(directory / "libre", certificates)
    started = [left, right, swan, libre]
    for each in started:
        each.start()
    yield Lab(left, {"strongswan": swan, "libreswan": libre, "ikepy": right}, network, directory)
    for each in started:
        each.stop()


def make_strongswan(directory: Path, certificates: Path) -> StrongSwan:
    """A strongSwan with all its cases."""
    swan = StrongSwan(NAMESPACES["strongswan"], directory)
    swan.configure(swanctl_conf([case for _, case in select("strongswan")]))
    for path in certificates.iterdir():
        if path.name.startswith("ca-"):
            shutil.copy(path, directory / "swanctl" / "x509ca" / path.name)
        elif path.name.startswith("right1-") and path.name.endswith(".cert.pem"):
            shutil.copy(path, directory / "swanctl" / "x509" / path.name)
        elif path.name.startswith("right1-") and path.name.endswith(".key.pem"):
            shutil.copy(path, directory / "swanctl" / "private" / path.name)
    return swan


def make_libreswan(directory: Path, certificates: Path) -> Libreswan:
    """A libreswan with all its cases."""
    libre = Libreswan(NAMESPACES["libreswan"], directory)
    cases: list[Case] = [case for _, case in select("libreswan")]
    libre.configure(ipsec_conf(cases), ipsec_secrets(cases), tuple(case.connection("libreswan") for case in cases))
    for case in cases:
        if case.auth != "psk":
            name = case.addresses("libreswan").identity(2)
            libre.take_certificate(
                certificates / f"{name}.p12", certificates / f"ca-{'ecdsa' if case.auth == 'ecdsa' else 'rsa'}.pem"
            )
    return libre


def _addresses(peer: str, cases: list[Case], side: int, end: str) -> dict[str, list[str]]:
    outer, inner = [], []
    for case in cases:
        at = case.addresses(peer)
        outer.append(at.outer(side) + ("/24" if case.outer == 4 else "/64"))
        if not case.transport:
            inner += [
                at.inner(side, number) + ("/32" if case.inner == 4 else "/128") for number in range(len(case.children))
            ]
    return {end: outer, "lo": inner}
