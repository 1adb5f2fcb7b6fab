"""Clamps come and go with the children that want them, and never stand in a child's way."""

from __future__ import annotations

import logging

import pytest
import trio

from ikepy.gateway.mss import FAMILY, Clamp, MssClamps, clamp_of, make_table, table_name
from ikepy.gateway.nft import Json
from ikepy.ipsec import ChildSaSpec, MssClamp, Owner
from tests.gateway.rig import NftInMemory, make_clamped

BASE = 0x1CE00000
TABLE = (FAMILY, "ikepy_1ce00000")
ONE, TWO = Owner("child-1"), Owner("child-2")


def rules(nft: NftInMemory) -> int:
    return sum("rule" in each for each in nft.tables.get(TABLE, []))


def clamps_of(nft: NftInMemory) -> MssClamps:
    return MssClamps(nft, BASE)


def clamp(child: ChildSaSpec, path_mtu: int = 1500) -> Clamp:
    found = clamp_of(child, path_mtu)
    assert found is not None
    return found


def test_a_child_that_wants_none_gets_none() -> None:
    plain = make_clamped()
    object.__setattr__(plain, "mss_clamp", None)
    assert clamp_of(plain, 1500) is None


def test_by_the_path_the_kernel_says_outward_and_the_arithmetic_inward() -> None:
    assert clamp_of(make_clamped(), 1500) == Clamp(BASE + 1, None, (1406, 1386))
    assert clamp_of(make_clamped(), 1400) == Clamp(BASE + 1, None, (1306, 1286))


def test_a_smaller_mtu_of_the_route_counts_inward_too() -> None:
    assert clamp_of(make_clamped(mtu=1280), 1500) == Clamp(BASE + 1, None, (1240, 1220))
    assert clamp_of(make_clamped(mtu=9000), 1500) == Clamp(BASE + 1, None, (1406, 1386))


def test_a_number_is_taken_as_it_is_both_ways() -> None:
    assert clamp_of(make_clamped(clamp=MssClamp(1200)), 1500) == Clamp(BASE + 1, 1200, (1200, 1200))


def test_rules_come_with_the_first_and_go_with_the_last_of_a_request_id() -> None:
    nft = NftInMemory()

    async def main() -> None:
        clamps = clamps_of(nft)
        await clamps.hold(ONE, clamp(make_clamped(1, reqid=BASE + 7)))
        assert rules(nft) == 3
        runs = nft.runs
        await clamps.hold(TWO, clamp(make_clamped(2, reqid=BASE + 7)))  # the child that takes over in a rekeying
        await clamps.release(ONE)
        assert (rules(nft), nft.runs) == (3, runs)
        await clamps.release(TWO)
        await clamps.release(TWO)
        assert nft.tables == {}

    trio.run(main)


def test_each_request_id_has_rules_of_its_own_and_only_for_its_packets() -> None:
    nft = NftInMemory()

    async def main() -> None:
        clamps = clamps_of(nft)
        await clamps.hold(ONE, clamp(make_clamped(1)))
        await clamps.hold(TWO, clamp(make_clamped(2, MssClamp(1000))))
        assert rules(nft) == 6
        for each in nft.tables[TABLE]:
            if "rule" in each:
                first = each["rule"]["expr"][0]["match"]  # type: ignore[index]
                assert first["left"]["ipsec"]["key"] == "reqid"
                assert first["right"] in {BASE + 1, BASE + 2}
        await clamps.remove_everything()
        assert nft.tables == {}

    trio.run(main)


def test_a_child_that_moves_to_a_smaller_path_has_the_new_number() -> None:
    nft = NftInMemory()

    async def main() -> None:
        clamps = clamps_of(nft)
        await clamps.hold(ONE, clamp(make_clamped(1)))
        await clamps.hold(ONE, clamp(make_clamped(1), 1400))
        assert nft.tables[TABLE][1:] == [
            next(iter(command.values())) for command in make_table(TABLE[1], [clamp(make_clamped(1), 1400)])[3:]
        ]
        assert clamps.holds(ONE)
        assert not clamps.holds(TWO)
        await clamps.hold(ONE, None)
        assert nft.tables == {}

    trio.run(main)


def test_what_a_crashed_daemon_left_is_swept_and_nobody_elses(caplog: pytest.LogCaptureFixture) -> None:
    nft = NftInMemory()
    other = (FAMILY, table_name(BASE + 0x10000))

    async def main() -> None:
        for _, name in (TABLE, other):
            await nft.apply(make_table(name, [clamp(make_clamped(1))]))
        await clamps_of(nft).sweep()
        assert set(nft.tables) == {other}
        assert "inet ikepy_1ce00000 of an earlier daemon is removed" in caplog.text
        caplog.clear()
        await clamps_of(nft).sweep()
        assert caplog.text == ""

    trio.run(main)


def test_without_the_program_one_warning_says_what_to_install(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        clamps = MssClamps(None, BASE)
        await clamps.sweep()
        assert caplog.text == ""
        for number in (1, 2):
            await clamps.hold(Owner(f"child-{number}"), clamp(make_clamped(number)))
        await clamps.release(ONE)
        await clamps.remove_everything()

    with caplog.at_level(logging.WARNING):
        trio.run(main)
    (record,) = caplog.records
    assert "is not clamped (mss_clamp): install the package `nftables`" in record.getMessage()


def test_a_kernel_that_refuses_is_a_warning_and_no_fault(caplog: pytest.LogCaptureFixture) -> None:
    nft = NftInMemory()
    nft.refusal = "Could not process rule: Operation not supported"

    async def main() -> None:
        clamps = clamps_of(nft)
        await clamps.sweep()
        await clamps.hold(ONE, clamp(make_clamped(1)))
        await clamps.remove_everything()

    with caplog.at_level(logging.WARNING):
        trio.run(main)
    (record,) = caplog.records
    assert "Operation not supported; the kernel needs CONFIG_NF_TABLES_INET and CONFIG_NFT_XFRM" in record.getMessage()


def test_the_rules_look_at_syn_alone_and_only_at_the_mss() -> None:
    commands: list[Json] = make_table("ikepy_x", [Clamp(BASE + 1, None, (1406, 1386))])
    expressions = [command["add"]["rule"]["expr"] for command in commands if "rule" in command.get("add", {})]  # type: ignore[index, operator]
    assert len(expressions) == 3
    for expression in expressions:
        *matches, mangle = expression
        assert all("match" in each for each in matches)
        assert matches[-1]["match"]["right"] == "syn"
        assert mangle["mangle"]["key"] == {"tcp option": {"name": "maxseg", "field": "size"}}
    assert expressions[0][-1]["mangle"]["value"] == {"rt": {"key": "mtu"}}
    assert [each[-1]["mangle"]["value"] for each in expressions[1:]] == [1406, 1386]
