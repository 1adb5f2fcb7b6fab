"""iOS, iPadOS and macOS: a configuration profile (.mobileconfig), by Apple's schema com.apple.vpn.managed.

Rule 1: one profile has all: the CA, the user's certificate, the VPN; the UUIDs are the same each time, so that a profile
installed again replaces the old one.
Rule 2: the client is told exactly one suite, GCM with ECP-256 before all: others are known to fail at rekeying.
Not here: the habits of the client (personas/apple.py), signing the profile (packing.py).
"""

from __future__ import annotations

import plistlib
from uuid import UUID, uuid5

from ikepy.profiles.facts import ClientFacts, NotForThisPlatform, SignIn
from ikepy.profiles.suites import Ability, EspSuite, IkeSuite, choose_esp, choose_ike

MEDIA_TYPE = "application/x-apple-aspen-config"
ABILITY = Ability(
    "Apple's client",
    ike_encr=(
        ("aes256gcm16", None),
        ("aes128gcm16", None),
        ("chacha20poly1305", None),
        ("aes256", "sha256"),
        ("aes256", "sha384"),
        ("aes256", "sha512"),
        ("aes128", "sha256"),
    ),
    esp_encr=(
        ("aes256gcm16", None),
        ("aes128gcm16", None),
        ("chacha20poly1305", None),
        ("aes256", "sha256"),
        ("aes256", "sha384"),
        ("aes256", "sha512"),
        ("aes128", "sha256"),
    ),
    prfs=("prfsha256", "prfsha384", "prfsha512"),
    groups=("ecp256", "x25519", "ecp384", "ecp521", "modp2048", "modp3072", "modp4096", "x448", "modp6144", "modp8192"),
    esp_groups=("ecp256", "x25519", "ecp384", "ecp521", "modp2048", "modp3072", "modp4096", "modp6144", "modp8192"),
)
_ENCRYPTION = {
    "aes256gcm16": "AES-256-GCM",
    "aes128gcm16": "AES-128-GCM",
    "chacha20poly1305": "ChaCha20Poly1305",
    "aes256": "AES-256",
    "aes128": "AES-128",
}
_HASH = {"sha256": "SHA2-256", "sha384": "SHA2-384", "sha512": "SHA2-512"}
_GROUP = {
    "modp2048": 14,
    "modp3072": 15,
    "modp4096": 16,
    "modp6144": 17,
    "modp8192": 18,
    "ecp256": 19,
    "ecp384": 20,
    "ecp521": 21,
    "x25519": 31,
    "x448": 32,
}
_IKE_MINUTES, _CHILD_MINUTES = 1440, 1410
"The client's own rekeying, as late as it may be: it does not survive those at 24 and 48 minutes."
_SPACE = UUID("7f9b7d4e-3c53-5f0e-9a5e-1d1f6c2f8a10")
"The name space of our UUIDs (RFC 9562 §5.5)."

Payload = dict[str, object]


def make(facts: ClientFacts, *, on_demand: bool = False) -> bytes:
    """Make the profile; raises NotForThisPlatform.

    on_demand   the client connects by itself whenever there is a network
    """
    if facts.sign_in is SignIn.TOKEN:
        raise NotForThisPlatform(
            "Apple's client cannot do EAP-GTC: give the user a password without --scrypt, for EAP-MSCHAPv2"
        )
    payloads = [
        *(_authority(facts, der, at) for at, der in enumerate(facts.anchors)),
        *([_user_certificate(facts)] if facts.sign_in.by_certificate else []),
        _vpn(facts, on_demand=on_demand),
    ]
    profile: Payload = {
        "PayloadContent": payloads,
        "PayloadDescription": f"Sets up the VPN of {facts.server_id} for {facts.user}.",
        "PayloadRemovalDisallowed": False,
        **_head(facts, "Configuration", "profile", facts.title),
    }
    return plistlib.dumps(profile, sort_keys=True)


def uuid_of(facts: ClientFacts, part: str) -> str:
    """The UUID of a part of a user's profile: the same each time."""
    return str(uuid5(_SPACE, f"{facts.server_id}\0{facts.connection}\0{facts.user}\0{part}")).upper()


def _head(facts: ClientFacts, kind: str, part: str, name: str) -> Payload:
    return {
        "PayloadType": kind,
        "PayloadVersion": 1,
        "PayloadIdentifier": f"ikepy.{uuid_of(facts, 'profile').lower()}.{part}",
        "PayloadUUID": uuid_of(facts, part),
        "PayloadDisplayName": name,
    }


def _authority(facts: ClientFacts, der: bytes, at: int) -> Payload:
    part = f"authority{at}"
    return {"PayloadContent": der, **_head(facts, "com.apple.security.root", part, f"CA of {facts.server_id}")}


def _user_certificate(facts: ClientFacts) -> Payload:
    """The certificate with its key; who opens it is asked for the password unless it is to be in the file."""
    certificate = facts.certificate
    assert certificate is not None  # noqa: S101 - ClientFacts checks that
    payload: Payload = {
        "PayloadContent": certificate.pkcs12,
        **_head(facts, "com.apple.security.pkcs12", "certificate", f"Certificate of {facts.user}"),
    }
    if facts.password is not None:
        payload["Password"] = certificate.pkcs12_secret.reveal().decode()
    return payload


def _vpn(facts: ClientFacts, *, on_demand: bool) -> Payload:
    ike, esp = choose_ike(facts.ike, ABILITY), choose_esp(facts.esp, ABILITY)
    settings: Payload = {
        "RemoteAddress": facts.address,
        "RemoteIdentifier": facts.server_id,
        "LocalIdentifier": facts.local_id,
        **_authentication(facts),
        "IKESecurityAssociationParameters": _ike_parameters(ike),
        "ChildSecurityAssociationParameters": _child_parameters(esp, ike),
        "EnablePFS": int(esp.ke is not None),
        "DeadPeerDetectionRate": "Medium",
        "DisableMOBIKE": int(not facts.mobike),
        "DisableRedirect": 0,
        "EnableCertificateRevocationCheck": 0,
        "UseConfigurationAttributeInternalIPSubnet": 0,
        "OnDemandEnabled": int(on_demand),
    }
    if on_demand:
        settings["OnDemandRules"] = [{"Action": "Connect"}]
    payload: Payload = {
        "UserDefinedName": facts.title,
        "VPNType": "IKEv2",
        "IKEv2": settings,
        **_head(facts, "com.apple.vpn.managed", "vpn", facts.title),
    }
    if facts.dns:
        payload["DNS"] = _dns(facts)
    return payload


def _authentication(facts: ClientFacts) -> Payload:
    certificate = facts.certificate
    match facts.sign_in:
        case SignIn.PSK:
            secret = facts.password_text
            shared: Payload = {"AuthenticationMethod": "SharedSecret"}
            return shared | ({"SharedSecret": secret} if secret is not None else {})
        case SignIn.PASSWORD | SignIn.TOKEN:
            secret = facts.password_text
            named: Payload = {"AuthenticationMethod": "None", "ExtendedAuthEnabled": 1, "AuthName": facts.user}
            return named | ({"AuthPassword": secret} if secret is not None else {})
        case SignIn.EAP_TLS:
            named = {"AuthenticationMethod": "None", "ExtendedAuthEnabled": 1, "TLSMinimumVersion": "1.2"}
        case SignIn.CERTIFICATE:
            if "=" in facts.local_id:
                raise NotForThisPlatform(
                    "Apple's client cannot say it is a distinguished name: make the user a certificate with a mail address "
                    "or a DNS name as subjectAltName"
                )
            named = {"AuthenticationMethod": "Certificate", "ExtendedAuthEnabled": 0}
    named["PayloadCertificateUUID"] = uuid_of(facts, "certificate")
    if facts.sign_in is SignIn.CERTIFICATE and certificate is not None:
        named |= _certificate_kind(facts, certificate.kind)
    return named


def _certificate_kind(facts: ClientFacts, kind: str | None) -> Payload:
    """Which key the user has; RSA is what the client takes it for where nothing is said."""
    if kind is None:
        raise NotForThisPlatform(
            "Apple's client reads RSA keys and those on P-256, P-384 and P-521: make the user a certificate with one"
        )
    if kind == "RSA":
        return {}
    if facts.issuer is None:
        raise NotForThisPlatform(
            "Apple's client asks for the server by its issuer's common name, which has none: take an RSA user certificate"
        )
    return {"CertificateType": kind, "ServerCertificateIssuerCommonName": facts.issuer}


def _ike_parameters(suite: IkeSuite) -> Payload:
    return {
        "EncryptionAlgorithm": _ENCRYPTION[suite.encr],
        "IntegrityAlgorithm": _HASH[suite.prf.removeprefix("prf")],
        "DiffieHellmanGroup": _GROUP[suite.ke],
        "LifeTimeInMinutes": _IKE_MINUTES,
    }


def _child_parameters(suite: EspSuite, ike: IkeSuite) -> Payload:
    return {
        "EncryptionAlgorithm": _ENCRYPTION[suite.encr],
        "IntegrityAlgorithm": _HASH[suite.integ or "sha256"],
        "DiffieHellmanGroup": _GROUP[suite.ke if suite.ke is not None else ike.ke],
        "LifeTimeInMinutes": _CHILD_MINUTES,
    }


def _dns(facts: ClientFacts) -> Payload:
    """The inner DNS servers, for their domains, or for all names where none are said."""
    return {
        "DNSProtocol": "Cleartext",
        "ServerAddresses": [str(address) for address in facts.dns],
        "SupplementalMatchDomains": list(facts.domains) or [""],
    }
