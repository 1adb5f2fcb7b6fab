"""The configuration of a gateway as text, with a word on each thing that people change later.

Rule 1: what is written is what `ikepy --check` finds nothing wrong with; a test loads each form of it.
Not here: where it goes (steps.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ikepy.setup.answers import Answers, SignIn

GROUP = "people"
_HEAD = """\
# The gateway {name}, written by `ikepy setup gateway`; change it as you like, docs/gateway.md and docs/access.md tell of it.
#
#   look it over              ikepy --conf {conf} --check
#   what this host gets       ikepy --conf {conf} --dry-run
#   {people}
#   files for their devices   {files}
#   who is there              ikepy status

gateway = true                # forwarding, masquerading, nobody's address but one's own; undone when the daemon ends

[daemon]
audit_log = "{audit}"       # a line for each session that begins, ends or is refused
{users}"""
_POOL = """
[pools.v{family}]
addrs = ["{network}"]
{dns}"""
_REST = """
[groups.{group}]
{reach}

[connections.clients]
pools = [{pools}]

[connections.clients.local]
auth = "pubkey"
id = "{name}"                 # what people type in; the certificate must name it
certs = ["{cert}"]
key = "{key}"

[connections.clients.remote]
{remote}

[connections.clients.children.net]
local_ts = [{selectors}]
"""


def gateway_text(answers: Answers, conf: Path, cert: Path, key: Path, authority: Path | None) -> str:
    """The file."""
    by_password = answers.sign_in is SignIn.PASSWORD
    with_cert = "" if by_password else " --cert pki/certs/NAME.pem --key pki/private/NAME.key"
    people = f"more people               ikepy user add NAME --conf {conf} --group {GROUP}"
    if not by_password:
        people = f"more people               ikepy pki client NAME --dir {conf.parent / 'pki'}"
    head = _HEAD.format(
        name=answers.name,
        conf=conf,
        people=people,
        files=f"ikepy profile NAME --conf {conf} --for all --out .{with_cert}",
        audit=conf.parent / "audit.log",
        users=f'users_file = "{conf.parent / "users"}"\n' if by_password else "",
    )
    dns = f"dns = [{_list(answers.dns)}]\n" if answers.dns else ""
    if answers.domains:
        dns += f"domains = [{_list(answers.domains)}]                 # asked of those servers alone\n"
    pools = "".join(_POOL.format(family=pool.version, network=pool, dns=dns) for pool in answers.pools)
    rest = _REST.format(
        group=GROUP,
        reach=_reach(answers, authority),
        pools=_list(f"v{pool.version}" for pool in answers.pools),
        name=answers.name,
        cert=cert,
        key=key,
        remote=_remote(answers, authority),
        selectors=_list(answers.reach or [_everything(pool.version) for pool in answers.pools]),
    )
    return head + pools + rest


def _reach(answers: Answers, authority: Path | None) -> str:
    members = "" if answers.sign_in is SignIn.PASSWORD else f'cacerts = ["{authority}"]\n'
    if not answers.reach:
        return f'{members}tunnel = "full"               # out to the internet by this gateway'
    return f'{members}tunnel = "split"              # the rest of a device\'s traffic goes as always\nsubnets = [{_list(answers.reach)}]'


def _remote(answers: Answers, authority: Path | None) -> str:
    if answers.sign_in is SignIn.PASSWORD:
        known = f'\ncacerts = ["{authority}"]    # goes into the files for devices' if authority is not None else ""
        return 'auth = "eap"\neap_methods = ["mschapv2"]' + known
    lists = authority.with_name("crl.pem") if authority is not None else None
    return f'auth = "pubkey"\ncacerts = ["{authority}"]\ncrls = ["{lists}"]            # `ikepy pki revoke NAME` counts at once'


def _everything(family: int) -> str:
    return "0.0.0.0/0" if family == 4 else "::/0"  # noqa: PLR2004 - IPv4


def _list(items: Iterable[object]) -> str:
    return ", ".join(f'"{item}"' for item in items)
