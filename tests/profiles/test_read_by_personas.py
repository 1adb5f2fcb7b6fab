"""What stands in each file, played by the client that reads it against the gateway whose configuration it was made from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from ikepy.config.algorithms import parse_proposals
from ikepy.config.model import ChildConfig
from ikepy.personas.persona import Proving
from ikepy.profiles import apple, networkmanager, sswan, windows
from ikepy.profiles.facts import ClientFacts
from ikepy.profiles.gather import gather
from ikepy.profiles.wishes import Wishes
from ikepy.wire.registry import ProtocolId
from tests.profiles.readers import read_apple, read_networkmanager, read_sswan, read_windows
from tests.support.personas import PersonaClient
from tests.support.personas_gateway import Gateway, make_gateway
from tests.support.personas_habits import Habits

GATEWAYS = {
    "default": ("default", "default"),
    "GCM with PFS": ("aes256gcm16-prfsha384-ecp384", "aes256gcm16-ecp384"),
    "CBC": ("aes256-sha256-modp2048", "aes128-sha256-noesn"),
    "CBC with PFS, GCM for IKE": ("aes128gcm16-prfsha256-ecp256", "aes256-sha256-ecp256"),
}

READERS = {
    "apple": (apple.make, read_apple),
    "windows": (lambda facts: windows.make(facts).encode(), read_windows),
    "sswan": (lambda facts: sswan.make(facts).encode(), read_sswan),
    "networkmanager": (lambda facts: networkmanager.make(facts, "alice").encode(), read_networkmanager),
}


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
@pytest.mark.parametrize(("make", "read"), READERS.values(), ids=list(READERS))
def test_the_client_that_reads_it_connects_and_gets_new_keys(made, make, read, proposals: tuple[str, str]) -> None:
    gateway, facts = made(*proposals)
    reading = read(make(facts))
    assert reading.user in {"alice", None}

    client = PersonaClient(gateway, reading.persona, Proving.EAP)
    client.connect()
    Habits(client).rekey_child()

    assert len(client.addresses) == 2
    assert len(client.children) == 1
    assert gateway.sa.state == "ESTABLISHED"
