"""What an exchange may await: frozen values that say what is wanted and, by their type, what comes back.

Rule 1: an effect carries all that its performer needs; the performer never asks the SA.
Rule 2: an effect that leaves something behind names the effect that undoes it.
Rule 3: an effect ends in its reply or in an IkeError thrown into the exchange.
Not here: who performs them (daemon/driver.py; tests/support), in what order (exchanges/).
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from ikepy.config.groups import NO_PROOF, Proof
from ikepy.config.model import LocalAuthConfig, RemoteAuthConfig
from ikepy.crypto.key_exchange import KeyExchange
from ikepy.crypto.secret import Secret
from ikepy.ike.actions import Path
from ikepy.ipsec import ChildSaSpec, IpAddress, Owner, PolicySpec, SaId, Spi
from ikepy.wire.base import Payload
from ikepy.wire.message import Message
from ikepy.wire.payloads import Auth, Cert, Identification
from ikepy.wire.redirect import Gateway
from ikepy.wire.registry import ExchangeType, HashAlgorithm, KeMethod, PrfId, ProtocolId

Reply = TypeVar("Reply")


class Effect(Generic[Reply]):
    """Something an exchange waits for."""

    __slots__ = ()

    def __await__(self) -> Generator[Effect[Any], Any, Reply]:
        reply: Reply = yield self
        return reply

    def undo(self, reply: Reply) -> Effect[None] | None:
        """What takes back what was done, given the reply it had; None where nothing stays behind."""
        return None


# -- performed by the IKE SA itself ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Received:
    """A message that came, read.

    octets   the whole message as it came
    answers  our request as it was sent, where this is its response; else empty
    """

    message: Message
    octets: bytes
    path: Path
    answers: bytes = b""


@dataclass(frozen=True, slots=True)
class SendRequest(Effect[Received]):
    """Send a request and wait for its response; repeats and their end are the window's. Raises GaveUp.

    tries   repeats at most; None for as many as are configured
    """

    exchange: ExchangeType
    payloads: tuple[Payload, ...]
    tries: int | None = None


@dataclass(frozen=True, slots=True)
class NextAnswer(Effect[Received]):
    """Wait for another response to the same IKE_SA_INIT request: the last could be anybody's (RFC 7296 §2.21.1).

    patience  seconds to wait at most; repeats go on meanwhile

    Raises GaveUp when nothing came.
    """

    patience: float


@dataclass(frozen=True, slots=True)
class Respond(Effect[Received]):
    """Send a response and wait for the peer's next request of the same conversation."""

    payloads: tuple[Payload, ...]


# -- performed outside -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ResolvePath(Effect[tuple[Path, ...]]):
    """Find the addresses to begin with: names resolved, our address by the routing table; each of the peer's in turn.

    gateway    where another gateway sends us; None for where the configuration does

    Raises PeerUnknown where nothing resolves or no route leads there.
    """

    connection: str
    gateway: Gateway | None = None


@dataclass(frozen=True, slots=True)
class Ways:
    """Which ways lead to a peer.

    pairs  our address and the peer's, the best first; in the order of the peer's addresses that were asked for
    ours   every address of ours that the peer may know, whether a way begins there at present or not
    """

    pairs: tuple[tuple[IpAddress, IpAddress], ...]
    ours: tuple[IpAddress, ...] = ()


@dataclass(frozen=True, slots=True)
class FindWays(Effect[Ways]):
    """Find by which addresses of ours the peer's addresses can be reached at present; those that cannot are left out."""

    connection: str
    remotes: tuple[IpAddress, ...]


@dataclass(frozen=True, slots=True)
class MakeKeyExchange(Effect[KeyExchange]):
    """Draw a private value and compute its public one."""

    method: KeMethod


@dataclass(frozen=True, slots=True)
class ComputeSharedSecret(Effect[Secret]):
    """Combine our private value with the peer's public one; raises InvalidPublicValue."""

    key_exchange: KeyExchange
    peer_public: bytes


@dataclass(frozen=True, slots=True)
class LocalProof:
    """The AUTH payload we send, and the certificates that go before it."""

    auth: Auth
    certs: tuple[Cert, ...]


@dataclass(frozen=True, slots=True)
class SignAuth(Effect[LocalProof]):
    """Prove who we are (RFC 7296 §2.15, RFC 7427).

    signed_octets  message, peer's nonce and prf(SK_p, RestOfIDPayload), concatenated
    peer           the peer's identity as far as it is known, for the choice of a PSK
    hashes         what the peer's SIGNATURE_HASH_ALGORITHMS named; empty: RFC 7427 is not to be used
    certificate_requested  whether the peer sent a CERTREQ, or wants certificates without one
    authorities    SHA-1 of the keys of the CAs that CERTREQ named, for the choice among several certificates
    pkcs1          whether the peer verifies RSA signatures of RFC 7427 only as PKCS#1 v1.5
    prefers_rsa    whether the peer may believe no certificate with a key of another kind

    Raises NoCredential.
    """

    connection: str
    local: LocalAuthConfig
    identity: Identification
    peer: Identification | None
    path: Path
    prf: PrfId
    signed_octets: bytes
    hashes: frozenset[HashAlgorithm]
    certificate_requested: bool
    authorities: frozenset[bytes] = frozenset()
    pkcs1: bool = False
    prefers_rsa: bool = False


@dataclass(frozen=True, slots=True)
class PeerAuthenticated:
    """The proof value: made only by whoever verified the AUTH payload."""

    connection: str
    identity: Identification
    method: str
    "Worded for the log: 'PSK', 'RSA signature with SHA2_256', ..."
    proof: Proof = NO_PROOF
    "What groups ask of it."


@dataclass(frozen=True, slots=True)
class VerifyAuth(Effect[PeerAuthenticated]):
    """Verify the peer's AUTH payload, and for certificates the path to a trust anchor and the identity.

    local_identity  ours, for the choice of a PSK
    signed_octets   the octets the peer took its AUTH from
    now             seconds since the epoch are read by the performer; validity is judged there

    Raises AuthenticationFailed, whose message is for our log only.
    """

    connection: str
    remote: RemoteAuthConfig
    identity: Identification
    local_identity: Identification | None
    path: Path
    auth: Auth
    certs: tuple[Cert, ...]
    prf: PrfId
    signed_octets: bytes


@dataclass(frozen=True, slots=True)
class LocalIdentity(Effect[Identification]):
    """Our identity on a connection that names none: the certificate's subject, else our address."""

    connection: str
    local: LocalAuthConfig
    path: Path


@dataclass(frozen=True, slots=True)
class FindTrustingConnections(Effect[frozenset[str]]):
    """Which of the connections have a trust anchor that the peer's certificates lead to (names only, no validation)."""

    candidates: tuple[str, ...]
    certs: tuple[Cert, ...]


@dataclass(frozen=True, slots=True)
class TrustAnchorHashes(Effect[tuple[bytes, ...]]):
    """SHA-1 of each trust anchor's SubjectPublicKeyInfo for CERTREQ (RFC 7296 §3.7); None asks for all connections."""

    connection: str | None


@dataclass(frozen=True, slots=True)
class AllocateSpi(Effect[Spi]):
    """Draw an SPI that no state of this host has for that destination.

    hold_early   packets that come for it are held, where the host can do that, until its state is installed or the
                 SPI is given back
    """

    destination: IpAddress
    protocol: ProtocolId
    hold_early: bool = False

    def undo(self, reply: Spi) -> Effect[None] | None:
        """Give the SPI back; harmless after the state was installed."""
        return ReleaseSpi(SaId(self.destination, self.protocol, reply))


@dataclass(frozen=True, slots=True)
class ReleaseSpi(Effect[None]):
    """Give back an SPI that no state was made of."""

    sa: SaId


@dataclass(frozen=True, slots=True)
class InstallChildSa(Effect[None]):
    """Put both states, the policies and routes of a child into the kernel; all or nothing.

    replaces   the child whose outbound state goes in the same write, once ours is there: packets change over at once

    Raises KernelRefused, SpiTaken or PolicyTaken.
    """

    child: ChildSaSpec
    replaces: ChildSaSpec | None = None

    def undo(self, reply: None) -> Effect[None] | None:
        """Take the child out again."""
        return RemoveChildSa(self.child)


@dataclass(frozen=True, slots=True)
class InstallInbound(Effect[None]):
    """Put the inbound state, the policies and routes of a child into the kernel; its outbound state comes later.

    Raises KernelRefused, SpiTaken or PolicyTaken.
    """

    child: ChildSaSpec

    def undo(self, reply: None) -> Effect[None] | None:
        """Take the child out again."""
        return RemoveChildSa(self.child)


@dataclass(frozen=True, slots=True)
class InstallOutbound(Effect[None]):
    """Put the outbound state of a child beside its inbound one; `replaces` as for InstallChildSa. Raises KernelRefused."""

    child: ChildSaSpec
    replaces: ChildSaSpec | None = None


@dataclass(frozen=True, slots=True)
class MoveChildSa(Effect[None]):
    """Have what is there of a child between the addresses its spec has now, its sequence numbers going on.

    Raises KernelRefused, and then it is where it was.
    """

    child: ChildSaSpec


@dataclass(frozen=True, slots=True)
class RemoveChildSa(Effect[None]):
    """Take what is there of both states, what policies are ours alone, and routes out of the kernel."""

    child: ChildSaSpec


@dataclass(frozen=True, slots=True)
class InboundSeen:
    """What came in by some states.

    idle     seconds since the last packet by any of them; None where there never was one
    packets  how many came by all of them
    """

    idle: float | None
    packets: int


@dataclass(frozen=True, slots=True)
class LookAtInbound(Effect[InboundSeen]):
    """Ask the kernel what came in by these states; those that are gone count as nothing."""

    states: tuple[SaId, ...]


@dataclass(frozen=True, slots=True)
class InstallPolicies(Effect[None]):
    """Put policies without states into the kernel: a trap, a shunt; all or nothing. Raises PolicyTaken, KernelRefused."""

    owner: Owner
    policies: tuple[PolicySpec, ...]

    def undo(self, reply: None) -> Effect[None] | None:
        """Take them out again."""
        return RemovePolicies(self.owner)


@dataclass(frozen=True, slots=True)
class RemovePolicies(Effect[None]):
    """Take the policies of an owner out that nobody else holds."""

    owner: Owner


@dataclass(frozen=True, slots=True)
class AskAgain(Effect[None]):
    """Have the next packet that meets the trap of a request ID ask once more: what it asked for came to nothing."""

    reqid: int
