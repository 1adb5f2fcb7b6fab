"""Keys, certificates and revocation lists, as every IKEv2 client reads them (RFC 5280, RFC 4945).

    a CA        basicConstraints with path length 0, keyCertSign and cRLSign, all critical
    a gateway   names in subjectAltName, the first also as common name; serverAuth and ikeIntermediate
    a client    clientAuth

Rule 1: serial numbers are random, of 159 bits; validity begins a few minutes ago, for clocks that are late.
Not here: which names (names.py), files (store.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA256, SHA384
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID

IKE_INTERMEDIATE = x509.ObjectIdentifier("1.3.6.1.5.5.8.2.2")
"id-kp-ipsecIKE's elder, which old macOS and Windows look for."
BACKDATED = timedelta(minutes=10)
Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


class KeyKind(Enum):
    """What a key is of."""

    RSA = "rsa"
    P256 = "p256"
    P384 = "p384"
    ED25519 = "ed25519"


WHO_CANNOT = {
    KeyKind.P256: "iOS set up by hand refuses ECDSA gateways: take rsa, or profiles",
    KeyKind.P384: "iOS set up by hand refuses ECDSA gateways: take rsa, or profiles",
    KeyKind.ED25519: "Windows, macOS, iOS and Android's own client cannot read Ed25519: take rsa for them",
}
"Who does not get on with a kind of key, in words."
_RSA_BITS = 3072


@dataclass(frozen=True, slots=True)
class Issuer:
    """A CA that can sign.

    crl_url, ocsp_url   written into what it issues; None leaves them out
    """

    certificate: x509.Certificate
    key: Key
    crl_url: str | None = None
    ocsp_url: str | None = None


@dataclass(frozen=True, slots=True)
class Revoked:
    """One line of a revocation list."""

    serial: int
    at: datetime
    reason: x509.ReasonFlags


def make_key(kind: KeyKind) -> Key:
    """A new key of the operating system's randomness."""
    match kind:
        case KeyKind.RSA:
            return rsa.generate_private_key(65537, _RSA_BITS)
        case KeyKind.P256:
            return ec.generate_private_key(ec.SECP256R1())
        case KeyKind.P384:
            return ec.generate_private_key(ec.SECP384R1())
        case KeyKind.ED25519:
            return ed25519.Ed25519PrivateKey.generate()


def make_authority(subject: x509.Name, key: Key, now: datetime, days: int) -> x509.Certificate:
    """A self-signed CA."""
    usage = _usage(key_cert_sign=True, crl_sign=True)
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    return (
        _begun(subject, subject, key.public_key(), now, days)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(identifier, critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False)
        .sign(key, _hash_for(key))
    )


def issue(
    issuer: Issuer,
    subject: x509.Name,
    names: Iterable[x509.GeneralName],
    public_key: object,
    now: datetime,
    days: int,
    *,
    is_server: bool,
) -> x509.Certificate:
    """A certificate of a gateway or a client; it never outlives its CA."""
    above = issuer.certificate
    left = (above.not_valid_after_utc - now).days
    made = _begun(above.subject, subject, public_key, now, min(days, left))
    server = [ExtendedKeyUsageOID.SERVER_AUTH, IKE_INTERMEDIATE]
    purposes = server if is_server else [ExtendedKeyUsageOID.CLIENT_AUTH]
    identifier = above.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    made = (
        made.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(digital_signature=True, key_encipherment=_is_rsa(public_key)), critical=True)
        .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)  # type: ignore[arg-type]
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False)
    )
    alternative = list(names)
    if alternative:
        made = made.add_extension(x509.SubjectAlternativeName(alternative), critical=False)
    if issuer.crl_url is not None:
        place = x509.DistributionPoint([x509.UniformResourceIdentifier(issuer.crl_url)], None, None, None)
        made = made.add_extension(x509.CRLDistributionPoints([place]), critical=False)
    if issuer.ocsp_url is not None:
        where = x509.UniformResourceIdentifier(issuer.ocsp_url)
        access = x509.AccessDescription(AuthorityInformationAccessOID.OCSP, where)
        made = made.add_extension(x509.AuthorityInformationAccess([access]), critical=False)
    return made.sign(issuer.key, _hash_for(issuer.key))


def make_crl(
    issuer: Issuer, revoked: Iterable[Revoked], number: int, now: datetime, days: int
) -> x509.CertificateRevocationList:
    """A revocation list."""
    identifier = issuer.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    made = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.certificate.subject)
        .last_update(now)
        .next_update(now + timedelta(days=days))
        .add_extension(x509.CRLNumber(number), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False)
    )
    for each in revoked:
        entry = x509.RevokedCertificateBuilder().serial_number(each.serial).revocation_date(each.at)
        if each.reason is not x509.ReasonFlags.unspecified:
            entry = entry.add_extension(x509.CRLReason(each.reason), critical=False)
        made = made.add_revoked_certificate(entry.build())
    return made.sign(issuer.key, _hash_for(issuer.key))


def _begun(
    issuer: x509.Name, subject: x509.Name, public_key: object, now: datetime, days: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .issuer_name(issuer)
        .subject_name(subject)
        .public_key(public_key)  # type: ignore[arg-type]
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + timedelta(days=days))
    )


def _usage(**wanted: bool) -> x509.KeyUsage:
    every = (
        *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"),
        *("key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
    )
    return x509.KeyUsage(**{name: wanted.get(name, False) for name in every})


def _is_rsa(public_key: object) -> bool:
    return isinstance(public_key, rsa.RSAPublicKey)


def _hash_for(key: Key) -> SHA256 | SHA384 | None:
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return None
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.key_size > 256:  # noqa: PLR2004 - P-384
        return SHA384()
    return SHA256()
