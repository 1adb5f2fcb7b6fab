"""Connections, traps and shunts in charon's words."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ikepy.config.identities import parse_identity_pattern
from ikepy.config.model import (
    AuthKind,
    ChildConfig,
    CloseAction,
    Config,
    ConnectionConfig,
    DpdAction,
    RemoteAuthConfig,
    StartAction,
    Unique,
)
from ikepy.control.codec import Section
from ikepy.daemon.api import InstallOutcome
from ikepy.ipsec import Mode
from tests.support.control_client import ask
from tests.support.fake_daemon import FakeDaemon, make_connection, make_policy


def test_list_conns_says_addresses_identities_files_and_children(tmp_path: Path) -> None:
    remote = RemoteAuthConfig(
        AuthKind.PUBKEY, id=parse_identity_pattern("*.example.com"), cacerts=(Path("/etc/ikepy/ca.pem"),)
    )
    connection = replace(make_connection("site", "net"), remote=remote, dpd_delay=30.0)
    events, _ = ask(tmp_path, FakeDaemon(config=Config(connections=(connection,))), "list-conns", None, "list-conn")
    site = events[0].message["site"]
    assert isinstance(site, dict)
    assert list(site)[:8] == [
        "local_addrs",
        "remote_addrs",
        "local_port",
        "remote_port",
        "version",
        "reauth_time",
        "rekey_time",
        "unique",
    ]
    assert site["dpd_delay"] == "30"
    assert site["local-1"] == {"class": "pre-shared key", "id": "left.example.com"}
    assert site["remote-1"] == {"class": "public key", "id": "*.example.com", "cacerts": ["/etc/ikepy/ca.pem"]}
    assert "'local-ts': ['10.1.0.0/16'], 'remote-ts': ['10.2.0.0/16']" in str(site["children"])


def listed(directory: Path, connection: ConnectionConfig) -> Section:
    """One connection as list-conns has it."""
    events, _ = ask(directory, FakeDaemon(config=Config(connections=(connection,))), "list-conns", None, "list-conn")
    section = events[0].message[connection.name]
    assert isinstance(section, dict)
    return section


def listed_child(directory: Path, **fields: object) -> Section:
    """One child as list-conns has it."""
    connection = make_connection()
    child: ChildConfig = replace(connection.children[0], **fields)
    children = listed(directory, replace(connection, children=(child,)))["children"]
    assert isinstance(children, dict)
    section = children["net"]
    assert isinstance(section, dict)
    return section


def test_list_conns_says_when_an_ike_sa_is_renewed_and_what_becomes_of_a_second_one(tmp_path: Path) -> None:
    connection = replace(make_connection(), rekey_time=14400.0, reauth_time=86400.0, unique=Unique.REPLACE)
    site = listed(tmp_path, connection)
    assert (site["rekey_time"], site["reauth_time"], site["unique"]) == ("14400", "86400", "UNIQUE_REPLACE")
    assert "dpd_delay" not in site


@pytest.mark.parametrize("unique", Unique)
def test_uniqueness_has_charons_words(tmp_path: Path, unique: Unique) -> None:
    site = listed(tmp_path, replace(make_connection(), unique=unique))
    assert site["unique"] == f"UNIQUE_{unique.value.upper()}"


def test_list_conns_says_when_a_child_is_renewed(tmp_path: Path) -> None:
    net = listed_child(tmp_path, rekey_time=3600.0, rekey_bytes=500_000_000, rekey_packets=1_000_000)
    assert (net["rekey_time"], net["rekey_bytes"], net["rekey_packets"]) == ("3600", "500000000", "1000000")
    assert list(net)[:6] == ["mode", "rekey_time", "rekey_bytes", "rekey_packets", "dpd_action", "close_action"]


@pytest.mark.parametrize(
    ("fields", "dpd", "close"),
    [
        ({}, "none", "none"),
        ({"start_action": StartAction.START}, "start", "start"),
        ({"start_action": StartAction.TRAP}, "trap", "trap"),
        ({"start_action": StartAction.START, "dpd_action": DpdAction.CLEAR}, "none", "start"),
        ({"dpd_action": DpdAction.RESTART, "close_action": CloseAction.TRAP}, "start", "trap"),
        ({"start_action": StartAction.TRAP, "mode": Mode.PASS}, "none", "none"),
    ],
)
def test_actions_are_those_that_follow_in_charons_words(
    tmp_path: Path, fields: dict[str, object], dpd: str, close: str
) -> None:
    net = listed_child(tmp_path, **fields)
    assert (net["dpd_action"], net["close_action"]) == (dpd, close)


@pytest.mark.parametrize("mode", Mode)
def test_modes_have_charons_words(tmp_path: Path, mode: Mode) -> None:
    assert listed_child(tmp_path, mode=mode)["mode"] == mode.value.upper()


# -- traps and shunts --------------------------------------------------------------------------------------------


PLACED = [make_policy("web"), make_policy("lan", "holes", Mode.PASS), make_policy("quiet", "holes", Mode.DROP)]


def test_list_policies_streams_what_is_in_the_kernel_with_charons_keys(tmp_path: Path) -> None:
    events, answer = ask(tmp_path, FakeDaemon(placed=PLACED[:1]), "list-policies", None, "list-policy")
    assert answer == {}
    assert [event.message for event in events] == [
        {
            "site/web": {
                "child": "web",
                "ike": "site",
                "mode": "TUNNEL",
                "local-ts": ["10.1.3.0/24"],
                "remote-ts": ["10.2.3.0/24"],
            }
        }
    ]


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ({}, ["site/web", "holes/lan", "holes/quiet"]),
        ({"trap": "yes"}, ["site/web"]),
        ({"pass": "yes", "drop": "yes"}, ["holes/lan", "holes/quiet"]),
        ({"pass": "yes", "drop": "no"}, ["holes/lan"]),
        ({"ike": "holes"}, ["holes/lan", "holes/quiet"]),
        ({"child": "lan"}, ["holes/lan"]),
        ({"ike": "site", "child": "lan"}, []),
    ],
)
def test_list_policies_is_narrowed_by_kind_and_names(tmp_path: Path, message: Section, expected: list[str]) -> None:
    events, _ = ask(tmp_path, FakeDaemon(placed=PLACED), "list-policies", message, "list-policy")
    assert [name for event in events for name in event.message] == expected


@pytest.mark.parametrize("command", ["install", "uninstall"])
def test_install_and_uninstall_name_a_child_and_perhaps_its_connection(tmp_path: Path, command: str) -> None:
    daemon = FakeDaemon()
    assert ask(tmp_path, daemon, command, {"child": "web", "ike": "site"})[1] == {"success": "yes"}
    assert daemon.installed == [(command, "site", "web")]
    daemon.placing = InstallOutcome(succeeded=False, reason="there is no connection with a child nix")
    answer = ask(tmp_path, daemon, command, {"child": "nix"})[1]
    assert answer == {"success": "no", "errmsg": "there is no connection with a child nix"}
    assert daemon.installed[1] == (command, None, "nix")


@pytest.mark.parametrize("command", ["install", "uninstall"])
def test_install_of_nothing_is_refused(tmp_path: Path, command: str) -> None:
    daemon = FakeDaemon()
    answer = ask(tmp_path, daemon, command, {"ike": "site"})[1]
    assert "name the child" in str(answer["errmsg"])
    assert not daemon.installed
