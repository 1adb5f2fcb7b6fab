"""A loaded configuration and one of its users -> ClientFacts.

Rule 1: who would be refused at the gateway gets no profile: unknown, disabled, expired, in no group.
Rule 2: what the user reaches is what the gateway would narrow to: the children's local_ts within the groups' subnets.
Not here: the gateway's certificate (authority.py), how users sign in (signing_in.py), files (bundle.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, summarize_address_range
from typing import TypeVar

from ikepy.config.access import PoolConfig, Tunnel, UserConfig
from ikepy.config.groups import Rights, rights_of
from ikepy.config.identities import format_identity
from ikepy.config.model import ChildConfig, Config, ConnectionConfig
from ikepy.crypto.secret import Secret
from ikepy.ipsec import Mode
from ikepy.profiles.authority import GatewayCertificate, ProfileError, read_gateway
from ikepy.profiles.facts import EVERYWHERE, ClientFacts, IpNetwork, SignIn
from ikepy.profiles.signing_in import check_entry, choose_connection, choose_sign_in, find_psk, identity_of, prove
from ikepy.profiles.wishes import Wishes
from ikepy.wire.payloads import Identification
from ikepy.wire.registry import IdType
from ikepy.wire.ts import TrafficSelector

T = TypeVar("T")
_NO_CERTIFICATE = GatewayCertificate((), None, (), ())
_HOSTS = frozenset({IdType.ID_FQDN, IdType.ID_IPV4_ADDR, IdType.ID_IPV6_ADDR})


@dataclass(frozen=True, slots=True)
class Gathered:
    """The facts, and what the operator should know besides, one sentence each."""

    facts: ClientFacts
    warnings: tuple[str, ...]


def gather(config: Config, kept: Sequence[UserConfig], wishes: Wishes, today: date) -> Gathered:
    """Find what a user's client must know; raises ProfileError and CredentialError.

    kept    the users of the file that `ikepy user` keeps
    today   the day, UTC
    """
    users = {user.name: user for user in (*kept, *config.users)}
    connection = choose_connection(config, wishes, users)
    entry = check_entry(connection, wishes, users, today)
    sign_in = choose_sign_in(connection, wishes, entry)
    rights = rights_of(config, prove(config, connection, wishes, entry))
    if not rights.allowed:
        raise ProfileError(f"{wishes.user} is in no group, and gets nothing: add it to a group of the configuration")
    gateway = read_gateway(connection, wishes.authority) if connection.local.certs else _NO_CERTIFICATE
    server = _server_id(connection, gateway)
    pools = _pools(config, connection, rights)
    children = [child for child in connection.children if not child.is_shunt and child.mode is Mode.TUNNEL]
    if not children:
        raise ProfileError(f"connections.{connection.name} has no child in tunnel mode: add one")
    families = tuple(sorted({pool.family for pool in pools}))
    networks, is_full = _reached(children, rights, families)
    facts = ClientFacts(
        connection.name,
        format_identity(server),
        _address(connection, server, wishes),
        wishes.user,
        identity_of(connection, wishes) if sign_in.by_certificate else None,
        sign_in,
        connection.proposals,
        children[0].esp_proposals,
        families,
        networks,
        is_full,
        rights.dns or _each(pool.dns for pool in pools),
        rights.domains or _each(pool.domains for pool in pools),
        tuple(anchor.der for anchor in gateway.anchors),
        gateway.issuer,
        wishes.packed,
        _secret(config, wishes, server, sign_in),
        connection.mobike,
    )
    return Gathered(facts, (*gateway.warnings, *_warnings(facts, gateway)))


def _server_id(connection: ConnectionConfig, gateway: GatewayCertificate) -> Identification:
    if connection.local.id is not None:
        return connection.local.id
    named = next((each for each in gateway.names if each.type is IdType.ID_FQDN), None)
    example = format_identity(named) if named is not None else "vpn.example.com"
    raise ProfileError(
        f'connections.{connection.name}.local has no id, and clients ask for a gateway by it: add id = "{example}"'
    )


def _address(connection: ConnectionConfig, server: Identification, wishes: Wishes) -> str:
    if wishes.server is not None:
        return wishes.server
    if server.type in _HOSTS:
        return format_identity(server)
    for pattern in connection.local_addrs:
        if pattern.single is not None or pattern.name is not None:
            return str(pattern.single or pattern.name)
    raise ProfileError("it is not known where clients find the gateway: say its name or address with --server")


def _pools(config: Config, connection: ConnectionConfig, rights: Rights) -> list[PoolConfig]:
    names = rights.pools or connection.pools
    if not names:
        raise ProfileError(
            f"connections.{connection.name} has no pools, and every client asks for an address: add pools to it"
        )
    return [pool for pool in config.pools if pool.name in names]


def _reached(
    children: Sequence[ChildConfig], rights: Rights, families: Sequence[int]
) -> tuple[tuple[IpNetwork, ...], bool]:
    """What goes into the tunnel, of the families that clients have addresses of, and whether it is everything."""
    everything = tuple(each for each in EVERYWHERE if each.version in families)
    if rights.tunnel is Tunnel.FULL:
        return everything, True
    ours = [selector for child in children for selector in child.local_ts]
    allowed = rights.subnets
    both = ours if allowed is None else [part for one in ours for other in allowed for part in _both(one, other)]
    found = [network for selector in both for network in summarize_address_range(selector.start, selector.end)]
    v4 = collapse_addresses(each for each in found if isinstance(each, IPv4Network))
    v6 = collapse_addresses(each for each in found if isinstance(each, IPv6Network))
    both_families: list[IpNetwork] = [*v4, *v6]
    networks = tuple(network for network in both_families if network.version in families)
    if not networks:
        raise ProfileError("the user reaches nothing through the tunnel: write networks into the child's local_ts")
    return networks, set(networks) >= set(everything)


def _both(one: TrafficSelector, other: TrafficSelector) -> Iterator[TrafficSelector]:
    """What is in both, of addresses."""
    if one.type != other.type:
        return
    start, end = max(one.start, other.start, key=int), min(one.end, other.end, key=int)
    if int(start) <= int(end):
        yield TrafficSelector(one.type, 0, 0, 0xFFFF, start, end)


def _secret(config: Config, wishes: Wishes, server: Identification, sign_in: SignIn) -> Secret | None:
    if sign_in is SignIn.PSK:
        return find_psk(config, wishes.user, server) if wishes.with_secret else None
    if sign_in.by_certificate:
        return wishes.packed.pkcs12_secret if wishes.with_secret and wishes.packed is not None else None
    return wishes.password


def _warnings(facts: ClientFacts, gateway: GatewayCertificate) -> Iterator[str]:
    names = {format_identity(each) for each in gateway.names}
    if facts.sign_in is not SignIn.PSK and facts.address != facts.server_id and facts.address not in names:
        yield (
            f"clients go to {facts.address}, which the gateway's certificate does not name: Windows and Android's own "
            "client refuse it (13801)"
        )


def _each(lists: Iterator[tuple[T, ...]]) -> tuple[T, ...]:
    return tuple(dict.fromkeys(value for values in lists for value in values))
