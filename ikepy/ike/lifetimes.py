"""When a child or an IKE SA is renewed, and what limits the kernel is given as a net below.

Rule 1: each renewal comes earlier by a random part of `rand_*`, so that not all of a host's come at once, nor those of
        both sides.
Rule 2: the kernel's soft limit in seconds comes after our own timer; in octets and packets it is the only one who counts.
Not here: timers (agenda.py), the exchanges.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from ikepy.config.model import ChildConfig, ConnectionConfig
from ikepy.crypto.entropy import Entropy
from ikepy.ipsec import Lifetime

_MARGIN = 1.1
_OVER = 0.1
_SOFT_LAG = 2.0
"Seconds the kernel's soft limit comes after our own timer."


@dataclass(frozen=True, slots=True)
class ChildTimes:
    """Of one child: seconds until it is rekeyed and until the kernel closes it, None for never; the kernel's limits."""

    rekey_after: float | None
    life: float | None
    limits: Lifetime


@dataclass(frozen=True, slots=True)
class IkeTimes:
    """Of one IKE SA: seconds until it is rekeyed, reauthenticated, and until one not renewed is closed; None for never."""

    rekey_after: float | None
    reauth_after: float | None
    over: float


def child_times(config: ChildConfig, entropy: Entropy, *, by_peer: bool = False) -> ChildTimes:
    """Draw the times of one child.

    by_peer   whether the peer alone may renew it: then only limits count that the configuration names as such
    """
    if by_peer:
        config = replace(config, rekey_time=0.0, rekey_bytes=0, rekey_packets=0)
    rekey, life = _drawn(config.rekey_time, config.life_time, config.rand_time, entropy)
    octets, most_octets = _drawn(config.rekey_bytes, config.life_bytes, config.rand_bytes, entropy)
    packets, most_packets = _drawn(config.rekey_packets, config.life_packets, config.rand_packets, entropy)
    limits = Lifetime(
        soft_seconds=math.ceil(rekey + _SOFT_LAG) if rekey is not None else None,
        hard_seconds=math.ceil(life) if life is not None else None,
        soft_octets=_whole(octets),
        hard_octets=_whole(most_octets),
        soft_packets=_whole(packets),
        hard_packets=_whole(most_packets),
    )
    return ChildTimes(rekey, life, limits)


def ike_times(config: ConnectionConfig, entropy: Entropy) -> IkeTimes:
    """Draw the times of one IKE SA."""
    over = config.over_time
    times = [
        _earlier(after, next(rand for rand in (config.rand_time, over, _OVER * after) if rand is not None), entropy)
        for after in (config.rekey_time, config.reauth_time)
    ]
    longest = max(config.rekey_time, config.reauth_time)
    return IkeTimes(times[0], times[1], over if over is not None else _OVER * longest)


def spread(seconds: float, entropy: Entropy) -> float:
    """That long and up to half as long again, at random: so that two sides do not stay in step."""
    return seconds * (1 + _fraction(entropy) / 2)


def _drawn(rekey: float, life: float | None, rand: float | None, entropy: Entropy) -> tuple[float | None, float | None]:
    if rekey <= 0:
        return None, life or None
    most = life if life is not None else rekey * _MARGIN
    return _earlier(rekey, rand if rand is not None else max(most - rekey, 0.0), entropy), most


def _earlier(after: float, rand: float, entropy: Entropy) -> float | None:
    return after - min(rand, after) * _fraction(entropy) if after > 0 else None


def _fraction(entropy: Entropy) -> float:
    return int.from_bytes(entropy.octets(4), "big") / (1 << 32)


def _whole(number: float | None) -> int | None:
    return max(1, math.ceil(number)) if number is not None else None
