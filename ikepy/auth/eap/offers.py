"""Which methods a client is offered, by the connection and by the user's entry.

    entry                     MSCHAPv2   GTC   MD5   TLS, TTLS, PEAP
    NT hash                      x        x            x
    scrypt                                x            x
    the password itself          x        x     x      x
    who does not exist           x        x     x      x        of a stand-in whose password nobody knows

Rule 1: only what the connection names, in its order; of passwords, only what the user's entry has something for.
Rule 2: who does not exist, is disabled or has expired is asked as everybody else, and fails as by a wrong password.
Rule 3: certificates know nothing of users: whoever gets a name from one asks User.refusal() afterwards.
Not here: the methods; what is on offer inside a tunnel is made by another Offers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from ikepy.auth.eap.gtc import GtcServer
from ikepy.auth.eap.md5 import Md5Server
from ikepy.auth.eap.method import ServerMethod, Today, Users
from ikepy.auth.eap.mschapv2 import MsChapV2Server
from ikepy.auth.users import User
from ikepy.crypto.entropy import Entropy
from ikepy.crypto.password import NT_HASH_OCTETS
from ikepy.crypto.secret import Secret
from ikepy.wire.registry import EapType

PASSWORD_METHODS = frozenset({EapType.MSCHAPV2, EapType.GTC, EapType.MD5_CHALLENGE})

Tunnels = Mapping[EapType, Callable[[], ServerMethod]]
"How the servers of TLS-based methods are made."


class Offers:
    """The methods of one connection; calling it with a name makes those for one conversation."""

    def __init__(
        self, wanted: Sequence[EapType], users: Users, entropy: Entropy, today: Today, tunnels: Tunnels | None = None
    ) -> None:
        """Make the offers; raises ValueError for a method that is neither here nor among the tunnels.

        wanted   what the connection names, the preferred one first
        today    tells the day, UTC, for users that expire
        """
        self._wanted, self._users, self._entropy, self._today = tuple(wanted), users, entropy, today
        self._tunnels = dict(tunnels or {})
        for kind in self._wanted:
            if kind not in PASSWORD_METHODS and kind not in self._tunnels:
                raise ValueError(f"the EAP method {kind} is not here; take mschapv2, tls, ttls, peap, gtc or md5")

    def __call__(self, name: str) -> Sequence[ServerMethod]:
        """Fresh methods for the name of an Identity, whether or not there is such a user."""
        user = self._users.find_or_stand_in(name)
        refusal = user.refusal(self._today())
        user = self._with_chance(user) if not user.exists else user
        if not any(kind in self._tunnels or _has_what_it_takes(user, kind) for kind in self._wanted):
            refusal = refusal or f"nothing that the entry of '{user.name}' holds fits the connection's EAP methods"
            user = self._with_chance(user)
        methods = (self._make(kind, user, refusal) for kind in self._wanted)
        return [method for method in methods if method is not None]

    def _make(self, kind: EapType, user: User, refusal: str) -> ServerMethod | None:
        if kind in self._tunnels:
            return self._tunnels[kind]()
        if not _has_what_it_takes(user, kind):
            return None
        match kind:
            case EapType.MSCHAPV2:
                return MsChapV2Server(user, refusal, self._entropy)
            case EapType.GTC:
                return GtcServer(user, refusal, self._users.verify_password)
            case _:
                return Md5Server(user, refusal, self._entropy)

    def _with_chance(self, user: User) -> User:
        """The user with passwords of chance where there is none, so that every method has something to compare with."""
        hashed = user.nt_hash or Secret(self._entropy.octets(NT_HASH_OCTETS))
        return replace(user, nt_hash=hashed, plain=user.plain or Secret(self._entropy.octets(NT_HASH_OCTETS)))


def _has_what_it_takes(user: User, kind: EapType) -> bool:
    """Whether the user's entry has what a password method compares with."""
    match kind:
        case EapType.MSCHAPV2:
            return user.nt_hash is not None
        case EapType.GTC:
            return user.nt_hash is not None or user.scrypt is not None
        case _:
            return user.plain is not None
