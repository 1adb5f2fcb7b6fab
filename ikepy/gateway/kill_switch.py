"""The nftables table of a kill switch: nothing leaves this host but by a tunnel, or to make one.

    let through   into a tunnel, or out of one; ESP and IKE themselves; to this host; DHCP and neighbours; `mode = pass`
    refused       all else that this host sends, or forwards for others: programs are told at once

Rule 1: it stands before the first tunnel is asked for and stays when the daemon has ended, however that was; it is
        taken away by `ikepy cleanup` or by a start without it.
Rule 2: no rule depends on a name or on who runs: what is asked of a resolver before there is a tunnel is refused too.
Not here: nft's words (expressions.py), addresses of gateways that were known before (daemon/names.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ikepy.gateway.expressions import (
    ACCEPT,
    REJECT,
    came_by_tunnel,
    came_in_by,
    goes_by_tunnel,
    goes_out_by,
    match,
    payload,
    selects,
)
from ikepy.gateway.nft import Json
from ikepy.wire.ts import TrafficSelector

FAMILY, TABLE = "inet", "ikepy_kill_switch"
_DHCP = ((68, 67), (546, 547))
_NEIGHBOURS = ["nd-router-solicit", "nd-neighbor-solicit", "nd-neighbor-advert", "mld2-listener-report"]


@dataclass(frozen=True, slots=True)
class KillSwitch:
    """What the table depends on.

    ports       from which IKE, and ESP in UDP, leave
    interfaces  of tunnels
    passes      what leaves in clear because the configuration says so
    """

    ports: tuple[int, ...]
    interfaces: tuple[str, ...] = ()
    passes: tuple[TrafficSelector, ...] = ()

    def make(self) -> list[Json]:
        """The commands that make the table anew."""
        table: Json = {"table": {"family": FAMILY, "name": TABLE}}
        place = {"family": FAMILY, "table": TABLE}
        commands: list[Json] = [{"add": table}, {"delete": table}, {"add": table}]
        for name, rules in (("output", self._output()), ("forward", self._forward())):
            chain = {"name": name, "type": "filter", "hook": name, "prio": 0, "policy": "drop"}
            commands.append({"add": {"chain": {**place, **chain}}})
            commands += [{"add": {"rule": {**place, "chain": name, **rule}}} for rule in rules]
        return commands

    def _output(self) -> Iterator[Json]:
        yield _rule("", goes_out_by(["lo"]), ACCEPT)
        yield from self._tunnels()
        yield _rule("ESP", match({"meta": {"key": "l4proto"}}, "esp"), ACCEPT)
        yield _rule("IKE, and ESP in UDP", match(payload("udp", "sport"), _among(self.ports)), ACCEPT)
        for source, destination in _DHCP:
            ports = match(payload("udp", "sport"), source), match(payload("udp", "dport"), destination)
            yield _rule("DHCP", *ports, ACCEPT)
        yield _rule("neighbours", match(payload("icmpv6", "type"), {"set": _NEIGHBOURS}), ACCEPT)
        for selector in self.passes:
            yield _rule("mode = pass", *selects(selector, "daddr", "dport"), ACCEPT)
        yield _rule("no tunnel", REJECT)

    def _forward(self) -> Iterator[Json]:
        yield from self._tunnels()
        yield _rule("", came_by_tunnel(), ACCEPT)
        if self.interfaces:
            yield _rule("", came_in_by(self.interfaces), ACCEPT)
        yield _rule("no tunnel", REJECT)

    def _tunnels(self) -> Iterator[Json]:
        yield _rule("", goes_by_tunnel(), ACCEPT)
        if self.interfaces:
            yield _rule("", goes_out_by(self.interfaces), ACCEPT)


def _among(numbers: tuple[int, ...]) -> object:
    unique = sorted(set(numbers))
    return unique[0] if len(unique) == 1 else {"set": unique}


def _rule(comment: str, *expressions: Json) -> Json:
    return {"expr": list(expressions), **({"comment": comment} if comment else {})}
