"""What each persona does once it is connected: signs of life, its own rekeys, sleep, coming back, leaving."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from ikepy.config.model import Unique
from ikepy.ike.actions import SocketAddress
from ikepy.personas.catalogue import PERSONAS, find_persona
from ikepy.personas.persona import Leaving, Persona, Proving
from ikepy.personas.windows_advice import legacy_windows_proposals
from ikepy.wire.registry import ExchangeType, NotifyType
from tests.support.personas import PersonaClient
from tests.support.personas_channel import NoAnswer
from tests.support.personas_gateway import Gateway, make_gateway
from tests.support.personas_habits import IKE_ERROR, INVALID_SITUATION, Habits

NEEDS_LEGACY = {"windows-stock", "windows-11-stock", "windows-modp2048"}
EACH = pytest.mark.parametrize("persona", PERSONAS, ids=lambda persona: persona.name)
ELSEWHERE = SocketAddress(IPv4Address("203.0.113.9"), 1024)
NATIVE = ["windows-hardened", "apple-by-hand", "android-13", "strongswan-android"]


def connected(
    persona: Persona | str, directory: Path, gateway: Gateway | None = None, **more: object
) -> tuple[Gateway, Habits]:
    """A persona that is up, by the first proof it has."""
    if isinstance(persona, str):
        found = find_persona(persona)
        assert found is not None
        persona = found
    legacy = legacy_windows_proposals() if persona.name in NEEDS_LEGACY else None
    gateway = gateway or make_gateway(directory, legacy=legacy)
    client = PersonaClient(gateway, persona, persona.provings[0], **more)  # type: ignore[arg-type]
    client.connect()
    return gateway, Habits(client)


@EACH
def test_it_asks_for_a_sign_of_life_and_gives_one(persona: Persona, tmp_path: Path) -> None:
    gateway, habits = connected(persona, tmp_path)
    habits.ask_for_life()
    habits.stay(200)
    assert ExchangeType.INFORMATIONAL in habits.asked
    assert gateway.sas
    assert ExchangeType.CREATE_CHILD_SA not in habits.asked


@EACH
def test_it_rekeys_its_child_and_the_selectors_stay_what_they_were(persona: Persona, tmp_path: Path) -> None:
    gateway, habits = connected(persona, tmp_path)
    before = habits.client.children[0]
    for _ in range(3):
        after = habits.rekey_child()
        assert (after.tsi, after.tsr) == (before.tsi, before.tsr)
        habits.stay(30)
    (child,) = gateway.sa.children
    assert child.remote_ts == before.tsi
    assert len(gateway.world.kernel.children) == 1
    habits.client.check_kernel(habits.client.children[0])


@EACH
def test_it_rekeys_its_ike_sa_and_the_child_goes_along(persona: Persona, tmp_path: Path) -> None:
    gateway, habits = connected(persona, tmp_path)
    before, spis = habits.client.children[0], habits.client.up.spis
    habits.rekey_ike()
    assert habits.client.up.spis != spis
    assert gateway.sa.spi_i == habits.client.up.spis[0]
    habits.ask_for_life()
    habits.stay(100)
    habits.client.check_kernel(before)
    habits.rekey_child()
    assert len(gateway.sa.children) == 1


@EACH
def test_it_leaves_and_nothing_of_it_is_left(persona: Persona, tmp_path: Path) -> None:
    gateway, habits = connected(persona, tmp_path)
    habits.leave()
    assert persona.leaving is Leaving.DELETE
    assert not gateway.sas
    gateway.wait(120)
    assert gateway.is_empty


@EACH
def test_a_short_sleep_is_slept_over(persona: Persona, tmp_path: Path) -> None:
    gateway, habits = connected(persona, tmp_path)
    spis = habits.client.up.spis
    habits.sleep(70)
    assert habits.wake()
    habits.stay(100)
    assert gateway.sa.spi_i == spis[0]


@EACH
def test_after_a_long_sleep_it_is_forgotten_connects_anew_and_has_its_address_again(
    persona: Persona, tmp_path: Path
) -> None:
    gateway, habits = connected(persona, tmp_path)
    addresses = habits.client.addresses
    habits.sleep(3600)
    assert gateway.is_empty
    assert not habits.wake()
    assert habits.client.addresses == addresses
    assert len(gateway.sas) == 1


@EACH
def test_who_comes_back_from_elsewhere_without_a_delete_has_one_ike_sa_and_its_address(
    persona: Persona, tmp_path: Path
) -> None:
    gateway, habits = connected(persona, tmp_path)
    addresses, old = habits.client.addresses, gateway.sa.unique_id
    habits.client.outside = habits.client.channel.outside = ELSEWHERE
    habits.client.connect()
    habits.rekey_child()
    habits.stay(300)
    assert gateway.sa.unique_id != old
    assert habits.client.addresses == addresses
    habits.client.check_kernel(habits.client.children[0])


@EACH
def test_who_comes_back_from_where_it_was_has_one_ike_sa_in_the_end(persona: Persona, tmp_path: Path) -> None:
    gateway, habits = connected(persona, tmp_path)
    old = gateway.sa.unique_id
    habits.client.connect()
    habits.stay(600)
    assert gateway.sa.unique_id != old


def test_another_user_behind_the_same_nat_keeps_what_he_has(tmp_path: Path) -> None:
    gateway, alice = connected("apple-by-hand", tmp_path)
    outside = replace(alice.client.outside, port=50000)
    _, bob = connected("apple-by-hand", tmp_path, gateway, user="bob", outside=outside, seed=5)
    assert len(gateway.sas) == 2
    alice.client.connect()
    assert len(gateway.sas) == 2
    bob.ask_for_life()
    assert alice.client.addresses != bob.client.addresses


@pytest.mark.parametrize("name", NATIVE)
def test_a_request_that_is_repeated_gets_the_answer_it_had(name: str, tmp_path: Path) -> None:
    gateway, habits = connected(name, tmp_path)
    number = habits.client.up.next_id
    habits.rekey_child()
    gateway.wait(0.5)
    again = habits.client.channel.repeat(habits.client.up, number + 1)
    assert again.header.exchange is ExchangeType.INFORMATIONAL
    assert len(gateway.sa.children) == 1


def test_a_client_whose_ike_sa_is_gone_hears_nothing_it_would_believe(tmp_path: Path) -> None:
    gateway, habits = connected("windows-hardened", tmp_path)
    gateway.wait(3600)
    habits.client.channel.forget()
    with pytest.raises(NoAnswer):
        habits.ask_for_life()


def test_a_windows_that_asks_for_more_at_a_rekey_gets_what_it_had(tmp_path: Path) -> None:
    _, habits = connected("windows-hardened", tmp_path)
    assert habits.persona.rekeying.asks_wider_selectors
    assert [str(each) for each in habits.rekey_child().tsi] == ["10.9.0.10/32", "2001:db8:9::10/128"]


@pytest.mark.parametrize(
    ("name", "has_ke"), [("windows-hardened", False), ("windows-hardened-pfs", True), ("apple-by-profile-pfs", True)]
)
def test_whether_a_rekey_has_a_key_exchange_is_the_client_s_choice(name: str, has_ke: bool, tmp_path: Path) -> None:
    gateway, habits = connected(name, tmp_path)
    new = habits.rekey_child()
    kinds = {str(each.type) for each in new.proposal.transforms}
    assert ("KE" in kinds) == has_ke
    assert gateway.sas


def test_a_windows_keeps_its_child_whatever_the_gateway_would_do_about_its_age(tmp_path: Path) -> None:
    """A gateway that begins a rekey is refused, with 13816 for a key exchange and 13863 else; the child goes on."""
    gateway = make_gateway(tmp_path)
    connections = tuple(
        replace(each, children=tuple(replace(child, rekey_time=600.0, rand_time=0.0) for child in each.children))
        for each in gateway.world.config.connections
    )
    gateway.world.endpoint.replace_config(replace(gateway.world.config, connections=connections))
    _, habits = connected("windows-hardened", tmp_path, gateway)
    habits.stay(620)
    assert set(habits.refused) <= {IKE_ERROR, INVALID_SITUATION}
    habits.client.check_kernel(habits.client.children[0])
    habits.rekey_child()
    assert len(gateway.sa.children) == 1


@pytest.mark.parametrize("unique", [Unique.NO, Unique.REPLACE], ids=lambda unique: unique.value)
def test_initial_contact_of_an_apple_ends_what_it_forgot(unique: Unique, tmp_path: Path) -> None:
    gateway = make_gateway(tmp_path, unique=unique)
    _, habits = connected("apple-by-hand", tmp_path, gateway)
    assert NotifyType.INITIAL_CONTACT in habits.persona.auth
    habits.client.connect()
    habits.stay(200)
    assert len(gateway.sas) == 1


def test_proofs_that_are_no_eap_live_as_long(tmp_path: Path) -> None:
    persona = find_persona("android-13")
    assert persona is not None
    by_key = replace(persona, provings=(Proving.PSK,))
    gateway, habits = connected(by_key, tmp_path)
    habits.rekey_child()
    habits.rekey_ike()
    habits.leave()
    gateway.wait(60)
    assert gateway.is_empty
