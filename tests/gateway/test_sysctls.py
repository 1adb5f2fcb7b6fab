"""Settings of the kernel in a tree of their own: planned, set, put back; what others set since is theirs."""

from __future__ import annotations

from pathlib import Path

import pytest

from ikepy.gateway.journal import SysctlChange
from ikepy.gateway.sysctls import Sysctls, dotted

V4 = {"forwarding": "0", "send_redirects": "1", "accept_redirects": "1", "rp_filter": "0"}
V6 = {"forwarding": "0", "accept_ra": "1", "proxy_ndp": "0"}


class Tree:
    """A directory like /proc/sys, in which the switches reset what the kernel resets."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.write("net/ipv4/ip_forward", "0")
        for interface in ("all", "default", "lo", "eth0"):
            for family, settings in (("ipv4", V4), ("ipv6", V6)):
                for name, value in settings.items():
                    self.write(f"net/{family}/conf/{interface}/{name}", value)

    def write(self, name: str, value: str) -> None:
        path = self.place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{value}\n")

    def all(self) -> dict[str, str]:
        files = (path for path in self.place.rglob("*") if path.is_file())
        return {str(path.relative_to(self.place)): path.read_text().strip() for path in files}


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


def test_what_is_planned_and_done_is_taken_back(tree: Tree) -> None:
    before, sysctls = tree.all(), Sysctls(tree.place)
    plan = sysctls.plan((4, 6), ("eth0",))
    sysctls.apply(plan)
    after = tree.all()
    assert after["net/ipv4/ip_forward"] == "1"
    assert after["net/ipv4/conf/eth0/send_redirects"] == "0"
    assert after["net/ipv6/conf/all/forwarding"] == "1"
    assert after["net/ipv6/conf/eth0/accept_ra"] == "2"
    assert after["net/ipv6/conf/eth0/proxy_ndp"] == "1"
    sysctls.undo(plan)
    assert tree.all() == before


def test_only_the_families_of_pools_are_touched(tree: Tree) -> None:
    sysctls = Sysctls(tree.place)
    assert all("/ipv4/" in change.name for change in sysctls.plan((4,)))
    assert all("/ipv6/" in change.name for change in sysctls.plan((6,)))
    assert sysctls.plan(()) == ()


def test_what_is_right_already_is_not_touched(tree: Tree) -> None:
    sysctls = Sysctls(tree.place)
    sysctls.apply(sysctls.plan((4, 6)))
    assert sysctls.plan((4, 6)) == ()


def test_a_strict_reverse_path_filter_becomes_loose(tree: Tree) -> None:
    tree.write("net/ipv4/conf/eth0/rp_filter", "1")
    plan = {change.name: change for change in Sysctls(tree.place).plan((4,))}
    assert plan["net/ipv4/conf/eth0/rp_filter"] == SysctlChange("net/ipv4/conf/eth0/rp_filter", "1", "2")
    assert "net/ipv4/conf/lo/rp_filter" not in plan


def test_switches_come_before_what_they_reset(tree: Tree) -> None:
    names = [change.name for change in Sysctls(tree.place).plan((4, 6))]
    assert names.index("net/ipv4/ip_forward") < names.index("net/ipv4/conf/eth0/forwarding")
    assert names.index("net/ipv6/conf/all/forwarding") < names.index("net/ipv6/conf/eth0/forwarding")


def test_what_somebody_else_has_set_since_stays(tree: Tree, caplog: pytest.LogCaptureFixture) -> None:
    sysctls = Sysctls(tree.place)
    plan = sysctls.plan((6,))
    sysctls.apply(plan)
    tree.write("net/ipv6/conf/eth0/accept_ra", "0")
    sysctls.undo(plan)
    assert tree.all()["net/ipv6/conf/eth0/accept_ra"] == "0"
    assert "net.ipv6.conf.eth0.accept_ra was changed by somebody else" in caplog.text


def test_what_a_kernel_does_not_have_is_left_out(tmp_path: Path) -> None:
    assert Sysctls(tmp_path).plan((4, 6), ("eth0",)) == ()


def test_an_interface_that_is_gone_is_no_fault(tree: Tree) -> None:
    Sysctls(tree.place).undo([SysctlChange("net/ipv4/conf/gone0/forwarding", "0", "1")])


@pytest.mark.parametrize(
    "name",
    [
        "../victim",
        "net/ipv4/../../../victim",
        "net/ipv4/conf/../victim",
        "net/ipv4/conf/..",
        "/etc/victim",
        "kernel/core_pattern",
        "net/ipv4/ip_forward\n",
        "net/ipv4/conf/a b/forwarding",
        "",
    ],
)
def test_a_journal_that_lies_writes_nothing_elsewhere(name: str, tmp_path: Path) -> None:
    tree = Tree(tmp_path / "a" / "b")
    for place in (tmp_path / "victim", tmp_path / "a" / "victim", tree.place / "kernel/core_pattern"):
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text("ours")
    before = {path: path.read_text() for path in tmp_path.rglob("*") if path.is_file()}
    Sysctls(tree.place).undo([SysctlChange(name, "before", "ours")])
    assert {path: path.read_text() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_name_is_shown_as_sysctl_writes_it() -> None:
    assert dotted("net/ipv4/conf/eth0.5/forwarding") == "net.ipv4.conf.eth0/5.forwarding"
