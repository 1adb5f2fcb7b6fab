"""The arithmetic of MSCHAPv2, by the values of RFC 2759 §9.2 and RFC 3079 §3.5.3."""

from __future__ import annotations

from ikepy.auth.eap.mschap import authenticator_response, challenge_hash, derive_msk, nt_response
from ikepy.crypto.password import nt_hash
from tests.support.vectors import load_json, needs_vectors

NAME, PASSWORD = "User", "clientPass"
THEIRS = bytes.fromhex("5B5D7C7D7B3F2F3E3C2C602132262628")
OURS = bytes.fromhex("21402324255E262A28295F2B3A337C7E")
HASH = nt_hash(PASSWORD)
RESPONSE = bytes.fromhex("82309ECD8D708B5EA08FAA3981CD83544233114A3D85D6DF")


def test_the_values_of_rfc_2759() -> None:
    assert HASH.reveal().hex() == "44ebba8d5312b8d611474411f56989ae"
    assert challenge_hash(THEIRS, OURS, NAME).hex() == "d02e4386bce91226"
    assert nt_response(THEIRS, OURS, NAME, HASH) == RESPONSE
    proof = authenticator_response(HASH, RESPONSE, OURS, THEIRS, NAME)
    assert proof == b"S=407A5589115FD0D6209F510FE9C04566932CDA56"


def test_the_key_is_the_servers_receive_key_and_its_send_key_of_rfc_3079() -> None:
    # RFC 3079 §3.5.3 has the server's send key; the receive key is made likewise, with the other constant.
    msk = derive_msk(HASH, RESPONSE).reveal()
    assert msk[:16].hex() == "d5f0e9521e3ea9589645e86051c82226"
    assert msk[16:32].hex() == "8b7cdc149b993a1ba118cb153f56dccb"
    assert msk[32:] == bytes(32)
    assert len(msk) == 64


@needs_vectors
def test_the_shared_vectors() -> None:
    told = load_json("crypto/rfc2759-rfc3079-mschapv2.json")
    theirs, ours = (bytes.fromhex(told[key]) for key in ("authenticator_challenge", "peer_challenge"))
    name, hashed, expect = told["username"], nt_hash(told["password"]), told["expect"]
    response = nt_response(theirs, ours, name, hashed)
    assert hashed.reveal().hex() == expect["password_hash"]
    assert challenge_hash(theirs, ours, name).hex() == expect["challenge_hash"]
    assert response.hex() == expect["nt_response"]
    proof = authenticator_response(hashed, response, ours, theirs, name)
    assert proof.decode() == expect["authenticator_response"]
    assert derive_msk(hashed, response).reveal().hex() == expect["msk_rfc_eap_mschapv2"]


def test_a_domain_before_the_name_is_no_part_of_the_proof() -> None:
    assert challenge_hash(THEIRS, OURS, "CORP\\User") == challenge_hash(THEIRS, OURS, "User")
    assert challenge_hash(THEIRS, OURS, "User@corp") != challenge_hash(THEIRS, OURS, "User")


def test_a_name_that_is_no_utf_8_counts_as_it_came() -> None:
    name = b"us\xe9r".decode("utf-8", "surrogateescape")
    assert challenge_hash(THEIRS, OURS, name) not in {challenge_hash(THEIRS, OURS, other) for other in ("usér", "usr")}
