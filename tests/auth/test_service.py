"""What we send, who we are and whom we trust."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path as File

import pytest

from ikepy.auth.certificate import read_certificate
from ikepy.auth.credentials import Credentials, Trust, load_credentials
from ikepy.auth.service import AuthService
from ikepy.config.identities import parse_identity
from ikepy.config.model import (
    Config,
    ConnectionConfig,
    LocalAuthConfig,
    PrivateKeyConfig,
    RemoteAuthConfig,
    SendCert,
)
from ikepy.crypto.secret import Secret
from ikepy.ike.effects import (
    FindTrustingConnections,
    LocalIdentity,
    TrustAnchorHashes,
)
from ikepy.ike.errors import NoCredential
from ikepy.wire.payloads import Identification
from ikepy.wire.registry import HashAlgorithm, IdType
from tests.support.certificates import NOW, Issued, make, make_ca
from tests.support.proofs import (
    ED_ROOT,
    LEFT,
    PATH,
    PEER,
    PSK,
    PUBKEY,
    RIGHT,
    ROOT,
    certs,
    proof_of,
    sign_effect,
    trusting,
)

# -- what we send --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("send", "requested", "count"),
    [
        (SendCert.ALWAYS, False, 1),
        (SendCert.IF_ASKED, True, 1),
        (SendCert.IF_ASKED, False, 0),
        (SendCert.NEVER, True, 0),
    ],
)
def test_our_certificate_is_sent_when_the_configuration_says_so(
    send: SendCert,
    requested: bool,
    count: int,
    tmp_path: File,
) -> None:
    certificate, key = PEER.write(tmp_path)
    local = LocalAuthConfig(PUBKEY, certs=(certificate,), key=key, send_cert=send)
    config = Config((ConnectionConfig("site", local, RemoteAuthConfig(PSK)),))
    service = AuthService(config, load_credentials(config, NOW))

    proof = service.sign_auth(sign_effect(local=local, certificate_requested=requested))

    assert len(proof.certs) == count


def test_a_key_whose_signatures_the_peer_cannot_verify_is_told(tmp_path: File) -> None:
    with pytest.raises(NoCredential, match=r"connection site: the peer takes no signature of our key: .*RFC 8420"):
        proof_of(make("CN=right", ROOT, key="ed25519"), tmp_path, frozenset({HashAlgorithm.SHA2_256}))


def test_without_a_certificate_of_ours_nothing_is_signed() -> None:
    with pytest.raises(NoCredential, match=r"connection site has no certificate"):
        trusting(ROOT).sign_auth(sign_effect(local=LocalAuthConfig(PUBKEY)))


# -- who we are, and whom we trust ---------------------------------------------------------------------------------


def test_our_identity_is_the_configured_one_else_the_subject_else_the_address(tmp_path: File) -> None:
    certificate, _ = PEER.write(tmp_path)
    local = LocalAuthConfig(PUBKEY, certs=(certificate,))
    keys = (PrivateKeyConfig("peer", pem=Secret(PEER.key_pem)),)
    config = Config((ConnectionConfig("site", local, RemoteAuthConfig(PSK)),), private_keys=keys)
    service = AuthService(config, load_credentials(config, NOW))

    assert service.local_identity(LocalIdentity("site", replace(local, id=LEFT), PATH)) == LEFT
    subject = service.local_identity(LocalIdentity("site", local, PATH))
    assert subject == Identification(IdType.ID_DER_ASN1_DN, read_certificate(PEER.der).subject_der)
    address = service.local_identity(LocalIdentity("site", LocalAuthConfig(PSK), PATH))
    assert address == parse_identity("192.0.2.1")


def test_a_certificate_without_a_subject_gives_us_its_first_alternative_name(tmp_path: File) -> None:
    certificate, key = make("", ROOT, alt_names=("dns:right.example",)).write(tmp_path)
    local = LocalAuthConfig(PUBKEY, certs=(certificate,), key=key)
    config = Config((ConnectionConfig("site", local, RemoteAuthConfig(PSK)),))
    service = AuthService(config, load_credentials(config, NOW))

    assert service.local_identity(LocalIdentity("site", local, PATH)) == RIGHT


def test_connections_that_trust_a_ca_of_the_certificates_are_found_by_name() -> None:
    sub = make_ca("CN=Sub", ROOT)
    leaf = make("CN=right", sub)
    read = {name: read_certificate(each.der) for name, each in {"root": ROOT, "ed": ED_ROOT, "leaf": leaf}.items()}
    trust = {
        "by-root": Trust((read["root"],)),
        "by-ed": Trust((read["ed"],)),
        "by-pin": Trust(pinned=(read["leaf"],)),
        "not-asked": Trust((read["root"],)),
    }
    service = AuthService(Config(), Credentials(trust=trust))
    candidates = ("by-root", "by-ed", "by-pin", "by-psk")

    def find(*sent: Issued | bytes) -> frozenset[str]:
        return service.find_trusting_connections(FindTrustingConnections(candidates, certs(*sent)))

    assert find(leaf, sub) == {"by-root", "by-pin"}
    assert find(leaf) == {"by-pin"}
    assert find(make("CN=x", ED_ROOT), sub) == {"by-ed"}
    assert find(make_ca("CN=One", make_ca("CN=Two")), make_ca("CN=Two", make_ca("CN=One"))) == frozenset()
    assert find(b"rubbish") == frozenset()
    assert find(*[leaf] * 17) == frozenset()
    assert find() == frozenset()


def test_trust_anchors_are_named_once_each() -> None:
    root, ed = read_certificate(ROOT.der), read_certificate(ED_ROOT.der)
    trust = {"one": Trust((root, ed)), "two": Trust((root,))}
    service = AuthService(Config(), Credentials(trust=trust))

    assert service.trust_anchor_hashes(TrustAnchorHashes("two")) == (root.authority_hash,)
    assert service.trust_anchor_hashes(TrustAnchorHashes(None)) == (root.authority_hash, ed.authority_hash)
    assert service.trust_anchor_hashes(TrustAnchorHashes("nobody")) == ()
