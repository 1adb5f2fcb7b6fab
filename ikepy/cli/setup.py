"""ikepy setup: from nothing to a gateway that people can connect to, by a few questions.

    ikepy setup gateway
    ikepy setup gateway --name vpn.example.com --full --user alice --yes
    ikepy setup site --name left.example.com --networks 10.1.0.0/16 --peer-name right.example.com --peer-networks 10.2.0.0/16 ...

Rule 1: each question has an answer that works; --yes takes them, and asks nothing.
Rule 2: a password that nobody chose is made, and shown once.
Rule 3: what is there already is kept; it can be run again.
Not here: what comes of the answers (setup/), certificates (pki.py), files for devices (profile.py).
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Network
from pathlib import Path

import click

from ikepy.auth.users_file import UsersFileError
from ikepy.cli.errors import CommandFailed
from ikepy.cli.profile import profile
from ikepy.config.access_values import check_password, check_user_name
from ikepy.config.errors import ConfigError, Unfit
from ikepy.config.host import ETC_RESOLV
from ikepy.crypto.entropy import SystemEntropy
from ikepy.crypto.secret import Secret
from ikepy.gateway.resolv_conf import read, servers_in
from ikepy.pki.errors import PkiError
from ikepy.pki.names import server_names
from ikepy.profiles.packing import make_password
from ikepy.setup.answers import (
    DEFAULT_DIRECTORY,
    Answers,
    SetupError,
    SignIn,
    choose_dns,
    choose_pools,
    parse_addresses,
    parse_networks,
)
from ikepy.setup.site_file import End, Peer, Site
from ikepy.setup.site_steps import set_up_site
from ikepy.setup.steps import Written, has_user, set_up

_DIRECTORY = click.Path(file_okay=False, path_type=Path)
_ROUTES = Path("/proc/net/route")
_MOST_LINE = 4096


@click.group()
def setup() -> None:
    """Set up from nothing."""


@setup.command()
@click.option("--name", help="Host name or address that people type in.")
@click.option("--sign-in", type=click.Choice([each.value for each in SignIn]), help="How people sign in.")
@click.option("--full", is_flag=True, help="They reach everything: the internet too goes by this gateway.")
@click.option(
    "--reach", multiple=True, metavar="NETWORK", help="They reach this network alone; may be given several times."
)
@click.option(
    "--pool", "pools", multiple=True, metavar="NETWORK", help="Addresses they get.  [default: ones not in use here]"
)
@click.option("--dns", multiple=True, metavar="ADDRESS", help="DNS servers they are told.  [default: this host's]")
@click.option("--domain", "domains", multiple=True, help="Domains those servers are for, with --reach.")
@click.option(
    "--cert-dir",
    type=_DIRECTORY,
    help="Has fullchain.pem and privkey.pem, as Let's Encrypt's.  [default: a CA of our own]",
)
@click.option("--user", help="The first user.")
@click.option(
    "--password-stdin", is_flag=True, help="Read that user's password from standard input.  [default: one is made]"
)
@click.option("--dir", "directory", type=_DIRECTORY, default=DEFAULT_DIRECTORY, show_default=True)
@click.option("--yes", is_flag=True, help="Ask nothing: take what is not said as it comes.")
@click.pass_context
def gateway(
    context: click.Context,
    name: str | None,
    sign_in: str | None,
    full: bool,  # noqa: FBT001 - click's calling convention
    reach: tuple[str, ...],
    pools: tuple[str, ...],
    dns: tuple[str, ...],
    domains: tuple[str, ...],
    cert_dir: Path | None,
    user: str | None,
    password_stdin: bool,  # noqa: FBT001 - click's calling convention
    directory: Path,
    yes: bool,  # noqa: FBT001 - click's calling convention
) -> int:
    """Set up a gateway: its configuration, certificates, the first user, files for their devices, a systemd unit."""
    if full and reach:
        raise click.UsageError("--full is everything: leave out --reach, or --full")
    with _worded():
        name = name or _ask("What do people type in: host name or address of this gateway", None, yes=yes)
        method = SignIn(sign_in or _choose("How do people sign in", [each.value for each in SignIn], yes=yes))
        if not full and not reach:
            said = _ask("What do they reach: networks such as 10.1.0.0/16, or `all` for a full tunnel", "all", yes=yes)
            reach = () if said.strip() == "all" else tuple(said.replace(",", " ").split())
        user = user or _ask("Name of the first user", "", yes=yes) or None
        answers = Answers(
            name,
            parse_networks(pools) or choose_pools(_used_networks(), SystemEntropy()),
            directory.absolute(),
            method,
            parse_networks(reach),
            parse_addresses(dns) or choose_dns(servers_in(read(ETC_RESOLV) or "")),
            domains,
            cert_dir.absolute() if cert_dir is not None else None,
            check_user_name(user) if user is not None else None,
        )
        password, is_made = _password(answers, from_stdin=password_stdin)
        written = set_up(answers, password, _program(), click.echo)
    if answers.user is not None:
        _make_profiles(context, answers, written)
    _say_what_next(answers, written, password if is_made else None)
    return 0


def _make_profiles(context: click.Context, answers: Answers, written: Written) -> None:
    assert answers.user is not None  # noqa: S101 - its caller has looked
    out = answers.directory / "profiles" / answers.user
    out.mkdir(mode=0o700, parents=True, exist_ok=True)
    cert, key = written.user_cert or (None, None)
    context.invoke(
        profile,
        user=answers.user,
        words=("all",),
        conf=written.conf,
        out=out,
        authority=written.authority,
        cert=cert,
        key=key,
    )


def _say_what_next(answers: Answers, written: Written, made: Secret | None) -> None:
    click.echo("")
    if made is not None:
        click.echo(f"The password of {answers.user} is {made.reveal().decode()} and is shown here alone.")
    click.echo("Open UDP ports 500 and 4500 to this host, in its own firewall and before it.")
    click.echo(f"Look it over:  ikepy --conf {written.conf} --check && ikepy --conf {written.conf} --dry-run")
    click.echo(f"Start it:      systemctl enable --now {written.unit}")
    if answers.user is not None:
        click.echo(
            f"Give {answers.user} what is in {answers.directory / 'profiles' / answers.user}: the page in it says what to do."
        )


@setup.command()
@click.option("--name", required=True, help="Name of this end, such as left.example.com.")
@click.option("--address", default="", help="Address or name of this end; without it the peer cannot begin.")
@click.option(
    "--networks",
    "networks",
    multiple=True,
    required=True,
    metavar="NETWORK",
    help="Behind this end; may be given several times.",
)
@click.option("--peer-name", required=True, help="Name of the other end.")
@click.option("--peer-address", default="", help="Its address or name; without it we wait for it.")
@click.option(
    "--peer-networks", "peer_networks", multiple=True, required=True, metavar="NETWORK", help="Behind the other end."
)
@click.option(
    "--peer",
    type=click.Choice([each.value for each in Peer]),
    default=Peer.IKEPY.value,
    show_default=True,
    help="What runs there.",
)
@click.option(
    "--certificates", is_flag=True, help="Prove by certificates of a CA of our own.  [default: a strong pre-shared key]"
)
@click.option("--dir", "directory", type=_DIRECTORY, default=DEFAULT_DIRECTORY, show_default=True)
def site(
    name: str,
    address: str,
    networks: tuple[str, ...],
    peer_name: str,
    peer_address: str,
    peer_networks: tuple[str, ...],
    peer: str,
    certificates: bool,  # noqa: FBT001 - click's calling convention
    directory: Path,
) -> int:
    """Set up a tunnel between two sites: both ends' files, with a strong key or certificates."""
    with _worded():
        for each in (name, peer_name, *filter(None, (address, peer_address))):
            server_names([each])
        ends = (
            End(name, address, parse_networks(networks)),
            End(peer_name, peer_address, parse_networks(peer_networks)),
        )
        made = Site(*ends, by_certificate=certificates)
        conf, away = set_up_site(made, Peer(peer), directory.absolute(), SystemEntropy(), click.echo)
    click.echo("")
    click.echo(f"Carry {away} to {peer_name}, by a way that nobody reads: it holds a secret. Then delete it here.")
    click.echo("Open UDP ports 500 and 4500, and protocol ESP, between both.")
    click.echo(f"Start this end:  ikepy --conf {conf}")
    return 0


# -- how -----------------------------------------------------------------------------------------------------------------


def _ask(question: str, default: str | None, *, yes: bool) -> str:
    """Ask; without a terminal, or with --yes, take the default."""
    if yes or not sys.stdin.isatty():
        if default is None:
            raise CommandFailed("the gateway needs a name: give it with --name")
        return default
    answer: str = click.prompt(question, default=default, err=True, show_default=bool(default))
    return answer


def _choose(question: str, words: list[str], *, yes: bool) -> str:
    if yes or not sys.stdin.isatty():
        return words[0]
    answer: str = click.prompt(question, type=click.Choice(words), default=words[0], err=True)
    return answer


def _password(answers: Answers, *, from_stdin: bool) -> tuple[Secret | None, bool]:
    """The first user's password, and whether nobody chose it; none where none is needed."""
    if answers.user is None or answers.sign_in is not SignIn.PASSWORD:
        return None, False
    if from_stdin:
        line = sys.stdin.readline(_MOST_LINE).removesuffix("\n").removesuffix("\r")
        return Secret(check_password(line).encode()), False
    if has_user(answers.directory, answers.user):
        return None, False
    return make_password(SystemEntropy()), True


def _used_networks() -> Iterator[IPv4Network]:
    """The networks of this host's routes, but for the default one."""
    try:
        rows = [line.split() for line in _ROUTES.read_text().splitlines()[1:]]
    except OSError:
        return
    for row in rows:
        destination, mask = (int.from_bytes(bytes.fromhex(row[at]), "little") for at in (1, 7))
        if mask:
            yield IPv4Network((destination, mask.bit_count()))


def _program() -> str:
    return shutil.which("ikepy") or f"{sys.executable} -m ikepy"


@contextmanager
def _worded() -> Iterator[None]:
    try:
        yield
    except (SetupError, PkiError, ConfigError, UsersFileError, Unfit) as error:
        raise CommandFailed(str(error)) from error
    except OSError as error:
        raise CommandFailed(f"{error.filename or 'it'} cannot be written: {error.strerror}") from error
