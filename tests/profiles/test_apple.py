"""Apple's configuration profile, read again by plistlib and checked against Apple's own schema."""

from __future__ import annotations

import plistlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from ikepy.crypto.secret import Secret
from ikepy.profiles.apple import make
from ikepy.profiles.facts import ClientFacts, NotForThisPlatform, SignIn
from tests.profiles.conftest import HOSTILE

Offering = Callable[..., ClientFacts]


def vpn(profile: bytes) -> dict[str, object]:
    found = payloads(profile, "com.apple.vpn.managed")
    assert len(found) == 1
    return found[0]


def payloads(profile: bytes, kind: str) -> list[dict[str, object]]:
    return [each for each in plistlib.loads(profile)["PayloadContent"] if each["PayloadType"] == kind]


def test_the_profile_says_where_the_gateway_is_who_it_is_and_who_the_user_is(facts: ClientFacts) -> None:
    settings = vpn(make(replace(facts, address="192.0.2.7")))["IKEv2"]

    assert settings["RemoteAddress"] == "192.0.2.7"
    assert settings["RemoteIdentifier"] == "gate.example.com"
    assert settings["LocalIdentifier"] == "alice"
    assert (settings["AuthenticationMethod"], settings["ExtendedAuthEnabled"]) == ("None", 1)
    assert settings["AuthName"] == "alice"
    assert "AuthPassword" not in settings


def test_it_holds_the_ca_and_the_inner_dns_servers(facts: ClientFacts, authority: bytes) -> None:
    profile = make(facts)

    assert [each["PayloadContent"] for each in payloads(profile, "com.apple.security.root")] == [authority]
    assert vpn(profile)["DNS"] == {
        "DNSProtocol": "Cleartext",
        "ServerAddresses": ["10.1.0.53", "fd00:1::53"],
        "SupplementalMatchDomains": ["corp.example.com"],
    }


def test_the_default_proposals_come_out_as_gcm_with_ecp256_and_no_pfs(facts: ClientFacts) -> None:
    settings = vpn(make(facts))["IKEv2"]

    ike, child = settings["IKESecurityAssociationParameters"], settings["ChildSecurityAssociationParameters"]
    assert (ike["EncryptionAlgorithm"], ike["IntegrityAlgorithm"], ike["DiffieHellmanGroup"]) == (
        "AES-256-GCM",
        "SHA2-256",
        19,
    )
    assert child["EncryptionAlgorithm"] == "AES-256-GCM"
    assert settings["EnablePFS"] == 0


@pytest.mark.parametrize(
    ("ike", "esp", "expected"),
    [
        ("aes256-sha384-modp3072", "aes256-sha384-modp3072", ("AES-256", "SHA2-384", 15, "AES-256", "SHA2-384", 1)),
        ("aes256-sha512-prfsha512-x25519", "aes256gcm16", ("AES-256", "SHA2-512", 31, "AES-256-GCM", "SHA2-256", 0)),
        (
            "chacha20poly1305-prfsha384-ecp384",
            "chacha20poly1305-ecp384-none",
            ("ChaCha20Poly1305", "SHA2-384", 20, "ChaCha20Poly1305", "SHA2-256", 0),
        ),
    ],
)
def test_the_suite_is_one_the_gateway_takes(offering: Offering, ike: str, esp: str, expected: tuple) -> None:
    settings = vpn(make(offering(ike, esp)))["IKEv2"]

    one, other = settings["IKESecurityAssociationParameters"], settings["ChildSecurityAssociationParameters"]
    assert expected == (
        one["EncryptionAlgorithm"],
        one["IntegrityAlgorithm"],
        one["DiffieHellmanGroup"],
        other["EncryptionAlgorithm"],
        other["IntegrityAlgorithm"],
        settings["EnablePFS"],
    )


@pytest.mark.parametrize(
    ("ike", "esp"),
    [
        ("aes256-sha256-prfsha384-ecp256", "default"),
        ("aes256ctr-sha256-ecp256", "default"),
        ("default", "aes256gcm16-esn"),
        ("default", "aes256ccm16"),
    ],
)
def test_a_gateway_whose_proposals_it_cannot_do_is_refused_with_one_that_it_can(
    offering: Offering, ike: str, esp: str
) -> None:
    with pytest.raises(NotForThisPlatform, match=r"none of the gateway's .*proposals .*: add aes256gcm16"):
        make(offering(ike, esp))


def test_the_password_is_in_it_only_where_it_was_asked_for(facts: ClientFacts) -> None:
    assert vpn(make(replace(facts, password=Secret(b"o&<p>en"))))["IKEv2"]["AuthPassword"] == "o&<p>en"


def test_a_certificate_comes_as_pkcs12_and_the_vpn_points_to_it(certified: ClientFacts) -> None:
    profile = make(certified)

    (certificate,) = payloads(profile, "com.apple.security.pkcs12")
    settings = vpn(profile)["IKEv2"]
    assert certificate["PayloadContent"] == b"p12 octets"
    assert "Password" not in certificate
    assert settings["PayloadCertificateUUID"] == certificate["PayloadUUID"]
    assert (settings["AuthenticationMethod"], settings["ExtendedAuthEnabled"]) == ("Certificate", 0)
    assert settings["LocalIdentifier"] == "alice.lab"
    assert "CertificateType" not in settings


def test_eap_tls_is_eap_only_with_a_certificate(certified: ClientFacts) -> None:
    settings = vpn(make(replace(certified, sign_in=SignIn.EAP_TLS)))["IKEv2"]

    assert (settings["AuthenticationMethod"], settings["ExtendedAuthEnabled"]) == ("None", 1)
    assert "PayloadCertificateUUID" in settings


def test_an_ecdsa_key_is_named_with_the_issuer_of_the_servers_certificate(certified: ClientFacts) -> None:
    elliptic = replace(certified, certificate=replace(certified.certificate, kind="ECDSA384"))

    settings = vpn(make(elliptic))["IKEv2"]

    assert settings["CertificateType"] == "ECDSA384"
    assert settings["ServerCertificateIssuerCommonName"] == "CA of the tests"


def test_on_demand_is_a_rule_and_nothing_else_is_different(facts: ClientFacts) -> None:
    settings = vpn(make(facts, on_demand=True))["IKEv2"]

    assert settings.pop("OnDemandRules") == [{"Action": "Connect"}]
    assert settings.pop("OnDemandEnabled") == 1
    usual = vpn(make(facts))["IKEv2"]
    assert usual.pop("OnDemandEnabled") == 0
    assert settings == usual


def test_the_same_user_gets_the_same_uuids_and_another_gets_others(facts: ClientFacts) -> None:
    def uuids(each: ClientFacts) -> set[str]:
        profile = plistlib.loads(make(each))
        return {profile["PayloadUUID"], *(payload["PayloadUUID"] for payload in profile["PayloadContent"])}

    assert uuids(facts) == uuids(replace(facts, address="192.0.2.9"))
    assert len(uuids(facts)) == 3
    assert uuids(facts).isdisjoint(uuids(replace(facts, user="bob")))


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_a_string_in_it(facts: ClientFacts, name: str) -> None:
    profile = make(replace(facts, user=name, password=Secret(name.encode())))

    settings = vpn(profile)["IKEv2"]
    assert (settings["AuthName"], settings["AuthPassword"], settings["LocalIdentifier"]) == (name, name, name)
    assert len(plistlib.loads(profile)["PayloadContent"]) == 2


SCHEMA = Path(__file__).parents[3] / "shared/vectors/apple/com.apple.vpn.managed.yaml"


@pytest.mark.skipif(not SCHEMA.exists(), reason=f"Apple's schema is not here: {SCHEMA.name}")
@pytest.mark.parametrize("kind", list(SignIn))
def test_every_key_and_word_stands_in_apples_schema(facts: ClientFacts, certified: ClientFacts, kind: SignIn) -> None:
    if kind is SignIn.TOKEN:
        with pytest.raises(NotForThisPlatform, match="EAP-GTC"):
            make(replace(facts, sign_in=kind))
        return
    certificate = replace(certified.certificate, kind="ECDSA256")
    payload = vpn(make(replace(facts, sign_in=kind, certificate=certificate, password=Secret(b"x")), on_demand=True))

    known = schema_keys(SCHEMA.read_text(), "IKEv2") | schema_keys(SCHEMA.read_text(), "DNS")
    for section in ("IKEv2", "DNS"):
        check(payload[section], known)


def check(value: dict[str, object], known: dict[str, tuple[str, ...]]) -> None:
    for key, each in value.items():
        assert key in known, key
        if isinstance(each, dict):
            check(each, known)
        elif known[key]:
            assert str(each) in known[key], (key, each)


def schema_keys(text: str, section: str) -> dict[str, tuple[str, ...]]:
    """The keys under one key of the schema, and the words each may have (none: any): what little YAML that takes."""
    found: dict[str, tuple[str, ...]] = {}
    lines = text[text.index(f"- key: {section}\n") :].splitlines()
    key, listing = "", False
    for line in lines[1:]:
        if line.startswith("- key: "):
            break
        bare = line.strip()
        if bare.startswith("- key: "):
            key, listing = bare.removeprefix("- key: "), False
            found[key] = ()
        elif bare == "rangelist:":
            listing = True
        elif listing and bare.startswith("- "):
            found[key] += (bare[2:].strip("'"),)
        else:
            listing = False
    return found
