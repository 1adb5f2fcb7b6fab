from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from OpenSSL import SSL

from ikepy.auth.eap.tls_engine import PeerRefused, TlsEngine, TlsFault, TlsSettings, TlsVersion
from tests.support.certificates import EXPIRED, Issued, make
from tests.support.eap_tls import (
    ALICE,
    GATE,
    MALLORY,
    OTHER_ROOT,
    ROOT,
    SELF_SIGNED,
    SUB,
    VERSIONS,
    client_settings,
    server_settings,
)

both_versions = pytest.mark.parametrize("version", VERSIONS, ids=str)


def shake_hands(client: TlsEngine, server: TlsEngine) -> None:
    client.begin()
    for _ in range(4):
        server.feed(client.take())
        client.feed(server.take())


def pair(version: TlsVersion, **server: object) -> tuple[TlsEngine, TlsEngine]:
    return (
        TlsEngine(client_settings(version, own=ALICE), is_server=False),
        TlsEngine(server_settings(version, asks_for_certificate=True, **server), is_server=True),
    )


@both_versions
def test_both_ends_agree_on_keys_and_know_each_other(version: TlsVersion) -> None:
    client, server = pair(version)
    shake_hands(client, server)
    assert client.is_established
    assert server.is_established
    assert client.version is server.version is version
    assert client.peer_identity == "gate.example.com"
    assert server.peer_identity == "alice@example.com"
    assert client.peer_chain == (GATE.der, SUB.der)
    assert server.peer_chain == (ALICE.der, SUB.der)
    for context in (None, b"", b"\x0d"):
        assert client.export(b"label", 64, context) == server.export(b"label", 64, context)


def test_no_context_and_an_empty_one_differ_on_tls_1_2_and_do_not_on_tls_1_3() -> None:
    for version in VERSIONS:
        client, server = pair(version)
        shake_hands(client, server)
        same = client.export(b"label", 64, None) == client.export(b"label", 64, b"")
        assert same is (version is TlsVersion.TLS_1_3)


@both_versions
def test_application_data_goes_both_ways(version: TlsVersion) -> None:
    client, server = pair(version)
    shake_hands(client, server)
    client.write(b"ping")
    assert server.feed(client.take()) == b"ping"
    server.write(b"pong")
    assert client.feed(server.take()) == b"pong"


@both_versions
@pytest.mark.parametrize("own", [MALLORY, SELF_SIGNED, ALICE, make("CN=gate.example.com", SUB)], ids=str)
def test_a_client_believes_no_server_of_another_authority_or_name(version: TlsVersion, own: Issued) -> None:
    client = TlsEngine(client_settings(version), is_server=False)
    server = TlsEngine(server_settings(version, own=own), is_server=True)
    with pytest.raises(PeerRefused):
        shake_hands(client, server)
    assert not client.is_established
    assert client.peer_identity is None
    with pytest.raises(TlsFault, match="alert"):
        server.feed(client.take())


@both_versions
@pytest.mark.parametrize("own", [MALLORY, SELF_SIGNED, GATE], ids=str)
def test_a_server_believes_no_client_of_another_authority_or_purpose(version: TlsVersion, own: Issued) -> None:
    client = TlsEngine(client_settings(version, own=own), is_server=False)
    server = TlsEngine(server_settings(version, asks_for_certificate=True), is_server=True)
    with pytest.raises(PeerRefused):
        shake_hands(client, server)
    assert not server.is_established
    with pytest.raises(TlsFault, match="alert"):
        client.feed(server.take())


@both_versions
def test_a_client_without_a_certificate_is_refused_where_one_is_asked_for(version: TlsVersion) -> None:
    client = TlsEngine(client_settings(version), is_server=False)
    server = TlsEngine(server_settings(version, asks_for_certificate=True), is_server=True)
    with pytest.raises(TlsFault, match="did not return a certificate"):
        shake_hands(client, server)


def test_an_expired_server_is_refused_by_the_injected_clock() -> None:
    own = make("CN=gate", SUB, alt_names=("dns:gate.example.com",), valid=EXPIRED)
    client = TlsEngine(client_settings(), is_server=False)
    with pytest.raises(PeerRefused, match="expired 2025"):
        shake_hands(client, TlsEngine(server_settings(own=own), is_server=True))


def test_a_self_signed_certificate_that_is_not_an_anchor_is_refused_whatever_it_names() -> None:
    for version in VERSIONS:
        client = TlsEngine(client_settings(version, anchor=OTHER_ROOT), is_server=False)
        with pytest.raises(PeerRefused):
            shake_hands(client, TlsEngine(server_settings(version, own=SELF_SIGNED), is_server=True))


def test_older_tls_is_not_spoken() -> None:
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_min_proto_version(SSL.TLS1_1_VERSION)
    context.set_max_proto_version(SSL.TLS1_1_VERSION)
    context.set_cipher_list(b"ALL:@SECLEVEL=0")
    old = SSL.Connection(context, None)
    old.set_connect_state()
    with pytest.raises(SSL.WantReadError):
        old.do_handshake()
    server = TlsEngine(server_settings(), is_server=True)
    with pytest.raises(TlsFault, match=r"unsupported protocol|no cipher"):
        server.feed(old.bio_read(1 << 14))


@both_versions
def test_nothing_is_resumed(version: TlsVersion) -> None:
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_max_proto_version(version)
    sessions = []
    for _ in range(2):
        client, server = SSL.Connection(context, None), TlsEngine(server_settings(version), is_server=True)
        client.set_connect_state()
        if sessions:
            client.set_session(sessions[0])
        for _ in range(3):
            try:
                client.do_handshake()
                client.recv(1)
            except SSL.WantReadError:
                pass
            try:
                server.feed(client.bio_read(1 << 16))
            except SSL.WantReadError:
                break
            octets = server.take()
            if octets:
                client.bio_write(octets)
        assert server.is_established
        # A whole handshake shows the server's certificate.
        if sessions:
            assert client.get_peer_cert_chain(as_cryptography=True) is not None
            assert not is_resumed(client)
        sessions.append(client.get_session())


def is_resumed(client: SSL.Connection) -> bool:
    return bool(SSL._lib.SSL_session_reused(client._ssl))


def test_keys_and_application_data_wait_for_the_handshake() -> None:
    client, _ = pair(TlsVersion.TLS_1_3)
    client.begin()
    with pytest.raises(TlsFault, match="keys before"):
        client.export(b"label", 64, None)
    with pytest.raises(TlsFault, match="before the handshake"):
        client.write(b"password")


@both_versions
def test_after_a_fault_nothing_is_taken_any_more(version: TlsVersion) -> None:
    client, server = pair(version)
    shake_hands(client, server)
    with pytest.raises(TlsFault):
        server.feed(b"\x17\x03\x03\x00\x20" + bytes(32))
    client.write(b"ping")
    with pytest.raises(TlsFault):
        server.feed(client.take())
    assert not server.is_established
    with pytest.raises(TlsFault):
        server.export(b"label", 64, None)


@given(st.binary(min_size=1, max_size=300))
@settings(max_examples=30, deadline=None)
def test_any_octets_end_in_a_fault_or_in_waiting(octets: bytes) -> None:
    server = TlsEngine(server_settings(), is_server=True)
    with contextlib.suppress(TlsFault):
        assert server.feed(octets) == b""
    assert not server.is_established


def test_settings_that_could_not_work_are_refused() -> None:
    with pytest.raises(ValueError, match="without its key"):
        TlsSettings(chain=(GATE.der,))
    with pytest.raises(ValueError, match="needs a judge"):
        TlsEngine(TlsSettings(), is_server=False)
    with pytest.raises(ValueError, match="needs a certificate"):
        TlsEngine(TlsSettings(), is_server=True)
    with pytest.raises(TlsFault, match="cannot be used"):
        TlsEngine(TlsSettings(chain=(GATE.der,), key=ROOT.key), is_server=True)
    with pytest.raises(ValueError, match="no server name"):
        client_settings(expected=())
