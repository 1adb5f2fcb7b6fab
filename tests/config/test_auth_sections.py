"""EAP in a configuration: what it may say, what it comes to, what is refused and with which words."""

from __future__ import annotations

from pathlib import Path

import pytest

from ikepy.config.errors import ConfigError
from ikepy.config.load import load
from ikepy.config.model import AuthKind, Config
from ikepy.wire.registry import EapType

GATEWAY = """
[users.alice]
nt_hash = "0cb6948805f797bf2a82807973b89537"

[connections.vpn]
local = { auth = "pubkey", certs = ["gate.pem"], key = "gate.key" }
remote = { auth = "eap" }
[connections.vpn.children.net]
local_ts = ["10.1.0.0/16"]
"""
CLIENT = """
[connections.vpn]
remote_addrs = ["vpn.example.com"]
vips = ["0.0.0.0", "::"]
local = { auth = "eap-mschapv2", eap_id = "alice" }
remote = { auth = "pubkey", id = "vpn.example.com", cacerts = ["ca.pem"] }
[connections.vpn.children.net]
remote_ts = ["10.1.0.0/16"]

[secrets.mine]
id = "alice"
password = "Tr0ub4dor&3"
"""


def read(tmp_path: Path, text: str) -> Config:
    for name in ("gate.pem", "gate.key", "ca.pem", "mine.secret"):
        (tmp_path / name).write_text("nothing looks inside")
        (tmp_path / name).chmod(0o600)
    path = tmp_path / "site.conf"
    path.touch(0o600)
    path.write_text(text)
    return load(path).config


def refusal(tmp_path: Path, text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text)
    return str(caught.value)


def test_a_gateway_offers_mschapv2_unless_it_says_otherwise(tmp_path: Path) -> None:
    remote = read(tmp_path, GATEWAY).connections[0].remote
    assert (remote.auth, remote.eap_methods) == (AuthKind.EAP, (EapType.MSCHAPV2,))


def test_a_gateway_with_a_ca_offers_tls_behind_it(tmp_path: Path) -> None:
    text = GATEWAY.replace('auth = "eap"', 'auth = "eap", cacerts = ["ca.pem"]')
    assert read(tmp_path, text).connections[0].remote.eap_methods == (EapType.MSCHAPV2, EapType.TLS)


def test_methods_are_offered_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = GATEWAY.replace('auth = "eap"', 'auth = "eap", eap_methods = ["peap", "mschapv2", "ttls"]')
    found = read(tmp_path, text).connections[0].remote.eap_methods
    assert found == (EapType.PEAP, EapType.MSCHAPV2, EapType.TTLS)


def test_a_client_has_a_name_a_password_and_wishes_for_addresses(tmp_path: Path) -> None:
    config = read(tmp_path, CLIENT)
    connection = config.connections[0]
    assert connection.local.eap_id == "alice"
    assert connection.local.eap_methods == (EapType.MSCHAPV2,)
    assert [str(each) for each in connection.vips] == ["0.0.0.0", "::"]
    (password,) = config.passwords
    assert password.owners == ("alice",)
    assert password.secret.reveal() == b"Tr0ub4dor&3"


def test_a_password_may_stand_in_a_file_of_its_own(tmp_path: Path) -> None:
    text = CLIENT.replace('password = "Tr0ub4dor&3"', 'password_file = "mine.secret"')
    assert read(tmp_path, text).passwords[0].secret.reveal() == b"nothing looks inside"


def test_a_client_with_a_certificate_takes_eap_tls(tmp_path: Path) -> None:
    text = CLIENT.replace('"eap-mschapv2", eap_id = "alice"', '"eap", certs = ["gate.pem"], key = "gate.key"')
    assert read(tmp_path, text).connections[0].local.eap_methods == (EapType.TLS,)


def test_a_second_round_is_a_second_table(tmp_path: Path) -> None:
    text = GATEWAY.replace(
        'remote = { auth = "eap" }',
        'remote = { auth = "pubkey", cacerts = ["ca.pem"] }\nremote2 = { auth = "eap" }',
    )
    connection = read(tmp_path, text).connections[0]
    assert connection.remote2 is not None
    assert connection.remote2.eap_methods == (EapType.MSCHAPV2,)


@pytest.mark.parametrize(
    ("text", "old", "new", "words"),
    [
        (GATEWAY, '"eap" }', '"eap-mschap" }', "[connections.vpn.remote] auth: 'eap-mschap' is not known here"),
        (GATEWAY, '"eap" }', '"xauth" }', "'xauth' is of IKEv1"),
        (GATEWAY, '"eap" }', '"eap", eap_methods = ["sim"] }', "'sim' is no EAP method here; write mschapv2"),
        (GATEWAY, '"eap" }', '"eap", eap_methods = ["tls"] }', "EAP-TLS needs the CA of the clients' certificates"),
        (GATEWAY, '"eap" }', '"eap-tls", eap_methods = ["tls"] }', "eap_methods beside an auth that names one"),
        (GATEWAY, '"eap" }', '"eap", eap_methods = ["gtc", "gtc"] }', "no method, or one of them twice"),
        (GATEWAY, '"pubkey", certs', '"pubkey", eap_id = "x", certs', "eap_id: it means nothing where auth"),
        (GATEWAY, "[connections.vpn]", "[connections.vpn]\neap_only = true", "does not prove who the gateway is"),
        (GATEWAY, "[connections.vpn]", '[connections.vpn]\nvips = ["::"]', "as a client we need a gateway's address"),
        (CLIENT, 'remote_addrs = ["vpn.example.com"]', "", "as a client we need a gateway's address"),
        (CLIENT, 'id = "alice"\npassword', 'id = "%any"\npassword', "a password's owner cannot be a wildcard"),
        (CLIENT, 'password = "Tr0ub4dor&3"', 'secret = "a"\npassword = "b"', "secret and password stand together"),
        (CLIENT, '"pubkey", id', '"eap", id', "one side of EAP proves itself otherwise"),
    ],
)
def test_what_cannot_be_is_refused_with_a_remedy(tmp_path: Path, text: str, old: str, new: str, words: str) -> None:
    assert old in text
    message = refusal(tmp_path, text.replace(old, new))
    assert words in message
    assert "Tr0ub4dor" not in message


def test_eap_with_passwords_wants_users(tmp_path: Path) -> None:
    text = GATEWAY[GATEWAY.index("[connections.vpn]") :]
    assert "there are no users; add [users.NAME], or users_file under [daemon]" in refusal(tmp_path, text)


def test_a_client_with_a_password_wants_the_password(tmp_path: Path) -> None:
    text = CLIENT[: CLIENT.index("[secrets.mine]")]
    assert "EAP with a password, and none is there; add [secrets.NAME]" in refusal(tmp_path, text)
