"""Redirection: where a gateway sends us, whether we go there, and how often (RFC 5685).

Rule 1: whoever the new gateway is, it has to prove the identity the connection names; a redirect changes an address only.
Rule 2: of too many redirects in too short a time no more are followed: gateways may point at each other (§7).
Not here: the octets (wire/redirect.py), the exchanges that carry them.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from ikepy.config.model import ConnectionConfig, FollowRedirects
from ikepy.ike.errors import GaveUp
from ikepy.ipsec import IpAddress
from ikepy.wire.redirect import Gateway

MOST_REDIRECTS = 5
PERIOD = 300.0
"At most MOST_REDIRECTS of a connection are followed in so many seconds (RFC 5685 §7)."


@dataclass(frozen=True, slots=True)
class Redirection:
    """Where an IKE SA is to begin instead of where the configuration says, and which gateway said so."""

    gateway: Gateway
    source: IpAddress


class Redirections:
    """What redirects were followed lately, by connection."""

    def __init__(self) -> None:
        self._followed: dict[str, deque[float]] = {}

    def follow(self, connection: ConnectionConfig, gateway: Gateway, now: float) -> None:
        """Count one more, if it may be followed; raises GaveUp, which says why not."""
        if not is_allowed(connection, gateway):
            raise GaveUp(
                f"the gateway sends us to {gateway}, and follow_redirects is `{connection.follow_redirects.value}`: "
                "name it in remote_addrs, or allow `any`"
            )
        followed = self._followed.setdefault(connection.name, deque(maxlen=MOST_REDIRECTS))
        if len(followed) == MOST_REDIRECTS and now - followed[0] < PERIOD:
            raise GaveUp(
                f"{MOST_REDIRECTS} redirects in {PERIOD:g} seconds, the last to {gateway}: do gateways point in a circle?"
            )
        followed.append(now)


def is_allowed(connection: ConnectionConfig, gateway: Gateway) -> bool:
    """Whether the connection follows a redirect to that gateway."""
    match connection.follow_redirects:
        case FollowRedirects.NO:
            return False
        case FollowRedirects.ANY:
            return True
    if isinstance(gateway, str):
        name = gateway.rstrip(".").lower()
        return any(
            pattern.name is not None and pattern.name.rstrip(".").lower() == name for pattern in connection.remote_addrs
        )
    return any(pattern.matches(gateway) for pattern in connection.remote_addrs)
