"""What each client makes of its file: whom it calls and trusts, who its user is, what it offers.

Files are read as their platforms read them; the words are turned back by tables of their own, not by those that wrote them.
Not here: what the client then says (tests/support/personas.py).
"""

from __future__ import annotations

import json
import plistlib
import re
import shlex
from base64 import b64decode
from dataclasses import dataclass, replace

from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key, pkcs12
from cryptography.x509 import load_pem_x509_certificate

from ikepy.config.algorithms import WORDS
from ikepy.personas.catalogue import find_persona
from ikepy.personas.offers import esp_offer, ike_offer
from ikepy.personas.persona import EapHabits, Persona, Proving
from ikepy.wire.registry import EapType, KeMethod, TransformType
from tests.profiles.powershell import tokens
from tests.support.certificates import Issued

CIPHERS = {"AES-256-GCM": "aes256gcm16", "AES-128-GCM": "aes128gcm16", "AES-256": "aes256", "AES-128": "aes128"}
HASHES = {"SHA2-256": "sha256", "SHA2-384": "sha384", "SHA2-512": "sha512"}
GROUPS = {14: "modp2048", 16: "modp4096", 19: "ecp256", 20: "ecp384", 31: "x25519"}
WINDOWS_CIPHERS = {"GCMAES256": "aes256gcm16", "GCMAES128": "aes128gcm16", "AES256": "aes256", "AES128": "aes128"}
WINDOWS_GROUPS = {"ECP256": "ecp256", "ECP384": "ecp384", "Group14": "modp2048", "PFS2048": "modp2048"}
IPSEC_KEYS = (
    "EncryptionMethod",
    "IntegrityCheckMethod",
    "DHGroup",
    "CipherTransformConstants",
    "AuthenticationTransformConstants",
    "PfsGroup",
)


@dataclass(frozen=True)
class Reading:
    """A client that has read its file.

    persona  it, with the offers of its file
    calls    the host it connects to, and `server` the identity it wants there
    anchor   DER of the CA it trusts for this; None where it has none of its own
    user     the name for EAP, where it stands in the file
    typed    the identity it gives, where one stands in the file
    own      its certificate and key
    """

    persona: Persona
    proving: Proving
    calls: str
    server: str
    anchor: bytes | None
    user: str | None = None
    typed: str | None = None
    own: Issued | None = None


def read_apple(profile: bytes, opening: str | None = None) -> Reading:
    """Read a .mobileconfig; `opening` is the password of the certificate in it."""
    payloads = plistlib.loads(profile)["PayloadContent"]
    (vpn,) = (each["IKEv2"] for each in payloads if "IKEv2" in each)
    authorities = [each["PayloadContent"] for each in payloads if each["PayloadType"] == "com.apple.security.root"]
    own = next(
        (each["PayloadContent"] for each in payloads if each["PayloadUUID"] == vpn.get("PayloadCertificateUUID")), None
    )
    ike, child = vpn["IKESecurityAssociationParameters"], vpn["ChildSecurityAssociationParameters"]
    first = _words(CIPHERS[ike["EncryptionAlgorithm"]], HASHES[ike["IntegrityAlgorithm"]], prf=True)
    esp = _words(CIPHERS[child["EncryptionAlgorithm"]], HASHES[child["IntegrityAlgorithm"]], prf=False)
    pfs = GROUPS[child["DiffieHellmanGroup"]] if vpn["EnablePFS"] else ""
    return Reading(
        with_offers("apple-by-profile", f"{first}-{GROUPS[ike['DiffieHellmanGroup']]}", esp, pfs),
        Proving.EAP if vpn["ExtendedAuthEnabled"] else Proving.CERTIFICATE,
        vpn["RemoteAddress"],
        vpn["RemoteIdentifier"],
        authorities[0] if authorities else None,
        vpn.get("AuthName"),
        vpn["LocalIdentifier"],
        None if own is None or opening is None else _opened(own, opening),
    )


def read_windows(script: bytes, opening: str | None = None) -> Reading:
    """Read the PowerShell script: what its cmdlets get."""
    pieces = tokens(script.decode("utf-8-sig"))
    found = [token.value for token in pieces]
    said = {key: found[found.index(key) + 2] for key in (*IPSEC_KEYS, "$Server", "AuthenticationMethod")}
    here = {
        next(word for word in reversed(found[:i]) if word.startswith("Add-")): token.value
        for i, token in enumerate(pieces)
        if token.kind == "here"
    }
    ike = _words(WINDOWS_CIPHERS[said["EncryptionMethod"]], said["IntegrityCheckMethod"].lower(), prf=True)
    esp = _words(WINDOWS_CIPHERS[said["CipherTransformConstants"]], "sha256", prf=False)
    assert said["AuthenticationTransformConstants"] in {"SHA256128", said["CipherTransformConstants"]}
    own = here.get("Add-UserCertificate")
    return Reading(
        with_offers(
            "windows-hardened",
            f"{ike}-{WINDOWS_GROUPS[said['DHGroup']]}",
            esp,
            WINDOWS_GROUPS.get(said["PfsGroup"], ""),
        ),
        {"Eap": Proving.EAP, "MachineCertificate": Proving.CERTIFICATE}[said["AuthenticationMethod"]],
        said["$Server"],
        said["$Server"],
        b64decode(here["Add-Authority"]) if "Add-Authority" in here else None,
        own=None if own is None or opening is None else _opened(b64decode(own), opening),
    )


def read_sswan(profile: bytes, opening: str | None = None) -> Reading:
    """Read the profile of strongSwan's app."""
    said = json.loads(profile)
    remote, local = said["remote"], said["local"]
    return Reading(
        strongswan_offers("strongswan-android", said["ike-proposal"], said["esp-proposal"]),
        {"ikev2-eap": Proving.EAP, "ikev2-cert": Proving.CERTIFICATE}[said["type"]],
        remote["addr"],
        remote["id"],
        b64decode(remote["cert"]) if "cert" in remote else None,
        local.get("eap_id"),
        local.get("id"),
        _opened(b64decode(local["p12"]), opening) if "p12" in local and opening is not None else None,
    )


def read_networkmanager(script: bytes, opening: str | None = None) -> Reading:
    """Read the script of NetworkManager: what nmcli gets, and the files it is written beside."""
    del opening  # its files are not locked
    text = script.decode()
    files = dict(
        re.findall(r"""^cat > "\$place/(\S+?)" <<'(?:.+?)'\n(.*?\n)END-OF-FILE$""", text, re.DOTALL | re.MULTILINE)
    )
    words = shlex.split(text[text.index("nmcli connection add") :].replace("\\\n", " "))
    entries = re.findall(r"(?:[^\\,]|\\.)+", words[words.index("vpn.data") + 1])
    data = {
        key.strip(): re.sub(r"\\(.)", r"\1", value.strip())
        for key, _, value in (each.partition("=") for each in entries)
    }
    own = None
    if "usercert" in data:
        key = load_pem_private_key(files["key.pem"].encode(), None)
        own = Issued(load_pem_x509_certificate(files["cert.pem"].encode()), key)  # type: ignore[arg-type]
    ca = files.get("ca.pem")
    return Reading(
        strongswan_offers("networkmanager-strongswan", data["ike"], data["esp"]),
        {"eap": Proving.EAP, "cert": Proving.CERTIFICATE}[data["method"]],
        data["address"],
        data["remote-identity"],
        None if ca is None else load_pem_x509_certificate(ca.encode()).public_bytes(Encoding.DER),
        data.get("user"),
        data.get("local-identity"),
        own,
    )


def with_offers(name: str, ike: str, esp: str, pfs: str = "") -> Persona:
    """A persona that offers what its file says; a child's first keys need no exchange."""
    persona = find_persona(name)
    assert persona is not None
    first = next(word for word in ike.split("-") if WORDS[word].type is TransformType.KE)
    return replace(
        persona,
        ike=ike_offer(ike),
        esp=esp_offer(esp),
        esp_rekey=esp_offer(f"{esp}-{pfs}" if pfs else esp),
        first_ke=KeMethod(WORDS[first].id),
        eap=EapHabits(methods=(EapType.MSCHAPV2,)),
    )


def strongswan_offers(name: str, ike: str, esp: str) -> Persona:
    """strongSwan's clients offer all that stands there, and leave key exchanges out of a child's first keys."""
    first, child = ike.split(";", maxsplit=1)[0], esp.split(";", maxsplit=1)[0]
    plain = [word for word in child.split("-") if WORDS[word].type in {TransformType.ENCR, TransformType.INTEG}]
    groups = [word for word in child.split("-") if WORDS[word].type is TransformType.KE]
    return with_offers(name, first, "-".join(plain), "-".join(groups[:1]))


def _words(cipher: str, integrity: str, *, prf: bool) -> str:
    parts = [cipher] if "gcm" in cipher else [cipher, integrity]
    return "-".join([*parts, f"prf{integrity}"] if prf else parts)


def _opened(packed: bytes, password: str) -> Issued:
    key, certificate, _ = pkcs12.load_key_and_certificates(packed, password.encode())
    assert certificate is not None
    assert key is not None
    return Issued(certificate, key)  # type: ignore[arg-type]
