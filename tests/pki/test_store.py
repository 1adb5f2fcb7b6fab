"""A CA in a directory: what it makes, what it refuses, and that openssl agrees."""

from __future__ import annotations

import shutil
import stat
import subprocess
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, pkcs12

from ikepy.auth.certificate import Certificate
from ikepy.auth.files import load_certificates
from ikepy.crypto.secret import Secret
from ikepy.pki.errors import PkiError
from ikepy.pki.loading import PasswordWanted, load_authority
from ikepy.pki.making import KeyKind, make_authority, make_key
from ikepy.pki.names import common_name
from ikepy.pki.showing import read_certificates, show
from ikepy.pki.store import Pki, utc_now

WORD = Secret(b"a passphrase for tests")
needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.at = datetime.now(UTC).replace(microsecond=0)

    def __call__(self) -> datetime:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pki(tmp_path: Path, clock: Clock) -> Pki:
    made = Pki(tmp_path / "pki", now=clock)
    made.init("Example CA", KeyKind.P256)
    return made


def certificate(pki: Pki, name: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate((pki.directory / "certs" / f"{name}.pem").read_bytes())


def openssl(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["openssl", *map(str, arguments)], check=False, capture_output=True, text=True)


# -- what is made --------------------------------------------------------------------------------------------------------


@needs_openssl
@pytest.mark.parametrize("kind", [KeyKind.P256, KeyKind.P384, KeyKind.ED25519])
def test_openssl_finds_nothing_wrong_with_a_gateway_and_a_client(kind: KeyKind, tmp_path: Path) -> None:
    pki = Pki(tmp_path)
    pki.init("Example CA", kind)
    pki.issue_server(["vpn.example.com", "203.0.113.1", "2001:db8::1"], kind)
    pki.issue_client("alice@example.com", kind)
    for file, purpose, more in (
        ("vpn.example.com", "sslserver", ("-verify_hostname", "vpn.example.com")),
        ("vpn.example.com", "sslserver", ("-verify_ip", "203.0.113.1")),
        ("alice@example.com", "sslclient", ("-verify_email", "alice@example.com")),
    ):
        path = tmp_path / "certs" / f"{file}.pem"
        said = openssl("verify", "-x509_strict", "-purpose", purpose, *more, "-CAfile", tmp_path / "ca.pem", path)
        assert said.returncode == 0, said.stderr
    crossed = tmp_path / "certs" / "alice@example.com.pem"
    assert openssl("verify", "-purpose", "sslserver", "-CAfile", tmp_path / "ca.pem", crossed).returncode != 0


@pytest.mark.slow
@needs_openssl
def test_rsa_is_what_comes_without_a_word(tmp_path: Path) -> None:
    pki = Pki(tmp_path)
    pki.init("Example CA")
    pki.issue_server(["vpn.example.com"])
    words = "\n".join(show(certificate(pki, "vpn.example.com"), utc_now()))
    assert "RSA, 3072 bits" in words
    assert "serverAuth, ikeIntermediate" in words
    path = tmp_path / "certs/vpn.example.com.pem"
    assert openssl("verify", "-x509_strict", "-CAfile", tmp_path / "ca.pem", path).returncode == 0


def test_a_gateways_certificate_is_what_every_client_wants(pki: Pki) -> None:
    pki.issue_server(["vpn.example.com", "203.0.113.1"], KeyKind.P256)
    made: Certificate
    (made,) = load_certificates(pki.directory / "certs/vpn.example.com.pem")
    assert set(made.purposes or ()) == {"1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.8.2.2"}
    assert {"vpn.example.com", "203.0.113.1"} <= {str(each) for each in made.identities()}
    read = certificate(pki, "vpn.example.com")
    assert read.not_valid_after_utc - read.not_valid_before_utc < timedelta(days=398)
    assert read.serial_number.bit_length() > 64
    assert read.extensions.get_extension_for_class(x509.KeyUsage).critical
    assert read.extensions.get_extension_for_class(x509.BasicConstraints).critical


def test_addresses_of_crl_and_ocsp_stand_in_what_is_issued(tmp_path: Path) -> None:
    pki = Pki(tmp_path)
    pki.init("CA", KeyKind.P256, crl_url="http://pki.example.com/ca.crl", ocsp_url="http://ocsp.example.com")
    pki.issue_client("alice", KeyKind.P256)
    read = certificate(pki, "alice")
    assert "http://pki.example.com/ca.crl" in str(read.extensions.get_extension_for_class(x509.CRLDistributionPoints))
    assert "http://ocsp.example.com" in str(read.extensions.get_extension_for_class(x509.AuthorityInformationAccess))


@pytest.mark.parametrize(
    "url", ["https://x.example/crl", "ftp://x", "http://a b", 'http://x/"\ny = 1', "file:///etc/passwd"]
)
def test_an_address_that_clients_cannot_fetch_is_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(PkiError, match="no address of a CRL"):
        Pki(tmp_path).init("CA", KeyKind.P256, crl_url=url)
    assert not (tmp_path / "ca.pem").exists()


def test_private_keys_are_their_owners_alone(pki: Pki) -> None:
    pki.issue_client("alice", KeyKind.P256)
    for path in (pki.directory / "ca.key", *(pki.directory / "private").iterdir()):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    assert stat.S_IMODE((pki.directory / "private").stat().st_mode) == 0o700


def test_nothing_outlives_its_ca(tmp_path: Path, clock: Clock) -> None:
    pki = Pki(tmp_path, now=clock)
    pki.init("CA", KeyKind.P256, days=10)
    assert pki.issue_client("alice", KeyKind.P256, days=400).until == clock.at + timedelta(days=10)
    clock.at += timedelta(days=11)
    with pytest.raises(PkiError, match="the CA has expired"):
        pki.issue_client("bob", KeyKind.P256)


# -- what is refused -----------------------------------------------------------------------------------------------------


def test_nothing_is_written_over(pki: Pki) -> None:
    before = (pki.directory / "ca.pem").read_bytes()
    with pytest.raises(PkiError, match=r"ca\.pem is there already"):
        pki.init("Another", KeyKind.P256)
    assert (pki.directory / "ca.pem").read_bytes() == before
    pki.issue_client("alice", KeyKind.P256)
    with pytest.raises(PkiError, match="--renew"):
        pki.issue_client("alice", KeyKind.P256)
    with pytest.raises(PkiError, match=r"there is no .*bob\.pem to renew"):
        pki.issue_client("bob", KeyKind.P256, renew=True)


def test_without_a_ca_it_says_how_to_make_one(tmp_path: Path) -> None:
    pki = Pki(tmp_path)
    for act in (pki.authority, pki.entries, pki.make_crl, lambda: pki.issue_client("a", KeyKind.P256)):
        with pytest.raises(PkiError, match="ikepy pki init"):
            act()


@pytest.mark.parametrize("file", ["ca.pem", "ca.key", "index.txt", "crl.pem", "pki.toml"])
def test_a_damaged_file_ends_it_before_anything_is_issued(file: str, pki: Pki) -> None:
    (pki.directory / file).write_text("damaged = [")
    act = pki.make_crl if file == "crl.pem" else lambda: pki.issue_client("alice", KeyKind.P256)
    with pytest.raises(PkiError, match="cannot be"):
        act()
    assert not (pki.directory / "certs/alice.pem").exists()


def test_an_encrypted_ca_is_opened_with_its_passphrase_alone(tmp_path: Path) -> None:
    Pki(tmp_path).init("CA", KeyKind.P256, encrypt=WORD)
    assert b"ENCRYPTED" in (tmp_path / "ca.key").read_bytes()
    with pytest.raises(PkiError, match="its passphrase is wanted"):
        Pki(tmp_path).issue_client("alice", KeyKind.P256)
    with pytest.raises(PkiError, match="wrong passphrase"):
        Pki(tmp_path, lambda: Secret(b"another")).issue_client("alice", KeyKind.P256)
    Pki(tmp_path, lambda: WORD).issue_client("alice", KeyKind.P256)


# -- renewing and revoking -----------------------------------------------------------------------------------------------


def test_a_renewed_certificate_has_the_same_key_and_the_old_one_is_kept(pki: Pki, clock: Clock) -> None:
    pki.issue_server(["vpn.example.com"], KeyKind.P256)
    before = certificate(pki, "vpn.example.com")
    clock.at += timedelta(days=300)
    pki.issue_server(["vpn.example.com", "vpn2.example.com"], KeyKind.P256, renew=True)
    after = certificate(pki, "vpn.example.com")
    assert after.public_key() == before.public_key()
    assert after.serial_number != before.serial_number
    assert after.not_valid_after_utc > before.not_valid_after_utc
    old, new = pki.entries()
    assert (pki.directory / old.file).read_bytes() == before.public_bytes(Encoding.PEM)
    assert pki.find("vpn.example.com") == new
    pki.revoke(f"{before.serial_number:X}", "superseded")


@needs_openssl
def test_what_is_revoked_is_in_the_list_and_openssl_believes_it(pki: Pki) -> None:
    for name in ("alice", "bob"):
        pki.issue_client(name, KeyKind.P256)
    pki.revoke("alice", "keyCompromise")
    crl = x509.load_pem_x509_crl((pki.directory / "crl.pem").read_bytes())
    assert crl == x509.load_der_x509_crl((pki.directory / "crl.der").read_bytes())
    (entry,) = list(crl)
    assert entry.serial_number == certificate(pki, "alice").serial_number
    assert entry.extensions.get_extension_for_class(x509.CRLReason).value.reason is x509.ReasonFlags.key_compromise
    check = (
        "verify",
        "-x509_strict",
        "-crl_check",
        "-CRLfile",
        pki.directory / "crl.pem",
        "-CAfile",
        pki.directory / "ca.pem",
    )
    assert "certificate revoked" in openssl(*check, pki.directory / "certs/alice.pem").stderr
    assert openssl(*check, pki.directory / "certs/bob.pem").returncode == 0


def test_each_list_has_a_number_of_its_own(pki: Pki) -> None:
    numbers = [pki.make_crl().extensions.get_extension_for_class(x509.CRLNumber).value.crl_number for _ in range(3)]
    assert numbers == [1, 2, 3]


def test_what_is_revoked_already_or_never_was_is_said(pki: Pki) -> None:
    pki.issue_client("alice", KeyKind.P256)
    pki.revoke("alice")
    with pytest.raises(PkiError, match="is revoked already"):
        pki.revoke("alice")
    with pytest.raises(PkiError, match="nothing was issued to 'carol'"):
        pki.revoke("carol")
    with pytest.raises(PkiError, match="is no reason"):
        pki.revoke("alice", "boredom")


def test_two_at_once_lose_nothing(pki: Pki) -> None:
    names = [f"user{number}" for number in range(12)]
    threads = [threading.Thread(target=Pki(pki.directory).issue_client, args=(name, KeyKind.P256)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    entries = pki.entries()
    assert sorted(Path(each.file).stem for each in entries) == sorted(names)
    assert len({each.serial for each in entries}) == len(names)


# -- from elsewhere ------------------------------------------------------------------------------------------------------


def test_a_ca_from_elsewhere_is_taken_with_its_key_alone(tmp_path: Path) -> None:
    now = utc_now()
    key, other = make_key(KeyKind.P256), make_key(KeyKind.P256)
    ca = make_authority(common_name("Elsewhere"), key, now, 100)
    with pytest.raises(PkiError, match="does not belong"):
        Pki(tmp_path).adopt(ca, other)
    pki = Pki(tmp_path)
    pki.adopt(ca, key)
    pki.issue_client("alice", KeyKind.P256)
    with pytest.raises(PkiError, match="is no CA"):
        Pki(tmp_path / "other").adopt(certificate(pki, "alice"), key)


def test_a_pkcs12_is_opened_with_its_password() -> None:
    key = make_key(KeyKind.P256)
    ca = make_authority(common_name("Elsewhere"), key, utc_now(), 100)
    pack = pkcs12.serialize_key_and_certificates(b"ca", key, ca, None, BestAvailableEncryption(b"word"))
    with pytest.raises(PasswordWanted):
        load_authority(pack, None, None)
    assert load_authority(pack, None, Secret(b"word"))[0] == ca
    open_pack = pkcs12.serialize_key_and_certificates(b"ca", key, ca, None, NoEncryption())
    assert load_authority(open_pack, None, None)[0] == ca


@pytest.mark.parametrize(
    "octets", [b"", b"no certificate", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_what_holds_no_certificate_is_refused(octets: bytes) -> None:
    with pytest.raises(PkiError):
        load_authority(octets, octets, None)
    with pytest.raises(PkiError):
        read_certificates(octets)


def test_a_certificate_in_words_says_who_for_what_and_how_long(pki: Pki, clock: Clock) -> None:
    words = "\n".join(show(pki.authority(), clock.at))
    for each in ("CN=Example CA", "itself", "3650 days left", "ECDSA, secp256r1", "issuing certificates (a CA)"):
        assert each in words
    assert "expired" in "\n".join(show(pki.authority(), clock.at + timedelta(days=4000)))
