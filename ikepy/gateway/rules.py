"""The nftables table of a gateway: who may reach what, anti-spoofing, what never leaves in clear, masquerading.

    clients' packets    came out of a tunnel, from an address that is lent now, to what the client's groups reach
    packets to clients  go into a tunnel, from what the client's groups reach
    all others          are not touched: no rule speaks of them

Rule 1: each rule names an address of a pool; so nothing of other traffic ever depends on this table.
Rule 2: who is lent an address but in no group of the configuration reaches nothing, where there are groups.
Rule 3: the table is made anew in one transaction, members included: nothing passes in between.
Not here: nft's words (expressions.py), when members come and go (members.py), the per-child MSS clamp (mss.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ikepy.config.access import AddressRange, GroupConfig, PoolConfig
from ikepy.config.gateway import GatewayConfig, Reach4, Reach6
from ikepy.gateway.expressions import (
    ACCEPT,
    DROP,
    MASQUERADE,
    came_by_tunnel,
    goes_by_tunnel,
    goes_out_by,
    in_set,
    is_syn,
    jump,
    selects,
    set_mss,
    span,
)
from ikepy.gateway.nft import Json
from ikepy.ipsec import IpAddress

FAMILY = "inet"
SEGMENTS = {4: 1360, 6: 1340}
"MSS of what comes from clients: their packets then have 1400 octets, which fit into any tunnel with an outer 1500."
_FORWARD_PRIORITY, _MANGLE, _SOURCE_NAT = 0, -150, 100
_FROM, _TO = "from_clients", "to_clients"
_NO_COMMENT, _MOST_COMMENT = frozenset('"\\'), 60

Members = Mapping[IpAddress, tuple[str, ...]]
"Addresses that are lent, and the groups of whoever has each."


@dataclass(frozen=True, slots=True)
class GatewayTable:
    """What the table depends on.

    name      the table's
    uplinks   interfaces by which clients are masqueraded, of each family
    """

    name: str
    gateway: GatewayConfig
    pools: tuple[PoolConfig, ...]
    groups: tuple[GroupConfig, ...]
    uplinks: Mapping[int, Sequence[str]]

    # -- the whole -----------------------------------------------------------------------------------------------

    def make(self, members: Members) -> list[Json]:
        """The commands that make the table anew, with its members in it."""
        table: Json = {"table": {"family": FAMILY, "name": self.name}}
        commands: list[Json] = [{"add": table}, {"delete": table}, {"add": table}]
        commands += [{"add": {"set": each}} for each in self._sets(members)]
        commands += [{"add": {"chain": {**self._place, **each}}} for each in self._chains()]
        commands += [
            {"add": {"rule": {**self._place, "chain": chain, **rule}}} for chain, rule in self._rules_of_chains()
        ]
        return commands

    def change(self, before: Members, after: Members) -> list[Json]:
        """The commands that take some members out and let others in."""
        gone = self._elements({address: groups for address, groups in before.items() if after.get(address) != groups})
        come = self._elements({address: groups for address, groups in after.items() if before.get(address) != groups})
        return [
            *({"delete": {"element": {**self._place, "name": name, "elem": each}}} for name, each in gone.items()),
            *({"add": {"element": {**self._place, "name": name, "elem": each}}} for name, each in come.items()),
        ]

    @property
    def families(self) -> tuple[int, ...]:
        """Of the pools."""
        return tuple(sorted({pool.family for pool in self.pools}))

    @property
    def _place(self) -> dict[str, object]:
        return {"family": FAMILY, "table": self.name}

    # -- sets ----------------------------------------------------------------------------------------------------

    def _sets(self, members: Members) -> Iterator[Json]:
        filled = self._elements(members)
        for family in self.families:
            kind = "ipv4_addr" if family == 4 else "ipv6_addr"  # noqa: PLR2004 - IPv4
            ranges = merged(each for pool in self.pools if pool.family == family for each in pool.addrs)
            elements = [span(each.first, each.last) for each in ranges]
            yield {**self._place, "name": f"pools{family}", "type": kind, "flags": ["interval"], "elem": elements}
            for name in (f"lent{family}", *(_set_of(at, family) for at, _ in enumerate(self.groups))):
                elem = {"elem": filled[name]} if name in filled else {}
                yield {**self._place, "name": name, "type": kind, **elem}

    def _elements(self, members: Members) -> dict[str, list[str]]:
        """The sets that members stand in, and how."""
        found: dict[str, list[str]] = {}
        for address, groups in members.items():
            if address.version not in self.families:
                continue
            found.setdefault(f"lent{address.version}", []).append(str(address))
            for at, group in enumerate(self.groups):
                if group.name in groups:
                    found.setdefault(_set_of(at, address.version), []).append(str(address))
        return found

    # -- chains --------------------------------------------------------------------------------------------------

    @staticmethod
    def _chains() -> Iterator[Json]:
        yield {"name": _FROM}
        yield {"name": _TO}
        for name, hook, priority in (
            ("mangle", "forward", _MANGLE),
            ("forward", "forward", _FORWARD_PRIORITY),
            ("input", "input", _FORWARD_PRIORITY),
            ("output", "output", _FORWARD_PRIORITY),
        ):
            yield {"name": name, "type": "filter", "hook": hook, "prio": priority, "policy": "accept"}
        yield {"name": "postrouting", "type": "nat", "hook": "postrouting", "prio": _SOURCE_NAT, "policy": "accept"}

    def _rules_of_chains(self) -> Iterator[tuple[str, Json]]:
        for chain, rules in (
            ("mangle", self._mangle()),
            ("forward", self._forward()),
            ("input", self._input()),
            ("output", self._output()),
            (_FROM, self._from_clients()),
            (_TO, self._to_clients()),
            ("postrouting", self._masquerading()),
        ):
            yield from ((chain, rule) for rule in rules)

    def _mangle(self) -> Iterator[Json]:
        if self.gateway.mss_clamp:
            for family in self.families:
                pools = f"pools{family}"
                yield _rule("their segments fit", in_set(family, "saddr", pools), is_syn(), set_mss(SEGMENTS[family]))
                yield _rule(
                    "segments to them fit", in_set(family, "daddr", pools), is_syn(), set_mss({"rt": {"key": "mtu"}})
                )

    def _forward(self) -> Iterator[Json]:
        for family in self.families:
            yield _rule("", in_set(family, "saddr", f"pools{family}"), jump(_FROM))
        for family in self.families:
            yield _rule("", in_set(family, "daddr", f"pools{family}"), jump(_TO))

    def _input(self) -> Iterator[Json]:
        for family in self.families:
            clients = in_set(family, "saddr", f"pools{family}")
            yield _rule("no client is there in clear", clients, came_by_tunnel(is_so=False), DROP)
            yield _rule(
                "nobody has that address", clients, in_set(family, "saddr", f"lent{family}", negated=True), DROP
            )

    def _output(self) -> Iterator[Json]:
        for family in self.families if self.gateway.block_leaks else ():
            yield _rule(
                "nothing in clear",
                in_set(family, "daddr", f"pools{family}"),
                goes_out_by(["lo"], negated=True),
                goes_by_tunnel(is_so=False),
                DROP,
            )

    def _from_clients(self) -> Iterator[Json]:
        yield _rule("no client is there in clear", came_by_tunnel(is_so=False), DROP)
        for family in self.families:
            lent = in_set(family, "saddr", f"lent{family}", negated=True)
            yield _rule("nobody has that address", lent, DROP)
        for family in self.families:
            verdict = jump(_TO) if self.gateway.client_to_client else DROP
            yield _rule("from client to client", in_set(family, "daddr", f"pools{family}"), verdict)
        yield from self._access("saddr", "daddr", "dport")

    def _to_clients(self) -> Iterator[Json]:
        if self.gateway.block_leaks:
            yield _rule("nothing in clear", goes_by_tunnel(is_so=False), DROP)
        if self.gateway.client_to_client:
            for family in self.families:
                yield _rule("from client to client", in_set(family, "saddr", f"lent{family}"), ACCEPT)
        yield from self._access("daddr", "saddr", "sport")

    def _access(self, client: str, other: str, port: str) -> Iterator[Json]:
        """What groups reach; `client` is the field of the client's address, `other` and `port` those of the other end."""
        if not self.groups:
            return
        for at, group in enumerate(self.groups):
            for family in self.families:
                member = in_set(family, client, _set_of(at, family))
                for reached in _reached(group, family, other, port):
                    yield _rule(f"group {group.name}", member, *reached, ACCEPT)
        yield _rule("in no group that reaches it", DROP)

    def _masquerading(self) -> Iterator[Json]:
        for family in self.families:
            if self.is_masqueraded(family) and self.uplinks.get(family):
                yield _rule(
                    "",
                    in_set(family, "saddr", f"pools{family}"),
                    goes_out_by(self.uplinks[family]),
                    goes_by_tunnel(is_so=False),
                    MASQUERADE,
                )

    def is_masqueraded(self, family: int) -> bool:
        """Whether clients of a family are seen with this host's address."""
        if family == 4:  # noqa: PLR2004 - IPv4
            return self.gateway.ipv4 is Reach4.MASQUERADE
        return self.gateway.ipv6 is Reach6.MASQUERADE


def _reached(group: GroupConfig, family: int, field: str, port: str) -> Iterator[list[Json]]:
    """What a group reaches of a family, each as what a packet's other end is matched with."""
    if not group.subnets:
        yield []
    for selector in group.subnets:
        if selector.start.version == family:
            yield selects(selector, field, port)


def _set_of(at: int, family: int) -> str:
    """The set of a group's members: by its place, for a name may hold what nft's names do not."""
    return f"group{at + 1}_{family}"


def _rule(comment: str, *expressions: Json) -> Json:
    return {"expr": list(expressions), **({"comment": _plain(comment)} if comment else {})}


def _plain(comment: str) -> str:
    """Without what ends a comment, or a line: a group's name is in it."""
    return "".join(each if each.isprintable() and each not in _NO_COMMENT else "?" for each in comment)[:_MOST_COMMENT]


def merged(ranges: Iterator[AddressRange]) -> list[AddressRange]:
    """The same addresses in as few ranges as there can be."""
    found: list[AddressRange] = []
    for each in sorted(ranges, key=lambda one: int(one.first)):
        if found and int(each.first) <= int(found[-1].last) + 1:
            last = max(found[-1].last, each.last, key=int)
            found[-1] = AddressRange(found[-1].first, last)
        else:
            found.append(each)
    return found
