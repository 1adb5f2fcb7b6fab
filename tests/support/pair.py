"""Two endpoints, a link and one virtual clock: whole negotiations in a test.

    pair = make_pair()
    pair.left.initiate("site")
    pair.run()
    assert pair.left.established

Not here: what an endpoint asks for (world.py), what the line does (link.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, ip_network

from ikepy.config.algorithms import parse_proposals
from ikepy.config.model import (
    AddressPattern,
    AddressPatternKind,
    AuthKind,
    ChildConfig,
    Config,
    ConnectionConfig,
    DaemonConfig,
    IdentityPattern,
    LocalAuthConfig,
    PskConfig,
    RemoteAuthConfig,
)
from ikepy.crypto.secret import Secret
from ikepy.ike.endpoint import Endpoint
from ikepy.ike.events import IkeSnapshot
from ikepy.wire.payloads import Identification
from ikepy.wire.registry import IdType, ProtocolId
from ikepy.wire.ts import TrafficSelector
from tests.support.entropy import SeededEntropy
from tests.support.link import Link
from tests.support.world import MemoryKernel, World

LEFT, RIGHT = IPv4Address("192.0.2.1"), IPv4Address("192.0.2.2")
IKE_PROPOSALS = "aes256gcm16-prfsha256-x25519"
ESP_PROPOSALS = "aes256gcm16-esn-noesn"
SECRET = Secret(b"correct horse battery staple")


def fqdn(text: str) -> Identification:
    """An ID_FQDN."""
    return Identification(IdType.ID_FQDN, text.encode())


def networks(*prefixes: str) -> tuple[TrafficSelector, ...]:
    """Traffic selectors of whole prefixes."""
    return tuple(TrafficSelector.from_network(ip_network(prefix)) for prefix in prefixes)


def one_address(address: IPv4Address | IPv6Address) -> tuple[AddressPattern, ...]:
    """The pattern of exactly that address."""
    return (AddressPattern(AddressPatternKind.NETWORK, address, address),)


def make_child(
    name: str = "net", local: str = "10.1.0.0/24", remote: str = "10.2.0.0/24", **more: object
) -> ChildConfig:
    """A child as configured on the left."""
    child = ChildConfig(
        name,
        local_ts=networks(local),
        remote_ts=networks(remote),
        esp_proposals=parse_proposals((ESP_PROPOSALS,), ProtocolId.ESP),
    )
    return replace(child, **more)  # type: ignore[arg-type]


def make_config(*, left: bool = True, children: tuple[ChildConfig, ...] = (), **more: object) -> Config:
    """A site-to-site configuration with a pre-shared key, seen from the left or the right; children are the left's."""
    children = children or (make_child(),)
    if not left:
        children = tuple(replace(child, local_ts=child.remote_ts, remote_ts=child.local_ts) for child in children)
    ours, theirs = (fqdn("left.test"), fqdn("right.test")) if left else (fqdn("right.test"), fqdn("left.test"))
    here, there = (LEFT, RIGHT) if left else (RIGHT, LEFT)
    connection = ConnectionConfig(
        "site",
        LocalAuthConfig(AuthKind.PSK, ours),
        RemoteAuthConfig(AuthKind.PSK, IdentityPattern(theirs)),
        local_addrs=one_address(here),
        remote_addrs=one_address(there),
        proposals=parse_proposals((IKE_PROPOSALS,), ProtocolId.IKE),
        children=children,
    )
    connection = replace(connection, **more)  # type: ignore[arg-type]
    return Config((connection,), (PskConfig("psk", SECRET, (ours, theirs)),), (), DaemonConfig())


class Side(World):
    """One side of a pair."""

    pair: Pair

    def initiate(self, connection: str = "site", child: str | None = None) -> None:
        """Bring up a connection."""
        self.run(self.endpoint.initiate(connection, child, self.pair.now), self.pair.now)

    def terminate(self) -> None:
        """End all IKE SAs."""
        ids = tuple(sa.unique_id for sa in self.sas)
        self.run(self.endpoint.terminate(self.pair.now, ike_ids=ids), self.pair.now)

    def terminate_child(self, unique_id: int) -> None:
        """End a child."""
        self.run(self.endpoint.terminate(self.pair.now, child_ids=(unique_id,)), self.pair.now)

    def reboot(self, seed: int) -> None:
        """Lose everything: IKE SAs, what the kernel has, what was about to be sent."""
        self.entropy = SeededEntropy(seed)
        self.kernel = MemoryKernel(self.entropy)
        self.endpoint = Endpoint(self.config, self.entropy, self.recorder)
        self.outbox.clear()

    @property
    def sas(self) -> tuple[IkeSnapshot, ...]:
        """All IKE SAs."""
        return self.endpoint.snapshot(self.pair.now)

    @property
    def established(self) -> list[IkeSnapshot]:
        """The IKE SAs that are up."""
        return [sa for sa in self.sas if sa.state == "ESTABLISHED"]

    @property
    def sa(self) -> IkeSnapshot:
        """The only IKE SA."""
        (only,) = self.sas
        return only


class Pair:
    """Two sides and the line between them."""

    def __init__(self, left: Side, right: Side, link: Link) -> None:
        self.left, self.right, self.link, self.now = left, right, link, 1000.0
        self.watch: Callable[[], None] | None = None
        left.pair = right.pair = self

    def run(self, seconds: float = 300.0, *, most_steps: int = 20000) -> None:
        """Let time pass until nothing is in flight and nothing waits within `seconds`."""
        end = self.now + seconds
        for _ in range(most_steps):
            self._collect()
            at = self._next()
            if at is None or at > end:
                return
            self.now = max(self.now, at)
            self.step()
            if self.watch is not None:
                self.watch()
        raise AssertionError("the pair does not come to rest:\n" + "\n".join(self.link.log[-40:]))

    def step(self) -> None:
        """Deliver the next datagram if it is due, else let timers fire."""
        arrival = self.link.next_arrival()
        if arrival is not None and arrival <= self.now:
            datagram = self.link.pop()
            for side in (self.left, self.right):
                if datagram.path.local.address in side.addresses:
                    side.run(side.endpoint.receive_datagram(datagram, self.now), self.now)
        for side in (self.left, self.right):
            timeout = side.endpoint.next_timeout()
            if timeout is not None and timeout <= self.now:
                side.run(side.endpoint.handle_timeout(self.now), self.now)
        self._collect()

    def _collect(self) -> None:
        for side in (self.left, self.right):
            outbox, side.outbox = side.outbox, []
            for datagram in outbox:
                self.link.send(datagram, self.now)

    def _next(self) -> float | None:
        instants = [self.link.next_arrival(), self.left.endpoint.next_timeout(), self.right.endpoint.next_timeout()]
        return min((at for at in instants if at is not None), default=None)


def make_pair(
    left: Config | None = None, right: Config | None = None, *, link: Link | None = None, seed: int = 1
) -> Pair:
    """Two sides with fitting configurations, not yet connected."""
    from ikepy.auth.credentials import load_credentials
    from ikepy.auth.service import AuthService

    left, right = left or make_config(left=True), right or make_config(left=False)
    sides = []
    for number, (config, address, peer) in enumerate(((left, LEFT, RIGHT), (right, RIGHT, LEFT))):
        auth = AuthService(config, load_credentials(config))
        sides.append(Side(config, address, auth, SeededEntropy(seed * 2 + number), peer=peer))
    return Pair(sides[0], sides[1], link or Link(seed))


def established_pair(left: Config | None = None, right: Config | None = None, **more: object) -> Pair:
    """A pair whose left has brought up `site`."""
    pair = make_pair(left, right, **more)  # type: ignore[arg-type]
    pair.left.initiate()
    pair.run(60)
    assert pair.left.established, pair.left.events
    assert pair.right.established, pair.right.events
    return pair
