"""What each command streams and answers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ikepy.config.model import Config
from ikepy.control.codec import Section
from ikepy.daemon.api import InitiateOutcome, RekeyOutcome, RekeyWish, TerminateOutcome, TerminateWish
from ikepy.ipsec import Mark, Mode
from tests.support.control_client import Stage, ask, play
from tests.support.fake_daemon import (
    CONNECTING,
    NOW,
    FakeDaemon,
    make_child,
    make_connection,
    make_ike,
    make_policy,
)

TWO_CHILDREN = (make_child(), make_child("net6", 2, local=("2001:db8:1::/48",), remote=("2001:db8:2::/48",)))


def test_version_says_who_answers(tmp_path: Path) -> None:
    _, answer = ask(tmp_path, FakeDaemon(), "version")
    assert (answer["daemon"], answer["version"]) == ("ikepy", "1.2.3")
    assert list(answer) == ["daemon", "version", "sysname", "release", "machine"]


def test_list_sas_streams_each_ike_sa_with_keys_in_charons_order(tmp_path: Path) -> None:
    daemon = FakeDaemon(sas=[make_ike(), make_ike("branch", 2, **CONNECTING)])
    daemon.count(daemon.sas[0].children[0], 8400, 84)

    events, answer = ask(tmp_path, daemon, "list-sas", None, "list-sa")

    assert answer == {}
    assert [list(event.message) for event in events] == [["site"], ["branch"]]
    site = events[0].message["site"]
    assert isinstance(site, dict)
    assert list(site) == [
        "uniqueid",
        "version",
        "state",
        "local-host",
        "local-port",
        "local-id",
        "remote-host",
        "remote-port",
        "remote-id",
        "initiator",
        "initiator-spi",
        "responder-spi",
        "encr-alg",
        "encr-keysize",
        "prf-alg",
        "dh-group",
        "established",
        "child-sas",
    ]
    children = site["child-sas"]
    assert isinstance(children, dict)
    child = children["net-1"]
    assert isinstance(child, dict)
    assert list(child) == [
        "name",
        "uniqueid",
        "reqid",
        "state",
        "mode",
        "protocol",
        "spi-in",
        "spi-out",
        "encr-alg",
        "encr-keysize",
        "bytes-in",
        "packets-in",
        "use-in",
        "bytes-out",
        "packets-out",
        "use-out",
        "install-time",
        "local-ts",
        "remote-ts",
    ]
    assert (child["bytes-in"], child["packets-in"], child["bytes-out"]) == ("8400", "100", "84")
    assert (child["install-time"], child["spi-in"], child["local-ts"]) == ("3060", "c0a81f01", ["10.1.0.0/16"])


def test_list_sas_says_what_an_ike_sa_under_way_waits_for(tmp_path: Path) -> None:
    events, _ = ask(tmp_path, FakeDaemon(sas=[make_ike(**CONNECTING)]), "list-sas", None, "list-sa")
    site = events[0].message["site"]
    assert isinstance(site, dict)
    assert site["tasks-active"] == ["an_answer_to_IKE_SA_INIT,_repeated_2_times"]
    assert site["responder-spi"] == "0" * 16
    assert "established" not in site


def test_list_sas_says_how_long_until_keys_are_renewed_and_leaves_out_what_never_comes(tmp_path: Path) -> None:
    due = make_child("due", 2, state="REKEYING", rekey_at=NOW - 3, life_until=NOW + 100.5)
    renewed = make_child(rekey_at=NOW + 3000.9)
    site = make_ike(rekey_at=NOW + 7200, reauth_at=NOW + 86400, state="REKEYING", children=(renewed, due))
    events, _ = ask(tmp_path, FakeDaemon(sas=[site]), "list-sas", None, "list-sa")
    section = events[0].message["site"]
    assert isinstance(section, dict)
    assert (section["state"], section["rekey-time"], section["reauth-time"]) == ("REKEYING", "7200", "86400")
    assert list(section)[-4:] == ["established", "rekey-time", "reauth-time", "child-sas"]
    children = section["child-sas"]
    assert isinstance(children, dict)
    net, late = children["net-1"], children["due-2"]
    assert isinstance(net, dict)
    assert isinstance(late, dict)
    assert net["rekey-time"] == "3000"
    assert "life-time" not in net
    assert (late["state"], late["rekey-time"], late["life-time"]) == ("REKEYING", "0", "100")
    assert list(late)[-5:] == ["rekey-time", "life-time", "install-time", "local-ts", "remote-ts"]


def test_list_sas_says_nat_encapsulation_marks_and_interfaces(tmp_path: Path) -> None:
    child = make_child(encap=True)
    assert child.spec is not None
    spec = replace(child.spec, inbound=replace(child.spec.inbound, mark=Mark(42), if_id=7))
    sa = make_ike(nat_remote=True, initiator=False, children=(replace(child, spec=spec),))
    events, _ = ask(tmp_path, FakeDaemon(sas=[sa]), "list-sas", None, "list-sa")
    words = str(events[0].message)
    assert "'nat-remote': 'yes', 'nat-any': 'yes'" in words
    assert "'encap': 'yes'" in words
    assert "'mark-in': '0000002a', 'mark-mask-in': 'ffffffff', 'if-id-in': '00000007'" in words
    assert "initiator'" not in words


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ({"ike": "site"}, ["site: net net6"]),
        ({"ike-id": "2"}, ["branch: net"]),
        ({"child": "net6"}, ["site: net6"]),
        ({"child-id": "2"}, ["site: net6"]),
        ({"ike": "branch", "child": "net6"}, []),
        ({"ike": "nobody"}, []),
        ({}, ["site: net net6", "branch: net"]),
    ],
)
def test_list_sas_is_narrowed_by_names_and_numbers(tmp_path: Path, message: Section, expected: list[str]) -> None:
    daemon = FakeDaemon(sas=[make_ike(children=TWO_CHILDREN), make_ike("branch", 2, children=(make_child("net", 3),))])
    events, _ = ask(tmp_path, daemon, "list-sas", message, "list-sa")
    found = []
    for event in events:
        ((name, sa),) = event.message.items()
        assert isinstance(sa, dict)
        assert isinstance(sa["child-sas"], dict)
        found.append(f"{name}: {' '.join(key.rpartition('-')[0] for key in sa['child-sas'])}")
    assert found == expected


@pytest.mark.parametrize(
    ("command", "message", "words"),
    [
        ("list-sas", {"ike-id": "one"}, "ike-id must be a whole number, not 'one'"),
        ("list-sas", {"ike": ["a", "b"]}, "ike must be a text"),
        ("terminate", {"ike": "site", "ike-id": "x"}, "ike-id must be a whole number"),
        ("terminate", {"ike": "site", "force": "perhaps"}, "force must be yes or no"),
        ("terminate", {}, "name what is to end"),
        ("initiate", {}, "name a connection"),
        ("rekey", {}, "name what is to be rekeyed"),
        ("rekey", {"ike": "site", "reauth": "perhaps"}, "reauth must be yes or no"),
        ("rekey", {"child": "net", "reauth": "yes"}, "reauth is of IKE SAs"),
        ("initiate", {"ike": "site", "timeout": "9" * 40}, "timeout must be a whole number"),
    ],
)
def test_a_filter_that_makes_no_sense_is_refused_and_never_left_out(
    tmp_path: Path, command: str, message: Section, words: str
) -> None:
    daemon = FakeDaemon(sas=[make_ike()])
    events, answer = ask(tmp_path, daemon, command, message, "list-sa", "control-log")
    assert answer["success"] == "no"
    assert words in str(answer["errmsg"])
    assert not events
    assert not daemon.terminated
    assert not daemon.rekeyed


def test_get_conns_names_them(tmp_path: Path) -> None:
    daemon = FakeDaemon(config=Config(connections=(make_connection("site"), make_connection("branch"))))
    assert ask(tmp_path, daemon, "get-conns")[1] == {"conns": ["site", "branch"]}


@pytest.mark.parametrize(
    ("timeout", "seconds"), [({}, None), ({"timeout": "0"}, None), ({"timeout": "2500"}, 2.5), ({"timeout": "-1"}, 0)]
)
def test_initiate_waits_as_long_as_it_is_told(tmp_path: Path, timeout: Section, seconds: float | None) -> None:
    daemon = FakeDaemon()
    _, answer = ask(tmp_path, daemon, "initiate", {"ike": "site", "child": "net"} | timeout)
    assert answer == {"success": "yes"}
    assert daemon.initiated == [("site", "net", seconds)]


def test_initiate_says_why_not(tmp_path: Path) -> None:
    daemon = FakeDaemon(initiating=InitiateOutcome(succeeded=False, reason="no answer"))
    assert ask(tmp_path, daemon, "initiate", {"child": "net"})[1] == {"success": "no", "errmsg": "no answer"}


def test_terminate_passes_names_numbers_and_force_on(tmp_path: Path) -> None:
    daemon = FakeDaemon(terminating=TerminateOutcome(2, 2))
    message: Section = {
        "ike": "site",
        "ike-id": "3",
        "child": "net",
        "child-id": "4",
        "force": "yes",
        "timeout": "1000",
    }
    _, answer = ask(tmp_path, daemon, "terminate", message)
    assert answer == {"success": "yes", "matches": "2", "terminated": "2"}
    assert daemon.terminated == [(TerminateWish("site", 3, "net", 4, force=True), 1.0)]


@pytest.mark.parametrize("outcome", [TerminateOutcome(0, 0, "no SA fits"), TerminateOutcome(2, 1, "1 of 2 not gone")])
def test_terminate_is_no_success_where_something_is_left_or_nothing_was_there(
    tmp_path: Path, outcome: TerminateOutcome
) -> None:
    _, answer = ask(tmp_path, FakeDaemon(terminating=outcome), "terminate", {"ike": "site"})
    assert (answer["success"], answer["errmsg"]) == ("no", outcome.reason)
    assert answer["matches"] == str(outcome.matches)


def test_terminate_of_what_is_only_tried_is_a_success_that_ended_nothing(tmp_path: Path) -> None:
    daemon = FakeDaemon(terminating=TerminateOutcome(0, 0, given_up=True))
    _, answer = ask(tmp_path, daemon, "terminate", {"ike": "site"})
    assert answer == {"success": "yes", "matches": "0", "terminated": "0"}


@pytest.mark.parametrize(
    ("timeout", "seconds"), [({}, 0), ({"timeout": "-1"}, 0), ({"timeout": "2500"}, 2.5), ({"timeout": "0"}, None)]
)
def test_rekey_passes_names_and_numbers_on_and_waits_only_where_it_is_told_to(
    tmp_path: Path, timeout: Section, seconds: float | None
) -> None:
    daemon = FakeDaemon(rekeying=RekeyOutcome(2))
    message: Section = {"ike": "site", "ike-id": "3", "child": "net", "child-id": "4"}
    _, answer = ask(tmp_path, daemon, "rekey", message | timeout)
    assert answer == {"success": "yes", "matches": "2"}
    assert daemon.rekeyed == [(RekeyWish("site", 3, "net", 4), seconds)]


def test_rekey_with_reauth_is_of_the_ike_sa(tmp_path: Path) -> None:
    daemon = FakeDaemon()
    ask(tmp_path, daemon, "rekey", {"ike": "site", "reauth": "yes"})
    assert daemon.rekeyed == [(RekeyWish("site", reauth=True), 0)]


def test_rekey_says_why_not(tmp_path: Path) -> None:
    daemon = FakeDaemon(rekeying=RekeyOutcome(1, "not rekeyed after 2 seconds; it goes on trying"))
    _, answer = ask(tmp_path, daemon, "rekey", {"ike": "site", "timeout": "2000"})
    assert answer == {
        "success": "no",
        "matches": "1",
        "errmsg": "not rekeyed after 2 seconds; it goes on trying",
    }


def test_stats_counts_ike_sas_drops_and_what_the_control_socket_lost(tmp_path: Path) -> None:
    half_open = make_ike("branch", 2, **(CONNECTING | {"initiator": False}))
    daemon = FakeDaemon(sas=[make_ike(), half_open], dropped={"integrity": 3})
    _, answer = ask(tmp_path, daemon, "stats")
    assert answer["ikesas"] == {"total": "2", "half-open": "1"}
    assert answer["drops"] == {"integrity": "3"}
    assert answer["control"] == {"clients-turned-away": "0", "clients-too-slow": "0", "events-lost": "0"}


def test_ikepy_status_names_connections_without_an_ike_sa(tmp_path: Path) -> None:
    config = Config(connections=(make_connection("site"), make_connection("branch"), make_connection("idle")))
    daemon = FakeDaemon(config=config, sas=[make_ike(), make_ike("branch", 2, **CONNECTING)])
    events, answer = ask(tmp_path, daemon, "ikepy-status", None, "ikepy-sa")
    assert answer["idle"] == ["idle"]
    assert answer["pid"] == "4711"
    site, branch = events[0].message["site"], events[1].message["branch"]
    assert isinstance(site, dict)
    assert isinstance(branch, dict)
    assert (site["proposal"], site["next-event"], site["next-event-in"]) == (
        "aes256gcm16-prfsha256-x25519",
        "liveness check",
        "12",
    )
    assert branch["waiting-for"] == "an answer to IKE_SA_INIT, repeated 2 times"
    assert branch["since"] == "9"


def test_ikepy_status_streams_traps_and_shunts_and_calls_no_connection_idle_that_is_only_of_shunts(
    tmp_path: Path,
) -> None:
    lan = replace(make_connection("holes", "lan").children[0], mode=Mode.PASS)
    config = Config(connections=(make_connection("site"), replace(make_connection("holes"), children=(lan,))))
    daemon = FakeDaemon(config=config, placed=[make_policy("lan", "holes", Mode.PASS)])
    events, answer = ask(tmp_path, daemon, "ikepy-status", None, "ikepy-sa", "ikepy-policy")
    assert answer["idle"] == ["site"]
    assert [event.name for event in events] == ["ikepy-policy"]
    assert list(events[0].message) == ["holes/lan"]


def test_ikepy_status_marks_what_was_replaced(tmp_path: Path) -> None:
    children = (
        make_child("net", 1, state="DELETING", rekey_at=NOW + 1),
        make_child("net", 2, rekey_at=NOW + 60, life_until=NOW + 90),
        make_child("lone", 3, state="DELETING"),
    )
    daemon = FakeDaemon(sas=[make_ike(children=children, rekey_at=NOW + 600, reauth_at=NOW + 900)])
    events, _ = ask(tmp_path, daemon, "ikepy-status", None, "ikepy-sa")
    site = events[0].message["site"]
    assert isinstance(site, dict)
    assert (site["rekey-in"], site["reauth-in"]) == ("600", "900")
    found = site["children"]
    assert isinstance(found, dict)
    assert [name for name, child in found.items() if isinstance(child, dict) and "replaced" in child] == ["net-1"]
    net = found["net-2"]
    assert isinstance(net, dict)
    assert (net["rekey-in"], net["life-in"]) == ("60", "90")


def test_an_answer_too_long_for_vici_is_said_so(tmp_path: Path) -> None:
    config = Config(connections=tuple(make_connection(f"{n}-{'x' * 200}") for n in range(3000)))
    events, answer = ask(tmp_path, FakeDaemon(config=config), "get-conns")
    assert "does not fit VICI" in str(answer["errmsg"])
    assert not events


def test_a_command_that_ends_in_our_fault_is_answered_and_the_client_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(FakeDaemon):
        def drops(self) -> dict[str, int]:
            raise ZeroDivisionError("oh")

    async def scene(stage: Stage) -> None:
        talk = await stage.connect()
        answer = await talk.call("stats")
        assert answer == {"success": "no", "errmsg": "a fault of ikepy's own; its log says more"}
        assert (await talk.call("version"))["daemon"] == "ikepy"

    play(tmp_path, Broken(), scene)
    assert "ZeroDivisionError: oh" in caplog.text
