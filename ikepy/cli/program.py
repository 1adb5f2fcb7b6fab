"""The commands, as click sees them.

    ikepy --conf site.conf            run a daemon in the foreground
    ikepy --conf site.conf --check    look the configuration over and open nothing
    ikepy status | up | down | demo

Not here: how a table looks (table.py), which daemon is meant (find.py).
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import click
from rich.console import Console

from ikepy import __version__
from ikepy.auth.credentials import load_credentials
from ikepy.cli.errors import CommandFailed
from ikepy.cli.find import connected, only_run_directory, run_directories
from ikepy.cli.table import DaemonStatus, make_tables
from ikepy.config.load import load
from ikepy.control.codec import Section
from ikepy.daemon import service
from ikepy.daemon.instance import run_directory_of

_LEVELS = ("error", "warning", "info", "debug")
_PIPE_WIDTH = 140
_STATUS_SECONDS = 10.0
_FILE = click.Path(dir_okay=False, path_type=Path)


class _Meant:
    """Which daemon the options before the command name."""

    def __init__(self, conf: Path | None, run_dir: Path | None) -> None:
        self.conf, self.run_dir = conf, run_dir


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--conf", type=_FILE, help="Configuration file (TOML in a file called .conf).")
@click.option("--run-dir", type=click.Path(file_okay=False, path_type=Path), help="Run directory instead of /run/ikepy/NAME.")
@click.option("--check", is_flag=True, help="Look the configuration and its files over; open nothing.")
@click.option("--log-level", type=click.Choice(_LEVELS), help="Instead of the configuration's.")
@click.version_option(__version__, prog_name="ikepy", message="%(prog)s %(version)s")
@click.pass_context
def program(context: click.Context, conf: Path | None, run_dir: Path | None, check: bool, log_level: str | None) -> int:  # noqa: FBT001
    """An IKEv2/IPsec daemon. `ikepy --conf FILE` runs it in the foreground; the commands below operate one that runs."""
    context.obj = _Meant(conf, run_dir)
    if context.invoked_subcommand is not None:
        return 0
    if conf is None:
        raise click.UsageError("name a configuration with --conf FILE, or a command (status, up, down, demo)")
    return _check(conf) if check else _run(conf, run_dir, log_level)


@program.command()
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
@click.pass_obj
def status(meant: _Meant, as_json: bool) -> int:  # noqa: FBT001
    """Show connections, their state, children and counters."""
    found = [_ask_status(directory) for directory in run_directories(meant.conf, meant.run_dir)]
    if as_json:
        click.echo(json.dumps([daemon.as_json() for daemon in found], indent=2))
        return 0
    console = Console(highlight=False, width=None if sys.stdout.isatty() else _width_of_pipe())
    for daemon in found:
        for part in make_tables(daemon, named=len(found) > 1, width=console.width):
            console.print(part, soft_wrap=False)
    return 0


@program.command()
@click.argument("connection")
@click.argument("child", required=False)
@click.option("--timeout", type=float, default=120.0, show_default=True, help="Seconds to wait.")
@click.pass_obj
def up(meant: _Meant, connection: str, child: str | None, timeout: float) -> int:
    """Bring up a connection with all its children, or one CHILD of it."""
    request: Section = {"ike": connection, "timeout": str(int(timeout * 1000))}
    if child is not None:
        request["child"] = child
    with connected(only_run_directory(meant.conf, meant.run_dir)) as client:
        answer = client.call("initiate", request, ("control-log",), _tell)
    if answer.get("success") != "yes":
        raise CommandFailed(f"{connection} is not up: {answer.get('errmsg', 'no reason given')}")
    click.echo(f"{connection}{f' {child}' if child else ''} is up")
    return 0


@program.command()
@click.argument("connection")
@click.argument("child", required=False)
@click.option("--timeout", type=float, default=30.0, show_default=True, help="Seconds to wait.")
@click.pass_obj
def down(meant: _Meant, connection: str, child: str | None, timeout: float) -> int:
    """Take a connection down, or one CHILD of it."""
    request: Section = {"ike": connection, "timeout": str(int(timeout * 1000))}
    if child is not None:
        request["child"] = child
    with connected(only_run_directory(meant.conf, meant.run_dir)) as client:
        answer = client.call("terminate", request, ("control-log",), _tell)
    if answer.get("success") != "yes":
        raise CommandFailed(f"{connection} is not down: {answer.get('errmsg', 'no reason given')}")
    click.echo(f"{connection}{f' {child}' if child else ''} is down")
    return 0


@program.command()
def demo() -> int:
    """Show two gateways on this machine, a tunnel between them and packets through it (needs root)."""
    from ikepy.demo.play import play  # noqa: PLC0415 - nobody else needs what it imports

    return play()


def _check(conf: Path) -> int:
    loaded = load(conf)
    credentials = load_credentials(loaded.config)
    for warning in (*loaded.warnings, *credentials.warnings):
        click.echo(f"warning: {warning}", err=True)
    connections = loaded.config.connections
    children = sum(len(connection.children) for connection in connections)
    click.echo(f"{conf}: OK, {_counted(len(connections), 'connection', 'connections')}, {_counted(children, 'child', 'children')}")
    return 0


def _run(conf: Path, run_dir: Path | None, log_level: str | None) -> int:
    loaded = load(conf)
    config = loaded.config
    if log_level is not None:
        config = replace(config, daemon=replace(config.daemon, log_level=log_level))
    return service.main(config, run_dir or run_directory_of(conf), loaded.warnings)


def _ask_status(directory: Path) -> DaemonStatus:
    sas: list[tuple[str, Section]] = []

    def take(_name: str, section: Section) -> None:
        sas.extend((name, body) for name, body in section.items() if isinstance(body, dict))

    with connected(directory, _STATUS_SECONDS) as client:
        answer = client.call("ikepy-status", {}, ("ikepy-sa",), take)
    return DaemonStatus(directory.name, answer, tuple(sas))


def _tell(_name: str, section: Section) -> None:
    click.echo(str(section.get("msg", "")), err=True)


def _width_of_pipe() -> int | None:
    import os  # noqa: PLC0415

    return None if os.environ.get("COLUMNS") else _PIPE_WIDTH


def _counted(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"
