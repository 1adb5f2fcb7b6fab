"""Secrets in configuration files, and in files of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from ikepy.config.errors import Unfit
from ikepy.config.load import load
from ikepy.config.shared_secrets import read_secret_file
from ikepy.crypto.secret import Secret
from tests.support.conf_files import CERTS, SITE, Write, changed, only, refusal


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
        (
            ', certs = "cert.pem", key = "key.pem"',
            "",
            '[connections.site.local] certs: auth = "pubkey" needs our certificate',
        ),
        (', certs = "cert.pem"', "", "[connections.site.local] id: a key alone says not who we are"),
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


def test_a_secret_file_that_vanishes_is_a_fault_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(Unfit, match="cannot be read: No such file or directory; check"):
        read_secret_file(tmp_path / "gone")
