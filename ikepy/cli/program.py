"""The commands, as click sees them.

    ikepy --conf site.conf            run a daemon in the foreground
    ikepy --conf site.conf --check    look the configuration over and open nothing
    ikepy --conf site.conf --dry-run  show what it would change on this host, and change nothing
    ikepy cleanup                     undo what a daemon that was killed has left
    ikepy status | up | down | rekey | demo
    ikepy user add | passwd | disable | enable | remove | list
    ikepy setup gateway
    ikepy pki init | server | client | revoke | crl | list | show | import
    ikepy profile USER --for apple | windows | ... | all

Not here: users (user.py), files for clients (profile.py), certificates (pki.py), how a status looks (table.py), which daemon is meant
(find.py), errors in words (errors.py).
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import click
from rich.console import Console

from ikepy import __version__
from ikepy.auth.credentials import load_credentials
from ikepy.cli.changes import cleanup, show_changes
from ikepy.cli.errors import CommandFailed
from ikepy.cli.find import Meant, connected, only_run_directory, run_directories
from ikepy.cli.pki import pki
from ikepy.cli.profile import profile
from ikepy.cli.setup import setup
from ikepy.cli.table import DaemonStatus, make_status
from ikepy.cli.user import user
from ikepy.cli.words import counted
from ikepy.config.load import load
from ikepy.control.codec import Section
from ikepy.daemon import service
from ikepy.daemon.instance import run_directory_of

_LEVELS = ("error", "warning", "info", "debug")
_ENDLESS_LINE = 10_000
"""Columns of a pipe: a row is a line there."""
_STATUS_SECONDS = 10.0
_GRACE_SECONDS = 10.0
"""How much longer than its own timeout a command may be silent before the daemon is given up."""
_FILE = click.Path(dir_okay=False, path_type=Path)
_DIRECTORY = click.Path(file_okay=False, path_type=Path)
_SECONDS = click.IntRange(min=1)

Command = TypeVar("Command", bound=Callable[..., int])


def _of_a_daemon(command: Command) -> Command:
    """Let a command have --conf and --run-dir behind its name too."""
    command = click.option("--run-dir", type=_DIRECTORY, help="The daemon with that run directory.")(command)
    return click.option("--conf", type=_FILE, help="The daemon that runs that configuration file.")(command)


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--conf", type=_FILE, help="Configuration file (TOML in a file called .conf).")
@click.option("--run-dir", type=_DIRECTORY, help="Run directory instead of /run/ikepy/NAME.")
@click.option("--check", is_flag=True, help="Look the configuration and its files over; open nothing.")
@click.option("--dry-run", is_flag=True, help="Show what it would change on this host; change nothing.")
@click.option("--log-level", type=click.Choice(_LEVELS), help="Instead of the configuration's.")
@click.version_option(__version__, prog_name="ikepy", message="%(prog)s %(version)s")
@click.pass_context
def program(
    context: click.Context,
    conf: Path | None,
    run_dir: Path | None,
    check: bool,  # noqa: FBT001 - click's calling convention
    dry_run: bool,  # noqa: FBT001 - click's calling convention
    log_level: str | None,
) -> int:
    """Run or operate an IKEv2/IPsec daemon.

    `ikepy --conf FILE` runs one in the foreground until Ctrl-C or SIGTERM; the commands below operate one that runs.
    """
    context.obj = Meant(conf, run_dir)
    if context.invoked_subcommand is not None:
        if check or dry_run or log_level is not None:
            raise click.UsageError(
                f"--check, --dry-run and --log-level do not go with the command {context.invoked_subcommand}"
            )
        return 0
    if conf is None:
        raise click.UsageError(
            "name a configuration with --conf FILE, or a command (status, up, down, rekey, user, profile, pki, setup, cleanup, demo)"
        )
    if dry_run:
        return show_changes(conf)
    return _check(conf) if check else _run(conf, run_dir, log_level)


program.add_command(cleanup)
program.add_command(pki)
program.add_command(profile)
program.add_command(setup)
program.add_command(user)


@program.command()
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
@_of_a_daemon
@click.pass_obj
def status(before: Meant, conf: Path | None, run_dir: Path | None, as_json: bool) -> int:  # noqa: FBT001 - click's calling convention
    """Show connections, children and counters.

    Of all daemons that run, or of the one that --conf or --run-dir names.
    """
    found = [_ask_status(directory) for directory in run_directories(_meant(before, conf, run_dir))]
    if as_json:
        click.echo(json.dumps([daemon.as_json() for daemon in found], indent=2))
        return 0
    console = Console(highlight=False, width=_width())
    with console.capture() as printed:
        for at, daemon in enumerate(found):
            console.print(*([""] if at else []), *make_status(daemon, console), sep="\n")
    click.echo("\n".join(line.rstrip() for line in printed.get().splitlines()))
    return 0


@program.command()
@click.argument("connection")
@click.argument("child", required=False)
@click.option("--timeout", type=_SECONDS, default=120, show_default=True, help="Seconds to wait.")
@_of_a_daemon
@click.pass_obj
def up(before: Meant, conf: Path | None, run_dir: Path | None, connection: str, child: str | None, timeout: int) -> int:
    """Bring up a connection, or one child of it.

    Without CHILD all its children come up. Waits until it is so; progress is told on standard error.
    """
    name = _name(connection, child)
    answer = _wish("initiate", _meant(before, conf, run_dir), connection, child, timeout)
    if answer.get("success") != "yes":
        raise CommandFailed(f"{name} is not up: {answer.get('errmsg', 'no reason given')}")
    click.echo(f"{name} is up")
    return 0


@program.command()
@click.argument("connection")
@click.argument("child", required=False)
@click.option("--timeout", type=_SECONDS, default=30, show_default=True, help="Seconds to wait.")
@_of_a_daemon
@click.pass_obj
def down(
    before: Meant, conf: Path | None, run_dir: Path | None, connection: str, child: str | None, timeout: int
) -> int:
    """Take a connection down, or one child of it.

    Waits until it is so; progress is told on standard error.
    """
    name = _name(connection, child)
    answer = _wish("terminate", _meant(before, conf, run_dir), connection, child, timeout)
    if answer.get("success") != "yes" and answer.get("matches") == "0":
        raise CommandFailed(f"{name} is not up: see `ikepy status`")
    if answer.get("success") != "yes":
        raise CommandFailed(f"{name} is not down: {answer.get('errmsg', 'no reason given')}")
    click.echo(f"{name} is down")
    return 0


@program.command()
@click.argument("connection")
@click.argument("child", required=False)
@click.option("--child", "named_child", metavar="CHILD", help="The same as CHILD.")
@click.option("--reauth", is_flag=True, help="Prove anew who both sides are, and make all keys anew.")
@click.option("--timeout", type=_SECONDS, default=30, show_default=True, help="Seconds to wait.")
@_of_a_daemon
@click.pass_obj
def rekey(
    before: Meant,
    conf: Path | None,
    run_dir: Path | None,
    connection: str,
    child: str | None,
    named_child: str | None,
    reauth: bool,  # noqa: FBT001 - click's calling convention
    timeout: int,
) -> int:
    """Make new keys for a connection, or for one child of it.

    Nothing goes down meanwhile. Waits until it is so; progress is told on standard error.
    """
    if None not in (child, named_child):
        raise click.UsageError("name one child")
    child = child or named_child
    if reauth and child is not None:
        raise click.UsageError("--reauth is of a whole connection: name no child")
    name, done = _name(connection, child), "reauthenticated" if reauth else "rekeyed"
    options: Section = {"reauth": "yes"} if reauth else {}
    answer = _wish("rekey", _meant(before, conf, run_dir), connection, child, timeout, options)
    if answer.get("matches") == "0":
        raise CommandFailed(f"{name} is not up: see `ikepy status`")
    if answer.get("success") != "yes":
        raise CommandFailed(f"{name} is not {done}: {answer.get('errmsg', 'no reason given')}")
    click.echo(f"{name} is {done}")
    return 0


@program.command()
@click.argument("connection")
@click.argument("gateway")
@_of_a_daemon
@click.pass_obj
def redirect(before: Meant, conf: Path | None, run_dir: Path | None, connection: str, gateway: str) -> int:
    """Send the clients of a connection to another gateway, an address or a name.

    They go when they are connected there; who does not follow redirects stays.
    """
    with connected(only_run_directory(_meant(before, conf, run_dir)), _STATUS_SECONDS) as client:
        answer = client.call("redirect", {"ike": connection, "gateway": gateway})
    if answer.get("success") != "yes":
        raise CommandFailed(f"nobody of {connection} was sent on: {answer.get('errmsg', 'no reason given')}")
    click.echo(f"{answer['matches']} of {connection} told to go to {gateway}")
    return 0


@program.command()
@_of_a_daemon
@click.pass_obj
def reload(before: Meant, conf: Path | None, run_dir: Path | None) -> int:
    """Have keys, certificates, CAs and users read again.

    No tunnel is touched: who signs in from now on meets the new ones. Files that change are seen by themselves within half a minute.
    """
    with connected(only_run_directory(_meant(before, conf, run_dir)), _STATUS_SECONDS) as client:
        answer = client.call("ikepy-reload", {})
    if answer.get("success") != "yes":
        raise CommandFailed(f"all stays as it was: {answer.get('errmsg', 'no reason given')}")
    click.echo("read again")
    return 0


@program.command()
def demo() -> int:
    """Show a tunnel between two gateways on this machine.

    Two network namespaces, two daemons, pings across, and nothing left behind. Needs root.
    """
    from ikepy.demo.play import play  # noqa: PLC0415 - nobody else needs what it imports

    return play()


def _check(conf: Path) -> int:
    loaded = load(conf)
    credentials = load_credentials(loaded.config)
    for warning in (*loaded.warnings, *credentials.warnings):
        click.echo(f"warning: {warning}", err=True)
    connections = loaded.config.connections
    children = sum(len(connection.children) for connection in connections)
    click.echo(
        f"OK: {counted(len(connections), 'connection', 'connections')}, {counted(children, 'child', 'children')}"
    )
    return 0


def _run(conf: Path, run_dir: Path | None, log_level: str | None) -> int:
    loaded = load(conf)
    config = loaded.config
    if log_level is not None:
        config = replace(config, daemon=replace(config.daemon, log_level=log_level))
    return service.main(config, run_dir or run_directory_of(conf), loaded.warnings)


def _meant(before: Meant, conf: Path | None, run_dir: Path | None) -> Meant:
    """Which daemon: what stands behind the command's name goes before what stands in front of it."""
    return Meant(conf, run_dir) if conf is not None or run_dir is not None else before


def _wish(
    command: str, meant: Meant, connection: str, child: str | None, timeout: int, options: Section | None = None
) -> Section:
    """Ask for something and print progress until it is answered."""
    request: Section = {"ike": connection, "timeout": str(timeout * 1000)} | (options or {})
    if child is not None:
        request["child"] = child
    with connected(only_run_directory(meant), timeout + _GRACE_SECONDS) as client:
        return client.call(command, request, ("control-log",), _tell)


def _tell(_event: str, section: Section) -> None:
    click.echo(str(section.get("msg", "")), err=True)


def _ask_status(directory: Path) -> DaemonStatus:
    heard: dict[str, list[tuple[str, Section]]] = {"ikepy-sa": [], "ikepy-policy": []}

    def take(event: str, section: Section) -> None:
        heard[event].extend((name, body) for name, body in section.items() if isinstance(body, dict))

    with connected(directory, _STATUS_SECONDS) as client:
        answer = client.call("ikepy-status", {}, tuple(heard), take)
    policies = tuple(body for _, body in heard["ikepy-policy"])
    return DaemonStatus(str(directory), answer, tuple(heard["ikepy-sa"]), policies)


def _width() -> int | None:
    """The columns to print for: the screen's, what COLUMNS says, or of a pipe as many as it takes."""
    return None if sys.stdout.isatty() or os.environ.get("COLUMNS") else _ENDLESS_LINE


def _name(connection: str, child: str | None) -> str:
    return connection if child is None else f"{connection}/{child}"
