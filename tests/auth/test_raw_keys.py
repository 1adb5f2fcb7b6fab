"""Raw public keys (RFC 7670): proved, verified, and refused; from text to proof."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ikepy.auth.credentials import CredentialError, load_credentials
from ikepy.auth.raw_keys import spki_of
from ikepy.auth.service import AuthService
from ikepy.config.errors import ConfigError
from ikepy.config.load import load
from ikepy.ike.effects import FindTrustingConnections, LocalProof
from ikepy.ike.errors import AuthenticationFailed, NoCredential
from ikepy.wire.payloads import Cert
from ikepy.wire.registry import CertEncoding, HashAlgorithm
from tests.support.certificates import PrivateKey, make, make_ca, make_key
from tests.support.proofs import HASHES, RIGHT, shown, sign_effect

KINDS = ("rsa2048", "p256", "p384", "ed25519", "ed448")
TEXT = """
[connections.site]
remote_addrs = ["192.0.2.2"]
local = {{ auth = "pubkey", id = "left.example", key = "own.key"{local} }}
remote = {{ auth = "pubkey", id = "{identity}", pubkeys = ["peer.pub"]{remote} }}
[connections.site.children.net]
local_ts = ["10.1.0.0/16"]
remote_ts = ["10.2.0.0/16"]
"""


def write(
    directory: Path, own: PrivateKey, *peers: PrivateKey, identity: str = "right.example", local: str = ""
) -> Path:
    """A configuration, our key and the peer's public ones."""
    (directory / "own.key").write_bytes(make_issued(own).key_pem)
    (directory / "own.key").chmod(0o600)
    for at, peer in enumerate(peers):
        pem = peer.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        (directory / ("peer.pub" if not at else f"peer{at}.pub")).write_bytes(pem)
    more = "".join(f', "peer{at}.pub"' for at in range(1, len(peers)))
    path = directory / "site.conf"
    path.write_text(TEXT.format(identity=identity, local=local, remote="").replace('"peer.pub"]', f'"peer.pub"{more}]'))
    path.chmod(0o600)
    return path


def make_issued(key: PrivateKey):  # type: ignore[no-untyped-def]
    return replace(make_ca("CN=whose key does not matter"), key=key)


def service(path: Path) -> AuthService:
    config = load(path).config
    return AuthService(config, load_credentials(config))


def proof_by(path: Path, **changes: object) -> LocalProof:
    (only,) = load(path).config.connections
    return service(path).sign_auth(sign_effect(local=only.local, identity=RIGHT, **changes))


@pytest.fixture
def sides(tmp_path: Path) -> tuple[Path, Path]:
    near, far = tmp_path / "near", tmp_path / "far"
    near.mkdir()
    far.mkdir()
    return near, far


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("is_sent", [True, False], ids=["sent", "not sent"])
def test_a_peer_is_known_by_its_key(kind: str, is_sent: bool, sides: tuple[Path, Path]) -> None:
    ours, theirs = make_key("p256", 1), make_key(kind, 2)
    near, far = write(sides[0], ours, theirs), write(sides[1], theirs, ours)
    proof = proof_by(far)
    assert proof.certs == (Cert(CertEncoding.RAW_PUBLIC_KEY, spki_of(theirs.public_key())),)
    told = service(near).verify_auth(shown(proof if is_sent else replace(proof, certs=())))
    assert told.method.endswith("raw public key")
    assert told.identity == RIGHT


def test_of_several_keys_of_a_peer_the_one_that_signed_counts(sides: tuple[Path, Path]) -> None:
    old, new = make_key("p256", 3), make_key("ed25519", 4)
    near = write(sides[0], make_key("p256", 1), old, new)
    for key in (old, new):
        proof = proof_by(write(sides[1], key, make_key("p256", 1)))
        assert service(near).verify_auth(shown(proof)).identity == RIGHT
        assert service(near).verify_auth(shown(replace(proof, certs=()))).identity == RIGHT


@pytest.mark.parametrize("is_sent", [True, False], ids=["sent", "not sent"])
def test_another_key_proves_nothing(is_sent: bool, sides: tuple[Path, Path]) -> None:
    near = write(sides[0], make_key("p256", 1), make_key("p256", 2))
    proof = proof_by(write(sides[1], make_key("p256", 5), make_key("p256", 1)))
    with pytest.raises(AuthenticationFailed, match="none of those in pubkeys" if is_sent else "right.example"):
        service(near).verify_auth(shown(proof if is_sent else replace(proof, certs=())))


def test_a_key_that_is_known_and_did_not_sign_proves_nothing(sides: tuple[Path, Path]) -> None:
    near = write(sides[0], make_key("p256", 1), make_key("p256", 2))
    proof = proof_by(write(sides[1], make_key("p256", 5), make_key("p256", 1)))
    claimed = Cert(CertEncoding.RAW_PUBLIC_KEY, spki_of(make_key("p256", 2).public_key()))
    with pytest.raises(AuthenticationFailed):
        service(near).verify_auth(shown(replace(proof, certs=(claimed,))))


@pytest.mark.parametrize("octets", [b"", b"\x30", bytes(70000)], ids=len)
def test_octets_that_are_no_key_are_refused(octets: bytes, sides: tuple[Path, Path]) -> None:
    near = write(sides[0], make_key("p256", 1), make_key("p256", 2))
    proof = proof_by(write(sides[1], make_key("p256", 2), make_key("p256", 1)))
    with pytest.raises(AuthenticationFailed, match="none of those"):
        service(near).verify_auth(shown(replace(proof, certs=(Cert(CertEncoding.RAW_PUBLIC_KEY, octets),))))


def test_a_certificate_with_the_right_key_is_no_raw_key(sides: tuple[Path, Path]) -> None:
    near = write(sides[0], make_key("p256", 1), make_key("p256", 2))
    proof = proof_by(write(sides[1], make_key("p256", 2), make_key("p256", 1)))
    certificate = make("CN=right", None, key="p256", number=2, alt_names=("dns:right.example",))
    with pytest.raises(AuthenticationFailed):
        service(near).verify_auth(shown(replace(proof, certs=(Cert(CertEncoding.X509_SIGNATURE, certificate.der),))))


def test_a_connection_is_found_by_the_key_that_is_sent(sides: tuple[Path, Path]) -> None:
    near = write(sides[0], make_key("p256", 1), make_key("p256", 2))
    for number, found in ((2, {"site"}), (5, set())):
        cert = Cert(CertEncoding.RAW_PUBLIC_KEY, spki_of(make_key("p256", number).public_key()))
        assert service(near).find_trusting_connections(FindTrustingConnections(("site",), (cert,))) == found


def test_a_peer_that_verifies_none_of_it_is_told_of(sides: tuple[Path, Path]) -> None:
    path = write(sides[0], make_key("ed25519", 4), make_key("p256", 2))
    with pytest.raises(NoCredential, match="takes no signature of our key"):
        proof_by(path, hashes=HASHES - {HashAlgorithm.IDENTITY})


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('id = "right.example", ', "", "a public key says not whose it is"),
        ('id = "right.example"', 'id = "*.example"', "a public key says not whose it is"),
        ('id = "left.example", ', "", "a key alone says not who we are"),
        (', pubkeys = ["peer.pub"]', "", "needs something to trust"),
    ],
)
def test_what_leaves_open_who_it_is_does_not_load(old: str, new: str, problem: str, sides: tuple[Path, Path]) -> None:
    path = write(sides[0], make_key("p256", 1), make_key("p256", 2))
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new).replace(", }", " }"))
    with pytest.raises(ConfigError, match=problem):
        load(path)


@pytest.mark.parametrize("octets", [b"", b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", b"\x30\x00"])
def test_a_file_without_a_key_is_named(octets: bytes, sides: tuple[Path, Path]) -> None:
    path = write(sides[0], make_key("p256", 1), make_key("p256", 2))
    (sides[0] / "peer.pub").write_bytes(octets)
    with pytest.raises(CredentialError, match=r"peer\.pub: no public key"):
        load_credentials(load(path).config)


def test_a_weak_key_is_refused(sides: tuple[Path, Path]) -> None:
    path = write(sides[0], make_key("p256", 1), make_key("rsa1024", 6))
    with pytest.raises(CredentialError, match="1024 bits"):
        load_credentials(load(path).config)
