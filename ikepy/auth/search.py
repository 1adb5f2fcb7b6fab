"""The second way to a trust anchor: for CAs that cryptography's verifier cannot judge (chains.py says which).

Rule 1: the same chains are good and bad here as there; one table tests both.
Rule 2: depth, signature checks and repeats are bounded, whatever certificates a peer sends.
Not here: which way a chain goes (chains.py), what certificates must say (rules.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.x509.oid import SignatureAlgorithmOID

from ikepy.auth.certificate import Certificate, CertificateRefused
from ikepy.auth.rules import check_authority, check_chain, check_validity
from ikepy.config.model import ExtendedKeyUsage

MOST_INTERMEDIATES = 8
MOST_SIGNATURE_CHECKS = 64
MOST_SERIAL_BITS = 168
_STRONG = frozenset(
    {
        SignatureAlgorithmOID.RSA_WITH_SHA256,
        SignatureAlgorithmOID.RSA_WITH_SHA384,
        SignatureAlgorithmOID.RSA_WITH_SHA512,
        SignatureAlgorithmOID.RSASSA_PSS,
        SignatureAlgorithmOID.ECDSA_WITH_SHA256,
        SignatureAlgorithmOID.ECDSA_WITH_SHA384,
        SignatureAlgorithmOID.ECDSA_WITH_SHA512,
        SignatureAlgorithmOID.ED25519,
        SignatureAlgorithmOID.ED448,
    }
)
_STRONG_HASHES = ("sha256", "sha384", "sha512")


def find_chain(
    leaf: Certificate,
    others: Sequence[Certificate],
    anchors: Sequence[Certificate],
    purposes: Sequence[ExtendedKeyUsage],
    now: datetime,
) -> tuple[Certificate, ...]:
    """Find a chain from a peer's own certificate to a trust anchor, both included; raises CertificateRefused."""
    check_well_formed(leaf, now)
    search = _Search(others, anchors, purposes, now)
    for chain in search.chains((leaf,)):
        return chain
    raise CertificateRefused(search.reason or f"no trust anchor is called as the issuer of certificate {leaf}")


def check_well_formed(certificate: Certificate, now: datetime) -> None:
    """Check what a certificate alone must be (RFC 5280 §4.1, §6.1.3); raises CertificateRefused."""
    if certificate.parsed.version is not x509.Version.v3:
        raise CertificateRefused(f"certificate {certificate} is not of version 3")
    if certificate.parsed.serial_number < 0 or certificate.parsed.serial_number.bit_length() > MOST_SERIAL_BITS:
        raise CertificateRefused(f"certificate {certificate} has a serial number that no CA may give")
    if certificate.unknown_critical:
        raise CertificateRefused(
            f"certificate {certificate} has critical extensions that are not known here: "
            + ", ".join(certificate.unknown_critical)
        )
    check_validity(certificate, now)


def check_issued_by(certificate: Certificate, issuer: Certificate) -> None:
    """Check that a certificate is signed by another's key, and by a strong algorithm; raises CertificateRefused."""
    try:
        digest = certificate.parsed.signature_hash_algorithm
        if certificate.parsed.signature_algorithm_oid not in _STRONG or (digest and digest.name not in _STRONG_HASHES):
            raise CertificateRefused(f"certificate {certificate} is signed by an algorithm that is weak or not known")
        certificate.parsed.verify_directly_issued_by(issuer.parsed)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm) as error:
        raise CertificateRefused(f"certificate {certificate} is not signed by {issuer}") from error


class _Search:
    """Looks for chains, the trust anchors first at each step; `reason` says why the last one was none."""

    def __init__(
        self,
        others: Sequence[Certificate],
        anchors: Sequence[Certificate],
        purposes: Sequence[ExtendedKeyUsage],
        now: datetime,
    ) -> None:
        self._others = others
        self._anchors = anchors
        self._purposes = purposes
        self._now = now
        self._checks_left = MOST_SIGNATURE_CHECKS
        self.reason = ""

    def chains(self, chain: tuple[Certificate, ...]) -> Iterator[tuple[Certificate, ...]]:
        """All good chains that begin so."""
        for issuer in dict.fromkeys((*self._anchors, *self._others)):
            if issuer.subject_der != chain[-1].issuer_der or issuer in chain:
                continue
            longer = (*chain, issuer)
            try:
                self._check_link(chain, issuer)
                if issuer not in self._anchors:
                    if len(chain) > MOST_INTERMEDIATES:
                        raise CertificateRefused(f"more than {MOST_INTERMEDIATES} CAs between peer and trust anchor")
                    yield from self.chains(longer)
                    continue
                check_chain(longer, self._purposes)
            except CertificateRefused as refused:
                self.reason = str(refused)
            else:
                yield longer

    def _check_link(self, chain: tuple[Certificate, ...], issuer: Certificate) -> None:
        check_well_formed(issuer, self._now)
        check_authority(issuer, len(chain) - 1)
        if not self._checks_left:
            raise CertificateRefused(f"more than {MOST_SIGNATURE_CHECKS} signatures would have to be checked")
        self._checks_left -= 1
        check_issued_by(chain[-1], issuer)
