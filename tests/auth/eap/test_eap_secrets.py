"""Passwords, hashes and keys print nowhere: not in what the objects show, nor in what is told."""

from __future__ import annotations

import traceback

import pytest

from ikepy.auth.eap.method import EapError
from ikepy.auth.eap.packets import ChapResponse, ChapSuccess, Md5Value, parse_password
from ikepy.crypto.password import nt_hash
from ikepy.ike.eap_turns import Accepted, Proved
from ikepy.wire.registry import EapType
from tests.support.eap_conversation import (
    GTC,
    MD5,
    MSCHAPV2,
    PASSWORD,
    Conversation,
    converse,
    make_client,
    make_method,
    make_server,
)

HASH = nt_hash(PASSWORD).reveal()


def forms(octets: bytes) -> set[str]:
    """How octets would look if they were printed."""
    return {octets.hex(), octets.hex().upper(), repr(octets)[2:-1], octets.decode("utf-8", "replace")}


def shown(*things: object) -> str:
    return "\n".join(f"{thing!r} {thing!s} {thing}" for thing in things)


def outcomes(kind: EapType, password: str = PASSWORD) -> tuple[Conversation, str]:
    server, client = make_server(kind), make_client(kind, name="carol", password=password)
    said = converse(server, client)
    return said, shown(server, client, said.server, said.client, make_method(kind, "carol", password))


@pytest.mark.parametrize("kind", [MSCHAPV2, GTC, MD5])
@pytest.mark.parametrize("password", [PASSWORD, "geheim-aber-falsch"])
def test_what_an_authentication_comes_to_shows_no_secret(kind: EapType, password: str) -> None:
    said, text = outcomes(kind, password)
    secrets = forms(PASSWORD.encode()) | forms(password.encode()) | forms(HASH)
    if isinstance(said.server, Proved) and said.server.msk is not None:
        assert isinstance(said.client, Accepted)
        secrets |= forms(said.server.msk.reveal()) | forms(said.server.msk.reveal()[:16])
        assert "Secret(64 octets)" in text
    for secret in secrets:
        assert secret not in text


def test_what_passwords_are_guessed_from_does_not_print() -> None:
    octets = b"guess-me-16-long"
    packets = ChapResponse(1, octets, octets + bytes(8)), ChapSuccess(1, octets), Md5Value(octets)
    for form in forms(octets):
        assert form not in shown(*packets)


def test_an_error_holds_numbers_and_no_octets() -> None:
    password = PASSWORD.encode() * 100
    with pytest.raises(EapError) as caught:
        parse_password(password)
    assert PASSWORD not in "".join(traceback.format_exception(caught.value))
