"""Configuration files: what they become, and what is said of faults in them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ikepy.config.algorithms import default_proposals, proposal_words
from ikepy.config.errors import ConfigError, Unfit
from ikepy.config.load import Loaded, load
from ikepy.config.model import (
    AddressPattern,
    AddressPatternKind,
    AuthKind,
    Config,
    DaemonConfig,
    ExtendedKeyUsage,
    RetransmissionConfig,
    SendCert,
    StartAction,
)
from ikepy.config.schema import SECTIONS, Section
from ikepy.config.shared_secrets import read_secret_file
from ikepy.config.tables import Place, read_table
from ikepy.crypto.secret import Secret
from ikepy.ipsec import Mark, Mode
from ikepy.wire.registry import ProtocolId

Write = Callable[..., Path]

SITE = """\
[connections.site]
remote_addrs = ["203.0.113.2"]
local = { auth = "psk", id = "left.example.com" }
remote = { auth = "psk", id = "right.example.com" }
[connections.site.children.net]
local_ts = ["10.1.0.0/16"]
remote_ts = ["10.2.0.0/16"]
[secrets.site]
secret = "a secret that nobody will guess"
"""
CERTS = """\
[connections.site]
local = { auth = "pubkey", certs = "cert.pem", key = "key.pem" }
remote = { auth = "pubkey", cacerts = ["ca.pem"] }
children.net = {}
"""


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write_file(text: str, name: str = "site.conf", mode: int = 0o600) -> Path:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        path.chmod(mode)
        return path

    return write_file


def changed(text: str, *replacements: tuple[str, str]) -> str:
    for old, new in replacements:
        assert old in text
        text = text.replace(old, new)
    return text


def only(loaded: Loaded) -> Config:
    assert loaded.warnings == ()
    return loaded.config


def refusal(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        load(path)
    return str(caught.value)


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
hw_offload = "eth0"
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
    assert (one.mark, one.if_id, one.hw_offload) == (Mark(0x10, 0xFF), 7, "eth0")
    assert (len(one.local_ts), one.remote_ts) == (2, ())
    assert two.mark == Mark(42)
    assert loaded.config.daemon == DaemonConfig(
        (ip_address("192.0.2.1"),), 1500, 1501, "debug", None, 4, 8, 2, 10.0, 1000
    )
    assert loaded.config.retransmission == RetransmissionConfig(1.5, 2.0, 0.5, 3)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("remote_addrs", "remote_adrs", "[connections.site] remote_adrs: unknown key; did you mean remote_addrs?"),
        ("remote_ts", "remote_tss", "[connections.site.children.net] remote_tss: unknown key; did you mean remote_ts?"),
        ("[secrets.site]", "[secret.site]", "secret: unknown key; did you mean secrets?"),
        ("[secrets.site]", "[pools.site]", "pools: not supported yet; leave it out"),
        ("remote_addrs =", "local_ts =", "local_ts: unknown key; did you mean local_port? (local_ts belongs in"),
        (
            "remote_addrs =",
            "start_action =",
            "start_action: unknown key; it belongs in [connections.NAME.children.CHILD]",
        ),
        ("remote_addrs =", "include =", "include: unknown key; write include at the top of the file"),
        ("remote_addrs =", "rekey_time =", "[connections.site] rekey_time: not supported yet; leave it out"),
        (
            "remote_addrs =",
            "local-1 =",
            "local-1: more than one round of authentication is not supported yet; write local",
        ),
        ("local_ts =", "updown =", "[connections.site.children.net] updown: not supported yet"),
        ('"203.0.113.2"', '"203.0.113.299"', "remote_addrs: '203.0.113.299' is no IP address; write one such as"),
        ('"203.0.113.2"', "7", "remote_addrs: 7 is not text; write it in quotes"),
        ('["203.0.113.2"]', "[]", "remote_addrs: the list is empty"),
        (
            'auth = "psk", id = "left',
            'id = "left',
            '[connections.site.local] auth: missing; add auth = "psk" or "pubkey"',
        ),
        ('"psk", id = "left', '"pskk", id = "left', "auth: 'pskk' is not known here; did you mean psk?"),
        ('"psk", id = "left', '"eap-tls", id = "left', "auth: 'eap-tls' is not supported yet; write `psk` or `pubkey`"),
        ('id = "left.example.com"', 'id = ""', "[connections.site.local] id: the text is empty"),
        ('"10.1.0.0/16"', '"10.1.0.5/16"', "local_ts: '10.1.0.5/16' has bits set behind the prefix; did you mean"),
        ("[connections.site]", "[connections.'a b']\n[connections.site]", "'a b' cannot be a name"),
        ("children.net", "children.'n/t'", "[connections.site.children]: 'n/t' cannot be a name"),
        ("local = {", "version = 2\nlocal = {", "version: not supported yet"),
        ("local = {", 'dpd_delay = "soon"\nlocal = {', "dpd_delay: 'soon' is no time; write it like"),
        ("local = {", "dpd_delay = true\nlocal = {", "dpd_delay: true is no time"),
        ("local = {", 'dpd_delay = "900d"\nlocal = {', "dpd_delay: '900d' is out of range"),
        ("local = {", "encap = 1\nlocal = {", "encap: 1 is neither true nor false"),
        ("local = {", "remote_port = 0\nlocal = {", "remote_port: 0 is out of range; write a number from 1 to 65535"),
        ("local = {", "remote_port = true\nlocal = {", "remote_port: true is not a whole number"),
        ("local = {", 'proposals = "aes256gmc16-x25519"\nlocal = {', "proposals: unknown algorithm 'aes256gmc16'"),
        ("local = {", 'local_addrs = "2001:db8::1"\nlocal = {', "remote_addrs: local_addrs and remote_addrs have no"),
        ("local_ts =", 'mark = "x"\nlocal_ts =', "mark: 'x' is no mark"),
        ("local_ts =", "mark = 4294967296\nlocal_ts =", "mark: 4294967296 is no mark"),
        ("local_ts =", 'mode = "beet"\nlocal_ts =', "mode: 'beet' is not supported yet"),
        ("local_ts =", 'start_action = "trap"\nlocal_ts =', "start_action: 'trap' is not supported yet"),
        ("local_ts =", "replay_window = 16\nlocal_ts =", "replay_window: 16 packets are too few"),
        ("local_ts =", "replay_window = 0\nlocal_ts =", "replay_window: extended sequence numbers need"),
        ('"10.1.0.0/16"', '"2001:db8::/32"', "remote_ts: local_ts and remote_ts have no address family in common"),
        ('"a secret that', '"0xthat', "[secrets.site] secret: the secret begins as 0x or 0s"),
        ('"a secret that', '"0sthat', "[secrets.site] secret: the secret begins as 0x or 0s"),
        ("secret =", 'id = "*.example.com"\nsecret =', "[secrets.site]: a secret's owner cannot be a wildcard"),
        ("secret =", 'passphrase = "x"\nsecret =', "[secrets.site]: passphrase beside secret"),
        ("secret =", 'pem = "x"\nsecret =', "[secrets.site] pem: the text is no private key in PEM"),
        ('secret = "a secret that nobody will guess"', "", "[secrets.site]: the table holds no secret; write one of"),
        ('"a secret that nobody will guess"', '""', "[secrets.site] secret: the value is not text, or empty"),
        ('secret = "a secret that', 'passphrase = "a secret that', "the table holds no secret"),
        ('local = { auth = "psk", id = "left.example.com" }', "", "[connections.site] local: missing; add local = {"),
        (
            'local = { auth = "psk", id = "left.example.com" }',
            "local = 1",
            "[connections.site.local]: a table is wanted",
        ),
        ('id = "left.example.com" }', 'certs = "a.pem" }', "[connections.site.local] certs: "),
        ("left.example.com", "left example", "[connections.site.local] id: 'left example' is no identity; write gate."),
        (
            'secret = "a secret that nobody will guess"',
            'file = "a\\u0000b"',
            "file: the file's name has control characters",
        ),
        ('secret = "a secret that nobody will guess"', 'file = "~nobody-here/x"', "file: '~nobody-here/x': Could not"),
        ("[connections.site]", "connections.b = 1\n[connections.site]", "[connections.b]: a table is wanted here"),
    ],
)
def test_a_fault_names_file_table_key_and_remedy(write: Write, old: str, new: str, words: str) -> None:
    path = write(changed(SITE, (old, new)))

    message = refusal(path)

    assert message.startswith(f"{path}: ")
    assert words in message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[daemon]\nport = 4500\n", "[daemon] port_nat_t: port and port_nat_t are both 4500"),
        ('[daemon]\nlisten = ["::1", "::1"]\n', "[daemon] listen: an address stands in it twice"),
        ("[daemon]\ncookie_threshold = 2000\n", "[daemon] cookie_threshold: 2000 is above half_open_limit 1024"),
        ('[daemon]\nlog_level = "verbose"\n', "[daemon] log_level: 'verbose' is not known here; "),
        ('[daemon]\nlisten = "here"\n', "[daemon] listen: 'here' is no IP address"),
        ('[daemon]\nkeylog = "nowhere/keys"\n', "nowhere is no directory; make it first"),
        ('[daemon]\nkeylog = "."\n', "is a directory; name a file"),
        ("[retransmission]\nbase = 0.5\n", "[retransmission] base: 0.5 does not fit; write a number from 1 to 10"),
        ("include = 7\n", "include: 7 is not text"),
        ('include = "missing.conf"\n', "missing.conf: No such file or directory; it is included by"),
        ('include = "a\\u0000b.conf"\n', "include: the file's name has control characters"),
        ('include = "**x"\n', "include: Invalid pattern"),
        ('include = "site.conf"\n', "include: the file includes itself"),
        ("daemon = 1\n", "[daemon]: a table is wanted here; write [daemon]"),
        ("secrets = 1\n", "[secrets]: a table is wanted here"),
        ("secrets.a = 1\n", "[secrets.a]: a table is wanted here"),
        ("[daemon\n", "line 1: this is no TOML: Expected ']'"),
        ("x = " + "1" * 5000, "a value cannot be read: Exceeds the limit"),
        ("port = 500 500\n", "line 1: this is no TOML"),
        (
            "\n[daemon]\nlog_level = debug\n",
            'line 3: this is no TOML: Invalid value; text stands in quotes: key = "value"',
        ),
        ("x = " + "[" * 100_000, "this is no TOML|nested too deeply"),
    ],
)
def test_a_fault_in_a_whole_file_is_worded_too(write: Write, text: str, words: str) -> None:
    message = refusal(write(text))

    assert any(word in message for word in words.split("|"))


def test_a_file_that_is_not_utf_8_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "site.conf"
    path.write_bytes(b"[daemon]\n# caf\xe9\n")

    assert refusal(path) == f"{path}, line 2: the text is not UTF-8; save it as UTF-8"


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path / "x.conf") == (
        f"{tmp_path / 'x.conf'}: No such file or directory; check the name and the permissions"
    )


def test_a_file_of_gibibytes_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "site.conf"
    with path.open("wb") as file:
        file.truncate(1 << 33)

    assert "more than 16 MiB" in refusal(path)


def test_no_message_shows_a_secret(write: Write) -> None:
    for value in (
        "12345678",
        '["12345678"]',
        '"0x1234567"',
        '"12345678"\nfile = "12"',
        '"12345678"\npassphrase = 12345678',
    ):
        message = refusal(write(changed(SITE, ('"a secret that nobody will guess"', value))))
        assert "1234567" not in message


def test_a_conf_with_a_secret_in_it_is_private(write: Write) -> None:
    path = write(SITE, mode=0o644)

    message = refusal(path)

    assert f"[secrets.site]: {path} holds a secret and has mode 0644" in message
    assert f"chmod 600 {path}, or put the secret in a file of its own" in message


def test_a_conf_without_secrets_may_be_read_by_anyone(write: Write) -> None:
    write("the secret in a file of its own\n", "site.secret")

    config = only(
        load(write(changed(SITE, ('secret = "a secret that nobody will guess"', 'file = "site.secret"')), mode=0o644))
    )

    assert config.psks[0].secret == Secret(b"the secret in a file of its own")


@pytest.mark.parametrize(
    ("octets", "secret"),
    [
        (b"0x" + b"ab" * 20 + b"\n", b"\xab" * 20),
        (b"0s" + b"qqqq" * 8, b"\xaa" * 24),
        (b"text of its own\r\n\n", b"text of its own\r\n"),
        (b"\xff\xfe" * 10, b"\xff\xfe" * 10),
    ],
)
def test_a_secret_file_is_read_like_inline_text(write: Write, octets: bytes, secret: bytes) -> None:
    path = write(changed(SITE, ('secret = "a secret that nobody will guess"', 'file = "site.secret"')))
    path.with_name("site.secret").write_bytes(octets)
    path.with_name("site.secret").chmod(0o600)

    assert load(path).config.psks[0].secret == Secret(secret)


@pytest.mark.parametrize(
    ("text", "mode", "words"),
    [
        (
            "long enough to be a secret",
            0o640,
            "site.secret holds a secret and has mode 0640: others may get at it; chmod 600",
        ),
        ("\n", 0o600, "site.secret: the secret is empty"),
        ("x" * 5000, 0o600, "site.secret: the secret has 5000 octets"),
    ],
)
def test_a_secret_file_that_is_no_good_is_refused(write: Write, text: str, mode: int, words: str) -> None:
    write(text, "site.secret", mode)

    assert words in refusal(
        write(changed(SITE, ('secret = "a secret that nobody will guess"', 'file = "site.secret"')))
    )


def test_owners_are_identities_and_any_of_them_makes_it_everybodys(write: Write) -> None:
    config = only(
        load(
            write(
                SITE
                + 'id = "left.example.com"\nids = ["right.example.com", "203.0.113.2"]\n'
                + '[secrets.all]\nids = ["%any"]\nsecret = "another secret, for everybody"\n'
            )
        )
    )

    assert [str(owner) for owner in config.psks[0].owners] == ["left.example.com", "right.example.com", "203.0.113.2"]
    assert config.psks[1].owners == ()


def test_private_keys_are_kept_apart_from_pre_shared_ones(write: Write) -> None:
    for name in ("cert.pem", "key.pem", "ca.pem"):
        write("", name)
    path = write(
        changed(CERTS, (', key = "key.pem"', ""))
        + '[secrets.ours]\nkey = "key.pem"\npassphrase = "open sesame"\n'
        + "[secrets.other]\npem = '''\n-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n'''\n"
    )

    ours, other = only(load(path)).private_keys

    assert (ours.name, ours.file, ours.passphrase) == ("ours", path.parent / "key.pem", Secret(b"open sesame"))
    assert other.pem is not None


def test_a_private_key_has_no_owners(write: Write) -> None:
    write("", "key.pem")

    assert "id beside key" in refusal(write('[secrets.a]\nkey = "key.pem"\nid = "a.example"\n'))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (', certs = "cert.pem"', "", '[connections.site.local] certs: auth = "pubkey" needs our certificate'),
        (', key = "key.pem"', "", '[connections.site.local] key: auth = "pubkey" needs our private key'),
        (', cacerts = ["ca.pem"]', "", '[connections.site.remote] cacerts: auth = "pubkey" needs something to trust'),
        ('"cert.pem"', '"crt.pem"', "crt.pem cannot be read: No such file or directory; check the name"),
        ('"cert.pem"', '"."', "is no file; name a file"),
        (
            'auth = "pubkey", certs',
            'auth = "psk", certs',
            '[connections.site.local] auth: auth = "psk", and no pre-shared key',
        ),
        ('"pubkey", cacerts = ["ca.pem"]', '"psk"', '[connections.site.remote] auth: auth = "psk", and no pre-shared'),
    ],
)
def test_credentials_that_are_missing_are_named(write: Write, old: str, new: str, words: str) -> None:
    for name in ("cert.pem", "key.pem", "ca.pem"):
        write("", name)

    assert words in refusal(write(changed(CERTS, (old, new))))


def test_credentials_without_use_are_named(write: Write) -> None:
    for name in ("cert.pem", "key.pem", "ca.pem"):
        write("", name)
    secret = '[secrets.a]\nsecret = "a secret that nobody will guess"\n'

    assert "local] certs: nothing is done with it" in refusal(
        write(changed(CERTS, ('local = { auth = "pubkey"', 'local = { auth = "psk"')) + secret)
    )
    assert "remote] cacerts: nothing is done with it" in refusal(
        write(changed(CERTS, ('remote = { auth = "pubkey"', 'remote = { auth = "psk"')) + secret)
    )


def test_a_private_key_that_others_may_read_is_refused(write: Write) -> None:
    for name in ("cert.pem", "ca.pem"):
        write("", name)
    key = write("", "key.pem", 0o644)

    assert f"key: {key} holds a secret and has mode 0644" in refusal(write(CERTS))


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


def test_start_needs_a_peer_with_an_address(write: Write) -> None:
    text = changed(SITE, ('"203.0.113.2"', '"203.0.113.0/24"'), ("local_ts =", 'start_action = "start"\nlocal_ts ='))

    assert "start_action: start needs a peer whose address is known; set remote_addrs of connection site" in refusal(
        write(text)
    )
    assert load(write(changed(text, ("203.0.113.0/24", "gw.example.com")))).config.connections


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


def test_an_unreadable_file_is_refused_without_a_traceback(tmp_path: Path) -> None:
    assert refusal(tmp_path).startswith(f"{tmp_path}: Is a directory")


def test_yes_and_no_are_read_as_in_swanctl_conf(write: Write) -> None:
    config = only(load(write(changed(SITE, ("local = {", 'encap = "yes"\nsend_certreq = "no"\nlocal = {')))))

    assert (config.connections[0].encap, config.connections[0].send_certreq) == (True, False)


def test_a_secret_file_that_vanishes_is_a_fault_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(Unfit, match="cannot be read: No such file or directory; check"):
        read_secret_file(tmp_path / "gone")


def test_what_is_loaded_is_found_by_name(write: Write) -> None:
    config = only(load(write(SITE)))

    site = config.connection("site")
    assert site is not None
    assert config.connection("other") is None
    assert site.child("net") is site.children[0]
    assert site.child("other") is None


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=12)
    | st.text(alphabet="0123456789./-:[]%*=@~#", max_size=12)
    | st.dates()
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)


@pytest.mark.slow
@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: str(section.path))
@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_any_value_behind_any_key_ends_in_a_value_or_a_config_error(
    section: Section[object], data: st.DataObject
) -> None:
    keys = {key.name: VALUES for key in section.keys}
    tables = {name: st.just({"auth": "psk"}) for name, _ in section.tables}
    table = data.draw(st.fixed_dictionaries(tables, optional=keys))

    with contextlib.suppress(ConfigError):
        read_table(
            section,
            table,
            Place(Path("/nowhere/x.conf"), "x"),
            "x" if section.path.endswith(("NAME", "CHILD")) else None,
        )
