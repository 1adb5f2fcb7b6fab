"""The client of EAP: what it answers, whom it gives a password, and what it takes for a success."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ikepy.auth.eap.client import MOST_PACKETS, EapClient
from ikepy.ike.eap_turns import Accepted, ClientTurn, Denied, Ignored, Proved, Refused, Say
from ikepy.wire.eap import Eap
from ikepy.wire.registry import EapCode, EapType
from tests.support.eap_conversation import (
    GTC,
    MD5,
    MSCHAPV2,
    PASSWORD,
    converse,
    make_client,
    make_method,
    make_server,
)

IDENTITY, NAK, NOTIFICATION = EapType.IDENTITY, EapType.NAK, EapType.NOTIFICATION
WHO = Eap(EapCode.REQUEST, 0, bytes([IDENTITY]))


def request(kind: int, octets: bytes = b"", identifier: int = 1) -> Eap:
    return Eap(EapCode.REQUEST, identifier, bytes([kind]) + octets)


def said(turn: ClientTurn) -> bytes:
    assert isinstance(turn, Say)
    assert turn.packet.code is EapCode.RESPONSE
    return turn.packet.type_octets


def denied(turn: ClientTurn) -> str:
    assert isinstance(turn, Denied)
    return turn.reason


CHALLENGES = {
    MSCHAPV2: request(MSCHAPV2, b"\x01\x01\x00\x15\x10" + bytes(16)),
    GTC: request(GTC, b"Password: "),
    MD5: request(MD5, b"\x10" + bytes(16)),
}
kinds = pytest.mark.parametrize("kind", list(CHALLENGES), ids=str)


def test_the_identity_is_told_to_whoever_asks_and_as_often() -> None:
    client = make_client(name="CORP\\alice")
    assert said(client.receive(WHO)) == b"\x01CORP\\alice"
    assert said(client.receive(request(IDENTITY, b"Who?"))) == b"\x01CORP\\alice"


@kinds
def test_a_server_that_has_not_proved_itself_gets_nothing_of_a_password(kind: EapType) -> None:
    client = make_client(kind, server_proved=False)
    said(client.receive(WHO))
    reason = denied(client.receive(CHALLENGES[kind]))
    assert "not proved itself" in reason
    assert isinstance(client.receive(CHALLENGES[kind]), Ignored)


@kinds
def test_such_a_server_is_asked_for_a_method_that_proves_it_where_there_is_one(kind: EapType) -> None:
    class Tls:
        TYPE = EapType.TLS
        is_done = False
        msk = None
        fault = None

        def respond(self, octets: bytes) -> bytes:
            return b"hello"

    client = EapClient("alice", [make_method(kind, "alice"), Tls()], server_proved=False)
    assert said(client.receive(CHALLENGES[kind])) == bytes([NAK, EapType.TLS])
    assert said(client.receive(request(EapType.TLS, b" ", 2))) == bytes([EapType.TLS]) + b"hello"


@kinds
def test_a_method_that_the_configuration_does_not_name_is_declined(kind: EapType) -> None:
    other = MSCHAPV2 if kind is not MSCHAPV2 else GTC
    client = make_client(other)
    assert said(client.receive(CHALLENGES[kind])) == bytes([NAK, other])
    assert isinstance(client.receive(Eap(EapCode.SUCCESS, 1)), Ignored)


def test_a_nak_names_all_that_is_configured_in_its_order() -> None:
    assert said(make_client(MSCHAPV2, GTC).receive(request(EapType.TLS, b" "))) == bytes([NAK, MSCHAPV2, GTC])
    assert said(make_client(MSCHAPV2).receive(request(EapType.EXPANDED, bytes(7)))) == bytes([NAK, MSCHAPV2])


def test_a_client_without_methods_says_so() -> None:
    client = EapClient("alice", [], server_proved=True)
    assert "configured" in denied(client.receive(CHALLENGES[GTC]))


def test_a_server_without_anything_of_ours_ends_the_conversation() -> None:
    talk = converse(make_server(MSCHAPV2), make_client(GTC))
    assert isinstance(talk.server, Refused)
    assert isinstance(talk.client, Denied)


@pytest.mark.parametrize("shift", [0, 1, 255])
def test_a_success_before_the_method_is_through_is_none(shift: int) -> None:
    # CVE-2021-45079.
    server, client = make_server(), make_client()

    def disturb(packet: Eap) -> None:
        if packet.code is EapCode.RESPONSE and packet.type_octets != b"\x1a\x03":
            early = Eap(EapCode.SUCCESS, (packet.identifier + shift) & 0xFF)
            assert isinstance(client.receive(early), Ignored)

    assert isinstance(client.receive(Eap(EapCode.SUCCESS, 0)), Ignored)
    talk = converse(server, client, listen=disturb)
    assert isinstance(talk.server, Proved)
    assert isinstance(talk.client, Accepted)


def test_a_success_to_a_method_that_derives_no_key_needs_the_method_too() -> None:
    client = make_client(GTC)
    assert isinstance(client.receive(Eap(EapCode.SUCCESS, 1)), Ignored)
    assert said(client.receive(CHALLENGES[GTC])) == b"\x06" + PASSWORD.encode()
    assert client.receive(Eap(EapCode.SUCCESS, 1)) == Accepted(GTC, None, proves_server=False)


@pytest.mark.parametrize("identifier", [1, 2])
def test_an_end_may_carry_the_next_identifier_as_some_servers_count(identifier: int) -> None:
    client = make_client(GTC)
    said(client.receive(CHALLENGES[GTC]))
    assert isinstance(client.receive(Eap(EapCode.SUCCESS, identifier)), Accepted)


@pytest.mark.parametrize("identifier", [0, 3, 255])
@pytest.mark.parametrize("code", [EapCode.SUCCESS, EapCode.FAILURE])
def test_an_end_that_follows_no_response_of_ours_changes_nothing(code: EapCode, identifier: int) -> None:
    client = make_client(GTC)
    assert isinstance(client.receive(Eap(code, identifier)), Ignored)
    said(client.receive(CHALLENGES[GTC]))
    assert isinstance(client.receive(Eap(code, identifier)), Ignored)
    assert isinstance(client.receive(Eap(EapCode.SUCCESS, 1)), Accepted)


def test_a_failure_in_turn_is_the_end() -> None:
    client = make_client()
    said(client.receive(WHO))
    assert "refuses us" in denied(client.receive(Eap(EapCode.FAILURE, 0)))
    for packet in (WHO, CHALLENGES[MSCHAPV2], Eap(EapCode.SUCCESS, 0)):
        assert isinstance(client.receive(packet), Ignored)


def test_the_methods_own_words_are_the_reason() -> None:
    talk = converse(make_server(), make_client(password="wrong"))
    assert isinstance(talk.client, Denied)
    assert "691" in talk.client.reason


def test_a_success_after_a_failure_inside_the_method_is_none() -> None:
    client = make_client()
    said(client.receive(CHALLENGES[MSCHAPV2]))
    assert said(client.receive(request(MSCHAPV2, b"\x04\x01\x00\x0dE=691 R=0", 2))) == b"\x1a\x04"
    assert isinstance(client.receive(Eap(EapCode.SUCCESS, 2)), Ignored)


def test_a_server_that_does_not_know_the_password_is_left() -> None:
    client = make_client()
    said(client.receive(CHALLENGES[MSCHAPV2]))
    proof = b"\x03\x01\x00\x2eS=" + b"0" * 40
    assert "does not prove" in denied(client.receive(request(MSCHAPV2, proof, 2)))
    assert isinstance(client.receive(Eap(EapCode.SUCCESS, 2)), Ignored)


@pytest.mark.parametrize("octets", [b"\x04\x01\x00\x04", b"\x04\x01\x00\x0fE=691 R=0 C", b"\x04", b""])
def test_an_odd_mschapv2_failure_ends_the_conversation_and_nothing_worse(octets: bytes) -> None:
    # CVE-2025-62291.
    client = make_client()
    said(client.receive(CHALLENGES[MSCHAPV2]))
    denied(client.receive(request(MSCHAPV2, octets, 2)))


@kinds
def test_a_repeated_request_gets_the_same_octets_and_the_method_does_not_see_it(kind: EapType) -> None:
    client = make_client(kind)
    first = client.receive(CHALLENGES[kind])
    for _ in range(3):
        assert client.receive(CHALLENGES[kind]) == first
    if kind is not MSCHAPV2:
        assert isinstance(client.receive(Eap(EapCode.SUCCESS, 1)), Accepted)


def test_whole_conversations_with_every_request_twice_come_to_the_same() -> None:
    server, client = make_server(), make_client()
    answers: list[ClientTurn] = []

    def twice(packet: Eap) -> None:
        if packet.code is EapCode.REQUEST:
            answers.append(client.receive(packet))

    talk = converse(server, client, listen=twice)
    assert isinstance(talk.client, Accepted)
    assert len(answers) == 3


def test_another_request_with_the_same_identifier_changes_nothing() -> None:
    client = make_client(GTC)
    said(client.receive(request(GTC, b"Password: ")))
    assert isinstance(client.receive(request(GTC, b"Passphrase: ")), Ignored)
    assert isinstance(client.receive(Eap(EapCode.SUCCESS, 1)), Accepted)


def test_another_method_in_the_middle_changes_nothing() -> None:
    client = make_client(MSCHAPV2, GTC)
    said(client.receive(CHALLENGES[MSCHAPV2]))
    for number, kind in enumerate((GTC, IDENTITY, NAK, EapType.TLS), start=2):
        assert isinstance(client.receive(request(kind, b"x", number)), Ignored)


def test_a_second_prompt_is_the_end() -> None:
    client = make_client(GTC)
    said(client.receive(CHALLENGES[GTC]))
    assert "again" in denied(client.receive(request(GTC, b"Password: ", 2)))


@pytest.mark.parametrize("code", [EapCode.RESPONSE, EapCode(0), EapCode(5)])
def test_what_no_server_says_changes_nothing(code: EapCode) -> None:
    assert isinstance(make_client().receive(Eap(code, 0, b"\x01")), Ignored)


def test_a_nak_from_a_server_changes_nothing() -> None:
    assert isinstance(make_client().receive(request(NAK, b"\x06")), Ignored)


def test_a_request_without_a_type_is_the_end() -> None:
    assert "without a type" in denied(make_client().receive(Eap(EapCode.REQUEST, 0)))


def test_notifications_are_acknowledged_and_kept_for_the_log() -> None:
    client = make_client()
    assert said(client.receive(request(NOTIFICATION, b"mind\nthe gap", 0))) == b"\x02"
    for number in range(1, 30):
        said(client.receive(request(NOTIFICATION, b"x", number)))
    assert client.notifications[0] == "mind the gap"
    assert len(client.notifications) == 8
    denied(client.receive(request(NOTIFICATION, b"x" * 2000, 99)))


def test_a_server_that_never_ends_is_left_at_a_bound() -> None:
    client = make_client()
    for number in range(MOST_PACKETS):
        said(client.receive(request(IDENTITY, b"", number & 0xFF)))
    assert "no end" in denied(client.receive(WHO))


def test_an_identity_that_nobody_takes_is_refused_where_the_client_is_made() -> None:
    with pytest.raises(ValueError, match="eap_id"):
        EapClient("a\nb", [], server_proved=True)


octets = st.binary(max_size=80) | st.sampled_from(
    [b"\x01", b"\x1a\x03", CHALLENGES[MSCHAPV2].type_octets, b"\x1a\x04\x01\x00\x0dE=691 R=0", b"\x02hi", b"\x06x", b""]
)


@given(st.lists(st.tuples(st.sampled_from([*EapCode, EapCode(9)]), st.integers(0, 3), octets), max_size=8))
def test_any_packets_never_make_a_success_of_mschapv2(packets: list[tuple[EapCode, int, bytes]]) -> None:
    client = make_client()
    for code, identifier, kind in packets:
        assert not isinstance(client.receive(Eap(code, identifier, kind)), Accepted)


@given(st.lists(st.tuples(st.sampled_from([*EapCode, EapCode(9)]), st.integers(0, 3), octets), max_size=8))
def test_any_packets_never_bring_a_password_out_to_a_server_that_has_not_proved_itself(
    packets: list[tuple[EapCode, int, bytes]],
) -> None:
    client = make_client(MSCHAPV2, GTC, MD5, server_proved=False)
    for code, identifier, kind in packets:
        turn = client.receive(Eap(code, identifier, kind))
        assert not isinstance(turn, Accepted)
        if isinstance(turn, Say):
            assert turn.packet.method in {IDENTITY, NOTIFICATION}
