"""What the sides of IKE_AUTH sign and check, whatever they prove themselves with (RFC 7296 §2.15, §2.16).

Not here: the messages (ike_auth.py, eap_rounds.py), keys and certificates (auth/).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ikepy.config.groups import Proof
from ikepy.config.model import ConnectionConfig, LocalAuthConfig, RemoteAuthConfig
from ikepy.crypto.secret import Secret
from ikepy.ike.effects import LocalProof, PeerAuthenticated, SignAuth, VerifyAuth
from ikepy.ike.errors import AuthenticationFailed
from ikepy.ike.exchanges.view import SaView
from ikepy.ike.keymat import shared_key_auth, signed_octets
from ikepy.ike.phases import Keyed
from ikepy.wire.payloads import Auth, Cert, CertReq, Identification
from ikepy.wire.registry import AuthMethod


class PeerNotAuthenticated(AuthenticationFailed):
    """The responder's proof does not hold: it believes in an IKE SA that we must end (§2.21.2)."""


def octets_of(keyed: Keyed, identity: Identification, *, initiator: bool) -> bytes:
    """The octets that the initiator, or the responder, proves itself with."""
    keys = keyed.keys
    message, nonce, sk_p = (
        (keyed.init_request, keyed.nr, keys.sk_pi) if initiator else (keyed.init_response, keyed.ni, keys.sk_pr)
    )
    return signed_octets(keyed.suite.prf, message, nonce, sk_p, identity)


def shared_auth(keyed: Keyed, secret: Secret | None, identity: Identification, *, initiator: bool) -> Auth:
    """AUTH of what EAP left behind; of SK_pi or SK_pr where that is nothing (§2.16)."""
    octets = octets_of(keyed, identity, initiator=initiator)
    key = secret_of(keyed, secret, initiator=initiator)
    return Auth(AuthMethod.SHARED_KEY, shared_key_auth(keyed.suite.prf, key, octets))


def asked_for(certreqs: Sequence[CertReq]) -> frozenset[bytes]:
    """SHA-1 of the keys of all CAs that CERTREQ payloads name."""
    return frozenset(each for certreq in certreqs for each in certreq.hashes)


def secret_of(keyed: Keyed, secret: Secret | None, *, initiator: bool) -> Secret:
    """The MSK, or SK_p of the side that proves itself where the EAP method derives none."""
    if secret is not None:
        return secret
    return keyed.keys.sk_pi if initiator else keyed.keys.sk_pr


async def sign(
    sa: SaView,
    keyed: Keyed,
    connection: ConnectionConfig,
    local: Identification,
    peer: Identification | None,
    *,
    initiator: bool,
    how: LocalAuthConfig | None = None,
) -> LocalProof:
    """Prove who we are with a key of ours; raises NoCredential.

    how   None for what the connection has first
    """
    return await SignAuth(
        connection=connection.name,
        local=how or connection.local,
        identity=local,
        peer=peer,
        path=sa.path,
        prf=keyed.suite.prf.id,
        signed_octets=octets_of(keyed, local, initiator=initiator),
        hashes=keyed.peer_hashes,
        certificate_requested=keyed.certificate_requested or keyed.quirks.cert_always,
        authorities=keyed.authorities,
        pkcs1=keyed.quirks.pkcs1_signatures,
        prefers_rsa=keyed.quirks.rsa_certificate,
    )


async def verify(
    sa: SaView,
    keyed: Keyed,
    connection: ConnectionConfig,
    identity: Identification,
    auth: Auth,
    certs: tuple[Cert, ...],
    local: Identification,
    *,
    initiator: bool,
    how: RemoteAuthConfig | None = None,
) -> PeerAuthenticated:
    """Check the peer's proof; raises AuthenticationFailed.

    initiator  whether the peer is the initiator
    how        None for what the connection asks for first
    """
    return await VerifyAuth(
        connection=connection.name,
        remote=how or connection.remote,
        identity=identity,
        local_identity=local,
        path=sa.path,
        auth=auth,
        certs=certs,
        prf=keyed.suite.prf.id,
        signed_octets=octets_of(keyed, identity, initiator=initiator),
    )


def both(first: PeerAuthenticated, second: PeerAuthenticated) -> PeerAuthenticated:
    """What two rounds have proved together (RFC 4739); who the peer is, the first says."""
    one, two = first.proof, second.proof
    proof = Proof(
        user=two.user if two.user is not None else one.user,
        user_groups=(*one.user_groups, *two.user_groups),
        psk_identity=one.psk_identity if one.psk_identity is not None else two.psk_identity,
        cert_names=(*one.cert_names, *two.cert_names),
        authorities=one.authorities | two.authorities,
    )
    return replace(first, method=f"{first.method}, then {second.method}", proof=proof)
