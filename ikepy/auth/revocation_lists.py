"""One CRL (RFC 5280 §5): what it covers, whose it is, what it says of a certificate.

Rule 1: a list that says what is not understood (a critical extension, a part of a CA's certificates, changes to another list)
        is no list.
Not here: where lists come from (revocation.py, fetched.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.x509.oid import ExtensionOID

from ikepy.auth.certificate import Certificate
from ikepy.auth.ocsp import WITHOUT_END, Status

_KNOWN = frozenset(
    {
        ExtensionOID.AUTHORITY_KEY_IDENTIFIER,
        ExtensionOID.CRL_NUMBER,
        ExtensionOID.ISSUING_DISTRIBUTION_POINT,
        ExtensionOID.ISSUER_ALTERNATIVE_NAME,
        ExtensionOID.AUTHORITY_INFORMATION_ACCESS,
        ExtensionOID.FRESHEST_CRL,
    }
)
UNREADABLE = (ValueError, TypeError, x509.DuplicateExtension, UnsupportedAlgorithm)
"What cryptography raises of a list that it cannot read."


class ListRefused(Exception):
    """Octets that are no CRL that counts."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(problem)
        self.problem, self.remedy = problem, remedy


@dataclass(frozen=True, slots=True, eq=False)
class List:
    """One list, read.

    where  what it came from, in words
    only   whether it is for certificates of CAs alone (True), of others alone (False), or for all
    """

    where: str
    parsed: x509.CertificateRevocationList
    only: bool | None

    def covers(self, certificate: Certificate) -> bool:
        """Whether it says anything of a certificate."""
        try:
            is_theirs = self.parsed.issuer == certificate.parsed.issuer
        except UNREADABLE:
            return False
        return is_theirs and self.only in {None, certificate.is_ca}

    def is_of(self, issuer: Certificate) -> bool:
        """Whether a CA has signed it, and may."""
        if issuer.key_usage is not None and not issuer.key_usage.crl_sign:
            return False
        try:
            return self.parsed.is_signature_valid(issuer.public_key)
        except (*UNREADABLE, InvalidSignature):
            return False

    def is_valid(self, now: datetime) -> bool:
        """Whether it speaks of now."""
        until = self.parsed.next_update_utc
        return self.parsed.last_update_utc <= now and until is not None and now <= until

    def status(self, certificate: Certificate) -> Status:
        """What it says of a certificate that it covers."""
        since = self.parsed.last_update_utc
        return Status(since, self.parsed.next_update_utc or since + WITHOUT_END, *(self.entry(certificate) or ()))

    def entry(self, certificate: Certificate) -> tuple[datetime, str] | None:
        """When and why it says that a certificate was revoked; None where it does not."""
        found = self.parsed.get_revoked_certificate_by_serial_number(certificate.parsed.serial_number)
        if found is None:
            return None
        try:
            reason = found.extensions.get_extension_for_class(x509.CRLReason).value.reason.value
        except (x509.ExtensionNotFound, *UNREADABLE):
            reason = ""
        return found.revocation_date_utc, reason


def parse_lists(octets: bytes, where: str) -> tuple[List, ...]:
    """Parse all lists in PEM, or one in DER; raises ListRefused."""
    try:
        parsed = (
            [x509.load_pem_x509_crl(block) for block in _blocks(octets)]
            if b"-----BEGIN" in octets
            else [x509.load_der_x509_crl(octets)]
        )
        return tuple(_understood(where, each) for each in parsed)
    except UNREADABLE as error:
        raise ListRefused(f"no CRL that can be read: {error}", "name one in PEM or DER") from error


def judge_list(octets: bytes, certificate: Certificate, issuer: Certificate) -> List:
    """The list that was fetched for a certificate, signed by its issuer; raises ListRefused."""
    lists = [each for each in parse_lists(octets, "") if each.covers(certificate)]
    if not lists:
        raise ListRefused(f"the CRL there is not for {certificate}", "ask its CA")
    if not lists[0].is_of(issuer):
        raise ListRefused(f"the CRL there is not signed by {issuer}", "ask its CA")
    return lists[0]


def _blocks(octets: bytes) -> list[bytes]:
    begin = b"-----BEGIN X509 CRL-----"
    return [
        begin + rest.partition(b"-----END X509 CRL-----")[0] + b"-----END X509 CRL-----\n"
        for rest in octets.split(begin)[1:]
    ]


def _understood(where: str, parsed: x509.CertificateRevocationList) -> List:
    """The list, if all of it is understood; raises ListRefused."""
    only: bool | None = None
    for extension in parsed.extensions:
        value = extension.value
        if isinstance(value, x509.DeltaCRLIndicator):
            raise ListRefused("it only says what changed since another CRL", "put the complete one there")
        if extension.critical and extension.oid not in _KNOWN:
            oid = extension.oid.dotted_string
            raise ListRefused(f"its critical extension {oid} is not understood", "ask its CA for a plain CRL")
        if isinstance(value, x509.IssuingDistributionPoint):
            if value.indirect_crl or value.only_some_reasons or value.only_contains_attribute_certs:
                raise ListRefused("it is indirect, or for some reasons alone", "put the complete one there")
            only = True if value.only_contains_ca_certs else False if value.only_contains_user_certs else None
    return List(where, parsed, only)
