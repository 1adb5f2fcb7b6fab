"""EAP-MD5, with the identifier of the packet that carries it."""

from __future__ import annotations

import hashlib

import pytest

from ikepy.auth.eap.md5 import Md5Client, Md5Server
from ikepy.auth.eap.method import EapError, Failed, Succeeded
from ikepy.auth.users import User
from ikepy.crypto.secret import Secret
from tests.support.entropy import SeededEntropy, ToldEntropy

ALICE = User("alice", plain=Secret(b"sesame"))


def make_server(refusal: str = "") -> Md5Server:
    server = Md5Server(ALICE, refusal, SeededEntropy(1))
    server.hear_identifier(9)
    return server


def make_client(password: bytes = b"sesame", identifier: int = 9) -> Md5Client:
    client = Md5Client("alice", Secret(password))
    client.hear_identifier(identifier)
    return client


def test_the_octets_are_those_of_rfc_1994() -> None:
    server, client = Md5Server(ALICE, "", ToldEntropy(bytes(range(16))), "gate"), make_client(identifier=3)
    server.hear_identifier(3)
    assert server.begin() == b"\x10" + bytes(range(16)) + b"gate"
    digest = hashlib.md5(b"\x03sesame" + bytes(range(16))).digest()
    assert client.respond(server.begin()) == b"\x10" + digest + b"alice"


def test_the_right_password_comes_in_without_a_key() -> None:
    server, client = make_server(), make_client()
    assert server.respond(client.respond(server.begin())) == Succeeded(None, "alice")
    assert client.is_done
    assert (client.msk, client.fault) == (None, None)


@pytest.mark.parametrize(
    ("refusal", "client", "end"),
    [
        ("", make_client(b"Sesame"), Failed("wrong password of 'alice'", is_guess=True)),
        ("", make_client(identifier=8), Failed("wrong password of 'alice'", is_guess=True)),
        ("the user is disabled", make_client(), Failed("the user is disabled")),
        ("there is no such user", make_client(b"x"), Failed("there is no such user", is_guess=True)),
    ],
)
def test_who_may_not_come_in_fails(refusal: str, client: Md5Client, end: Failed) -> None:
    server = make_server(refusal)
    assert server.respond(client.respond(server.begin())) == end
    with pytest.raises(EapError):
        server.respond(make_client().respond(server.begin()))


@pytest.mark.parametrize("octets", [b"", b"\x10" + bytes(15), b"\x00"])
def test_what_is_no_answer_is_refused_and_there_is_no_second(octets: bytes) -> None:
    server = make_server()
    with pytest.raises(EapError):
        server.respond(octets)
    with pytest.raises(EapError):
        server.respond(make_client().respond(server.begin()))


@pytest.mark.parametrize("first", [b"\x10" + bytes(16), b"\x0f" + bytes(15), b""])
def test_a_client_answers_one_challenge(first: bytes) -> None:
    client = make_client()
    if len(first) == 17:
        client.respond(first)
    else:
        with pytest.raises(EapError):
            client.respond(first)
    with pytest.raises(EapError):
        client.respond(b"\x10" + bytes(16))
    assert not client.is_done
    assert client.fault is not None


def test_a_server_without_the_password_itself_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="password itself"):
        Md5Server(User("bob"), "", SeededEntropy(1))
