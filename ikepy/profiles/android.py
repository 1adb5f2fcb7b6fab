"""Android's own client (11 and later): no file can set it up, so this is what goes into the fields of its screen.

Rule 1: the client asks for the gateway by the address typed (IDr), so that has to be the gateway's identity.
Rule 2: the fields stand in the order of the screen, with its words.
Not here: strongSwan's app (sswan.py), the habits of the client (personas/android.py).
"""

from __future__ import annotations

from ikepy.profiles.facts import ClientFacts, NotForThisPlatform, SignIn
from ikepy.profiles.suites import Ability, choose_esp, choose_ike

_HASHES = ("sha512", "sha384", "sha256", "aesxcbc", "aescmac")
_CIPHERS = tuple((f"aes{bits}{mode}", integ) for bits in (256, 192, 128) for mode in ("", "ctr") for integ in _HASHES)
_AEADS = (("aes256gcm16", None), ("aes128gcm16", None), ("aes192gcm16", None), ("chacha20poly1305", None))
ABILITY = Ability(
    "Android's own client",
    ike_encr=(*_AEADS, *_CIPHERS),
    esp_encr=(*_AEADS, *_CIPHERS),
    prfs=("prfsha512", "prfsha384", "prfsha256", "prfaesxcbc", "prfaescmac", "prfsha1"),
    groups=("modp4096", "x25519", "modp3072", "modp2048"),
    esp_groups=(),
    same_hash=False,
)
_TYPES = {
    SignIn.PASSWORD: "IKEv2/IPSec MSCHAPv2",
    SignIn.CERTIFICATE: "IKEv2/IPSec RSA",
    SignIn.PSK: "IKEv2/IPSec PSK",
}


def fields(facts: ClientFacts, slug: str) -> list[tuple[str, str]]:
    """The fields of the screen and what goes into them, in their order; raises NotForThisPlatform.

    slug   what the names of the files beside it begin with
    """
    _check(facts)
    known = [("Name", facts.title), ("Type", _TYPES[facts.sign_in]), ("Server address", facts.address)]
    match facts.sign_in:
        case SignIn.PSK:
            return [
                *known,
                ("IPSec identifier", facts.local_id),
                ("IPSec pre-shared key", facts.password_text or "the key you were given"),
            ]
        case SignIn.CERTIFICATE:
            return [
                *known,
                ("IPSec identifier", facts.local_id),
                ("IPSec user certificate", f"the one installed from {slug}.p12"),
                *_authority(facts, slug),
            ]
    return [
        *known,
        ("IPSec identifier", facts.local_id),
        *_authority(facts, slug),
        ("Username", facts.user),
        ("Password", facts.password_text or "your password"),
    ]


def make(facts: ClientFacts, slug: str) -> str:
    """The page of text; raises NotForThisPlatform."""
    rows = fields(facts, slug)
    width = max(len(name) for name, _ in rows)
    table = "\n".join(f"  {name:<{width}}  {value}" for name, value in rows)
    return f"""\
{facts.title}: Android's own client, Android 11 and later

{_install(facts, slug)}Settings, Network & internet, VPN, + (on some phones: Connections, More connection settings, VPN):

{table}

Save, then tap the name to connect. Leave all that is not listed here as it is.
"""


def _install(facts: ClientFacts, slug: str) -> str:
    """What is installed first."""
    lines = []
    if facts.anchors and facts.sign_in is not SignIn.PSK:
        lines.append(
            f"Settings, Security, Encryption & credentials, Install a certificate, CA certificate: {slug}-ca.crt"
        )
    if facts.sign_in is SignIn.CERTIFICATE:
        lines.append(f"The same, VPN & app user certificate: {slug}.p12")
    return "".join(f"{line}\n" for line in lines) + ("\n" if lines else "")


def _authority(facts: ClientFacts, slug: str) -> list[tuple[str, str]]:
    installed = f"the one installed from {slug}-ca.crt" if facts.anchors else "(use system certificates)"
    return [("IPSec CA certificate", installed), ("IPSec server certificate", "(received from server)")]


def _check(facts: ClientFacts) -> None:
    choose_ike(facts.ike, ABILITY)
    choose_esp(facts.esp, ABILITY)
    if facts.sign_in not in _TYPES:
        raise NotForThisPlatform(
            f"Android's own client has no {'EAP-TLS' if facts.sign_in is SignIn.EAP_TLS else 'EAP-GTC'}: take strongSwan's "
            "app, or let the user come in by EAP-MSCHAPv2"
        )
    if facts.sign_in is SignIn.CERTIFICATE and facts.certificate is not None and facts.certificate.kind != "RSA":
        raise NotForThisPlatform("Android's own client signs with RSA keys only: make the user a certificate with one")
    if facts.address != facts.server_id:
        raise NotForThisPlatform(
            f"Android's own client asks for the gateway as {facts.address}, and it is called {facts.server_id}: leave out "
            "--server, and have that name in DNS"
        )
