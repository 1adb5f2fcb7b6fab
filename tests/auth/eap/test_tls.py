from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ikepy.auth.eap.method import Ask, Failed
from ikepy.auth.eap.tls import EapTlsClient, EapTlsServer
from ikepy.auth.eap.tls_engine import TlsVersion
from ikepy.auth.eap.tls_records import TlsPacket, build_packet
from ikepy.auth.eap.tls_tunnel import MOST_MESSAGES, MOST_PACKETS
from tests.support.certificates import Issued
from tests.support.eap_talk import failed, succeeded, talk
from tests.support.eap_tls import (
    ALICE,
    GATE,
    MALLORY,
    SELF_SIGNED,
    SUB,
    VERSIONS,
    client_settings,
    server_settings,
)

both_versions = pytest.mark.parametrize("version", VERSIONS, ids=str)
EMPTY = b"\x00"


def make_server(version: TlsVersion = TlsVersion.TLS_1_3, size: int = 1024, own: Issued = GATE) -> EapTlsServer:
    return EapTlsServer(server_settings(version, own=own, asks_for_certificate=True), size)


def make_client(version: TlsVersion = TlsVersion.TLS_1_3, size: int = 1024, own: Issued = ALICE) -> EapTlsClient:
    return EapTlsClient(client_settings(version, own=own), size)


@both_versions
@pytest.mark.parametrize("size", [64, 200, 1024, 1400, 9000])
def test_both_ends_prove_themselves_and_have_one_key(version: TlsVersion, size: int) -> None:
    server, client = make_server(version, size), make_client(version, size)
    said = talk(server, client)
    assert succeeded(said, client).identity == "alice@example.com"
    assert server.peer_chain == (ALICE.der, SUB.der)
    assert said.longest <= size
    assert said.requests[0] == b"\x20"


@both_versions
def test_ends_that_cut_differently_understand_each_other(version: TlsVersion) -> None:
    client = make_client(version, 1400)
    succeeded(talk(make_server(version, 200), client), client)


@both_versions
@pytest.mark.parametrize("own", [MALLORY, SELF_SIGNED, GATE], ids=str)
def test_a_client_with_a_wrong_certificate_fails(version: TlsVersion, own: Issued) -> None:
    client = make_client(version, own=own)
    assert "certificate" in failed(talk(make_server(version), client), client).reason
    assert client.fault is not None
    assert "alert" in client.fault


@both_versions
@pytest.mark.parametrize("own", [MALLORY, SELF_SIGNED, ALICE], ids=str)
def test_a_server_with_a_wrong_certificate_gets_an_alert_and_nothing_of_the_client(
    version: TlsVersion, own: Issued
) -> None:
    client = make_client(version)
    said = talk(make_server(version, own=own), client)
    assert "alert" in failed(said, client).reason
    assert client.fault is not None
    assert ALICE.der not in b"".join(said.responses)
    assert len(said.responses[-1]) < 64


@both_versions
def test_a_success_before_the_end_finds_no_key(version: TlsVersion) -> None:
    server, client = make_server(version), make_client(version)
    keys = []

    def look(_: int, octets: bytes) -> bytes:
        keys.append(client.msk)
        return octets

    succeeded(talk(server, client, to_client=look), client)
    assert keys == [None] * len(keys)


def test_on_tls_1_3_the_key_waits_for_the_protected_success() -> None:
    server, client = make_server(), make_client()
    said = talk(server, client, to_client=lambda _, octets: octets)
    assert succeeded(said, client)

    # The server's last request held back, and replaced by nothing at all.
    server, client = make_server(), make_client()
    last = said.rounds - 1
    talk(server, client, to_client=lambda number, octets: EMPTY if number == last else octets)
    assert client.msk is None


@both_versions
def test_a_server_swapped_half_way_comes_to_nothing(version: TlsVersion) -> None:
    first, second, client = make_server(version), make_server(version), make_client(version)
    request, hello = first.begin(), b""
    for _ in range(2):
        hello = client.respond(request)
        step = first.respond(hello)
        assert isinstance(step, Ask)
        request = step.octets
    # Another server, with the same certificate, goes on where the first one stood.
    second.begin()
    step = second.respond(client.respond(request))
    assert not isinstance(step, Ask) or client.respond(step.octets) is not None
    assert client.msk is None


@both_versions
def test_a_start_half_way_is_a_fault(version: TlsVersion) -> None:
    server, client = make_server(version), make_client(version)
    talk(server, client, to_client=lambda number, octets: b"\x20" if number == 2 else octets)
    assert client.msk is None
    assert client.fault is not None
    assert "start" in client.fault


def test_a_conversation_that_does_not_begin_with_a_start_is_a_fault() -> None:
    client = make_client()
    assert client.respond(EMPTY) == EMPTY
    assert client.fault is not None
    assert client.respond(b"\x20") == EMPTY


def test_a_peer_that_never_finishes_is_left_after_a_bound() -> None:
    server = make_server()
    server.begin()
    steps = 0
    while isinstance(step := server.respond(EMPTY), Ask):
        steps += 1
        assert steps <= MOST_MESSAGES
    assert isinstance(step, Failed)

    server = make_server()
    server.begin()
    steps = 0
    fragment = build_packet(TlsPacket(b"x", 60000, more=True))
    while isinstance(server.respond(fragment), Ask):
        steps += 1
        assert steps <= MOST_PACKETS


def test_a_server_that_never_finishes_is_left_after_a_bound() -> None:
    client = make_client()
    client.respond(b"\x20")
    for _ in range(2 * MOST_PACKETS):
        client.respond(EMPTY)
    assert client.fault is not None
    assert client.msk is None


@given(st.lists(st.binary(max_size=80), max_size=6))
@settings(max_examples=40, deadline=None)
def test_any_octets_bring_no_key(packets: list[bytes]) -> None:
    server, client = make_server(), make_client()
    server.begin()
    for octets in packets:
        assert isinstance(server.respond(octets), Ask | Failed)
        client.respond(octets)
        assert client.msk is None


@both_versions
@given(st.integers(1, 5), st.booleans(), st.floats(0, 0.999), st.integers(0, 7))
@settings(max_examples=25, deadline=None)
def test_one_changed_bit_never_gives_two_different_keys(
    version: TlsVersion, when: int, upstream: bool, where: float, bit: int
) -> None:
    server, client = make_server(version), make_client(version)

    def change(number: int, octets: bytes) -> bytes:
        if number != when or len(octets) < 2:
            return octets
        place = 1 + int(where * (len(octets) - 1))
        return octets[:place] + bytes([octets[place] ^ 1 << bit]) + octets[place + 1 :]

    said = talk(server, client, **{"to_server" if upstream else "to_client": change})
    if not isinstance(said.end, Failed) and client.msk is not None:
        assert said.end.msk == client.msk


def test_ends_without_what_they_need_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="everybody in"):
        EapTlsServer(server_settings())
    with pytest.raises(ValueError, match="certificate of our own"):
        EapTlsClient(client_settings())
