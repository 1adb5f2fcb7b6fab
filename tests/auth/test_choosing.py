"""Which of several certificates of ours a peer is shown: by CERTREQ, by what it verifies, by its kind, by identity."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ikepy.auth.certificate import from_x509
from ikepy.auth.credentials import LocalCredential, load_credentials
from ikepy.auth.service import AuthService
from ikepy.config.identities import parse_identity
from ikepy.config.model import (
    AuthKind,
    Config,
    ConnectionConfig,
    LocalAuthConfig,
    PrivateKeyConfig,
    RemoteAuthConfig,
)
from ikepy.ike.effects import SignAuth
from ikepy.ike.errors import NoCredential
from ikepy.personas.catalogue import find_persona
from ikepy.personas.persona import Proving
from ikepy.wire.registry import HashAlgorithm, PrfId
from tests.support.certificates import Issued, make, make_ca
from tests.support.personas import PersonaClient
from tests.support.personas_gateway import GATE, GATE_RSA, make_gateway
from tests.support.proofs import PATH

NAME = "gate.example.com"
ROOT, OTHER = make_ca("CN=Root"), make_ca("CN=Other root")
BETWEEN = make_ca("CN=Between", OTHER)
ECDSA = make("CN=ecdsa", ROOT, alt_names=(f"dns:{NAME}",))
RSA = make("CN=rsa", ROOT, key="rsa2048", alt_names=(f"dns:{NAME}",))
ED25519 = make("CN=ed25519", BETWEEN, key="ed25519", alt_names=(f"dns:{NAME}",))
ANOTHERS = make("CN=another", ROOT, alt_names=("dns:another.example.com",))
ALL = frozenset({HashAlgorithm.SHA2_256, HashAlgorithm.SHA2_384, HashAlgorithm.SHA2_512, HashAlgorithm.IDENTITY})
WITHOUT_EDDSA = ALL - {HashAlgorithm.IDENTITY}


def connection(directory: Path, *ours: Issued, cas: tuple[Issued, ...] = (ROOT, OTHER)) -> Config:
    """A connection with those certificates, the first key named there, the others under `secrets`."""
    files = [each.write(directory, f"own{at}", *([BETWEEN] if each is ED25519 else [])) for at, each in enumerate(ours)]
    for at, each in enumerate(cas):
        (directory / f"ca{at}.pem").write_bytes(each.pem)
    local = LocalAuthConfig(AuthKind.PUBKEY, parse_identity(NAME), tuple(file for file, _ in files), files[0][1])
    remote = RemoteAuthConfig(AuthKind.PUBKEY, cacerts=tuple(directory / f"ca{at}.pem" for at in range(len(cas))))
    keys = tuple(PrivateKeyConfig(f"k{at}", key) for at, (_, key) in enumerate(files[1:]))
    return Config((ConnectionConfig("c", local, remote),), private_keys=keys)


def shown(config: Config, **wanted: object) -> bytes:
    """The certificate that goes out first."""
    (only,) = config.connections
    assert only.local.id is not None
    effect = SignAuth("c", only.local, only.local.id, None, PATH, PrfId.HMAC_SHA2_256, b"octets", ALL, True)
    proof = AuthService(config, load_credentials(config)).sign_auth(replace(effect, **wanted))  # type: ignore[arg-type]
    return proof.certs[0].octets


def hashes_of(*authorities: Issued) -> frozenset[bytes]:
    return frozenset(from_x509(each.certificate).authority_hash for each in authorities)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({}, ECDSA),
        ({"prefers_rsa": True}, RSA),
        ({"authorities": hashes_of(OTHER)}, ED25519),
        ({"authorities": hashes_of(BETWEEN)}, ED25519),
        ({"authorities": hashes_of(ROOT), "prefers_rsa": True}, RSA),
        ({"authorities": hashes_of(OTHER), "hashes": WITHOUT_EDDSA}, ECDSA),
        ({"hashes": frozenset()}, ECDSA),
        ({"authorities": hashes_of(make_ca("CN=Nobody we know"))}, ECDSA),
    ],
    ids=["nothing said", "RSA", "a root", "a CA between", "both", "not verifiable", "without RFC 7427", "unknown CA"],
)
def test_the_certificate_is_one_that_the_peer_wants(
    wanted: dict[str, object], expected: Issued, tmp_path: Path
) -> None:
    assert shown(connection(tmp_path, ECDSA, RSA, ED25519), **wanted) == expected.der


def test_what_names_somebody_else_is_shown_last(tmp_path: Path) -> None:
    config = connection(tmp_path, ANOTHERS, RSA)
    assert shown(config) == RSA.der


def test_a_certificate_whose_key_is_not_ours_is_not_shown(tmp_path: Path) -> None:
    config = replace(connection(tmp_path, ECDSA, RSA), private_keys=())
    assert shown(config, prefers_rsa=True) == ECDSA.der
    (local,) = load_credentials(config).local.values()
    assert isinstance(local, LocalCredential)
    assert local.others == ()


def test_where_the_peer_can_verify_none_it_is_said(tmp_path: Path) -> None:
    with pytest.raises(NoCredential, match="takes no signature of our key"):
        shown(connection(tmp_path, ED25519), hashes=WITHOUT_EDDSA)


@pytest.mark.parametrize(
    ("persona", "expected"),
    [
        ("ios-16-by-hand", GATE_RSA),
        ("macos-13-by-hand", GATE_RSA),
        ("strongswan-android", GATE),
        ("windows-hardened", GATE),
    ],
)
def test_an_apple_is_shown_rsa_and_others_what_stands_first(persona: str, expected: Issued, tmp_path: Path) -> None:
    played = find_persona(persona)
    assert played is not None
    gateway = make_gateway(tmp_path, also=GATE_RSA)
    client = PersonaClient(gateway, played, Proving.EAP)
    client.connect()
    assert client.server_certificates[0] == expected.der
