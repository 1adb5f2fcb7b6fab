"""The phases of an IKE SA: each record holds only what is known in it.

Rule 1: a phase is replaced, never filled in.
Rule 2: Established cannot be made without the proof that the peer is who it says.
Not here: what may happen in which phase (exchanges/__init__.py).
"""

from __future__ import annotations

from dataclasses import dataclass

from ikepy.config.model import ConnectionConfig
from ikepy.crypto.suites import IkeSuite
from ikepy.ike.admission import NO_ADMISSION, Admission
from ikepy.ike.causes import Cause
from ikepy.ike.effects import PeerAuthenticated
from ikepy.ike.keymat import IkeKeys
from ikepy.ike.nat import NatFindings
from ikepy.personas.fingerprint import Seen, describe, fingerprint
from ikepy.personas.quirks import Quirks, quirks_for
from ikepy.wire.payloads import Identification
from ikepy.wire.registry import HashAlgorithm
from ikepy.wire.sa import Proposal

Contact = tuple[Identification, Identification, str | None]
"""Our identity, the peer's, and the user that EAP proved: the IDi of such a client is a claim, often a private address."""


@dataclass(frozen=True, slots=True)
class Keyed:
    """What IKE_SA_INIT finds out.

    spi_i, spi_r    8 octets each
    init_request, init_response  the whole messages as they travelled; None for our own response, which is not yet sealed
    peer_hashes     of the peer's SIGNATURE_HASH_ALGORITHMS; empty where it sent none
    certificate_requested  whether the peer sent CERTREQ already here (responders do)
    authorities     SHA-1 of the keys of the CAs it named there
    fragmentation   whether both sides said that they take fragments (RFC 7383)
    seen            what of a client's first requests tells its kind; None where we began
    follows_redirects  whether the initiator goes where it is sent (RFC 5685)
    childless       whether the responder says that it takes an IKE_AUTH without a child (RFC 6023)
    """

    connection: ConnectionConfig
    proposal: Proposal
    suite: IkeSuite
    keys: IkeKeys
    spi_i: bytes
    spi_r: bytes
    ni: bytes
    nr: bytes
    init_request: bytes
    init_response: bytes
    nat: NatFindings
    peer_hashes: frozenset[HashAlgorithm]
    certificate_requested: bool
    authorities: frozenset[bytes] = frozenset()
    childless: bool = False
    fragmentation: bool = False
    seen: Seen | None = None
    follows_redirects: bool = False

    @property
    def quirks(self) -> Quirks:
        """What is done otherwise for the peer, as the configuration says, or its kind wants it."""
        found = fingerprint(self.seen) if self.seen is not None else None
        return quirks_for(self.connection.quirks, found)

    @property
    def client(self) -> str | None:
        """What the peer is, in words; None where we began, and where it is nobody we know."""
        return describe(self.seen) if self.seen is not None and fingerprint(self.seen) is not None else None


@dataclass(frozen=True, slots=True)
class Authenticated:
    """What IKE_AUTH finds out; `proof` is made by whoever verified the peer's AUTH."""

    connection: ConnectionConfig
    proof: PeerAuthenticated
    local_id: Identification
    remote_id: Identification
    admission: Admission = NO_ADMISSION

    @property
    def contact(self) -> Contact:
        """Whom the IKE SA is with: what an INITIAL_CONTACT of the same is about."""
        return self.local_id, self.remote_id, self.proof.proof.user


@dataclass(frozen=True, slots=True)
class Connecting:
    """IKE_SA_INIT is under way; nothing is known."""


@dataclass(frozen=True, slots=True)
class Authenticating:
    """Keys are known, the peer is not."""

    keyed: Keyed


@dataclass(frozen=True, slots=True)
class Established:
    """Both sides are authenticated."""

    keyed: Keyed
    authenticated: Authenticated
    since: float


@dataclass(frozen=True, slots=True)
class Closing:
    """We asked the peer to delete the IKE SA, or said why we end it, and wait for its answer."""

    keyed: Keyed
    authenticated: Authenticated | None
    reason: str
    cause: Cause = Cause.FAILED


@dataclass(frozen=True, slots=True)
class Rekeyed:
    """Another IKE SA has taken its children; it lives on until one side has deleted it (§2.8).

    we_delete   whether that is ours to do: we made the successor
    """

    keyed: Keyed
    authenticated: Authenticated
    we_delete: bool
    reason: str = "rekeyed"


@dataclass(frozen=True, slots=True)
class Closed:
    """Over; kept by the endpoint only to repeat its last response."""

    keyed: Keyed | None
    authenticated: Authenticated | None
    reason: str


Phase = Connecting | Authenticating | Established | Closing | Rekeyed | Closed
