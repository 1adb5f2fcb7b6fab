"""The tables `local` and `remote` of a connection, and their second rounds, as data.

    auth = "eap"             with eap_methods = ["mschapv2", "tls"]
    auth = "eap-mschapv2"    swanctl's word: EAP with that one method

Rule 1: a table that leaves eap_methods out has those that its other keys speak for.
Not here: the other tables (schema.py), what fits together (auth_checks.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ikepy.config.authentication import (
    AuthKind,
    ExtendedKeyUsage,
    LocalAuthConfig,
    RemoteAuthConfig,
    Revocation,
    SendCert,
)
from ikepy.config.errors import Unfit, did_you_mean
from ikepy.config.sections import Key, Section
from ikepy.config.values import (
    FILE,
    FLAG,
    IDENTITY,
    IDENTITY_PATTERN,
    PLACE,
    PRIVATE_FILE,
    TEXT,
    Kind,
    list_of,
    one_of,
    word_of,
)
from ikepy.config.written import Written
from ikepy.wire.registry import EapType

EAP_METHODS: Mapping[str, EapType] = {
    "mschapv2": EapType.MSCHAPV2,
    "tls": EapType.TLS,
    "ttls": EapType.TTLS,
    "peap": EapType.PEAP,
    "gtc": EapType.GTC,
    "md5": EapType.MD5_CHALLENGE,
}
"EAP methods by the words of the file."


@dataclass(frozen=True, slots=True)
class AuthWord:
    """What stands behind `auth`: a kind, and the one EAP method where the word names it."""

    kind: AuthKind
    method: EapType | None = None


def _read_auth(value: object, _base: Path) -> AuthWord:
    words = {kind.value: AuthWord(kind) for kind in AuthKind}
    words |= {f"eap-{name}": AuthWord(AuthKind.EAP, method) for name, method in EAP_METHODS.items()}
    if not isinstance(value, str):
        raise Unfit("the value is not text", 'write "psk", "pubkey" or "eap"')
    if value.startswith("xauth"):
        raise Unfit(f"'{value}' is of IKEv1", 'write "eap"')
    if value not in words:
        raise Unfit(f"'{value}' is not known here", did_you_mean(value, words))
    return words[value]


def _read_method(value: object, _base: Path) -> EapType:
    if not isinstance(value, str) or value not in EAP_METHODS:
        raise Unfit(f"{value!r} is no EAP method here", f"write {', '.join(EAP_METHODS)}")
    return EAP_METHODS[value]


AUTH = Kind("`psk`, `pubkey` or `eap`; `eap-mschapv2` and the like are EAP with that one method", _read_auth)
METHODS = list_of(Kind("`mschapv2`, `tls`, `ttls`, `peap`, `gtc` or `md5`", _read_method))


def _check(written: Written) -> None:
    auth = written.get("auth")
    if not isinstance(auth, AuthWord):
        return
    if auth.method is not None and "eap_methods" in written:
        raise Unfit("eap_methods beside an auth that names one", 'write auth = "eap"', "auth")
    for key in ("eap_methods", "eap_id", "aaa_id", "tls_max"):
        if key in written and auth.kind is not AuthKind.EAP:
            raise Unfit(
                f'it means nothing where auth = "{auth.kind.value}"', 'leave it out, or write auth = "eap"', key
            )
    methods = written.get("eap_methods")
    if isinstance(methods, tuple) and (not methods or len(set(methods)) != len(methods)):
        raise Unfit("no method, or one of them twice", "name each method once, the preferred one first", "eap_methods")


def make_local(**keys: object) -> LocalAuthConfig:
    """Make the model's value of a `local` table."""
    auth = keys.pop("auth")
    assert isinstance(auth, AuthWord)  # noqa: S101 - the key's kind
    if auth.kind is AuthKind.EAP and "eap_methods" not in keys:
        default = EapType.TLS if keys.get("certs") else EapType.MSCHAPV2
        keys["eap_methods"] = (auth.method or default,)
    return LocalAuthConfig(auth.kind, **keys)  # type: ignore[arg-type]


def make_remote(**keys: object) -> RemoteAuthConfig:
    """Make the model's value of a `remote` table."""
    auth = keys.pop("auth")
    assert isinstance(auth, AuthWord)  # noqa: S101 - the key's kind
    if auth.kind is AuthKind.EAP and "eap_methods" not in keys:
        default = (EapType.MSCHAPV2, EapType.TLS) if keys.get("cacerts") else (EapType.MSCHAPV2,)
        keys["eap_methods"] = (auth.method,) if auth.method is not None else default
    return RemoteAuthConfig(auth.kind, **keys)  # type: ignore[arg-type]


LOCAL = Section(
    "connections.NAME.local",
    make_local,
    LocalAuthConfig,
    (
        Key("auth", AUTH, required=True),
        Key("id", IDENTITY),
        Key("certs", list_of(FILE)),
        Key("key", PRIVATE_FILE),
        Key("send_cert", one_of(SendCert)),
        Key("eap_id", TEXT),
        Key("eap_methods", METHODS, default_text="`tls` where certs are named, else `mschapv2`"),
        Key("aaa_id", list_of(TEXT, "list: host name")),
        Key("tls_max", word_of("1.2", "1.3")),
    ),
    later=frozenset({"round", "pubkeys", "xauth_id", "cert", "cert_policy"}),
    check=_check,
)

REMOTE = Section(
    "connections.NAME.remote",
    make_remote,
    RemoteAuthConfig,
    (
        Key("auth", AUTH, required=True),
        Key("id", IDENTITY_PATTERN, default_text="`%any`"),
        Key("cacerts", list_of(FILE)),
        Key("certs", list_of(FILE)),
        Key("pubkeys", list_of(FILE)),
        Key("eku", list_of(one_of(ExtendedKeyUsage))),
        Key("crls", list_of(PLACE)),
        Key("revocation_fetch", FLAG),
        Key("revocation", one_of(Revocation, also={"relaxed": Revocation.SOFT})),
        Key("eap_methods", METHODS, default_text="`mschapv2`, and `tls` where cacerts are named"),
    ),
    later=frozenset({"round", "eap_id", "groups", "cert_policy", "ca_id", "cert", "cacert", "xauth_id"}),
    check=_check,
)
