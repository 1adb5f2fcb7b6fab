"""The table of `ikepy status`: a line for each connection, under it one for each child.

Rule 1: it reads the same at 80 columns, at 140, and in a pipe; words are wrapped, never cut.
Not here: asking the daemon (program.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table

from ikepy.control.codec import Section

_WIDE = 120
_KIB = 1024
_COLOURS = {"ESTABLISHED": "green", "CONNECTING": "yellow", "DELETING": "yellow", "INSTALLED": "green", "idle": "dim"}


@dataclass(frozen=True, slots=True)
class DaemonStatus:
    """What a daemon answered."""

    name: str
    answer: Section
    sas: tuple[tuple[str, Section], ...]

    def as_json(self) -> dict[str, object]:
        """The same for `--json`."""
        sas = [{"connection": name, **section} for name, section in self.sas]
        return {"daemon": self.name, **self.answer, "sas": sas}


def make_tables(status: DaemonStatus, *, named: bool, width: int) -> Iterator[RenderableType]:
    """All that is printed of one daemon."""
    if named:
        yield f"[bold]{escape(status.name)}[/] (pid {_text(status.answer, 'pid')})"
    idle = status.answer.get("idle", [])
    if not status.sas and not idle:
        yield "no connections are configured"
        return
    connections = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for title in ("connection", "peer", "state", "since", "proposal", "next event"):
        connections.add_column(title, overflow="fold")
    for name, sa in status.sas:
        connections.add_row(
            escape(name),
            escape(f"{_text(sa, 'remote-id')} at {_text(sa, 'remote')}"),
            _state(_text(sa, "state"), _text(sa, "waiting-for")),
            span(_text(sa, "since")),
            escape(_foldable(_text(sa, "proposal"))),
            _next_event(sa),
        )
    for name in idle if isinstance(idle, list) else []:
        connections.add_row(escape(name), "", _state("idle", ""), "", "", "")
    yield connections
    children = [(name, child) for name, sa in status.sas for child in _children(sa)]
    if children:
        yield ""
        yield _child_table(children, wide=width >= _WIDE)


def _child_table(children: list[tuple[str, Section]], *, wide: bool) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    titles = ["child", "state", "selectors", "proposal", "SPI in/out", "in", "out"] if wide else ["child", "selectors", "in", "out"]
    for title in titles:
        right = title in {"in", "out"}
        table.add_column(title, overflow="fold", justify="right" if right else "left", no_wrap=right)
    for connection, child in children:
        selectors = f"{_listed(child, 'local-ts')} = {_listed(child, 'remote-ts')}"
        counters = [
            f"{octets(_text(child, f'bytes-{side}'))}, {_text(child, f'packets-{side}')} pkt" for side in ("in", "out")
        ]
        name = escape(f"{connection}/{_text(child, 'name')}")
        if not wide:
            table.add_row(name, escape(selectors), *counters)
            continue
        words = [_text(child, "mode"), *(["in UDP"] if _text(child, "encap") == "yes" else [])]
        state = f"{_state(_text(child, 'state'), '')} {span(_text(child, 'since'))}, {', '.join(words)}"
        spis = f"{_text(child, 'spi-in')} {_text(child, 'spi-out')}"
        table.add_row(name, state, escape(selectors), escape(_foldable(_text(child, "proposal"))), spis, *counters)
    return table


def span(seconds: str) -> str:
    """`51 min`, `3 h 05 min`, `2 d 4 h`."""
    if not seconds.isdigit():
        return ""
    total = int(seconds)
    if total < 60:  # noqa: PLR2004
        return f"{total} s"
    if total < 3600:  # noqa: PLR2004
        return f"{total // 60} min"
    if total < 86400:  # noqa: PLR2004
        return f"{total // 3600} h {total % 3600 // 60:02} min"
    return f"{total // 86400} d {total % 86400 // 3600} h"


def octets(count: str) -> str:
    """`840 B`, `12.3 KiB`, `4.0 MiB`."""
    number = float(count) if count.isdigit() else 0.0
    for unit in ("B", "KiB", "MiB", "GiB"):
        if number < _KIB:
            return f"{number:.0f} B" if unit == "B" else f"{number:.1f} {unit}"
        number /= _KIB
    return f"{number:.1f} TiB"


def _next_event(sa: Section) -> str:
    if not _text(sa, "next-event"):
        return ""
    return f"{escape(_text(sa, 'next-event'))} in {span(_text(sa, 'next-event-in'))}"


def _state(state: str, waiting_for: str) -> str:
    colour = _COLOURS.get(state, "default")
    words = f"[{colour}]{escape(state)}[/]"
    return f"{words}: waits for {escape(waiting_for)}" if waiting_for else words


def _foldable(proposal: str) -> str:
    return proposal.replace("/", " ")


def _children(sa: Section) -> list[Section]:
    children = sa.get("children", {})
    return [child for child in children.values() if isinstance(child, dict)] if isinstance(children, dict) else []


def _listed(section: Section, key: str) -> str:
    value = section.get(key, [])
    return " ".join(value) if isinstance(value, list) else ""


def _text(section: Section, key: str) -> str:
    value = section.get(key, "")
    return value if isinstance(value, str) else ""
