"""A gateway for every native client: one real Endpoint, three connections (EAP, certificate, pre-shared key), users, pools.

    gateway = make_gateway(tmp_path)
    gateway.deliver(octets, client, 500)     a datagram of a client; what is sent back waits in the client's mailbox
    gateway.wait(30)                         time passes for the gateway, and nobody else

Not here: clients (personas.py).
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from ipaddress import IPv4Address, ip_network
from pathlib import Path as File

from ikepy.auth.credentials import load_credentials
from ikepy.auth.eap_service import EapService
from ikepy.auth.service import AuthService
from ikepy.auth.users import UserStore
from ikepy.config.access import UserConfig
from ikepy.config.algorithms import default_proposals
from ikepy.config.identities import parse_identity
from ikepy.config.model import (
    AuthKind,
    ChildConfig,
    Config,
    ConnectionConfig,
    LocalAuthConfig,
    PrivateKeyConfig,
    PskConfig,
    RemoteAuthConfig,
    Unique,
)
from ikepy.crypto.password import nt_hash
from ikepy.crypto.secret import Secret
from ikepy.ike.actions import Datagram, Path, SocketAddress
from ikepy.ike.events import IkeSnapshot
from ikepy.leases import Leases
from ikepy.personas.windows_advice import LegacyProposals
from ikepy.wire.registry import EapType, ProtocolId
from ikepy.wire.ts import TrafficSelector
from tests.support.access import PASSWORD, POOL4, POOL6
from tests.support.certificates import Issued, make, make_ca
from tests.support.entropy import SeededEntropy
from tests.support.link import KEEPALIVE
from tests.support.pair import RIGHT, one_address
from tests.support.world import World

NAME = "gate.example.com"
ROOT = make_ca("C=DE, O=Example, CN=Root of the gateway")
GATE = make("CN=gate", ROOT, alt_names=(f"dns:{NAME}",), purposes=("serverAuth", "ikeIntermediate"))
GATE_RSA = make("CN=gate", ROOT, key="rsa2048", alt_names=(f"dns:{NAME}",), purposes=("serverAuth", "ikeIntermediate"))
PSK = Secret(b"twenty and some characters of a key")
ON_THE_WAY = 0.01
"Seconds that a datagram takes."
USERS = ("alice", "bob")
METHODS = (EapType.MSCHAPV2, EapType.TLS)


@dataclass
class Gateway:
    """A gateway, its clock, and what waits for each of its clients."""

    world: World
    now: float = 1000.0
    mail: dict[SocketAddress, list[bytes]] = field(default_factory=lambda: defaultdict(list))
    address: IPv4Address = RIGHT

    def deliver(self, octets: bytes, source: SocketAddress, port: int) -> None:
        """Have a datagram of a client arrive at one of our ports."""
        self.now += ON_THE_WAY
        path = Path(SocketAddress(self.address, port), source, non_esp_marker=port != 500)
        self.world.run(self.world.endpoint.receive_datagram(Datagram(octets, path), self.now), self.now)
        self._post()

    def wait(self, seconds: float) -> None:
        """Let time pass; whatever is sent meanwhile waits for whom it is for."""
        end = self.now + seconds
        while (at := self.world.endpoint.next_timeout()) is not None and at <= end:
            self.now = max(self.now, at)
            self.world.run(self.world.endpoint.handle_timeout(self.now), self.now)
            self._post()
        self.now = end

    @property
    def sas(self) -> tuple[IkeSnapshot, ...]:
        """The IKE SAs that are up."""
        return tuple(sa for sa in self.world.endpoint.snapshot(self.now) if sa.state == "ESTABLISHED")

    @property
    def sa(self) -> IkeSnapshot:
        """The only IKE SA that is up."""
        (only,) = self.sas
        return only

    @property
    def is_empty(self) -> bool:
        """Whether nothing of any client is left, in the Endpoint and in the kernel."""
        return not self.world.endpoint.snapshot(self.now) and self.world.kernel.is_clean

    def _post(self) -> None:
        outbox, self.world.outbox = self.world.outbox, []
        for datagram in outbox:
            if datagram.octets != KEEPALIVE:
                self.mail[datagram.path.remote].append(datagram.octets)


def make_gateway(
    directory: File,
    *,
    own: Issued = GATE,
    also: Issued | None = None,
    legacy: LegacyProposals | None = None,
    seed: int = 1,
    **more: object,
) -> Gateway:
    """A gateway with the default proposals.

    own      its certificate, and `also` another for who wants that
    legacy   proposals taken besides
    more     keys of each connection that differ
    """
    config = _config(directory, own, legacy, also)
    config = replace(config, connections=tuple(replace(each, **more) for each in config.connections))  # type: ignore[arg-type]
    return gateway_of(config, directory / "leases.db", seed=seed)


def gateway_of(config: Config, book: File, *, seed: int = 1) -> Gateway:
    """A gateway with that configuration, and an empty book of leases."""
    entropy = SeededEntropy(seed)
    credentials = load_credentials(config)
    world = World(config, RIGHT, AuthService(config, credentials), entropy)
    users = UserStore(config.users, config.daemon.users_file, entropy)
    world.eap = EapService(config, credentials, users, entropy, clock=lambda: datetime.now(UTC))
    book.unlink(missing_ok=True)
    world.leases = Leases.open(book, config.pools)
    return Gateway(world)


def _config(directory: File, own: Issued, legacy: LegacyProposals | None, also: Issued | None) -> Config:
    root = directory / "root.pem"
    root.write_bytes(ROOT.pem)
    certificate, key = own.write(directory, "gate")
    further = also.write(directory, "also") if also is not None else None
    certificates = (certificate, *((further[0],) if further is not None else ()))
    more = legacy if legacy is not None else LegacyProposals((), ())
    child = ChildConfig(
        "net",
        local_ts=tuple(TrafficSelector.from_network(ip_network(each)) for each in ("0.0.0.0/0", "::/0")),
        esp_proposals=(*default_proposals(ProtocolId.ESP), *more.esp),
    )
    by_certificate = LocalAuthConfig(AuthKind.PUBKEY, parse_identity(NAME), certificates, key)
    common = ConnectionConfig(
        "eap",
        by_certificate,
        RemoteAuthConfig(AuthKind.EAP, eap_methods=METHODS, cacerts=(root,)),
        local_addrs=one_address(RIGHT),
        proposals=(*default_proposals(ProtocolId.IKE), *more.ike),
        children=(child,),
        pools=(POOL4.name, POOL6.name),
        mobike=True,
        unique=Unique.REPLACE,
        dpd_delay=60.0,
    )
    by_key = replace(
        common,
        name="psk",
        local=LocalAuthConfig(AuthKind.PSK, parse_identity(NAME)),
        remote=RemoteAuthConfig(AuthKind.PSK),
    )
    certified = replace(common, name="certificate", remote=RemoteAuthConfig(AuthKind.PUBKEY, cacerts=(root,)))
    return Config(
        (common, certified, by_key),
        (PskConfig("psk", PSK),),
        private_keys=(PrivateKeyConfig("also", further[1]),) if further is not None else (),
        pools=(POOL4, POOL6),
        users=tuple(UserConfig(name, nt_hash=nt_hash(PASSWORD)) for name in USERS),
    )
