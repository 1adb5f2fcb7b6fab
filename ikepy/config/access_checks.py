"""What must fit together among pools, users and groups, and what is allowed but unwise.

Rule 1: an address is given out by one pool only, and is one identity's only.
Rule 2: a name that means nothing is an error, not a group nobody is in.
Not here: single values (access_values.py), the other tables (checks.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from ikepy.config.access import AddressRange, GroupConfig, PoolConfig, Tunnel
from ikepy.config.errors import did_you_mean
from ikepy.config.groups import NO_RIGHTS, Proof, rights_of
from ikepy.config.identities import format_pattern
from ikepy.config.model import AuthKind, Config
from ikepy.config.tables import Place
from ikepy.ipsec import IpAddress

PlaceOf = Callable[[str], Place]


def check_access(config: Config, place_of: PlaceOf) -> None:
    """Check that pools, users, groups and the gateway fit together; raises ConfigError for the first that do not.

    place_of  the place of a table, given its header
    """
    _check_overlaps(config.pools, place_of)
    if config.gateway is not None and not config.pools:
        raise place_of("gateway").error("there are no pools, so nobody to be the gateway of", "add [pools.NAME]")
    for pool in config.pools:
        _check_static(pool, place_of(f"pools.{pool.name}"))
    pools = [pool.name for pool in config.pools]
    groups = [group.name for group in config.groups]
    for connection in config.connections:
        _check_names("pool", connection.pools, pools, place_of(f"connections.{connection.name}"), "pools")
    for user in config.users:
        _check_names("group", user.groups, groups, place_of(f"users.{user.name}"), "groups")
    users = [user.name for user in config.users]
    for group in config.groups:
        place = place_of(f"groups.{group.name}")
        _check_names("pool", group.pools, pools, place, "pools")
        if config.daemon.users_file is None:
            _check_names("user", group.users, users, place, "users")
        _check_group(group, place)


def access_warnings(config: Config) -> Iterator[str]:
    """What works and should not stay so, one sentence each."""
    for user in config.users:
        if user.password is not None:
            yield (
                f"users.{user.name}: the password itself stands in the file; unless EAP-MD5 needs it, keep the user "
                "with: ikepy user add"
            )
        if config.groups and not user.groups and not any(user.name in group.users for group in config.groups):
            yield f"users.{user.name}: in no group, so the user gets nothing; set groups"
    for connection in config.connections if config.groups else ():
        remote = connection.remote
        identity = None if remote.id.wildcard else remote.id.identification
        if remote.auth is not AuthKind.PSK or identity is None:
            continue
        if rights_of(config, Proof(psk_identity=identity)) is NO_RIGHTS:
            yield (
                f"connections.{connection.name}: its peer is in no group, so it gets nothing when it comes; add "
                f'psk_ids = ["{format_pattern(remote.id)}"] to a group'
            )


def _check_overlaps(pools: tuple[PoolConfig, ...], place_of: PlaceOf) -> None:
    ranges = [(each, pool) for pool in pools for each in pool.addrs]
    ranges.sort(key=lambda pair: (pair[0].family, int(pair[0].first)))
    widest: tuple[AddressRange, PoolConfig] | None = None
    for each, pool in ranges:
        if widest is not None and widest[0].overlaps(each):
            where = "itself" if widest[1] is pool else f"pools.{widest[1].name}"
            raise place_of(f"pools.{pool.name}").error(
                f"{each} overlaps {widest[0]} of {where}", "give each address to one pool, once", "addrs"
            )
        widest = each, pool


def _check_static(pool: PoolConfig, place: Place) -> None:
    owners: dict[IpAddress, str] = {}
    for lease in pool.static:
        for address in lease.addresses:
            if address not in pool:
                raise place.error(
                    f"{address} of '{lease.identity}' is not in addrs", f"add it to addrs of {pool.name}", "static"
                )
            if owners.setdefault(address, lease.identity) != lease.identity:
                raise place.error(
                    f"{address} is both '{owners[address]}' and '{lease.identity}'s", "give it to one", "static"
                )


def _check_group(group: GroupConfig, place: Place) -> None:
    if group.tunnel is Tunnel.FULL and group.subnets:
        raise place.error(
            'subnets beside tunnel = "full", which is everything', 'leave it out, or write tunnel = "split"', "subnets"
        )
    if group.tunnel is Tunnel.SPLIT and not group.subnets:
        raise place.error('tunnel = "split" without subnets says nothing', 'add subnets = ["10.1.0.0/16"]', "subnets")


def _check_names(what: str, names: Iterable[str], known: list[str], place: Place, key: str) -> None:
    seen = set[str]()
    for name in names:
        if name not in known:
            raise place.error(f"there is no {what} '{name}'", did_you_mean(name, known) or f"add [{what}s.{name}]", key)
        if name in seen:
            raise place.error(f"'{name}' stands in it twice", "write it once", key)
        seen.add(name)
