"""ikepy as a client of other people's gateways: a name and a password, an address of theirs, networks behind them."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.access_conf import NAME, PASSWORD, issue
from tests.lab.access_room import GATEWAY, INNER, INNER6, NAMESPACE, AccessRoom, addresses_of, reaches
from tests.lab.gateway import Gateway, await_true
from tests.lab.libreswan import Libreswan
from tests.lab.namespaces import leftovers, sh
from tests.lab.openiked import CHILD as IKED_CHILD
from tests.lab.openiked import IKE, OpenIked
from tests.lab.strongswan import StrongSwan

SERVER = """connections {
  vpn {
    version = 2
    local_addrs = %any
    pools = v4, v6
    send_cert = always
    local {
      auth = pubkey
      certs = gate.lab.cert.pem
      id = gate.lab
    }
    remote {
      auth = AUTH
      eap_id = %any
    }
    children {
      net {
        local_ts = 10.1.0.0/16, fd00:1::/32
      }
    }
  }
}
pools {
  v4 {
    addrs = 10.9.0.100-10.9.0.120
    dns = 10.1.0.53
    25 = corp.lab
  }
  v6 {
    addrs = 2001:db8:9::100-2001:db8:9::120
  }
}
secrets {
  eap-1 {
    id = alice
    secret = "PASSWORD"
  }
}
"""
NEAR = "10.90.0.1"
"The gateway's address on the client's cable: OpenIKED answers from that, whatever it was asked at."
CLIENT = """
[connections.vpn]
remote_addrs = ["{gateway}"]
vips = ["0.0.0.0"{more}]
proposals = ["aes128gcm16-prfsha256-x25519", "default"]
local = {{ auth = "{auth}", id = "{user}", eap_id = "{user}"{keys} }}
remote = {{ auth = "pubkey", id = "gate.lab", cacerts = ["{ca}"] }}
[connections.vpn.children.net]
remote_ts = {nets}
{esp}

[secrets.mine]
id = "alice"
password = "{password}"
"""


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("certificates")
    issue(directory)
    return directory


@pytest.fixture(scope="module")
def room() -> Iterator[AccessRoom]:
    room = AccessRoom(1)
    with room.laid():
        # What is behind the gateway finds its clients.
        sh("ip", "-n", NAMESPACE, "route", "add", "10.9.0.0/24", "via", room.address(0))
        sh("ip", "-n", NAMESPACE, "-6", "route", "add", "2001:db8:9::/64", "via", "2001:db8:90:0::2")
        yield room


@contextlib.contextmanager
def strongswan(certificates: Path, directory: Path, auth: str) -> Iterator[StrongSwan]:
    swan = StrongSwan(NAMESPACE, directory, "plugins {\n    eap-ttls {\n      phase2_method = mschapv2\n    }\n  }")
    shutil.copy(certificates / "ca-rsa.pem", directory / "swanctl" / "x509ca")
    shutil.copy(certificates / f"{NAME}.cert.pem", directory / "swanctl" / "x509")
    shutil.copy(certificates / f"{NAME}.key.pem", directory / "swanctl" / "private")
    swan.configure(SERVER.replace("AUTH", auth).replace("PASSWORD", PASSWORD))
    swan.start()
    try:
        yield swan
    finally:
        swan.stop()


def client_of(
    directory: Path,
    certificates: Path,
    auth: str,
    *,
    password: str = PASSWORD,
    v6: bool = True,
    gateway: str = GATEWAY,
) -> Gateway:
    client = Gateway("cl0", directory)
    nets = '["10.1.0.0/16", "fd00:1::/32"]' if v6 else '["10.1.0.0/16"]'
    keys = f', certs = ["{certificates}/carol.lab.cert.pem"], key = "{certificates}/carol.lab.key.pem"'
    client.configure(
        CLIENT.format(
            gateway=gateway,
            more=', "::"' if v6 else "",
            auth=auth,
            user="carol.lab" if auth == "eap-tls" else "alice",
            keys=keys if auth == "eap-tls" else "",
            ca=certificates / "ca-rsa.pem",
            nets=nets,
            esp="" if v6 else 'esp_proposals = ["aes256-sha1-noesn"]',
            password=password,
        )
    )
    return client


@contextlib.contextmanager
def running(client: Gateway) -> Iterator[Gateway]:
    client.start()
    try:
        yield client
    finally:
        client.stop()


def virtual() -> list[str]:
    return sorted(each for each in addresses_of("cl0") if each.startswith(("10.9.0.", "2001:db8:9:")))


@pytest.mark.parametrize("method", ["mschapv2", "tls", "ttls", "md5"])
def test_a_client_of_strongswan_gets_addresses_and_gives_them_back(
    room: AccessRoom, certificates: Path, tmp_path: Path, method: str
) -> None:
    with strongswan(certificates, tmp_path / "swan", f"eap-{method}") as swan:
        with running(client_of(tmp_path / "client", certificates, f"eap-{method}")) as client:
            client.up("vpn", "net")
            v4, v6 = virtual()
            assert reaches("cl0", v4, INNER), client.log() + swan.log()
            assert reaches("cl0", v6, INNER6), client.log() + swan.log()
            route = sh("ip", "-n", "cl0", "route", "get", INNER)
            assert f"src {v4}" in route
            assert "10.1.0.53 for corp.lab" in client.ikepy("status")
            client.rekey("vpn")
            assert reaches("cl0", v4, INNER)
            client.down("vpn")
            await_true("the addresses are gone", lambda: virtual() == [])
        assert leftovers("cl0") == ""


LIBRESWAN = """config setup
    logfile=/dev/null
conn vpn
    ikev2=insist
    left={gateway}
    leftid=@gate.lab
    leftcert=gate.lab
    leftsubnet=10.1.0.0/16
    leftmodecfgserver=yes
    leftauth=eaponly
    leftautheap=tls
    leftupdown=%disabled
    right=%any
    rightid=%fromcert
    rightca=%same
    rightauth=eaponly
    rightautheap=tls
    rightaddresspool=10.9.0.100-10.9.0.120
    rightmodecfgclient=yes
    narrowing=yes
"""


@pytest.fixture
def libreswan(certificates: Path, tmp_path: Path) -> Iterator[Libreswan]:
    server = Libreswan(NAMESPACE, tmp_path / "libreswan")
    server.take_certificate(certificates / "gate.lab.p12", certificates / "ca-rsa.pem")
    server.configure(LIBRESWAN.format(gateway=GATEWAY), "", ("vpn",))
    server.start()
    yield server
    server.stop()


def with_eap_only(client: Gateway, tls: str) -> Gateway:
    conf = client.conf.read_text().replace('esp_proposals = ["aes256-sha1-noesn"]', "")
    client.configure(conf.replace("vips =", "eap_only = true\nvips =").replace("local = {", f"local = {{ {tls}"))
    return client


def test_libreswan_and_we_prove_ourselves_by_nothing_but_eap_tls(
    room: AccessRoom, certificates: Path, tmp_path: Path, libreswan: Libreswan
) -> None:
    client = client_of(tmp_path / "client", certificates, "eap-tls", v6=False)
    with running(with_eap_only(client, 'tls_max = "1.2",')) as client:
        client.up("vpn", "net")
        (v4,) = virtual()
        assert reaches("cl0", v4, INNER), client.log() + libreswan.log()
        client.down("vpn")


def test_a_server_that_never_ends_tls_1_3_is_told_from_a_wrong_certificate(
    room: AccessRoom, certificates: Path, tmp_path: Path, libreswan: Libreswan
) -> None:
    client = client_of(tmp_path / "client", certificates, "eap-tls", v6=False)
    with running(with_eap_only(client, "")) as client:
        client.call("initiate", {"ike": "vpn", "child": "net", "timeout": "4000"})
        assert 'needs local.tls_max = "1.2"' in client.log()


def test_a_wrong_password_is_said_in_words(room: AccessRoom, certificates: Path, tmp_path: Path) -> None:
    with (
        strongswan(certificates, tmp_path / "swan", "eap-mschapv2"),
        running(client_of(tmp_path / "client", certificates, "eap-mschapv2", password="wrong")) as client,
    ):
        answer, _ = client.call("initiate", {"ike": "vpn", "child": "net", "timeout": "10000"})
        assert answer.get("success") == "no"
        assert "user name or the password is wrong" in str(answer.get("errmsg")), answer
        assert virtual() == []


def test_what_a_killed_client_had_is_taken_off_by_the_next(
    room: AccessRoom, certificates: Path, tmp_path: Path
) -> None:
    with strongswan(certificates, tmp_path / "swan", "eap-mschapv2"):
        client = client_of(tmp_path / "client", certificates, "eap-mschapv2")
        client.start()
        client.up("vpn", "net")
        assert virtual()
        client.kill()
        assert virtual()
        client.start()
        assert virtual() == []
        client.stop()
        assert leftovers("cl0") == ""


def test_a_client_of_openiked_gets_an_address(room: AccessRoom, certificates: Path, tmp_path: Path) -> None:
    directory = tmp_path / "iked"
    directory.mkdir()
    iked = OpenIked(NAMESPACE, directory)
    iked.configure(
        f'user "alice" "{PASSWORD}"\n'
        f'ikev2 "vpn" passive esp from 10.1.0.0/16 to dynamic local {NEAR} peer any {IKE} {IKED_CHILD} '
        f'srcid {NAME} eap "mschap-v2" config address 10.9.0.128/25 config name-server 10.1.0.53\n'
    )
    iked.take_certificate(
        certificates / f"{NAME}.cert.pem", certificates / f"{NAME}.key.pem", certificates / "ca-rsa.pem"
    )
    iked.start()
    try:
        with running(client_of(tmp_path / "client", certificates, "eap-mschapv2", v6=False, gateway=NEAR)) as client:
            client.up("vpn", "net")
            (v4,) = virtual()
            assert reaches("cl0", v4, INNER), client.log() + iked.log()
    finally:
        iked.stop()
