"""From a peer's certificates to a trust anchor: one door, two ways behind it.

The first way is cryptography's verifier. It refuses CAs with keys of Ed25519, Ed448 and brainpool curves, and CAs whose
name constraints are about directory names or URIs; IKE peers have them, browsers have not. Chains with such a CA, and no
others, may go the second way (search.py).

Rule 1: what the first way refuses for another reason stays refused.
Rule 2: a chain found either way passes the same rules (rules.py).
Rule 3: nothing is fetched, whatever address a certificate names; nothing is kept of what a peer sent.
Not here: revocation (revocation.py), whose certificate it is (peer.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.verification import Criticality, ExtensionPolicy, PolicyBuilder, Store, VerificationError

from ikepy.auth.certificate import Certificate, CertificateRefused
from ikepy.auth.rules import check_chain, check_validity
from ikepy.auth.search import MOST_INTERMEDIATES, find_chain
from ikepy.config.model import ExtendedKeyUsage

_FIRST_WAY_NAMES = (x509.DNSName, x509.RFC822Name, x509.IPAddress)
_FIRST_WAY_CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)


def validate_chain(
    leaf: Certificate,
    others: Sequence[Certificate],
    anchors: Sequence[Certificate],
    purposes: Sequence[ExtendedKeyUsage],
    now: datetime,
) -> tuple[Certificate, ...]:
    """Validate a peer's own certificate up to a trust anchor; return the chain, both included.

    others    more certificates the peer sent, in any order, any of them of no use
    anchors   CA certificates that are trusted as they are
    purposes  extended key usages of which the peer's own must have one; empty asks for none
    now       UTC

    Raises CertificateRefused.
    """
    if not anchors:
        raise CertificateRefused("no trust anchor is configured")
    check_validity(leaf, now)
    try:
        chain = _verify(leaf, others, anchors, now)
        check_chain(chain, purposes)
    except CertificateRefused as first:
        if all(_goes_first_way(authority) for authority in (*others, *anchors)):
            raise
        try:
            chain = find_chain(leaf, others, anchors, purposes, now)
        except CertificateRefused as second:
            raise second from first
        if all(_goes_first_way(authority) for authority in chain[1:]):
            raise
    return chain


def _goes_first_way(authority: Certificate) -> bool:
    """Whether cryptography's verifier can judge such a CA."""
    key, constraints = authority.public_key, authority.constraints
    if constraints is not None:
        bases = (*(constraints.permitted_subtrees or ()), *(constraints.excluded_subtrees or ()))
        if not all(isinstance(base, _FIRST_WAY_NAMES) for base in bases):
            return False
    if isinstance(key, ec.EllipticCurvePublicKey):
        return isinstance(key.curve, _FIRST_WAY_CURVES)
    return isinstance(key, rsa.RSAPublicKey)


def _must_not_be_ca(_policy: object, _certificate: x509.Certificate, basic: x509.BasicConstraints | None) -> None:
    if basic is not None and basic.ca:
        raise ValueError("the peer's own certificate is a CA's")


_CA_POLICY = ExtensionPolicy.permit_all().require_present(x509.BasicConstraints, Criticality.AGNOSTIC, None)
_PEER_POLICY = ExtensionPolicy.permit_all().may_be_present(x509.BasicConstraints, Criticality.AGNOSTIC, _must_not_be_ca)


def _verify(
    leaf: Certificate, others: Sequence[Certificate], anchors: Sequence[Certificate], now: datetime
) -> tuple[Certificate, ...]:
    verifier = (
        PolicyBuilder()
        .store(Store([anchor.parsed for anchor in anchors]))
        .time(now)
        .max_chain_depth(MOST_INTERMEDIATES)
        .extension_policies(ca_policy=_CA_POLICY, ee_policy=_PEER_POLICY)
        .build_client_verifier()
    )
    known = {certificate.parsed: certificate for certificate in (leaf, *others, *anchors)}
    try:
        verified = verifier.verify(leaf.parsed, [certificate.parsed for certificate in others])
    except (VerificationError, ValueError) as error:
        raise CertificateRefused(f"certificate {leaf}: {error}") from error
    return tuple(known[certificate] for certificate in verified.chain)
