"""Revocation by lists: what is revoked is refused, what is no list counts for nothing, what changes is read again."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from ikepy.auth.certificate import Certificate, CertificateRefused, from_x509
from ikepy.auth.credentials import Trust
from ikepy.auth.files import CredentialError
from ikepy.auth.peer import find_trusted
from ikepy.auth.revocation import MOST_OCTETS, Lists, Revocations, read_lists
from ikepy.config.authentication import Revocation
from ikepy.config.identities import parse_identity
from ikepy.pki.making import KeyKind, make_authority, make_key
from ikepy.pki.names import common_name
from ikepy.pki.store import Pki
from tests.support.certificates import NOW as CHAIN_NOW
from tests.support.certificates import Issued, make, make_ca

ALICE = parse_identity("alice@example.com")


def soon() -> datetime:
    """A minute from now: what was made just now is valid."""
    return datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=1)


class Place:
    """A CA that has issued a certificate to alice, and a gateway that trusts it."""

    def __init__(self, directory: Path) -> None:
        self.pki = Pki(directory / "pki")
        self.pki.init("CA", KeyKind.P256)
        self.pki.issue_client("alice@example.com", KeyKind.P256)
        self.crl = self.pki.directory / "crl.pem"
        self.anchor = from_x509(self.pki.authority())
        self.alice = from_x509(
            x509.load_pem_x509_certificate((self.pki.directory / "certs/alice@example.com.pem").read_bytes())
        )

    def judge(self, mode: Revocation, *paths: Path, now: datetime | None = None) -> tuple[Certificate, ...]:
        trust = Trust((self.anchor,), revocations=Revocations(mode, Lists(paths)))
        return find_trusted((self.alice,), trust, ALICE, now or soon())

    def builder(self, now: datetime | None = None, days: int = 30) -> x509.CertificateRevocationListBuilder:
        now = now or datetime.now(UTC).replace(microsecond=0)
        return (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.anchor.parsed.subject)
            .last_update(now)
            .next_update(now + timedelta(days=days))
        )

    def sign(self, builder: x509.CertificateRevocationListBuilder, key: object = None) -> Path:
        path = self.pki.directory / "made.crl"
        made = builder.sign(key or self.pki._issuer().key, SHA256())  # type: ignore[arg-type]
        path.write_bytes(made.public_bytes(Encoding.DER))
        return path

    def entry(self) -> x509.RevokedCertificateBuilder:
        return x509.RevokedCertificateBuilder().serial_number(self.alice.parsed.serial_number).revocation_date(soon())


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.mark.parametrize("mode", [Revocation.SOFT, Revocation.STRICT])
def test_one_that_is_revoked_is_refused_with_when_and_why(mode: Revocation, place: Place) -> None:
    place.pki.make_crl()
    assert place.judge(mode, place.crl) == (place.alice,)
    place.pki.revoke("alice@example.com", "keyCompromise")
    with pytest.raises(
        CertificateRefused, match=r"was revoked 20.*UTC \(keyCompromise\), says .*crl\.pem: its owner needs a new one"
    ):
        place.judge(mode, place.crl)
    assert place.judge(Revocation.OFF, place.crl) == (place.alice,)


def test_der_pem_several_in_one_file_and_directories_are_read(place: Place, tmp_path: Path) -> None:
    place.pki.revoke("alice@example.com")
    both = tmp_path / "both.pem"
    both.write_bytes(b"# two of them\n" + place.crl.read_bytes() * 2)
    for path in (place.crl, place.crl.with_suffix(".der"), both, place.pki.directory):
        with pytest.raises(CertificateRefused, match="was revoked"):
            place.judge(Revocation.SOFT, *([path] if path.is_file() else [_only_lists(path, tmp_path)]))


def _only_lists(directory: Path, tmp_path: Path) -> Path:
    made = tmp_path / "lists"
    made.mkdir(exist_ok=True)
    (made / "ca.crl").write_bytes((directory / "crl.der").read_bytes())
    (made / "README").write_text("no list")
    return made


def test_without_a_list_strict_refuses_and_soft_says_so(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(CertificateRefused, match=r"there is no CRL of .* revocation is strict: put a newer one there"):
        place.judge(Revocation.STRICT)
    assert place.judge(Revocation.SOFT) == (place.alice,)
    assert "is taken, though there is no CRL" in caplog.text


def test_an_old_list_is_no_good_for_strict_and_still_revokes(place: Place) -> None:
    place.pki.make_crl(days=5)
    later = soon() + timedelta(days=6)
    assert place.judge(Revocation.SOFT, place.crl, now=later) == (place.alice,)
    with pytest.raises(CertificateRefused, match="is out of date"):
        place.judge(Revocation.STRICT, place.crl, now=later)
    place.pki.revoke("alice@example.com")
    for mode in (Revocation.SOFT, Revocation.STRICT):
        with pytest.raises(CertificateRefused, match="was revoked"):
            place.judge(mode, place.crl, now=soon() + timedelta(days=60))


def test_a_list_of_the_future_is_not_valid_yet(place: Place) -> None:
    path = place.sign(place.builder(soon() + timedelta(days=1)))
    with pytest.raises(CertificateRefused, match="is out of date"):
        place.judge(Revocation.STRICT, path)


def test_a_list_by_another_key_says_nothing(place: Place) -> None:
    path = place.sign(place.builder().add_revoked_certificate(place.entry().build()), make_key(KeyKind.P256))
    assert place.judge(Revocation.SOFT, path) == (place.alice,)
    with pytest.raises(CertificateRefused, match="there is no CRL of"):
        place.judge(Revocation.STRICT, path)


def test_a_list_of_another_ca_says_nothing(place: Place, tmp_path: Path) -> None:
    other = Pki(tmp_path / "other")
    other.init("Other", KeyKind.P256)
    other.make_crl()
    with pytest.raises(CertificateRefused, match="there is no CRL of"):
        place.judge(Revocation.STRICT, other.directory / "crl.pem")


@pytest.mark.parametrize(
    ("only", "counts"),
    [({"only_contains_user_certs": True}, True), ({"only_contains_ca_certs": True}, False)],
)
def test_a_list_for_a_part_counts_for_that_part(only: dict[str, bool], counts: bool, place: Place) -> None:
    fields = {"full_name": None, "relative_name": None, "only_some_reasons": None, "indirect_crl": False}
    fields |= {
        "only_contains_user_certs": False,
        "only_contains_ca_certs": False,
        "only_contains_attribute_certs": False,
    }
    part = x509.IssuingDistributionPoint(**(fields | only))  # type: ignore[arg-type]
    path = place.sign(place.builder().add_extension(part, critical=True).add_revoked_certificate(place.entry().build()))
    if counts:
        with pytest.raises(CertificateRefused, match="was revoked"):
            place.judge(Revocation.SOFT, path)
    else:
        assert place.judge(Revocation.SOFT, path) == (place.alice,)


@pytest.mark.parametrize(
    ("extension", "words"),
    [
        (x509.DeltaCRLIndicator(1), "only says what changed"),
        (x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00"), r"1\.2\.3\.4 is not understood"),
        (
            x509.IssuingDistributionPoint(
                None, None, False, False, frozenset({x509.ReasonFlags.key_compromise}), False, False
            ),
            "for some reasons alone",
        ),
    ],
)
def test_what_is_not_understood_is_no_list(extension: x509.ExtensionType, words: str, place: Place) -> None:
    path = place.sign(place.builder().add_extension(extension, critical=True))
    with pytest.raises(CredentialError, match=words):
        read_lists(path)


@pytest.mark.parametrize(
    "octets", [b"", b"no list", b"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n", b"\x30\x03\x02\x01\x01"]
)
def test_what_cannot_be_read_is_refused_at_the_start(octets: bytes, tmp_path: Path) -> None:
    path = tmp_path / "bad.crl"
    path.write_bytes(octets)
    with pytest.raises(CredentialError, match="no CRL that can be read"):
        Lists([path])


def test_what_is_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "large.crl"
    with path.open("wb") as file:
        file.truncate(MOST_OCTETS + 1)
    with pytest.raises(CredentialError, match="more than 64 MiB"):
        read_lists(path)


def test_a_list_that_changes_is_read_again(place: Place) -> None:
    place.pki.make_crl()
    lists = Lists([place.crl])
    trust = Trust((place.anchor,), revocations=Revocations(Revocation.STRICT, lists))
    assert find_trusted((place.alice,), trust, ALICE, soon()) == (place.alice,)
    place.pki.revoke("alice@example.com")
    with pytest.raises(CertificateRefused, match="was revoked"):
        find_trusted((place.alice,), trust, ALICE, soon())


def test_a_list_that_is_damaged_or_gone_stays_in_force_as_it_was(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    place.pki.revoke("alice@example.com")
    lists = Lists([place.crl])
    trust = Trust((place.anchor,), revocations=Revocations(Revocation.SOFT, lists))
    for damage in (lambda: place.crl.write_text("half a li"), place.crl.unlink):
        damage()
        with pytest.raises(CertificateRefused, match="was revoked"):
            find_trusted((place.alice,), trust, ALICE, soon())
    assert "what it said before stays in force" in caplog.text
    assert not os.path.exists(place.crl)  # noqa: PTH110 - nothing was written there


def test_a_ca_that_may_not_sign_lists_signs_none(tmp_path: Path) -> None:
    key, now = make_key(KeyKind.P256), soon()
    made = make_authority(common_name("CA"), key, now, 100)
    good = from_x509(made)
    usage = x509.KeyUsage(**{name: name == "key_cert_sign" for name in _USAGES})
    bare = (
        x509.CertificateBuilder(made.subject, made.subject, made.public_key(), 5, now, now + timedelta(days=9))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .sign(key, SHA256())
    )
    crl = x509.CertificateRevocationListBuilder(made.subject, now, now + timedelta(days=9)).sign(key, SHA256())
    path = tmp_path / "list.crl"
    path.write_bytes(crl.public_bytes(Encoding.DER))
    (read,) = read_lists(path)
    assert read.is_of(good)
    assert not read.is_of(from_x509(bare))


_USAGES = (
    *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"),
    *("key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
)


# -- at each level -------------------------------------------------------------------------------------------------------


def crl_of(issued: Issued, path: Path, *revoked: Issued) -> Path:
    """A list that a CA of the chain table has made."""
    name = from_x509(issued.certificate).parsed.subject
    made = x509.CertificateRevocationListBuilder(name, CHAIN_NOW, CHAIN_NOW + timedelta(days=9))
    for each in revoked:
        entry = x509.RevokedCertificateBuilder(each.certificate.serial_number, CHAIN_NOW)
        made = made.add_revoked_certificate(entry.build())
    path.write_bytes(made.sign(issued.key, SHA256()).public_bytes(Encoding.DER))  # type: ignore[arg-type]
    return path


@pytest.mark.parametrize(
    "level", ["the peer's own", "its CA", "neither", "the CA's list is missing", "the root's list is missing"]
)
def test_each_certificate_below_the_anchor_is_looked_up_with_its_own_ca(level: str, tmp_path: Path) -> None:
    signs = ("key_cert_sign", "crl_sign")
    root = make_ca("C=DE, O=Example, CN=Root", key="p256", number=1, usage=signs)
    sub = make_ca("C=DE, O=Example, CN=Sub", root, key="p256", number=2, usage=signs)
    leaf = make("CN=gate", sub, number=3)
    by_sub = crl_of(sub, tmp_path / "sub.crl", *([leaf] if level == "the peer's own" else []))
    by_root = crl_of(root, tmp_path / "root.crl", *([sub] if level == "its CA" else []))
    paths = [by_sub] * (level != "the CA's list is missing") + [by_root] * (level != "the root's list is missing")
    chain = tuple(from_x509(each.certificate) for each in (leaf, sub, root))
    revocations = Revocations(Revocation.STRICT, Lists(paths))
    if level == "neither":
        revocations.check(chain, CHAIN_NOW + timedelta(hours=1))
        return
    with pytest.raises(CertificateRefused, match="was revoked" if "missing" not in level else "there is no CRL of"):
        revocations.check(chain, CHAIN_NOW + timedelta(hours=1))
