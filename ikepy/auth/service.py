"""AuthService: performs the effects that need a secret, a key, a certificate or the date.

Rule 1: each method is plain and synchronous, holds no state between calls and may run in any thread.
Rule 2: a method ends in its reply, in NoCredential where ours is missing, or in AuthenticationFailed for whatever is
        wrong with the peer's proof; messages are for our log and never hold a secret.
Rule 3: PeerAuthenticated is made in one place, after method, identity, trust and signature have all been judged.
Not here: which connection is meant (ike/selection.py), which octets are signed (ike/keymat.py).
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from ikepy.auth.certificate import Certificate, CertificateRefused
from ikepy.auth.chains import validate_chain
from ikepy.auth.choosing import choose_credential
from ikepy.auth.credentials import Credentials, LocalCredential, Trust
from ikepy.auth.peer import find_trusted, leads_to, read_sent
from ikepy.auth.raw_keys import find_keys, is_by_key, leads_to_key, raw_cert
from ikepy.config.groups import NO_PROOF, Proof
from ikepy.config.identities import format_identity, format_pattern, matches
from ikepy.config.model import AuthKind, Config, SendCert
from ikepy.crypto.errors import CryptoError, SignatureInvalid
from ikepy.crypto.prf import get_prf
from ikepy.crypto.secret import Secret
from ikepy.crypto.signature import PrivateKey, choose_signature_scheme, verify_auth_signature
from ikepy.crypto.signature import sign_auth as sign
from ikepy.ike.actions import Path
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
from ikepy.ike.keymat import shared_key_auth
from ikepy.ike.selection import choose_psk
from ikepy.wire.payloads import Auth, Cert, Identification
from ikepy.wire.registry import AuthMethod, CertEncoding, IdType, PrfId

Clock = Callable[[], datetime]
"""Tells the date, UTC."""


def utc_now() -> datetime:
    """The date by the system's clock."""
    return datetime.now(UTC)


class AuthService:
    """Proves who we are, and judges who others say to be, with the credentials of one configuration."""

    def __init__(self, config: Config, credentials: Credentials, clock: Clock = utc_now) -> None:
        self._config = config
        self._credentials = credentials
        self._clock = clock

    def renew(self, credentials: Credentials) -> None:
        """Use others from now on."""
        self._credentials = credentials

    def sign_auth(self, effect: SignAuth) -> LocalProof:
        """Make our AUTH payload, and the certificates that go before it (RFC 7296 §2.15); raises NoCredential."""
        if effect.local.auth is AuthKind.PSK:
            secret = self._psk(effect.identity, effect.peer, effect.path)
            octets = psk_auth(effect.prf, secret, effect.signed_octets)
            return LocalProof(Auth(AuthMethod.SHARED_KEY, octets), ())
        raw = self._credentials.raw.get(effect.connection)
        if raw is not None:
            return self._sign_raw(effect, raw)
        local = self._local(effect.connection)
        try:
            local, scheme = choose_credential(local, effect)
            method, octets = sign(local.key, scheme, effect.signed_octets)
        except CryptoError as error:
            raise NoCredential(
                f"connection {effect.connection}: the peer takes no signature of our key: {error}"
            ) from error
        chain = local.chain if _is_sent(effect) else ()
        certs = tuple(Cert(CertEncoding.X509_SIGNATURE, certificate.der) for certificate in chain)
        return LocalProof(Auth(method, octets), certs)

    @staticmethod
    def _sign_raw(effect: SignAuth, key: PrivateKey) -> LocalProof:
        try:
            scheme = choose_signature_scheme(key, effect.hashes, pkcs1=effect.pkcs1)
            method, octets = sign(key, scheme, effect.signed_octets)
        except CryptoError as error:
            raise NoCredential(
                f"connection {effect.connection}: the peer takes no signature of our key: {error}"
            ) from error
        return LocalProof(Auth(method, octets), (raw_cert(key.public_key()),) if _is_sent(effect) else ())

    def verify_auth(self, effect: VerifyAuth) -> PeerAuthenticated:
        """Verify the peer's AUTH payload, its certificates and its identity; raises AuthenticationFailed."""
        wanted, method = effect.remote.auth, effect.auth.method
        if (wanted is AuthKind.PSK) is not (method is AuthMethod.SHARED_KEY):
            raise AuthenticationFailed(
                f"'{format_identity(effect.identity)}' authenticates by {method}; "
                f"connection {effect.connection} wants {wanted.value}"
            )
        if not matches(effect.remote.id, effect.identity):
            raise AuthenticationFailed(
                f"the peer is '{format_identity(effect.identity)}'; connection {effect.connection} wants "
                f"'{format_pattern(effect.remote.id)}'"
            )
        wording, proof = self._verify_psk(effect) if wanted is AuthKind.PSK else self._verify_signature(effect)
        return PeerAuthenticated(effect.connection, effect.identity, wording, proof)

    def local_identity(self, effect: LocalIdentity) -> Identification:
        """Our identity where none is configured: the certificate's first name, its subject if any; else our address."""
        if effect.local.id is not None:
            return effect.local.id
        if effect.local.auth is AuthKind.PUBKEY:
            return next(self._local(effect.connection).certificate.identities())
        return _address_identity(effect.path)

    def find_trusting_connections(self, effect: FindTrustingConnections) -> frozenset[str]:
        """The candidates that trust a CA the certificates lead to by name; none where they cannot be read."""
        try:
            sent = read_sent(effect.certs)
        except CertificateRefused:
            return frozenset()
        trust = {name: each for name, each in self._credentials.trust.items() if name in effect.candidates}
        return frozenset(
            name for name, each in trust.items() if leads_to(sent, each) or leads_to_key(effect.certs, each.keys)
        )

    def trust_anchor_hashes(self, effect: TrustAnchorHashes) -> tuple[bytes, ...]:
        """SHA-1 of each trust anchor's SubjectPublicKeyInfo, each once (RFC 7296 §3.7)."""
        trust = self._credentials.trust
        asked = trust.values() if effect.connection is None else [trust.get(effect.connection, Trust())]
        return tuple(dict.fromkeys(anchor.authority_hash for each in asked for anchor in each.anchors))

    def _verify_psk(self, effect: VerifyAuth) -> tuple[str, Proof]:
        local = effect.local_identity or _address_identity(effect.path)
        try:
            secret = self._psk(local, effect.identity, effect.path)
        except NoCredential as error:
            raise AuthenticationFailed(str(error)) from error
        expected = psk_auth(effect.prf, secret, effect.signed_octets)
        if not hmac.compare_digest(expected, effect.auth.octets):
            raise AuthenticationFailed(
                f"the pre-shared keys of '{format_identity(local)}' and '{format_identity(effect.identity)}' differ; "
                "compare them on both sides"
            )
        return "PSK", Proof(psk_identity=effect.identity)

    def _verify_signature(self, effect: VerifyAuth) -> tuple[str, Proof]:
        trust = self._credentials.trust.get(effect.connection, Trust())
        if is_by_key(effect.certs, trust.keys) and (effect.certs or not trust.pinned):
            return self._verify_by_key(effect, trust)
        try:
            sent = read_sent(effect.certs)
            trusted = find_trusted(sent, trust, effect.identity, self._clock())
        except CertificateRefused as refused:
            raise AuthenticationFailed(f"connection {effect.connection}: {refused}") from refused
        problem = SignatureInvalid("")
        for certificate in trusted:
            try:
                wording = verify_auth_signature(
                    effect.auth.method, certificate.public_key, effect.auth.octets, effect.signed_octets
                )
                return wording, proof_of(certificate, sent, trust, self._credentials, self._clock())
            except SignatureInvalid as error:
                problem = error
        raise AuthenticationFailed(f"'{format_identity(effect.identity)}': {problem}") from problem

    @staticmethod
    def _verify_by_key(effect: VerifyAuth, trust: Trust) -> tuple[str, Proof]:
        """By a key of `pubkeys`; whose it is the configuration says, which has compared the identity already."""
        try:
            known = find_keys(effect.certs, trust.keys)
        except CertificateRefused as refused:
            raise AuthenticationFailed(f"connection {effect.connection}: {refused}") from refused
        problem = SignatureInvalid("")
        for key in known:
            try:
                wording = verify_auth_signature(effect.auth.method, key, effect.auth.octets, effect.signed_octets)
            except SignatureInvalid as error:
                problem = error
            else:
                return f"{wording}, raw public key", NO_PROOF
        raise AuthenticationFailed(f"'{format_identity(effect.identity)}': {problem}") from problem

    def _psk(self, local: Identification, peer: Identification | None, path: Path) -> Secret:
        psk = choose_psk(self._config.psks, local, peer, path)
        if psk is None:
            whom = f"'{format_identity(peer)}'" if peer is not None else f"the peer at {path.remote.address}"
            raise NoCredential(
                f"no pre-shared key is for '{format_identity(local)}' and {whom}; add one under secrets, or mend its ids"
            )
        return psk.secret

    def _local(self, connection: str) -> LocalCredential:
        local = self._credentials.local.get(connection)
        if local is None:
            raise NoCredential(f"connection {connection} has no certificate and private key of ours")
        return local


def proof_of(
    certificate: Certificate, sent: Sequence[Certificate], trust: Trust, credentials: Credentials, now: datetime
) -> Proof:
    """What groups ask of a certificate that is trusted: whom it names, and which of their CAs are above it."""
    above: tuple[Certificate, ...] = ()
    if credentials.authorities and trust.anchors and certificate not in trust.pinned:
        above = validate_chain(certificate, sent[1:], trust.anchors, trust.purposes, now)[1:]
    files = (file for file, authorities in credentials.authorities.items() if not set(authorities).isdisjoint(above))
    return Proof(cert_names=tuple(certificate.identities()), authorities=frozenset(files))


def _is_sent(effect: SignAuth) -> bool:
    """Whether our certificate, or key, goes along."""
    send = effect.local.send_cert
    return send is SendCert.ALWAYS or (send is SendCert.IF_ASKED and effect.certificate_requested)


def psk_auth(prf: PrfId, secret: Secret, signed_octets: bytes) -> bytes:
    """AUTH of a pre-shared key: prf(prf(secret, "Key Pad for IKEv2"), signed octets) (RFC 7296 §2.15)."""
    return shared_key_auth(get_prf(prf), secret, signed_octets)


def _address_identity(path: Path) -> Identification:
    address = path.local.address
    kind = IdType.ID_IPV4_ADDR if address.version == 4 else IdType.ID_IPV6_ADDR  # noqa: PLR2004 - IP version
    return Identification(kind, address.packed)
