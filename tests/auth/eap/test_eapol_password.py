"""Our servers of the methods without TLS against Debian's eapol_test, which is wpa_supplicant's own client.

For MSCHAPv2 eapol_test compares the key it derives with the one our server hands to RADIUS.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from ikepy.auth.eap.server import EapServer
from ikepy.config.access import UserConfig
from ikepy.crypto.secret import Secret
from ikepy.ike.eap_turns import Proved, Refused, Say, ServerTurn
from ikepy.wire.eap import Eap
from ikepy.wire.registry import EapCode, EapType
from tests.support.eap_conversation import GTC, MD5, MSCHAPV2, make_server, make_store
from tests.support.radius_shim import ACCEPT, CHALLENGE, REJECT, SECRET, Answer, RadiusShim

EAPOL_TEST = shutil.which("eapol_test")
pytestmark = [
    pytest.mark.system,
    pytest.mark.slow,
    pytest.mark.skipif(EAPOL_TEST is None, reason="no eapol_test here; as root: apt-get install eapoltest"),
]
STORE = make_store(UserConfig("carol", password=Secret(b"sesame-open")))
NAMES = {MSCHAPV2: "MSCHAPV2", GTC: "GTC", MD5: "MD5"}
each = pytest.mark.parametrize("kind", list(NAMES), ids=str)


class Gate:
    """One authentication by a server of ours."""

    def __init__(self, server: EapServer) -> None:
        self.server = server
        self.end: ServerTurn = server.begin()
        self.types: list[EapType | None] = []
        self._started = False

    def respond(self, octets: bytes) -> Answer:
        # eapol_test has answered the Identity, identifier 0, before anybody asked.
        packet = Eap(EapCode(octets[0]), octets[1] if self._started else 0, octets[4:])
        self._started = True
        self.end = self.server.receive(packet)
        self.types.append(packet.method)
        match self.end:
            case Say(request):
                return Answer(CHALLENGE, build(request))
            case Proved(packet=last, msk=msk):
                return Answer(ACCEPT, build(last), msk.reveal() if msk is not None else b"")
            case Refused(packet=last):
                return Answer(REJECT, build(last))
        raise AssertionError(self.end)


def build(packet: Eap) -> bytes:
    length = 4 + len(packet.type_octets)
    return bytes([packet.code, packet.identifier]) + length.to_bytes(2, "big") + packet.type_octets


def run_eapol(
    gate: Gate, directory: Path, kind: EapType, *, name: str = "carol", password: str = "sesame-open"
) -> bool:
    """Whether eapol_test got in."""
    conf = directory / "eapol.conf"
    body = ["key_mgmt=WPA-EAP", f"eap={NAMES[kind]}", f'identity="{name}"', f'password="{password}"']
    conf.write_text("network={\n" + "".join(f"    {line}\n" for line in body) + "}\n")
    with RadiusShim(gate.respond) as shim:
        assert EAPOL_TEST is not None
        keyless = [] if kind is MSCHAPV2 else ["-n"]
        command = [EAPOL_TEST, "-c", conf, "-p", str(shim.port), "-s", SECRET.decode(), "-t", "10", *keyless]
        ended = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=60, check=False)
    assert shim.faults == []
    return ended.returncode == 0 and ended.stdout.rstrip().endswith("SUCCESS")


@each
@pytest.mark.parametrize("name", ["carol", "CORP\\carol"])
def test_eapol_test_gets_in_with_the_right_password_and_has_our_key(tmp_path: Path, kind: EapType, name: str) -> None:
    gate = Gate(make_server(kind, store=STORE))
    is_in = run_eapol(gate, tmp_path, kind, name=name)
    assert isinstance(gate.end, Proved), gate.end
    assert gate.end.user == "carol"
    assert is_in


@each
def test_eapol_test_says_by_a_nak_which_method_it_wants(tmp_path: Path, kind: EapType) -> None:
    others = [other for other in NAMES if other is not kind]
    gate = Gate(make_server(*others, kind, store=STORE))
    assert run_eapol(gate, tmp_path, kind)
    assert gate.types[:2] == [EapType.IDENTITY, EapType.NAK]


@each
@pytest.mark.parametrize("name", ["carol", "mallory"])
def test_eapol_test_with_a_wrong_password_does_not_get_in(tmp_path: Path, kind: EapType, name: str) -> None:
    gate = Gate(make_server(kind, store=STORE))
    assert not run_eapol(gate, tmp_path, kind, name=name, password="sesame-shut")
    assert isinstance(gate.end, Refused), gate.end
    assert gate.end.is_guess


@each
def test_eapol_test_without_our_method_gets_a_failure(tmp_path: Path, kind: EapType) -> None:
    others = [other for other in NAMES if other is not kind]
    gate = Gate(make_server(*others, store=STORE))
    assert not run_eapol(gate, tmp_path, kind)
    assert isinstance(gate.end, Refused), gate.end
    assert "not on offer" in gate.end.reason
