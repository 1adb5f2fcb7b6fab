"""A server and a client of EAP that talk to each other in memory, and the users they talk about."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date

from ikepy.auth.eap.client import EapClient
from ikepy.auth.eap.gtc import GtcClient
from ikepy.auth.eap.md5 import Md5Client
from ikepy.auth.eap.method import ClientMethod
from ikepy.auth.eap.mschapv2 import MsChapV2Client
from ikepy.auth.eap.offers import Offers, Tunnels
from ikepy.auth.eap.server import EapServer
from ikepy.auth.users import UserStore
from ikepy.config.access import UserConfig
from ikepy.crypto.password import make_scrypt_hash, nt_hash
from ikepy.crypto.secret import Secret
from ikepy.ike.eap_turns import ClientTurn, Say, ServerTurn
from ikepy.wire.eap import Eap
from ikepy.wire.registry import EapType
from tests.support.entropy import SeededEntropy

TODAY = date(2026, 5, 9)
PASSWORD = "Grün-und-geheim"
MSCHAPV2, GTC, MD5 = EapType.MSCHAPV2, EapType.GTC, EapType.MD5_CHALLENGE

ALICE = UserConfig("alice", nt_hash=nt_hash(PASSWORD))
BOB = UserConfig("bob", nt_hash=nt_hash(PASSWORD), disabled=True)
CAROL = UserConfig("carol", password=Secret(PASSWORD.encode()))
DAVE = UserConfig("dave", nt_hash=nt_hash(PASSWORD), expires=date(2026, 5, 8))
USERS = (ALICE, BOB, CAROL, DAVE)
ERIN = UserConfig("erin", scrypt=make_scrypt_hash(PASSWORD.encode(), bytes(16)))
FRANK = UserConfig("frank")


def make_store(*users: UserConfig) -> UserStore:
    return UserStore(users or USERS, None, SeededEntropy(7))


STORE = make_store()


def make_offers(*wanted: EapType, store: UserStore = STORE, tunnels: Tunnels | None = None) -> Offers:
    return Offers(wanted or (MSCHAPV2,), store, SeededEntropy(1), lambda: TODAY, tunnels)


def make_server(*wanted: EapType, store: UserStore = STORE, name: str | None = None) -> EapServer:
    return EapServer(make_offers(*wanted, store=store), name)


def make_method(kind: EapType, name: str, password: str = PASSWORD) -> ClientMethod:
    if kind is MSCHAPV2:
        return MsChapV2Client(name, nt_hash(password), SeededEntropy(2))
    return GtcClient(Secret(password.encode())) if kind is GTC else Md5Client(name, Secret(password.encode()))


def make_client(
    *kinds: EapType, name: str = "alice", password: str = PASSWORD, server_proved: bool = True
) -> EapClient:
    methods = [make_method(kind, name, password) for kind in kinds or (MSCHAPV2,)]
    return EapClient(name, methods, server_proved=server_proved)


@dataclass
class Conversation:
    """What was said, and what it came to at either end."""

    packets: list[Eap] = field(default_factory=list)
    server: ServerTurn | None = None
    client: ClientTurn | None = None

    def types(self) -> Sequence[EapType | None]:
        """Of the server's requests."""
        return [packet.method for packet in self.packets[::2]]


def converse(
    server: EapServer, client: EapClient, listen: Callable[[Eap], None] = lambda _: None, most: int = 100
) -> Conversation:
    """Let them talk until either says no more; what listens sees each packet before its receiver does."""
    said = Conversation(server=server.begin())
    for _ in range(most):
        assert said.server is not None
        packet = getattr(said.server, "packet", None)
        if packet is None:
            return said
        said.packets.append(packet)
        listen(packet)
        said.client = client.receive(packet)
        if not isinstance(said.client, Say) or not isinstance(said.server, Say):
            return said
        said.packets.append(said.client.packet)
        listen(said.client.packet)
        said.server = server.receive(said.client.packet)
    raise AssertionError("they talk for ever")
