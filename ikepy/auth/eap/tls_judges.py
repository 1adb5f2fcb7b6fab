"""Whom to believe in TLS: the rules that certificates in IKE_AUTH pass too, asked by name (RFC 5216 §5.2-5.3, RFC 9190 §2.2).

Rule 1: a client names the servers it expects, and the certificate names one of them; a wildcard is no wildcard (peer.py).
Rule 2: where the configuration asks for no purpose, a certificate that says what it is for must be for this.
Not here: chains (chains.py), the user a name belongs to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography.x509.oid import ExtendedKeyUsageOID

from ikepy.auth.certificate import Certificate, CertificateRefused
from ikepy.auth.credentials import Trust
from ikepy.auth.peer import find_trusted, names, read_sent
from ikepy.config.identities import format_identity, parse_identity
from ikepy.wire.payloads import Cert, Identification
from ikepy.wire.registry import CertEncoding, IdType

Clock = Callable[[], datetime]

_ANY = ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE.dotted_string
_SERVER = {ExtendedKeyUsageOID.SERVER_AUTH.dotted_string, _ANY}
_CLIENT = {ExtendedKeyUsageOID.CLIENT_AUTH.dotted_string, _ANY}
_USERS_NAMES = (IdType.ID_RFC822_ADDR, IdType.ID_FQDN, IdType.ID_DER_ASN1_DN, IdType.ID_KEY_ID)
"In this order a user's certificate is asked for its user."


def utc_now() -> datetime:
    """The clock's time."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class ServerJudge:
    """A client's judge: the server's chain leads to an anchor, and its certificate names one of the servers expected."""

    trust: Trust
    expected: tuple[str, ...]
    clock: Clock = utc_now

    def __post_init__(self) -> None:
        if not self.expected:
            raise ValueError("no server name is expected; whoever has a certificate could ask for passwords")
        for name in self.expected:
            parse_identity(name)

    def judge_chain(self, chain: tuple[bytes, ...]) -> str:
        """Return the expected name that the certificate has; raises CertificateRefused."""
        sent = _read(chain)
        for name in self.expected:
            identity = parse_identity(name)
            if names(sent[0], identity):
                find_trusted(sent, self.trust, identity, self.clock())
                _check_purpose(sent[0], self.trust, _SERVER, "serverAuth")
                return name
        wanted = " or ".join(f"'{name}'" for name in self.expected)
        raise CertificateRefused(
            f"certificate {sent[0]} does not name {wanted}; it names {_shown(sent[0].identities())}"
        )


@dataclass(frozen=True, slots=True)
class UserJudge:
    """A server's judge: the chain leads to an anchor; whose it is stands in the certificate."""

    trust: Trust
    clock: Clock = utc_now

    def judge_chain(self, chain: tuple[bytes, ...]) -> str:
        """Return the user: the mail address, else the DNS name, else the subject; raises CertificateRefused."""
        sent = _read(chain)
        user = _user_of(sent[0])
        find_trusted(sent, self.trust, user, self.clock())
        _check_purpose(sent[0], self.trust, _CLIENT, "clientAuth")
        return format_identity(user)


def _read(chain: tuple[bytes, ...]) -> tuple[Certificate, ...]:
    sent = read_sent([Cert(CertEncoding.X509_SIGNATURE, der) for der in chain])
    if not sent:
        raise CertificateRefused("the peer sent no certificate")
    return sent


def _user_of(certificate: Certificate) -> Identification:
    found = {identity.type: identity for identity in reversed(tuple(certificate.identities()))}
    return next(found[kind] for kind in _USERS_NAMES if kind in found)


def _check_purpose(certificate: Certificate, trust: Trust, wanted: set[str], word: str) -> None:
    if not trust.purposes and certificate.purposes is not None and not wanted & set(certificate.purposes):
        raise CertificateRefused(f"certificate {certificate} is not for {word} (extendedKeyUsage)")


def _shown(identities: Iterable[Identification]) -> str:
    shown = [f"'{format_identity(each)}'" for each in identities][:-1]
    return ", ".join(shown[:8]) or "nobody"
