"""PKCS#12 and signed profiles, opened again by cryptography and by openssl."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key, pkcs12

from ikepy.auth.files import CredentialError, load_certificates, load_private_key_file
from ikepy.crypto.secret import Secret
from ikepy.profiles.packing import load_signer, make_password, pack, sign
from tests.lab.certs import Authority


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("pki")
    authority = Authority(where, "ecdsa")
    for name in ("alice.lab", "signer.lab"):
        authority.issue(name, "ecdsa")
    return where


class Counting:
    """Octets 0, 1, 2, ..."""

    def octets(self, count: int) -> bytes:
        return bytes(range(count))


def test_a_password_is_20_letters_that_are_not_taken_for_each_other() -> None:
    assert make_password(Counting()) == Secret(b"abcd-efgh-ijkm-npqr-stuv")


def test_a_pkcs12_opens_with_its_password_and_holds_key_and_chain(directory: Path) -> None:
    chain = (*load_certificates(directory / "alice.lab.cert.pem"), *load_certificates(directory / "ca-ecdsa.pem"))
    key = load_private_key_file(directory / "alice.lab.key.pem", None)

    packed = pack(chain, key, name="ünï", secret=Secret(b"opens it"))

    opened = pkcs12.load_pkcs12(packed.pkcs12, b"opens it")
    assert opened.key.public_key() == key.public_key()
    assert (opened.cert.certificate, opened.cert.friendly_name) == (chain[0].parsed, "ünï".encode())
    assert [each.certificate for each in opened.additional_certs] == [chain[1].parsed]
    assert load_pem_private_key(packed.key_pem.reveal(), None).public_key() == key.public_key()
    assert packed.kind == "ECDSA256"
    with pytest.raises(ValueError, match="password"):
        pkcs12.load_pkcs12(packed.pkcs12, b"opens not")


@pytest.mark.slow
def test_openssl_says_that_old_readers_can_open_it(directory: Path, tmp_path: Path) -> None:
    chain = load_certificates(directory / "alice.lab.cert.pem")
    key = load_private_key_file(directory / "alice.lab.key.pem", None)
    (tmp_path / "p12").write_bytes(pack(chain, key, name="alice", secret=Secret(b"x")).pkcs12)

    said = subprocess.run(
        ["openssl", "pkcs12", "-in", tmp_path / "p12", "-passin", "pass:x", "-info", "-noout"],
        capture_output=True,
        text=True,
        check=True,
    )

    assert said.stderr.count("pbeWithSHA1And3-KeyTripleDES-CBC") == 2
    assert "MAC: sha1" in said.stderr


@pytest.mark.slow
def test_openssl_verifies_a_signed_profile(directory: Path, tmp_path: Path) -> None:
    signer = load_signer(directory / "signer.lab.cert.pem", directory / "signer.lab.key.pem")
    (tmp_path / "signed").write_bytes(sign(b"<plist/>", signer))

    said = subprocess.run(
        [
            *("openssl", "cms", "-verify", "-inform", "DER", "-in", tmp_path / "signed", "-purpose", "any"),
            *("-CAfile", directory / "ca-ecdsa.pem"),
        ],
        capture_output=True,
        check=True,
    )

    assert said.stdout == b"<plist/>"


def test_a_signer_whose_key_is_anothers_is_refused(directory: Path) -> None:
    with pytest.raises(CredentialError, match="does not belong"):
        load_signer(directory / "signer.lab.cert.pem", directory / "alice.lab.key.pem")


def test_nothing_of_a_packed_certificate_prints_its_key(directory: Path) -> None:
    chain = load_certificates(directory / "alice.lab.cert.pem")
    key = load_private_key_file(directory / "alice.lab.key.pem", None)

    assert "PRIVATE" not in repr(pack(chain, key, name="alice", secret=Secret(b"x")))
