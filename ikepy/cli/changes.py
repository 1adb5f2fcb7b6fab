"""What a daemon changes on its host: `ikepy --conf FILE --dry-run` shows it, `ikepy cleanup` undoes what was left.

Not here: what is changed (gateway/), how a daemon undoes it by itself (daemon/gatewaying.py).
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import click
import trio

from ikepy.cli.errors import CommandFailed
from ikepy.cli.find import Meant
from ikepy.config.host import DnsMode
from ikepy.config.load import load
from ikepy.config.model import Config
from ikepy.crypto.entropy import SystemEntropy
from ikepy.daemon.clienting import Clienting, make_kill_switch
from ikepy.daemon.gatewaying import Gatewaying
from ikepy.daemon.instance import RUN_DIRECTORIES, run_directory_of, running_pid
from ikepy.daemon.service import daemon_number, open_xfrm
from ikepy.gateway.host import default_uplinks, plan_gateway
from ikepy.gateway.journal import JOURNAL_FILE
from ikepy.gateway.nft import find_nft
from ikepy.gateway.sysctls import Sysctls
from ikepy.gateway.text import table_text
from ikepy.ike.errors import KernelRefused
from ikepy.kernel.interface import KernelUnavailable
from ikepy.kernel.neighbours import NeighbourProxies

_DIRECTORY = click.Path(file_okay=False, path_type=Path)
_FILE = click.Path(dir_okay=False, path_type=Path)


def show_changes(conf: Path) -> int:
    """Print what a daemon with this configuration would change on this host besides IPsec's own tables."""
    config = load(conf).config
    plan = plan_gateway(config, default_uplinks(), Sysctls())
    parts = [_interface_lines(config), plan.lines() if plan is not None else [], _client_lines(config)]
    lines = [line for part in parts if part for line in (*part, "")]
    click.echo(
        "\n".join(lines[:-1] or ["nothing: the configuration has no `gateway = true`, no interfaces and no client"])
    )
    return 0


def _interface_lines(config: Config) -> list[str]:
    if not config.interfaces:
        return []
    lines = ["# interfaces"]
    for each in config.interfaces:
        number = f", ID {each.if_id}" if each.if_id is not None else ""
        addresses = "".join(f", {address}" for address in each.addrs)
        lines.append(f"{each.name}: {each.kind.value}{number}{addresses}")
        lines += [f"route {network} by {each.name}" for network in each.routes]
    return lines


def _client_lines(config: Config) -> list[str]:
    if not any(connection.vips for connection in config.connections) and not config.client.kill_switch:
        return []
    dns = "nobody" if config.client.dns is DnsMode.NO else f"{config.client.dns.value} ({config.client.resolv_conf})"
    lines = ["# as a client", f"DNS servers that a gateway gives are told to: {dns}"]
    if config.client.block_ipv6:
        lines.append("IPv6 to the internet is refused while a tunnel takes all of IPv4 and none of IPv6")
    if config.client.kill_switch:
        lines += ["", *table_text(make_kill_switch(config).make()).replace("\t", "  ").splitlines()]
    return lines


@click.command()
@click.option("--conf", type=_FILE, help="Of the daemon that ran that configuration file.")
@click.option("--run-dir", type=_DIRECTORY, help="Of the daemon with that run directory.")
@click.pass_obj
def cleanup(before: Meant, conf: Path | None, run_dir: Path | None) -> int:
    """Undo what daemons that were killed have left on this host.

    Settings, nftables, addresses, routes, policies and states of ikepy's. A daemon that starts does the same by itself.
    """
    conf, run_dir = conf or before.conf, run_dir or before.run_directory
    directories = _directories(conf, run_dir)
    running = {directory: running_pid(directory) for directory in directories}
    for directory, pid in running.items():
        if pid is not None:
            raise CommandFailed(f"a daemon is running in {directory}, process {pid}: stop it first")
    config = load(conf).config if conf is not None else Config()
    try:
        done = trio.run(_clean, config, directories)
    except (KernelRefused, KernelUnavailable) as error:
        raise CommandFailed(str(error)) from error
    click.echo("\n".join(done) if done else "nothing was left")
    return 0


def _directories(conf: Path | None, run_dir: Path | None) -> list[Path]:
    if run_dir is not None:
        return [run_dir]
    if conf is not None:
        return [run_directory_of(conf)]
    found = sorted(path.parent for path in RUN_DIRECTORIES.glob("*/lock"))
    return found or [RUN_DIRECTORIES / "none"]


async def _clean(config: Config, directories: list[Path]) -> list[str]:
    done = []
    async with open_xfrm(config, SystemEntropy()) as kernel:
        left = await kernel.remove_leftovers()
        if left:
            done.append(f"{left} states, policies and routes are removed")
    with closing(NeighbourProxies(daemon_number(config))) as proxies:
        for directory in directories:
            journal = directory / JOURNAL_FILE
            if await Gatewaying(config, directory, find_nft(), proxies).undo_left():
                done.append(f"what {journal} told of is undone")
            if await Clienting(Config(), directory, find_nft()).undo_left():
                done.append("DNS, and the kill switch, are undone")
    return done
