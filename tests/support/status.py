"""CAs that say something of certificates: certificates with URLs, OCSP answers, CRLs."""

from __future__ import annotations

from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID

from tests.support.certificates import NOW, VALID, Issued, make_key, name

WEEK = timedelta(days=7)


def with_urls(issuer: Issued, *, ocsp: tuple[str, ...] = (), crl: tuple[str, ...] = ()) -> Issued:
    """A peer's certificate that says where its status is found."""
    key = make_key("p256", 900)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name("CN=peer"))
        .issuer_name(issuer.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(VALID[0])
        .not_valid_after(VALID[1])
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("peer.example.com")]), critical=False)
    )
    if ocsp:
        located = [x509.AccessDescription(AuthorityInformationAccessOID.OCSP, _uri(each)) for each in ocsp]
        builder = builder.add_extension(x509.AuthorityInformationAccess(located), critical=False)
    if crl:
        points = [x509.DistributionPoint([_uri(each)], None, None, None) for each in crl]
        builder = builder.add_extension(x509.CRLDistributionPoints(points), critical=False)
    return Issued(builder.sign(issuer.key, hashes.SHA256()), key)  # type: ignore[arg-type]


def answer(
    about: Issued,
    issuer: Issued,
    status: ocsp.OCSPCertStatus,
    *,
    by: Issued | None = None,
    named: Issued | None = None,
    at: datetime = NOW,
) -> bytes:
    """An OCSP answer.

    by      who signs it; the issuer unless named
    named   whom it calls the issuer
    """
    is_revoked = status is ocsp.OCSPCertStatus.REVOKED
    signer = by or issuer
    builder = ocsp.OCSPResponseBuilder().add_response(
        cert=about.certificate,
        issuer=(named or issuer).certificate,
        algorithm=hashes.SHA1(),
        cert_status=status,
        this_update=at,
        next_update=at + WEEK,
        revocation_time=at if is_revoked else None,
        revocation_reason=x509.ReasonFlags.key_compromise if is_revoked else None,
    )
    builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, signer.certificate)
    if by is not None:
        builder = builder.certificates([by.certificate])
    return builder.sign(signer.key, hashes.SHA256()).public_bytes(Encoding.DER)  # type: ignore[arg-type]


def crl(issuer: Issued, *revoked: Issued, at: datetime = NOW, critical: bool = False) -> bytes:
    """A CRL in DER."""
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.certificate.subject)
        .last_update(at - timedelta(hours=1))
        .next_update(at + WEEK)
    )
    for each in revoked:
        entry = x509.RevokedCertificateBuilder().serial_number(each.certificate.serial_number).revocation_date(at)
        builder = builder.add_revoked_certificate(entry.build())
    if critical:
        unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.99999.2"), b"\x05\x00")
        builder = builder.add_extension(unknown, critical=True)
    return builder.sign(issuer.key, hashes.SHA256()).public_bytes(Encoding.DER)  # type: ignore[arg-type]


def _uri(url: str) -> x509.UniformResourceIdentifier:
    return x509.UniformResourceIdentifier(url)
