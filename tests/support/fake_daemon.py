"""A daemon in memory behind DaemonApi: IKE SAs as a real one shows them, and outcomes a test decides.

tests/control/test_real_daemon.py holds the control socket to a real daemon as well.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from ipaddress import ip_address, ip_network

import trio

from ikepy.config.algorithms import parse_proposal
from ikepy.config.identities import parse_identity
from ikepy.config.model import AuthKind, ChildConfig, Config, ConnectionConfig, LocalAuthConfig, RemoteAuthConfig
from ikepy.crypto.secret import Secret
from ikepy.daemon.api import (
    InitiateOutcome,
    InstallOutcome,
    LogLine,
    RekeyOutcome,
    RekeyWish,
    Subscription,
    TerminateOutcome,
    TerminateWish,
)
from ikepy.ike.actions import Path, SocketAddress
from ikepy.ike.events import ChildSnapshot, Event, IkeSnapshot, InstalledPolicy
from ikepy.ipsec import ChildSaSpec, IpAddress, Mode, Owner, SaCounters, SaId, SaSpec, Spi
from ikepy.wire.registry import EncrId, ProtocolId
from ikepy.wire.ts import TrafficSelector

NOW = 10_000.0
"What the Endpoint's clock says."


def selectors(*words: str) -> tuple[TrafficSelector, ...]:
    return tuple(TrafficSelector.from_network(ip_network(word)) for word in words)


def make_state(source: IpAddress, destination: IpAddress, spi: int, reqid: int, **fields: object) -> SaSpec:
    state = SaSpec(source, destination, Spi(spi), Mode.TUNNEL, reqid, EncrId.AES_GCM_16, Secret(bytes(36)))
    return replace(state, **fields)


def make_child(
    name: str = "net",
    unique_id: int = 1,
    *,
    local: tuple[str, ...] = ("10.1.0.0/16",),
    remote: tuple[str, ...] = ("10.2.0.0/16",),
    esp: str = "aes256gcm16-noesn",
    addresses: tuple[str, str] = ("192.0.2.1", "203.0.113.2"),
    **fields: object,
) -> ChildSnapshot:
    us, peer = (ip_address(address) for address in addresses)
    inbound = make_state(peer, us, 0xC0A81F00 + unique_id, 0x1CE00000 + unique_id, inbound=True)
    outbound = make_state(us, peer, 0x9BE2D200 + unique_id, 0x1CE00000 + unique_id)
    child = ChildSnapshot(
        name=name,
        unique_id=unique_id,
        state="INSTALLED",
        mode=Mode.TUNNEL,
        proposal=parse_proposal(esp, ProtocolId.ESP),
        local_ts=selectors(*local),
        remote_ts=selectors(*remote),
        spec=ChildSaSpec(Owner(f"child-{unique_id}"), inbound, outbound, ()),
        encap=False,
        installed_at=NOW - 3060,
    )
    return replace(child, **fields)


def make_ike(
    connection: str = "site",
    unique_id: int = 1,
    *,
    ids: tuple[str, str] = ("left.example.com", "right.example.com"),
    addresses: tuple[str, str] = ("192.0.2.1", "203.0.113.2"),
    port: int = 500,
    ike: str = "aes256gcm16-prfsha256-x25519",
    **fields: object,
) -> IkeSnapshot:
    us, peer = (SocketAddress(ip_address(address), port) for address in addresses)
    snapshot = IkeSnapshot(
        connection=connection,
        unique_id=unique_id,
        state="ESTABLISHED",
        initiator=True,
        spi_i=bytes.fromhex("7d0c000000000000")[:7] + bytes([unique_id]),
        spi_r=bytes.fromhex("1122334455667788"),
        path=Path(us, peer),
        local_id=parse_identity(ids[0]),
        remote_id=parse_identity(ids[1]),
        proposal=parse_proposal(ike, ProtocolId.IKE),
        established_at=NOW - 3061,
        created_at=NOW - 3062,
        waiting_for=None,
        next_event=("liveness check", NOW + 12),
        nat_local=False,
        nat_remote=False,
        children=(make_child(addresses=addresses),),
    )
    return replace(snapshot, **fields)


CONNECTING = {
    "state": "CONNECTING",
    "proposal": None,
    "established_at": None,
    "created_at": NOW - 9,
    "waiting_for": "an answer to IKE_SA_INIT, repeated 2 times",
    "next_event": ("repeat of the request", NOW + 6),
    "children": (),
    "spi_r": bytes(8),
}
"""Fields of an IKE SA whose peer does not answer."""


def make_connection(name: str = "site", *children: str) -> ConnectionConfig:
    local = LocalAuthConfig(AuthKind.PSK, id=parse_identity("left.example.com"))
    made = tuple(
        ChildConfig(
            child,
            local_ts=selectors("10.1.0.0/16"),
            remote_ts=selectors("10.2.0.0/16"),
            esp_proposals=(parse_proposal("aes256gcm16-noesn", ProtocolId.ESP),),
        )
        for child in children or ("net",)
    )
    proposals = (parse_proposal("aes256gcm16-prfsha256-x25519", ProtocolId.IKE),)
    return ConnectionConfig(name, local, RemoteAuthConfig(AuthKind.PSK), proposals=proposals, children=made)


def make_policy(
    name: str = "web", connection: str = "site", mode: Mode = Mode.TUNNEL, **ts: tuple[str, ...]
) -> InstalledPolicy:
    local, remote = ts.get("local", ("10.1.3.0/24",)), ts.get("remote", ("10.2.3.0/24",))
    return InstalledPolicy(name, connection, mode, selectors(*local), selectors(*remote))


@dataclass
class FakeDaemon:
    """A DaemonApi whose IKE SAs and answers are what a test says."""

    config: Config = field(default_factory=lambda: Config(connections=(make_connection(),)))
    sas: list[IkeSnapshot] = field(default_factory=list)
    counted: dict[SaId, SaCounters] = field(default_factory=dict)
    initiated: list[tuple[str | None, str | None, float | None]] = field(default_factory=list)
    redirected: list[tuple[str, str | None, int | None]] = field(default_factory=list)
    following: int = 1
    "How many of those that are sent on go."
    rekeyed: list[tuple[RekeyWish, float | None]] = field(default_factory=list)
    rekeying: RekeyOutcome = field(default_factory=lambda: RekeyOutcome(1))
    successors: dict[int, int] = field(default_factory=dict)
    "Numbers of IKE SAs that have been rekeyed, and of their successors."
    placed: list[InstalledPolicy] = field(default_factory=list)
    placing: InstallOutcome = field(default_factory=lambda: InstallOutcome(succeeded=True))
    installed: list[tuple[str, str | None, str]] = field(default_factory=list)
    "Wishes to install and uninstall: which of both, connection, child."
    terminated: list[tuple[TerminateWish, float | None]] = field(default_factory=list)
    initiating: InitiateOutcome = field(default_factory=lambda: InitiateOutcome(succeeded=True))
    terminating: TerminateOutcome = field(default_factory=lambda: TerminateOutcome(1, 1))
    says: tuple[str, ...] = ()
    "Lines that are logged while a wish is fulfilled."
    waits: trio.Event | None = None
    "What wishes wait for before they have their outcome."
    begun: trio.Event = field(default_factory=trio.Event)
    "Set when a wish has come."
    left: int = 0
    "Wishes that nobody waited for any longer."
    version: str = "1.2.3"
    pid: int = 4711
    started_at: float = field(default_factory=lambda: time.time() - 7380)
    bound: int = 1000
    events: set[Subscription[Event]] = field(default_factory=set)
    lines: set[Subscription[LogLine]] = field(default_factory=set)
    dropped: dict[str, int] = field(default_factory=dict)
    gateway_words: dict[str, str | list[str]] = field(default_factory=dict)
    client_words: dict[str, str] = field(default_factory=dict)
    certificate_words: dict[str, str] = field(default_factory=dict)
    reloads: int = 0
    reload_refusal: str = ""

    def now(self) -> float:
        return NOW

    def snapshot(self) -> tuple[IkeSnapshot, ...]:
        return tuple(self.sas)

    def drops(self) -> Mapping[str, int]:
        return self.dropped

    def gateway(self) -> Mapping[str, str | list[str]]:
        return self.gateway_words

    def certificates(self) -> Mapping[str, str]:
        return self.certificate_words

    async def reload(self) -> str:
        self.reloads += 1
        return self.reload_refusal

    def client(self) -> Mapping[str, str]:
        return self.client_words

    async def counters(self, sa: SaId) -> SaCounters | None:
        await trio.lowlevel.checkpoint()
        return self.counted.get(sa)

    async def initiate(self, connection: str | None, child: str | None, timeout: float | None) -> InitiateOutcome:
        self.initiated.append((connection, child, timeout))
        await self._fulfil()
        return self.initiating

    async def rekey(self, wish: RekeyWish, timeout: float | None) -> RekeyOutcome:
        self.rekeyed.append((wish, timeout))
        await self._fulfil()
        return self.rekeying

    def redirect(self, gateway: object, ike: str | None, ike_id: int | None) -> int:
        self.redirected.append((str(gateway), ike, ike_id))
        return self.following

    def present_ike(self, unique_id: int) -> int:
        return self.successors.get(unique_id, unique_id)

    def policies(self) -> tuple[InstalledPolicy, ...]:
        return tuple(self.placed)

    async def install(self, connection: str | None, child: str) -> InstallOutcome:
        self.installed.append(("install", connection, child))
        await trio.lowlevel.checkpoint()
        return self.placing

    async def uninstall(self, connection: str | None, child: str) -> InstallOutcome:
        self.installed.append(("uninstall", connection, child))
        await trio.lowlevel.checkpoint()
        return self.placing

    async def terminate(self, wish: TerminateWish, timeout: float | None) -> TerminateOutcome:
        self.terminated.append((wish, timeout))
        await self._fulfil()
        return self.terminating

    async def _fulfil(self) -> None:
        self.begun.set()
        for text in self.says:
            self.log(text)
        if self.waits is not None:
            try:
                await self.waits.wait()
            except trio.Cancelled:
                self.left += 1
                raise
        await trio.lowlevel.checkpoint()

    def log(self, text: str, level: int = 20) -> None:
        for subscription in self.lines:
            subscription.offer(LogLine(level, text))

    def publish(self, event: Event) -> None:
        for subscription in self.events:
            subscription.offer(event)

    @contextmanager
    def subscribe(self) -> Iterator[Subscription[Event]]:
        with _within(self.events, Subscription[Event](self.bound)) as subscription:
            yield subscription

    @contextmanager
    def subscribe_log(self) -> Iterator[Subscription[LogLine]]:
        with _within(self.lines, Subscription[LogLine](self.bound)) as subscription:
            yield subscription

    def count(self, child: ChildSnapshot, octets_in: int, octets_out: int, packet_octets: int = 84) -> None:
        """Let the kernel have counted so much of a child."""
        assert child.spec is not None
        for spec, octets in ((child.spec.inbound, octets_in), (child.spec.outbound, octets_out)):
            self.counted[spec.id] = SaCounters(octets, octets // packet_octets, int(time.time()) - 4, int(time.time()))


@contextmanager
def _within(subscriptions: set, subscription: Subscription) -> Iterator[Subscription]:
    subscriptions.add(subscription)
    try:
        yield subscription
    finally:
        subscriptions.discard(subscription)
