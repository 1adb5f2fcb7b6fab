"""What a gateway is set up from, and what comes of it: each form is loaded as a daemon would."""

from __future__ import annotations

import configparser
import stat
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from ikepy.auth.users_file import read_users
from ikepy.config.gateway import GatewayConfig
from ikepy.config.load import load
from ikepy.crypto.password import nt_hash
from ikepy.crypto.secret import Secret
from ikepy.pki.making import KeyKind
from ikepy.pki.store import Pki
from ikepy.setup.answers import FALLBACK_DNS, Answers, SetupError, SignIn, choose_dns, choose_pools, parse_networks
from ikepy.setup.gateway_file import gateway_text
from ikepy.setup.steps import has_user, set_up
from ikepy.setup.unit import unit_text
from tests.support.entropy import SeededEntropy

POOLS = (ip_network("10.99.0.0/24"), ip_network("fd12:3456:789a::/64"))
NAME = "vpn.example.com"
WORD = Secret(b"a password for setups")


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """One with a CA and a gateway's certificate of quick keys."""
    pki = Pki(tmp_path / "pki")
    pki.init("CA", KeyKind.P256)
    pki.issue_server([NAME], KeyKind.P256)
    pki.issue_client("alice", KeyKind.P256)
    return tmp_path


FORMS = {
    "a full tunnel": {},
    "two networks": {"reach": parse_networks(("10.1.0.0/16", "fd00::/32"))},
    "IPv4 alone": {"pools": POOLS[:1]},
    "DNS of its own": {"dns": (ip_address("10.1.0.53"), ip_address("fd00::53")), "domains": ("corp.example.com",)},
    "certificates": {"sign_in": SignIn.CERTIFICATE},
    "certificates, two networks": {"sign_in": SignIn.CERTIFICATE, "reach": parse_networks(("10.1.0.0/16",))},
}


@pytest.mark.parametrize("form", FORMS)
def test_each_form_is_a_configuration_without_a_warning(form: str, directory: Path) -> None:
    answers = Answers(**({"name": NAME, "pools": POOLS, "directory": directory, "user": "alice"} | FORMS[form]))  # type: ignore[arg-type]
    password = WORD if answers.sign_in is SignIn.PASSWORD else None
    said: list[str] = []
    written = set_up(answers, password, "/usr/bin/ikepy", said.append)
    loaded = load(written.conf)
    assert loaded.warnings == ()
    assert loaded.config.gateway == GatewayConfig()
    (connection,) = loaded.config.connections
    assert {pool.name for pool in loaded.config.pools} == set(connection.pools)
    assert stat.S_IMODE(written.conf.stat().st_mode) == 0o600
    assert (written.user_cert is None) is (password is not None)
    assert WORD.reveal().decode() not in written.conf.read_text() + "".join(said)


def test_running_it_again_loses_nothing(directory: Path) -> None:
    answers = Answers(NAME, POOLS, directory, user="alice")
    set_up(answers, WORD, "/usr/bin/ikepy", lambda _: None)
    with (directory / "site.conf").open("a") as file:
        file.write("# by hand\n")
    before = {path: path.read_bytes() for path in directory.rglob("*") if path.is_file() and path.name != "lock"}
    said: list[str] = []
    set_up(answers, Secret(b"another password"), "/usr/bin/ikepy", said.append)
    assert {
        path: path.read_bytes() for path in directory.rglob("*") if path.is_file() and path.name != "lock"
    } == before
    assert f"{directory / 'site.conf'} is there already, and kept; move it away to have it written anew" in said
    ((entry,), _) = read_users(directory / "users")
    assert entry.nt_hash == nt_hash(WORD.reveal().decode())
    assert has_user(directory, "alice")
    assert not has_user(directory, "bob")


def test_what_is_missing_is_made_again(directory: Path) -> None:
    answers = Answers(NAME, POOLS, directory)
    set_up(answers, None, "/usr/bin/ikepy", lambda _: None)
    (directory / "site.conf").unlink()
    said: list[str] = []
    set_up(answers, None, "/usr/bin/ikepy", said.append)
    assert f"{directory / 'site.conf'} is written" in said


def test_a_certificate_of_lets_encrypt_is_used_where_it_is(directory: Path, tmp_path: Path) -> None:
    live = tmp_path / "live"
    live.mkdir()
    (live / "fullchain.pem").write_bytes((directory / f"pki/certs/{NAME}.pem").read_bytes())
    (live / "privkey.pem").touch(0o600)
    (live / "privkey.pem").write_bytes((directory / f"pki/private/{NAME}.key").read_bytes())
    other = tmp_path / "other"
    written = set_up(Answers(NAME, POOLS, other, certificate=live), None, "/usr/bin/ikepy", lambda _: None)
    assert written.authority is None
    assert not (other / "pki").exists()
    assert load(written.conf).config.connections[0].local.certs == (live / "fullchain.pem",)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": "a b"}, "no host name"),
        ({"name": ""}, "no host name"),
        ({"pools": ()}, "clients need addresses"),
        ({"reach": parse_networks(("10.99.0.0/16",))}, "lies inside a network"),
        ({"certificate": Path("/nonexistent")}, "fullchain.pem"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(change: dict[str, object], words: str) -> None:
    with pytest.raises(SetupError, match=words):
        Answers(**({"name": NAME, "pools": POOLS} | change))  # type: ignore[arg-type]


def test_pools_are_networks_that_nobody_here_uses() -> None:
    entropy = SeededEntropy(1)
    four, six = choose_pools([ip_network("10.99.0.0/16"), ip_network("192.168.1.0/24")], entropy)
    assert four == ip_network("10.66.0.0/24")
    assert six.subnet_of(ip_network("fd00::/8"))  # type: ignore[arg-type]
    assert choose_pools([], entropy)[1] != six
    with pytest.raises(SetupError, match="--pool"):
        choose_pools([ip_network("0.0.0.0/1"), ip_network("128.0.0.0/1")], entropy)


def test_servers_that_clients_could_not_ask_are_not_told() -> None:
    assert choose_dns(["127.0.0.53", "::1", "fe80::1%eth0", "x"]) == tuple(map(ip_address, FALLBACK_DNS))
    assert choose_dns(["127.0.0.53", "10.1.0.53"]) == (ip_address("10.1.0.53"),)


def test_the_unit_is_one_that_systemd_reads(tmp_path: Path) -> None:
    parser = configparser.ConfigParser(strict=True, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read_string(unit_text(tmp_path / "site.conf", "/usr/bin/ikepy", tmp_path))
    assert parser["Service"]["Type"] == "notify"
    assert parser["Service"]["ExecStart"] == f"/usr/bin/ikepy --conf {tmp_path / 'site.conf'}"
    assert "CAP_NET_ADMIN" in parser["Service"]["CapabilityBoundingSet"]


def test_a_text_names_only_files_that_are_named_to_it(tmp_path: Path) -> None:
    text = gateway_text(Answers(NAME, POOLS), Path("/x/site.conf"), Path("/x/c.pem"), Path("/x/k.pem"), None)
    assert 'certs = ["/x/c.pem"]' in text
    assert "None" not in text


def test_the_unit_in_conf_is_the_one_that_setup_writes() -> None:
    path = Path(__file__).resolve().parents[2] / "conf" / "ikepy.service"
    assert path.read_text() == unit_text(Path("/etc/ikepy/site.conf"), "/usr/bin/ikepy", Path("/etc/ikepy"))
