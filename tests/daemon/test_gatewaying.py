"""A daemon's gateway: begun, kept in step, ended; what it says, and what a daemon that was killed has left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import pytest
import trio

from ikepy.config.gateway import GatewayConfig, Reach4, Reach6
from ikepy.config.model import Config
from ikepy.daemon.errors import StartupError
from ikepy.daemon.gatewaying import Gatewaying
from ikepy.gateway.sysctls import Sysctls
from ikepy.ike.admission import AddressesRefused
from tests.gateway.rig import NftInMemory
from tests.gateway.tables import FULL, STAFF, V4, V6
from tests.gateway.test_host import Noted
from tests.gateway.test_sysctls import Tree

CONFIG = Config(pools=(V4, V6), groups=(STAFF, FULL), gateway=GatewayConfig())
ONE = ip_address("10.9.0.5")


class Stage:
    """The part of a daemon, and its host."""

    def __init__(self, tmp_path: Path, config: Config = CONFIG) -> None:
        self.tree, self.nft, self.proxies = Tree(tmp_path / "sys"), NftInMemory(), Noted()
        self.tmp_path, self.before = tmp_path, self.tree.all()
        self.uplinks: Mapping[int, Sequence[str]] = {4: ("eth0",), 6: ("eth0",)}
        self.part = self.begin(config)

    def begin(self, config: Config) -> Gatewaying:
        sysctls = Sysctls(self.tree.place)
        return Gatewaying(config, self.tmp_path, self.nft, self.proxies, sysctls=sysctls, uplinks=lambda: self.uplinks)


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def test_what_begins_says_so_and_ends_without_a_trace(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")

    async def main() -> None:
        assert stage.part.words() == {}
        await stage.part.begin()
        words = stage.part.words()
        assert (words["IPv4"], words["IPv6"], words["clients"]) == ("masqueraded by eth0",) * 2 + ("0",)
        assert "net.ipv4.ip_forward = 1" in words["settings"]
        await stage.part.end()
        await stage.part.end()

    trio.run(main)
    assert "this host is a gateway: IPv4 masqueraded by eth0; IPv6 masqueraded by eth0" in caplog.text
    assert stage.tree.all() == stage.before
    assert not stage.nft.tables


@pytest.mark.parametrize(
    ("gateway", "four", "six"),
    [
        (GatewayConfig(ipv4=Reach4.ROUTED, ipv6=Reach6.ROUTED), "routed", "routed"),
        (GatewayConfig(ipv6=Reach6.PROXY_NDP), "masqueraded by eth0", "answered for by NDP on eth0"),
        (GatewayConfig(uplinks=("ppp0", "eth1")), "masqueraded by ppp0 and eth1", "masqueraded by ppp0 and eth1"),
    ],
)
def test_how_clients_get_out_is_said(gateway: GatewayConfig, four: str, six: str, tmp_path: Path) -> None:
    stage = Stage(tmp_path, replace(CONFIG, gateway=gateway))
    trio.run(stage.part.begin)
    assert (stage.part.words()["IPv4"], stage.part.words()["IPv6"]) == (four, six)


def test_without_default_routes_it_waits_for_them(stage: Stage) -> None:
    stage.uplinks = {4: (), 6: ()}
    trio.run(stage.part.begin)
    assert stage.part.words()["IPv4"] == "masqueraded by no uplink yet"
    stage.uplinks = {4: ("wlan0",), 6: ()}
    trio.run(stage.part.follow)
    assert stage.part.words()["IPv4"] == "masqueraded by wlan0"


def test_a_host_that_is_no_gateway_is_not_touched(tmp_path: Path) -> None:
    stage = Stage(tmp_path, replace(CONFIG, gateway=None))

    async def main() -> None:
        await stage.part.begin()
        await stage.part.lent([ONE], ())
        await stage.part.returned([ONE])
        await stage.part.follow()
        await stage.part.end()

    trio.run(main)
    assert stage.tree.all() == stage.before
    assert not stage.nft.runs


def test_what_cannot_begin_is_refused_with_a_way_to_see_it(stage: Stage) -> None:
    stage.nft.refusal = "no nf_tables"

    async def main() -> None:
        with pytest.raises(StartupError, match="--dry-run"):
            await stage.part.begin()

    trio.run(main)


def test_clients_are_let_in_and_out(stage: Stage) -> None:
    async def main() -> None:
        await stage.part.begin()
        await stage.part.lent([ONE], ("staff",))
        assert stage.nft.members("lent4") == {str(ONE)}
        assert stage.part.words()["clients"] == "1"
        await stage.part.returned([ONE])
        assert stage.nft.members("lent4") == set()

    trio.run(main)


def test_a_client_whose_packets_cannot_pass_is_refused(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        await stage.part.begin()
        stage.nft.refusal = "no memory"
        with pytest.raises(AddressesRefused, match="no memory"):
            await stage.part.lent([ONE], ())

    trio.run(main)
    assert stage.part.words()["clients"] == "0"


def test_the_next_daemon_undoes_what_is_left_though_it_is_no_gateway(stage: Stage) -> None:
    async def main() -> None:
        await stage.part.begin()
        following = stage.begin(replace(CONFIG, gateway=None))
        assert await following.undo_left()
        assert not await following.undo_left()

    trio.run(main)
    assert stage.tree.all() == stage.before
    assert not stage.nft.tables
