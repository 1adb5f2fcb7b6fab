"""Whose certificate a peer shows: which one is its own, whether it is trusted, and whether it names the identity.

    ID_FQDN          a dNSName of subjectAltName, without case; `*` in it is no wildcard here (RFC 4945 §3.1.3)
    ID_RFC822_ADDR   an rfc822Name                       ID_IPV4_ADDR, ID_IPV6_ADDR   an iPAddress
    ID_DER_ASN1_DN   the subject, all of it              ID_KEY_ID   SHA-1 of the public key, computed here, not the
                                                                     extension, which whoever asked for it may have chosen
    other types      no certificate proves them

Rule 1: the first CERT is the peer's own (RFC 7296 §3.6); the others only help to find a trust anchor.
Rule 2: what a peer sends is bounded before it is read: certificates and octets.
Rule 3: only X.509 certificates are looked at; hash-and-url, CRLs and bundles are passed over, and nothing is fetched.
Not here: the signature the certificate's key made (service.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from ikepy.auth.certificate import Certificate, CertificateRefused, read_certificate
from ikepy.auth.chains import validate_chain
from ikepy.auth.credentials import Trust
from ikepy.auth.rules import check_key, check_validity
from ikepy.config.identities import format_identity, same_identity
from ikepy.wire.payloads import Cert, Identification
from ikepy.wire.registry import CertEncoding

MOST_CERTIFICATES = 16
MOST_OCTETS = 64 << 10
_MOST_NAMES_SHOWN = 8


def read_sent(certs: Sequence[Cert]) -> tuple[Certificate, ...]:
    """Read the certificates of CERT payloads, the peer's own first, repeats left out; raises CertificateRefused.

    Those behind the first that cannot be read are passed over.
    """
    sent = [cert.octets for cert in certs if cert.encoding is CertEncoding.X509_SIGNATURE]
    octets = sum(len(der) for der in sent)
    if len(sent) > MOST_CERTIFICATES or octets > MOST_OCTETS:
        raise CertificateRefused(
            f"the peer sent {len(sent)} certificates of {octets} octets; "
            f"{MOST_CERTIFICATES} of {MOST_OCTETS} are the most that is read"
        )
    found = [read_certificate(sent[0])] if sent else []
    for der in sent[1:]:
        try:
            found.append(read_certificate(der))
        except CertificateRefused:
            continue
    return tuple(dict.fromkeys(found))


def find_trusted(
    sent: Sequence[Certificate], trust: Trust, identity: Identification, now: datetime
) -> tuple[Certificate, ...]:
    """Find the certificates that may prove an identity, each trusted and naming it; raises CertificateRefused, StatusWanted.

    One where the peer sent its own; where it sent none, all pinned ones that name the identity.
    """
    if not sent:
        if not trust.pinned:
            raise CertificateRefused("the peer sent no certificate, and none of it is configured (certs)")
        named = [certificate for certificate in trust.pinned if names(certificate, identity)]
        if not named:
            raise CertificateRefused(f"no certificate in certs names '{format_identity(identity)}'")
        for certificate in named:
            _check_pinned(certificate, now)
        return tuple(named)
    own, *others = sent
    if own in trust.pinned:
        _check_pinned(own, now)
    else:
        if not trust.anchors:
            raise CertificateRefused(f"certificate {own} is not one of those in certs")
        chain = validate_chain(own, others, trust.anchors, trust.purposes, now)
        trust.revocations.check(chain, now)
    if not names(own, identity):
        raise CertificateRefused(
            f"certificate {own} does not name '{format_identity(identity)}'; it names {_all_names(own)}"
        )
    return (own,)


def check_status(sent: Sequence[Certificate], trust: Trust, now: datetime) -> None:
    """Check that none of a chain that is trusted was revoked; raises CertificateRefused, StatusWanted."""
    own, *others = sent
    if trust.revocations.fetched is not None and own not in trust.pinned:
        trust.revocations.check(validate_chain(own, others, trust.anchors, trust.purposes, now), now)


def names(certificate: Certificate, identity: Identification) -> bool:
    """Whether a certificate names an identity."""
    return any(same_identity(each, identity) for each in certificate.identities())


def leads_to(sent: Sequence[Certificate], trust: Trust) -> bool:
    """Whether certificates lead to a trust anchor by the names of issuers alone, or begin with a pinned one."""
    if not sent:
        return False
    if sent[0] in trust.pinned:
        return True
    anchors = {anchor.subject_der for anchor in trust.anchors}
    issuers: dict[bytes, set[bytes]] = {}
    for certificate in sent:
        issuers.setdefault(certificate.subject_der, set()).add(certificate.issuer_der)
    reached, fresh = set[bytes](), {sent[0].issuer_der}
    while fresh:
        reached |= fresh
        fresh = {issuer for name in fresh for issuer in issuers.get(name, ())} - reached
    return not anchors.isdisjoint(reached)


def _check_pinned(certificate: Certificate, now: datetime) -> None:
    check_validity(certificate, now)
    check_key(certificate)


def _all_names(certificate: Certificate) -> str:
    shown = [f"'{format_identity(each)}'" for each in certificate.identities()][:-1]
    more = f" and {len(shown) - _MOST_NAMES_SHOWN} more" if len(shown) > _MOST_NAMES_SHOWN else ""
    return (", ".join(shown[:_MOST_NAMES_SHOWN]) or "nobody") + more
