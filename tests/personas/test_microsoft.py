"""Microsoft's status notify in words, and what is told of a Windows as installed."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ikepy.config.algorithms import default_proposals
from ikepy.crypto.suites import is_legacy
from ikepy.ike.negotiation import choose
from ikepy.personas.catalogue import PERSONAS, find_persona
from ikepy.personas.ms_status import MS_NOTIFY_STATUS, describe_ms_status
from ikepy.personas.offers import ike_offer
from ikepy.personas.windows_advice import MENDING_COMMAND, legacy_windows_proposals, weak_windows_advice
from ikepy.wire.registry import EncrId, NotifyType, ProtocolId, TransformType
from ikepy.wire.sa import Sa

STOCK = ("windows-stock", "windows-11-stock")
ESP_CONSTANTS = {"GCMAES256": "aes256gcm16"}
IKE_WORDS = {"AES256": "aes256", "SHA256": "sha256-prfsha256", "ECP256": "ecp256"}


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (13801, "certificate"),
        (13806, "machine certificate"),
        (13816, "PfsGroup"),
        (13863, "rekey"),
        (13868, "no proposal in common"),
        (809, "4500"),
        (691, "password"),
        (87, "INVALID_PARAMETER"),
    ],
)
def test_the_errors_people_meet_are_said_in_words(number: int, words: str) -> None:
    told = describe_ms_status(number.to_bytes(4, "big"))
    assert told.startswith(f"Windows says {number} (")
    assert words in told
    assert describe_ms_status(number.to_bytes(4, "little")) == told


def test_an_error_wrapped_as_a_result_is_unwrapped() -> None:
    assert describe_ms_status((0x80070000 | 13868).to_bytes(4, "big")).startswith("Windows says 13868 (")


def test_an_error_nobody_knows_keeps_its_number_and_says_where_it_is_explained() -> None:
    assert describe_ms_status(b"\0\0\x30\x39") == (
        "Windows says 12345, an error number of Win32; `net helpmsg 12345` there explains it"
    )


@pytest.mark.parametrize(
    ("octets", "shown"),
    [(b"", "nothing"), (b"\x01", "01 (1 octets)"), (bytes(5), "0000000000 (5 octets)"), (bytes(65000), "...")],
)
def test_octets_that_are_no_number_are_shown_and_cut(octets: bytes, shown: str) -> None:
    told = describe_ms_status(octets)
    assert shown in told
    assert "no error number" in told


@given(st.binary(max_size=2000))
def test_any_octets_give_one_short_line(octets: bytes) -> None:
    told = describe_ms_status(octets)
    assert len(told) < 400
    assert told.isprintable()


def test_the_notify_is_12345_and_an_error_by_its_number() -> None:
    assert NotifyType(12345) == MS_NOTIFY_STATUS
    assert MS_NOTIFY_STATUS.is_error


# -- Windows as installed ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", STOCK)
def test_a_windows_as_installed_is_answered_with_the_command_that_mends_it(name: str) -> None:
    persona = find_persona(name)
    assert persona is not None
    advice = weak_windows_advice(persona.ike, "Office")
    assert advice is not None
    assert 'Set-VpnConnectionIPsecConfiguration -ConnectionName "Office"' in advice
    assert "legacy_windows = true" in advice
    assert "\n" not in advice


def test_nobody_else_is_told_to_mend_his_windows() -> None:
    assert [persona.name for persona in PERSONAS if weak_windows_advice(persona.ike)] == list(STOCK)
    assert weak_windows_advice(()) is None
    assert weak_windows_advice(ike_offer("aes256-sha1-prfsha1-modp1024")) is None
    assert weak_windows_advice(ike_offer(*["aes256-sha1-prfsha1-modp1024"] * 8)) is not None
    assert weak_windows_advice(ike_offer(*["aes256-sha1-prfsha1-modp1024"] * 8, "aes256-sha1-prfsha1-modp2048")) is None


def test_what_the_command_sets_up_is_the_hardened_persona_and_the_default_proposals_take_it() -> None:
    said = dict(re.findall(r"-(\w+) (\w+)(?= -)", MENDING_COMMAND))
    hardened = find_persona("windows-hardened")
    assert hardened is not None
    parts = (said["EncryptionMethod"], said["IntegrityCheckMethod"], said["DHGroup"])
    assert ike_offer("-".join(IKE_WORDS[part] for part in parts)) == hardened.ike
    assert said["CipherTransformConstants"] == said["AuthenticationTransformConstants"] == "GCMAES256"
    assert said["PfsGroup"] == "None"
    assert choose(Sa(hardened.ike), default_proposals(ProtocolId.IKE)) is not None
    assert choose(Sa(hardened.esp), default_proposals(ProtocolId.ESP), with_ke=False) is not None


@pytest.mark.parametrize("name", STOCK)
def test_legacy_windows_takes_it_with_aes_and_nothing_weaker_than_it_must(name: str) -> None:
    legacy, persona = legacy_windows_proposals(), find_persona(name)
    assert persona is not None
    ike, esp = choose(Sa(persona.ike), legacy.ike), choose(Sa(persona.esp), legacy.esp, with_ke=False)
    assert ike is not None
    assert esp is not None
    for chosen in (ike, esp):
        ciphers = [each for each in chosen.proposal.transforms if each.type is TransformType.ENCR]
        assert [(each.id, each.key_length_bits) for each in ciphers] == [(EncrId.AES_CBC, 256)]


def test_legacy_proposals_have_no_cipher_that_is_broken() -> None:
    legacy = legacy_windows_proposals()
    transforms = [each for proposal in (*legacy.ike, *legacy.esp) for each in proposal.transforms]
    assert {each.id for each in transforms if each.type is TransformType.ENCR} == {EncrId.AES_CBC}
    assert all(each.type is TransformType.KE for each in transforms if is_legacy(each))
