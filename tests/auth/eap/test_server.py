"""The server of EAP: Identity, a method, NAKs, the end, and whatever comes out of turn."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ikepy.auth.eap.client import EapClient
from ikepy.auth.eap.server import MOST_PACKETS, EapServer
from ikepy.ike.eap_turns import Accepted, Denied, Ignored, Proved, Refused, Say, ServerTurn
from ikepy.wire.eap import Eap
from ikepy.wire.registry import EapCode, EapType
from tests.support.eap_conversation import (
    GTC,
    MD5,
    MSCHAPV2,
    converse,
    make_client,
    make_server,
)

IDENTITY, NAK = EapType.IDENTITY, EapType.NAK
SUCCESS_ANSWER = b"\x1a\x03"


def reply(turn: ServerTurn, octets: bytes, *, shift: int = 0) -> Eap:
    """A response to what the server asked."""
    assert isinstance(turn, Say)
    return Eap(EapCode.RESPONSE, (turn.packet.identifier + shift) & 0xFF, octets)


def identify(server: EapServer, name: bytes = b"alice") -> Say:
    turn = server.receive(reply(server.begin(), bytes([IDENTITY]) + name))
    assert isinstance(turn, Say)
    return turn


def refused(turn: ServerTurn) -> Refused:
    assert isinstance(turn, Refused)
    assert turn.packet.code is EapCode.FAILURE
    assert turn.packet.type_octets == b""
    return turn


@pytest.mark.parametrize(("kind", "user"), [(MSCHAPV2, "alice"), (GTC, "alice"), (MD5, "carol"), (GTC, "carol")])
def test_a_user_comes_in_by_each_method_and_both_ends_have_one_key(kind: EapType, user: str) -> None:
    said = converse(make_server(kind), make_client(kind, name=user))

    assert isinstance(said.server, Proved)
    assert isinstance(said.client, Accepted)
    assert (said.server.user, said.server.claimed, said.server.method) == (user, user, kind)
    assert said.server.msk == said.client.msk
    assert (said.server.msk is not None) is (kind is MSCHAPV2)
    assert not said.server.proves_server
    assert not said.client.proves_server
    assert said.packets[-1].code is EapCode.SUCCESS
    # RFC 3748 §4.2: the success has the identifier of the response before it.
    assert said.packets[-1].identifier == said.packets[-2].identifier
    identifiers = [packet.identifier for packet in said.packets[:-1:2]]
    assert identifiers == list(range(len(identifiers)))


@pytest.mark.parametrize("kind", [MSCHAPV2, GTC])
@pytest.mark.parametrize(("name", "user"), [("CORP\\alice", "alice"), ("alice", "alice")])
def test_the_user_is_the_one_of_the_entry_whatever_the_client_writes(kind: EapType, name: str, user: str) -> None:
    said = converse(make_server(kind), make_client(kind, name=name))
    assert isinstance(said.server, Proved)
    assert (said.server.user, said.server.claimed) == (user, name)


@pytest.mark.parametrize(
    ("name", "password", "reason", "is_guess"),
    [
        ("alice", "wrong", "wrong password of 'alice'", True),
        ("mallory", "wrong", "there is no such user", True),
        ("bob", "Grün-und-geheim", "the user is disabled", False),
        ("dave", "Grün-und-geheim", "the user expired 2026-05-08", False),
    ],
)
@pytest.mark.parametrize("kind", [MSCHAPV2, GTC])
def test_who_may_not_come_in_gets_a_failure(
    kind: EapType, name: str, password: str, reason: str, is_guess: bool
) -> None:
    said = converse(make_server(kind), make_client(kind, name=name, password=password))
    assert refused(said.server) == Refused(said.packets[-1], reason, name, kind, is_guess)
    assert isinstance(said.client, Denied)


@pytest.mark.parametrize("kind", [MSCHAPV2, GTC, MD5])
def test_a_client_cannot_tell_who_exists(kind: EapType) -> None:
    seen = set()
    for name in ("alice", "bob", "carol", "dave", "mallory", "CORP\\mallory", "nobody@nowhere"):
        said = converse(make_server(kind), make_client(kind, name=name, password="wrong"))
        refused(said.server)
        heard = [packet for packet in said.packets[::2] if packet.code is EapCode.REQUEST]
        if name == "carol" or kind is not MD5:
            seen.add(tuple((packet.identifier, len(packet.type_octets), packet.type_octets[:1]) for packet in heard))
    assert len(seen) == 1


def test_a_name_that_is_known_is_not_asked_for() -> None:
    said = converse(make_server(name="alice"), make_client())
    assert isinstance(said.server, Proved)
    assert said.types()[0] is MSCHAPV2
    assert said.packets[0].identifier == 1


def test_nothing_on_offer_is_a_failure_at_once() -> None:
    assert "on offer" in refused(EapServer(lambda _: (), "alice").begin()).reason
    server = EapServer(lambda _: ())
    assert "on offer" in refused(server.receive(reply(server.begin(), b"\x01alice"))).reason


def test_an_authentication_begins_once() -> None:
    server = make_server()
    assert isinstance(server.receive(Eap(EapCode.RESPONSE, 0, b"\x01alice")), Ignored)
    server.begin()
    with pytest.raises(RuntimeError):
        server.begin()


def test_a_nak_gets_what_it_asks_for_where_it_is_on_offer() -> None:
    said = converse(make_server(MSCHAPV2, GTC), make_client(GTC))
    assert isinstance(said.server, Proved)
    assert said.types()[:3] == [IDENTITY, MSCHAPV2, GTC]


def test_the_servers_order_counts_and_not_the_naks() -> None:
    server = make_server(MSCHAPV2, GTC, MD5)
    first = identify(server, b"carol")
    assert first.packet.method is MSCHAPV2
    second = server.receive(reply(first, bytes([NAK, MD5, GTC])))
    assert isinstance(second, Say)
    assert second.packet.method is GTC


@pytest.mark.parametrize(
    "octets", [bytes([NAK, 0]), bytes([NAK, EapType.TLS]), bytes([NAK, MSCHAPV2]), bytes([NAK]), bytes([NAK] * 40)]
)
def test_a_nak_for_what_is_not_on_offer_is_the_end(octets: bytes) -> None:
    server = make_server(MSCHAPV2)
    turn = refused(server.receive(reply(identify(server), octets)))
    assert turn.method is MSCHAPV2
    assert turn.claimed == "alice"
    assert turn.packet.identifier == 1  # of the response before it (RFC 3748 §4.2)
    assert not turn.is_guess


def test_naks_come_to_an_end() -> None:
    server = make_server(MSCHAPV2, GTC, MD5)
    turn: ServerTurn = identify(server, b"carol")
    for kind in (GTC, MD5):
        turn = server.receive(reply(turn, bytes([NAK, kind])))
        assert isinstance(turn, Say)
    refused(server.receive(reply(turn, bytes([NAK, MSCHAPV2]))))


def test_md5_is_not_to_be_had_by_a_nak_where_it_is_not_named() -> None:
    server = make_server(MSCHAPV2, GTC)
    refused(server.receive(reply(identify(server, b"carol"), bytes([NAK, MD5]))))


def test_a_nak_in_the_middle_of_a_method_changes_nothing() -> None:
    server, client = make_server(MSCHAPV2, GTC), make_client()
    challenge = identify(server)
    client.receive(server_identity(client))
    response = client.receive(challenge.packet)
    assert isinstance(response, Say)
    success = server.receive(response.packet)
    assert isinstance(server.receive(reply(success, bytes([NAK, GTC]))), Ignored)
    assert isinstance(server.receive(reply(success, SUCCESS_ANSWER)), Proved)


def server_identity(client: EapClient) -> Eap:
    """An Identity request, which the client is to answer first."""
    return Eap(EapCode.REQUEST, 0, bytes([IDENTITY]))


@pytest.mark.parametrize("code", [EapCode.REQUEST, EapCode.SUCCESS, EapCode.FAILURE, EapCode(5), EapCode(0)])
def test_what_only_servers_say_changes_nothing(code: EapCode) -> None:
    server, client = make_server(), make_client()

    def disturb(packet: Eap) -> None:
        if server.outstanding is not None:
            assert isinstance(server.receive(Eap(code, server.outstanding.identifier, b"\x1a\x03")), Ignored)

    said = converse(server, client, listen=disturb)
    assert isinstance(said.server, Proved)


@pytest.mark.parametrize("shift", [1, 2, 127, 255])
def test_a_response_with_another_identifier_changes_nothing(shift: int) -> None:
    server, client = make_server(), make_client()

    def disturb(packet: Eap) -> None:
        wanted = server.outstanding
        if wanted is not None:
            for octets in (b"\x1a\x03", b"\x01mallory", b"\x03\x06", b""):
                assert isinstance(server.receive(reply(Say(wanted), octets, shift=shift)), Ignored)
            assert server.outstanding == wanted

    assert isinstance(converse(server, client, listen=disturb).server, Proved)


def test_a_repeated_response_changes_nothing() -> None:
    server, client = make_server(), make_client()
    turn: ServerTurn = server.begin()
    while isinstance(turn, Say):
        response = client.receive(turn.packet)
        assert isinstance(response, Say)
        turn = server.receive(response.packet)
        assert isinstance(server.receive(response.packet), Ignored)
    assert isinstance(turn, Proved)
    assert server.outstanding is None


def test_another_type_in_the_middle_changes_nothing() -> None:
    server = make_server(MSCHAPV2)
    challenge = identify(server)
    for octets in (b"\x01mallory", b"\x02", b"\x06password", b"\xfe" + bytes(7)):
        assert isinstance(server.receive(reply(challenge, octets)), Ignored)
    assert server.outstanding == challenge.packet
    assert server.claimed == "alice"


def test_a_method_before_the_identity_changes_nothing() -> None:
    server = make_server()
    first = server.begin()
    for octets in (SUCCESS_ANSWER, bytes([NAK, MSCHAPV2]), b"\x06password"):
        assert isinstance(server.receive(reply(first, octets)), Ignored)
    assert server.claimed is None


def test_a_success_in_the_place_of_the_response_is_a_failure() -> None:
    # CVE-2015-8023.
    server = make_server()
    turn = refused(server.receive(reply(identify(server), SUCCESS_ANSWER)))
    assert "out of turn" in turn.reason
    assert isinstance(server.receive(Eap(EapCode.RESPONSE, turn.packet.identifier, SUCCESS_ANSWER)), Ignored)


@pytest.mark.parametrize("octets", [b"", b"\x1a", b"\x1a\x02\x01\x00\x05\x31", b"\x1a\x04"])
def test_what_cannot_be_read_is_a_failure(octets: bytes) -> None:
    server = make_server()
    refused(server.receive(reply(identify(server), octets)))


@pytest.mark.parametrize("name", [b"a\nb", b"\xff\xfe", b"x" * 300, b"al\0ice"])
def test_a_name_that_cannot_stand_in_a_log_is_a_failure(name: bytes) -> None:
    server = make_server()
    turn = refused(server.receive(reply(server.begin(), b"\x01" + name)))
    assert turn.reason.isprintable()
    assert turn.claimed is None


def test_a_client_that_does_not_tell_its_name_is_asked_as_others_are() -> None:
    assert identify(make_server(), b"").packet.method is MSCHAPV2


@pytest.mark.parametrize("shift", [0, 1])
def test_nothing_brings_a_refused_client_back(shift: int) -> None:
    server = make_server()
    said = converse(server, make_client(password="wrong"))
    refused(said.server)
    for code in EapCode:
        for octets in (SUCCESS_ANSWER, b"\x01alice", b""):
            assert isinstance(server.receive(Eap(code, said.packets[-1].identifier + shift, octets)), Ignored)


def test_a_client_that_never_ends_is_refused_at_a_bound() -> None:
    server = make_server()
    first = server.begin()
    for _ in range(MOST_PACKETS):
        assert isinstance(server.receive(reply(first, b"\x01x", shift=1)), Ignored)
    assert "no end" in refused(server.receive(reply(first, b"\x01alice"))).reason


octets = st.binary(max_size=80) | st.sampled_from(
    [b"\x01alice", b"\x1a\x03", b"\x1a\x04", b"\x03\x06", b"\x03\x1a", b"\x06no", b"\x02", b""]
)


@given(st.lists(st.tuples(st.sampled_from([*EapCode, EapCode(9)]), st.integers(-1, 1), octets), max_size=8))
def test_any_packets_bring_nobody_in(packets: list[tuple[EapCode, int, bytes]]) -> None:
    server = make_server(MSCHAPV2, GTC)
    server.begin()
    identifier = 0
    for code, shift, kind in packets:
        turn = server.receive(Eap(code, (identifier + shift) & 0xFF, kind))
        assert not isinstance(turn, Proved)
        if isinstance(turn, Say):
            assert turn.packet.identifier != identifier
            identifier = turn.packet.identifier
