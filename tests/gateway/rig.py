"""What the tests of gateway/ share: children with clamps, and nftables' tables in memory."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from ikepy.crypto.secret import Secret
from ikepy.gateway.nft import Json, Nft, NftError
from ikepy.ipsec import ChildSaSpec, Mode, MssClamp, Owner, SaSpec, Spi
from ikepy.wire.registry import EncrId
from tests.kernel.rig import OUR_ADDRESS, PEER_ADDRESS

Table = tuple[str, str]


class NftInMemory(Nft):
    """Tables as the program would keep them; it passes the contract of the real one (test_nft.py).

    refusal   what it says to whatever it is told; None where it does it
    """

    def __init__(self) -> None:
        super().__init__(("nft",))
        self.tables: dict[Table, list[Json]] = {}
        self.runs = 0
        self.refusal: str | None = None

    async def apply(self, commands: Sequence[Json]) -> None:
        """Do all of it on a copy, and keep that where all went well."""
        if not commands:
            return
        self.runs += 1
        if self.refusal is not None:
            raise NftError(self.refusal)
        tables = copy.deepcopy(self.tables)
        for command in commands:
            self._do(tables, command)
        self.tables = tables

    async def list_table(self, family: str, name: str) -> list[Json] | None:
        """What the table holds."""
        if self.refusal is not None:
            raise NftError(self.refusal)
        return copy.deepcopy(self.tables.get((family, name)))

    @staticmethod
    def _do(tables: dict[Table, list[Json]], command: Any) -> None:
        ((verb, thing),) = command.items()
        ((kind, content),) = thing.items()
        if kind == "table":
            key = content["family"], content["name"]
            if verb == "add":
                tables.setdefault(key, [{"table": dict(content)}])
            elif key not in tables:
                raise NftError("Could not process rule: No such file or directory")
            else:
                del tables[key]
            return
        key = content["family"], content["table"]
        if key not in tables:
            raise NftError("Could not process rule: No such file or directory")
        if kind == "element":
            NftInMemory._change_set(tables[key], verb, content)
            return
        tables[key].append({kind: copy.deepcopy(dict(content))})

    @staticmethod
    def _change_set(table: list[Json], verb: str, content: Any) -> None:
        sets: list[Any] = [each["set"] for each in table if "set" in each]
        found = next((each for each in sets if each["name"] == content["name"]), None)
        if found is None:
            raise NftError("Could not process rule: No such file or directory")
        elements = found.setdefault("elem", [])
        for each in content["elem"]:
            if verb == "add":
                elements.append(each)
            elif each in elements:
                elements.remove(each)
            else:
                raise NftError("Could not process rule: No such file or directory")

    async def list_ruleset(self) -> list[Json]:
        """All tables."""
        return [each for table in copy.deepcopy(self.tables).values() for each in table]

    def members(self, name: str) -> set[str]:
        """The elements of a set of the table of a gateway."""
        sets: list[Any] = [each["set"] for each in self.tables["inet", "ikepy"] if "set" in each]
        return set(next(each for each in sets if each["name"] == name).get("elem", ()))


def make_clamped(
    number: int = 1, clamp: MssClamp | None = None, *, reqid: int | None = None, mtu: int | None = None
) -> ChildSaSpec:
    """A child by AES-GCM that wants a clamp; without one named, by what the path carries."""
    outbound = SaSpec(
        source=OUR_ADDRESS,
        destination=PEER_ADDRESS,
        spi=Spi(0xD0000000 + number),
        mode=Mode.TUNNEL,
        reqid=reqid if reqid is not None else 0x1CE00000 + number,
        encr=EncrId.AES_GCM_16,
        encr_key=Secret(bytes(36)),
    )
    inbound = SaSpec(
        source=PEER_ADDRESS,
        destination=OUR_ADDRESS,
        spi=Spi(0xC0000000 + number),
        mode=Mode.TUNNEL,
        reqid=outbound.reqid,
        encr=EncrId.AES_GCM_16,
        encr_key=Secret(bytes(36)),
        inbound=True,
    )
    return ChildSaSpec(Owner(f"child-{number}"), inbound, outbound, (), mtu=mtu, mss_clamp=clamp or MssClamp())
