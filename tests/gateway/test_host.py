"""A host that becomes a gateway and stops being one: all of it or nothing, the journal first, members in step."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address
from pathlib import Path

import pytest
import trio

from ikepy.config.gateway import GatewayConfig, Reach6
from ikepy.config.model import Config
from ikepy.gateway.host import GatewayFailed, GatewayHost, default_uplinks, plan_gateway, undo
from ikepy.gateway.journal import Journal
from ikepy.gateway.nft import Json, NftError
from ikepy.gateway.sysctls import Sysctls
from ikepy.ipsec import IpAddress
from tests.gateway.rig import NftInMemory
from tests.gateway.tables import FULL, ODD, STAFF, UPLINKS, V4, V6
from tests.gateway.test_sysctls import Tree

CONFIG = Config(pools=(V4, ODD, V6), groups=(STAFF, FULL), gateway=GatewayConfig())
ONE, SIX = ip_address("10.9.0.5"), ip_address("fd00:9::5")
PLACE = ("inet", "ikepy")


class Noted:
    """Neighbour proxies that are only noted."""

    def __init__(self) -> None:
        self.there: set[tuple[IpAddress, str]] = set()

    async def add(self, addresses: Iterable[IpAddress], interfaces: Iterable[str]) -> None:
        self.there |= {(address, each) for address in addresses for each in tuple(interfaces)}

    async def remove(self, addresses: Iterable[IpAddress], interfaces: Iterable[str]) -> None:
        self.there -= {(address, each) for address in addresses for each in tuple(interfaces)}

    async def remove_all(self) -> int:
        count = len(self.there)
        self.there.clear()
        return count


class Rig:
    """A host in memory and in a directory."""

    def __init__(self, tmp_path: Path, config: Config = CONFIG) -> None:
        self.tree = Tree(tmp_path / "sys")
        self.before = self.tree.all()
        self.sysctls, self.nft, self.proxies = Sysctls(self.tree.place), NftInMemory(), Noted()
        self.journal = Journal(tmp_path / "undo.json")
        plan = plan_gateway(config, UPLINKS, self.sysctls)
        assert plan is not None
        self.host = GatewayHost(plan, self.nft, self.sysctls, self.journal, self.proxies)

    @property
    def is_as_before(self) -> bool:
        return self.tree.all() == self.before and not self.nft.tables and not self.journal.left()


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


def test_without_a_gateway_in_the_configuration_nothing_is_planned(tmp_path: Path) -> None:
    assert plan_gateway(Config(), UPLINKS, Sysctls(tmp_path)) is None


def test_what_begins_ends_as_it_was(rig: Rig) -> None:
    async def main() -> None:
        await rig.host.begin()
        assert rig.nft.tables[PLACE]
        assert rig.tree.all()["net/ipv4/ip_forward"] == "1"
        assert rig.journal.left().tables == (PLACE,)
        await rig.host.end()

    trio.run(main)
    assert rig.is_as_before


def test_what_nft_refuses_leaves_the_host_as_it_was(rig: Rig) -> None:
    rig.nft.refusal = "syntax error"

    async def main() -> None:
        with pytest.raises(GatewayFailed, match="syntax error"):
            await rig.host.begin()

    trio.run(main)
    rig.nft.refusal = None
    assert rig.tree.all() == rig.before
    assert not rig.nft.tables


def test_a_setting_that_cannot_be_written_leaves_the_host_as_it_was(rig: Rig) -> None:
    (rig.tree.place / "net/ipv6/conf/eth0/forwarding").unlink()
    (rig.tree.place / "net/ipv6/conf/eth0/forwarding").mkdir()
    rig.before = {name: value for name, value in rig.before.items() if name != "net/ipv6/conf/eth0/forwarding"}

    async def main() -> None:
        with pytest.raises(GatewayFailed, match="cannot be made one"):
            await rig.host.begin()

    trio.run(main)
    assert rig.is_as_before


def test_a_journal_that_cannot_be_written_changes_nothing(rig: Rig, tmp_path: Path) -> None:
    (tmp_path / "undo.new").mkdir()

    async def main() -> None:
        with pytest.raises(GatewayFailed):
            await rig.host.begin()

    trio.run(main)
    assert rig.tree.all() == rig.before
    assert not rig.nft.tables


def test_without_nft_a_start_says_what_to_install(rig: Rig) -> None:
    host = GatewayHost(rig.host.plan, None, rig.sysctls, rig.journal)

    async def main() -> None:
        with pytest.raises(GatewayFailed, match="install the package `nftables`"):
            await host.begin()

    trio.run(main)
    assert rig.is_as_before


def test_another_process_undoes_what_one_that_was_killed_has_left(rig: Rig) -> None:
    async def main() -> None:
        await rig.host.begin()
        assert await undo(rig.journal.left(), rig.nft, rig.sysctls)

    trio.run(main)
    rig.journal.close()
    assert rig.is_as_before


def test_what_cannot_be_undone_is_said(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        await rig.host.begin()
        rig.nft.refusal = "Device or resource busy"
        assert not await undo(rig.journal.left(), rig.nft, rig.sysctls)

    trio.run(main)
    assert "the nftables table inet ikepy stays: Device or resource busy" in caplog.text


def test_an_address_that_is_lent_passes_until_it_is_given_back(rig: Rig) -> None:
    async def main() -> None:
        await rig.host.begin()
        await rig.host.admit([ONE, SIX], ("staff",))
        assert rig.nft.members("lent4") == {str(ONE)}
        assert rig.nft.members("group1_6") == {str(SIX)}
        await rig.host.admit([ONE], ("full@x",))
        assert (rig.nft.members("group1_4"), rig.nft.members("group2_4")) == (set(), {str(ONE)})
        await rig.host.dismiss([ONE, SIX])
        assert rig.nft.members("lent4") == set()
        await rig.host.dismiss([ONE])

    trio.run(main)


def test_many_who_come_at_once_are_told_in_few_runs(rig: Rig) -> None:
    addresses = [ip_address("10.9.0.10") + number for number in range(40)]

    async def main() -> None:
        await rig.host.begin()
        runs = rig.nft.runs
        async with trio.open_nursery() as nursery:
            for address in addresses:
                nursery.start_soon(rig.host.admit, [address], ("staff",))
        assert rig.nft.members("lent4") == set(map(str, addresses))
        assert rig.nft.runs - runs <= 3

    trio.run(main)


def test_what_nft_refuses_of_a_member_is_told_to_who_lets_in(rig: Rig) -> None:
    async def main() -> None:
        await rig.host.begin()
        rig.nft.refusal = "no memory"
        with pytest.raises(NftError, match="no memory"):
            await rig.host.admit([ONE], ())

    trio.run(main)


def test_new_default_routes_are_followed_with_all_members(rig: Rig) -> None:
    async def main() -> None:
        await rig.host.begin()
        await rig.host.admit([ONE], ("staff",))
        runs = rig.nft.runs
        await rig.host.follow(UPLINKS)
        assert rig.nft.runs == runs
        await rig.host.follow({4: ("wlan0",), 6: ()})
        assert "wlan0" in str(rig.nft.tables[PLACE])
        assert rig.nft.members("lent4") == {str(ONE)}

    trio.run(main)


def test_proxied_addresses_are_answered_for_while_they_are_lent(tmp_path: Path) -> None:
    config = Config(pools=(V6,), gateway=GatewayConfig(ipv6=Reach6.PROXY_NDP, uplinks=("eth0",)))
    rig = Rig(tmp_path, config)

    async def main() -> None:
        await rig.host.begin()
        assert rig.tree.all()["net/ipv6/conf/eth0/proxy_ndp"] == "1"
        await rig.host.admit([SIX], ())
        assert rig.proxies.there == {(SIX, "eth0")}
        await rig.host.dismiss([SIX])
        assert not rig.proxies.there
        await rig.host.admit([SIX], ())
        await rig.host.end()

    trio.run(main)
    assert not rig.proxies.there
    assert rig.is_as_before


def test_other_peoples_firewalls_are_named(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    table: Json = {"table": {"family": "ip", "name": "filter"}}
    chain = {"family": "ip", "table": "filter", "name": "FORWARD", "type": "filter", "hook": "forward", "prio": 0}

    async def main() -> None:
        await rig.nft.apply([{"add": table}, {"add": {"chain": {**chain, "policy": "drop"}}}])
        await rig.host.begin()

    trio.run(main)
    assert [str(each).partition(";")[0] for each in rig.host.conflicts] == [
        "table ip filter, chain FORWARD discards what it forwards"
    ]
    assert "chain FORWARD discards what it forwards" in caplog.text


def test_a_plan_in_words_has_all_of_it(rig: Rig) -> None:
    words = "\n".join(rig.host.plan.lines())
    for each in ("net.ipv4.ip_forward = 1 (now 0)", "table inet ikepy {", "set lent4", "masquerade"):
        assert each in words


def test_default_uplinks_are_names_of_interfaces() -> None:
    assert set(default_uplinks()) == {4, 6}
