"""Facts of a gateway and one of its users, made by hand, and names that would do harm where they are not data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from ikepy.config.algorithms import default_proposals, parse_proposals
from ikepy.crypto.secret import Secret
from ikepy.profiles.facts import ClientFacts, SignIn, UserCertificate
from ikepy.wire.registry import ProtocolId

HOSTILE = (
    "$(reboot)",
    "`reboot`",
    "a'b\"c",
    "a';reboot;'",
    "a\u2019;reboot;\u2018",
    "</string><key>x</key>",
    "<script>alert(1)</script>",
    "]]>&amp;<!--",
    "#> reboot <#",
    "a,b=c\\,d\\",
    "{ include /etc/shadow }",
    "%any",
    "-rf",
    "ünï日本",
)
"Names of users: all of these pass `ikepy user add`, which refuses what cannot be seen."


def self_signed(name: str = "CA of the tests") -> bytes:
    """DER of a CA."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=30))
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    return builder.sign(key, SHA256()).public_bytes(Encoding.DER)


@pytest.fixture(scope="session")
def authority() -> bytes:
    return self_signed()


@pytest.fixture
def facts(authority: bytes) -> ClientFacts:
    return ClientFacts(
        "eap",
        "gate.example.com",
        "gate.example.com",
        "alice",
        None,
        SignIn.PASSWORD,
        default_proposals(ProtocolId.IKE),
        default_proposals(ProtocolId.ESP),
        (4, 6),
        (ip_network("10.1.0.0/16"), ip_network("fd00:1::/32")),
        is_full=False,
        dns=(ip_address("10.1.0.53"), ip_address("fd00:1::53")),
        domains=("corp.example.com",),
        anchors=(authority,),
        issuer="CA of the tests",
    )


@pytest.fixture
def certified(facts: ClientFacts, authority: bytes) -> ClientFacts:
    certificate = UserCertificate(
        (authority,), Secret(b"-----BEGIN PRIVATE KEY-----\n"), b"p12 octets", Secret(b"opens it"), "RSA"
    )
    return replace(facts, sign_in=SignIn.CERTIFICATE, certificate=certificate, identity="alice.lab")


@pytest.fixture
def offering(facts: ClientFacts) -> Callable[..., ClientFacts]:
    """The same gateway with other proposals."""

    def make(ike: str = "default", esp: str = "default", **more: object) -> ClientFacts:
        return replace(
            facts,
            ike=parse_proposals(ike.split(","), ProtocolId.IKE),
            esp=parse_proposals(esp.split(","), ProtocolId.ESP),
            **more,
        )

    return make
