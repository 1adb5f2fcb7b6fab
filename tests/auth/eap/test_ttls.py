from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ikepy.auth.eap.avps import MS_CHAP2_SUCCESS, VENDOR_MICROSOFT, Avp, build_avps
from ikepy.auth.eap.inner import InnerClient
from ikepy.auth.eap.method import Ask, Failed
from ikepy.auth.eap.tls_engine import TlsVersion
from ikepy.auth.eap.tls_tunnel import TlsTunnel
from ikepy.auth.eap.ttls import (
    Inside,
    InsideEap,
    InsideMsChapV2,
    InsidePap,
    TtlsClient,
    TtlsServer,
    TtlsUsers,
    export_challenge,
)
from ikepy.auth.eap.ttls_mschapv2 import Challenge, TtlsChapClient
from ikepy.crypto.password import nt_hash
from tests.support.certificates import Issued
from tests.support.eap_talk import failed, succeeded, talk
from tests.support.eap_tls import ALICE, GATE, MALLORY, SELF_SIGNED, VERSIONS, client_settings, server_settings
from tests.support.eap_users import (
    NAME,
    PASSWORD,
    TODAY,
    WRONG,
    both_methods,
    inner_gtc,
    inner_mschapv2,
    make_users,
    password_of,
)

both_versions = pytest.mark.parametrize("version", VERSIONS, ids=str)
PEER_CHALLENGE = bytes(range(16))
MakeInside = Callable[[str, str], Inside]


def pap(name: str = NAME, password: str = PASSWORD) -> Inside:
    return InsidePap(name, password_of(password))


def mschapv2(name: str = NAME, password: str = PASSWORD) -> Inside:
    return InsideMsChapV2(name, nt_hash(password), PEER_CHALLENGE)


each_inside = pytest.mark.parametrize("inside", [pap, mschapv2])


def make_server(
    version: TlsVersion = TlsVersion.TLS_1_3,
    size: int = 1024,
    own: Issued = GATE,
    today: date = TODAY,
    mschapv2: bool = True,
    pap: bool = True,
) -> TtlsServer:
    users = TtlsUsers(make_users(), lambda: today, mschapv2=mschapv2, pap=pap)
    return TtlsServer(server_settings(version, own=own), users, size)


def make_client(inside: Inside, version: TlsVersion = TlsVersion.TLS_1_3, size: int = 1024) -> TtlsClient:
    return TtlsClient(client_settings(version), inside, size)


class Saying(Inside):
    """A client that says what it likes inside."""

    def __init__(self, make: Callable[[TlsTunnel], list[Avp]]) -> None:
        self._make = make

    def begin(self, tunnel: TlsTunnel) -> list[Avp]:
        return self._make(tunnel)

    def respond(self, avps: object) -> list[Avp]:
        return []

    @property
    def is_done(self) -> bool:
        return False


@both_versions
@each_inside
@pytest.mark.parametrize("size", [64, 200, 1400])
def test_a_right_password_gets_in_and_both_ends_have_one_key(
    version: TlsVersion, inside: MakeInside, size: int
) -> None:
    client = make_client(inside(NAME, PASSWORD), version, size)
    said = talk(make_server(version, size), client)
    assert succeeded(said, client).identity == NAME
    assert said.longest <= size


@both_versions
@each_inside
def test_a_wrong_password_fails_and_counts_as_a_guess(version: TlsVersion, inside: MakeInside) -> None:
    client = make_client(inside(NAME, WRONG), version)
    said = talk(make_server(version), client)
    assert isinstance(said.end, Failed)
    assert said.end.is_guess
    assert "wrong password of 'alice'" in said.end.reason


@each_inside
def test_who_does_not_exist_fails_like_a_wrong_password(inside: MakeInside) -> None:
    said = talk(make_server(), make_client(inside("nobody", PASSWORD)))
    assert isinstance(said.end, Failed)
    assert said.end.is_guess


@each_inside
def test_a_disabled_user_with_the_right_password_fails_for_another_reason(inside: MakeInside) -> None:
    client = make_client(inside("gone", PASSWORD))
    said = talk(make_server(), client)
    assert isinstance(said.end, Failed)
    assert "disabled" in said.end.reason
    assert not said.end.is_guess


@each_inside
def test_a_name_with_a_domain_before_it_is_the_users(inside: MakeInside) -> None:
    client = make_client(inside(r"CORP\alice", PASSWORD))
    assert succeeded(talk(make_server(), client), client).identity == NAME


def test_what_is_not_for_the_connection_is_not_done() -> None:
    for inside, server in ((pap(), make_server(pap=False)), (mschapv2(), make_server(mschapv2=False))):
        said = talk(server, make_client(inside))
        assert isinstance(said.end, Failed)
        assert "not for this connection" in said.end.reason
        assert not said.end.is_guess


@both_versions
@each_inside
@pytest.mark.parametrize("own", [MALLORY, SELF_SIGNED, ALICE], ids=str)
def test_a_server_that_did_not_prove_itself_never_gets_a_password(
    version: TlsVersion, inside: MakeInside, own: Issued
) -> None:
    asked = []

    class Watching(Saying):
        def begin(self, tunnel: TlsTunnel) -> list[Avp]:
            asked.append(tunnel)
            return list(inside(NAME, PASSWORD).begin(tunnel))

    client = make_client(Watching(lambda _: []), version)
    assert "alert" in failed(talk(make_server(version, own=own), client), client).reason
    assert asked == []


@both_versions
def test_with_mschapv2_a_success_is_early_until_the_server_proved_that_it_knows_the_password(
    version: TlsVersion,
) -> None:
    server, client = make_server(version), make_client(mschapv2(), version)
    done = []

    def look(_: int, octets: bytes) -> bytes:
        done.append(client.is_done)
        return octets

    said = talk(server, client, to_client=look)
    succeeded(said, client)
    assert not any(done)


@both_versions
def test_a_server_that_does_not_know_the_password_is_not_believed(version: TlsVersion) -> None:
    # It says yes to whatever comes, which a server with the certificate and without the password could.
    server, client = make_server(version), make_client(mschapv2(), version)
    server._mschapv2 = lambda *_: server._say(  # type: ignore[method-assign]
        build_avps([Avp(MS_CHAP2_SUCCESS, b"\x01S=" + b"0" * 40, VENDOR_MICROSOFT)])
    )
    talk_to_end(server, client)
    assert not client.is_done
    assert client.fault is not None
    assert "does not prove" in client.fault


def talk_to_end(server: TtlsServer, client: TtlsClient) -> None:
    request = server.begin()
    for _ in range(20):
        step = server.respond(client.respond(request))
        if not isinstance(step, Ask):
            return
        request = step.octets


@both_versions
def test_a_server_swapped_half_way_comes_to_nothing(version: TlsVersion) -> None:
    first, second, client = make_server(version), make_server(version), make_client(mschapv2(), version)
    request = first.begin()
    for number in range(6):
        step = (first if number < 2 else second).respond(client.respond(request))
        if not isinstance(step, Ask):
            break
        request = step.octets
    assert not client.is_done


@both_versions
def test_ends_of_different_ttls_versions_speak_version_0(version: TlsVersion) -> None:
    client = make_client(pap(), version)
    said = talk(make_server(version), client, to_client=lambda number, octets: octets if number else b"\x21")
    succeeded(said, client)
    client = make_client(pap(), version)
    said = talk(make_server(version), client, to_server=lambda _, octets: bytes([octets[0] | 1]) + octets[1:])
    assert "version 1" in failed(said, client).reason


# -- what goes wrong inside ----------------------------------------------------------------------------------------


def refused(make: Callable[[TlsTunnel], list[Avp]]) -> str:
    said = talk(make_server(), make_client(Saying(make)))
    assert isinstance(said.end, Failed)
    return said.end.reason


def test_a_replayed_challenge_is_refused() -> None:
    def replay(tunnel: TlsTunnel) -> list[Avp]:
        stale = Challenge(bytes(16), 1)
        response = TtlsChapClient(NAME, nt_hash(PASSWORD), PEER_CHALLENGE).respond(stale)
        return [Avp(1, NAME.encode()), Avp(11, stale.octets, 311), Avp(25, response, 311)]

    assert "did not export" in refused(replay)


def test_an_identifier_that_is_not_the_exported_one_is_refused() -> None:
    def other(tunnel: TlsTunnel) -> list[Avp]:
        ours = export_challenge(tunnel)
        response = bytes([ours.identifier ^ 1]) + bytes(49)
        return [Avp(1, NAME.encode()), Avp(11, ours.octets, 311), Avp(25, response, 311)]

    assert "identifier" in refused(other)


@pytest.mark.parametrize(
    ("avps", "words"),
    [
        ([Avp(1, b"alice")], "neither PAP"),
        ([Avp(2, b"secret")], "neither PAP"),
        ([Avp(1, b"alice"), Avp(2, b"x"), Avp(25, b"y", 311)], "neither PAP"),
        ([Avp(1, b"alice"), Avp(1, b"bob"), Avp(2, b"x")], "2 attributes 1"),
        ([Avp(1, b""), Avp(2, b"x")], "empty user name"),
        ([Avp(1, b"a" * 254), Avp(2, b"x")], "identity of 254 octets"),
        ([Avp(1, b"\xff"), Avp(2, b"x")], "not UTF-8"),
        ([Avp(1, b"a\nb"), Avp(2, b"x")], "do not print"),
        ([Avp(1, b"alice"), Avp(2, b"x"), Avp(4711, b"")], "4711 of vendor 0 must be understood"),
        ([Avp(1, b"alice"), Avp(25, bytes(50), 311)], "did not export"),
        ([Avp(1, b"alice"), Avp(79, b"\x02\x00\x00\x06\x01a")], "EAP inside the tunnel, which is not"),
    ],
)
def test_attributes_that_make_no_sense_are_refused(avps: list[Avp], words: str) -> None:
    assert words in refused(lambda _: avps)


def test_an_optional_attribute_that_is_not_known_is_passed_over() -> None:
    client = make_client(
        Saying(lambda _: [Avp(1, b"alice"), Avp(2, PASSWORD.encode()), Avp(4711, b"", mandatory=False)])
    )
    assert not isinstance(talk(make_server(), client).end, Failed)


@pytest.mark.parametrize("length", [*range(12), 13, 0xFFFFFF])
def test_attribute_lengths_inside_the_tunnel_that_lie_end_the_conversation(length: int) -> None:
    class Lying(Saying):
        def begin(self, tunnel: TlsTunnel) -> list[Avp]:
            tunnel.write(b"\x00\x00\x00\x19\xc0" + length.to_bytes(3, "big") + bytes(4))
            return []

    said = talk(make_server(), make_client(Lying(lambda _: [])))
    assert isinstance(said.end, Failed)


def test_attributes_after_the_password_are_a_fault() -> None:
    server, client = make_server(size=9000), make_client(pap(), size=9000)
    server._advance = lambda _: server._say(build_avps([Avp(79, b"early")]))  # type: ignore[method-assign]
    hello = client.respond(server.begin())
    flight = server.respond(hello)
    assert isinstance(flight, Ask)
    early = server.respond(client.respond(flight.octets))
    assert client.is_done  # of PAP: the password went out to a server that had proved itself
    assert isinstance(early, Ask)
    client.respond(early.octets)
    assert not client.is_done
    assert client.fault == "application data after the end"


@given(st.binary(max_size=120))
@settings(max_examples=40, deadline=None)
def test_any_octets_inside_the_tunnel_let_nobody_in(octets: bytes) -> None:
    class Raw(Saying):
        def begin(self, tunnel: TlsTunnel) -> list[Avp]:
            if octets:
                tunnel.write(octets)
            return []

    server, client = make_server(), make_client(Raw(lambda _: []))
    request = server.begin()
    for _ in range(6):
        step = server.respond(client.respond(request))
        if not isinstance(step, Ask):
            assert isinstance(step, Failed)
            return
        request = step.octets


# -- EAP inside ----------------------------------------------------------------------------------------------------


def make_eap_server(version: TlsVersion = TlsVersion.TLS_1_3, size: int = 1024) -> TtlsServer:
    users = TtlsUsers(make_users(), lambda: TODAY, methods_for=both_methods)
    return TtlsServer(server_settings(version), users, size)


@both_versions
@pytest.mark.parametrize("make_inner", [inner_mschapv2, inner_gtc])
@pytest.mark.parametrize("size", [200, 1400])
def test_eap_inside_gets_in_and_both_ends_have_one_key(
    version: TlsVersion, make_inner: Callable[[], InnerClient], size: int
) -> None:
    client = make_client(InsideEap(make_inner()), version, size)
    assert succeeded(talk(make_eap_server(version, size), client), client).identity == NAME


@both_versions
@pytest.mark.parametrize("make_inner", [inner_mschapv2, inner_gtc])
def test_a_wrong_password_inside_eap_fails_and_counts_as_a_guess(
    version: TlsVersion, make_inner: Callable[..., InnerClient]
) -> None:
    client = make_client(InsideEap(make_inner(NAME, WRONG)), version)
    said = talk(make_eap_server(version), client)
    assert isinstance(said.end, Failed)
    assert said.end.is_guess


@pytest.mark.parametrize(
    ("packet", "words"),
    [
        ("0200000a01616c6963", "length 10 in 9 octets"),
        ("02000004", "of 4 octets inside"),
        ("0100000a01616c696365", "code 1"),
        ("0300000a01616c696365", "code 3"),
        ("0200000706aabb", "identity was asked for"),
    ],
)
def test_odd_eap_packets_inside_are_refused(packet: str, words: str) -> None:
    client = make_client(Saying(lambda _: [Avp(79, bytes.fromhex(packet))]))
    said = talk(make_eap_server(), client)
    assert isinstance(said.end, Failed)
    assert words in said.end.reason


def test_an_eap_message_may_come_in_several_attributes() -> None:
    class Split(InsideEap):
        def begin(self, tunnel: TlsTunnel) -> list[Avp]:
            (whole,) = super().begin(tunnel)
            return [Avp(79, whole.octets[:4]), Avp(79, whole.octets[4:])]

    client = make_client(Split(inner_gtc()))
    succeeded(talk(make_eap_server(), client), client)
