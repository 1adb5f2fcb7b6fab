"""EAP-MSCHAPv2: both ends in memory, and every step that is not in its turn."""

from __future__ import annotations

import contextlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ikepy.auth.eap.method import Ask, EapError, Failed, Succeeded
from ikepy.auth.eap.mschapv2 import MsChapV2Client, MsChapV2Server
from ikepy.auth.eap.packets import (
    ChapAnswer,
    ChapChallenge,
    ChapFailure,
    ChapResponse,
    ChapSuccess,
    build_chap,
    parse_chap_reply,
    parse_chap_request,
)
from ikepy.auth.users import User
from ikepy.crypto.password import nt_hash
from tests.support.entropy import SeededEntropy, ToldEntropy

HASH = nt_hash("clientPass")
ALICE = User("alice", HASH)
THEIRS = bytes.fromhex("5B5D7C7D7B3F2F3E3C2C602132262628")
OURS = bytes.fromhex("21402324255E262A28295F2B3A337C7E")
SUCCESS, FAILURE = b"\x03", b"\x04"
CHANGE = b"\x07\x01\x02\x4a" + bytes(582)


def make_server(refusal: str = "", user: User = ALICE) -> MsChapV2Server:
    return MsChapV2Server(user, refusal, SeededEntropy(1))


def make_client(password: str = "clientPass", name: str = "alice") -> MsChapV2Client:
    return MsChapV2Client(name, nt_hash(password), SeededEntropy(2))


def asked(step: object) -> bytes:
    assert isinstance(step, Ask)
    return step.octets


def refused(server: MsChapV2Server, octets: bytes) -> None:
    with pytest.raises(EapError):
        server.respond(octets)


def test_the_octets_are_those_of_the_rfcs() -> None:
    server = MsChapV2Server(User("User", HASH), "", ToldEntropy(THEIRS), "gate")
    client = MsChapV2Client("User", HASH, ToldEntropy(OURS))
    server.hear_identifier(7)

    challenge = server.begin()
    response = client.respond(challenge)
    success = asked(server.respond(response))

    assert challenge.hex() == "01070019" + "10" + THEIRS.hex() + b"gate".hex()
    proof = "82309ecd8d708b5ea08faa3981cd83544233114a3d85d6df"
    assert response.hex() == "0207003a" + "31" + OURS.hex() + "00" * 8 + proof + "00" + b"User".hex()
    assert success == b"\x03\x07\x00\x38S=407A5589115FD0D6209F510FE9C04566932CDA56 M=Welcome"
    assert client.respond(success) == SUCCESS
    end = server.respond(SUCCESS)
    assert isinstance(end, Succeeded)
    assert end.identity == "User"
    assert end.msk == client.msk
    assert end.msk is not None
    assert end.msk.reveal().hex()[:64] == "d5f0e9521e3ea9589645e86051c822268b7cdc149b993a1ba118cb153f56dccb"
    assert end.msk.reveal()[32:] == bytes(32)


@pytest.mark.parametrize("name", ["alice", "CORP\\alice", "alice@corp.example", "Ålice", "x" * 256, ""])
def test_a_name_is_as_the_client_writes_it(name: str) -> None:
    server, client = make_server(), make_client(name=name)
    success = asked(server.respond(client.respond(server.begin())))
    assert server.respond(client.respond(success)) == Succeeded(client.msk, "alice")


@pytest.mark.parametrize(
    ("server", "password", "reason", "is_guess"),
    [
        (make_server(), "wrong", "wrong password of 'alice'", True),
        (make_server("the user is disabled"), "clientPass", "the user is disabled", False),
        (make_server("there is no such user"), "wrong", "there is no such user", True),
    ],
)
def test_who_may_not_come_in_gets_691_whatever_the_reason(
    server: MsChapV2Server, password: str, reason: str, is_guess: bool
) -> None:
    client = make_client(password)

    failure = asked(server.respond(client.respond(server.begin())))

    packet = parse_chap_request(failure)
    assert isinstance(packet, ChapFailure)
    assert (packet.error, packet.can_retry, packet.text) == (691, False, "Refused")
    assert client.respond(failure) == FAILURE
    assert not client.is_done
    assert client.msk is None
    assert client.fault is not None
    assert "691" in client.fault
    assert server.respond(FAILURE) == Failed(reason, is_guess)
    # A failure is the end, whatever else is tried (CVE-2015-8023).
    for octets in (SUCCESS, client_response(), b"", CHANGE):
        assert server.respond(octets) == Failed(reason, is_guess)


def client_response(password: str = "clientPass") -> bytes:
    """The right response to the server's challenge, whatever came before."""
    return make_client(password).respond(make_server().begin())


def test_right_and_wrong_are_equally_long_to_whoever_listens() -> None:
    lengths = set()
    for server in (make_server(), make_server("there is no such user"), make_server("the user is disabled")):
        lengths.add(len(asked(server.respond(client_response("wrong")))))
    assert len(lengths) == 1


@pytest.mark.parametrize("octets", [SUCCESS, FAILURE, b"", b"\x03\x01\x00\x04", b"\x01", b"\x02\x01\x00\x04"])
def test_a_success_before_the_response_is_none(octets: bytes) -> None:
    # CVE-2015-8023: the client says Success in the place of its Response.
    server = make_server()
    server.begin()
    refused(server, octets)
    refused(server, client_response())
    refused(server, SUCCESS)


def test_the_servers_success_must_be_acknowledged_by_a_success() -> None:
    def proved() -> MsChapV2Server:
        server = make_server()
        assert isinstance(server.respond(client_response()), Ask)
        return server

    end = proved().respond(FAILURE)
    assert isinstance(end, Failed)
    assert not end.is_guess
    refused(proved(), client_response())
    refused(proved(), b"")
    server = proved()
    assert isinstance(server.respond(SUCCESS), Succeeded)
    refused(server, SUCCESS)


def test_a_change_of_password_is_refused_and_nothing_else_breaks() -> None:
    server = make_server()
    server.begin()
    end = server.respond(CHANGE)
    assert isinstance(end, Failed)
    assert "ikepy user passwd" in end.reason
    assert not end.is_guess
    refused(server, client_response())


def test_a_response_with_another_identifier_is_refused() -> None:
    server = make_server()
    packet = parse_chap_reply(client_response())
    assert isinstance(packet, ChapResponse)
    refused(server, build_chap(replace(packet, identifier=packet.identifier ^ 1)))


def test_a_response_to_another_challenge_is_a_wrong_password() -> None:
    server = MsChapV2Server(ALICE, "", SeededEntropy(99))
    assert parse_chap_request(asked(server.respond(client_response()))) != ChapSuccess(1, b"")
    assert server.respond(SUCCESS) == Failed("wrong password of 'alice'", is_guess=True)


def test_a_server_without_the_hash_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="NT hash"):
        MsChapV2Server(User("bob"), "", SeededEntropy(1))


def test_a_server_that_does_not_know_the_password_gets_no_success() -> None:
    client, server = make_client(), make_server()
    client.respond(server.begin())
    with pytest.raises(EapError, match="does not prove"):
        client.respond(build_chap(ChapSuccess(1, b"S=" + b"0" * 40)))
    assert not client.is_done
    assert client.fault is not None
    with pytest.raises(EapError):
        client.respond(asked(server.respond(client_response())))
    assert client.msk is None


@pytest.mark.parametrize(
    "request_",
    [
        build_chap(ChapSuccess(1, b"S=" + b"0" * 40)),
        build_chap(ChapFailure(1, 691)),
        SUCCESS,
        b"",
        b"\x01\x01\x00\x04",
    ],
)
def test_a_client_begins_with_a_challenge_or_not_at_all(request_: bytes) -> None:
    client = make_client()
    with pytest.raises(EapError):
        client.respond(request_)
    with pytest.raises(EapError):
        client.respond(make_server().begin())
    assert not client.is_done
    assert client.fault is not None


def test_a_client_answers_one_challenge() -> None:
    client, server = make_client(), make_server()
    client.respond(server.begin())
    with pytest.raises(EapError):
        client.respond(build_chap(ChapChallenge(2, bytes(16))))


def test_a_client_that_is_done_takes_nothing_more() -> None:
    client, server = make_client(), make_server()
    success = asked(server.respond(client.respond(server.begin())))
    client.respond(success)
    assert client.is_done
    with pytest.raises(EapError):
        client.respond(success)
    assert client.msk is None


@pytest.mark.parametrize(("error", "meaning"), [(648, "expired"), (647, "disabled"), (691, "wrong"), (7, "own")])
def test_the_servers_reason_is_told_in_words(error: int, meaning: str) -> None:
    client = make_client()
    client.respond(make_server().begin())
    assert client.respond(build_chap(ChapFailure(1, error, can_retry=True, challenge=bytes(16)))) == FAILURE
    assert client.fault is not None
    assert meaning in client.fault
    assert str(error) in client.fault


@pytest.mark.parametrize("octets", [b"\x04\x01\x00\x04", b"\x04\x01\x00\x0fE=691 R=0 C", b"\x04\x01", b"\x04"])
def test_an_odd_failure_leaves_a_client_refused_and_nothing_worse(octets: bytes) -> None:
    # CVE-2025-62291.
    client = make_client()
    client.respond(make_server().begin())
    with pytest.raises(EapError):
        client.respond(octets)
    assert client.fault is not None
    assert not client.is_done


@given(st.lists(st.binary(max_size=90) | st.sampled_from([SUCCESS, FAILURE, CHANGE]), max_size=5))
def test_any_octets_bring_nobody_in(packets: list[bytes]) -> None:
    server, client = make_server(), make_client()
    server.begin()
    for octets in packets:
        with contextlib.suppress(EapError):
            assert isinstance(server.respond(octets), Ask | Failed)
        try:
            client.respond(octets)
        except EapError:
            assert client.fault is not None
        assert not client.is_done


@given(st.integers(0, 3), st.integers(0, 400))
def test_one_changed_bit_never_gives_two_different_keys(step: int, bit: int) -> None:
    def change(number: int, octets: bytes) -> bytes:
        place = bit // 8 % len(octets)
        return (
            octets[:place] + bytes([octets[place] ^ 1 << bit % 8]) + octets[place + 1 :] if number == step else octets
        )

    server, client = make_server(), make_client()
    try:
        response = client.respond(change(0, server.begin()))
        success = asked(server.respond(change(1, response)))
        end = server.respond(change(3, client.respond(change(2, success))))
    except EapError:
        return
    if isinstance(end, Succeeded):
        assert end.msk == client.msk
        assert client.is_done


def test_answers_are_what_they_are() -> None:
    assert build_chap(ChapAnswer(is_success=True)) == SUCCESS
    assert build_chap(ChapAnswer(is_success=False)) == FAILURE
