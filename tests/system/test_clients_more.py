"""Other clients at a gateway of ours: charon-cmd, NetworkManager's service, libreswan, OpenIKED; split DNS with strongSwan."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.lab.access_conf import NAME, PASSWORD, SHARED, Client, gateway_conf, issue, make_client
from tests.lab.access_room import GATEWAY, INNER, NAMESPACE, AccessRoom, addresses_of, reaches
from tests.lab.charon_cmd import CharonCmd
from tests.lab.charon_nm import CharonNm
from tests.lab.gateway import Gateway, await_true
from tests.lab.libreswan import Libreswan
from tests.lab.namespaces import sh, states
from tests.lab.openiked import CHILD, IKE, OpenIked
from tests.lab.strongswan import PLUGINS

OPENIKED_ESP = 'esp_proposals = ["default", "aes256-sha1-noesn"]'
NEAR = "10.90.0.1"


@dataclass
class Access:
    """The room with its gateway running."""

    room: AccessRoom
    gateway: Gateway
    directory: Path

    def leased(self) -> str:
        """The address of the pool that the client has; empty where it has none."""
        found = addresses_of(self.room.client(0))
        return next((each for each in found if each.startswith("10.9.0.")), "")

    def assert_reaches(self, story: Callable[[], str]) -> str:
        await_true("the client has an address", lambda: bool(self.leased()))
        address = self.leased()
        assert reaches(self.room.client(0), address, INNER), f"-- gateway\n{self.gateway.log()}\n-- client\n{story()}"
        return address

    def assert_gone(self) -> None:
        await_true("nothing is left at the gateway", lambda: not states(NAMESPACE))


@pytest.fixture(scope="module")
def access(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Access]:
    directory = tmp_path_factory.mktemp("more")
    issue(directory)
    room = AccessRoom(1)
    with room.laid():
        gateway = Gateway(NAMESPACE, directory / "gateway")
        children = ("cert", "psk")
        conf = gateway_conf(directory)
        for name in children:
            conf = conf.replace(
                f"[connections.{name}.children.net]", f"[connections.{name}.children.net]\n{OPENIKED_ESP}"
            )
        gateway.configure(conf)
        gateway.start("--log-level", "debug")
        yield Access(room, gateway, directory)
        gateway.stop()


@contextlib.contextmanager
def charon_cmd(access: Access, *options: str, password: str = "") -> Iterator[CharonCmd]:
    cmd = CharonCmd(access.room.client(0), access.directory / "charon-cmd")
    ca = str(access.directory / "ca-rsa.pem")
    try:
        cmd.start("--host", GATEWAY, "--remote-identity", NAME, "--cert", ca, *options, password=password)
        yield cmd
    finally:
        cmd.stop()


def test_charon_cmd_comes_in_with_a_password(access: Access) -> None:
    with charon_cmd(access, "--identity", "alice", "--profile", "ikev2-eap", password=PASSWORD) as cmd:
        access.assert_reaches(cmd.log)
    access.assert_gone()


def test_charon_cmd_comes_in_with_a_certificate(access: Access) -> None:
    own = ["--cert", str(access.directory / "carol.lab.cert.pem"), "--rsa", str(access.directory / "carol.lab.key.pem")]
    with charon_cmd(access, "--identity", "carol.lab", "--profile", "ikev2-pub", *own) as cmd:
        access.assert_reaches(cmd.log)
    access.assert_gone()


def test_networkmanagers_service_comes_in_with_a_password_and_has_both_addresses(access: Access) -> None:
    service = CharonNm(access.room.client(0), access.directory / "charon-nm")
    data = {
        "address": GATEWAY,
        "remote-identity": NAME,
        "certificate": str(access.directory / "ca-rsa.pem"),
        "method": "eap",
        "user": "alice",
        "virtual": "yes",
    }
    service.start()
    try:
        heard = service.up(data, {"password": PASSWORD})
        assert {"Config", "Ip4Config", "Ip6Config"} <= set(heard)
        access.assert_reaches(service.log)
        assert any(each.startswith("2001:db8:9:") for each in addresses_of(access.room.client(0)))
        service.down()
        access.assert_gone()
    finally:
        service.stop()


def test_networkmanagers_service_with_a_wrong_password_is_refused(access: Access) -> None:
    service = CharonNm(access.room.client(0), access.directory / "charon-nm-wrong")
    data = {"address": GATEWAY, "certificate": str(access.directory / "ca-rsa.pem"), "method": "eap", "user": "alice"}
    service.start()
    try:
        with pytest.raises(AssertionError, match="charon-nm failed"):
            service.up({**data, "remote-identity": NAME, "virtual": "yes"}, {"password": "wrong"})
        # The service says so before what it sends about it has arrived.
        await_true("the gateway says why", lambda: "wrong password" in access.gateway.log())
    finally:
        service.stop()


LIBRESWAN = """config setup
    logfile=/dev/null
conn vpn
    ikev2=insist
    left={left}
    leftid=@carol.lab
    leftcert=carol.lab
    leftsubnet=0.0.0.0/0
    leftmodecfgclient=yes
    right={right}
    rightid=@gate.lab
    rightca=%same
    rightsubnet=10.1.0.0/16
    narrowing=yes
    authby=rsasig
"""


@contextlib.contextmanager
def libreswan(access: Access) -> Iterator[Libreswan]:
    client = Libreswan(access.room.client(0), access.directory / "libreswan")
    client.take_certificate(access.directory / "carol.lab.p12", access.directory / "ca-rsa.pem")
    conf = LIBRESWAN.format(left=access.room.address(0), right=GATEWAY)
    client.configure(conf, "", ("vpn",))
    client.start()
    try:
        yield client
    finally:
        client.stop()


def test_libreswan_comes_in_with_a_certificate(access: Access) -> None:
    with libreswan(access) as client:
        client.up("vpn")
        access.assert_reaches(client.log)
        client.down("vpn")
        access.assert_gone()


@pytest.mark.parametrize("by", ["certificate", "key"])
def test_openiked_comes_in(access: Access, by: str) -> None:
    directory = access.directory / f"iked-{by}"
    directory.mkdir()
    iked = OpenIked(access.room.client(0), directory)
    proof = "rsa" if by == "certificate" else f'psk "{SHARED}"'
    iked.configure(
        f'ikev2 "vpn" active esp from dynamic to 10.1.0.0/16 local {access.room.address(0)} peer {NEAR} {IKE} {CHILD} '
        f"srcid carol.lab dstid {NAME} {proof} request address any iface v-cl0-gw\n"
    )
    files = [access.directory / f"carol.lab.{part}.pem" for part in ("cert", "key")]
    iked.take_certificate(*files, access.directory / "ca-rsa.pem")
    iked.start()
    try:
        access.assert_reaches(iked.log)
    finally:
        iked.stop()
        # It goes without a word, and leaves all that it made.
        access.gateway.call("terminate", {"ike": "cert" if by == "certificate" else "psk", "force": "yes"})
        access.assert_gone()
        clean(access.room.client(0))


def clean(client: str) -> None:
    sh("ip", "-n", client, "xfrm", "state", "flush")
    sh("ip", "-n", client, "xfrm", "policy", "flush")
    sh("ip", "-n", client, "rule", "del", "pref", "210")
    sh("ip", "-n", client, "route", "flush", "table", "210")


def test_strongswan_hears_of_our_dns_server_and_the_names_it_is_for(access: Access) -> None:
    resolv = access.directory / "resolv.conf"
    plugin = f"load = {PLUGINS} resolve\n  plugins {{\n    resolve {{\n      file = {resolv}\n    }}\n  }}"
    client = Client("eap-mschapv2", newer=True, extra=plugin)
    swan = make_client(access.room.client(0), access.directory / "split", access.directory, client)
    swan.start()
    try:
        swan.up("vpn", "net")
        access.assert_reaches(swan.log)
        assert "nameserver 10.1.0.53" in resolv.read_text()
        # It knows the attribute by its name and has nobody who handles it.
        assert "handling INTERNAL_DNS_DOMAIN attribute failed" in swan.log()
    finally:
        swan.stop()
