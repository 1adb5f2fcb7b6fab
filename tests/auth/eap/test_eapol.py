"""Our servers of the TLS-based methods against Debian's eapol_test, which is wpa_supplicant's own client.

eapol_test compares the keys it derives with those our server hands to RADIUS, and fails where they differ.
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ikepy.auth.eap.method import ServerMethod
from ikepy.auth.eap.offers import Offers
from ikepy.auth.eap.peap import PeapServer
from ikepy.auth.eap.server import EapServer
from ikepy.auth.eap.tls import EapTlsServer
from ikepy.auth.eap.tls_engine import TlsVersion
from ikepy.auth.eap.ttls import TtlsServer, TtlsUsers
from ikepy.ike.eap_turns import Proved, Refused, Say, ServerTurn
from ikepy.wire.eap import Eap
from ikepy.wire.registry import EapCode, EapType
from tests.support.certificates import Issued
from tests.support.eap_tls import ALICE, GATE, MALLORY, OTHER_ROOT, ROOT, SUB, VERSIONS, server_settings
from tests.support.eap_users import NAME, PASSWORD, TODAY, WRONG, make_users
from tests.support.entropy import SeededEntropy
from tests.support.radius_shim import ACCEPT, CHALLENGE, REJECT, SECRET, Answer, RadiusShim

EAPOL_TEST = shutil.which("eapol_test")
pytestmark = [
    pytest.mark.system,
    pytest.mark.slow,
    pytest.mark.skipif(EAPOL_TEST is None, reason="no eapol_test here; as root: apt-get install eapoltest"),
]
INSIDE = (EapType.MSCHAPV2, EapType.GTC)
PASSWORDS = [
    ("PEAP", "auth=MSCHAPV2"),
    ("PEAP", "auth=GTC"),
    ("TTLS", "auth=PAP"),
    ("TTLS", "auth=MSCHAPV2"),
    ("TTLS", "autheap=MSCHAPV2"),
    ("TTLS", "autheap=GTC"),
]
each_way = pytest.mark.parametrize(("method", "inside"), PASSWORDS)
both_versions = pytest.mark.parametrize("version", VERSIONS, ids=str)


@dataclass
class Gate:
    """One authentication by a server of ours."""

    version: TlsVersion
    size: int = 1024
    own: Issued = GATE
    end: ServerTurn | None = None
    server: EapServer = field(init=False)

    def __post_init__(self) -> None:
        inside = Offers(INSIDE, make_users(), SeededEntropy(1), lambda: TODAY)
        wanted = (EapType.PEAP, EapType.TTLS, EapType.TLS)
        tunnels = {kind: lambda kind=kind: self._tunnel(kind, inside) for kind in wanted}
        self.server = EapServer(Offers(wanted, make_users(), SeededEntropy(1), lambda: TODAY, tunnels))
        self.server.begin()

    def _tunnel(self, kind: EapType, inside: Offers) -> ServerMethod:
        asks = kind is EapType.TLS
        settings = server_settings(self.version, own=self.own, asks_for_certificate=asks)
        match kind:
            case EapType.TLS:
                return EapTlsServer(settings, self.size)
            case EapType.TTLS:
                return TtlsServer(settings, TtlsUsers(make_users(), lambda: TODAY, methods_for=inside), self.size)
            case _:
                return PeapServer(settings, inside, self.size)

    def respond(self, octets: bytes) -> Answer:
        # eapol_test has answered the Identity, identifier 0, before anybody asked.
        packet = Eap(EapCode(octets[0]), octets[1] if self.started else 0, octets[4:])
        self.started = True
        self.end = self.server.receive(packet)
        match self.end:
            case Say(request):
                return Answer(CHALLENGE, build(request))
            case Proved(packet=last, msk=msk):
                assert msk is not None
                return Answer(ACCEPT, build(last), msk.reveal())
            case Refused(packet=last):
                return Answer(REJECT, build(last))
        raise AssertionError(self.end)

    started: bool = False


def build(packet: Eap) -> bytes:
    length = 4 + len(packet.type_octets)
    return bytes([packet.code, packet.identifier]) + length.to_bytes(2, "big") + packet.type_octets


def run_eapol(gate: Gate, directory: Path, method: str, lines: list[str], version: TlsVersion) -> tuple[bool, str]:
    """Whether eapol_test got in, and what it said."""
    off = int(version is TlsVersion.TLS_1_2)
    conf = directory / "eapol.conf"
    body = ["key_mgmt=WPA-EAP", f"eap={method}", f'phase1="tls_disable_tlsv1_3={off}"', *lines]
    conf.write_text("network={\n" + "".join(f"    {line}\n" for line in body) + "}\n")
    with RadiusShim(gate.respond) as shim:
        assert EAPOL_TEST is not None
        command = [EAPOL_TEST, "-c", conf, "-p", str(shim.port), "-s", SECRET.decode(), "-t", "10"]
        ended = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=60, check=False)
    assert shim.faults == []
    return ended.returncode == 0 and ended.stdout.rstrip().endswith("SUCCESS"), ended.stdout


def trusting(directory: Path, authority: Issued = ROOT) -> list[str]:
    file = directory / "ca.pem"
    file.write_bytes(authority.pem)
    return [f'ca_cert="{file}"', 'domain_match="gate.example.com"']


def with_password(directory: Path, inside: str, password: str = PASSWORD, authority: Issued = ROOT) -> list[str]:
    return [f'identity="{NAME}"', f'password="{password}"', f'phase2="{inside}"', *trusting(directory, authority)]


@both_versions
@each_way
@pytest.mark.parametrize("size", [200, 1400])
def test_eapol_test_gets_in_with_the_right_password_and_has_our_key(
    tmp_path: Path, method: str, inside: str, version: TlsVersion, size: int
) -> None:
    gate = Gate(version, size)
    is_in, said = run_eapol(gate, tmp_path, method, with_password(tmp_path, inside), version)
    assert isinstance(gate.end, Proved), (gate.end, said[-3000:])
    assert gate.end.user == NAME
    assert is_in, said[-3000:]


@both_versions
@each_way
def test_eapol_test_with_a_wrong_password_does_not_get_in(
    tmp_path: Path, method: str, inside: str, version: TlsVersion
) -> None:
    gate = Gate(version)
    is_in, said = run_eapol(gate, tmp_path, method, with_password(tmp_path, inside, WRONG), version)
    assert isinstance(gate.end, Refused), said[-3000:]
    assert gate.end.is_guess
    assert not is_in


@both_versions
@pytest.mark.parametrize("method", ["PEAP", "TTLS"])
def test_eapol_test_tells_us_that_it_does_not_believe_us(tmp_path: Path, method: str, version: TlsVersion) -> None:
    gate = Gate(version)
    lines = with_password(tmp_path, "auth=MSCHAPV2", authority=OTHER_ROOT)
    is_in, said = run_eapol(gate, tmp_path, method, lines, version)
    assert not is_in
    assert isinstance(gate.end, Refused), said[-3000:]
    assert "alert" in gate.end.reason
    assert not gate.end.is_guess


@both_versions
@pytest.mark.parametrize("size", [200, 1400])
def test_eapol_test_gets_in_with_a_certificate(tmp_path: Path, version: TlsVersion, size: int) -> None:
    gate = Gate(version, size)
    is_in, said = run_eapol(gate, tmp_path, "TLS", with_certificate(tmp_path, ALICE), version)
    assert isinstance(gate.end, Proved), (gate.end, said[-3000:])
    assert gate.end.user == "alice@example.com"
    assert is_in, said[-3000:]


@both_versions
def test_eapol_test_with_a_certificate_of_another_authority_does_not_get_in(
    tmp_path: Path, version: TlsVersion
) -> None:
    gate = Gate(version)
    is_in, said = run_eapol(gate, tmp_path, "TLS", with_certificate(tmp_path, MALLORY), version)
    assert not is_in
    assert isinstance(gate.end, Refused), said[-3000:]


def with_certificate(directory: Path, own: Issued) -> list[str]:
    certificate, key = own.write(directory, "own", SUB)
    return [
        'identity="whoever"',
        f'client_cert="{certificate}"',
        f'private_key="{key}"',
        *trusting(directory),
    ]
