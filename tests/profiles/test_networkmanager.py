"""The script for NetworkManager, run by a real shell against an nmcli that writes down what it was told."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from ikepy.config.algorithms import DEFAULT_ESP_WORDS, DEFAULT_IKE_WORDS
from ikepy.crypto.secret import Secret
from ikepy.profiles.facts import EVERYWHERE, ClientFacts, NotForThisPlatform, SignIn
from ikepy.profiles.networkmanager import make
from ikepy.profiles.quoting import pem
from tests.profiles.conftest import HOSTILE

NMCLI = f"""#!{sys.executable}
import json, os, sys
with open(os.environ["TOLD"], "a") as file:
    file.write(json.dumps(sys.argv[1:]) + chr(10))
"""
Run = Callable[..., list[list[str]]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run a script and say what nmcli was told."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/nmcli").write_text(NMCLI)
    (tmp_path / "bin/nmcli").chmod(0o755)
    told = tmp_path / "told"

    def start(script: str, *arguments: str) -> list[list[str]]:
        told.write_text("")
        path = tmp_path / "script.sh"
        path.write_text(script)
        environment = {"PATH": f"{tmp_path}/bin:{os.environ['PATH']}", "HOME": str(tmp_path), "TOLD": str(told)}
        done = subprocess.run(
            ["sh", path, *arguments], env=environment, capture_output=True, text=True, check=True, cwd=tmp_path
        )
        assert done.stderr == ""
        return [json.loads(line) for line in told.read_text().splitlines()]

    return start


def data_of(told: list[list[str]]) -> dict[str, str]:
    """The entries of vpn.data, as nmcli splits them: at commas without a backslash, then at the first `=`."""
    text = told[-1][told[-1].index("vpn.data") + 1]
    entries = (entry.strip().partition("=") for entry in re.findall(r"(?:[^\\,]|\\.)+", text))
    return {key.strip(): re.sub(r"\\(.)", r"\1", value.strip()) for key, _, value in entries}


pytestmark = pytest.mark.slow


def test_the_connection_is_added_anew_each_time(facts: ClientFacts, run: Run, tmp_path: Path, authority: bytes) -> None:
    told = run(make(facts, "alice"))

    assert told[0] == ["connection", "delete", "id", "VPN gate.example.com"]
    assert told[1][:6] == ["connection", "add", "type", "vpn", "con-name", "VPN gate.example.com"]
    place = tmp_path / ".local/share/ikepy/alice"
    assert data_of(told) == {
        "address": "gate.example.com",
        "remote-identity": "gate.example.com",
        "method": "eap",
        "user": "alice",
        "password-flags": "1",
        "virtual": "yes",
        "encap": "no",
        "ipcomp": "no",
        "proposal": "yes",
        "ike": ";".join(DEFAULT_IKE_WORDS),
        "esp": ";".join(DEFAULT_ESP_WORDS),
        "certificate": f"{place}/ca.pem",
    }
    assert (place / "ca.pem").read_text() == pem(authority)
    assert (place / "ca.pem").stat().st_mode & 0o777 == 0o600


def test_a_split_tunnel_is_never_the_default_route_and_asks_its_domains(facts: ClientFacts, run: Run) -> None:
    told = run(make(facts, "alice"))[-1]

    assert told[told.index("ipv4.never-default") + 1] == "yes"
    assert told[told.index("ipv4.dns-search") + 1] == "corp.example.com"
    full = run(make(replace(facts, is_full=True, networks=EVERYWHERE, domains=()), "alice"))[-1]
    assert full[full.index("ipv6.never-default") + 1] == "no"
    assert "ipv4.dns-search" not in full


def test_undo_takes_everything_away(facts: ClientFacts, run: Run, tmp_path: Path) -> None:
    run(make(facts, "alice"))

    told = run(make(facts, "alice"), "--undo")

    assert told == [["connection", "delete", "id", "VPN gate.example.com"]]
    assert not (tmp_path / ".local/share/ikepy/alice").exists()


def test_a_password_is_in_a_file_and_no_argument(facts: ClientFacts, run: Run, tmp_path: Path) -> None:
    told = run(make(replace(facts, password=Secret(b"it's $(reboot)")), "alice"))

    file = tmp_path / ".local/share/ikepy/alice/password"
    assert file.read_text() == "vpn.secrets.password:it's $(reboot)\n"
    assert file.stat().st_mode & 0o777 == 0o600
    assert "reboot" not in json.dumps(told)


@pytest.mark.parametrize(("kind", "method"), [(SignIn.CERTIFICATE, "cert"), (SignIn.EAP_TLS, "eap-tls")])
def test_certificates_come_as_files(
    certified: ClientFacts, run: Run, tmp_path: Path, kind: SignIn, method: str
) -> None:
    data = data_of(run(make(replace(certified, sign_in=kind), "alice")))

    place = tmp_path / ".local/share/ikepy/alice"
    assert (data["method"], data["local-identity"], data["cert-source"]) == (method, "alice.lab", "file")
    assert Path(data["userkey"]).read_text() == "-----BEGIN PRIVATE KEY-----\n"
    assert Path(data["usercert"]).parent == place
    assert "user" not in data


def test_a_short_pre_shared_key_is_refused(facts: ClientFacts) -> None:
    with pytest.raises(NotForThisPlatform, match="20 characters"):
        make(replace(facts, sign_in=SignIn.PSK, password=Secret(b"short")), "alice")


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_one_value_and_nothing_is_run(
    facts: ClientFacts, run: Run, tmp_path: Path, name: str
) -> None:
    hostile = replace(facts, user=name, server_id=name, password=Secret(name.encode()))

    told = run(make(hostile, "alice"))

    assert told[1][5] == f"VPN {name}"
    assert (data_of(told)["user"], data_of(told)["remote-identity"]) == (name, name)
    assert (tmp_path / ".local/share/ikepy/alice/password").read_text() == f"vpn.secrets.password:{name}\n"
    assert len(told) == 2
