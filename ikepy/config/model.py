"""What the operator wants, as frozen dataclasses: no I/O, nothing half-checked.

Rule 1: the words are swanctl.conf's where swanctl.conf has a word.
Rule 2: each field is followed by one sentence; docs/configuration.md is made from these sentences.
Not here: proofs and secrets (authentication.py), pools, users and groups (access.py), reading files (load.py), the names of algorithms (algorithms.py).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

from ikepy.config.access import GroupConfig, PoolConfig, UserConfig
from ikepy.config.authentication import AuthKind as AuthKind  # noqa: PLC0414 - part of the model
from ikepy.config.authentication import ExtendedKeyUsage as ExtendedKeyUsage  # noqa: PLC0414 - part of the model
from ikepy.config.authentication import LocalAuthConfig as LocalAuthConfig  # noqa: PLC0414 - part of the model
from ikepy.config.authentication import PasswordConfig as PasswordConfig  # noqa: PLC0414 - part of the model
from ikepy.config.authentication import PrivateKeyConfig as PrivateKeyConfig  # noqa: PLC0414 - part of the model
from ikepy.config.authentication import PskConfig as PskConfig  # noqa: PLC0414 - part of the model
from ikepy.config.authentication import RemoteAuthConfig as RemoteAuthConfig  # noqa: PLC0414 - part of the model
from ikepy.config.authentication import SendCert as SendCert  # noqa: PLC0414 - part of the model
from ikepy.config.gateway import GatewayConfig
from ikepy.config.host import ClientConfig, InterfaceConfig
from ikepy.config.patterns import AddressPattern as AddressPattern  # noqa: PLC0414 - part of the model
from ikepy.config.patterns import AddressPatternKind as AddressPatternKind  # noqa: PLC0414 - part of the model
from ikepy.config.patterns import IdentityPattern as IdentityPattern  # noqa: PLC0414 - part of the model
from ikepy.ipsec import CopyDscp, Handling, Mark, Mode, MssClamp, Offload
from ikepy.personas.kinds import QuirksChoice as QuirksChoice  # noqa: PLC0414 - part of the model
from ikepy.wire.sa import Proposal
from ikepy.wire.ts import TrafficSelector


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
    mtu: int = 0
    "Octets of the largest packet by the route that install_routes makes; 0 is what the kernel finds out of the path."
    mss_clamp: MssClamp | None = None
    (
        "Whether TCP connections that this host forwards are told to send segments that fit: by what the path carries "
        "(`true`), or of so many octets; nftables does it."
    )
    interface: str | None = None
    (
        "Interface that the child's packets go by: one of `interfaces`, or one that is made by others for this if_id; it "
        "gets routes and virtual addresses."
    )
    policies: bool = True
    "Whether the kernel gets policies for the child; without them others say which packets it protects."
    mark: Mark | None = None
    "Mark of policies and states, both ways."
    mark_in: Mark | None = None
    "Mark of what is for inbound packets; without it `mark`."
    mark_out: Mark | None = None
    "Mark of what is for outbound packets; without it `mark`."
    if_id: int | None = None
    "Interface ID of policies and states, both ways; of an `interface` of ours its own."
    if_id_in: int | None = None
    "Interface ID of what is for inbound packets; without it `if_id`."
    if_id_out: int | None = None
    "Interface ID of what is for outbound packets; without it `if_id`."
    set_mark_in: Mark | None = None
    "Mark that packets get when they have come out of the tunnel."
    set_mark_out: Mark | None = None
    "Mark that packets get when they go into the tunnel: the way to the peer is looked up with it."
    copy_df: bool = True
    "Whether the DF bit goes into the outer header of a tunnel."
    copy_ecn: bool = True
    "Whether ECN goes between the inner and the outer header of a tunnel."
    copy_dscp: CopyDscp = CopyDscp.OUT
    "Whether DSCP goes into the outer header of a tunnel, comes `in` from it, both (`yes`) or neither."
    tfc_padding: int | None = None
    "Octets that packets are padded to so that nobody sees how long they are (RFC 4303 §2.7); `mtu` is what the path carries."
    updown: Path | None = None
    "Program that is run when the child comes, goes or moves, and is told of it in its environment (docs/operating.md)."
    hw_offload: Offload | None = None
    (
        "What of ESP the network interface does: ciphering where it can (`auto`), ciphering or there is no child "
        "(`crypto`), all of it or there is no child (`packet`)."
    )

    @property
    def is_shunt(self) -> bool:
        """Whether nothing is negotiated for it: its packets pass in clear or are discarded."""
        return self.mode in {Mode.PASS, Mode.DROP}

    def mark_of(self, *, inbound: bool) -> Mark | None:
        """The mark of what is for packets of one direction."""
        return (self.mark_in if inbound else self.mark_out) or self.mark

    def if_id_of(self, *, inbound: bool) -> int | None:
        """The interface ID of what is for packets of one direction."""
        return (self.if_id_in if inbound else self.if_id_out) or self.if_id

    def handling_of(self, *, inbound: bool) -> Handling:
        """What its states do beside protecting."""
        return Handling(
            self.copy_df,
            self.copy_ecn,
            self.copy_dscp,
            None if inbound else self.tfc_padding,
            self.set_mark_in if inbound else self.set_mark_out,
        )


@dataclass(frozen=True, slots=True)
class ConnectionConfig:
    """One `connections` section: a kind of peer, how both sides prove themselves, and its children."""

    name: str
    local: LocalAuthConfig
    remote: RemoteAuthConfig
    local_addrs: tuple[AddressPattern, ...] = ()
    "Our addresses, or the interfaces that have them, such as `%eth0`; empty means any."
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
    vips: tuple[IPv4Address | IPv6Address, ...] = ()
    "Addresses we ask the peer for, as its client: `0.0.0.0` and `::` are any it gives us."
    remote2: RemoteAuthConfig | None = None
    "How the peer must prove itself once more after `remote` (RFC 4739), such as a certificate first and EAP second."
    local2: LocalAuthConfig | None = None
    "How we prove ourselves once more after `local` (RFC 4739)."
    eap_only: bool = False
    "Whether EAP alone proves who the gateway is, where the method does that (RFC 5998): no AUTH and no certificate first."
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
    quirks: QuirksChoice = QuirksChoice.AUTO
    "Whose habits are borne with: those of the kind of client that is found out, of none, or of the kind that is named."
    legacy_windows: bool = False
    (
        "Whether a Windows as installed, which offers nothing better than MODP-1024 and SHA-1, is taken as it is: such "
        "proposals then stand behind those configured."
    )
    hold_early: bool = False
    (
        "Whether ESP by a new child of ours is held until we can receive by it: for peers such as libreswan that send "
        "by a new SA before its initiator can receive by it."
    )

    @property
    def interface(self) -> str | None:
        """The interface that addresses of ours go on: that of the first child with one."""
        return next((child.interface for child in self.children if child.interface is not None), None)

    def child(self, name: str) -> ChildConfig | None:
        """The child of that name, or None."""
        return next((child for child in self.children if child.name == name), None)


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
    audit_log: Path | None = None
    "File that gets a line of JSON for each session of a client that begins, ends or is refused."
    audit_log_size: int = 0
    "Octets after which it is turned over, four old ones stay; 0 leaves that to others, SIGHUP opens it anew."
    keep_alive: float = 20.0
    "Seconds without a packet after which a NAT before us is sent one so that it does not forget; 0 never."
    hook_timeout: float = 10.0
    "Seconds that an `updown` program may take before it is killed."
    interfaces_use: tuple[str, ...] = ()
    "Interfaces whose addresses we use, also those that come later; empty means all."
    interfaces_ignore: tuple[str, ...] = ()
    "Interfaces whose addresses we do not use, and do not answer at; asked where interfaces_use says nothing."


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
    passwords: tuple[PasswordConfig, ...] = ()
    gateway: GatewayConfig | None = None
    interfaces: tuple[InterfaceConfig, ...] = ()
    client: ClientConfig = field(default_factory=ClientConfig)

    def connection(self, name: str) -> ConnectionConfig | None:
        """The connection of that name, or None."""
        return next((c for c in self.connections if c.name == name), None)
