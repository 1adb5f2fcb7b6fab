"""Chains of certificates, good and bad, through both ways to a trust anchor: one table, the same verdicts."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from ikepy.auth.certificate import CertificateRefused
from ikepy.auth.search import MOST_SIGNATURE_CHECKS
from tests.support.certificates import (
    VALID,
    Issued,
    element,
    forge,
    make,
    make_ca,
    make_key,
    name,
)
from tests.support.chains import BAD, GOOD, Shown, Way, both_ways, by_the_door, by_the_second_way, root_of


@both_ways
@pytest.mark.parametrize("build", GOOD)
def test_a_good_chain_leads_from_the_peers_own_to_an_anchor(build: Callable[[str], Shown], kind: str, way: Way) -> None:
    shown = build(kind)
    chain = way(shown)

    assert isinstance(shown.leaf, Issued)
    assert chain[0].der == shown.leaf.der
    assert chain[-1].der in [anchor.der for anchor in shown.anchors]


@both_ways
@pytest.mark.parametrize(("build", "says"), BAD)
def test_a_bad_chain_is_refused_for_its_fault(build: Callable[[str], Shown], says: str, kind: str, way: Way) -> None:
    with pytest.raises(CertificateRefused, match=says):
        way(build(kind))


@pytest.mark.parametrize("kind", ["p256", "ed25519"])
def test_a_certificate_of_version_1_is_refused(kind: str) -> None:
    root = root_of(kind)
    v3 = make("CN=gate", root, basic=None, usage=None)

    def as_version_1(tbs: bytes) -> bytes:
        without_version = tbs[tbs.index(b"\xa0\x03\x02\x01\x02") + 5 :]
        return element(0x30, without_version)

    with pytest.raises(CertificateRefused, match=r"version 3|X509v3"):
        by_the_door(Shown(forge(v3, root, as_version_1), (), (root,)))


@pytest.mark.parametrize("way", [by_the_door, by_the_second_way])
def test_a_serial_number_longer_than_any_ca_may_give_is_refused(way: Way) -> None:
    root = root_of("p256")
    leaf = make("CN=gate", root)
    serial = leaf.certificate.serial_number.to_bytes(2, "big")

    def with_long_serial(tbs: bytes) -> bytes:
        contents = tbs[tbs.index(b"\xa0\x03\x02\x01\x02") :]
        return element(0x30, contents.replace(element(0x02, serial), element(0x02, b"\x01" * 22), 1))

    with pytest.raises(CertificateRefused, match=r"serial"):
        way(Shown(forge(leaf, root, with_long_serial), (), (root,)))


@pytest.mark.slow
@pytest.mark.parametrize("way", [by_the_door, by_the_second_way])
@pytest.mark.parametrize(("digest", "last_arc"), [("MD5", 4), ("SHA-1", 5), ("SHA-224", 14)])
def test_a_certificate_that_says_it_is_signed_with_a_weak_hash_is_refused(digest: str, last_arc: int, way: Way) -> None:
    root = root_of("rsa2048")
    rsa_with = bytes.fromhex("2a864886f70d0101")
    leaf = make("CN=gate", root).der.replace(rsa_with + b"\x0b", rsa_with + bytes([last_arc]))

    with pytest.raises(CertificateRefused, match=r"weak or not known|Forbidden signature algorithm"):
        way(Shown(leaf, (), (root,)))


@pytest.mark.slow
@pytest.mark.parametrize("way", [by_the_door, by_the_second_way])
def test_rsa_authorities_are_taken_both_ways(way: Way) -> None:
    root = root_of("rsa2048")

    assert len(way(Shown(make("CN=gate", root), (), (root,)))) == 2


@pytest.mark.slow
@pytest.mark.parametrize("way", [by_the_door, by_the_second_way])
def test_an_rsa_authority_of_1024_bits_is_refused(way: Way) -> None:
    root = root_of("rsa1024")

    with pytest.raises(CertificateRefused, match=r"too weak|RSA key of 1024 bits"):
        way(Shown(make("CN=gate", root), (), (root,)))


def test_a_chain_may_mix_kinds_of_keys() -> None:
    root = make_ca("CN=Root", key="p384")
    sub = make_ca("CN=Sub", root, key="ed25519")
    subsub = make_ca("CN=Subsub", sub, key="brainpool256")

    chain = by_the_door(Shown(make("CN=gate", subsub, key="p256"), (subsub, sub), (root,)))

    assert len(chain) == 4


@pytest.mark.slow
def test_what_the_first_way_refuses_is_not_rescued_by_a_useless_ca_of_the_second() -> None:
    root = make_ca("CN=Root", key="rsa2048", number=1)
    leaf = sign_with_odd_salt(root)
    useless = make_ca("CN=Useless", key="ed25519")

    assert len(by_the_second_way(Shown(leaf, (), (root,)))) == 2
    with pytest.raises(CertificateRefused, match=r"Forbidden signature algorithm"):
        by_the_door(Shown(leaf, (useless,), (root, useless)))


def sign_with_odd_salt(root: Issued) -> bytes:
    """A certificate whose PSS salt is as long as cryptography's verifier does not take it."""
    key = make_key("p256")
    assert isinstance(root.key, rsa.RSAPrivateKey)
    builder = x509.CertificateBuilder().subject_name(name("CN=gate")).issuer_name(root.certificate.subject)
    builder = builder.public_key(key.public_key()).serial_number(7).not_valid_before(VALID[0]).not_valid_after(VALID[1])
    salted = padding.PSS(padding.MGF1(hashes.SHA256()), 20)
    return builder.sign(root.key, hashes.SHA256(), rsa_padding=salted).public_bytes(Encoding.DER)


def test_many_cas_of_one_name_cost_a_bounded_number_of_signature_checks() -> None:
    impostors = tuple(make_ca("CN=Same", key="ed25519", number=n) for n in range(100, 101 + MOST_SIGNATURE_CHECKS))
    real = make_ca("CN=Same", key="ed25519")

    with pytest.raises(CertificateRefused, match=r"signatures would have to be checked"):
        by_the_second_way(Shown(make("CN=gate", real), (), (*impostors, real)))


def test_a_web_of_crossed_cas_ends_soon() -> None:
    kind, width = "ed25519", 5
    web = tuple(
        make_ca(f"CN=Web {below}", make_ca(f"CN=Web {above}", key=kind, number=above), key=kind, number=below)
        for above in range(width)
        for below in range(width)
    )
    leaf = make("CN=gate", make_ca("CN=Web 0", key=kind, number=0))

    with pytest.raises(CertificateRefused):
        by_the_door(Shown(leaf, web, (root_of(kind),)))


def test_without_an_anchor_nothing_is_trusted() -> None:
    with pytest.raises(CertificateRefused, match=r"no trust anchor"):
        by_the_door(Shown(make("CN=gate", root_of("p256")), (root_of("p256"),)))
