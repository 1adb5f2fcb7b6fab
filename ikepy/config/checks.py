"""What must fit together in a configuration, and what is allowed but unwise.

Rule 1: a fault here is one that could only show as a failed negotiation later.
Rule 2: pure functions of the model; places come from whoever read the files.
Not here: single values (values.py), keys of one table (written.py), pools, users and groups (access_checks.py), keys and
certificates (auth/credentials.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations

from ikepy.config.access_checks import access_warnings, check_access
from ikepy.config.algorithms import legacy_words
from ikepy.config.auth_checks import auth_warnings, check_auth
from ikepy.config.model import (
    AddressPatternKind,
    ChildConfig,
    CloseAction,
    Config,
    ConnectionConfig,
    DpdAction,
    PskConfig,
    StartAction,
)
from ikepy.config.policy_checks import find_equal_policies
from ikepy.config.tables import Place
from ikepy.config.time_checks import check_child_times, check_ike_times
from ikepy.ipsec import Mode
from ikepy.wire.registry import EsnId, TransformType
from ikepy.wire.ts import TrafficSelector

SHORT_SECRET_OCTETS = 16
"Pre-shared keys below can be guessed by whoever sees one IKE_AUTH (RFC 7296 §2.15)."
SMALLEST_REPLAY_WINDOW = 32
_IPV6 = 6
_LEAST_MTU, _LEAST_MTU_V6 = 576, 1280

PlaceOf = Callable[[str], Place]


def check_config(config: Config, place_of: PlaceOf) -> None:
    """Check that the parts fit together; raises ConfigError for the first that do not.

    place_of  the place of a table, given its header
    """
    _check_daemon(config, place_of("daemon"))
    for connection in config.connections:
        place = place_of(f"connections.{connection.name}")
        check_auth(config, connection, place, can_initiate=can_initiate(connection))
        _check_addresses(connection, place)
        check_ike_times(connection, place)
        for child in connection.children:
            _check_child(connection, child, place.inside("children", child.name))
    _check_policies(config, place_of)
    check_access(config, place_of)
    for one, other in combinations(config.psks, 2):
        if _owners(one) == _owners(other) and one.secret != other.secret:
            whose = "the same owners" if one.owners else "no owners"
            raise place_of(f"secrets.{other.name}").error(
                f"it differs from secrets.{one.name} and both have {whose}", "remove one, or set its ids"
            )


def find_warnings(config: Config) -> tuple[str, ...]:
    """What works and should not stay so, one sentence each."""
    return tuple(_warnings(config))


def _check_daemon(config: Config, place: Place) -> None:
    daemon = config.daemon
    if daemon.port == daemon.port_nat_t:
        raise place.error(f"port and port_nat_t are both {daemon.port}", "write two different ports", "port_nat_t")
    if len(set(daemon.listen)) != len(daemon.listen):
        raise place.error("an address stands in it twice", "write each once", "listen")
    if daemon.cookie_threshold > daemon.half_open_limit:
        raise place.error(
            f"{daemon.cookie_threshold} is above half_open_limit {daemon.half_open_limit}: no cookie is ever asked for",
            "write a smaller number",
            "cookie_threshold",
        )


def _check_addresses(connection: ConnectionConfig, place: Place) -> None:
    exact_local = {p.first.version for p in connection.local_addrs if p.first is not None}
    exact_remote = {p.first.version for p in connection.remote_addrs if p.first is not None}
    loose = any(p.first is None for p in (*connection.local_addrs, *connection.remote_addrs))
    if exact_local and exact_remote and not loose and not exact_local & exact_remote:
        raise place.error(
            "local_addrs and remote_addrs have no address family in common",
            "write IPv4 addresses in both, or IPv6",
            "remote_addrs",
        )


def _check_child(connection: ConnectionConfig, child: ChildConfig, place: Place) -> None:
    if 0 < child.replay_window < SMALLEST_REPLAY_WINDOW:
        raise place.error(f"{child.replay_window} packets are too few", "write 0 or 32 to 4096", "replay_window")
    if child.replay_window == 0 and any(
        t.type == TransformType.ESN and t.id == EsnId.ESN for p in child.esp_proposals for t in p.transforms
    ):
        raise place.error(
            "extended sequence numbers need a replay window (RFC 4303 §2.2.1)",
            'name esp_proposals with noesn, such as "aes256gcm16-noesn", or leave out replay_window',
            "replay_window",
        )
    local, remote = _families(child.local_ts), _families(child.remote_ts)
    if local and remote and not local & remote:
        raise place.error("local_ts and remote_ts have no address family in common", "add the missing one", "remote_ts")
    check_child_times(child, place)
    _check_mtu(child, place)
    if not can_initiate(connection):
        for key, word in _initiating_actions(child):
            raise place.error(
                f"{word} needs a peer whose address is known",
                f"set remote_addrs of connection {connection.name} to one address or name",
                key,
            )


def _check_mtu(child: ChildConfig, place: Place) -> None:
    if not child.mtu:
        return
    has_ipv6 = _IPV6 in _families(child.remote_ts)
    least = _LEAST_MTU_V6 if has_ipv6 else _LEAST_MTU
    if child.mtu < least:
        why = " for IPv6 (RFC 8200 §5)" if has_ipv6 else " (RFC 1122 §3.3.3)"
        raise place.error(f"{child.mtu} octets are too few{why}", f"write 0 or {least} to 65535", "mtu")
    if not child.install_routes or child.mode is not Mode.TUNNEL:
        why = "install_routes is false" if not child.install_routes else "transport mode has no route of its own"
        raise place.error(
            f"it is of a route that is not made: {why}", "leave it out, and give your own route one", "mtu"
        )


def _initiating_actions(child: ChildConfig) -> Iterator[tuple[str, str]]:
    """The actions that make us the initiator, key and word; a shunt has none."""
    if not child.is_shunt and child.start_action is not StartAction.NONE:
        yield "start_action", child.start_action.value
    if child.dpd_action not in {None, DpdAction.CLEAR}:
        yield "dpd_action", child.dpd_action.value
    if child.close_action not in {None, CloseAction.NONE}:
        yield "close_action", child.close_action.value


def _check_policies(config: Config, place_of: PlaceOf) -> None:
    for (one_connection, one), (connection, child) in find_equal_policies(config):
        raise place_of(f"connections.{connection.name}.children.{child.name}").error(
            f"its trap or shunt wants the same packets as connections.{one_connection.name}.children.{one.name}",
            "change the selectors, mark or if_id of one",
            "remote_ts",
        )


def can_initiate(connection: ConnectionConfig) -> bool:
    """Whether the connection names a peer one can send to."""
    return any(p.single is not None or p.kind is AddressPatternKind.NAME for p in connection.remote_addrs)


def _families(selectors: tuple[TrafficSelector, ...]) -> set[int]:
    return {ts.start.version for ts in selectors}


def _is_wide(selector: TrafficSelector) -> bool:
    return selector.start != selector.end


def _owners(psk: PskConfig) -> frozenset[object]:
    return frozenset(psk.owners)


def _warnings(config: Config) -> Iterator[str]:
    for connection in config.connections:
        yield from _connection_warnings(connection)
    for psk in config.psks:
        if len(psk.secret) < SHORT_SECRET_OCTETS:
            yield (
                f"secrets.{psk.name}: {len(psk.secret)} octets can be guessed by whoever meets us once; "
                "make one with: openssl rand -base64 32"
            )
    for one, other in combinations(config.connections, 2):
        if _looks_same(one, other):
            yield (
                f"connections.{one.name} and connections.{other.name} cannot be told apart when a peer comes: "
                "such peers are refused; set remote_addrs, local.id or remote.id"
            )
    yield from auth_warnings(config)
    yield from access_warnings(config)
    if config.daemon.keylog is not None:
        yield f"daemon: keys are written to {config.daemon.keylog}; whoever reads it reads the traffic"


def _connection_warnings(connection: ConnectionConfig) -> Iterator[str]:
    place = f"connections.{connection.name}"
    for word in legacy_words(connection.proposals):
        yield f"{place}: {word} in proposals is weak and for old peers only (RFC 8247)"
    if not connection.children:
        yield f"{place}: it has no children, so nothing is ever protected"
    yield from _liveness_warnings(connection, place)
    for child in connection.children:
        if child.mode is Mode.TRANSPORT and any(_is_wide(ts) for ts in (*child.local_ts, *child.remote_ts)):
            yield (
                f"{place}.children.{child.name}: transport mode protects the two hosts, no networks behind them; "
                "leave out local_ts and remote_ts"
            )
        for word in legacy_words(child.esp_proposals):
            yield f"{place}.children.{child.name}: {word} in esp_proposals is weak and for old peers only (RFC 8221)"


def _liveness_warnings(connection: ConnectionConfig, place: str) -> Iterator[str]:
    children = [child for child in connection.children if not child.is_shunt]
    if children and not (connection.dpd_delay or connection.rekey_time or connection.reauth_time):
        when = "only when a child is rekeyed" if any(child.rekey_time for child in children) else "never"
        yield f"{place}: dpd_delay and rekey_time are 0: a dead peer is noticed {when}; set dpd_delay"
    wanted = any(
        child.start_action is StartAction.START
        or child.dpd_action is DpdAction.RESTART
        or child.close_action is CloseAction.START
        for child in children
    )
    if connection.keyingtries and not wanted:
        yield f"{place}: keyingtries counts for nothing: no child is brought up by itself; set start_action"


def _looks_same(one: ConnectionConfig, other: ConnectionConfig) -> bool:
    def marks(connection: ConnectionConfig) -> tuple[object, ...]:
        return (
            frozenset(connection.local_addrs),
            frozenset(connection.remote_addrs),
            connection.local.id,
            connection.remote.id,
            connection.remote.auth,
            frozenset(connection.remote.cacerts),
            frozenset(connection.remote.certs),
        )

    return marks(one) == marks(other)
