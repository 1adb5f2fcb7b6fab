"""Certificates and settings for both ends of TLS in EAP."""

from __future__ import annotations

from ikepy.auth.certificate import read_certificate
from ikepy.auth.credentials import Trust
from ikepy.auth.eap.tls_engine import TlsSettings, TlsVersion
from ikepy.auth.eap.tls_judges import ServerJudge, UserJudge
from tests.support.certificates import NOW, Issued, make, make_ca

ROOT = make_ca("C=DE, O=Example, CN=Root")
SUB = make_ca("C=DE, O=Example, CN=Sub", ROOT)
GATE = make("CN=gate", SUB, alt_names=("dns:gate.example.com",), purposes=("serverAuth",))
ALICE = make("CN=alice", SUB, alt_names=("email:alice@example.com",), purposes=("clientAuth",))
OTHER_ROOT = make_ca("CN=Other Root")
MALLORY = make("CN=mallory", OTHER_ROOT, alt_names=("dns:gate.example.com", "email:alice@example.com"))
SELF_SIGNED = make("CN=gate", alt_names=("dns:gate.example.com", "email:alice@example.com"))
VERSIONS = (TlsVersion.TLS_1_2, TlsVersion.TLS_1_3)


def trust_in(*anchors: Issued) -> Trust:
    return Trust(tuple(read_certificate(anchor.der) for anchor in anchors))


def server_settings(
    version: TlsVersion = TlsVersion.TLS_1_3,
    *,
    own: Issued = GATE,
    asks_for_certificate: bool = False,
    anchor: Issued = ROOT,
) -> TlsSettings:
    return TlsSettings(
        chain=(own.der, SUB.der),
        key=own.key,
        judge=UserJudge(trust_in(anchor), lambda: NOW) if asks_for_certificate else None,
        lowest=version,
        highest=version,
        authorities=(anchor.der,),
    )


def client_settings(
    version: TlsVersion = TlsVersion.TLS_1_3,
    *,
    own: Issued | None = None,
    expected: tuple[str, ...] = ("gate.example.com",),
    anchor: Issued = ROOT,
) -> TlsSettings:
    return TlsSettings(
        chain=(own.der, SUB.der) if own is not None else (),
        key=own.key if own is not None else None,
        judge=ServerJudge(trust_in(anchor), expected, lambda: NOW),
        highest=version,
    )
