"""The lab of a whole session: everybody configured for all cases at once, and started once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ikepy.crypto.password import nt_hash
from tests.lab.gateway import Gateway
from tests.lab.markers import only_where_asked
from tests.lab.namespaces import Wire, add_addresses, link, namespaces
from tests.support.no_secrets import assert_no_secrets
from tests.system.cases import CASES, ikepy_conf, select
from tests.system.cast import NAMESPACES, Peer, addresses, issue_certificates, make_peer

_READ = (".conf", ".secret", ".secrets", "users", "users.jsonl", "updown")
_HOLDS_ONE = "-password"
"Files that hold secrets because they are where daemons read them, and the end of the name of one that holds a password."
PEERS = ("strongswan", "libreswan", "ikepy")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for marker in ("soak", "queue"):
        only_where_asked(config, items, marker)
    for item in items:
        if here in item.path.parents:
            item.add_marker("system")


@dataclass
class Lab:
    """All that takes part."""

    left: Gateway
    peers: dict[str, Peer]
    wires: dict[str, Wire]
    directory: Path

    def namespace(self, peer: str) -> str:
        return NAMESPACES[peer]


@pytest.fixture(scope="session", autouse=True)
def no_daemon_has_written_a_secret() -> Iterator[None]:
    """At the end of all, whatever any ikepy has written is searched for all secrets that any had."""
    yield
    found = sorted({each for gateway in Gateway.made for each in gateway.secrets})
    secrets = [*found, *map(nt_hash, found)]
    searched = 0
    for directory in sorted({gateway.directory for gateway in Gateway.made}):
        theirs = [
            each
            for each in directory.rglob("*")
            if each.name in _READ or each.suffix in _READ or each.name.endswith(_HOLDS_ONE)
        ]
        searched += assert_no_secrets(directory, secrets, theirs)
    assert searched or not found, "daemons have run, and nothing of theirs was found"


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Certificates of all cases, in one directory."""
    directory = tmp_path_factory.mktemp("certificates")
    issue_certificates(directory, select(*PEERS))
    return directory


@pytest.fixture(scope="session")
def network() -> Iterator[dict[str, Wire]]:
    """Namespaces, cables, addresses of all cases, and a watcher on each cable."""
    with namespaces(*NAMESPACES.values()):
        wires = {}
        for peer in PEERS:
            right = NAMESPACES[peer]
            ends = link("left", right)
            cases = [case for case in CASES if peer in case.peers]
            for side, (namespace, end) in enumerate(zip(("left", right), ends, strict=True), 1):
                add_addresses(namespace, addresses(peer, cases, side, end))
            wires[peer] = Wire(("left", ends[0]), (right, ends[1]))
        yield wires
        for wire in wires.values():
            wire.close()


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory, network: dict[str, Wire], certificates: Path) -> Iterator[Lab]:
    """Everybody configured and running."""
    directory = tmp_path_factory.mktemp("lab")
    left = Gateway("left", directory / "left")
    left.configure(ikepy_conf(select(*PEERS), str(certificates)))
    peers = {
        peer: make_peer(peer, directory / peer, certificates, [case for _, case in select(peer)]) for peer in PEERS
    }
    started = [left, *peers.values()]
    for each in started:
        each.start()
    yield Lab(left, peers, network, directory)
    for each in started:
        each.stop()
