"""Pre-shared keys, and that no method passes for another."""

from __future__ import annotations

import pytest

from ikepy.auth.credentials import Credentials
from ikepy.auth.service import AuthService, psk_auth
from ikepy.config.groups import Proof
from ikepy.config.identities import parse_identity, parse_identity_pattern
from ikepy.config.model import (
    Config,
    ConnectionConfig,
    LocalAuthConfig,
    PskConfig,
    RemoteAuthConfig,
)
from ikepy.crypto.prf import get_prf
from ikepy.crypto.secret import Secret
from ikepy.ike.effects import (
    LocalProof,
    PeerAuthenticated,
)
from ikepy.ike.errors import AuthenticationFailed, NoCredential
from ikepy.wire.payloads import Auth
from ikepy.wire.registry import AuthMethod, PrfId
from tests.support.proofs import (
    LEFT,
    OCTETS,
    PEER,
    PSK,
    PUBKEY,
    RIGHT,
    ROOT,
    SECRET,
    certs,
    psk_service,
    shown,
    sign_effect,
    trusting,
    verify_effect,
)

# -- pre-shared keys -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prf", [PrfId.HMAC_SHA1, PrfId.HMAC_SHA2_256, PrfId.HMAC_SHA2_512, PrfId.AES128_XCBC])
def test_a_psk_proves_both_sides_to_each_other(prf: PrfId) -> None:
    service = psk_service(PskConfig("both", SECRET, (LEFT, RIGHT)))

    proof = service.sign_auth(sign_effect(identity=RIGHT, peer=LEFT, prf=prf))
    proven = service.verify_auth(verify_effect(auth=proof.auth, prf=prf))

    assert proof.certs == ()
    assert proven == PeerAuthenticated("site", RIGHT, "PSK", Proof(psk_identity=RIGHT))


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
