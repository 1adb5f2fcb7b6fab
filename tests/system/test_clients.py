"""Clients of strongSwan's at a gateway of ours: each way to prove oneself, addresses, groups, many at once, crashes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.lab.access_conf import Client, gateway_conf, issue, make_client
from tests.lab.access_room import INNER, INNER6, INNER_OF_GUESTS, NAMESPACE, AccessRoom, addresses_of, reaches
from tests.lab.gateway import Gateway, await_true
from tests.lab.namespaces import sh, states
from tests.lab.strongswan import StrongSwan

TLS_1_3 = "tls {\n    version_max = 1.3\n  }"
BOTH = "0.0.0.0, ::"
CLIENTS = {
    "mschapv2": Client("eap-mschapv2"),
    "tls 1.2": Client("eap-tls", user="carol.lab"),
    "ttls": Client("eap-ttls"),
    "gtc": Client("eap-gtc"),
    "md5": Client("eap-md5"),
    "pubkey": Client("pubkey"),
    "psk": Client("psk"),
    "newer mschapv2": Client("eap-mschapv2", newer=True),
    "newer tls 1.3": Client("eap-tls", user="carol.lab", newer=True, extra=TLS_1_3),
    "newer ttls": Client("eap-ttls", newer=True),
    "newer ttls on tls 1.3": Client("eap-ttls", newer=True, extra=TLS_1_3),
    "newer pubkey": Client("pubkey", newer=True),
}


@dataclass
class Access:
    """The room with its gateway running."""

    room: AccessRoom
    gateway: Gateway
    directory: Path
    certificates: Path

    @contextlib.contextmanager
    def client(self, number: int, client: Client) -> Iterator[StrongSwan]:
        """A client's charon, running."""
        swan = make_client(self.room.client(number), self.directory / f"client{number}", self.certificates, client)
        swan.start()
        try:
            yield swan
        finally:
            swan.stop()

    def leased(self, number: int) -> list[str]:
        """The addresses of the pools that a client has."""
        found = addresses_of(self.room.client(number))
        return sorted(each for each in found if each.startswith(("10.9.0.", "2001:db8:9:")))

    def story(self, swan: StrongSwan) -> str:
        return f"-- gateway\n{self.gateway.log()}\n-- client\n{swan.log()}"


@pytest.fixture(scope="module")
def access(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Access]:
    directory = tmp_path_factory.mktemp("access")
    issue(directory)
    room = AccessRoom(10)
    with room.laid():
        gateway = Gateway(NAMESPACE, directory / "gateway")
        gateway.configure(gateway_conf(directory))
        gateway.start("--log-level", "debug")
        yield Access(room, gateway, directory, directory)
        gateway.stop()


def reboot(namespace: str, addresses: list[str]) -> None:
    """What is gone after a reboot: addresses, states and policies."""
    for address in addresses:
        sh("ip", "-n", namespace, "address", "del", f"{address}/32", "dev", "lo", check=False)
    sh("ip", "-n", namespace, "xfrm", "state", "flush")
    sh("ip", "-n", namespace, "xfrm", "policy", "flush")


@pytest.mark.parametrize("way", CLIENTS)
def test_a_client_gets_its_address_and_reaches_what_its_group_allows(access: Access, way: str) -> None:
    with access.client(0, replace(CLIENTS[way], vips=BOTH)) as swan:
        swan.up("vpn", "net")
        leased = access.leased(0)
        assert len(leased) == 2, access.story(swan)
        if "tls" in way:
            assert ("TLS 1.3" if "1.3" in way else "TLS 1.2") in swan.log(), swan.log()
        assert reaches(access.room.client(0), leased[0], INNER), access.story(swan)
        assert reaches(access.room.client(0), leased[1], INNER6), access.story(swan)
        swan.down("vpn")
        await_true("everything is gone", lambda: not states(NAMESPACE))


def test_a_guest_reaches_what_guests_reach_and_nothing_else(access: Access) -> None:
    with access.client(0, Client("eap-mschapv2", user="bob")) as swan:
        swan.up("vpn", "net")
        (address,) = access.leased(0)
        assert reaches(access.room.client(0), address, INNER_OF_GUESTS), access.story(swan)
        assert not reaches(access.room.client(0), address, INNER)


@pytest.mark.parametrize(
    ("client", "told"),
    [
        (Client("eap-mschapv2", password="wrong"), "wrong password of 'alice'"),
        (Client("eap-mschapv2", user="nobody"), "there is no such user"),
        (Client("eap-mschapv2", user="mallory"), "the user is disabled"),
    ],
    ids=["wrong password", "no such user", "disabled"],
)
def test_who_is_not_to_come_in_is_refused_and_the_log_says_why(access: Access, client: Client, told: str) -> None:
    with access.client(1, client) as swan:
        with pytest.raises(AssertionError):
            swan.up("vpn", "net")
        # The client gives up before what it sends about it has arrived.
        await_true("the gateway says why", lambda: told in access.gateway.log())
        assert "AUTH_FAILED" in swan.log()
        assert access.leased(1) == []


def test_ten_come_at_once_and_each_has_an_address_of_its_own(access: Access) -> None:
    with contextlib.ExitStack() as stack:
        swans = [stack.enter_context(access.client(number, Client("eap-mschapv2"))) for number in range(10)]
        for swan in swans:
            swan.swanctl("--initiate", "--ike", "vpn", "--child", "net", "--timeout", "-1", check=False)
        await_true("ten have addresses", lambda: all(len(access.leased(number)) == 1 for number in range(10)), 30)
        found = [access.leased(number)[0] for number in range(10)]
        assert len(set(found)) == 10
        for number, address in enumerate(found):
            assert reaches(access.room.client(number), address, INNER), access.story(swans[number])


def test_a_client_that_crashed_comes_back_with_the_address_it_had(access: Access) -> None:
    with access.client(2, Client("eap-mschapv2")) as swan:
        swan.up("vpn", "net")
        before = access.leased(2)
        swan.kill()
        reboot(access.room.client(2), before)
        swan.start()
        swan.up("vpn", "net")
        assert access.leased(2) == before, access.story(swan)
        assert reaches(access.room.client(2), before[0], INNER)
