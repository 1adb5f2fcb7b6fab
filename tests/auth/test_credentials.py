"""Loading keys, certificates and trust anchors: every form that works, and each fault with its remedy."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from ikepy.auth.credentials import CredentialError, Credentials, load_credentials
from ikepy.config.identities import parse_identity
from ikepy.config.model import (
    AuthKind,
    Config,
    ConnectionConfig,
    LocalAuthConfig,
    PrivateKeyConfig,
    RemoteAuthConfig,
)
from ikepy.crypto.secret import Secret
from tests.support.certificates import EXPIRED, FUTURE, NOW, Issued, make, make_ca

ROOT = make_ca("CN=Root")
SUB = make_ca("CN=Sub", ROOT)
GATE = make("C=DE, CN=gate", SUB, alt_names=("dns:gate.example",))
X25519 = X25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
PASSPHRASE = Secret(b"open sesame")


def config_of(
    certs: tuple[Path, ...] = (),
    key: Path | None = None,
    cacerts: tuple[Path, ...] = (),
    pinned: tuple[Path, ...] = (),
    private_keys: tuple[PrivateKeyConfig, ...] = (),
) -> Config:
    """One connection by certificates on both sides."""
    local = LocalAuthConfig(AuthKind.PUBKEY, certs=certs, key=key)
    remote = RemoteAuthConfig(AuthKind.PUBKEY, cacerts=cacerts, certs=pinned)
    return Config((ConnectionConfig("site", local, remote),), private_keys=private_keys)


def load(config: Config) -> Credentials:
    return load_credentials(config, NOW)


def write(path: Path, octets: bytes, mode: int = 0o600) -> Path:
    path.write_bytes(octets)
    path.chmod(mode)
    return path


@pytest.mark.parametrize("kind", ["p256", "p384", "p521", "brainpool384", "ed25519", "ed448"])
def test_a_certificate_and_its_key_of_every_kind_are_loaded(kind: str, tmp_path: Path) -> None:
    issued = make("CN=gate", ROOT, key=kind)
    certificate, key = issued.write(tmp_path)

    loaded = load(config_of((certificate,), key)).local["site"]

    assert loaded.certificate.der == issued.der
    assert loaded.key.public_key() == issued.key.public_key()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["rsa2048", "p256"])
@pytest.mark.parametrize(
    ("encoding", "form", "encrypted"),
    [
        (Encoding.PEM, PrivateFormat.PKCS8, False),
        (Encoding.PEM, PrivateFormat.PKCS8, True),
        (Encoding.PEM, PrivateFormat.TraditionalOpenSSL, False),
        (Encoding.PEM, PrivateFormat.TraditionalOpenSSL, True),
        (Encoding.DER, PrivateFormat.PKCS8, False),
        (Encoding.DER, PrivateFormat.PKCS8, True),
        (Encoding.DER, PrivateFormat.TraditionalOpenSSL, False),
    ],
)
def test_a_key_is_loaded_from_every_form(
    kind: str,
    encoding: Encoding,
    form: PrivateFormat,
    encrypted: bool,
    tmp_path: Path,
) -> None:
    issued = make("CN=gate", ROOT, key=kind)
    certificate, _ = issued.write(tmp_path)
    lock = BestAvailableEncryption(PASSPHRASE.reveal()) if encrypted else NoEncryption()
    key = write(tmp_path / "some.key", issued.key.private_bytes(encoding, form, lock))
    secret = PrivateKeyConfig("gate", key, passphrase=PASSPHRASE if encrypted else None)

    loaded = load(config_of((certificate,), key, private_keys=(secret,))).local["site"]

    assert loaded.key.public_key() == issued.key.public_key()


def test_a_key_under_secrets_is_found_by_its_certificate(tmp_path: Path) -> None:
    certificate, _ = GATE.write(tmp_path)
    other = PrivateKeyConfig("other", pem=Secret(SUB.key_pem))
    inline = PrivateKeyConfig("gate", pem=Secret(GATE.key_pem))

    loaded = load(config_of((certificate,), private_keys=(other, inline))).local["site"]

    assert loaded.key.public_key() == GATE.key.public_key()


def test_a_key_is_found_behind_other_blocks_of_its_file(tmp_path: Path) -> None:
    parameters = b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
    certificate, _ = GATE.write(tmp_path)
    key = write(tmp_path / "all.pem", parameters + GATE.pem + GATE.key_pem)

    assert load(config_of((certificate,), key)).local["site"].certificate.der == GATE.der


def test_a_whole_chain_in_one_file_is_sent_without_its_root(tmp_path: Path) -> None:
    certificate, key = GATE.write(tmp_path, "gate", ROOT, make("CN=unrelated", ROOT), SUB)

    chain = load(config_of((certificate,), key)).local["site"].chain

    assert [each.der for each in chain] == [GATE.der, SUB.der]


def test_a_chain_in_several_files_of_pem_and_der_is_put_in_order(tmp_path: Path) -> None:
    certificate = write(tmp_path / "gate.der", GATE.der)
    _, key = GATE.write(tmp_path)
    sub = write(tmp_path / "sub.pem", SUB.pem)

    chain = load(config_of((certificate, sub), key)).local["site"].chain

    assert [each.der for each in chain] == [GATE.der, SUB.der]


def test_anchors_and_pinned_certificates_are_loaded(tmp_path: Path) -> None:
    certificate, key = GATE.write(tmp_path)
    anchors = write(tmp_path / "cas.pem", ROOT.pem + SUB.pem + ROOT.pem)
    pinned = write(tmp_path / "pinned.pem", make("CN=peer").pem)

    trust = load(config_of((certificate,), key, (anchors,), (pinned,))).trust["site"]

    assert [anchor.der for anchor in trust.anchors] == [ROOT.der, SUB.der]
    assert [each.der for each in trust.pinned] == [make("CN=peer").der]


def test_connections_by_psk_load_nothing() -> None:
    psk = ConnectionConfig("site", LocalAuthConfig(AuthKind.PSK), RemoteAuthConfig(AuthKind.PSK))

    assert load(Config((psk,))) == Credentials()


# -- faults --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660])
def test_a_key_that_others_may_read_is_refused(mode: int, tmp_path: Path) -> None:
    certificate, key = GATE.write(tmp_path)
    key.chmod(mode)

    with pytest.raises(
        CredentialError, match=rf"peer.key: others may .* \(mode {mode:04o}\); run: chmod 600 .*peer.key"
    ):
        load(config_of((certificate,), key))


def test_a_certificate_may_be_read_by_all(tmp_path: Path) -> None:
    certificate, key = GATE.write(tmp_path)
    certificate.chmod(0o644)

    assert load(config_of((certificate,), key)).local


def test_a_key_of_another_certificate_is_refused(tmp_path: Path) -> None:
    certificate, _ = GATE.write(tmp_path)
    _, key = SUB.write(tmp_path, "sub")

    with pytest.raises(CredentialError, match=r"does not belong to certificate 'C=DE, CN=gate'"):
        load(config_of((certificate,), key))


def test_a_chain_in_the_wrong_order_is_told_so(tmp_path: Path) -> None:
    certificate, _ = SUB.write(tmp_path, "chain", GATE)
    _, key = GATE.write(tmp_path, "gate")

    with pytest.raises(CredentialError, match=r"put certificate 'C=DE, CN=gate' first"):
        load(config_of((certificate,), key))


def test_no_key_for_the_certificate_is_told(tmp_path: Path) -> None:
    certificate, _ = GATE.write(tmp_path)

    with pytest.raises(CredentialError, match=r'no private key under secrets .*; add key = "FILE"'):
        load(config_of((certificate,)))


def test_no_certificate_is_told() -> None:
    with pytest.raises(CredentialError, match=r"connections.site.local: .* without a certificate"):
        load(config_of())


@pytest.mark.parametrize("encoding", [Encoding.PEM, Encoding.DER])
@pytest.mark.parametrize(
    ("passphrase", "says"),
    [(None, "the key is encrypted; .*passphrase ="), (Secret(b"wrong"), "passphrase does not open it")],
)
def test_an_encrypted_key_without_its_passphrase_is_told(
    passphrase: Secret | None, says: str, encoding: Encoding, tmp_path: Path
) -> None:
    certificate, _ = GATE.write(tmp_path)
    lock = BestAvailableEncryption(PASSPHRASE.reveal())
    key = write(tmp_path / "locked.key", GATE.key.private_bytes(encoding, PrivateFormat.PKCS8, lock))
    secret = PrivateKeyConfig("gate", key, passphrase=passphrase)

    with pytest.raises(CredentialError, match=says) as caught:
        load(config_of((certificate,), key, private_keys=(secret,)))

    assert "wrong" not in str(caught.value)


@pytest.mark.parametrize(
    ("octets", "says"),
    [
        (b"", "no private key that can be read"),
        (b"not a key", "no private key that can be read"),
        (GATE.pem, "no private key is in it"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "no private key that can be read"),
        (
            b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n",
            "OpenSSH's format; convert it: ssh-keygen",
        ),
        (bytes((1 << 20) + 1), "more than 1024 KiB"),
        (X25519, r"a key of a kind IKE does not use \(X25519PrivateKey\); make an RSA, EC or Ed25519 key"),
    ],
)
def test_a_file_that_is_no_key_is_told(octets: bytes, says: str, tmp_path: Path) -> None:
    certificate, _ = GATE.write(tmp_path)
    key = write(tmp_path / "bad.key", octets)

    with pytest.raises(CredentialError, match=f"bad.key: .*{says}"):
        load(config_of((certificate,), key))


@pytest.mark.parametrize(
    ("octets", "says"),
    [
        (b"", "no certificate that can be read"),
        (GATE.der[:-1], "no certificate that can be read"),
        (GATE.key_pem, "no certificate is in it"),
        (GATE.pem[:100] + b"\n-----END CERTIFICATE-----\n", "no certificate that can be read"),
    ],
)
def test_a_file_that_is_no_certificate_is_told(octets: bytes, says: str, tmp_path: Path) -> None:
    certificate = write(tmp_path / "bad.pem", octets)
    _, key = GATE.write(tmp_path)

    with pytest.raises(CredentialError, match=f"bad.pem: {says}"):
        load(config_of((certificate,), key))


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(CredentialError, match=r"gone.pem: cannot be read: No such file"):
        load(config_of((tmp_path / "gone.pem",)))


def test_a_trust_anchor_that_is_no_ca_is_refused(tmp_path: Path) -> None:
    certificate, key = GATE.write(tmp_path)
    anchor = write(tmp_path / "ca.pem", make("CN=self-signed").pem)

    with pytest.raises(
        CredentialError, match=r"ca.pem: .*'CN=self-signed' is no CA's \(basicConstraints\); move it to certs"
    ):
        load(config_of((certificate,), key, (anchor,)))


@pytest.mark.slow
def test_a_weak_key_is_refused(tmp_path: Path) -> None:
    certificate, key = make("CN=gate", ROOT, key="rsa1024").write(tmp_path)

    with pytest.raises(CredentialError, match=r"RSA key of 1024 bits"):
        load(config_of((certificate,), key))


# -- warnings ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("issued", "says"),
    [
        (make("CN=gate", ROOT, valid=EXPIRED), "'CN=gate' expired 2025-01-01"),
        (make("CN=gate", ROOT, valid=FUTURE), "'CN=gate' is not valid before 2040-01-01"),
    ],
)
def test_a_certificate_that_is_not_valid_now_is_a_warning(issued: Issued, says: str, tmp_path: Path) -> None:
    certificate, key = issued.write(tmp_path)

    (warning,) = load(config_of((certificate,), key)).warnings

    assert warning.startswith("connections.site.local: ")
    assert says in warning


def test_an_id_that_the_certificate_does_not_name_is_a_warning(tmp_path: Path) -> None:
    certificate, key = GATE.write(tmp_path)
    config = config_of((certificate,), key)

    def with_id(text: str) -> Config:
        connection = config.connections[0]
        local = replace(connection.local, id=parse_identity(text))
        return replace(config, connections=(replace(connection, local=local),))

    assert load(with_id("gate.example")).warnings == ()
    assert load(with_id("C=de, CN=Gate")).warnings == ()
    assert "id other.example is not in certificate" in load(with_id("other.example")).warnings[0]


def test_credentials_do_not_print_keys(tmp_path: Path) -> None:
    certificate, key = GATE.write(tmp_path)

    assert "PrivateKey" not in repr(load(config_of((certificate,), key)))
