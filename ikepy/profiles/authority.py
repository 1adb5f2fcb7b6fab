"""The gateway's certificate as a client sees it: the CA it is under, who issued it, what a client will not like of it.

Rule 1: a CA is given to a client only where the signatures really lead to it.
Rule 2: where no CA of the configuration is above the certificate, clients must know it already, as they do Let's Encrypt.
Not here: whether peers are to be trusted (auth/peer.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ikepy.auth.certificate import Certificate, CertificateRefused
from ikepy.auth.files import load_certificates
from ikepy.auth.search import check_issued_by
from ikepy.config.identities import format_identity, same_identity
from ikepy.config.model import ConnectionConfig
from ikepy.crypto.names import parse_name
from ikepy.wire.payloads import Identification
from ikepy.wire.registry import IdType

_COMMON_NAME = "2.5.4.3"
_SERVER_AUTH = "1.3.6.1.5.5.7.3.1"
_MOST_STEPS = 8


class ProfileError(Exception):
    """A user's client cannot be set up from this configuration; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class GatewayCertificate:
    """What clients must know of the gateway's certificate.

    anchors    the CA above it; empty: one that clients know already
    issuer     the common name of its issuer; None where that has none
    names      all identities it names
    warnings   one sentence each, for the operator
    """

    anchors: tuple[Certificate, ...]
    issuer: str | None
    names: tuple[Identification, ...]
    warnings: tuple[str, ...]


def read_gateway(connection: ConnectionConfig, authority: Path | None) -> GatewayCertificate:
    """Read the gateway's certificate and find its CA; raises ProfileError and CredentialError.

    authority   the file of the CA, where the operator names it
    """
    own, *others = [each for file in connection.local.certs for each in load_certificates(file)]
    if authority is not None:
        known = load_certificates(authority)
        anchor = _climb(own, [*others, *known])
        if anchor not in known:
            raise ProfileError(f"the gateway's certificate {own} is under no CA of {authority}: name its own CA there")
    else:
        known = tuple(each for file in connection.remote.cacerts for each in load_certificates(file))
        anchor = _climb(own, [*others, *known])
    warnings = tuple(_warnings(connection, own, anchor))
    return GatewayCertificate(
        () if anchor is None else (anchor,), _common_name(own.issuer_der), tuple(own.identities()), warnings
    )


def best_identity(certificate: Certificate) -> Iterator[Identification]:
    """The identities of a user's certificate that a client can say it is, the best first."""
    order = (IdType.ID_RFC822_ADDR, IdType.ID_FQDN, IdType.ID_DER_ASN1_DN)
    found = list(certificate.identities())
    for kind in order:
        yield from (each for each in found if each.type is kind)


def _climb(own: Certificate, known: Sequence[Certificate]) -> Certificate | None:
    """The self-signed CA above a certificate, None where it is not there."""
    at = own
    for _ in range(_MOST_STEPS):
        if at.is_self_issued:
            return at
        above = next((each for each in known if each.subject_der == at.issuer_der and _signed(at, each)), None)
        if above is None:
            return None
        at = above
    return None


def _signed(certificate: Certificate, issuer: Certificate) -> bool:
    try:
        check_issued_by(certificate, issuer)
    except CertificateRefused:
        return False
    return True


def _common_name(der: bytes) -> str | None:
    names = [attribute.text for rdn in parse_name(der) for attribute in rdn if attribute.oid == _COMMON_NAME]
    return names[-1] if names else None


def _warnings(connection: ConnectionConfig, own: Certificate, anchor: Certificate | None) -> Iterator[str]:
    identity = connection.local.id
    alternative = [each for each in own.identities() if each.type not in {IdType.ID_DER_ASN1_DN, IdType.ID_KEY_ID}]
    if identity is not None and not any(same_identity(identity, each) for each in alternative):
        yield (
            f"the gateway's certificate does not name {format_identity(identity)} as subjectAltName, and clients refuse "
            "it: make one that does"
        )
    if own.purposes is not None and _SERVER_AUTH not in own.purposes:
        yield "the gateway's certificate is not for serverAuth, and Windows and Apple refuse it: make one that is"
    if own.parsed.public_key_algorithm_oid.dotted_string.startswith("1.3.101."):
        yield "the gateway's certificate has an Edwards key, which Windows and Apple cannot read: take RSA or P-256"
    if anchor is None:
        yield (
            "no CA of the configuration is above the gateway's certificate: clients must know its CA already, as they do "
            "public ones; where that is not so, name its file with --ca"
        )
