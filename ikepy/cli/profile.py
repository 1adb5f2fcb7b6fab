"""ikepy profile: the files that set up a user's devices, from the gateway's own configuration.

    ikepy profile alice --for apple --for windows --conf office.conf --out profiles
    ikepy profile carol --for all --cert carol.pem --key carol-key.pem --conf office.conf --out profiles

Rule 1: no password is in a file unless --with-password asks for it; it comes by prompt or on standard input.
Rule 2: a platform that cannot do what the gateway asks is an error where it was named, and is told of with `all`.
Not here: what is in the files (profiles/).
"""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import click

from ikepy.auth.files import load_certificates, load_private_key_file
from ikepy.auth.users_file import read_users
from ikepy.cli.errors import CommandFailed
from ikepy.cli.find import Meant
from ikepy.config.access import UserConfig
from ikepy.config.access_values import check_password, check_user_name
from ikepy.config.errors import Unfit
from ikepy.config.load import load
from ikepy.config.model import Config
from ikepy.crypto.entropy import SystemEntropy
from ikepy.crypto.password import nt_hash
from ikepy.crypto.secret import Secret
from ikepy.profiles.authority import ProfileError
from ikepy.profiles.bundle import Bundle, Options, make_bundle, write_bundle
from ikepy.profiles.facts import SignIn
from ikepy.profiles.gather import Gathered, gather
from ikepy.profiles.guides import Platform
from ikepy.profiles.packing import load_signer, make_password, pack
from ikepy.profiles.qr import terminal
from ikepy.profiles.wishes import Wishes

_FILE = click.Path(dir_okay=False, path_type=Path)
_DIRECTORY = click.Path(file_okay=False, path_type=Path)
_ALL = "all"
_MOST_LINE = 4096


@click.command()
@click.argument("user")
@click.option(
    "--for", "words", multiple=True, required=True, type=click.Choice([*(each.value for each in Platform), _ALL])
)
@click.option("--conf", type=_FILE, help="The gateway's configuration.")
@click.option("--out", type=_DIRECTORY, required=True, help="Directory the files are written to.")
@click.option("--connection", help="The connection the user comes in by, where several let users in.")
@click.option("--server", help="Name or address clients go to, instead of the gateway's local id.")
@click.option(
    "--ca", "authority", type=_FILE, help="CA of the gateway's certificate, where the configuration lacks it."
)
@click.option("--cert", type=_FILE, help="The user's certificate, with those above it, for sign-in by certificate.")
@click.option("--key", type=_FILE, help="Its private key.")
@click.option("--with-password", is_flag=True, help="Put the password, or the pre-shared key, into the files.")
@click.option("--password-stdin", is_flag=True, help="Read that password from standard input.")
@click.option("--on-demand", is_flag=True, help="Apple: connect whenever there is a network.")
@click.option("--sign-cert", type=_FILE, help="Apple: sign the profile with this certificate.")
@click.option("--sign-key", type=_FILE, help="Its private key.")
@click.option("--url", help="Where the user can fetch a profile, for the QR code.")
@click.option("--qr", is_flag=True, help="Show the QR code in the terminal.")
@click.pass_obj
def profile(
    before: Meant,
    user: str,
    words: tuple[str, ...],
    conf: Path | None,
    out: Path,
    connection: str | None,
    server: str | None,
    authority: Path | None,
    cert: Path | None,
    key: Path | None,
    with_password: bool,  # noqa: FBT001 - click's calling convention
    password_stdin: bool,  # noqa: FBT001 - click's calling convention
    on_demand: bool,  # noqa: FBT001 - click's calling convention
    sign_cert: Path | None,
    sign_key: Path | None,
    url: str | None,
    qr: bool,  # noqa: FBT001 - click's calling convention
) -> int:
    """Make the files that set up a user's devices."""
    if (cert is None) != (key is None) or (sign_cert is None) != (sign_key is None):
        raise click.UsageError("--cert goes with --key, and --sign-cert with --sign-key")
    if password_stdin and not with_password:
        raise click.UsageError("--password-stdin goes with --with-password")
    path = conf or before.conf
    if path is None:
        raise CommandFailed("whose clients? name the gateway's configuration with --conf FILE")
    config = load(path).config
    wishes = Wishes(_check_name(user), connection, server, authority, with_secret=with_password)
    if cert is not None and key is not None:
        wishes = _with_certificate(wishes, cert, key)
    signer = load_signer(sign_cert, sign_key) if sign_cert is not None and sign_key is not None else None
    try:
        found = _gather(config, wishes, with_password=with_password, from_stdin=password_stdin)
        bundle = make_bundle(found.facts, _platforms(words), Options(on_demand, signer, url))
    except (ProfileError, ValueError) as error:
        raise CommandFailed(str(error)) from error
    _report(found, bundle, words)
    for written in write_bundle(bundle, out):
        click.echo(str(written))
    if qr:
        click.echo(terminal(bundle.qr_text), nl=False)
    return 0


def _gather(config: Config, wishes: Wishes, *, with_password: bool, from_stdin: bool) -> Gathered:
    """Find the facts; the password is asked for only when it is known that one is needed."""
    today = datetime.now(UTC).date()
    kept = read_users(config.daemon.users_file)[0] if config.daemon.users_file is not None else ()
    found = gather(config, kept, wishes, today)
    if not with_password or found.facts.sign_in not in {SignIn.PASSWORD, SignIn.TOKEN}:
        return found
    entry = next(each for each in (*config.users, *kept) if each.name == wishes.user)
    password = _ask_password(entry, from_stdin=from_stdin)
    return gather(config, kept, replace(wishes, password=password), today)


def _with_certificate(wishes: Wishes, cert: Path, key: Path) -> Wishes:
    """The user's certificate, with a fresh password for its PKCS#12."""
    chain = load_certificates(cert)
    private = load_private_key_file(key, None)
    if private.public_key() != chain[0].public_key:
        raise CommandFailed(
            f"{key}: the key does not belong to certificate {chain[0]} of {cert}; name both of one pair"
        )
    packed = pack(chain, private, name=wishes.user, secret=make_password(SystemEntropy()))
    return replace(wishes, chain=chain, packed=packed)


def _check_name(user: str) -> str:
    try:
        return check_user_name(user)
    except Unfit as fault:
        raise CommandFailed(str(fault)) from None


def _platforms(words: tuple[str, ...]) -> list[Platform]:
    return [each for each in Platform if _ALL in words or each.value in words]


def _report(found: Gathered, bundle: Bundle, words: tuple[str, ...]) -> None:
    """Say what the operator should know; raises CommandFailed where a platform that was named came to nothing."""
    named = [(platform, why) for platform, why in bundle.refused if platform.value in words]
    if named or not bundle.made:
        raise CommandFailed("; ".join(f"{platform.value}: {why}" for platform, why in named or bundle.refused))
    for warning in found.warnings:
        click.echo(f"ikepy: {warning}", err=True)
    for platform, why in bundle.refused:
        click.echo(f"ikepy: nothing for {platform.value}: {why}", err=True)


def _ask_password(entry: UserConfig, *, from_stdin: bool) -> Secret:
    """Ask for the user's password, or take the first line of standard input; it has to be the one of the entry."""
    if from_stdin:
        password = sys.stdin.readline(_MOST_LINE).removesuffix("\n").removesuffix("\r")
    elif sys.stdin.isatty():
        password = click.prompt(f"Password of {entry.name}", hide_input=True, err=True)
    else:
        raise CommandFailed("there is no terminal to ask for the password: give it with --password-stdin")
    try:
        secret = Secret(check_password(password).encode())
    except Unfit as fault:
        raise CommandFailed(str(fault)) from None
    if not _is_right(entry, password, secret):
        raise CommandFailed(f"that is not the password of {entry.name}: see `ikepy user passwd {entry.name}`")
    return secret


def _is_right(entry: UserConfig, password: str, secret: Secret) -> bool:
    if entry.nt_hash is not None:
        return nt_hash(password) == entry.nt_hash
    if entry.scrypt is not None:
        return entry.scrypt.fits(secret.reveal())
    return entry.password == secret
