"""Letting a client in: what is awaited for EAP and for addresses, and what it comes to.

    BeginEap -> EapBegun      AnswerEap -> ServerTurn       the gateway's end of EAP
    JoinEap  -> EapDialog     FollowEap -> ClientTurn       the client's end
    VerifyEapAuth -> PeerAuthenticated                      AUTH of what EAP left behind (RFC 7296 §2.16)
    LendAddresses -> leases   ReturnAddresses               the gateway's pools
    HoldAddresses             DropAddresses                 the client's own, in its kernel

Rule 1: an EAP conversation is a value of whoever performs it; nothing here looks inside.
Rule 2: an address that is lent is given back by whoever closes the IKE SA last that has it (ending.py).
Not here: EAP (auth/eap), pools (leases/), the exchange (exchanges/eap_rounds.py, exchanges/granting_addresses.py).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from ikepy.config.access import Tunnel as Tunnel  # noqa: PLC0414 - what Rights speaks of
from ikepy.config.groups import ALL_RIGHTS, Proof, Rights
from ikepy.config.model import LocalAuthConfig, RemoteAuthConfig
from ikepy.crypto.secret import Secret
from ikepy.ike.actions import Path
from ikepy.ike.eap_turns import ClientTurn, Refused, Say, ServerTurn
from ikepy.ike.effects import Effect, PeerAuthenticated
from ikepy.ike.errors import PeerFault
from ikepy.ipsec import IpAddress
from ikepy.wire.eap import Eap
from ikepy.wire.payloads import Auth, Identification
from ikepy.wire.registry import NotifyType, PrfId
from ikepy.wire.ts import TrafficSelector


class AddressesRefused(PeerFault):
    """No address can be lent: the pools are used up (RFC 7296 §3.15.4); the message says which."""

    notify = NotifyType.INTERNAL_ADDRESS_FAILURE


class ConfigurationRequired(PeerFault):
    """The peer asks for no address, and the connection has pools (RFC 7296 §3.15.4)."""

    notify = NotifyType.FAILED_CP_REQUIRED


@dataclass(frozen=True, slots=True)
class Lease:
    """One address lent to one session.

    pool     empty where no pool has the address any more
    number   differs for all leases, also of the same address
    """

    address: IpAddress
    pool: str
    identity: str
    number: int


@dataclass(frozen=True, slots=True)
class Admission:
    """What goes with an authenticated IKE SA beside its children.

    rights    what the peer gets of us; all, where we came to it
    leases    addresses of ours that the peer has
    given     addresses that we have of the peer
    dns, domains, subnets   what the peer told us beside them
    asks_by_dhcp   whether the peer asks us for routes by DHCPINFORM, which goes to 255.255.255.255
    """

    rights: Rights = ALL_RIGHTS
    leases: tuple[Lease, ...] = ()
    given: tuple[IpAddress, ...] = ()
    dns: tuple[IpAddress, ...] = ()
    domains: tuple[str, ...] = ()
    subnets: tuple[TrafficSelector, ...] = ()
    asks_by_dhcp: bool = False

    @property
    def lent(self) -> tuple[IpAddress, ...]:
        """The addresses that the peer has of us."""
        return tuple(lease.address for lease in self.leases)


NO_ADMISSION = Admission()
"Of peers that have nothing but what the connection says."


class EapDialog(Protocol):
    """One EAP conversation, of whoever performs it."""


# -- the gateway's end -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class EapBegun:
    """An EAP conversation and its first request; Refused where there can be none."""

    dialog: EapDialog = field(repr=False)
    turn: Say | Refused


@dataclass(frozen=True, slots=True)
class BeginEap(Effect[EapBegun]):
    """Begin EAP with a client: ask for its name (RFC 7296 §2.16). Raises NoCredential."""

    connection: str
    remote: RemoteAuthConfig
    path: Path


@dataclass(frozen=True, slots=True)
class AnswerEap(Effect[ServerTurn]):
    """Take a packet of the client; where passwords were guessed wrong before, this takes its time."""

    dialog: EapDialog = field(repr=False)
    packet: Eap = field(repr=False)
    path: Path


@dataclass(frozen=True, slots=True)
class EapIdentity(Effect[Proof]):
    """What a conversation that ended in Proved has proved; raises AuthenticationFailed where its user is kept out."""

    dialog: EapDialog = field(repr=False)
    user: str


@dataclass(frozen=True, slots=True)
class VerifyEapAuth(Effect[PeerAuthenticated]):
    """Verify AUTH made of a shared key that EAP left behind, or of SK_p where the method leaves none (RFC 7296 §2.16).

    remote   whose `id` the peer must have
    proof    what EAP proved of the peer
    method   for the log

    Raises AuthenticationFailed.
    """

    connection: str
    remote: RemoteAuthConfig
    identity: Identification
    auth: Auth
    prf: PrfId
    secret: Secret
    signed_octets: bytes
    proof: Proof
    method: str


# -- the client's end --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class JoinEap(Effect[EapDialog]):
    """Begin EAP with a gateway; raises NoCredential.

    server_proved   whether it has proved who it is by an AUTH of its own
    """

    connection: str
    local: LocalAuthConfig
    remote: RemoteAuthConfig
    identity: Identification
    server_proved: bool


@dataclass(frozen=True, slots=True)
class FollowEap(Effect[ClientTurn]):
    """Take a packet of the gateway."""

    dialog: EapDialog = field(repr=False)
    packet: Eap = field(repr=False)


# -- addresses ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Wanted:
    """One address that a client asks for; address is None where any will do."""

    family: int
    address: IpAddress | None = None


@dataclass(frozen=True, slots=True)
class LendAddresses(Effect[tuple[Lease, ...]]):
    """Lend a client addresses: of each family that the pools have, as many as it wants.

    identity     whose they are: lease_identity() of config/groups.py
    instead_of   leases of its earlier session that this one takes the place of
    groups       that the client is in: what the gateway lets it reach

    Raises AddressesRefused where there is none for it.
    """

    pools: tuple[str, ...]
    identity: str
    wanted: tuple[Wanted, ...]
    instead_of: tuple[Lease, ...] = ()
    groups: tuple[str, ...] = ()

    def undo(self, reply: tuple[Lease, ...]) -> Effect[None] | None:
        """Give them back."""
        return ReturnAddresses(reply) if reply else None


@dataclass(frozen=True, slots=True)
class ReturnAddresses(Effect[None]):
    """Give addresses back."""

    leases: tuple[Lease, ...]


@dataclass(frozen=True, slots=True)
class HoldAddresses(Effect[None]):
    """Have addresses that a gateway gave us on this host; raises KernelRefused.

    interface   that gets them; None is lo
    """

    addresses: tuple[IpAddress, ...]
    interface: str | None = None

    def undo(self, reply: None) -> Effect[None] | None:
        """Take them off."""
        return DropAddresses(self.addresses)


@dataclass(frozen=True, slots=True)
class DropAddresses(Effect[None]):
    """Take addresses off this host that a gateway gave us; each as often as it was put on."""

    addresses: tuple[IpAddress, ...]


class Holdings:
    """Which addresses IKE SAs have: those of one go over to its successors, and are given back with the last."""

    def __init__(self) -> None:
        self._held: dict[int, tuple[Admission, int]] = {}

    def hold(self, admission: Admission) -> None:
        """One more IKE SA has them."""
        if admission.leases or admission.given:
            _, count = self._held.get(id(admission), (admission, 0))
            self._held[id(admission)] = admission, count + 1

    def drop(self, admission: Admission) -> tuple[Effect[None], ...]:
        """One IKE SA fewer has them; what gives back what nobody has any more."""
        _, count = self._held.pop(id(admission), (admission, 0))
        if count > 1:
            self._held[id(admission)] = admission, count - 1
        if count != 1:
            return ()
        leases = (ReturnAddresses(admission.leases),) if admission.leases else ()
        given = (DropAddresses(admission.given),) if admission.given else ()
        return (*leases, *given)
