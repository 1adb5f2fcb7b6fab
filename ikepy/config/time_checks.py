"""Lifetimes: which spans, octets and packets of a connection and its children fit together.

Rule 1: what is renewed is renewed before it ends; what is taken off at random is no more than there is.
Rule 2: a number beside one that switches it off is an error: the operator thought of something else.
Not here: what the defaults come to (ike/lifetimes.py), other keys (checks.py).
"""

from __future__ import annotations

from collections.abc import Iterator

from ikepy.config.model import ChildConfig, ConnectionConfig
from ikepy.config.tables import Place


def check_ike_times(connection: ConnectionConfig, place: Place) -> None:
    """Check the spans of an IKE SA; raises ConfigError."""
    renewals = {
        key: seconds
        for key, seconds in (("rekey_time", connection.rekey_time), ("reauth_time", connection.reauth_time))
        if seconds > 0
    }
    for key, seconds in (("over_time", connection.over_time), ("rand_time", connection.rand_time)):
        if seconds and not renewals:
            raise place.error("nothing is done with it where rekey_time and reauth_time are 0", "leave it out", key)
    if renewals and connection.over_time == 0:
        raise place.error(
            "0 would close an IKE SA the moment it is to be renewed", "write a time, or leave it out", "over_time"
        )
    for key, seconds in renewals.items():
        _check_rand("rand_time", connection.rand_time, key, seconds, place)


def check_child_times(child: ChildConfig, place: Place) -> None:
    """Check spans, octets and packets of a child; raises ConfigError."""
    for unit, rekey, life, rand in _limits(child):
        if rekey > 0:
            if life is not None and life <= rekey:
                raise place.error(
                    f"{_plain(life)} is not more than rekey_{unit} {_plain(rekey)}: the child would end before it is rekeyed",
                    f"write more, leave it out, or write rekey_{unit} = 0 to let the child end",
                    f"life_{unit}",
                )
            _check_rand(f"rand_{unit}", rand, f"rekey_{unit}", rekey, place)
        elif rand:
            raise place.error(f"nothing is done with it where rekey_{unit} is 0", "leave it out", f"rand_{unit}")


def _limits(child: ChildConfig) -> Iterator[tuple[str, float, float | None, float | None]]:
    yield "time", child.rekey_time, child.life_time, child.rand_time
    yield "bytes", child.rekey_bytes, child.life_bytes, child.rand_bytes
    yield "packets", child.rekey_packets, child.life_packets, child.rand_packets


def _check_rand(key: str, rand: float | None, rekey_key: str, rekey: float, place: Place) -> None:
    if rand is not None and rand > rekey:
        raise place.error(
            f"{_plain(rand)} cannot be taken off {rekey_key} {_plain(rekey)}",
            f"write less than {rekey_key}, or leave it out",
            key,
        )


def _plain(number: float) -> str:
    return str(round(number, 3)).removesuffix(".0")
