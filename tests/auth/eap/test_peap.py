from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ikepy.auth.eap.inner import InnerClient
from ikepy.auth.eap.method import Ask, Failed, MethodsFor
from ikepy.auth.eap.peap import PeapClient, PeapServer
from ikepy.auth.eap.peap_tlvs import Result, build_result
from ikepy.auth.eap.tls_engine import TlsVersion
from ikepy.wire.registry import EapCode
from tests.support.certificates import Issued
from tests.support.eap_talk import failed, succeeded, talk
from tests.support.eap_tls import ALICE, GATE, MALLORY, SELF_SIGNED, VERSIONS, client_settings, server_settings
from tests.support.eap_users import (
    NAME,
    PASSWORD,
    WRONG,
    both_methods,
    inner_gtc,
    inner_mschapv2,
    only_gtc,
    only_mschapv2,
)

both_versions = pytest.mark.parametrize("version", VERSIONS, ids=str)
each_inner = pytest.mark.parametrize("make_inner", [inner_mschapv2, inner_gtc])
MakeInner = Callable[..., InnerClient]
SUCCESS = build_result(Result(EapCode.REQUEST, 3, is_success=True))


def make_server(
    version: TlsVersion = TlsVersion.TLS_1_3, size: int = 1024, own: Issued = GATE, methods: MethodsFor = both_methods
) -> PeapServer:
    return PeapServer(server_settings(version, own=own), methods, size)


def make_client(inner: InnerClient, version: TlsVersion = TlsVersion.TLS_1_3, size: int = 1024) -> PeapClient:
    return PeapClient(client_settings(version), inner, size)


@both_versions
@each_inner
@pytest.mark.parametrize("size", [64, 200, 1400])
def test_a_right_password_gets_in_and_both_ends_have_one_key(
    version: TlsVersion, make_inner: MakeInner, size: int
) -> None:
    client = make_client(make_inner(), version, size)
    said = talk(make_server(version, size), client)
    assert succeeded(said, client).identity == NAME
    assert said.longest <= size


@both_versions
@each_inner
def test_a_wrong_password_fails_and_counts_as_a_guess(version: TlsVersion, make_inner: MakeInner) -> None:
    client = make_client(make_inner(NAME, WRONG), version)
    end = failed(talk(make_server(version), client), client)
    assert end.is_guess
    assert "wrong password of 'alice'" in end.reason


@each_inner
def test_who_does_not_exist_fails_like_a_wrong_password_and_who_is_disabled_is_no_guess(make_inner: MakeInner) -> None:
    client = make_client(make_inner("nobody", PASSWORD))
    assert failed(talk(make_server(), client), client).is_guess
    client = make_client(make_inner("gone", PASSWORD))
    end = failed(talk(make_server(), client), client)
    assert "disabled" in end.reason
    assert not end.is_guess


def test_a_client_that_wants_another_method_asks_for_it_and_gets_what_its_user_may_use() -> None:
    client = make_client(inner_gtc())
    succeeded(talk(make_server(), client), client)
    client = make_client(inner_gtc())
    assert "none of the methods" in failed(talk(make_server(methods=only_mschapv2), client), client).reason
    client = make_client(inner_mschapv2())
    assert "none of the methods" in failed(talk(make_server(methods=only_gtc), client), client).reason


@both_versions
@each_inner
@pytest.mark.parametrize("own", [MALLORY, SELF_SIGNED, ALICE], ids=str)
def test_a_server_that_did_not_prove_itself_hears_not_even_the_name(
    version: TlsVersion, make_inner: MakeInner, own: Issued
) -> None:
    asked = []
    client = make_client(make_inner(), version)
    server = make_server(version, own=own, methods=lambda name: asked.append(name) or both_methods(name))
    assert "alert" in failed(talk(server, client), client).reason
    assert asked == []


@both_versions
@each_inner
def test_a_success_is_early_before_the_servers_result(version: TlsVersion, make_inner: MakeInner) -> None:
    client, done = make_client(make_inner(), version), []

    def look(_: int, octets: bytes) -> bytes:
        done.append(client.is_done)
        return octets

    succeeded(talk(make_server(version), client, to_client=look), client)
    assert not any(done)


class EarlyServer(PeapServer):
    """Says success after so many responses inside, whatever they are."""

    def __init__(self, after: int, version: TlsVersion) -> None:
        super().__init__(server_settings(version), both_methods, 9000)
        self._after = after

    def _inside(self, found: bytes):
        self._after -= 1
        return super()._inside(found) if self._after >= 0 else self._say(SUCCESS)


@both_versions
@pytest.mark.parametrize("after", [0, 1])
def test_a_result_of_success_before_the_method_is_through_is_a_fault(version: TlsVersion, after: int) -> None:
    client = make_client(inner_mschapv2(), version, 9000)
    server, request = EarlyServer(after, version), b""
    request = server.begin()
    for _ in range(10):
        step = server.respond(client.respond(request))
        if not isinstance(step, Ask):
            break
        request = step.octets
    assert not client.is_done
    assert client.fault == "a success out of turn"


@both_versions
def test_a_server_that_does_not_know_the_password_is_not_believed(version: TlsVersion) -> None:
    # Two MSCHAPv2 ends with different passwords: the server says yes all the same.
    class Yes(PeapServer):
        def _inside(self, found: bytes):
            if found[:2] == b"\x1a\x02":
                return self._say(b"\x1a\x03" + found[2:3] + b"\x00\x33S=" + b"0" * 40 + b" M=OK")
            return super()._inside(found)

    client, server = make_client(inner_mschapv2(), version), Yes(server_settings(version), both_methods)
    said = talk(server, client)
    assert isinstance(said.end, Failed)
    assert not client.is_done
    assert client.fault is not None
    assert "does not prove" in client.fault


def test_a_client_that_says_it_failed_does_not_get_in() -> None:
    class No(PeapClient):
        def _advance(self, found: bytes) -> bool:
            if len(found) > 4 and found[4] == 33:
                self._tunnel.write(build_result(Result(EapCode.RESPONSE, found[1], is_success=False)))
                return False
            return super()._advance(found)

    client = No(client_settings(), inner_mschapv2())
    assert "says that it failed" in failed(talk(make_server(), client), client).reason


def test_a_client_that_sends_its_result_instead_of_a_password_does_not_get_in() -> None:
    class Eager(PeapClient):
        def _advance(self, found: bytes) -> bool:
            if found:
                self._tunnel.write(build_result(Result(EapCode.RESPONSE, 0, is_success=True)))
            return False

    client = Eager(client_settings(), inner_mschapv2())
    assert "identity was asked for" in failed(talk(make_server(), client), client).reason


def test_freeradius_asks_for_the_identity_with_a_header() -> None:
    class FreeRadius(PeapServer):
        def _say(self, octets: bytes = b"") -> Ask:
            return super()._say(b"\x01\x05\x00\x05\x01" if octets == b"\x01" else octets)

    client = make_client(inner_mschapv2())
    succeeded(talk(FreeRadius(server_settings(), both_methods), client), client)


@both_versions
def test_a_server_of_version_1_is_answered_with_version_0(version: TlsVersion) -> None:
    client = make_client(inner_mschapv2(), version)
    said = talk(make_server(version), client, to_client=lambda number, octets: octets if number else b"\x21")
    succeeded(said, client)
    assert said.responses[0][0] & 0x07 == 0


@both_versions
def test_a_server_swapped_half_way_comes_to_nothing(version: TlsVersion) -> None:
    first, second, client = make_server(version), make_server(version), make_client(inner_mschapv2(), version)
    request = first.begin()
    for number in range(8):
        step = (first if number < 3 else second).respond(client.respond(request))
        if not isinstance(step, Ask):
            break
        request = step.octets
    assert not client.is_done


@given(st.lists(st.binary(min_size=1, max_size=80), min_size=1, max_size=4))
@settings(max_examples=25, deadline=None)
def test_any_octets_inside_the_tunnel_let_nobody_in(said: list[bytes]) -> None:
    class Raw(PeapClient):
        def _advance(self, found: bytes) -> bool:
            if found and said:
                self._tunnel.write(said.pop(0))
            return False

    client = Raw(client_settings(), inner_mschapv2())
    server = make_server()
    request = server.begin()
    for _ in range(12):
        step = server.respond(client.respond(request))
        if not isinstance(step, Ask):
            assert isinstance(step, Failed)
            return
        request = step.octets


@given(st.binary(min_size=1, max_size=80))
@settings(max_examples=25, deadline=None)
def test_any_octets_of_the_server_inside_the_tunnel_let_us_not_in(octets: bytes) -> None:
    class Raw(PeapServer):
        def _inside(self, found: bytes):
            return self._say(octets)

    client, server = make_client(inner_mschapv2()), Raw(server_settings(), both_methods)
    request = server.begin()
    for _ in range(12):
        step = server.respond(client.respond(request))
        if not isinstance(step, Ask):
            break
        request = step.octets
    assert not client.is_done
