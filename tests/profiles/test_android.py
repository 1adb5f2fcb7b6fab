"""The fields of Android's own screen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from ikepy.profiles.android import fields, make
from ikepy.profiles.facts import ClientFacts, NotForThisPlatform, SignIn
from tests.profiles.conftest import HOSTILE


def test_the_fields_stand_in_the_order_of_the_screen(facts: ClientFacts) -> None:
    assert fields(facts, "alice") == [
        ("Name", "VPN gate.example.com"),
        ("Type", "IKEv2/IPSec MSCHAPv2"),
        ("Server address", "gate.example.com"),
        ("IPSec identifier", "alice"),
        ("IPSec CA certificate", "the one installed from alice-ca.crt"),
        ("IPSec server certificate", "(received from server)"),
        ("Username", "alice"),
        ("Password", "your password"),
    ]


def test_the_page_names_each_field_and_what_to_install_first(facts: ClientFacts) -> None:
    page = make(facts, "alice")

    assert page.index("CA certificate: alice-ca.crt") < page.index("Settings, Network & internet, VPN")
    for name, value in fields(facts, "alice"):
        assert f"  {name} " in page
        assert f"  {value}\n" in page


def test_a_public_ca_needs_no_installing(facts: ClientFacts) -> None:
    page = make(replace(facts, anchors=()), "alice")

    assert "(use system certificates)" in page
    assert "Install a certificate" not in page


def test_certificates_and_pre_shared_keys_have_their_own_types(facts: ClientFacts, certified: ClientFacts) -> None:
    assert ("IPSec user certificate", "the one installed from alice.p12") in fields(certified, "alice")
    assert ("Type", "IKEv2/IPSec PSK") in fields(replace(facts, sign_in=SignIn.PSK), "alice")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sign_in": SignIn.TOKEN}, "EAP-GTC"),
        ({"address": "192.0.2.7"}, "leave out --server"),
    ],
)
def test_what_it_cannot_do_is_refused(facts: ClientFacts, changes: dict[str, object], message: str) -> None:
    with pytest.raises(NotForThisPlatform, match=message):
        make(replace(facts, **changes), "alice")


def test_an_ecdsa_certificate_is_refused(certified: ClientFacts) -> None:
    elliptic = replace(certified, certificate=replace(certified.certificate, kind="ECDSA256"))

    with pytest.raises(NotForThisPlatform, match="RSA"):
        make(elliptic, "alice")


@pytest.mark.parametrize(
    ("ike", "esp"),
    [("aes256-sha256-ecp256", "default"), ("default", "aes256gcm16-modp4096"), ("default", "aes256gcm16-esn")],
)
def test_proposals_it_does_not_have_are_refused(offering: Callable[..., ClientFacts], ike: str, esp: str) -> None:
    with pytest.raises(NotForThisPlatform, match="none of the gateway's"):
        make(offering(ike, esp), "alice")


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_one_value(facts: ClientFacts, name: str) -> None:
    page = make(replace(facts, user=name), "alice")

    assert page.count("\n") == make(facts, "alice").count("\n")
    assert f"Username                  {name}\n" in page
