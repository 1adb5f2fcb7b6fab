"""Windows 10 and 11: the built-in client (Agile VPN, RAS), as installed and after Set-VpnConnectionIPsecConfiguration.

As installed it offers each combination as a proposal of its own, all of MODP-1024, and ESP with SHA-1. IDi is its address;
the user's name comes in EAP alone. It names no gateway (IDr) and all CAs it has (CERTREQ).
Not here: the command that mends an installed one (windows_advice.py), its error numbers (ms_status.py).
"""

from __future__ import annotations

from dataclasses import replace

from ikepy.personas.kinds import Kind
from ikepy.personas.offers import each_combination, esp_offer, ike_offer
from ikepy.personas.persona import (
    MS_ADDRESS_OF_SERVER4,
    MS_ADDRESS_OF_SERVER6,
    EapHabits,
    IdiForm,
    Persona,
    Proving,
    Rekeying,
)
from ikepy.wire.registry import CfgAttributeType, EapType, KeMethod, NotifyType, PayloadType

MS_NT5 = bytes.fromhex("1e2b516905991c7d7c96fcbfb587e461")
"MD5 of `MS NT5 ISAKMPOAKLEY`; four octets of a version follow."
NEGOTIATION_DISCOVERY = bytes.fromhex("fb1de3cdf341b7ea16b7e5be0855f120")
"MD5 of `MS-Negotiation Discovery Capable`."
INITIAL_CONTACT_ID = bytes.fromhex("26244d38eddb61b3172a36e3d0cfb819")
"MD5 of `Vid-Initial-Contact`."
CGA_VERSION = bytes.fromhex("01528bbbc00696121849ab9a1c5b2a51")
"IKE CGA; four octets of a version follow."

STOCK_CIPHERS = ("3des", "aes128", "aes192", "aes256")
_INTEGRITY = ("sha1-prfsha1", "sha256-prfsha256", "sha384-prfsha384")
_PRFS = ("prfsha1", "prfsha256", "prfsha384")
STOCK_IKE = each_combination(STOCK_CIPHERS, _INTEGRITY, ("modp1024",))
GCM_IKE = each_combination(("aes128gcm16", "aes256gcm16"), _PRFS, ("modp1024",))
STOCK_ESP = ("aes256-sha1", "aes128-sha1", "3des-sha1", "des-sha1", "null-sha1")

_STOCK = Persona(
    name="windows-stock",
    label="Windows 10, as installed",
    kind=Kind.WINDOWS,
    ike=ike_offer(*STOCK_IKE),
    esp=esp_offer(*STOCK_ESP),
    esp_rekey=esp_offer(*STOCK_ESP),
    first_ke=KeMethod.MODP_1024,
    nonce_octets=48,
    init=(
        PayloadType.SA,
        PayloadType.KE,
        PayloadType.NONCE,
        NotifyType.IKEV2_FRAGMENTATION_SUPPORTED,
        NotifyType.NAT_DETECTION_SOURCE_IP,
        NotifyType.NAT_DETECTION_DESTINATION_IP,
        PayloadType.V,
    ),
    auth=(
        PayloadType.IDI,
        PayloadType.CERT,
        PayloadType.CERTREQ,
        PayloadType.AUTH,
        NotifyType.MOBIKE_SUPPORTED,
        PayloadType.CP,
        PayloadType.SA,
        PayloadType.TSI,
        PayloadType.TSR,
    ),
    vendor_ids=(
        MS_NT5 + bytes.fromhex("00000009"),
        NEGOTIATION_DISCOVERY,
        INITIAL_CONTACT_ID,
        CGA_VERSION + bytes.fromhex("00000002"),
    ),
    cp=(
        CfgAttributeType.INTERNAL_IP4_ADDRESS,
        CfgAttributeType.INTERNAL_IP4_DNS,
        CfgAttributeType.INTERNAL_IP4_NBNS,
        MS_ADDRESS_OF_SERVER4,
        CfgAttributeType.INTERNAL_IP6_ADDRESS,
        CfgAttributeType.INTERNAL_IP6_DNS,
        MS_ADDRESS_OF_SERVER6,
    ),
    provings=(Proving.EAP, Proving.CERTIFICATE),
    idi=IdiForm.ADDRESS,
    eap=EapHabits(methods=(EapType.MSCHAPV2,), identity="WORKGROUP\\{user}"),
    rekeying=Rekeying(
        ike=28800.0,
        child=3420.0,
        octets=200 << 20,
        asks_wider_selectors=True,
        accepts_ours=False,
        accepts_ke=False,
    ),
    cas_named=60,
    fragment_octets=576,
    faults=(
        "offers MODP-1024 and SHA-1 only",
        "refuses a child rekey that the gateway begins, with notify 12345 and error 13863",
        "ends with 13816 where the gateway's offer for a child has a key exchange and its own had none",
        "ignores INVALID_KE_PAYLOAD in a rekey: the offer must lead with the method it has",
        "reads the first traffic selector only",
        "wants the name its user typed in subjectAltName as a dNSName, also where it is an address",
    ),
)

STOCK = _STOCK
STOCK_11 = replace(
    _STOCK,
    name="windows-11-stock",
    label="Windows 11, as installed",
    ike=ike_offer(*STOCK_IKE, *GCM_IKE),
)
REGISTRY = replace(
    _STOCK,
    name="windows-modp2048",
    label="Windows 10/11 with NegotiateDH2048_AES256 = 2",
    ike=ike_offer(*each_combination(("aes256",), _INTEGRITY, ("modp2048",))),
    esp=esp_offer("aes256-sha1", "3des-sha1"),
    esp_rekey=esp_offer("aes256-sha1", "3des-sha1"),
    first_ke=KeMethod.MODP_2048,
    faults=_STOCK.faults[1:],
)
HARDENED = replace(
    _STOCK,
    name="windows-hardened",
    label="Windows 10/11 after Set-VpnConnectionIPsecConfiguration",
    ike=ike_offer("aes256-sha256-prfsha256-ecp256"),
    esp=esp_offer("aes256gcm16"),
    esp_rekey=esp_offer("aes256gcm16"),
    first_ke=KeMethod.ECP_256,
    eap=EapHabits(methods=(EapType.TLS, EapType.MSCHAPV2), identity="{user}"),
    faults=_STOCK.faults[1:],
)
HARDENED_PFS = replace(
    HARDENED,
    name="windows-hardened-pfs",
    label="Windows 10/11 after Set-VpnConnectionIPsecConfiguration with -PfsGroup",
    esp_rekey=esp_offer("aes256gcm16-ecp256"),
    rekeying=replace(HARDENED.rekeying, accepts_ke=True),
    faults=(*_STOCK.faults[1:2], *_STOCK.faults[3:]),
)

PERSONAS = (STOCK, STOCK_11, REGISTRY, HARDENED, HARDENED_PFS)
