"""ikepy pki: a CA of one's own, certificates of gateways and clients, and a list of those that count no more.

    ikepy pki init "Example CA"
    ikepy pki server vpn.example.com 203.0.113.1
    ikepy pki client alice
    ikepy pki revoke alice --reason keyCompromise
    ikepy pki crl | list | show [FILE or NAME] | import FILE --key FILE

Rule 1: a passphrase comes by prompt, from a file, or from IKEPY_PKI_PASSPHRASE; never on the command line.
Not here: certificates (pki/), files for clients (profile.py).
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from ikepy.cli.errors import CommandFailed
from ikepy.crypto.secret import Secret
from ikepy.pki.errors import PkiError
from ikepy.pki.index import REASONS, Entry
from ikepy.pki.loading import PasswordWanted, load_authority
from ikepy.pki.making import WHO_CANNOT, KeyKind
from ikepy.pki.showing import read_certificates
from ikepy.pki.showing import show as show_lines
from ikepy.pki.store import AUTHORITY_DAYS, CLIENT_DAYS, CRL_DAYS, SERVER_DAYS, Pki, utc_now

DEFAULT_DIRECTORY = Path("/etc/ikepy/pki")
VARIABLE = "IKEPY_PKI_PASSPHRASE"
_LEAST_PASSPHRASE = 8
_SOON = 21
_SHOWN_DIGITS = 16
"""Of a serial number; `revoke` and `show` take so many."""
_DIRECTORY = click.Path(file_okay=False, path_type=Path)
_FILE = click.Path(dir_okay=False, path_type=Path)
_KINDS = click.Choice([kind.value for kind in KeyKind])

Command = TypeVar("Command", bound=Callable[..., int])


def _in_a_directory(command: Command) -> Command:
    command = click.option("--passphrase-file", type=_FILE, help="Holds what the CA's key is encrypted with.")(command)
    return click.option(
        "--dir", "directory", type=_DIRECTORY, default=DEFAULT_DIRECTORY, show_default=True, help="Where all of it is."
    )(command)


def _issuing(days: int) -> Callable[[Command], Command]:
    def add(command: Command) -> Command:
        command = click.option("--renew", is_flag=True, help="In place of one that is there, with its key.")(command)
        command = click.option(
            "--key", "kind", type=_KINDS, default="rsa", show_default=True, help="What its key is of."
        )(command)
        return click.option("--days", type=click.IntRange(1, 9000), default=days, show_default=True)(command)

    return add


@click.group()
def pki() -> None:
    """Make and keep certificates: a CA, gateways, clients, and what is revoked."""


@pki.command()
@click.argument("name")
@click.option("--key", "kind", type=_KINDS, default="rsa", show_default=True, help="What its key is of.")
@click.option("--days", type=click.IntRange(1, 20000), default=AUTHORITY_DAYS, show_default=True)
@click.option("--encrypt", is_flag=True, help="Encrypt the CA's key with a passphrase.")
@click.option("--crl-url", help="http://... where its CRL will be; it is written into certificates.")
@click.option("--ocsp-url", help="http://... of its OCSP responder.")
@_in_a_directory
def init(
    name: str,
    kind: str,
    days: int,
    encrypt: bool,  # noqa: FBT001 - click's calling convention
    crl_url: str | None,
    ocsp_url: str | None,
    directory: Path,
    passphrase_file: Path | None,
) -> int:
    """Make a CA, called NAME."""
    secret = _new_passphrase(passphrase_file) if encrypt or passphrase_file is not None else None
    with _worded():
        made = Pki(directory)
        made.init(name, KeyKind(kind), days=days, encrypt=secret, crl_url=crl_url, ocsp_url=ocsp_url)
    click.echo(
        f"{made.authority_file} is the CA; clients need it. {directory / 'ca.key'} is its key: keep a copy off this machine."
    )
    _warn(kind)
    return 0


@pki.command()
@click.argument("names", nargs=-1, required=True)
@_issuing(SERVER_DAYS)
@_in_a_directory
def server(
    names: tuple[str, ...],
    kind: str,
    days: int,
    renew: bool,  # noqa: FBT001 - click's calling convention
    directory: Path,
    passphrase_file: Path | None,
) -> int:
    """Issue the certificate of a gateway, for the NAMES and addresses that people type in."""
    with _worded():
        entry = _opened(directory, passphrase_file).issue_server(names, KeyKind(kind), days=days, renew=renew)
    _say_issued(directory, entry.file, entry.until.date().isoformat())
    _warn(kind)
    return 0


@pki.command()
@click.argument("name")
@_issuing(CLIENT_DAYS)
@_in_a_directory
def client(
    name: str,
    kind: str,
    days: int,
    renew: bool,  # noqa: FBT001 - click's calling convention
    directory: Path,
    passphrase_file: Path | None,
) -> int:
    """Issue the certificate of a client: a user's NAME, or their address of mail."""
    with _worded():
        entry = _opened(directory, passphrase_file).issue_client(name, KeyKind(kind), days=days, renew=renew)
    _say_issued(directory, entry.file, entry.until.date().isoformat())
    return 0


@pki.command()
@click.argument("which")
@click.option("--reason", type=click.Choice(list(REASONS)), default="unspecified", show_default=True)
@_in_a_directory
def revoke(which: str, reason: str, directory: Path, passphrase_file: Path | None) -> int:
    """Revoke a certificate, by its name, its file or its serial number, and make the CRL."""
    with _worded():
        entry = _opened(directory, passphrase_file).revoke(which, reason)
    click.echo(
        f"{entry.file}, serial {entry.serial:X}, is revoked; {directory / 'crl.pem'} says so: gateways read it anew"
    )
    return 0


@pki.command()
@click.option("--days", type=click.IntRange(1, 3650), default=CRL_DAYS, show_default=True, help="Until the next one.")
@_in_a_directory
def crl(days: int, directory: Path, passphrase_file: Path | None) -> int:
    """Make the CRL anew: before its days are over."""
    with _worded():
        made = _opened(directory, passphrase_file).make_crl(days)
    click.echo(f"{directory / 'crl.pem'}: {len(made)} revoked, next one by {made.next_update_utc:%Y-%m-%d}")
    return 0


@pki.command("list")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@_in_a_directory
def list_(as_json: bool, directory: Path, passphrase_file: Path | None) -> int:  # noqa: ARG001, FBT001 - click's
    """List what was issued, and how many days are left."""
    with _worded():
        made = Pki(directory)
        entries, now = made.entries(), made.now()
    if as_json:
        rows = [
            {
                "serial": f"{each.serial:X}",
                "subject": each.subject,
                "file": each.file,
                "state": each.state(now),
                "until": each.until.isoformat(),
                "reason": each.revoked[1] if each.revoked is not None else None,
            }
            for each in entries
        ]
        click.echo(json.dumps(rows, indent=1))
        return 0
    table = Table(box=SIMPLE_HEAD)
    for column in ("name", "state", "days left", "serial"):
        table.add_column(column, overflow="fold", no_wrap=column != "name")
    for each in entries:
        state, left = each.state(now), each.days_left(now)
        colour = "red" if state != "valid" else "yellow" if left <= _SOON else ""
        words = f"{state} ({each.revoked[1]})" if each.revoked is not None else state
        serial = f"{each.serial:X}"[:_SHOWN_DIGITS]
        table.add_row(_name_of(each), words, str(left) if state == "valid" else "", serial, style=colour)
    Console(highlight=False, markup=False).print(table if entries else "nothing was issued so far")
    return 0


@pki.command()
@click.argument("which", required=False)
@_in_a_directory
def show(which: str | None, directory: Path, passphrase_file: Path | None) -> int:  # noqa: ARG001 - click's
    """Show a certificate: a file, a name that was issued, or the CA."""
    with _worded():
        if which is None:
            path = directory / "ca.pem"
        elif Path(which).is_file():
            path = Path(which)
        else:
            path = directory / Pki(directory).find(which).file
        try:
            octets = path.read_bytes()
        except OSError as error:
            raise CommandFailed(f"{path} cannot be read: {error.strerror}") from error
        shown = [show_lines(each, utc_now()) for each in read_certificates(octets)]
    click.echo("\n\n".join("\n".join(lines) for lines in shown))
    return 0


@pki.command("import")
@click.argument("file", type=_FILE)
@click.option("--key", "key_file", type=_FILE, help="Its private key; a PKCS#12 has both.")
@click.option("--encrypt", is_flag=True, help="Encrypt the CA's key with a passphrase.")
@_in_a_directory
def import_(
    file: Path,
    key_file: Path | None,
    encrypt: bool,  # noqa: FBT001 - click's calling convention
    directory: Path,
    passphrase_file: Path | None,
) -> int:
    """Take over a CA that was made elsewhere: PEM, DER or PKCS#12."""
    try:
        octets = file.read_bytes()
        key_octets = key_file.read_bytes() if key_file is not None else None
    except OSError as error:
        raise CommandFailed(f"{error.filename} cannot be read: {error.strerror}") from error
    with _worded():
        try:
            certificate, key = load_authority(octets, key_octets, None)
        except PasswordWanted:
            word: str = click.prompt(f"Password of {key_file or file}", hide_input=True, err=True)
            certificate, key = load_authority(octets, key_octets, Secret(word.encode()))
        secret = _new_passphrase(passphrase_file) if encrypt or passphrase_file is not None else None
        Pki(directory).adopt(certificate, key, encrypt=secret)
    click.echo(
        f"{directory / 'ca.pem'} is the CA now; what it issued before is not in its list, and cannot be revoked here"
    )
    return 0


# -- how -----------------------------------------------------------------------------------------------------------------


def _name_of(entry: Entry) -> str:
    name = Path(entry.file).stem
    return f"{name.rpartition('-')[0]} (renewed since)" if Path(entry.file).parent.name == "old" else name


def _opened(directory: Path, passphrase_file: Path | None) -> Pki:
    return Pki(directory, lambda: _passphrase(passphrase_file))


def _passphrase(path: Path | None) -> Secret:
    given = _given(path)
    return (
        given if given is not None else Secret(click.prompt("Passphrase of the CA", hide_input=True, err=True).encode())
    )


def _new_passphrase(path: Path | None) -> Secret:
    secret = _given(path)
    if secret is None:
        text = click.prompt("Passphrase of the CA", hide_input=True, confirmation_prompt=True, err=True)
        secret = Secret(text.encode())
    if len(secret) < _LEAST_PASSPHRASE:
        raise CommandFailed(f"a passphrase has {_LEAST_PASSPHRASE} characters or more")
    return secret


def _given(path: Path | None) -> Secret | None:
    """A passphrase from a file, or the environment."""
    if path is not None:
        try:
            return Secret(path.read_bytes().rstrip(b"\r\n"))
        except OSError as error:
            raise CommandFailed(f"{path} cannot be read: {error.strerror}") from error
    word = os.environ.get(VARIABLE)
    return Secret(word.encode()) if word else None


def _say_issued(directory: Path, file: str, until: str) -> None:
    key = directory / "private" / f"{Path(file).stem}.key"
    click.echo(f"{directory / file} is valid until {until}; its key is {key}")


def _warn(kind: str) -> None:
    words = WHO_CANNOT.get(KeyKind(kind))
    if words:
        click.echo(f"note: {words}", err=True)


@contextmanager
def _worded() -> Iterator[None]:
    try:
        yield
    except PkiError as error:
        raise CommandFailed(str(error)) from error
