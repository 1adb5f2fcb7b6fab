"""The PowerShell script, read again by a tokenizer of PowerShell's strings, and its EAP XML by an XML parser."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha1
from xml.etree import ElementTree

import pytest

from ikepy.config.algorithms import parse_proposals
from ikepy.crypto.secret import Secret
from ikepy.personas.windows_advice import MENDING_COMMAND
from ikepy.profiles.facts import EVERYWHERE, ClientFacts, NotForThisPlatform, SignIn
from ikepy.profiles.windows import eap_xml, ipsec_parameters, make
from ikepy.wire.registry import ProtocolId
from tests.profiles.conftest import HOSTILE
from tests.profiles.powershell import Token, tokens

Offering = Callable[..., ClientFacts]


def assigned(script: str, variable: str) -> str:
    """The string that a variable gets."""
    found = tokens(script)
    at = next(i for i in range(len(found)) if [t.value for t in found[i : i + 2]] == [variable, "="])
    assert found[at + 2].kind == "string"
    return found[at + 2].value


def after(script: str, *words: str) -> list[str]:
    """The string behind each place where these words stand."""
    found = tokens(script)
    size = len(words)
    return [
        found[i + size].value
        for i in range(len(found) - size)
        if tuple(token.value for token in found[i : i + size]) == words
    ]


def test_the_script_says_where_the_gateway_is_and_what_goes_into_the_tunnel(facts: ClientFacts) -> None:
    script = make(facts)

    assert assigned(script, "$Name") == "VPN gate.example.com"
    assert assigned(script, "$Server") == "gate.example.com"
    assert after(script, "-DestinationPrefix") == ["10.1.0.0/16", "fd00:1::/32"]
    assert after(script, "-Namespace") == [".corp.example.com"]
    assert "SplitTunneling = $true" in script
    assert "Add-VpnConnection @vpn" in script


def test_a_full_tunnel_needs_one_route_for_ipv6_only(facts: ClientFacts) -> None:
    full = replace(facts, is_full=True, networks=EVERYWHERE)

    assert after(make(full), "-DestinationPrefix") == ["2000::/3"]
    assert after(make(replace(full, families=(4,), networks=EVERYWHERE[:1])), "-DestinationPrefix") == []
    assert "SplitTunneling = $false" in make(full)


def test_the_default_proposals_come_out_as_the_command_that_the_daemons_log_advises(facts: ClientFacts) -> None:
    for key, value in ipsec_parameters(facts).items():
        assert f"-{key} {value} " in MENDING_COMMAND
        assert f"{key} = '{value}'" in make(facts)


@pytest.mark.parametrize(
    ("ike", "esp", "words"),
    [
        ("aes256gcm16-prfsha384-ecp384", "aes256gcm16-ecp384", "GCMAES256 SHA384 ECP384 GCMAES256 GCMAES256 ECP384"),
        ("aes128-sha256-modp2048", "aes128-sha1-modp2048-noesn", "AES128 SHA256 Group14 AES128 SHA196 PFS2048"),
        ("aes256-sha256-ecp256", "aes256-sha256", "AES256 SHA256 ECP256 AES256 SHA256128 None"),
    ],
)
def test_the_suite_is_one_the_gateway_takes(offering: Offering, ike: str, esp: str, words: str) -> None:
    assert list(ipsec_parameters(offering(ike, esp)).values()) == words.split()


def test_proposals_that_windows_cannot_do_are_refused(offering: Offering) -> None:
    with pytest.raises(NotForThisPlatform, match="add aes256-sha256-prfsha256-ecp256 to proposals") as refused:
        make(offering("aes256gcm16-prfsha512-x25519"))

    words = str(refused.value).split("add ")[1].split()[0]
    assert parse_proposals([words], ProtocolId.IKE)


@pytest.mark.parametrize("kind", [SignIn.PSK, SignIn.TOKEN])
def test_what_windows_has_not_is_refused(facts: ClientFacts, kind: SignIn) -> None:
    with pytest.raises(NotForThisPlatform, match="Windows"):
        make(replace(facts, sign_in=kind))


def test_the_ca_comes_out_as_it_went_in(facts: ClientFacts, authority: bytes) -> None:
    here = [token.value for token in tokens(make(facts)) if token.kind == "here"]

    assert [b64decode(text) for text in here] == [authority]


def test_eap_is_mschapv2_or_tls_with_the_servers_name_and_the_cas_thumbprint(
    facts: ClientFacts, certified: ClientFacts, authority: bytes
) -> None:
    assert [each.text for each in found(eap_xml(facts), "Type")] == ["26", "26"]

    document = eap_xml(replace(certified, sign_in=SignIn.EAP_TLS, server_id="a&b<c>"))
    assert [each.text for each in found(document, "Type")] == ["13", "13"]
    assert [each.text for each in found(document, "ServerNames")] == ["a&b<c>"]
    assert bytes.fromhex(found(document, "TrustedRootCA")[0].text) == sha1(authority).digest()


def found(document: str, tag: str) -> list[ElementTree.Element]:
    return [each for each in ElementTree.fromstring(document).iter() if each.tag.rpartition("}")[2] == tag]


def test_a_machine_certificate_needs_no_eap_and_its_password_is_asked_for(certified: ClientFacts) -> None:
    script = make(certified)

    assert "AuthenticationMethod = 'MachineCertificate'" in script
    assert "EapConfigXmlStream" not in script
    assert after(script, "-Store") == ["LocalMachine\\My"]
    assert b64decode([token.value for token in tokens(script) if token.kind == "here"][-1]) == b"p12 octets"
    assert "Read-Host -AsSecureString" in script


def test_a_password_is_never_in_it(certified: ClientFacts) -> None:
    script = make(replace(certified, password=Secret(b"correct horse")))

    assert "correct horse" not in script
    assert "opens it" not in script


def test_undo_ends_before_anything_is_added(facts: ClientFacts) -> None:
    script = make(facts)

    undo = script.index("if ($Undo) {")
    assert (
        script.index("return\r\n}\r\n", undo)
        < script.index("Add-Authority @'")
        < script.index("Add-VpnConnection @vpn")
    )
    assert script.index("\r\nRemove-Vpn\r\n") < script.index("Add-VpnConnection @vpn")


def test_it_is_utf_8_with_a_mark_and_windows_line_ends(facts: ClientFacts) -> None:
    script = make(replace(facts, user="ünï"))

    assert script.startswith("\ufeff")
    assert "\n" not in script.replace("\r\n", "")


def braces(script: str) -> int:
    text = "".join(token.value for token in tokens(script) if token.kind == "text")
    return text.count("{") - text.count("}")


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_a_string_or_a_comment_in_it(facts: ClientFacts, name: str) -> None:
    hostile = replace(facts, user=name, server_id=name, address=name, domains=(name,))

    usual, script = tokens(make(facts)), tokens(make(hostile))

    assert [token for token in script if token.kind == "text"] == [token for token in usual if token.kind == "text"]
    assert assigned(make(hostile), "$Server") == name
    assert after(make(hostile), "-Namespace") == [f".{name}"]
    assert Token("string", f"VPN {name}") in script
    assert braces(make(hostile)) == 0
