"""Chains of certificates, good and bad: the table both ways to a trust anchor must agree on.

Each builder takes the kind of the CAs' keys and returns what a peer shows and what is believed here.
Not here: the tests (tests/auth/test_chains.py, test_constraints.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from ikepy.auth.certificate import Certificate, read_certificate
from ikepy.auth.chains import validate_chain
from ikepy.auth.search import find_chain
from ikepy.config.model import ExtendedKeyUsage
from tests.support.certificates import EXPIRED, FUTURE, NOW, Issued, make, make_ca

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
