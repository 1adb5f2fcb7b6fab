"""All keys, certificates and trust anchors of a configuration, loaded and checked before anything is opened.

Rule 1: what loads can be used: each of our keys belongs to its certificate, each trust anchor is a CA's.
Rule 2: what cannot be used is a CredentialError; what a peer will probably refuse is a warning.
Rule 3: private keys live here and in service.py, and nowhere else.
Not here: reading files (files.py), pre-shared keys (the configuration holds them), judging peers (peer.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ikepy.auth.certificate import Certificate
from ikepy.auth.fetched import Fetched
from ikepy.auth.files import (
    CredentialError,
    load_certificates,
    load_private_key,
    load_private_key_file,
    load_public_key,
)
from ikepy.auth.revocation import Lists, Revocations
from ikepy.auth.rules import weakness_of
from ikepy.config.authentication import LocalAuthConfig, Revocation
from ikepy.config.identities import format_identity, same_identity
from ikepy.config.model import AuthKind, Config, ConnectionConfig, ExtendedKeyUsage, PrivateKeyConfig
from ikepy.crypto.signature import PrivateKey, PublicKey

__all__ = ["CredentialError", "Credentials", "LocalCredential", "Trust", "load_credentials"]


@dataclass(frozen=True, slots=True)
class LocalCredential:
    """What we prove ourselves with on a connection.

    chain    our certificate, then the CAs above it as far as we have them, without a self-signed root
    others   what else we have for the same connection, for peers that want another CA or another kind of key
    authorities   SHA-1 of the keys of the CAs above it, as far as we know them (RFC 7296 §3.7)
    """

    key: PrivateKey = field(repr=False)
    chain: tuple[Certificate, ...]
    others: tuple[LocalCredential, ...] = ()
    authorities: frozenset[bytes] = frozenset()

    @property
    def all(self) -> tuple[LocalCredential, ...]:
        """This one, and the others."""
        return self, *self.others

    @property
    def certificate(self) -> Certificate:
        """Our own."""
        return self.chain[0]


@dataclass(frozen=True, slots=True)
class Trust:
    """Whom a connection believes: CAs, and certificates and public keys that are trusted as they are."""

    anchors: tuple[Certificate, ...] = ()
    pinned: tuple[Certificate, ...] = ()
    purposes: tuple[ExtendedKeyUsage, ...] = ()
    revocations: Revocations = field(default_factory=Revocations)
    keys: tuple[PublicKey, ...] = ()

    def without_asking(self, *, is_asked_later: bool) -> Trust:
        """The same for who cannot wait until a CA has answered (Revocations.of_lists_alone)."""
        return replace(self, revocations=self.revocations.of_lists_alone(is_asked_later=is_asked_later))


@dataclass(frozen=True, slots=True)
class Credentials:
    """What was loaded, by the name of the connection; a connection that has only a PSK is in neither.

    authorities   the CAs by whose files groups know their members
    warnings      one sentence each, for the operator
    fetched       what CAs said of certificates; None where nobody fetches
    raw           our key, where a connection proves itself by that alone (RFC 7670)
    """

    local: dict[str, LocalCredential] = field(default_factory=dict)
    trust: dict[str, Trust] = field(default_factory=dict)
    authorities: dict[Path, tuple[Certificate, ...]] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    fetched: Fetched | None = None
    raw: dict[str, PrivateKey] = field(default_factory=dict, repr=False)


def load_credentials(config: Config, now: datetime | None = None, fetched: Fetched | None = None) -> Credentials:
    """Load the credentials of all connections; raises CredentialError.

    now       UTC, for warnings of certificates that are not valid; None is the clock's
    fetched   what CAs said of certificates; None where nobody fetches
    """
    now = now or datetime.now(UTC)
    keys = _Keys(config.private_keys)
    local: dict[str, LocalCredential] = {}
    trust: dict[str, Trust] = {}
    raw: dict[str, PrivateKey] = {}
    warnings: list[str] = []
    for connection in config.connections:
        if is_raw(connection.local):
            raw[connection.name] = _load_raw(connection, keys)
        elif connection.local.auth is AuthKind.PUBKEY or connection.local.certs:
            local[connection.name] = _load_local(connection, keys)
            warnings += _local_warnings(connection, local[connection.name], now)
        if connection.remote.auth is AuthKind.PUBKEY or connection.remote.cacerts:
            trust[connection.name] = _load_trust(connection, fetched)
            warnings += _trust_warnings(connection, trust[connection.name], now)
    files = dict.fromkeys(file for group in config.groups for file in group.cacerts)
    authorities = {file: tuple(_load_authorities(file)) for file in files}
    return Credentials(local, trust, authorities, tuple(warnings), fetched, raw)


class _Keys:
    """The private keys under `secrets`, each loaded once."""

    def __init__(self, configured: Sequence[PrivateKeyConfig]) -> None:
        self._passphrases = {key.file.resolve(): key.passphrase for key in configured if key.file is not None}
        self._loaded = [self._load(key) for key in configured]

    def of_file(self, file: Path) -> PrivateKey:
        """The key of a file, opened with the passphrase `secrets` has for that file."""
        return load_private_key_file(file, self._passphrases.get(file.resolve()))

    def fitting(self, public_key: PublicKey) -> PrivateKey | None:
        """The key under `secrets` that belongs to a public key."""
        return next((key for key in self._loaded if _belong(key, public_key)), None)

    @staticmethod
    def _load(key: PrivateKeyConfig) -> PrivateKey:
        if key.file is not None:
            return load_private_key_file(key.file, key.passphrase)
        pem = key.pem.reveal() if key.pem is not None else b""
        return load_private_key(pem, key.passphrase, f"secrets.{key.name}")


def _load_local(connection: ConnectionConfig, keys: _Keys) -> LocalCredential:
    local = connection.local
    if not local.certs:
        raise CredentialError(
            f"connections.{connection.name}.local", 'auth = "pubkey" without a certificate', 'add certs = "FILE"'
        )
    file = local.certs[0]
    certificate, *others = [certificate for each in local.certs for certificate in load_certificates(each)]
    if local.key is None:
        key = keys.fitting(certificate.public_key)
        if key is None:
            raise CredentialError(
                file, f"no private key under secrets belongs to certificate {certificate}", 'add key = "FILE"'
            )
    else:
        key = keys.of_file(local.key)
    if not _belong(key, certificate.public_key):
        fitting = next((other for other in others if _belong(key, other.public_key)), None)
        remedy = f"put certificate {fitting} first in certs" if fitting else "name the key it was made with"
        raise CredentialError(
            local.key or file, f"the key does not belong to certificate {certificate} of {file}", remedy
        )
    weakness = weakness_of(certificate.public_key)
    if weakness:
        raise CredentialError(file, weakness, "make a new key, for instance: openssl genpkey -algorithm ed25519")
    known = (*others, *(authority for each in connection.remote.cacerts for authority in load_certificates(each)))
    further = {each: keys.fitting(each.public_key) for each in dict.fromkeys(others) if not each.is_ca}
    rest = tuple(_credential(each, fitting, known) for each, fitting in further.items() if fitting is not None)
    return replace(_credential(certificate, key, known), others=rest)


def is_raw(local: LocalAuthConfig) -> bool:
    """Whether we prove ourselves by a key alone."""
    return local.auth is AuthKind.PUBKEY and not local.certs and local.key is not None


def _load_raw(connection: ConnectionConfig, keys: _Keys) -> PrivateKey:
    file = connection.local.key
    assert file is not None  # noqa: S101 - is_raw has looked
    key = keys.of_file(file)
    weakness = weakness_of(key.public_key())
    if weakness:
        raise CredentialError(file, weakness, "make a new key, for instance: openssl genpkey -algorithm ed25519")
    return key


def _credential(certificate: Certificate, key: PrivateKey, known: Sequence[Certificate]) -> LocalCredential:
    """A certificate of ours, with those above it among the ones we know."""
    chain = _order(certificate, known)
    above = (*chain[1:], *(each for each in known if each.subject_der == chain[-1].issuer_der))
    return LocalCredential(key, chain, authorities=frozenset(each.authority_hash for each in above))


def _load_trust(connection: ConnectionConfig, fetched: Fetched | None) -> Trust:
    remote = connection.remote
    anchors = [certificate for file in remote.cacerts for certificate in _load_authorities(file)]
    pinned = [certificate for file in remote.certs for certificate in load_certificates(file)]
    is_strict = remote.revocation is Revocation.STRICT
    lists = Lists(remote.crls) if anchors and (remote.crls or is_strict) else None
    asked = fetched if anchors and remote.revocation_fetch else None
    revocations = (
        Revocations(remote.revocation, lists, asked) if lists is not None or asked is not None else Revocations()
    )
    public = tuple(load_public_key(file) for file in remote.pubkeys)
    return Trust(tuple(dict.fromkeys(anchors)), tuple(dict.fromkeys(pinned)), remote.eku, revocations, public)


def _load_authorities(file: Path) -> Iterator[Certificate]:
    for certificate in load_certificates(file):
        if not certificate.is_ca:
            remedy = "move it to certs to trust just this one, or name its CA"
            raise CredentialError(file, f"certificate {certificate} is no CA's (basicConstraints)", remedy)
        yield certificate


def _order(certificate: Certificate, others: Sequence[Certificate]) -> tuple[Certificate, ...]:
    """Our certificate and the CAs above it; a root is the peer's to have."""
    chain = [certificate]
    while not chain[-1].is_self_issued:
        issuer = next((o for o in others if o.subject_der == chain[-1].issuer_der and o not in chain), None)
        if issuer is None or issuer.is_self_issued:
            break
        chain.append(issuer)
    return tuple(chain)


def _belong(key: PrivateKey, public_key: PublicKey) -> bool:
    """Whether a private and a public key are one pair."""
    return _spki(key.public_key()) == _spki(public_key)


def _spki(key: PublicKey) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _local_warnings(connection: ConnectionConfig, local: LocalCredential, now: datetime) -> Iterator[str]:
    place = f"connections.{connection.name}.local"
    for each in local.all:
        for certificate in each.chain:
            yield from _validity_warnings(place, certificate, now)
    identity = connection.local.id
    if identity is not None and not any(same_identity(identity, each) for each in local.certificate.identities()):
        yield (
            f"{place}: id {format_identity(identity)} is not in certificate {local.certificate}, and peers that look "
            "refuse us; leave out id, or have it put into subjectAltName"
        )


def _trust_warnings(connection: ConnectionConfig, trust: Trust, now: datetime) -> Iterator[str]:
    place = f"connections.{connection.name}.remote"
    for certificate in (*trust.anchors, *trust.pinned):
        yield from _validity_warnings(place, certificate, now)


def _validity_warnings(place: str, certificate: Certificate, now: datetime) -> Iterator[str]:
    if now > certificate.not_after:
        yield f"{place}: certificate {certificate} expired {certificate.not_after:%Y-%m-%d %H:%M} UTC; renew it"
    if now < certificate.not_before:
        yield (
            f"{place}: certificate {certificate} is not valid before {certificate.not_before:%Y-%m-%d %H:%M} UTC; "
            "is this host's clock right?"
        )
