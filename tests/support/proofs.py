"""AUTH in tests: what an exchange asks of an AuthService, and services that trust this and that.

Not here: certificates (certificates.py), exchanges.
"""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path as File

from ikepy.auth.certificate import read_certificate
from ikepy.auth.credentials import Credentials, Trust, load_credentials
from ikepy.auth.service import AuthService
from ikepy.config.identities import parse_identity
from ikepy.config.model import (
    AuthKind,
    Config,
    ConnectionConfig,
    ExtendedKeyUsage,
    LocalAuthConfig,
    PskConfig,
    RemoteAuthConfig,
)
from ikepy.crypto.secret import Secret
from ikepy.ike.actions import Path, SocketAddress
from ikepy.ike.effects import (
    LocalProof,
    SignAuth,
    VerifyAuth,
)
from ikepy.wire.payloads import Auth, Cert, Identification
from ikepy.wire.registry import AuthMethod, CertEncoding, HashAlgorithm, PrfId
from tests.support.certificates import NOW, Issued, make, make_ca

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
