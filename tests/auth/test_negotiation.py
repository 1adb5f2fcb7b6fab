"""Two endpoints that prove themselves by certificates: whole negotiations with the real AuthService on both sides."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ikepy.config.model import AuthKind, Config, LocalAuthConfig, RemoteAuthConfig, SendCert
from tests.support.certificates import EXPIRED, Issued, make, make_ca
from tests.support.pair import established_pair, make_config, make_pair

ROOT, ED_ROOT = make_ca("CN=Root"), make_ca("CN=Ed Root", key="ed25519")


def by_certificate(directory: Path, side: str, issued: Issued, *above: Issued, **remote: tuple[Path, ...]) -> Config:
    """The configuration of a side that proves itself by a certificate and wants one of the peer."""
    certificate, key = issued.write(directory, side, *above)
    config = make_config(left=side == "left")
    connection = config.connections[0]
    local = replace(connection.local, auth=AuthKind.PUBKEY, certs=(certificate,), key=key)
    believed = RemoteAuthConfig(AuthKind.PUBKEY, connection.remote.id, **remote)
    return replace(config, connections=(replace(connection, local=local, remote=believed),), psks=())


def anchor(directory: Path, *anchors: Issued) -> Path:
    path = directory / "anchors.pem"
    path.write_bytes(b"".join(each.pem for each in anchors))
    return path


def side(name: str, issuer: Issued | None, key: str = "p256", **more: object) -> Issued:
    return make(f"CN={name}", issuer, key=key, alt_names=(f"dns:{name}.test",), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("key", ["p256", "p384", "ed25519", "ed448", "brainpool256"])
@pytest.mark.parametrize("root", [ROOT, ED_ROOT], ids=["P-256 root", "Ed25519 root"])
def test_two_sides_with_certificates_of_one_root_believe_each_other(key: str, root: Issued, tmp_path: Path) -> None:
    trusted = anchor(tmp_path, root)
    sub = make_ca("CN=Sub", root)

    pair = established_pair(
        by_certificate(tmp_path, "left", side("left", root, key), cacerts=(trusted,)),
        by_certificate(tmp_path, "right", side("right", sub, key), sub, cacerts=(trusted,)),
    )

    assert pair.left.sa.children


def test_a_side_with_a_certificate_and_a_side_with_a_psk_believe_each_other(tmp_path: Path) -> None:
    left, right = make_config(left=True), make_config(left=False)
    certificate, key = side("left", ROOT).write(tmp_path, "left")
    ours, theirs = left.connections[0], right.connections[0]
    local = LocalAuthConfig(AuthKind.PUBKEY, ours.local.id, (certificate,), key)
    remote = RemoteAuthConfig(AuthKind.PUBKEY, theirs.remote.id, (anchor(tmp_path, ROOT),))

    assert established_pair(
        replace(left, connections=(replace(ours, local=local),)),
        replace(right, connections=(replace(theirs, remote=remote),)),
    )


def test_pinned_certificates_need_neither_a_root_nor_to_be_sent(tmp_path: Path) -> None:
    left, right = side("left", None, "ed25519"), side("right", None)
    files = [left.write(tmp_path, "left-pin")[0], right.write(tmp_path, "right-pin")[0]]
    configs = [
        by_certificate(tmp_path, "left", left, certs=(files[1],)),
        by_certificate(tmp_path, "right", right, certs=(files[0],)),
    ]
    silent = [
        replace(
            c, connections=(replace(c.connections[0], local=replace(c.connections[0].local, send_cert=SendCert.NEVER)),)
        )
        for c in configs
    ]

    assert established_pair(*silent)


@pytest.mark.parametrize(
    "right",
    [
        side("right", None),
        side("right", ED_ROOT),
        side("other", ROOT),
        side("right", ROOT, valid=EXPIRED),
        side("right", ROOT, purposes=("serverAuth",), unknown=True),
    ],
    ids=["signed by itself", "of another root", "of somebody else", "expired", "with an unknown critical extension"],
)
@pytest.mark.parametrize("initiator", ["left", "right"])
def test_a_side_whose_certificate_is_no_good_is_not_believed(initiator: str, right: Issued, tmp_path: Path) -> None:
    pair = make_pair(
        by_certificate(tmp_path, "left", side("left", ROOT), cacerts=(anchor(tmp_path, ROOT),)),
        by_certificate(tmp_path, "right", right, cacerts=(anchor(tmp_path, ROOT),)),
    )

    getattr(pair, initiator).initiate()
    pair.run(60)

    assert not pair.left.established
    assert not pair.right.established
