"""The tables of gateways and kill switches: what stands in them, and that nft takes them and prints them as we do."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Any

import pytest
import trio

from ikepy.config.access import AddressRange
from ikepy.config.access_values import parse_range
from ikepy.config.gateway import GatewayConfig
from ikepy.gateway.nft import Json, Nft
from ikepy.gateway.rules import merged
from ikepy.gateway.text import table_text
from tests.gateway.tables import KILL_SWITCHES, MEMBERS, TABLES, V4, table

SPACE = "rules-test"


@pytest.fixture
def program() -> Iterator[tuple[str, ...]]:
    """nft in a namespace of its own."""
    found = shutil.which("nft", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if found is None:
        pytest.skip("the package nftables is not installed")
    subprocess.run(["ip", "netns", "add", SPACE], check=True)
    try:
        yield ("ip", "netns", "exec", SPACE, found)
    finally:
        subprocess.run(["ip", "netns", "delete", SPACE], check=True)


def rules_of(commands: list[Json], chain: str) -> list[Any]:
    added: list[Any] = [command.get("add", {}) for command in commands]
    return [each["rule"] for each in added if "rule" in each and each["rule"]["chain"] == chain]


def words(commands: list[Json], chain: str) -> str:
    text = table_text(commands)
    return text.split(f"\tchain {chain} {{", 1)[1].split("\n\t}", 1)[0]


# -- by the program ------------------------------------------------------------------------------------------------------


@pytest.mark.system
@pytest.mark.parametrize("name", TABLES)
def test_nft_takes_each_table_and_lists_it_as_dry_run_does(name: str, program: tuple[str, ...]) -> None:
    commands = TABLES[name].make(MEMBERS)
    trio.run(Nft(program).apply, commands)
    listed = subprocess.run([*program, "list", "table", "inet", "ikepy"], check=True, capture_output=True, text=True)
    assert listed.stdout == table_text(commands) + "\n"


@pytest.mark.system
@pytest.mark.parametrize("name", KILL_SWITCHES)
def test_nft_takes_each_kill_switch_and_lists_it_as_dry_run_does(name: str, program: tuple[str, ...]) -> None:
    commands = KILL_SWITCHES[name].make()
    trio.run(Nft(program).apply, commands)
    trio.run(Nft(program).apply, commands)
    command = [*program, "list", "table", "inet", "ikepy_kill_switch"]
    listed = subprocess.run(command, check=True, capture_output=True, text=True)
    assert listed.stdout == table_text(commands) + "\n"


@pytest.mark.system
@pytest.mark.parametrize("name", TABLES)
def test_nft_takes_members_in_and_out(name: str, program: tuple[str, ...]) -> None:
    made, nft = TABLES[name], Nft(program)
    trio.run(nft.apply, made.make({}))
    trio.run(nft.apply, made.change({}, MEMBERS))
    others = {ip_address("10.9.0.5"): ("full@x",), ip_address("10.9.0.9"): ("staff",)}
    trio.run(nft.apply, made.change(MEMBERS, others))
    trio.run(nft.apply, made.change(others, {}))
    listed = subprocess.run([*program, "list", "table", "inet", "ikepy"], check=True, capture_output=True, text=True)
    assert listed.stdout == table_text(made.make({})) + "\n"


# -- what stands in them -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TABLES)
def test_each_rule_of_a_hook_names_an_address_of_a_pool(name: str) -> None:
    commands = TABLES[name].make(MEMBERS)
    for chain in ("mangle", "forward", "input", "output", "postrouting"):
        for rule in rules_of(commands, chain):
            assert "@pools" in json.dumps(rule["expr"][0]), rule


@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_made_anew_in_one_go(name: str) -> None:
    first, second, third, *others = TABLES[name].make(MEMBERS)
    assert tuple(next(iter(each)) for each in (first, second, third)) == ("add", "delete", "add")
    assert all("add" in each for each in others)


def test_what_comes_from_clients_is_looked_at_in_this_order() -> None:
    found = words(table().make(MEMBERS), "from_clients").strip().splitlines()
    first = [line.strip().split(" comment ")[1].strip('"') for line in found]
    assert list(dict.fromkeys(first)) == [
        "no client is there in clear",
        "nobody has that address",
        "from client to client",
        "group staff",
        "group full@x",
        "in no group that reaches it",
    ]
    assert found[-1].strip().startswith("drop")


def test_a_group_reaches_its_networks_and_its_ports_alone() -> None:
    found = words(table().make(MEMBERS), "from_clients")
    assert 'ip saddr @group1_4 ip daddr 10.1.0.0/16 tcp dport 443 accept comment "group staff"' in found
    assert 'ip saddr @group1_4 ip daddr 10.3.0.5 udp dport 1000-2000 accept comment "group staff"' in found
    assert 'ip saddr @group2_4 accept comment "group full@x"' in found
    back = words(table().make(MEMBERS), "to_clients")
    assert 'ip daddr @group1_4 ip saddr 10.1.0.0/16 tcp sport 443 accept comment "group staff"' in back


def test_without_groups_clients_reach_whatever_the_tunnel_lets_through() -> None:
    found = words(TABLES["no groups"].make(MEMBERS), "from_clients")
    assert "group" not in found
    assert "in no group" not in found


def test_a_masquerade_is_by_uplinks_and_never_of_what_goes_into_ipsec() -> None:
    found = words(table().make(MEMBERS), "postrouting")
    assert 'ip saddr @pools4 oifname "eth0" rt ipsec missing masquerade' in found
    assert 'ip6 saddr @pools6 oifname { "eth0", "eth1" } rt ipsec missing masquerade' in found
    assert "masquerade" not in words(TABLES["routed"].make({}), "postrouting")
    assert "ip6" not in words(TABLES["proxied"].make({}), "postrouting")


def test_members_stand_in_the_sets_of_their_groups() -> None:
    text = table_text(table().make(MEMBERS))
    assert "elements = { 10.9.0.5, 10.9.0.6 }" in text.split("set lent4", 1)[1].split("}\n", 1)[0] + "}"
    assert "10.9.0.6" not in text.split("set group1_4", 1)[1].split("\tset", 1)[0]


def test_only_what_changed_is_told() -> None:
    made = table()
    assert made.change(MEMBERS, MEMBERS) == []
    gone = made.change(MEMBERS, {})
    assert all("delete" in each for each in gone)
    assert {each["delete"]["element"]["name"] for each in gone} >= {"lent4", "lent6", "group1_4"}  # type: ignore[index]


def test_an_address_of_a_family_without_pools_is_no_member() -> None:
    assert table(pools=(V4,)).change({}, {ip_address("fd00::1"): ()}) == []


@pytest.mark.parametrize("name", [name for name in TABLES if "name" in name])
def test_a_comment_is_short_and_plain_whatever_a_group_is_called(name: str) -> None:
    for rule in rules_of(TABLES[name].make({}), "from_clients"):
        comment = rule.get("comment", "")
        assert len(comment.encode()) < 128
        assert comment.isprintable()
        assert not set('"\\') & set(comment)


def test_what_leaves_behind_a_kill_switch_is_a_tunnel_or_what_makes_one() -> None:
    found = [line.strip() for line in words(KILL_SWITCHES["interfaces"].make(), "output").strip().splitlines()]
    assert found == [
        "type filter hook output priority filter; policy drop;",
        'oifname "lo" accept',
        "rt ipsec exists accept",
        'oifname { "vpn0", "vpn1" } accept',
        'meta l4proto esp accept comment "ESP"',
        'udp sport { 500, 4500 } accept comment "IKE, and ESP in UDP"',
        'udp sport 68 udp dport 67 accept comment "DHCP"',
        'udp sport 546 udp dport 547 accept comment "DHCP"',
        'icmpv6 type { nd-router-solicit, nd-neighbor-solicit, nd-neighbor-advert, mld2-listener-report } accept comment "neighbours"',
        'reject with icmpx admin-prohibited comment "no tunnel"',
    ]


@pytest.mark.parametrize(
    ("ranges", "expected"),
    [
        (("10.0.0.0-10.0.0.127", "10.0.0.128-10.0.0.255"), ("10.0.0.0-10.0.0.255",)),
        (("10.0.0.5-10.0.0.9", "10.0.0.1-10.0.0.6"), ("10.0.0.1-10.0.0.9",)),
        (("10.0.0.9", "10.0.0.1"), ("10.0.0.1", "10.0.0.9")),
        (("10.0.0.0/8", "10.3.0.0/16"), ("10.0.0.0/8",)),
        ((), ()),
    ],
)
def test_ranges_that_meet_are_one(ranges: tuple[str, ...], expected: tuple[str, ...]) -> None:
    def read(texts: tuple[str, ...]) -> list[AddressRange]:
        return [parse_range(text) for text in texts]

    assert merged(iter(read(ranges))) == read(expected)


def test_a_gateways_defaults_are_the_safe_ones() -> None:
    gateway = GatewayConfig()
    assert gateway.block_leaks
    assert not gateway.client_to_client
