"""A client without manners at a real gateway: EAP out of turn, AUTH of wrong keys, payloads where they do not belong.

CVE-2015-8023 and what is like it: nothing but a method that is through, and AUTH of its key, lets anybody in.

Not here: the gateway as the attacker (test_eap_attacks_gateway.py), two rounds (test_eap_attacks_rounds.py).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ikepy.auth.eap.server import MOST_PACKETS
from ikepy.crypto.secret import Secret
from ikepy.ike.eap_turns import Accepted, Say
from ikepy.ike.exchanges.proving import octets_of
from ikepy.ike.keymat import shared_key_auth
from ikepy.wire.base import Payload
from ikepy.wire.cp import CfgAttribute, Cp
from ikepy.wire.eap import Eap
from ikepy.wire.message import Message
from ikepy.wire.notify import Notify
from ikepy.wire.payloads import Auth, Cert, Delete, IdI, IdR
from ikepy.wire.registry import (
    AuthMethod,
    CertEncoding,
    CfgAttributeType,
    CfgType,
    EapCode,
    EapType,
    ExchangeType,
    NotifyType,
    ProtocolId,
)
from ikepy.wire.sa import Sa
from ikepy.wire.ts import TsI, TsR
from tests.support.access import PSK, client_config, gateway_config, write_files
from tests.support.eap_hands import HandClient, make_eap_client
from tests.support.pair import fqdn

SUCCESS, FAILURE, REQUEST, RESPONSE = EapCode.SUCCESS, EapCode.FAILURE, EapCode.REQUEST, EapCode.RESPONSE
CREATE, INFORMATIONAL = ExchangeType.CREATE_CHILD_SA, ExchangeType.INFORMATIONAL
NAME = Eap(RESPONSE, 0, bytes([EapType.IDENTITY]) + b"alice")
MSCHAP = bytes([EapType.MSCHAPV2])


def only(message: Message) -> Eap:
    (packet,) = message.all(Eap)
    return packet


def test_a_right_client_by_hand_comes_in(tmp_path: Path) -> None:
    client = HandClient(tmp_path)
    answer = client.ask(client.auth(client.come_through()))
    assert answer.all(Auth)
    assert len(client.gateway.established) == 1


# -- EAP out of turn -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [SUCCESS, FAILURE, REQUEST, EapCode(9)], ids=str)
@pytest.mark.parametrize("after_name", [False, True])
def test_what_only_a_server_says_changes_nothing_at_the_server(
    tmp_path: Path, code: EapCode, *, after_name: bool
) -> None:
    client = HandClient(tmp_path)
    asked = only(client.begin())
    if after_name:
        asked = only(client.say_name())
    again = client.ask(Eap(code, asked.identifier, MSCHAP + b"\3" if code in {REQUEST, EapCode(9)} else b""))
    assert only(again) == asked, "the gateway asks again what it has asked"
    assert not client.gateway.established
    answer = client.ask(client.auth(client.follow(again, make_eap_client())))
    assert answer.all(Auth)


@pytest.mark.parametrize("octets", [b"\3", b"\3\1\0\x2eS=" + b"0" * 40, b"\4", b"\4\1\0\4"], ids=bytes.hex)
def test_a_success_of_mschapv2_before_the_response_lets_nobody_in(tmp_path: Path, octets: bytes) -> None:
    """CVE-2015-8023."""
    client = HandClient(tmp_path)
    client.begin()
    challenge = only(client.say_name())
    answer = client.ask(Eap(RESPONSE, challenge.identifier, MSCHAP + octets))
    assert only(answer).code is FAILURE
    client.assert_refused(answer)


def test_a_success_of_mschapv2_after_a_wrong_password_lets_nobody_in(tmp_path: Path) -> None:
    client = HandClient(tmp_path)
    wrong = make_eap_client(password="wrong")
    answer = client.begin()
    for _ in range(2):
        turn = wrong.receive(only(answer))
        answer = client.ask(turn.packet)  # type: ignore[union-attr]
    assert only(answer).type_octets[1] == 4, "the failure request"
    answer = client.ask(Eap(RESPONSE, only(answer).identifier, MSCHAP + b"\3"))
    client.assert_refused(answer)
    assert only(answer).code is FAILURE


@pytest.mark.parametrize("size", [0, 1, 3, 4, 5, 48, 53, 54, 55, 300, 60000])
def test_responses_of_mschapv2_of_any_length_are_refused(tmp_path: Path, size: int) -> None:
    client = HandClient(tmp_path)
    client.begin()
    challenge = only(client.say_name())
    octets = (b"\2\2" + size.to_bytes(2, "big") + b"\x31" + bytes(size))[:size]
    answer = client.ask(Eap(RESPONSE, challenge.identifier, MSCHAP + octets))
    client.assert_refused(answer)


def test_a_name_told_twice_is_told_once(tmp_path: Path) -> None:
    client = HandClient(tmp_path)
    client.begin()
    challenge = only(client.say_name("alice"))
    again = client.ask(Eap(RESPONSE, challenge.identifier, bytes([EapType.IDENTITY]) + b"bob"))
    assert only(again) == challenge
    answer = client.ask(client.auth(client.follow(again, make_eap_client())))
    assert answer.all(Auth)
    assert client.gateway.leases is not None
    assert [lease.identity for lease in client.gateway.leases.in_use()] == ["alice"]


@pytest.mark.slow
def test_who_never_comes_to_an_end_is_refused_at_a_bound(tmp_path: Path) -> None:
    client = HandClient(tmp_path)
    answer = client.begin()
    for _ in range(MOST_PACKETS):
        answer = client.ask(Eap(RESPONSE, 77, bytes([EapType.IDENTITY])))
        assert answer.error_notify is None
    client.assert_refused(client.ask(NAME))
    assert f"no end after {MOST_PACKETS}" in client.reasons


def test_who_takes_his_time_is_forgotten_at_a_bound(tmp_path: Path) -> None:
    client = HandClient(tmp_path)
    client.begin()
    began = client.pair.now
    while client.gateway.sas:
        assert client.pair.now - began < 600
        client.pair.now += 5
        client.gateway.run(client.gateway.endpoint.handle_timeout(client.pair.now), client.pair.now)
        client.send(Eap(RESPONSE, 77, bytes([EapType.IDENTITY])))
    client.assert_nothing()


# -- AUTH ------------------------------------------------------------------------------------------------------------


def test_auth_without_any_eap_is_refused(tmp_path: Path) -> None:
    client = HandClient(tmp_path)
    client.begin()
    client.assert_refused(client.ask(client.auth(None)), NotifyType.INVALID_SYNTAX)


def test_auth_before_the_method_is_through_is_refused(tmp_path: Path) -> None:
    client = HandClient(tmp_path)
    client.begin()
    client.say_name()
    client.assert_refused(client.ask(client.auth(None)), NotifyType.INVALID_SYNTAX)


def test_auth_beside_eap_is_refused(tmp_path: Path) -> None:
    client = HandClient(tmp_path)
    client.begin()
    client.assert_refused(client.ask(NAME, client.auth(None)), NotifyType.INVALID_SYNTAX)


@pytest.mark.parametrize("key", [None, Secret(bytes(64)), Secret(b"")], ids=["SK_pi", "zeros", "nothing"])
def test_auth_of_another_key_than_the_msk_is_refused(tmp_path: Path, key: Secret | None) -> None:
    client = HandClient(tmp_path)
    client.come_through()
    client.assert_refused(client.ask(client.auth(key)))
    assert "is not made of what" in client.reasons


@pytest.mark.parametrize("part", [slice(16), slice(16, 32), slice(32, 64), slice(None, None, -1)], ids=str)
def test_auth_of_a_part_of_the_msk_is_refused(tmp_path: Path, part: slice) -> None:
    client = HandClient(tmp_path)
    msk = client.come_through()
    client.assert_refused(client.ask(client.auth(Secret(msk.reveal()[part]))))


def test_auth_of_a_configured_psk_is_no_end_of_eap(tmp_path: Path) -> None:
    files = write_files(tmp_path)
    client = HandClient(tmp_path, replace(gateway_config(files), psks=(PSK,)))
    client.come_through()
    client.assert_refused(client.ask(client.auth(PSK.secret)))


def test_auth_of_a_configured_psk_instead_of_eap_is_refused(tmp_path: Path) -> None:
    files = write_files(tmp_path)
    client = HandClient(tmp_path, replace(gateway_config(files), psks=(PSK,)))
    client.assert_refused(client.begin(client.auth(PSK.secret)))


@pytest.mark.parametrize("method", [0, 1, 3, 9, 12, 13, 14, 255])
def test_auth_by_another_method_is_no_end_of_eap(tmp_path: Path, method: int) -> None:
    client = HandClient(tmp_path)
    right = client.auth(client.come_through())
    client.assert_refused(client.ask(replace(right, method=AuthMethod(method))))


@pytest.mark.parametrize("octets", [b"", b"\0", bytes(32), bytes(33), bytes(60000)], ids=len)
def test_auth_of_any_octets_is_refused(tmp_path: Path, octets: bytes) -> None:
    client = HandClient(tmp_path)
    client.come_through()
    answer = client.ask(Auth(AuthMethod.SHARED_KEY, octets))
    assert answer.error_notify is not None
    client.assert_nothing()


def test_auth_of_our_own_octets_sent_back_is_refused(tmp_path: Path) -> None:
    """A reflection: AUTH made as the responder's, of the right key."""
    client = HandClient(tmp_path)
    msk = client.come_through()
    keyed = client.sa.keyed
    assert keyed is not None
    octets = octets_of(keyed, fqdn("gate.example.com"), initiator=False)
    auth = Auth(AuthMethod.SHARED_KEY, shared_key_auth(keyed.suite.prf, msk, octets))
    client.assert_refused(client.ask(auth))


def test_auth_for_another_idi_than_the_first_is_refused(tmp_path: Path) -> None:
    client = HandClient(tmp_path)
    msk = client.come_through()
    client.assert_refused(client.ask(client.auth(msk, fqdn("bob"))))


def test_two_auths_are_refused(tmp_path: Path) -> None:
    client = HandClient(tmp_path)
    auth = client.auth(client.come_through())
    client.assert_refused(client.ask(auth, auth), NotifyType.INVALID_SYNTAX)


def test_the_key_of_one_ike_sa_is_none_of_another(tmp_path: Path) -> None:
    client = HandClient(tmp_path)
    msk = client.come_through()
    kept = client.auth(msk)
    client.connect(client.pair)
    client.come_through()
    answer = client.ask(kept)
    assert answer.error_notify is not None
    assert answer.error_notify.type is NotifyType.AUTHENTICATION_FAILED
    assert not client.gateway.established


# -- payloads where they do not belong -------------------------------------------------------------------------------

OUT_OF_PLACE: dict[str, Payload] = {
    "IDi": IdI(fqdn("bob")),
    "IDr": IdR(fqdn("gate.example.com")),
    "CERT": Cert(CertEncoding.X509_SIGNATURE, b"0\0"),
    "CP": Cp(CfgType.CFG_REQUEST, (CfgAttribute(CfgAttributeType.INTERNAL_IP4_ADDRESS),)),
    "SA": Sa(()),
    "TSi": TsI(()),
    "TSr": TsR(()),
    "DELETE": Delete(ProtocolId.IKE, (), 0),
}


@pytest.mark.parametrize("name", OUT_OF_PLACE)
@pytest.mark.parametrize("at_the_end", [False, True])
def test_what_belongs_into_the_first_message_does_not_count_in_a_later_one(
    tmp_path: Path, name: str, *, at_the_end: bool
) -> None:
    client = HandClient(tmp_path)
    extra = OUT_OF_PLACE[name]
    if isinstance(extra, Sa | TsI | TsR):
        extra = next(each for each in client.first if isinstance(each, type(extra)))
    if at_the_end:
        client.assert_refused(client.ask(client.auth(client.come_through()), extra), NotifyType.INVALID_SYNTAX)
    else:
        client.begin()
        client.assert_refused(client.ask(NAME, extra), NotifyType.INVALID_SYNTAX)


@pytest.mark.parametrize("packets", [(), (NAME, NAME), (NAME,) * 50], ids=len)
def test_not_one_eap_payload_is_refused(tmp_path: Path, packets: tuple[Eap, ...]) -> None:
    client = HandClient(tmp_path)
    client.begin()
    client.assert_refused(client.ask(*packets), NotifyType.INVALID_SYNTAX)


def test_eap_in_the_first_message_is_refused(tmp_path: Path) -> None:
    client = HandClient(tmp_path)
    client.assert_refused(client.begin(NAME), NotifyType.INVALID_SYNTAX)


@pytest.mark.parametrize("exchange", [CREATE, ExchangeType.IKE_SA_INIT, ExchangeType(240)], ids=str)
def test_another_exchange_in_the_middle_of_eap_is_not_heard(tmp_path: Path, exchange: ExchangeType) -> None:
    client = HandClient(tmp_path)
    asked = client.begin()
    assert client.send(NAME, exchange=exchange) is None
    assert not client.gateway.established
    answer = client.ask(client.auth(client.follow(asked, make_eap_client())))
    assert answer.all(Auth)


@pytest.mark.parametrize("payload", [NAME, Eap(SUCCESS, 0), Delete(ProtocolId.IKE, (), 0)], ids=lambda p: p.TYPE.name)
def test_an_informational_in_the_middle_of_eap_ends_it_and_lets_nobody_in(tmp_path: Path, payload: Payload) -> None:
    client = HandClient(tmp_path)
    client.begin()
    client.say_name()
    answer = client.send(payload, exchange=INFORMATIONAL)
    assert answer is None or not answer.all(Auth)
    client.assert_nothing()


@pytest.mark.parametrize("exchange", [CREATE, INFORMATIONAL, ExchangeType.IKE_AUTH], ids=str)
def test_eap_on_an_established_ike_sa_changes_nothing(tmp_path: Path, exchange: ExchangeType) -> None:
    client = HandClient(tmp_path)
    client.ask(client.auth(client.come_through()))
    before = client.gateway.sa
    answer = client.send(Eap(REQUEST, 0, bytes([EapType.IDENTITY])), exchange=exchange)
    assert answer is None or not answer.all(Eap)
    for after in client.gateway.established:
        assert (after.remote_id, after.children) == (before.remote_id, before.children)
    assert client.gateway.leases is not None
    assert {lease.identity for lease in client.gateway.leases.in_use()} <= {"alice"}


@pytest.mark.parametrize(
    "notify",
    [
        NotifyType.AUTHENTICATION_FAILED,
        NotifyType.ANOTHER_AUTH_FOLLOWS,
        NotifyType.EAP_ONLY_AUTHENTICATION,
        NotifyType.INITIAL_CONTACT,
        NotifyType(40999),
    ],
    ids=str,
)
def test_notifies_beside_eap_change_nothing(tmp_path: Path, notify: NotifyType) -> None:
    client = HandClient(tmp_path)
    asked = client.begin()
    asked = client.ask(NAME, Notify(notify)) if asked.all(Eap) else asked
    if asked.error_notify is not None:
        client.assert_refused(asked)
        return
    eap = make_eap_client()
    eap.receive(Eap(REQUEST, 0, bytes([EapType.IDENTITY])))
    answer = client.ask(client.auth(client.follow(asked, eap)))
    assert answer.all(Auth)


# -- without a proof of the server -----------------------------------------------------------------------------------


def eap_only(directory: Path, method: EapType, *, at_gateway: bool = True) -> HandClient:
    """A client that asks for EAP-only authentication (RFC 5998)."""
    files = write_files(directory)
    gateway = gateway_config(files, methods=(method,), eap_only=at_gateway)
    return HandClient(directory, gateway, client_config(files, methods=(method,), eap_only=True))


def test_a_gateway_that_is_not_told_to_leave_it_out_proves_itself_to_who_wants_eap_only(tmp_path: Path) -> None:
    client = eap_only(tmp_path, EapType.MSCHAPV2, at_gateway=False)
    assert client.begin().all(Auth)


def test_eap_only_by_a_method_that_does_not_prove_the_gateway_lets_nobody_in(tmp_path: Path) -> None:
    client = eap_only(tmp_path, EapType.MSCHAPV2)
    answer = client.begin()
    assert not answer.all(Auth)
    eap, told = make_eap_client(), [answer]
    while told[-1].error_notify is None:
        turn = eap.receive(only(told[-1]))
        told.append(client.ask(turn.packet if isinstance(turn, Say) else client.auth(eap_key(turn))))
    client.assert_refused(told[-1])
    assert all(packet.code is not SUCCESS for message in told for packet in message.all(Eap))


def eap_key(turn: object) -> Secret | None:
    return turn.msk if isinstance(turn, Accepted) else None
