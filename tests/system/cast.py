"""Who takes part in system tests, each configured for the cases it is given.

ikepy is on the left; strongSwan, libreswan and another ikepy are on the right, each on a cable of its own.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from tests.lab.certs import Authority
from tests.lab.gateway import Gateway
from tests.lab.libreswan import Libreswan
from tests.lab.namespaces import sh
from tests.lab.strongswan import StrongSwan
from tests.system.cases import Case, ca_kind, ikepy_conf, ipsec_conf, ipsec_secrets, swanctl_conf

Peer = StrongSwan | Libreswan | Gateway
NAMESPACES = {"left": "left", "strongswan": "swan", "libreswan": "libre", "ikepy": "right"}


def issue_certificates(directory: Path, chosen: Iterable[tuple[str, Case]]) -> None:
    """Certificates of both sides of these cases, in one directory."""
    authorities = {kind: Authority(directory, kind) for kind in ("rsa", "ecdsa")}
    for peer, case in chosen:
        if case.auth != "psk":
            for side in (1, 2):
                authorities[ca_kind(case)].issue(case.addresses(peer).identity(side), case.auth)


def make_peer(
    peer: str, directory: Path, certificates: Path, cases: list[Case], *, namespace: str | None = None
) -> Peer:
    """The one on the right, configured but not started; in that namespace, or its usual one."""
    namespace = namespace or NAMESPACES[peer]
    match peer:
        case "strongswan":
            return _make_strongswan(namespace, directory, certificates, cases)
        case "libreswan":
            return _make_libreswan(namespace, directory, certificates, cases)
    right = Gateway(namespace, directory)
    right.configure(ikepy_conf([("ikepy", case) for case in cases], str(certificates), side=2))
    return right


def addresses(peer: str, cases: list[Case], side: int, end: str) -> dict[str, list[str]]:
    """The addresses of a side in these cases, by interface."""
    outer, inner = [], []
    for case in cases:
        at = case.addresses(peer)
        outer.append(at.outer(side) + ("/24" if case.outer == 4 else "/64"))
        if not case.transport:
            inner += [
                at.inner(side, number) + ("/32" if case.inner == 4 else "/128") for number in range(len(case.children))
            ]
    return {end: outer, "lo": inner}


def route_to_us(peer: str, case: Case, namespace: str | None = None) -> None:
    """Give the peer its route to our networks: in the lab strongSwan and libreswan install none; an ikepy does."""
    if case.transport or peer == "ikepy":
        return
    at = case.addresses(peer)
    family = "-6" if case.inner == 6 else "-4"
    for number in range(len(case.children)):
        via = ["via", at.outer(1)] if case.inner == case.outer else ["via", "inet6", at.outer(1)]
        source = ["src", at.inner(2, number)]
        sh("ip", family, "-n", namespace or NAMESPACES[peer], "route", "replace", at.network(1, number), *via, *source)


def _make_strongswan(namespace: str, directory: Path, certificates: Path, cases: list[Case]) -> StrongSwan:
    swan = StrongSwan(namespace, directory)
    swan.configure(swanctl_conf(cases))
    for path in certificates.iterdir():
        if path.name.startswith("ca-"):
            shutil.copy(path, directory / "swanctl" / "x509ca" / path.name)
        elif path.name.startswith("right1-") and path.name.endswith(".cert.pem"):
            shutil.copy(path, directory / "swanctl" / "x509" / path.name)
        elif path.name.startswith("right1-") and path.name.endswith(".key.pem"):
            shutil.copy(path, directory / "swanctl" / "private" / path.name)
    return swan


def _make_libreswan(namespace: str, directory: Path, certificates: Path, cases: list[Case]) -> Libreswan:
    libre = Libreswan(namespace, directory)
    libre.configure(
        ipsec_conf(cases), ipsec_secrets(cases), tuple(name for case in cases for name in case.libreswan_connections())
    )
    for case in cases:
        if case.auth != "psk":
            name = case.addresses("libreswan").identity(2)
            libre.take_certificate(certificates / f"{name}.p12", certificates / f"ca-{ca_kind(case)}.pem")
    return libre
