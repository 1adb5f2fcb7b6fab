"""What stands in each file, played by the client that reads it against the gateway whose configuration it was made from.

The words of each platform are turned back here by tables of its own, not by those that wrote them.
"""

from __future__ import annotations

import json
import plistlib
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from ikepy.config.algorithms import WORDS, parse_proposals
from ikepy.config.model import ChildConfig
from ikepy.personas.catalogue import find_persona
from ikepy.personas.offers import esp_offer, ike_offer
from ikepy.personas.persona import EapHabits, Persona, Proving
from ikepy.profiles import apple, networkmanager, sswan, windows
from ikepy.profiles.facts import ClientFacts
from ikepy.profiles.gather import gather
from ikepy.profiles.wishes import Wishes
from ikepy.wire.registry import EapType, KeMethod, ProtocolId, TransformType
from tests.profiles.powershell import tokens
from tests.support.personas import PersonaClient
from tests.support.personas_gateway import Gateway, make_gateway
from tests.support.personas_habits import Habits

CIPHERS = {"AES-256-GCM": "aes256gcm16", "AES-128-GCM": "aes128gcm16", "AES-256": "aes256", "AES-128": "aes128"}
HASHES = {"SHA2-256": "sha256", "SHA2-384": "sha384", "SHA2-512": "sha512"}
GROUPS = {14: "modp2048", 16: "modp4096", 19: "ecp256", 20: "ecp384", 31: "x25519"}
WINDOWS_CIPHERS = {"GCMAES256": "aes256gcm16", "GCMAES128": "aes128gcm16", "AES256": "aes256", "AES128": "aes128"}
WINDOWS_GROUPS = {"ECP256": "ecp256", "ECP384": "ecp384", "Group14": "modp2048", "PFS2048": "modp2048"}

GATEWAYS = {
    "default": ("default", "default"),
    "GCM with PFS": ("aes256gcm16-prfsha384-ecp384", "aes256gcm16-ecp384"),
    "CBC": ("aes256-sha256-modp2048", "aes128-sha256-noesn"),
    "CBC with PFS, GCM for IKE": ("aes128gcm16-prfsha256-ecp256", "aes256-sha256-ecp256"),
}


def with_offers(name: str, ike: str, esp: str, pfs: str = "") -> Persona:
    """A persona that offers what its file says; a child's first keys need no exchange."""
    persona = find_persona(name)
    assert persona is not None
    first = next(word for word in ike.split("-") if WORDS[word].type is TransformType.KE)
    return replace(
        persona,
        ike=ike_offer(ike),
        esp=esp_offer(esp),
        esp_rekey=esp_offer(f"{esp}-{pfs}" if pfs else esp),
        first_ke=KeMethod(WORDS[first].id),
        eap=EapHabits(methods=(EapType.MSCHAPV2,)),
    )


def words(cipher: str, integrity: str, *, prf: bool) -> str:
    parts = [cipher] if "gcm" in cipher else [cipher, integrity]
    return "-".join([*parts, f"prf{integrity}"] if prf else parts)


def read_apple(facts: ClientFacts) -> tuple[Persona, str]:
    (vpn,) = (each["IKEv2"] for each in plistlib.loads(apple.make(facts))["PayloadContent"] if "IKEv2" in each)
    ike, child = vpn["IKESecurityAssociationParameters"], vpn["ChildSecurityAssociationParameters"]
    group = GROUPS[ike["DiffieHellmanGroup"]]
    first = words(CIPHERS[ike["EncryptionAlgorithm"]], HASHES[ike["IntegrityAlgorithm"]], prf=True)
    esp = words(CIPHERS[child["EncryptionAlgorithm"]], HASHES[child["IntegrityAlgorithm"]], prf=False)
    pfs = GROUPS[child["DiffieHellmanGroup"]] if vpn["EnablePFS"] else ""
    return with_offers("apple-by-profile", f"{first}-{group}", esp, pfs), vpn["AuthName"]


def read_windows(facts: ClientFacts) -> tuple[Persona, str]:
    found = [token.value for token in tokens(windows.make(facts))]
    said = {key: found[found.index(key) + 2] for key in windows.ipsec_parameters(facts)}
    hashed = said["IntegrityCheckMethod"].lower()
    ike = words(WINDOWS_CIPHERS[said["EncryptionMethod"]], hashed, prf=True)
    esp = words(WINDOWS_CIPHERS[said["CipherTransformConstants"]], "sha256", prf=False)
    assert said["AuthenticationTransformConstants"] in {"SHA256128", said["CipherTransformConstants"]}
    pfs = WINDOWS_GROUPS.get(said["PfsGroup"], "")
    return with_offers("windows-hardened", f"{ike}-{WINDOWS_GROUPS[said['DHGroup']]}", esp, pfs), "alice"


def read_sswan(facts: ClientFacts) -> tuple[Persona, str]:
    profile = json.loads(sswan.make(facts))
    return strongswan_offers("strongswan-android", profile["ike-proposal"], profile["esp-proposal"]), profile["local"][
        "eap_id"
    ]


def read_networkmanager(facts: ClientFacts) -> tuple[Persona, str]:
    said = networkmanager.settings(facts)
    return strongswan_offers("networkmanager-strongswan", said["ike"], said["esp"]), said["user"]


def strongswan_offers(name: str, ike: str, esp: str) -> Persona:
    """strongSwan's clients offer all that stands there, and leave key exchanges out of a child's first keys."""
    first, child = ike.split(";", maxsplit=1)[0], esp.split(";", maxsplit=1)[0]
    plain = [word for word in child.split("-") if WORDS[word].type in {TransformType.ENCR, TransformType.INTEG}]
    groups = [word for word in child.split("-") if WORDS[word].type is TransformType.KE]
    return with_offers(name, first, "-".join(plain), "-".join(groups[:1]))


@pytest.fixture
def made(tmp_path: Path) -> Callable[[str, str], tuple[Gateway, ClientFacts]]:
    def make(ike: str, esp: str) -> tuple[Gateway, ClientFacts]:
        child = make_gateway(tmp_path).world.config.connections[0].children[0]
        gateway = make_gateway(
            tmp_path,
            proposals=parse_proposals([ike], ProtocolId.IKE),
            children=(with_esp(child, esp),),
        )
        found = gather(gateway.world.config, (), Wishes("alice", "eap"), date(2026, 11, 23))
        return gateway, found.facts

    return make


def with_esp(child: ChildConfig, esp: str) -> ChildConfig:
    return replace(child, esp_proposals=parse_proposals([esp], ProtocolId.ESP))


@pytest.mark.parametrize("proposals", GATEWAYS.values(), ids=list(GATEWAYS))
@pytest.mark.parametrize("read", [read_apple, read_windows, read_sswan, read_networkmanager])
def test_the_client_that_reads_it_connects_and_gets_new_keys(made, read, proposals: tuple[str, str]) -> None:
    gateway, facts = made(*proposals)
    persona, user = read(facts)

    client = PersonaClient(gateway, persona, Proving.EAP, user=user)
    client.connect()
    Habits(client).rekey_child()

    assert len(client.addresses) == 2
    assert len(client.children) == 1
    assert gateway.sa.state == "ESTABLISHED"
