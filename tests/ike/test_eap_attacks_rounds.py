"""Two rounds of authentication, identities and users, with a client that wants more than is its own (RFC 4739, RFC 7296 §2.4).

Not here: one round of EAP (test_eap_attacks.py).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ikepy.config.identities import parse_identity, parse_identity_pattern
from ikepy.config.model import AuthKind, LocalAuthConfig, RemoteAuthConfig
from ikepy.crypto.secret import Secret
from ikepy.ike.actions import Done
from ikepy.ike.effects import SignAuth
from ikepy.ike.exchanges.proving import octets_of
from ikepy.wire.base import Payload
from ikepy.wire.eap import Eap
from ikepy.wire.notify import Notify
from ikepy.wire.payloads import Auth, Identification, IdI
from ikepy.wire.registry import EapCode, EapType, IdType, NotifyType
from ikepy.wire.sa import Sa
from ikepy.wire.ts import TsI, TsR
from tests.support.access import PASSWORD, ROOT, Files, client_config, gateway_config, write_files
from tests.support.certificates import make
from tests.support.eap_hands import HandClient, make_eap_client

FOLLOWS, SUPPORTED = Notify(NotifyType.ANOTHER_AUTH_FOLLOWS), Notify(NotifyType.MULTIPLE_AUTH_SUPPORTED)
MSCHAPV2 = EapType.MSCHAPV2
BY_CERTIFICATE = LocalAuthConfig(AuthKind.PUBKEY)
BOB = make("CN=bob", ROOT, alt_names=("email:bob@example.com",), purposes=("clientAuth",))


def by_certificate(files: Files) -> LocalAuthConfig:
    return LocalAuthConfig(AuthKind.PUBKEY, None, (files.alice[0],), files.alice[1])


def two_rounds(directory: Path, second: RemoteAuthConfig | None = None) -> HandClient:
    """A gateway that wants a certificate and then a password, and a client that has both."""
    files = write_files(directory)
    first = RemoteAuthConfig(AuthKind.PUBKEY, cacerts=(files.root,))
    second = second or RemoteAuthConfig(AuthKind.EAP, eap_methods=(MSCHAPV2,))
    gateway = gateway_config(files, remote=first, remote2=second)
    password = LocalAuthConfig(
        AuthKind.EAP, parse_identity("alice@example.com"), eap_id="alice", eap_methods=(MSCHAPV2,)
    )
    return HandClient(directory, gateway, client_config(files, local=by_certificate(files), local2=password))


def signed(client: HandClient, identity: Identification) -> tuple[Payload, ...]:
    """CERT and AUTH of the client's own key."""
    keyed = client.sa.keyed
    assert keyed is not None
    done = client.pair.left.perform(
        SignAuth(
            connection="vpn",
            local=client.pair.left.config.connections[0].local,
            identity=identity,
            peer=None,
            path=client.sa.path,
            prf=keyed.suite.prf.id,
            signed_octets=octets_of(keyed, identity, initiator=True),
            hashes=keyed.peer_hashes,
            certificate_requested=True,
        )
    )
    assert isinstance(done, Done)
    return (*done.reply.certs, done.reply.auth)


# -- two rounds ----------------------------------------------------------------------------------------------------


def test_two_right_rounds_by_hand_come_in(tmp_path: Path) -> None:
    client = two_rounds(tmp_path)
    assert client.begin().all(Auth)
    second = parse_identity("alice@example.com")
    msk = client.follow(client.ask(IdI(second)), make_eap_client())
    answer = client.ask(client.auth(msk, second))
    assert answer.all(Sa), answer.summary()
    assert client.gateway.established


def test_the_certificate_of_the_first_round_is_no_password_for_the_second(tmp_path: Path) -> None:
    client = two_rounds(tmp_path)
    client.begin()
    identity = client.identity
    client.assert_refused(client.ask(IdI(identity), *signed(client, identity)))


def test_another_certificate_is_no_password_for_the_second_round(tmp_path: Path) -> None:
    client = two_rounds(tmp_path)
    client.begin()
    second = parse_identity("alice@example.com")
    client.assert_refused(client.ask(IdI(second), *signed(client, second)))


def test_who_does_not_say_that_a_second_round_follows_is_refused(tmp_path: Path) -> None:
    client = two_rounds(tmp_path)
    client.assert_refused(client.ask(*(each for each in client.first if each != FOLLOWS)))


def test_who_does_not_say_that_it_can_do_two_rounds_has_to_do_them_all_the_same(tmp_path: Path) -> None:
    client = two_rounds(tmp_path)
    assert not client.ask(*(each for each in client.first if each != SUPPORTED)).all(Sa)
    assert not client.gateway.established
    client.assert_refused(client.ask(client.auth(None)), NotifyType.INVALID_SYNTAX)


def test_who_wants_a_second_round_where_none_is_wanted_is_refused(tmp_path: Path) -> None:
    files = write_files(tmp_path)
    gateway = gateway_config(files, remote=RemoteAuthConfig(AuthKind.PUBKEY, cacerts=(files.root,)))
    client = HandClient(tmp_path, gateway, client_config(files, local=by_certificate(files)))
    client.assert_refused(client.begin(SUPPORTED, FOLLOWS))


def test_who_announces_one_more_round_by_eap_is_refused_where_none_is_wanted(tmp_path: Path) -> None:
    client = HandClient(tmp_path)
    client.assert_refused(client.begin(SUPPORTED, FOLLOWS))


@pytest.mark.parametrize("count", [2, 50])
def test_announcing_the_second_round_often_makes_it_one(tmp_path: Path, count: int) -> None:
    client = two_rounds(tmp_path)
    client.begin(*(FOLLOWS,) * count)
    second = parse_identity("alice@example.com")
    msk = client.follow(client.ask(IdI(second)), make_eap_client())
    assert client.ask(client.auth(msk, second)).all(Sa)


def test_announcing_a_third_round_changes_nothing(tmp_path: Path) -> None:
    client = two_rounds(tmp_path)
    client.begin()
    second = parse_identity("alice@example.com")
    msk = client.follow(client.ask(IdI(second), SUPPORTED, FOLLOWS), make_eap_client())
    answer = client.ask(client.auth(msk, second))
    assert answer.all(Sa)
    assert client.send(IdI(second)) is None, "there is no third round"


@pytest.mark.parametrize("kind", [Sa, TsI, "all", "cp"])
def test_the_second_round_is_not_left_out_by_asking_for_the_child_again(tmp_path: Path, kind: object) -> None:
    client = two_rounds(tmp_path)
    client.begin()
    again = tuple(each for each in client.first if isinstance(each, Sa | TsI | TsR))
    if kind in {Sa, TsI}:
        again = tuple(each for each in again if isinstance(each, kind))
    if kind == "cp":
        again = tuple(each for each in client.first if each.TYPE.name == "CP")
    answer = client.ask(*again)
    client.assert_refused(answer, NotifyType.INVALID_SYNTAX)


@pytest.mark.parametrize("payloads", ["nothing", "auth", "eap", "first"])
def test_the_second_round_begins_with_who_we_are(tmp_path: Path, payloads: str) -> None:
    client = two_rounds(tmp_path)
    client.begin()
    said: dict[str, tuple[Payload, ...]] = {
        "nothing": (),
        "auth": (client.auth(None),),
        "eap": (Eap(EapCode.SUCCESS, 0),),
        "first": client.first,
    }
    answer = client.ask(*said[payloads])
    assert answer.error_notify is not None
    client.assert_nothing()


@pytest.mark.parametrize("key", [None, Secret(PASSWORD.encode())], ids=["SK_pi", "the password"])
def test_a_shared_key_is_no_second_round_of_eap(tmp_path: Path, key: Secret | None) -> None:
    client = two_rounds(tmp_path)
    client.begin()
    second = parse_identity("alice@example.com")
    client.assert_refused(client.ask(IdI(second), client.auth(key, second)))


def test_the_second_round_is_for_whom_remote2_names(tmp_path: Path) -> None:
    wanted = RemoteAuthConfig(AuthKind.EAP, parse_identity_pattern("carol@example.com"), eap_methods=(MSCHAPV2,))
    client = two_rounds(tmp_path, wanted)
    client.begin()
    second = parse_identity("alice@example.com")
    msk = client.follow(client.ask(IdI(second)), make_eap_client())
    client.assert_refused(client.ask(client.auth(msk, second)))


def test_the_second_round_may_have_another_identity_than_the_first(tmp_path: Path) -> None:
    """remote.id is about the first round, remote2.id about the second."""
    files = write_files(tmp_path)
    first = RemoteAuthConfig(AuthKind.PUBKEY, parse_identity_pattern("alice@example.com"), cacerts=(files.root,))
    second = RemoteAuthConfig(AuthKind.EAP, eap_methods=(MSCHAPV2,))
    gateway = gateway_config(files, remote=first, remote2=second)
    local = replace(by_certificate(files), id=parse_identity("alice@example.com"))
    password = LocalAuthConfig(AuthKind.EAP, eap_id="alice", eap_methods=(MSCHAPV2,))
    client = HandClient(tmp_path, gateway, client_config(files, local=local, local2=password))
    client.begin()
    other = Identification(IdType.ID_IPV4_ADDR, bytes([192, 168, 1, 2]))
    msk = client.follow(client.ask(IdI(other)), make_eap_client())
    assert client.ask(client.auth(msk, other)).all(Sa), client.reasons


def test_a_wrong_certificate_is_not_asked_for_a_password(tmp_path: Path) -> None:
    client = two_rounds(tmp_path)
    auth = next(each for each in client.first if isinstance(each, Auth))
    wrong = replace(auth, octets=auth.octets[:-1] + bytes([auth.octets[-1] ^ 1]))
    answer = client.ask(*(wrong if each is auth else each for each in client.first))
    client.assert_refused(answer)


def test_who_stops_after_the_first_round_has_nothing(tmp_path: Path) -> None:
    client = two_rounds(tmp_path)
    client.begin()
    assert not client.gateway.established
    assert client.gateway.kernel.is_clean
    client.pair.now += 1000
    client.gateway.run(client.gateway.endpoint.handle_timeout(client.pair.now), client.pair.now)
    client.assert_nothing()


# -- identities ------------------------------------------------------------------------------------------------------

NAMES = {
    "64 KiB": b"a" * 65000,
    "254 octets": b"a" * 254,
    "no UTF-8": b"al\xffice",
    "half a character": b"alice\xc3",
    "NUL": b"alice\0",
    "NUL and more": b"alice\0@example.com",
    "a line": b"alice\nERROR everything is lost",
    "a return": b"alice\r",
    "an escape": b"\x1b[2Jalice",
    "a separator of lines": "alice\u2028x".encode(),
    "a right-to-left mark": "al\u202eice".encode(),
}
SAYABLE = {
    "a command": b"$(reboot)",
    "quotes": b"';\"`reboot`|&",
    "percent": b"%s%n%d{0}{x.__class__}",
    "json": b'"},{"event":"up","user":"root',
    "nothing": b"",
    "spaces": b"   ",
    "a path": b"../../etc/passwd",
    "backslashes": b"\\\\alice\\",
}


@pytest.mark.parametrize("name", NAMES)
def test_names_that_do_not_print_are_refused_and_stand_in_no_line(tmp_path: Path, name: str) -> None:
    client = HandClient(tmp_path)
    client.begin()
    client.assert_refused(client.say_name(NAMES[name]))
    assert client.reasons
    assert_one_line(client.reasons)


@pytest.mark.parametrize("name", SAYABLE)
def test_names_that_print_are_names_of_nobody(tmp_path: Path, name: str) -> None:
    client = HandClient(tmp_path)
    client.begin()
    answer = client.say_name(SAYABLE[name])
    eap = make_eap_client("alice", "wrong")
    eap.receive(Eap(EapCode.REQUEST, 0, bytes([EapType.IDENTITY])))
    while answer.error_notify is None:
        turn = eap.receive(answer.all(Eap)[0])
        answer = client.ask(turn.packet)  # type: ignore[union-attr]
    client.assert_refused(answer)
    assert_one_line(client.reasons)


@pytest.mark.parametrize("name", [*NAMES, *SAYABLE])
@pytest.mark.parametrize(
    "kind", [IdType.ID_FQDN, IdType.ID_RFC822_ADDR, IdType.ID_KEY_ID, IdType.ID_DER_ASN1_DN, IdType(77)]
)
def test_any_idi_comes_to_an_answer_and_one_line(tmp_path: Path, name: str, kind: IdType) -> None:
    client = HandClient(tmp_path)
    said = {**NAMES, **SAYABLE}[name]
    identity = Identification(kind, said)
    answer = client.ask(*(IdI(identity) if isinstance(each, IdI) else each for each in client.first))
    if answer.error_notify is None:
        client.ask(client.auth(client.follow(answer, make_eap_client()), identity))
        (sa,) = client.gateway.established
        assert_one_line(str(sa.remote_id))
        return
    assert_one_line(client.reasons)
    client.assert_nothing()


def assert_one_line(text: str) -> None:
    assert len(text.splitlines()) <= 1, text
    assert text.isprintable(), ascii(text)
    assert len(text) < 4000, len(text)
