"""Chains of certificates, good and bad, through both ways to a trust anchor: one table, the same verdicts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from ikepy.auth.certificate import Certificate, CertificateRefused, read_certificate
from ikepy.auth.chains import validate_chain
from ikepy.auth.search import MOST_SIGNATURE_CHECKS, find_chain
from ikepy.config.model import ExtendedKeyUsage
from tests.support.certificates import (
    EXPIRED,
    FUTURE,
    NOW,
    VALID,
    Issued,
    element,
    forge,
    make,
    make_ca,
    make_key,
    name,
)

SERVER, CLIENT, IKE = ExtendedKeyUsage.SERVER_AUTH, ExtendedKeyUsage.CLIENT_AUTH, ExtendedKeyUsage.IKE_INTERMEDIATE


@dataclass(frozen=True)
class Shown:
    """What a peer shows, and what is believed here."""

    leaf: Issued | bytes
    others: tuple[Issued, ...] = ()
    anchors: tuple[Issued, ...] = ()
    purposes: tuple[ExtendedKeyUsage, ...] = ()


Way = Callable[[Shown], tuple[Certificate, ...]]


def by_the_door(shown: Shown) -> tuple[Certificate, ...]:
    return validate_chain(*read(shown), shown.purposes, NOW)


def by_the_second_way(shown: Shown) -> tuple[Certificate, ...]:
    return find_chain(*read(shown), shown.purposes, NOW)


def read(shown: Shown) -> tuple[Certificate, list[Certificate], list[Certificate]]:
    leaf = shown.leaf if isinstance(shown.leaf, bytes) else shown.leaf.der
    return (
        read_certificate(leaf),
        [read_certificate(other.der) for other in shown.others],
        [read_certificate(anchor.der) for anchor in shown.anchors],
    )


WAYS = [
    pytest.param("p256", by_the_door, id="P-256, first way"),
    pytest.param("p256", by_the_second_way, id="P-256, second way"),
    pytest.param("ed25519", by_the_door, id="Ed25519"),
    pytest.param("ed448", by_the_door, id="Ed448"),
    pytest.param("brainpool384", by_the_door, id="brainpool"),
]
both_ways = pytest.mark.parametrize(("kind", "way"), WAYS)


def root_of(kind: str, **more: object) -> Issued:
    return make_ca("C=DE, O=Example, CN=Root", key=kind, **more)  # type: ignore[arg-type]


def sub_of(kind: str, root: Issued, **more: object) -> Issued:
    return make_ca("C=DE, O=Example, CN=Sub", root, key=kind, **more)  # type: ignore[arg-type]


def constrained(kind: str, subject: str, alt_names: tuple[str, ...] = (), **constraints: tuple[str, ...]) -> Shown:
    """A certificate below a CA below a root that constrains names."""
    root = root_of(kind, **constraints)
    sub = sub_of(kind, root)
    return Shown(make(subject, sub, alt_names=alt_names), (sub,), (root,))


# -- good ones -----------------------------------------------------------------------------------------------------


def below_a_root(kind: str) -> Shown:
    return Shown(make("CN=gate", root_of(kind)), (), (root_of(kind),))


def below_an_intermediate(kind: str) -> Shown:
    sub = sub_of(kind, root_of(kind))
    return Shown(make("CN=gate", sub), (sub,), (root_of(kind),))


def with_useless_certificates_between(kind: str) -> Shown:
    sub = sub_of(kind, root_of(kind))
    other = make_ca("CN=Other", key=kind)
    return Shown(make("CN=gate", sub), (other, make("CN=x", other), sub, sub, root_of(kind)), (other, root_of(kind)))


def below_one_of_two_anchors_of_one_name(kind: str) -> Shown:
    old, new = root_of(kind, number=1), root_of(kind, number=2)
    return Shown(make("CN=gate", new), (), (old, new))


def beside_a_loop(kind: str) -> Shown:
    one = make_ca("CN=One", root_of(kind), key=kind, number=3)
    two = make_ca("CN=Two", one, key=kind, number=4)
    one_by_two = make_ca("CN=One", two, key=kind, number=3)
    return Shown(make("CN=gate", one), (one_by_two, two, one), (root_of(kind),))


def with_the_path_length_used_up(kind: str) -> Shown:
    root = root_of(kind, path_length=1)
    sub = sub_of(kind, root, path_length=0)
    return Shown(make("CN=gate", sub), (sub,), (root,))


def with_another_kind_of_key(kind: str) -> Shown:
    return Shown(make("CN=gate", root_of(kind), key="ed448"), (), (root_of(kind),))


def without_any_extension(kind: str) -> Shown:
    return Shown(make("CN=gate", root_of(kind), basic=None, usage=None), (), (root_of(kind),))


def with_an_unknown_extension(kind: str) -> Shown:
    return Shown(make("CN=gate", root_of(kind), unknown=False), (), (root_of(kind),))


def with_non_repudiation(kind: str) -> Shown:
    return Shown(make("CN=gate", root_of(kind), usage=("content_commitment",)), (), (root_of(kind),))


def with_one_of_the_purposes(kind: str) -> Shown:
    leaf = make("CN=gate", root_of(kind), purposes=("clientAuth", "emailProtection"))
    return Shown(leaf, (), (root_of(kind),), (SERVER, CLIENT))


def with_the_purpose_ipsec_ike(kind: str) -> Shown:
    return Shown(make("CN=gate", root_of(kind), purposes=("ipsecIKE",)), (), (root_of(kind),), (IKE,))


def with_any_purpose(kind: str) -> Shown:
    return Shown(make("CN=gate", root_of(kind), purposes=("any",)), (), (root_of(kind),), (SERVER,))


def with_a_purpose_nobody_asked_for(kind: str) -> Shown:
    return Shown(make("CN=gate", root_of(kind), purposes=("emailProtection",)), (), (root_of(kind),))


def with_sha512(kind: str) -> Shown:
    return Shown(make("CN=gate", root_of(kind), digest="SHA512"), (), (root_of(kind),))


def with_names_that_are_permitted(kind: str) -> Shown:
    return constrained(
        kind,
        "C=DE, O=Example, CN=gate",
        (
            "dns:gate.example.com",
            "email:gate@example.com",
            "ip:192.0.2.7",
            "ip:2001:db8::7",
            "uri:ike://a.example.com/x",
        ),
        permitted=(
            "dn:C=DE, O=Example",
            "dns:example.com",
            "email:example.com",
            "ip:192.0.2.0/24",
            "ip:2001:db8::/32",
            "uri:.example.com",
        ),
    )


def with_names_beside_the_excluded(kind: str) -> Shown:
    return constrained(
        kind,
        "C=DE, O=Example, CN=gate",
        ("dns:badexample.com", "email:gate@sub.example.com", "ip:192.0.3.7", "uri:ike://other.example/x"),
        excluded=("dn:C=DE, O=Other", "dns:example.com", "email:example.com", "ip:192.0.2.0/24", "uri:.example.com"),
    )


GOOD = [
    below_a_root,
    below_an_intermediate,
    with_useless_certificates_between,
    below_one_of_two_anchors_of_one_name,
    beside_a_loop,
    with_the_path_length_used_up,
    with_another_kind_of_key,
    without_any_extension,
    with_an_unknown_extension,
    with_non_repudiation,
    with_one_of_the_purposes,
    with_the_purpose_ipsec_ike,
    with_any_purpose,
    with_a_purpose_nobody_asked_for,
    with_sha512,
    with_names_that_are_permitted,
    with_names_beside_the_excluded,
]


# -- bad ones, each with what is said of it ------------------------------------------------------------------------


def signed_by_itself(kind: str) -> Shown:
    return Shown(make("CN=gate", key=kind), (), (root_of(kind),))


def signed_by_itself_in_the_name_of_the_root(kind: str) -> Shown:
    return Shown(make("C=DE, O=Example, CN=Root", key=kind), (), (root_of(kind),))


def below_another_root_of_the_same_name(kind: str) -> Shown:
    return Shown(make("CN=gate", root_of(kind, number=1)), (root_of(kind, number=1),), (root_of(kind, number=2),))


def without_its_intermediate(kind: str) -> Shown:
    return Shown(make("CN=gate", sub_of(kind, root_of(kind))), (), (root_of(kind),))


def below_a_certificate_that_is_no_ca(kind: str) -> Shown:
    sub = make("CN=Sub", root_of(kind), key=kind)
    return Shown(make("CN=gate", sub), (sub,), (root_of(kind),))


def below_a_certificate_without_basic_constraints(kind: str) -> Shown:
    sub = make("CN=Sub", root_of(kind), key=kind, basic=None, usage=("key_cert_sign",))
    return Shown(make("CN=gate", sub), (sub,), (root_of(kind),))


def below_a_root_without_basic_constraints(kind: str) -> Shown:
    root = make("CN=Root", key=kind, basic=None, usage=None)
    return Shown(make("CN=gate", root), (), (root,))


def below_a_ca_that_may_not_sign_certificates(kind: str) -> Shown:
    sub = sub_of(kind, root_of(kind), usage=("crl_sign",))
    return Shown(make("CN=gate", sub), (sub,), (root_of(kind),))


def below_one_ca_too_many(kind: str) -> Shown:
    root = root_of(kind, path_length=0)
    sub = sub_of(kind, root)
    return Shown(make("CN=gate", sub), (sub,), (root,))


def expired(kind: str) -> Shown:
    return Shown(make("CN=gate", root_of(kind), valid=EXPIRED), (), (root_of(kind),))


def not_yet_valid(kind: str) -> Shown:
    return Shown(make("CN=gate", root_of(kind), valid=FUTURE), (), (root_of(kind),))


def below_an_expired_intermediate(kind: str) -> Shown:
    sub = sub_of(kind, root_of(kind), valid=EXPIRED)
    return Shown(make("CN=gate", sub), (sub,), (root_of(kind),))


def below_an_expired_root(kind: str) -> Shown:
    root = root_of(kind, valid=EXPIRED)
    return Shown(make("CN=gate", root), (), (root,))


def a_ca_itself(kind: str) -> Shown:
    return Shown(sub_of(kind, root_of(kind)), (), (root_of(kind),))


def the_trust_anchor_itself(kind: str) -> Shown:
    return Shown(root_of(kind), (), (root_of(kind),))


def not_for_signatures(kind: str) -> Shown:
    return Shown(make("CN=gate", root_of(kind), usage=("key_encipherment",)), (), (root_of(kind),))


def for_another_purpose(kind: str) -> Shown:
    return Shown(make("CN=gate", root_of(kind), purposes=("clientAuth",)), (), (root_of(kind),), (SERVER,))


def for_no_purpose_where_one_is_asked_for(kind: str) -> Shown:
    return Shown(make("CN=gate", root_of(kind)), (), (root_of(kind),), (SERVER,))


def below_a_ca_for_another_purpose(kind: str) -> Shown:
    sub = sub_of(kind, root_of(kind), purposes=("emailProtection",))
    return Shown(make("CN=gate", sub, purposes=("serverAuth",)), (sub,), (root_of(kind),), (SERVER,))


def with_an_unknown_critical_extension(kind: str) -> Shown:
    return Shown(make("CN=gate", root_of(kind), unknown=True), (), (root_of(kind),))


def below_a_ca_with_an_unknown_critical_extension(kind: str) -> Shown:
    sub = sub_of(kind, root_of(kind), unknown=True)
    return Shown(make("CN=gate", sub), (sub,), (root_of(kind),))


def with_a_changed_signature(kind: str) -> Shown:
    der = make("CN=gate", root_of(kind)).der
    return Shown(der[:-1] + bytes([der[-1] ^ 1]), (), (root_of(kind),))


def with_a_changed_name(kind: str) -> Shown:
    return Shown(make("CN=gate", root_of(kind)).der.replace(b"gate", b"gatf"), (), (root_of(kind),))


def a_loop_without_an_anchor(kind: str) -> Shown:
    one, two = make_ca("CN=One", key=kind, number=3), make_ca("CN=Two", key=kind, number=4)
    crossed = make_ca("CN=One", two, key=kind, number=3), make_ca("CN=Two", one, key=kind, number=4)
    return Shown(make("CN=gate", one), (*crossed, one, two), (root_of(kind),))


def below_ten_intermediates(kind: str) -> Shown:
    chain = [root_of(kind)]
    for number in range(10):
        chain.append(make_ca(f"CN=Sub {number}", chain[-1], key=kind))
    return Shown(make("CN=gate", chain[-1]), tuple(chain[1:]), (chain[0],))


def with_a_weak_key(kind: str) -> Shown:
    return Shown(make("CN=gate", root_of(kind), key="rsa1024"), (), (root_of(kind),))


def with_a_key_on_an_odd_curve(kind: str) -> Shown:
    return Shown(make("CN=gate", root_of(kind), key="secp256k1"), (), (root_of(kind),))


NO_PATH = "exhausted|no trust anchor is called|not signed by|signature does not match"
BAD = [
    (signed_by_itself, NO_PATH),
    (signed_by_itself_in_the_name_of_the_root, NO_PATH),
    (below_another_root_of_the_same_name, NO_PATH),
    (without_its_intermediate, NO_PATH),
    (below_a_certificate_that_is_no_ca, "do not say CA|must be asserted in a CA"),
    (below_a_certificate_without_basic_constraints, "no basicConstraints|do not say CA"),
    (below_a_root_without_basic_constraints, "no basicConstraints|do not say CA"),
    (below_a_ca_that_may_not_sign_certificates, "no keyCertSign"),
    (below_one_ca_too_many, "path length"),
    (expired, "expired 2025-01-01"),
    (not_yet_valid, "not valid before 2040-01-01"),
    (below_an_expired_intermediate, "not valid at|expired 2025"),
    (below_an_expired_root, "not valid at|expired 2025"),
    (a_ca_itself, "is a CA's"),
    (the_trust_anchor_itself, "is a CA's|no trust anchor"),
    (not_for_signatures, "no digitalSignature"),
    (for_another_purpose, "not for serverAuth"),
    (for_no_purpose_where_one_is_asked_for, "not for serverAuth"),
    (below_a_ca_for_another_purpose, "Sub' is not for serverAuth"),
    (with_an_unknown_critical_extension, "critical extension"),
    (below_a_ca_with_an_unknown_critical_extension, "critical extension"),
    (with_a_changed_signature, NO_PATH),
    (with_a_changed_name, NO_PATH),
    (a_loop_without_an_anchor, NO_PATH),
    (below_ten_intermediates, "max depth|more than 8 CAs"),
    (with_a_weak_key, "RSA key of 1024 bits"),
    (with_a_key_on_an_odd_curve, "secp256k1"),
]

OUTSIDE = "outside what CA|no permitted name constraints"
EXCLUDED = "excluded from what CA|excluded name constraint"
CONSTRAINED = [
    # what the certificate says, what the root constrains, what is said of it
    pytest.param("CN=g", ("dns:gate.example.org",), {"permitted": ("dns:example.com",)}, OUTSIDE, id="DNS outside"),
    pytest.param("CN=g", ("dns:a.example.com",), {"excluded": ("dns:example.com",)}, EXCLUDED, id="DNS excluded"),
    pytest.param("CN=g", ("dns:*.example.com",), {"excluded": ("dns:a.example.com",)}, EXCLUDED, id="DNS wildcard"),
    pytest.param("CN=g", ("email:u@example.org",), {"permitted": ("email:example.com",)}, OUTSIDE, id="mail outside"),
    pytest.param("CN=g", ("email:u@example.com",), {"excluded": ("email:example.com",)}, EXCLUDED, id="mail excluded"),
    pytest.param("CN=g", ("email:v@a.example",), {"permitted": ("email:u@a.example",)}, OUTSIDE, id="another mailbox"),
    pytest.param("E=u@example.org", (), {"permitted": ("email:example.com",)}, OUTSIDE, id="mail in the subject"),
    pytest.param("CN=g", ("ip:192.0.3.1",), {"permitted": ("ip:192.0.2.0/24",)}, OUTSIDE, id="IPv4 outside"),
    pytest.param("CN=g", ("ip:2001:db8::1",), {"excluded": ("ip:2001:db8::/32",)}, EXCLUDED, id="IPv6 excluded"),
    pytest.param("CN=g", ("ip:2001:db8::1",), {"permitted": ("ip:192.0.2.0/24",)}, OUTSIDE, id="IPv6 below IPv4"),
    pytest.param("C=FR, CN=g", (), {"permitted": ("dn:C=DE",)}, OUTSIDE, id="subject outside"),
    pytest.param("C=DE, O=Bad, CN=g", (), {"excluded": ("dn:C=DE, O=Bad",)}, EXCLUDED, id="subject excluded"),
    pytest.param("C=DE, O=BAD, CN=g", (), {"excluded": ("dn:C=DE, O=bad",)}, EXCLUDED, id="subject in capitals"),
    pytest.param("CN=g", ("dn:C=DE, O=Bad",), {"excluded": ("dn:C=DE",)}, EXCLUDED, id="directory name excluded"),
    pytest.param("CN=g", ("uri:ike://a.example/",), {"permitted": ("uri:b.example",)}, "outside|unsupported", id="URI"),
    pytest.param(
        "CN=g", ("uri:ike://a.example/",), {"excluded": ("uri:a.example",)}, "excluded|unsupported", id="URI excluded"
    ),
    pytest.param(
        "CN=g", ("rid:1.2.3",), {"permitted": ("rid:1.2.3",)}, "not known here|unsupported", id="form not known"
    ),
]


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


@both_ways
@pytest.mark.parametrize(("subject", "alt_names", "constraints", "says"), CONSTRAINED)
def test_a_name_that_a_ca_may_not_certify_is_refused(
    subject: str, alt_names: tuple[str, ...], constraints: dict[str, tuple[str, ...]], says: str, kind: str, way: Way
) -> None:
    with pytest.raises(CertificateRefused, match=says):
        way(constrained(kind, subject, alt_names, **constraints))


@pytest.mark.parametrize("kind", ["p256", "ed25519"])
def test_a_certificate_of_version_1_is_refused(kind: str) -> None:
    root = root_of(kind)
    v3 = make("CN=gate", root, basic=None, usage=None)

    def as_version_1(tbs: bytes) -> bytes:
        without_version = tbs[tbs.index(b"\xa0\x03\x02\x01\x02") + 5 :]
        return element(0x30, without_version)

    with pytest.raises(CertificateRefused, match=r"version 3|X509v3"):
        by_the_door(Shown(forge(v3, root, as_version_1), (), (root,)))


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


def test_more_names_and_constraints_than_can_be_compared_are_refused() -> None:
    names = tuple(f"dns:host{number}.example.com" for number in range(300))
    shown = constrained("ed25519", "CN=g", names, excluded=tuple(f"dns:e{number}.example" for number in range(300)))

    with pytest.raises(CertificateRefused, match=r"too many"):
        by_the_door(shown)


def test_without_an_anchor_nothing_is_trusted() -> None:
    with pytest.raises(CertificateRefused, match=r"no trust anchor"):
        by_the_door(Shown(make("CN=gate", root_of("p256")), (root_of("p256"),)))
