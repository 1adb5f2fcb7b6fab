"""Certificate authorities and certificates for tests, of every kind of key, made when asked for and kept for the session.

    root = make_ca("CN=Root", key="ed25519")
    gate = make("C=DE, CN=gate", root, alt_names=("dns:gate.example",))
    certificate_file, key_file = gate.write(tmp_path)

Equal arguments give the same certificate, so a test may name the same CA twice.
Not here: certificates for operators, and anything that should last.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, cached_property
from ipaddress import ip_address, ip_network
from itertools import count
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID

from ikepy.crypto.names import read_name
from ikepy.crypto.signature import PrivateKey

NOW = datetime(2030, 1, 1, tzinfo=UTC)
"The date in tests that inject a clock."
VALID = (datetime(2020, 1, 1, tzinfo=UTC), datetime(2049, 1, 1, tzinfo=UTC))
"So long that tests with the real clock may use them too."
EXPIRED = (datetime(2020, 1, 1, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC))
FUTURE = (datetime(2040, 1, 1, tzinfo=UTC), datetime(2049, 1, 1, tzinfo=UTC))

KEY_KINDS: dict[str, Callable[[], PrivateKey]] = {
    "p256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "p384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "p521": lambda: ec.generate_private_key(ec.SECP521R1()),
    "brainpool256": lambda: ec.generate_private_key(ec.BrainpoolP256R1()),
    "brainpool384": lambda: ec.generate_private_key(ec.BrainpoolP384R1()),
    "brainpool512": lambda: ec.generate_private_key(ec.BrainpoolP512R1()),
    "secp256k1": lambda: ec.generate_private_key(ec.SECP256K1()),
    "ed25519": ed25519.Ed25519PrivateKey.generate,
    "ed448": ed448.Ed448PrivateKey.generate,
    "rsa2048": lambda: rsa.generate_private_key(65537, 2048),
    "rsa1024": lambda: rsa.generate_private_key(65537, 1024),
}
PURPOSES = {
    "serverAuth": ExtendedKeyUsageOID.SERVER_AUTH,
    "clientAuth": ExtendedKeyUsageOID.CLIENT_AUTH,
    "ikeIntermediate": x509.ObjectIdentifier("1.3.6.1.5.5.8.2.2"),
    "ipsecIKE": ExtendedKeyUsageOID.IPSEC_IKE,
    "ocspSigning": ExtendedKeyUsageOID.OCSP_SIGNING,
    "any": ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,
    "emailProtection": ExtendedKeyUsageOID.EMAIL_PROTECTION,
}
_serials = count(0x1000)


@dataclass(frozen=True, eq=False)
class Issued:
    """A certificate and its private key."""

    certificate: x509.Certificate
    key: PrivateKey

    @cached_property
    def der(self) -> bytes:
        """The certificate as it travels in CERT."""
        return self.certificate.public_bytes(Encoding.DER)

    @cached_property
    def pem(self) -> bytes:
        """The certificate as a file holds it."""
        return self.certificate.public_bytes(Encoding.PEM)

    @cached_property
    def key_pem(self) -> bytes:
        """The key in PKCS#8, not encrypted."""
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def write(self, directory: Path, name: str = "peer", *more: Issued) -> tuple[Path, Path]:
        """Write NAME.pem, with further certificates behind it, and NAME.key; return both names."""
        certificate, key = directory / f"{name}.pem", directory / f"{name}.key"
        certificate.write_bytes(b"".join(issued.pem for issued in (self, *more)))
        key.write_bytes(self.key_pem)
        key.chmod(0o600)
        return certificate, key


@cache
def make_key(kind: str, number: int = 0) -> PrivateKey:
    """A key of that kind; the same number is the same key."""
    return KEY_KINDS[kind]()


@cache
def make(
    subject: str,
    issuer: Issued | None = None,
    *,
    key: str = "p256",
    number: int = -1,
    valid: tuple[datetime, datetime] = VALID,
    basic: tuple[bool, int | None] | None = (False, None),
    usage: tuple[str, ...] | None = ("digital_signature",),
    purposes: tuple[str, ...] | None = None,
    alt_names: tuple[str, ...] = (),
    permitted: tuple[str, ...] = (),
    excluded: tuple[str, ...] = (),
    unknown: bool | None = None,
    digest: str = "SHA256",
) -> Issued:
    """Make a certificate; without an issuer it signs itself.

    number              of the key, for one key in several certificates; -1 is a fresh one
    basic               CA or not, and path length; None leaves the extension out
    usage, purposes     keyUsage by cryptography's words, extendedKeyUsage by PURPOSES; None leaves it out
    alt_names, permitted, excluded   as "dns:a.example", "email:u@a.example", "ip:192.0.2.1", "dn:C=DE", "uri:ike://a"
    unknown             whether an unknown extension is critical; None leaves it out
    """
    pair = KEY_KINDS[key]() if number < 0 else make_key(key, number)
    signer = issuer.key if issuer is not None else pair
    builder = (
        x509.CertificateBuilder()
        .subject_name(name(subject))
        .issuer_name(issuer.certificate.subject if issuer is not None else name(subject))
        .public_key(pair.public_key())
        .serial_number(next(_serials))
        .not_valid_before(valid[0])
        .not_valid_after(valid[1])
    )
    if basic is not None:
        builder = builder.add_extension(x509.BasicConstraints(*basic), critical=True)
    if usage is not None:
        builder = builder.add_extension(_usage(usage), critical=True)
    if purposes is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage([PURPOSES[word] for word in purposes]), critical=False)
    if alt_names:
        general = x509.SubjectAlternativeName([_general(text) for text in alt_names])
        builder = builder.add_extension(general, critical=not subject)
    if permitted or excluded:
        builder = builder.add_extension(
            x509.NameConstraints(
                [_general(text, constraint=True) for text in permitted] or None,
                [_general(text, constraint=True) for text in excluded] or None,
            ),
            critical=True,
        )
    if unknown is not None:
        oid = x509.ObjectIdentifier("1.3.6.1.4.1.99999.1")
        builder = builder.add_extension(x509.UnrecognizedExtension(oid, b"\x05\x00"), critical=unknown)
    edwards = isinstance(signer, ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey)
    return Issued(builder.sign(signer, None if edwards else getattr(hashes, digest)()), pair)


def make_ca(
    subject: str,
    issuer: Issued | None = None,
    *,
    key: str = "p256",
    number: int = -1,
    valid: tuple[datetime, datetime] = VALID,
    path_length: int | None = None,
    usage: tuple[str, ...] | None = ("key_cert_sign", "crl_sign"),
    purposes: tuple[str, ...] | None = None,
    permitted: tuple[str, ...] = (),
    excluded: tuple[str, ...] = (),
    unknown: bool | None = None,
) -> Issued:
    """Make an authority's certificate; without an issuer it is a root."""
    return make(
        subject,
        issuer,
        key=key,
        number=number,
        valid=valid,
        basic=(True, path_length),
        usage=usage,
        purposes=purposes,
        permitted=permitted,
        excluded=excluded,
        unknown=unknown,
    )


def forge(issued: Issued, issuer: Issued, change: Callable[[bytes], bytes]) -> bytes:
    """The DER of a certificate whose signed part was changed, and then signed again by a P-256 or Ed25519 issuer."""
    tbs = change(issued.certificate.tbs_certificate_bytes)
    outer, _ = _element(issued.der)
    _, after_tbs = _element(outer)
    algorithm = after_tbs[: len(after_tbs) - len(_element(after_tbs)[1])]
    if isinstance(issuer.key, ec.EllipticCurvePrivateKey):
        signature = issuer.key.sign(tbs, ec.ECDSA(hashes.SHA256()))
    else:
        assert isinstance(issuer.key, ed25519.Ed25519PrivateKey)
        signature = issuer.key.sign(tbs)
    return element(0x30, tbs + algorithm + element(0x03, b"\0" + signature))


def with_key(issued: Issued, spki: bytes) -> Callable[[bytes], bytes]:
    """For forge(): put another SubjectPublicKeyInfo into the signed part."""
    old = issued.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return lambda tbs: element(0x30, _element(tbs)[0].replace(old, spki))


def element(tag: int, contents: bytes) -> bytes:
    """One DER element."""
    length = len(contents)
    if length < 0x80:
        return bytes((tag, length)) + contents
    octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(octets))) + octets + contents


def name(text: str) -> x509.Name:
    """The X.509 name that a text means."""
    if not text:
        return x509.Name([])
    return x509.Name(
        x509.RelativeDistinguishedName(
            x509.NameAttribute(x509.ObjectIdentifier(attribute.oid), attribute.text or "") for attribute in rdn
        )
        for rdn in read_name(text).name
    )


def _element(der: bytes) -> tuple[bytes, bytes]:
    count_of_length = der[1] & 0x7F if der[1] & 0x80 else 0
    start = 2 + count_of_length
    length = int.from_bytes(der[2:start], "big") if count_of_length else der[1]
    return der[start : start + length], der[start + length :]


def _usage(words: tuple[str, ...]) -> x509.KeyUsage:
    every = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    )
    return x509.KeyUsage(**{word: word in words for word in every})


def _general(text: str, *, constraint: bool = False) -> x509.GeneralName:
    form, _, value = text.partition(":")
    match form:
        case "dns":
            return x509.DNSName(value)
        case "email":
            return x509.RFC822Name(value)
        case "ip":
            return x509.IPAddress(ip_network(value) if constraint else ip_address(value))
        case "dn":
            return x509.DirectoryName(name(value))
        case "uri":
            return x509.UniformResourceIdentifier(value)
        case "rid":
            return x509.RegisteredID(x509.ObjectIdentifier(value))
    raise ValueError(f"{form} is no form of name")
