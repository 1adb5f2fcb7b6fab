"""What is said of faults in configuration files."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ikepy.config.errors import ConfigError
from ikepy.config.schema import SECTIONS, Section
from ikepy.config.tables import Place, read_table
from tests.support.conf_files import SITE, Write, changed, refusal


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("remote_addrs", "remote_adrs", "[connections.site] remote_adrs: unknown key; did you mean remote_addrs?"),
        ("remote_ts", "remote_tss", "[connections.site.children.net] remote_tss: unknown key; did you mean remote_ts?"),
        ("[secrets.site]", "[secret.site]", "secret: unknown key; did you mean secrets?"),
        ("[secrets.site]", "[authorities.site]", "authorities: not supported yet; leave it out"),
        ("remote_addrs =", "local_ts =", "local_ts: unknown key; it belongs in [connections.NAME.children.CHILD]"),
        (
            "remote_addrs =",
            "start_action =",
            "start_action: unknown key; it belongs in [connections.NAME.children.CHILD]",
        ),
        ("remote_addrs =", "include =", "include: unknown key; write include at the top of the file"),
        ("remote_addrs =", "dscp =", "[connections.site] dscp: not supported yet; leave it out"),
        (
            "remote_addrs =",
            "local-1 =",
            "local-1: there are two rounds of authentication at most; write local and local2",
        ),
        ("local_ts =", "hostaccess =", "[connections.site.children.net] hostaccess: not supported yet"),
        ('"203.0.113.2"', '"203.0.113.299"', "remote_addrs: '203.0.113.299' is no IP address; write one such as"),
        ('"203.0.113.2"', "7", "remote_addrs: 7 is not text; write it in quotes"),
        ('["203.0.113.2"]', "[]", "remote_addrs: the list is empty"),
        (
            'auth = "psk", id = "left',
            'id = "left',
            '[connections.site.local] auth: missing; add auth = "psk" or "pubkey"',
        ),
        ('"psk", id = "left', '"pskk", id = "left', "auth: 'pskk' is not known here; did you mean psk?"),
        (
            '"psk", id = "left',
            '"eap-tls", id = "left',
            "[connections.site.local] certs: EAP-TLS needs our certificate; add certs",
        ),
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
        (
            "local_ts =",
            'start_action = "tarp"\nlocal_ts =',
            "start_action: 'tarp' is not known here; did you mean trap?",
        ),
        ("local_ts =", "replay_window = 16\nlocal_ts =", "replay_window: 16 packets are too few"),
        ("local_ts =", "replay_window = 0\nlocal_ts =", "replay_window: extended sequence numbers need"),
        (
            "local_ts =",
            "mtu = 500\nlocal_ts =",
            "mtu: 500 octets are too few (RFC 1122 §3.3.3); write 0 or 576 to 65535",
        ),
        ("local_ts =", "mtu = 70000\nlocal_ts =", "mtu: 70000 is out of range"),
        ("local_ts =", "mtu = 1280\ninstall_routes = false\nlocal_ts =", "mtu: it is of a route that is not made"),
        ("local_ts =", "mss_clamp = 100\nlocal_ts =", "mss_clamp: 100 is out of range; write a number from 536 to"),
        ("local_ts =", 'mss_clamp = "pmtu"\nlocal_ts =', "mss_clamp: 'pmtu' is neither true nor false"),
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


def test_an_unreadable_file_is_refused_without_a_traceback(tmp_path: Path) -> None:
    assert refusal(tmp_path).startswith(f"{tmp_path}: Is a directory")


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
