"""Who is in which group, and what that comes to."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ikepy.config.access import GroupConfig, Tunnel
from ikepy.config.groups import ALL_RIGHTS, NO_RIGHTS, Proof, lease_identity, membership, rights_of
from ikepy.config.identities import parse_identity, parse_identity_pattern
from ikepy.config.model import Config
from ikepy.config.selectors import parse_selector

CA, OTHER_CA = Path("ca.pem"), Path("other.pem")
USERS = GroupConfig("users", users=("alice",))
CERTS = GroupConfig(
    "certs", cert_ids=(parse_identity_pattern("C=DE, O=Example, CN=*"), parse_identity_pattern("*@x.example"))
)
UNDER_CA = GroupConfig("under-ca", cacerts=(CA,))
BOTH = GroupConfig("both", cert_ids=(parse_identity_pattern("*.example"),), cacerts=(CA,))
SITES = GroupConfig("sites", psk_ids=(parse_identity_pattern("*.sites.example"),))
CONFIG = Config(groups=(USERS, CERTS, UNDER_CA, BOTH, SITES))


def of_certificate(*names: str, authorities: tuple[Path, ...] = ()) -> Proof:
    return Proof(cert_names=tuple(map(parse_identity, names)), authorities=frozenset(authorities))


def test_a_user_is_in_the_groups_of_the_entry_and_in_those_that_name_the_user() -> None:
    assert membership(CONFIG, Proof(user="alice")) == ("users",)
    assert membership(CONFIG, Proof(user="bob")) == ()
    assert membership(CONFIG, Proof(user="bob", user_groups=("sites", "no such group"))) == ("sites",)


def test_groups_of_an_entry_count_for_nothing_where_no_user_is_proved() -> None:
    assert membership(CONFIG, Proof(user_groups=("users",))) == ()


def test_a_certificate_counts_by_its_subject_and_by_each_alternative_name() -> None:
    assert membership(CONFIG, of_certificate("C=DE, O=Example, CN=carol")) == ("certs",)
    assert membership(CONFIG, of_certificate("C=FR, O=Example, CN=carol", "carol@x.example")) == ("certs",)
    assert membership(CONFIG, of_certificate("C=FR, O=Example, CN=carol", "carol@y.example")) == ()


def test_a_certificate_counts_by_its_ca_and_where_names_are_given_too_by_both() -> None:
    assert membership(CONFIG, of_certificate("CN=x", authorities=(CA,))) == ("under-ca",)
    assert membership(CONFIG, of_certificate("gate.example", authorities=(OTHER_CA,))) == ()
    assert membership(CONFIG, of_certificate("gate.example", authorities=(OTHER_CA, CA))) == ("under-ca", "both")


def test_an_identity_proved_by_a_key_is_no_certificate_and_a_certificate_proves_no_key() -> None:
    assert membership(CONFIG, Proof(psk_identity=parse_identity("one.sites.example"))) == ("sites",)
    assert membership(CONFIG, Proof(psk_identity=parse_identity("carol@x.example"))) == ()
    assert membership(CONFIG, of_certificate("one.sites.example")) == ()


def test_who_is_in_no_group_gets_nothing_where_there_are_groups() -> None:
    assert rights_of(CONFIG, Proof(user="mallory")) is NO_RIGHTS
    assert not NO_RIGHTS.allowed
    assert rights_of(Config(), Proof(user="mallory")) is ALL_RIGHTS


def test_several_groups_give_what_any_of_them_gives() -> None:
    web, mail = parse_selector("10.1.0.1/32[tcp/443]"), parse_selector("10.1.0.2/32")
    one = GroupConfig(
        "a", ("alice",), subnets=(web,), pools=("p",), max_sessions=1, idle_timeout=60.0, tunnel=Tunnel.SPLIT
    )
    two = GroupConfig("b", ("alice",), subnets=(mail, web), pools=("q", "p"), max_sessions=3, idle_timeout=600.0)

    rights = rights_of(Config(groups=(one, two)), Proof(user="alice"))

    assert rights.groups == ("a", "b")
    assert rights.subnets == (web, mail)
    assert rights.pools == ("p", "q")
    assert (rights.max_sessions, rights.idle_timeout, rights.tunnel) == (3, 600.0, None)


def test_a_group_without_a_limit_lifts_it_and_one_with_all_of_the_tunnel_gives_all() -> None:
    web = parse_selector("10.1.0.1/32")
    one = GroupConfig("a", ("alice",), subnets=(web,), max_sessions=1, tunnel=Tunnel.SPLIT)
    two = GroupConfig("b", ("alice",), tunnel=Tunnel.FULL)

    alone, both = (rights_of(Config(groups=groups), Proof(user="alice")) for groups in ((one,), (one, two)))

    assert (alone.subnets, alone.max_sessions, alone.tunnel) == ((web,), 1, Tunnel.SPLIT)
    assert (both.subnets, both.max_sessions, both.tunnel) == (None, None, Tunnel.FULL)


def test_a_lease_is_the_users_where_there_is_one_and_no_identity_can_pass_for_a_user() -> None:
    alice, host = Proof(user="alice"), parse_identity("alice")

    assert lease_identity(alice, parse_identity("192.0.2.1")) == "alice"
    assert lease_identity(replace(alice, user=None), host) == "fqdn:alice"
    assert lease_identity(Proof(), parse_identity("Bob@EXAMPLE.com")) == "email:Bob@example.com"
    assert lease_identity(Proof(), parse_identity("192.0.2.1")) == "ipv4:192.0.2.1"
    assert lease_identity(Proof(), parse_identity("CN=alice")) == "asn1dn:CN=alice"
