"""From a configuration file, as its loader reads it, to the facts a client must know."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from ikepy.auth.files import load_certificates, load_private_key_file
from ikepy.auth.users_file import read_users
from ikepy.config.algorithms import default_proposals, parse_proposals
from ikepy.config.load import load
from ikepy.crypto.password import make_scrypt_hash
from ikepy.crypto.secret import Secret
from ikepy.profiles.authority import ProfileError
from ikepy.profiles.facts import ClientFacts, SignIn
from ikepy.profiles.gather import Gathered, gather
from ikepy.profiles.packing import pack
from ikepy.profiles.wishes import Wishes
from ikepy.wire.registry import ProtocolId
from tests.lab.access_conf import PASSWORD, SHARED, gateway_conf
from tests.lab.certs import Authority

TODAY = date(2026, 11, 23)
Find = Callable[..., Gathered]


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("certificates")
    authority = Authority(directory, "ecdsa")
    (directory / "ca-ecdsa.pem").rename(directory / "ca-rsa.pem")  # the name that access_conf.py writes
    for name in ("gate.lab", "carol.lab"):
        authority.issue(name, "ecdsa")
    return directory


@pytest.fixture
def find(certificates: Path, tmp_path: Path) -> Find:
    """The facts of a user, by the lab's configuration of a gateway, with replacements."""

    def run(user: str = "alice", *changes: tuple[str, str], more: str = "", **wishes: object) -> Gathered:
        text = gateway_conf(certificates, more)
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        path = tmp_path / "gate.conf"
        path.write_text(text)
        path.chmod(0o600)
        config = load(path).config
        kept = read_users(config.daemon.users_file)[0] if config.daemon.users_file is not None else ()
        return gather(config, kept, Wishes(user, **({"connection": "eap"} | wishes)), TODAY)

    return run


@pytest.fixture(scope="module")
def carol(certificates: Path) -> dict[str, object]:
    """The wishes of somebody with a certificate."""
    chain = load_certificates(certificates / "carol.lab.cert.pem")
    key = load_private_key_file(certificates / "carol.lab.key.pem", None)
    return {"chain": chain, "packed": pack(chain, key, name="carol", secret=Secret(b"p12"))}


def test_the_facts_are_those_of_the_configuration(find: Find, certificates: Path) -> None:
    (authority,) = load_certificates(certificates / "ca-rsa.pem")

    found = find()

    assert found.facts == ClientFacts(
        "eap",
        "gate.lab",
        "gate.lab",
        "alice",
        None,
        SignIn.PASSWORD,
        default_proposals(ProtocolId.IKE),
        default_proposals(ProtocolId.ESP),
        (4, 6),
        found.facts.networks,
        is_full=False,
        dns=found.facts.dns,
        domains=("corp.lab",),
        anchors=(authority.der,),
        issuer="Lab CA ecdsa",
    )
    assert [str(each) for each in found.facts.networks] == ["10.1.0.0/16", "fd00:1::/32"]
    assert [str(each) for each in found.facts.dns] == ["10.1.0.53", "fd00:1::53"]
    assert found.warnings == ()


def test_proposals_are_those_of_the_connection_and_of_its_child(find: Find) -> None:
    header = "[connections.eap.children.net]\n"
    facts = find(
        "alice",
        ("[connections.eap]\n", '[connections.eap]\nproposals = ["aes256-sha384-ecp384"]\n'),
        (header, f'{header}esp_proposals = ["aes128gcm16-noesn"]\n'),
    ).facts

    assert facts.ike == parse_proposals(["aes256-sha384-ecp384"], ProtocolId.IKE)
    assert facts.esp == parse_proposals(["aes128gcm16-noesn"], ProtocolId.ESP)


def test_a_group_narrows_what_goes_into_the_tunnel(find: Find) -> None:
    assert [str(each) for each in find("bob").facts.networks] == ["10.1.7.0/24"]


def test_a_group_with_a_full_tunnel_sends_everything(find: Find) -> None:
    facts = find("bob", ('subnets = ["10.1.7.0/24"]', 'tunnel = "full"')).facts

    assert facts.is_full
    assert [str(each) for each in facts.networks] == ["0.0.0.0/0", "::/0"]


def test_a_groups_dns_goes_before_the_pools(find: Find) -> None:
    facts = find("bob", ("[groups.guests]\n", '[groups.guests]\ndns = "10.1.7.53"\ndomains = "guest.lab"\n')).facts

    assert ([str(each) for each in facts.dns], facts.domains) == (["10.1.7.53"], ("guest.lab",))


def test_clients_without_ipv6_addresses_are_told_nothing_of_ipv6(find: Find) -> None:
    facts = find("alice", ('pools = ["v4", "v6"]', 'pools = ["v4"]')).facts

    assert (facts.families, [str(each) for each in facts.networks]) == ((4,), ["10.1.0.0/16"])


def test_the_server_is_the_gateways_name_unless_another_is_said(find: Find) -> None:
    found = find(server="192.0.2.1")

    assert (found.facts.address, found.facts.server_id) == ("192.0.2.1", "gate.lab")
    assert "does not name" in found.warnings[0]


def test_of_several_connections_the_one_by_the_users_entry_is_taken(find: Find, carol: dict[str, object]) -> None:
    assert find("alice", connection=None).facts.connection == "eap"
    assert find("dave.clients.lab", connection=None, **carol).facts.connection == "cert"


def test_where_several_would_do_none_is_guessed(find: Find) -> None:
    with pytest.raises(ProfileError, match=r"\(eap, eap2\).*--connection"):
        find(
            connection=None,
            more="[connections.eap2]\npools = ['v4']\nlocal = { auth = 'psk', id = 'gate.lab' }\n"
            "remote = { auth = 'eap' }\n[connections.eap2.children.net]\nlocal_ts = '10.1.0.0/16'\n",
        )


def test_a_certificate_belongs_to_the_groups_that_name_it(find: Find, carol: dict[str, object]) -> None:
    facts = find("carol", connection="cert", **carol).facts

    assert (facts.sign_in, facts.identity) == (SignIn.CERTIFICATE, "carol.lab")
    assert facts.certificate is not None
    assert facts.certificate.kind == "ECDSA256"


def test_a_certificate_beside_an_entry_is_eap_tls(find: Find, carol: dict[str, object]) -> None:
    assert find("carol.lab", **carol).facts.sign_in is SignIn.EAP_TLS


def test_eap_tls_needs_no_entry_as_the_gateway_asks_for_none(find: Find, carol: dict[str, object]) -> None:
    assert find("dave.clients.lab", connection="eap", **carol).facts.sign_in is SignIn.EAP_TLS


def test_a_pre_shared_key_is_found_and_told_only_where_asked_for(find: Find) -> None:
    asked = find("carol.lab", connection="psk", with_secret=True).facts

    assert (asked.sign_in, asked.password) == (SignIn.PSK, Secret(SHARED.encode()))
    assert find("carol.lab", connection="psk").facts.password is None
    assert asked.anchors == ()


def test_who_has_a_scrypt_hash_comes_by_gtc(find: Find) -> None:
    scrypt = make_scrypt_hash(b"sesame", bytes(16)).text()

    facts = find("alice", ("[users.alice]\npassword = ", f"[users.alice]\nscrypt = '{scrypt}'\n# ")).facts

    assert facts.sign_in is SignIn.TOKEN


@pytest.mark.parametrize(
    ("user", "changes", "wishes", "message"),
    [
        ("alcie", (), {}, "no user alcie: did you mean alice"),
        ("mallory", (), {}, "disabled"),
        ("alice", (("[users.alice]\n", "[users.alice]\nexpires = 2026-11-22\n"),), {}, "expired 2026-11-22"),
        (
            "alice",
            ((f'password = "{PASSWORD}"\ngroups = ["staff"]', f'password = "{PASSWORD}"'),),
            {},
            "in no group",
        ),
        ("alice", (), {"connection": "epa"}, "no connection epa: did you mean eap"),
        ("carol", (), {"connection": "cert"}, "--cert FILE and --key FILE"),
        ("a b", (), {"connection": "psk"}, "no identity"),
        ("alice", (('id = "gate.lab", certs', "certs"),), {}, 'has no id.*add id = "gate.lab"'),
        ("alice", (('pools = ["v4", "v6"]\n', ""),), {}, "add pools"),
        ("alice", (('local_ts = ["10.1.0.0/16", "fd00:1::/32"]\n', ""),), {}, "reaches nothing"),
    ],
)
def test_who_would_be_refused_gets_no_profile(
    find: Find, user: str, changes: tuple[tuple[str, str], ...], wishes: dict[str, object], message: str
) -> None:
    with pytest.raises(ProfileError, match=message):
        find(user, *changes, **wishes)


def test_a_ca_that_is_not_above_the_certificate_is_refused(find: Find, tmp_path: Path) -> None:
    other = Authority(tmp_path, "ecdsa", "Other CA")

    with pytest.raises(ProfileError, match="under no CA of"):
        find(authority=other.path)


def test_a_ca_that_is_named_is_the_one_clients_get(find: Find, certificates: Path) -> None:
    cut = (f', cacerts = ["{certificates / "ca-rsa.pem"}"] }}\n[connections.eap.ch', " }\n[connections.eap.ch")
    without = find("alice", cut, ('"mschapv2", "tls", "ttls", "peap", "gtc", "md5"', '"mschapv2"'))
    named = find(
        "alice",
        cut,
        ('"mschapv2", "tls", "ttls", "peap", "gtc", "md5"', '"mschapv2"'),
        authority=certificates / "ca-rsa.pem",
    )

    assert without.facts.anchors == ()
    assert "--ca" in without.warnings[0]
    assert named.warnings == ()
    assert replace(named.facts, anchors=()) == without.facts


def test_a_certificate_that_does_not_name_the_gateway_is_warned_of(find: Find) -> None:
    found = find("alice", ('id = "gate.lab"', 'id = "other.lab"'))

    assert "does not name other.lab as subjectAltName" in found.warnings[0]


def test_the_anchor_is_a_certificate_as_it_stands_in_the_file(find: Find, certificates: Path) -> None:
    (parsed,) = load_certificates(certificates / "ca-rsa.pem")

    assert find().facts.anchors == (parsed.parsed.public_bytes(Encoding.DER),)
