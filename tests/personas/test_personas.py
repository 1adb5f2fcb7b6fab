"""Personas as data: each is complete, fits itself, and offers what a gateway can or must not take."""

from __future__ import annotations

import pytest

from ikepy.config.algorithms import default_proposals, proposal_words
from ikepy.crypto.suites import is_legacy
from ikepy.ike.negotiation import choose, chosen_ke, ke_methods
from ikepy.personas.catalogue import PERSONAS, find_persona
from ikepy.personas.kinds import Kind
from ikepy.personas.persona import Persona, Proving
from ikepy.personas.windows_advice import is_stock_windows
from ikepy.wire.registry import EapType, NotifyType, PayloadType, ProtocolId
from ikepy.wire.sa import Sa, build_sa, parse_sa

EACH = pytest.mark.parametrize("persona", PERSONAS, ids=lambda persona: persona.name)
STOCK = ("windows-stock", "windows-11-stock")


def persona_named(name: str) -> Persona:
    persona = find_persona(name)
    assert persona is not None
    return persona


def test_names_are_unique_and_lead_to_their_persona() -> None:
    assert len({persona.name for persona in PERSONAS}) == len(PERSONAS)
    assert all(find_persona(persona.name) is persona for persona in PERSONAS)
    assert find_persona("palm-pilot") is None


def test_each_client_of_the_issue_has_its_persona() -> None:
    kinds = {persona.kind for persona in PERSONAS}
    assert kinds == set(Kind)
    for proving in Proving:
        assert proving in persona_named("android-13").provings


@EACH
def test_its_offers_are_proposals_that_build_and_parse_again(persona: Persona) -> None:
    for offer in (persona.ike, persona.esp, persona.esp_rekey, persona.offer_of_ike_rekey):
        assert offer
        assert parse_sa(build_sa(offer)) == offer


@EACH
def test_its_first_method_is_one_it_offers(persona: Persona) -> None:
    assert persona.first_ke in ke_methods(persona.ike)


@EACH
def test_it_offers_no_key_exchange_with_ike_auth(persona: Persona) -> None:
    assert ke_methods(persona.esp) == ()


@EACH
def test_its_layouts_hold_each_payload_once_and_what_the_exchange_needs(persona: Persona) -> None:
    assert len(set(persona.init)) == len(persona.init)
    assert len(set(persona.auth)) == len(persona.auth)
    assert {PayloadType.SA, PayloadType.KE, PayloadType.NONCE} <= set(persona.init)
    needed = {PayloadType.IDI, PayloadType.AUTH, PayloadType.CP, PayloadType.SA, PayloadType.TSI, PayloadType.TSR}
    assert needed <= set(persona.auth)
    assert bool(persona.hashes) == (NotifyType.SIGNATURE_HASH_ALGORITHMS in persona.init)
    assert bool(persona.vendor_ids) == (PayloadType.V in persona.init)
    assert 16 <= persona.nonce_octets <= 256


@EACH
def test_the_default_proposals_take_it_unless_it_is_a_windows_as_installed(persona: Persona) -> None:
    ike = choose(Sa(persona.ike), default_proposals(ProtocolId.IKE))
    esp = choose(Sa(persona.esp), default_proposals(ProtocolId.ESP), with_ke=False)
    if persona.kind is Kind.WINDOWS and persona.name not in {"windows-hardened", "windows-hardened-pfs"}:
        assert esp is None
        assert (ike is None) == (persona.name in STOCK)
        return
    assert ike is not None
    assert esp is not None
    assert not any(map(is_legacy, ike.proposal.transforms)), proposal_words(ike.proposal)


@EACH
def test_the_default_proposals_take_its_rekey_of_a_child_with_a_key_exchange_and_without(persona: Persona) -> None:
    sent = ke_methods(persona.esp_rekey)
    chosen = choose(Sa(persona.esp_rekey), default_proposals(ProtocolId.ESP), sent_ke=sent[0] if sent else None)
    if persona.name in {*STOCK, "windows-modp2048"}:
        assert chosen is None
        return
    assert chosen is not None
    assert bool(chosen_ke(chosen.proposal)) == persona.rekeys_child_with_ke


def test_only_a_windows_as_installed_looks_like_one() -> None:
    assert tuple(persona.name for persona in PERSONAS if is_stock_windows(persona.ike)) == STOCK


def test_what_native_clients_do_is_what_was_found_out_about_them() -> None:
    windows, apple, android = map(persona_named, ("windows-stock", "apple-by-hand", "android-13"))
    assert (windows.sends_idr, windows.sends_certreq, windows.says_mobike) == (False, True, True)
    assert (apple.sends_idr, apple.sends_certreq, apple.says_mobike) == (True, False, True)
    assert (android.sends_idr, android.sends_certreq, android.says_mobike) == (True, False, True)
    assert not persona_named("android-11").says_mobike
    assert windows.rekeying.octets == 200 * 1024 * 1024
    assert windows.eap.identity.format(user="alice") == "WORKGROUP\\alice"
    assert EapType.GTC not in apple.eap.methods
    assert len(windows.ike) == 12
    assert [proposal_words(each) for each in windows.ike[10:11]] == ["aes256-sha256-prfsha256-modp1024"]
