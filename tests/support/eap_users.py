"""Users for EAP inside a tunnel: a UserStore with two of them, and the methods they may use."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import cache

from ikepy.auth.eap.gtc import GtcClient, GtcServer
from ikepy.auth.eap.inner import InnerClient
from ikepy.auth.eap.method import ServerMethod
from ikepy.auth.eap.mschapv2 import MsChapV2Client, MsChapV2Server
from ikepy.auth.users import UserStore
from ikepy.config.access import UserConfig
from ikepy.crypto.password import nt_hash
from ikepy.crypto.secret import Secret
from tests.support.entropy import SeededEntropy

PASSWORD, WRONG = "Tr0ub4dor&3 Ä", "tr0ub4dor&3 Ä"
NAME = "alice"
TODAY = date(2030, 1, 1)


@cache
def make_users() -> UserStore:
    alice = UserConfig(NAME, nt_hash=nt_hash(PASSWORD))
    gone = UserConfig("gone", nt_hash=nt_hash(PASSWORD), disabled=True)
    return UserStore((alice, gone), None, SeededEntropy(5))


def password_of(text: str) -> Secret:
    return Secret(text.encode())


def both_methods(name: str) -> Sequence[ServerMethod]:
    """EAP-MSCHAPv2, and GTC for whom wants it."""
    users = make_users()
    user = users.find_or_stand_in(name)
    refusal = user.refusal(TODAY)
    return MsChapV2Server(user, refusal, SeededEntropy(1)), GtcServer(user, refusal, users.verify_password)


def only_gtc(name: str) -> Sequence[ServerMethod]:
    return both_methods(name)[1:]


def only_mschapv2(name: str) -> Sequence[ServerMethod]:
    return both_methods(name)[:1]


def inner_mschapv2(name: str = NAME, password: str = PASSWORD) -> InnerClient:
    return InnerClient(name, [MsChapV2Client(name, nt_hash(password), SeededEntropy(2))])


def inner_gtc(name: str = NAME, password: str = PASSWORD) -> InnerClient:
    return InnerClient(name, [GtcClient(password_of(password))])
