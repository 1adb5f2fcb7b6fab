"""What the operator wants, as frozen dataclasses: no I/O, nothing half-checked.

Rule 1: the words are swanctl.conf's where swanctl.conf has a word.
Rule 2: each field is followed by one sentence; docs/configuration.md is made from these sentences.
Not here: pools, users and groups (access.py), reading files (load.py), the names of algorithms (algorithms.py).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

from ikepy.config.access import GroupConfig, PoolConfig, UserConfig
from ikepy.config.patterns import AddressPattern as AddressPattern  # noqa: PLC0414 - part of the model
from ikepy.config.patterns import AddressPatternKind as AddressPatternKind  # noqa: PLC0414 - part of the model
from ikepy.config.patterns import IdentityPattern as IdentityPattern  # noqa: PLC0414 - part of the model
from ikepy.crypto.secret import Secret
from ikepy.ipsec import Mark, Mode
from ikepy.wire.payloads import Identification
from ikepy.wire.sa import Proposal
from ikepy.wire.ts import TrafficSelector


class AuthKind(Enum):
    """How a side proves its identity."""

    PSK = "psk"
    PUBKEY = "pubkey"


class StartAction(Enum):
    """What is done with a child when the configuration is loaded."""

    NONE = "none"
    START = "start"
    TRAP = "trap"


class DpdAction(Enum):
    """What is done with a child whose peer is dead."""

    CLEAR = "clear"
    TRAP = "trap"
    RESTART = "restart"


class CloseAction(Enum):
    """What is done with a child that the peer closed."""

    NONE = "none"
    TRAP = "trap"
    START = "start"


class Unique(Enum):
    """What is done when a peer has a second IKE SA with the same pair of identities (RFC 7296 §2.4)."""

    NO = "no"
    NEVER = "never"
    KEEP = "keep"
    REPLACE = "replace"


class FollowRedirects(Enum):
    """Whether we go where a gateway sends us (RFC 5685)."""

    NO = "no"
    CONFIGURED = "configured"
    ANY = "any"


class RedirectAt(Enum):
    """When peers are sent elsewhere: with their first request, or when they have proved who they are."""

    INIT = "init"
    AUTH = "auth"


class Childless(Enum):
    """Whether an IKE SA may begin without a child (RFC 6023)."""

    ALLOW = "allow"
    PREFER = "prefer"
    FORCE = "force"
    NEVER = "never"


class Fragmentation(Enum):
    """Whether IKE messages go and come in fragments (RFC 7383)."""

    YES = "yes"
    ACCEPT = "accept"
    FORCE = "force"
    NO = "no"


class SendCert(Enum):
    """When our certificate goes into IKE_AUTH."""

    ALWAYS = "always"
    IF_ASKED = "ifasked"
    NEVER = "never"


class ExtendedKeyUsage(Enum):
    """Extended key usages a peer's certificate may be asked to have."""

    SERVER_AUTH = "serverAuth"
    CLIENT_AUTH = "clientAuth"
    IKE_INTERMEDIATE = "ikeIntermediate"


@dataclass(frozen=True, slots=True)
class LocalAuthConfig:
    """How we prove who we are: one `local` section."""

    auth: AuthKind
    "How we prove it: with a pre-shared key, or with a certificate and its private key."
    id: Identification | None = None
    "Our identity; without it the certificate's subject, or our address."
    certs: tuple[Path, ...] = ()
    "Certificate files, PEM or DER, ours first, intermediates in any order, or whole chains in one file."
    key: Path | None = None
    "The private key's file; without it the key under `secrets` that fits the certificate."
    send_cert: SendCert = SendCert.ALWAYS
    "When our certificate is sent."


@dataclass(frozen=True, slots=True)
class RemoteAuthConfig:
    """How the peer must prove who it is: one `remote` section."""

    auth: AuthKind
    "How the peer must prove it: with a pre-shared key, or with a certificate."
    id: IdentityPattern = field(default_factory=IdentityPattern)
    "The identity the peer must have; without it any that its credential proves."
    cacerts: tuple[Path, ...] = ()
    "Trust anchors for the peer's certificate."
    certs: tuple[Path, ...] = ()
    "The peer's own certificates, trusted as they are (pinned)."
    eku: tuple[ExtendedKeyUsage, ...] = ()
    "Extended key usages of which the certificate must have one; empty asks for none."


@dataclass(frozen=True, slots=True)
class ChildConfig:
    """One `children` section: what is protected, and how."""

    name: str
    local_ts: tuple[TrafficSelector, ...] = ()
    "Our side's selectors; empty means the address of the IKE SA (`dynamic`)."
    remote_ts: tuple[TrafficSelector, ...] = ()
    "The peer's side's selectors; empty means the peer's address (`dynamic`)."
    esp_proposals: tuple[Proposal, ...] = ()
    "ESP proposals, best first."
    mode: Mode = Mode.TUNNEL
    "Networks behind the gateways, only the two hosts, or a shunt: packets `pass` in clear, or are lost (`drop`)."
    start_action: StartAction = StartAction.NONE
    "When the daemon starts: nothing, bring the child up and keep it up, or wait for its first packet (`trap`)."
    dpd_action: DpdAction | None = None
    "What is done when the peer is dead; without it what start_action says: clear, trap or restart."
    close_action: CloseAction | None = None
    "What is done when the peer closes the child; without it what start_action says."
    rekey_time: float = 0.0
    "Seconds after which the child gets new keys; 0 never."
    life_time: float | None = None
    "Seconds after which the kernel closes a child that was not rekeyed; without it a tenth more than rekey_time."
    rand_time: float | None = None
    "Seconds of which a random part is taken off rekey_time; without it what life_time has more."
    rekey_bytes: int = 0
    "Octets after which the child gets new keys; 0 never."
    life_bytes: int | None = None
    "Octets after which the kernel closes a child that was not rekeyed; without it a tenth more than rekey_bytes."
    rand_bytes: int | None = None
    "Octets of which a random part is taken off rekey_bytes; without it what life_bytes has more."
    rekey_packets: int = 0
    "Packets after which the child gets new keys; 0 never."
    life_packets: int | None = None
    "Packets after which the kernel closes a child that was not rekeyed; without it a tenth more than rekey_packets."
    rand_packets: int | None = None
    "Packets of which a random part is taken off rekey_packets; without it what life_packets has more."
    replay_window: int = 128
    "How many packets may arrive out of order; 0 switches the check off."
    install_routes: bool = True
    "Whether a route with a source address inside local_ts is made where we hold such an address."
    mark: Mark | None = None
    "Mark of policies and states."
    if_id: int | None = None
    "Interface ID of policies and states."
    hw_offload: str | None = None
    "Interface whose hardware takes the states; without it none does."

    @property
    def is_shunt(self) -> bool:
        """Whether nothing is negotiated for it: its packets pass in clear or are discarded."""
        return self.mode in {Mode.PASS, Mode.DROP}


@dataclass(frozen=True, slots=True)
class ConnectionConfig:
    """One `connections` section: a kind of peer, how both sides prove themselves, and its children."""

    name: str
    local: LocalAuthConfig
    remote: RemoteAuthConfig
    local_addrs: tuple[AddressPattern, ...] = ()
    "Our addresses; empty means any."
    remote_addrs: tuple[AddressPattern, ...] = ()
    "The peer's addresses or names; empty means any, and then we only answer."
    local_port: int | None = None
    "UDP port to send from; without it the daemon's."
    remote_port: int = 500
    "UDP port to send to first."
    remote_port_nat_t: int = 4500
    "The peer's UDP port of IKE and ESP behind NAT."
    proposals: tuple[Proposal, ...] = ()
    "IKE proposals, best first."
    children: tuple[ChildConfig, ...] = ()
    pools: tuple[str, ...] = ()
    "Pools that clients get addresses from, tried in this order; a group's own go instead."
    encap: bool = False
    "Whether UDP encapsulation is forced even without a NAT."
    mobike: bool = False
    "Whether the tunnel may move to other addresses (MOBIKE), where the peer can do that too."
    nat_detection: bool = True
    "Whether it is looked for NATs; switched off for a peer or a NAT that lies, ESP then never goes inside UDP."
    dpd_delay: float = 0.0
    "Seconds of silence after which the peer is asked for a sign of life; 0 never."
    send_certreq: bool = True
    "Whether our trust anchors are named in CERTREQ."
    rekey_time: float = 0.0
    "Seconds after which the IKE SA gets new keys; 0 never."
    reauth_time: float = 0.0
    "Seconds after which both sides prove anew who they are; 0 never."
    over_time: float | None = None
    "Seconds behind rekey_time or reauth_time until an IKE SA not renewed is closed; without it a tenth of the longer."
    rand_time: float | None = None
    "Seconds of which a random part is taken off rekey_time and reauth_time; without it over_time."
    make_before_break: bool = True
    "Whether reauthentication makes the new IKE SA before it ends the old one."
    keyingtries: int = 0
    "How often what start_action wants is tried before it is given up; 0 is for ever, with growing waits between."
    unique: Unique = Unique.NO
    (
        "What comes of an earlier IKE SA of the same identities: it stays (`no`; with `never` though the peer says "
        "INITIAL_CONTACT), the new one is refused (`keep`), or the new one replaces it (`replace`)."
    )
    childless: Childless = Childless.ALLOW
    "Whether an IKE SA begins without a child: where the peer wants it, where it can, always (`force`), or never."
    fragmentation: Fragmentation = Fragmentation.YES
    (
        "Whether IKE messages that do not fit into one datagram go in fragments where the peer takes them, are only "
        "taken (`accept`), go in fragments even where they fit (`force`, for tests), or do neither."
    )
    follow_redirects: FollowRedirects = FollowRedirects.CONFIGURED
    (
        "Whether we go where a gateway sends us: `no`, only where remote_addrs leads too (`configured`), or `any`where; "
        "the new gateway has to prove who it is as the old one."
    )
    redirect_to: str | None = None
    "Gateway, an address or a name, that peers are sent to which come to this one."
    redirect_at: RedirectAt = RedirectAt.INIT
    "Whether they are sent there at once (`init`) or when they have proved who they are (`auth`)."
    hold_early: bool = False
    (
        "Whether ESP by a new child of ours is held until we can receive by it: for peers such as libreswan that send "
        "by a new SA before its initiator can receive by it."
    )

    def child(self, name: str) -> ChildConfig | None:
        """The child of that name, or None."""
        return next((child for child in self.children if child.name == name), None)


@dataclass(frozen=True, slots=True)
class PskConfig:
    """One pre-shared key under `secrets`.

    owners  whose key it is: identities and addresses; empty is everybody's
    """

    name: str
    secret: Secret
    owners: tuple[Identification, ...] = ()


@dataclass(frozen=True, slots=True)
class PrivateKeyConfig:
    """One private key under `secrets`: a file, or PEM text given inline, and what opens it."""

    name: str
    file: Path | None = None
    pem: Secret | None = None
    passphrase: Secret | None = None


@dataclass(frozen=True, slots=True)
class RetransmissionConfig:
    """When a request is repeated, and when its peer is given up (RFC 7296 §2.1, §2.4)."""

    timeout: float = 2.0
    "Seconds to the first repeat."
    base: float = 1.8
    "Factor from each wait to the next."
    limit: float = 30.0
    "The longest wait, seconds."
    tries: int = 6
    "Repeats before the peer is given up."


@dataclass(frozen=True, slots=True)
class DaemonConfig:
    """The `daemon` section: sockets, directories, limits."""

    listen: tuple[IPv4Address | IPv6Address, ...] = ()
    "Addresses to listen on; empty means all."
    port: int = 500
    "UDP port of IKE."
    port_nat_t: int = 4500
    "UDP port of IKE and ESP behind NAT."
    log_level: str = "info"
    "How much is logged."
    keylog: Path | None = None
    "File that keys are written to, for Wireshark; anyone who reads it reads the traffic."
    cookie_threshold: int = 32
    "Half-open IKE SAs above which a COOKIE is asked for."
    half_open_limit: int = 1024
    "Half-open IKE SAs above which IKE_SA_INIT is dropped."
    half_open_per_source: int = 16
    "Half-open IKE SAs of one address above which IKE_SA_INIT is dropped."
    half_open_timeout: float = 30.0
    "Seconds until a half-open IKE SA is forgotten."
    reqid_base: int = 0x1CE00000
    "First request ID ours have in the kernel; 65536 follow."
    fragment_size: int = 1280
    "Octets of an IPv4 datagram above which an IKE message goes in fragments; 576 is tried where these do not arrive."
    fragment_size6: int = 1280
    "The same of an IPv6 datagram; where these do not arrive 1280 is tried."
    users_file: Path | None = None
    "File of users beside those under `users`; `ikepy user` keeps it, and what it changes counts at once."
    keep_alive: float = 20.0
    "Seconds without a packet after which a NAT before us is sent one so that it does not forget; 0 never."


@dataclass(frozen=True, slots=True)
class Config:
    """All of one configuration file."""

    connections: tuple[ConnectionConfig, ...] = ()
    psks: tuple[PskConfig, ...] = ()
    private_keys: tuple[PrivateKeyConfig, ...] = ()
    daemon: DaemonConfig = field(default_factory=DaemonConfig)
    retransmission: RetransmissionConfig = field(default_factory=RetransmissionConfig)
    pools: tuple[PoolConfig, ...] = ()
    users: tuple[UserConfig, ...] = ()
    groups: tuple[GroupConfig, ...] = ()

    def connection(self, name: str) -> ConnectionConfig | None:
        """The connection of that name, or None."""
        return next((c for c in self.connections if c.name == name), None)
