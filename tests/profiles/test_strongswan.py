"""The swanctl.conf, read again by a reader of its sections, keys and quoted values."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from ikepy.config.algorithms import DEFAULT_ESP_WORDS, DEFAULT_IKE_WORDS
from ikepy.crypto.secret import Secret
from ikepy.profiles.facts import EVERYWHERE, ClientFacts, SignIn
from ikepy.profiles.strongswan import make
from tests.profiles.conftest import HOSTILE

ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}


def read(text: str) -> dict[str, object]:
    """The sections of a swanctl.conf."""
    stack: list[dict[str, object]] = [{}]
    for line in map(str.strip, text.splitlines()):
        if not line or line.startswith("#"):
            continue
        if line == "}":
            stack.pop()
        elif line.endswith("{") and "=" not in line:
            stack.append(stack[-1].setdefault(line[:-1].strip(), {}))
        else:
            key, _, value = (part.strip() for part in line.partition("="))
            stack[-1][key] = unquoted(value)
    assert len(stack) == 1
    return stack[0]


def unquoted(value: str) -> str:
    if not value.startswith('"'):
        assert '"' not in value
        return value
    assert re.fullmatch(r'"(?:[^"\\]|\\.)*"', value), value
    return re.sub(r"\\(.)", lambda m: ESCAPES.get(m[1], m[1]), value[1:-1])


def test_the_client_goes_where_the_gateway_is_and_asks_for_what_the_user_reaches(facts: ClientFacts) -> None:
    vpn = read(make(facts, "alice"))["connections"]["vpn"]

    assert vpn["remote_addrs"] == "gate.example.com"
    assert vpn["vips"] == "0.0.0.0, ::"
    assert vpn["proposals"].split(", ") == list(DEFAULT_IKE_WORDS)
    assert vpn["children"]["vpn"]["esp_proposals"].split(", ") == list(DEFAULT_ESP_WORDS)
    assert vpn["children"]["vpn"]["remote_ts"] == "10.1.0.0/16, fd00:1::/32"
    assert vpn["local"] == {"auth": "eap-mschapv2", "eap_id": "alice"}
    assert vpn["remote"] == {"auth": "pubkey", "id": "gate.example.com", "cacerts": "alice-ca.pem"}


@pytest.mark.parametrize(
    ("kind", "auth"), [(SignIn.TOKEN, "eap-gtc"), (SignIn.EAP_TLS, "eap-tls"), (SignIn.CERTIFICATE, "pubkey")]
)
def test_each_way_to_sign_in_has_its_word(certified: ClientFacts, kind: SignIn, auth: str) -> None:
    local = read(make(replace(certified, sign_in=kind), "alice"))["connections"]["vpn"]["local"]

    assert local["auth"] == auth
    assert local["id"] == "alice.lab"
    assert ("certs" in local) == kind.by_certificate


def test_a_full_tunnel_is_both_families_everywhere(facts: ClientFacts) -> None:
    text = make(replace(facts, is_full=True, networks=EVERYWHERE), "alice")

    assert read(text)["connections"]["vpn"]["children"]["vpn"]["remote_ts"] == "0.0.0.0/0, ::/0"


def test_the_secret_is_in_it_only_where_it_was_asked_for(facts: ClientFacts) -> None:
    assert read(make(facts, "alice"))["secrets"] == {"eap-vpn": {"id": "alice"}}
    asked = replace(facts, password=Secret(b'o"p\\en'))
    assert read(make(asked, "alice"))["secrets"] == {"eap-vpn": {"id": "alice", "secret": 'o"p\\en'}}
    shared = replace(asked, sign_in=SignIn.PSK, password=Secret(b"0xyz"))
    assert read(make(shared, "alice"))["secrets"] == {"ike-vpn": {"id": "gate.example.com", "secret": "0sMHh5eg=="}}


def test_a_control_character_that_has_no_escape_there_is_refused(facts: ClientFacts) -> None:
    with pytest.raises(ValueError, match="cannot stand"):
        make(replace(facts, password=Secret(b"a\x01b")), "alice")


@pytest.mark.parametrize("name", [*HOSTILE, "C=DE, CN=alice", "alice\nkey = x"])
def test_a_hostile_name_is_a_value_in_it(facts: ClientFacts, name: str) -> None:
    if not name.isprintable():
        with pytest.raises(ValueError, match="cannot be seen"):
            replace(facts, user=name)
        return
    hostile = replace(facts, user=name, address=name, password=Secret(name.encode()))

    sections = read(make(hostile, "alice"))

    assert sections["connections"]["vpn"]["remote_addrs"] == name
    assert sections["connections"]["vpn"]["local"]["eap_id"] == f"keyid:{name}"
    assert sections["secrets"]["eap-vpn"]["secret"] == name


def test_a_plain_name_stands_as_it_is(facts: ClientFacts) -> None:
    for name in ("alice", "alice@example.com", "a.b-c_d"):
        assert read(make(replace(facts, user=name), "x"))["secrets"]["eap-vpn"]["id"] == name
