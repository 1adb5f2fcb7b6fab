"""Quirks at work: what a real gateway does otherwise for a client it has found out, or that its configuration names."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ikepy.config.load import load
from ikepy.config.model import QuirksChoice, SendCert
from ikepy.ike.events import AttemptFailed
from ikepy.personas.catalogue import PERSONAS, find_persona
from ikepy.personas.kinds import Kind
from ikepy.personas.ms_status import MS_NOTIFY_STATUS
from ikepy.personas.persona import Persona, Proving
from ikepy.personas.quirks import SMALL_FRAGMENTS, quirks_of
from ikepy.wire.notify import Notify
from ikepy.wire.payloads import Auth, Ke, Nonce
from ikepy.wire.registry import ExchangeType, NotifyType, TransformType
from ikepy.wire.sa import Sa
from tests.support.personas import PersonaClient, TurnedAway
from tests.support.personas_channel import BEFORE_IKE
from tests.support.personas_gateway import GATE_RSA, Gateway, make_gateway
from tests.support.personas_habits import INVALID_SITUATION, Habits

EACH = pytest.mark.parametrize("persona", PERSONAS, ids=lambda persona: persona.name)
YOUNG = {"rekey_time": 600.0, "rand_time": 0.0}
NEEDS_LEGACY = {"windows-stock", "windows-11-stock", "windows-modp2048"}


def persona_named(name: str) -> Persona:
    persona = find_persona(name)
    assert persona is not None
    return persona


def ageing(gateway: Gateway) -> Gateway:
    """IKE SAs and children are to be rekeyed after ten minutes."""
    config = gateway.world.config
    connections = tuple(
        replace(each, **YOUNG, children=tuple(replace(child, **YOUNG) for child in each.children))
        for each in config.connections
    )
    gateway.world.endpoint.replace_config(replace(config, connections=connections))
    return gateway


def up(gateway: Gateway, name: str, proving: Proving | None = None) -> Habits:
    persona = persona_named(name)
    client = PersonaClient(gateway, persona, proving or persona.provings[0])
    client.connect()
    return Habits(client)


@EACH
def test_the_gateway_knows_what_comes_to_it_and_shows_it(persona: Persona, tmp_path: Path) -> None:
    gateway = make_gateway(tmp_path, legacy_windows=True) if persona.name not in NEEDS_LEGACY else legacy(tmp_path)
    for seed, proving in enumerate(persona.provings):
        client = PersonaClient(gateway, persona, proving, seed=seed)
        client.connect()
        session = gateway.sa.session
        assert session is not None
        assert session.client in {persona.label, persona.kind.label}
        assert session.quirks == quirks_of(persona.kind).words()
        Habits(client).leave()


def legacy(directory: Path) -> Gateway:
    """A gateway as its configuration file makes it with `legacy_windows = true`."""
    conf = directory / "legacy.conf"
    conf.touch(0o600)
    text = 'legacy_windows = true\nlocal = {auth = "psk", id = "g"}\nremote.auth = "psk"\nchildren.net = {}\n'
    conf.write_text(f'[connections.x]\n{text}[secrets.x]\nsecret = "some twenty characters of a key"\n')
    (made,) = load(conf).config.connections
    gateway = make_gateway(directory)
    connections = tuple(
        replace(
            each,
            proposals=made.proposals,
            children=tuple(replace(child, esp_proposals=made.children[0].esp_proposals) for child in each.children),
        )
        for each in gateway.world.config.connections
    )
    gateway.world.endpoint.replace_config(replace(gateway.world.config, connections=connections))
    return gateway


def test_no_rekey_is_begun_towards_windows_and_nothing_ends_of_age(tmp_path: Path) -> None:
    gateway = ageing(make_gateway(tmp_path))
    habits = up(gateway, "windows-hardened")
    (child,) = gateway.sa.children
    assert gateway.sa.rekey_at is child.rekey_at is child.life_until is None
    assert child.spec is not None
    assert child.spec.inbound.lifetime.soft_seconds is child.spec.inbound.lifetime.hard_seconds is None
    habits.stay(2000)
    assert ExchangeType.CREATE_CHILD_SA not in habits.asked
    assert len(gateway.sas) == 1


@pytest.mark.parametrize("name", ["strongswan-android", "android-13"])
def test_others_are_rekeyed_when_time_has_come(name: str, tmp_path: Path) -> None:
    gateway = ageing(make_gateway(tmp_path))
    habits = up(gateway, name)
    habits.stay(610)
    assert ExchangeType.CREATE_CHILD_SA in habits.asked


def test_the_configuration_switches_quirks_off(tmp_path: Path) -> None:
    gateway = ageing(make_gateway(tmp_path, quirks=QuirksChoice.NONE))
    habits = up(gateway, "windows-hardened")
    assert gateway.sa.session is not None
    assert gateway.sa.session.quirks == ()
    assert gateway.sa.session.client is not None
    habits.stay(610)
    assert ExchangeType.CREATE_CHILD_SA in habits.asked


def test_the_configuration_names_a_kind_that_no_fingerprint_shows(tmp_path: Path) -> None:
    gateway = ageing(make_gateway(tmp_path, quirks=QuirksChoice.WINDOWS))
    habits = up(gateway, "strongswan-android")
    habits.stay(700)
    assert ExchangeType.CREATE_CHILD_SA not in habits.asked


def test_a_rekey_that_an_operator_wants_towards_windows_has_no_key_exchange_and_its_refusal_is_worded(
    tmp_path: Path,
) -> None:
    gateway = make_gateway(tmp_path)
    habits, requests = up(gateway, "windows-hardened"), []
    answer = habits.client.channel.on_request

    def remember(message):  # type: ignore[no-untyped-def]
        requests.append(message)
        return answer(message)

    habits.client.channel.on_request = remember
    (child,) = gateway.sa.children
    gateway.world.run(gateway.world.endpoint.rekey(gateway.now, child_ids=(child.unique_id,)), gateway.now)
    gateway._post()
    habits.stay(10)
    request = next(each for each in requests if each.header.exchange is ExchangeType.CREATE_CHILD_SA)
    assert not request.all(Ke)
    offered = request.first(Sa)
    assert all(transform.type != TransformType.KE for each in offered.proposals for transform in each.transforms)
    assert {each.id for each in offered.proposals[0].transforms} == {each.id for each in child.proposal.transforms}
    assert habits.refused[0] == INVALID_SITUATION
    assert any("13863" in each and "Windows" in each for each in gateway.world.recorder.decisions)
    assert gateway.sa.children[0].unique_id == child.unique_id


def test_a_rekey_of_the_ike_sa_leads_with_the_method_it_has(tmp_path: Path) -> None:
    gateway = make_gateway(tmp_path)
    habits = up(gateway, "apple-by-hand")
    before, requests = gateway.sa.proposal, []
    habits.client.channel.on_request = lambda message: requests.append(message) or ()
    gateway.world.run(gateway.world.endpoint.rekey(gateway.now, ike_ids=(gateway.sa.unique_id,)), gateway.now)
    gateway._post()
    habits.client.channel.listen()
    request = next(each for each in requests if each.all(Nonce))
    assert before is not None
    suite = [each for each in before.transforms if each.type == TransformType.KE]
    assert request.first(Ke).method == suite[0].id
    assert set(before.transforms) <= set(request.first(Sa).proposals[0].transforms)


def test_windows_gets_small_fragments_and_others_as_configured(tmp_path: Path) -> None:
    largest: dict[str, int] = {}
    for name in ("windows-hardened", "strongswan-android"):
        gateway = make_gateway(tmp_path, own=GATE_RSA)
        deliver, sizes = gateway.deliver, []

        def listen(octets, source, port, gateway=gateway, deliver=deliver, sizes=sizes):  # type: ignore[no-untyped-def]
            deliver(octets, source, port)
            sizes.extend(map(len, gateway.mail[source]))

        gateway.deliver = listen  # type: ignore[method-assign]
        up(gateway, name, Proving.CERTIFICATE)
        largest[name] = max(sizes) + BEFORE_IKE
    assert largest["windows-hardened"] <= SMALL_FRAGMENTS < largest["strongswan-android"]


def test_an_android_is_signed_for_with_pkcs1_where_the_key_is_rsa(tmp_path: Path) -> None:
    client = PersonaClient(make_gateway(tmp_path, own=GATE_RSA), persona_named("android-13"), Proving.EAP)
    client.connect()  # it refuses PSS
    assert client.server_certificates


def test_who_asks_for_no_certificate_gets_it_all_the_same(tmp_path: Path) -> None:
    gateway = make_gateway(tmp_path)
    config = gateway.world.config
    if_asked = tuple(
        replace(each, local=replace(each.local, send_cert=SendCert.IF_ASKED)) for each in config.connections
    )
    gateway.world.endpoint.replace_config(replace(config, connections=if_asked))
    persona = persona_named("apple-by-hand")
    assert not persona.sends_certreq
    client = PersonaClient(gateway, persona, Proving.EAP)
    client.connect()
    assert client.server_certificates


@pytest.mark.parametrize("name", ["windows-stock", "windows-11-stock"])
def test_a_windows_as_installed_is_refused_with_the_command_that_mends_it(name: str, tmp_path: Path) -> None:
    gateway = make_gateway(tmp_path)
    with pytest.raises(TurnedAway):
        PersonaClient(gateway, persona_named(name), Proving.EAP).connect()
    (reason,) = [event.reason for event in gateway.world.events if isinstance(event, AttemptFailed)]
    assert "Set-VpnConnectionIPsecConfiguration" in reason
    assert "legacy_windows = true" in reason


@pytest.mark.parametrize("name", sorted(NEEDS_LEGACY))
def test_legacy_windows_takes_it_as_it_is(name: str, tmp_path: Path) -> None:
    gateway = legacy(tmp_path)
    up(gateway, name)
    assert len(gateway.sas) == 1


def test_legacy_windows_changes_nothing_for_who_offers_better(tmp_path: Path) -> None:
    plain, with_legacy = make_gateway(tmp_path), legacy(tmp_path)
    for gateway in (plain, with_legacy):
        up(gateway, "windows-hardened")
    assert plain.sa.proposal == with_legacy.sa.proposal
    assert plain.sa.children[0].proposal == with_legacy.sa.children[0].proposal


@pytest.mark.parametrize("octets", [b"", b"\0", (13801).to_bytes(4, "big"), b"\xff" * 5000])
def test_a_private_notify_of_any_octets_is_worded_and_does_no_harm(octets: bytes, tmp_path: Path) -> None:
    gateway = make_gateway(tmp_path)
    habits = up(gateway, "windows-hardened")
    client = habits.client
    client.channel.ask(client.up, ExchangeType.INFORMATIONAL, (Notify(MS_NOTIFY_STATUS, octets),))
    assert any(each.startswith("Windows says") and len(each) < 400 for each in gateway.world.recorder.decisions)
    assert len(gateway.sas) == 1


def test_a_refused_client_says_who_it_was(tmp_path: Path) -> None:
    gateway = make_gateway(tmp_path)
    client = PersonaClient(gateway, persona_named("windows-hardened"), Proving.EAP, password="no such")
    with pytest.raises(TurnedAway) as refused:
        client.connect()
    assert refused.value.notify is NotifyType.AUTHENTICATION_FAILED
    assert not refused.value.message.all(Auth)
    (failed,) = [event for event in gateway.world.events if isinstance(event, AttemptFailed)]
    assert failed.claim is not None
    assert failed.claim.user.endswith("alice")
    assert failed.claim.method == "EAP-MSCHAPV2"
    assert failed.claim.client is not None
    assert failed.claim.client.startswith(Kind.WINDOWS.label)
    assert failed.claim.path.remote.address == client.outside.address
