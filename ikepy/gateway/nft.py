"""nftables by its own program: JSON commands to `nft -j -f -`, no shell between (libnftables-json(5)).

Rule 1: one call is one transaction: all its commands are done, or none.
Rule 2: a table of ours has a name that nobody else's daemon has; nothing outside our tables is touched.
Rule 3: whatever goes wrong is an NftError with nft's own words; the program's absence is known before (find_nft).
Not here: which rules there are (mss.py), queues of early packets (kernel/early.py, which speaks netlink itself).
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TypeAlias

import trio

Json: TypeAlias = Mapping[str, object]
"""One object of nft's JSON: a command, or a thing that is listed."""

INSTALL = "install the package `nftables`, which has the program nft"
PATIENCE = 10.0
"""Seconds until a run of nft counts as stuck, and is ended."""
_PLACES = "/usr/sbin:/sbin:/usr/local/sbin:/usr/bin:/bin"
_NO_SUCH = "No such file or directory"
_OF_THE_KERNEL = ("handle", "index")


class NftError(Exception):
    """nft did not do it; the message holds its own words."""


class Nft:
    """The program.

    command   how it is run, such as ("/usr/sbin/nft",)
    """

    def __init__(self, command: Sequence[str]) -> None:
        self._command = tuple(command)

    async def apply(self, commands: Sequence[Json]) -> None:
        """Do all of the commands (`{"add": {"table": ...}}`), or none; raises NftError."""
        if commands:
            await self._run(("-j", "-f", "-"), json.dumps({"nftables": list(commands)}).encode())

    async def delete_table(self, family: str, name: str) -> None:
        """Delete a table; that there is none is no fault. Raises NftError."""
        table = {"table": {"family": family, "name": name}}
        # Added first, which changes nothing where it is there: `destroy` is younger than many kernels (6.3).
        await self.apply([{"add": table}, {"delete": table}])

    async def list_table(self, family: str, name: str) -> list[Json] | None:
        """What a table holds, without the kernel's numbers, so that it can be compared; None without such a table."""
        try:
            said = await self._run(("-j", "list", "table", family, name))
        except NftError as error:
            if _NO_SUCH in str(error):
                return None
            raise
        return [_without_numbers(each) for each in json.loads(said)["nftables"] if "metainfo" not in each]

    async def list_ruleset(self) -> list[Json]:
        """All of everybody's rules; raises NftError."""
        said = await self._run(("-j", "list", "ruleset"))
        return [_without_numbers(each) for each in json.loads(said)["nftables"] if "metainfo" not in each]

    async def _run(self, arguments: tuple[str, ...], octets: bytes = b"") -> bytes:
        run = partial(trio.run_process, capture_stdout=True, capture_stderr=True, check=False)
        done: subprocess.CompletedProcess[bytes] | None = None
        try:
            with trio.move_on_after(PATIENCE):
                done = await run((*self._command, *arguments), stdin=octets)
        except OSError as error:
            raise NftError(f"{self._command[0]} cannot be run ({error.strerror}): {INSTALL}") from error
        if done is None:
            raise NftError(f"{self._command[0]} did not end within {PATIENCE:g} s")
        if done.returncode:
            raise NftError(_first_words(done.stderr) or f"{self._command[0]} ended with {done.returncode}")
        return bytes(done.stdout)


def find_nft() -> Nft | None:
    """The program of this host, also where PATH leaves out the system's; None without one."""
    found = shutil.which("nft") or shutil.which("nft", path=_PLACES)
    return Nft((found,)) if found is not None else None


def _without_numbers(thing: Json) -> Json:
    return {
        kind: {key: value for key, value in content.items() if key not in _OF_THE_KERNEL}
        for kind, content in thing.items()
        if isinstance(content, Mapping)
    }


def _first_words(stderr: bytes) -> str:
    lines = (line.strip() for line in stderr.decode("utf-8", "replace").splitlines())
    return next((line for line in lines if line), "")
