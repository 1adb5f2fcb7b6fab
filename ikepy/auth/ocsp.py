"""OCSP (RFC 6960): the request for one certificate, and what an answer says of it.

Rule 1: an answer counts that the issuer signed, or somebody whom the issuer made a certificate for just that (§4.2.2.2).
Rule 2: it is for this certificate, of now, and says for how long; the bounds are in Status.
Not here: sending and keeping (fetched.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from ikepy.auth.certificate import Certificate, CertificateRefused, read_certificate
from ikepy.auth.search import check_issued_by, check_well_formed
from ikepy.crypto.signature import PublicKey

SKEW = timedelta(minutes=5)
"How much clocks may differ."
WITHOUT_END = timedelta(hours=1)
"How long an answer is good for that says no end."
_UNREADABLE = (ValueError, TypeError, UnsupportedAlgorithm, x509.DuplicateExtension)


class AnswerRefused(Exception):
    """An answer that says nothing that counts; the message is for our log."""


@dataclass(frozen=True, slots=True)
class Status:
    """What is known of a certificate.

    since   from when it is said, UTC, and `until` when it is to be asked for again
    revoked when it was revoked, None where it was not
    """

    since: datetime
    until: datetime
    revoked: datetime | None = None
    reason: str = ""

    @property
    def is_revoked(self) -> bool:
        """Whether it was revoked."""
        return self.revoked is not None

    def is_fresh(self, now: datetime) -> bool:
        """Whether it is said of now."""
        return self.since - SKEW <= now <= self.until


def build_request(certificate: Certificate, issuer: Certificate) -> bytes:
    """Build the request for one certificate, in DER (§4.1); by SHA-1, which is what responders know (RFC 5019 §2.1.1)."""
    asked = ocsp.OCSPRequestBuilder().add_certificate(certificate.parsed, issuer.parsed, hashes.SHA1())  # noqa: S303
    return asked.build().public_bytes(Encoding.DER)


def read_answer(octets: bytes, certificate: Certificate, issuer: Certificate, now: datetime) -> Status:
    """Judge an answer in DER; raises AnswerRefused."""
    try:
        response = ocsp.load_der_ocsp_response(octets)
        if response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
            raise AnswerRefused(f"the responder says {response.response_status.name}")
        _check_signed(response, issuer, now)
        return _status_of(response, certificate, issuer)
    except _UNREADABLE as error:
        raise AnswerRefused(f"no OCSP answer that can be read: {error}") from error


def _check_signed(response: ocsp.OCSPResponse, issuer: Certificate, now: datetime) -> None:
    for key in (issuer.public_key, *_delegates(response, issuer, now)):
        if _is_signed_by(response, key):
            return
    raise AnswerRefused(f"the answer is signed neither by {issuer} nor by anybody whom it let answer")


def _delegates(response: ocsp.OCSPResponse, issuer: Certificate, now: datetime) -> list[PublicKey]:
    """The keys of those whom the issuer made a certificate for OCSP."""
    found: list[PublicKey] = []
    for each in response.certificates[:2]:
        try:
            delegate = read_certificate(each.public_bytes(Encoding.DER))
            check_well_formed(delegate, now)
            check_issued_by(delegate, issuer)
        except CertificateRefused:
            continue
        if delegate.purposes is not None and ExtendedKeyUsageOID.OCSP_SIGNING.dotted_string in delegate.purposes:
            found.append(delegate.public_key)
    return found


def _is_signed_by(response: ocsp.OCSPResponse, key: PublicKey) -> bool:
    signature, signed, digest = response.signature, response.tbs_response_bytes, response.signature_hash_algorithm
    if digest is not None and digest.name not in {"sha256", "sha384", "sha512"}:
        return False
    try:
        match key:
            case rsa.RSAPublicKey() if digest is not None:
                key.verify(signature, signed, padding.PKCS1v15(), digest)
            case ec.EllipticCurvePublicKey() if digest is not None:
                key.verify(signature, signed, ec.ECDSA(digest))
            case ed25519.Ed25519PublicKey() | ed448.Ed448PublicKey():
                key.verify(signature, signed)
            case _:
                return False
    except (InvalidSignature, *_UNREADABLE):
        return False
    return True


def _status_of(response: ocsp.OCSPResponse, certificate: Certificate, issuer: Certificate) -> Status:
    wanted = ocsp.load_der_ocsp_request(build_request(certificate, issuer))
    for each in response.responses:
        asked = (each.serial_number, each.issuer_key_hash, each.issuer_name_hash, each.hash_algorithm.name)
        if asked != (wanted.serial_number, wanted.issuer_key_hash, wanted.issuer_name_hash, "sha1"):
            continue
        since = each.this_update_utc.astimezone(UTC)
        until = each.next_update_utc.astimezone(UTC) if each.next_update_utc is not None else since + WITHOUT_END
        match each.certificate_status:
            case ocsp.OCSPCertStatus.GOOD:
                return Status(since, until)
            case ocsp.OCSPCertStatus.REVOKED:
                reason = each.revocation_reason.value if each.revocation_reason is not None else ""
                return Status(since, until, each.revocation_time_utc, reason)
        raise AnswerRefused("the responder does not know the certificate")
    raise AnswerRefused("the answer is about another certificate")
