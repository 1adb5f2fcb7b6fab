"""A gateway without manners at a real client: success before the method, AUTH of wrong keys, certificates of others.

CVE-2021-45079, CVE-2015-4171, CVE-2025-62291: the client believes nobody that has not proved itself, and such a gateway
gets nothing that a password could be guessed from.

Not here: the client as the attacker (test_eap_attacks.py), what it is told to configure (test_cp_attacks.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from ikepy.auth.eap.client import MOST_PACKETS
from ikepy.config.identities import parse_identity
from ikepy.crypto.password import nt_hash
from ikepy.crypto.secret import Secret
from ikepy.ike.actions import Done
from ikepy.ike.admission import BeginEap
from ikepy.ike.effects import SignAuth
from ikepy.ike.exchanges.proving import octets_of
from ikepy.wire.base import Payload
from ikepy.wire.eap import Eap
from ikepy.wire.notify import Notify
from ikepy.wire.payloads import Auth, Cert, Identification, IdR
from ikepy.wire.registry import AuthMethod, EapCode, EapType, NotifyType
from tests.support.access import ROOT, Files, client_config, gateway_config, write_files
from tests.support.certificates import Issued, make, make_ca
from tests.support.eap_hands import HandGateway

SUCCESS, FAILURE, REQUEST, RESPONSE = EapCode.SUCCESS, EapCode.FAILURE, EapCode.REQUEST, EapCode.RESPONSE
ASK_NAME = Eap(REQUEST, 0, bytes([EapType.IDENTITY]))
MSCHAP = bytes([EapType.MSCHAPV2])
CHALLENGE = MSCHAP + b"\1\1" + (4 + 1 + 16 + 4).to_bytes(2, "big") + b"\x10" + bytes(16) + b"gate"
OTHER_ROOT = make_ca("CN=Other")


def real_server(gateway: HandGateway) -> tuple[Callable[[Eap], object], Eap]:
    """An EAP server with the real users, and its first request."""
    right = gateway.pair.right
    connection = right.config.connections[0]
    done = right.perform(BeginEap("vpn", connection.remote, gateway.real.path))
    assert isinstance(done, Done)
    return done.reply.dialog.server.receive, done.reply.turn.packet


def led(gateway: HandGateway) -> tuple[Secret, Eap]:
    """Take the client through MSCHAPv2: the key, and the EAP-Success that is not sent yet."""
    proved = gateway.lead(*real_server(gateway))  # type: ignore[arg-type]
    assert proved.msk is not None
    return proved.msk, proved.packet


def test_a_right_gateway_by_hand_is_believed(tmp_path: Path) -> None:
    gateway = HandGateway(tmp_path)
    msk, success = led(gateway)
    asked = gateway.answer(success)
    assert asked is not None
    assert asked.all(Auth)
    gateway.answer(gateway.auth(msk))
    assert gateway.client.established


# -- success out of turn -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("identifier", [0, 1, 255])
def test_a_success_in_the_first_answer_is_not_believed(tmp_path: Path, identifier: int) -> None:
    """CVE-2021-45079."""
    gateway = HandGateway(tmp_path)
    assert gateway.answer(*gateway.proof, Eap(SUCCESS, identifier)) is None
    gateway.assert_not_believed()
    gateway.assert_nothing_of_a_password()


def test_a_success_after_the_name_is_not_believed(tmp_path: Path) -> None:
    """CVE-2021-45079."""
    gateway = HandGateway(tmp_path)
    gateway.answer(*gateway.proof, ASK_NAME)
    assert gateway.answer(Eap(SUCCESS, 0)) is None
    gateway.assert_not_believed()
    gateway.assert_nothing_of_a_password()


def test_a_success_after_the_response_and_before_the_servers_proof_is_not_believed(tmp_path: Path) -> None:
    gateway = HandGateway(tmp_path)
    gateway.answer(*gateway.proof, ASK_NAME)
    assert gateway.answer(Eap(REQUEST, 1, CHALLENGE)) is not None
    assert gateway.answer(Eap(SUCCESS, 1)) is None
    gateway.assert_not_believed()


def test_a_success_after_a_nak_is_not_believed(tmp_path: Path) -> None:
    gateway = HandGateway(tmp_path)
    gateway.answer(*gateway.proof, ASK_NAME)
    nak = gateway.answer(Eap(REQUEST, 1, bytes([EapType.TLS, 0x20])))
    assert nak is not None
    assert nak.all(Eap)[0].method is EapType.NAK
    assert gateway.answer(Eap(SUCCESS, 1)) is None
    gateway.assert_not_believed()


def test_a_success_after_a_notification_alone_is_not_believed(tmp_path: Path) -> None:
    gateway = HandGateway(tmp_path)
    gateway.answer(*gateway.proof, Eap(REQUEST, 3, bytes([EapType.NOTIFICATION]) + b"Hello\x1b[2J"))
    assert gateway.answer(Eap(SUCCESS, 3)) is None
    gateway.assert_not_believed()


def test_a_success_with_another_identifier_ends_it(tmp_path: Path) -> None:
    gateway = HandGateway(tmp_path)
    _, success = led(gateway)
    assert gateway.answer(replace(success, identifier=(success.identifier + 2) & 0xFF)) is None
    gateway.assert_not_believed()


def test_a_second_success_instead_of_auth_is_not_believed(tmp_path: Path) -> None:
    gateway = HandGateway(tmp_path)
    _, success = led(gateway)
    gateway.answer(success)
    gateway.answer(success)
    gateway.assert_not_believed()


def test_two_successes_in_one_message_are_not_believed(tmp_path: Path) -> None:
    gateway = HandGateway(tmp_path)
    _, success = led(gateway)
    assert gateway.answer(success, success) is None
    gateway.assert_not_believed()


def test_a_failure_after_the_proof_ends_it_and_a_right_auth_does_not_mend_that(tmp_path: Path) -> None:
    gateway = HandGateway(tmp_path)
    msk, success = led(gateway)
    asked = gateway.answer(Eap(FAILURE, success.identifier))
    assert asked is None
    gateway.answer(gateway.auth(msk))
    gateway.assert_not_believed()


def test_a_failure_beside_a_right_auth_is_not_believed(tmp_path: Path) -> None:
    gateway = HandGateway(tmp_path)
    msk, success = led(gateway)
    gateway.answer(success)
    gateway.answer(gateway.auth(msk), Eap(FAILURE, success.identifier))
    gateway.assert_not_believed()


# -- AUTH of the end -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", [None, Secret(bytes(64)), Secret(b"")], ids=["SK_pr", "zeros", "nothing"])
def test_auth_of_another_key_than_the_msk_is_not_believed(tmp_path: Path, key: Secret | None) -> None:
    gateway = HandGateway(tmp_path)
    _, success = led(gateway)
    gateway.answer(success)
    gateway.answer(gateway.auth(key), *rest_of(gateway))
    gateway.assert_not_believed()


def test_no_auth_at_the_end_is_not_believed(tmp_path: Path) -> None:
    gateway = HandGateway(tmp_path)
    _, success = led(gateway)
    gateway.answer(success)
    gateway.answer(*rest_of(gateway))
    gateway.assert_not_believed()


def test_the_first_auth_again_at_the_end_is_not_believed(tmp_path: Path) -> None:
    gateway = HandGateway(tmp_path)
    _, success = led(gateway)
    gateway.answer(success)
    first = next(each for each in gateway.proof if isinstance(each, Auth))
    gateway.answer(first, *rest_of(gateway))
    gateway.assert_not_believed()


@pytest.mark.parametrize("method", [0, 1, 9, 14, 255])
def test_auth_by_another_method_at_the_end_is_not_believed(tmp_path: Path, method: int) -> None:
    gateway = HandGateway(tmp_path)
    msk, success = led(gateway)
    gateway.answer(success)
    gateway.answer(replace(gateway.auth(msk), method=AuthMethod(method)), *rest_of(gateway))
    gateway.assert_not_believed()


def test_our_own_auth_sent_back_is_not_believed(tmp_path: Path) -> None:
    gateway = HandGateway(tmp_path)
    _, success = led(gateway)
    asked = gateway.answer(success)
    assert asked is not None
    gateway.answer(asked.all(Auth)[0], *rest_of(gateway))
    gateway.assert_not_believed()


def test_auth_for_another_idr_at_the_end_is_not_believed(tmp_path: Path) -> None:
    gateway = HandGateway(tmp_path)
    msk, success = led(gateway)
    gateway.answer(success)
    gateway.answer(gateway.auth(msk, parse_identity("other.example.com")))
    gateway.assert_not_believed()


def test_an_idr_in_the_last_answer_is_not_believed(tmp_path: Path) -> None:
    gateway = HandGateway(tmp_path)
    msk, success = led(gateway)
    gateway.answer(success)
    other = parse_identity("other.example.com")
    gateway.answer(IdR(other), gateway.auth(msk, other))
    gateway.assert_not_believed()


def rest_of(gateway: HandGateway) -> tuple[Payload, ...]:
    """What else a gateway would say, so that nothing else is missing."""
    return tuple(each for each in gateway.asked[0].payloads if each.TYPE.name in {"SA", "TSI", "TSR"})


# -- who the gateway is ----------------------------------------------------------------------------------------------


def shown(directory: Path, own: Issued, **more: object) -> HandGateway:
    """A gateway with a certificate of its own choice, at a client that expects gate.example.com of the root."""
    files = write_files(directory)
    certificate, key = own.write(directory, "mallory")
    mine = gateway_config(Files(files.root, (certificate, key), files.alice))
    (connection,) = mine.connections
    connection = replace(connection, local=replace(connection.local, **more))  # type: ignore[arg-type]
    return HandGateway(directory, replace(mine, connections=(connection,)), client_config(files))


SWAPPED = {
    "self-signed": make("CN=gate", alt_names=("dns:gate.example.com",), purposes=("serverAuth",)),
    "another CA": make("CN=gate", OTHER_ROOT, alt_names=("dns:gate.example.com",), purposes=("serverAuth",)),
    "another CA of the same name": make(
        "CN=gate", make_ca("C=DE, O=Example, CN=Root", key="p384"), alt_names=("dns:gate.example.com",)
    ),
    "another name": make("CN=gate.example.com", ROOT, alt_names=("dns:evil.example.com",), purposes=("serverAuth",)),
    "a user's": make("CN=bob", ROOT, alt_names=("email:bob@example.com",), purposes=("clientAuth",)),
}


@pytest.mark.parametrize("who", SWAPPED)
def test_a_certificate_that_is_not_the_gateways_gets_not_even_the_name(tmp_path: Path, who: str) -> None:
    """CVE-2015-4171, CVE-2023-26463."""
    gateway = shown(tmp_path, SWAPPED[who])
    assert gateway.answer(*gateway.first) is None
    gateway.assert_not_believed()
    assert not any(message.all(Eap) for message in gateway.asked)


@pytest.mark.parametrize("identity", ["evil.example.com", "192.0.2.2", "gate.example.com.evil.com", "bob@example.com"])
def test_an_idr_that_is_not_the_one_expected_gets_not_even_the_name(tmp_path: Path, identity: str) -> None:
    gateway = HandGateway(tmp_path)
    other = parse_identity(identity)
    assert gateway.answer(IdR(other), *signed_as(gateway, other), ASK_NAME) is None
    gateway.assert_not_believed()
    assert not any(message.all(Eap) for message in gateway.asked)


def signed_as(gateway: HandGateway, identity: Identification) -> tuple[Payload, ...]:
    """CERT and AUTH of the real key, for an identity of the attacker's choice."""
    right = gateway.pair.right
    keyed = gateway.real.keyed
    assert keyed is not None
    done = right.perform(
        SignAuth(
            connection="vpn",
            local=right.config.connections[0].local,
            identity=identity,
            peer=None,
            path=gateway.real.path,
            prf=keyed.suite.prf.id,
            signed_octets=octets_of(keyed, identity, initiator=False),
            hashes=keyed.peer_hashes,
            certificate_requested=True,
        )
    )
    assert isinstance(done, Done)
    return (*done.reply.certs, done.reply.auth)


def test_auth_of_a_swapped_certificate_is_not_believed(tmp_path: Path) -> None:
    gateway = HandGateway(tmp_path)
    (tmp_path / "2").mkdir()
    mallory = next(each for each in shown(tmp_path / "2", SWAPPED["self-signed"]).proof if isinstance(each, Auth))
    proof = tuple(mallory if isinstance(each, Auth) else each for each in gateway.proof)
    assert gateway.answer(*proof, ASK_NAME) is None
    gateway.assert_not_believed()


@pytest.mark.parametrize(
    "left_out", [(Auth,), (Auth, Cert), (Cert,), (IdR,)], ids=lambda kinds: str([k.__name__ for k in kinds])
)
def test_a_gateway_that_leaves_its_proof_out_gets_not_even_the_name(tmp_path: Path, left_out: tuple[type, ...]) -> None:
    gateway = HandGateway(tmp_path)
    proof = tuple(each for each in gateway.proof if not isinstance(each, left_out))
    assert gateway.answer(*proof, ASK_NAME) is None
    gateway.assert_not_believed()
    assert not any(message.all(Eap) for message in gateway.asked)


def eap_only(directory: Path, *methods: EapType) -> HandGateway:
    """A client that lets a gateway leave its AUTH out (RFC 5998)."""
    files = write_files(directory)
    gateway, client = (
        gateway_config(files, methods=methods, eap_only=True),
        client_config(files, methods=methods, eap_only=True, name="alice"),
    )
    return HandGateway(directory, gateway, client)


@pytest.mark.parametrize("kind", [EapType.MSCHAPV2, EapType.GTC, EapType.MD5_CHALLENGE], ids=str)
def test_who_proves_nothing_gets_nothing_of_a_password_by_eap_only(tmp_path: Path, kind: EapType) -> None:
    gateway = eap_only(tmp_path, kind)
    asked = gateway.answer(IdR(parse_identity("gate.example.com")), ASK_NAME)
    request = {
        EapType.MSCHAPV2: CHALLENGE,
        EapType.GTC: bytes([kind]) + b"Password:",
        EapType.MD5_CHALLENGE: bytes([kind, 16]) + bytes(16),
    }[kind]
    if asked is not None:
        gateway.answer(Eap(REQUEST, 1, request))
        gateway.answer(Eap(SUCCESS, 1))
    gateway.assert_not_believed()
    gateway.assert_nothing_of_a_password()


def test_another_method_than_the_one_that_proves_the_gateway_is_not_taken_by_eap_only(tmp_path: Path) -> None:
    gateway = eap_only(tmp_path, EapType.MSCHAPV2, EapType.TLS)
    gateway.answer(IdR(parse_identity("gate.example.com")), ASK_NAME)
    nak = gateway.answer(Eap(REQUEST, 1, CHALLENGE))
    assert nak is not None
    assert nak.all(Eap)[0].type_octets == bytes([EapType.NAK, EapType.TLS])


# -- odd octets ------------------------------------------------------------------------------------------------------

FAILURES = {
    "nothing": b"",
    "one octet": b"E",
    "no number": b"E= R=0",
    "no equals sign": b"E691",
    "odd digits": b"E=691 R=0 C=ABC V=3",
    "half a challenge": b"E=691 R=0 C=" + b"0" * 16 + b" V=3",
    "31 digits": b"E=691 R=0 C=" + b"0" * 31 + b" V=3",
    "33 digits": b"E=691 R=0 C=" + b"0" * 33 + b" V=3",
    "no digits": b"E=691 R=0 C= V=3 M=",
    "a long number": b"E=" + b"9" * 400,
    "a retry": b"E=691 R=1 C=" + b"0" * 32 + b" V=3 M=again",
    "a password change": b"E=648 R=1 C=" + b"0" * 32 + b" V=3 M=change it",
    "60,000 octets": b"E=691 R=0 M=" + b"x" * 60000,
    "controls": b"E=691 R=0 M=\x1b[2J\n\r\0 $(reboot)",
}


@pytest.mark.parametrize("name", FAILURES)
def test_a_failure_of_mschapv2_with_any_message_ends_it(tmp_path: Path, name: str) -> None:
    """CVE-2025-62291."""
    gateway = HandGateway(tmp_path)
    gateway.answer(*gateway.proof, ASK_NAME)
    gateway.answer(Eap(REQUEST, 1, CHALLENGE))
    message = FAILURES[name]
    length = (4 + len(message)).to_bytes(2, "big")
    asked = gateway.answer(Eap(REQUEST, 2, MSCHAP + b"\4\1" + length + message))
    if asked is not None:
        assert asked.all(Eap)[0].type_octets == MSCHAP + b"\4"
        gateway.answer(Eap(SUCCESS, 2))
    gateway.assert_not_believed()
    assert gateway.reasons.isprintable() or "\n" in gateway.reasons
    assert not any(odd in gateway.reasons for odd in ("\x1b", "\r", "\0"))


@pytest.mark.parametrize("length", [0, 1, 3, 4, 5, 255, 65535])
def test_a_failure_of_mschapv2_whose_length_lies_ends_it(tmp_path: Path, length: int) -> None:
    """CVE-2025-62291."""
    gateway = HandGateway(tmp_path)
    gateway.answer(*gateway.proof, ASK_NAME)
    gateway.answer(Eap(REQUEST, 1, CHALLENGE))
    assert gateway.answer(Eap(REQUEST, 2, MSCHAP + b"\4\1" + length.to_bytes(2, "big") + b"E=691 R=0")) is None
    gateway.assert_not_believed()


@pytest.mark.parametrize("octets", [b"", b"\1", MSCHAP, MSCHAP + b"\1\1\0\5\x10", MSCHAP + b"\3" * 60, b"\xff" * 300])
def test_requests_without_sense_end_it(tmp_path: Path, octets: bytes) -> None:
    gateway = HandGateway(tmp_path)
    gateway.answer(*gateway.proof, ASK_NAME)
    asked = gateway.answer(Eap(REQUEST, 1, octets))
    assert asked is None or asked.all(Eap)[0].method in {EapType.NAK, EapType.IDENTITY}
    gateway.answer(Eap(SUCCESS, 1))
    gateway.assert_not_believed()


def test_a_success_that_proves_another_password_ends_it(tmp_path: Path) -> None:
    files = write_files(tmp_path)
    wrong = replace(gateway_config(files).users[0], nt_hash=nt_hash("another"))
    gateway = HandGateway(tmp_path, gateway_config(files, users=(wrong,)))
    gateway.answer(*gateway.proof, ASK_NAME)
    gateway.answer(Eap(REQUEST, 1, CHALLENGE))
    proof = b"S=" + b"0" * 40 + b" M=Welcome"
    assert gateway.answer(Eap(REQUEST, 2, MSCHAP + b"\3\1" + (4 + len(proof)).to_bytes(2, "big") + proof)) is None
    gateway.assert_not_believed()


@pytest.mark.slow
def test_a_gateway_that_comes_to_no_end_is_left_at_a_bound(tmp_path: Path) -> None:
    gateway = HandGateway(tmp_path)
    asked = gateway.answer(*gateway.proof, ASK_NAME)
    rounds = 1
    while asked is not None:
        rounds += 1
        assert rounds <= MOST_PACKETS + 1
        asked = gateway.answer(Eap(REQUEST, rounds & 0xFF, bytes([EapType.IDENTITY])))
    gateway.assert_not_believed()
    assert f"no end after {MOST_PACKETS}" in gateway.reasons


def test_a_gateway_that_asks_the_same_for_ever_is_left_at_a_bound(tmp_path: Path) -> None:
    gateway = HandGateway(tmp_path)
    asked = gateway.answer(*gateway.proof, ASK_NAME)
    rounds = 1
    while asked is not None:
        rounds += 1
        assert rounds <= MOST_PACKETS + 1
        asked = gateway.answer(ASK_NAME)
    gateway.assert_not_believed()


@pytest.mark.parametrize("packets", [(), (ASK_NAME, ASK_NAME)], ids=len)
@pytest.mark.parametrize("at_first", [True, False])
def test_not_one_eap_payload_ends_it(tmp_path: Path, packets: tuple[Eap, ...], *, at_first: bool) -> None:
    gateway = HandGateway(tmp_path)
    if at_first:
        gateway.answer(*gateway.proof, *packets)
    else:
        gateway.answer(*gateway.proof, ASK_NAME)
        gateway.answer(*packets)
    gateway.assert_not_believed()
    gateway.assert_nothing_of_a_password()


@pytest.mark.parametrize("kind", ["AUTH", "SA", "IDr"])
def test_what_belongs_into_another_message_ends_it(tmp_path: Path, kind: str) -> None:
    gateway = HandGateway(tmp_path)
    found = {
        "AUTH": gateway.auth(None),
        "IDr": IdR(parse_identity("evil.example.com")),
        "SA": rest_of(gateway)[0],
    }
    gateway.answer(*gateway.proof, ASK_NAME)
    assert gateway.answer(Eap(REQUEST, 1, CHALLENGE), found[kind]) is None
    gateway.assert_not_believed()


def test_the_child_beside_the_first_eap_request_counts_for_nothing(tmp_path: Path) -> None:
    gateway = HandGateway(tmp_path)
    assert gateway.answer(*gateway.proof, ASK_NAME, *rest_of(gateway)) is None
    gateway.assert_not_believed()


@pytest.mark.parametrize("notify", [NotifyType.AUTHENTICATION_FAILED, NotifyType.INTERNAL_ADDRESS_FAILURE], ids=str)
def test_an_error_beside_success_ends_it(tmp_path: Path, notify: NotifyType) -> None:
    gateway = HandGateway(tmp_path)
    _, success = led(gateway)
    assert gateway.answer(success, Notify(notify)) is None
    gateway.assert_not_believed()
