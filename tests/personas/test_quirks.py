"""Quirks: by kind, overridden, shown."""

from __future__ import annotations

import pytest

from ikepy.personas.kinds import Kind, QuirksChoice
from ikepy.personas.quirks import NO_QUIRKS, quirks_for, quirks_of


def test_whoever_is_not_known_has_no_quirks() -> None:
    assert quirks_of(None) == NO_QUIRKS
    assert quirks_for(QuirksChoice.AUTO, None) == NO_QUIRKS
    assert NO_QUIRKS.words() == ()


def test_selectors_are_narrowed_again_for_everybody() -> None:
    assert NO_QUIRKS.narrow_again_on_rekey
    assert all(quirks_of(kind).narrow_again_on_rekey for kind in Kind)


def test_nobody_begins_a_rekey_towards_windows_and_what_must_be_sent_has_no_key_exchange() -> None:
    quirks = quirks_of(Kind.WINDOWS)
    assert quirks.never_rekey_child
    assert quirks.never_rekey_ike
    assert quirks.child_rekey_without_ke
    assert quirks.words()[0] == "never_rekey_child"
    assert "fragment_octets=576" in quirks.words()


def test_only_android_is_signed_for_with_pkcs1() -> None:
    assert [kind for kind in Kind if quirks_of(kind).pkcs1_signatures] == [Kind.ANDROID]


@pytest.mark.parametrize("kind", [Kind.WINDOWS, Kind.APPLE, Kind.ANDROID], ids=lambda kind: kind.value)
def test_native_clients_always_get_the_certificate(kind: Kind) -> None:
    assert quirks_of(kind).cert_always


def test_software_that_keeps_to_the_rfc_needs_nothing() -> None:
    assert quirks_of(Kind.STRONGSWAN) == quirks_of(Kind.LIBRESWAN) == NO_QUIRKS


def test_the_configuration_overrides_the_fingerprint() -> None:
    assert quirks_for(QuirksChoice.AUTO, Kind.WINDOWS) == quirks_of(Kind.WINDOWS)
    assert quirks_for(QuirksChoice.NONE, Kind.WINDOWS) == NO_QUIRKS
    assert quirks_for(QuirksChoice.APPLE, Kind.WINDOWS) == quirks_of(Kind.APPLE)
    assert quirks_for(QuirksChoice.WINDOWS, None) == quirks_of(Kind.WINDOWS)


def test_each_kind_can_be_told_by_its_word() -> None:
    assert {choice.kind for choice in QuirksChoice} == {None, *Kind}
    assert all(QuirksChoice(kind.value).kind is kind for kind in Kind)
    assert all(kind.label for kind in Kind)
