"""A gateway and a client on the Pair: EAP, pools, groups.

    pair = make_access_pair()          the right is the gateway, with a certificate; the left has a password
    pair.left.initiate("vpn")

Not here: endpoints and lines (pair.py), certificates (certificates.py).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

from ikepy.auth.credentials import load_credentials
from ikepy.auth.eap_service import EapService
from ikepy.auth.service import AuthService
from ikepy.auth.users import UserStore
from ikepy.config.access import AddressRange, GroupConfig, PoolConfig, UserConfig
from ikepy.config.algorithms import parse_proposals
from ikepy.config.identities import parse_identity, parse_identity_pattern
from ikepy.config.model import (
    AuthKind,
    Config,
    ConnectionConfig,
    LocalAuthConfig,
    PasswordConfig,
    PskConfig,
    RemoteAuthConfig,
)
from ikepy.crypto.password import nt_hash
from ikepy.crypto.secret import Secret
from ikepy.ipsec import IpAddress
from ikepy.leases import Leases
from ikepy.wire.registry import EapType, ProtocolId
from tests.support.certificates import Issued, make, make_ca
from tests.support.entropy import SeededEntropy
from tests.support.link import Link
from tests.support.pair import IKE_PROPOSALS, LEFT, RIGHT, Pair, Side, make_child, one_address

PASSWORD, WRONG = "Tr0ub4dor&3 Ä", "tr0ub4dor&3 Ä"
ROOT = make_ca("C=DE, O=Example, CN=Root")
GATE = make("CN=gate", ROOT, alt_names=("dns:gate.example.com",), purposes=("serverAuth",))
ALICE = make("CN=alice", ROOT, alt_names=("email:alice@example.com",), purposes=("clientAuth",))
POOL4 = PoolConfig(
    "v4", (AddressRange(IPv4Address("10.9.0.10"), IPv4Address("10.9.0.20")),), dns=(IPv4Address("10.1.0.53"),)
)
POOL6 = PoolConfig("v6", (AddressRange(IPv6Address("2001:db8:9::10"), IPv6Address("2001:db8:9::20")),))
ANY4, ANY6 = IPv4Address("0.0.0.0"), IPv6Address("::")


@dataclass(frozen=True)
class Files:
    """Certificates and keys as files."""

    root: Path
    gate: tuple[Path, Path]
    alice: tuple[Path, Path]


def write_files(directory: Path) -> Files:
    """Write the certificates where configurations can name them."""
    root = directory / "root.pem"
    root.write_bytes(ROOT.pem)
    return Files(root, _written(GATE, directory / "gate"), _written(ALICE, directory / "alice"))


def _written(issued: Issued, directory: Path) -> tuple[Path, Path]:
    directory.mkdir(exist_ok=True)
    certificate, key = issued.write(directory)
    return certificate, key


def gateway_config(
    files: Files,
    *,
    methods: tuple[EapType, ...] = (EapType.MSCHAPV2,),
    pools: tuple[PoolConfig, ...] = (POOL4,),
    users: tuple[UserConfig, ...] | None = None,
    groups: tuple[GroupConfig, ...] = (),
    **more: object,
) -> Config:
    """A gateway with a certificate, whose clients come with EAP."""
    child = make_child("net", "10.1.0.0/16", "10.2.0.0/16")
    child = replace(child, remote_ts=())
    connection = ConnectionConfig(
        "vpn",
        LocalAuthConfig(AuthKind.PUBKEY, parse_identity("gate.example.com"), (files.gate[0],), files.gate[1]),
        RemoteAuthConfig(AuthKind.EAP, eap_methods=methods, cacerts=(files.root,)),
        local_addrs=one_address(RIGHT),
        proposals=parse_proposals((IKE_PROPOSALS,), ProtocolId.IKE),
        children=(child,),
        pools=tuple(pool.name for pool in pools),
    )
    connection = replace(connection, **more)  # type: ignore[arg-type]
    known = users if users is not None else (UserConfig("alice", nt_hash=nt_hash(PASSWORD), groups=()),)
    return Config((connection,), pools=pools, users=known, groups=groups)


def client_config(
    files: Files,
    *,
    methods: tuple[EapType, ...] = (EapType.MSCHAPV2,),
    password: str = PASSWORD,
    name: str = "alice",
    vips: tuple[IpAddress, ...] = (ANY4,),
    **more: object,
) -> Config:
    """A client with a password, who believes the root."""
    child = replace(make_child("net", "10.2.0.0/16", "10.1.0.0/16"), local_ts=())
    connection = ConnectionConfig(
        "vpn",
        LocalAuthConfig(
            AuthKind.EAP,
            parse_identity("192.168.1.2"),
            certs=(files.alice[0],),
            key=files.alice[1],
            eap_id=name,
            eap_methods=methods,
        ),
        RemoteAuthConfig(AuthKind.PUBKEY, parse_identity_pattern("gate.example.com"), cacerts=(files.root,)),
        local_addrs=one_address(LEFT),
        remote_addrs=one_address(RIGHT),
        proposals=parse_proposals((IKE_PROPOSALS,), ProtocolId.IKE),
        children=(child,),
        vips=vips,
    )
    connection = replace(connection, **more)  # type: ignore[arg-type]
    return Config((connection,), passwords=(PasswordConfig("mine", Secret(password.encode()), (name,)),))


def make_access_pair(
    directory: Path,
    gateway: Config | None = None,
    client: Config | None = None,
    *,
    link: Link | None = None,
    seed: int = 1,
) -> Pair:
    """A client on the left and a gateway on the right, not yet connected."""
    files = write_files(directory)
    gateway, client = gateway or gateway_config(files), client or client_config(files)
    sides = []
    for number, (config, address, peer) in enumerate(((client, LEFT, RIGHT), (gateway, RIGHT, LEFT))):
        entropy = SeededEntropy(seed * 2 + number)
        credentials = load_credentials(config)
        side = Side(config, address, AuthService(config, credentials), entropy, peer=peer)
        users = UserStore(config.users, None, entropy)
        side.eap = EapService(config, credentials, users, entropy, clock=lambda: datetime.now(UTC))
        if config.pools:
            book = directory / f"leases-{number}.db"
            book.unlink(missing_ok=True)
            side.leases = Leases.open(book, config.pools)
        sides.append(side)
    return Pair(sides[0], sides[1], link or Link(seed))


PSK = PskConfig("psk", Secret(b"correct horse battery staple"))
