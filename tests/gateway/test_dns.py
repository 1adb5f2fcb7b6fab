"""DNS that gateways give: who is told of it, with which words, and that all is as before when it ends."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path

import pytest
import trio

from ikepy.config.host import ClientConfig, DnsMode
from ikepy.gateway import dns as dns_module
from ikepy.gateway.dns import Dns, DnsFailed, DnsWanted, run_program
from ikepy.gateway.journal import Journal
from ikepy.gateway.resolv_conf import put_back, text_of

BEFORE = "# of this network\nnameserver 192.0.2.53\nsearch home.example\noptions timeout:1\n"
OURS = (ip_address("10.1.0.53"), ip_address("fd00::53"))
FULL = DnsWanted(OURS, ("corp.example",), is_full=True)
SPLIT = DnsWanted(OURS, ("corp.example", "lab.example"), is_full=False)


class Host:
    """A directory for the file, and programs that are only noted."""

    def __init__(self, place: Path, mode: DnsMode = DnsMode.AUTO, programs: Sequence[str] = ()) -> None:
        self.place, self.path = place, place / "resolv.conf"
        self.path.write_text(BEFORE)
        self.programs, self.mode = set(programs), mode
        self.ran: list[tuple[tuple[str, ...], bytes]] = []
        self.refuses = False
        self.dns = self.begin()

    def begin(self) -> Dns:
        """A daemon, or the next one."""
        config = ClientConfig(dns=self.mode, resolv_conf=self.path)
        return Dns(config, Journal(self.place / "undo.json"), self.run, self.which)

    def which(self, name: str) -> str | None:
        return f"/usr/bin/{name}" if name in self.programs else None

    async def run(self, command: Sequence[str], octets: bytes) -> None:
        self.ran.append((tuple(command), octets))
        if self.refuses:
            raise DnsFailed(f"{command[0]}: it does not want to")

    def tell(self, *wanted: DnsWanted | None) -> None:
        async def main() -> None:
            for each in wanted:
                await self.dns.tell(each)

        trio.run(main)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


# -- the file ------------------------------------------------------------------------------------------------------------


def test_a_full_tunnels_servers_stand_alone_and_options_stay(host: Host) -> None:
    host.tell(FULL)
    lines = host.path.read_text().splitlines()
    assert lines[0].startswith("# Written by ikepy")
    assert lines[1:] == ["nameserver 10.1.0.53", "nameserver fd00::53", "search corp.example", "options timeout:1"]
    host.tell(None)
    assert host.path.read_text() == BEFORE
    assert sorted(each.name for each in host.place.iterdir()) == ["resolv.conf"]


def test_a_split_tunnels_servers_stand_before_those_that_were_there(host: Host) -> None:
    host.tell(SPLIT)
    servers = [line.split()[1] for line in host.path.read_text().splitlines() if line.startswith("nameserver")]
    assert servers == ["10.1.0.53", "fd00::53", "192.0.2.53"]


def test_what_changes_meanwhile_is_written_and_the_first_state_comes_back(host: Host) -> None:
    host.tell(FULL, SPLIT, FULL, None)
    assert host.path.read_text() == BEFORE


def test_a_link_comes_back_as_a_link(host: Host) -> None:
    goal = host.place / "stub.conf"
    goal.write_text(BEFORE)
    host.path.unlink()
    host.path.symlink_to("stub.conf")
    host.tell(FULL)
    assert not host.path.is_symlink()
    assert goal.read_text() == BEFORE, "what the link leads to is not ours"
    host.tell(None)
    assert str(host.path.readlink()) == "stub.conf"


def test_where_there_was_no_file_there_is_none_again(host: Host) -> None:
    host.path.unlink()
    host.tell(FULL)
    assert "nameserver 10.1.0.53" in host.path.read_text()
    host.tell(None)
    assert not host.path.exists()


def test_what_somebody_else_wrote_since_stays(host: Host, caplog: pytest.LogCaptureFixture) -> None:
    host.tell(FULL)
    host.path.write_text("nameserver 203.0.113.53\n")
    host.tell(None)
    assert host.path.read_text() == "nameserver 203.0.113.53\n"
    assert "was changed by somebody else since" in caplog.text


def test_what_a_dhcp_client_writes_over_ours_is_what_comes_back(host: Host) -> None:
    host.tell(FULL)
    host.path.write_text("nameserver 203.0.113.53\n")
    trio.run(host.dns.refresh)
    assert "nameserver 10.1.0.53" in host.path.read_text()
    trio.run(host.dns.refresh)
    host.tell(None)
    assert host.path.read_text() == "nameserver 203.0.113.53\n"


def test_the_next_daemon_undoes_what_one_that_was_killed_has_written(host: Host) -> None:
    host.tell(FULL)
    host.dns = host.begin()
    assert trio.run(host.dns.undo_left)
    assert host.path.read_text() == BEFORE
    assert not trio.run(host.dns.undo_left)


def test_a_file_that_cannot_be_written_ends_nothing(host: Host, caplog: pytest.LogCaptureFixture) -> None:
    (host.place / "resolv.conf.ikepy").mkdir()
    host.tell(FULL)
    assert "DNS of the gateway is not in force" in caplog.text
    assert host.path.read_text() == BEFORE


def test_at_most_three_servers_are_written() -> None:
    servers = [ip_address(f"10.0.0.{number}") for number in range(1, 6)]
    assert text_of(servers, (), "").count("nameserver") == 3


def test_a_file_that_is_as_before_already_needs_nothing(host: Host) -> None:
    host.tell(FULL)
    (change,) = Journal(host.place / "undo.json").left().files
    assert put_back(change)
    assert put_back(change)


# -- programs ------------------------------------------------------------------------------------------------------------


def resolved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    """A host with systemd-resolved."""
    place = tmp_path / "run"
    place.mkdir()
    (place / "stub-resolv.conf").write_text("nameserver 127.0.0.53\n")
    monkeypatch.setattr(dns_module, "_RESOLVED", place.resolve())
    host = Host(tmp_path, programs=("resolvectl",))
    host.path.unlink()
    host.path.symlink_to(place / "stub-resolv.conf")
    return host


def test_resolved_is_told_by_interface(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host = resolved(tmp_path, monkeypatch)
    host.tell(DnsWanted(OURS, ("corp.example",), is_full=True, interface="lo"))
    assert [command for command, _ in host.ran] == [
        ("resolvectl", "dns", "lo", "10.1.0.53", "fd00::53"),
        ("resolvectl", "domain", "lo", "~corp.example", "~."),
        ("resolvectl", "default-route", "lo", "yes"),
    ]
    host.ran.clear()
    host.tell(None)
    assert [command for command, _ in host.ran] == [("resolvectl", "revert", "lo")]
    assert host.path.is_symlink()


def test_resolved_asks_a_split_tunnels_servers_for_their_domains_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = resolved(tmp_path, monkeypatch)
    host.tell(DnsWanted(OURS, ("corp.example",), is_full=False, interface="lo"))
    assert ("resolvectl", "domain", "lo", "~corp.example") in [command for command, _ in host.ran]
    assert ("resolvectl", "default-route", "lo", "no") in [command for command, _ in host.ran]


def test_beside_resolved_a_tunnel_without_interface_writes_the_file_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    host = resolved(tmp_path, monkeypatch)
    host.tell(FULL)
    assert not host.ran
    assert "give the child an `interface`" in caplog.text
    host.tell(None)
    assert host.path.is_symlink()


def test_the_next_daemon_reverts_an_interface_that_is_there_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = resolved(tmp_path, monkeypatch)
    for interface, expected in (("lo", [("resolvectl", "revert", "lo")]), ("gone0", []), ("../../etc", [])):
        host.tell(DnsWanted(OURS, (), is_full=True, interface=interface))
        host.ran.clear()
        host.dns = host.begin()
        assert trio.run(host.dns.undo_left)
        assert [command for command, _ in host.ran] == expected


def test_resolvconf_gets_a_record_of_ours_and_loses_it(tmp_path: Path) -> None:
    host = Host(tmp_path, programs=("resolvconf",))
    host.tell(FULL, None)
    (added, octets), (deleted, _) = host.ran
    assert (added, deleted) == (("resolvconf", "-a", "ikepy"), ("resolvconf", "-d", "ikepy"))
    assert b"nameserver 10.1.0.53\nnameserver fd00::53\nsearch corp.example\n" in octets
    assert host.path.read_text() == BEFORE


def test_what_a_program_refuses_is_said_and_ends_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    host = Host(tmp_path, DnsMode.RESOLVCONF)
    host.refuses = True
    host.tell(FULL, None)
    assert "DNS of the gateway is not in force: resolvconf: it does not want to" in caplog.text
    assert "DNS of the gateway stays" in caplog.text


def test_nobody_is_told_where_that_is_configured(tmp_path: Path) -> None:
    host = Host(tmp_path, DnsMode.NO, ("resolvconf",))
    host.tell(FULL, None)
    assert not host.ran
    assert host.path.read_text() == BEFORE


def test_the_same_is_not_told_twice(tmp_path: Path) -> None:
    host = Host(tmp_path, DnsMode.RESOLVCONF)
    host.tell(FULL, FULL, FULL)
    assert len(host.ran) == 1


def test_a_program_is_run_with_what_it_is_to_read() -> None:
    trio.run(run_program, ["sh", "-c", 'test "$(cat)" = given'], b"given")


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["/nonexistent/program"], "cannot be run"),
        (["sh", "-c", "echo why it failed >&2; exit 3"], "why it failed"),
        (["sh", "-c", "exit 3"], "ended with 3"),
    ],
)
def test_a_program_that_fails_says_why(command: list[str], words: str) -> None:
    with pytest.raises(DnsFailed, match=words):
        trio.run(run_program, command, b"")
