"""AuthService: both sides of every proof, and every way in which a peer's proof must fail."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path as File

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ikepy.auth.certificate import read_certificate
from ikepy.auth.credentials import Credentials, Trust, load_credentials
from ikepy.auth.peer import MOST_CERTIFICATES
from ikepy.auth.service import AuthService, psk_auth
from ikepy.config.identities import parse_identity, parse_identity_pattern
from ikepy.config.model import (
    AuthKind,
    Config,
    ConnectionConfig,
    ExtendedKeyUsage,
    LocalAuthConfig,
    PrivateKeyConfig,
    PskConfig,
    RemoteAuthConfig,
    SendCert,
)
from ikepy.crypto.prf import get_prf
from ikepy.crypto.secret import Secret
from ikepy.ike.actions import Path, SocketAddress
from ikepy.ike.effects import (
    FindTrustingConnections,
    LocalIdentity,
    LocalProof,
    PeerAuthenticated,
    SignAuth,
    TrustAnchorHashes,
    VerifyAuth,
)
from ikepy.ike.errors import AuthenticationFailed, NoCredential
from ikepy.wire.payloads import Auth, Cert, Identification
from ikepy.wire.registry import AuthMethod, CertEncoding, HashAlgorithm, IdType, PrfId
from tests.support.certificates import EXPIRED, FUTURE, NOW, Issued, make, make_ca

PATH = Path(SocketAddress(IPv4Address("192.0.2.1"), 500), SocketAddress(IPv4Address("192.0.2.2"), 500))
OCTETS = b"message, nonce and prf(SK_p, ID)"
LEFT, RIGHT = parse_identity("left.example"), parse_identity("right.example")
HASHES = frozenset({HashAlgorithm.SHA2_256, HashAlgorithm.SHA2_384, HashAlgorithm.SHA2_512, HashAlgorithm.IDENTITY})
PSK, PUBKEY = AuthKind.PSK, AuthKind.PUBKEY
SECRET = Secret(b"correct horse battery staple")
ROOT = make_ca("CN=Root")
ED_ROOT = make_ca("CN=Ed Root", key="ed25519")
PEER = make("C=DE, CN=right", ROOT, alt_names=("dns:right.example", "email:right@example.com", "ip:192.0.2.2"))


def psk_service(*psks: PskConfig) -> AuthService:
    connection = ConnectionConfig("site", LocalAuthConfig(PSK), RemoteAuthConfig(PSK))
    return AuthService(Config((connection,), psks), Credentials())


def trusting(*anchors: Issued, pinned: tuple[Issued, ...] = (), eku: tuple[ExtendedKeyUsage, ...] = ()) -> AuthService:
    """A service whose connection `site` trusts these."""
    trust = Trust(
        tuple(read_certificate(anchor.der) for anchor in anchors),
        tuple(read_certificate(each.der) for each in pinned),
        eku,
    )
    return AuthService(Config(), Credentials(trust={"site": trust}), clock=lambda: NOW)


def sign_effect(**changes: object) -> SignAuth:
    effect = SignAuth(
        connection="site",
        local=LocalAuthConfig(PSK),
        identity=LEFT,
        peer=RIGHT,
        path=PATH,
        prf=PrfId.HMAC_SHA2_256,
        signed_octets=OCTETS,
        hashes=HASHES,
        certificate_requested=True,
    )
    return replace(effect, **changes)  # type: ignore[arg-type]


def verify_effect(**changes: object) -> VerifyAuth:
    effect = VerifyAuth(
        connection="site",
        remote=RemoteAuthConfig(PSK),
        identity=RIGHT,
        local_identity=LEFT,
        path=PATH,
        auth=Auth(AuthMethod.SHARED_KEY, bytes(32)),
        certs=(),
        prf=PrfId.HMAC_SHA2_256,
        signed_octets=OCTETS,
    )
    return replace(effect, **changes)  # type: ignore[arg-type]


def certs(*sent: Issued | bytes) -> tuple[Cert, ...]:
    return tuple(Cert(CertEncoding.X509_SIGNATURE, each if isinstance(each, bytes) else each.der) for each in sent)


def proof_of(issued: Issued, tmp_path: File, hashes: frozenset[HashAlgorithm] = HASHES) -> LocalProof:
    """What the peer sends: made by a service of the peer's own."""
    certificate, key = issued.write(tmp_path)
    local = LocalAuthConfig(PUBKEY, certs=(certificate,), key=key)
    connection = ConnectionConfig("site", local, RemoteAuthConfig(PSK))
    config = Config((connection,))
    return AuthService(config, load_credentials(config, NOW)).sign_auth(sign_effect(local=local, hashes=hashes))


def shown(proof: LocalProof, identity: Identification = RIGHT, **changes: object) -> VerifyAuth:
    effect = verify_effect(remote=RemoteAuthConfig(PUBKEY), identity=identity, auth=proof.auth, certs=proof.certs)
    return replace(effect, **changes)  # type: ignore[arg-type]


# -- pre-shared keys -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prf", [PrfId.HMAC_SHA1, PrfId.HMAC_SHA2_256, PrfId.HMAC_SHA2_512, PrfId.AES128_XCBC])
def test_a_psk_proves_both_sides_to_each_other(prf: PrfId) -> None:
    service = psk_service(PskConfig("both", SECRET, (LEFT, RIGHT)))

    proof = service.sign_auth(sign_effect(identity=RIGHT, peer=LEFT, prf=prf))
    proven = service.verify_auth(verify_effect(auth=proof.auth, prf=prf))

    assert proof.certs == ()
    assert proven == PeerAuthenticated("site", RIGHT, "PSK")


def test_auth_of_a_psk_is_prf_of_prf_of_the_key_pad() -> None:
    prf = get_prf(PrfId.HMAC_SHA2_256)
    inner = prf.digest(SECRET, b"Key Pad for IKEv2")

    assert psk_auth(PrfId.HMAC_SHA2_256, SECRET, OCTETS) == prf.digest(Secret(inner), OCTETS)


def test_a_psk_that_differs_is_refused_with_both_names_and_no_secret() -> None:
    auth = Auth(AuthMethod.SHARED_KEY, psk_auth(PrfId.HMAC_SHA2_256, Secret(b"another"), OCTETS))

    with pytest.raises(AuthenticationFailed, match=r"'left.example' and 'right.example' differ") as caught:
        psk_service(PskConfig("both", SECRET)).verify_auth(verify_effect(auth=auth))

    assert "horse" not in str(caught.value)


@pytest.mark.parametrize("octets", [b"", bytes(31), bytes(33)])
def test_auth_of_another_length_is_refused(octets: bytes) -> None:
    with pytest.raises(AuthenticationFailed):
        psk_service(PskConfig("both", SECRET)).verify_auth(verify_effect(auth=Auth(AuthMethod.SHARED_KEY, octets)))


def test_our_own_auth_sent_back_proves_nothing() -> None:
    service = psk_service(PskConfig("both", SECRET))
    ours = service.sign_auth(sign_effect())

    with pytest.raises(AuthenticationFailed):
        service.verify_auth(verify_effect(auth=ours.auth, signed_octets=b"theirs"))


# CVE-2024-2357: no secret for the peer.
def test_no_psk_for_the_peer_is_refused_with_both_names() -> None:
    service = psk_service(PskConfig("other", SECRET, (parse_identity("third.example"),)))

    with pytest.raises(AuthenticationFailed, match=r"no pre-shared key is for 'left.example' and 'right.example'"):
        service.verify_auth(verify_effect())
    with pytest.raises(NoCredential, match=r"no pre-shared key is for 'left.example' and 'right.example'"):
        service.sign_auth(sign_effect())
    with pytest.raises(NoCredential, match=r"the peer at 192.0.2.2"):
        service.sign_auth(sign_effect(peer=None))


# -- methods -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "method",
    [
        AuthMethod.RSA_SIGNATURE,
        AuthMethod.DIGITAL_SIGNATURE,
        AuthMethod.NULL,
        AuthMethod.DSS_SIGNATURE,
        AuthMethod(201),
    ],
)
def test_where_a_psk_is_wanted_no_other_method_is_taken(method: AuthMethod) -> None:
    octets = psk_auth(PrfId.HMAC_SHA2_256, SECRET, OCTETS)

    with pytest.raises(AuthenticationFailed, match=r"wants psk"):
        psk_service(PskConfig("both", SECRET)).verify_auth(verify_effect(auth=Auth(method, octets)))


def test_where_a_certificate_is_wanted_no_psk_is_taken() -> None:
    connection = ConnectionConfig("site", LocalAuthConfig(PSK), RemoteAuthConfig(PUBKEY))
    service = AuthService(Config((connection,), (PskConfig("both", SECRET),)), Credentials())
    auth = Auth(AuthMethod.SHARED_KEY, psk_auth(PrfId.HMAC_SHA2_256, SECRET, OCTETS))

    with pytest.raises(AuthenticationFailed, match=r"by SHARED_KEY; connection site wants pubkey"):
        service.verify_auth(verify_effect(remote=RemoteAuthConfig(PUBKEY), auth=auth))


@pytest.mark.parametrize("method", [AuthMethod.NULL, AuthMethod.DSS_SIGNATURE, AuthMethod(0), AuthMethod(201)])
def test_where_a_certificate_is_wanted_a_method_that_is_no_signature_is_refused(method: AuthMethod) -> None:
    with pytest.raises(AuthenticationFailed, match=r"is no signature"):
        trusting(ROOT).verify_auth(shown(LocalProof(Auth(method, bytes(64)), certs(PEER))))


def test_an_identity_that_the_connection_does_not_want_is_refused_whatever_it_proves() -> None:
    service = psk_service(PskConfig("both", SECRET))
    auth = service.sign_auth(sign_effect()).auth
    remote = RemoteAuthConfig(PSK, parse_identity_pattern("*.example.org"))

    with pytest.raises(AuthenticationFailed, match=r"the peer is 'right.example'; .* wants '\*.example.org'"):
        service.verify_auth(verify_effect(auth=auth, remote=remote))


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

    assert trusting(root).verify_auth(shown(proof)) == PeerAuthenticated("site", RIGHT, wording)


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
