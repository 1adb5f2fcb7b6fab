"""MSCHAPv2 as TTLS carries it: in attributes, without EAP (RFC 5281 §11.2.4)."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ikepy.auth.eap.ttls_mschapv2 import Challenge, TtlsChapClient, check_response
from ikepy.crypto.password import nt_hash
from ikepy.wire.errors import InvalidSyntax
from tests.support.eap_users import (
    NAME,
    PASSWORD,
)

PEER_CHALLENGE = bytes(range(16))
CHALLENGE = Challenge(bytes(range(16, 32)), 7)


@given(st.binary(max_size=80))
def test_any_octets_are_no_response_or_a_wrong_one(octets: bytes) -> None:
    with contextlib.suppress(InvalidSyntax):
        assert check_response(CHALLENGE, NAME, nt_hash(PASSWORD), octets) is None


def test_a_response_is_50_octets_and_a_success_43() -> None:
    chap = TtlsChapClient(NAME, nt_hash(PASSWORD), PEER_CHALLENGE)
    response = chap.respond(CHALLENGE)
    assert len(response) == 50
    assert response[:2] == b"\x07\x00"
    assert response[2:18] == PEER_CHALLENGE
    assert response[18:26] == bytes(8)
    success = check_response(CHALLENGE, NAME, nt_hash(PASSWORD), response)
    assert success is not None
    assert len(success) == 43
    chap.take_success(success)
    assert chap.is_done


def test_nobody_has_the_password_of_a_user_without_an_nt_hash() -> None:
    response = TtlsChapClient(NAME, nt_hash(""), PEER_CHALLENGE).respond(CHALLENGE)
    assert check_response(CHALLENGE, NAME, None, response) is None


@given(st.binary(max_size=60))
def test_any_octets_are_no_proof_of_the_server(octets: bytes) -> None:
    chap = TtlsChapClient(NAME, nt_hash(PASSWORD), PEER_CHALLENGE)
    chap.respond(CHALLENGE)
    with pytest.raises(InvalidSyntax, match="does not prove"):
        chap.take_success(octets)
    assert not chap.is_done
