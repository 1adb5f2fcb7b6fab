"""Twenty child rekeys and five IKE rekeys by each side, under 500 datagrams a second each way: none is lost."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial

import pytest

from tests.lab.gateway import Gateway, await_true
from tests.lab.traffic import Traffic, drops, overflows
from tests.system.cases import CASES, Case
from tests.system.cast import route_to_us
from tests.system.conftest import Lab
from tests.system.rekeys import rekeys
from tests.system.test_matrix import of_case

CHILD_REKEYS, IKE_REKEYS = 20, 5
WITHOUT_KE, WITH_KE = (next(case for case in CASES if case.name == name) for name in ("psk-gcm", "psk-pfs"))
RETIREMENT = 7.0
"Seconds until a replaced child's inbound state has gone on both sides."
SIDES = [(peer, who) for peer in ("strongswan", "libreswan", "ikepy") for who in ("us", "them")]
SIDES.remove(("libreswan", "us"))  # it sends before we can receive: test_early_packets.py


@pytest.mark.parametrize("case", [WITHOUT_KE, WITH_KE], ids=lambda case: case.name)
@pytest.mark.parametrize(("peer", "who"), SIDES)
def test_no_datagram_is_lost_in_twenty_child_rekeys_and_five_ike_rekeys(
    lab: Lab, peer: str, who: str, case: Case, capsys: pytest.CaptureFixture[str]
) -> None:
    told = rekey_under_traffic(lab, peer, who, case)
    with capsys.disabled():
        print(f"\n{told}", end="")


def rekey_under_traffic(lab: Lab, peer: str, who: str, case: Case) -> str:
    """Bring a case up, rekey it under traffic, see that nothing is lost, take it down; what was sent."""
    name, other, at = case.connection(peer), lab.peers[peer], case.addresses(peer)
    there = lab.namespace(peer)
    route_to_us(peer, case)
    (other.up(name, "net") if who == "them" else lab.left.up(name))
    await_true("both ends have the tunnel", lambda: len(of_case(lab, "left", peer, case)) == 2)
    before = drops("left"), drops(there)
    rekey_child, rekey_ike = rekeys(lab.left if who == "us" else other, name)
    with Traffic("left", at.inner(1), there, at.inner(2)) as traffic:
        for count in range(CHILD_REKEYS + IKE_REKEYS):
            is_ike = count % 5 == 4
            told = snapshot(lab.left, name)
            (rekey_ike if is_ike else rekey_child)()
            await_true("it is rekeyed", partial(is_rekeyed, lab.left, name, told, is_ike=is_ike))
            time.sleep(0.2)
    try:
        told = f"{peer}, {who}, {case.name}: {CHILD_REKEYS} child rekeys, {IKE_REKEYS} IKE rekeys, "
        told += f"{traffic.sent} sent, {tuple(map(len, traffic.lost))} lost"
        told += f", {overflows('left'), overflows(there)} unread"
        after = drops("left"), drops(there)
        assert traffic.lost == ((), ()), f"{told}; dropped {after}, before {before}\n{lab.left.log()}"
        assert not traffic.failures
        for now, earlier in zip(after, before, strict=True):
            assert not {reason: by for reason in now if (by := now[reason] - earlier.get(reason, 0))}
        await_true("one pair is left here", lambda: len(of_case(lab, "left", peer, case)) == 2, RETIREMENT)
        await_true("one pair is left there", lambda: len(of_case(lab, there, peer, case)) == 2, RETIREMENT)
    finally:
        (lab.left if who == "us" else other).down(name)
        await_true("nothing is left here", lambda: not of_case(lab, "left", peer, case))
    return told


def snapshot(left: Gateway, name: str) -> tuple[str, str]:
    """The IKE SA's initiator SPI, and the SPI we send the child's packets by."""
    found = tuple(ends_of(left, name))
    return found[-1] if found else ("", "")


def ends_of(left: Gateway, name: str) -> Iterator[tuple[str, str]]:
    _, seen = left.call("list-sas", {"ike": name}, ("list-sa",))
    for section in seen:
        sa = section[name]
        assert isinstance(sa, dict)
        if sa["state"] != "ESTABLISHED":
            continue
        children = sa["child-sas"]
        assert isinstance(children, dict)
        for child in children.values():
            assert isinstance(child, dict)
            if child["state"] == "INSTALLED":
                yield str(sa["initiator-spi"]), str(child["spi-out"])


def is_rekeyed(left: Gateway, name: str, before: tuple[str, str], *, is_ike: bool) -> bool:
    now, at = snapshot(left, name), 0 if is_ike else 1
    return bool(now[at]) and now[at] != before[at]
