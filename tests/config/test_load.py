"""Configuration files: what they become."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path

import pytest

from ikepy.config.algorithms import default_proposals, proposal_words
from ikepy.config.load import load
from ikepy.config.model import (
    AddressPattern,
    AddressPatternKind,
    AuthKind,
    DaemonConfig,
    ExtendedKeyUsage,
    RetransmissionConfig,
    SendCert,
    StartAction,
)
from ikepy.crypto.secret import Secret
from ikepy.ipsec import Mark, Mode, Offload
from ikepy.wire.registry import ProtocolId
from tests.support.conf_files import CERTS, SITE, Write, changed, only, refusal


def test_ten_lines_make_a_connection_with_good_defaults(write: Write) -> None:
    config = only(load(write(SITE)))

    (connection,) = config.connections
    (child,) = connection.children
    assert connection.name == "site"
    assert connection.local.auth is AuthKind.PSK
    assert str(connection.local.id) == "left.example.com"
    assert connection.remote_addrs == (
        AddressPattern(AddressPatternKind.NETWORK, ip_address("203.0.113.2"), ip_address("203.0.113.2")),
    )
    assert connection.local_addrs == ()
    assert connection.proposals == default_proposals(ProtocolId.IKE)
    assert child.esp_proposals == default_proposals(ProtocolId.ESP)
    assert [str(ts.start) for ts in child.local_ts] == ["10.1.0.0"]
    assert (child.mode, child.start_action) == (Mode.TUNNEL, StartAction.NONE)
    assert config.psks[0].secret == Secret(b"a secret that nobody will guess")
    assert config.psks[0].owners == ()
    assert (config.daemon, config.retransmission) == (DaemonConfig(), RetransmissionConfig())


def test_every_key_is_read(write: Write) -> None:
    for name in ("cert.pem", "key.pem", "ca.pem", "pinned.pem"):
        write("", name)
    path = write(
        """\
[connections.all]
local_addrs = "192.0.2.1, 2001:db8::1"
remote_addrs = ["%any", "192.0.2.0/24", "gw.example.com"]
local_port = 4500
remote_port = 1500
proposals = "aes256gcm16-prfsha256-x25519, aes128-sha256-ecp256"
encap = true
dpd_delay = "5m"
send_certreq = false
[connections.all.local]
auth = "pubkey"
id = "C=DE, O=Example, CN=left"
certs = ["cert.pem"]
key = "key.pem"
send_cert = "ifasked"
[connections.all.remote]
auth = "pubkey"
id = "*.example.com"
cacerts = "ca.pem"
certs = "pinned.pem"
eku = ["serverAuth", "ikeIntermediate"]
[connections.all.children.one]
local_ts = "10.0.0.0/8[tcp/443], 2001:db8::/32"
remote_ts = "dynamic"
esp_proposals = ["aes128gcm16-noesn"]
mode = "transport"
start_action = "start"
replay_window = 0
install_routes = false
mark = "0x10/0xff"
if_id = 7
hw_offload = "crypto"
[connections.all.children.two]
mark = 42
[daemon]
listen = ["192.0.2.1"]
port = 1500
port_nat_t = 1501
log_level = "debug"
cookie_threshold = 4
half_open_limit = 8
half_open_per_source = 2
half_open_timeout = "10s"
reqid_base = 1000
[retransmission]
timeout = 1.5
base = 2
limit = "500ms"
tries = 3
"""
    )

    loaded = load(path)

    (connection,) = loaded.config.connections
    one, two = connection.children
    base = path.parent
    assert [a.kind.value for a in connection.remote_addrs] == ["any", "network", "name"]
    assert len(connection.local_addrs) == 2
    assert (connection.local_port, connection.remote_port, connection.encap) == (4500, 1500, True)
    assert (connection.dpd_delay, connection.send_certreq) == (300.0, False)
    assert [proposal_words(p) for p in connection.proposals] == [
        "aes256gcm16-prfsha256-x25519",
        "aes128-sha256-prfsha256-ecp256",
    ]
    assert (connection.local.certs, connection.local.key) == ((base / "cert.pem",), base / "key.pem")
    assert connection.local.send_cert is SendCert.IF_ASKED
    assert connection.remote.id.wildcard
    assert (connection.remote.cacerts, connection.remote.certs) == ((base / "ca.pem",), (base / "pinned.pem",))
    assert connection.remote.eku == (ExtendedKeyUsage.SERVER_AUTH, ExtendedKeyUsage.IKE_INTERMEDIATE)
    assert (one.mode, one.start_action, one.replay_window, one.install_routes) == (
        Mode.TRANSPORT,
        StartAction.START,
        0,
        False,
    )
    assert (one.mark, one.if_id, one.hw_offload) == (Mark(0x10, 0xFF), 7, Offload.CRYPTO)
    assert (len(one.local_ts), one.remote_ts) == (2, ())
    assert two.mark == Mark(42)
    assert loaded.config.daemon == DaemonConfig(
        (ip_address("192.0.2.1"),), 1500, 1501, "debug", None, 4, 8, 2, 10.0, 1000
    )
    assert loaded.config.retransmission == RetransmissionConfig(1.5, 2.0, 0.5, 3)


def test_files_are_relative_to_the_file_that_names_them(write: Write) -> None:
    for name in ("cert.pem", "key.pem", "ca.pem"):
        write("", f"conf.d/{name}")
    inner = write(CERTS, "conf.d/a.conf")

    loaded = load(write('include = ["conf.d/*.conf"]\n'))

    assert loaded.config.connections[0].local.key == inner.parent / "key.pem"
    assert loaded.files[1] == inner


def test_included_files_are_read_in_the_order_of_their_names(write: Write) -> None:
    for name in "ba":
        write(changed(SITE, ("site]", f"{name}]"), ("site.", f"{name}.")), f"conf.d/{name}.conf")

    config = load(write('include = "conf.d/*.conf"\n')).config

    assert [connection.name for connection in config.connections] == ["a", "b"]


def test_a_pattern_that_matches_nothing_is_fine(write: Write) -> None:
    path = write(f'include = ["conf.d/*.conf", "{Path("/").as_posix()}nowhere-*/x.conf"]\n')

    assert only(load(path)).connections == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (SITE.split("[secrets", maxsplit=1)[0], "[connections.site]: the connection 'site' is also in"),
        ('[secrets.site]\nsecret = "x"\n', "[secrets.site]: the secret 'site' is also in"),
        ("[daemon]\n", "[daemon]: the table 'daemon' is also in"),
        ("[retransmission]\n", "[retransmission]: the table 'retransmission' is also in"),
    ],
)
def test_a_name_in_two_files_is_an_error_that_names_both(write: Write, text: str, words: str) -> None:
    second = write(text, "second.conf")
    first = write('include = "second.conf"\n' + SITE + "[daemon]\n[retransmission]\n")

    message = refusal(first)

    assert message.startswith(f"{second}: {words} {first}")


def test_a_file_is_included_once(write: Write) -> None:
    write("", "b.conf")
    write('include = "b.conf"\n', "a.conf")

    assert "b.conf is included twice" in refusal(write('include = ["a.conf", "b.conf"]\n'))


def test_a_fault_between_files_names_the_one_it_stands_in(write: Write) -> None:
    second = write('[secrets.other]\nsecret = "not the same secret at all"\n', "second.conf")

    message = refusal(write('include = "second.conf"\n' + SITE))

    assert message.startswith(f"{second}: [secrets.other]: it differs from secrets.site and both have no owners")


@pytest.mark.parametrize(
    ("key", "word"),
    [
        ("start_action", "start"),
        ("start_action", "trap"),
        ("dpd_action", "trap"),
        ("dpd_action", "restart"),
        ("close_action", "trap"),
        ("close_action", "start"),
    ],
)
def test_an_action_that_initiates_needs_a_peer_with_an_address(write: Write, key: str, word: str) -> None:
    text = changed(SITE, ('"203.0.113.2"', '"203.0.113.0/24"'), ("local_ts =", f'{key} = "{word}"\nlocal_ts ='))

    assert f"{key}: {word} needs a peer whose address is known; set remote_addrs of connection site" in refusal(
        write(text)
    )
    assert load(write(changed(text, ("203.0.113.0/24", "gw.example.com")))).config.connections


def test_what_only_answers_may_say_so(write: Write) -> None:
    lines = 'start_action = "none"\ndpd_action = "clear"\nclose_action = "none"\nlocal_ts ='

    assert only(load(write(changed(SITE, ('"203.0.113.2"', '"%any"'), ("local_ts =", lines))))).connections


@pytest.mark.parametrize(
    ("of_connection", "of_child", "warning"),
    [
        ("dpd_delay = 0\nrekey_time = 0", "", "a dead peer is noticed only when a child is rekeyed; set dpd_delay"),
        ("dpd_delay = 0\nrekey_time = 0", "rekey_time = 0", "a dead peer is noticed never; set dpd_delay"),
        ("keyingtries = 3", "", "keyingtries counts for nothing: no child is brought up by itself; set start_action"),
    ],
)
def test_what_does_not_keep_a_tunnel_up_is_a_warning(
    write: Write, of_connection: str, of_child: str, warning: str
) -> None:
    text = changed(SITE, ("local = {", f"{of_connection}\nlocal = {{"), ("local_ts =", f"{of_child}\nlocal_ts ="))

    (found,) = load(write(text)).warnings

    assert found.startswith("connections.site: ")
    assert found.endswith(warning)


@pytest.mark.parametrize("line", ['start_action = "start"', 'dpd_action = "restart"', 'close_action = "start"'])
def test_tries_count_for_a_child_that_is_brought_up_by_itself(write: Write, line: str) -> None:
    text = changed(SITE, ("local = {", "keyingtries = 3\nlocal = {"), ("local_ts =", f"{line}\nlocal_ts ="))

    assert only(load(write(text))).connections


def test_what_is_unwise_is_a_warning(write: Write, tmp_path: Path) -> None:
    loaded = load(
        write(
            changed(
                SITE,
                ("local = {", 'proposals = "3des-sha256-modp1024"\nlocal = {'),
                ("local_ts =", 'mode = "transport"\nesp_proposals = "3des-sha256"\nlocal_ts ='),
                ("a secret that nobody will guess", "short"),
            )
            + "[connections.idle]\nlocal.auth = 'psk'\nremote.auth = 'psk'\n"
            + "[connections.twin]\nlocal.auth = 'psk'\nremote.auth = 'psk'\n"
            + "[daemon]\nkeylog = 'keys'\n"
        )
    )

    assert [warning.split(";")[0] for warning in loaded.warnings] == [
        "connections.site: 3des in proposals is weak and for old peers only (RFC 8247)",
        "connections.site: modp1024 in proposals is weak and for old peers only (RFC 8247)",
        "connections.site.children.net: transport mode protects the two hosts, no networks behind them",
        "connections.site.children.net: 3des in esp_proposals is weak and for old peers only (RFC 8221)",
        "connections.idle: it has no children, so nothing is ever protected",
        "connections.twin: it has no children, so nothing is ever protected",
        "secrets.site: 5 octets can be guessed by whoever meets us once",
        "connections.idle and connections.twin cannot be told apart when a peer comes: such peers are refused",
        f"daemon: keys are written to {tmp_path / 'keys'}",
    ]


def test_yes_and_no_are_read_as_in_swanctl_conf(write: Write) -> None:
    config = only(load(write(changed(SITE, ("local = {", 'encap = "yes"\nsend_certreq = "no"\nlocal = {')))))

    assert (config.connections[0].encap, config.connections[0].send_certreq) == (True, False)


def test_what_is_loaded_is_found_by_name(write: Write) -> None:
    config = only(load(write(SITE)))

    site = config.connection("site")
    assert site is not None
    assert config.connection("other") is None
    assert site.child("net") is site.children[0]
    assert site.child("other") is None
