"""How both sides of a connection prove who they are, and the secrets they do it with, as frozen dataclasses.

Rule 1: part of the model (model.py); each field is followed by one sentence, as there.
Not here: users and groups (access.py), loading files (auth/credentials.py).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from ikepy.config.patterns import IdentityPattern
from ikepy.crypto.secret import Secret
from ikepy.wire.payloads import Identification
from ikepy.wire.registry import EapType


class AuthKind(Enum):
    """How a side proves its identity."""

    PSK = "psk"
    PUBKEY = "pubkey"
    EAP = "eap"


class SendCert(Enum):
    """When our certificate goes into IKE_AUTH."""

    ALWAYS = "always"
    IF_ASKED = "ifasked"
    NEVER = "never"


class ExtendedKeyUsage(Enum):
    """Extended key usages a peer's certificate may be asked to have."""

    SERVER_AUTH = "serverAuth"
    CLIENT_AUTH = "clientAuth"
    IKE_INTERMEDIATE = "ikeIntermediate"


class Revocation(Enum):
    """How revocation counts."""

    STRICT = "strict"
    SOFT = "soft"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class LocalAuthConfig:
    """How we prove who we are: one `local` section."""

    auth: AuthKind
    "How we prove it: with a pre-shared key, with a certificate and its private key, or by EAP."
    id: Identification | None = None
    "Our identity; without it the certificate's subject, or our address."
    certs: tuple[Path, ...] = ()
    (
        "Certificate files, PEM or DER, ours first, intermediates in any order, or whole chains in one file. Further ones of "
        "ours, with their keys under `secrets`, are for peers that want another CA or another kind of key."
    )
    key: Path | None = None
    (
        "The private key's file; without it the key under `secrets` that fits the certificate. Without certs it proves us "
        "alone, as a raw public key (RFC 7670) that the peer has."
    )
    send_cert: SendCert = SendCert.ALWAYS
    "When our certificate is sent."
    eap_id: str | None = None
    "The name we give in EAP; without it our identity as text."
    eap_methods: tuple[EapType, ...] = ()
    "EAP methods we take part in, the preferred one first."
    aaa_id: tuple[str, ...] = ()
    "Names of which the server's certificate must have one in EAP-TLS, TTLS and PEAP; without it remote.id."
    tls_max: str = "1.3"
    "The highest TLS of EAP-TLS, TTLS and PEAP; `1.2` for servers that never finish 1.3, as libreswan 4's."


@dataclass(frozen=True, slots=True)
class RemoteAuthConfig:
    """How the peer must prove who it is: one `remote` section."""

    auth: AuthKind
    "How the peer must prove it: with a pre-shared key, with a certificate, or by EAP."
    id: IdentityPattern = field(default_factory=IdentityPattern)
    "The identity the peer must have; without it any that its credential proves."
    cacerts: tuple[Path, ...] = ()
    "Trust anchors for the peer's certificate."
    certs: tuple[Path, ...] = ()
    "The peer's own certificates, trusted as they are (pinned)."
    pubkeys: tuple[Path, ...] = ()
    "Files with the peer's public keys, trusted as they are (RFC 7670): PEM or DER, as `openssl pkey -pubout` makes them."
    eku: tuple[ExtendedKeyUsage, ...] = ()
    "Extended key usages of which the certificate must have one; empty asks for none."
    crls: tuple[Path, ...] = ()
    "Files and directories with CRLs of those CAs, read again when they change."
    revocation_fetch: bool = True
    "Whether CRLs and OCSP answers are fetched from where the peer's certificates say, once these are proven."
    revocation: Revocation = Revocation.SOFT
    (
        "Whether a certificate is refused that a CRL or an OCSP answer calls revoked (`soft`), also where there is none "
        "that is valid now (`strict`), or none is looked at (`off`)."
    )
    eap_methods: tuple[EapType, ...] = ()
    "EAP methods offered to the peer, the preferred one first; those its user's entry has nothing for are left out."


@dataclass(frozen=True, slots=True)
class PskConfig:
    """One pre-shared key under `secrets`.

    owners  whose key it is: identities and addresses; empty is everybody's
    """

    name: str
    secret: Secret
    owners: tuple[Identification, ...] = ()


@dataclass(frozen=True, slots=True)
class PasswordConfig:
    """One password of ours under `secrets`, for EAP.

    owners   the names in EAP it is for; empty: any
    """

    name: str
    secret: Secret
    owners: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PrivateKeyConfig:
    """One private key under `secrets`: a file, or PEM text given inline, and what opens it."""

    name: str
    file: Path | None = None
    pem: Secret | None = None
    passphrase: Secret | None = None
