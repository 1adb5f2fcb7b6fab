"""laptop.conf, loaded by our own loader."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from ikepy.config.load import load
from ikepy.config.model import AuthKind, Config
from ikepy.crypto.secret import Secret
from ikepy.profiles.facts import EVERYWHERE, ClientFacts, SignIn
from ikepy.profiles.ikepy_client import make, secret_name
from ikepy.wire.registry import EapType
from tests.profiles.conftest import HOSTILE


@pytest.fixture
def loaded(tmp_path: Path) -> Callable[[ClientFacts], Config]:
    """Write what the client is given, with a password, and load it."""

    def run(facts: ClientFacts) -> Config:
        for name in ("alice-ca.pem", "alice-cert.pem", "alice-key.pem", secret_name("alice")):
            (tmp_path / name).write_text("sesame")
            (tmp_path / name).chmod(0o600)
        path = tmp_path / "alice-laptop.conf"
        path.write_text(make(facts, "alice"))
        return load(path).config

    return run


def test_it_is_a_client_of_that_gateway_with_its_proposals(facts: ClientFacts, loaded, tmp_path: Path) -> None:
    (connection,) = loaded(facts).connections

    assert [pattern.name for pattern in connection.remote_addrs] == ["gate.example.com"]
    assert (connection.proposals, connection.children[0].esp_proposals) == (facts.ike, facts.esp)
    assert [str(address) for address in connection.vips] == ["0.0.0.0", "::"]
    assert [str(each) for each in connection.children[0].remote_ts] == ["10.1.0.0/16", "fd00:1::/32"]
    assert (connection.local.auth, connection.local.eap_id) == (AuthKind.EAP, "alice")
    assert connection.local.eap_methods == (EapType.MSCHAPV2,)
    assert connection.remote.id.identification.octets == b"gate.example.com"
    assert connection.remote.cacerts == (tmp_path / "alice-ca.pem",)


def test_the_password_stands_in_a_file_of_its_own(facts: ClientFacts, loaded) -> None:
    config = loaded(replace(facts, password=Secret(b"in the file")))

    assert [each.secret for each in config.passwords] == [Secret(b"sesame")]
    assert "in the file" not in make(replace(facts, password=Secret(b"in the file")), "alice")


def test_who_has_no_password_in_it_is_told_where_to_write_it(facts: ClientFacts) -> None:
    assert "write your password into the file alice-password" in make(facts, "alice")
    assert "write your password" not in make(replace(facts, password=Secret(b"x")), "alice")


@pytest.mark.parametrize("kind", [SignIn.TOKEN, SignIn.EAP_TLS, SignIn.CERTIFICATE])
def test_each_way_to_sign_in_loads(certified: ClientFacts, loaded, kind: SignIn) -> None:
    (connection,) = loaded(replace(certified, sign_in=kind)).connections

    assert bool(connection.local.certs) == kind.by_certificate
    assert connection.local.id.octets == b"alice.lab"


def test_a_pre_shared_key_loads(facts: ClientFacts, loaded) -> None:
    config = loaded(replace(facts, sign_in=SignIn.PSK))

    assert [each.secret for each in config.psks] == [Secret(b"sesame")]
    assert config.connections[0].local.id.octets == b"alice"


def test_a_full_tunnel_is_everything(facts: ClientFacts, loaded) -> None:
    config = loaded(replace(facts, is_full=True, networks=EVERYWHERE, families=(4,)))

    assert [str(each) for each in config.connections[0].vips] == ["0.0.0.0"]
    assert [str(each) for each in config.connections[0].children[0].remote_ts] == ["0.0.0.0/0", "::/0"]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_a_value_in_it(facts: ClientFacts, loaded, name: str) -> None:
    (connection,) = loaded(replace(facts, user=name)).connections

    assert connection.local.eap_id == name
