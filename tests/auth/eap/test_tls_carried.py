"""TLS-based methods of both ends carried by the server and the client of EAP: verdicts out of turn, and bounds."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ikepy.auth.eap.client import EapClient
from ikepy.auth.eap.method import ClientMethod, ServerMethod
from ikepy.auth.eap.peap import PeapClient, PeapServer
from ikepy.auth.eap.server import EapServer
from ikepy.auth.eap.tls import EapTlsClient, EapTlsServer
from ikepy.auth.eap.tls_engine import TlsVersion
from ikepy.auth.eap.ttls import InsideMsChapV2, TtlsClient, TtlsServer, TtlsUsers
from ikepy.crypto.password import nt_hash
from ikepy.ike.eap_turns import Accepted, ClientTurn, Ignored, Proved, Refused, Say, ServerTurn
from ikepy.wire.eap import Eap
from ikepy.wire.registry import EapCode, EapType
from tests.support.eap_tls import ALICE, VERSIONS, client_settings, server_settings
from tests.support.eap_users import NAME, PASSWORD, TODAY, both_methods, inner_mschapv2, make_users

Ends = tuple[ServerMethod, ClientMethod]


def tls(version: TlsVersion) -> Ends:
    return (
        EapTlsServer(server_settings(version, asks_for_certificate=True)),
        EapTlsClient(client_settings(version, own=ALICE)),
    )


def ttls(version: TlsVersion) -> Ends:
    inside = InsideMsChapV2(NAME, nt_hash(PASSWORD), bytes(16))
    users = TtlsUsers(make_users(), lambda: TODAY)
    return TtlsServer(server_settings(version), users), TtlsClient(client_settings(version), inside)


def peap(version: TlsVersion) -> Ends:
    return PeapServer(server_settings(version), both_methods), PeapClient(client_settings(version), inner_mschapv2())


each_method = pytest.mark.parametrize("make", [tls, ttls, peap])
both_versions = pytest.mark.parametrize("version", VERSIONS, ids=str)


def carry(
    ends: Ends, meanwhile: Callable[[EapClient, Eap], None] = lambda *_: None
) -> tuple[ServerTurn, ClientTurn, int]:
    """Both last turns, and how many packets it took; meanwhile sees the client after each response of its."""
    method, other = ends
    server, client = EapServer(lambda _: [method]), EapClient(NAME, [other], server_proved=False)
    turn: ServerTurn = server.begin()
    for number in range(700):
        if not isinstance(turn, Say):
            assert isinstance(turn, Proved | Refused), turn
            return turn, client.receive(turn.packet), number
        said = client.receive(turn.packet)
        assert isinstance(said, Say), said
        turn = server.receive(said.packet)
        if isinstance(turn, Say):
            meanwhile(client, said.packet)
    raise AssertionError("they talk for ever")


@both_versions
@each_method
def test_both_ends_come_to_one_key_without_any_proof_in_ike_before(
    make: Callable[[TlsVersion], Ends], version: TlsVersion
) -> None:
    proved, accepted, _ = carry(make(version))
    assert isinstance(proved, Proved)
    assert isinstance(accepted, Accepted)
    assert proved.msk == accepted.msk is not None
    assert proved.proves_server
    assert accepted.proves_server


@both_versions
@each_method
def test_a_success_out_of_turn_is_ignored_after_each_packet_but_the_last(
    make: Callable[[TlsVersion], Ends], version: TlsVersion
) -> None:
    ignored = []

    def forge(client: EapClient, response: Eap) -> None:
        turn = client.receive(Eap(EapCode.SUCCESS, response.identifier))
        assert isinstance(turn, Ignored), turn
        ignored.append(turn)

    proved, accepted, packets = carry(make(version), forge)
    assert isinstance(proved, Proved)
    assert isinstance(accepted, Accepted)
    assert len(ignored) == packets - 1


@both_versions
@each_method
def test_a_client_that_only_acknowledges_is_refused_after_a_bound(
    make: Callable[[TlsVersion], Ends], version: TlsVersion
) -> None:
    method, _ = make(version)
    server = EapServer(lambda _: [method], NAME)
    turn: ServerTurn = server.begin()
    for _ in range(100):
        if not isinstance(turn, Say):
            break
        turn = server.receive(Eap(EapCode.RESPONSE, turn.packet.identifier, bytes([method.TYPE, 0])))
    assert isinstance(turn, Refused)
    assert not turn.is_guess


@both_versions
@each_method
def test_a_server_that_only_acknowledges_comes_to_nothing(
    make: Callable[[TlsVersion], Ends], version: TlsVersion
) -> None:
    _, method = make(version)
    client = EapClient(NAME, [method], server_proved=False)
    client.receive(Eap(EapCode.REQUEST, 1, bytes([method.TYPE, 0x20])))
    for number in range(2, 100):
        client.receive(Eap(EapCode.REQUEST, number, bytes([method.TYPE, 0])))
    assert method.fault is not None
    assert not isinstance(client.receive(Eap(EapCode.SUCCESS, 99)), Accepted)


def test_a_client_that_would_rather_have_another_method_gets_it() -> None:
    peap_server, _ = peap(TlsVersion.TLS_1_3)
    ttls_server, ttls_client = ttls(TlsVersion.TLS_1_3)
    server = EapServer(lambda _: [peap_server, ttls_server])
    client = EapClient(NAME, [ttls_client], server_proved=False)
    turn: ServerTurn = server.begin()
    while isinstance(turn, Say):
        said = client.receive(turn.packet)
        assert isinstance(said, Say)
        turn = server.receive(said.packet)
    assert isinstance(turn, Proved)
    assert turn.method is EapType.TTLS
