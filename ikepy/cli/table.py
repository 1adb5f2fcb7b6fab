"""What `ikepy status` prints: one table where it fits the screen, else a block for each connection and child.

Rule 1: no word is cut or broken, at 80 columns, at 140 and in a pipe.
Rule 2: a child is named CONNECTION/CHILD, so that one line says whose it is.
Not here: asking the daemon (program.py), numbers in words (words.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest

from rich.console import Console, RenderableType
from rich.measure import Measurement
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ikepy.cli.words import colour, counted, octets, span
from ikepy.control.codec import Section
from ikepy.trace.handlers import escaped

_MOST_HALF_OPEN = 4
"""Half-open IKE SAs of peers that are shown; of more only the number is."""
_SELECTORS_LINE = 44
"""Columns up to which selectors stand in one line."""
_LABEL = len("waits for")
_OBVIOUS = frozenset({"peer", "selectors"})
"""What a table says in its heading."""
_COLUMNS = ("connection", "state", "since", "peer, or selectors", "proposal", "in", "out")
_RIGHT = frozenset({"in", "out"})
_REPLACED = "replaced"
_SHOWN_ELSEWHERE = frozenset({"rekeying", "reauthentication", "rekeying of a child"})
"""Events to come that the rows say in their own words."""
_POLICY_WORDS = {"PASS": "pass", "DROP": "drop"}


@dataclass(frozen=True, slots=True)
class DaemonStatus:
    """What a daemon answered to `ikepy-status`.

    place     its run directory
    sas       connection's name and IKE SA
    policies  traps and shunts
    """

    place: str
    answer: Section
    sas: tuple[tuple[str, Section], ...]
    policies: tuple[Section, ...] = ()

    def as_json(self) -> dict[str, object]:
        """The same for `--json`."""
        sas = [{"connection": name, **section} for name, section in self.sas]
        return {"run-dir": self.place, **self.answer, "sas": sas, "policies": list(self.policies)}


@dataclass(frozen=True, slots=True)
class _Row:
    """A connection or a child.

    about   (what, lines) that stand below each other: selectors, what is waited for, ...
    """

    name: str
    state: str
    since: str
    about: tuple[tuple[str, str], ...]
    proposal: str = ""
    inbound: str = ""
    outbound: str = ""

    @property
    def is_child(self) -> bool:
        """Whether it is a child: only those count octets."""
        return bool(self.inbound)


def make_status(status: DaemonStatus, console: Console) -> Iterator[RenderableType]:
    """All that is printed of one daemon."""
    answer = status.answer
    yield Text(
        f"ikepy {_text(answer, 'version')}, process {_text(answer, 'pid')}, "
        f"running for {span(_text(answer, 'uptime'))}, {status.place}",
        style="bold",
    )
    rows = list(_rows(status))
    if rows:
        yield ""
        table = _table(rows)
        fits = Measurement.get(console, console.options.update(width=10_000), table).maximum <= console.width
        yield table if fits else _blocks(rows)
    elif not status.policies:
        yield "no connection is configured"
    if status.policies:
        yield ""
        yield Text("traps and shunts", style="bold")
        yield _policies(status.policies)
    yield from _gateway(status)
    yield from _client(status)
    yield from _certificates(status)
    yield from _footer(status)


def _client(status: DaemonStatus) -> Iterator[RenderableType]:
    """What is in force on a host that is a client."""
    client = status.answer.get("client")
    if isinstance(client, dict):
        yield Text("client", style="bold")
        yield from (Text(f"  {name} {_text(client, name)}") for name in client)


def _certificates(status: DaemonStatus) -> Iterator[RenderableType]:
    """Our own certificates, and how long they are good for."""
    certificates = status.answer.get("certificates")
    if isinstance(certificates, dict):
        yield ""
        yield Text("certificates", style="bold")
        yield from (Text(f"  {name}  {_text(certificates, name)}") for name in certificates)


def _gateway(status: DaemonStatus) -> Iterator[RenderableType]:
    """What is in force on a host that is a gateway."""
    gateway = status.answer.get("gateway")
    if not isinstance(gateway, dict):
        return
    ways = [f"{name} {gateway[name]}" for name in ("IPv4", "IPv6") if name in gateway]
    clients = counted(int(_text(gateway, "clients") or 0), "client has an address", "clients have an address")
    yield ""
    yield Text("gateway", style="bold")
    yield Text(f"  {'; '.join([*ways, clients])}")
    for name in _items(gateway, "conflicts"):
        yield Text(f"  {name}", style=colour("conflict"))


def _rows(status: DaemonStatus) -> Iterator[_Row]:
    half_open = 0
    for name, sa in _in_order(status.sas):
        if _is_half_open(sa):
            half_open += 1
            if half_open > _MOST_HALF_OPEN:
                continue
        yield _ike_row(name, sa)
        children = sorted(_sections(sa, "children"), key=_is_replaced)
        yield from (_child_row(name, child) for child in children)
    yield from (_Row(name, "idle", "", ()) for name in _items(status.answer, "idle"))


def _in_order(sas: tuple[tuple[str, Section], ...]) -> list[tuple[str, Section]]:
    """A connection's IKE SAs together, and of these what was replaced behind what has come in its place."""
    first = {name: at for at, (name, _) in reversed(list(enumerate(sas)))}
    return sorted(sas, key=lambda each: (first[each[0]], _is_replaced(each[1])))


def _ike_row(name: str, sa: Section) -> _Row:
    about = [("peer", f"{_text(sa, 'remote-id')} at {_text(sa, 'remote')}")]
    about += _session(sa)
    if _items(sa, "behind-nat"):
        sides = _items(sa, "behind-nat")
        about.append(("NAT", f"{' and '.join(sides)} {'is' if sides == ['the peer'] else 'are'} behind one"))
    if _text(sa, "waiting-for"):
        about.append(("waits for", _text(sa, "waiting-for")))
    if _items(sa, "queued"):
        about.append(("queued", ", ".join(_items(sa, "queued"))))
    about += _renewal(sa)
    if _text(sa, "next-event") not in {"", *_SHOWN_ELSEWHERE}:
        about.append(("next", f"{_text(sa, 'next-event')} in {span(_text(sa, 'next-event-in'))}"))
    if _is_replaced(sa):
        return _Row(name, _REPLACED, "", tuple(about[1:]))
    return _Row(name, _text(sa, "state"), span(_text(sa, "since")), tuple(about), _text(sa, "proposal"))


def _session(sa: Section) -> list[tuple[str, str]]:
    """A client's user, groups, addresses and kind; of a gateway, what it gave us."""
    lines = []
    if _text(sa, "user"):
        groups = f", in {' and '.join(_items(sa, 'groups'))}" if _items(sa, "groups") else ""
        lines.append(("user", f"{_text(sa, 'user')} by {_text(sa, 'method')}{groups}"))
    elif _items(sa, "groups"):
        lines.append(("groups", ", ".join(_items(sa, "groups"))))
    if _items(sa, "lent"):
        lines.append(("has", ", ".join(_items(sa, "lent"))))
    if _items(sa, "given"):
        lines.append(("we have", ", ".join(_items(sa, "given"))))
    if _items(sa, "dns"):
        domains = f" for {', '.join(_items(sa, 'domains'))}" if _items(sa, "domains") else ""
        lines.append(("DNS", ", ".join(_items(sa, "dns")) + domains))
    if _text(sa, "client"):
        lines.append(("client", _text(sa, "client")))
    if _items(sa, "quirks"):
        lines.append(("quirks", ", ".join(_items(sa, "quirks"))))
    return lines


def _child_row(connection: str, child: Section) -> _Row:
    about = [("selectors", _selectors(_items(child, "local-ts"), _items(child, "remote-ts")))]
    words = ["transport mode"] if _text(child, "mode") == "transport" else []
    words += ["in UDP"] if _text(child, "encap") == "yes" else []
    if words:
        about.append(("ESP", ", ".join(words)))
    about += _renewal(child)
    inbound, outbound = (
        f"{octets(_text(child, f'bytes-{side}'))}, {_text(child, f'packets-{side}')} pkt" for side in ("in", "out")
    )
    name = f"{connection}/{_text(child, 'name')}"
    if _is_replaced(child):
        return _Row(name, _REPLACED, "", (), "", inbound, outbound)
    return _Row(
        name,
        _text(child, "state"),
        span(_text(child, "since")),
        tuple(about),
        _text(child, "proposal"),
        inbound,
        outbound,
    )


def _renewal(sa: Section) -> list[tuple[str, str]]:
    """When an IKE SA or child gets new keys, or is made anew; nothing where that is under way, or never comes."""
    words = []
    rekey, reauth, life = (_text(sa, f"{what}-in") for what in ("rekey", "reauth", "life"))
    if _text(sa, "state") in {"REKEYING", "REKEYED", "DELETING"}:
        return []
    if rekey:
        due = f"in {span(rekey)}" if rekey != "0" else "due"
        words.append(due if rekey != "0" or not life else f"due; it ends in {span(life)} if that fails")
    if reauth:
        words.append(f"reauthentication in {span(reauth)}")
    if life and not rekey:
        words.append(f"none; it ends in {span(life)}")
    return [("rekey", ", ".join(words))] if words else []


def _policies(policies: tuple[Section, ...]) -> Table:
    lines = Table.grid(padding=(0, 2, 0, 0))
    lines.add_column(no_wrap=True)
    lines.add_column(no_wrap=True)
    lines.add_column(overflow="fold")
    for policy in policies:
        selectors = f"{' '.join(_items(policy, 'local-ts'))} = {' '.join(_items(policy, 'remote-ts'))}"
        kind = _POLICY_WORDS.get(_text(policy, "mode"), "trap")
        lines.add_row(Text(f"{_text(policy, 'ike')}/{_text(policy, 'child')}"), kind, Text(selectors))
    return lines


def _table(rows: list[_Row]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for title in _COLUMNS:
        table.add_column(title, justify="right" if title in _RIGHT else "left", no_wrap=True)
    for row in rows:
        about = "\n".join(words if what in _OBVIOUS else f"{what}: {words}" for what, words in row.about)
        table.add_row(
            Text(row.name),
            Text(row.state, style=colour(row.state)),
            Text(row.since),
            Text(about),
            *map(Text, (row.proposal, row.inbound, row.outbound)),
        )
    return table


def _blocks(rows: list[_Row]) -> Table:
    blocks = Table.grid()
    blocks.add_column(overflow="fold")
    for at, row in enumerate(rows):
        if at and not row.is_child:
            blocks.add_row("")
        heading = Text.assemble(row.name, "  ", (row.state, colour(row.state)))
        blocks.add_row(heading.append(f" for {row.since}") if row.since else heading)
        lines = Table.grid(padding=(0, 2, 0, 0))
        lines.add_column(style="bright_black", min_width=_LABEL, no_wrap=True)
        lines.add_column(overflow="fold")
        about = [*row.about, ("proposal", row.proposal)]
        if row.is_child:
            about += [("in, out", f"{row.inbound}; {row.outbound}")]
        for what, words in about:
            if words:
                lines.add_row(what, Text(words))
        if lines.row_count:
            blocks.add_row(Padding(lines, (0, 0, 0, 2)))
    return blocks


def _footer(status: DaemonStatus) -> Iterator[RenderableType]:
    half_open = sum(_is_half_open(sa) for _, sa in status.sas)
    if half_open > _MOST_HALF_OPEN:
        more = half_open - _MOST_HALF_OPEN
        yield ""
        yield f"{counted(more, 'IKE SA', 'IKE SAs')} more that peers have begun and not authenticated"
    drops = status.answer.get("drops", {})
    if isinstance(drops, dict) and drops:
        yield ""
        yield Text("dropped datagrams: " + "; ".join(f"{count} {reason}" for reason, count in drops.items()))


def _is_replaced(sa: Section) -> bool:
    return _text(sa, "state") == "REKEYED" or _text(sa, "replaced") == "yes"


def _is_half_open(sa: Section) -> bool:
    return _text(sa, "state") == "CONNECTING" and _text(sa, "role") == "responder"


def _selectors(local: list[str], remote: list[str]) -> str:
    line = f"{' '.join(local)} = {' '.join(remote)}"
    if len(line) <= _SELECTORS_LINE:
        return line
    pairs = enumerate(zip_longest(local, remote, fillvalue=""))
    width = max(map(len, local), default=0)
    return "\n".join(f"{ours:{width}} {' ' if at else '='} {theirs}".rstrip() for at, (ours, theirs) in pairs)


def _sections(section: Section, key: str) -> list[Section]:
    found = section.get(key, {})
    return [each for each in found.values() if isinstance(each, dict)] if isinstance(found, dict) else []


def _items(section: Section, key: str) -> list[str]:
    value = section.get(key, [])
    return value if isinstance(value, list) else []


def _text(section: Section, key: str) -> str:
    value = section.get(key, "")
    return escaped(value) if isinstance(value, str) else ""
