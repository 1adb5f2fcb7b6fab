"""Which methods a client is offered."""

from __future__ import annotations

import pytest

from ikepy.ike.eap_turns import Proved, Refused
from ikepy.wire.registry import EapType
from tests.support.eap_conversation import (
    ERIN,
    FRANK,
    GTC,
    MD5,
    MSCHAPV2,
    USERS,
    converse,
    make_client,
    make_offers,
    make_server,
    make_store,
)


@pytest.fixture(scope="module")
def store() -> object:
    return make_store(*USERS, ERIN, FRANK)


@pytest.mark.parametrize(
    ("name", "wanted", "offered"),
    [
        ("alice", (MSCHAPV2, GTC, MD5), [MSCHAPV2, GTC]),
        ("alice", (GTC, MSCHAPV2), [GTC, MSCHAPV2]),
        ("alice", (GTC,), [GTC]),
        ("carol", (MD5, MSCHAPV2, GTC), [MD5, MSCHAPV2, GTC]),
        ("carol", (MSCHAPV2,), [MSCHAPV2]),
        ("erin", (MSCHAPV2, GTC, MD5), [GTC]),
        ("CORP\\erin", (MSCHAPV2, GTC), [GTC]),
        ("mallory", (MSCHAPV2, GTC, MD5), [MSCHAPV2, GTC, MD5]),
        ("bob", (MSCHAPV2, GTC), [MSCHAPV2, GTC]),
        # Who has nothing that fits is asked as who does not exist, and fails at the end.
        ("alice", (MD5,), [MD5]),
        ("erin", (MSCHAPV2,), [MSCHAPV2]),
        ("frank", (MSCHAPV2, GTC), [MSCHAPV2, GTC]),
        ("", (MSCHAPV2,), [MSCHAPV2]),
    ],
)
def test_the_connection_names_and_the_entry_picks(
    store: object, name: str, wanted: tuple[EapType, ...], offered: list[EapType]
) -> None:
    offers = make_offers(*wanted, store=store)
    assert [method.TYPE for method in offers(name)] == offered


def test_each_conversation_has_methods_of_its_own(store: object) -> None:
    offers = make_offers(MSCHAPV2, store=store)
    first, second = offers("alice")[0], offers("alice")[0]
    assert first is not second
    assert first.begin() != second.begin()


def test_what_is_not_here_is_refused_when_the_offers_are_made() -> None:
    with pytest.raises(ValueError, match="take mschapv2"):
        make_offers(EapType.SIM)
    with pytest.raises(ValueError, match="take mschapv2"):
        make_offers(EapType.TLS)


def test_tunnels_are_offered_to_everybody_in_the_connections_order(store: object) -> None:
    class Tls:
        TYPE = EapType.TLS

        def begin(self) -> bytes:
            return b" "

    tunnels = {EapType.TLS: Tls}
    offers = make_offers(MSCHAPV2, EapType.TLS, store=store, tunnels=tunnels)
    for name in ("alice", "mallory"):
        assert [method.TYPE for method in offers(name)] == [MSCHAPV2, EapType.TLS]
    assert [method.TYPE for method in offers("erin")] == [EapType.TLS]
    assert [method.TYPE for method in make_offers(EapType.TLS, store=store, tunnels=tunnels)("frank")] == [EapType.TLS]


def test_a_user_with_a_scrypt_hash_comes_in_by_gtc(store: object) -> None:
    server = make_server(MSCHAPV2, GTC, store=store)
    assert isinstance(converse(server, make_client(MSCHAPV2, GTC, name="erin")).server, Proved)
    server = make_server(MSCHAPV2, GTC, store=store)
    said = converse(server, make_client(MSCHAPV2, GTC, name="erin", password="wrong"))
    assert isinstance(said.server, Refused)
    assert said.server.is_guess


@pytest.mark.parametrize(
    ("name", "kind"), [("frank", MSCHAPV2), ("frank", GTC), ("frank", MD5), ("erin", MSCHAPV2), ("alice", MD5)]
)
def test_a_user_without_what_the_method_needs_never_comes_in(store: object, name: str, kind: EapType) -> None:
    for password in ("", "Grün-und-geheim", "x"):
        if password or kind is not GTC:
            said = converse(make_server(kind, store=store), make_client(kind, name=name, password=password))
            assert isinstance(said.server, Refused)
            assert name in said.server.reason
