"""Proofs by certificate: who is proved, and every way in which a proof must fail."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path as File

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ikepy.auth.certificate import read_certificate
from ikepy.config.identities import parse_identity
from ikepy.config.model import (
    ExtendedKeyUsage,
)
from ikepy.ike.effects import (
    LocalProof,
)
from ikepy.ike.errors import AuthenticationFailed
from ikepy.wire.payloads import Auth, Identification
from ikepy.wire.registry import AuthMethod, HashAlgorithm, IdType
from tests.support.certificates import EXPIRED, FUTURE, Issued, make
from tests.support.proofs import (
    ED_ROOT,
    HASHES,
    PEER,
    RIGHT,
    ROOT,
    certs,
    proof_of,
    shown,
    trusting,
)

# -- signatures ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("root", [ROOT, ED_ROOT], ids=["first way", "second way"])
@pytest.mark.parametrize(
    ("kind", "hashes", "wording"),
    [
        ("p256", HASHES, "ECDSA signature with SHA2_256"),
        ("p384", HASHES, "ECDSA signature with SHA2_384"),
        ("p256", frozenset(), "ECDSA signature with SHA2_256"),
        ("p521", frozenset(), "ECDSA signature with SHA2_512"),
        ("brainpool256", HASHES, "ECDSA signature with SHA2_256"),
        ("ed25519", HASHES, "Ed25519 signature"),
        ("ed448", HASHES, "Ed448 signature"),
        pytest.param("rsa2048", HASHES, "RSA-PSS signature with SHA2_256", marks=pytest.mark.slow),
        pytest.param("rsa2048", frozenset(), "RSA signature with SHA1", marks=pytest.mark.slow),
    ],
)
def test_a_certificate_of_every_kind_proves_its_owner(
    kind: str, hashes: frozenset[HashAlgorithm], wording: str, root: Issued, tmp_path: File
) -> None:
    proof = proof_of(make("CN=right", root, key=kind, alt_names=("dns:right.example",)), tmp_path, hashes)

    proven = trusting(root).verify_auth(shown(proof))
    assert (proven.connection, proven.identity, proven.method) == ("site", RIGHT, wording)
    assert RIGHT in proven.proof.cert_names


@pytest.mark.parametrize(
    "identity",
    ["right.example", "RIGHT.example", "right@example.com", "right@EXAMPLE.com", "192.0.2.2", "C=DE, CN=right"],
)
def test_a_certificate_proves_each_identity_it_names(identity: str, tmp_path: File) -> None:
    proven = trusting(ROOT).verify_auth(shown(proof_of(PEER, tmp_path), parse_identity(identity)))

    assert proven.identity == parse_identity(identity)


def test_a_key_id_is_proved_by_the_sha1_of_the_key(tmp_path: File) -> None:
    key_id = Identification(IdType.ID_KEY_ID, read_certificate(PEER.der).key_id)

    assert trusting(ROOT).verify_auth(shown(proof_of(PEER, tmp_path), key_id)).identity == key_id


@pytest.mark.parametrize(
    "identity",
    [
        parse_identity("wrong.example"),
        parse_identity("example"),
        parse_identity("sub.right.example"),
        parse_identity("RIGHT@example.com"),
        parse_identity("192.0.2.3"),
        parse_identity("2001:db8::2"),
        parse_identity("CN=right"),
        parse_identity("C=DE, CN=right, CN=right"),
        parse_identity("CN=right, C=DE"),
        parse_identity("@#0102"),
        Identification(IdType.ID_FQDN, b"right.example\0"),
        Identification(IdType.ID_FQDN, b"right.example\0.evil"),
        Identification(IdType.ID_FQDN, b""),
        Identification(IdType.ID_RFC822_ADDR, b"right.example"),
        Identification(IdType.ID_IPV4_ADDR, bytes.fromhex("c0000202") + b"\0"),
        Identification(IdType.ID_KEY_ID, b"right.example"),
        Identification(IdType.ID_KEY_ID, b""),
        Identification(IdType(0), b"right.example"),
        Identification(IdType(255), b"right.example"),
        Identification(IdType.ID_NULL, b""),
        # CVE-2013-6075: a name shorter, and longer, than it says
        Identification(IdType.ID_DER_ASN1_DN, read_certificate(PEER.der).subject_der[:-1]),
        Identification(IdType.ID_DER_ASN1_DN, read_certificate(PEER.der).subject_der + b"\0"),
        Identification(IdType.ID_DER_ASN1_DN, b"\x30\x82\xff\xff"),
        Identification(IdType.ID_DER_ASN1_DN, b""),
        # CVE-2025-9242: an identity as long as a payload can be
        Identification(IdType.ID_FQDN, b"a" * 65000),
    ],
    ids=str,
)
def test_a_certificate_does_not_prove_another_identity(identity: Identification, tmp_path: File) -> None:
    with pytest.raises(AuthenticationFailed, match=r"does not name"):
        trusting(ROOT).verify_auth(shown(proof_of(PEER, tmp_path), identity))


def test_a_wildcard_in_a_certificate_proves_no_host(tmp_path: File) -> None:
    proof = proof_of(make("CN=*", ROOT, alt_names=("dns:*.example",)), tmp_path)

    with pytest.raises(AuthenticationFailed, match=r"does not name"):
        trusting(ROOT).verify_auth(shown(proof))


# CVE-2023-26463, and the plain rows of a judgement of certificates; the table of chains is in test_chains.py.
@pytest.mark.parametrize(
    ("issued", "says"),
    [
        (make("CN=right", alt_names=("dns:right.example",)), "exhausted"),
        (make("CN=right", ROOT, alt_names=("dns:right.example",), valid=EXPIRED), "expired"),
        (make("CN=right", ROOT, alt_names=("dns:right.example",), valid=FUTURE), "not valid before"),
        (make("CN=right", ED_ROOT, alt_names=("dns:right.example",)), "exhausted"),
    ],
    ids=["signed by itself", "expired", "not yet valid", "another root"],
)
def test_a_certificate_that_is_not_to_be_trusted_proves_nobody(issued: Issued, says: str, tmp_path: File) -> None:
    with pytest.raises(AuthenticationFailed, match=f"connection site: .*{says}"):
        trusting(ROOT).verify_auth(shown(proof_of(issued, tmp_path)))


def test_a_purpose_that_is_asked_for_must_be_there(tmp_path: File) -> None:
    proof = proof_of(PEER, tmp_path)

    with pytest.raises(AuthenticationFailed, match=r"is not for serverAuth"):
        trusting(ROOT, eku=(ExtendedKeyUsage.SERVER_AUTH,)).verify_auth(shown(proof))


def test_a_signature_over_other_octets_is_refused(tmp_path: File) -> None:
    with pytest.raises(AuthenticationFailed, match=r"'right.example': the ECDSA signature .* does not hold"):
        trusting(ROOT).verify_auth(shown(proof_of(PEER, tmp_path), signed_octets=b"others"))


def test_a_signature_by_another_key_is_refused(tmp_path: File) -> None:
    other = make("CN=other", ROOT, alt_names=("dns:other.example",))
    stolen = replace(proof_of(other, tmp_path), certs=certs(PEER))

    with pytest.raises(AuthenticationFailed, match=r"does not hold"):
        trusting(ROOT).verify_auth(shown(stolen))


def test_a_signature_by_the_key_of_a_certificate_that_is_not_first_is_refused(tmp_path: File) -> None:
    other = make("CN=other", ROOT, alt_names=("dns:other.example",))
    proof = replace(proof_of(other, tmp_path), certs=certs(PEER, other))

    with pytest.raises(AuthenticationFailed):
        trusting(ROOT).verify_auth(shown(proof))


# CVE-2013-2944: empty and zero ECDSA signatures; PKCS#1 and the rest are tested where signatures are.
@pytest.mark.parametrize(
    ("method", "octets"),
    [
        (AuthMethod.DIGITAL_SIGNATURE, b""),
        (AuthMethod.DIGITAL_SIGNATURE, b"\x0c\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02"),
        (
            AuthMethod.DIGITAL_SIGNATURE,
            b"\x0c\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02\x30\x06\x02\x01\x00\x02\x01\x00",
        ),
        (AuthMethod.DIGITAL_SIGNATURE, b"\xff" * 300),
        (AuthMethod.ECDSA_SHA256_P256, b""),
        (AuthMethod.ECDSA_SHA256_P256, bytes(64)),
        (AuthMethod.ECDSA_SHA384_P384, bytes(96)),
        (AuthMethod.RSA_SIGNATURE, bytes(256)),
    ],
)
def test_an_empty_or_zero_signature_is_refused(method: AuthMethod, octets: bytes) -> None:
    with pytest.raises(AuthenticationFailed):
        trusting(ROOT).verify_auth(shown(LocalProof(Auth(method, octets), certs(PEER))))


@given(st.binary(max_size=120), st.sampled_from(list(AuthMethod)))
def test_no_octets_are_taken_for_a_signature(octets: bytes, method: AuthMethod) -> None:
    with pytest.raises(AuthenticationFailed):
        trusting(ROOT).verify_auth(shown(LocalProof(Auth(method, octets), certs(PEER))))
