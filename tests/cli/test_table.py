"""The picture `ikepy status` draws, at any width."""

from __future__ import annotations

from dataclasses import replace

import pytest
from rich.console import Console

from ikepy.cli.table import DaemonStatus, make_status
from ikepy.cli.words import octets, span
from ikepy.control.codec import Section
from ikepy.control.conns import policy_section
from ikepy.control.status import status_section
from ikepy.ike.events import IkeSnapshot, InstalledPolicy
from ikepy.ipsec import Mode, SaCounters
from tests.support.fake_daemon import CONNECTING, NOW, make_child, make_ike, make_policy

ANSWER: Section = {"version": "1.2.3", "pid": "4711", "uptime": "7384", "idle": ["spare"], "drops": {}}


def draw(
    *sas: IkeSnapshot,
    width: int = 80,
    octets_in: int = 12595,
    policies: tuple[InstalledPolicy, ...] = (),
    **answer: object,
) -> str:
    counters = SaCounters(octets_in, octets_in // 84, 0, 0), SaCounters(0, 0, None, 0)
    sections = tuple(
        (sa.connection, status_section(sa, NOW, {child.unique_id: counters for child in sa.children})) for sa in sas
    )
    console = Console(width=width, highlight=False, color_system=None)
    with console.capture() as captured:
        placed = tuple(body for policy in policies for body in policy_section(policy).values())
        status = DaemonStatus("/run/ikepy/site", ANSWER | answer, sections, placed)
        console.print(*make_status(status, console), sep="\n")
    return "\n".join(line.rstrip() for line in captured.get().splitlines())


def test_at_80_columns_each_connection_and_child_has_a_block() -> None:
    branch = make_ike("branch", 2, **CONNECTING)
    assert draw(make_ike(), branch) == (
        "ikepy 1.2.3, process 4711, running for 2 h 03 min, /run/ikepy/site\n"
        "\n"
        "site  ESTABLISHED for 51 min\n"
        "  peer       right.example.com at 203.0.113.2:500\n"
        "  next       liveness check in 12 s\n"
        "  proposal   aes256gcm16-prfsha256-x25519\n"
        "site/net  INSTALLED for 51 min\n"
        "  selectors  10.1.0.0/16 = 10.2.0.0/16\n"
        "  proposal   aes256gcm16-noesn\n"
        "  in, out    12.3 KiB, 149 pkt; 0 B, 0 pkt\n"
        "\n"
        "branch  CONNECTING for 9 s\n"
        "  peer       right.example.com at 203.0.113.2:500\n"
        "  waits for  an answer to IKE_SA_INIT, repeated 2 times\n"
        "  next       repeat of the request in 6 s\n"
        "\n"
        "spare  idle"
    )


def test_at_160_columns_the_same_is_one_table() -> None:
    drawn = draw(make_ike(), make_ike("branch", 2, **CONNECTING), width=160).splitlines()
    assert drawn[2].split() == ["connection", "state", "since", "peer,", "or", "selectors", "proposal", "in", "out"]
    assert drawn[3].split() == (
        [
            "site",
            "ESTABLISHED",
            "51",
            "min",
            "right.example.com",
            "at",
            "203.0.113.2:500",
            "aes256gcm16-prfsha256-x25519",
        ]
    )
    assert drawn[4].strip() == "next: liveness check in 12 s"
    assert drawn[5].split() == (
        [
            "site/net",
            "INSTALLED",
            "51",
            "min",
            "10.1.0.0/16",
            "=",
            "10.2.0.0/16",
            "aes256gcm16-noesn",
            "12.3",
            "KiB,",
            "149",
            "pkt",
            "0",
            "B,",
            "0",
            "pkt",
        ]
    )
    assert drawn[7].strip() == "waits for: an answer to IKE_SA_INIT, repeated 2 times"


def test_a_tunnel_between_two_sites_fits_a_table_of_140_columns() -> None:
    drawn = draw(make_ike(), width=140)
    assert "peer, or selectors" in drawn
    assert max(map(len, drawn.splitlines())) <= 140


@pytest.mark.parametrize("width", [60, 80, 100, 140, 200])
def test_no_word_is_cut_at_any_width(width: int) -> None:
    child = make_child(
        "net6", 2, local=("2001:db8:1:2:3::/80", "10.1.0.0/16"), remote=("2001:db8:4:5:6::/80",), encap=True
    )
    sa = make_ike(
        ids=("left.example.com", "C=DE, O=Example Corporation, OU=Sales, CN=alice@example.com"),
        addresses=("2001:db8:0:1:2:3:4:5", "2001:db8:0:1:2:3:4:6"),
        children=(child,),
        nat_remote=True,
        nat_local=True,
        queued=("create child net2", "liveness check"),
    )
    drawn = draw(sa, width=width)
    assert max(map(len, drawn.splitlines())) <= width
    words = drawn.split()
    for word in (
        "C=DE,",
        "CN=alice@example.com",
        "[2001:db8:0:1:2:3:4:6]:500",
        "2001:db8:1:2:3::/80",
        "2001:db8:4:5:6::/80",
        "10.1.0.0/16",
        "aes256gcm16-prfsha256-x25519",
        "site/net6",
    ):
        assert word in words
    assert "us and the peer are behind one" in " ".join(words)
    assert "create child net2, liveness check" in " ".join(words)


def test_several_selectors_stand_beside_each_other() -> None:
    child = make_child(local=("10.1.0.0/16",), remote=("10.2.0.0/16", "10.3.0.0/16", "10.4.0.0/24"))
    assert (
        "  selectors  10.1.0.0/16 = 10.2.0.0/16\n"
        "                           10.3.0.0/16\n"
        "                           10.4.0.0/24\n"
    ) in draw(make_ike(children=(child,)))


def test_transport_mode_and_encapsulation_are_said() -> None:
    child = make_child(mode=Mode.TRANSPORT, encap=True)
    assert "  ESP        transport mode, in UDP\n" in draw(make_ike(children=(child,)))


def test_a_flood_of_half_open_ike_sas_is_a_number() -> None:
    flood = [replace(make_ike("site", n, **CONNECTING), initiator=False) for n in range(1, 255)]
    drawn = draw(*flood)
    assert drawn.count("CONNECTING") == 4
    assert drawn.endswith("250 IKE SAs more that peers have begun and not authenticated")


def test_what_was_dropped_is_counted() -> None:
    drawn = draw(drops={"integrity": "3", "no such IKE SA": "12"})
    assert drawn.endswith("dropped datagrams: 3 integrity; 12 no such IKE SA")


def test_without_a_connection_that_is_said() -> None:
    assert draw(idle=[]).endswith("no connection is configured")


def test_a_name_in_brackets_is_a_name() -> None:
    policy = make_policy("[rest]", "branch", Mode.DROP, local=("2001:db8:1::/48",), remote=("::/0",))
    assert draw(policies=(policy,)).endswith("branch/[rest]  drop  2001:db8:1::/48 = ::/0")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        ("0", "0 s"),
        ("119", "119 s"),
        ("120", "2 min"),
        ("3599", "59 min"),
        ("11100", "3 h 05 min"),
        ("190000", "2 d 4 h"),
        ("", ""),
    ],
)
def test_spans_in_words(seconds: str, words: str) -> None:
    assert span(seconds) == words


@pytest.mark.parametrize(
    ("count", "words"),
    [
        ("0", "0 B"),
        ("1023", "1023 B"),
        ("1024", "1.0 KiB"),
        ("5000000", "4.8 MiB"),
        ("9" * 16, "9094.9 TiB"),
        ("", "0 B"),
    ],
)
def test_octets_in_words(count: str, words: str) -> None:
    assert octets(count) == words


def test_a_gateway_shows_how_clients_get_out_and_who_is_in_the_way() -> None:
    text = draw(
        make_ike(),
        gateway={
            "IPv4": "masqueraded by eth0",
            "IPv6": "routed",
            "clients": "1",
            "settings": ["net.ipv4.ip_forward = 1"],
            "conflicts": ["table ip filter, chain FORWARD of ufw discards what it forwards"],
        },
    )
    assert "IPv4 masqueraded by eth0; IPv6 routed; 1 client has an address" in text
    assert "chain FORWARD of ufw discards" in text


def test_a_client_shows_what_is_in_force() -> None:
    text = draw(make_ike(), client={"DNS": "10.1.0.53, by file", "kill switch": "on: nothing leaves but by a tunnel"})
    assert "client\n  DNS 10.1.0.53, by file\n  kill switch on: nothing leaves but by a tunnel" in text


def test_a_plain_tunnel_shows_neither() -> None:
    assert "gateway" not in draw(make_ike())
    assert "client" not in draw(make_ike())
