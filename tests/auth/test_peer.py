"""Which certificates a peer may send, and pinned ones."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path as File

import pytest

from ikepy.auth.credentials import load_credentials
from ikepy.auth.peer import MOST_CERTIFICATES
from ikepy.auth.service import AuthService
from ikepy.config.model import (
    Config,
    ConnectionConfig,
    LocalAuthConfig,
    RemoteAuthConfig,
)
from ikepy.ike.errors import AuthenticationFailed
from ikepy.wire.payloads import Cert
from ikepy.wire.registry import CertEncoding
from tests.support.certificates import EXPIRED, NOW, Issued, make, make_ca
from tests.support.proofs import (
    LEFT,
    PEER,
    PSK,
    PUBKEY,
    RIGHT,
    ROOT,
    certs,
    proof_of,
    shown,
    sign_effect,
    trusting,
)

# -- what certificates a peer may send -----------------------------------------------------------------------------


def test_a_chain_is_sent_and_taken(tmp_path: File) -> None:
    sub = make_ca("CN=Sub", ROOT)
    issued = make("CN=right", sub, alt_names=("dns:right.example",))
    _, key = issued.write(tmp_path)
    chain, _ = issued.write(tmp_path, "chain", sub, ROOT)
    local = LocalAuthConfig(PUBKEY, certs=(chain,), key=key)
    config = Config((ConnectionConfig("site", local, RemoteAuthConfig(PSK)),))
    proof = AuthService(config, load_credentials(config, NOW)).sign_auth(sign_effect(local=local))

    assert [cert.octets for cert in proof.certs] == [issued.der, sub.der]
    assert trusting(ROOT).verify_auth(shown(proof)).identity == RIGHT


@pytest.mark.parametrize(
    ("sent", "says"),
    [
        (certs(*[PEER] * (MOST_CERTIFICATES + 1)), "17 certificates"),
        (certs(PEER, bytes(65536)), "octets"),
        (certs(bytes(65537)), "octets"),
        (certs(b"no certificate"), "cannot be read"),
        (certs(b""), "cannot be read"),
        ((), "sent no certificate"),
        ((Cert(CertEncoding.HASH_AND_URL_X509, bytes(20) + b"file:///etc/passwd"),), "sent no certificate"),
        ((Cert(CertEncoding.HASH_AND_URL_BUNDLE, bytes(20) + b"http://localhost/"),), "sent no certificate"),
        ((Cert(CertEncoding.RAW_PUBLIC_KEY, PEER.der),), "sent no certificate"),
        ((Cert(CertEncoding(250), PEER.der),), "sent no certificate"),
    ],
)
def test_certificates_nobody_should_send_are_refused(sent: tuple[Cert, ...], says: str, tmp_path: File) -> None:
    proof = replace(proof_of(PEER, tmp_path), certs=sent)

    with pytest.raises(AuthenticationFailed, match=says):
        trusting(ROOT).verify_auth(shown(proof))


def test_what_stands_behind_the_peers_own_certificate_may_be_anything_within_bounds(tmp_path: File) -> None:
    crl = Cert(CertEncoding.CRL, b"whatever")
    proof = proof_of(PEER, tmp_path)
    sent = (crl, *proof.certs, *certs(b"rubbish", make("CN=x"), PEER), crl)

    assert trusting(ROOT).verify_auth(shown(replace(proof, certs=sent))).identity == RIGHT


# CVE-2021-41991: a cache filled with variants of one certificate.
def test_nothing_is_kept_of_what_peers_sent(tmp_path: File) -> None:
    service = trusting(ROOT)
    proof = proof_of(PEER, tmp_path)
    before = {name: repr(value) for name, value in vars(service).items()}
    for octet in range(256):
        variant = PEER.der[:-1] + bytes([octet])
        if variant != PEER.der:
            with pytest.raises(AuthenticationFailed):
                service.verify_auth(shown(replace(proof, certs=certs(variant))))

    assert {name: repr(value) for name, value in vars(service).items()} == before


# -- pinned certificates -------------------------------------------------------------------------------------------

ALONE = make("CN=right", alt_names=("dns:right.example",))


def test_a_pinned_certificate_is_trusted_as_it_is(tmp_path: File) -> None:
    assert trusting(pinned=(ALONE,)).verify_auth(shown(proof_of(ALONE, tmp_path))).identity == RIGHT


def test_a_pinned_certificate_needs_not_be_sent(tmp_path: File) -> None:
    other = make("CN=other", alt_names=("dns:other.example",))
    proof = replace(proof_of(ALONE, tmp_path), certs=())

    assert trusting(pinned=(other, ALONE)).verify_auth(shown(proof)).identity == RIGHT


def test_of_two_pinned_certificates_of_one_peer_either_will_do(tmp_path: File) -> None:
    old = make("CN=right", key="ed25519", alt_names=("dns:right.example",))
    proof = replace(proof_of(ALONE, tmp_path), certs=())

    assert trusting(pinned=(old, ALONE)).verify_auth(shown(proof)).identity == RIGHT


# CVE-2020-16088: any key taken for the pinned one.
@pytest.mark.parametrize(
    ("issued", "says"),
    [
        (make("CN=right", key="p256", alt_names=("dns:right.example",), usage=None), "is not one of those in certs"),
        (make("CN=right", ROOT, alt_names=("dns:right.example",)), "is not one of those in certs"),
    ],
    ids=["another with the same names", "one of a CA that is not trusted"],
)
def test_a_certificate_beside_the_pinned_one_is_refused(issued: Issued, says: str, tmp_path: File) -> None:
    with pytest.raises(AuthenticationFailed, match=says):
        trusting(pinned=(ALONE,)).verify_auth(shown(proof_of(issued, tmp_path)))


def test_a_pinned_certificate_proves_only_whom_it_names(tmp_path: File) -> None:
    proof = proof_of(ALONE, tmp_path)

    for sent in (proof, replace(proof, certs=())):
        with pytest.raises(AuthenticationFailed, match=r"does not name|no certificate in certs names 'left.example'"):
            trusting(pinned=(ALONE,)).verify_auth(shown(sent, LEFT))


def test_a_pinned_certificate_expires_too(tmp_path: File) -> None:
    old = make("CN=right", alt_names=("dns:right.example",), valid=EXPIRED)

    with pytest.raises(AuthenticationFailed, match=r"expired"):
        trusting(pinned=(old,)).verify_auth(shown(proof_of(old, tmp_path)))
