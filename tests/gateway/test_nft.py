"""nft by its JSON: one contract for the program and for tables in memory; what is said where it fails."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import pytest
import trio

from ikepy.gateway import nft as nft_module
from ikepy.gateway.mss import Clamp, make_table
from ikepy.gateway.nft import Json, Nft, NftError, find_nft
from tests.gateway.rig import NftInMemory

T = TypeVar("T")
TABLE: Json = {"table": {"family": "inet", "name": "ikepy_test"}}
CHAIN: Json = {
    "chain": {
        "family": "inet",
        "table": "ikepy_test",
        "name": "forward",
        "type": "filter",
        "hook": "forward",
        "prio": -150,
        "policy": "accept",
    }
}
SPACE = "nft-test"


@pytest.fixture(params=["memory", pytest.param("program", marks=pytest.mark.system)])
def nft(request: pytest.FixtureRequest) -> Iterator[Nft]:
    """Tables in memory; the program in a namespace of its own."""
    if request.param == "memory":
        yield NftInMemory()
        return
    program = shutil.which("nft", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if program is None:
        pytest.skip("the package nftables is not installed")
    subprocess.run(["ip", "netns", "add", SPACE], check=True)
    command = ("ip", "netns", "exec", SPACE, program)
    try:
        done = subprocess.run([*command, "list", "tables"], check=False, capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"this kernel has no nf_tables: {done.stderr.strip()}")
        yield Nft(command)
    finally:
        subprocess.run(["ip", "netns", "delete", SPACE], check=True)


async def listed(nft: Nft) -> list[Json] | None:
    return await nft.list_table("inet", "ikepy_test")


def test_a_table_that_is_applied_is_listed_without_the_kernels_numbers(nft: Nft) -> None:
    async def main() -> None:
        await nft.apply([{"add": TABLE}, {"add": CHAIN}])
        assert await listed(nft) == [TABLE, CHAIN]

    trio.run(main)


def test_there_is_nothing_where_there_is_no_table_and_deleting_it_is_no_fault(nft: Nft) -> None:
    async def main() -> None:
        assert await listed(nft) is None
        await nft.delete_table("inet", "ikepy_test")
        assert await listed(nft) is None
        await nft.apply([{"add": TABLE}])
        await nft.delete_table("inet", "ikepy_test")
        assert await listed(nft) is None

    trio.run(main)


def test_of_a_transaction_with_a_fault_nothing_is_done(nft: Nft) -> None:
    async def main() -> None:
        missing: Json = {"table": {"family": "inet", "name": "ikepy_missing"}}
        with pytest.raises(NftError, match="No such file or directory"):
            await nft.apply([{"add": TABLE}, {"delete": missing}])
        assert await listed(nft) is None

    trio.run(main)


def test_a_table_of_clamps_is_taken_and_made_anew_in_one_go(nft: Nft) -> None:
    async def main() -> None:
        clamps = [Clamp(0x1CE00001, None, (1386, 1366)), Clamp(0x1CE00002, 1200, (1200, 1200))]
        for wanted in (clamps, clamps[:1], clamps):
            await nft.apply(make_table("ikepy_test", wanted))
            found = await listed(nft)
            assert found is not None
            assert sum("rule" in each for each in found) == 3 * len(wanted)
            assert sum("chain" in each for each in found) == 1

    trio.run(main)


def run_as(program: str) -> Nft:
    """A program of a few words of Python in place of nft."""
    return Nft((sys.executable, "-S", "-c", program))


def test_the_commands_go_in_whole_and_no_shell_sees_them() -> None:
    look = "import sys, json; got = json.load(sys.stdin); sys.exit(sys.argv[1:] != ['-j', '-f', '-'] or len(got['nftables']) != 1)"
    trio.run(run_as(look).apply, [{"add": TABLE}])


def test_without_commands_nothing_is_run() -> None:
    trio.run(Nft(("/nowhere/nft",)).apply, [])


def test_a_refusal_is_said_in_the_programs_own_words() -> None:
    refuse = "import sys; sys.stderr.write('\\ninternal:0:0-0: Error: Operation not permitted\\n'); sys.exit(1)"
    with pytest.raises(NftError, match=r"^internal:0:0-0: Error: Operation not permitted$"):
        trio.run(run_as(refuse).apply, [{"add": TABLE}])


def test_a_program_that_says_nothing_is_named_with_its_exit_code() -> None:
    with pytest.raises(NftError, match=r"ended with 3$"):
        trio.run(run_as("raise SystemExit(3)").apply, [{"add": TABLE}])


def test_a_program_that_is_not_there_says_what_to_install() -> None:
    with pytest.raises(NftError, match=r"/nowhere/nft cannot be run \(No such file.*install the package `nftables`"):
        trio.run(Nft(("/nowhere/nft",)).apply, [{"add": TABLE}])


def test_a_program_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nft_module, "PATIENCE", 0.05)
    with pytest.raises(NftError, match=r"did not end within 0\.05 s"):
        trio.run(run_as("import time; time.sleep(60)").apply, [{"add": TABLE}])


def test_a_listing_that_fails_otherwise_is_no_empty_one() -> None:
    refuse = "import sys; sys.stderr.write('Error: Operation not permitted'); sys.exit(1)"
    with pytest.raises(NftError, match="not permitted"):
        trio.run(run_as(refuse).list_table, "inet", "ikepy_test")


def test_the_program_is_found_where_path_leaves_it_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "nft"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    monkeypatch.setattr(nft_module, "_PLACES", str(tmp_path))
    assert isinstance(find_nft(), Nft)
    monkeypatch.setattr(nft_module, "_PLACES", str(tmp_path / "empty"))
    assert find_nft() is None
