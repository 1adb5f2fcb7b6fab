"""What each certificate of a chain must say for the chain to be believed (RFC 5280 §6.1, RFC 4945 §5.1.3).

Rule 1: every chain passes check_chain(), whoever built it; what is checked twice is checked twice.
Rule 2: stricter than RFC 5280 where it costs nobody: self-issued CAs count for the path length, CA purposes narrow.
Not here: signatures, validity and the search for a path (chains.py, search.py), whose certificate it is (peer.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from ikepy.auth.certificate import Certificate, CertificateRefused
from ikepy.auth.constraints import check_name_constraints
from ikepy.config.model import ExtendedKeyUsage
from ikepy.crypto.signature import PublicKey

RSA_BITS = range(2048, 16384 + 1)
RSA_EXPONENTS = range(3, 1 << 33)
CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1, ec.BrainpoolP256R1, ec.BrainpoolP384R1, ec.BrainpoolP512R1)
_IKE_INTERMEDIATE = "1.3.6.1.5.5.8.2.2"
_IPSEC_IKE = ExtendedKeyUsageOID.IPSEC_IKE.dotted_string
_ANY = ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE.dotted_string
_OIDS = {
    ExtendedKeyUsage.SERVER_AUTH: {ExtendedKeyUsageOID.SERVER_AUTH.dotted_string},
    ExtendedKeyUsage.CLIENT_AUTH: {ExtendedKeyUsageOID.CLIENT_AUTH.dotted_string},
    ExtendedKeyUsage.IKE_INTERMEDIATE: {_IKE_INTERMEDIATE, _IPSEC_IKE},
}


def check_chain(chain: Sequence[Certificate], purposes: Sequence[ExtendedKeyUsage]) -> None:
    """Check what a chain's certificates say of themselves and of each other; raises CertificateRefused.

    chain     the peer's own first, the trust anchor last
    purposes  of which the peer's own must have one; empty asks for none
    """
    check_peers_own(chain[0], purposes)
    for authorities_below, authority in enumerate(chain[1:]):
        check_authority(authority, authorities_below)
        if authority.purposes is not None and authority is not chain[-1]:
            _check_purposes(authority, purposes)
    check_name_constraints(chain)


def check_peers_own(certificate: Certificate, purposes: Sequence[ExtendedKeyUsage]) -> None:
    """Check that a certificate is for somebody who signs IKE_AUTH; raises CertificateRefused."""
    if certificate.is_ca:
        raise CertificateRefused(f"certificate {certificate} is a CA's; a peer's own is needed")
    check_key(certificate)
    usage = certificate.key_usage
    # RFC 4945 §5.1.3.2: with a KeyUsage, digitalSignature or nonRepudiation must be in it.
    if usage is not None and not (usage.digital_signature or usage.content_commitment):
        raise CertificateRefused(f"certificate {certificate}: its keyUsage has no digitalSignature")
    _check_purposes(certificate, purposes)


def check_authority(certificate: Certificate, authorities_below: int) -> None:
    """Check that a certificate is a CA's, and may have that many CAs below it; raises CertificateRefused."""
    if not certificate.is_ca:
        raise CertificateRefused(f"certificate {certificate} is no CA's: its basicConstraints do not say CA")
    if certificate.key_usage is not None and not certificate.key_usage.key_cert_sign:
        raise CertificateRefused(f"CA {certificate}: its keyUsage has no keyCertSign")
    if certificate.path_length is not None and authorities_below > certificate.path_length:
        raise CertificateRefused(
            f"CA {certificate} may have {certificate.path_length} CAs below it (path length); there are {authorities_below}"
        )
    check_key(certificate)


def check_key(certificate: Certificate) -> None:
    """Check that a certificate's key is neither weak nor made to cost time; raises CertificateRefused."""
    problem = weakness_of(certificate.public_key)
    if problem:
        raise CertificateRefused(f"certificate {certificate}: {problem}")


def weakness_of(key: PublicKey) -> str:
    """What is wrong with a key; empty where nothing is."""
    if isinstance(key, rsa.RSAPublicKey):
        modulus, exponent = key.public_numbers().n, key.public_numbers().e
        if key.key_size not in RSA_BITS:
            return f"RSA key of {key.key_size} bits; from {RSA_BITS[0]} to {RSA_BITS[-1]} are taken"
        if exponent not in RSA_EXPONENTS or not exponent & 1 or not modulus & 1:
            return "RSA key with an exponent or modulus that no key can have"
    elif isinstance(key, ec.EllipticCurvePublicKey) and not isinstance(key.curve, CURVES):
        return f"key on the curve {key.curve.name}, which is not taken"
    return ""


def check_validity(certificate: Certificate, now: datetime) -> None:
    """Check that a certificate is valid at an instant; raises CertificateRefused."""
    if now < certificate.not_before:
        raise CertificateRefused(
            f"certificate {certificate} is not valid before {certificate.not_before:%Y-%m-%d %H:%M} UTC"
        )
    if now > certificate.not_after:
        raise CertificateRefused(f"certificate {certificate} expired {certificate.not_after:%Y-%m-%d %H:%M} UTC")


def _check_purposes(certificate: Certificate, purposes: Sequence[ExtendedKeyUsage]) -> None:
    # RFC 4945 §5.1.3.12: anyExtendedKeyUsage serves for everything.
    wanted = {oid for purpose in purposes for oid in _OIDS[purpose]} | {_ANY}
    if purposes and not wanted & set(certificate.purposes or ()):
        words = " or ".join(purpose.value for purpose in purposes)
        raise CertificateRefused(f"certificate {certificate} is not for {words} (extendedKeyUsage)")
