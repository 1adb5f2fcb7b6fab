"""This host as a client: what is in force follows what tunnels there are, and goes with them; the kill switch stays."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import pytest
import trio
import trio.testing

from ikepy.config.host import ClientConfig, InterfaceConfig, InterfaceKind
from ikepy.config.model import ChildConfig, Config
from ikepy.config.selectors import parse_selectors
from ikepy.daemon.clienting import GLOBAL_IPV6, Clienting, leaks_ipv6, make_kill_switch, takes_all
from ikepy.daemon.errors import StartupError
from ikepy.daemon.names import Names
from ikepy.gateway.kill_switch import FAMILY, TABLE
from ikepy.ike.errors import KernelRefused
from ikepy.ike.events import ChildSnapshot, IkeSaDown, IkeSaUp, IkeSnapshot, Session
from ikepy.ipsec import IpAddress, Mode, RouteSpec
from ikepy.kernel.decoupled import FixedLinks
from tests.gateway.rig import NftInMemory
from tests.support.fake_daemon import make_child, make_ike
from tests.support.pair import make_config

BEFORE = "nameserver 192.0.2.53\n"
GIVEN = Session(
    "EAP-MSCHAPv2", given=(ip_address("10.9.0.5"),), dns=(ip_address("10.1.0.53"),), domains=("corp.example",)
)


def child(*remote: str) -> ChildSnapshot:
    return replace(make_child(), remote_ts=parse_selectors(remote))


def tunnel(*remote: str, session: Session | None = GIVEN, number: int = 1) -> IkeSnapshot:
    return make_ike(unique_id=number, children=(child(*remote),), session=session)


class Stage:
    """The part of a daemon, and what it changes."""

    def __init__(self, tmp_path: Path, client: ClientConfig | None = None, **more: object) -> None:
        self.resolv = tmp_path / "resolv.conf"
        self.resolv.write_text(BEFORE)
        written = replace(client or ClientConfig(), resolv_conf=self.resolv)
        self.config = replace(make_config(), client=written, **more)
        self.tmp_path, self.nft, self.links = tmp_path, NftInMemory(), FixedLinks()
        self.sas: list[IkeSnapshot] = []
        self.part = self.begin()

    def begin(self) -> Clienting:
        return Clienting(self.config, self.tmp_path, self.nft)

    async def have(self, *sas: IkeSnapshot) -> None:
        """These are the IKE SAs from now on."""
        self.sas = list(sas)
        self.part.note(IkeSaUp(sas[0]) if sas else IkeSaDown(tunnel("10.0.0.0/8"), "deleted"))
        await trio.testing.wait_all_tasks_blocked()

    def run(self, *steps: tuple[IkeSnapshot, ...]) -> None:
        async def main() -> None:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self.part.serve, lambda: self.sas, self.links)
                for step in steps:
                    await self.have(*step)
                nursery.cancel_scope.cancel()

        trio.run(main)

    @property
    def servers(self) -> list[str]:
        return [line.split()[1] for line in self.resolv.read_text().splitlines() if line.startswith("nameserver")]


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def test_a_gateways_servers_are_told_while_its_tunnel_is_there(stage: Stage) -> None:
    stage.run((tunnel("0.0.0.0/0", "::/0"),))
    assert stage.servers == ["10.1.0.53"]
    assert stage.part.words() == {"DNS": "10.1.0.53, by file"}
    stage.run(())
    assert stage.resolv.read_text() == BEFORE
    assert stage.part.words() == {}


def test_servers_of_a_split_tunnel_are_for_its_domains(stage: Stage) -> None:
    stage.run((tunnel("10.0.0.0/8"),))
    assert stage.servers == ["10.1.0.53", "192.0.2.53"]
    assert stage.part.words()["DNS"] == "10.1.0.53 for corp.example, by file"


def test_without_domains_the_servers_are_for_everything(stage: Stage) -> None:
    stage.run((tunnel("10.0.0.0/8", session=replace(GIVEN, domains=())),))
    assert stage.servers == ["10.1.0.53"]


def test_two_gateways_servers_stand_together(stage: Stage) -> None:
    other = replace(GIVEN, dns=(ip_address("10.2.0.53"),))
    stage.run((tunnel("10.1.0.0/16"), tunnel("10.2.0.0/16", session=other, number=2)))
    assert stage.servers[:2] == ["10.1.0.53", "10.2.0.53"]


@pytest.mark.parametrize(
    "ike",
    [
        tunnel("0.0.0.0/0", session=None),
        tunnel("0.0.0.0/0", session=replace(GIVEN, given=())),
        make_ike(children=(), session=GIVEN),
    ],
)
def test_what_is_no_tunnel_of_ours_as_a_client_changes_nothing(ike: IkeSnapshot, stage: Stage) -> None:
    stage.run((ike,))
    assert stage.resolv.read_text() == BEFORE
    assert not stage.links.routes


def test_a_rekeying_changes_nothing(stage: Stage) -> None:
    first, second = tunnel("0.0.0.0/0"), tunnel("0.0.0.0/0", number=2)
    stage.run((first,), (first, second), (second,))
    assert stage.servers == ["10.1.0.53"]
    assert tuple(stage.links.routes) == GLOBAL_IPV6


def test_ipv6_is_refused_beside_a_tunnel_that_takes_all_of_ipv4(stage: Stage) -> None:
    stage.run((tunnel("0.0.0.0/0"),))
    assert tuple(stage.links.routes) == GLOBAL_IPV6
    assert "refused" in stage.part.words()["IPv6"]
    stage.run((tunnel("0.0.0.0/0", "::/0"),))
    assert not stage.links.routes
    stage.run((tunnel("0.0.0.0/0"),), ())
    assert not stage.links.routes


def test_ipv6_is_let_be_where_that_is_configured(tmp_path: Path) -> None:
    stage = Stage(tmp_path, ClientConfig(block_ipv6=False))
    stage.run((tunnel("0.0.0.0/0"),))
    assert not stage.links.routes


def test_a_kernel_without_ipv6_ends_nothing(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    class Refusing(FixedLinks):
        async def add_route(self, route: RouteSpec, toward: IpAddress | None = None) -> None:
            raise KernelRefused("no IPv6 here")

    stage.links = Refusing()
    stage.run((tunnel("0.0.0.0/0"),), ())
    assert "no IPv6 here" in caplog.text


def test_the_end_puts_everything_back(stage: Stage) -> None:
    stage.run((tunnel("0.0.0.0/0"),))
    trio.run(stage.part.end, stage.links)
    assert stage.resolv.read_text() == BEFORE
    assert not stage.links.routes


def test_the_next_daemon_undoes_what_one_that_was_killed_has_left(stage: Stage) -> None:
    stage.run((tunnel("0.0.0.0/0"),))
    assert trio.run(stage.begin().undo_left)
    assert stage.resolv.read_text() == BEFORE
    assert not trio.run(stage.begin().undo_left)


# -- the kill switch -----------------------------------------------------------------------------------------------------


def locked(tmp_path: Path) -> Stage:
    return Stage(tmp_path, ClientConfig(kill_switch=True))


def test_a_kill_switch_stands_from_the_start_and_outlives_the_daemon(tmp_path: Path) -> None:
    stage = locked(tmp_path)
    trio.run(stage.part.begin, Names())
    assert (FAMILY, TABLE) in stage.nft.tables
    assert "on" in stage.part.words()["kill switch"]
    trio.run(stage.part.end, stage.links)
    assert (FAMILY, TABLE) in stage.nft.tables


def test_a_start_that_wants_it_keeps_it_and_one_that_does_not_takes_it_away(tmp_path: Path) -> None:
    stage = locked(tmp_path)
    trio.run(stage.part.begin, Names())
    assert not trio.run(stage.begin().undo_left)
    assert (FAMILY, TABLE) in stage.nft.tables
    assert trio.run(Clienting(Config(), tmp_path, stage.nft).undo_left)
    assert not stage.nft.tables


def test_without_nft_a_start_is_refused(tmp_path: Path) -> None:
    stage = locked(tmp_path)

    async def main() -> None:
        with pytest.raises(StartupError, match="no program nft"):
            await Clienting(stage.config, tmp_path, None).begin(Names())

    trio.run(main)


def test_what_nft_refuses_ends_the_start(tmp_path: Path) -> None:
    stage = locked(tmp_path)
    stage.nft.refusal = "no nf_tables"

    async def main() -> None:
        with pytest.raises(StartupError, match="no nf_tables"):
            await stage.part.begin(Names())

    trio.run(main)


def test_one_that_cannot_be_looked_for_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    stage = Stage(tmp_path)
    stage.nft.refusal = "no nf_tables"
    assert not trio.run(stage.part.undo_left)
    assert "a kill switch may still be there: no nf_tables" in caplog.text


def test_a_kill_switch_knows_ports_interfaces_and_passes() -> None:
    config = make_config()
    first = config.connections[0]
    children = (
        *first.children,
        ChildConfig("by", interface="vpn0"),
        ChildConfig("dummy", interface="d0"),
        ChildConfig("lan", mode=Mode.PASS, remote_ts=parse_selectors(("192.168.0.0/16",))),
    )
    connection = replace(first, children=children, local_port=1500)
    interfaces = (InterfaceConfig("vpn0", if_id=1), InterfaceConfig("d0", InterfaceKind.DUMMY))
    found = make_kill_switch(replace(config, connections=(connection,), interfaces=interfaces))
    assert found.ports == (500, 4500, 1500)
    assert found.interfaces == ("vpn0",)
    assert [str(each.start) for each in found.passes] == ["192.168.0.0"]


@pytest.mark.parametrize(
    ("remote", "four", "six"),
    [
        (("0.0.0.0/0",), True, False),
        (("::/0",), False, True),
        (("0.0.0.0/0", "::/0"), True, True),
        (("0.0.0.0/1", "128.0.0.0/1"), False, False),
        (("0.0.0.0/0[tcp]",), False, False),
        (("10.0.0.0/8",), False, False),
    ],
)
def test_what_takes_everything(remote: tuple[str, ...], four: bool, six: bool) -> None:
    assert (takes_all(child(*remote), 4), takes_all(child(*remote), 6)) == (four, six)
    assert leaks_ipv6([tunnel(*remote)]) is (four and not six)
