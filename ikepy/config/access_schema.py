"""The tables of pools, users and groups, as data.

Not here: the other tables (schema.py, host_schema.py), what a table is made of (sections.py), what fits together (access_checks.py).
"""

from __future__ import annotations

from ikepy.config.access import GroupConfig, PoolConfig, Tunnel, UserConfig
from ikepy.config.access_values import (
    ADDRESSES_V4,
    DAY,
    DOMAINS,
    NETMASK,
    NETWORKS,
    NT_HASH,
    PASSWORD,
    POOL_ADDRESSES,
    REACHED,
    SCRYPT,
    STATIC,
)
from ikepy.config.errors import Unfit
from ikepy.config.sections import Key, Section
from ikepy.config.values import ADDRESSES, FILE, FLAG, IDENTITY_PATTERN, TEXT, list_of, number, one_of, span
from ikepy.config.written import Written

_GROUP_NAMES = list_of(TEXT, "list: name of a group")
_POOL_NAMES = list_of(TEXT, "list: name of a pool")
_USER_NAMES = list_of(TEXT, "list: name of a user")


def _check_user(written: Written) -> None:
    if "password" in written and ("nt_hash" in written or "scrypt" in written):
        raise Unfit("a hash beside the password itself", "leave out password", "password")


POOL = Section(
    "pools.NAME",
    PoolConfig,
    PoolConfig,
    (
        Key("addrs", POOL_ADDRESSES, required=True),
        Key("static", STATIC),
        Key("dns", ADDRESSES),
        Key("domains", DOMAINS),
        Key("subnet", NETWORKS),
        Key("split_include", NETWORKS),
        Key("split_exclude", NETWORKS),
        Key("nbns", ADDRESSES_V4),
        Key("dhcp", ADDRESSES),
        Key("netmask", NETMASK),
    ),
    later=frozenset({"address", "server"}),
)

USER = Section(
    "users.NAME",
    UserConfig,
    UserConfig,
    (
        Key("password", PASSWORD, is_secret=True),
        Key("nt_hash", NT_HASH, is_secret=True),
        Key("scrypt", SCRYPT, is_secret=True),
        Key("groups", _GROUP_NAMES),
        Key("disabled", FLAG),
        Key("expires", DAY),
    ),
    check=_check_user,
)

GROUP = Section(
    "groups.NAME",
    GroupConfig,
    GroupConfig,
    (
        Key("users", _USER_NAMES),
        Key("cert_ids", list_of(IDENTITY_PATTERN)),
        Key("cacerts", list_of(FILE)),
        Key("psk_ids", list_of(IDENTITY_PATTERN)),
        Key("subnets", REACHED),
        Key("pools", _POOL_NAMES),
        Key("dns", ADDRESSES),
        Key("domains", DOMAINS),
        Key("tunnel", one_of(Tunnel)),
        Key("max_sessions", number(0, 1_000_000)),
        Key("idle_timeout", span()),
    ),
)
