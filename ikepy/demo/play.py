"""The demonstration as a play in six scenes, told so that a stranger can follow.

Rule 1: whatever happens - a failure, Ctrl-C, SIGTERM - daemons are ended and namespaces removed.
Rule 2: each claim is shown by somebody else's tool: ping, ip.
Not here: how a tunnel is made (everywhere else).
"""

from __future__ import annotations

import os
import re
import secrets
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from types import FrameType

import trio
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ikepy.demo.commands import DemoError, attempt, need
from ikepy.demo.daemons import Daemon, await_words, end, running
from ikepy.demo.kernel_view import kernel_states
from ikepy.demo.network import Gateway, need_root, two_networks
from ikepy.kernel.interface import KernelUnavailable
from ikepy.kernel.probe import require_esp

PINGS = 5
_SAMPLES = ("left.conf", "right.conf")
_PROTOCOL_LINE = re.compile(r"^\S+ (?P<line>[0-9a-f]{4}…[0-9a-f]{2} .*)$")
_PICTURE = """
  10.1.0.0/24 ── [bold]left[/] 192.0.2.1 ══════ ESP ══════ 192.0.2.2 [bold]right[/] ── 10.2.0.0/24
"""


def play(console: Console | None = None) -> int:
    """Show it; return the exit code: 0 where pings crossed the tunnel and nothing was left behind, else 1."""
    console = console if console is not None else Console(highlight=False)
    try:
        with _ended_by_signals():
            _play(console)
    except DemoError as error:
        console.print(f"ikepy demo: {error}", style="red", markup=False, soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        console.print("interrupted; everything is taken down again")
        return 130
    return 0


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Make the first SIGTERM or Ctrl-C end the play through every `finally`; a second one does not disturb that."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        for number in before:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    for number in before:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _play(console: Console) -> None:
    need("ip", "ping")
    need_root()
    _need_esp()
    with tempfile.TemporaryDirectory(prefix="ikepy-demo-") as directory, two_networks() as (left, right):
        scratch = Path(directory)
        _write_samples(scratch)
        _show_networks(console, left, right)
        with running(right, scratch / "right.conf", scratch) as right_daemon:
            await_words(right_daemon, "is ready")
            with running(left, scratch / "left.conf", scratch) as left_daemon:
                await_words(left_daemon, "is ready")
                try:
                    _show_tunnel(console, left_daemon, right_daemon)
                except DemoError:
                    _show_logs(console, left_daemon, right_daemon)
                    raise


def _show_tunnel(console: Console, left: Daemon, right: Daemon) -> None:
    _show_negotiation(console, left, right)
    _show_pings(console, left.gateway, right.gateway)
    _show_status(console, left, right)
    _show_kernel(console, left.gateway, right.gateway)
    _show_end(console, left, right)


def _need_esp() -> None:
    try:
        trio.run(require_esp)
    except KernelUnavailable as unavailable:
        raise DemoError(str(unavailable)) from unavailable


def _write_samples(scratch: Path) -> None:
    """Copy the packaged configurations, beside a secret that nobody has used before."""
    for name in _SAMPLES:
        (scratch / name).write_text((files("ikepy.demo") / name).read_text(encoding="utf-8"), encoding="utf-8")
    secret = scratch / "demo.secret"
    secret.touch(0o600)
    secret.write_text(secrets.token_urlsafe(32))


def _scene(console: Console, number: int, words: str) -> None:
    console.print()
    console.rule(f"[bold]{number}. {words}", align="left")


def _show_networks(console: Console, left: Gateway, right: Gateway) -> None:
    _scene(console, 1, "Two gateways on this machine, one cable, a network behind each")
    console.print(_PICTURE)
    if _ping(left, right, count=1):
        raise DemoError(f"{right.inner} answers before there is a tunnel: is another VPN running?")
    console.print(
        f"  Without a tunnel the networks do not reach each other: {right.inner} does not answer.", soft_wrap=True
    )


def _show_negotiation(console: Console, left: Daemon, right: Daemon) -> None:
    _scene(console, 2, "An ikepy daemon on each: they negotiate IKEv2 and tell the kernel")
    for daemon in (left, right):
        await_words(daemon, "installed:")
    console.print("  What the left one logged (> sent, < received):\n")
    for line in left.log_lines():
        found = _PROTOCOL_LINE.match(line)
        if found is not None:
            console.print(Text("    " + found["line"], style="cyan"), soft_wrap=True)


def _show_pings(console: Console, left: Gateway, right: Gateway) -> None:
    _scene(console, 3, "Pings across, both ways")
    for source, destination in ((left, right), (right, left)):
        answers = _ping(source, destination, count=PINGS)
        if answers != PINGS:
            raise DemoError(f"{answers} of {PINGS} pings from {source.inner} to {destination.inner} came back")
        console.print(
            f"  [green]✔[/] {source.name} {source.inner} → {destination.name} {destination.inner}: "
            f"{answers} of {PINGS} answered"
        )


def _show_status(console: Console, *daemons: Daemon) -> None:
    _scene(console, 4, "What `ikepy status` says")
    os.environ.setdefault("COLUMNS", str(console.width))
    for daemon in daemons:
        outcome = attempt(daemon.ikepy("status"))
        if outcome.returncode != 0:
            raise DemoError(f"`ikepy status` failed: {outcome.stderr.strip()}")
        console.print(f"\n  {daemon.gateway.name}")
        console.print(Text(outcome.stdout.rstrip()), soft_wrap=True)


def _show_kernel(console: Console, left: Gateway, right: Gateway) -> None:
    _scene(console, 5, "What the kernel counted (`ip -s xfrm state`)")
    table = Table(box=None, padding=(0, 1))
    for heading in ("  gateway", "from", "to", "SPI", "cipher", "packets", "octets"):
        table.add_column(heading, no_wrap=True)
    for gateway in (left, right):
        states = kernel_states(gateway)
        if sum(state.packets >= PINGS for state in states) < len((left, right)):
            raise DemoError(f"the kernel of {gateway.name} did not count the pings: they did not go through the tunnel")
        for state in states:
            table.add_row(
                f"  {gateway.name}",
                *(state.source, state.destination, state.spi, state.cipher, str(state.packets), str(state.octets)),
            )
    console.print(table)


def _show_end(console: Console, *daemons: Daemon) -> None:
    _scene(console, 6, "SIGTERM: a DELETE to the peer, and a clean kernel")
    for daemon in daemons:
        code = end(daemon)
        left_over = kernel_states(daemon.gateway)
        if code != 0 or left_over:
            raise DemoError(f"the {daemon.gateway.name} daemon ended with {code}, {len(left_over)} states left behind")
        console.print(f"  [green]✔[/] {daemon.gateway.name}: ended with exit code 0, nothing left in its kernel")
    console.print("\n  [bold green]Done: two ikepy daemons, one IKEv2 tunnel, packets encrypted by the kernel.[/]")


def _show_logs(console: Console, *daemons: Daemon) -> None:
    for daemon in daemons:
        console.print(f"\n  last lines of the {daemon.gateway.name} daemon's log:")
        for line in daemon.log_lines()[-15:]:
            console.print(Text("    " + line, style="dim"), soft_wrap=True)


def _ping(source: Gateway, destination: Gateway, *, count: int) -> int:
    """How many of `count` pings are answered."""
    outcome = attempt(source.inside("ping", "-n", "-c", str(count), "-i", "0.2", "-W", "2", destination.inner))
    found = re.search(r"(\d+) received", outcome.stdout)
    return int(found[1]) if found is not None else 0
