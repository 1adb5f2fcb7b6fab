"""Scenarios of MOBIKE: sides that move, crossing rekeyings, deletes, signs of life and each other (RFC 4555).

Not here: how they are played (test_seeds.py); each step by hand (tests/ike/test_moving.py).
"""

from __future__ import annotations

import random
from dataclasses import replace
from ipaddress import IPv4Address

from ikepy.config.model import Config
from ikepy.ike.actions import Action
from ikepy.ike.events import AddressesChanged
from tests.scenarios.plays import (
    alone,
    anything,
    beside,
    crossing,
    delete_child,
    delete_ike,
    one_after_another,
    rekey_child,
    rekey_ike,
)
from tests.scenarios.scenarios import ANY, EAGER, Scenario
from tests.support.pair import Side, make_config

HOMES = {"left": IPv4Address("192.0.2.101"), "right": IPv4Address("192.0.2.102")}
"An address of each side that never goes, and is seldom the best."


def roam(side: Side, rnd: random.Random) -> list[Action]:
    """The address in use goes; another comes, and what else there was stays."""
    new = IPv4Address(f"198.51.{100 if side is side.pair.left else 101}.{rnd.randrange(1, 255)}")
    side.addresses = [new, *side.addresses[1:]]
    return side.endpoint.kernel_event(AddressesChanged(), side.pair.now)


def give_homes(side: Side, rnd: random.Random) -> list[Action]:
    """Both sides have another address from now on, and say so."""
    pair = side.pair
    pair.right.addresses.append(HOMES["right"])
    pair.right.run(pair.right.endpoint.kernel_event(AddressesChanged(), pair.now), pair.now)
    side.addresses.append(HOMES["left"])
    return side.endpoint.kernel_event(AddressesChanged(), pair.now)


def mobile(**more: object) -> tuple[Config, Config]:
    """Both sides, each with whatever addresses it has; a request is repeated until it comes through."""
    left, right = (
        make_config(left=side, mobike=True, local_addrs=(), dpd_delay=20.0, **more) for side in (True, False)
    )
    anywhere = replace(right, connections=(replace(right.connections[0], remote_addrs=()),))
    return replace(left, retransmission=EAGER), replace(anywhere, retransmission=EAGER)


MOBILE = mobile()
LOSSY = {"lossless": False, "settling": 150.0}

ROAMING: dict[str, Scenario] = {
    "initiator moves": Scenario(alone(roam, who="left"), *MOBILE, **LOSSY),
    "initiator moves, IKE SA rekeyed": Scenario(beside(roam, rekey_ike), *MOBILE, **LOSSY),
    "initiator moves, child rekeyed": Scenario(beside(roam, rekey_child), *MOBILE, **LOSSY),
    "initiator moves, everything rekeyed": Scenario(beside(roam, rekey_child, rekey_ike), *MOBILE, **LOSSY),
    "initiator moves, child deleted": Scenario(beside(roam, delete_child), *MOBILE, 1, {}, **LOSSY),
    "initiator moves, IKE SA deleted": Scenario(beside(roam, delete_ike), *MOBILE, 0, {}, **LOSSY),
    "responder moves": Scenario(alone(roam, who="right"), *MOBILE, **LOSSY),
    "responder moves while everything is rekeyed": Scenario(
        one_after_another((rekey_child, rekey_ike), (rekey_child, rekey_ike)), *MOBILE, **LOSSY, before=roam
    ),
    "both move at once": Scenario(crossing(roam), *MOBILE, **LOSSY, before=give_homes),
    "both move, everything rekeyed": Scenario(
        anything(roam, rekey_child, rekey_ike), *MOBILE, **LOSSY, before=give_homes
    ),
    "both move, everything deleted": Scenario(
        anything(roam, delete_child, delete_ike), *MOBILE, **{**ANY, "settling": 150.0}, before=give_homes
    ),
}
