"""The scenarios: plays, the pairs they happen to, and how each must end.

Not here: the plays themselves (plays.py), how many seeds (test_seeds.py).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address

from ikepy.config.algorithms import parse_proposals
from ikepy.config.model import (
    ChildConfig,
    Childless,
    Config,
    DaemonConfig,
    DpdAction,
    Fragmentation,
    RetransmissionConfig,
    StartAction,
    Unique,
)
from ikepy.wire.registry import ProtocolId
from tests.scenarios.plays import (
    Act,
    Play,
    acquire,
    alone,
    anything,
    begin,
    begin_without_a_line,
    beside,
    create,
    crossing,
    delete_child,
    delete_children,
    delete_ike,
    expire_hard,
    expire_softly,
    move,
    one_after_another,
    outage,
    quiet,
    reauthenticate,
    reboot,
    rekey_child,
    rekey_ike,
)
from tests.support.pair import RIGHT, make_child, make_config, one_address

PERSISTENT = RetransmissionConfig(tries=20)
"So that the line, however bad, is never taken for a dead peer."
EAGER = RetransmissionConfig(tries=60, limit=3.0)
"So that every answer comes within the time in which two that were made are taken for made at once."
THREE = (
    make_child("net"),
    make_child("more", "10.1.1.0/24", "10.2.1.0/24"),
    make_child("mine", "10.1.2.0/24", "10.2.2.0/24"),
)


@dataclass(frozen=True)
class Scenario:
    """A play with its configurations, and how it ends.

    connected           whether the pair is up when it begins
    before              what one side has done by then, and is over
    ike_sas, children   as for assert_mirror()
    lossless            whether the tunnel carries every packet all the while
    settling            seconds until everything has come to rest
    """

    play: Play
    left: Config
    right: Config
    ike_sas: int | None = 1
    children: dict[str, int] | None = field(default_factory=lambda: {"net": 1})
    lossless: bool = True
    settling: float = 1500.0
    connected: bool = True
    before: Act | None = None


def both(
    children: tuple[ChildConfig, ...] = (), retransmission: RetransmissionConfig = PERSISTENT, **more: object
) -> tuple[Config, Config]:
    """Fitting configurations of both sides."""
    left, right = (make_config(left=side, children=children, **more) for side in (True, False))
    return replace(left, retransmission=retransmission), replace(right, retransmission=retransmission)


def with_ke(*texts: str) -> tuple[ChildConfig, ...]:
    return (make_child(esp_proposals=parse_proposals(texts, ProtocolId.ESP)),)


def unlike(option: str, left: object, right: object) -> tuple[Config, Config]:
    """Configurations that differ in one thing."""
    return both(**{option: left})[0], both(**{option: right})[1]


IKE_METHODS = ("aes256gcm16-prfsha256-x25519", "aes128gcm16-prfsha256-ecp256")
ESP_METHODS = ("aes256gcm16-ecp256", "aes128gcm16-ecp384")
"Each side has the other's second choice first, so each is told INVALID_KE_PAYLOAD."
KE, PLAIN = both(with_ke("aes256gcm16-x25519")), both()
INVALID_KE = both(with_ke(*ESP_METHODS))[0], both(with_ke(*reversed(ESP_METHODS)))[1]
INVALID_IKE_KE = unlike(
    "proposals", *(parse_proposals(texts, ProtocolId.IKE) for texts in (IKE_METHODS, tuple(reversed(IKE_METHODS))))
)
STARTED = both((make_child(start_action=StartAction.START),), dpd_delay=20.0)
IMPATIENT = tuple(replace(config, retransmission=RetransmissionConfig(tries=4, limit=8.0)) for config in STARTED)
ONE_STARTS = (
    IMPATIENT[0],
    replace(make_config(left=False, dpd_delay=20.0), retransmission=RetransmissionConfig(tries=4, limit=8.0)),
)
UP = make_child(start_action=StartAction.START)
REAUTHENTICATED, BROKEN = (
    tuple(replace(c, retransmission=RetransmissionConfig(tries=8)) for c in both((UP,), make_before_break=mbb))
    for mbb in (True, False)
)
LIFETIMES = (
    REAUTHENTICATED[0],
    replace(make_config(left=False, children=(UP,), reauth_time=300.0), retransmission=RetransmissionConfig(tries=8)),
)
TRAPPED = both((make_child(start_action=StartAction.TRAP, dpd_action=DpdAction.TRAP),))
LIMITED = both((make_child(rekey_time=40.0, rand_time=15.0),), rekey_time=100.0, rand_time=30.0, over_time=600.0)
EITHER_KE = both(with_ke("aes256gcm16-none-x25519"))[0], both(with_ke("aes256gcm16-x25519-none"))[1]
ONE_IS_DEAD = (
    replace(
        make_config(
            children=(UP,), dpd_delay=20.0, remote_addrs=(*one_address(IPv4Address("192.0.2.66")), *one_address(RIGHT))
        ),
        retransmission=RetransmissionConfig(tries=4, limit=8.0),
    ),
    ONE_STARTS[1],
)
MOVING = (
    ONE_STARTS[0],
    replace(
        make_config(left=False, dpd_delay=20.0, local_addrs=()), retransmission=RetransmissionConfig(tries=4, limit=8.0)
    ),
)
IN_FRAGMENTS, STARTED_IN_FRAGMENTS = (
    tuple(replace(config, daemon=DaemonConfig(fragment_size=256, half_open_timeout=200.0)) for config in configs)
    for configs in (
        both(with_ke("aes256gcm16-ecp384"), fragmentation=Fragmentation.FORCE),
        both((make_child(start_action=StartAction.START),), dpd_delay=20.0),
    )
)
"Every exchange but INFORMATIONAL in two to four fragments, or what is longer than 256 octets."
ANY = {"ike_sas": None, "children": None, "lossless": False}
NONE_LEFT = {"ike_sas": 0, "children": {}, "lossless": False}
ALL_THREE = {"children": {"net": 1, "more": 1, "mine": 1}}

SCENARIOS: dict[str, Scenario] = {
    "child rekeyed by one side": Scenario(alone(rekey_child), *PLAIN),
    "child rekeyed by one side, with KE": Scenario(alone(rekey_child), *KE),
    "child rekeyed by one side, INVALID_KE_PAYLOAD": Scenario(alone(rekey_child), *INVALID_KE),
    "child rekeyed by one side, KE if the other wants": Scenario(alone(rekey_child), *EITHER_KE),
    "child rekeyed by both at once": Scenario(crossing(rekey_child), *PLAIN),
    "child rekeyed by both at once, with KE": Scenario(crossing(rekey_child), *KE),
    "child rekeyed by both at once, INVALID_KE_PAYLOAD": Scenario(crossing(rekey_child), *INVALID_KE),
    "three children rekeyed by both at once": Scenario(crossing(rekey_child), *both(THREE), **ALL_THREE),
    "child rekeyed, deleted by the other": Scenario(
        crossing(rekey_child, delete_child), *PLAIN, ike_sas=1, children=None, lossless=False
    ),
    "child rekeyed, then deleted by the same side": Scenario(
        one_after_another((rekey_child,), (delete_child,)), *PLAIN, 1, {}, lossless=False
    ),
    "child rekeyed, deleted by either": Scenario(anything(rekey_child, delete_child), *PLAIN, 1, None, lossless=False),
    "child rekeyed, IKE SA rekeyed": Scenario(crossing(rekey_child, rekey_ike), *PLAIN),
    "child rekeyed, IKE SA deleted": Scenario(crossing(rekey_child, delete_ike), *PLAIN, 0, {}, lossless=False),
    "child limits reached in the kernel of both": Scenario(crossing(expire_softly), *PLAIN),
    "child limit reached during our own rekeying": Scenario(anything(expire_softly, rekey_child), *PLAIN),
    "child closed by the kernel": Scenario(alone(expire_hard), *PLAIN, lossless=False),
    "child deleted by both at once": Scenario(crossing(delete_child), *PLAIN, 1, {}, lossless=False),
    "child created by both at once": Scenario(
        crossing(create), *both(retransmission=EAGER), lossless=False, before=delete_child
    ),
    "three children created by both at once": Scenario(
        crossing(create), *both(THREE, EAGER), **ALL_THREE, lossless=False, before=delete_children
    ),
    "child created, IKE SA deleted": Scenario(crossing(create, delete_ike), *PLAIN, **ANY, before=delete_child),
    "child created, IKE SA rekeyed": Scenario(
        crossing(create, rekey_ike), *both(THREE), **ALL_THREE, before=delete_child
    ),
    "child deleted, IKE SA rekeyed": Scenario(crossing(delete_child, rekey_ike), *PLAIN, 1, {}, lossless=False),
    "child deleted, IKE SA deleted": Scenario(crossing(delete_child, delete_ike), *PLAIN, 0, {}, lossless=False),
    "IKE SA rekeyed by one side": Scenario(alone(rekey_ike), *PLAIN),
    "IKE SA rekeyed by both at once": Scenario(crossing(rekey_ike), *PLAIN),
    "IKE SA rekeyed by both at once, INVALID_KE_PAYLOAD": Scenario(crossing(rekey_ike), *INVALID_IKE_KE),
    "IKE SA rekeyed by one side, INVALID_KE_PAYLOAD": Scenario(alone(rekey_ike), *INVALID_IKE_KE),
    "IKE SA of three children rekeyed by both at once": Scenario(crossing(rekey_ike), *both(THREE), **ALL_THREE),
    "IKE SA without a child rekeyed by both at once": Scenario(
        crossing(rekey_ike), *both(childless=Childless.FORCE), 1, {}, lossless=False, before=delete_child
    ),
    "rekeyed, then terminated by the same side": Scenario(
        one_after_another((rekey_ike, rekey_child), (delete_ike,)), *PLAIN, **NONE_LEFT
    ),
    "IKE SA rekeyed, deleted by the other": Scenario(crossing(rekey_ike, delete_ike), *PLAIN, 0, {}, lossless=False),
    "IKE SA deleted by both at once": Scenario(crossing(delete_ike), *PLAIN, 0, {}, lossless=False),
    "IKE SA and child rekeyed by either, again and again": Scenario(anything(rekey_child, rekey_ike), *PLAIN),
    "everything by either": Scenario(anything(rekey_child, rekey_ike, create, delete_child, delete_ike), *PLAIN, **ANY),
    "IKE SA begun by both at once": Scenario(begin, *STARTED, lossless=False, settling=150.0, connected=False),
    "IKE SA begun and ended by either": Scenario(anything(create, delete_ike), *PLAIN, **ANY),
    "reauthenticated, make before break": Scenario(alone(reauthenticate, who="left"), *REAUTHENTICATED, lossless=False),
    "reauthenticated, break before make": Scenario(alone(reauthenticate, who="left"), *BROKEN, lossless=False),
    "reauthenticated by both at once": Scenario(crossing(reauthenticate), *REAUTHENTICATED, lossless=False),
    "reauthenticated while the other rekeys": Scenario(
        beside(reauthenticate, rekey_child, rekey_ike), *REAUTHENTICATED, lossless=False
    ),
    "reauthenticated, unique = replace": Scenario(
        alone(reauthenticate, who="left"), *both(unique=Unique.REPLACE), lossless=False
    ),
    "reauthenticated by AUTH_LIFETIME": Scenario(quiet(800.0), *LIFETIMES, lossless=False, settling=150.0),
    "rekeyed in time by both": Scenario(quiet(400.0), *LIMITED, settling=150.0),
    "liveness on a bad line": Scenario(quiet(300.0), *both(dpd_delay=20.0), settling=150.0),
    "outage of ten minutes, both start": Scenario(outage(600.0), *IMPATIENT, lossless=False, settling=150.0),
    "outage of ten minutes, one starts": Scenario(outage(600.0), *ONE_STARTS, lossless=False, settling=150.0),
    "killed and back, both start": Scenario(reboot("either"), *IMPATIENT, lossless=False, settling=150.0),
    "killed and back, who starts": Scenario(reboot("left"), *ONE_STARTS, lossless=False, settling=150.0),
    "killed and back, who answers": Scenario(reboot("right"), *ONE_STARTS, lossless=False, settling=150.0),
    "killed while it rekeys, and back": Scenario(
        reboot("either", rekey_child, rekey_ike), *IMPATIENT, lossless=False, settling=150.0
    ),
    "started before the network is there": Scenario(
        begin_without_a_line, *IMPATIENT, lossless=False, settling=150.0, connected=False
    ),
    "started, the first of two addresses is dead": Scenario(
        begin, *ONE_IS_DEAD, lossless=False, settling=400.0, connected=False
    ),
    "peer has another address": Scenario(move, *MOVING, lossless=False, settling=150.0),
    "everything rekeyed in fragments, again and again": Scenario(anything(rekey_child, rekey_ike), *IN_FRAGMENTS),
    "child rekeyed by both at once, in fragments": Scenario(crossing(rekey_child), *IN_FRAGMENTS),
    "IKE SA rekeyed by both at once, in fragments": Scenario(crossing(rekey_ike), *IN_FRAGMENTS),
    "everything by either, in fragments": Scenario(
        anything(rekey_child, rekey_ike, create, delete_child, delete_ike), *IN_FRAGMENTS, **ANY
    ),
    "IKE SA begun by both at once, in fragments": Scenario(
        begin, *STARTED_IN_FRAGMENTS, lossless=False, settling=150.0, connected=False
    ),
    "trapped packets, while children are deleted": Scenario(
        anything(acquire, delete_child, delete_ike), *TRAPPED, **ANY
    ),
}
