"""ikepy user: who may come in with a password, kept in the file that `daemon.users_file` names.

    ikepy user add alice --conf office.conf --group staff --expires 2026-12-31
    ikepy user passwd | disable | enable | remove | list

Rule 1: a password comes by prompt or on standard input, never on the command line, where all can see it.
Rule 2: what is kept is a hash: the NT hash, which EAP-MSCHAPv2 needs, or with --scrypt one that is hard to guess from.
Rule 3: a running daemon is told nothing: it sees that the file changed.
Not here: the file (auth/users_file.py).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TypedDict, TypeVar

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from ikepy.auth.users_file import changing, read_users
from ikepy.cli.errors import CommandFailed
from ikepy.cli.find import Meant
from ikepy.config.access import UserConfig
from ikepy.config.access_values import check_password, check_user_name, parse_day
from ikepy.config.errors import Unfit, did_you_mean
from ikepy.config.load import load
from ikepy.config.model import Config
from ikepy.crypto.entropy import SystemEntropy
from ikepy.crypto.password import make_scrypt_hash, nt_hash

_PATH = click.Path(dir_okay=False, path_type=Path)
_SALT_OCTETS = 16
_MOST_LINE = 4096

Command = TypeVar("Command", bound=Callable[..., int])


def _of_a_file(command: Command) -> Command:
    """Let a command say which file of users is meant."""
    command = click.option("--file", type=_PATH, help="The file of users itself.")(command)
    return click.option("--conf", type=_PATH, help="The configuration whose users_file it is.")(command)


def _with_password(command: Command) -> Command:
    """Let a command take a password."""
    command = click.option("--scrypt", is_flag=True, help="Keep a scrypt hash: for EAP-GTC and TTLS with PAP only.")(
        command
    )
    return click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")(command)


@click.group()
def user() -> None:
    """Keep the users who come in with a password.

    In the file that users_file under [daemon] names. A running daemon sees each change at once.
    """


@user.command()
@click.argument("name")
@click.option("--group", "groups", multiple=True, help="A group the user belongs to; may be given several times.")
@click.option("--expires", metavar="DAY", help="The user's last day (UTC), as 2026-12-31.")
@click.option("--no-password", is_flag=True, help="Only a certificate lets the user in (EAP-TLS).")
@_with_password
@_of_a_file
@click.pass_obj
def add(
    before: Meant,
    name: str,
    groups: tuple[str, ...],
    expires: str | None,
    no_password: bool,  # noqa: FBT001 - click's calling convention
    password_stdin: bool,  # noqa: FBT001 - click's calling convention
    scrypt: bool,  # noqa: FBT001 - click's calling convention
    conf: Path | None,
    file: Path | None,
) -> int:
    """Add a user."""
    if no_password and (password_stdin or scrypt):
        raise click.UsageError("--no-password goes with neither --password-stdin nor --scrypt")
    with _worded():
        fresh = UserConfig(check_user_name(name), groups=groups, expires=parse_day(expires) if expires else None)
    path, config = _file_of(before, conf, file)
    _check_known(fresh, config)
    if any(each.name == name for each in read_users(path)[0]):
        raise CommandFailed(f"the user {name} is there already: change the password with `ikepy user passwd {name}`")
    if not no_password:
        fresh = _with_hash(fresh, _ask_password(from_stdin=password_stdin), scrypt=scrypt)
    with changing(path) as users:
        if users.setdefault(name, fresh) is not fresh:
            raise CommandFailed(f"the user {name} is there already: somebody else has just added it")
    click.echo(f"{name} is added to {path}")
    return 0


@user.command()
@click.argument("name")
@_with_password
@_of_a_file
@click.pass_obj
def passwd(
    before: Meant,
    name: str,
    password_stdin: bool,  # noqa: FBT001 - click's calling convention
    scrypt: bool,  # noqa: FBT001 - click's calling convention
    conf: Path | None,
    file: Path | None,
) -> int:
    """Give a user another password."""
    path, _ = _file_of(before, conf, file)
    _find(path, {each.name: each for each in read_users(path)[0]}, name)
    password = _ask_password(from_stdin=password_stdin)
    with changing(path) as users:
        users[name] = _with_hash(_find(path, users, name), password, scrypt=scrypt)
    click.echo(f"{name} has a new password")
    return 0


@user.command()
@click.argument("name")
@_of_a_file
@click.pass_obj
def disable(before: Meant, name: str, conf: Path | None, file: Path | None) -> int:
    """Keep a user out; sessions end."""
    return _switch(_file_of(before, conf, file)[0], name, disabled=True)


@user.command()
@click.argument("name")
@_of_a_file
@click.pass_obj
def enable(before: Meant, name: str, conf: Path | None, file: Path | None) -> int:
    """Let a user in again who was disabled."""
    return _switch(_file_of(before, conf, file)[0], name, disabled=False)


@user.command()
@click.argument("name")
@_of_a_file
@click.pass_obj
def remove(before: Meant, name: str, conf: Path | None, file: Path | None) -> int:
    """Remove a user; sessions end."""
    path, _ = _file_of(before, conf, file)
    with changing(path) as users:
        del users[_find(path, users, name).name]
    click.echo(f"{name} is removed")
    return 0


@user.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="Print everything but the hashes as JSON.")
@_of_a_file
@click.pass_obj
def list_users(before: Meant, conf: Path | None, file: Path | None, as_json: bool) -> int:  # noqa: FBT001 - click's calling convention
    """List the users of the file and those of the configuration."""
    path, config = _file_of(before, conf, file)
    users = [*(config.users if config is not None else ()), *read_users(path)[0]]
    rows = [_row(each, datetime.now(UTC).date()) for each in sorted(users, key=lambda each: each.name)]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return 0
    table = Table("NAME", "STATE", "PASSWORD", "GROUPS", "EXPIRES", box=SIMPLE_HEAD, pad_edge=False)
    for row in rows:
        table.add_row(row["name"], row["state"], row["password"], ", ".join(row["groups"]), row["expires"])
    console = Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else 10_000)
    with console.capture() as printed:
        console.print(table)
    click.echo("\n".join(line.rstrip() for line in printed.get().splitlines() if line.strip()))
    return 0


class _Row(TypedDict):
    """What is shown of a user."""

    name: str
    state: str
    password: str
    groups: list[str]
    expires: str


def _row(each: UserConfig, today: date) -> _Row:
    expired = each.expires is not None and today > each.expires
    hashes = (("NT hash", each.nt_hash), ("scrypt", each.scrypt), ("plain", each.password))
    return {
        "name": each.name,
        "state": "disabled" if each.disabled else "expired" if expired else "active",
        "password": ", ".join(word for word, value in hashes if value is not None) or "none",
        "groups": list(each.groups),
        "expires": each.expires.isoformat() if each.expires is not None else "",
    }


def _switch(path: Path, name: str, *, disabled: bool) -> int:
    with changing(path) as users:
        users[name] = replace(_find(path, users, name), disabled=disabled)
    click.echo(f"{name} is {'disabled' if disabled else 'enabled'}")
    return 0


def _file_of(before: Meant, conf: Path | None, file: Path | None) -> tuple[Path, Config | None]:
    """Which file of users is meant, and the configuration where one is named."""
    conf = conf or before.conf
    if file is not None and conf is None:
        return file, None
    if conf is None:
        raise CommandFailed("whose users? name the configuration with --conf FILE, or the file of users with --file")
    config = load(conf).config
    path = file or config.daemon.users_file
    if path is None:
        raise CommandFailed(f'{conf} names no file of users: add users_file = "users.jsonl" under [daemon]')
    return path, config


def _check_known(fresh: UserConfig, config: Config | None) -> None:
    if config is None:
        return
    if any(each.name == fresh.name for each in config.users):
        raise CommandFailed(f"the user {fresh.name} is in the configuration, under [users]: change it there")
    known = [group.name for group in config.groups]
    for group in fresh.groups:
        if group not in known:
            remedy = did_you_mean(group, known) or f"add [groups.{group}] to the configuration"
            raise CommandFailed(f"there is no group {group}: {remedy}")


def _find(path: Path, users: dict[str, UserConfig], name: str) -> UserConfig:
    if name not in users:
        remedy = did_you_mean(name, users) if users else "it has no users"
        raise CommandFailed(f"there is no user {name} in {path}: {remedy}")
    return users[name]


def _ask_password(*, from_stdin: bool) -> str:
    """Ask for a password, twice, or take the first line of standard input."""
    if from_stdin:
        password = sys.stdin.readline(_MOST_LINE).removesuffix("\n").removesuffix("\r")
    elif sys.stdin.isatty():
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    else:
        raise CommandFailed("there is no terminal to ask for the password: give it with --password-stdin")
    with _worded():
        return check_password(password)


def _with_hash(each: UserConfig, password: str, *, scrypt: bool) -> UserConfig:
    if scrypt:
        made = make_scrypt_hash(password.encode(), SystemEntropy().octets(_SALT_OCTETS))
        return replace(each, nt_hash=None, scrypt=made)
    return replace(each, nt_hash=nt_hash(password), scrypt=None)


@contextmanager
def _worded() -> Iterator[None]:
    try:
        yield
    except Unfit as fault:
        raise CommandFailed(str(fault)) from None
