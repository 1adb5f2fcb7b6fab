"""Users beside each other: what one may do to another, and what logs hold of them all.

Not here: AUTH and EAP out of turn (test_eap_attacks.py), names that do not print (test_eap_attacks_rounds.py).
"""

from __future__ import annotations

import io
import re
from dataclasses import replace
from pathlib import Path

import pytest

from ikepy.auth.eap.mschapv2 import MsChapV2Client
from ikepy.config.access import GroupConfig, UserConfig
from ikepy.config.model import AuthKind, LocalAuthConfig, PskConfig, RemoteAuthConfig, Unique
from ikepy.crypto.password import nt_hash
from ikepy.crypto.secret import Secret
from ikepy.trace.handlers import logging_to
from ikepy.trace.log import LoggingObserver
from ikepy.trace.several import Observers
from ikepy.wire.eap import Eap
from ikepy.wire.notify import Notify
from ikepy.wire.payloads import Auth, IdI
from ikepy.wire.registry import EapCode, EapType, NotifyType
from tests.support.access import PASSWORD, WRONG, client_config, gateway_config, make_access_pair, write_files
from tests.support.eap_hands import HandClient, make_eap_client
from tests.support.entropy import SeededEntropy
from tests.support.no_secrets import assert_text_has_no_secrets
from tests.support.pair import Pair, fqdn

BOBS = "another Password of bob's"
TWO = (UserConfig("alice", nt_hash=nt_hash(PASSWORD)), UserConfig("bob", nt_hash=nt_hash(BOBS)))
FIRST = Notify(NotifyType.INITIAL_CONTACT)
EVERY_METHOD = (EapType.MSCHAPV2, EapType.GTC, EapType.MD5_CHALLENGE, EapType.TTLS, EapType.PEAP)


def two_users(directory: Path, unique: Unique = Unique.REPLACE, **more: object) -> HandClient:
    """A gateway with alice and bob, and somebody who has both their passwords."""
    files = write_files(directory)
    gateway = replace(gateway_config(files, users=TWO, unique=unique), **more)  # type: ignore[arg-type]
    return HandClient(directory, gateway)


def come_in(client: HandClient, name: str, *more: Notify) -> None:
    """Come in as one of them, with the IDi that both have."""
    password = {"alice": PASSWORD, "bob": BOBS}[name]
    msk = client.follow(client.begin(*more), make_eap_client(name, password))
    assert client.ask(client.auth(msk)).all(Auth), client.reasons


def users_of(client: HandClient) -> list[str]:
    assert client.gateway.leases is not None
    return sorted(lease.identity for lease in client.gateway.leases.in_use())


@pytest.mark.parametrize("unique", list(Unique), ids=str)
@pytest.mark.parametrize("more", [(), (FIRST,)], ids=["", "INITIAL_CONTACT"])
def test_two_users_with_one_idi_do_not_end_each_others_sessions(
    tmp_path: Path, unique: Unique, more: tuple[Notify, ...]
) -> None:
    client = two_users(tmp_path, unique)
    come_in(client, "alice", *more)
    client.connect(client.pair)
    come_in(client, "bob", *more)
    assert len(client.gateway.established) == 2
    assert users_of(client) == ["alice", "bob"]


def test_initial_contact_ends_the_users_own_earlier_session(tmp_path: Path) -> None:
    client = two_users(tmp_path)
    come_in(client, "alice")
    client.connect(client.pair)
    come_in(client, "alice", FIRST)
    assert len(client.gateway.established) == 1
    assert users_of(client) == ["alice"]


def test_initial_contact_before_the_proof_ends_nothing(tmp_path: Path) -> None:
    client = two_users(tmp_path)
    come_in(client, "alice")
    client.connect(client.pair)
    msk = client.follow(client.begin(FIRST), make_eap_client())
    assert len(client.gateway.established) == 1
    client.ask(client.auth(Secret(msk.reveal()[:16])))
    assert len(client.gateway.established) == 1
    assert users_of(client) == ["alice"]


def test_an_address_of_anothers_is_not_lent_again(tmp_path: Path) -> None:
    client = two_users(tmp_path)
    come_in(client, "alice")
    (alices,) = client.gateway.leases.in_use()  # type: ignore[union-attr]
    client.connect(client.pair)
    come_in(client, "bob")
    addresses = {lease.address for lease in client.gateway.leases.in_use()}  # type: ignore[union-attr]
    assert len(addresses) == 2
    assert alices.address in addresses


def test_an_idi_that_is_anothers_name_gives_nothing_of_the_others(tmp_path: Path) -> None:
    client = two_users(tmp_path, groups=(GroupConfig("staff", users=("bob",)),))
    answer = client.ask(*(IdI(fqdn("bob")) if isinstance(each, IdI) else each for each in client.first))
    msk = client.follow(answer, make_eap_client("alice"))
    client.assert_refused(client.ask(client.auth(msk, fqdn("bob"))))
    assert "in no group" in client.reasons


def test_the_name_inside_mschapv2_is_not_whose_session_it_is(tmp_path: Path) -> None:
    client = two_users(tmp_path)
    answer = client.begin()
    answer = client.say_name("alice")
    inside = MsChapV2Client("bob", nt_hash(PASSWORD), SeededEntropy(3))
    octets = inside.respond(answer.all(Eap)[0].type_octets[1:])
    answer = client.ask(Eap(EapCode.RESPONSE, answer.all(Eap)[0].identifier, bytes([EapType.MSCHAPV2]) + octets))
    octets = inside.respond(answer.all(Eap)[0].type_octets[1:])
    answer = client.ask(Eap(EapCode.RESPONSE, answer.all(Eap)[0].identifier, bytes([EapType.MSCHAPV2]) + octets))
    assert answer.all(Eap)[0].code is EapCode.SUCCESS
    client.ask(client.auth(inside.msk))
    assert users_of(client) == ["alice"]


def test_bobs_password_is_none_of_alices(tmp_path: Path) -> None:
    client = two_users(tmp_path)
    answer, eap = client.begin(), make_eap_client("alice", BOBS)
    while answer.error_notify is None:
        turn = eap.receive(answer.all(Eap)[0])
        answer = client.ask(turn.packet)  # type: ignore[union-attr]
    client.assert_refused(answer)


def test_a_user_that_is_disabled_between_eap_and_auth_does_not_come_in(tmp_path: Path) -> None:
    client = two_users(tmp_path)
    msk = client.follow(client.begin(), make_eap_client())
    store = client.gateway.eap.users
    store._users["alice"] = replace(store._users["alice"], disabled=True)
    client.assert_refused(client.ask(client.auth(msk)))
    assert "disabled" in client.reasons


# -- pre-shared keys ---------------------------------------------------------------------------------------------------

ALICES_KEY = PskConfig("a", Secret(b"a key of twenty octets for alice"), (fqdn("alice.test"), fqdn("gate.test")))
BOBS_KEY = PskConfig("b", Secret(b"a key of twenty octets for bob's"), (fqdn("bob.test"), fqdn("gate.test")))


def by_key(directory: Path) -> HandClient:
    files = write_files(directory)
    gateway = gateway_config(
        files, local=LocalAuthConfig(AuthKind.PSK, fqdn("gate.test")), remote=RemoteAuthConfig(AuthKind.PSK), pools=()
    )
    client = client_config(
        files, local=LocalAuthConfig(AuthKind.PSK, fqdn("alice.test")), remote=RemoteAuthConfig(AuthKind.PSK), vips=()
    )
    both = (ALICES_KEY, BOBS_KEY)
    return HandClient(directory, replace(gateway, psks=both), replace(client, psks=both))


def test_who_has_alices_key_is_alice(tmp_path: Path) -> None:
    client = by_key(tmp_path)
    assert client.begin().all(Auth), client.reasons


@pytest.mark.parametrize("name", ["bob.test", "carol.test", "gate.test", "", "alice.test.", "ALICE.TEST.example"])
def test_who_has_alices_key_is_nobody_else(tmp_path: Path, name: str) -> None:
    client = by_key(tmp_path)
    identity = fqdn(name)
    auth = client.auth(ALICES_KEY.secret, identity)
    answer = client.ask(
        *({IdI: IdI(identity), Auth: auth}.get(type(each), each) for each in client.first)  # type: ignore[call-overload]
    )
    client.assert_refused(answer)


# -- what is written ---------------------------------------------------------------------------------------------------

LINE = re.compile(r"\d\d:\d\d:\d\d\.\d{3} ")
HOSTILE_NAMES = (
    b"alice\nERROR all is lost",
    b"\x1b[2J$(reboot)\r\n",
    b"`reboot`\0",
    "al\u2028ice\u202e".encode(),
    b"al\xffice",
    b"x" * 60000,
    b"'; rm -rf / #",
)


def listened(pair: Pair) -> Pair:
    """Have both sides write what a daemon would."""
    for side in (pair.left, pair.right):
        side.endpoint.observer = Observers(side.recorder, LoggingObserver())
    return pair


def shown(pair: Pair) -> str:
    """What else of both sides might be written: snapshots, events, decisions, reasons."""
    sides = (pair.left, pair.right)
    snapshots = [repr(sa) for side in sides for sa in side.sas]
    events = [repr(event) for side in sides for event in side.events]
    return "\n".join([*snapshots, *events, *(each for side in sides for each in side.recorder.decisions)])


@pytest.mark.parametrize("name", HOSTILE_NAMES, ids=range(len(HOSTILE_NAMES)))
def test_a_name_of_any_kind_leaves_whole_lines(tmp_path: Path, name: bytes) -> None:
    stream = io.StringIO()
    with logging_to("debug", stream):
        hands = HandClient.__new__(HandClient)
        hands.connect(listened(make_access_pair(tmp_path)))
        hands.begin()
        hands.send(Eap(EapCode.RESPONSE, 0, bytes([EapType.IDENTITY]) + name))
    logged = stream.getvalue().split("\n")[:-1]
    assert len(logged) >= 4
    assert all(LINE.match(line) and line.isprintable() and len(line) < 4000 for line in logged), logged


@pytest.mark.parametrize("method", EVERY_METHOD, ids=str)
@pytest.mark.parametrize("password", [PASSWORD, WRONG], ids=["right", "wrong"])
def test_nothing_that_is_written_holds_a_password_a_hash_or_a_key(
    tmp_path: Path, method: EapType, password: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = write_files(tmp_path)
    user = UserConfig("alice", password=Secret(PASSWORD.encode()))
    keys: list[Secret] = []
    seen = Secret.__init__

    def remember(self: Secret, octets: bytes) -> None:
        seen(self, octets)
        keys.append(self)

    monkeypatch.setattr(Secret, "__init__", remember)
    gateway = gateway_config(files, methods=(method,), users=(user,))
    client, stream = client_config(files, methods=(method,), password=password), io.StringIO()
    with logging_to("debug", stream):
        pair = listened(make_access_pair(tmp_path, gateway, client))
        pair.left.initiate("vpn")
        pair.run(60)
    monkeypatch.undo()
    text = stream.getvalue() + shown(pair)

    secrets = {key.reveal() for key in keys if len(key) >= 16 and len(set(key.reveal())) > 4}
    assert len(secrets) >= 8, "keys of the IKE SA at the least"
    assert_text_has_no_secrets(text, [*secrets, PASSWORD, WRONG, nt_hash(PASSWORD), nt_hash(WRONG)])
    assert "vpn" in text


def test_the_search_finds_what_it_is_to_find() -> None:
    for form in (
        PASSWORD,
        nt_hash(PASSWORD).reveal().hex(":"),
        repr(PASSWORD.encode()),
        PASSWORD.encode().hex().upper(),
    ):
        with pytest.raises(AssertionError, match="holds secret"):
            assert_text_has_no_secrets(f"a line with {form} in it", [PASSWORD, nt_hash(PASSWORD)])
