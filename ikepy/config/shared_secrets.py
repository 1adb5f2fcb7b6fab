"""Tables under `secrets`: pre-shared keys and private keys, inline or in files of their own.

Rule 1: no error shows what a secret is, only where it stands.
Rule 2: a secret's text is UTF-8, or octets as `0x...` (hexadecimal) or `0s...` (base64), in a file as well as inline.
Not here: what is in a private key (auth/), which secret is taken (ike/selection.py).
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from pathlib import Path

from ikepy.config.errors import Unfit
from ikepy.config.identities import format_identity
from ikepy.config.model import IdentityPattern, PasswordConfig, PrivateKeyConfig, PskConfig
from ikepy.config.values import Kind, private_file
from ikepy.crypto.secret import Secret
from ikepy.wire.payloads import Identification

MOST_OCTETS = 4096
"The longest pre-shared key; more is surely the wrong file."


def decode_secret(octets: bytes) -> Secret:
    """Decode a secret as it is written; raises Unfit where it is empty or its encoding broken."""
    try:
        if octets[:2].lower() == b"0x":
            octets = bytes.fromhex(octets[2:].decode("ascii"))
        elif octets[:2].lower() == b"0s":
            octets = b64decode(octets[2:], validate=True)
    except (binascii.Error, ValueError):
        raise Unfit(
            "the secret begins as 0x or 0s and does not go on so", "write 0x and hexadecimal, or 0s and base64"
        ) from None
    if not octets:
        raise Unfit("the secret is empty", "write one of 32 random octets: openssl rand -base64 32")
    if len(octets) > MOST_OCTETS:
        raise Unfit(f"the secret has {len(octets)} octets", f"take one of at most {MOST_OCTETS}")
    return Secret(octets)


def read_secret_file(path: Path) -> Secret:
    """Read a secret from a file of its own; one line end at its end is not part of it.

    Raises Unfit where it cannot be used.
    """
    try:
        octets = path.read_bytes()
    except OSError as error:
        raise Unfit(f"{path} cannot be read: {error.strerror or error}", "check the permissions") from error
    try:
        return decode_secret(octets.removesuffix(b"\n").removesuffix(b"\r"))
    except Unfit as fault:
        raise Unfit(f"{path}: {fault.problem}", fault.remedy) from None


def make_secret(
    name: str,
    id: IdentityPattern | None = None,  # noqa: A002 - swanctl's word
    ids: tuple[IdentityPattern, ...] = (),
    secret: Secret | None = None,
    file: Path | None = None,
    key: Path | None = None,
    pem: Secret | None = None,
    passphrase: Secret | None = None,
    password: Secret | None = None,
    password_file: Path | None = None,
) -> PskConfig | PrivateKeyConfig | PasswordConfig:
    """Make the pre-shared key, private key or password that one table under `secrets` holds; raises Unfit."""
    sources = {"secret": secret, "file": file, "key": key, "pem": pem}
    sources |= {"password": password, "password_file": password_file}
    given = [word for word, value in sources.items() if value is not None]
    if len(given) != 1:
        problem = f"{' and '.join(given)} stand together" if given else "the table holds no secret"
        raise Unfit(
            problem, "write one of secret, file (a pre-shared key), key, pem (a private key), password or password_file"
        )
    if key is not None or pem is not None:
        if ids or id is not None:
            raise Unfit(f"id beside {given[0]}: a private key belongs to its certificate", "leave out id and ids")
        return PrivateKeyConfig(name, key, pem, passphrase)
    if passphrase is not None:
        raise Unfit(f"passphrase beside {given[0]}", "leave it out: a passphrase opens a private key")
    if password is not None or password_file is not None:
        names = tuple(_name_of(pattern) for pattern in (ids if id is None else (id, *ids)))
        return PasswordConfig(name, password or read_secret_file(password_file or Path()), names)
    value = secret if secret is not None else read_secret_file(file) if file is not None else Secret(b"")
    return PskConfig(name, value, _owners(ids if id is None else (id, *ids)))


def _name_of(pattern: IdentityPattern) -> str:
    """The name in EAP that a secret's owner is."""
    if pattern.wildcard or pattern.identification is None:
        raise Unfit("a password's owner cannot be a wildcard", "name it as eap_id does, or leave out id for any")
    return format_identity(pattern.identification)


def _owners(patterns: tuple[IdentityPattern, ...]) -> tuple[Identification, ...]:
    """The identities, none where one of them is `%any`: then the secret is everybody's."""
    if any(pattern.wildcard for pattern in patterns):
        raise Unfit("a secret's owner cannot be a wildcard", "name identities, or leave out id for everybody")
    if any(pattern.identification is None for pattern in patterns):
        return ()
    return tuple(pattern.identification for pattern in patterns if pattern.identification is not None)


def _read_secret(value: object, _base: Path) -> Secret:
    return decode_secret(_text(value).encode())


def _read_pem(value: object, _base: Path) -> Secret:
    text = _text(value)
    if "-----BEGIN " not in text or "PRIVATE KEY-----" not in text:
        raise Unfit("the text is no private key in PEM", "paste all of it, from -----BEGIN to the last line")
    return Secret(text.encode())


def _read_passphrase(value: object, _base: Path) -> Secret:
    return Secret(_text(value).encode())


def _read_secret_path(value: object, base: Path) -> Path:
    return private_file(_text(value), base)


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise Unfit("the value is not text, or empty", 'write it in quotes, "..."')
    return value


SECRET = Kind("text, `0x` hexadecimal or `0s` base64", _read_secret)
PEM = Kind("PEM text", _read_pem)
PASSPHRASE = Kind("text", _read_passphrase)
SECRET_FILE = Kind("file, readable by its owner only", _read_secret_path)
