"""Reading one certificate: whatever the octets, a Certificate or CertificateRefused."""

from __future__ import annotations

from hashlib import sha1

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from ikepy.auth.certificate import MOST_OCTETS, CertificateRefused, read_certificate
from ikepy.auth.rules import weakness_of
from ikepy.config.identities import format_identity
from tests.support.certificates import element, forge, make, make_ca, with_key

ROOT = make_ca("CN=Root", key="ed25519")
FULL = make(
    "C=DE, O=Example, CN=gate",
    ROOT,
    alt_names=(
        "dns:gate.example",
        "email:gate@example.com",
        "ip:192.0.2.1",
        "ip:2001:db8::1",
        "dn:C=FR",
        "uri:ike://x",
    ),
    purposes=("serverAuth",),
    permitted=("dns:example",),
    unknown=False,
)
RSA_ENCRYPTION = bytes.fromhex("300d06092a864886f70d0101010500")


def integer(number: int) -> bytes:
    return element(0x02, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def rsa_spki(modulus: int, exponent: int) -> bytes:
    key = element(0x30, integer(modulus) + integer(exponent))
    return element(0x30, RSA_ENCRYPTION + element(0x03, b"\0" + key))


def test_a_certificate_names_its_subject_and_alternative_names_and_key() -> None:
    identities = [format_identity(identity) for identity in read_certificate(FULL.der).identities()]

    assert identities[:-1] == [
        "C=DE, O=Example, CN=gate",
        "gate.example",
        "gate@example.com",
        "192.0.2.1",
        "2001:db8::1",
    ]
    assert identities[-1].startswith("@#")


def test_an_authority_is_named_by_the_sha1_of_its_public_key_info() -> None:
    spki = ROOT.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    assert read_certificate(ROOT.der).authority_hash == sha1(spki, usedforsecurity=False).digest()


def test_certificates_are_equal_by_their_octets() -> None:
    assert read_certificate(FULL.der) == read_certificate(FULL.der)
    assert read_certificate(FULL.der) != read_certificate(ROOT.der)
    assert len({read_certificate(FULL.der), read_certificate(FULL.der)}) == 1


def test_a_certificate_of_more_than_64_kib_is_not_read() -> None:
    with pytest.raises(CertificateRefused, match=r"65537 octets"):
        read_certificate(bytes(MOST_OCTETS + 1))


def test_octets_after_a_certificate_are_refused() -> None:
    with pytest.raises(CertificateRefused):
        read_certificate(FULL.der + b"\0")


# CVE-2026-14957, CVE-2017-9022: RSA keys with an exponent or modulus that is 0 or even.
@pytest.mark.parametrize(
    ("modulus", "exponent"),
    [((1 << 2048) - 1, 0), ((1 << 2048) - 1, 1), ((1 << 2048) - 1, 4), (0, 65537), (1, 3), (1 << 2047, 65537)],
)
def test_an_rsa_key_that_cannot_be_one_is_refused_or_refused_when_it_is_to_verify(modulus: int, exponent: int) -> None:
    der = forge(make("CN=gate", ROOT), ROOT, with_key(make("CN=gate", ROOT), rsa_spki(modulus, exponent)))

    try:
        certificate = read_certificate(der)
    except CertificateRefused:
        return
    assert weakness_of(certificate.public_key)


def test_a_key_of_a_kind_ike_does_not_use_is_refused() -> None:
    x25519 = bytes.fromhex("302a300506032b656e032100") + bytes(range(32))
    der = forge(make("CN=gate", ROOT), ROOT, with_key(make("CN=gate", ROOT), x25519))

    with pytest.raises(CertificateRefused):
        read_certificate(der)


@given(st.binary(max_size=200))
def test_any_octets_end_in_a_certificate_or_in_a_refusal(octets: bytes) -> None:
    try:
        read_certificate(octets)
    except CertificateRefused:
        return


@pytest.mark.filterwarnings("ignore")  # cryptography warns of odd values it reads all the same
@given(st.integers(0, len(FULL.der) - 1), st.integers(0, 255))
def test_a_certificate_with_any_octet_changed_ends_in_a_certificate_or_in_a_refusal(place: int, octet: int) -> None:
    changed = bytearray(FULL.der)
    changed[place] = octet
    try:
        certificate = read_certificate(bytes(changed))
    except CertificateRefused:
        return
    assert str(certificate)
    for identity in certificate.identities():
        assert format_identity(identity)


@given(st.integers(0, len(FULL.der) - 1))
def test_a_certificate_cut_off_anywhere_is_refused(length: int) -> None:
    with pytest.raises(CertificateRefused):
        read_certificate(FULL.der[:length])
