"""Fingerprints: right for each persona and each recording, and nobody is Windows by accident."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ikepy.personas.catalogue import PERSONAS, find_persona
from ikepy.personas.fingerprint import Seen, describe, fingerprint, seen_in
from ikepy.personas.kinds import Kind
from ikepy.personas.persona import Persona, Proving
from ikepy.personas.windows import MS_NT5
from ikepy.wire.message import Message, parse_message
from ikepy.wire.registry import (
    CfgAttributeType,
    ExchangeType,
    IdType,
    NotifyType,
    PayloadType,
)
from tests.support.personas_words import seen_of
from tests.support.recorded import CAPTURES, Recording, recordings

WAYS = [(persona, proving) for persona in PERSONAS for proving in persona.provings]
EACH_WAY = pytest.mark.parametrize(
    ("persona", "proving"), WAYS, ids=[f"{persona.name} {proving.value}" for persona, proving in WAYS]
)


@cache
def first_requests(name: str) -> tuple[Message, Message] | None:
    """IKE_SA_INIT and IKE_AUTH of a recording, as the responder sees them; None where its keys are not there."""
    recording = Recording(CAPTURES / name)
    init: Message | None = None
    for octets in recording.messages:
        message = parse_message(octets)
        if message.header.is_response:
            continue
        if message.header.exchange is ExchangeType.IKE_SA_INIT:
            init = message
        elif message.header.exchange is ExchangeType.IKE_AUTH and init is not None:
            table = recording.tables.get((message.header.spi_i, message.header.spi_r))
            return (init, Message(message.header, table.open(octets).payloads)) if table is not None else None
    return None


WHOLE = [name for name in recordings() if first_requests(name) is not None]
"Recordings that have both requests, and the keys to read them: some begin later."


def initiator_of(name: str) -> str:
    """Who begins, by the title of the recording's story."""
    title = (CAPTURES / name / "story.md").read_text().splitlines()[0]
    return title.rpartition(": ")[2].split(" ")[0]


@EACH_WAY
def test_each_persona_is_known_by_its_two_requests(persona: Persona, proving: Proving) -> None:
    assert fingerprint(seen_of(persona, proving)) is persona.kind


@pytest.mark.parametrize("persona", PERSONAS, ids=lambda persona: persona.name)
def test_before_ike_auth_a_persona_is_known_or_unknown_and_never_somebody_else(persona: Persona) -> None:
    assert fingerprint(seen_of(persona, None)) in {persona.kind, None}


@pytest.mark.parametrize("name", ["windows-stock", "windows-hardened", "apple-by-hand", "android-13", "strongswan"])
def test_who_says_enough_in_ike_sa_init_is_known_from_then_on(name: str) -> None:
    persona = find_persona(name)
    assert persona is not None
    assert fingerprint(seen_of(persona, None)) is persona.kind


@pytest.mark.parametrize("name", WHOLE)
def test_each_recording_shows_the_program_that_began_it(name: str) -> None:
    requests = first_requests(name)
    assert requests is not None
    expected = {"strongswan": Kind.STRONGSWAN, "libreswan": Kind.LIBRESWAN, "ikepy": None}[initiator_of(name)]
    assert fingerprint(seen_in(*requests)) is expected


def test_recordings_of_both_programs_as_initiators_are_there() -> None:
    begun = [initiator_of(name) for name in WHOLE]
    assert set(begun) == {"strongswan", "libreswan", "ikepy"}
    assert min(map(begun.count, set(begun))) >= 5


def test_a_gateway_of_microsofts_that_asks_for_no_address_is_no_windows_client() -> None:
    persona = find_persona("windows-hardened")
    assert persona is not None
    seen = seen_of(persona, Proving.CERTIFICATE)
    assert fingerprint(replace(seen, cp=())) is None
    with_idr = (*seen.auth_payloads, PayloadType.IDR)
    only_ids = replace(seen, cp=(CfgAttributeType.INTERNAL_IP4_ADDRESS,), auth_payloads=with_idr)
    assert fingerprint(only_ids) is None


def test_windows_is_known_without_its_vendor_ids_too() -> None:
    persona = find_persona("windows-hardened")
    assert persona is not None
    assert fingerprint(replace(seen_of(persona, Proving.EAP), vendor_ids=())) is Kind.WINDOWS


def test_a_vendor_id_of_another_version_is_microsofts_all_the_same() -> None:
    assert fingerprint(Seen((), (), vendor_ids=(MS_NT5 + b"\0\0\0\x0a",))) is Kind.WINDOWS
    assert fingerprint(Seen((), (), vendor_ids=(MS_NT5[:15],))) is None


def test_a_cookie_changes_nothing() -> None:
    persona = find_persona("android-13")
    assert persona is not None
    seen = seen_of(persona, Proving.PSK)
    assert seen.init_notifies[0] is not NotifyType.COOKIE
    assert fingerprint(seen_of(persona, Proving.PSK, cookie=True)) is Kind.ANDROID


def test_a_client_is_described_by_its_offer_where_only_one_makes_it() -> None:
    names = {name: find_persona(name) for name in ("windows-stock", "windows-11-stock", "android-11", "apple-by-hand")}
    for persona in names.values():
        assert persona is not None
        assert describe(seen_of(persona, Proving.EAP)) == persona.label
    assert describe(Seen((), ())) == "unknown client"


def test_a_client_with_an_offer_of_its_own_is_described_by_its_kind() -> None:
    persona = find_persona("apple-by-hand")
    assert persona is not None
    assert describe(replace(seen_of(persona, Proving.EAP), proposals=persona.ike[:2])) == "iOS or macOS"


WINDOWS_ONLY = {CfgAttributeType(23456), CfgAttributeType(23457)}


@given(
    st.lists(st.sampled_from(list(NotifyType)), max_size=12),
    st.lists(st.binary(max_size=24), max_size=4),
    st.lists(st.sampled_from(list(PayloadType)), max_size=16),
    st.lists(st.sampled_from(list(CfgAttributeType)), max_size=12),
    st.none() | st.sampled_from(list(IdType)),
)
def test_whatever_is_seen_gives_a_kind_or_none_and_windows_only_by_what_is_microsofts(
    notifies: list[NotifyType],
    vendors: list[bytes],
    payloads: list[PayloadType],
    cp: list[CfgAttributeType],
    idi: IdType | None,
) -> None:
    seen = Seen((), tuple(notifies), tuple(vendors), None, tuple(payloads), tuple(notifies), tuple(cp), idi, "alice")
    kind = fingerprint(seen)
    assert kind is None or isinstance(kind, Kind)
    if kind is Kind.WINDOWS:
        assert WINDOWS_ONLY & set(cp) or any(each.startswith(MS_NT5) for each in vendors)
    assert describe(seen)
