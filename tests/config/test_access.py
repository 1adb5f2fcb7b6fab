"""Pools, users and groups in a configuration file."""

from __future__ import annotations

from datetime import date
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from ikepy.config.access import AddressRange, StaticLease, Tunnel
from ikepy.config.access_values import parse_range
from ikepy.config.load import load
from ikepy.crypto.password import make_scrypt_hash, nt_hash
from ikepy.crypto.secret import Secret
from tests.support.conf_files import SITE, Write, changed, refusal

POOLS = """\
[pools.office]
addrs = "10.9.0.10-10.9.0.250"
static = { "alice" = "10.9.0.20", "fqdn:Gate.example" = ["10.9.0.21", "10.9.0.22"] }
dns = "10.1.0.53, 2001:db8::53"
domains = ["corp.example"]
subnet = "10.1.0.0/16, 2001:db8:1::/48"
split_include = "10.1.0.0/16"
split_exclude = "10.1.9.0/24"
nbns = "10.1.0.9"
dhcp = "10.1.0.67"
netmask = "255.255.255.0"
[pools.six]
addrs = "2001:db8:9::/64"
[users.alice]
nt_hash = "44ebba8d5312b8d611474411f56989ae"
groups = "staff"
expires = 2026-12-31
[users.bob]
disabled = true
groups = "staff"
[groups.staff]
users = ["bob"]
psk_ids = ["right.example.com", "*@example.com"]
subnets = "10.1.0.0/16[tcp/443]"
pools = ["office", "six"]
dns = "10.1.0.54"
domains = "corp.example"
tunnel = "split"
max_sessions = 2
idle_timeout = "30m"
"""
ALL = SITE.replace("local = {", 'pools = ["office", "six"]\nlocal = {', 1) + POOLS


def test_every_key_of_pools_users_and_groups_is_read(write: Write) -> None:
    loaded = load(write(ALL))

    config = loaded.config
    office, six = config.pools
    alice, bob = config.users
    (staff,) = config.groups
    assert loaded.warnings == ()
    assert config.connections[0].pools == ("office", "six")
    assert office.addrs == (AddressRange(ip_address("10.9.0.10"), ip_address("10.9.0.250")),)
    assert office.static == (
        StaticLease("alice", (ip_address("10.9.0.20"),)),
        StaticLease("fqdn:gate.example", (ip_address("10.9.0.21"), ip_address("10.9.0.22"))),
    )
    assert (office.size, office.family, six.family) == (241, 4, 6)
    assert office.dns == (ip_address("10.1.0.53"), ip_address("2001:db8::53"))
    assert (office.domains, office.netmask) == (("corp.example",), ip_address("255.255.255.0"))
    assert office.subnet == (ip_network("10.1.0.0/16"), ip_network("2001:db8:1::/48"))
    assert (office.split_include, office.split_exclude) == (
        (ip_network("10.1.0.0/16"),),
        (ip_network("10.1.9.0/24"),),
    )
    assert (office.nbns, office.dhcp) == ((ip_address("10.1.0.9"),), (ip_address("10.1.0.67"),))
    assert (alice.nt_hash, alice.groups, alice.expires) == (nt_hash("clientPass"), ("staff",), date(2026, 12, 31))
    assert (bob.disabled, bob.nt_hash, bob.password, bob.scrypt) == (True, None, None, None)
    assert (staff.users, staff.pools, staff.max_sessions) == (("bob",), ("office", "six"), 2)
    assert (staff.tunnel, staff.idle_timeout, staff.domains) == (Tunnel.SPLIT, 1800.0, ("corp.example",))
    assert [str(ts) for ts in staff.subnets] == ["10.1.0.0/16[tcp/443]"]


def test_a_password_and_a_scrypt_hash_are_read_and_a_password_is_warned_of(write: Write) -> None:
    scrypt = make_scrypt_hash(b"sesame", bytes(16))

    loaded = load(
        write(
            f'{SITE}[users.carol]\npassword = "sesame"\n[users.dave]\nscrypt = "{scrypt.text()}"\nexpires = "2027-01-01"'
        )
    )

    carol, dave = loaded.config.users
    assert carol.password == Secret(b"sesame")
    assert (dave.scrypt, dave.expires) == (scrypt, date(2027, 1, 1))
    (warning,) = loaded.warnings
    assert warning.startswith("users.carol: the password itself stands in the file")


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("10.9.0.0/24", "10.9.0.1", "10.9.0.254"),
        ("10.0.0.0/8", "10.0.0.1", "10.255.255.254"),
        ("10.9.0.0/30", "10.9.0.1", "10.9.0.2"),
        ("10.9.0.0/31", "10.9.0.0", "10.9.0.1"),
        ("10.9.0.7/32", "10.9.0.7", "10.9.0.7"),
        ("10.9.0.7", "10.9.0.7", "10.9.0.7"),
        ("10.9.0.0 - 10.9.0.255", "10.9.0.0", "10.9.0.255"),
        ("2001:db8::/64", "2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff"),
        ("2001:db8::/127", "2001:db8::", "2001:db8::1"),
    ],
)
def test_of_a_prefix_only_addresses_of_hosts_are_given_out(text: str, first: str, last: str) -> None:
    assert parse_range(text) == AddressRange(ip_address(first), ip_address(last))


def test_identities_under_static_are_the_same_however_they_are_written(write: Write) -> None:
    config = load(
        write(
            SITE + '[pools.p]\naddrs = "10.9.0.0/24"\nstatic = { "email:Bob@EXAMPLE.com" = "10.9.0.1", '
            '"dns:A.example" = "10.9.0.2", "2001:DB8:0::1" = "10.9.0.3", "@#0A" = "10.9.0.4" }'
        )
    ).config

    names = [lease.identity for lease in config.pools[0].static]
    assert names == ["email:Bob@example.com", "fqdn:a.example", "ipv6:2001:db8::1", "@#0a"]


@pytest.mark.parametrize(
    ("old", "new", "wording"),
    [
        (
            '"10.9.0.10-10.9.0.250"',
            '"10.9.0.250-10.9.0.10"',
            "[pools.office] addrs: '10.9.0.250-10.9.0.10' ends before",
        ),
        ('"10.9.0.10-10.9.0.250"', '"10.9.0.10-2001:db8::1"', "begins with one family and ends with the other"),
        ('"10.9.0.10-10.9.0.250"', '"10.9.0.1/24"', "has bits set behind the prefix; did you mean 10.9.0.0/24?"),
        ('"10.9.0.10-10.9.0.250"', '"10.9.0.0/24, 2001:db8::/64"', "IPv4 and IPv6 addresses in one pool; make two"),
        ('"10.9.0.10-10.9.0.250"', '"10.9.0.0/24, 10.9.0.7"', "10.9.0.7 overlaps 10.9.0.1-10.9.0.254 of itself"),
        ('addrs = "10.9.0.10-10.9.0.250"\n', "", "[pools.office] addrs: missing"),
        ('"2001:db8:9::/64"', '"10.9.0.200-10.9.1.9"', "[pools.six] addrs: 10.9.0.200-10.9.1.9 overlaps 10.9.0.10-"),
        ('"alice" = "10.9.0.20"', '"alice" = "10.9.0.9"', "static: 10.9.0.9 of 'alice' is not in addrs; add it"),
        ('"alice" = "10.9.0.20"', '"alice" = "10.9.0.21"', "static: 10.9.0.21 is both 'alice' and 'fqdn:gate.example'"),
        ('"alice" = "10.9.0.20"', '" alice" = "10.9.0.20"', "' alice' cannot be the name of a user"),
        ('"fqdn:Gate.example"', '"fqdn:*.example"', "'fqdn:*.example' means more than one identity; write one"),
        ('domains = ["corp.example"]', 'domains = ["corp example"]', "domains: 'corp example' is no domain"),
        ('"10.1.0.9"', '"2001:db8::1"', "nbns: 2001:db8::1 is no IPv4 address"),
        ('"255.255.255.0"', '"255.0.255.0"', "netmask: '255.0.255.0' is no netmask"),
        ('netmask = "255.255.255.0"', 'server = "10.1.0.1"', "[pools.office] server: not supported yet"),
        ('netmask = "255.255.255.0"', 'addr = "10.1.0.1"', "[pools.office] addr: unknown key; did you mean addrs?"),
        (
            'pools = ["office", "six"]\nlocal',
            'pools = "ofice"\nlocal',
            "there is no pool 'ofice'; did you mean office?",
        ),
        ('pools = ["office", "six"]\nlocal', 'pools = ["six", "six"]\nlocal', "pools: 'six' stands in it twice"),
        ('pools = ["office", "six"]\ndns', 'pools = "of"\ndns', "[groups.staff] pools: there is no pool 'of'"),
        ('groups = "staff"\nexpires', 'groups = "stuff"\nexpires', "[users.alice] groups: there is no group 'stuff'"),
        ('users = ["bob"]', 'users = ["bobby"]', "[groups.staff] users: there is no user 'bobby'; did you mean bob?"),
        ('"44ebba8d5312b8d611474411f56989ae"', '"44ebba8d"', "[users.alice] nt_hash: this is no NT hash; write 32"),
        ("nt_hash =", "scrypt =", "[users.alice] scrypt: this is no scrypt hash; make one with: ikepy user add"),
        ("disabled = true", 'nt_hash = "44ebba8d5312b8d611474411f56989ae"\npassword = "x"', "leave out password"),
        ("disabled = true", 'password = ""', "[users.bob] password: the value is not text, or empty"),
        ("2026-12-31", '"31.12.2026"', "[users.alice] expires: '31.12.2026' is no day; write it like 2026-12-31"),
        ("2026-12-31", "2026-12-31T12:00:00", "is an instant; write a day like 2026-12-31"),
        ('tunnel = "split"', 'tunnel = "full"', "[groups.staff] subnets: subnets beside tunnel"),
        ('subnets = "10.1.0.0/16[tcp/443]"\n', "", "[groups.staff] subnets: tunnel"),
        ('tunnel = "split"', 'tunnel = "some"', "[groups.staff] tunnel: 'some' is not known here; write one of"),
        ("[users.bob]", "[users.'b b']", "[users]: 'b b' cannot be a name"),
    ],
)
def test_what_cannot_be_is_refused_with_its_place_and_remedy(write: Write, old: str, new: str, wording: str) -> None:
    assert wording in refusal(write(changed(ALL, (old, new))))


def test_no_refusal_shows_a_hash_or_a_password(write: Write) -> None:
    for line in (
        'nt_hash = "5e5a4e00"',
        'scrypt = "scrypt$99$8$1$5e5a4e005e5a4e00$5e5a4e005e5a4e00"',
        'password = "5e5a4e' + "0" * 300 + '"',
    ):
        assert "5e5a4e" not in refusal(write(f"{SITE}[users.eve]\n{line}\n"))


def test_a_file_with_a_users_hash_must_be_its_owners_alone(write: Write) -> None:
    users = '[users.alice]\nnt_hash = "44ebba8d5312b8d611474411f56989ae"\n'
    path = write('include = "users.conf"\n' + SITE)

    write(users, "users.conf", 0o640)

    assert "others may get at it; chmod 600" in refusal(path)
    write("[users.alice]\ndisabled = true\n", "users.conf", 0o644)
    assert load(path).config.users[0].disabled


def test_members_who_are_only_in_the_users_file_can_be_named(write: Write, tmp_path: Path) -> None:
    text = (
        SITE + '[groups.staff]\nusers = ["zoe"]\npsk_ids = "right.example.com"\n[daemon]\nusers_file = "users.jsonl"\n'
    )

    config = load(write(text)).config

    assert config.daemon.users_file == tmp_path / "users.jsonl"
    assert config.groups[0].users == ("zoe",)


def test_who_will_get_nothing_is_warned_of(write: Write) -> None:
    loaded = load(write(SITE + "[users.alice]\n[groups.staff]\n"))

    assert [warning.split(":", 1)[0] for warning in loaded.warnings] == ["users.alice", "connections.site"]
    assert 'add psk_ids = ["right.example.com"] to a group' in loaded.warnings[1]


def test_a_pool_that_is_in_two_files_is_refused(write: Write) -> None:
    write('[pools.p]\naddrs = "10.9.0.0/24"\n', "more.conf")

    assert "the pool 'p' is also in" in refusal(
        write('include = "more.conf"\n' + SITE + '[pools.p]\naddrs = "10.8.0.0/24"\n')
    )
