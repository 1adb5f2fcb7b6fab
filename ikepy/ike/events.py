"""What the Endpoint publishes, what the kernel tells it, and what an SA looks like from outside.

Rule 1: an event is said once, after it is true.
Not here: wording for logs (trace/log.py) or for VICI (control/).
"""

from __future__ import annotations

from dataclasses import dataclass

from ikepy.ike.actions import Path
from ikepy.ipsec import ChildSaSpec, IpAddress, Mode, SaId, Selector
from ikepy.wire.payloads import Identification
from ikepy.wire.sa import Proposal
from ikepy.wire.ts import TrafficSelector


@dataclass(frozen=True, slots=True)
class ChildSnapshot:
    """One CHILD_SA as `ikepy status` and list-sas show it; times are seconds of the Endpoint's clock."""

    name: str
    unique_id: int
    state: str
    "INSTALLING, INSTALLED, DELETING, ... as VICI says it"
    mode: Mode
    proposal: Proposal
    local_ts: tuple[TrafficSelector, ...]
    remote_ts: tuple[TrafficSelector, ...]
    spec: ChildSaSpec | None
    encap: bool
    installed_at: float | None
    rekey_at: float | None = None
    "When it is to be rekeyed."
    life_until: float | None = None
    "When the kernel closes it, if nothing happens before."


@dataclass(frozen=True, slots=True)
class Session:
    """What is known of an authenticated peer, and what it has of us, or we of it.

    user          that EAP proved
    method        how the peer proved itself, worded for people
    groups        of ours that it is in
    lent          addresses that it has of us
    given         addresses that we have of it
    dns, domains  that it told us
    client        what kind of client it is, in words; None where nobody knows
    quirks        what is done otherwise for it, as `ikepy status` shows it
    idle_timeout  seconds without a packet after which it ends; None never
    """

    method: str
    user: str | None = None
    groups: tuple[str, ...] = ()
    lent: tuple[IpAddress, ...] = ()
    given: tuple[IpAddress, ...] = ()
    dns: tuple[IpAddress, ...] = ()
    domains: tuple[str, ...] = ()
    client: str | None = None
    quirks: tuple[str, ...] = ()
    idle_timeout: float | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """What somebody said that did not come in; nothing of it is proven.

    path      the way it came
    identity  its IDi
    user      the name that EAP asked for; empty where it did not come so far
    method    how it tried to prove itself; empty where it did not come so far
    client    what kind of client it may be
    doom      why it will not be let in, where it was told so and may not come back
    """

    path: Path
    identity: Identification
    user: str = ""
    method: str = ""
    client: str | None = None
    doom: str = ""


@dataclass(frozen=True, slots=True)
class IkeSnapshot:
    """One IKE SA as `ikepy status` and list-sas show it; times are seconds of the Endpoint's clock."""

    connection: str
    unique_id: int
    state: str
    "CONNECTING, ESTABLISHED, DELETING, ... as VICI says it"
    initiator: bool
    spi_i: bytes
    spi_r: bytes
    path: Path
    local_id: Identification | None
    remote_id: Identification | None
    proposal: Proposal | None
    established_at: float | None
    created_at: float
    waiting_for: str | None
    "What the running conversation waits for, in words; None when calm."
    next_event: tuple[str, float] | None
    "The next timer's name and instant."
    nat_local: bool
    nat_remote: bool
    children: tuple[ChildSnapshot, ...]
    queued: tuple[str, ...] = ()
    rekey_at: float | None = None
    reauth_at: float | None = None
    session: Session | None = None
    "Who the peer is and what it has; None before that is proven."


@dataclass(frozen=True, slots=True)
class InstalledPolicy:
    """A trap or a shunt as status and list-policies show it; `mode` tells which: PASS and DROP are of shunts."""

    name: str
    connection: str
    mode: Mode
    local_ts: tuple[TrafficSelector, ...]
    remote_ts: tuple[TrafficSelector, ...]


# -- published ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class IkeSaUp:
    """An IKE SA is authenticated on both sides."""

    ike: IkeSnapshot


@dataclass(frozen=True, slots=True)
class IkeSaDown:
    """An established IKE SA is gone; its children with it."""

    ike: IkeSnapshot
    reason: str


@dataclass(frozen=True, slots=True)
class ChildSaUp:
    """A child is in the kernel."""

    ike: IkeSnapshot
    child: ChildSnapshot


@dataclass(frozen=True, slots=True)
class ChildSaDown:
    """A child is out of the kernel."""

    ike: IkeSnapshot
    child: ChildSnapshot
    reason: str


@dataclass(frozen=True, slots=True)
class IkeSaMoved:
    """An IKE SA, and its children, are between other addresses or ports than before."""

    ike: IkeSnapshot
    before: Path


@dataclass(frozen=True, slots=True)
class IkeSaRekeyed:
    """An IKE SA has new keys: the new one has taken the old one's children."""

    old: IkeSnapshot
    new: IkeSnapshot


@dataclass(frozen=True, slots=True)
class ChildSaRekeyed:
    """A child has new keys: packets go by the new one."""

    ike: IkeSnapshot
    old: ChildSnapshot
    new: ChildSnapshot
    by_peer: bool = False
    "Whether the peer began it."


@dataclass(frozen=True, slots=True)
class AttemptFailed:
    """Something an operator or a peer asked for came to nothing.

    child   None where the IKE SA itself failed
    reason  one sentence that says what to do about it
    claim   of a peer that came to us and was not let in: who it said to be
    """

    connection: str | None
    child: str | None
    ike_unique_id: int
    reason: str
    claim: Claim | None = None


@dataclass(frozen=True, slots=True)
class HookFailed:
    """A program that is run for a child came to nothing; the child lives on.

    reason  one sentence: which program, for what, and what it said
    """

    connection: str
    child: str
    ike_unique_id: int
    reason: str


Event = (
    IkeSaUp
    | IkeSaDown
    | IkeSaMoved
    | IkeSaRekeyed
    | ChildSaUp
    | ChildSaDown
    | ChildSaRekeyed
    | AttemptFailed
    | HookFailed
)


# -- told by the kernel ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Acquire:
    """A packet met a policy with no state."""

    selector: Selector
    reqid: int


@dataclass(frozen=True, slots=True)
class Expire:
    """A state reached a limit."""

    sa: SaId
    hard: bool


@dataclass(frozen=True, slots=True)
class Mapping:
    """Encapsulated ESP of a state came from another address or port."""

    sa: SaId
    address: IpAddress
    port: int


@dataclass(frozen=True, slots=True)
class AddressesChanged:
    """Addresses or routes of this host changed."""


KernelEvent = Acquire | Expire | Mapping | AddressesChanged
