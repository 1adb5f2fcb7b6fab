"""EAP-GTC: the password itself, once."""

from __future__ import annotations

import pytest

from ikepy.auth.eap.gtc import GtcClient, GtcServer
from ikepy.auth.eap.method import EapError, Failed, Succeeded
from ikepy.auth.users import User, verify_password
from ikepy.crypto.password import nt_hash
from ikepy.crypto.secret import Secret

ALICE = User("alice", nt_hash("sesame"))


def make_server(refusal: str = "") -> GtcServer:
    return GtcServer(ALICE, refusal, verify_password)


def make_client(password: bytes = b"sesame") -> GtcClient:
    return GtcClient(Secret(password))


def test_the_right_password_comes_in_without_a_key() -> None:
    server, client = make_server(), make_client()
    assert server.respond(client.respond(server.begin())) == Succeeded(None, "alice")
    assert client.is_done
    assert client.msk is None
    assert client.fault is None


@pytest.mark.parametrize(
    ("refusal", "password", "end"),
    [
        ("", b"Sesame", Failed("wrong password of 'alice'", is_guess=True)),
        ("the user is disabled", b"sesame", Failed("the user is disabled")),
        ("there is no such user", b"x", Failed("there is no such user", is_guess=True)),
    ],
)
def test_who_may_not_come_in_fails(refusal: str, password: bytes, end: Failed) -> None:
    server = make_server(refusal)
    assert server.respond(make_client(password).respond(server.begin())) == end
    with pytest.raises(EapError):
        server.respond(b"sesame")


@pytest.mark.parametrize("octets", [b"", b"x" * 1025])
def test_no_password_and_a_huge_one_are_refused_and_there_is_no_second(octets: bytes) -> None:
    server = make_server()
    with pytest.raises(EapError):
        server.respond(octets)
    with pytest.raises(EapError):
        server.respond(b"sesame")


def test_a_client_gives_the_password_once() -> None:
    client = make_client()
    assert client.respond(b"Password") == b"sesame"
    for _ in range(2):
        with pytest.raises(EapError):
            client.respond(b"again")
        assert not client.is_done
        assert client.fault is not None


def test_a_client_gives_nothing_to_an_endless_prompt() -> None:
    client = make_client()
    for octets in (b"x" * 2000, b"Password"):
        with pytest.raises(EapError):
            client.respond(octets)
    assert not client.is_done


@pytest.mark.parametrize("password", [b"", b"x" * 1025])
def test_a_client_without_a_password_cannot_be_made(password: bytes) -> None:
    with pytest.raises(ValueError, match="1 to 1024"):
        make_client(password)
