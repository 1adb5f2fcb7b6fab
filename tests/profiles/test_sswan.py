"""The profile of strongSwan's app, read again as JSON."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Callable
from dataclasses import replace

import pytest

from ikepy.config.algorithms import parse_proposals
from ikepy.crypto.secret import Secret
from ikepy.profiles.facts import EVERYWHERE, ClientFacts, NotForThisPlatform, SignIn
from ikepy.profiles.sswan import make
from ikepy.wire.registry import ProtocolId
from tests.profiles.conftest import HOSTILE


def test_the_profile_says_where_who_and_how(facts: ClientFacts, authority: bytes) -> None:
    profile = json.loads(make(facts))

    assert profile["type"] == "ikev2-eap"
    assert (profile["remote"]["addr"], profile["remote"]["id"]) == ("gate.example.com", "gate.example.com")
    assert b64decode(profile["remote"]["cert"]) == authority
    assert profile["local"] == {"eap_id": "alice"}
    assert profile["split-tunneling"] == {"subnets": ["10.1.0.0/16", "fd00:1::/32"]}


def test_its_proposals_are_the_gateways_first_without_what_the_app_does_not_know(facts: ClientFacts) -> None:
    profile = json.loads(make(facts))

    assert profile["ike-proposal"] == (
        "aes256gcm16-aes128gcm16-chacha20poly1305-prfsha256-prfsha384-prfsha512-x25519-ecp256-ecp384-ecp521-"
        "modp3072-modp4096-modp2048"
    )
    assert profile["esp-proposal"].startswith("aes256gcm16-aes128gcm16-chacha20poly1305-x25519-")
    for word, protocol in (("ike-proposal", ProtocolId.IKE), ("esp-proposal", ProtocolId.ESP)):
        assert parse_proposals([profile[word]], protocol)


@pytest.mark.parametrize(
    ("ike", "esp", "expected"),
    [
        ("aes256ccm16-ecp256,aes256-sha384-ecp384", "aes128gcm16", ("aes256-sha384-prfsha384-ecp384", "aes128gcm16")),
        (
            "aes128gcm16-prfsha512-x448-modp2048",
            "aes256-sha512-ecp256bp,aes256-sha256-ecp384-noesn",
            ("aes128gcm16-prfsha512-modp2048", "aes256-sha256-ecp384"),
        ),
    ],
)
def test_a_proposal_it_cannot_read_is_passed_over(
    offering: Callable[..., ClientFacts], ike: str, esp: str, expected: tuple[str, str]
) -> None:
    profile = json.loads(make(offering(ike, esp)))

    integrity_last = {frozenset(profile[word].split("-")) for word in ("ike-proposal", "esp-proposal")}
    assert integrity_last == {frozenset(each.split("-")) for each in expected}


@pytest.mark.parametrize(("ike", "esp"), [("aes256ccm16-ecp256", "default"), ("default", "aes256gcm16-esn")])
def test_a_gateway_it_cannot_talk_to_is_refused(offering: Callable[..., ClientFacts], ike: str, esp: str) -> None:
    with pytest.raises(NotForThisPlatform, match="add aes256gcm16"):
        make(offering(ike, esp))


def test_a_full_tunnel_blocks_what_would_go_beside_it(facts: ClientFacts) -> None:
    profile = json.loads(make(replace(facts, is_full=True, networks=EVERYWHERE)))

    assert profile["split-tunneling"] == {"block-ipv4": True, "block-ipv6": True}


def test_certificates_come_as_pkcs12(certified: ClientFacts) -> None:
    by_ike, by_eap = (
        json.loads(make(replace(certified, sign_in=each))) for each in (certified.sign_in, SignIn.EAP_TLS)
    )

    assert (by_ike["type"], by_eap["type"]) == ("ikev2-cert", "ikev2-eap-tls")
    assert b64decode(by_ike["local"]["p12"]) == b"p12 octets"
    assert by_ike["local"]["id"] == "alice.lab"
    assert "eap_id" not in by_ike["local"]


def test_psk_is_refused(facts: ClientFacts) -> None:
    with pytest.raises(NotForThisPlatform, match="pre-shared"):
        make(replace(facts, sign_in=SignIn.PSK))


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_a_string_in_it(facts: ClientFacts, name: str) -> None:
    profile = json.loads(make(replace(facts, user=name, server_id=name, password=Secret(name.encode()))))

    assert profile["local"] == {"eap_id": name, "shared_secret": name}
    assert profile["remote"]["id"] == name
